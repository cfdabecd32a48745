/* SPDX-License-Identifier: MIT */
/* What the servers did wrong, or at least did. */
#include "coordinator/truth/rules_macros.h"

static const char *const option82[] = {"renew-lost-option82", NULL};
static const char *const pings[] = {"agent-answers-pings", NULL};
static const char *const no_offers[] = {"agent-answers-pings", "peer-holds-all-free-leases",
                                        "failover-half-silent", "lease-shorter-than-detection",
                                        NULL};
#define BED                                                                                        \
    "conntrack-full", "nat-source-port-exhaustion", "rate-limited-replies",                        \
        "firewall-drops-replies", "no-return-path"
/* Losses that are the bed's make no slow server, but a slow server is worth a word. */
static const char *const slow_disk[] = {BED, "fsync-bound", NULL};
/* One that reads nothing, or too slowly: its queue is full because of that. */
#define SLOW "fsync-bound", "pool-too-large", "cpu-starved", "failover-half-silent"
static const char *const slow[] = {BED, SLOW, NULL};
/* A tester that sends late sends in bursts of its own making. */
static const char *const nor_by_us[] = {BED, SLOW, "send-lag", "own-drops", "rate-missed", NULL};

#define LOST82                                                                                     \
    .summary =                                                                                     \
        "renewals, which carry no option 82, fail behind relays that add it; where clients "       \
        "rebind through the relay it works: the server does not keep the option"
#define LOST82_REMEDY                                                                              \
    .remedy =                                                                                      \
        "dhcpd: stash-agent-options true; Kea: stash-agent-options; or do not let pools and "      \
        "classes depend on option 82"
#define LOST82_EVIDENCE                                                                            \
    .evidence = "relays with option 82: {with82_renewed} renewals acknowledged, {with82_naks} "    \
                "refused, {with82_moved} with another address, {with82_rebound} rebinds "          \
                "acknowledged; relays without: {without82_renewed} renewals acknowledged, "        \
                "{without82_naks} refused"
#define EMPTY_POOL                                                                                 \
    .summary = "no free addresses: {starved} attempts got no OFFER at all after the servers had "  \
               "answered others",                                                                  \
    .evidence =                                                                                    \
        "{distinct} distinct addresses were leased, {acquired} clients got their first "           \
        "lease; {gave_up_with_offer} REQUESTs after an OFFER and {renew_gave_up} renewals "        \
        "stayed unanswered[; the servers' logs tell {log_no_free} times of no free "               \
        "addresses][; {starved_line}]",                                                            \
    .remedy =                                                                                      \
        "give the servers at least as many free addresses as there are clients (in failover "      \
        "each server owns only its share of the free ones), or use fewer clients"
#define PING_REMEDY                                                                                \
    .remedy = "dhcpd: ping-check false for the test, or ping-timeout-ms; Kea: its ping-check "     \
              "hook; the second is in every acquire latency, not in renewals"
#define STARVED_REMEDY                                                                             \
    .remedy = "the server's host shares its CPUs: pin or isolate the server, and keep agents off " \
              "its host; this is no limit of the DHCP server"
/* A server that gets a CPU for a moment now and then has a rhythm, too; an observer sees it wait.
 */
#define HAS_CPU WHEN(runqueue_busiest, NOT_ABOVE, 60)
#define FSYNC_REMEDY                                                                               \
    .remedy =                                                                                      \
        "a disk with a write cache that survives power loss, or a faster one for the lease "       \
        "file; dhcpd: delayed-ack and max-ack-delay let many leases share one fsync; do not "      \
        "take fsync out: leases would be given twice after a crash"

static const struct rule rules[] = {
    {RULE("duplicate-addresses", ERROR, SERVER, RUN, WIRE), .when = {WHEN(duplicates, ABOVE, 0)},
     .summary = "{duplicates} addresses were leased to two clients at the same time",
     .evidence = "for example {duplicate_example}",
     .remedy = "compare the servers' lease files for that address; in a failover pair look for a "
               "partner-down state on both sides or a clock difference"},
    {RULE("overlaps-undecided", INFO, UNKNOWN, RUN, WIRE),
     .when = {WHEN(overlaps_undecided, ABOVE, 0)},
     .summary = "{overlaps_undecided} overlaps of address leases could not be decided",
     .evidence = "the earlier holder's agent was lost, or the client had moved to another address",
     .remedy = "repeat the run without losing an agent to be sure"},
    {RULE("renew-lost-option82", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(with82_naks, AT_LEAST, 3), WHEN(without82_naks, EQUAL, 0),
              WHEN_OF(with82_naks, AT_LEAST, 0.5, held_naks), WHEN(with82_renewed, EQUAL, 0)},
     LOST82, LOST82_EVIDENCE, LOST82_REMEDY},
    {RULE("renew-lost-option82", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(with82_failing, AT_LEAST, 1), WHEN(without82_renewed, AT_LEAST, 3),
              WHEN(without82_failing, EQUAL, 0)},
     LOST82, LOST82_EVIDENCE, LOST82_REMEDY},
    {RULE("renew-lost-option82", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(with82_moved, AT_LEAST, 3), WHEN(without82_moved, EQUAL, 0),
              WHEN(with82_renewed, EQUAL, 0)},
     LOST82, LOST82_EVIDENCE, LOST82_REMEDY},
#define NAKS_HELD                                                                                  \
    .explained_by = option82,                                                                      \
    .summary = "servers refused clients the leases they held: {held_naks} NAKs", NAKS_REMEDY
#define NAKS_REMEDY                                                                                \
    .evidence = "{held_naks} NAKs in renewing, rebinding or rebooting, {acquire_naks} in "         \
                "acquiring; {kept} renewals and rebinds were acknowledged",                        \
    .remedy = "look for the NAKs in the servers' logs (problems.log has MAC, xid and time): a "    \
              "changed pool, a lost lease file, or partners that do not agree"
#define NAKS_ACQUIRING                                                                             \
    .summary = "servers answered REQUEST with NAK after having offered: {acquire_naks} times",     \
    NAKS_REMEDY
    {RULE("server-naks", ERROR, SERVER, RUN, WIRE), .when = {WHEN(held_naks, AT_LEAST, 10)},
     NAKS_HELD},
    {RULE("server-naks", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(held_naks, ABOVE, 0), WHEN_OF(held_naks, ABOVE, 1.0 / 99, kept)}, NAKS_HELD},
    {RULE("server-naks", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(acquire_naks, AT_LEAST, 3), WHEN_OF(acquire_naks, AT_LEAST, 0.1, acquire_acks)},
     NAKS_ACQUIRING},
    {RULE("server-naks", WARNING, SERVER, RUN, WIRE), .when = {WHEN(held_naks, ABOVE, 0)},
     NAKS_HELD},
    {RULE("server-naks", WARNING, SERVER, RUN, WIRE), .when = {WHEN(acquire_naks, ABOVE, 0)},
     NAKS_ACQUIRING},
    {RULE("wrong-subnet", ERROR, SERVER, RUN, WIRE), .when = {WHEN(outside_subnet, ABOVE, 0)},
     .summary = "{outside_subnet} ACKs named an address outside the relay's subnet", .evidence = "",
     .remedy = "check the servers' subnet for that giaddr, and the relay's subnet in the scenario"},
    {RULE("address-changed", WARNING, SERVER, RUN, WIRE),
     .when = {WHEN(changed_on_renew, ABOVE, 0)}, .explained_by = option82,
     .summary = "{changed_on_renew} renewals were acknowledged with another address",
     .evidence = "", .remedy = "a server must extend the lease it gave or refuse; look at its log"},
    {RULE("malformed", WARNING, SERVER, RUN, WIRE), .when = {WHEN(malformed, ABOVE, 0)},
     .summary = "{malformed} packets were no DHCP messages a client could accept", .evidence = "",
     .remedy = "capture port 67 at the agents and look at them"},
    {RULE("reply-from-wrong-address", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(wrong_source, ABOVE, 0)},
     .summary = "{wrong_source} answers of {servers} came from another address than their server "
                "identifier says",
     .evidence = "by server: {each wrong_source wrong_source_address}; clients and firewalls may "
                 "refuse such answers",
     .remedy =
         "a server with several addresses answers from the one of its route to the client: "
         "set `src` on that route (ip route get CLIENT), or bind the server to one interface"},
    {RULE("timers-odd", WARNING, SERVER, SERVER, WIRE), .when = {WHEN(timers_crossed, ABOVE, 0)},
     .summary = "{timers_crossed} ACKs of {servers} carried timers that cannot be followed: T1 not "
                "before T2, or T2 not before the end of the lease",
     .evidence = "by server: {each timers_crossed}; clients fall back to half and seven eighths of "
                 "the lease",
     .remedy = "correct options 58 and 59 (dhcpd: dhcp-renewal-time, dhcp-rebinding-time; Kea: "
               "renew-timer, rebind-timer)"},
    {RULE("timers-odd", WARNING, SERVER, SERVER, WIRE), .when = {WHEN(timers_zero, ABOVE, 0)},
     .summary = "{timers_zero} ACKs of {servers} carried a T1 or T2 of 0",
     .evidence = "by server: {each timers_zero}",
     .remedy = "correct options 58 and 59 (dhcpd: dhcp-renewal-time, dhcp-rebinding-time; Kea: "
               "renew-timer, rebind-timer)"},
    {RULE("timers-odd", INFO, SERVER, SERVER, WIRE), .when = {WHEN(timers_early, AT_LEAST, 3)},
     .summary = "{servers} let clients renew before a quarter of the lease has passed",
     .evidence = "{timers_early} ACKs with such a T1; many renewals, of which a lease cache spares "
                 "the disk",
     .remedy = "intended for some networks; otherwise correct option 58"},
    {RULE("ping-before-offer", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(offers_timed, AT_LEAST, 10), WHEN(offers_1s, AT_LEAST, 80),
              WHEN(loaded_ack, BELOW, 300)},
     .explained_by = pings,
     .summary = "addresses are pinged for a second before {servers} offered them",
     .evidence = "{offers_1s} of {offers_timed} OFFERs came after 0.95 to 1.10 s, the ACKs after "
                 "{loaded_ack}: no queue does that",
     PING_REMEDY},
    {RULE("ping-before-offer", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(offers_timed, AT_LEAST, 3), WHEN(offers_1s, AT_LEAST, 50),
              WHEN(alone_offer, AT_LEAST, 900), WHEN(alone_offer, AT_MOST, 1250),
              WHEN(alone_ack, BELOW, 500)},
     .explained_by = pings,
     .summary = "addresses are pinged for a second before {servers} offered them",
     .evidence = "{offers_1s} of {offers_timed} OFFERs came after 0.95 to 1.10 s (median when "
                 "nothing else was waiting: {alone_offer}), the ACKs after {alone_ack}",
     PING_REMEDY},
    {RULE("pool-too-large", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(pool_total, AT_LEAST, 50000), WHEN(cpu_wanted, AT_LEAST, 80),
              WHEN_OF(busy_acks, AT_MOST, 0.02, pool_total), WHEN(fsync_busiest, BELOW, 50)},
     .summary = "the CPU of {servers} goes into a very large pool: {pool_total} addresses",
     .evidence =
         "{cpu_wanted} of a CPU wanted in its busiest seconds, {fsync_busiest} of the time in "
         "fsync, {busy_acks} leases while it was busy",
     .remedy = "dhcpd slows down with the size of one pool: several smaller ranges, each in a pool "
               "of its own, are searched quickly"},
    {RULE("peer-holds-all-free-leases", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(log_peer_holds, AT_LEAST, 3)},
     .summary = "{servers} had no free address left for its half of the clients while its partner "
                "held all of them",
     .evidence = "the log tells of it {log_peer_holds} times[; at the least {pool_free_least} of "
                 "{pool_total} addresses were its own][; {starved} attempts got no OFFER]",
     .remedy = "pools in failover must be sized for each half alone: twice the clients; dhcpd "
               "rebalances every hour, or when a half is used up (max-lease-misbalance, "
               "min-balance)"},
    {RULE("pool-exhausted", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(starved_last, AT_LEAST, 3), WHEN(starved_last_share, AT_LEAST, 90),
              WHEN(answers_after_starving, ABOVE, 1),
              WHEN_OF(other_losses, AT_MOST, 0.5, starved_last)},
     .explained_by = no_offers, EMPTY_POOL},
    {RULE("pool-exhausted", ERROR, SERVER, RUN, WIRE),
     .when = {WHEN(starved_last, AT_LEAST, 3), WHEN(starved_last_share, AT_LEAST, 90),
              WHEN(acquire_acks, ABOVE, 0), WHEN(other_losses, EQUAL, 0)},
     .explained_by = no_offers, EMPTY_POOL},
    {RULE("pool-exhausted", ERROR, SERVER, SERVER, OBSERVER),
     .when = {WHEN(log_no_free, AT_LEAST, 3), WHEN(starved, AT_LEAST, 3)},
     .explained_by = no_offers, EMPTY_POOL},
    {RULE("fsync-bound", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(fsync_busiest, AT_LEAST, 60)},
     .summary =
         "the disk is the limit of {servers}: {fsync_busiest} of the time in fsync, in the busiest "
         "five seconds",
     .evidence =
         "[{flushes_per_ack} cache flushes per ACK, {flush_mean} each; ][{fsyncs_per_ack} "
         "fsyncs per ACK, {fsync_mean} each; ][{commits_per_ack} leases written to the lease "
         "file per ACK; ][messages waited {queue_wait_mean} in its sockets; ][from the wire: the "
         "ACK takes {alone_gap} longer than the OFFER; ]{fsync_share} of the time over the "
         "whole run[; {lease_file}]",
     FSYNC_REMEDY},
    {RULE("fsync-bound", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(disk_wait_busiest, AT_LEAST, 60), WHEN(alone_gap, AT_LEAST, 2)},
     .summary =
         "the disk is the limit of {servers}: {disk_wait_busiest} of the time in uninterruptible "
         "sleep, in the busiest five seconds",
     .evidence = "[{flushes_per_ack} cache flushes per ACK, {flush_mean} each; ]from the wire: the "
                 "ACK takes {alone_gap} longer than the OFFER[; {lease_file}]",
     FSYNC_REMEDY},
    {RULE("fsync-bound", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(alone_acks, AT_LEAST, 3), WHEN(alone_gap, AT_LEAST, 4),
              WHEN_OF(alone_gap, AT_LEAST, 3, alone_offer), WHEN(spacing_samples, AT_LEAST, 50),
              WHEN(spacing_share, AT_LEAST, 50), WHEN_OF(spacing, AT_LEAST, 0.6, alone_gap),
              WHEN_OF(spacing, AT_MOST, 1.7, alone_gap), WHEN(busy_seconds, AT_LEAST, 3), HAS_CPU},
     .summary = "one lease after the other is committed to the slow disk of {servers}: {alone_gap} "
                "each, so "
                "no more than about {commit_ceiling}",
     .evidence = "the ACK takes {alone_gap} longer than the OFFER when nothing else is waiting "
                 "({alone_acks} leases); under load {spacing_share} of the ACKs follow each other "
                 "at {spacing}, at {busy_acks} in {busy_seconds} seconds, whatever is asked",
     FSYNC_REMEDY},
    {RULE("fsync-bound", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(spacing_samples, AT_LEAST, 100), WHEN(spacing_share, AT_LEAST, 70),
              WHEN(spacing, AT_LEAST, 5), WHEN(busy_seconds, AT_LEAST, 3),
              WHEN(busy_time, AT_LEAST, 70), WHEN(busy_time, AT_MOST, 130),
              WHEN_OF(loaded_ack, AT_LEAST, 5, spacing), HAS_CPU},
     .summary =
         "one lease after the other is committed to the slow disk of {servers}: an ACK every "
         "{spacing}, whatever is asked",
     .evidence = "{spacing_share} of {spacing_samples} ACKs that had to wait follow each other at "
                 "{spacing}, at {busy_acks} in {busy_seconds} seconds; ACKs took {loaded_ack}[; "
                 "{lost} first packets stayed unanswered]",
     FSYNC_REMEDY},
    {RULE("fsync-bound", INFO, SERVER, SERVER, WIRE),
     .when = {WHEN(alone_acks, AT_LEAST, 20), WHEN(alone_gap, AT_LEAST, 10),
              WHEN_OF(alone_gap, AT_LEAST, 5, alone_offer), WHEN(lost_share, BELOW, 1), HAS_CPU},
     .summary = "a commit of {servers} takes {alone_gap}: it would be at its limit at about "
                "{commit_ceiling}",
     .evidence =
         "the ACK takes that much longer than the OFFER ({alone_offer}) when nothing else is "
         "waiting, over {alone_acks} leases; the run did not reach that limit",
     FSYNC_REMEDY},
    {RULE("cpu-starved", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(runqueue_busiest, AT_LEAST, 30),
              WHEN_OF(runqueue_busiest, AT_LEAST, 2, cpu_busiest),
              WHEN(judgements_missed, ABOVE, 0)},
     .explained_by = slow_disk, .stays_as_info = true,
     .summary = "{servers} had work but no CPU, and waited for one {runqueue_busiest} of the time",
     .evidence = "in the busiest five seconds, in which it ran {cpu_busiest}; {judgements_missed} "
                 "judgements were missed",
     STARVED_REMEDY},
    {RULE("cpu-starved", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(runqueue_busiest, AT_LEAST, 60),
              WHEN_OF(runqueue_busiest, AT_LEAST, 2, cpu_busiest), WHEN(lost_share, AT_LEAST, 2)},
     .explained_by = slow_disk, .stays_as_info = true,
     .summary = "{servers} had work but no CPU, and waited for one {runqueue_busiest} of the time",
     .evidence =
         "in the busiest five seconds, in which it ran {cpu_busiest}; {lost} of {tries} first "
         "packets stayed unanswered",
     STARVED_REMEDY},
    {RULE("cpu-starved", INFO, SERVER, SERVER, OBSERVER),
     .when = {WHEN(runqueue_busiest, AT_LEAST, 30),
              WHEN_OF(runqueue_busiest, AT_LEAST, 2, cpu_busiest)},
     .summary = "{servers} had work but no CPU, and waited for one {runqueue_busiest} of the time",
     .evidence = "in the busiest five seconds, in which it ran {cpu_busiest}; no judgement was "
                 "missed",
     STARVED_REMEDY},
    {RULE("cpu-bound", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(cpu_busiest, AT_LEAST, 90), WHEN(lost_share, AT_LEAST, 2)}, .explained_by = slow,
     .stays_as_info = true,
     .summary =
         "one CPU is the limit of {servers}: {cpu_busiest} of it in the busiest five seconds",
     .evidence = "{lost} of {tries} first packets stayed unanswered; {busy_acks} leases while it "
                 "was busy[, {fsync_busiest} of the time in fsync]",
     .remedy =
         "Kea: multi-threading; dhcpd has one thread: split the scopes over servers, log less, "
         "use fewer classes"},
    {RULE("cpu-bound", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(cpu_busiest, AT_LEAST, 90), WHEN(judgements_missed, ABOVE, 0)},
     .explained_by = slow, .stays_as_info = true,
     .summary =
         "one CPU is the limit of {servers}: {cpu_busiest} of it in the busiest five seconds",
     .evidence = "{judgements_missed} judgements were missed; {busy_acks} leases while it was "
                 "busy[, {fsync_busiest} of the time in fsync]",
     .remedy =
         "Kea: multi-threading; dhcpd has one thread: split the scopes over servers, log less, "
         "use fewer classes"},
    {RULE("server-receive-overflow", WARNING, SERVER, SERVER, OBSERVER),
     .when = {WHEN(socket_drops, AT_LEAST, 50), WHEN_OF(socket_drops, ABOVE, 2, burst_repeated),
              WHEN(lost, ABOVE, 0)},
     .explained_by = nor_by_us, .stays_as_info = true,
     .summary = "the receive queue of {servers} overflowed: {socket_drops} packets were dropped",
     .evidence = "its sockets dropped {each socket_drops}[; there is room for {socket_buffer}, "
                 "which is about 1,280 a request]; {lost} first packets stayed unanswered",
     .remedy = "enlarge net.core.rmem_default (dhcpd), packet-queue-size (Kea), or find out what "
               "the server waits for in these moments"},
    {RULE("server-receive-overflow", WARNING, SERVER, SERVER, WIRE),
     .when = {WHEN(slots_lost, AT_LEAST, 50), WHEN_OF(slots_lost, ABOVE, 2, burst_repeated),
              WHEN(slots_mended, AT_LEAST, 60), WHEN_OF(calm_lost, AT_MOST, 0.2, slots_lost)},
     .explained_by = nor_by_us, .stays_as_info = true,
     .summary =
         "packets to {servers} are lost in bursts only, as by an input queue that overflows: "
         "{slots_lost}",
     .evidence = "{slots_lost} first packets were lost in moments with 50 and more within 200 ms, "
                 "{slots_mended} of them were answered at the first retransmission; of "
                 "{calm_tries} others {calm_lost}",
     .remedy = "enlarge net.core.rmem_default (dhcpd; as delivered it holds 167 relayed requests), "
               "packet-queue-size (Kea), or find out what the server waits for in these moments"},
    {RULE("first-burst-loss", INFO, SERVER, RUN, WIRE), .when = {WHEN(burst_repeated, ABOVE, 0)},
     .summary = "the first burst overflowed an input queue: {burst_repeated} clients had to repeat "
                "a message",
     .evidence =
         "{burst_repeated} of the {burst_begun} clients that began in the first two seconds "
         "after the canaries (from {burst_begin} on)[; of {burst_later} later ones "
         "{burst_later_repeated}][; the servers' sockets dropped {socket_drops}]",
     .remedy = "a real morning peak does the same: enlarge the server's input queue (dhcpd: "
               "net.core.rmem_default, 208 KiB as delivered; Kea: packet-queue-size), or, to spare "
               "the server in the test, use a smaller batch or a rate"},
    {RULE("cached-renewals", INFO, SERVER, SERVER, WIRE),
     .when = {WHEN(renewals_cached, AT_LEAST, 10), WHEN(cached_share, AT_LEAST, 10)},
     .summary = "{servers} answered {cached_share} of the renewals without extending the lease: "
                "they cost it no disk access, and the figures flatter it",
     .evidence = "{renewals_cached} of {renewals_timed} renewals ended when the lease before did; "
                 "{cached_age} of the lease had passed, on average",
     .remedy = "renew at T1 of half the lease, or set dhcp-cache-threshold 0 (dhcpd) or "
               "cache-threshold 0 (Kea) for the test"},
};

const struct rule_table rules_of_server = {rules, ARRAY_LEN(rules)};
