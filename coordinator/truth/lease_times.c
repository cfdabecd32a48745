/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/lease_times.h"

#include <assert.h>
#include <stdlib.h>

static bool is_about(uint32_t a, uint32_t b)
{
    return a > b ? a - b <= 1 : b - a <= 1;
}

enum lease_class lease_times_class(const struct lease_times *t, uint32_t lease_s)
{
    if (t->expect_lease_s == 0) {
        return LEASE_OTHER;
    }
    if (is_about(lease_s, t->expect_lease_s)) {
        return LEASE_AS_EXPECTED;
    }
    if (t->expect_mclt_s > 0 && is_about(lease_s, t->expect_mclt_s)) {
        return LEASE_AS_MCLT;
    }
    bool is_between =
        t->expect_mclt_s > 0 && lease_s > t->expect_mclt_s && lease_s < t->expect_lease_s;
    return is_between ? LEASE_BETWEEN : LEASE_OTHER;
}

bool lease_times_is_short(const struct lease_times *t, uint32_t lease_s)
{
    return lease_s < t->expect_lease_s && !is_about(lease_s, t->expect_lease_s);
}

/* Streams of several agents: an ACK may be earlier than the last one seen. */
static void count(struct lease_count *c, int64_t run_us)
{
    c->first_us = c->acks == 0 || run_us < c->first_us ? run_us : c->first_us;
    c->last_us = c->acks == 0 || run_us > c->last_us ? run_us : c->last_us;
    c->acks++;
}

static struct lease_count *row_of(struct lease_times_server *s, uint32_t lease_s, bool is_short)
{
    for (size_t i = 0; i < s->time_count; i++) {
        if (s->time[i].lease_s == lease_s) {
            return &s->time[i].count;
        }
    }
    if (s->time_count == LEASE_TIMES_MAX) {
        return is_short ? &s->short_rest : &s->rest;
    }
    s->time[s->time_count].lease_s = lease_s;
    return &s->time[s->time_count++].count;
}

/* --- waves --- */

static int64_t reach_us(const struct lease_wave *w)
{
    enum { LEAST_S = 10 };
    return (int64_t)(w->longest_s > LEAST_S ? w->longest_s : LEAST_S) * 1000000;
}

static bool are_one(const struct lease_wave *a, const struct lease_wave *b)
{
    int64_t reach = reach_us(a) > reach_us(b) ? reach_us(a) : reach_us(b);
    return a->count.first_us <= b->count.last_us + reach &&
           b->count.first_us <= a->count.last_us + reach;
}

static void join(struct lease_wave *into, const struct lease_wave *w)
{
    const struct lease_count *c = &w->count;
    into->count.acks += c->acks;
    into->count.first_us = c->first_us < into->count.first_us ? c->first_us : into->count.first_us;
    into->count.last_us = c->last_us > into->count.last_us ? c->last_us : into->count.last_us;
    into->shortest_s = w->shortest_s < into->shortest_s ? w->shortest_s : into->shortest_s;
    into->longest_s = w->longest_s > into->longest_s ? w->longest_s : into->longest_s;
}

/* The wave `at` has grown: it may have reached its neighbours. */
static void join_neighbours(struct lease_times_server *s, size_t at)
{
    for (size_t i = 0; i < s->wave_count; i++) {
        if (i != at && are_one(&s->wave[at], &s->wave[i])) {
            join(&s->wave[at], &s->wave[i]);
            s->wave[i] = s->wave[--s->wave_count];
            at = at == s->wave_count ? i : at;
            i = SIZE_MAX; /* from the beginning: it has grown again */
        }
    }
}

static void add_to_wave(struct lease_times_server *s, uint32_t lease_s, int64_t run_us)
{
    const struct lease_wave one = {
        .count = {1, run_us, run_us}, .shortest_s = lease_s, .longest_s = lease_s};
    size_t at = 0;
    while (at < s->wave_count && !are_one(&s->wave[at], &one)) {
        at++;
    }
    if (at == LEASE_WAVES_MAX) {
        at--; /* so many come and go: the last row takes what is left */
    }
    if (at == s->wave_count) {
        s->wave[s->wave_count++] = one;
        return;
    }
    join(&s->wave[at], &one);
    join_neighbours(s, at);
}

void lease_times_ack(struct lease_times *t, size_t server, uint32_t lease_s, int64_t run_us,
                     bool is_first)
{
    assert(server < LIVE_SERVERS);
    struct lease_times_server *s = &t->server[server];
    count(row_of(s, lease_s, lease_times_is_short(t, lease_s)), run_us);
    count(&s->of[lease_times_class(t, lease_s)], run_us);
    if (lease_times_is_short(t, lease_s) && is_first) {
        count(&s->short_first, run_us);
    } else if (lease_times_is_short(t, lease_s)) {
        add_to_wave(s, lease_s, run_us);
    }
    if (s->spread == NULL) {
        s->spread = calloc(1, sizeof(*s->spread));
    }
    if (s->spread == NULL) {
        t->is_out_of_memory = true;
        return;
    }
    histogram_record(s->spread, (uint64_t)lease_s * 1000);
}

void lease_times_fini(struct lease_times *t)
{
    for (size_t i = 0; i < LIVE_SERVERS; i++) {
        free(t->server[i].spread);
    }
    *t = (struct lease_times){0};
}
