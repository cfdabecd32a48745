/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/prng.h"
#include "coordinator/run/clock_map.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

static void a_sample_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct clock_map map = {0};
    assert_false(clock_map_add(&map, 100, 50, 60, 99));   /* came back before it left */
    assert_false(clock_map_add(&map, 100, 60, 50, 200));  /* the agent answered before it heard */
    assert_false(clock_map_add(&map, 100, 10, 500, 200)); /* held longer than the round trip */
    assert_int_equal(map.count, 0);
    assert_true(clock_map_latest(&map).uncertainty_ns == UINT64_MAX);
    assert_true(clock_map_at(&map, 12345).uncertainty_ns == UINT64_MAX);
    assert_true(isnan(clock_map_rate_ppm(&map)));
}

static void a_clock_that_is_decades_away_is_refused(void **state)
{
    (void)state;
    static const uint64_t there[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX / 8 * 3,
                                     INT64_MAX / 4, 0 - (uint64_t)INT64_MAX / 4};
    struct clock_map map = {0};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        uint64_t t2 = 1000000 + there[i];
        assert_false(clock_map_add(&map, 1000000, t2, t2, 1000100));
    }
    assert_int_equal(map.count, 0);
}

/* --- a clock and the way to it, simulated in steps of a millisecond --- */

enum { STEPS = 120000, STEP_NS = 1000000 };

struct world {
    const char *name;
    int64_t offset_ns;
    double ppm, wander_ppm, slew_ppm; /* constant; a walk this wide; a square wave of 20 s */
    uint64_t way_ns, jitter_ns;
    unsigned spikes_percent; /* of single ways, up to spike_ns more */
    uint64_t spike_ns;
    uint64_t detour_ns; /* on the way back only, in the second half */
    uint64_t every_ns;  /* between samples */
    unsigned suspended_from_s, suspended_s;
    uint64_t uncertainty_most_ns; /* once the map is usable; UINT64_MAX: not asked */
};

static const struct world worlds[] = {
    {"still", 5 * (int64_t)S, 0, 0, 0, 50 * US, 10 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"+200 ppm", -7200 * (int64_t)S, 200, 0, 0, 50 * US, 10 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"-500 ppm", 36000 * (int64_t)S, -500, 0, 0, 50 * US, 10 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"both at their limits", 3, 1000, 0, 0, 50 * US, 10 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"wander", 90000 * (int64_t)S, 100, 400, 0, 50 * US, 20 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"slews", 0, 0, 0, 500, 50 * US, 20 * US, 0, 0, 0, 250 * MS, 0, 0, MS},
    {"slow samples", -3, -200, 0, 0, 50 * US, 10 * US, 0, 0, 0, S, 0, 0, 3 * MS},
    {"spikes", 86400 * (int64_t)S, 200, 50, 0, 50 * US, 20 * US, 30, 20 * MS, 0, 250 * MS, 0, 0,
     10 * MS},
    {"one way congested", -5, 500, 0, 0, 50 * US, 20 * US, 5, 5 * MS, 30 * MS, 250 * MS, 0, 0,
     UINT64_MAX},
    {"suspended", 12345678, -300, 100, 0, 200 * US, 100 * US, 5, 5 * MS, 0, 250 * MS, 40, 25,
     UINT64_MAX},
    {"far away", 7 * (int64_t)S, 150, 30, 0, 40 * MS, 10 * MS, 10, 200 * MS, 0, S, 0, 0,
     UINT64_MAX},
};

static uint64_t truth[STEPS]; /* the agent's clock, by steps of ours */

static uint64_t begin_ns(void)
{
    return 200000 * S;
}

static void let_it_tick(const struct world *w, struct prng *prng)
{
    double ahead_ns = 0, walk_ppm = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        walk_ppm += w->wander_ppm * (prng_unit(prng_next(prng)) - 0.5) / 50;
        walk_ppm = fmin(fmax(walk_ppm, -w->wander_ppm), w->wander_ppm);
        double square_ppm = i / 20000 % 2 == 0 ? w->slew_ppm : -w->slew_ppm;
        truth[i] = begin_ns() + (uint64_t)i * STEP_NS + (uint64_t)w->offset_ns +
                   (uint64_t)(int64_t)ahead_ns;
        ahead_ns += (w->ppm + walk_ppm + square_ppm) * 1e-6 * STEP_NS;
    }
}

/* What the agent's clock shows at an instant of ours. */
static uint64_t agent_at(uint64_t ns)
{
    uint64_t step = (ns - begin_ns()) / STEP_NS, rest = (ns - begin_ns()) % STEP_NS;
    step = step < STEPS - 1 ? step : STEPS - 2;
    return truth[step] +
           (uint64_t)((double)(truth[step + 1] - truth[step]) * (double)rest / STEP_NS);
}

static uint64_t way(const struct world *w, struct prng *prng)
{
    uint64_t ns = w->way_ns + prng_below(prng, w->jitter_ns);
    return prng_below(prng, 100) < w->spikes_percent ? ns + prng_below(prng, w->spike_ns) : ns;
}

static bool is_suspended(const struct world *w, uint64_t ns)
{
    uint64_t from_ns = begin_ns() + w->suspended_from_s * S;
    return w->suspended_s > 0 && ns >= from_ns && ns < from_ns + w->suspended_s * S;
}

/* Asks at `ns`; returns when the answer was back. */
static uint64_t take_sample(const struct world *w, struct prng *prng, struct clock_map *map,
                            uint64_t ns)
{
    uint64_t there_ns = ns + way(w, prng);
    uint64_t read_ns = there_ns + prng_below(prng, 30 * US);
    if (is_suspended(w, ns)) {
        read_ns = begin_ns() + (w->suspended_from_s + w->suspended_s) * S; /* it held on to it */
    }
    uint64_t back_ns = read_ns + way(w, prng);
    bool is_late = ns > begin_ns() + (uint64_t)STEPS / 2 * STEP_NS;
    back_ns += is_late ? w->detour_ns : 0;
    assert_true(clock_map_add(map, ns, agent_at(there_ns), agent_at(read_ns), back_ns));
    return back_ns;
}

static uint64_t error_ns(const struct clock_reading *r, uint64_t ns)
{
    return (uint64_t)llabs(r->offset_ns - (int64_t)(agent_at(ns) - ns));
}

static void check_instant(const struct world *w, const struct clock_map *map, uint64_t ns,
                          uint64_t most_ns)
{
    struct clock_reading r = clock_map_at(map, agent_at(ns));
    uint64_t off_ns = error_ns(&r, ns);
    if (off_ns > r.uncertainty_ns || r.uncertainty_ns > most_ns) {
        fail_msg("%s, at %.3f s: off by %.1f us, said to be within %.1f us, asked for %.1f us",
                 w->name, (double)(ns - begin_ns()) / 1e9, (double)off_ns / 1e3,
                 (double)r.uncertainty_ns / 1e3, (double)most_ns / 1e3);
    }
}

static void play(const struct world *w, uint64_t seed)
{
    struct prng prng = prng_seeded(seed);
    struct clock_map map = {0};
    let_it_tick(w, &prng);
    uint64_t end_ns = begin_ns() + (uint64_t)(STEPS - 3000) * STEP_NS;
    uint64_t asked_ns = begin_ns();
    while (asked_ns < end_ns) {
        uint64_t heard_ns = take_sample(w, &prng, &map, asked_ns);
        uint64_t every_ns = clock_map_is_usable(&map) ? w->every_ns : 10 * MS;
        uint64_t next_ns = asked_ns + every_ns > heard_ns ? asked_ns + every_ns : heard_ns + 1;
        for (unsigned i = 0; clock_map_is_usable(&map) && i < 8; i++) {
            /* now, a little ago, long ago */
            uint64_t ns = heard_ns + prng_below(&prng, next_ns - heard_ns);
            check_instant(w, &map, ns, w->uncertainty_most_ns);
            uint64_t ago_ns = prng_below(&prng, ns - begin_ns() + 1);
            check_instant(w, &map, ns - ago_ns % (10 * S), w->uncertainty_most_ns);
            check_instant(w, &map, ns - ago_ns, UINT64_MAX);
            assert_true(llabs(clock_map_to_coordinator_ns(&map, clock_map_to_agent_ns(&map, ns)) -
                              (int64_t)ns) < 3);
        }
        asked_ns = next_ns;
    }
    assert_true(clock_map_is_usable(&map));
    assert_int_equal(map.breaks, 0);
}

static void the_truth_lies_within_the_uncertainty(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            play(&worlds[i], seed);
        }
    }
}

/* --- what the line is worth --- */

static void run_for(const struct world *w, struct clock_map *map, unsigned seconds)
{
    struct prng prng = prng_seeded(7);
    let_it_tick(w, &prng);
    for (uint64_t ns = begin_ns(); ns < begin_ns() + seconds * S; ns += 250 * MS) {
        (void)take_sample(w, &prng, map, ns);
    }
}

static void the_rate_is_found(void **state)
{
    (void)state;
    static const double ppms[] = {0, 200, -200, 500, -500};
    for (size_t i = 0; i < sizeof(ppms) / sizeof(ppms[0]); i++) {
        struct world w = worlds[0];
        struct clock_map map = {0};
        w.ppm = ppms[i];
        run_for(&w, &map, 20);
        assert_true(fabs(clock_map_rate_ppm(&map) - ppms[i]) < 5);
    }
}

static void a_drifting_clock_is_met_where_it_will_be(void **state)
{
    (void)state;
    struct world w = worlds[1];
    struct clock_map map = {0};
    run_for(&w, &map, 20);
    /* A start instant one second ahead: 200 us would be lost without the rate. */
    uint64_t start_ns = begin_ns() + 21 * S;
    uint64_t planned_ns = clock_map_to_agent_ns(&map, start_ns);
    assert_true(llabs((int64_t)(planned_ns - agent_at(start_ns))) < 30000);
}

static void a_delayed_answer_does_not_move_the_line(void **state)
{
    (void)state;
    struct clock_map map = {0};
    run_for(&worlds[1], &map, 20);
    uint64_t ns = begin_ns() + 20 * S;
    uint64_t read_ns = agent_at(ns + 50 * US);
    assert_true(clock_map_add(&map, ns, read_ns, read_ns, ns + 500 * US)); /* 400 us too late */
    struct clock_reading r = clock_map_latest(&map);
    assert_true(error_ns(&r, ns + 50 * US) < 30 * US);
    assert_true(r.uncertainty_ns > 100 * US); /* all the same, that is all one knows */
}

static void the_newest_sample_alone_bounds_by_half_its_delay(void **state)
{
    (void)state;
    struct clock_map map = {0};
    uint64_t t = begin_ns();
    assert_true(clock_map_add(&map, t, t + 5 * MS, t + 5 * MS, t + MS));
    struct clock_reading r = clock_map_latest(&map);
    assert_int_equal(r.offset_ns, 4500000);
    assert_in_range(r.uncertainty_ns, 500000, 500010);
    assert_int_equal(clock_map_delay_ns(&map), 1000000);
    r = clock_map_at(&map, t + 5 * MS + S); /* a second later: and by what clocks may part */
    assert_in_range(r.uncertainty_ns, 500000 + 1002000, 500010 + 1002000);
    r = clock_map_at(&map, t + 5 * MS - S);
    assert_in_range(r.uncertainty_ns, 500000 + 1002000, 500010 + 1002000);
    assert_true(clock_map_at(&map, UINT64_MAX).uncertainty_ns < UINT64_MAX);
}

static void a_good_sample_bounds_its_delayed_neighbours(void **state)
{
    (void)state;
    struct clock_map map = {0};
    uint64_t t = begin_ns();
    assert_true(clock_map_add(&map, t, t + 9 * MS, t + 9 * MS, t + 10 * MS));
    assert_true(clock_map_add(&map, t + S / 10, t + S / 10, t + S / 10, t + S / 10 + 2000));
    struct clock_reading r = clock_map_at(&map, t + 9 * MS);
    assert_true(r.uncertainty_ns < 200 * US); /* 5 ms of its own */
    assert_true((uint64_t)llabs(r.offset_ns) <= r.uncertainty_ns);
}

/* --- what no clock does --- */

static void a_jump_is_a_break_and_as_uncertain_as_it_is_large(void **state)
{
    (void)state;
    static const int64_t jumps[] = {2 * (int64_t)S, -3 * (int64_t)MS, 3600 * (int64_t)S};
    for (size_t k = 0; k < sizeof(jumps) / sizeof(jumps[0]); k++) {
        struct clock_map map = {0};
        uint64_t ns = begin_ns();
        for (unsigned i = 0; i < 40; i++, ns += 250 * MS) {
            uint64_t t2 = ns + 50 * US + (i < 20 ? 0 : (uint64_t)jumps[k]) + 100 * S;
            assert_true(clock_map_add(&map, ns, t2, t2, ns + 100 * US));
        }
        assert_int_equal(map.breaks, 1);
        uint64_t last_ns = begin_ns() + 19 * 250 * MS, next_ns = last_ns + 250 * MS;
        struct clock_reading r = clock_map_at(&map, last_ns + 100 * S - MS);
        assert_true(llabs(r.offset_ns - 100 * (int64_t)S) < 100000 && r.uncertainty_ns < MS);
        r = clock_map_at(&map, next_ns + 100 * S + (uint64_t)jumps[k] + MS);
        assert_true(llabs(r.offset_ns - 100 * (int64_t)S - jumps[k]) < 100000);
        assert_true(r.uncertainty_ns < MS);
        /* Between them the clock may have shown anything that lies between. */
        r = clock_map_at(&map, last_ns + 100 * S + 240 * MS);
        assert_true(llabs(r.offset_ns - 100 * (int64_t)S) <= (int64_t)r.uncertainty_ns);
        assert_true(llabs(r.offset_ns - 100 * (int64_t)S - jumps[k]) <= (int64_t)r.uncertainty_ns);
        uint64_t jump_ns = (uint64_t)llabs(jumps[k]);
        assert_true(r.uncertainty_ns < 2 * MS + jump_ns / 2 + jump_ns / 900);
    }
}

static void a_wild_slew_stays_within_its_uncertainty(void **state)
{
    (void)state;
    struct world w = worlds[0];
    w.name = "slewed by 8 %";
    w.slew_ppm = 80000;
    struct clock_map map = {0};
    struct prng prng = prng_seeded(3);
    let_it_tick(&w, &prng);
    for (uint64_t ns = begin_ns(); ns < begin_ns() + 30 * S; ns += 250 * MS) {
        uint64_t heard_ns = take_sample(&w, &prng, &map, ns);
        /* Of what lies behind: of what is to come such a clock says nothing. */
        for (unsigned i = 0; map.count > 4 && i < 8; i++) {
            check_instant(&w, &map, heard_ns - 200 * US - prng_below(&prng, 500 * MS), 25 * MS);
        }
    }
    assert_true(map.breaks > 100);
}

static void a_clock_that_went_back_is_another_clock(void **state)
{
    (void)state;
    struct clock_map map = {0};
    run_for(&worlds[0], &map, 5);
    uint64_t ns = begin_ns() + 6 * S;
    assert_true(clock_map_add(&map, ns, 1000, 1000, ns + 100));
    assert_int_equal(map.count, 1);
    assert_int_equal(map.breaks, 1);
    assert_true(clock_map_to_coordinator_ns(&map, 1000) == (int64_t)(ns + 50));
    assert_false(clock_map_is_usable(&map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_clock_that_is_decades_away_is_refused),
        cmocka_unit_test(the_truth_lies_within_the_uncertainty),
        cmocka_unit_test(the_rate_is_found),
        cmocka_unit_test(a_drifting_clock_is_met_where_it_will_be),
        cmocka_unit_test(a_delayed_answer_does_not_move_the_line),
        cmocka_unit_test(the_newest_sample_alone_bounds_by_half_its_delay),
        cmocka_unit_test(a_good_sample_bounds_its_delayed_neighbours),
        cmocka_unit_test(a_jump_is_a_break_and_as_uncertain_as_it_is_large),
        cmocka_unit_test(a_wild_slew_stays_within_its_uncertainty),
        cmocka_unit_test(a_clock_that_went_back_is_another_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
