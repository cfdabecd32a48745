/* SPDX-License-Identifier: MIT */
/*
 * Captures against the agents' final counters and the ledger's events.
 *
 *   sent, by agent and kind     = requests of the run's clients in the captures
 *   received, by agent and type = replies to them (what an agent's socket dropped, or strangers
 *                                 sent to its addresses, is counted by the agent and allowed for)
 *   every answered event        has its ACK or NAK: same client, xid, address and server
 *   every ACK and NAK           has its event, or one of the agent's late or folded ones
 *
 * Give it the ledger first (audit_rows), then every frame, then compare. A packet belongs to the
 * agent at whose address it was (the relay's carrying address), else to the agent of its event,
 * else to the one that plays the client. Pure. Owns its memory: audit_capture_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_books.h"
#include "coordinator/audit/audit_frame.h"
#include "coordinator/audit/audit_once.h"
#include "coordinator/audit/audit_rows.h"
#include "coordinator/truth/ledger_journal.h"

enum audit_type { AUDIT_OFFER, AUDIT_ACK, AUDIT_NAK, AUDIT_OTHER, AUDIT_MALFORMED, AUDIT_TYPES };

/* What the captures show at one agent's addresses. */
struct audit_wire {
    uint64_t sent[DHCP4_INTENT_COUNT];
    uint64_t renew_or_rebind; /* through the relay, of an exchange that is not in the ledger */
    uint64_t received[AUDIT_TYPES];  /* for the run's clients */
    uint64_t strangers[AUDIT_TYPES]; /* for others, or nobody */
    uint64_t without_event;          /* ACKs and NAKs */
    /* Of received: after its last packet, and after its final counters had come. */
    uint64_t afterwards[AUDIT_TYPES];
    uint64_t last_sent_ns;
    char first_without_event[AUDIT_NOTE_BYTES / 3];
};

struct audit_capture {
    const struct plan *plan;
    struct audit_rows *rows;
    const struct ledger_share *shares;
    size_t share_count, agent_count;
    const struct audit_agent *told; /* what each has counted in the end */
    struct audit_wire *agents;      /* [agent_count]: of no agent that is known */
    struct audit_once once;
    struct audit_address *addresses; /* ascending; whose they are */
    size_t address_count;
    uint64_t frames, datagrams, seen_again, cut, fragments;
    uint64_t astray; /* requests to an address that is no server of the plan */
    char first_astray[AUDIT_NOTE_BYTES / 3];
    uint64_t of_server[PLAN_SERVERS_MAX]; /* replies */
    uint64_t first_at_ns, last_at_ns;     /* UTC, of the run's packets */
};

/* All that is given must outlive it. False when out of memory. */
NODISCARD bool audit_capture_init(struct audit_capture *c, const struct plan *plan,
                                  struct audit_rows *rows, const struct audit_agent *agents,
                                  const struct ledger_share *shares, size_t share_count);
void audit_capture_fini(struct audit_capture *c);

/* One frame of capture number `file`. False when out of memory. */
NODISCARD bool audit_capture_frame(struct audit_capture *c, uint32_t file,
                                   const struct audit_frame *frame, uint64_t at_ns);

/* False: not one packet of this run's clients is in the captures. */
bool audit_capture_is_of_run(const struct audit_capture *c);
void audit_capture_compare(const struct audit_capture *c, struct audit_notes *notes);
