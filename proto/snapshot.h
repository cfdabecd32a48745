/* SPDX-License-Identifier: MIT */
/*
 * What an agent has counted since READY: cumulative, latest wins. Deltas exist
 * nowhere. One X-macro names every counter: the list cannot be told two ways.
 * Histograms travel apart, a message per changed one (control.h), cumulative too.
 *
 * Pure. A zeroed struct is a valid empty one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "common/inet.h"
#include "proto/plan.h"
#include "proto/snapshot_packets.h"

/* X(name, help). Order is the wire order: append only. */
#define SNAPSHOT_COUNTERS(X)                                                                       \
    X(sent_discover, "DISCOVER packets handed to the kernel, one per server")                      \
    X(sent_request, "REQUEST in SELECTING")                                                        \
    X(sent_renew, "REQUEST in RENEWING")                                                           \
    X(sent_rebind, "REQUEST in REBINDING")                                                         \
    X(sent_reboot, "REQUEST in INIT-REBOOT")                                                       \
    X(sent_decline, "DECLINE")                                                                     \
    X(sent_release, "RELEASE")                                                                     \
    X(sent_inform, "INFORM")                                                                       \
    X(received_offer, "type bin: OFFER")                                                           \
    X(received_ack, "type bin: ACK")                                                               \
    X(received_nak, "type bin: NAK")                                                               \
    X(received_other, "type bin: another message type")                                            \
    X(received_malformed, "type bin: not a DHCP message a client could accept")                    \
    X(fate_answer, "fate bin: answered an open exchange")                                          \
    X(fate_late, "fate bin: its exchange was over")                                                \
    X(fate_duplicate, "fate bin: another answer to an exchange that already had it")               \
    X(fate_alien, "fate bin: not for a client of this run")                                        \
    X(fate_misrouted, "fate bin: for a client of this run that another agent or relay plays")      \
    X(fate_malformed, "fate bin: malformed")                                                       \
    X(wrong_source_port, "packets whose source port was not 67")                                   \
    X(foreign_offers, "OFFERs outside the block or from an unknown server")                        \
    X(send_errors, "packets the kernel refused")                                                   \
    X(rx_drops, "packets dropped at our sockets (SO_RXQ_OVFL)")                                    \
    X(rx_stamp_replaced, "receive stamps outside [previous turn, now], replaced by now")           \
    X(rx_truncated, "datagrams larger than the receive buffer")                                    \
    X(preflight_sent, "of all sent: preflight")                                                    \
    X(preflight_received, "of all received: preflight")                                            \
    X(preflight_events, "events written for preflight clients")                                    \
    X(clients_assigned, "clients of this agent")                                                   \
    X(clients_bound, "now BOUND, RENEWING or REBINDING")                                           \
    X(clients_released, "now RELEASED")                                                            \
    X(clients_expired, "had a lease, lost it and have none now")                                   \
    X(clients_failed, "started and never bound")                                                   \
    X(clients_never_started, "not started yet")                                                    \
    X(leases_acquired, "first leases")                                                             \
    X(leases_reacquired, "later leases through DISCOVER or INIT-REBOOT")                           \
    X(leases_late_bound, "first leases after the deadline")                                        \
    X(leases_renewed, "ACKs in RENEWING")                                                          \
    X(leases_rebound, "ACKs in REBINDING")                                                         \
    X(leases_expired, "leases that ran out")                                                       \
    X(leases_released, "RELEASE sent")                                                             \
    X(leases_failed, "clients not bound by their deadline")                                        \
    X(leases_nak, "NAKs that ended an exchange")                                                   \
    X(renew_retried, "renewals answered after a retransmission")                                   \
    X(events, "events recorded, all kinds, preflight included")                                    \
    X(planned_starts, "exchanges the pacer's schedule has called for")                             \
    X(actual_starts, "of these, begun")                                                            \
    X(exchanges_open, "exchanges waiting for an answer now")                                       \
    X(silent_streak, "consecutive exchanges without any reply after their second retransmission")  \
    X(paused_ns, "time without a run lease")                                                       \
    X(expired_in_pause, "leases that ran out in a pause")                                          \
    X(unexpected, "(state, event) pairs outside the table")                                        \
    X(cpu_ns, "CPU time of the agent process since READY")                                         \
    X(elapsed_ns, "time since READY")                                                              \
    X(slot_wait_ns, "closed model: slot time spent waiting for retransmissions")                   \
    X(results_coalesced, "successes folded because the ring was nearly full")                      \
    X(sent_query, "DHCPLEASEQUERY")                                                                \
    X(leases_adopted, "leases of an earlier run that were taken over")                             \
    X(pauses, "times the run lease was gone after the first grant")                                \
    X(alone_ns, "time without the coordinator in which only leases were kept")                     \
    X(clients_taken, "of those assigned: taken over from a lost agent")                            \
    X(icmp_known, "1: the host's own ICMP counts could be read")                                   \
    X(icmp_echo_in, "echo requests the host received, by it")                                      \
    X(icmp_echo_out, "echo replies the host sent, by it")                                          \
    X(icmp_errors, "ICMP errors that answered packets of the agent, as far as it kept up")         \
    X(rcvbuf_known, "1: RcvbufErrors of the agent's network namespace could be read")              \
    X(rcvbuf_errors, "datagrams some socket there had no room for (UDP RcvbufErrors)")             \
    X(rx_buffer_bytes, "smallest receive buffer of the agent's DHCP sockets; 0: not known")        \
    X(rx_buffer_wanted, "bytes that were asked for")                                               \
    X(lanes, "lanes that watched themselves; 0: what follows is not known")                        \
    X(lane_turns, "turns of the lanes' loops")                                                     \
    X(lane_cpu_ns, "CPU time of the lanes' threads")                                               \
    X(lane_work_ns, "of it: in turns, not spent waiting for the next instant")                     \
    X(lane_switches, "times a lane was taken off its CPU (involuntary context switches)")          \
    X(lane_waited_known, "lanes whose time without a CPU the kernel tells")                        \
    X(lane_waited_ns, "time lanes could have run and had no CPU")                                  \
    X(lane_work_peak, "per mille of the busiest lane's busiest second: CPU time in turns")         \
    X(lane_waited_peak, "per mille of the second in which a lane most had no CPU")                 \
    X(lane_absence_longest_ns, "longest time a lane left its sockets alone")

enum snapshot_counter {
#define X(name, help) COUNTER_##name,
    SNAPSHOT_COUNTERS(X)
#undef X
        COUNTER_COUNT
};

enum latency_metric {
    LATENCY_DISCOVER_OFFER,
    LATENCY_REQUEST_ACK,
    LATENCY_ACQUIRE,
    LATENCY_RENEW,
    LATENCY_REBIND,
    LATENCY_REBOOT,
    LATENCY_INFORM,
    LATENCY_SEND_LAG,       /* clock INTENDED only: real send minus intended instant */
    LATENCY_START_LATENESS, /* one sample per stage */
    LATENCY_METRIC_COUNT
};

enum latency_clock { LATENCY_INTENDED, LATENCY_FROM_SEND, LATENCY_CLOCK_COUNT };

/* Key of one histogram; server is an index into the plan, SNAPSHOT_NO_SERVER where none. */
enum { SNAPSHOT_NO_SERVER = 255, SNAPSHOT_STAGE_PREFLIGHT = 254 };

struct histogram_key {
    uint8_t metric, clock, server, stage;
};

/* Kept per errno, message and destination. */
struct snapshot_send_error {
    uint32_t error;  /* errno */
    uint8_t message; /* enum dhcp4_intent of proto/dhcp4.h */
    struct ipv4 destination;
    uint64_t count;
};

struct snapshot_unexpected {
    uint8_t state, event; /* enum lease_state, enum lease_event */
    uint64_t count;
};

enum { SNAPSHOT_SEND_ERRORS_MAX = 64, SNAPSHOT_UNEXPECTED_MAX = 128 };

struct snapshot {
    uint64_t seq;   /* 1, 2, 3 ... */
    uint64_t at_ns; /* agent's CLOCK_MONOTONIC */
    bool is_final;
    uint64_t last_batch_seq; /* final: batches 1..this exist */
    uint64_t counter[COUNTER_COUNT];
    struct snapshot_server server[PLAN_SERVERS_MAX];
    struct snapshot_packets packets[PLAN_SERVERS_MAX];
    uint32_t send_error_count;
    struct snapshot_send_error send_error[SNAPSHOT_SEND_ERRORS_MAX];
    uint32_t unexpected_count;
    struct snapshot_unexpected unexpected[SNAPSHOT_UNEXPECTED_MAX];
};

/* A total over lanes or agents takes the largest of it; all others are added up. */
bool snapshot_counter_is_extreme(enum snapshot_counter c);
const char *snapshot_counter_name(enum snapshot_counter c);
const char *snapshot_counter_help(enum snapshot_counter c);
const char *latency_metric_name(enum latency_metric m);
const char *latency_clock_name(enum latency_clock c);
bool histogram_key_is_valid(struct histogram_key k);
