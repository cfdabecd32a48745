/* SPDX-License-Identifier: MIT */
/*
 * What a lane has besides its stage: clients that play preflight, clients that come back. Only
 * lane_state.h includes it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/pacer.h"
#include "proto/control.h"

/* One preflight client: three per relay, each with a tiny program of its own. */
enum probe_phase { PROBE_DISCOVER, PROBE_REQUEST, PROBE_RENEW, PROBE_RELEASE, PROBE_OVER };

struct probe {
    uint32_t local;
    uint32_t report; /* index into reports */
    enum probe_phase phase;
    uint32_t path_index; /* of the command's paths, in PROBE_RENEW */
    uint32_t tries;
    uint64_t due_ns;
    bool is_waiting;
};

/* The DISCOVER of a relay that carries none of the run's marks. */
struct stranger {
    bool is_open; /* another try, or an answer, is awaited */
    uint32_t xid, tries;
    uint64_t due_ns;
};

struct preflight {
    struct control_preflight command;
    struct probe
        *probes; /* LANE_PREFLIGHT_CLIENTS per share; those there is no client for are over */
    size_t probe_count; /* of the clients there are; 0: not begun */
    size_t over_count;
    struct control_preflight_relay *reports; /* per share */
    struct stranger *strangers;              /* per share */
    size_t share_count;                      /* those dealt with PREPARE */
    bool is_running;
};

/* Clients taken over from a lost agent that wait for their turn to ask for their lease. */
struct comeback {
    uint32_t *local; /* what ends first comes first */
    uint32_t count, cursor;
    struct pacer pacer;
};
