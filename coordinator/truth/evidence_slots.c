/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/evidence_slots.h"

#include <math.h>
#include <string.h>

enum { SECOND_ACKS_MIN = 3 };

/* Floor, also before the start instant. */
static int64_t slot_of(int64_t run_us)
{
    int64_t slot = run_us / EVIDENCE_SLOT_US;
    return run_us % EVIDENCE_SLOT_US < 0 ? slot - 1 : slot;
}

static size_t place_of(int64_t slot)
{
    int64_t rest = slot % EVIDENCE_SLOTS;
    return (size_t)(rest < 0 ? rest + EVIDENCE_SLOTS : rest);
}

static void note_moment(struct evidence_moments *m, uint64_t value)
{
    m->count++;
    m->sum += value;
    m->squares += value * value;
    m->most = value > m->most ? value : m->most;
}

/* One second's slots go into the sums. */
static void fold_second(const uint32_t slots[EVIDENCE_SLOTS_PER_S][EVIDENCE_COUNTS],
                        struct evidence_slot_sums *sums)
{
    uint64_t lost = 0, acks = 0, waited = 0, retried = 0;
    for (unsigned i = 0; i < EVIDENCE_SLOTS_PER_S; i++) {
        bool is_burst = slots[i][EVIDENCE_TRIES] >= EVIDENCE_BURST_TRIES;
        uint64_t *to = is_burst ? sums->burst : sums->calm;
        sums->burst_slots += is_burst;
        for (unsigned c = EVIDENCE_TRIES; c <= EVIDENCE_MENDED; c++) {
            to[c] += slots[i][c];
        }
        lost += slots[i][EVIDENCE_LOST];
        acks += slots[i][EVIDENCE_ACKS];
        waited += slots[i][EVIDENCE_WAITED];
        retried += slots[i][EVIDENCE_RETRIED];
    }
    sums->worst_second_lost = lost > sums->worst_second_lost ? lost : sums->worst_second_lost;
    if (acks >= SECOND_ACKS_MIN && 2 * waited >= acks && 10 * (waited + retried) >= 9 * acks) {
        note_moment(&sums->busy, acks);
    }
    if (lost > 0) {
        note_moment(&sums->losing, acks);
    }
}

static void fold_until(struct evidence_slots *s, int64_t oldest)
{
    int64_t until = oldest - s->oldest < EVIDENCE_SLOTS ? oldest : s->oldest + EVIDENCE_SLOTS;
    for (int64_t at = s->oldest; at < until; at += EVIDENCE_SLOTS_PER_S) {
        uint32_t(*second)[EVIDENCE_COUNTS] = &s->slot[place_of(at)];
        fold_second((const uint32_t(*)[EVIDENCE_COUNTS])second, &s->folded);
        memset(second, 0, EVIDENCE_SLOTS_PER_S * sizeof(*second));
    }
    s->oldest = oldest;
}

void evidence_slots_add(struct evidence_slots *s, int64_t run_us, enum evidence_count what)
{
    int64_t slot = slot_of(run_us);
    int64_t second = slot - (int64_t)(place_of(slot) % EVIDENCE_SLOTS_PER_S);
    if (!s->is_begun) {
        s->is_begun = true;
        s->oldest = second - EVIDENCE_SLOTS / 2; /* somebody else may have begun before */
    }
    if (slot < s->oldest) {
        s->late++;
        return;
    }
    if (slot >= s->oldest + EVIDENCE_SLOTS) {
        fold_until(s, second + EVIDENCE_SLOTS_PER_S - EVIDENCE_SLOTS);
    }
    s->slot[place_of(slot)][what]++;
}

void evidence_slots_sums(const struct evidence_slots *s, struct evidence_slot_sums *out)
{
    *out = s->folded;
    for (size_t at = 0; s->is_begun && at < EVIDENCE_SLOTS; at += EVIDENCE_SLOTS_PER_S) {
        fold_second(&s->slot[at], out);
    }
}

static struct wire_seconds seconds_of(const struct evidence_moments *m)
{
    struct wire_seconds out = {.seconds = m->count};
    if (m->count == 0) {
        return out;
    }
    double n = (double)m->count;
    out.mean_per_s = (double)m->sum / n;
    double variance = (double)m->squares / n - out.mean_per_s * out.mean_per_s;
    out.deviation_per_s = variance > 0 ? sqrt(variance) : 0;
    out.most_per_s = (double)m->most;
    return out;
}

void evidence_slots_figures(const struct evidence_slots *s, struct wire_server *out)
{
    struct evidence_slot_sums sums;
    evidence_slots_sums(s, &sums);
    out->burst_slots = sums.burst_slots;
    out->burst_tries = sums.burst[EVIDENCE_TRIES];
    out->burst_lost = sums.burst[EVIDENCE_LOST];
    out->burst_mended = sums.burst[EVIDENCE_MENDED];
    out->calm_tries = sums.calm[EVIDENCE_TRIES];
    out->calm_lost = sums.calm[EVIDENCE_LOST];
    out->calm_mended = sums.calm[EVIDENCE_MENDED];
    out->worst_second_lost = sums.worst_second_lost;
    out->all_lost = out->burst_lost + out->calm_lost;
    out->busy = seconds_of(&sums.busy);
    out->losing = seconds_of(&sums.losing);
}
