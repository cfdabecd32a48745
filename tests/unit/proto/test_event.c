/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "tests/support/control_samples.h"

static void results_a_kind_cannot_have_are_refused(void **state)
{
    static const char *const possible[EVENT_KIND_COUNT] = {
        [EVENT_ACQUIRE] = "ack nak gave_up",
        [EVENT_RENEW] = "ack nak gave_up changed",
        [EVENT_REBIND] = "ack nak gave_up changed",
        [EVENT_REBOOT] = "ack nak gave_up changed",
        [EVENT_INFORM] = "ack nak gave_up",
        [EVENT_RELEASE] = "sent",
        [EVENT_DECLINE] = "sent",
        [EVENT_EXPIRE] = "ended",
        [EVENT_QUERY] = "leased unassigned unknown gave_up",
    };

    (void)state;
    for (unsigned kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        for (unsigned result = 0; result < EVENT_RESULT_COUNT; result++) {
            struct event e;
            sample_event(&e, 0);
            e.flags = 0;
            e.kind = (uint8_t)kind;
            e.result = (uint8_t)result;
            const char *name = event_result_name((enum event_result)result);
            assert_int_equal(event_is_valid(&e), strstr(possible[kind], name) != NULL);
        }
    }
}

static void values_outside_their_tables_are_refused(void **state)
{
    struct event good;
    struct event e;

    (void)state;
    sample_event(&good, 0);
    assert_true(event_is_valid(&good));
    e = good;
    e.kind = EVENT_KIND_COUNT;
    assert_false(event_is_valid(&e));
    e = good;
    e.result = EVENT_RESULT_COUNT;
    assert_false(event_is_valid(&e));
    e = good;
    e.flags = EVENT_FLAGS_ALL + 1;
    assert_false(event_is_valid(&e));
    e = good;
    e.stage = PLAN_STAGES_MAX;
    assert_false(event_is_valid(&e));
    e = good;
    e.client = PLAN_CLIENTS_MAX;
    assert_false(event_is_valid(&e));
    e = good;
    e.t_us = UINT64_C(1) << 63;
    assert_false(event_is_valid(&e));
    e = good;
    e.addr = sample_ipv4(0);
    assert_false(event_is_valid(&e));
}

static void flags_belong_to_their_kind(void **state)
{
    struct event e;

    (void)state;
    sample_event(&e, 0);
    e.flags = EVENT_DEADLINE;
    assert_false(event_is_valid(&e));
    e.result = EVENT_GAVE_UP;
    assert_true(event_is_valid(&e));
    e.flags = EVENT_LATE_BOUND;
    assert_false(event_is_valid(&e));
    e.flags = EVENT_CLEANUP;
    assert_false(event_is_valid(&e));
    e.kind = EVENT_RELEASE;
    e.result = EVENT_SENT;
    assert_true(event_is_valid(&e));
    e.kind = EVENT_RENEW;
    e.result = EVENT_ACK;
    e.flags = EVENT_FIRST_LEASE;
    assert_false(event_is_valid(&e));
    e.flags = EVENT_EARLY;
    assert_true(event_is_valid(&e));
    e.kind = EVENT_REBIND;
    assert_false(event_is_valid(&e));
}

static void every_kind_and_result_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_KIND_COUNT; i++) {
        assert_non_null(event_kind_name((enum event_kind)i));
    }
    for (unsigned i = 0; i < EVENT_RESULT_COUNT; i++) {
        assert_non_null(event_result_name((enum event_result)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_a_kind_cannot_have_are_refused),
        cmocka_unit_test(values_outside_their_tables_are_refused),
        cmocka_unit_test(flags_belong_to_their_kind),
        cmocka_unit_test(every_kind_and_result_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
