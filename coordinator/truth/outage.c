/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/outage.h"

#include <stdlib.h>

#include "common/attrs.h"

static void record(struct outage *o, const struct outage_span *span)
{
    if (span->end_us <= span->begin_us) {
        return;
    }
    uint64_t us = (uint64_t)(span->end_us - span->begin_us);
    histogram_record(&o->spans, us * NS_PER_US);
    o->total_us += us;
    o->longest_us = us > o->longest_us ? us : o->longest_us;
    if (!sparse_bitmap_add(&o->clients, span->client)) {
        o->is_out_of_memory = true;
    }
}

void outage_begin(struct outage *o, uint32_t client, int64_t run_us)
{
    struct table_entry *entry = table_find(&o->open, client + 1);
    if (entry != NULL) {
        return; /* a failed client whose next try was NAKed: its outage goes on */
    }
    entry = table_put(&o->open, client + 1);
    if (entry == NULL) {
        o->is_out_of_memory = true;
        return;
    }
    entry->word = (uint64_t)run_us;
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

void outage_end(struct outage *o, uint32_t client, int64_t run_us)
{
    const struct table_entry *entry = table_find(&o->open, client + 1);
    if (entry == NULL) {
        return;
    }
    struct outage_span span = {
        .client = client, .begin_us = (int64_t)entry->word, .end_us = run_us};
    table_remove(&o->open, client + 1);
    if (!o->is_stage_running && run_us > o->last_stage_end_us) {
        keep_late(o, &span);
    } else {
        record(o, &span);
    }
}

void outage_at_risk(struct outage *o, uint32_t client)
{
    if (!sparse_bitmap_add(&o->at_risk, client)) {
        o->is_out_of_memory = true;
    }
}

void outage_first_answer(struct outage *o, uint64_t span_us)
{
    if (span_us > 0 && (o->first_answer_us == 0 || span_us < o->first_answer_us)) {
        o->first_answer_us = span_us;
    }
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

struct outage_figures outage_finish(struct outage *o, int64_t run_us)
{
    int64_t end_us = o->is_stage_running ? run_us : o->last_stage_end_us;
    for (size_t i = 0; i < o->late_count; i++) {
        o->late[i].end_us = end_us;
        record(o, &o->late[i]);
    }
    o->late_count = 0;
    for (size_t i = 0; i < o->open.capacity; i++) {
        const struct table_entry *entry = &o->open.slots[i];
        if (entry->key != 0) {
            record(o, &(struct outage_span){.client = entry->key - 1,
                                            .begin_us = (int64_t)entry->word,
                                            .end_us = end_us});
        }
    }
    return (struct outage_figures){
        .clients = o->clients.count,
        .at_risk = o->at_risk.count,
        .total_us = o->total_us,
        .longest_us = o->longest_us,
        .first_answer_us = o->first_answer_us,
        .spans = &o->spans,
    };
}

void outage_fini(struct outage *o)
{
    table_fini(&o->open);
    sparse_bitmap_fini(&o->clients);
    sparse_bitmap_fini(&o->at_risk);
    free(o->late);
    *o = (struct outage){0};
}
