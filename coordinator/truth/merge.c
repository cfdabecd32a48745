/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/merge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One histogram without its empty ends. */
struct kept {
    struct histogram_key key;
    uint64_t snapshot_seq, count, sum_ns, min_ns, max_ns;
    bool is_saturated;
    uint32_t first, bucket_count;
    uint32_t *bucket;
};

struct merge_agent {
    bool has_snapshot;
    struct snapshot latest;
    struct kept *kept;
    size_t kept_count, kept_capacity;
};

struct merge {
    size_t agent_count;
    struct merge_agent *agents;
};

struct merge *merge_new(size_t agent_count)
{
    struct merge *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return NULL;
    }
    m->agent_count = agent_count;
    m->agents = calloc(agent_count + 1, sizeof(*m->agents));
    if (m->agents == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

void merge_free(struct merge *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->agent_count; i++) {
        for (size_t k = 0; k < m->agents[i].kept_count; k++) {
            free(m->agents[i].kept[k].bucket);
        }
        free(m->agents[i].kept);
    }
    free(m->agents);
    free(m);
}

bool merge_snapshot(struct merge *m, size_t agent, const struct snapshot *s)
{
    assert(agent < m->agent_count);
    struct merge_agent *a = &m->agents[agent];
    if (a->has_snapshot && s->seq <= a->latest.seq) {
        return false;
    }
    a->latest = *s;
    a->has_snapshot = true;
    return true;
}

static struct kept *kept_of(struct merge_agent *a, struct histogram_key key)
{
    for (size_t i = 0; i < a->kept_count; i++) {
        if (memcmp(&a->kept[i].key, &key, sizeof(key)) == 0) {
            return &a->kept[i];
        }
    }
    if (a->kept_count == a->kept_capacity) {
        size_t capacity = a->kept_capacity == 0 ? 16 : 2 * a->kept_capacity;
        struct kept *grown = realloc(a->kept, capacity * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        a->kept = grown;
        a->kept_capacity = capacity;
    }
    a->kept[a->kept_count] = (struct kept){.key = key};
    return &a->kept[a->kept_count++];
}

static bool keep(struct kept *k, const struct histogram *h)
{
    uint32_t first = 0, end = HISTOGRAM_BUCKETS;
    while (first < end && h->bucket[first] == 0) {
        first++;
    }
    while (end > first && h->bucket[end - 1] == 0) {
        end--;
    }
    uint32_t count = end - first;
    if (count > k->bucket_count) {
        uint32_t *grown = realloc(k->bucket, count * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        k->bucket = grown;
    }
    if (count > 0) {
        memcpy(k->bucket, &h->bucket[first], count * sizeof(*k->bucket));
    }
    k->first = first;
    k->bucket_count = count;
    k->count = h->count;
    k->sum_ns = h->sum_ns;
    k->min_ns = h->min_ns;
    k->max_ns = h->max_ns;
    k->is_saturated = h->is_saturated;
    return true;
}

bool merge_histogram(struct merge *m, size_t agent, const struct control_histogram *h)
{
    assert(agent < m->agent_count);
    struct kept *k = kept_of(&m->agents[agent], h->key);
    if (k == NULL) {
        return false;
    }
    if (h->snapshot_seq < k->snapshot_seq) {
        return true;
    }
    k->snapshot_seq = h->snapshot_seq;
    return keep(k, h->histogram);
}

const struct snapshot *merge_latest(const struct merge *m, size_t agent)
{
    assert(agent < m->agent_count);
    return m->agents[agent].has_snapshot ? &m->agents[agent].latest : NULL;
}

uint64_t merge_counter(const struct merge *m, size_t agent, enum snapshot_counter c)
{
    assert(agent < m->agent_count);
    return m->agents[agent].latest.counter[c];
}

uint64_t merge_total(const struct merge *m, enum snapshot_counter c)
{
    uint64_t total = 0;
    for (size_t i = 0; i < m->agent_count; i++) {
        total += m->agents[i].latest.counter[c];
    }
    return total;
}

struct snapshot_server merge_server(const struct merge *m, uint32_t server)
{
    assert(server < PLAN_SERVERS_MAX);
    struct snapshot_server sum = {0};
    for (size_t i = 0; i < m->agent_count; i++) {
        const struct snapshot_server *s = &m->agents[i].latest.server[server];
        sum.offers += s->offers;
        sum.acks += s->acks;
        sum.naks += s->naks;
    }
    return sum;
}

static void add_kept(struct histogram *into, const struct kept *k)
{
    if (k->count == 0) {
        return;
    }
    if (into->count == 0 || k->min_ns < into->min_ns) {
        into->min_ns = k->min_ns;
    }
    if (into->count == 0 || k->max_ns > into->max_ns) {
        into->max_ns = k->max_ns;
    }
    into->count += k->count;
    into->sum_ns += k->sum_ns;
    into->is_saturated = into->is_saturated || k->is_saturated;
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        uint32_t *bucket = &into->bucket[k->first + i];
        if (*bucket > UINT32_MAX - k->bucket[i]) {
            *bucket = UINT32_MAX;
            into->is_saturated = true;
        } else {
            *bucket += k->bucket[i];
        }
    }
}

void merge_latency(const struct merge *m, const struct merge_query *query, struct histogram *out)
{
    *out = (struct histogram){0};
    for (size_t i = 0; i < m->agent_count; i++) {
        if (query->agent != SIZE_MAX && query->agent != i) {
            continue;
        }
        for (size_t j = 0; j < m->agents[i].kept_count; j++) {
            const struct kept *k = &m->agents[i].kept[j];
            bool is_stage = query->stage == MERGE_ANY ? k->key.stage != SNAPSHOT_STAGE_PREFLIGHT
                                                      : k->key.stage == query->stage;
            if (is_stage && k->key.metric == query->metric && k->key.clock == query->clock) {
                add_kept(out, k);
            }
        }
    }
}
