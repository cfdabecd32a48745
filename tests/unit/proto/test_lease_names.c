/* SPDX-License-Identifier: MIT */
#include "proto/lease_names.h"

#include "tests/support/testing.h"

#include <string.h>

static void every_state_and_event_has_its_own_name(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < LEASE_STATE_COUNT; i++) {
        assert_non_null(lease_state_name((enum lease_state)i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(lease_state_name((enum lease_state)i),
                                    lease_state_name((enum lease_state)j));
        }
    }
    for (unsigned i = 0; i < LEASE_EVENT_COUNT; i++) {
        assert_non_null(lease_event_name((enum lease_event)i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(lease_event_name((enum lease_event)i),
                                    lease_event_name((enum lease_event)j));
        }
    }
    assert_string_equal(lease_state_name(LEASE_INIT_REBOOT), "INIT-REBOOT");
    assert_string_equal(lease_event_name(LEASE_T1), "t1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
