/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/result.h"
#include "coordinator/truth/observers.h"

#define S_US INT64_C(1000000)

static struct plan plan;
static struct observers *o;
static char news[OBSERVERS_NEWS_BYTES];

static void join(const char *name, uint32_t address)
{
    const struct ipv4 addresses[] = {inet_from_host(0x0a000001), inet_from_host(address)};
    const struct control_observer_hello hello = {.build = "b",
                                                 .host = "host-1",
                                                 .program = "dhcpd",
                                                 .epoch = 1,
                                                 .addresses = addresses,
                                                 .address_count = 2};
    assert_true(observers_join(o, name, &hello));
}

static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){.server_count = 2};
    (void)strcpy(plan.servers[0].name, "a");
    (void)strcpy(plan.servers[1].name, "b");
    plan.servers[0].address = inet_from_host(0xc0a8010c);
    plan.servers[1].address = inet_from_host(0xc0a8020c);
    o = observers_new(&plan);
    return o == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    observers_free(o);
    return 0;
}

static struct observation frame_of(uint64_t instance)
{
    return (struct observation){.seq = 1, .at_ns = 1, .instance = instance};
}

static void add(size_t index, double at_s, const struct observation *frame)
{
    assert_true(observers_add(o, index, (int64_t)llround(at_s * 1e6), 100, frame, news));
}

/* A counter and a gauge. */
static void tell(double at_s, double acks, double threads)
{
    struct observation frame = frame_of(7);
    observation_set(&frame, OBSERVER_log_acks, acks);
    observation_set(&frame, OBSERVER_threads, threads);
    add(0, at_s, &frame);
}

static double delta(double from_s, double until_s)
{
    double value = NAN;
    assert_int_equal(observers_delta(o, 0, OBSERVER_log_acks, from_s, until_s, &value),
                     AVAILABLE_OK);
    return value;
}

static void nobody_answers_for_a_server_that_is_not_watched(void **state)
{
    double value = 5, until_s;
    (void)state;
    join("stranger", 0x0b000001);
    join("o1", 0xc0a8010c);
    assert_int_equal(observers_server_of(o, 0), OBSERVERS_NO_SERVER);
    assert_int_equal(observers_server_of(o, 1), 0);
    assert_false(observers_has(o, 0)); /* no frame yet */
    assert_false(observers_span(o, 0, &value, &until_s));
    assert_int_equal(observers_delta(o, 0, OBSERVER_log_acks, 0, 9, &value),
                     AVAILABLE_NOT_APPLICABLE);
    struct observation frame = frame_of(7);
    add(0, 1, &frame);
    assert_false(observers_has(o, 0));
    add(1, 1, &frame);
    assert_true(observers_has(o, 0));
    assert_false(observers_has(o, 1));
    assert_string_equal(observers_note(o, 1, NOTE_NAT_RULE), "");
    assert_true(value == 5);
}

/* Whose word counts when two tell of different processes? Nobody can tell, so nobody's does. */
static void a_server_that_two_claim_has_no_observer(void **state)
{
    double value = 0, until_s;
    struct observation frame = frame_of(7), lie = frame_of(8);
    unsigned told = 0;
    (void)state;
    join("liar", 0xc0a8010c);
    join("o1", 0xc0a8010c);
    join("o2", 0xc0a8020c);
    observation_set(&lie, OBSERVER_threads, 3);
    observation_set_note(&lie, NOTE_NAT_RULE, "dnat to me");
    add(0, 0, &lie);
    assert_true(observers_has(o, 0)); /* the other has said nothing yet */
    for (int i = 1; i < 20; i++) {
        add(0, i, &lie);
        assert_string_equal(news, "");
        add(2, i, &frame);
        assert_string_equal(news, "");
        add(1, i, &frame);
        told += strcmp(news, "observers liar and o1 both say they are on server a, and tell of "
                             "different processes: neither decides findings") == 0;
        assert_true(told > 0 || news[0] == '\0');
        assert_false(observers_has(o, 0));
    }
    assert_int_equal(told, 1);
    assert_false(observers_span(o, 0, &value, &until_s));
    assert_int_equal(observers_last(o, 0, OBSERVER_threads, 0, 99, &value),
                     AVAILABLE_NOT_APPLICABLE);
    assert_string_equal(observers_note(o, 0, NOTE_NAT_RULE), "");
    lie.instance = frame.instance = 0;
    add(0, 30, &lie); /* and what they say is said as theirs */
    assert_string_equal(news, "observer liar: dhcpd ended");
    add(2, 30, &frame);
    assert_string_equal(news, "b: dhcpd ended");
    assert_true(observers_has(o, 1));
}

/* As of one that may see all and one that may not: they differ for a moment, at restarts. */
static void of_two_that_watch_one_process_the_first_answers(void **state)
{
    double value = 0;
    struct observation frame = frame_of(7);
    (void)state;
    join("o1", 0xc0a8010c);
    join("o2", 0xc0a8010c);
    for (int i = 1; i < 20; i++) {
        frame.instance = i < 10 ? 7 : 8;
        observation_set(&frame, OBSERVER_threads, 1);
        add(0, i, &frame);
        assert_string_equal(news, i == 10 ? "a: dhcpd was restarted" : "");
        frame.instance = i < 12 ? 7 : 8;
        observation_set(&frame, OBSERVER_threads, 2);
        add(1, i, &frame);
        assert_string_equal(news, i == 12 ? "observer o2: dhcpd was restarted" : "");
    }
    assert_int_equal(observers_last(o, 0, OBSERVER_threads, 0, 99, &value), AVAILABLE_OK);
    assert_true(value == 1);
}

/* It names its host and program itself: neither passes for a server of the plan. */
static void news_of_a_stranger_are_said_as_its_own(void **state)
{
    const struct control_observer_hello hello = {
        .build = "b", .host = "a", .program = "dhcpd", .epoch = 1};
    struct observation frame = frame_of(7);
    (void)state;
    assert_true(observers_join(o, "stranger", &hello));
    add(0, 1, &frame);
    frame.instance = 0;
    add(0, 2, &frame);
    assert_string_equal(news, "observer stranger: dhcpd ended");
}

static void no_more_join_than_there_can_be_servers(void **state)
{
    const struct control_observer_hello hello = {.address_count = 0};
    (void)state;
    for (int i = 0; i < OBSERVERS_MAX; i++) {
        assert_true(observers_join(o, "o", &hello));
    }
    assert_false(observers_join(o, "o", &hello));
    assert_int_equal(observers_count(o), OBSERVERS_MAX);
}

static void growth_is_between_the_latest_frames_of_both_ends(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    tell(-0.5, 100, 1);
    tell(0.5, 110, 1);
    tell(1.5, 130, 1);
    tell(2.5, 160, 1);
    assert_true(delta(0, 2) == 30); /* 130 - 100 */
    assert_true(delta(0.5, 2.5) == 50);
    assert_true(delta(-9, 99) == 60); /* from the first there is */
    double value = 5;
    assert_int_equal(observers_delta(o, 0, OBSERVER_log_acks, 1.6, 2.4, &value),
                     AVAILABLE_NOT_APPLICABLE); /* one figure for both */
    assert_int_equal(observers_delta(o, 0, OBSERVER_threads, 0, 9, &value),
                     AVAILABLE_NOT_APPLICABLE); /* no counter */
    assert_true(value == 5);
}

static void a_counter_that_falls_begins_anew_and_never_counts_below_0(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    tell(1, 1000, 1);
    tell(2, 1010, 1);
    struct observation frame = frame_of(8); /* restarted */
    observation_set(&frame, OBSERVER_log_acks, 3);
    add(0, 3, &frame);
    assert_string_equal(news, "a: dhcpd was restarted");
    observation_set(&frame, OBSERVER_log_acks, 8);
    add(0, 4, &frame);
    assert_true(delta(0, 9) == 15);
    assert_true(delta(2.5, 3.5) == 0);
}

static struct result *filled(double run_end_s, double seconds)
{
    struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->timeline.interval_s = 1;
    r->timeline.count = (size_t)seconds;
    assert_true(observers_fill(o, run_end_s, r));
    return r;
}

/* One that lies up and down again and again reaches no number that others cannot write. */
static void growth_has_an_end(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    for (int i = 0; i < 100; i++) {
        tell(i, i % 2 == 0 ? 0 : OBSERVATION_VALUE_MAX, 1);
    }
    assert_true(delta(0, 100) == OBSERVATION_VALUE_MAX);
    struct result *r = filled(100, 100);
    assert_true(r->observers[0].metric[OBSERVER_log_acks].difference == OBSERVATION_VALUE_MAX);
    result_free(r);
    free(r);
}

static void what_could_not_be_had_is_no_0_and_says_why(void **state)
{
    double value = 5;
    struct observation frame = frame_of(7);
    (void)state;
    join("o1", 0xc0a8010c);
    observation_lacks(&frame, OBSERVER_wait_fsync, AVAILABLE_NO_PERMISSION);
    observation_set(&frame, OBSERVER_log_acks, 10);
    add(0, 1, &frame);
    observation_lacks(&frame, OBSERVER_log_acks, AVAILABLE_NO_PERMISSION);
    add(0, 2, &frame);
    assert_int_equal(observers_delta(o, 0, OBSERVER_wait_fsync, 0, 9, &value),
                     AVAILABLE_NO_PERMISSION);
    assert_int_equal(observers_delta(o, 0, OBSERVER_log_acks, 0, 9, &value),
                     AVAILABLE_NO_PERMISSION);
    assert_int_equal(observers_last(o, 0, OBSERVER_threads, 0, 9, &value),
                     AVAILABLE_NOT_APPLICABLE);
    assert_true(value == 5);
    observation_set(&frame, OBSERVER_log_acks, 25); /* over the gap */
    add(0, 3, &frame);
    assert_true(delta(0, 9) == 15);
}

static void gauges_have_a_largest_and_a_last_of_the_window(void **state)
{
    double value = NAN;
    (void)state;
    join("o1", 0xc0a8010c);
    tell(1, 0, 4);
    tell(2, 0, 9);
    tell(3, 0, 5);
    assert_int_equal(observers_max(o, 0, OBSERVER_threads, 0, 9, &value), AVAILABLE_OK);
    assert_true(value == 9);
    assert_int_equal(observers_max(o, 0, OBSERVER_threads, 2.5, 9, &value), AVAILABLE_OK);
    assert_true(value == 5);
    assert_int_equal(observers_last(o, 0, OBSERVER_threads, 0, 2.9, &value), AVAILABLE_OK);
    assert_true(value == 9);
    assert_int_equal(observers_last(o, 0, OBSERVER_threads, 3.5, 9, &value),
                     AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(observers_max(o, 0, OBSERVER_log_acks, 0, 9, &value),
                     AVAILABLE_NOT_APPLICABLE);
}

static void a_frame_that_is_not_later_is_passed_over(void **state)
{
    double from_s, until_s;
    (void)state;
    join("o1", 0xc0a8010c);
    tell(2, 10, 1);
    tell(2, 99, 1);
    tell(1, 5, 1);
    assert_true(observers_span(o, 0, &from_s, &until_s));
    assert_true(from_s == 2 && until_s == 2);
}

/* 20,000 frames: growth stays exact, peaks stay seen, memory does not grow. */
static void a_long_run_keeps_growth_and_peaks_in_bounded_rows(void **state)
{
    double value = NAN;
    (void)state;
    join("o1", 0xc0a8010c);
    for (int i = 0; i < 20000; i++) {
        tell(i, 3.0 * i, i == 777 ? 1000 : 2);
    }
    assert_true(delta(-1, 1e6) == 3.0 * 19999);
    double part = delta(5000, 15000);
    assert_true(part >= 3.0 * (10000 - 8) && part <= 3.0 * (10000 + 8));
    assert_int_equal(observers_max(o, 0, OBSERVER_threads, 700, 800, &value), AVAILABLE_OK);
    assert_true(value == 1000);
    struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_true(observers_fill(o, 20000, r));
    assert_true(r->observers[0].metric[OBSERVER_threads].max == 1000);
    assert_true(r->observers[0].metric[OBSERVER_log_acks].difference == 3.0 * 19999);
    assert_int_equal(r->observers[0].frames, 20000);
    result_free(r);
    free(r);
}

/* --- the band --- */

static void stand(double at_s, uint64_t instance, enum failover_state own)
{
    struct observation frame = frame_of(instance);
    observation_set(&frame, OBSERVER_failover_own, own);
    observation_set(&frame, OBSERVER_failover_partner, FAILOVER_NORMAL);
    add(0, at_s, &frame);
}

static void the_band_has_a_span_per_state_and_a_gap_where_nobody_looked(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    stand(1, 7, FAILOVER_NORMAL);
    stand(2, 7, FAILOVER_NORMAL);
    assert_string_equal(news, "");
    stand(3, 7, FAILOVER_COMMUNICATIONS_INTERRUPTED);
    assert_string_equal(news, "a: failover communications-interrupted");
    stand(4, 0, FAILOVER_NORMAL); /* its log says so, but it is not running */
    assert_string_equal(news, "a: dhcpd ended");
    stand(5, 8, FAILOVER_PARTNER_DOWN);
    assert_string_equal(news, "a: dhcpd was restarted");
    stand(50, 8, FAILOVER_PARTNER_DOWN);
    struct result *r = filled(52, 52);
    const struct result_observer *one = &r->observers[0];
    assert_int_equal(one->band_count, 5);
    assert_true(one->band[0].from_s == 1 && one->band[0].until_s == 2.5);
    assert_true(one->band[1].from_s == 2.5 && one->band[1].until_s == 3.5);
    assert_int_equal(one->band[1].own, FAILOVER_COMMUNICATIONS_INTERRUPTED);
    assert_int_equal(one->band[1].partner, FAILOVER_NORMAL);
    assert_false(one->band[2].is_running);
    assert_false(one->band[2].is_own_known);
    assert_true(one->band[3].until_s == 5);
    assert_true(one->band[4].from_s == 50);
    assert_int_equal(one->restarts, 1);
    assert_false(one->is_lost);
    assert_string_equal(one->server, "a");
    result_free(r);
    free(r);
}

static void one_that_flaps_fills_neither_band_nor_time_axis(void **state)
{
    unsigned told = 0;
    (void)state;
    join("o1", 0xc0a8010c);
    for (int i = 0; i < 2000; i++) {
        stand(i, 7, i % 2 == 0 ? FAILOVER_NORMAL : FAILOVER_RECOVER);
        told += news[0] != '\0';
    }
    struct result *r = filled(3000, 2000);
    assert_int_equal(r->observers[0].band_count, OBSERVERS_SPANS);
    assert_int_equal(r->observers[0].band_left_out, 2000 - OBSERVERS_SPANS);
    assert_int_equal(told, 64);
    assert_true(r->observers[0].is_lost); /* silent for 1000 s */
    result_free(r);
    free(r);
}

/* --- series --- */

static const struct result_series *series_named(const struct result *r, const char *name)
{
    for (size_t i = 0; i < r->timeline.series_count; i++) {
        if (strcmp(r->timeline.series[i].name, name) == 0) {
            return &r->timeline.series[i];
        }
    }
    return NULL;
}

static void series_are_rates_of_counters_and_values_of_gauges(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    for (int i = 0; i <= 6; i++) { /* a little off the second, as observers are */
        tell(i - 0.25, 10.0 * i, i);
    }
    tell(20.25, 1000, 6);
    struct result *r = filled(21, 21);
    const struct result_series *acks = series_named(r, "observer.o1.log_acks");
    const struct result_series *threads = series_named(r, "observer.o1.threads");
    if (acks == NULL || threads == NULL) {
        fail_msg("%s", "the series are not there");
        return;
    }
    assert_string_equal(acks->unit, "1/s");
    for (int i = 0; i < 5; i++) {
        assert_true(fabs(acks->values[i] - 10) < 1e-9);
        assert_true(threads->values[i] == i + 1);
    }
    assert_true(isnan(acks->values[6]) && isnan(acks->values[12])); /* nobody looked */
    assert_true(isnan(threads->values[12]));
    assert_true(threads->values[20] == 6);
    assert_null(series_named(r, "observer.o1.failover_own"));
    assert_null(series_named(r, "observer.o1.rss")); /* not available */
    assert_true(isnan(r->observers[0].metric[OBSERVER_rss].last));
    assert_false(r->observers[0].metric[OBSERVER_rss].is_any);
    result_free(r);
    free(r);
}

static void an_observer_without_frames_is_reported_as_lost(void **state)
{
    (void)state;
    join("o1", 0xc0a8010c);
    struct result *r = filled(10, 10);
    assert_int_equal(r->observer_count, 1);
    assert_true(r->observers[0].is_lost);
    assert_true(isnan(r->observers[0].first_s) && isnan(r->observers[0].self_cpu_percent));
    result_free(r);
    free(r);
}

static void notes_are_the_latest(void **state)
{
    struct observation frame = frame_of(7);
    (void)state;
    join("o1", 0xc0a8010c);
    observation_set_note(&frame, NOTE_NAT_RULE, "dnat to 1");
    add(0, 1, &frame);
    observation_set_note(&frame, NOTE_NAT_RULE, "");
    add(0, 2, &frame);
    assert_string_equal(observers_note(o, 0, NOTE_NAT_RULE), "dnat to 1");
    observation_set_note(&frame, NOTE_NAT_RULE, "dnat to 2");
    add(0, 3, &frame);
    assert_string_equal(observers_note(o, 0, NOTE_NAT_RULE), "dnat to 2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_answers_for_a_server_that_is_not_watched),
        TEST(no_more_join_than_there_can_be_servers),
        TEST(a_server_that_two_claim_has_no_observer),
        TEST(of_two_that_watch_one_process_the_first_answers),
        TEST(news_of_a_stranger_are_said_as_its_own),
        TEST(growth_is_between_the_latest_frames_of_both_ends),
        TEST(a_counter_that_falls_begins_anew_and_never_counts_below_0),
        TEST(growth_has_an_end),
        TEST(what_could_not_be_had_is_no_0_and_says_why),
        TEST(gauges_have_a_largest_and_a_last_of_the_window),
        TEST(a_frame_that_is_not_later_is_passed_over),
        TEST(a_long_run_keeps_growth_and_peaks_in_bounded_rows),
        TEST(the_band_has_a_span_per_state_and_a_gap_where_nobody_looked),
        TEST(one_that_flaps_fills_neither_band_nor_time_axis),
        TEST(series_are_rates_of_counters_and_values_of_gauges),
        TEST(an_observer_without_frames_is_reported_as_lost),
        TEST(notes_are_the_latest),
    };
    return cmocka_run_group_tests_name("observers", tests, NULL, NULL);
}
