/* SPDX-License-Identifier: MIT */
/* What was lost and is not explained by anything above; and symptoms, where nothing explains them.
 */
#include "coordinator/truth/rules_macros.h"

/* Whatever makes packets be lost. */
#define CAUSES                                                                                     \
    "own-drops", "server-silent", "canary-failed", "conntrack-full", "nat-source-port-exhaustion", \
        "agent-answers-pings", "rate-limited-replies", "firewall-drops-replies", "no-return-path", \
        "renew-lost-option82", "peer-holds-all-free-leases", "pool-exhausted", "fsync-bound",      \
        "pool-too-large", "cpu-bound", "server-receive-overflow", "lease-shorter-than-detection",  \
        "failover-half-silent", "half-handed-back", "cpu-starved"

static const char *const causes[] = {CAUSES, NULL};
static const char *const causes_and_stickiness[] = {CAUSES, "address-correlated-loss", NULL};
static const char *const causes_and_sides[] = {
    CAUSES, "send-lag", "address-correlated-loss", "replies-lost", "requests-lost", NULL};
static const char *const causes_and_losses[] = {
    CAUSES,         "send-lag", "address-correlated-loss", "replies-lost", "requests-lost",
    "unknown-loss", NULL};
/* A server with a lease cache answers with what is left of a lease whose ACK was lost. */
static const char *const shortened[] = {
    CAUSES,         "address-correlated-loss", "replies-lost",    "requests-lost",
    "unknown-loss", "first-burst-loss",        "cached-renewals", NULL};
static const char *const bursts[] = {
    CAUSES,          "send-lag",     "address-correlated-loss", "replies-lost",
    "requests-lost", "unknown-loss", "first-burst-loss",        NULL};

#define CAPTURE                                                                                    \
    "capture udp ports 67 and 68 at a server and at an agent for the same time, and compare; "     \
    "problems.log has the xid of every client that missed a step"

/* What is lost when much comes at once did reach the server, perhaps, and its queue was full. */
#define NOT_ONLY_IN_CROWDS WHEN_OF(calm_lost_share, AT_LEAST, 0.7, lost_share)

static const struct rule rules[] = {
    {RULE("address-correlated-loss", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(losers, AT_LEAST, 10), WHEN(renewals_ignored, AT_LEAST, 10),
              WHEN(renewals_answered, ABOVE, 0), WHEN(losers_tries, AT_LEAST, 10),
              WHEN(losers_again, AT_LEAST, 80), WHEN(winners_lost, AT_MOST, 2)},
     .explained_by = causes,
     .summary =
         "replies of {servers} are lost by address: {losers} clients lose every renewal, the "
         "others none",
     .evidence = "{losers_again} of the losers' later renewals were lost again ({losers_tries}), "
                 "{winners_lost} of the others' ({winners_tries})[; {retry_success} of the "
                 "retransmissions were answered][; {rebinds_after_loss} rebinds through the relay "
                 "were acknowledged]",
     .remedy = "look for what treats addresses of the block differently: a route, rule or prefix "
               "list that covers only part of it"},
    {RULE("replies-lost", WARNING, BED, SERVER, OBSERVER),
     .when = {WHEN(replies_missing, AT_LEAST, 10),
              WHEN_OF(replies_missing, AT_LEAST, 0.01, server_acks), WHEN(lost, AT_LEAST, 10)},
     .explained_by = causes_and_stickiness,
     .summary =
         "{replies_missing} ACKs of {servers} left it and never arrived: they were lost after "
         "the server",
     .evidence = "the servers tell of {server_acks} ACKs, {ip_out_discards} were refused by their "
                 "kernels, {ack_packets} arrived",
     .remedy =
         "look at the way from the servers to the agents (routes, interfaces' drops); " CAPTURE},
    {RULE("replies-lost", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(proofs_reply, AT_LEAST, 3), WHEN_OF(proofs_reply, AT_LEAST, 2, proofs_request),
              WHEN(lost, AT_LEAST, 10), WHEN(lost_share, AT_LEAST, 1)},
     .explained_by = causes_and_stickiness,
     .summary = "replies of {servers} are lost: it had extended leases whose ACK never arrived",
     .evidence =
         "{proofs_reply} leases were shorter by the time since a lost try, which the server "
         "had taken in ({retries_shortened} at a retransmission, {rebinds_shortened} at a "
         "rebind), {proofs_request} were full; {lost} of {tries} first packets stayed "
         "unanswered[; DHCPLEASEQUERY shows {query_ahead} leases ahead of the client]",
     .remedy =
         "look at the way from the servers to the agents (routes, interfaces' drops); " CAPTURE},
    {RULE("replies-lost", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(query_ahead, AT_LEAST, 3), WHEN_OF(query_ahead, AT_LEAST, 2, query_same),
              WHEN(renew_lost, AT_LEAST, 3)},
     .explained_by = causes_and_stickiness,
     .summary = "replies of {servers} are lost: it had extended leases whose ACK never arrived",
     .evidence =
         "DHCPLEASEQUERY shows {query_ahead} leases that end later than their clients know, "
         "{query_same} as they know",
     .remedy =
         "look at the way from the servers to the agents (routes, interfaces' drops); " CAPTURE},
    {RULE("requests-lost", WARNING, BED, SERVER, OBSERVER),
     .when = {WHEN(lost, AT_LEAST, 10), WHEN(lost_share, AT_LEAST, 1),
              WHEN_OF(replies_missing, AT_MOST, 0.1, lost), WHEN(ip_out_discards, EQUAL, 0),
              WHEN(socket_drops, EQUAL, 0), WHEN(server_acks, ABOVE, 0)},
     .explained_by = causes_and_stickiness,
     .summary = "requests to {servers} are lost before they reach it: {lost} first packets",
     .evidence = "the servers tell of {server_acks} ACKs and {ack_packets} arrived; their sockets "
                 "dropped none, their kernels refused none",
     .remedy =
         "look at the way from the agents to the servers (routes, interfaces' drops); " CAPTURE},
    /* A server without a lease cache gives full leases always; one that has one shows some. */
    {RULE("requests-lost", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(proofs_request, AT_LEAST, 10),
              WHEN_OF(proofs_request, AT_LEAST, 4, proofs_reply), WHEN(lease_off, AT_LEAST, 1),
              WHEN_OF(lease_off, AT_MOST, 1, proofs_request), WHEN(lost, AT_LEAST, 10),
              WHEN(lost_share, AT_LEAST, 1), NOT_ONLY_IN_CROWDS},
     .explained_by = causes_and_stickiness,
     .summary = "requests to {servers} are lost before they reach it",
     .evidence =
         "{proofs_request} leases soon after a lost try were full, although the server "
         "answers from its lease cache what it has just extended ({retries_full} at a "
         "retransmission, {rebinds_full} at a rebind); {proofs_reply} were shortened; {lost} "
         "of {tries} first packets stayed unanswered",
     .remedy =
         "look at the way from the agents to the servers (routes, interfaces' drops); " CAPTURE},
    {RULE("requests-lost", WARNING, BED, SERVER, WIRE),
     .when = {WHEN(query_same, AT_LEAST, 3), WHEN_OF(query_same, AT_LEAST, 4, query_ahead),
              WHEN(renew_lost, AT_LEAST, 3), WHEN(renewals_ignored, AT_LEAST, 3),
              NOT_ONLY_IN_CROWDS},
     .explained_by = causes_and_stickiness,
     .summary = "requests to {servers} are lost before they reach it",
     .evidence = "DHCPLEASEQUERY shows {query_same} leases that end as their clients know, "
                 "{query_ahead} later: lost renewals left no trace at the server",
     .remedy =
         "look at the way from the agents to the servers (routes, interfaces' drops); " CAPTURE},
    {RULE("unknown-loss", WARNING, UNKNOWN, SERVER, WIRE),
     .when = {WHEN(lost, AT_LEAST, 10), WHEN(lost_share, AT_LEAST, 1),
              WHEN_OF(renewals_ignored, AT_LEAST, 0.5, renewals_lost),
              WHEN_OF(lost, ABOVE, 2, burst_repeated), WHEN(acks, ABOVE, 0)},
     .explained_by = causes_and_sides,
     .summary = "{lost} of {tries} first packets to {servers} stayed unanswered, and nothing known "
                "explains it: lost before the server or after it, which cannot be told",
     .evidence = "{renew_lost} of {renew_tries} renewals lost at the first packet[, {renew_mended} "
                 "answered at a retransmission]; in crowded moments {slots_lost} were lost, in all "
                 "others {calm_lost} of {calm_tries}[; rebinds after a lost renewal: "
                 "{rebinds_shortened} with a shortened lease][; {rebinds_full} with a full one]",
     .remedy = "an observer on the servers' hosts tells the sides apart (leaseherd-agent --role "
               "observer); " CAPTURE},
    {RULE("unanswered-renewals", INFO, UNKNOWN, RUN, WIRE),
     .when = {WHEN(renew_gave_up, ABOVE, 0), WHEN(renew_gave_up, BELOW, 10)},
     .explained_by = causes_and_losses,
#define UNANSWERED                                                                                 \
    .summary = "{renew_gave_up} renewals reached T2 without an answer, and their clients had to "  \
               "rebind: {renew_gave_up_share} of all renewals",                                    \
    .evidence =                                                                                    \
        "by the server asked: {each renewals_lost last_ack_words}; {rebound} rebinds were "        \
        "acknowledged, {expired} leases ran out",                                                  \
    .remedy =                                                                                      \
        "as it should be for a server that was down; otherwise look whether it was "               \
        "overloaded (ss -uampn, nstat UdpRcvbufErrors) and whether its ACKs find the way to "      \
        "the agents; problems.log has every client"
     UNANSWERED},
    {RULE("unanswered-renewals", INFO, UNKNOWN, RUN, WIRE),
     .when = {WHEN(renew_gave_up, ABOVE, 0), WHEN(renew_gave_up_share, BELOW, 1)},
     .explained_by = causes_and_losses, UNANSWERED},
    {RULE("unanswered-renewals", WARNING, UNKNOWN, RUN, WIRE),
     .when = {WHEN(renew_gave_up, ABOVE, 0)}, .explained_by = causes_and_losses, UNANSWERED},
#define OPEN(severity)                                                                             \
    RULE("unanswered-at-end", severity, UNKNOWN, RUN, WIRE),                                       \
        .explained_by = causes_and_losses,                                                         \
        .summary = "{unanswered_at_end} exchanges were still without an answer when the run ended" \
                   "[, by the leases longest without renewal: {each open_at_end}]",                \
        .evidence = "[{open_without_lease}][{each open_at_end last_ack_words}]",                   \
        .remedy =                                                                                  \
            "see whether that server is alive and whether its ACKs find the way to the "           \
            "agents; the leases had not run out yet: a hold beyond T2 and expiry would show "      \
            "whether another server takes over"
    {OPEN(INFO), .when = {WHEN(unanswered_at_end, ABOVE, 0), WHEN(unanswered_at_end, BELOW, 10)}},
    {OPEN(WARNING), .when = {WHEN(unanswered_at_end, ABOVE, 0)}},
    {RULE("retried-renewals", INFO, UNKNOWN, RUN, WIRE), .when = {WHEN(renew_retried, ABOVE, 0)},
     .explained_by = causes_and_losses,
     .summary = "{renew_retried} renewals were answered only after a retransmission",
     .evidence = "of {renewed} renewals that were answered",
     .remedy = "harmless when few; otherwise compare with the servers' receive queues (ss -uampn, "
               "nstat UdpRcvbufErrors)"},
#define OFF                                                                                        \
    .summary = "{lease_off} ACKs carried a lease time other than the expected",                    \
    .evidence = "{lease_times_off}; expected {lease_expected}[, or down to the MCLT of "           \
                "{mclt_expected}]",                                                                \
    .remedy = "set expect.lease and expect.mclt to what the servers are configured for; servers "  \
              "in failover grant the MCLT first"
    {RULE("lease-time", WARNING, SERVER, RUN, WIRE), .when = {WHEN(lease_off_longer, ABOVE, 0)},
     OFF},
    {RULE("lease-time", WARNING, SERVER, RUN, WIRE),
     .when = {WHEN_OF(lease_off, ABOVE, 1, lease_off_explained)}, .explained_by = shortened, OFF},
    {RULE("stage-timeout", WARNING, UNKNOWN, RUN, WIRE), .when = {WHEN(stages_timed_out, ABOVE, 0)},
     .explained_by = bursts,
     .summary = "stage {stage_timed_out} was ended by its timeout, before all clients had finished",
     .evidence = "{stage_timeout} after its begin",
     .remedy = "give the stage a longer timeout, or find out why clients did not finish "
               "(problems.log)"},
};

const struct rule_table rules_of_loss = {rules, ARRAY_LEN(rules)};
