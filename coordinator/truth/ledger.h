/* SPDX-License-Identifier: MIT */
/*
 * The run's SQLite file: every event exactly once, and how far each agent's
 * stream has been written, in one transaction. Edge.
 *
 * WAL, synchronous=FULL, plain rowid table without index during the run. A
 * batch is acknowledged to its agent only after ledger_commit() returned 0.
 * One thread owns a ledger. Errors are -errno (-ENOSPC, -EIO, -EROFS kept) and
 * ledger_why() says more in one sentence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/event.h"

struct ledger;

enum { LEDGER_SCHEMA_VERSION = 2, LEDGER_AGENTS_MAX = 1024 };

/* Creates RUN/ledger.db; -EEXIST when there is one. */
NODISCARD int ledger_create(const char *path, const char *run_name, struct ledger **out);
/* Opens a finished run's ledger to read. */
NODISCARD int ledger_open(const char *path, struct ledger **out);
void ledger_close(struct ledger *ledger); /* NULL is fine */
const char *ledger_why(const struct ledger *ledger);

/* Registers an agent once; `agent` is its index in all later calls. */
NODISCARD int ledger_add_agent(struct ledger *ledger, uint32_t agent, const char *name,
                               uint64_t epoch);

/*
 * Adds batch `seq` of the agent's stream; begins a transaction when none is
 * open. 1: added; 0: already there (duplicate, dropped and counted);
 * -EPROTO: a gap. `t_us` of a row is the agent's clock.
 */
NODISCARD int ledger_append(struct ledger *ledger, uint32_t agent, uint64_t seq,
                            const struct event *events, size_t count);
/* Rows of the open transaction; 0: none open. */
size_t ledger_pending(const struct ledger *ledger);
NODISCARD int ledger_commit(struct ledger *ledger);

/* Last committed batch of an agent; 0: none. */
uint64_t ledger_committed(const struct ledger *ledger, uint32_t agent);

struct ledger_totals {
    uint64_t events;             /* committed rows */
    uint64_t duplicates_dropped; /* events in batches that came twice */
};
struct ledger_totals ledger_totals(const struct ledger *ledger, uint32_t agent);

/* Offset to add to an agent's t_us to get microseconds since the run's start; kept as a table. */
NODISCARD int ledger_add_clock(struct ledger *ledger, uint32_t agent, uint64_t agent_us,
                               int64_t offset_us, uint64_t uncertainty_us);

/* After the run: indexes and views for reading. */
NODISCARD int ledger_finish(struct ledger *ledger);

/* All rows in order of insertion (export, audit). Stops when `visit` returns false. */
typedef bool ledger_visit(void *context, const char *agent, const struct event *e, int64_t run_us);
NODISCARD int ledger_walk(struct ledger *ledger, ledger_visit *visit, void *context);
