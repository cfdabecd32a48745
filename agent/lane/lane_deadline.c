/* SPDX-License-Identifier: MIT */
/* A client acts by itself: retransmissions, T1, T2, expiry, deadlines. */
#include <assert.h>

#include "agent/lane/lane_internal.h"

enum { SILENT_ATTEMPTS = 3, QUERY_TRIES = 2 };

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_ns(const struct lane *lane, const struct client *c)
{
    bool never_bound = client_has(c, CLIENT_STARTED) && !client_has(c, CLIENT_HAD_LEASE);
    /* What a load asked for once is no acquire stage that failed. */
    return never_bound && !client_has(c, CLIENT_FAILED_COUNTED) && !client_has(c, CLIENT_SINGLE)
               ? c->intended_ns + lane->plan->acquire_deadline_ns
               : UINT64_MAX;
}

static uint64_t retry_ns(const struct client *c)
{
    /* While its packet waits to be sent there is nothing to repeat. */
    return client_has(c, CLIENT_WAITING) && !client_has(c, CLIENT_QUEUED) ? client_retry_ns(c)
                                                                          : UINT64_MAX;
}

/* The pause after a DECLINE begins when it is sent. */
static uint64_t pause_over_ns(const struct client *c)
{
    return client_has(c, CLIENT_QUEUED) ? UINT64_MAX : client_retry_ns(c);
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
    case LEASE_INIT_REBOOT:
        return earliest(client_lease_at_ns(c, c->expiry_ms), retry_ns(c));
    case LEASE_DECLINED:
        return pause_over_ns(c);
    case LEASE_FAILED:
        return deadline_ns(lane, c);
    case LEASE_RELEASED: /* a query */
        return retry_ns(c);
    case LEASE_INIT:
    case LEASE_EXPIRED:
    case LEASE_STATE_COUNT:
        break;
    }
    return UINT64_MAX;
}

uint64_t lane_timer_ns(const void *lane, uint32_t local)
{
    const struct lane *own = lane;
    return next_deadline_ns(own, &own->population.clients[local]);
}

void lane_arm_timer(struct lane *lane, uint32_t local)
{
    timer_wheel_set(lane->wheel, local, next_deadline_ns(lane, lane_client(lane, local)));
}

/* --- what they do --- */

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

void lane_give_up(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    lane_record(lane, local, lane_kind_of(c), EVENT_GAVE_UP, lane->now_ns);
    enum lease_action action = lane_step(c, LEASE_GIVE_UP);
    assert(action == LEASE_GAVE_UP || action == LEASE_KEEP);
    (void)action;
    lane_close_exchange(lane, c);
}

/*
 * Silent: no answer to its second retransmission, or to the last it may make. A renewal is not
 * counted: it asks one server, on a way of its own. That it stays unanswered says nothing of the
 * others, nor of what the relays bring; its rebinding will tell.
 */
static void count_silence(struct lane *lane, struct client *c, bool is_used_up)
{
    if (c->state == LEASE_RENEWING) {
        return;
    }
    if ((c->attempt >= SILENT_ATTEMPTS || is_used_up) && !client_has(c, CLIENT_SILENT_COUNTED)) {
        client_set(c, CLIENT_SILENT_COUNTED);
        results_count(&lane->results, COUNTER_silent_streak);
    }
}

/* How often a message is sent; a renewal until T2, a rebinding until expiry. */
static uint32_t tries_of(const struct lane *lane, const struct client *c)
{
    if (client_has(c, CLIENT_SINGLE)) {
        return 1;
    }
    if (client_has(c, CLIENT_QUERYING)) {
        return QUERY_TRIES;
    }
    bool is_lease_timed = c->state == LEASE_RENEWING || c->state == LEASE_REBINDING;
    return is_lease_timed ? UINT32_MAX : lane->plan->acquire_tries;
}

static void retry(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    bool is_used_up = c->attempt >= tries_of(lane, c);
    /* A load finds out what goes unanswered, and not every server knows queries. */
    bool is_ordinary = !client_has(c, CLIENT_SINGLE) && !client_has(c, CLIENT_QUERYING);
    if (is_ordinary) {
        count_silence(lane, c, is_used_up);
    }
    if (client_has(c, CLIENT_IN_STAGE) && is_ordinary) {
        /* The intent matters only to what is timed by its lease, and no stage begins that. */
        lane->results.counter[COUNTER_slot_wait_ns] += lane_wait_ns(lane, local, DHCP4_DISCOVER);
    }
    if (is_used_up) {
        lane_give_up(lane, local);
        return;
    }
    enum lease_action action = lane_step(c, LEASE_RETRANSMIT);
    assert(action != LEASE_UNEXPECTED);
    (void)action;
    lane_queue(lane, local);
}

static void begin_renewal(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (client_has(c, CLIENT_WAITING)) {
        lane_give_up(lane, local); /* one exchange at a time, and the lease comes first */
    }
    enum lease_action action = lane_step(c, LEASE_T1);
    assert(action == LEASE_RENEW);
    (void)action;
    lane_open_exchange(lane, local, client_lease_at_ns(c, c->t1_ms));
    lane_queue(lane, local);
}

static void begin_rebinding(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint64_t t2_ns = client_lease_at_ns(c, c->t2_ms);
    uint64_t renew_sent_ns = c->tries > 0 ? client_at_us(c, c->first_sent_us) : t2_ns;
    lane_record(lane, local, EVENT_RENEW, EVENT_GAVE_UP, t2_ns);
    lane_stage_finished(lane, c); /* a load's; the rebinding is the client's own */
    enum lease_action action = lane_step(c, LEASE_T2);
    assert(action == LEASE_REBIND);
    (void)action;
    lane_open_exchange(lane, local, t2_ns);
    uint64_t since_us = t2_ns > renew_sent_ns ? (t2_ns - renew_sent_ns) / NS_PER_US : 0;
    c->offer_us = since_us < EVENT_SPAN_MAX ? (uint32_t)since_us : EVENT_SPAN_MAX;
    lane_queue(lane, local);
}

static void end_lease(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint64_t expiry_ns = client_lease_at_ns(c, c->expiry_ms);
    lane_record(lane, local, EVENT_EXPIRE, EVENT_ENDED, expiry_ns);
    results_count(&lane->results, COUNTER_leases_expired);
    if (lane->paused_at_ns != 0 || client_has(c, CLIENT_PAUSED)) {
        results_count(&lane->results, COUNTER_expired_in_pause);
    }
    enum lease_action action = lane_step(c, LEASE_EXPIRY);
    assert(action == LEASE_LOST);
    (void)action;
    lane_close_exchange(lane, c);
}

static void expire(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (c->state != LEASE_INIT_REBOOT) { /* there nothing was asked yet */
        lane_record(lane, local, lane_kind_of(c), EVENT_GAVE_UP,
                    client_lease_at_ns(c, c->expiry_ms));
    }
    end_lease(lane, local);
}

/* No T1 or T2 lies between it and the end of its lease. */
static bool ends_at_expiry(const struct client *c)
{
    return c->state == LEASE_REBINDING || c->state == LEASE_REBOOTING ||
           c->state == LEASE_INIT_REBOOT;
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
    } else if (ends_at_expiry(c) && client_lease_at_ns(c, c->expiry_ms) <= now_ns) {
        expire(lane, local);
        return true;
    } else if (c->state == LEASE_DECLINED && pause_over_ns(c) <= now_ns) {
        enum lease_action action = lane_step(c, LEASE_PAUSE_OVER);
        assert(action == LEASE_RESTART);
        (void)action;
        return true;
    } else if (retry_ns(c) <= now_ns) {
        retry(lane, local);
    } else {
        return false;
    }
    /* What a pause left waiting is still the pause's doing while the backlog is worked off. */
    if (lane->paused_at_ns != 0 || lane->gate.is_catching_up) {
        client_set(c, CLIENT_PAUSED);
    }
    return true;
}

/*
 * Refused, lost or paused long enough: acquires again at once, outside batch and rate; but not
 * in a stage by arrivals, which says itself how much is acquired.
 */
static void reacquire(struct lane *lane, uint32_t local)
{
    if (!lane_is_ending(lane) && !lane_is_by_arrival(lane)) {
        lane_start_acquire(lane, local, lane->now_ns, 0);
    }
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

bool lane_lapse(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (!client_is_bound(c) || client_has(c, CLIENT_WAITING) ||
        client_lease_at_ns(c, c->expiry_ms) > lane->now_ns) {
        return false;
    }
    enum client_class before = lane_class_of(c);
    while (!ends_at_expiry(c)) {
        enum lease_action action = lane_step(c, c->state == LEASE_BOUND ? LEASE_T1 : LEASE_T2);
        assert(action != LEASE_UNEXPECTED);
        (void)action;
    }
    end_lease(lane, local);
    lane_recount(lane, before, false, c);
    return true;
}

void lane_abandon(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    timer_wheel_cancel(lane->wheel, local);
    /* Its deadline will not come any more, and neither will its lease. */
    bool has_failed = deadline_ns(lane, c) != UINT64_MAX;
    if (!client_has(c, CLIENT_WAITING)) {
        if (has_failed) {
            count_failed(lane, local);
        }
        return;
    }
    enum client_class before = lane_class_of(c);
    if (c->state == LEASE_RENEWING || c->state == LEASE_REBINDING) {
        /* No event: neither T2 nor expiry came, the lease is still held. */
        lane_close_exchange(lane, c);
    } else {
        lane_give_up(lane, local);
    }
    lane_recount(lane, before, true, c);
    if (has_failed) {
        count_failed(lane, local);
    }
}
