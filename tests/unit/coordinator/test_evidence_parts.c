/* SPDX-License-Identifier: MIT */
/* What the evidence from the wire is made of: slots, windows, spreads, silences. */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "coordinator/truth/evidence_silence.h"
#include "coordinator/truth/evidence_slots.h"
#include "coordinator/truth/evidence_spread.h"
#include "coordinator/truth/evidence_windows.h"

#define S INT64_C(1000000)

static struct evidence_slots slots;
static struct evidence_windows windows;
static struct wire_server out;

static int set_up(void **state)
{
    (void)state;
    memset(&slots, 0, sizeof(slots));
    memset(&windows, 0, sizeof(windows));
    memset(&out, 0, sizeof(out));
    return 0;
}

static void add(int64_t at_us, enum evidence_count what, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        evidence_slots_add(&slots, at_us, what);
    }
}

/* --- slots --- */

static void nothing_is_nothing(void **state)
{
    (void)state;
    evidence_slots_figures(&slots, &out);
    struct wire_server none = {0};
    assert_memory_equal(&out, &none, sizeof(none));
}

static void a_burst_is_fifty_tries_in_a_slot(void **state)
{
    (void)state;
    add(0, EVIDENCE_TRIES, 50);
    add(199999, EVIDENCE_LOST, 20);
    add(100000, EVIDENCE_MENDED, 19);
    add(200000, EVIDENCE_TRIES, 49);
    add(399999, EVIDENCE_LOST, 1);
    evidence_slots_figures(&slots, &out);
    assert_int_equal(out.burst_slots, 1);
    assert_int_equal(out.burst_tries, 50);
    assert_int_equal(out.burst_lost, 20);
    assert_int_equal(out.burst_mended, 19);
    assert_int_equal(out.calm_tries, 49);
    assert_int_equal(out.calm_lost, 1);
    assert_int_equal(out.all_lost, 21);
    assert_int_equal(out.worst_second_lost, 21);
}

static void seconds_before_the_start_are_seconds(void **state)
{
    (void)state;
    add(-1, EVIDENCE_LOST, 3);
    add(-S, EVIDENCE_LOST, 4);
    add(0, EVIDENCE_LOST, 5);
    evidence_slots_figures(&slots, &out);
    assert_int_equal(out.worst_second_lost, 7);
    assert_int_equal(out.losing.seconds, 2);
}

/* Whatever order agents report in, and however long the run: the sums are the same. */
static void sums_do_not_depend_on_order_or_length(void **state)
{
    (void)state;
    enum { SECONDS = 3000 };
    static struct evidence_slots other;
    memset(&other, 0, sizeof(other));
    struct prng prng = prng_seeded(7);
    for (int64_t second = 0; second < SECONDS; second++) {
        for (unsigned i = 0; i < 20; i++) {
            int64_t at_us = second * S + (int64_t)prng_below(&prng, (uint32_t)S);
            enum evidence_count what = (enum evidence_count)prng_below(&prng, EVIDENCE_COUNTS);
            evidence_slots_add(&slots, at_us, what);
            /* The other agent's stream is five minutes behind. */
            evidence_slots_add(&other, at_us + 300 * S, what);
            evidence_slots_add(&other, at_us, what);
            evidence_slots_add(&slots, at_us + 300 * S, what);
        }
    }
    struct wire_server second_out = {0};
    evidence_slots_figures(&slots, &out);
    evidence_slots_figures(&other, &second_out);
    assert_int_equal(slots.late, 0);
    assert_memory_equal(&out, &second_out, sizeof(out));
    assert_true(out.all_lost > 15000);
}

static void what_comes_minutes_too_late_is_counted_and_left_out(void **state)
{
    (void)state;
    add(0, EVIDENCE_LOST, 1);
    add(2000 * S, EVIDENCE_LOST, 1);
    add(0, EVIDENCE_LOST, 1);
    add(INT64_C(2000) * S - 700 * S, EVIDENCE_LOST, 1);
    evidence_slots_figures(&slots, &out);
    assert_int_equal(slots.late, 1);
    assert_int_equal(out.all_lost, 3);
    assert_int_equal(out.losing.seconds, 3);
}

static void a_busy_second_is_one_in_which_nine_of_ten_waited(void **state)
{
    (void)state;
    add(0, EVIDENCE_ACKS, 50);
    add(0, EVIDENCE_WAITED, 45);
    add(S, EVIDENCE_ACKS, 50);
    add(S, EVIDENCE_WAITED, 44); /* not busy */
    add(2 * S, EVIDENCE_ACKS, 48);
    add(2 * S, EVIDENCE_WAITED, 30);
    add(2 * S, EVIDENCE_RETRIED, 18); /* nobody knows about these */
    add(3 * S, EVIDENCE_ACKS, 100);
    add(3 * S, EVIDENCE_WAITED, 10);
    add(3 * S, EVIDENCE_RETRIED, 90); /* nobody knows enough */
    evidence_slots_figures(&slots, &out);
    assert_int_equal(out.busy.seconds, 2);
    assert_true(out.busy.mean_per_s > 48.9 && out.busy.mean_per_s < 49.1);
    assert_true(out.busy.deviation_per_s > 0.9 && out.busy.deviation_per_s < 1.1);
    assert_true(out.busy.most_per_s > 49.9);
}

/* --- windows --- */

/* Addresses acknowledged every `period_s`, so many new ones a second. */
static void acknowledge(unsigned per_s, int64_t seconds, int64_t period_s)
{
    for (int64_t second = 0; second < seconds; second++) {
        for (unsigned i = 0; i < per_s; i++) {
            int64_t at_ms = second * 1000 + i % 100;
            evidence_windows_add(&windows, at_ms,
                                 second >= period_s ? at_ms - period_s * 1000 : EVIDENCE_NEVER_MS);
        }
    }
}

static void a_plateau_of_511_shows_in_its_window(void **state)
{
    (void)state;
    acknowledge(511, 600, 1000);
    struct wire_window w[WIRE_WINDOWS];
    evidence_windows_figures(&windows, w);
    assert_int_equal(w[0].window_s, 1);
    assert_int_equal(w[0].windows, 600);
    assert_int_equal(w[0].at_ceiling, 600);
    assert_int_equal(w[0].longest_run, 600);
    assert_int_equal(w[0].above, 0);
    assert_in_range(w[1].windows, 20, 21);
    assert_int_equal(w[1].at_ceiling, 0);
    assert_in_range(w[1].above, 20, 21);
    assert_int_equal(w[2].most, 120 * 511);
}

/* 511 addresses, each renewed every 30 s and refreshing its entry: 17 or 18 in a second. */
static void an_address_counts_once_a_window(void **state)
{
    (void)state;
    for (int64_t second = 0; second < 300; second++) {
        unsigned count = second % 30 == 0 ? 511 - 29 * 17 : 17;
        for (unsigned i = 0; i < count; i++) {
            int64_t at_ms = second * 1000;
            int64_t before_ms = second < 30 ? EVIDENCE_NEVER_MS : at_ms - 30000;
            evidence_windows_add(&windows, at_ms, before_ms);
            evidence_windows_add(&windows, at_ms, at_ms); /* at once again */
        }
    }
    struct wire_window w[WIRE_WINDOWS];
    evidence_windows_figures(&windows, w);
    assert_int_equal(w[1].windows, 10);
    assert_int_equal(w[1].at_ceiling, 10);
    assert_int_equal(w[2].most, 511);
    assert_int_equal(w[0].at_ceiling, 0);
}

/* 600 clients in ten seconds around the turn of a window, of which 511 get through. */
static void a_clump_is_whole_in_one_of_the_phases(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 511; i++) {
        evidence_windows_add(&windows, 26000 + 20 * i, EVIDENCE_NEVER_MS);
    }
    struct wire_window w[WIRE_WINDOWS];
    evidence_windows_figures(&windows, w);
    assert_int_equal(w[1].most, 511);
    assert_int_equal(w[1].at_ceiling, 1);
    assert_int_equal(w[1].windows, 1);
    assert_int_equal(w[0].at_ceiling, 0);
}

static void healthy_servers_have_no_plateau(void **state)
{
    (void)state;
    struct prng prng = prng_seeded(3);
    for (int64_t second = 0; second < 2000; second++) {
        unsigned count = 300 + (unsigned)prng_below(&prng, 400);
        for (unsigned i = 0; i < count; i++) {
            int64_t at_ms = second * 1000 + (int64_t)prng_below(&prng, 1000);
            evidence_windows_add(&windows, at_ms, second >= 30 ? at_ms - 30000 : EVIDENCE_NEVER_MS);
        }
    }
    struct wire_window w[WIRE_WINDOWS];
    evidence_windows_figures(&windows, w);
    assert_in_range(w[0].windows, 2000, 2001);
    assert_true(w[0].at_ceiling < 50 && w[0].above > 500);
    assert_true(w[0].longest_run < 3);
}

/* --- spreads --- */

static void record(struct histogram *h, double us, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        histogram_record(h, (uint64_t)(us * NS_PER_US));
    }
}

static void the_mode_is_where_values_crowd(void **state)
{
    (void)state;
    static struct histogram h;
    memset(&h, 0, sizeof(h));
    struct wire_mode m = evidence_mode(&h, 0);
    assert_int_equal(m.samples + m.near, 0);
    record(&h, 20000, 70);
    record(&h, 20900, 10);
    record(&h, 40000, 15);
    record(&h, 300, 5);
    m = evidence_mode(&h, 0);
    assert_int_equal(m.samples, 100);
    assert_int_equal(m.near, 80);
    assert_true(m.value_us > 19700 && m.value_us < 20300);
    m = evidence_mode(&h, 30000);
    assert_int_equal(m.near, 15);
    assert_int_equal(evidence_mode(&h, 60000).near, 0);
}

static void evenly_spread_values_have_no_mode_worth_the_name(void **state)
{
    (void)state;
    static struct histogram h;
    memset(&h, 0, sizeof(h));
    for (unsigned i = 1; i <= 1000; i++) {
        record(&h, 100.0 * i, 1);
    }
    struct wire_mode m = evidence_mode(&h, 0);
    assert_true(m.near < 260);
    struct wire_times t = evidence_times(&h);
    assert_true(t.p50_us >= 50000 && t.p50_us < 50500 && t.p90_us >= 90000 && t.p90_us < 91000);
}

/* --- silences --- */

static struct evidence_silence silence;

static int two_servers(void **state)
{
    (void)state;
    (void)set_up(state);
    return evidence_silence_init(&silence, 2, 2) ? 0 : -1;
}

static int no_servers(void **state)
{
    (void)state;
    evidence_silence_fini(&silence);
    return 0;
}

static void discover(uint8_t bucket, int64_t begin_us, int64_t offer_us)
{
    static const uint8_t both[] = {0, 1};
    struct evidence_discover d = {.agent = 0,
                                  .bucket = bucket,
                                  .begin_us = begin_us,
                                  .offer_us = offer_us,
                                  .to = both,
                                  .to_count = 2};
    evidence_silence_discover(&silence, &d);
}

static void a_pair_that_both_answers_is_never_silent(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 1000; i++) {
        evidence_silence_ack(&silence, 0, (size_t)(i % 2), i * 100000);
        discover((uint8_t)i, i * 100000 - 2000, 1000);
    }
    for (size_t server = 0; server < 2; server++) {
        evidence_silence_figures(&silence, server, &out);
    }
    struct wire_server none = {0};
    assert_memory_equal(&out, &none, sizeof(none));
}

static void a_pause_of_everybody_is_no_silence(void **state)
{
    (void)state;
    /* Rounds of a second every ten, in which the first server's clients come first. */
    for (int64_t i = 0; i < 1000; i++) {
        int64_t at_us = i / 100 * 10 * S + i % 100 * 10000;
        evidence_silence_ack(&silence, 0, i % 100 < 50 ? 0 : 1, at_us);
    }
    for (size_t server = 0; server < 2; server++) {
        evidence_silence_figures(&silence, server, &out);
        assert_int_equal(out.silences, 0);
        assert_false(out.is_silent_at_end);
    }
}

static void a_frozen_server_loses_exactly_its_half(void **state)
{
    (void)state;
    int64_t at_us = 0;
    for (unsigned i = 0; i < 100; i++, at_us += 10000) {
        evidence_silence_ack(&silence, 0, i % 2, at_us);
    }
    for (unsigned bucket = 0; bucket < 256; bucket++, at_us += 50000) {
        evidence_silence_ack(&silence, 0, 0, at_us); /* the other one still lives */
        discover((uint8_t)bucket, at_us, bucket < 128 ? 2000 : 4 * S);
    }
    evidence_silence_figures(&silence, 1, &out);
    assert_true(out.is_silent_at_end);
    assert_true(out.longest_silence_s > 12 && out.longest_silence_s < 14);
    assert_true(out.buckets_answered > 90 && out.buckets_lost == 128);
    assert_int_equal(out.buckets_mixed, 0);
    assert_int_equal(out.silent_retry, 128);
    assert_int_equal(out.silences, 0);
    evidence_silence_ack(&silence, 0, 1, at_us);
    memset(&out, 0, sizeof(out));
    evidence_silence_figures(&silence, 1, &out);
    assert_int_equal(out.silences, 1);
    assert_false(out.is_silent_at_end);
    assert_true(evidence_link_of(&silence, 0, 1)->has_returned);
}

static void random_losses_mix_the_buckets(void **state)
{
    (void)state;
    struct prng prng = prng_seeded(11);
    int64_t at_us = 0;
    for (unsigned i = 0; i < 3000; i++, at_us += 10000) {
        evidence_silence_ack(&silence, 0, 0, at_us);
        discover((uint8_t)prng_next(&prng), at_us, prng_below(&prng, 2) == 0 ? 2000 : 4 * S);
    }
    evidence_silence_figures(&silence, 1, &out);
    assert_true(out.buckets_mixed > 240);
}

/* Known answers, from section 6 of the RFC done by hand: the last byte goes first. */
static void buckets_are_those_of_rfc_3074(void **state)
{
    (void)state;
    static const uint8_t zero[1] = {0};
    static const uint8_t two[2] = {0, 0};
    assert_int_equal(evidence_bucket(NULL, 0), 0);
    assert_int_equal(evidence_bucket(zero, 1), 175); /* T[1 ^ 0] */
    assert_int_equal(evidence_bucket(two, 2), 150);  /* T[T[2]] = T[119] */
    struct mac mac = {{2, 0, 0, 0, 0, 1}};
    uint8_t id[7] = {1, 2, 0, 0, 0, 0, 1};
    assert_int_equal(evidence_bucket_of_client(mac, false), evidence_bucket(mac.byte, 6));
    assert_int_equal(evidence_bucket_of_client(mac, true), evidence_bucket(id, 7));
    unsigned count[2] = {0};
    for (unsigned i = 0; i < 4096; i++) {
        mac.byte[4] = (uint8_t)(i >> 8);
        mac.byte[5] = (uint8_t)i;
        count[evidence_bucket_of_client(mac, true) / 128]++;
    }
    assert_true(count[0] > 1900 && count[1] > 1900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_nothing, set_up),
        cmocka_unit_test_setup(a_burst_is_fifty_tries_in_a_slot, set_up),
        cmocka_unit_test_setup(seconds_before_the_start_are_seconds, set_up),
        cmocka_unit_test_setup(sums_do_not_depend_on_order_or_length, set_up),
        cmocka_unit_test_setup(what_comes_minutes_too_late_is_counted_and_left_out, set_up),
        cmocka_unit_test_setup(a_busy_second_is_one_in_which_nine_of_ten_waited, set_up),
        cmocka_unit_test_setup(a_plateau_of_511_shows_in_its_window, set_up),
        cmocka_unit_test_setup(an_address_counts_once_a_window, set_up),
        cmocka_unit_test_setup(a_clump_is_whole_in_one_of_the_phases, set_up),
        cmocka_unit_test_setup(healthy_servers_have_no_plateau, set_up),
        cmocka_unit_test_setup(the_mode_is_where_values_crowd, set_up),
        cmocka_unit_test_setup(evenly_spread_values_have_no_mode_worth_the_name, set_up),
        cmocka_unit_test_setup_teardown(a_pair_that_both_answers_is_never_silent, two_servers,
                                        no_servers),
        cmocka_unit_test_setup_teardown(a_pause_of_everybody_is_no_silence, two_servers,
                                        no_servers),
        cmocka_unit_test_setup_teardown(a_frozen_server_loses_exactly_its_half, two_servers,
                                        no_servers),
        cmocka_unit_test_setup_teardown(random_losses_mix_the_buckets, two_servers, no_servers),
        cmocka_unit_test(buckets_are_those_of_rfc_3074),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
