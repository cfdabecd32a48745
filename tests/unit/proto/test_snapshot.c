/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "proto/snapshot.h"

static void keys_that_name_nothing_are_refused(void **state)
{
    static const struct {
        struct histogram_key key;
        bool is_valid;
    } rows[] = {
        {{LATENCY_METRIC_COUNT, 0, 0, 0}, false},
        {{0, LATENCY_CLOCK_COUNT, 0, 0}, false},
        {{0, 0, PLAN_SERVERS_MAX, 0}, false},
        {{0, 0, 254, 0}, false},
        {{0, 0, 0, PLAN_STAGES_MAX}, false},
        {{0, 0, 0, 255}, false},
        {{LATENCY_SEND_LAG, LATENCY_FROM_SEND, SNAPSHOT_NO_SERVER, 0}, false},
        {{LATENCY_SEND_LAG, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 0}, true},
        {{LATENCY_RENEW, LATENCY_FROM_SEND, PLAN_SERVERS_MAX - 1, PLAN_STAGES_MAX - 1}, true},
        {{0, 0, SNAPSHOT_NO_SERVER, SNAPSHOT_STAGE_PREFLIGHT}, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (histogram_key_is_valid(rows[i].key) != rows[i].is_valid) {
            fail_msg("row %zu", i);
        }
    }
}

static void every_counter_has_a_name_of_its_own_and_a_help(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        const char *name = snapshot_counter_name((enum snapshot_counter)i);
        assert_true(strlen(snapshot_counter_help((enum snapshot_counter)i)) > 3);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, snapshot_counter_name((enum snapshot_counter)j));
        }
    }
    for (unsigned i = 0; i < LATENCY_METRIC_COUNT; i++) {
        assert_non_null(latency_metric_name((enum latency_metric)i));
    }
    for (unsigned i = 0; i < LATENCY_CLOCK_COUNT; i++) {
        assert_non_null(latency_clock_name((enum latency_clock)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_name_nothing_are_refused),
        cmocka_unit_test(every_counter_has_a_name_of_its_own_and_a_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
