/* SPDX-License-Identifier: MIT */
/*
 * `on_agent_loss: reassign`: once a lost agent can no longer send, its clients are dealt to live
 * relays of the same subnet at other agents (deal_reassign), which are told with TAKE until
 * their PROGRESS says that they have them. No giaddr moves, and nobody plays a client before
 * the run lease of the one before must have ended.
 *
 * Every move is in the ledger before it leaves this process: JOURNAL_MOVE
 *   a: the agent they go to, b: its assignment's epoch,
 *   c: first client | clients << 32, d: relay | relay that carries them << 16 | account << 32,
 * where account is the agent that counts them until then; JOURNAL_DEALT_ON closes a lost
 * agent's. For `leaseherd resume` run_reassign_replay() makes the hands and what is still to be
 * told anew from these entries, in their order; run_reassign_tick() then goes on by itself.
 *
 * Nothing outside coordinator/run includes it. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/deal.h"

struct run;
struct roster_agent;
struct control_progress;
struct control_refuse;
struct journal_entry;

struct run_move {
    struct deal_move deal;
    uint64_t epoch; /* of the agent it goes to */
    bool is_taken, is_undone;
};

struct run_reassign {
    uint32_t *owner; /* relay -> agent that carries it; NULL: nobody was lost yet */
    struct run_move *moves;
    size_t count, room;
};

void run_reassign_fini(struct run_reassign *r);

/* An agent was lost: from when on it surely sends nothing. Before its hand changes. */
void run_reassign_lost(struct run *run, struct roster_agent *agent);
/* Deals, and tells who has not acknowledged. */
void run_reassign_tick(struct run *run);
/* True while clients of a lost agent are on their way to another: a step is not done. */
bool run_reassign_is_open(const struct run *run);
void run_reassign_progress(struct run *run, struct roster_agent *agent,
                           const struct control_progress *progress);
/* True: the refusal was of a TAKE, and the agent goes on without it. */
NODISCARD bool run_reassign_refused(struct run *run, struct roster_agent *agent,
                                    const struct control_refuse *refuse);

/* Whether the entry can be of this run. */
NODISCARD bool run_reassign_is_possible(const struct run *run, const struct journal_entry *entry);
/* What truth has to know of it; it is possible. */
void run_reassign_tell(struct run *run, const struct journal_entry *entry);
/*
 * Resume: the hands, and what is to be told, as the entry left them. False: out of memory, or no
 * coordinator writes such an entry after those before it.
 */
NODISCARD bool run_reassign_replay(struct run *run, const struct journal_entry *entry);
