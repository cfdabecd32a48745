/* SPDX-License-Identifier: MIT */
/*
 * An agent counts the time it could not send, or only kept its leases; the counter grows while
 * it lasts and stands still afterwards. One mark per pause, where it began: to a second, which
 * is how often agents tell.
 */
#include <stdio.h>

#include "coordinator/truth/truth_state.h"

#define SHORTEST_NS (100 * NS_PER_MS) /* what is shorter nobody would see */

static void close_one(struct truth *t, size_t agent, struct truth_absence *a, const char *what)
{
    char text[PLAN_NAME_BYTES + 64];
    if (a->lasted_ns >= SHORTEST_NS) {
        (void)snprintf(text, sizeof(text), "%s %s %.1f s", what, t->agents[agent].name,
                       (double)a->lasted_ns / 1e9);
        truth_mark_as(t, a->begin_us, MARK_AGENT, text);
    }
    a->lasted_ns = 0;
}

static void watch(struct truth *t, size_t agent, struct truth_absence *a, uint64_t counted_ns,
                  int64_t run_us, const char *what)
{
    uint64_t more_ns = counted_ns > a->counted_ns ? counted_ns - a->counted_ns : 0;
    if (more_ns == 0 && a->lasted_ns > 0) {
        close_one(t, agent, a, what);
    } else if (more_ns > 0) {
        if (a->lasted_ns == 0) {
            a->begin_us = run_us - (int64_t)(more_ns / NS_PER_US);
        }
        a->lasted_ns += more_ns;
    }
    a->counted_ns = counted_ns;
}

void truth_pauses_snapshot(struct truth *t, size_t agent, const struct snapshot *s, int64_t run_us)
{
    struct truth_agent_state *a = &t->agents[agent];
    watch(t, agent, &a->pause, s->counter[COUNTER_paused_ns], run_us, "pause");
    watch(t, agent, &a->alone, s->counter[COUNTER_alone_ns], run_us, "renewals only");
}

void truth_pauses_finish(struct truth *t)
{
    for (size_t i = 0; i < t->agent_count; i++) {
        close_one(t, i, &t->agents[i].pause, "pause");
        close_one(t, i, &t->agents[i].alone, "renewals only");
    }
}
