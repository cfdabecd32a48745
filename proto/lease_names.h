/* SPDX-License-Identifier: MIT */
/*
 * States and events of the client's state machine, RFC 2131 section 4.4
 * (figure 5), with their names. They travel in snapshots (the matrix of
 * unexpected pairs), hence here; the table itself is agent/client/lease_fsm.c.
 *
 * Pure.
 */
#pragma once

enum lease_state {
    LEASE_INIT,
    LEASE_SELECTING,
    LEASE_REQUESTING,
    LEASE_BOUND,
    LEASE_RENEWING,
    LEASE_REBINDING,
    LEASE_INIT_REBOOT,
    LEASE_REBOOTING,
    LEASE_EXPIRED, /* lease ran out; acquires again at once while the run lets it */
    LEASE_RELEASED,
    LEASE_FAILED,   /* gave up this acquire stage */
    LEASE_DECLINED, /* the 10 s pause after DECLINE, RFC 2131 3.1.5 */
    LEASE_STATE_COUNT
};

enum lease_event {
    LEASE_START, /* the pacer gives this client its turn */
    LEASE_OFFER,
    LEASE_ACK,
    LEASE_NAK,
    LEASE_RETRANSMIT, /* no answer to the last message in time */
    LEASE_GIVE_UP,    /* ... and the tries are used up */
    LEASE_T1,
    LEASE_T2,
    LEASE_EXPIRY,
    LEASE_REBOOT_DUE, /* stages of a bound client */
    LEASE_RELEASE_DUE,
    LEASE_INFORM_DUE,
    LEASE_DECLINE_DUE,
    LEASE_PAUSE_OVER, /* after DECLINE */
    LEASE_RENEW_DUE,  /* a load stage wants it renewed, before T1 */
    LEASE_ADOPT,      /* a lease of an earlier run is this client's from now on */
    LEASE_QUERY_DUE,  /* the server is to be asked about its lease */
    LEASE_STILL_HELD, /* ... and it says: leased to this client */
    LEASE_EVENT_COUNT
};

const char *lease_state_name(enum lease_state state);
const char *lease_event_name(enum lease_event event);
