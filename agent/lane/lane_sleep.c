/* SPDX-License-Identifier: MIT */
#include "agent/lane/lane_sleep.h"

#include "agent/lane/lane_internal.h"

/* The host may have been up for less than it slept: then it began when the clock did. */
static uint64_t earlier(uint64_t at_ns, uint64_t span_ns)
{
    return at_ns > span_ns ? at_ns - span_ns : 0;
}

void lane_slept(struct lane *lane, uint64_t span_ns)
{
    for (uint32_t local = 0; local < lane->population.count; local++) {
        struct client *c = lane_client(lane, local);
        if (c->intended_ns == 0) {
            continue; /* it has not begun anything */
        }
        c->intended_ns = earlier(c->intended_ns, span_ns);
        c->lease_ns = earlier(c->lease_ns, span_ns);
        if (timer_wheel_is_set(lane->wheel, local)) {
            lane_arm_timer(lane, local);
        }
    }
}
