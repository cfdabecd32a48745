/* SPDX-License-Identifier: MIT */
/*
 * The metrics of an observer: X(name, unit, kind, help). Order is the wire's: append only.
 * Counters of time are microseconds, so that a share of time is a difference over the time passed.
 */
#pragma once

#define OBSERVER_METRICS(X)                                                                        \
    OBSERVER_METRICS_PROCESS(X) OBSERVER_METRICS_HOST(X) OBSERVER_METRICS_SERVER(X)

#define OBSERVER_METRICS_PROCESS(X)                                                                \
    X(cpu_user, "us", COUNTER, "CPU time in user mode, all threads")                               \
    X(cpu_system, "us", COUNTER, "CPU time in the kernel, all threads")                            \
    X(cpu_busiest_thread, "us", COUNTER, "CPU time of the thread that used most")                  \
    X(runqueue_wait, "us", COUNTER, "time runnable but not running, all threads")                  \
    X(runqueue_wait_busiest, "us", COUNTER, "the same of the busiest thread")                      \
    X(switches_voluntary, "n", COUNTER, "voluntary context switches")                              \
    X(switches_involuntary, "n", COUNTER, "involuntary context switches")                          \
    X(threads, "n", GAUGE, "threads of the server")                                                \
    X(rss, "bytes", GAUGE, "resident memory")                                                      \
    X(state_samples, "n", COUNTER, "looks at the threads' state")                                  \
    X(state_disk, "n", COUNTER, "of these: a thread was in uninterruptible sleep")                 \
    X(wait_samples, "n", COUNTER, "looks at the threads' system calls")                            \
    X(wait_fsync, "n", COUNTER, "of these: a thread was in fsync or fdatasync")                    \
    X(wait_write, "n", COUNTER, "of these: none in fsync, one in write")                           \
    X(wait_send, "n", COUNTER, "of these: none in fsync or write, one in a send")                  \
    X(wait_running, "n", COUNTER, "of these: none of the above, one on a CPU")                     \
    X(wait_poll, "n", COUNTER, "of these: all wait for something to do")                           \
    X(wait_other, "n", COUNTER, "of these: something else")                                        \
    X(io_write_calls, "n", COUNTER, "write system calls")                                          \
    X(io_write_bytes, "bytes", COUNTER, "bytes handed to the block layer")                         \
    X(packet_socket_queue, "bytes", GAUGE, "waiting in the server's packet sockets")               \
    X(packet_socket_buffer, "bytes", GAUGE, "room of the smallest of them")                        \
    X(packet_socket_drops, "n", COUNTER, "packets they dropped")                                   \
    X(udp67_queue, "bytes", GAUGE, "waiting in the server's UDP sockets, port 67")                 \
    X(udp67_buffer, "bytes", GAUGE, "room of the smallest of them")                                \
    X(udp67_drops, "n", COUNTER, "packets they dropped")

#define OBSERVER_METRICS_HOST(X)                                                                   \
    X(udp_in, "n", COUNTER, "Udp InDatagrams of the server's network")                             \
    X(udp_out, "n", COUNTER, "Udp OutDatagrams")                                                   \
    X(udp_receive_buffer_errors, "n", COUNTER, "Udp RcvbufErrors")                                 \
    X(udp_no_ports, "n", COUNTER, "Udp NoPorts")                                                   \
    X(ip_out_discards, "n", COUNTER, "Ip OutDiscards: sends the kernel refused")                   \
    X(ip_out_no_routes, "n", COUNTER, "Ip OutNoRoutes")                                            \
    X(link_drops, "n", COUNTER, "dropped by its interfaces, both ways")                            \
    X(queue_drops, "n", COUNTER, "dropped by its interfaces' queueing disciplines")                \
    X(softnet_drops, "n", COUNTER, "dropped for want of CPU, whole host")                          \
    X(disk_writes, "n", COUNTER, "writes of the lease file's disk")                                \
    X(disk_flushes, "n", COUNTER, "cache flushes of that disk")                                    \
    X(disk_flush_time, "us", COUNTER, "time in them")                                              \
    X(disk_busy, "us", COUNTER, "time the disk had work")                                          \
    X(pressure_io, "us", COUNTER, "time some task waited for I/O, whole host")                     \
    X(pressure_cpu, "us", COUNTER, "time some task waited for a CPU, whole host")                  \
    X(ct_entries, "n", GAUGE, "entries of connection tracking")                                    \
    X(ct_max, "n", GAUGE, "its limit")                                                             \
    X(ct_insert_failed, "n", COUNTER, "connections it could not take in")                          \
    X(ct_drop, "n", COUNTER, "packets it dropped")                                                 \
    X(ct_early_drop, "n", COUNTER, "entries dropped to make room")                                 \
    X(ct_found, "n", COUNTER, "searches that found an entry in the way")                           \
    X(ct_udp_timeout, "s", GAUGE, "nf_conntrack_udp_timeout")                                      \
    X(ct_dhcp_entries, "n", GAUGE, "entries of port 67")                                           \
    X(ct_dhcp_low_ports, "n", GAUGE, "distinct ports 1..511 given to port 67, of 511")             \
    X(fw_nat_output, "n", GAUGE, "rules of NAT that can rewrite replies")                          \
    X(fw_notrack_prerouting, "n", GAUGE, "rules that exempt requests from tracking")               \
    X(fw_notrack_output, "n", GAUGE, "rules that exempt replies from tracking")                    \
    X(fw_drop_output, "n", GAUGE, "rules that can drop replies")                                   \
    X(fw_rewrite_egress, "n", GAUGE, "stateless rewrites where replies leave")                     \
    X(icmp_in_echo_replies, "n", COUNTER, "answers to its pings")

#define OBSERVER_METRICS_SERVER(X)                                                                 \
    X(lease_file_bytes, "bytes", GAUGE, "size of the lease file")                                  \
    X(lease_commits, "n", COUNTER, "leases written to the lease file")                             \
    X(lease_rewrites, "n", COUNTER, "times it was written anew")                                   \
    X(log_acks, "n", COUNTER, "ACKs the log speaks of")                                            \
    X(log_send_refused, "n", COUNTER, "log: a reply could not be sent")                            \
    X(log_no_free_leases, "n", COUNTER, "log: no address for a client")                            \
    X(log_peer_holds, "n", COUNTER, "log: the partner holds all free addresses")                   \
    X(log_abandoned, "n", COUNTER, "log: an address answered a ping or was declined")              \
    X(log_naks, "n", COUNTER, "NAKs the log speaks of")                                            \
    X(log_load_balanced, "n", COUNTER, "log: left to the partner by load balancing")               \
    X(log_reused, "n", COUNTER, "log: renewal answered from the lease cache")                      \
    X(log_other_errors, "n", COUNTER, "log: other lines that tell of an error")                    \
    X(failover_own, "state", STATE, "its state in failover")                                       \
    X(failover_partner, "state", STATE, "its partner's, as it believes")                           \
    X(pool_total, "n", GAUGE, "addresses of all pools")                                            \
    X(pool_free, "n", GAUGE, "free ones it may give")                                              \
    X(pool_backup, "n", GAUGE, "free ones its partner may give")                                   \
    X(kea_received, "n", COUNTER, "Kea: pkt4-received")                                            \
    X(kea_offers, "n", COUNTER, "Kea: pkt4-offer-sent")                                            \
    X(kea_acks, "n", COUNTER, "Kea: pkt4-ack-sent")                                                \
    X(kea_naks, "n", COUNTER, "Kea: pkt4-nak-sent")                                                \
    X(kea_allocation_failures, "n", COUNTER, "Kea: v4-allocation-fail")                            \
    X(kea_assigned, "n", GAUGE, "Kea: assigned-addresses of all subnets")                          \
    X(bpf_fsyncs, "n", COUNTER, "fsync calls, each one counted")                                   \
    X(bpf_fsync_time, "us", COUNTER, "time in them")                                               \
    X(bpf_fsync_longest, "us", GAUGE, "the longest so far")                                        \
    X(bpf_queue_wait, "us", COUNTER, "time messages waited in the server's sockets")               \
    X(bpf_messages_read, "n", COUNTER, "messages the server read")                                 \
    X(bpf_service, "us", COUNTER, "time from reading a message to sending its answer")             \
    X(bpf_answers, "n", COUNTER, "answers it sent")                                                \
    X(bpf_send_refused, "n", COUNTER, "sends the kernel refused")                                  \
    X(self_cpu, "us", COUNTER, "CPU time of the observer itself")                                  \
    X(self_late, "us", COUNTER, "time its looks came too late, in all")                            \
    OBSERVER_METRICS_KERNEL(X)

/* How long each took: bounds are not cumulative. */
#define OBSERVER_METRICS_SPANS(X, span, what)                                                      \
    X(bpf_##span##_to_16us, "n", COUNTER, what " below 16 us")                                     \
    X(bpf_##span##_to_64us, "n", COUNTER, what " of 16 to 64 us")                                  \
    X(bpf_##span##_to_256us, "n", COUNTER, what " of 64 to 256 us")                                \
    X(bpf_##span##_to_1024us, "n", COUNTER, what " of 256 to 1,024 us")                            \
    X(bpf_##span##_to_4096us, "n", COUNTER, what " of 1,024 to 4,096 us")                          \
    X(bpf_##span##_to_16384us, "n", COUNTER, what " of 4,096 to 16,384 us")                        \
    X(bpf_##span##_to_65536us, "n", COUNTER, what " of 16,384 to 65,536 us")                       \
    X(bpf_##span##_to_262144us, "n", COUNTER, what " of 65,536 to 262,144 us")                     \
    X(bpf_##span##_to_1048576us, "n", COUNTER, what " of 262,144 to 1,048,576 us")                 \
    X(bpf_##span##_longer, "n", COUNTER, what " of 1,048,576 us and more")
enum { OBSERVER_SPAN_METRICS = 10 };

#define OBSERVER_METRICS_KERNEL(X)                                                                 \
    OBSERVER_METRICS_SPANS(X, fsync, "fsync calls")                                                \
    OBSERVER_METRICS_SPANS(X, wait, "waits in the server's sockets")                               \
    OBSERVER_METRICS_SPANS(X, serve, "times from reading to answering")                            \
    X(bpf_refused_not_permitted, "n", COUNTER, "refused sends: EPERM, as by a firewall or NAT")    \
    X(bpf_refused_no_route, "n", COUNTER, "refused sends: ENETUNREACH, EHOSTUNREACH")              \
    X(bpf_refused_no_room, "n", COUNTER, "refused sends: ENOBUFS, EAGAIN")                         \
    X(bpf_refused_otherwise, "n", COUNTER, "refused sends: any other reason")
