/* SPDX-License-Identifier: MIT */
#include "agent/lane/wake.h"

#include "common/attrs.h"

/* At so many starts per span it is worth while to wait for them. */
static const double batch_least = 2, merge_least = 1;

static bool rests(const struct wake_facts *f, uint64_t span_ns)
{
    double least = f->may_spin ? batch_least : merge_least;
    return !f->is_behind && f->begins_per_s * (double)span_ns / (double)NS_PER_S >= least;
}

struct wake wake_after(const struct wake_facts *f)
{
    uint64_t span_ns = f->may_spin ? WAKE_BATCH_NS : WAKE_MERGE_NS;
    struct wake w = {.sleep_until_ns = f->due_ns};
    if (rests(f, span_ns)) {
        w.rest_until_ns = f->turned_at_ns + span_ns;
    }
    if (f->may_spin) {
        w.sleep_until_ns = f->due_ns > WAKE_SPIN_NS ? f->due_ns - WAKE_SPIN_NS : 0;
        w.spin_until_ns = f->due_ns;
    }
    return w;
}
