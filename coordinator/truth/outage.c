/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/outage.h"

#include <assert.h>
#include <stdlib.h>

/* --- an entry: two instants and a half in 96 bits --- */

enum { STAMP_BITS = 45, HALF_BITS = 5, LOW_BITS = 64 - STAMP_BITS };
#define STAMP_MASK ((UINT64_C(1) << STAMP_BITS) - 1)
#define LOW_MASK   ((UINT64_C(1) << LOW_BITS) - 1)
/* Run time 0 as a stamp: preflight lies before it. Stamp 0 means "not". */
#define ORIGIN_US INT64_C(3600000000)

static_assert(2 * STAMP_BITS + HALF_BITS <= 96 && OUTAGE_HALVES <= 1 << HALF_BITS,
              "two instants and a half share an entry's value and word");

static uint64_t stamp_of(int64_t run_us)
{
    int64_t at = run_us + ORIGIN_US;
    return at < 1 ? 1 : (uint64_t)at > STAMP_MASK ? STAMP_MASK : (uint64_t)at;
}

static int64_t run_us_of(uint64_t stamp)
{
    return (int64_t)stamp - ORIGIN_US;
}

struct trouble {
    uint64_t lost, asked; /* stamps; 0: has its lease; waits for no answer */
    uint8_t half;
    bool is_untimed; /* waits, but since when is not known: asked is its T2 */
};

static struct trouble unpack(const struct table_entry *e)
{
    return (struct trouble){
        .lost = e->word >> LOW_BITS,
        .asked = (uint64_t)(e->value >> (HALF_BITS + 1)) << LOW_BITS | (e->word & LOW_MASK),
        .half = e->value & ((1U << HALF_BITS) - 1),
        .is_untimed = (e->value >> HALF_BITS & 1) != 0,
    };
}

static void pack(struct table_entry *e, struct trouble t)
{
    e->word = t.lost << LOW_BITS | (t.asked & LOW_MASK);
    e->value = (uint32_t)(t.asked >> LOW_BITS) << (HALF_BITS + 1) |
               (uint32_t)t.is_untimed << HALF_BITS | t.half;
}

/* The client's entry, with this half when it is a new one; NULL when out of memory. */
static struct table_entry *entry_of(struct outage *o, struct outage_who who)
{
    struct table_entry *e = table_find(&o->open, who.client + 1);
    if (e == NULL) {
        e = table_put(&o->open, who.client + 1);
        if (e == NULL) {
            o->is_out_of_memory = true;
            return NULL;
        }
        pack(e, (struct trouble){.half = who.half});
    }
    return e;
}

/* --- adding up --- */

static void record_span(struct outage *o, struct histogram **h, uint64_t us)
{
    if (*h == NULL) {
        *h = calloc(1, sizeof(**h));
    }
    if (*h == NULL) {
        o->is_out_of_memory = true;
        return;
    }
    histogram_record(*h, us);
}

/* True when `client` was not in the set. */
static bool is_new(struct outage *o, struct sparse_bitmap *set, uint32_t client)
{
    uint64_t before = set->count;
    if (!sparse_bitmap_add(set, client)) {
        o->is_out_of_memory = true;
    }
    return set->count > before;
}

/* NULL: not asked for. */
static struct outage_group *relay_of(const struct outage *o, uint32_t client)
{
    return o->relays == NULL ? NULL : &o->relays[plan_relay_of(o->plan, client)];
}

static void add_span(struct outage *o, struct outage_group *group, uint64_t us)
{
    group->total_us += us;
    group->longest_us = us > group->longest_us ? us : group->longest_us;
    record_span(o, &group->spans, us);
}

static void record(struct outage *o, const struct outage_span *span)
{
    if (span->end_us <= span->begin_us) {
        return;
    }
    struct outage_half *half = &o->half[span->who.half];
    struct outage_group *relay = relay_of(o, span->who.client);
    uint64_t us = (uint64_t)(span->end_us - span->begin_us);
    add_span(o, &o->all, us);
    add_span(o, &half->group, us);
    /* A client belongs to one relay for ever: new to all is new to its relay. */
    bool is_first = is_new(o, &o->clients, span->who.client);
    o->all.clients += is_first;
    half->group.clients += is_new(o, &half->clients, span->who.client);
    if (relay != NULL) {
        add_span(o, relay, us);
        relay->clients += is_first;
    }
}

static void keep_late(struct outage *o, const struct outage_span *span)
{
    if (o->late_count == o->late_capacity) {
        size_t capacity = o->late_capacity == 0 ? 256 : 2 * o->late_capacity;
        struct outage_span *grown = realloc(o->late, capacity * sizeof(*grown));
        if (grown == NULL) {
            o->is_out_of_memory = true;
            return;
        }
        o->late = grown;
        o->late_capacity = capacity;
    }
    o->late[o->late_count++] = *span;
}

bool outage_by_relay(struct outage *o, const struct plan *plan)
{
    o->plan = plan;
    o->relays = calloc((size_t)plan->relay_count + 1, sizeof(*o->relays));
    return o->relays != NULL;
}

/* --- what happens to clients --- */

void outage_expired(struct outage *o, struct outage_who who)
{
    o->all.expired++;
    o->half[who.half].group.expired++;
    struct outage_group *relay = relay_of(o, who.client);
    if (relay != NULL) {
        relay->expired++;
    }
}

void outage_begin(struct outage *o, struct outage_who who, int64_t run_us)
{
    struct table_entry *entry = entry_of(o, who);
    if (entry == NULL) {
        return;
    }
    struct trouble t = unpack(entry);
    if (t.lost == 0) { /* else a failed client whose next try was NAKed: its outage goes on */
        t.lost = stamp_of(run_us);
        pack(entry, t);
    }
}

void outage_at_risk(struct outage *o, struct outage_who who)
{
    bool is_first = is_new(o, &o->at_risk, who.client);
    o->all.at_risk += is_first;
    struct outage_group *relay = relay_of(o, who.client);
    if (relay != NULL) {
        relay->at_risk += is_first;
    }
    struct outage_half *half = &o->half[who.half];
    half->group.at_risk += is_new(o, &half->at_risk, who.client);
}

void outage_wait(struct outage *o, struct outage_who who, int64_t begun_us)
{
    struct table_entry *entry = entry_of(o, who);
    if (entry == NULL) {
        return;
    }
    struct trouble t = unpack(entry);
    if (t.asked != 0) {
        return; /* asked again before any ACK: it waits since the first time */
    }
    t.half = who.half;
    t.is_untimed = begun_us == OUTAGE_UNKNOWN_US;
    t.asked = t.is_untimed ? 1 : stamp_of(begun_us);
    o->half[t.half].waited++;
    pack(entry, t);
}

void outage_retried(struct outage *o, uint8_t half, uint64_t span_us)
{
    struct outage_half *h = &o->half[half];
    h->retried++;
    h->retried_longest_us = span_us > h->retried_longest_us ? span_us : h->retried_longest_us;
}

static void end_wait(struct outage *o, const struct trouble *t, uint8_t server, int64_t run_us,
                     uint64_t waited_us)
{
    struct outage_half *half = &o->half[t->half];
    half->answered_by[server]++;
    half->in_time += t->lost == 0;
    int64_t since_us = t->is_untimed ? 0 : run_us - run_us_of(t->asked);
    /* Its own clock's word is better than the difference of two mapped instants. */
    uint64_t us = waited_us > 0 ? waited_us : since_us > 0 ? (uint64_t)since_us : 0;
    if (us == 0) {
        half->untimed++;
        return;
    }
    record_span(o, &half->answers, us);
    if (o->first_answer_us == 0 || us < o->first_answer_us) {
        o->first_answer_us = us;
    }
}

void outage_end(struct outage *o, struct outage_who who, uint8_t server, int64_t run_us,
                uint64_t waited_us)
{
    if (waited_us > 0 && table_find(&o->open, who.client + 1) == NULL) {
        outage_wait(o, who, run_us - (int64_t)waited_us);
    }
    const struct table_entry *entry = table_find(&o->open, who.client + 1);
    if (entry == NULL) {
        return;
    }
    struct trouble t = unpack(entry);
    table_remove(&o->open, who.client + 1);
    if (t.asked != 0) {
        end_wait(o, &t, server, run_us, waited_us);
    }
    if (t.lost == 0) {
        return;
    }
    who.half = t.half;
    struct outage_span span = {.who = who, .begin_us = run_us_of(t.lost), .end_us = run_us};
    if (!o->is_stage_running && run_us > o->last_stage_end_us) {
        keep_late(o, &span);
    } else {
        record(o, &span);
    }
}

void outage_leave(struct outage *o, uint32_t client)
{
    const struct table_entry *entry = table_find(&o->open, client + 1);
    if (entry == NULL) {
        return;
    }
    struct trouble t = unpack(entry);
    if (t.lost != 0) {
        return; /* nothing to release: it has no lease, and wants one */
    }
    o->half[t.half].unanswered += t.asked != 0;
    table_remove(&o->open, client + 1);
}

void outage_stage_begin(struct outage *o)
{
    o->is_stage_running = true;
    for (size_t i = 0; i < o->late_count; i++) {
        record(o, &o->late[i]);
    }
    o->late_count = 0;
}

void outage_stage_end(struct outage *o, int64_t run_us)
{
    o->is_stage_running = false;
    o->last_stage_end_us = run_us;
}

void outage_finish(struct outage *o, int64_t run_us)
{
    int64_t end_us = o->is_stage_running ? run_us : o->last_stage_end_us;
    for (size_t i = 0; i < o->late_count; i++) {
        o->late[i].end_us = end_us;
        record(o, &o->late[i]);
    }
    o->late_count = 0;
    const struct table_entry *entry;
    for (size_t cursor = 0; (entry = table_next(&o->open, &cursor)) != NULL;) {
        struct trouble t = unpack(entry);
        o->half[t.half].unanswered += t.asked != 0;
        if (t.lost != 0) {
            record(o, &(struct outage_span){.who = {.client = entry->key - 1, .half = t.half},
                                            .begin_us = run_us_of(t.lost),
                                            .end_us = end_us});
        }
    }
}

void outage_fini(struct outage *o)
{
    table_fini(&o->open);
    sparse_bitmap_fini(&o->clients);
    sparse_bitmap_fini(&o->at_risk);
    free(o->all.spans);
    for (size_t i = 0; i < OUTAGE_HALVES; i++) {
        sparse_bitmap_fini(&o->half[i].clients);
        sparse_bitmap_fini(&o->half[i].at_risk);
        free(o->half[i].group.spans);
        free(o->half[i].answers);
    }
    for (size_t i = 0; o->relays != NULL && i < o->plan->relay_count; i++) {
        free(o->relays[i].spans);
    }
    free(o->relays);
    free(o->late);
    *o = (struct outage){0};
}
