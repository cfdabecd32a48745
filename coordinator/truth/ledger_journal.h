/* SPDX-License-Identifier: MIT */
/*
 * What a coordinator needs besides the events to go on with a run after it was
 * killed: who plays what, and every decision of the run in its place among the
 * events. Written as it happens, in the ledger's transactions; read once, by
 * `leaseherd resume`.
 *
 * Edge, as ledger.h: one thread, -errno, ledger_why().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/truth/ledger.h"
#include "proto/control.h"
#include "proto/plan.h"

/* Numbers of the file: append only. */
enum journal_kind {
    JOURNAL_START,       /* a: the start instant, ns of the coordinator's clock, b: wall clock */
    JOURNAL_PATH,        /* a: enum plan_path that the load takes */
    JOURNAL_STAGE_BEGIN, /* a: stage */
    JOURNAL_STAGE_LOAD,  /* a: stage, whose canaries are over */
    JOURNAL_STAGE_END,   /* a: stage, b: it timed out */
    JOURNAL_STEP,        /* a: stage, b: step, c: received before it; let loose at run_us */
    JOURNAL_EVENT,       /* a: index of the scenario's event */
    JOURNAL_MARK,        /* text 0 */
    JOURNAL_AGENT_LOST,  /* a: agent */
    JOURNAL_OUTCOME,     /* a: enum run_outcome, b: enum journal_stop, c: leases are released;
                            text 0: reason */
    JOURNAL_FINDING,     /* texts: id, severity, summary, evidence, remedy */
    JOURNAL_PREFLIGHT,   /* a: agent, bytes: the PREFLIGHT_REPORT of one relay */
    JOURNAL_START_STATE, /* a: server, b: active, c: expired, d: free leases before the run */
    JOURNAL_DRAIN,       /* a: leases are released */
    JOURNAL_RESUMED,     /* a coordinator has taken the run over from a dead one */
    JOURNAL_MOVE,        /* clients dealt to another agent, see run_reassign.h */
    JOURNAL_TAKEN,       /* a: agent, b: epoch: they have arrived there */
    JOURNAL_NOT_TAKEN,   /* a: agent: it refused them, and takes none any more */
    JOURNAL_DEALT_ON,    /* a: agent, lost: its clients have been dealt as far as possible */
    JOURNAL_PREFLIGHT_CHECK, /* texts: check, result, where, text, remedy */
    JOURNAL_OBSERVER, /* text 0: name, bytes: its OBSERVER_HELLO; they are numbered as they come */
    JOURNAL_OBSERVATION, /* a: observer, b: uncertainty of run_us in us, bytes: the OBSERVATION */
    JOURNAL_KIND_COUNT
};

/* Whether an outcome ends the load. */
enum journal_stop { JOURNAL_GOES_ON, JOURNAL_STOPS, JOURNAL_STOPS_AT_ONCE };

enum { JOURNAL_TEXTS = 5, JOURNAL_TEXT_BYTES = 1024, JOURNAL_BYTES_MAX = 64 * 1024 };

struct journal_entry {
    enum journal_kind kind;
    int64_t run_us;
    uint64_t a, b, c, d;
    const char *text[JOURNAL_TEXTS]; /* NULL: none */
    const uint8_t *bytes;
    size_t size;
};

/* In the open transaction, or in a new one. */
NODISCARD int ledger_note(struct ledger *ledger, const struct journal_entry *entry);

/* What an agent plays, since assignment `epoch`: clients of `relay`, carried by relay `via`. */
struct ledger_share {
    uint32_t agent;
    uint64_t epoch;
    uint32_t relay, via, first_client, clients;
};
NODISCARD int ledger_add_share(struct ledger *ledger, const struct ledger_share *share);

/* Facts about the run by name; a second value replaces the first. */
NODISCARD int ledger_set_fact(struct ledger *ledger, const char *name, const char *value);

/* --- to go on --- */

/* An unfinished run's ledger, to read and to write on. */
NODISCARD int ledger_reopen(const char *path, struct ledger **out);

enum { LEDGER_FACT_BYTES = 1024 };
/* False where there is none, or it is longer than any of ours. */
bool ledger_fact(struct ledger *ledger, const char *name, char out[LEDGER_FACT_BYTES]);

struct ledger_agent {
    char name[PLAN_NAME_BYTES];
    uint64_t epoch;
};
/* Agents 0, 1, 2 ... as they were added; -EBADMSG where they are not. The caller frees *out. */
NODISCARD int ledger_read_agents(struct ledger *ledger, struct ledger_agent **out,
                                 size_t *out_count);
/* All of them, in the order they were added. The caller frees *out. */
NODISCARD int ledger_read_shares(struct ledger *ledger, struct ledger_share **out,
                                 size_t *out_count);

/*
 * Events and entries as they came. `agent` < the agents read above is checked by nobody: it is
 * only below LEDGER_AGENTS_MAX. A visitor returns false to stop: -ECANCELED. Texts have no
 * control characters; what is behind `entry` and `event` lives as long as the call.
 */
struct ledger_replay {
    void *context;
    bool (*event)(void *context, uint32_t agent, const struct event *event, int64_t run_us,
                  uint64_t uncertainty_us);
    bool (*entry)(void *context, const struct journal_entry *entry);
};
NODISCARD int ledger_replay(struct ledger *ledger, const struct ledger_replay *replay);

/* What to add to the agent's clock now to get the run's microseconds; false: not known. */
bool ledger_last_clock(struct ledger *ledger, uint32_t agent, int64_t *out_offset_us);
