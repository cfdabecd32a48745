/* SPDX-License-Identifier: MIT */
/*
 * Facts of what an observer saw on a server's host: X(name, unit, help). Over the time from
 * the first stage's begin to the last one's end; "busiest": in the five seconds of it in
 * which the share was largest.
 */
#pragma once

#define FACTS_SERVER_OBSERVED(X)                                                                   \
    X(observed, UNIT_S, "time it was watched")                                                     \
    X(ip_out_discards, UNIT_COUNT, "sends its kernel refused")                                     \
    X(ip_out_no_routes, UNIT_COUNT, "sends without a route")                                       \
    X(ct_insert_failed, UNIT_COUNT, "replies connection tracking could not take in")               \
    X(ct_early_drop, UNIT_COUNT, "connections dropped to make room")                               \
    X(ct_fill, UNIT_PERCENT, "most entries of connection tracking, of its limit")                  \
    X(ct_udp_timeout, UNIT_S, "nf_conntrack_udp_timeout")                                          \
    X(nat_ceiling, UNIT_PER_S, "511 / nf_conntrack_udp_timeout")                                   \
    X(ct_low_ports, UNIT_COUNT, "ports 1 to 511 taken for port 67")                                \
    X(fw_nat_output, UNIT_COUNT, "rules of NAT that can rewrite replies")                          \
    X(fw_notrack_output, UNIT_COUNT, "rules that exempt replies from tracking")                    \
    X(fw_drop_output, UNIT_COUNT, "rules that can drop replies")                                   \
    X(fsync_share, UNIT_PERCENT, "time in fsync")                                                  \
    X(fsync_busiest, UNIT_PERCENT, "time in fsync, busiest")                                       \
    X(disk_wait_busiest, UNIT_PERCENT, "time in uninterruptible sleep, busiest")                   \
    X(poll_busiest, UNIT_PERCENT, "time waiting for something to do, in the least such seconds")   \
    X(cpu_busiest, UNIT_PERCENT, "CPU time of its busiest thread, busiest")                        \
    X(runqueue_busiest, UNIT_PERCENT, "time that thread had to wait for a CPU, busiest")           \
    X(cpu_wanted, UNIT_PERCENT, "both together")                                                   \
    X(flush_mean, UNIT_MS, "a cache flush of its disk, mean")                                      \
    X(flushes_per_ack, UNIT_RATIO, "cache flushes of its disk per ACK")                            \
    X(commits_per_ack, UNIT_RATIO, "leases written to its lease file per ACK")                     \
    X(fsyncs_per_ack, UNIT_RATIO, "fsync calls per ACK, each one counted")                         \
    X(fsync_mean, UNIT_MS, "an fsync, each one timed")                                             \
    X(queue_wait_mean, UNIT_MS, "time a message waited in its sockets, each one timed")            \
    X(socket_drops, UNIT_COUNT, "packets its own sockets dropped")                                 \
    X(socket_buffer, UNIT_BYTES, "room of the smallest of them")                                   \
    X(server_acks, UNIT_COUNT, "ACKs it says it sent")                                             \
    X(replies_missing, UNIT_COUNT, "of these: neither refused by its kernel nor received")         \
    X(log_send_refused, UNIT_COUNT, "log: replies that could not be sent")                         \
    X(log_no_free, UNIT_COUNT, "log, or Kea's counter: no address for a client")                   \
    X(log_peer_holds, UNIT_COUNT, "log: the partner holds all free addresses")                     \
    X(log_abandoned, UNIT_COUNT, "log: addresses that answered a ping or were declined")           \
    X(log_load_balanced, UNIT_COUNT, "log: left to the partner by load balancing")                 \
    X(echo_replies_in, UNIT_COUNT, "answers to its pings")                                         \
    X(pool_total, UNIT_COUNT, "addresses of all pools")                                            \
    X(pool_free_least, UNIT_COUNT, "free ones it could give, at the least")
