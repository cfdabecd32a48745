/* SPDX-License-Identifier: MIT */
/*
 * What an observer on a server's host saw at one moment: for each metric of one
 * fixed list whether it could be had, and its value. One X-macro names them all,
 * so that observer, wire, ledger, findings and report cannot disagree.
 *
 * COUNTER: only grows, from whatever it was when the observer began (or since
 * `instance` changed); differences are the coordinator's to take. GAUGE: as of
 * now. STATE: an enum failover_state.
 *
 * Pure. A zeroed struct is a valid one, in which nothing is available.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/observation_metrics.h"

/* Why there is no figure; never a 0 in its place. */
enum availability {
    AVAILABLE_NOT_APPLICABLE, /* this server or host has no such thing, or it is not watched */
    AVAILABLE_OK,
    AVAILABLE_NO_PERMISSION, /* a capability or a file's mode is in the way */
    AVAILABLE_NO_KERNEL,     /* this kernel was built, or started, without it */
    AVAILABLE_COUNT
};

enum observer_metric {
#define X(name, unit, kind, help) OBSERVER_##name,
    OBSERVER_METRICS(X)
#undef X
        OBSERVER_METRIC_COUNT
};

enum observer_metric_kind { OBSERVER_COUNTER, OBSERVER_GAUGE, OBSERVER_STATE };

/* States of a server in failover: dhcpd's names, then Kea's. */
enum failover_state {
    FAILOVER_UNKNOWN,
    FAILOVER_STARTUP,
    FAILOVER_NORMAL,
    FAILOVER_COMMUNICATIONS_INTERRUPTED,
    FAILOVER_PARTNER_DOWN,
    FAILOVER_RECOVER,
    FAILOVER_RECOVER_WAIT,
    FAILOVER_RECOVER_DONE,
    FAILOVER_POTENTIAL_CONFLICT,
    FAILOVER_CONFLICT_DONE,
    FAILOVER_RESOLUTION_INTERRUPTED,
    FAILOVER_PAUSED,
    FAILOVER_SHUTDOWN,
    FAILOVER_WAITING,
    FAILOVER_SYNCING,
    FAILOVER_READY,
    FAILOVER_LOAD_BALANCING,
    FAILOVER_HOT_STANDBY,
    FAILOVER_COMMUNICATION_RECOVERY,
    FAILOVER_PASSIVE_BACKUP,
    FAILOVER_BACKUP,
    FAILOVER_IN_MAINTENANCE,
    FAILOVER_PARTNER_IN_MAINTENANCE,
    FAILOVER_TERMINATED,
    FAILOVER_UNAVAILABLE, /* Kea, of its partner: it does not answer */
    FAILOVER_STATE_COUNT
};

/* What is told in words; the latest of each counts. */
enum observer_note_kind {
    NOTE_PROGRAM,    /* "dhcpd 4.4.3-P1", "kea-dhcp4 2.2.0" */
    NOTE_LEASE_FILE, /* path, file system and device */
    NOTE_NAT_RULE,   /* the first rule that rewrites DHCP replies, as the host prints it */
    NOTE_NOTRACK_RULE,
    NOTE_DROP_RULE,
    NOTE_LAST_REFUSED,  /* the last log line of a reply the kernel refused */
    NOTE_LAST_STARVED,  /* the last log line of a client without a free address */
    NOTE_CONFIGURATION, /* what of the server's own configuration decides findings */
    NOTE_OBSERVER,      /* what the observer itself could not do, and what would help */
    NOTE_KIND_COUNT
};
enum { NOTE_BYTES = 256 };

#define OBSERVATION_VALUE_MAX 1e18 /* of any metric: beyond every counter there is */

struct observation {
    uint64_t seq;      /* 1, 2, 3 ... of this observer's process */
    uint64_t at_ns;    /* the observer's CLOCK_MONOTONIC, when the sources were read */
    uint64_t instance; /* of the server's process, changes when it was restarted; 0: not running */
    uint32_t process_id; /* 0: not running */
    uint8_t availability[OBSERVER_METRIC_COUNT];
    double value[OBSERVER_METRIC_COUNT];        /* finite, >= 0; 0 where not available */
    char note[NOTE_KIND_COUNT][NOTE_BYTES + 1]; /* printable ASCII; "": as it was */
};

/* For sources: sets one metric and marks it available. */
static inline void observation_set(struct observation *o, enum observer_metric m, double value)
{
    o->availability[m] = AVAILABLE_OK;
    o->value[m] = value;
}

static inline void observation_lacks(struct observation *o, enum observer_metric m,
                                     enum availability why)
{
    o->availability[m] = (uint8_t)why;
    o->value[m] = 0;
}

const char *observer_metric_name(enum observer_metric m); /* "udp67_drops" */
const char *observer_metric_unit(enum observer_metric m); /* "n", "us", "bytes", "state" */
const char *observer_metric_help(enum observer_metric m);
enum observer_metric_kind observer_metric_kind(enum observer_metric m);
const char *availability_name(enum availability a);     /* "ok" "no_permission" "no_kernel" ... */
const char *failover_state_name(enum failover_state s); /* "communications-interrupted" */
/* By the name a server's log or socket uses, case and - or _ do not matter. */
enum failover_state failover_state_of(const char *name);
const char *observer_note_name(enum observer_note_kind k); /* "nat_rule" */
/* Cuts, and puts '?' where a character is not printable ASCII. */
void observation_set_note(struct observation *o, enum observer_note_kind kind, const char *text);
/* For observers: what cannot be, as sources told it, is not available. */
void observation_leave_out_impossible(struct observation *o);
/* Values finite and in range, states known, notes printable and ended. */
bool observation_is_valid(const struct observation *o);
