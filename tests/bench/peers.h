/* SPDX-License-Identifier: MIT */
/*
 * Agents without packets, for measuring a coordinator: many in one process, on one thread, each
 * with sockets, keys, session, clock answers, beats, batches and snapshots of its own. They take
 * part in a run as agents do, say that all was leased, and in the last stage stream results as fast
 * as credit allows, or tell little, once a second.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "common/keys.h"
#include "common/link.h"
#include "common/prng.h"
#include "proto/control.h"

enum { PEERS_MAX = 1024, PEERS_RENEW_METRICS = 2 };

struct peers_options {
    const char *host;
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    uint32_t agents;
    uint64_t events;  /* to stream in the last stage, over all agents; 0: little is told */
    uint64_t seconds; /* of the last stage, when little is told */
    int coordinator;  /* pid, whose CPU time and memory are read */
};

enum peer_phase { PEER_CALLING, PEER_JOINED, PEER_PREPARED, PEER_RUNNING, PEER_FINAL, PEER_OVER };

/* One agent. */
struct peer {
    uint32_t index;
    struct key_pair own;
    void *ctrl, *data;
    enum peer_phase phase;
    uint64_t session, epoch;
    uint64_t hello_at_ns, data_hello_at_ns, beat_at_ns, progress_at_ns, snapshot_at_ns, batch_at_ns;
    uint64_t generation;

    struct control_share share; /* one relay each */
    struct ipv4 subnet;         /* of the relay */
    struct control_go go;
    bool is_in_last_stage, is_step_done, is_draining;
    uint32_t bound;

    bool has_credit;
    uint64_t seq, committed_seq, limit_seq;
    uint64_t streamed; /* events of the last stage */
    struct event pending[CONTROL_BATCH_EVENTS_MAX];
    size_t pending_count;
    struct snapshot counters;
    struct histogram renew[PEERS_RENEW_METRICS]; /* intended, from send */
};

struct peers {
    const struct peers_options *options;
    void *zmq;
    int epoll_fd;
    struct peer *peer; /* options->agents of them */
    struct control_arena *arena;
    uint8_t *bytes;
    struct prng prng;
    uint64_t now_ns, looked_ns;
    uint32_t lease_s;
    struct ipv4 servers[PLAN_SERVERS_MAX];
    uint32_t server_count;
    bool may_end; /* the last stage has been measured */
};

/* Key pair of one agent: the same for `enrol` and for the run. */
void peers_key(uint32_t index, struct key_pair *out);
void peers_name(uint32_t index, char out[KEY_NAME_BYTES]);

/* --- peers_talk.c --- */

void peer_open(struct peers *world, uint32_t index);
void peer_close(struct peer *p);
/* Takes what has come on its sockets; they are edge-triggered: all of it. */
void peer_receive(struct peers *world, struct peer *p);
/* Says what is due. */
void peer_tick(struct peers *world, struct peer *p);
/* Bytes handed to the socket; false: its queue is full or it is not open. */
bool peer_say(struct peers *world, struct peer *p, struct control_message *m);

/* --- peers_results.c --- */

/* Leases for the clients that a GO has let loose and that have none yet. */
void peer_acquire(struct peers *world, struct peer *p);
/* The next results of the last stage into p->pending: `count` renewals. */
void peer_renew(struct peers *world, struct peer *p, size_t count);
/* Batches of what is pending, as credit allows. False: no credit or room. */
bool peer_flush(struct peers *world, struct peer *p);
void peer_snapshot(struct peers *world, struct peer *p, bool is_final);
