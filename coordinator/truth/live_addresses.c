/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/live_addresses.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/sparse_bitmap.h"
#include "coordinator/truth/table.h"

enum {
    ORIGIN_MS = 3600000, /* run time 0 in table time: preflight lies before the start instant */
    ROUNDING_US = 2000,  /* two stamps rounded to milliseconds */
    SUSPECT_CHAINS = 4096,
    CLIENT_BITS = 27 /* of an entry's value; the server's index has the rest */
};

static_assert(PLAN_CLIENTS_MAX <= 1 << CLIENT_BITS && LIVE_SERVERS <= 1 << (32 - CLIENT_BITS),
              "client and server share 32 bits");

struct window {
    int64_t from_us, until_us;
};

struct suspect {
    uint32_t address; /* host order; 0: free */
    struct live_holder first, second;
    struct window first_window, second_window; /* second begins inside first */
    int next;                                  /* of its chain or of the free list; -1: last */
};

struct live_addresses {
    struct table leases; /* key: address; value: client, server; word: from and until in ms */
    struct sparse_bitmap seen, duplicate, moved;

    struct suspect *suspects;
    size_t suspect_capacity, suspect_count;
    int chain[SUSPECT_CHAINS], free_list;

    struct {
        int64_t watermark_us;
        uint64_t uncertainty_us;
        bool is_lost;
    } * agents;
    size_t agent_count;
    uint32_t (*agent_of)(const void *context, uint32_t client);
    const void *context;

    struct live_duplicate example[LIVE_EXAMPLES_MAX];
    size_t example_count;
    uint64_t undecided;
    bool is_out_of_memory;
};

struct live_addresses *
live_addresses_new(size_t agent_count, uint32_t (*agent_of)(const void *context, uint32_t client),
                   const void *context)
{
    struct live_addresses *live = calloc(1, sizeof(*live));
    if (live == NULL) {
        return NULL;
    }
    live->agents = calloc(agent_count + 1, sizeof(*live->agents));
    if (live->agents == NULL) {
        free(live);
        return NULL;
    }
    live->agent_count = agent_count;
    live->agent_of = agent_of;
    live->context = context;
    live->free_list = -1;
    for (size_t i = 0; i < SUSPECT_CHAINS; i++) {
        live->chain[i] = -1;
    }
    for (size_t i = 0; i < agent_count; i++) {
        live->agents[i].watermark_us = INT64_MIN;
    }
    return live;
}

void live_addresses_free(struct live_addresses *live)
{
    if (live == NULL) {
        return;
    }
    table_fini(&live->leases);
    sparse_bitmap_fini(&live->seen);
    sparse_bitmap_fini(&live->duplicate);
    sparse_bitmap_fini(&live->moved);
    free(live->suspects);
    free(live->agents);
    free(live);
}

static uint32_t to_ms(int64_t run_us)
{
    int64_t ms = run_us / 1000 + ORIGIN_MS;
    return ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static struct window window_of(const struct table_entry *entry)
{
    return (struct window){
        .from_us = ((int64_t)(entry->word >> 32) - ORIGIN_MS) * 1000,
        .until_us = ((int64_t)(entry->word & UINT32_MAX) - ORIGIN_MS) * 1000,
    };
}

static void set_window(struct table_entry *entry, struct window w)
{
    entry->word = (uint64_t)to_ms(w.from_us) << 32 | to_ms(w.until_us);
}

static uint32_t client_of(const struct table_entry *entry)
{
    return entry->value & ((UINT32_C(1) << CLIENT_BITS) - 1);
}

static unsigned server_of(const struct table_entry *entry)
{
    unsigned server = entry->value >> CLIENT_BITS;
    return server < LIVE_SERVERS ? server : LIVE_NO_SERVER;
}

static void set_holder(struct table_entry *entry, struct live_holder who)
{
    uint32_t server = who.server < LIVE_SERVERS ? who.server : LIVE_NO_SERVER;
    assert(who.client < UINT32_C(1) << CLIENT_BITS);
    entry->value = who.client | server << CLIENT_BITS;
}

static int64_t tolerance_us(const struct live_addresses *live, const struct suspect *s)
{
    uint64_t tolerance = ROUNDING_US;
    if (s->first.agent != s->second.agent) {
        tolerance += live->agents[s->first.agent].uncertainty_us;
        tolerance += live->agents[s->second.agent].uncertainty_us;
    }
    return (int64_t)tolerance;
}

static int64_t overlap_us(const struct suspect *s)
{
    int64_t end = s->first_window.until_us < s->second_window.until_us ? s->first_window.until_us
                                                                       : s->second_window.until_us;
    return end - s->second_window.from_us;
}

static bool grow_suspects(struct live_addresses *live)
{
    size_t capacity = live->suspect_capacity == 0 ? 64 : 2 * live->suspect_capacity;
    if (capacity > LIVE_SUSPECTS_MAX) {
        return false;
    }
    struct suspect *grown = realloc(live->suspects, capacity * sizeof(*grown));
    if (grown == NULL) {
        live->is_out_of_memory = true;
        return false;
    }
    live->suspects = grown;
    for (size_t i = capacity; i-- > live->suspect_capacity;) {
        grown[i] = (struct suspect){.next = live->free_list};
        live->free_list = (int)i;
    }
    live->suspect_capacity = capacity;
    return true;
}

static int *chain_of(struct live_addresses *live, uint32_t address)
{
    return &live->chain[(address * UINT32_C(2654435761)) >> 20];
}

static void suspect_add(struct live_addresses *live, struct suspect s)
{
    if (overlap_us(&s) <= tolerance_us(live, &s)) {
        return;
    }
    if (live->free_list < 0 && !grow_suspects(live)) {
        live->undecided++;
        return;
    }
    int at = live->free_list;
    int *chain = chain_of(live, s.address);
    live->free_list = live->suspects[at].next;
    s.next = *chain;
    live->suspects[at] = s;
    *chain = at;
    live->suspect_count++;
}

static void suspect_remove(struct live_addresses *live, int at)
{
    int *link = chain_of(live, live->suspects[at].address);
    while (*link != at) {
        assert(*link >= 0);
        link = &live->suspects[*link].next;
    }
    *link = live->suspects[at].next;
    live->suspects[at] = (struct suspect){.next = live->free_list};
    live->free_list = at;
    live->suspect_count--;
}

/* Renewals lengthen, ends cut the windows of suspects this client is part of. */
static void suspects_update(struct live_addresses *live, uint32_t address, uint32_t client,
                            int64_t at_us, int64_t until_us)
{
    if (live->suspect_count == 0) {
        return;
    }
    for (int i = *chain_of(live, address); i >= 0; i = live->suspects[i].next) {
        struct suspect *s = &live->suspects[i];
        if (s->address != address) {
            continue;
        }
        if (s->first.client == client && s->first_window.from_us <= at_us) {
            s->first_window.until_us = until_us;
        } else if (s->second.client == client && s->second_window.from_us <= at_us) {
            s->second_window.until_us = until_us;
        }
    }
}

void live_addresses_lease(struct live_addresses *live, struct ipv4 address, struct live_holder who,
                          int64_t from_us, int64_t until_us)
{
    uint32_t key = inet_host(address);
    if (key == 0) {
        return;
    }
    struct table_entry *entry = table_put(&live->leases, key);
    bool is_noted = who.is_preflight || sparse_bitmap_add(&live->seen, key);
    if (!is_noted || entry == NULL) {
        live->is_out_of_memory = true;
        return;
    }
    suspects_update(live, key, who.client, from_us, until_us);

    struct window fresh = {.from_us = from_us, .until_us = until_us};
    if (entry->word == 0) {
        set_holder(entry, who);
        set_window(entry, fresh);
        return;
    }
    struct window held = window_of(entry);
    if (client_of(entry) == who.client) {
        set_holder(entry, who);
        /* A gap between two leases of one client is no reason to keep its old beginning. */
        fresh.from_us = from_us < held.until_us ? held.from_us : from_us;
        set_window(entry, fresh);
        return;
    }
    struct live_holder holder = {.client = client_of(entry),
                                 .agent = live->agent_of(live->context, client_of(entry))};
    if (from_us >= held.from_us) {
        suspect_add(live, (struct suspect){.address = key,
                                           .first = holder,
                                           .second = who,
                                           .first_window = held,
                                           .second_window = fresh});
        set_holder(entry, who);
        set_window(entry, fresh);
    } else {
        /* An older lease from a stream that lags: the table keeps the later holder. */
        suspect_add(live, (struct suspect){.address = key,
                                           .first = who,
                                           .second = holder,
                                           .first_window = fresh,
                                           .second_window = held});
    }
}

void live_addresses_end(struct live_addresses *live, struct ipv4 address, uint32_t client,
                        int64_t at_us)
{
    uint32_t key = inet_host(address);
    if (key == 0) {
        return;
    }
    suspects_update(live, key, client, at_us, at_us);
    const struct table_entry *entry = table_find(&live->leases, key);
    if (entry != NULL && client_of(entry) == client) {
        table_remove(&live->leases, key);
    }
}

bool live_addresses_find(const struct live_addresses *live, struct ipv4 address, uint32_t client,
                         struct live_lease *out)
{
    uint32_t key = inet_host(address);
    const struct table_entry *entry = key == 0 ? NULL : table_find(&live->leases, key);
    if (entry == NULL || entry->word == 0 || client_of(entry) != client) {
        return false;
    }
    struct window held = window_of(entry);
    *out = (struct live_lease){
        .from_us = held.from_us, .until_us = held.until_us, .server = (uint8_t)server_of(entry)};
    return true;
}

void live_addresses_moved(struct live_addresses *live, uint32_t client)
{
    if (!sparse_bitmap_add(&live->moved, client)) {
        live->is_out_of_memory = true;
    }
}

void live_addresses_uncertainty(struct live_addresses *live, uint32_t agent,
                                uint64_t uncertainty_us)
{
    assert(agent < live->agent_count);
    if (uncertainty_us > live->agents[agent].uncertainty_us) {
        live->agents[agent].uncertainty_us = uncertainty_us;
    }
}

static void keep_duplicate(struct live_addresses *live, const struct suspect *s)
{
    bool is_known = sparse_bitmap_has(&live->duplicate, s->address);
    if (!sparse_bitmap_add(&live->duplicate, s->address)) {
        live->is_out_of_memory = true;
    }
    if (is_known || live->example_count == LIVE_EXAMPLES_MAX) {
        return;
    }
    live->example[live->example_count++] = (struct live_duplicate){
        .address = inet_from_host(s->address),
        .first_client = s->first.client,
        .second_client = s->second.client,
        .at_us = s->second_window.from_us,
        .overlap_us = overlap_us(s),
    };
}

static void decide(struct live_addresses *live, int at)
{
    const struct suspect *s = &live->suspects[at];
    bool is_overlap = overlap_us(s) > tolerance_us(live, s);
    /* The earlier holder may have released: a lost agent cannot tell, nor who has moved on. */
    bool is_unknown =
        live->agents[s->first.agent].is_lost || sparse_bitmap_has(&live->moved, s->first.client);
    if (is_overlap && is_unknown) {
        live->undecided++;
    } else if (is_overlap) {
        keep_duplicate(live, s);
    }
    suspect_remove(live, at);
}

static bool has_passed(const struct live_addresses *live, uint32_t agent, int64_t at_us)
{
    return live->agents[agent].is_lost || live->agents[agent].watermark_us > at_us;
}

static void decide_passed(struct live_addresses *live)
{
    for (size_t i = 0; live->suspect_count > 0 && i < live->suspect_capacity; i++) {
        const struct suspect *s = &live->suspects[i];
        if (s->address == 0) {
            continue;
        }
        int64_t at_us = s->second_window.from_us + tolerance_us(live, s);
        if (has_passed(live, s->first.agent, at_us) && has_passed(live, s->second.agent, at_us)) {
            decide(live, (int)i);
        }
    }
}

void live_addresses_watermark(struct live_addresses *live, uint32_t agent, int64_t run_us)
{
    assert(agent < live->agent_count);
    if (run_us > live->agents[agent].watermark_us) {
        live->agents[agent].watermark_us = run_us;
        decide_passed(live);
    }
}

void live_addresses_agent_lost(struct live_addresses *live, uint32_t agent)
{
    assert(agent < live->agent_count);
    live->agents[agent].is_lost = true;
    decide_passed(live);
}

void live_addresses_decide_all(struct live_addresses *live)
{
    for (size_t i = 0; i < live->suspect_capacity; i++) {
        if (live->suspects[i].address != 0) {
            decide(live, (int)i);
        }
    }
}

/* The last that begins at or before the client; NULL: it is in none. */
static const struct live_span *span_of(const struct live_span *spans, size_t count, uint32_t client)
{
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (spans[middle].first <= client) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    const struct live_span *span = from > 0 ? &spans[from - 1] : NULL;
    return span != NULL && client - span->first < span->count ? span : NULL;
}

void live_addresses_held(const struct live_addresses *live, const struct live_span *spans,
                         size_t span_count, struct live_held *out)
{
    for (size_t i = 0; i < span_count; i++) {
        for (uint32_t k = 0; k < spans[i].count; k++) {
            out[spans[i].at + k] =
                (struct live_held){.until_us = INT64_MIN, .server = LIVE_NO_SERVER};
        }
    }
    const struct table_entry *entry;
    for (size_t cursor = 0; (entry = table_next(&live->leases, &cursor)) != NULL;) {
        const struct live_span *span = span_of(spans, span_count, client_of(entry));
        if (span == NULL) {
            continue;
        }
        struct window held = window_of(entry);
        struct live_held *to = &out[span->at + client_of(entry) - span->first];
        if (to->until_us == INT64_MIN || held.from_us > to->from_us) {
            *to = (struct live_held){.address = inet_from_host(entry->key),
                                     .from_us = held.from_us,
                                     .until_us = held.until_us,
                                     .server = (uint8_t)server_of(entry)};
        }
    }
}

void live_addresses_oldest(const struct live_addresses *live, uint64_t count,
                           uint64_t out_by_server[LIVE_SERVERS])
{
    enum { SLOTS = 4096 };
    static const uint64_t none[LIVE_SERVERS];
    uint64_t by_slot[SLOTS] = {0};
    uint32_t first_ms = UINT32_MAX, last_ms = 0;
    memcpy(out_by_server, none, sizeof(none));
    const struct table_entry *entry;
    for (size_t cursor = 0; (entry = table_next(&live->leases, &cursor)) != NULL;) {
        uint32_t until_ms = (uint32_t)entry->word;
        first_ms = until_ms < first_ms ? until_ms : first_ms;
        last_ms = until_ms > last_ms ? until_ms : last_ms;
    }
    uint32_t slot_ms = last_ms < first_ms ? 1 : (last_ms - first_ms) / SLOTS + 1;
    for (size_t cursor = 0; (entry = table_next(&live->leases, &cursor)) != NULL;) {
        by_slot[((uint32_t)entry->word - first_ms) / slot_ms]++;
    }
    size_t end = 0;
    for (uint64_t sum = 0; end < SLOTS && sum < count; end++) {
        sum += by_slot[end];
    }
    for (size_t cursor = 0; count > 0 && (entry = table_next(&live->leases, &cursor)) != NULL;) {
        if (((uint32_t)entry->word - first_ms) / slot_ms < end) {
            out_by_server[server_of(entry)]++;
            count--;
        }
    }
}

struct live_figures live_addresses_figures(const struct live_addresses *live)
{
    return (struct live_figures){
        .live_now = live->leases.count,
        .distinct = live->seen.count,
        .duplicates = live->duplicate.count,
        .undecided = live->undecided,
        .examples = live->example,
        .example_count = live->example_count,
        .is_out_of_memory = live->is_out_of_memory,
    };
}
