/* SPDX-License-Identifier: MIT */
/*
 * What preflight finds out, as PREFLIGHT_REPORT carries it: facts about the agent's host, and
 * per relay what three clients and one unmarked DISCOVER met. Facts, no judgements: those are
 * coordinator/run/preflight_checks.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "proto/plan.h"

enum {
    CONTROL_FACTS_MAX = 64, /* of one agent */
    CONTROL_PREFLIGHT_WAYS_MAX = 9,
    CONTROL_PREFLIGHT_WAY_CLIENTS_MAX = 127
};

/* Numbers of the wire: append only. */
enum control_fact_kind {
    FACT_NONE,
    FACT_LISTENER,       /* addr: where a foreign socket is bound (0: everywhere), value: its port,
                            limit: the user id it belongs to */
    FACT_NO_ADDRESS,     /* addr: a carrying address that this host does not have */
    FACT_NO_ROUTE,       /* from addr to the server peer; value: errno */
    FACT_STRICT_FILTER,  /* addr's interface drops what comes from peer, to which the route leads
                            out of another one (rp_filter 1) */
    FACT_RECEIVE_BUFFER, /* value: bytes the kernel gave, limit: bytes asked for */
    FACT_OPEN_FILES,     /* value: how many may be open, limit: how many are needed */
    FACT_CLOCK_SOURCE,   /* value: enum control_clock_source */
    FACT_TIMER_STEP,     /* value: nanoseconds between two instants at which timers fire */
    FACT_PROCESSORS,     /* value: how many the agent may use */
    FACT_PING,           /* addr: of the block, is this host's own by a route; value: enum
                            control_ping */
    FACT_LOOKED_AT,      /* value: bit k: kind k was looked for; no row of it: there is none */
    FACT_MORE,           /* value: rows that found no room */
    FACT_KIND_COUNT
};

enum control_clock_source {
    CLOCK_SOURCE_OTHER, /* not known to be slow */
    CLOCK_SOURCE_FAST,  /* read without a system call */
    CLOCK_SOURCE_SLOW,  /* hpet, acpi_pm: a microsecond or more per reading */
    CLOCK_SOURCE_COARSE /* jiffies: milliseconds apart */
};

enum control_ping {
    PING_UNKNOWN, /* this host cannot ask itself */
    PING_ANSWERED,
    PING_SILENT
};

struct control_fact {
    uint32_t kind;          /* enum control_fact_kind */
    struct ipv4 addr, peer; /* zero where the kind has none */
    uint64_t value, limit;
};

struct control_preflight_path {
    uint32_t path;
    uint32_t renew_sent, renew_acked; /* clients */
    uint32_t wrong_port;              /* ACKs whose source port was not 67 */
    uint32_t last_wrong_port;         /* an example of such a port, 0: none */
    uint32_t send_errno;              /* 0, or why RENEW could not be sent */
};

/* Renewals of the clients that one server leased to, on one path. */
struct control_preflight_way {
    uint32_t server; /* index into the plan's */
    uint32_t path;
    uint32_t sent, acked; /* clients */
    uint32_t low_ports;   /* ACKs from a port of 1..511 other than 67 */
    uint32_t other_ports; /* ... from a port above */
};

struct control_preflight_relay {
    uint32_t relay;
    uint32_t clients, offered, bound;
    uint32_t foreign_offers, naks;
    uint32_t servers_answered; /* bit i: server i of the plan sent an OFFER or ACK */
    uint32_t send_errno;       /* 0, or why DISCOVER could not be sent */
    uint32_t path_count;
    struct control_preflight_path path[PLAN_PATH_COUNT];
    /* Of the ACKs that granted leases; 0: there was none, or it had no such option. */
    uint32_t lease_least_s, lease_most_s;
    uint32_t t1_s, t2_s;
    struct ipv4 mask, router;
    uint32_t unmarked_offers;  /* bit i: server i offered an address of the block to a stranger */
    struct ipv4 unmarked_addr; /* such an address */
    bool was_unmarked_asked;   /* a DISCOVER without the run's marks was sent */
    struct ipv4 outside_addr;  /* offered or leased, of the block and outside the relay's subnet;
                                  0: none was */
    uint32_t way_count;
    struct control_preflight_way way[CONTROL_PREFLIGHT_WAYS_MAX];
};

struct control_preflight_report {
    const struct control_preflight_relay *relays; /* <= 256 per message */
    size_t relay_count;
    bool is_last;
    const struct control_fact *facts; /* all of this agent's host, or none */
    size_t fact_count;                /* <= CONTROL_FACTS_MAX */
};

/*
 * Hardware address of a relay's stranger, the client without the run's marks: of the range that
 * RFC 7042 2.1.2 keeps for documentation, so that no host has it.
 */
struct mac preflight_unmarked_mac(uint32_t relay);
bool preflight_is_unmarked(struct mac mac);
