/* SPDX-License-Identifier: MIT */
/*
 * Observers of a run: their messages, clocks and frames. What is kept of them is told to truth and
 * written into the journal, as decisions are. Nothing outside coordinator/run includes it. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/link.h"
#include "coordinator/run/observer_gate.h"
#include "coordinator/truth/ledger_journal.h"
#include "proto/control.h"

struct run;

enum { RUN_OBSERVERS_NOTE_BYTES = 16 * 1024 };
struct run_observers {
    struct observer_gate gate;
    uint8_t note[RUN_OBSERVERS_NOTE_BYTES]; /* one, on its way into the journal */
};

void run_observers_free(struct run_observers *observers); /* NULL is fine */

/* A CTRL message of an observer's key, or an OBSERVER_HELLO of any key. */
void run_observers_take(struct run *run, const struct link_peer *from,
                        const struct control_message *m);
/* Clock samples; who is silent is marked. */
void run_observers_tick(struct run *run);
/* Run time is known: frames that came before get theirs. */
void run_observers_flush(struct run *run);
/* Shuts out whose key is not good any more. */
void run_observers_check_keys(struct run *run, const char *today);
void run_observers_say_bye(struct run *run);

/* A note of theirs, told to truth alone. False: it cannot be one of this run's. */
NODISCARD bool run_observers_tell(struct run *run, const struct journal_entry *entry);
/* After JOURNAL_OBSERVER of a run that is taken over was told. */
NODISCARD bool run_observers_recall(struct run *run, const struct journal_entry *entry);
