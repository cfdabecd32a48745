/* SPDX-License-Identifier: MIT */
/*
 * What a scenario will put on the wire and into memory, before anything is
 * sent: packets per stage, addresses, memory, time, and the compression
 * statement of DESIGN section 7a.6: what the load equals at the production
 * lease time, and which server timers do not shrink with the lease.
 *
 * Estimates, on the safe side: packets are first transmissions, without
 * retries; the closed model has no rate of its own, so its figures are upper
 * bounds from limits.packets and its times lower bounds.
 *
 * Pure. Nothing to free. The scenario is one that scenario_parse() accepted;
 * the functions that say "any" are also used while it is being checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"

enum {
    /*
     * Memory of an agent: a client with its timer (one cache line) and its place among those a
     * load is put to; and what every agent needs: libraries, buffers, histograms, the part of the
     * result ring that is not acknowledged as a rule.
     */
    FORECAST_CLIENT_BYTES = 64 + 9,
    FORECAST_AGENT_BYTES = 32 * 1024 * 1024,
    FORECAST_WARNINGS_MAX = 16,
    FORECAST_WARNING_BYTES = 320
};

struct forecast_stage {
    uint64_t exchanges;        /* 0: unknown, because the lease time is */
    double exchanges_per_s;    /* 0: unknown */
    double packets_sent_per_s; /* 0: unknown */
    bool is_upper_bound;       /* closed model: the servers decide */
    uint64_t packets_sent;     /* first transmissions */
    uint64_t at_least_ns;      /* shortest possible duration */
};

struct forecast {
    struct forecast_stage stage[PLAN_STAGES_MAX];
    size_t stage_count;
    uint64_t clients, addresses; /* addresses: of the subnets, not counting an address twice */
    uint64_t packets_sent;       /* all stages and the cleanup */
    uint64_t at_least_ns;        /* stages only */
    uint64_t memory_bytes;       /* of one agent that carries all clients */
    char warning[FORECAST_WARNINGS_MAX][FORECAST_WARNING_BYTES];
    size_t warning_count;
};

void forecast_make(const struct scenario *s, struct forecast *out);

/* Packets the fleet sends per exchange of this kind: relayed ones go to every server. Any. */
double forecast_packets_per_exchange(const struct scenario *s, enum plan_stage_kind kind);
/* Shortest possible duration of the stage. Any. */
uint64_t forecast_stage_minimum_ns(const struct scenario *s, const struct scenario_stage *stage);
/* Timeout of a stage that gives none. `s` has its relays; any. */
uint64_t forecast_default_timeout_ns(const struct scenario *s, const struct scenario_stage *stage);

/* Memory of an agent with so many clients. */
uint64_t forecast_memory_bytes(uint64_t clients);

/*
 * The compression statement: sentences of at most 100 columns, each on a line
 * of its own. Always ends in NUL; cut when `size` is too small.
 */
void forecast_compression(const struct scenario *s, char *out, size_t size);

/* From T2 to expiry with the default T2 of 0.875: what is left for a rebind. 0: lease unknown. */
uint64_t forecast_rebind_window_ns(const struct scenario *s);
