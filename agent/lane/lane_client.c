/* SPDX-License-Identifier: MIT */
/* A client's exchanges begin; what they are called and counted as. */
#include <assert.h>

#include "agent/lane/lane_internal.h"

enum client_class lane_class_of(const struct client *c)
{
    if (client_is_bound(c)) {
        return CLASS_BOUND;
    }
    if (c->state == LEASE_RELEASED) {
        return CLASS_RELEASED;
    }
    if (!client_has(c, CLIENT_STARTED)) {
        return CLASS_NEVER_STARTED;
    }
    return client_has(c, CLIENT_HAD_LEASE) ? CLASS_EXPIRED : CLASS_FAILED;
}

void lane_recount(struct lane *lane, enum client_class before, bool was_waiting,
                  const struct client *c)
{
    static const enum snapshot_counter counters[] = {
        [CLASS_NEVER_STARTED] = COUNTER_clients_never_started,
        [CLASS_BOUND] = COUNTER_clients_bound,
        [CLASS_RELEASED] = COUNTER_clients_released,
        [CLASS_EXPIRED] = COUNTER_clients_expired,
        [CLASS_FAILED] = COUNTER_clients_failed,
    };
    uint64_t *counter = lane->results.counter;
    counter[counters[before]]--;
    counter[counters[lane_class_of(c)]]++;
    bool is_waiting = client_has(c, CLIENT_WAITING);
    counter[COUNTER_exchanges_open] += (uint64_t)is_waiting - (uint64_t)was_waiting;
    if (lane->ready.is_kept) {
        lane_load_recount(lane, c);
    }
}

/* --- events --- */

enum event_kind lane_kind_of(const struct client *c)
{
    if (client_has(c, CLIENT_QUERYING)) {
        return EVENT_QUERY;
    }
    switch ((enum lease_state)c->state) {
    case LEASE_RENEWING:
        return EVENT_RENEW;
    case LEASE_REBINDING:
        return EVENT_REBIND;
    case LEASE_REBOOTING:
        return EVENT_REBOOT;
    case LEASE_BOUND:
        return EVENT_INFORM;
    case LEASE_INIT:
    case LEASE_SELECTING:
    case LEASE_REQUESTING:
    case LEASE_INIT_REBOOT:
    case LEASE_EXPIRED:
    case LEASE_RELEASED:
    case LEASE_FAILED:
    case LEASE_DECLINED:
    case LEASE_STATE_COUNT:
        break;
    }
    return EVENT_ACQUIRE;
}

static uint32_t span_since(const struct client *c, uint32_t from_us, uint64_t at_ns)
{
    uint32_t end_us = client_span_us(c, at_ns);
    uint32_t span = end_us > from_us ? end_us - from_us : 0;
    return span < EVENT_SPAN_MAX ? span : EVENT_SPAN_MAX;
}

struct event lane_event(const struct lane *lane, uint32_t local, enum event_kind kind,
                        enum event_result result, uint64_t at_ns)
{
    const struct client *c = &lane->population.clients[local];
    struct event e = {
        .t_us = at_ns / NS_PER_US,
        .client = population_global(&lane->population, local),
        .xid = kind == EVENT_EXPIRE ? 0 : c->xid,
        .offer_us = EVENT_SPAN_NONE,
        .took_us = kind == EVENT_EXPIRE ? EVENT_SPAN_NONE : span_since(c, c->first_sent_us, at_ns),
        .wait_us = kind == EVENT_EXPIRE ? EVENT_SPAN_NONE : span_since(c, 0, at_ns),
        .addr = c->addr,
        .server = lane_server_of(lane, c),
        .tries = kind == EVENT_EXPIRE ? 0 : c->tries,
        .kind = (uint8_t)kind,
        .result = (uint8_t)result,
        .stage = lane_stage_index(lane),
    };
    if (client_has(c, CLIENT_OFFER_SEEN) && kind == EVENT_ACQUIRE) {
        e.flags |= EVENT_OFFER_SEEN;
        e.offer_us = span_since(c, c->first_sent_us, client_at_us(c, c->offer_us));
    }
    if (client_has(c, CLIENT_FOREIGN_SEEN)) {
        e.flags |= EVENT_FOREIGN_OFFER;
    }
    if (client_has(c, CLIENT_SINGLE) && kind == EVENT_RENEW) {
        e.flags |= EVENT_EARLY;
    }
    if (client_has(c, CLIENT_PAUSED) || lane->paused_at_ns != 0) {
        e.flags |= EVENT_IN_PAUSE;
    }
    return e;
}

void lane_record(struct lane *lane, uint32_t local, enum event_kind kind, enum event_result result,
                 uint64_t at_ns)
{
    struct event e = lane_event(lane, local, kind, result, at_ns);
    results_event(&lane->results, &e);
}

/* --- exchanges --- */

enum lease_action lane_step(struct client *c, enum lease_event event)
{
    enum lease_state state = (enum lease_state)c->state;
    enum lease_action action = lease_fsm_step(&state, event);
    client_set_state(c, state);
    return action;
}

void lane_open_exchange(struct lane *lane, uint32_t local, uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    lane_new_xid(lane, local);
    c->intended_ns = intended_ns;
    c->first_sent_us = 0;
    c->attempt = c->tries = 0;
    c->secs = 0;
    client_set_naks(c, 0);
    client_clear(c, CLIENT_ANSWERED);
    client_clear(c, CLIENT_OFFER_SEEN);
    client_clear(c, CLIENT_FOREIGN_SEEN);
    client_clear(c, CLIENT_SILENT_COUNTED);
    client_clear(c, CLIENT_PAUSED);
    client_clear(c, CLIENT_SINGLE);
    client_set(c, CLIENT_WAITING);
}

void lane_close_exchange(struct lane *lane, struct client *c)
{
    client_clear(c, CLIENT_WAITING);
    client_clear(c, CLIENT_INFORMING);
    client_clear(c, CLIENT_QUERYING);
    lane_stage_finished(lane, c);
}

void lane_start_acquire(struct lane *lane, uint32_t local, uint64_t intended_ns, unsigned flags)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    enum lease_action action = lane_step(c, LEASE_START);
    assert(action == LEASE_DISCOVER);
    (void)action;
    lane_open_exchange(lane, local, intended_ns);
    c->addr = (struct ipv4){0};
    c->server = 0;
    c->flags = (uint16_t)(c->flags | CLIENT_STARTED | flags);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, was_waiting, c);
}

void lane_start_exchange(struct lane *lane, uint32_t local, enum lease_event event,
                         uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    enum lease_action action = lane_step(c, event);
    assert(action != LEASE_UNEXPECTED);
    lane_open_exchange(lane, local, intended_ns);
    if (event == LEASE_REBOOT_DUE) {
        action = lane_step(c, LEASE_START);
    } else if (action == LEASE_INFORM) {
        client_set(c, CLIENT_INFORMING);
    } else if (action == LEASE_QUERY) {
        lane_query_opened(lane, local);
    } else if (event == LEASE_RENEW_DUE) {
        client_set(c, CLIENT_SINGLE);
    } else if (action == LEASE_DECLINE) {
        client_clear(c, CLIENT_WAITING); /* DECLINE has no answer */
    }
    client_set(c, CLIENT_IN_STAGE);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, was_waiting, c);
}

void lane_release(struct lane *lane, uint32_t local, uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    enum lease_action action = lane_step(c, LEASE_RELEASE_DUE);
    assert(action == LEASE_RELEASE);
    (void)action;
    lane_open_exchange(lane, local, intended_ns);
    client_clear(c, CLIENT_WAITING); /* RELEASE has no answer */
    client_clear(c, CLIENT_INFORMING);
    client_clear(c, CLIENT_QUERYING);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, was_waiting, c);
}
