/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/testbed.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SLOT_COUNT = 255,
    HEAD_BYTES = 1024,
    /* "relay" and its words, a name, two addresses, a subnet, a slot */
    LINE_BYTES = 64 + PLAN_NAME_BYTES + 2 * IPV4_TEXT_BYTES + IPV4_NET_TEXT_BYTES
};

static int print_head(const struct scenario *s, char *out, size_t size)
{
    char block[IPV4_NET_TEXT_BYTES];
    return snprintf(out, size,
                    "# Test bed of scenario %s; input of deploy/testbed/{egress,routed,dnat}.\n"
                    "# Clients get their addresses from the block; replies to them must reach `via`"
                    ",\n"
                    "# the agent's address that carries the relay. Where relays share a subnet, the"
                    "\n"
                    "# first byte of the xid (slot) tells whose reply it is.\n"
                    "block %s\n",
                    s->name, inet_net_text(s->block, block));
}

char *testbed_directives(const struct scenario *s)
{
    size_t size = HEAD_BYTES + s->relays.count * LINE_BYTES;
    char *out = malloc(size);
    if (out == NULL) {
        return NULL;
    }
    size_t used = (size_t)print_head(s, out, size);
    const struct scenario_relay *relays = s->relays.items;
    for (size_t i = 0; i < s->relays.count; i++) {
        char giaddr[IPV4_TEXT_BYTES], via[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
        used += (size_t)snprintf(out + used, size - used,
                                 "relay %s giaddr %s via %s subnet %s slot %zu\n", relays[i].name,
                                 inet_text(relays[i].giaddr, giaddr), inet_text(relays[i].via, via),
                                 inet_net_text(relays[i].subnet, subnet), 1 + i % SLOT_COUNT);
    }
    return out;
}
