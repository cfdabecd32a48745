/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "coordinator/truth/steady.h"

/* 2,000 clients with leases of 60 s: T1 = 30 s, N/T1 = 66.7/s. */
enum { S = 1000000, CLIENTS = 2000, LEASE_S = 60, T1_S = 30 };

struct series {
    double clump;      /* share of T1 in which all clients have their phase; 1: even */
    double fuzz;       /* of T1 */
    double p50_us;     /* of a client's answers ... */
    double noise;      /* ... each multiplied by e^(noise x normal) ... */
    double per_t1;     /* ... and by this, per T1 */
    double busy;       /* how much slower the last of a clump is than the first */
    double lost;       /* share of clients that never renew */
    double unanswered; /* share of renewals without an answer */
    uint64_t seed;
};

static double unit(uint64_t seed, uint64_t who, uint64_t what)
{
    return prng_unit(prng_mix(seed, who, what));
}

static double normal(uint64_t seed, uint64_t who, uint64_t what)
{
    double u = unit(seed, who, 2 * what) + 1e-12, v = unit(seed, who, 2 * what + 1);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Renewals of all clients up to `until_s`; clients were bound just before 0. */
static void play(struct steady *s, const struct series *x, double until_s)
{
    assert_true(steady_init(s, (int64_t)LEASE_S * S));
    for (uint32_t c = 0; c < CLIENTS; c++) {
        double phase = unit(x->seed, c, 1) * x->clump, at_s = phase * T1_S;
        bool is_lost = unit(x->seed, c, 2) < x->lost;
        for (uint32_t k = 0; at_s < until_s && !is_lost; k++) {
            double us = x->p50_us * exp(x->noise * normal(x->seed, c, 100 + k)) *
                        pow(x->per_t1, at_s / T1_S) * (1 + x->busy * phase / x->clump);
            bool is_answered = unit(x->seed, c, 5000 + k) >= x->unanswered;
            steady_renewal(s, (int64_t)(at_s * S), is_answered ? (uint64_t)us : UINT64_MAX);
            at_s += T1_S * (1 + x->fuzz * (2 * unit(x->seed, c, 9000 + k) - 1));
        }
    }
}

static bool ask(const struct steady *s, double at_s, char why[STEADY_WHY_BYTES])
{
    const struct steady_question q = {
        .run_us = (int64_t)(at_s * S), .since_us = 0, .t1_us = T1_S * S, .bound = CLIENTS};
    return steady_reached(s, &q, why);
}

/* First second at which it is steady, of three T1 after the first renewals; NAN: never. */
static double first_steady(const struct series *x, char why[STEADY_WHY_BYTES])
{
    struct steady s;
    double found = NAN;
    play(&s, x, 4 * T1_S);
    for (double at_s = 1; at_s <= 3 * T1_S && isnan(found); at_s += 1) {
        found = ask(&s, at_s, why) ? at_s : NAN;
    }
    steady_fini(&s);
    return found;
}

static void a_zeroed_one_records_nothing_and_is_never_steady(void **state)
{
    (void)state;
    struct steady s = {0};
    char why[STEADY_WHY_BYTES] = "";
    steady_renewal(&s, 5, 5);
    assert_false(ask(&s, 100, why));
    assert_string_not_equal(why, "");
    steady_fini(&s);
}

static void nothing_is_steady_before_the_stage_has_lasted_a_t1(void **state)
{
    (void)state;
    struct steady s;
    char why[STEADY_WHY_BYTES];
    play(&s, &(struct series){.clump = 1, .fuzz = 0.05, .p50_us = 400, .seed = 1, .per_t1 = 1}, 90);
    const struct steady_question q = {
        .run_us = 80 * S, .since_us = 60 * S, .t1_us = T1_S * S, .bound = CLIENTS};
    assert_false(steady_reached(&s, &q, why));
    assert_non_null(strstr(why, "has not lasted one T1"));
    steady_fini(&s);
}

static void noise_alone_is_steady(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char why[STEADY_WHY_BYTES];
        double at_s = first_steady(
            &(struct series){
                .clump = 1, .fuzz = 0.05, .p50_us = 400, .noise = 0.8, .per_t1 = 1, .seed = seed},
            why);
        if (!(at_s <= 2.2 * T1_S + 3)) {
            fail_msg("seed %lu: %f: %s", (unsigned long)seed, at_s, why);
        }
        assert_non_null(strstr(why, "without a trend"));
    }
}

/* Acquired in a sixth of T1, and the queue grows within each burst: periodic, no trend. */
static void a_sawtooth_of_synchronised_clients_is_steady(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char why[STEADY_WHY_BYTES];
        double at_s = first_steady(&(struct series){.clump = 1.0 / 6,
                                                    .fuzz = 0.01,
                                                    .p50_us = 400,
                                                    .noise = 0.3,
                                                    .per_t1 = 1,
                                                    .busy = 20,
                                                    .seed = seed},
                                   why);
        if (isnan(at_s)) {
            fail_msg("seed %lu: %s", (unsigned long)seed, why);
        }
        double clump = strtod(strstr(why, "part of a T1 has ") + 17, NULL);
        assert_true(clump > 4);
    }
}

static void a_ramp_is_never_steady(void **state)
{
    (void)state;
    static const double per_t1[] = {1.25, 1.5, 2, 0.7};
    for (size_t i = 0; i < ARRAY_LEN(per_t1); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            char why[STEADY_WHY_BYTES];
            double at_s = first_steady(&(struct series){.clump = 1,
                                                        .fuzz = 0.05,
                                                        .p50_us = 20000,
                                                        .noise = 0.3,
                                                        .per_t1 = per_t1[i],
                                                        .seed = seed},
                                       why);
            if (!isnan(at_s)) {
                fail_msg("ramp of %g, seed %lu: %s", per_t1[i], (unsigned long)seed, why);
            }
            assert_non_null(strstr(why, "p50(renew) went from"));
        }
    }
}

static void a_ramp_in_the_sawtooth_is_seen(void **state)
{
    (void)state;
    char why[STEADY_WHY_BYTES];
    assert_true(isnan(first_steady(&(struct series){.clump = 1.0 / 6,
                                                    .fuzz = 0.01,
                                                    .p50_us = 2000,
                                                    .noise = 0.3,
                                                    .per_t1 = 1.5,
                                                    .busy = 5,
                                                    .seed = 3},
                                   why)));
}

static void renewals_that_are_missing_are_not_steady(void **state)
{
    (void)state;
    char why[STEADY_WHY_BYTES];
    struct series x = {
        .clump = 1, .fuzz = 0.05, .p50_us = 400, .per_t1 = 1, .lost = 0.1, .seed = 7};
    assert_true(isnan(first_steady(&x, why)));
    assert_non_null(strstr(why, "N/T1 = 2000 clients / 30.0 s"));
    x.lost = 0.02;
    assert_true(first_steady(&x, why) > 0);
}

static void mostly_unanswered_is_not_steady(void **state)
{
    (void)state;
    char why[STEADY_WHY_BYTES];
    assert_true(isnan(first_steady(
        &(struct series){
            .clump = 1, .fuzz = 0.05, .p50_us = 400, .per_t1 = 1, .unanswered = 0.6, .seed = 7},
        why)));
    assert_non_null(strstr(why, "more than half"));
}

/* A lease of which T1 is not known, or one that is not the run's. */
static void a_strange_t1_is_told(void **state)
{
    (void)state;
    struct steady s;
    char why[STEADY_WHY_BYTES];
    play(&s, &(struct series){.clump = 1, .p50_us = 400, .seed = 1, .per_t1 = 1}, 90);
    struct steady_question q = {.run_us = 80 * S, .t1_us = 0, .bound = CLIENTS};
    assert_false(steady_reached(&s, &q, why));
    q.t1_us = INT64_C(600) * S;
    assert_false(steady_reached(&s, &q, why));
    q.t1_us = T1_S * S;
    q.bound = 0;
    assert_false(steady_reached(&s, &q, why));
    steady_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_one_records_nothing_and_is_never_steady),
        cmocka_unit_test(nothing_is_steady_before_the_stage_has_lasted_a_t1),
        cmocka_unit_test(noise_alone_is_steady),
        cmocka_unit_test(a_sawtooth_of_synchronised_clients_is_steady),
        cmocka_unit_test(a_ramp_is_never_steady),
        cmocka_unit_test(a_ramp_in_the_sawtooth_is_seen),
        cmocka_unit_test(renewals_that_are_missing_are_not_steady),
        cmocka_unit_test(mostly_unanswered_is_not_steady),
        cmocka_unit_test(a_strange_t1_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
