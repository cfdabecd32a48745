/* SPDX-License-Identifier: MIT */
/*
 * DHCP client state machine, RFC 2131 section 4.4 (figure 5), with EXPIRED,
 * RELEASED, FAILED and DECLINED made visible instead of folded into INIT.
 *
 * Pure: the caller brings time and events in and carries the returned action
 * out. The caller delivers overdue deadlines one by one and in order (T1 before
 * T2 before expiry), so a stalled agent walks the same path as a punctual one.
 *
 * An event that a state does not expect changes nothing and yields
 * LEASE_UNEXPECTED. The caller counts those: for a load test, an ACK in BOUND
 * is a finding about the server, not noise.
 */
#pragma once

#include "proto/lease_names.h"

enum lease_action {
    LEASE_UNEXPECTED, /* zero: what the table holds where it says nothing */
    LEASE_DISCOVER,   /* send it: a new exchange from INIT, a repetition in SELECTING */
    LEASE_REQUEST,
    LEASE_RENEW,  /* unicast to the server that granted the lease */
    LEASE_REBIND, /* broadcast, in our case through the relay */
    LEASE_REBOOT, /* REQUEST of the address remembered, through the relay */
    LEASE_INFORM,
    LEASE_QUERY,
    LEASE_RELEASE,
    LEASE_DECLINE,
    LEASE_BIND,    /* the lease begins anew */
    LEASE_KEEP,    /* the exchange came to nothing, the lease goes on */
    LEASE_RESTART, /* refused or paused long enough: acquire again */
    LEASE_LOST,    /* the lease ran out */
    LEASE_GAVE_UP  /* this acquire stage is over for the client */
};

/* Moves `*state` along and says what the caller has to do about it. */
enum lease_action lease_fsm_step(enum lease_state *state, enum lease_event event);
