/* SPDX-License-Identifier: MIT */
/* What a server made of a renewal: extended, given again from its cache, or as a query tells. */
#include "tests/support/testing.h"

#include "coordinator/truth/evidence_wire.h"
#include "tests/support/truth_fixture.h"

static struct truth_wire wire;
static struct truth_fixture f;

static int set_up(void **state)
{
    (void)state;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN "judge: [leases.failed == 0]\n");
    truth_stage_begin(f.truth, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    truth_fixture_fini(&f);
    return 0;
}

static struct event ack(enum event_kind kind, uint32_t client)
{
    return truth_fixture_ack(&f, kind, client);
}

static const struct wire_server *figures(uint32_t server)
{
    truth_wire_figures(f.truth, &wire);
    assert_int_equal(wire.server_count, f.plan.server_count);
    assert_int_equal(wire.late, 0);
    return &wire.server[server];
}

static void a_lease_query_tells_what_the_server_had_extended(void **state)
{
    (void)state;
    truth_fixture_event(&f, ack(EVENT_ACQUIRE, 0), 0.002);
    struct event e = ack(EVENT_QUERY, 0);
    e.result = EVENT_LEASED;
    const uint32_t left_s[] = {20, 19, 48,
                               8}; /* at 40 s: as known, the same, extended, shortened */
    for (size_t i = 0; i < ARRAY_LEN(left_s); i++) {
        e.lease_s = left_s[i];
        truth_fixture_event(&f, e, 40);
    }
    const struct wire_server *s = figures(0);
    assert_int_equal(s->query_same, 2);
    assert_int_equal(s->query_ahead, 1);
    assert_int_equal(s->query_behind, 1);
}

static void early_renewals_from_a_cache_are_told_from_extensions(void **state)
{
    (void)state;
    truth_fixture_event(&f, ack(EVENT_ACQUIRE, 0), 0.002);
    struct event e = ack(EVENT_RENEW, 0);
    e.flags = EVENT_EARLY;
    e.lease_s = 48;
    truth_fixture_event(&f, e, 12.002); /* ends when the old one does */
    e.lease_s = 60;
    truth_fixture_event(&f, e, 20.002); /* extended */
    e.lease_s = 48;
    truth_fixture_event(&f, e, 24.002); /* short, but not the same end */
    e.tries = 2;
    e.lease_s = 40;
    truth_fixture_event(&f, e, 32.002); /* nobody knows which try was answered */
    const struct wire_server *s = figures(0);
    assert_int_equal(s->renewals_timed, 3);
    assert_int_equal(s->renewals_cached, 1);
    assert_true(s->cached_age > 0.19 && s->cached_age < 0.21);
}

/* It ends about when the one before did, since both end at once. */
static void leases_of_a_second_are_no_cache(void **state)
{
    (void)state;
    truth_fixture_event(&f, ack(EVENT_ACQUIRE, 0), 0.002);
    struct event e = ack(EVENT_RENEW, 0);
    e.flags = EVENT_EARLY;
    e.lease_s = 1;
    truth_fixture_event(&f, e, 12.002);
    truth_fixture_event(&f, e, 12.502);
    assert_int_equal(figures(0)->renewals_cached, 0);
}

/* Its first REQUEST was granted and so was the second, 5 s later, which the client cannot know. */
static void a_retransmitted_request_may_have_begun_the_lease_anew(void **state)
{
    (void)state;
    struct event e = ack(EVENT_ACQUIRE, 0);
    e.tries = 3;
    e.took_us = 5002000;
    e.offer_us = 1000;
    truth_fixture_event(&f, e, 5.002);
    e = ack(EVENT_RENEW, 0);
    e.lease_s = 48;
    truth_fixture_event(&f, e, 17.002); /* 12 s after the second, 17 s after the first */
    assert_int_equal(figures(0)->renewals_cached, 1);
    truth_fixture_event(&f, e, 34.002); /* this time it is no longer in doubt */
    assert_int_equal(figures(0)->renewals_cached, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_lease_query_tells_what_the_server_had_extended),
        CASE(early_renewals_from_a_cache_are_told_from_extensions),
        CASE(leases_of_a_second_are_no_cache),
        CASE(a_retransmitted_request_may_have_begun_the_lease_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
