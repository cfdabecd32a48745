/* SPDX-License-Identifier: MIT */
#include "coordinator/run/roster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool roster_init(struct roster *r, size_t wanted)
{
    assert(wanted > 0 && wanted <= ROSTER_AGENTS_MAX);
    r->agents = calloc(wanted, sizeof(*r->agents));
    r->count = 0;
    r->wanted = wanted;
    return r->agents != NULL;
}

void roster_fini(struct roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->agents[i].addresses);
        deal_free(&r->agents[i].hand, 1);
    }
    free(r->agents);
    memset(r, 0, sizeof(*r));
}

/* Where a share that begins with this client stands, or would. */
static size_t place_of(const struct deal_hand *hand, uint32_t first_client)
{
    size_t low = 0, high = hand->share_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hand->shares[middle].first_client < first_client) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool roster_give(struct roster_agent *a, const struct control_share *share)
{
    struct deal_hand *hand = &a->hand;
    struct control_share *grown =
        realloc(hand->shares, (hand->share_count + 1) * sizeof(*hand->shares));
    if (grown == NULL) {
        return false;
    }
    hand->shares = grown;
    size_t at = place_of(hand, share->first_client);
    memmove(&grown[at + 1], &grown[at], (hand->share_count - at) * sizeof(*grown));
    grown[at] = *share;
    hand->share_count++;
    hand->clients += share->client_count;
    return true;
}

void roster_take_back(struct roster_agent *a, uint32_t first_client)
{
    struct deal_hand *hand = &a->hand;
    size_t at = place_of(hand, first_client);
    if (at < hand->share_count && hand->shares[at].first_client == first_client) {
        hand->clients -= hand->shares[at].client_count;
        hand->share_count--;
        memmove(&hand->shares[at], &hand->shares[at + 1],
                (hand->share_count - at) * sizeof(*hand->shares));
    }
}

static int order_by_name(const void *a, const void *b)
{
    return strcmp(((const struct roster_agent *)a)->name, ((const struct roster_agent *)b)->name);
}

static int name_to_agent(const void *name, const void *agent)
{
    return strcmp(name, ((const struct roster_agent *)agent)->name);
}

/* Asked with every message: with a thousand agents a walk would cost more than all the rest. */
static struct roster_agent *by_name(struct roster *r, const char *name)
{
    if (r->is_sealed) {
        return bsearch(name, r->agents, r->count, sizeof(*r->agents), name_to_agent);
    }
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->agents[i].name, name) == 0) {
            return &r->agents[i];
        }
    }
    return NULL;
}

static bool copy_hello(struct roster_agent *a, const struct control_hello *hello)
{
    struct ipv4 *addresses = malloc((hello->address_count + 1) * sizeof(*addresses));
    if (addresses == NULL) {
        return false;
    }
    if (hello->address_count > 0) {
        memcpy(addresses, hello->addresses, hello->address_count * sizeof(*addresses));
    }
    free(a->addresses);
    a->addresses = addresses;
    a->address_count = hello->address_count;
    a->epoch = hello->epoch;
    a->cores = hello->cores == 0 ? 1 : hello->cores;
    snprintf(a->host, sizeof(a->host), "%s", hello->host);
    snprintf(a->build, sizeof(a->build), "%s", hello->build);
    return true;
}

static struct roster_agent *admit(struct roster *r, const char *name,
                                  const struct control_hello *hello)
{
    struct roster_agent *a = &r->agents[r->count];
    snprintf(a->name, sizeof(a->name), "%s", name);
    if (!copy_hello(a, hello)) {
        memset(a, 0, sizeof(*a));
        return NULL;
    }
    r->count++;
    return a;
}

/* The process we know is among those whose end this one is certain of. */
static bool has_succeeded(const struct roster_agent *a, const struct control_hello *hello)
{
    for (size_t i = 0; i < hello->former_count; i++) {
        if (hello->former[i] == a->process_epoch || hello->former[i] == a->epoch) {
            return true;
        }
    }
    return false;
}

static bool keeps_our_results(const struct roster *r, const struct roster_agent *a,
                              const struct control_hello *hello)
{
    return hello->kept_epoch == a->epoch && !a->is_barred &&
           memcmp(hello->kept_run_id, r->run_id, sizeof(r->run_id)) == 0;
}

/* Of this name, but not (or no longer) the one that plays clients in this run. */
static enum roster_answer another_process(const struct roster *r, struct roster_agent *a,
                                          const struct control_hello *hello, bool is_gathering,
                                          uint64_t now_ns)
{
    bool has_ended = a->is_lost || has_succeeded(a, hello);
    if (!is_gathering && has_ended && keeps_our_results(r, a, hello)) {
        return ROSTER_RETURNED;
    }
    if (!has_ended && now_ns - a->last_heard_ns < RUN_LEASE_ENDED_NS) {
        /* While the first one may still send, it is an impostor or a copied key. */
        return ROSTER_DUPLICATE;
    }
    if (a->is_lost || !is_gathering) {
        return ROSTER_BUSY;
    }
    if (!copy_hello(a, hello)) {
        return ROSTER_NO_MEMORY;
    }
    memset(&a->clock, 0, sizeof(a->clock));
    return ROSTER_WELCOME;
}

enum roster_answer roster_hello(struct roster *r, const char *name,
                                const struct control_hello *hello, bool is_gathering,
                                uint64_t new_session, uint64_t now_ns, struct roster_agent **out)
{
    struct roster_agent *a = by_name(r, name);
    if (a == NULL) {
        if (!is_gathering || r->count == r->wanted) {
            return ROSTER_BUSY;
        }
        a = admit(r, name, hello);
        if (a == NULL) {
            return ROSTER_NO_MEMORY;
        }
    } else if (a->is_lost || a->epoch != hello->epoch) {
        enum roster_answer answer = another_process(r, a, hello, is_gathering, now_ns);
        if (answer == ROSTER_RETURNED) {
            a->is_returned = true;
            a->delivered_ns = now_ns;
        } else if (answer == ROSTER_BUSY) {
            *out = a->is_lost || !has_succeeded(a, hello) ? NULL : a;
        }
        if (answer != ROSTER_WELCOME && answer != ROSTER_RETURNED) {
            return answer;
        }
        a->session = new_session;
        a->process_epoch = hello->epoch;
        a->last_heard_ns = now_ns;
        *out = a;
        return answer;
    }
    a->session = new_session;
    a->process_epoch = hello->epoch;
    a->last_heard_ns = now_ns;
    *out = a;
    return ROSTER_WELCOME;
}

struct roster_agent *roster_repeated_hello(struct roster *r, const char *name, uint64_t epoch,
                                           const void *route, size_t route_bytes)
{
    struct roster_agent *a = by_name(r, name);
    bool is_same = a != NULL && roster_is_there(a) && a->process_epoch == epoch &&
                   a->ctrl.size == route_bytes && memcmp(a->ctrl.bytes, route, route_bytes) == 0;
    return is_same ? a : NULL;
}

struct roster_agent *roster_find(struct roster *r, const char *name, uint64_t session)
{
    struct roster_agent *a = by_name(r, name);
    return a != NULL && a->session == session && session != CONTROL_SESSION_UNKNOWN ? a : NULL;
}

bool roster_plays(const struct roster_agent *a, uint32_t client)
{
    size_t low = 0, high = a->hand.share_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct control_share *share = &a->hand.shares[middle];
        if (client < share->first_client) {
            high = middle;
        } else if (client - share->first_client >= share->client_count) {
            low = middle + 1;
        } else {
            return true;
        }
    }
    return false;
}

bool roster_carries(const struct roster_agent *a, uint32_t relay)
{
    for (size_t i = 0; i < a->hand.share_count; i++) {
        if (a->hand.shares[i].relay == relay) {
            return true;
        }
    }
    return false;
}

void roster_seal(struct roster *r)
{
    qsort(r->agents, r->count, sizeof(*r->agents), order_by_name);
    r->is_sealed = true;
}

size_t roster_index(const struct roster *r, const struct roster_agent *agent)
{
    assert(agent >= r->agents && agent < r->agents + r->count);
    return (size_t)(agent - r->agents);
}

size_t roster_live_count(const struct roster *r)
{
    size_t live = 0;
    for (size_t i = 0; i < r->count; i++) {
        live += !r->agents[i].is_lost;
    }
    return live;
}

bool roster_all(const struct roster *r, roster_question *question)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->agents[i].is_lost && !question(&r->agents[i])) {
            return false;
        }
    }
    return roster_live_count(r) > 0;
}

bool roster_is_there(const struct roster_agent *a)
{
    return !a->is_lost || a->is_returned;
}

bool roster_is_delivering(const struct roster *r, uint64_t now_ns, uint64_t patience_ns)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->agents[i].is_returned && now_ns - r->agents[i].delivered_ns < patience_ns) {
            return true;
        }
    }
    return false;
}

bool roster_is_ready(const struct roster_agent *a)
{
    return a->is_ready;
}

bool roster_is_armed(const struct roster_agent *a)
{
    return a->is_armed;
}

bool roster_is_preflighted(const struct roster_agent *a)
{
    return a->is_preflighted;
}

bool roster_is_done(const struct roster_agent *a)
{
    return a->is_done;
}

bool roster_has_clock(const struct roster_agent *a)
{
    return clock_map_is_usable(&a->clock);
}

bool roster_has_session_route(const struct roster_agent *a)
{
    return a->data.size > 0;
}

void roster_ask(struct roster_agent *a, const struct control_go *go)
{
    a->asked.round = go->round;
    a->asked.stage = go->stage;
    a->asked.step = go->step;
}

bool roster_step_is_done(const struct roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct roster_agent *a = &r->agents[i];
        const struct control_progress *p = &a->progress;
        bool is_of_it =
            p->round == a->asked.round && p->stage == a->asked.stage && p->step == a->asked.step;
        if (!a->is_lost && !(is_of_it && p->is_step_done)) {
            return false;
        }
    }
    return roster_live_count(r) > 0;
}

struct control_progress roster_sum(const struct roster *r)
{
    struct control_progress sum = {0};
    for (size_t i = 0; i < r->count; i++) {
        const struct control_progress *p = &r->agents[i].progress;
        sum.started += p->started;
        sum.finished += p->finished;
        sum.bound += p->bound;
        sum.failed += p->failed;
        sum.foreign_offers += p->foreign_offers;
        sum.received += p->received;
        if (p->foreign_offers > 0) {
            sum.foreign_offer_addr = p->foreign_offer_addr;
            sum.foreign_offer_server = p->foreign_offer_server;
        }
    }
    return sum;
}

uint64_t roster_silent_streak(const struct roster *r)
{
    uint64_t streak = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct roster_agent *a = &r->agents[i];
        bool is_waiting = a->progress.started > a->progress.finished;
        if (!a->is_lost && a->progress.silent_streak == 0 && is_waiting) {
            return 0;
        }
        streak += a->is_lost ? 0 : a->progress.silent_streak;
    }
    return streak;
}

uint64_t roster_slowest_delay_ns(const struct roster *r)
{
    uint64_t slowest_ns = 0;
    for (size_t i = 0; i < r->count; i++) {
        uint64_t delay_ns = clock_map_delay_ns(&r->agents[i].clock);
        slowest_ns = !r->agents[i].is_lost && delay_ns > slowest_ns ? delay_ns : slowest_ns;
    }
    return slowest_ns;
}
