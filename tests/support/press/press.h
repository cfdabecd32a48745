/* SPDX-License-Identifier: MIT */
/*
 * Peers that press on a coordinator: a crowd that joins at once, one that streams results and
 * knows what was acknowledged, one that measures how soon it is answered, one that floods, one that
 * reads slowly. The protocol is real, packets there are none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/keys.h"
#include "proto/control.h"

enum { PRESS_MESSAGE_BYTES = 1024 * 1024, PRESS_BATCHES_OPEN_MAX = 1024 };

struct press {
    void *zmq, *ctrl, *data;
    const char *host;
    struct control_arena *arena;
    uint8_t *bytes; /* PRESS_MESSAGE_BYTES */
    struct key_pair own;
    uint8_t server[KEY_BYTES];
    struct ipv4 address;
    uint64_t session, epoch, now_ns;

    struct control_share share;
    struct control_go go;
    bool is_running, is_draining, is_over; /* running: past the canaries */
    bool keeps_clock;                      /* asked for its clock it says nothing */
    uint64_t refusals, grants;

    uint64_t beat_at_ns, beat_every_ns, beat_sent_ns; /* sent: the one not granted yet; 0: none */
    uint64_t grant_most_ns;                           /* from beat to grant */
    uint64_t data_hello_at_ns;

    bool has_credit;
    uint64_t seq, committed_seq, limit_seq, snapshot_seq;
    uint64_t sent_events, acked_events;
    struct {
        uint64_t sent_ns, events; /* of batch seq, at seq % PRESS_BATCHES_OPEN_MAX */
    } open[PRESS_BATCHES_OPEN_MAX];
    uint64_t ack_most_ns; /* from batch to ACK */
};

/* Dials; exits on what cannot be done. `zmq` is the caller's context. */
void press_open(struct press *p, void *zmq, const char *host, uint16_t port);
void press_close(struct press *p);
/* One message from CTRL or DATA into what it means. False: there is none. */
bool press_hear(struct press *p, void *socket, struct control_message *m);
void press_obey(struct press *p, const struct control_message *m);
/* False: the other side is slow, or gone. */
bool press_say(struct press *p, struct control_message *m);
bool press_hello(struct press *p, uint64_t epoch);
/* HELLO, beats, DATA_HELLO, progress, the end: whatever is due. */
void press_tick(struct press *p);
/* The next batch, of that many events. False: no credit for it. */
bool press_batch(struct press *p, size_t events);
