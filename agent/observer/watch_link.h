/* SPDX-License-Identifier: MIT */
/*
 * The observer's connection to a coordinator: OBSERVER_HELLO until WELCOME, answers to clock
 * requests, an OBSERVATION whenever the caller has one, until BYE; then it waits for the next run.
 * It never has a part in what a run does, so whatever comes besides is passed over. Edge. One
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "common/link.h"
#include "proto/control.h"

enum watch_state {
    WATCH_CLOSED,  /* no socket until open_at_ns */
    WATCH_CALLING, /* OBSERVER_HELLO every second */
    WATCH_ON       /* a run is on, which wants observations */
};

struct watch_setup {
    struct link_context *context;
    const char *host;
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    const struct key_pair *own;
};

struct watch_link {
    const struct watch_setup *setup;
    enum watch_state state;
    bool is_refused; /* for good: the process ends */
    /* A run that was watched has ended, or its coordinator is gone for good; the caller clears it.
     */
    bool is_over;
    char program[PLAN_NAME_BYTES]; /* in OBSERVER_HELLO */
    struct link_socket *ctrl;      /* NULL in WATCH_CLOSED */
    struct control_arena *arena;
    uint8_t *out; /* encode buffer */
    uint64_t epoch, now_ns;
    uint64_t session;  /* of WELCOME */
    bool is_connected; /* the handshake succeeded */
    unsigned broken;   /* handshakes without an answer, in a row */
    uint64_t lost_ns;  /* since when a watched run has had no coordinator; 0: it has */
    uint64_t open_at_ns, hello_at_ns, heard_ns, backoff_ns, attempts;
    int said; /* row of what was said last; -1: nothing */
    uint64_t said_ns, complained_ns;
    /* What the coordinator was told last: only what is new travels. */
    char told[NOTE_KIND_COUNT][NOTE_BYTES + 1];
};

/* False: no memory. `setup` must outlive it. */
NODISCARD bool watch_link_init(struct watch_link *w, const struct watch_setup *setup,
                               uint64_t now_ns);
void watch_link_fini(struct watch_link *w);
/* Takes what came and does what is due. */
void watch_link_turn(struct watch_link *w, uint64_t now_ns);
/* When there is something to do next, if nothing comes before. */
uint64_t watch_link_next_ns(const struct watch_link *w);
/*
 * In WATCH_ON; one that cannot leave now is dropped: the next one says what it said. Notes that
 * were told are taken out of `o`.
 */
void watch_link_tell(struct watch_link *w, struct observation *o);
