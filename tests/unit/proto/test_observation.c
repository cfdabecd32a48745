/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/control.h"
#include "proto/observation.h"

static struct observation good(void)
{
    struct observation o;

    memset(&o, 0, sizeof(o));
    return o;
}

static void a_value_that_cannot_be_is_refused(void **state)
{
    static const double wild[] = {-1, NAN, INFINITY, -INFINITY, 1.1e18, -1e-300};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
        struct observation o = good();
        observation_set(&o, OBSERVER_threads, wild[i]);
        if (observation_is_valid(&o)) {
            fail_msg("%g is a value", wild[i]);
        }
    }
}

static void a_value_beside_no_value_is_refused(void **state)
{
    struct observation o = good();

    (void)state;
    o.value[OBSERVER_rss] = 1;
    assert_false(observation_is_valid(&o));
    observation_lacks(&o, OBSERVER_rss, AVAILABLE_NO_PERMISSION);
    assert_true(observation_is_valid(&o));
    o.value[OBSERVER_rss] = NAN;
    assert_false(observation_is_valid(&o));
}

static void an_availability_or_state_beyond_the_list_is_refused(void **state)
{
    struct observation o = good();

    (void)state;
    o.availability[OBSERVER_rss] = AVAILABLE_COUNT;
    assert_false(observation_is_valid(&o));
    o = good();
    observation_set(&o, OBSERVER_failover_own, FAILOVER_STATE_COUNT);
    assert_false(observation_is_valid(&o));
    observation_set(&o, OBSERVER_failover_own, FAILOVER_NORMAL + 0.5);
    assert_false(observation_is_valid(&o));
    observation_set(&o, OBSERVER_failover_own, FAILOVER_NORMAL);
    assert_true(observation_is_valid(&o));
}

static void a_note_is_printable_and_ends(void **state)
{
    struct observation o = good();

    (void)state;
    memset(o.note[NOTE_NAT_RULE], 'x', sizeof(o.note[NOTE_NAT_RULE]));
    assert_false(observation_is_valid(&o));
    o.note[NOTE_NAT_RULE][NOTE_BYTES] = '\0';
    assert_true(observation_is_valid(&o));
    o.note[NOTE_NAT_RULE][3] = '\n';
    assert_false(observation_is_valid(&o));
    o.note[NOTE_NAT_RULE][3] = (char)0xc3;
    assert_false(observation_is_valid(&o));
}

static void a_note_is_made_printable(void **state)
{
    struct observation o = good();
    char text[2 * NOTE_BYTES];

    (void)state;
    observation_set_note(&o, NOTE_DROP_RULE, "a\tb\x1b[2J\xc3\xa9");
    assert_string_equal(o.note[NOTE_DROP_RULE], "a b?[2J??");
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    observation_set_note(&o, NOTE_DROP_RULE, text);
    assert_int_equal(strlen(o.note[NOTE_DROP_RULE]), NOTE_BYTES);
    observation_set_note(&o, NOTE_DROP_RULE, "z");
    assert_int_equal(o.note[NOTE_DROP_RULE][2], '\0');
    assert_true(observation_is_valid(&o));
}

static void every_name_is_there_and_none_twice(void **state)
{
    (void)state;
    for (int i = 0; i < OBSERVER_METRIC_COUNT; i++) {
        enum observer_metric m = (enum observer_metric)i;
        assert_true(observer_metric_name(m)[0] != '\0' && observer_metric_help(m)[0] != '\0');
        assert_true((observer_metric_kind(m) == OBSERVER_STATE) ==
                    (strcmp(observer_metric_unit(m), "state") == 0));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(observer_metric_name(m),
                                    observer_metric_name((enum observer_metric)k));
        }
    }
    for (int i = 0; i < AVAILABLE_COUNT; i++) {
        assert_non_null(availability_name((enum availability)i));
    }
    for (int i = 0; i < NOTE_KIND_COUNT; i++) {
        assert_non_null(observer_note_name((enum observer_note_kind)i));
    }
}

static void a_state_is_found_by_its_name_and_nothing_else_is(void **state)
{
    (void)state;
    for (int s = 0; s < FAILOVER_STATE_COUNT; s++) {
        assert_non_null(failover_state_name((enum failover_state)s));
        assert_int_equal(failover_state_of(failover_state_name((enum failover_state)s)), s);
    }
    assert_int_equal(failover_state_of("PARTNER-DOWN"), FAILOVER_PARTNER_DOWN);
    assert_int_equal(failover_state_of("communications_interrupted"),
                     FAILOVER_COMMUNICATIONS_INTERRUPTED);
    assert_int_equal(failover_state_of("HOT-STANDBY"), FAILOVER_HOT_STANDBY);
    assert_int_equal(failover_state_of("recover"), FAILOVER_RECOVER);
    assert_int_equal(failover_state_of("recover-"), FAILOVER_UNKNOWN);
    assert_int_equal(failover_state_of("normally"), FAILOVER_UNKNOWN);
    assert_int_equal(failover_state_of(""), FAILOVER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_cannot_be_is_refused),
        cmocka_unit_test(a_value_beside_no_value_is_refused),
        cmocka_unit_test(an_availability_or_state_beyond_the_list_is_refused),
        cmocka_unit_test(a_note_is_printable_and_ends),
        cmocka_unit_test(a_note_is_made_printable),
        cmocka_unit_test(every_name_is_there_and_none_twice),
        cmocka_unit_test(a_state_is_found_by_its_name_and_nothing_else_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
