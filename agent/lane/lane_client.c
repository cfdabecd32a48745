/* SPDX-License-Identifier: MIT */
/* What happens to one client: exchanges begin, are answered, time out; leases begin and end. */
#include <assert.h>

#include "agent/client/lease_timing.h"
#include "agent/lane/lane_internal.h"

enum { SILENT_ATTEMPTS = 3, DECLINE_PAUSE_S = 10 /* RFC 2131 3.1.5 */ };

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
}

/* --- events --- */

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
        .server = c->server,
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
    if (client_has(c, CLIENT_PAUSED) || lane->paused_at_ns != 0) {
        e.flags |= EVENT_IN_PAUSE;
    }
    return e;
}

static void record(struct lane *lane, uint32_t local, enum event_kind kind,
                   enum event_result result, uint64_t at_ns)
{
    struct event e = lane_event(lane, local, kind, result, at_ns);
    results_event(&lane->results, &e);
}

/* --- timers --- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_ns(const struct lane *lane, const struct client *c)
{
    bool never_bound = client_has(c, CLIENT_STARTED) && !client_has(c, CLIENT_HAD_LEASE);
    return never_bound && !client_has(c, CLIENT_FAILED_COUNTED)
               ? c->intended_ns + lane->plan->acquire_deadline_ns
               : UINT64_MAX;
}

static uint64_t retry_ns(const struct client *c)
{
    /* While its packet waits to be sent there is nothing to repeat. */
    return client_has(c, CLIENT_WAITING) && !client_has(c, CLIENT_QUEUED) ? client_retry_ns(c)
                                                                          : UINT64_MAX;
}

static uint64_t next_deadline_ns(const struct lane *lane, const struct client *c)
{
    switch ((enum lease_state)c->state) {
    case LEASE_SELECTING:
    case LEASE_REQUESTING:
        return earliest(retry_ns(c), deadline_ns(lane, c));
    case LEASE_BOUND:
        return earliest(client_lease_at_ns(c, c->t1_ms), retry_ns(c));
    case LEASE_RENEWING:
        return earliest(client_lease_at_ns(c, c->t2_ms), retry_ns(c));
    case LEASE_REBINDING:
    case LEASE_REBOOTING:
        return earliest(client_lease_at_ns(c, c->expiry_ms), retry_ns(c));
    case LEASE_DECLINED:
        return client_retry_ns(c);
    case LEASE_FAILED:
        return deadline_ns(lane, c);
    case LEASE_INIT:
    case LEASE_INIT_REBOOT:
    case LEASE_EXPIRED:
    case LEASE_RELEASED:
    case LEASE_STATE_COUNT:
        break;
    }
    return UINT64_MAX;
}

void lane_arm_timer(struct lane *lane, uint32_t local)
{
    uint64_t at_ns = next_deadline_ns(lane, lane_client(lane, local));
    if (at_ns == UINT64_MAX) {
        timer_wheel_cancel(lane->wheel, local);
    } else {
        timer_wheel_set(lane->wheel, local, at_ns);
    }
}

/* --- exchanges begin --- */

/* An exchange about the lease begins: new xid, nothing sent yet. */
static void open_exchange(struct lane *lane, uint32_t local, uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    lane_new_xid(lane, local);
    c->intended_ns = intended_ns;
    c->first_sent_us = c->message_sent_us = c->offer_us = 0;
    c->attempt = c->tries = 0;
    c->secs = 0;
    c->retry_ms = UINT32_MAX;
    client_clear(c, CLIENT_ANSWERED);
    client_clear(c, CLIENT_OFFER_SEEN);
    client_clear(c, CLIENT_FOREIGN_SEEN);
    client_clear(c, CLIENT_SILENT_COUNTED);
    client_clear(c, CLIENT_PAUSED);
    client_set(c, CLIENT_WAITING);
}

static enum lease_action step(struct client *c, enum lease_event event)
{
    enum lease_state state = (enum lease_state)c->state;
    enum lease_action action = lease_fsm_step(&state, event);
    c->state = (uint8_t)state;
    return action;
}

static void close_exchange(struct lane *lane, struct client *c)
{
    client_clear(c, CLIENT_WAITING);
    client_clear(c, CLIENT_INFORMING);
    lane_stage_finished(lane, c);
}

void lane_start_acquire(struct lane *lane, uint32_t local, uint64_t intended_ns, bool in_stage)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    enum lease_action action = step(c, LEASE_START);
    assert(action == LEASE_DISCOVER);
    (void)action;
    open_exchange(lane, local, intended_ns);
    c->addr = c->server = (struct ipv4){0};
    client_set(c, CLIENT_STARTED);
    if (in_stage) {
        client_set(c, CLIENT_IN_STAGE);
    }
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, was_waiting, c);
}

/* Refused, lost or paused long enough: acquires again at once, outside batch and rate. */
static void reacquire(struct lane *lane, uint32_t local)
{
    if (!lane->is_draining && !lane->is_stopped) {
        lane_start_acquire(lane, local, lane->now_ns, false);
    }
}

void lane_start_exchange(struct lane *lane, uint32_t local, enum lease_event event,
                         uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    enum lease_action action = step(c, event);
    assert(action != LEASE_UNEXPECTED);
    open_exchange(lane, local, intended_ns);
    if (event == LEASE_REBOOT_DUE) {
        action = step(c, LEASE_START);
    } else if (action == LEASE_INFORM) {
        client_set(c, CLIENT_INFORMING);
    } else if (action == LEASE_DECLINE) {
        client_clear(c, CLIENT_WAITING);
        client_set_retry(c, lane->now_ns + DECLINE_PAUSE_S * NS_PER_S);
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
    enum lease_action action = step(c, LEASE_RELEASE_DUE);
    assert(action == LEASE_RELEASE);
    (void)action;
    open_exchange(lane, local, intended_ns);
    client_clear(c, CLIENT_WAITING); /* RELEASE has no answer */
    client_clear(c, CLIENT_INFORMING);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, was_waiting, c);
}

/* --- answers --- */

void lane_offered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    enum lease_action action = step(c, LEASE_OFFER);
    assert(action == LEASE_REQUEST);
    (void)action;
    c->addr = r->yiaddr;
    c->server = r->server_id;
    c->offer_us = client_span_us(c, at_ns);
    c->attempt = 0;
    client_set(c, CLIENT_OFFER_SEEN);
    uint8_t server = lane_server_index(lane, r->server_id);
    uint8_t stage = lane_stage_index(lane);
    uint64_t sent_ns = client_at_us(c, c->first_sent_us);
    results_latency(&lane->results, LATENCY_DISCOVER_OFFER, LATENCY_INTENDED, server, stage,
                    at_ns > c->intended_ns ? at_ns - c->intended_ns : 0);
    results_latency(&lane->results, LATENCY_DISCOVER_OFFER, LATENCY_FROM_SEND, server, stage,
                    at_ns > sent_ns ? at_ns - sent_ns : 0);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
}

static void record_latency(struct lane *lane, const struct client *c, enum latency_metric metric,
                           uint64_t intended_ns, uint64_t sent_ns, uint64_t at_ns)
{
    uint8_t server = lane_server_index(lane, c->server);
    uint8_t stage = lane_stage_index(lane);
    results_latency(&lane->results, metric, LATENCY_INTENDED, server, stage,
                    at_ns > intended_ns ? at_ns - intended_ns : 0);
    results_latency(&lane->results, metric, LATENCY_FROM_SEND, server, stage,
                    at_ns > sent_ns ? at_ns - sent_ns : 0);
}

/* What the kind of an exchange is called in events and latencies, by the state it was open in. */
static enum event_kind kind_of(const struct client *c)
{
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

static void record_ack_latency(struct lane *lane, const struct client *c, enum event_kind kind,
                               uint64_t at_ns)
{
    static const enum latency_metric metric[EVENT_KIND_COUNT] = {
        [EVENT_ACQUIRE] = LATENCY_ACQUIRE, [EVENT_RENEW] = LATENCY_RENEW,
        [EVENT_REBIND] = LATENCY_REBIND,   [EVENT_REBOOT] = LATENCY_REBOOT,
        [EVENT_INFORM] = LATENCY_INFORM,
    };
    record_latency(lane, c, metric[kind], c->intended_ns, client_at_us(c, c->first_sent_us), at_ns);
    if (kind == EVENT_ACQUIRE) {
        record_latency(lane, c, LATENCY_REQUEST_ACK, client_at_us(c, c->offer_us),
                       client_at_us(c, c->message_sent_us), at_ns);
    }
}

/* RFC 2131 4.3.1: what the ACK says against what the plan expects. */
static uint16_t check_ack(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                          uint16_t source_port)
{
    struct relay *relay = lane_relay_of(lane, local);
    unsigned flags = 0;
    if (!inet_net_contains(relay->plan->subnet, r->yiaddr)) {
        flags |= EVENT_OUTSIDE_SUBNET;
    }
    uint32_t expected_s = lane->plan->expect_lease_s;
    uint32_t least_s = lane->plan->expect_mclt_s != 0 && lane->plan->expect_mclt_s < expected_s
                           ? lane->plan->expect_mclt_s
                           : expected_s;
    if (expected_s != 0 && (r->lease_s < least_s || r->lease_s > expected_s)) {
        flags |= EVENT_SHORT_LEASE;
    }
    if (r->has_mask) {
        if (inet_is_zero(relay->mask)) {
            relay->mask = r->mask;
        } else if (!inet_equal(relay->mask, r->mask)) {
            flags |= EVENT_MASK_CHANGED;
        }
    }
    if (source_port != DHCP4_SERVER_PORT) {
        flags |= EVENT_WRONG_PORT;
    }
    return (uint16_t)flags;
}

static void count_lease(struct lane *lane, struct client *c, enum event_kind kind, struct event *e)
{
    struct results *r = &lane->results;
    if (kind == EVENT_RENEW || kind == EVENT_REBIND) {
        results_count(r, kind == EVENT_RENEW ? COUNTER_leases_renewed : COUNTER_leases_rebound);
        if (kind == EVENT_RENEW && c->tries > 1) {
            results_count(r, COUNTER_renew_retried);
        }
    } else if (client_has(c, CLIENT_HAD_LEASE)) {
        results_count(r, COUNTER_leases_reacquired);
    } else {
        results_count(r, COUNTER_leases_acquired);
        e->flags |= EVENT_FIRST_LEASE;
        if (client_has(c, CLIENT_FAILED_COUNTED)) {
            results_count(r, COUNTER_leases_late_bound);
            e->flags |= EVENT_LATE_BOUND;
        }
    }
}

static void set_lease(struct lane *lane, uint32_t local, const struct dhcp4_reply *r)
{
    struct client *c = lane_client(lane, local);
    struct lease_terms terms = {
        .lease_s = r->lease_s,
        .t1_s = r->t1_s,
        .t2_s = r->t2_s,
        .has_t1 = r->has_t1,
        .has_t2 = r->has_t2,
    };
    /* RFC 2131 4.4.1: the lease counts from when the answered REQUEST was first sent. */
    c->lease_ns = client_at_us(c, c->message_sent_us);
    struct lease_spans spans =
        lease_spans_of(&terms, lane->plan->fuzz_permille, lane->plan->seed,
                       population_global(&lane->population, local), c->lease_count);
    c->t1_ms = spans.t1_ms;
    c->t2_ms = spans.t2_ms;
    c->expiry_ms = spans.expiry_ms;
    c->addr = r->yiaddr;
    c->server = r->server_id;
    c->lease_count = c->lease_count < UINT8_MAX ? (uint8_t)(c->lease_count + 1) : 1;
    client_set(c, CLIENT_HAD_LEASE);
    lane->typical_t1_ms = spans.t1_ms;
}

static void informed(struct lane *lane, uint32_t local, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    record_ack_latency(lane, c, EVENT_INFORM, at_ns);
    record(lane, local, EVENT_INFORM, EVENT_ACK, at_ns);
    client_set(c, CLIENT_ANSWERED);
    close_exchange(lane, c);
    lane_arm_timer(lane, local);
    lane_recount(lane, CLASS_BOUND, true, c);
}

void lane_acked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                const struct lane_packet *packet)
{
    struct client *c = lane_client(lane, local);
    if (c->state == LEASE_BOUND) {
        informed(lane, local, packet->at_ns);
        return;
    }
    enum client_class before = lane_class_of(c);
    enum event_kind kind = kind_of(c);
    bool is_changed = kind != EVENT_ACQUIRE && !inet_equal(c->addr, r->yiaddr);
    uint32_t since_renew_us = c->offer_us;
    c->server = r->server_id;
    record_ack_latency(lane, c, kind, packet->at_ns);
    struct event e =
        lane_event(lane, local, kind,
                   is_changed && kind != EVENT_REBOOT ? EVENT_CHANGED : EVENT_ACK, packet->at_ns);
    e.addr = r->yiaddr;
    e.lease_s = r->lease_s;
    e.flags = (uint16_t)(e.flags | check_ack(lane, local, r, packet->source_port));
    if (is_changed) {
        e.flags |= EVENT_ADDRESS_CHANGED;
    }
    if (kind == EVENT_REBIND) {
        uint64_t since_us = (uint64_t)since_renew_us + client_span_us(c, packet->at_ns);
        e.offer_us = since_us < EVENT_SPAN_MAX ? (uint32_t)since_us : EVENT_SPAN_MAX;
    }
    count_lease(lane, c, kind, &e);
    enum lease_action action = step(c, LEASE_ACK);
    assert(action == LEASE_BIND);
    (void)action;
    set_lease(lane, local, r);
    client_set(c, CLIENT_ANSWERED);
    close_exchange(lane, c);
    results_event(&lane->results, &e);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, true, c);
}

void lane_nakked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    enum event_kind kind = kind_of(c);
    uint8_t tries = c->tries;
    results_count(&lane->results, COUNTER_leases_nak);
    struct event e = lane_event(lane, local, kind, EVENT_NAK, at_ns);
    e.server = r->server_id;
    results_event(&lane->results, &e);
    bool was_in_stage = client_has(c, CLIENT_IN_STAGE) && kind == EVENT_ACQUIRE;
    uint64_t intended_ns = c->intended_ns;
    enum lease_action action = step(c, LEASE_NAK);
    assert(action == LEASE_RESTART);
    (void)action;
    client_set(c, CLIENT_ANSWERED);
    client_clear(c, CLIENT_WAITING);
    if (!was_in_stage) {
        lane_stage_finished(lane, c);
    }
    lane_recount(lane, before, true, c);
    if (lane->is_draining || lane->is_stopped) {
        lane_stage_finished(lane, c);
        lane_arm_timer(lane, local);
        return;
    }
    /* In its acquire stage it goes on with the slot, the deadline and the tries it has left. */
    lane_start_acquire(lane, local, kind == EVENT_ACQUIRE ? intended_ns : lane->now_ns,
                       was_in_stage);
    c->tries = kind == EVENT_ACQUIRE ? tries : 0;
}

/* --- deadlines --- */

/* The client did not get a lease by its deadline: counted once, though it goes on trying. */
static void count_failed(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    client_set(c, CLIENT_FAILED_COUNTED);
    results_count(&lane->results, COUNTER_leases_failed);
    struct event e = lane_event(lane, local, EVENT_ACQUIRE, EVENT_GAVE_UP, lane->now_ns);
    e.flags |= EVENT_DEADLINE;
    results_event(&lane->results, &e);
}

static void give_up(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    record(lane, local, kind_of(c), EVENT_GAVE_UP, lane->now_ns);
    enum lease_action action = step(c, LEASE_GIVE_UP);
    assert(action == LEASE_GAVE_UP || action == LEASE_KEEP);
    (void)action;
    close_exchange(lane, c);
}

static void retry(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    struct results *r = &lane->results;
    if (c->attempt >= SILENT_ATTEMPTS && !client_has(c, CLIENT_SILENT_COUNTED)) {
        client_set(c, CLIENT_SILENT_COUNTED);
        results_count(r, COUNTER_silent_streak);
    }
    if (client_has(c, CLIENT_IN_STAGE)) {
        uint64_t sent_ns = client_at_us(c, c->message_sent_us);
        r->counter[COUNTER_slot_wait_ns] +=
            c->attempt == 1 && lane->now_ns > sent_ns ? lane->now_ns - sent_ns : 0;
    }
    bool is_lease_timed = c->state == LEASE_RENEWING || c->state == LEASE_REBINDING;
    /* A NAK keeps the count of tries, so that a refusing server cannot keep a client for ever. */
    bool is_used_up =
        c->attempt >= lane->plan->acquire_tries || c->tries >= 4 * lane->plan->acquire_tries;
    if (!is_lease_timed && is_used_up) {
        give_up(lane, local);
        return;
    }
    enum lease_action action = step(c, LEASE_RETRANSMIT);
    assert(action != LEASE_UNEXPECTED);
    (void)action;
    lane_queue(lane, local);
}

static void begin_renewal(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (client_has(c, CLIENT_INFORMING)) {
        give_up(lane, local); /* one exchange at a time, and the lease comes first */
    }
    enum lease_action action = step(c, LEASE_T1);
    assert(action == LEASE_RENEW);
    (void)action;
    open_exchange(lane, local, client_lease_at_ns(c, c->t1_ms));
    lane_queue(lane, local);
}

static void begin_rebinding(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint64_t t2_ns = client_lease_at_ns(c, c->t2_ms);
    uint64_t renew_sent_ns = c->tries > 0 ? client_at_us(c, c->first_sent_us) : t2_ns;
    record(lane, local, EVENT_RENEW, EVENT_GAVE_UP, t2_ns);
    enum lease_action action = step(c, LEASE_T2);
    assert(action == LEASE_REBIND);
    (void)action;
    open_exchange(lane, local, t2_ns);
    c->offer_us = t2_ns > renew_sent_ns ? (uint32_t)((t2_ns - renew_sent_ns) / NS_PER_US) : 0;
    lane_queue(lane, local);
}

static void expire(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint64_t expiry_ns = client_lease_at_ns(c, c->expiry_ms);
    record(lane, local, kind_of(c), EVENT_GAVE_UP, expiry_ns);
    record(lane, local, EVENT_EXPIRE, EVENT_ENDED, expiry_ns);
    results_count(&lane->results, COUNTER_leases_expired);
    if (lane->paused_at_ns != 0 || client_has(c, CLIENT_PAUSED)) {
        results_count(&lane->results, COUNTER_expired_in_pause);
    }
    enum lease_action action = step(c, LEASE_EXPIRY);
    assert(action == LEASE_LOST);
    (void)action;
    close_exchange(lane, c);
}

/* One overdue deadline, the earliest first; false when there is none. */
static bool take_deadline(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint64_t now_ns = lane->now_ns;
    if (deadline_ns(lane, c) <= now_ns) {
        count_failed(lane, local);
    } else if (c->state == LEASE_BOUND && client_lease_at_ns(c, c->t1_ms) <= now_ns) {
        begin_renewal(lane, local);
    } else if (c->state == LEASE_RENEWING && client_lease_at_ns(c, c->t2_ms) <= now_ns) {
        begin_rebinding(lane, local);
    } else if ((c->state == LEASE_REBINDING || c->state == LEASE_REBOOTING) &&
               client_lease_at_ns(c, c->expiry_ms) <= now_ns) {
        expire(lane, local);
        return true;
    } else if (c->state == LEASE_DECLINED && client_retry_ns(c) <= now_ns) {
        enum lease_action action = step(c, LEASE_PAUSE_OVER);
        assert(action == LEASE_RESTART);
        (void)action;
        return true;
    } else if (retry_ns(c) <= now_ns) {
        retry(lane, local);
    } else {
        return false;
    }
    if (lane->paused_at_ns != 0) {
        client_set(c, CLIENT_PAUSED);
    }
    return true;
}

void lane_timer_fired(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    bool was_waiting = client_has(c, CLIENT_WAITING);
    bool begins_anew = false;
    while (take_deadline(lane, local)) {
        begins_anew = c->state == LEASE_EXPIRED || (c->state == LEASE_INIT);
        if (begins_anew) {
            break;
        }
    }
    lane_recount(lane, before, was_waiting, c);
    if (begins_anew) {
        reacquire(lane, local);
    }
    lane_arm_timer(lane, local);
}

void lane_abandon(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (!client_has(c, CLIENT_WAITING)) {
        return;
    }
    enum client_class before = lane_class_of(c);
    if (c->state == LEASE_RENEWING || c->state == LEASE_REBINDING) {
        record(lane, local, kind_of(c), EVENT_GAVE_UP, lane->now_ns);
        close_exchange(lane, c);
    } else {
        give_up(lane, local);
    }
    timer_wheel_cancel(lane->wheel, local);
    lane_recount(lane, before, true, c);
}
