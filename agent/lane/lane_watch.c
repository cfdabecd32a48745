/* SPDX-License-Identifier: MIT */
#include "agent/lane/lane_watch.h"

#include "common/attrs.h"

/* Shorter spans say nothing of a second. */
#define SPAN_LEAST_NS (NS_PER_S / 2)

static uint64_t rise(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void lane_watch_begin(struct lane_watch *w, const struct lane_usage *usage, uint64_t now_ns)
{
    *w = (struct lane_watch){.first = *usage, .span_usage = *usage, .span_began_ns = now_ns};
}

/* In turns there is waiting for a CPU, too; and there is spinning that is in no turn. */
static uint64_t span_work_ns(const struct lane_watch *w, const struct lane_usage *usage,
                             uint64_t busy_ns)
{
    return smaller(rise(usage->cpu_ns, w->span_usage.cpu_ns), busy_ns - w->span_busy_ns);
}

static void end_span(struct lane_watch *w, const struct lane_usage *usage, uint64_t now_ns,
                     uint64_t busy_ns)
{
    uint64_t span_ns = now_ns - w->span_began_ns;
    uint64_t work_ns = span_work_ns(w, usage, busy_ns);
    uint64_t waited_ns = rise(usage->waited_ns, w->span_usage.waited_ns);
    w->work_ns += work_ns;
    w->work_peak = larger(w->work_peak, smaller(work_ns * 1000 / span_ns, 1000));
    w->waited_peak = larger(w->waited_peak, smaller(waited_ns * 1000 / span_ns, 1000));
    w->span_usage = *usage;
    w->span_began_ns = now_ns;
    w->span_busy_ns = busy_ns;
}

void lane_watch_look(struct lane_watch *w, const struct lane_usage *usage, uint64_t now_ns,
                     uint64_t counter[COUNTER_COUNT])
{
    uint64_t busy_ns = w->busy_ns + (w->turn_began_ns != 0 ? now_ns - w->turn_began_ns : 0);
    if (now_ns - w->span_began_ns >= SPAN_LEAST_NS) {
        end_span(w, usage, now_ns, busy_ns);
    }
    counter[COUNTER_lanes] = 1;
    counter[COUNTER_lane_turns] = w->turns;
    counter[COUNTER_lane_cpu_ns] = rise(usage->cpu_ns, w->first.cpu_ns);
    counter[COUNTER_lane_work_ns] = w->work_ns + span_work_ns(w, usage, busy_ns);
    counter[COUNTER_lane_switches] = rise(usage->switches, w->first.switches);
    counter[COUNTER_lane_waited_known] = w->first.is_waited_known && usage->is_waited_known;
    counter[COUNTER_lane_waited_ns] =
        counter[COUNTER_lane_waited_known] ? rise(usage->waited_ns, w->first.waited_ns) : 0;
    counter[COUNTER_lane_work_peak] = w->work_peak;
    counter[COUNTER_lane_waited_peak] = counter[COUNTER_lane_waited_known] ? w->waited_peak : 0;
    counter[COUNTER_lane_absence_longest_ns] = w->absence_longest_ns;
}
