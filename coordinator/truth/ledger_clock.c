/* SPDX-License-Identifier: MIT */
/* Run time of the ledger's events: the table `clock`, read once. */
#include <errno.h>
#include <stdlib.h>

#include "coordinator/truth/ledger_db.h"
#include "coordinator/truth/ledger_journal.h"

/* An agent's clock samples, by its own time. */
struct clock_samples {
    struct {
        uint64_t agent_us;
        int64_t offset_us;
    } * sample;
    size_t count;
    uint64_t uncertainty_us;
};

struct ledger_clocks {
    struct clock_samples agent[LEDGER_AGENTS_MAX];
};

static bool add_sample(struct clock_samples *clock, uint64_t agent_us, int64_t offset_us)
{
    /* Grown at powers of two. */
    if ((clock->count & (clock->count - 1)) == 0) {
        size_t capacity = clock->count == 0 ? 1 : 2 * clock->count;
        void *grown = realloc(clock->sample, capacity * sizeof(*clock->sample));
        if (grown == NULL) {
            return false;
        }
        clock->sample = grown;
    }
    clock->sample[clock->count].agent_us = agent_us;
    clock->sample[clock->count].offset_us = offset_us;
    clock->count++;
    return true;
}

/* Of any clock, and small enough that sums of a few stay numbers: 36,000 years. */
static bool is_a_time(sqlite3_int64 us)
{
    enum { BITS = 60 };
    return us < INT64_C(1) << BITS && us > -(INT64_C(1) << BITS);
}

static int load_row(sqlite3_stmt *s, struct ledger_clocks *clocks)
{
    sqlite3_int64 agent = sqlite3_column_int64(s, 0), agent_us = sqlite3_column_int64(s, 1);
    sqlite3_int64 offset_us = sqlite3_column_int64(s, 2), wrong_us = sqlite3_column_int64(s, 3);
    if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
        return 0;
    }
    if (agent_us < 0 || !is_a_time(agent_us) || !is_a_time(offset_us)) {
        return -EBADMSG;
    }
    struct clock_samples *clock = &clocks->agent[agent];
    if (wrong_us > 0 && is_a_time(wrong_us) && (uint64_t)wrong_us > clock->uncertainty_us) {
        clock->uncertainty_us = (uint64_t)wrong_us;
    }
    return add_sample(clock, (uint64_t)agent_us, offset_us) ? 0 : -ENOMEM;
}

int ledger_clocks_load(struct ledger *ledger, struct ledger_clocks **out)
{
    sqlite3_stmt *s = NULL;
    int error = ledger_prepare(ledger,
                               "SELECT agent, agent_us, offset_us, uncertainty_us FROM clock"
                               " ORDER BY agent, agent_us",
                               &s);
    struct ledger_clocks *clocks = error == 0 ? calloc(1, sizeof(*clocks)) : NULL;
    if (error == 0 && clocks == NULL) {
        error = -ENOMEM;
    }
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        error = load_row(s, clocks);
    }
    int code = sqlite3_finalize(s);
    if (error == 0 && code != SQLITE_OK) {
        error = ledger_fail(ledger, "reading its clocks");
    }
    if (error < 0) {
        ledger_clocks_free(clocks);
        return error;
    }
    *out = clocks;
    return 0;
}

void ledger_clocks_free(struct ledger_clocks *clocks)
{
    for (size_t i = 0; clocks != NULL && i < LEDGER_AGENTS_MAX; i++) {
        free(clocks->agent[i].sample);
    }
    free(clocks);
}

int64_t ledger_clocks_run_us(const struct ledger_clocks *clocks, uint32_t agent, uint64_t t_us)
{
    const struct clock_samples *clock = &clocks->agent[agent];
    if (clock->count == 0) {
        return (int64_t)t_us;
    }
    size_t low = 0, high = clock->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (clock->sample[middle].agent_us <= t_us) {
            low = middle;
        } else {
            high = middle;
        }
    }
    int64_t offset_us = clock->sample[low].offset_us;
    if (low + 1 < clock->count && t_us > clock->sample[low].agent_us) {
        double share = (double)(t_us - clock->sample[low].agent_us) /
                       (double)(clock->sample[low + 1].agent_us - clock->sample[low].agent_us);
        offset_us += (int64_t)(share * (double)(clock->sample[low + 1].offset_us - offset_us));
    }
    return (int64_t)(t_us + (uint64_t)offset_us);
}

uint64_t ledger_clocks_uncertainty_us(const struct ledger_clocks *clocks, uint32_t agent)
{
    return clocks->agent[agent].uncertainty_us;
}

bool ledger_last_clock(struct ledger *ledger, uint32_t agent, int64_t *out_offset_us)
{
    sqlite3_stmt *s = NULL;
    if (ledger_prepare(ledger,
                       "SELECT offset_us FROM clock WHERE agent = ?1 ORDER BY agent_us DESC"
                       " LIMIT 1",
                       &s) < 0) {
        return false;
    }
    (void)sqlite3_bind_int64(s, 1, agent);
    bool is_known = sqlite3_step(s) == SQLITE_ROW && is_a_time(sqlite3_column_int64(s, 0));
    if (is_known) {
        *out_offset_us = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return is_known;
}
