/* SPDX-License-Identifier: MIT */
/*
 * Time in which a client that wanted an address had no valid lease. It begins
 * at expiry, at a NAK of a held lease, or when the acquire deadline passed, and
 * ends at the client's next ACK or when the last stage ends: what happens
 * while the run drains is nobody's outage.
 *
 * One table entry (16 bytes) per client without a lease it wants. Run time in
 * microseconds. Pure; allocates when tables grow; sticky `is_out_of_memory`. A
 * zeroed one is valid; outage_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "coordinator/truth/sparse_bitmap.h"
#include "coordinator/truth/table.h"

struct outage_span {
    uint32_t client;
    int64_t begin_us, end_us;
};

struct outage {
    struct table open; /* key: client + 1; word: begin */
    struct sparse_bitmap clients, at_risk;
    struct histogram spans; /* nanoseconds */
    uint64_t total_us, longest_us;
    uint64_t first_answer_us; /* 0: none yet */
    bool is_stage_running;
    int64_t last_stage_end_us;
    /* Ended after the last stage's end: part of the drain, unless another stage begins. */
    struct outage_span *late;
    size_t late_count, late_capacity;
    bool is_out_of_memory;
};

struct outage_figures {
    uint64_t clients, at_risk;
    uint64_t total_us, longest_us;
    uint64_t first_answer_us; /* 0: no renewal had to wait for another server */
    const struct histogram *spans;
};

void outage_begin(struct outage *o, uint32_t client, int64_t run_us);
void outage_end(struct outage *o, uint32_t client, int64_t run_us);
/* The client is past T2. */
void outage_at_risk(struct outage *o, uint32_t client);
/* First unanswered RENEW to the next ACK of the same client. */
void outage_first_answer(struct outage *o, uint64_t span_us);
void outage_stage_begin(struct outage *o);
void outage_stage_end(struct outage *o, int64_t run_us);

/* The run is over: closes what is open at the end of the last stage. Call once. */
struct outage_figures outage_finish(struct outage *o, int64_t run_us);
void outage_fini(struct outage *o);
