/* SPDX-License-Identifier: MIT */
/* Part of struct truth (truth_state.h): what went wrong, as far as events tell. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coordinator/truth/ramp.h"

enum { TRUTH_LEASE_TIMES = 6 };

/* What only the events can tell about what went wrong. */
struct truth_evidence {
    uint64_t acquire_acks, acquire_naks, held_naks;
    uint64_t gave_up_with_offer;
    /*
     * Gave up, or were cut off, after at least two unanswered retransmissions of
     * DISCOVER; of these, overtaken: somebody who began later got a lease.
     */
    uint64_t starved, starved_overtaken;
    int64_t first_starved_begin_us; /* of those not overtaken */
    int64_t last_acquired_begin_us; /* begin of the latest-begun exchange that got a lease */
    int64_t last_answer_us;
    uint64_t renew_gave_up, rebind_gave_up;
    struct ramp ramp; /* of the first acquire stage */
    /* ACKs with a lease time that was not expected, by that time. */
    uint64_t off_lease;
    struct {
        uint32_t lease_s;
        uint64_t acks;
    } off_times[TRUTH_LEASE_TIMES];
    uint64_t wrong_port_acks;
    uint64_t shortfall_agents; /* agents that stayed behind their open-model schedule */
    uint64_t strange_events;   /* of clients or stages the plan does not have */
    double worst_shortfall_percent;
    size_t worst_shortfall_agent; /* without meaning while shortfall_agents is 0 */
};
