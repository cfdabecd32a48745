/* SPDX-License-Identifier: MIT */
/* Facts of what packets show besides results (evidence_wire.h): X(name, unit, help). */
#pragma once

#define FACTS_RUN_WIRE(X)                                                                          \
    X(loaded, UNIT_S, "from the first stage's begin to the last one's end")                        \
    X(judgements_missed, UNIT_COUNT, "judgements missed")                                          \
    X(sent_discover, UNIT_COUNT, "DISCOVER packets sent")                                          \
    X(offers_all, UNIT_COUNT, "OFFER packets received")                                            \
    X(echo_answers, UNIT_COUNT, "pings an agent's host answered since READY")                      \
    X(agent_cpu, UNIT_PERCENT, "CPU time of the busiest agent, of a core per lane; no spinning")   \
    X(search_at_tester, UNIT_COUNT, "1: a search ended at the tester's limit")                     \
    X(with82_renewed, UNIT_COUNT, "relays with option 82: renewals acknowledged")                  \
    X(with82_naks, UNIT_COUNT, "the same: refused")                                                \
    X(with82_moved, UNIT_COUNT, "the same: acknowledged with another address")                     \
    X(with82_rebound, UNIT_COUNT, "the same: rebinds acknowledged")                                \
    X(with82_failing, UNIT_COUNT, "such relays that renewed nobody and rebound")                   \
    X(without82_renewed, UNIT_COUNT, "relays without option 82: renewals acknowledged")            \
    X(without82_naks, UNIT_COUNT, "the same: refused")                                             \
    X(without82_moved, UNIT_COUNT, "the same: acknowledged with another address")                  \
    X(without82_failing, UNIT_COUNT, "such relays that renewed nobody and rebound")

#define FACTS_SERVER_WIRE(X) FACTS_SERVER_PACKETS(X) FACTS_SERVER_LOSS(X) FACTS_SERVER_TIMES(X)

#define FACTS_SERVER_PACKETS(X)                                                                    \
    X(offers, UNIT_COUNT, "OFFERs that name it")                                                   \
    X(ack_packets, UNIT_COUNT, "ACKs that name it")                                                \
    X(renew_packets, UNIT_COUNT, "RENEW packets sent to it")                                       \
    X(renew_unanswered, UNIT_COUNT, "of these: never answered")                                    \
    X(renew_unanswered_share, UNIT_PERCENT, "of these: never answered")                            \
    X(unicast_replies, UNIT_COUNT, "answers to port 68")                                           \
    X(rewritten_replies, UNIT_COUNT, "of these: not from port 67")                                 \
    X(rewritten_low, UNIT_COUNT, "of these: from ports 1 to 511")                                  \
    X(rewritten_high, UNIT_COUNT, "of these: from ports 600 to 1023")                              \
    X(low_ports, UNIT_COUNT, "distinct ports 1 to 511 among them")                                 \
    X(relayed_wrong_port, UNIT_COUNT, "answers to relays that did not come from port 67")          \
    X(wrong_source, UNIT_COUNT, "answers from another address than their server identifier")       \
    X(timers_crossed, UNIT_COUNT, "ACKs with T1 not below T2, or T2 not below the lease")          \
    X(timers_zero, UNIT_COUNT, "ACKs with a T1 or T2 of 0")                                        \
    X(timers_early, UNIT_COUNT, "ACKs with T1 before a quarter of the lease")

#define FACTS_SERVER_LOSS(X)                                                                       \
    X(renew_tries, UNIT_COUNT, "renewals begun, by their first packet")                            \
    X(renew_lost, UNIT_COUNT, "of these: the first packet stayed unanswered")                      \
    X(renew_lost_share, UNIT_PERCENT, "of these: the first packet stayed unanswered")              \
    X(renew_retries, UNIT_COUNT, "retransmissions of these")                                       \
    X(renew_mended, UNIT_COUNT, "renewals answered at one")                                        \
    X(retry_success, UNIT_PERCENT, "of the retransmissions: answered")                             \
    X(losers, UNIT_COUNT, "clients that lost a first packet")                                      \
    X(losers_tries, UNIT_COUNT, "later renewals of these")                                         \
    X(losers_again, UNIT_PERCENT, "of these: lost again")                                          \
    X(winners_tries, UNIT_COUNT, "renewals of clients that had been answered and never lost")      \
    X(winners_lost, UNIT_PERCENT, "of these: lost")                                                \
    X(rebinds_after_loss, UNIT_COUNT, "rebinds acknowledged after a lost renewal")                 \
    X(rebinds_failed, UNIT_COUNT, "rebinds nobody acknowledged after a lost renewal")              \
    X(rebinds_shortened, UNIT_COUNT, "such rebinds with a lease the server had begun before")      \
    X(rebinds_full, UNIT_COUNT, "such rebinds with a lease the server had not extended before")    \
    X(retries_shortened, UNIT_COUNT, "retransmissions answered with a lease begun before")         \
    X(retries_full, UNIT_COUNT, "retransmissions answered with a lease not extended before")       \
    X(proofs_reply, UNIT_COUNT, "leases that show a lost reply, by rebinds and retransmissions")   \
    X(proofs_request, UNIT_COUNT, "leases that show a lost request, if the server has a cache")    \
    X(query_ahead, UNIT_COUNT, "LEASEQUERY: the server's lease ends later than the client knows")  \
    X(query_same, UNIT_COUNT, "LEASEQUERY: it ends as the client knows")                           \
    X(renewals_timed, UNIT_COUNT, "renewals whose lease shows whether it was extended")            \
    X(renewals_cached, UNIT_COUNT, "of these: it was not")                                         \
    X(cached_share, UNIT_PERCENT, "of these: it was not")                                          \
    X(cached_age, UNIT_PERCENT, "of the lease that had passed at these")                           \
    X(ceiling_1s, UNIT_COUNT, "seconds with 510 to 512 addresses renewed")                         \
    X(above_1s, UNIT_COUNT, "seconds with more")                                                   \
    X(most_1s, UNIT_COUNT, "most addresses renewed in a second")                                   \
    X(ceiling_30s, UNIT_COUNT, "half minutes with 510 to 512 addresses renewed")                   \
    X(above_30s, UNIT_COUNT, "half minutes with more")                                             \
    X(most_30s, UNIT_COUNT, "most addresses renewed in half a minute")                             \
    X(ceiling_120s, UNIT_COUNT, "two minutes with 510 to 512 addresses renewed")                   \
    X(above_120s, UNIT_COUNT, "two minutes with more")                                             \
    X(most_120s, UNIT_COUNT, "most addresses renewed in two minutes")                              \
    X(losing_seconds, UNIT_COUNT, "seconds in which first packets were answered and lost")         \
    X(losing_answered, UNIT_PER_S, "first packets answered in these")                              \
    X(losing_deviation, UNIT_PER_S, "standard deviation of that")                                  \
    X(slots_lost, UNIT_COUNT, "first packets lost in moments of 50 and more within 200 ms")        \
    X(slots_mended, UNIT_PERCENT, "of these: answered at the first retransmission")                \
    X(calm_tries, UNIT_COUNT, "first packets of all other moments")                                \
    X(calm_lost, UNIT_COUNT, "of these: lost")                                                     \
    X(calm_lost_share, UNIT_PERCENT, "of these: lost")                                             \
    X(tries, UNIT_COUNT, "first packets of exchanges sent to it")                                  \
    X(lost, UNIT_COUNT, "of these: unanswered")                                                    \
    X(lost_share, UNIT_PERCENT, "of these: unanswered")                                            \
    X(silences, UNIT_COUNT, "times it gave no ACK for 5 s while others gave 20 or more")           \
    X(longest_silence, UNIT_S, "the longest of these")                                             \
    X(silent_at_end, UNIT_COUNT, "1: one lasted to the end")                                       \
    X(silent_later, UNIT_COUNT, "DISCOVERs meanwhile, answered after the first retry or never")    \
    X(handed_back, UNIT_COUNT, "its clients its partner took over and then answered no more")

#define FACTS_SERVER_TIMES(X)                                                                      \
    X(alone_acks, UNIT_COUNT, "acquisitions that waited behind no other")                          \
    X(alone_offer, UNIT_MS, "DISCOVER to OFFER of these, median")                                  \
    X(alone_ack, UNIT_MS, "REQUEST to ACK of these, median")                                       \
    X(alone_gap, UNIT_MS, "ACK's time beyond the OFFER's of these, median")                        \
    X(commit_ceiling, UNIT_PER_S, "leases such a gap allows")                                      \
    X(loaded_ack, UNIT_MS, "REQUEST to ACK of all others, median")                                 \
    X(spacing, UNIT_MS, "commonest distance of ACKs that had to wait")                             \
    X(spacing_samples, UNIT_COUNT, "distances measured")                                           \
    X(spacing_share, UNIT_PERCENT, "of these: about the commonest")                                \
    X(busy_seconds, UNIT_COUNT, "seconds in which nine of ten ACKs had to wait")                   \
    X(busy_acks, UNIT_PER_S, "ACKs in these")                                                      \
    X(busy_deviation, UNIT_PER_S, "standard deviation of that")                                    \
    X(busy_time, UNIT_PERCENT, "of a second: such ACKs times their commonest distance")            \
    X(offers_timed, UNIT_COUNT, "OFFERs to DISCOVERs sent once")                                   \
    X(offers_1s, UNIT_PERCENT, "of these: after 0.95 to 1.10 s")
