/* SPDX-License-Identifier: MIT */
/*
 * Tries and answers of one server on the time axis, in slots of 200 ms and in seconds.
 * A slot stays open for some thirteen minutes, so that what ends late still finds where
 * it began and agents may report in any order; then it is folded into sums. What comes
 * later than that is counted as late and left out.
 *
 * Run time in microseconds. Pure; fixed memory (94 KB). A zeroed one is valid and empty.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/truth/evidence_wire.h"

enum {
    EVIDENCE_SLOT_US = 200000,
    EVIDENCE_SLOTS_PER_S = 1000000 / EVIDENCE_SLOT_US,
    EVIDENCE_SLOTS = 800 * EVIDENCE_SLOTS_PER_S,
    EVIDENCE_BURST_TRIES = 50
};

enum evidence_count {
    EVIDENCE_TRIES,   /* first tries sent */
    EVIDENCE_LOST,    /* of these: not answered before the next one, or never */
    EVIDENCE_MENDED,  /* of these: answered at the first retry */
    EVIDENCE_ACKS,    /* ACKs that came */
    EVIDENCE_WAITED,  /* of these: behind another one */
    EVIDENCE_RETRIED, /* of these: to a message sent more than once: nobody knows */
    EVIDENCE_COUNTS
};

struct evidence_moments {
    uint64_t count, sum, squares, most;
};

struct evidence_slot_sums {
    uint64_t burst_slots, burst[3], calm[3]; /* by enum evidence_count, up to MENDED */
    uint64_t worst_second_lost;
    struct evidence_moments busy, losing; /* ACKs per second, see struct wire_server */
};

struct evidence_slots {
    bool is_begun;
    int64_t oldest; /* number of the first open slot, a multiple of EVIDENCE_SLOTS_PER_S */
    uint32_t slot[EVIDENCE_SLOTS][EVIDENCE_COUNTS]; /* ring, by number */
    struct evidence_slot_sums folded;
    uint64_t late;
};

void evidence_slots_add(struct evidence_slots *s, int64_t run_us, enum evidence_count what);
/* Sums over all slots, open ones too. */
void evidence_slots_sums(const struct evidence_slots *s, struct evidence_slot_sums *out);
void evidence_slots_figures(const struct evidence_slots *s, struct wire_server *out);
