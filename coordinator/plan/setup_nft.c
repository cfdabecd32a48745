/* SPDX-License-Identifier: MIT */
/* For `nft -f`: the rules of `leaseherd testbed` for this server, for who keeps rules in files. */
#include "coordinator/plan/setup_print.h"
#include "coordinator/plan/testbed.h"

void setup_print_nft(const struct setup *setup, struct plan_text *t)
{
    const struct scenario *s = setup->scenario;
    const struct scenario_server *server =
        (const struct scenario_server *)s->servers.items + setup->server;
    plan_text_say(t,
                  "# Server %s, scenario %s: replies to the test's clients go to the agents' "
                  "addresses.\n# Stateless, only this block, only ports 67 and 68; Linux 5.16 or "
                  "newer. nft -f FILE; undone by\n# nft delete table netdev leaseherd. The server "
                  "needs some route to the block.\n"
                  "table netdev leaseherd\ndelete table netdev leaseherd\n"
                  "table netdev leaseherd {\n\tchain replies {\n"
                  "\t\ttype filter hook egress device \"%s\" priority 0; policy accept;\n",
                  server->name, s->name, setup->interface);
    (void)testbed_say_rewrites(s, true, "\t\t", "", t);
    plan_text_say(t, "\t}\n}\n");
}
