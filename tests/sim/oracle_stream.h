/* SPDX-License-Identifier: MIT */
/* Result streams as they went over the wire: what the ledger must hold in the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/control.h"
#include "tests/sim/world.h"

struct oracle_batch {
    struct event *events;
    size_t count;
};

/* Of one run, one agent, one life of it. */
struct oracle_stream {
    const struct world_agent *agent;
    uint64_t epoch;
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    struct oracle_batch *batches; /* [seq - 1] */
    uint64_t known, room;         /* batches 1..known were sent */
    uint64_t acked;               /* by the coordinator, whether it arrived or not */
    bool has_final;
    struct snapshot final;
};

size_t oracle_stream_count(void);
const struct oracle_stream *oracle_stream(size_t index);
bool oracle_same_events(const struct event *a, const struct event *b, size_t count);
/* Of the run that the coordinator's latest WELCOME named. */
const uint8_t *oracle_run_id(void);
