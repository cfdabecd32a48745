/* SPDX-License-Identifier: MIT */
/* What happens when an agent or the coordinator is lost: what no single row can see. */
#include "coordinator/plan/scenario_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_subnet(const void *a, const void *b)
{
    const struct ipv4_net *x = a, *y = b;
    uint32_t left = inet_host(x->base), right = inet_host(y->base);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return (x->prefix_bits > y->prefix_bits) - (x->prefix_bits < y->prefix_bits);
}

/* Whether any two relays have one subnet; true when out of memory: it is not complained about. */
static bool has_second_home(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    struct ipv4_net *nets = calloc(s->relays.count + 1, sizeof(*nets));
    bool is_shared = nets == NULL;
    for (size_t i = 0; nets != NULL && i < s->relays.count; i++) {
        nets[i] = relays[i].subnet;
    }
    if (nets != NULL) {
        qsort(nets, s->relays.count, sizeof(*nets), by_subnet);
    }
    for (size_t i = 1; nets != NULL && i < s->relays.count; i++) {
        is_shared = is_shared || by_subnet(&nets[i - 1], &nets[i]) == 0;
    }
    free(nets);
    return is_shared;
}

static void check_reassign(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why)
{
    unsigned line = raw->on_agent_loss_line;
    if (s->renewals_alone_ns > 0) {
        diag_add(why, raw->coordinator_loss.renewals_line,
                 "renewals without a coordinator and `on_agent_loss: reassign` exclude each other: "
                 "an agent that is only cut off would go on renewing what another one plays; give "
                 "one of them");
    }
    if (s->has_search) {
        diag_add(why, line,
                 "a search on fewer agents measures something else; use `on_agent_loss: fail` with "
                 "a search");
    }
    if (s->client_path == SCENARIO_PATH_ROUTED || s->client_path == SCENARIO_PATH_DNAT) {
        diag_add(why, line,
                 "client_path routed and dnat need each subnet at one agent, so that no other one "
                 "could go on with its clients; use client_path: egress, or `on_agent_loss: "
                 "continue`");
    } else if (s->relays.count > 0 && !has_second_home(s)) {
        diag_add(why, line,
                 "reassign needs a second relay, at another agent, in the subnet of the first, and "
                 "no subnet here has two; add relays, or use `on_agent_loss: continue`");
    }
}

void scenario_check_losses(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why)
{
    const char *word = raw->on_agent_loss;
    bool is_known = word[0] == '\0'; /* refused by the schema */
    for (size_t i = 0; scenario_loss_words[i] != NULL; i++) {
        is_known = is_known || strcmp(word, scenario_loss_words[i]) == 0;
    }
    if (!is_known) {
        diag_add(why, raw->on_agent_loss_line,
                 "`on_agent_loss` is `%s`, but must be one of fail, continue, reassign; choose one "
                 "of them",
                 word);
    }
    if (s->renewals_alone_ns % NS_PER_S != 0) {
        diag_add(why, raw->coordinator_loss.renewals_line,
                 "renewals without a coordinator are counted in whole seconds; round it");
    }
    if (s->time_ns > 0 && s->renewals_alone_ns > s->time_ns) {
        diag_add(why, raw->coordinator_loss.renewals_line,
                 "renewals would go on for longer than limits.time (%" PRIu64
                 " s) lets the run; shorten them",
                 s->time_ns / NS_PER_S);
    }
    if (s->on_agent_loss == AGENT_LOSS_REASSIGN) {
        check_reassign(raw, s, why);
    }
}
