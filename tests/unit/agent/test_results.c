/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lane/results.h"

enum { SERVERS = 2, STAGES = 3 };

static int set_up(void **state)
{
    static struct plan plan;
    plan = (struct plan){.server_count = SERVERS, .stage_count = STAGES};
    struct results *r = malloc(sizeof(*r));
    *state = r;
    return r != NULL && results_init(r, &plan) ? 0 : -1;
}

static int tear_down(void **state)
{
    results_fini(*state);
    free(*state);
    return 0;
}

static struct event event_of(enum event_kind kind, enum event_result result)
{
    return (struct event){.kind = (uint8_t)kind, .result = (uint8_t)result};
}

static void failures_are_never_folded_however_full_the_way_is(void **state)
{
    struct results *r = *state;
    r->pressure_permille = 1000;
    static const enum event_result failures[] = {EVENT_NAK, EVENT_GAVE_UP, EVENT_CHANGED,
                                                 EVENT_ENDED};
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct event e = event_of(EVENT_RENEW, failures[i]);
        results_event(r, &e);
    }
    assert_int_equal(r->event_count, ARRAY_LEN(failures));
    assert_int_equal(r->counter[COUNTER_results_coalesced], 0);
}

static void successes_are_folded_from_three_quarters_on_and_counted(void **state)
{
    struct results *r = *state;
    struct event ack = event_of(EVENT_RENEW, EVENT_ACK), sent = event_of(EVENT_RELEASE, EVENT_SENT);
    r->pressure_permille = 749;
    results_event(r, &ack);
    assert_int_equal(r->event_count, 1);
    r->pressure_permille = 750;
    results_event(r, &ack);
    results_event(r, &sent);
    assert_int_equal(r->event_count, 1);
    assert_int_equal(r->counter[COUNTER_events], 1);
    assert_int_equal(r->counter[COUNTER_results_coalesced], 2);
}

static void what_does_not_fit_any_more_is_counted_not_written_beyond(void **state)
{
    struct results *r = *state;
    struct event nak = event_of(EVENT_ACQUIRE, EVENT_NAK);
    for (unsigned i = 0; i < LANE_EVENTS_MAX + 10; i++) {
        assert_int_equal(results_has_room(r), i < LANE_EVENTS_MAX / 2);
        results_event(r, &nak);
    }
    assert_int_equal(r->event_count, LANE_EVENTS_MAX);
    assert_int_equal(r->counter[COUNTER_events], LANE_EVENTS_MAX);
    assert_int_equal(r->counter[COUNTER_results_coalesced], 10);
}

static void taking_some_events_keeps_the_rest_in_order(void **state)
{
    struct results *r = *state;
    for (uint32_t i = 0; i < 10; i++) {
        struct event e = event_of(EVENT_RENEW, EVENT_ACK);
        e.client = i;
        results_event(r, &e);
    }
    results_events_taken(r, 4);
    assert_int_equal(r->event_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(r->events[i].client, i + 4);
    }
    results_events_taken(r, 6);
    assert_int_equal(r->event_count, 0);
}

static void preflight_events_are_counted_apart(void **state)
{
    struct results *r = *state;
    struct event e = event_of(EVENT_ACQUIRE, EVENT_ACK);
    results_event(r, &e);
    e.flags = EVENT_PREFLIGHT;
    results_event(r, &e);
    assert_int_equal(r->counter[COUNTER_events], 2);
    assert_int_equal(r->counter[COUNTER_preflight_events], 1);
}

static uint64_t samples(const struct results *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->histogram_count; i++) {
        sum += r->histograms[i].h.count;
    }
    return sum;
}

static void latencies_of_preflight_or_of_an_unknown_server_are_not_recorded(void **state)
{
    struct results *r = *state;
    results_latency(r, LATENCY_ACQUIRE, LATENCY_INTENDED, 0, SNAPSHOT_STAGE_PREFLIGHT, 5);
    results_latency(r, LATENCY_ACQUIRE, LATENCY_INTENDED, SERVERS, 0, 5);
    results_latency(r, LATENCY_ACQUIRE, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 0, 5);
    results_latency(r, LATENCY_ACQUIRE, LATENCY_INTENDED, 0, STAGES, 5);
    assert_int_equal(samples(r), 0);
}

/* Each (metric, clock, server, stage) has a place of its own, named as what it holds. */
static void every_histogram_has_its_own_place_and_name(void **state)
{
    struct results *r = *state;
    uint64_t expected = 0;
    for (unsigned m = 0; m < LATENCY_METRIC_COUNT; m++) {
        bool is_per_server = m < LATENCY_SEND_LAG;
        for (unsigned clock = 0; clock < (is_per_server ? LATENCY_CLOCK_COUNT : 1U); clock++) {
            for (uint8_t server = 0; server < (is_per_server ? SERVERS : 1); server++) {
                for (uint8_t stage = 0; stage < STAGES; stage++) {
                    results_latency(r, (enum latency_metric)m, (enum latency_clock)clock, server,
                                    stage, 1000 + expected);
                    expected++;
                }
            }
        }
    }
    assert_int_equal(r->histogram_count, expected);
    for (size_t i = 0; i < r->histogram_count; i++) {
        const struct results_histogram *h = &r->histograms[i];
        assert_int_equal(h->h.count, 1);
        assert_int_equal(h->version, 1);
        assert_true(histogram_key_is_valid(h->key));
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(&h->key, &r->histograms[k].key, sizeof(h->key));
        }
    }
}

static void send_errors_are_kept_by_errno_message_and_destination(void **state)
{
    struct results *r = *state;
    struct ipv4 a = inet_from_host(1), b = inet_from_host(2);
    results_send_error(r, EPERM, 2, a);
    results_send_error(r, EPERM, 2, a);
    results_send_error(r, EPERM, 2, b);
    results_send_error(r, ENOBUFS, 2, a);
    results_send_error(r, EPERM, 3, a);
    assert_int_equal(r->send_error_count, 4);
    assert_int_equal(r->send_error[0].count, 2);
    assert_int_equal(r->counter[COUNTER_send_errors], 5);
    for (int error = 1; error < 200; error++) {
        results_send_error(r, error, 0, a);
    }
    assert_int_equal(r->send_error_count, SNAPSHOT_SEND_ERRORS_MAX);
    assert_int_equal(r->counter[COUNTER_send_errors], 204);
}

static void unexpected_pairs_are_counted_per_pair(void **state)
{
    struct results *r = *state;
    static struct snapshot snapshot;
    results_unexpected(r, LEASE_BOUND, LEASE_ACK);
    results_unexpected(r, LEASE_BOUND, LEASE_ACK);
    results_unexpected(r, LEASE_SELECTING, LEASE_NAK);
    results_snapshot(r, &snapshot);
    assert_int_equal(snapshot.unexpected_count, 2);
    assert_int_equal(snapshot.unexpected[0].state, LEASE_SELECTING);
    assert_int_equal(snapshot.unexpected[1].count, 2);
    assert_int_equal(snapshot.counter[COUNTER_unexpected], 3);
}

/* More pairs than a snapshot holds: those that fit are told, the counter has them all. */
static void more_unexpected_pairs_than_a_snapshot_holds_do_no_harm(void **state)
{
    struct results *r = *state;
    static struct snapshot snapshot;
    for (int s = 0; s < LEASE_STATE_COUNT; s++) {
        for (int e = 0; e < LEASE_EVENT_COUNT; e++) {
            results_unexpected(r, (enum lease_state)s, (enum lease_event)e);
        }
    }
    results_snapshot(r, &snapshot);
    assert_true(snapshot.unexpected_count <= SNAPSHOT_UNEXPECTED_MAX);
    assert_int_equal(snapshot.counter[COUNTER_unexpected], LEASE_STATE_COUNT * LEASE_EVENT_COUNT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_are_never_folded_however_full_the_way_is),
        TEST(successes_are_folded_from_three_quarters_on_and_counted),
        TEST(what_does_not_fit_any_more_is_counted_not_written_beyond),
        TEST(taking_some_events_keeps_the_rest_in_order),
        TEST(preflight_events_are_counted_apart),
        TEST(latencies_of_preflight_or_of_an_unknown_server_are_not_recorded),
        TEST(every_histogram_has_its_own_place_and_name),
        TEST(send_errors_are_kept_by_errno_message_and_destination),
        TEST(unexpected_pairs_are_counted_per_pair),
        TEST(more_unexpected_pairs_than_a_snapshot_holds_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
