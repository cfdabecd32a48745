/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/lane/lane.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_wave.h"
#include "coordinator/report/result.h"

/* Two servers, one relay to both and one to a single one; `rest` adds expect, limits, run, judge.
 */
static void make(struct scenario *s, struct forecast *f, const char *rest)
{
    static struct diag why;
    char text[4096];
    int length = snprintf(text, sizeof(text),
                          "leaseherd: 1\nscenario: forecast\nservers:\n  a: {address: "
                          "192.168.1.12}\n  b: {address: 192.168.2.12}\nnetwork:\n"
                          "  block: 10.10.0.0/16\n  relays:\n"
                          "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: "
                          "15000}\n"
                          "    - {name: r2, giaddr: 172.16.8.4, subnet: 10.10.0.0/16, clients: "
                          "5000, to: [a]}\n%s",
                          rest);
    diag_init(&why, "forecast.yaml");
    bool is_parsed = scenario_parse(text, (size_t)length, s, &why);
    for (size_t i = 0; i < why.count; i++) {
        print_error("  %u: %s\n", why.item[i].line, why.item[i].text);
    }
    assert_true(is_parsed);
    forecast_make(s, f);
}

static bool near(double a, double b)
{
    return fabs(a - b) < 0.01;
}

static bool warns(const struct forecast *f, const char *words)
{
    for (size_t i = 0; i < f->warning_count; i++) {
        if (strstr(f->warning[i], words) != NULL) {
            return true;
        }
    }
    return false;
}

static void what_will_go_wrong_is_warned_of(void **unused)
{
    (void)unused;
    static const struct {
        const char *rest, *words;
    } rows[] = {
        {"run:\n  - {name: x, acquire: {batch: 1}}\n  - {name: y, hold: 1m}\n",
         "stage y: its renewals cannot be foreseen"},
        {"expect: {lease: 60s}\nrun:\n  - {name: x, acquire: {batch: 1}}\n  - {name: y, hold: "
         "20s}\n",
         "stage y ends before T1 (30 s)"},
        {"expect: {lease: 60s}\nlimits: {packets: 500/s}\nrun:\n  - {name: x, acquire: {batch: "
         "1}}\n  - {name: y, hold: 1m}\n",
         "stage y needs 667 renewals/s and limits.packets is 500/s"},
        {"run:\n  - {name: x, acquire: {batch: 1}}\njudge:\n  - p99(acquire) < 500ms\n",
         "stage x is a closed model and its latency is judged"},
        {"expect: {lease: 60s, mclt: 120s}\nrun:\n  - {name: x, acquire: {batch: 1}}\n",
         "the lease of 60 s is not longer than the MCLT of 120 s"},
        {"expect: {lease: 60s, detection: 60s}\nrun:\n  - {name: x, acquire: {batch: 1}}\n",
         "from T2 to expiry there are 7.5 s and a dead partner is noticed after 60.0 s"},
        {"run:\n  - {name: x, acquire: {batch: 1}}\ncleanup: {release: 4000/s}\n",
         "cleanup releases 4000 leases/s: RELEASE has no answer"},
        {"expect: {lease: 60s}\nrun:\n  - {name: x, acquire: {batch: 1}}\ncleanup: {release: "
         "500/s}\n",
         "cleanup takes 40 s to release all leases at 500/s"},
        {"expect: {lease: 1h}\nrun:\n  - {name: x, search: {rates: [100/s]}}\njudge:\n  - "
         "p99(acquire) < 500ms\n",
         "stage x is a search and its latency is judged"},
        {"run:\n  - {name: x, search: {rates: [100/s]}}\n",
         "stage x: whether leases come to their T1 during a step cannot be told"},
        {"expect: {lease: 50s}\nrun:\n  - {name: x, search: {rates: [100/s]}}\n",
         "stage x: leases come to their T1 after 24 s, and a step with its releases takes up to "
         "30"},
        {"expect: {lease: 200s}\nrun:\n  - {name: f, acquire: {batch: 1}}\n  - {name: x, search: "
         "{rates: [100/s], mix: {acquire: 1, renew: 1}, bound: 5000}}\n",
         "each of the 5000 bound clients is renewed every 100 s, and T1 comes after 95 s"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        struct forecast f;
        make(&s, &f, rows[i].rest);
        if (f.warning_count != 1 || !warns(&f, rows[i].words)) {
            print_error("wanted only ...%s..., got %zu: %s\n", rows[i].words, f.warning_count,
                        f.warning[0]);
            fail();
        }
        scenario_free(&s);
    }
}

static void a_sound_scenario_warns_of_nothing(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f,
         "expect: {lease: 600s, mclt: 60s, detection: 30s, production_lease: 8h}\nrun:\n"
         "  - {name: x, acquire: {rate: 100/s}}\n  - {name: y, hold: 10m}\n"
         "judge:\n  - p99(acquire) < 500ms\ncleanup: {release: 3000/s}\n");
    assert_int_equal(f.warning_count, 0);
    scenario_free(&s);
    make(&s, &f,
         "expect: {lease: 600s}\nlimits: {time: 2h}\nrun:\n  - {name: x, acquire: {rate: 100/s}}\n"
         "  - {name: z, search: {rates: [200/s], mix: {acquire: 1, renew: 20}}}\n");
    assert_int_equal(f.warning_count, 0);
    scenario_free(&s);
}

static void packets_follow_from_copies_and_renewals(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f,
         "expect: {lease: 60s}\nrun:\n  - {name: x, acquire: {rate: 100/s}}\n"
         "  - {name: y, hold: 3m}\n  - {name: z, reboot: {batch: 10}}\n"
         "  - {name: i, inform: {rate: 50/s}}\n  - {name: d, decline: {rate: 50/s}}\n"
         "  - {name: o, release: {rate: 1000/s}}\ncleanup: {release: 1000/s}\n");
    /* 15,000 clients have two servers and 5,000 have one: 1.75 copies. */
    assert_true(near(forecast_packets_per_exchange(&s, PLAN_ACQUIRE), 3.5));
    assert_true(near(f.stage[0].packets_sent_per_s, 350));
    assert_int_equal(f.stage[0].packets_sent, 70000);
    assert_int_equal(f.stage[0].at_least_ns, 200 * NS_PER_S);
    assert_true(near(f.stage[1].exchanges_per_s, 666.67));
    assert_int_equal(f.stage[1].exchanges, 120000);
    assert_int_equal(f.stage[1].at_least_ns, 180 * NS_PER_S);
    assert_true(f.stage[2].is_upper_bound);
    assert_int_equal(f.stage[2].packets_sent, 35000);
    assert_int_equal(f.stage[3].packets_sent, 20000);
    assert_int_equal(f.stage[4].packets_sent, 35000);
    assert_int_equal(f.stage[5].packets_sent, 20000);
    assert_int_equal(f.packets_sent, 70000 + 120000 + 35000 + 20000 + 35000 + 20000 + 20000);
    scenario_free(&s);
}

static void a_closed_model_has_bounds_only(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f, "limits: {packets: 7000/s}\nrun:\n  - {name: x, acquire: {batch: 300}}\n");
    assert_true(f.stage[0].is_upper_bound);
    assert_true(near(f.stage[0].exchanges_per_s, 2000));
    assert_int_equal(f.stage[0].at_least_ns, 10 * NS_PER_S);
    scenario_free(&s);
}

static void addresses_and_memory_are_counted_once(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f, "run:\n  - {name: x, acquire: {batch: 300}}\n");
    assert_int_equal(f.clients, 20000);
    assert_int_equal(f.addresses, 65534);
    assert_int_equal(f.memory_bytes, FORECAST_AGENT_BYTES + 20000 * FORECAST_CLIENT_BYTES);
    /* What an agent with a million clients may use. */
    assert_true(forecast_memory_bytes(1000000) < 120000000);
    scenario_free(&s);
}

/* The forecast is about the agent: what its lane takes must lie within. */
static void a_lane_takes_no_more_than_forecast(void **unused)
{
    (void)unused;
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {3};
    struct scenario s;
    struct forecast f;
    struct plan plan;
    make(&s, &f, "run:\n  - {name: x, acquire: {batch: 300}}\n");
    assert_true(scenario_to_plan(&s, run_id, "forecast", &plan));
    const struct control_share shares[] = {
        {.relay = 0, .first_client = 0, .client_count = 15000},
        {.relay = 1, .first_client = 15000, .client_count = 5000},
    };
    const struct lane_setup setup = {.plan = &plan, .shares = shares, .share_count = 2};
    struct lane *lane = lane_new(&setup);
    assert_non_null(lane);
    assert_true(lane_memory_bytes(lane) < f.memory_bytes);
    print_message("lane: %zu bytes for 20,000 clients\n", lane_memory_bytes(lane));
    lane_free(lane);
    plan_free(&plan);
    scenario_free(&s);
}

static void the_default_timeout_is_generous_and_bounded(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f, "run:\n  - {name: x, acquire: {batch: 300}}\n");
    struct scenario_stage stage = {.kind = PLAN_RELEASE, .rate_milli_per_s = 1000000};
    assert_int_equal(forecast_default_timeout_ns(&s, &stage), 320 * NS_PER_S);
    stage = (struct scenario_stage){.kind = PLAN_ACQUIRE, .batch = 300};
    assert_int_equal(forecast_default_timeout_ns(&s, &stage), 800 * NS_PER_S);
    stage = (struct scenario_stage){.kind = PLAN_HOLD, .duration_ns = 60 * NS_PER_S};
    assert_int_equal(forecast_default_timeout_ns(&s, &stage), 90 * NS_PER_S);
    stage = (struct scenario_stage){.kind = PLAN_ACQUIRE, .rate_milli_per_s = 1};
    assert_true(forecast_default_timeout_ns(&s, &stage) < UINT64_C(31) * 86400 * NS_PER_S);
    scenario_free(&s);
}

static void check_statement(const char *rest, const char *const *words, size_t count)
{
    struct scenario s;
    struct forecast f;
    char text[4096];
    make(&s, &f, rest);
    forecast_compression(&s, text, sizeof(text));
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, words[i]) == NULL) {
            print_error("no '%s' in\n%s\n", words[i], text);
            fail();
        }
    }
    scenario_free(&s);
}

static void the_compression_statement_says_what_the_load_equals(void **unused)
{
    (void)unused;
    static const char *const words[] = {
        "20,000 clients with leases of 60 s renew every 30 s: 666.7 renewals/s",
        "At the production lease of 8 h that is the load of 9,600,000 clients (480 times as many)",
        "failover detection: not given",
        "longer than 7.5 s",
        "With the production lease that window is 60 min",
        "MCLT: not given",
        "lease cache",
        "reclaim of expired leases",
        "rewriting of the lease file (Kea's LFC, dhcpd: every hour by default)",
        "so each time it finds 480 times as many entries per client",
    };
    check_statement("expect: {lease: 60s, production_lease: 8h}\n"
                    "run:\n  - {name: x, acquire: {batch: 300}}\n",
                    words, ARRAY_LEN(words));
}

static void the_compression_statement_warns_before_leases_are_lost(void **unused)
{
    (void)unused;
    static const char *const late[] = {
        "failover detection: 60 s. WARNING: from T2 to expiry there are only 7.5 s",
        "max-unacked-clients",
        "MCLT: 2 min. WARNING: the lease of 60 s is not longer",
    };
    check_statement("expect: {lease: 60s, detection: 60s, mclt: 120s}\n"
                    "run:\n  - {name: x, acquire: {batch: 300}}\n",
                    late, ARRAY_LEN(late));
    static const char *const in_time[] = {
        "failover detection: 5 s, and 7.5 s from T2 to expiry: the partner can take over in time",
        "MCLT: 30 s. A pair",
    };
    check_statement("expect: {lease: 60s, detection: 5s, mclt: 30s}\n"
                    "run:\n  - {name: x, acquire: {batch: 300}}\n",
                    in_time, ARRAY_LEN(in_time));
    static const char *const unknown[] = {"The lease time of the test is not given"};
    check_statement("run:\n  - {name: x, acquire: {batch: 300}}\n", unknown, ARRAY_LEN(unknown));
}

/* The report has so much room for it. */
static void the_longest_statement_fits_the_report(void **unused)
{
    (void)unused;
    static const char *const rows[] = {
        "expect: {lease: 86399s, detection: 20h, mclt: 20000h, production_lease: 87599h}\n"
        "run:\n  - {name: x, acquire: {batch: 300}}\n",
        "expect: {lease: 86399s, detection: 20h, production_lease: 87599h}\n"
        "run:\n  - {name: x, acquire: {batch: 300}}\n",
        "expect: {lease: 86399s, production_lease: 87599h, mclt: 86399s}\n"
        "run:\n  - {name: x, acquire: {batch: 300}}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        struct forecast f;
        char text[2 * RESULT_LONG_BYTES];
        make(&s, &f, rows[i]);
        forecast_compression(&s, text, sizeof(text));
        assert_in_range(strlen(text), 500, RESULT_LONG_BYTES - 1);
        forecast_housekeeping(&s, text, sizeof(text));
        assert_in_range(strlen(text), 500, RESULT_LONG_BYTES - 1);
        scenario_free(&s);
    }
}

static void a_short_buffer_cuts_the_statement(void **unused)
{
    (void)unused;
    struct scenario s;
    struct forecast f;
    make(&s, &f, "expect: {lease: 60s}\nrun:\n  - {name: x, acquire: {batch: 300}}\n");
    for (size_t size = 1; size < 600; size++) {
        char text[600];
        memset(text, 'x', sizeof(text));
        forecast_compression(&s, text, size);
        assert_true(memchr(text, '\0', size) != NULL);
    }
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_will_go_wrong_is_warned_of),
        cmocka_unit_test(a_sound_scenario_warns_of_nothing),
        cmocka_unit_test(a_short_buffer_cuts_the_statement),
        cmocka_unit_test(the_longest_statement_fits_the_report),
        cmocka_unit_test(packets_follow_from_copies_and_renewals),
        cmocka_unit_test(a_closed_model_has_bounds_only),
        cmocka_unit_test(addresses_and_memory_are_counted_once),
        cmocka_unit_test(a_lane_takes_no_more_than_forecast),
        cmocka_unit_test(the_default_timeout_is_generous_and_bounded),
        cmocka_unit_test(the_compression_statement_says_what_the_load_equals),
        cmocka_unit_test(the_compression_statement_warns_before_leases_are_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
