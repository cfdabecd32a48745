/* SPDX-License-Identifier: MIT */
/*
 * What lies between tester and servers. Figures behind the limits: the NAT of Linux
 * looks for a free port 1..511 in place of 67, so 511 addresses per server and tracking
 * timeout can be answered, and the next send fails with EPERM, after the server has
 * logged the ACK; who has a port keeps it, so losers lose again and winners never do.
 */
#include "coordinator/truth/rules_macros.h"

static const char *const exhaustion[] = {"nat-source-port-exhaustion", NULL};
static const char *const refusals[] = {"nat-source-port-exhaustion", "conntrack-full",
                                       "rate-limited-replies", NULL};
static const char *const no_replies[] = {"nat-source-port-exhaustion", "firewall-drops-replies",
                                         NULL};

#define EXHAUSTED                                                                                  \
    .summary =                                                                                     \
        "NAT on the way of the replies has run out of source ports: {renew_unanswered} "           \
        "RENEW packets to {servers} stayed unanswered; it can answer at most 511 addresses "       \
        "per server within nf_conntrack_udp_timeout"
#define EXHAUSTED_REMEDY                                                                           \
    .remedy = "replace the DNAT rule on the servers by the stateless one of `leaseherd testbed` "  \
              "(client_path: egress), or let the agents use client_path: relayed; as a stop-gap "  \
              "nf_conntrack_udp_timeout=1 raises the ceiling to 511 renewals/s per server"
#define EXHAUSTED_WIRE                                                                             \
    "unanswered RENEW packets by server: {each renew_unanswered}; {rewritten_low} replies came "   \
    "from ports 1 to 511 in place of 67, {low_ports} different ones"
#define EXHAUSTED_PLATEAU(window, name)                                                            \
    {                                                                                              \
        RULE("nat-source-port-exhaustion", ERROR, BED, SERVER, WIRE),                              \
            .when = {WHEN(rewritten_low, AT_LEAST, 200), WHEN(low_ports, AT_LEAST, 500),           \
                     WHEN(renew_lost, AT_LEAST, 10), WHEN(ceiling_##window, AT_LEAST, 2),          \
                     WHEN(above_##window, EQUAL, 0)},                                              \
            EXHAUSTED,                                                                             \
            .evidence = EXHAUSTED_WIRE "; never more than {most_" #window                          \
                                       "} addresses were renewed in " name                         \
                                       " ({each ceiling_" #window "} such times at 511)",          \
            EXHAUSTED_REMEDY                                                                       \
    }

static const struct rule rules[] = {
    {RULE("foreign-offer", WARNING, BED, RUN, WIRE), .when = {WHEN(foreign_offers, ABOVE, 0)},
     .summary = "addresses outside the test block, or from a server that is not in `servers`, were "
                "offered; none was requested",
     .evidence = "{foreign_offers} foreign OFFERs",
     .remedy = "correct network.block and servers, or keep that pool away from the test relays"},
    {RULE("conntrack-full", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(ct_fill, AT_LEAST, 95), WHEN(ip_out_discards, AT_LEAST, 10)},
     .summary = "connection tracking on {servers} was full: new flows, DHCP's among them, are "
                "dropped at random",
     .evidence = "up to {ct_fill} of nf_conntrack_max used; {ip_out_discards} sends refused by the "
                 "kernel, {ct_early_drop} connections dropped early",
     .remedy = "raise net.netfilter.nf_conntrack_max, or exempt udp ports 67 and 68 from tracking "
               "in PREROUTING and OUTPUT"},
    {RULE("conntrack-full", WARNING, BED, SERVER, OBSERVER),
     .when = {WHEN(ct_early_drop, ABOVE, 0), WHEN(ct_fill, AT_LEAST, 80)},
     .summary = "connection tracking on {servers} is full and drops old connections to make room",
     .evidence = "up to {ct_fill} of nf_conntrack_max used, {ct_early_drop} connections dropped",
     .remedy = "raise net.netfilter.nf_conntrack_max, or exempt udp ports 67 and 68 from tracking "
               "in PREROUTING and OUTPUT"},
    {RULE("nat-source-port-exhaustion", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(ip_out_discards, ABOVE, 0), WHEN(ct_insert_failed, ABOVE, 0),
              WHEN(rewritten_low, ABOVE, 0), WHEN(renew_unanswered, ABOVE, 0)},
     EXHAUSTED,
     .evidence = EXHAUSTED_WIRE
     "; the servers' kernels refused {ip_out_discards} sends ({each ip_out_discards}), connection "
     "tracking could not take in {ct_insert_failed}[, the log tells of {log_send_refused}][; "
     "nf_conntrack_udp_timeout {ct_udp_timeout}: ceiling {nat_ceiling} per server][; {nat_rule}]",
     EXHAUSTED_REMEDY},
    {RULE("nat-source-port-exhaustion", ERROR, BED, SERVER, WIRE),
     .when = {WHEN(rewritten_low, AT_LEAST, 200), WHEN(low_ports, AT_LEAST, 400),
              WHEN(losers, AT_LEAST, 10), WHEN(renew_retries, AT_LEAST, 10),
              WHEN(retry_success, AT_MOST, 20), WHEN(winners_lost, AT_MOST, 4)},
     EXHAUSTED,
     .evidence = EXHAUSTED_WIRE
     "; {losers} clients lose, and {retry_success} of their {renew_retries} retransmissions were "
     "answered; {winners_lost} of the others' later renewals were lost[; {rebinds_after_loss} of "
     "them were rescued by rebinding through the relay]",
     EXHAUSTED_REMEDY},
    /* Over before anybody could renew a second time: all ports were given, and nobody else had one.
     */
    {RULE("nat-source-port-exhaustion", ERROR, BED, SERVER, WIRE),
     .when = {WHEN(rewritten_low, AT_LEAST, 400), WHEN(low_ports, AT_LEAST, 505),
              WHEN(losers, AT_LEAST, 10), WHEN(renew_retries, AT_LEAST, 10),
              WHEN(retry_success, AT_MOST, 2), WHEN(ceiling_120s, AT_LEAST, 1),
              WHEN(above_120s, EQUAL, 0)},
     EXHAUSTED,
     .evidence = EXHAUSTED_WIRE
     "; {losers} clients lose, and {retry_success} of their {renew_retries} retransmissions were "
     "answered; never more than {most_120s} addresses were renewed in two minutes",
     EXHAUSTED_REMEDY},
    EXHAUSTED_PLATEAU(1s, "one second"),
    EXHAUSTED_PLATEAU(30s, "half a minute"),
    EXHAUSTED_PLATEAU(120s, "two minutes"),
    {RULE("nat-rewrites-source-port", WARNING, BED, RUN, WIRE),
     .when = {WHEN(wrong_port_packets, ABOVE, 0)}, .explained_by = exhaustion,
     .summary = "servers' answers arrived from ports other than 67: NAT with connection tracking "
                "rewrites them, and can do so for at most 511 addresses at a time",
     .evidence = "{wrong_port_packets} packets in all[, {wrong_port_preflight} in preflight][; "
                 "{each rewritten_replies}][; at most {most_30s} addresses were renewed in half a "
                 "minute][; {nat_rule}]; beyond 511 addresses per server and conntrack timeout the "
                 "server's send fails with EPERM, after it has logged the ACK",
     EXHAUSTED_REMEDY},
    {RULE("nat-rewrites-source-port", WARNING, BED, RUN, WIRE),
     .when = {WHEN(wrong_port_preflight, ABOVE, 0)}, .explained_by = exhaustion,
     .summary = "servers' answers arrived from ports other than 67: NAT with connection tracking "
                "rewrites them, and can do so for at most 511 addresses at a time",
     .evidence = "{wrong_port_preflight} packets in preflight", EXHAUSTED_REMEDY},
    {RULE("agent-answers-pings", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(log_abandoned, AT_LEAST, 3), WHEN(echo_replies_in, AT_LEAST, 3),
              WHEN(echo_answers, AT_LEAST, 3)},
     .summary = "an agent's host answers the pings with which {servers} looks whether an address "
                "is free: the server abandons every address it was about to offer",
     .evidence = "the agent's host answered {echo_answers} pings; {log_abandoned} addresses "
                 "abandoned; {offers_all} OFFERs to {sent_discover} DISCOVER packets",
     .remedy =
         "drop echo requests to the block at the agents (`leaseherd testbed S.yaml show`), or "
         "set ping-check false at the server; abandoned addresses must be freed"},
    {RULE("agent-answers-pings", ERROR, BED, RUN, WIRE),
     .when = {WHEN(echo_answers, AT_LEAST, 3), WHEN_OF(echo_answers, AT_LEAST, 0.3, sent_discover),
              WHEN_OF(offers_all, AT_MOST, 0.1, sent_discover)},
     .summary = "an agent's host answers the pings with which a server looks whether an address is "
                "free: the server abandons every address it was about to offer",
     .evidence = "the agent's host answered {echo_answers} pings, about one for each DISCOVER; "
                 "{offers_all} OFFERs to {sent_discover} DISCOVER packets",
     .remedy =
         "drop echo requests to the block at the agents (`leaseherd testbed S.yaml show`), or "
         "set ping-check false at the server; abandoned addresses must be freed"},
    {RULE("rate-limited-replies", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(ip_out_discards, AT_LEAST, 10), WHEN(ct_insert_failed, EQUAL, 0),
              WHEN(renew_mended, AT_LEAST, 10), WHEN(retry_success, AT_LEAST, 10),
              WHEN(winners_lost, AT_LEAST, 5), WHEN(losing_seconds, AT_LEAST, 3),
              WHEN_OF(losing_deviation, AT_MOST, 0.25, losing_answered)},
     .explained_by = exhaustion,
     .summary = "replies of {servers} are rate limited: {losing_answered} pass, whatever is asked",
     .evidence =
         "{renew_lost} of {renew_tries} renewals lost at the first packet, any address, and "
         "answered later; the servers' kernels refused {ip_out_discards} sends[; "
         "{drop_rule}]",
     .remedy = "take the limit off udp source port 67 on the servers' hosts (nft list ruleset)"},
    {RULE("rate-limited-replies", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(renew_lost, AT_LEAST, 50), WHEN(renew_lost_share, AT_LEAST, 5),
              WHEN(retry_success, AT_LEAST, 10), WHEN(winners_lost, AT_LEAST, 5),
              WHEN(losing_seconds, AT_LEAST, 5),
              WHEN_OF(losing_deviation, AT_MOST, 0.2, losing_answered),
              WHEN_OF(busy_seconds, AT_MOST, 0.2, losing_seconds)},
     .explained_by = exhaustion,
     .summary = "replies of {servers} look rate limited: {losing_answered} pass, whatever is asked",
     .evidence =
         "{renew_lost} of {renew_tries} renewals lost at the first packet, any address; "
         "{retry_success} of the retransmissions were answered; in {losing_seconds} seconds "
         "with losses {losing_answered} were answered, +-{losing_deviation}; the servers "
         "answered what they answered at once",
     .remedy = "look for a limit on udp port 67 or 68 between servers and agents: nft list ruleset "
               "on the servers, policers on the routers"},
    {RULE("firewall-drops-replies", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(ip_out_discards, AT_LEAST, 3), WHEN(ct_insert_failed, EQUAL, 0),
              WHEN(renew_unanswered, AT_LEAST, 3)},
     .explained_by = refusals,
     .summary = "the firewall on {servers} drops replies: {renew_unanswered} RENEW packets stayed "
                "unanswered",
     .evidence =
         "the servers' kernels refused {ip_out_discards} sends ({each ip_out_discards}), and "
         "connection tracking had no part in it[; the log tells of {log_send_refused}][; "
         "{drop_rule}]",
     .remedy = "let udp source port 67 out on the servers (nft list ruleset, its counters show the "
               "rule)"},
    {RULE("firewall-drops-replies", ERROR, BED, SERVER, OBSERVER),
     .when = {WHEN(ip_out_discards, AT_LEAST, 3), WHEN(fw_drop_output, AT_LEAST, 1),
              WHEN(fw_nat_output, EQUAL, 0), WHEN(renew_unanswered, AT_LEAST, 3)},
     .explained_by = refusals,
     .summary = "the firewall on {servers} drops replies: {renew_unanswered} RENEW packets stayed "
                "unanswered",
     .evidence = "the servers' kernels refused {ip_out_discards} sends ({each ip_out_discards})[; "
                 "the log tells of {log_send_refused}][; {drop_rule}]",
     .remedy = "let udp source port 67 out on the servers (nft list ruleset, its counters show the "
               "rule)"},
    {RULE("no-return-path", ERROR, BED, SERVER, WIRE),
     .when = {WHEN(renewals_answered, EQUAL, 0), WHEN(renewals_ignored, AT_LEAST, 10),
              WHEN(rebound, AT_LEAST, 10)},
     .explained_by = no_replies,
     .summary =
         "no renewal at {servers} was answered, but rebinding through the relay was: replies "
         "to the clients' own addresses do not come back",
     .evidence =
         "{renewals_lost} renewals reached T2, {renewals_ignored} of them while the server "
         "they asked acknowledged other requests; {rebound} rebinds were acknowledged[; the "
         "servers' kernels had no route for {ip_out_no_routes} packets][; {notrack_rule}]",
     .remedy =
         "bring replies for the block to the agents (`leaseherd testbed S.yaml show`), or use "
         "client_path: relayed"},
    {RULE("misrouted", WARNING, BED, RUN, WIRE), .when = {WHEN(misrouted, ABOVE, 0)},
     .summary = "{misrouted} answers arrived at an agent or relay that does not play the client",
     .evidence = "",
     .remedy = "check the routes to the relays' addresses and the rules that rewrite replies"},
    {RULE("alien", INFO, BED, RUN, WIRE), .when = {WHEN(alien, ABOVE, 0)},
     .summary = "{alien} packets were meant for clients that are not of this run", .evidence = "",
     .remedy = "another run's late answers, or other clients behind the same relay address"},
};

const struct rule_table rules_of_bed = {rules, ARRAY_LEN(rules)};
