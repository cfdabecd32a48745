/* SPDX-License-Identifier: MIT */
#include "tests/support/paced_server.h"

#include <assert.h>
#include <stdlib.h>

bool paced_server_init(struct paced_server *m, const struct paced_options *o)
{
    assert(o->queue > 0 && o->jitter >= 0 && o->jitter <= 1);
    *m = (struct paced_server){.options = *o, .prng = prng_seeded(o->seed)};
    m->done_at_ns = calloc(o->queue, sizeof(*m->done_at_ns));
    return m->done_at_ns != NULL;
}

void paced_server_fini(struct paced_server *m)
{
    free(m->done_at_ns);
    *m = (struct paced_server){0};
}

static void forget_done(struct paced_server *m, uint64_t now_ns)
{
    while (m->waiting > 0 && m->done_at_ns[m->first] <= now_ns) {
        m->first = (m->first + 1) % m->options.queue;
        m->waiting--;
    }
}

static double service_ns(struct paced_server *m, double cost)
{
    if (m->options.per_s <= 0) {
        return 0;
    }
    double mean_ns = cost * 1e9 / m->options.per_s;
    /* What one is slower the next is faster: jitter takes nothing from the capacity. */
    double spread = m->has_debt ? -m->debt : 2 * prng_unit(prng_next(&m->prng)) - 1;
    m->debt = spread;
    m->has_debt = !m->has_debt;
    return mean_ns * (1 + spread * m->options.jitter);
}

static uint64_t leave_ns(const struct paced_server *m, uint64_t done_ns)
{
    uint64_t every_ns = m->options.commit_ns;
    return every_ns == 0 ? done_ns : (done_ns + every_ns - 1) / every_ns * every_ns;
}

enum paced_fate paced_server_take(struct paced_server *m, uint64_t at_ns, double cost,
                                  uint64_t *out_leave_at_ns)
{
    enum paced_fate fate = PACED_ANSWERED;
    forget_done(m, at_ns);
    if (m->options.loses_in_a_stall && at_ns >= m->stalled_from_ns && at_ns < m->stalled_to_ns) {
        fate = PACED_LOST_IN_STALL;
    } else if (m->waiting == m->options.queue) {
        fate = PACED_QUEUE_FULL;
    }
    m->fates[fate]++;
    if (fate != PACED_ANSWERED) {
        return fate;
    }
    double begin_ns = m->free_at_ns > (double)at_ns ? m->free_at_ns : (double)at_ns;
    m->free_at_ns = begin_ns + service_ns(m, cost);
    m->work += cost;
    uint64_t done_ns = (uint64_t)m->free_at_ns;
    if (done_ns > at_ns) {
        m->done_at_ns[(m->first + m->waiting) % m->options.queue] = done_ns;
        m->waiting++;
    }
    *out_leave_at_ns = leave_ns(m, done_ns);
    return fate;
}

void paced_server_stall(struct paced_server *m, uint64_t now_ns, uint64_t for_ns)
{
    forget_done(m, now_ns);
    for (size_t i = 0; i < m->waiting; i++) {
        m->done_at_ns[(m->first + i) % m->options.queue] += for_ns;
    }
    double begin_ns = m->free_at_ns > (double)now_ns ? m->free_at_ns : (double)now_ns;
    m->free_at_ns = begin_ns + (double)for_ns;
    m->stalled_from_ns = now_ns;
    m->stalled_to_ns = now_ns + for_ns;
}
