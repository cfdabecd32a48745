/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/client/lease_fsm.h"
#include "common/attrs.h"

struct expectation {
    enum lease_state from;
    enum lease_event event;
    enum lease_action action;
    enum lease_state to;
};

/*
 * RFC 2131 figure 5 and DESIGN section 4, written down again from there, not
 * from the table under test. What is not listed must be unexpected.
 */
static const struct expectation rows[] = {
    /* An acquisition begins where there is no lease. */
    {LEASE_INIT, LEASE_START, LEASE_DISCOVER, LEASE_SELECTING},
    {LEASE_EXPIRED, LEASE_START, LEASE_DISCOVER, LEASE_SELECTING},
    {LEASE_RELEASED, LEASE_START, LEASE_DISCOVER, LEASE_SELECTING},
    {LEASE_FAILED, LEASE_START, LEASE_DISCOVER, LEASE_SELECTING},
    {LEASE_INIT, LEASE_GIVE_UP, LEASE_GAVE_UP, LEASE_FAILED},
    {LEASE_SELECTING, LEASE_OFFER, LEASE_REQUEST, LEASE_REQUESTING},
    {LEASE_SELECTING, LEASE_RETRANSMIT, LEASE_DISCOVER, LEASE_SELECTING},
    {LEASE_SELECTING, LEASE_GIVE_UP, LEASE_GAVE_UP, LEASE_FAILED},
    {LEASE_REQUESTING, LEASE_ACK, LEASE_BIND, LEASE_BOUND},
    {LEASE_REQUESTING, LEASE_NAK, LEASE_RESTART, LEASE_INIT},
    {LEASE_REQUESTING, LEASE_RETRANSMIT, LEASE_REQUEST, LEASE_REQUESTING},
    {LEASE_REQUESTING, LEASE_GIVE_UP, LEASE_GAVE_UP, LEASE_FAILED},
    /* A lease is kept. */
    {LEASE_BOUND, LEASE_T1, LEASE_RENEW, LEASE_RENEWING},
    {LEASE_RENEWING, LEASE_ACK, LEASE_BIND, LEASE_BOUND},
    {LEASE_RENEWING, LEASE_NAK, LEASE_RESTART, LEASE_INIT},
    {LEASE_RENEWING, LEASE_RETRANSMIT, LEASE_RENEW, LEASE_RENEWING},
    {LEASE_RENEWING, LEASE_T2, LEASE_REBIND, LEASE_REBINDING},
    {LEASE_REBINDING, LEASE_ACK, LEASE_BIND, LEASE_BOUND},
    {LEASE_REBINDING, LEASE_NAK, LEASE_RESTART, LEASE_INIT},
    {LEASE_REBINDING, LEASE_RETRANSMIT, LEASE_REBIND, LEASE_REBINDING},
    {LEASE_REBINDING, LEASE_EXPIRY, LEASE_LOST, LEASE_EXPIRED},
    /* A machine starts again and remembers its address. */
    {LEASE_BOUND, LEASE_REBOOT_DUE, LEASE_KEEP, LEASE_INIT_REBOOT},
    {LEASE_INIT_REBOOT, LEASE_START, LEASE_REBOOT, LEASE_REBOOTING},
    {LEASE_REBOOTING, LEASE_ACK, LEASE_BIND, LEASE_BOUND},
    {LEASE_REBOOTING, LEASE_NAK, LEASE_RESTART, LEASE_INIT},
    {LEASE_REBOOTING, LEASE_RETRANSMIT, LEASE_REBOOT, LEASE_REBOOTING},
    {LEASE_REBOOTING, LEASE_GIVE_UP, LEASE_KEEP, LEASE_BOUND},
    {LEASE_REBOOTING, LEASE_EXPIRY, LEASE_LOST, LEASE_EXPIRED},
    /* A client taken over from a lost agent waits for its turn to do so. */
    {LEASE_INIT_REBOOT, LEASE_EXPIRY, LEASE_LOST, LEASE_EXPIRED},
    {LEASE_INIT_REBOOT, LEASE_RELEASE_DUE, LEASE_RELEASE, LEASE_RELEASED},
    /* What a bound client says besides. */
    {LEASE_BOUND, LEASE_INFORM_DUE, LEASE_INFORM, LEASE_BOUND},
    {LEASE_BOUND, LEASE_RETRANSMIT, LEASE_INFORM, LEASE_BOUND},
    {LEASE_BOUND, LEASE_GIVE_UP, LEASE_KEEP, LEASE_BOUND},
    {LEASE_BOUND, LEASE_DECLINE_DUE, LEASE_DECLINE, LEASE_DECLINED},
    {LEASE_DECLINED, LEASE_PAUSE_OVER, LEASE_RESTART, LEASE_INIT},
    /* A load renews when it likes, once. */
    {LEASE_BOUND, LEASE_RENEW_DUE, LEASE_RENEW, LEASE_RENEWING},
    {LEASE_RENEWING, LEASE_GIVE_UP, LEASE_KEEP, LEASE_BOUND},
    /* A lease of an earlier run; a lost RELEASE is found by asking. */
    {LEASE_INIT, LEASE_ADOPT, LEASE_BIND, LEASE_BOUND},
    {LEASE_BOUND, LEASE_QUERY_DUE, LEASE_QUERY, LEASE_BOUND},
    {LEASE_RELEASED, LEASE_QUERY_DUE, LEASE_QUERY, LEASE_RELEASED},
    {LEASE_RELEASED, LEASE_RETRANSMIT, LEASE_QUERY, LEASE_RELEASED},
    {LEASE_RELEASED, LEASE_GIVE_UP, LEASE_KEEP, LEASE_RELEASED},
    {LEASE_RELEASED, LEASE_STILL_HELD, LEASE_KEEP, LEASE_BOUND},
    /* The end. */
    {LEASE_BOUND, LEASE_RELEASE_DUE, LEASE_RELEASE, LEASE_RELEASED},
    {LEASE_RENEWING, LEASE_RELEASE_DUE, LEASE_RELEASE, LEASE_RELEASED},
    {LEASE_REBINDING, LEASE_RELEASE_DUE, LEASE_RELEASE, LEASE_RELEASED},
    {LEASE_REBOOTING, LEASE_RELEASE_DUE, LEASE_RELEASE, LEASE_RELEASED},
};

static const struct expectation *expected(enum lease_state from, enum lease_event event)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].from == from && rows[i].event == event) {
            return &rows[i];
        }
    }
    return NULL;
}

static void an_unexpected_event_changes_nothing_and_is_told(void **state)
{
    (void)state;
    for (int from = 0; from < LEASE_STATE_COUNT; from++) {
        for (int event = 0; event < LEASE_EVENT_COUNT; event++) {
            if (expected((enum lease_state)from, (enum lease_event)event) != NULL) {
                continue;
            }
            enum lease_state s = (enum lease_state)from;
            assert_int_equal(lease_fsm_step(&s, (enum lease_event)event), LEASE_UNEXPECTED);
            assert_int_equal(s, from);
        }
    }
}

static void every_expected_pair_does_what_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum lease_state s = rows[i].from;
        enum lease_action action = lease_fsm_step(&s, rows[i].event);
        if (action != rows[i].action || s != rows[i].to) {
            fail_msg("%s on %s: action %d to %s", lease_state_name(rows[i].from),
                     lease_event_name(rows[i].event), action, lease_state_name(s));
        }
    }
}

/* Whatever happens to a client, silence brings it to where it can begin anew. */
static void silence_ends_where_an_acquisition_can_begin(void **state)
{
    (void)state;
    static const enum lease_event silence[] = {LEASE_START,  LEASE_T1,      LEASE_T2,
                                               LEASE_EXPIRY, LEASE_GIVE_UP, LEASE_PAUSE_OVER};
    for (int from = 0; from < LEASE_STATE_COUNT; from++) {
        enum lease_state s = (enum lease_state)from;
        for (unsigned round = 0; round < 2; round++) {
            for (size_t i = 0; i < ARRAY_LEN(silence); i++) {
                (void)lease_fsm_step(&s, silence[i]);
            }
        }
        assert_int_equal(lease_fsm_step(&s, LEASE_START), LEASE_DISCOVER);
    }
}

static void no_answer_is_obeyed_by_a_client_that_asked_nothing(void **state)
{
    (void)state;
    static const enum lease_state idle[] = {LEASE_INIT,    LEASE_BOUND,  LEASE_INIT_REBOOT,
                                            LEASE_EXPIRED, LEASE_FAILED, LEASE_RELEASED,
                                            LEASE_DECLINED};
    static const enum lease_event answers[] = {LEASE_OFFER, LEASE_ACK, LEASE_NAK};
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
            enum lease_state s = idle[i];
            assert_int_equal(lease_fsm_step(&s, answers[k]), LEASE_UNEXPECTED);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unexpected_event_changes_nothing_and_is_told),
        cmocka_unit_test(no_answer_is_obeyed_by_a_client_that_asked_nothing),
        cmocka_unit_test(every_expected_pair_does_what_the_rfc_says),
        cmocka_unit_test(silence_ends_where_an_acquisition_can_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
