/* SPDX-License-Identifier: MIT */
/*
 * One core's share of the work: own relays, clients, timer wheel, counters.
 * Lanes share nothing and allocate nothing after lane_new(), but in lane_take().
 *
 * Pure: packets, time and commands come in as arguments, packets and events
 * go out through arrays the caller empties. The same lane runs on sockets
 * (agent/edge) and in virtual time (tests/sim). Not thread-safe: one thread
 * owns a lane.
 *
 * A turn of the owner is always: lane_receive() for what arrived, lane_turn()
 * (expire, then pace), then empty the outbox (lane_outbox, send, lane_sent) and
 * the events. lane_turn() stops adding when the outbox or the event array is
 * full and goes on with the next turn: nothing is skipped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane_right.h"
#include "common/attrs.h"
#include "proto/control.h"
#include "proto/dhcp4.h"
#include "proto/event.h"
#include "proto/plan.h"
#include "proto/snapshot.h"

struct lane;

enum {
    LANE_OUTBOX_MAX = 256,     /* packets a turn may produce */
    LANE_EVENTS_MAX = 4096,    /* a turn stops at half of it; receiving may fill the rest */
    LANE_PREFLIGHT_CLIENTS = 3 /* per relay */
};

/* Port of the carrying address a packet leaves from or arrived at. */
enum lane_port { LANE_PORT_SERVER, LANE_PORT_CLIENT, LANE_PORT_COUNT };

struct lane_setup {
    const struct plan *plan;            /* must outlive the lane */
    const struct control_share *shares; /* copied */
    size_t share_count;
    uint64_t packets_per_s_max; /* this lane's part; 0: not limited */
    uint64_t total_packets;     /* of the run; 0: not limited */
    uint64_t now_ns;            /* CLOCK_MONOTONIC at READY */
};

/* NULL when out of memory. All memory of the run is taken here. */
NODISCARD struct lane *lane_new(const struct lane_setup *setup);
void lane_free(struct lane *lane); /* NULL is fine */
size_t lane_memory_bytes(const struct lane *lane);
void *lane_records(struct lane *lane, size_t *out_bytes); /* its clients'; move in lane_take() */

/* Carrying addresses: the distinct `via` of this lane's relays. The edge opens two sockets each. */
size_t lane_carrier_count(const struct lane *lane);
struct ipv4 lane_carrier_address(const struct lane *lane, size_t carrier);

/* --- commands: what the coordinator said, see proto/control.h --- */

void lane_preflight(struct lane *lane, const struct control_preflight *command, uint64_t now_ns);
void lane_arm(struct lane *lane, enum plan_path path);
/* `start_at_ns` of the command may lie in the future or in the past. Repeated commands do nothing.
 */
void lane_go(struct lane *lane, const struct control_go *command, uint64_t now_ns);
void lane_drain(struct lane *lane, const struct control_drain *command, uint64_t now_ns);
/*
 * Leases of an earlier run, before the first GO and DRAIN. Returns how many were taken: not those
 * of other lanes' clients, outside the block, of unknown servers, or of a client that has a lease.
 */
size_t lane_adopt(struct lane *lane, const struct control_adopt *command, uint64_t now_ns);

/* How full the way to the coordinator is: from 750 successes are folded, at 1000 nothing starts. */
void lane_set_pressure(struct lane *lane, uint32_t permille);

/* --- packets --- */

struct lane_packet {
    size_t carrier; /* index; the address it was sent to, or SIZE_MAX for a wildcard socket */
    enum lane_port port;
    struct ipv4 source, destination;
    uint16_t source_port;
    const uint8_t *bytes;
    size_t size;
    uint64_t at_ns; /* kernel's receive stamp as CLOCK_MONOTONIC */
};

void lane_receive(struct lane *lane, const struct lane_packet *packet);
/* Facts about reception only the edge can know, added to the counters. */
void lane_count_rx(struct lane *lane, uint64_t drops, uint64_t stamps_replaced, uint64_t truncated);
/* ICMP errors that answered what it sent. */
void lane_count_icmp(struct lane *lane, uint64_t errors);

/* Of what preflight sends in the name of no client of the run. */
#define LANE_STRANGER UINT32_MAX

struct lane_out {
    size_t carrier;
    enum lane_port port;
    enum dhcp4_intent intent;
    struct ipv4 source;      /* routed: the client's own address; zero: the socket's */
    struct ipv4 destination; /* port is always 67 */
    uint32_t client;         /* the lane's own number for it, or LANE_STRANGER */
    bool is_first;           /* first copy of the first transmission of an exchange's message */
    uint16_t size;
    uint8_t bytes[DHCP4_MAX_BYTES];
};

/* Packets to send now, in order; valid until lane_outbox_clear(). */
size_t lane_outbox(struct lane *lane, const struct lane_out **out);
/* Once for each packet of the outbox, in order: error is 0 or an errno, at_ns when it left. */
void lane_sent(struct lane *lane, size_t index, int error, uint64_t at_ns);
void lane_outbox_clear(struct lane *lane);

/* --- time --- */

void lane_turn(struct lane *lane, uint64_t now_ns);
/* When lane_turn() has something to do next; UINT64_MAX: nothing until a packet or command. */
uint64_t lane_next_ns(const struct lane *lane);

/* --- results --- */

/* Finished exchanges since the last clear, oldest first. */
size_t lane_events(const struct lane *lane, const struct event **out);
void lane_events_clear(struct lane *lane, size_t count); /* the first `count` were taken */

/* Fills the lane's part of a PROGRESS message; is_step_done as there. */
void lane_progress(const struct lane *lane, struct control_progress *out);
/* The total of packets is spent: nothing will be sent any more. */
bool lane_is_spent(const struct lane *lane);
/* True when DRAIN has nothing left to do. */
bool lane_is_drained(const struct lane *lane);

/* Preflight: one entry per relay of this lane, complete when is_done. */
bool lane_preflight_is_done(const struct lane *lane);
size_t lane_preflight_relays(const struct lane *lane, const struct control_preflight_relay **out);

/* Counters now; seq, at_ns, is_final, cpu_ns and elapsed_ns are the caller's. */
void lane_snapshot(const struct lane *lane, struct snapshot *out);

/*
 * Histograms by slot: slots 0..lane_histogram_count()-1 are fixed after lane_new().
 * `version` grows with each record, so the edge sends what changed.
 */
size_t lane_histogram_count(const struct lane *lane);
const struct histogram *lane_histogram(const struct lane *lane, size_t slot,
                                       struct histogram_key *out_key, uint64_t *out_version);
/* Recorded by the edge: how late packets left after their turn asked for them. */
void lane_record_lateness(struct lane *lane, uint32_t stage, uint64_t late_ns);
