/* SPDX-License-Identifier: MIT */
/*
 * Facts that results and counters of a run give: X(name, unit, help), and words X(name, help).
 * What packets show besides, and what observers see, is in facts_wire_list.h.
 */
#pragma once

#define FACTS_RUN_LEASES(X)                                                                        \
    X(clients, UNIT_COUNT, "clients of the run")                                                   \
    X(acquired, UNIT_COUNT, "first leases")                                                        \
    X(reacquired, UNIT_COUNT, "later leases through DISCOVER")                                     \
    X(renewed, UNIT_COUNT, "renewals acknowledged")                                                \
    X(rebound, UNIT_COUNT, "rebinds acknowledged")                                                 \
    X(kept, UNIT_COUNT, "both")                                                                    \
    X(expired, UNIT_COUNT, "leases that ran out")                                                  \
    X(failed, UNIT_COUNT, "clients without a lease at their deadline")                             \
    X(renew_gave_up, UNIT_COUNT, "renewals that reached T2 without an answer")                     \
    X(renew_ended, UNIT_COUNT, "renewals that were answered or reached T2")                        \
    X(renew_gave_up_share, UNIT_PERCENT, "of all renewals: reached T2 without an answer")          \
    X(renew_retried, UNIT_COUNT, "renewals answered after a retransmission")                       \
    X(rebind_gave_up, UNIT_COUNT, "rebinds that reached the end of the lease without an answer")   \
    X(unanswered_at_end, UNIT_COUNT, "exchanges without an answer when the run ended")             \
    X(distinct, UNIT_COUNT, "addresses leased")                                                    \
    X(duplicates, UNIT_COUNT, "addresses leased to two clients at the same time")                  \
    X(overlaps_undecided, UNIT_COUNT, "overlaps of leases that could not be decided")              \
    X(outside_subnet, UNIT_COUNT, "ACKs for an address outside the relay's subnet")                \
    X(changed_on_renew, UNIT_COUNT, "renewals acknowledged with another address")                  \
    X(held_naks, UNIT_COUNT, "NAKs in renewing, rebinding or rebooting")                           \
    X(acquire_naks, UNIT_COUNT, "NAKs in acquiring")                                               \
    X(acquire_acks, UNIT_COUNT, "acquisitions acknowledged")                                       \
    X(starved, UNIT_COUNT, "attempts without any OFFER, two retransmissions or more")              \
    X(starved_last, UNIT_COUNT, "of these: nobody who came later got a lease")                     \
    X(starved_last_share, UNIT_PERCENT, "of these: nobody who came later got a lease")             \
    X(answers_after_starving, UNIT_S, "from the first of these to the servers' last answer")       \
    X(gave_up_with_offer, UNIT_COUNT, "REQUESTs after an OFFER that stayed unanswered")            \
    X(other_losses, UNIT_COUNT, "REQUESTs, renewals and rebinds given up, and leases run out")     \
    X(burst_begun, UNIT_COUNT, "clients begun in the first two seconds after the canaries")        \
    X(burst_repeated, UNIT_COUNT, "of these: had to repeat a message")                             \
    X(burst_begin, UNIT_S, "when these two seconds began")                                         \
    X(burst_later, UNIT_COUNT, "clients begun after them")                                         \
    X(burst_later_repeated, UNIT_COUNT, "of these: had to repeat a message")                       \
    X(lease_expected, UNIT_S, "expect.lease")                                                      \
    X(mclt_expected, UNIT_S, "expect.mclt")                                                        \
    X(lease_off, UNIT_COUNT, "ACKs with a lease time that was not expected")                       \
    X(lease_off_longer, UNIT_COUNT, "of these: longer than expected")                              \
    X(lease_off_explained, UNIT_COUNT, "renewals that a lost packet or a lease cache may shorten") \
    X(taken_over, UNIT_COUNT, "ACKs another server gave to clients that had waited past T2")       \
    X(wave_acks, UNIT_COUNT, "short leases in the largest wave of them")                           \
    X(wave_first, UNIT_S, "when it began")                                                         \
    X(wave_last, UNIT_S, "when it ended")                                                          \
    X(wave_shortest, UNIT_S, "its shortest lease")                                                 \
    X(wave_times, UNIT_RATIO, "times as many renewals as with the full lease")                     \
    X(waves, UNIT_COUNT, "waves of short leases")                                                  \
    X(renewals_peak, UNIT_PER_S, "largest rate of renewals begun")                                 \
    X(renewals_peak_at, UNIT_S, "when that was")                                                   \
    X(detection_predicted, UNIT_COUNT, "1: check foretold that detection takes too long")

#define FACTS_RUN_BED(X)                                                                           \
    X(sent_renew, UNIT_COUNT, "RENEW packets sent")                                                \
    X(foreign_offers, UNIT_COUNT, "OFFERs outside the block or from an unknown server")            \
    X(wrong_port_packets, UNIT_COUNT, "answers from a port other than 67")                         \
    X(wrong_port_preflight, UNIT_COUNT, "of these: in preflight")                                  \
    X(misrouted, UNIT_COUNT, "answers for clients another agent or relay plays")                   \
    X(alien, UNIT_COUNT, "packets for clients that are not of this run")                           \
    X(malformed, UNIT_COUNT, "packets that are no DHCP messages a client could accept")            \
    X(late_answers, UNIT_COUNT, "answers to exchanges that were over")                             \
    X(duplicate_answers, UNIT_COUNT, "further answers to an exchange that had one")                \
    X(stages_timed_out, UNIT_COUNT, "stages ended by their timeout")                               \
    X(stage_timeout, UNIT_S, "length of the first of them")

#define FACTS_RUN_TESTER(X)                                                                        \
    X(own_drops, UNIT_COUNT, "answers dropped at the agents' own sockets")                         \
    X(rcvbuf_errors, UNIT_COUNT, "RcvbufErrors of an agent's network namespace, at most")          \
    X(rcvbuf_others, UNIT_COUNT, "of these: more than all agents' own sockets dropped")            \
    X(send_lag, UNIT_MS, "p99 of sends behind the plan, in the worst stage")                       \
    X(send_lag_limit, UNIT_MS, "what is allowed there")                                            \
    X(send_lag_samples, UNIT_COUNT, "packets measured there")                                      \
    X(starts_planned, UNIT_COUNT, "open model: exchanges the schedule called for")                 \
    X(starts_actual, UNIT_COUNT, "of these: begun")                                                \
    X(agents_behind, UNIT_COUNT, "agents behind their schedule for three seconds or more")         \
    X(behind_worst, UNIT_PERCENT, "by how much, at worst")                                         \
    X(expired_in_pause, UNIT_COUNT, "leases that ran out while agents were not allowed to send")   \
    X(paused, UNIT_S, "time agents were not allowed to send, in all")                              \
    X(folded, UNIT_COUNT, "results whose details were given up")                                   \
    X(strange_events, UNIT_COUNT, "events of clients or stages the plan does not have")            \
    X(agents_lost, UNIT_COUNT, "agents lost")                                                      \
    X(clients_lost, UNIT_COUNT, "clients lost with them")                                          \
    X(clients_moved, UNIT_COUNT, "clients of theirs that went on elsewhere")                       \
    X(send_errors, UNIT_COUNT, "packets the agents' kernels refused to send")                      \
    X(send_errors_worst, UNIT_COUNT, "of the commonest kind")                                      \
    X(clock_breaks, UNIT_COUNT, "times an agent's clock did what no clock does")                   \
    X(clock_uncertain, UNIT_MS, "how far an agent's clock may be off, at worst")

#define FACTS_SERVER_LEASES(X)                                                                     \
    X(acks, UNIT_COUNT, "exchanges it acknowledged")                                               \
    X(acks_total, UNIT_COUNT, "the same of all servers")                                           \
    X(acks_share, UNIT_PERCENT, "its part of them")                                                \
    X(renewals_answered, UNIT_COUNT, "renewals it acknowledged")                                   \
    X(renewals_lost, UNIT_COUNT, "renewals asked of it that reached T2 without an answer")         \
    X(renewals_ignored, UNIT_COUNT, "of these: it acknowledged others meanwhile")                  \
    X(last_ack, UNIT_S, "its last ACK")                                                            \
    X(open_at_end, UNIT_COUNT, "exchanges with its leases that were open when the run ended")      \
    X(half_waited, UNIT_COUNT, "clients with its leases that waited past T2")                      \
    X(half_lost, UNIT_COUNT, "of these: lost the lease before any server answered")

#define FACTS_RUN_WORDS(X)                                                                         \
    X(lease_times_off, "lease times that were not expected, with their ACKs")                      \
    X(wave_server, "the server of the largest wave of short leases")                               \
    X(wave_leases, "its lease times")                                                              \
    X(prediction, "what check said of detection, and whether it came true")                        \
    X(duplicate_example, "an address two clients held")                                            \
    X(stage_timed_out, "the first stage ended by its timeout")                                     \
    X(own_drops_why, "why the agent with most drops had them")                                     \
    X(own_drops_figures, "what it knows of itself")                                                \
    X(rcvbuf_agent, "the agent in whose namespace other sockets dropped most")                     \
    X(send_lag_why, "why the latest agent of that stage was late")                                 \
    X(send_lag_figures, "what it knows of itself")                                                 \
    X(rate_missed_why, "why the agent furthest behind its schedule was behind")                    \
    X(rate_missed_figures, "what it knows of itself")                                              \
    X(send_lag_stage, "the stage sent worst")                                                      \
    X(send_lag_basis, "where its limit comes from")                                                \
    X(lost_agents, "agents that were lost, with the time")                                         \
    X(send_error, "the commonest kind of refused send")                                            \
    X(send_error_hint, "what helps against it")                                                    \
    X(clock_agent, "the agent whose clock broke most")                                             \
    X(clock_vague_agent, "the agent whose clock is known least")                                   \
    X(open_without_lease, "said of open exchanges when no client of theirs held a lease")

#define FACTS_SERVER_WORDS(X)                                                                      \
    X(last_ack_words, "when it sent its last ACK")                                                 \
    X(wrong_source_address, "an address its answers came from that is not its identifier")         \
    X(half_words, "what became of its clients that waited past T2")                                \
    X(nat_rule, "observer: the rule that rewrites replies")                                        \
    X(notrack_rule, "observer: the rule that exempts from tracking")                               \
    X(drop_rule, "observer: the rule that can drop replies")                                       \
    X(refused_line, "observer: the last log line of a reply that could not be sent")               \
    X(starved_line, "observer: the last log line of a client without an address")                  \
    X(lease_file, "observer: the lease file, its file system and device")                          \
    X(configuration, "observer: what of the configuration decides findings")
