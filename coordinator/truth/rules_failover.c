/* SPDX-License-Identifier: MIT */
/* What the clients of a server went through when it did not answer, and what its partner gave them.
 */
#include "coordinator/truth/rules_macros.h"

static const char *const no_way_back[] = {"no-return-path", "firewall-drops-replies",
                                          "nat-source-port-exhaustion", NULL};
/* Where the bed keeps answers back, silence proves nothing of the servers. */
static const char *const silence[] = {"no-return-path", "firewall-drops-replies",
                                      "nat-source-port-exhaustion", "lease-shorter-than-detection",
                                      NULL};
static const char *const one_half[] = {"failover-half-silent", "lease-shorter-than-detection",
                                       "no-return-path", NULL};

#define HALF_LOST(severity)                                                                        \
    RULE("failover-half-silent", severity, SERVER, SERVER, WIRE),                                  \
        .explained_by = silence,                                                                   \
        .summary = "{half_lost} clients with leases of {servers} lost them before any "            \
                   "server answered",                                                              \
        .evidence = "{prediction}; {each half_words}",                                             \
        .remedy =                                                                                  \
            "see in the partner's log when it noticed the loss and what state it took (Kea: "      \
            "PARTNER-DOWN; dhcpd: communications-interrupted, partner-down), and whether "         \
            "rebinds reach it through the relays"
/*
 * There is another that answers, and this one acknowledged nobody meanwhile: a server that did is
 * alive, and something else loses packets.
 */
#define DEAD WHEN(acks_share, BELOW, 100), WHEN_OF(renewals_ignored, AT_MOST, 0.5, renewals_lost)
#define SILENT                                                                                     \
    RULE("failover-half-silent", WARNING, SERVER, SERVER, WIRE),                                   \
        .explained_by = silence,                                                                   \
        .summary =                                                                                 \
            "{servers} gave no ACK for {longest_silence} while others went on, and its half "      \
            "of the clients waited",                                                               \
        .evidence =                                                                                \
            "[{renewals_lost} of its renewals reached T2; ][{silent_later} DISCOVERs were "        \
            "not answered at the first retry; ]by the server asked: {each renewals_lost "          \
            "last_ack_words}",                                                                     \
        .remedy =                                                                                  \
            "as it should be for a server that was stopped on purpose; otherwise look at it "      \
            "and at its partner's log: a frozen server whose partner does not take over "          \
            "leaves half of the clients without answers"

static const struct rule rules[] = {
    {RULE("lease-shorter-than-detection", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(half_lost, ABOVE, 0), WHEN(detection_predicted, ABOVE, 0), DEAD},
     .explained_by = no_way_back,
     .summary =
         "{half_lost} clients with leases of {servers} lost them before any server "
         "answered, as predicted by check: the lease is shorter than the pair needs to notice "
         "a failure",
     .evidence = "{prediction}; {each half_words}",
     .remedy = "the compressed lease shows it, not necessarily production: compare with the window "
               "at the production lease; to see a takeover in time, lengthen the lease of the test "
               "or let the partner decide sooner (Kea: max-unacked-clients, max-response-delay; "
               "dhcpd: max-response-delay, partner-down)"},
    {HALF_LOST(WARNING), .when = {WHEN(half_lost, AT_LEAST, 10), DEAD}},
    {HALF_LOST(WARNING),
     .when = {WHEN(half_lost, ABOVE, 0), WHEN_OF(half_lost, AT_LEAST, 0.01, half_waited), DEAD}},
    {HALF_LOST(INFO), .when = {WHEN(half_lost, ABOVE, 0), DEAD}},
    {SILENT, .when = {WHEN(longest_silence, AT_LEAST, 5), WHEN(renewals_lost, AT_LEAST, 3),
                      WHEN(acks, ABOVE, 0)}},
    {SILENT, .when = {WHEN(longest_silence, AT_LEAST, 5), WHEN(silent_later, AT_LEAST, 3),
                      WHEN(acks, ABOVE, 0)}},
    {RULE("half-handed-back", INFO, SERVER, SERVER, WIRE), .when = {WHEN(handed_back, AT_LEAST, 3)},
     .summary = "after {servers} had come back its partner answered the renewals of {handed_back} "
                "clients no more that it had taken over: they rebind, a second wave",
     .evidence =
         "the partner ignored their RENEWs while it answered others, and {servers} answered "
         "their REBINDs",
     .remedy =
         "as it should be for Kea in load-balancing; the wave is as high as the first one and "
         "comes one T1 to T2 after the partner's return"},
    {RULE("mclt-storm", INFO, SERVER, RUN, WIRE),
     .when = {WHEN(mclt_expected, ABOVE, 0), WHEN_OF(mclt_expected, BELOW, 1, lease_expected),
              WHEN(wave_acks, AT_LEAST, 10)},
     .summary =
         "{wave_acks} ACKs of server {wave_server} between {wave_first} and {wave_last}, to "
         "clients that had a lease before, carried {wave_leases} instead of {lease_expected}: "
         "the MCLT wave",
     .evidence = "expect.mclt is {mclt_expected}; leases so short are renewed up to {wave_times} "
                 "times as often[; largest rate of renewals begun: {renewals_peak} at "
                 "{renewals_peak_at}]",
     .remedy =
         "as it should be for a server that has lost its partner (and for leases begun anew): "
         "it must carry the additional renewals until it is told partner-down"},
    {RULE("mclt-storm-missing", INFO, SERVER, RUN, WIRE),
     .when = {WHEN(mclt_expected, ABOVE, 0), WHEN_OF(mclt_expected, BELOW, 1, lease_expected),
              WHEN(waves, EQUAL, 0), WHEN(taken_over, AT_LEAST, 10)},
     .summary = "another server took over {taken_over} clients and gave them no lease shorter than "
                "{lease_expected}, although expect.mclt is {mclt_expected}",
     .evidence = "no ACK to a client that had a lease before was shorter than expected",
     .remedy = "as it should be for Kea, which has no MCLT, and for a dhcpd in partner-down; then "
               "leave expect.mclt out"},
    {RULE("server-share", INFO, SERVER, SERVER, WIRE),
     .when = {WHEN(acks_total, AT_LEAST, 1000), WHEN(acks_share, BELOW, 20)},
     .explained_by = one_half, .summary = "{servers} answered only {acks_share} of the exchanges",
     .evidence = "{acks} of {acks_total} answered ACKs",
     .remedy = "as it should be for a hot standby or after a failure; otherwise look at the load "
               "balancing between the servers"},
};

const struct rule_table rules_of_failover = {rules, ARRAY_LEN(rules)};
