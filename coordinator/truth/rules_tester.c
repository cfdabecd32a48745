/* SPDX-License-Identifier: MIT */
/* What the tester itself did wrong: an error here makes the run INVALID, DESIGN section 8. */
#include "coordinator/truth/rules_macros.h"

static const char *const other_limits[] = {"own-drops", "send-lag", "rate-missed", NULL};

static const struct rule rules[] = {
    {RULE("own-drops", ERROR, TESTER, RUN, WIRE), .when = {WHEN(own_drops, ABOVE, 0)},
     .summary = "the agents' own sockets dropped {own_drops} answers[; {own_drops_why}]",
     .evidence = "SO_RXQ_OVFL at the agents' sockets; see rx_drops of agents[; "
                 "{own_drops_figures}]",
     .remedy = "raise net.core.rmem_max at the agents, use more agents, or a lower rate; packets "
               "damaged on the way are counted there, too (nstat UdpInCsumErrors)"},
    {RULE("drops-of-others", INFO, TESTER, RUN, WIRE), .when = {WHEN(rcvbuf_others, ABOVE, 0)},
     .summary = "another program on the host of agent {rcvbuf_agent} lost {rcvbuf_others} "
                "datagrams for want of room in its receive buffers; the agents did not",
     .evidence = "RcvbufErrors of that network namespace grew by {rcvbuf_errors} since READY, "
                 "the agents' sockets dropped {own_drops}",
     .remedy = "nothing for this run: it counts against no result; ss -ulnm there shows whose "
               "buffers are full"},
    {RULE("send-lag", ERROR, TESTER, RUN, WIRE),
     .when = {WHEN_OF(send_lag, ABOVE, 1, send_lag_limit)},
     .summary = "the agents sent too late to measure stage {send_lag_stage}: p99 {send_lag} after "
                "the plan[; {send_lag_why}]",
     .evidence = "allowed are {send_lag_limit} ({send_lag_basis}); {send_lag_samples} packets "
                 "measured[; {send_lag_figures}]",
     .remedy = "give the agents more CPU or more hosts, or lower the rate or batch"},
    {RULE("rate-missed", ERROR, TESTER, RUN, WIRE),
     .when = {WHEN_OF(starts_actual, BELOW, 0.99, starts_planned)},
     .summary = "the planned rate was not sent[; {rate_missed_why}]",
     .evidence = "{starts_actual} of {starts_planned} planned exchanges were started; "
                 "{agents_behind} agents were behind for three seconds or more, at worst by "
                 "{behind_worst}[; {rate_missed_figures}]",
     .remedy = "use more agents or hosts, raise limits.packets, or plan a lower rate"},
    {RULE("rate-missed", ERROR, TESTER, RUN, WIRE), .when = {WHEN(agents_behind, ABOVE, 0)},
     .summary = "the planned rate was not sent[; {rate_missed_why}]",
     .evidence = "{starts_actual} of {starts_planned} planned exchanges were started; "
                 "{agents_behind} agents were behind for three seconds or more, at worst by "
                 "{behind_worst}[; {rate_missed_figures}]",
     .remedy = "use more agents or hosts, raise limits.packets, or plan a lower rate"},
    {RULE("expired-in-pause", ERROR, TESTER, RUN, WIRE), .when = {WHEN(expired_in_pause, ABOVE, 0)},
     .summary = "{expired_in_pause} leases ran out while the agents were not allowed to send",
     .evidence = "agents paused for {paused} in all for want of a run lease",
     .remedy = "find out why coordinator and agents could not talk; then run again"},
    {RULE("results-folded", ERROR, TESTER, RUN, WIRE), .when = {WHEN(folded, ABOVE, 0)},
     .summary = "details of {folded} results were given up because they came faster than the "
                "coordinator took them",
     .evidence = "results_coalesced of the agents",
     .remedy = "use a faster disk for the run directory, or a lower rate"},
    {RULE("strange-events", ERROR, TESTER, RUN, WIRE), .when = {WHEN(strange_events, ABOVE, 0)},
     .summary = "{strange_events} events named clients or stages the plan does not have",
     .evidence = "",
     .remedy = "a defect of Leaseherd, or agents of another build; please report it"},
    {RULE("agent-lost", WARNING, TESTER, RUN, WIRE),
     .when = {WHEN(agents_lost, ABOVE, 0), WHEN(clients_moved, ABOVE, 0)},
     .summary = "an agent was lost: {clients_moved} of its clients went on at other agents, "
                "{clients_lost} were lost with it",
     .evidence = "{lost_agents}",
     .remedy = "see the agent's log on its host; its clients count as lost_with_agent and in "
               "nothing else"},
    {RULE("agent-lost", WARNING, TESTER, RUN, WIRE), .when = {WHEN(agents_lost, ABOVE, 0)},
     .summary = "{clients_lost} clients were lost with their agent", .evidence = "{lost_agents}",
     .remedy = "see the agent's log on its host; its clients count as lost_with_agent and in "
               "nothing else"},
    {RULE("send-errors", WARNING, TESTER, RUN, WIRE), .when = {WHEN(send_errors, ABOVE, 0)},
     .summary = "the kernel refused to send {send_errors} packets",
     .evidence = "[most of all {send_error}: {send_errors_worst} times]",
     .remedy = "{send_error_hint}"},
    {RULE("clock-jumped", ERROR, TESTER, RUN, WIRE), .when = {WHEN(clock_breaks, ABOVE, 0)},
     .summary = "the clock of agent {clock_agent} did what no clock does, {clock_breaks} times",
     .evidence = "it left the coordinator's by more than 0.1 % of the time between two looks; its "
                 "events of these moments are as uncertain as the jumps are large, and latencies "
                 "that span one are wrong by as much",
     .remedy = "do not suspend or migrate that machine during a run, and let its clock be set "
               "before the run begins"},
    {RULE("clock-uncertain", WARNING, TESTER, RUN, WIRE),
     .when = {WHEN(clock_uncertain, AT_LEAST, 100)},
     .summary = "the clock of agent {clock_vague_agent} is known to +-{clock_uncertain} only",
     .evidence = "events of different agents cannot be put in order more closely; latencies are "
                 "not affected",
     .remedy = "look for delay or congestion between coordinator and that agent"},
    {RULE("tester-limited", ERROR, TESTER, RUN, WIRE), .when = {WHEN(search_at_tester, ABOVE, 0)},
     .explained_by = other_limits,
     .summary = "the search ended where the agents could send no more, not where the servers "
                "could answer no more",
     .evidence = "the busiest agent used {agent_cpu} of a core; see search for the step at which "
                 "it was held up",
     .remedy = "use more agents or hosts; the servers' capacity is at least what was reached"},
    {RULE("tester-limited", ERROR, TESTER, SERVER, OBSERVER),
     .when = {WHEN(agent_cpu, AT_LEAST, 95), WHEN(poll_busiest, AT_LEAST, 90),
              WHEN(judgements_missed, ABOVE, 0)},
     .explained_by = other_limits,
     .summary = "the agents were the limit: their CPU was used up while {servers} waited "
                "for something to do",
     .evidence = "the busiest agent used {agent_cpu} of a core; the servers waited for packets at "
                 "least {each poll_busiest} of the time, in their busiest seconds",
     .remedy = "use more agents or hosts, or a lower rate; a missed judgement says nothing of the "
               "servers here"},
};

const struct rule_table rules_of_tester = {rules, ARRAY_LEN(rules)};
