/* SPDX-License-Identifier: MIT */
/* Waves of renewals, housekeeping, the plan of a search: forecast_wave.h, forecast_search.h. */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/client/lease_timing.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_search.h"
#include "coordinator/plan/forecast_wave.h"
#include "coordinator/truth/search.h"

enum { CLIENTS = 20000 };

/* `servers` of two, one relay with 20,000 clients; `rest` adds expect, limits, run. */
static void make(struct scenario *s, int servers, const char *rest)
{
    static struct diag why;
    char text[4096];
    int length = snprintf(text, sizeof(text),
                          "leaseherd: 1\nscenario: wave\nservers:\n  a: {address: 192.168.1.12}\n%s"
                          "network:\n  block: 10.10.0.0/16\n  relays:\n"
                          "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: "
                          "20000}\n%s",
                          servers > 1 ? "  b: {address: 192.168.2.12}\n" : "", rest);
    diag_init(&why, "wave.yaml");
    bool is_parsed = scenario_parse(text, (size_t)length, s, &why);
    for (size_t i = 0; i < why.count; i++) {
        print_error("  %u: %s\n", why.item[i].line, why.item[i].text);
    }
    assert_true(is_parsed);
}

static void check_words(const struct scenario *s,
                        void (*text_of)(const struct scenario *, char *, size_t),
                        const char *const *words, size_t count)
{
    char text[8192];
    text_of(s, text, sizeof(text));
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, words[i]) == NULL) {
            print_error("no '%s' in\n%s\n", words[i], text);
            fail();
        }
    }
}

/* What clients do, by the agents' own timing; all at once when `rate_per_s` is 0. */
struct seen {
    double first_s, last_s, peak_per_s;
};

static struct seen play(double rate_per_s, uint32_t lease_s, uint32_t fuzz_permille,
                        uint32_t clients, bool is_t2)
{
    enum { SECONDS = 4000 };
    static uint32_t by_second[SECONDS];
    struct seen seen = {.first_s = INFINITY};
    memset(by_second, 0, sizeof(by_second));
    for (uint32_t i = 0; i < clients; i++) {
        const struct lease_terms terms = {.lease_s = lease_s};
        struct lease_spans spans = lease_spans_of(&terms, fuzz_permille, 7, i, 0);
        double began_s = rate_per_s > 0 ? (double)i / rate_per_s : 0;
        double at_s = began_s + (is_t2 ? spans.t2_ms : spans.t1_ms) / 1000.0;
        assert_true(at_s < SECONDS);
        by_second[(size_t)at_s]++;
        seen.first_s = at_s < seen.first_s ? at_s : seen.first_s;
        seen.last_s = at_s > seen.last_s ? at_s : seen.last_s;
    }
    for (size_t i = 0; i < SECONDS; i++) {
        seen.peak_per_s = by_second[i] > seen.peak_per_s ? by_second[i] : seen.peak_per_s;
    }
    return seen;
}

static bool is_within(double value, double other, double percent)
{
    return fabs(value - other) <= other * percent / 100;
}

static void check_wave(const struct forecast_wave *wave, struct seen seen)
{
    /* Counted by second, chance adds some to the highest of many: four deviations at most. */
    double chance = 4 * sqrt(wave->peak_per_s);
    bool is_good = seen.peak_per_s > 0.95 * wave->peak_per_s &&
                   seen.peak_per_s < wave->peak_per_s + chance &&
                   fabs(wave->first_s - seen.first_s) < 0.01 * seen.first_s + 0.5 &&
                   fabs(wave->last_s - seen.last_s) < 0.01 * seen.last_s + 0.5;
    if (!is_good) {
        print_error("forecast %.1f..%.1f s, %.1f/s; clients %.1f..%.1f s, %.1f/s\n", wave->first_s,
                    wave->last_s, wave->peak_per_s, seen.first_s, seen.last_s, seen.peak_per_s);
    }
    assert_true(is_good);
}

static void clients_renew_in_the_waves_foreseen(void **unused)
{
    (void)unused;
    static const struct {
        const char *rest;
        double rate_per_s;
        uint32_t lease_s, fuzz_permille;
    } rows[] = {
        /* A slow acquisition keeps its pace; a quick one is spread by the fuzz; without, it is not.
         */
        {"expect: {lease: 20m}\nrun:\n  - {name: x, acquire: {rate: 100/s}}\n", 100, 1200, 50},
        {"expect: {lease: 20m}\nrun:\n  - {name: x, acquire: {rate: 2000/s}}\n", 2000, 1200, 50},
        {"clients: {fuzz: 0%}\nexpect: {lease: 20m}\nrun:\n  - {name: x, acquire: {rate: 500/s}}\n",
         500, 1200, 0},
        {"clients: {fuzz: 20%}\nexpect: {lease: 20m}\nrun:\n  - {name: x, acquire: {rate: "
         "1000/s}}\n",
         1000, 1200, 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        struct forecast_waves w;
        make(&s, 2, rows[i].rest);
        forecast_waves_make(&s, &w);
        assert_true(w.is_known);
        assert_false(w.is_upper_bound);
        check_wave(&w.t1, play(rows[i].rate_per_s, rows[i].lease_s, rows[i].fuzz_permille, CLIENTS,
                               false));
        /* Of a dead half the clients are every second one that was bound. */
        assert_true(w.has_partner);
        assert_true(is_within(w.orphans, CLIENTS / 2.0, 0.01));
        check_wave(&w.t2, play(rows[i].rate_per_s / 2, rows[i].lease_s, rows[i].fuzz_permille,
                               CLIENTS / 2, true));
        assert_true(is_within(w.t2_packets_per_s, 2 * w.t2.peak_per_s, 0.01));
        scenario_free(&s);
    }
}

static void a_slow_acquisition_is_overtaken_by_its_own_renewals(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast_waves w;
    make(&s, 1, "expect: {lease: 60s}\nrun:\n  - {name: x, acquire: {rate: 100/s}}\n");
    forecast_waves_make(&s, &w);
    assert_true(is_within(w.acquire_s, 200, 1));
    assert_true(is_within(w.steady_per_s, 666.7, 1));
    assert_true(w.t1.peak_per_s >= w.steady_per_s && w.t1.peak_per_s < 1.1 * w.steady_per_s);
    assert_false(w.has_partner);
    assert_true(w.t2.peak_per_s == 0);
    scenario_free(&s);
}

static void what_cannot_be_foreseen_is_said(void **unused)
{
    (void)unused;
    static const char *const no_lease[] = {"Cannot be foreseen: the lease time is not given"};
    static const char *const no_acquire[] = {"Cannot be foreseen: no stage acquires leases"};
    static const char *const closed[] = {"A batch has no pace of its own", "the most there can be"};
    static const char *const open[] = {
        "20,000 leases are acquired in 50.0 s", "First RENEWs: from 285.0 s after the begin",
        "to 365.0 s, up to 400.0/s; in the long run 66.7/s",
        "REBIND from 498.8 s to 601.2 s, up to 190.5/s (381.0 packets/s)"};
    static const struct {
        const char *rest;
        const char *const *words;
        size_t count;
    } rows[] = {
        {"run:\n  - {name: x, acquire: {rate: 400/s}}\n", no_lease, 1},
        {"expect: {lease: 10m}\nrun:\n  - {name: x, search: {rates: [10/s]}}\n", no_acquire, 1},
        {"expect: {lease: 10m}\nrun:\n  - {name: x, acquire: {batch: 300}}\n", closed, 2},
        {"expect: {lease: 10m}\nrun:\n  - {name: x, acquire: {rate: 400/s}}\n", open, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        make(&s, 2, rows[i].rest);
        check_words(&s, forecast_waves_text, rows[i].words, rows[i].count);
        scenario_free(&s);
    }
}

static void housekeeping_is_told_apart_by_the_length_of_the_window(void **unused)
{
    (void)unused;
    static const char *const ten_minutes[] = {
        "The longest measured window is 9 min (stage y)",
        "Kea reclaims expired leases (reclaim-timer-wait-time): every 10 s; within the window.",
        "Kea rewrites its lease file (lfc-interval): every 60 min; within the window in 15 of 100",
        "dhcpd rewrites its lease file, when leases are written: every 60 min; within the",
        "theirs may be set otherwise",
        "updates of DNS: none",
        "not of a day",
    };
    static const char *const two_hours[] = {
        "The longest measured window is 2 h (stage y)",
        "Kea rewrites its lease file (lfc-interval): every 60 min; within the window.",
    };
    struct scenario s;
    make(&s, 2,
         "run:\n  - {name: x, acquire: {rate: 400/s}}\n  - {name: y, hold: 10m, warmup: 1m}\n");
    check_words(&s, forecast_housekeeping, ten_minutes, ARRAY_LEN(ten_minutes));
    scenario_free(&s);
    make(&s, 2,
         "limits: {time: 3h}\nrun:\n  - {name: x, acquire: {rate: 400/s}}\n  - {name: y, hold: "
         "2h}\n");
    check_words(&s, forecast_housekeeping, two_hours, ARRAY_LEN(two_hours));
    scenario_free(&s);
}

static void the_plan_of_a_search_is_an_upper_bound(void **unused)
{
    (void)unused;
    struct scenario s;
    make(&s, 2,
         "limits: {time: 2h}\nrun:\n  - {name: x, search: {rates: [100/s, 200/s, 400/s], step: "
         "10s}}\n");
    assert_int_equal(forecast_search_lowest(&s), 100 * 1000);
    assert_int_equal(forecast_search_highest(&s), 400 * 1000);
    assert_int_equal(forecast_search_steps_max(&s), 4);
    assert_int_equal(forecast_search_clients(&s), 4000);
    assert_true(is_within(forecast_search_packets_per_s(&s), 1600, 0.1));
    /* 100 + 200 + 400 + 400 exchanges/s for 10 s, each of 4 packets and a release. */
    assert_int_equal(forecast_search_packets_max(&s), 11000 * 5);
    /* 10 s, 20 s of releases, 0.5 s and 5 s. */
    assert_int_equal(forecast_search_time_max_ns(&s), 4 * UINT64_C(35500) * NS_PER_MS);
    scenario_free(&s);

    make(&s, 1,
         "expect: {lease: 8h}\nlimits: {time: 20h}\nrun:\n  - {name: f, acquire: {rate: 400/s}}\n"
         "  - {name: x, search: {between: [100/s, 6400/s], mix: {acquire: 1, renew: 3}, bound: "
         "4000, "
         "resolution: 10%, repeat: 3}}\n");
    assert_true(is_within(forecast_search_acquire_share(&s), 0.25, 0.01));
    assert_int_equal(forecast_search_clients(&s), 4000 + 16000);
    assert_true(is_within(forecast_search_packets_per_s(&s), 6400 * (0.25 * 2 + 0.75), 0.01));
    static const char *const words[] = {
        "From 100/s, doubling up to 6400/s",
        "until they differ by 10 %",
        "acquisitions to renewals 1:3",
        "3 times:",
        "leases held at once: 20,000, of them 4,000 for renewals",
        "`repeat: 3` or more",
        "No `reset` is given",
    };
    check_words(&s, forecast_search_text, words, ARRAY_LEN(words));
    scenario_free(&s);
}

/* Plays the search of coordinator/truth/search.h against a server of this capacity. */
static size_t steps_of(const struct scenario *s, double capacity_per_s)
{
    struct search search;
    size_t steps = 0;
    search_init(&search, &s->search);
    for (;;) {
        struct search_order order = search_next(&search);
        if (order.kind == SEARCH_ORDER_RESET) {
            search_reset_done(&search);
            continue;
        }
        if (order.kind == SEARCH_ORDER_DONE) {
            return steps;
        }
        double rate_per_s = (double)order.rate_milli_per_s / 1000;
        bool is_good = rate_per_s <= capacity_per_s;
        const struct result_search_step step = {
            .rate_per_s = rate_per_s,
            .flag = is_good ? SEARCH_GOOD : SEARCH_BAD,
            .answered_per_s = is_good ? rate_per_s : capacity_per_s,
            .answered_error_per_s = rate_per_s / 500,
        };
        (void)search_step_done(&search, &step);
        steps++;
    }
}

static void a_search_never_takes_more_steps_than_foreseen(void **unused)
{
    (void)unused;
    struct scenario s;
    make(&s, 1,
         "expect: {lease: 8h}\nlimits: {packets: 100000/s, time: 20h}\nrun:\n"
         "  - {name: x, search: {between: [50/s, 1900/s], repeat: 2}}\n");
    size_t most = 2 * forecast_search_steps_max(&s);
    for (double capacity = 20; capacity < 2500; capacity *= 1.07) {
        size_t steps = steps_of(&s, capacity);
        if (steps > most) {
            print_error("capacity %.1f/s: %zu steps, at most %zu foreseen\n", capacity, steps,
                        most);
            fail();
        }
    }
    scenario_free(&s);
}

static void a_short_buffer_cuts_the_sentences(void **unused)
{
    (void)unused;
    static void (*const texts[])(const struct scenario *, char *, size_t) = {
        forecast_waves_text, forecast_housekeeping, forecast_search_text};
    struct scenario s;
    make(&s, 2,
         "expect: {lease: 8h}\nlimits: {time: 20h}\nrun:\n  - {name: f, acquire: {rate: 400/s}}\n"
         "  - {name: x, search: {rates: [100/s]}}\n");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t size = 1; size < 300; size++) {
            char text[300];
            memset(text, 'x', sizeof(text));
            texts[i](&s, text, size);
            assert_true(memchr(text, '\0', size) != NULL);
        }
    }
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_foreseen_is_said),
        cmocka_unit_test(a_short_buffer_cuts_the_sentences),
        cmocka_unit_test(clients_renew_in_the_waves_foreseen),
        cmocka_unit_test(a_slow_acquisition_is_overtaken_by_its_own_renewals),
        cmocka_unit_test(housekeeping_is_told_apart_by_the_length_of_the_window),
        cmocka_unit_test(the_plan_of_a_search_is_an_upper_bound),
        cmocka_unit_test(a_search_never_takes_more_steps_than_foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
