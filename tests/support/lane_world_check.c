/* SPDX-License-Identifier: MIT */
/* What came of it: questions tests ask, and the accounting that must hold after every run. */
#include <assert.h>
#include <string.h>

#include "tests/support/lane_world.h"

uint64_t lane_world_counter(const struct lane_world *w, enum snapshot_counter c)
{
    static struct snapshot snapshot;
    lane_snapshot(w->lane, &snapshot);
    return snapshot.counter[c];
}

size_t lane_world_count_events(const struct lane_world *w, enum event_kind kind,
                               enum event_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < w->event_count; i++) {
        count += w->events[i].kind == kind && w->events[i].result == result;
    }
    return count;
}

size_t lane_world_count_sent(const struct lane_world *w, enum dhcp4_intent intent)
{
    size_t count = 0;
    for (size_t i = 0; i < w->sent_count; i++) {
        count += w->sent[i].intent == intent && w->sent[i].error == 0;
    }
    return count;
}

const struct lane_world_sent *lane_world_nth(const struct lane_world *w, uint32_t client,
                                             enum dhcp4_intent intent, size_t n)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct lane_world_sent *s = &w->sent[i];
        /* Copies to the second and later servers are not another packet. */
        bool is_copy = i > 0 && w->sent[i - 1].client == client && s[-1].intent == s->intent &&
                       s[-1].at_ns == s->at_ns && !inet_equal(s[-1].destination, s->destination);
        if (s->client == client && s->intent == intent && !is_copy && n-- == 0) {
            return s;
        }
    }
    return NULL;
}

const struct lane_world_sent *lane_world_last(const struct lane_world *w, uint32_t client)
{
    for (size_t i = w->sent_count; i > 0; i--) {
        if (w->sent[i - 1].client == client) {
            return &w->sent[i - 1];
        }
    }
    assert(false); /* it has not sent anything */
    return NULL;
}

const struct event *lane_world_event(const struct lane_world *w, uint32_t client,
                                     enum event_kind kind, size_t n)
{
    for (size_t i = 0; i < w->event_count; i++) {
        if (w->events[i].client == client && w->events[i].kind == kind && n-- == 0) {
            return &w->events[i];
        }
    }
    return NULL;
}

uint64_t lane_world_peak_per_s(const struct lane_world *w, uint64_t from_ns)
{
    uint64_t peak = 0;
    size_t first = 0;
    for (size_t i = 0; i < w->sent_count; i++) {
        while (w->sent[first].at_ns + NS_PER_S <= w->sent[i].at_ns ||
               w->sent[first].at_ns < from_ns) {
            if (first == i) {
                break;
            }
            first++;
        }
        if (w->sent[i].at_ns >= from_ns && i - first + 1 > peak) {
            peak = i - first + 1;
        }
    }
    return peak;
}

/* --- accounting --- */

static void check_packets(const struct lane_world *w, const uint64_t *c)
{
    static const enum snapshot_counter sent[DHCP4_INTENT_COUNT] = {
        [DHCP4_DISCOVER] = COUNTER_sent_discover, [DHCP4_REQUEST] = COUNTER_sent_request,
        [DHCP4_RENEW] = COUNTER_sent_renew,       [DHCP4_REBIND] = COUNTER_sent_rebind,
        [DHCP4_REBOOT] = COUNTER_sent_reboot,     [DHCP4_DECLINE] = COUNTER_sent_decline,
        [DHCP4_RELEASE] = COUNTER_sent_release,   [DHCP4_INFORM] = COUNTER_sent_inform,
        [DHCP4_QUERY] = COUNTER_sent_query,
    };
    uint64_t by_intent[DHCP4_INTENT_COUNT] = {0}, errors = 0;
    for (size_t i = 0; i < w->sent_count; i++) {
        by_intent[w->sent[i].intent] += w->sent[i].error == 0;
        errors += w->sent[i].error != 0;
    }
    for (int i = 0; i < DHCP4_INTENT_COUNT; i++) {
        assert(c[sent[i]] == by_intent[i]);
    }
    assert(c[COUNTER_send_errors] == errors);
    uint64_t types = c[COUNTER_received_offer] + c[COUNTER_received_ack] + c[COUNTER_received_nak] +
                     c[COUNTER_received_other] + c[COUNTER_received_malformed];
    uint64_t fates = c[COUNTER_fate_answer] + c[COUNTER_fate_late] + c[COUNTER_fate_duplicate] +
                     c[COUNTER_fate_alien] + c[COUNTER_fate_misrouted] + c[COUNTER_fate_malformed];
    assert(types == w->arrived);
    assert(fates == w->arrived);
}

struct lease_sums {
    uint64_t acquired, reacquired, late_bound, renewed, rebound, expired, released, failed, nak;
    uint64_t preflight;
};

static void add_event(struct lease_sums *sums, const struct event *e)
{
    bool has_lease = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    bool is_first = (e->flags & EVENT_FIRST_LEASE) != 0;
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        sums->preflight++;
        return;
    }
    sums->acquired += has_lease && e->kind == EVENT_ACQUIRE && is_first;
    sums->reacquired +=
        has_lease && ((e->kind == EVENT_ACQUIRE && !is_first) || e->kind == EVENT_REBOOT);
    sums->late_bound += has_lease && (e->flags & EVENT_LATE_BOUND) != 0;
    sums->renewed += has_lease && e->kind == EVENT_RENEW;
    sums->rebound += has_lease && e->kind == EVENT_REBIND;
    sums->expired += e->result == EVENT_ENDED;
    sums->released += e->kind == EVENT_RELEASE && e->tries > 0;
    sums->failed += (e->flags & EVENT_DEADLINE) != 0;
    sums->nak += e->result == EVENT_NAK;
}

static void check_events(const struct lane_world *w, const uint64_t *c)
{
    const struct event *pending;
    size_t pending_count = lane_events(w->lane, &pending);
    struct lease_sums sums = {0};
    for (size_t i = 0; i < w->event_count; i++) {
        add_event(&sums, &w->events[i]);
    }
    for (size_t i = 0; i < pending_count; i++) {
        add_event(&sums, &pending[i]);
    }
    assert(c[COUNTER_events] == w->event_count + pending_count);
    assert(c[COUNTER_preflight_events] == sums.preflight);
    if (c[COUNTER_results_coalesced] > 0) {
        return; /* successes were folded: fewer events than counted */
    }
    assert(c[COUNTER_leases_acquired] == sums.acquired);
    assert(c[COUNTER_leases_reacquired] == sums.reacquired);
    assert(c[COUNTER_leases_late_bound] == sums.late_bound);
    assert(c[COUNTER_leases_renewed] == sums.renewed);
    assert(c[COUNTER_leases_rebound] == sums.rebound);
    assert(c[COUNTER_leases_expired] == sums.expired);
    assert(c[COUNTER_leases_released] == sums.released);
    assert(c[COUNTER_leases_failed] == sums.failed);
    assert(c[COUNTER_leases_nak] == sums.nak);
}

/* The last word about each client, from the events alone. */
static void check_clients(const struct lane_world *w, const uint64_t *c)
{
    assert(c[COUNTER_clients_assigned] == w->plan.client_count - w->clients_elsewhere);
    assert(c[COUNTER_clients_bound] + c[COUNTER_clients_released] + c[COUNTER_clients_expired] +
               c[COUNTER_clients_failed] + c[COUNTER_clients_never_started] ==
           c[COUNTER_clients_assigned]);
    assert(c[COUNTER_exchanges_open] <= c[COUNTER_clients_assigned]);
    assert(c[COUNTER_leases_acquired] <= c[COUNTER_clients_assigned]);
    assert(c[COUNTER_leases_failed] <= c[COUNTER_clients_assigned]);
    assert(c[COUNTER_leases_late_bound] <= c[COUNTER_leases_failed]);
    assert(c[COUNTER_expired_in_pause] <= c[COUNTER_leases_expired]);
}

void lane_world_check(const struct lane_world *w)
{
    static struct snapshot snapshot;
    lane_snapshot(w->lane, &snapshot);
    check_packets(w, snapshot.counter);
    check_events(w, snapshot.counter);
    check_clients(w, snapshot.counter);
    uint64_t unexpected = 0;
    for (uint32_t i = 0; i < snapshot.unexpected_count; i++) {
        unexpected += snapshot.unexpected[i].count;
    }
    assert(unexpected == snapshot.counter[COUNTER_unexpected]);
}
