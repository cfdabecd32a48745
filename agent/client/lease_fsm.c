/* SPDX-License-Identifier: MIT */
#include "agent/client/lease_fsm.h"

#include <assert.h>

struct rule {
    enum lease_action action;
    enum lease_state next;
};

/* clang-format off */
static const struct rule rules[LEASE_STATE_COUNT][LEASE_EVENT_COUNT] = {
    [LEASE_INIT] = {
        [LEASE_START]       = { LEASE_DISCOVER, LEASE_SELECTING },
        [LEASE_GIVE_UP]     = { LEASE_GAVE_UP,  LEASE_FAILED }, /* refused too often in a row */
        [LEASE_ADOPT]       = { LEASE_BIND,     LEASE_BOUND },
    },
    [LEASE_SELECTING] = {
        [LEASE_OFFER]       = { LEASE_REQUEST,  LEASE_REQUESTING },
        [LEASE_RETRANSMIT]  = { LEASE_DISCOVER, LEASE_SELECTING },
        [LEASE_GIVE_UP]     = { LEASE_GAVE_UP,  LEASE_FAILED },
    },
    [LEASE_REQUESTING] = {
        [LEASE_ACK]         = { LEASE_BIND,     LEASE_BOUND },
        [LEASE_NAK]         = { LEASE_RESTART,  LEASE_INIT },
        [LEASE_RETRANSMIT]  = { LEASE_REQUEST,  LEASE_REQUESTING },
        [LEASE_GIVE_UP]     = { LEASE_GAVE_UP,  LEASE_FAILED },
    },
    [LEASE_BOUND] = {
        [LEASE_T1]          = { LEASE_RENEW,    LEASE_RENEWING },
        [LEASE_REBOOT_DUE]  = { LEASE_KEEP,     LEASE_INIT_REBOOT },
        [LEASE_RELEASE_DUE] = { LEASE_RELEASE,  LEASE_RELEASED },
        [LEASE_INFORM_DUE]  = { LEASE_INFORM,   LEASE_BOUND },
        [LEASE_DECLINE_DUE] = { LEASE_DECLINE,  LEASE_DECLINED },
        [LEASE_RENEW_DUE]   = { LEASE_RENEW,    LEASE_RENEWING },
        [LEASE_QUERY_DUE]   = { LEASE_QUERY,    LEASE_BOUND },
        [LEASE_RETRANSMIT]  = { LEASE_INFORM,   LEASE_BOUND }, /* or the query: what is repeated here */
        [LEASE_GIVE_UP]     = { LEASE_KEEP,     LEASE_BOUND },
    },
    [LEASE_RENEWING] = {
        [LEASE_ACK]         = { LEASE_BIND,     LEASE_BOUND },
        [LEASE_NAK]         = { LEASE_RESTART,  LEASE_INIT },
        [LEASE_RETRANSMIT]  = { LEASE_RENEW,    LEASE_RENEWING },
        [LEASE_T2]          = { LEASE_REBIND,   LEASE_REBINDING },
        [LEASE_GIVE_UP]     = { LEASE_KEEP,     LEASE_BOUND }, /* before T1, at a load's demand */
        [LEASE_RELEASE_DUE] = { LEASE_RELEASE,  LEASE_RELEASED },
    },
    [LEASE_REBINDING] = {
        [LEASE_ACK]         = { LEASE_BIND,     LEASE_BOUND },
        [LEASE_NAK]         = { LEASE_RESTART,  LEASE_INIT },
        [LEASE_RETRANSMIT]  = { LEASE_REBIND,   LEASE_REBINDING },
        [LEASE_EXPIRY]      = { LEASE_LOST,     LEASE_EXPIRED },
        [LEASE_RELEASE_DUE] = { LEASE_RELEASE,  LEASE_RELEASED },
    },
    [LEASE_INIT_REBOOT] = {
        [LEASE_START]       = { LEASE_REBOOT,   LEASE_REBOOTING },
        [LEASE_EXPIRY]      = { LEASE_LOST,     LEASE_EXPIRED }, /* before its turn came */
        [LEASE_RELEASE_DUE] = { LEASE_RELEASE,  LEASE_RELEASED },
    },
    [LEASE_REBOOTING] = {
        [LEASE_ACK]         = { LEASE_BIND,     LEASE_BOUND },
        [LEASE_NAK]         = { LEASE_RESTART,  LEASE_INIT },
        [LEASE_RETRANSMIT]  = { LEASE_REBOOT,   LEASE_REBOOTING },
        [LEASE_GIVE_UP]     = { LEASE_KEEP,     LEASE_BOUND }, /* RFC 2131 3.2: may keep using it */
        [LEASE_EXPIRY]      = { LEASE_LOST,     LEASE_EXPIRED },
        [LEASE_RELEASE_DUE] = { LEASE_RELEASE,  LEASE_RELEASED },
    },
    [LEASE_EXPIRED] = {
        [LEASE_START]       = { LEASE_DISCOVER, LEASE_SELECTING },
    },
    [LEASE_RELEASED] = {
        [LEASE_START]       = { LEASE_DISCOVER, LEASE_SELECTING },
        [LEASE_QUERY_DUE]   = { LEASE_QUERY,    LEASE_RELEASED },
        [LEASE_RETRANSMIT]  = { LEASE_QUERY,    LEASE_RELEASED },
        [LEASE_GIVE_UP]     = { LEASE_KEEP,     LEASE_RELEASED },
        [LEASE_STILL_HELD]  = { LEASE_KEEP,     LEASE_BOUND }, /* the RELEASE was lost */
    },
    [LEASE_FAILED] = {
        [LEASE_START]       = { LEASE_DISCOVER, LEASE_SELECTING },
    },
    [LEASE_DECLINED] = {
        [LEASE_PAUSE_OVER]  = { LEASE_RESTART,  LEASE_INIT },
    },
};
/* clang-format on */

enum lease_action lease_fsm_step(enum lease_state *state, enum lease_event event)
{
    assert(*state < LEASE_STATE_COUNT && event < LEASE_EVENT_COUNT);

    const struct rule *rule = &rules[*state][event];
    if (rule->action != LEASE_UNEXPECTED) {
        *state = rule->next;
    }
    return rule->action;
}
