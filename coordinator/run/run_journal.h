/* SPDX-License-Identifier: MIT */
/*
 * The run's decisions: each is told to truth and written to the ledger's journal, so that a
 * coordinator that takes the run over (run_resume.h) tells its own truth the same. Who decides
 * something that the report shows calls these, never truth_*() itself. Nothing outside
 * coordinator/run includes it. Edge.
 */
#pragma once

#include "coordinator/run/run_internal.h"
#include "coordinator/truth/ledger_journal.h"

/* Tells truth, and writes it down. Before there are books (PREPARE) it does nothing. */
void run_note(struct run *run, const struct journal_entry *entry);
/* Written and on disk: before its consequence leaves this process. */
void run_note_now(struct run *run, const struct journal_entry *entry);

void run_note_stage(struct run *run, enum journal_kind kind, int64_t run_us, bool timed_out);
void run_mark(struct run *run, int64_t run_us, const char *text);
void run_outcome(struct run *run, enum run_outcome outcome, const char *reason);
/* The same, and it ends the load, as run->releases_leases says. */
void run_note_stop(struct run *run, enum run_outcome outcome, const char *reason,
                   enum journal_stop how);
void run_finding(struct run *run, const char *id, const char *severity, const char *summary,
                 const char *evidence, const char *remedy);
void run_note_preflight(struct run *run, size_t agent, const struct control_preflight_relay *relay);
/* The servers' leases before the run, as run->stood has them. */
void run_note_start_state(struct run *run);

/* What a note says, told to truth alone. False: it cannot be one of this run's. */
NODISCARD bool run_tell_note(struct run *run, const struct journal_entry *entry);

/* Who plays what, and how agents find us: what resume needs besides. 0 or -errno. */
NODISCARD int run_note_fleet(struct run *run);
