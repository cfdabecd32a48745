/* SPDX-License-Identifier: MIT */
/*
 * What an agent has counted when it had nothing more to say: its final snapshot, kept beside
 * its events, so that both can be compared long after the run (`leaseherd audit`).
 *
 * Edge, as ledger.h: one thread, -errno, ledger_why().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/truth/ledger.h"
#include "proto/snapshot.h"

/* When it came, by the coordinator: ties the run's time to the clock on the wall. */
struct ledger_instant {
    int64_t run_us;
    uint64_t wall_s; /* UTC seconds */
};

/* In the open transaction, or in a new one; one that comes again takes the place of the first. */
NODISCARD int ledger_add_final(struct ledger *ledger, uint32_t agent, const struct snapshot *final,
                               uint32_t server_count, const struct ledger_instant *at);

struct ledger_final {
    bool is_known; /* false: none has come, nothing below means anything */
    bool has_counter[COUNTER_COUNT];
    uint64_t counter[COUNTER_COUNT];
    bool has_last_batch_seq;
    uint64_t last_batch_seq;
    bool has_instant;
    struct ledger_instant at;
    bool has_server[PLAN_SERVERS_MAX];
    struct snapshot_server server[PLAN_SERVERS_MAX];
    struct snapshot_packets packets[PLAN_SERVERS_MAX]; /* all zero: none were kept */
};

/*
 * Those of agents 0..count-1 into out[count]. -EBADMSG: rows that no coordinator writes (of an
 * agent or server there is none of, a number below 0).
 */
NODISCARD int ledger_read_finals(struct ledger *ledger, struct ledger_final *out, size_t count);
