/* SPDX-License-Identifier: MIT */
/*
 * Has a hold become steady? DESIGN section 7a.1: renewals/s within 5 % of N/T1,
 * and p50(renew) without a trend, over one T1.
 *
 * Both are asked of whole spans of T1, never of single seconds. Clients that were
 * acquired in a burst renew in bursts for ever (the fuzz evens them out only over
 * dozens of T1), so renewals/s of a second say nothing, while each client renews
 * exactly once per T1 whatever its phase: their number in one T1 is N when nobody
 * is lost, starting, or renewing too often. For the same reason p50 is compared
 * with the T1 before, third by third: the same thirds hold the same clients in the
 * same phase of the same burst, so a sawtooth cancels out where a slope over the
 * span would take its flank for a trend. A third has a trend when the medians
 * differ by more than 10 % (and 1 ms, what a busy host of an agent can add) *and*
 * their 95 % order-statistic intervals do not meet: a rank test, indifferent to
 * the tails and to the distribution, that noise passes and a ramp of 10 % per T1
 * does not. An unanswered renewal counts as infinitely long.
 *
 * The last T1 must lie in the stage; the one before may have begun earlier. After a
 * fill the first renewals come one T1 later: steady at 2 T1, of 3 that it may take.
 *
 * Run time in microseconds; slots of a 48th of the lease. Pure; 2 MB, taken by
 * steady_init(). A zeroed one records nothing and is never steady; steady_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"

enum { STEADY_SLOTS = 128, STEADY_SLOTS_PER_LEASE = 48, STEADY_WHY_BYTES = 240 };
/* Results are that late at most when a slot is looked at. */
enum { STEADY_SETTLE_US = 2000000 };

struct steady_slot {
    int64_t index; /* begin / slot_us; -1: unused */
    uint64_t begun, unanswered;
    struct histogram answered; /* from the intended instant, ns */
};

struct steady {
    int64_t slot_us;
    struct steady_slot *slots; /* ring; NULL: records nothing */
};

/* `lease_us`: the leases' usual length. False when out of memory. */
NODISCARD bool steady_init(struct steady *s, int64_t lease_us);
void steady_fini(struct steady *s);

/* A renewal has ended that was begun at `begun_us`. `wait_us` UINT64_MAX: without an answer. */
void steady_renewal(struct steady *s, int64_t begun_us, uint64_t wait_us);

struct steady_question {
    int64_t run_us;   /* now */
    int64_t since_us; /* begin of the stage */
    int64_t t1_us;
    uint64_t bound; /* N: clients that hold a lease */
};

/* `why`: one sentence, what is not steady yet or what is; always written. */
bool steady_reached(const struct steady *s, const struct steady_question *q,
                    char why[STEADY_WHY_BYTES]);
