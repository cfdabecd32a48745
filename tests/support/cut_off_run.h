/* SPDX-License-Identifier: MIT */
/*
 * The directory of a run whose coordinator was killed at second 20, ten seconds into its second
 * stage, a hold of a minute. Two agents, each with one batch in the ledger.
 */
#pragma once

#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sign.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/run/plan_sig.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/truth/ledger_final.h"
#include "coordinator/truth/ledger_journal.h"
#include "proto/plan_seal.h"

#define CUT_OFF_HEAD                                                                               \
    "leaseherd: 1\nscenario: cut\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"              \
    "  block: 10.10.0.0/16\n  relays:\n"                                                           \
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 100}\n"                   \
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.128.0/17, clients: 100}\n"                 \
    "expect: {lease: 8h}\nlimits: {time: 30m}\n"
#define CUT_OFF_STAGES                                                                             \
    "run:\n  - {name: fill, acquire: {batch: 5}}\n  - {name: keep, hold: 60s, timeout: 90s}\n"

enum { CUT_OFF_S = 20, CUT_OFF_HOLD_S = 10, CUT_OFF_LEFT_S = 80 };
#define CUT_OFF_START_NS (5000 * NS_PER_S)                 /* by the clock of the first boot */
#define CUT_OFF_WALL_NS  (UINT64_C(1738317600) * NS_PER_S) /* 2025-01-31 10:00:00 UTC */

struct cut_off_run {
    char dir[64], keys[80];
    struct scenario scenario;
    struct plan plan;
    struct ledger *ledger;
    bool is_in_canary; /* still in the first step of the first stage, set by the test */
};

/* An agent's clock at the start of the run. */
static inline uint64_t cut_off_agent_ns(size_t agent)
{
    return (agent == 0 ? 900000 : 300000) * NS_PER_S;
}

static inline void cut_off_plan(struct cut_off_run *r)
{
    char why[RUN_DIR_WHY_BYTES];
    struct plan_sig sig;
    struct sign_key *operator_key = sign_key_make();
    size_t size = plan_encode(&r->plan, NULL, 0);
    uint8_t *bytes = malloc(size);
    assert_true(operator_key != NULL && bytes != NULL);
    (void)plan_encode(&r->plan, bytes, size);
    memcpy(sig.operator_key, sign_key_public(operator_key), sizeof(sig.operator_key));
    assert_int_equal(sign_make(operator_key, PLAN_SIGN_DOMAIN, bytes, size, sig.signature), 0);
    assert_int_equal(run_dir_write(r->dir, "plan.bin", bytes, size, why), 0);
    assert_int_equal(plan_sig_write(r->dir, &sig, why), 0);
    free(bytes);
    sign_key_free(operator_key);
}

static inline void cut_off_note(struct cut_off_run *r, struct journal_entry e)
{
    assert_int_equal(ledger_note(r->ledger, &e), 0);
}

static inline void cut_off_agent(struct cut_off_run *r, uint32_t i)
{
    const struct ledger_share share = {
        .agent = i, .epoch = 1, .relay = i, .via = i, .first_client = 100 * i, .clients = 100};
    uint64_t start_us = cut_off_agent_ns(i) / NS_PER_US;
    assert_int_equal(ledger_add_agent(r->ledger, i, i == 0 ? "a1" : "a2", 7 + i), 0);
    assert_int_equal(ledger_add_share(r->ledger, &share), 0);
    assert_int_equal(ledger_add_clock(r->ledger, i, start_us, -(int64_t)start_us, 50), 0);
}

/* A client of the agent acquires a lease at that time of the run. */
static inline struct event cut_off_lease(uint32_t agent, uint32_t nth, uint64_t run_us)
{
    uint32_t client = 100 * agent + nth;
    return (struct event){.t_us = cut_off_agent_ns(agent) / NS_PER_US + run_us,
                          .client = client,
                          .xid = 1 + client,
                          .lease_s = 28800,
                          .offer_us = 1000,
                          .took_us = 2000,
                          .wait_us = 2500,
                          .addr = inet_from_host((agent == 0 ? 0x0a0a0001 : 0x0a0a8001) + nth),
                          .server = inet_from_host(0xc0a8010c),
                          .tries = 2,
                          .flags = EVENT_FIRST_LEASE | EVENT_OFFER_SEEN,
                          .kind = EVENT_ACQUIRE,
                          .result = EVENT_ACK};
}

static inline void cut_off_facts(struct cut_off_run *r, const char *boot_id)
{
    const char *const facts[][2] = {
        {"started_wall_s", "1738317600"}, {"boot_id", boot_id},    {"is_local", "0"},
        {"listen_host", "127.0.0.1"},     {"listen_port", "6700"}, {"keys", r->keys}};
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        assert_int_equal(ledger_set_fact(r->ledger, facts[i][0], facts[i][1]), 0);
    }
}

static inline void cut_off_hold(struct cut_off_run *r)
{
    const int64_t at_us = INT64_C(1000000) * CUT_OFF_HOLD_S;
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_STAGE_END, .run_us = at_us});
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_STAGE_BEGIN, .run_us = at_us, .a = 1});
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_STEP, .run_us = at_us, .a = 1});
}

/* What is added before ledger_close() is of the dead coordinator as well. */
static inline void cut_off_begin(struct cut_off_run *r, const char *text, const char *boot_id)
{
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    static struct diag why;
    char path[RUN_DIR_PATH_BYTES];
    (void)snprintf(r->dir, sizeof(r->dir), "/tmp/leaseherd-test-cut-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    (void)snprintf(r->keys, sizeof(r->keys), "%s/keys", r->dir);
    diag_init(&why, "test");
    assert_true(scenario_parse(text, strlen(text), &r->scenario, &why));
    assert_true(scenario_to_plan(&r->scenario, run_id, "run-1", &r->plan));
    cut_off_plan(r);
    assert_int_equal(ledger_create(run_dir_path(r->dir, "ledger.db", path), "run-1", &r->ledger),
                     0);
    cut_off_facts(r, boot_id);
    for (uint32_t i = 0; i < 2; i++) {
        cut_off_agent(r, i);
        const struct event e = cut_off_lease(i, 0, 1000000);
        assert_int_equal(ledger_append(r->ledger, i, 1, &e, 1), 1);
    }
    cut_off_note(r, (struct journal_entry){
                        .kind = JOURNAL_START, .a = CUT_OFF_START_NS, .b = CUT_OFF_WALL_NS});
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_STAGE_BEGIN});
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_STEP});
    if (!r->is_in_canary) {
        cut_off_hold(r);
    }
    cut_off_note(r, (struct journal_entry){.kind = JOURNAL_MARK,
                                           .run_us = INT64_C(1000000) * CUT_OFF_S,
                                           .text = {"the latest word"}});
}
