/* SPDX-License-Identifier: MIT */
#include "proto/lease_names.h"

#include <assert.h>

static const char *const state_names[LEASE_STATE_COUNT] = {
    [LEASE_INIT] = "INIT",
    [LEASE_SELECTING] = "SELECTING",
    [LEASE_REQUESTING] = "REQUESTING",
    [LEASE_BOUND] = "BOUND",
    [LEASE_RENEWING] = "RENEWING",
    [LEASE_REBINDING] = "REBINDING",
    [LEASE_INIT_REBOOT] = "INIT-REBOOT",
    [LEASE_REBOOTING] = "REBOOTING",
    [LEASE_EXPIRED] = "EXPIRED",
    [LEASE_RELEASED] = "RELEASED",
    [LEASE_FAILED] = "FAILED",
    [LEASE_DECLINED] = "DECLINED",
};

static const char *const event_names[LEASE_EVENT_COUNT] = {
    [LEASE_START] = "start",
    [LEASE_OFFER] = "offer",
    [LEASE_ACK] = "ack",
    [LEASE_NAK] = "nak",
    [LEASE_RETRANSMIT] = "retransmit",
    [LEASE_GIVE_UP] = "give-up",
    [LEASE_T1] = "t1",
    [LEASE_T2] = "t2",
    [LEASE_EXPIRY] = "expiry",
    [LEASE_REBOOT_DUE] = "reboot-due",
    [LEASE_RELEASE_DUE] = "release-due",
    [LEASE_INFORM_DUE] = "inform-due",
    [LEASE_DECLINE_DUE] = "decline-due",
    [LEASE_PAUSE_OVER] = "pause-over",
    [LEASE_RENEW_DUE] = "renew-due",
    [LEASE_ADOPT] = "adopt",
    [LEASE_QUERY_DUE] = "query-due",
    [LEASE_STILL_HELD] = "still-held",
};

const char *lease_state_name(enum lease_state state)
{
    assert(state < LEASE_STATE_COUNT);
    return state_names[state];
}

const char *lease_event_name(enum lease_event event)
{
    assert(event < LEASE_EVENT_COUNT);
    return event_names[event];
}
