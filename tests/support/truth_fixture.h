/* SPDX-License-Identifier: MIT */
/*
 * A small run for tests of truth and report: two servers, two relays with 100
 * clients each, two agents, and a few lines that make events for them.
 */
#pragma once

#include "tests/support/testing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/truth/findings.h"
#include "coordinator/truth/truth.h"
#include "proto/event.h"

#define TRUTH_FIXTURE_HEAD                                                                         \
    "leaseherd: 1\n"                                                                               \
    "scenario: small\n"                                                                            \
    "servers:\n"                                                                                   \
    "  s1: {address: 192.168.1.12}\n"                                                              \
    "  s2: {address: 192.168.2.12}\n"                                                              \
    "network:\n"                                                                                   \
    "  block: 10.10.0.0/16\n"                                                                      \
    "  relays:\n"                                                                                  \
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 100}\n"                   \
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.128.0/17, clients: 100}\n"                 \
    "clients: {seed: 1, identity: fixed, profile: dhclient}\n"                                     \
    "expect: {lease: 60s, production_lease: 8h}\n"                                                 \
    "limits: {packets: 20000/s, time: 30m}\n"

#define TRUTH_FIXTURE_RUN                                                                          \
    "run:\n"                                                                                       \
    "  - {name: peak, acquire: {batch: 50}}\n"                                                     \
    "  - {name: keep, hold: 10m}\n"

struct truth_fixture {
    struct scenario scenario;
    struct plan plan;
    struct truth *truth;
    struct snapshot snapshot[2];
    uint64_t ledger_events;
};

static inline void truth_fixture_init(struct truth_fixture *f, const char *text)
{
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    static struct diag why;
    *f = (struct truth_fixture){0};
    diag_init(&why, "test");
    if (!scenario_parse(text, strlen(text), &f->scenario, &why)) {
        static char complaint[4096];
        (void)diag_print(&why, complaint, sizeof(complaint));
        (void)fprintf(stderr, "%s", complaint);
        assert(false && "the test's scenario is not good");
    }
    bool is_good = scenario_to_plan(&f->scenario, run_id, "run-1", &f->plan);
    static const struct truth_agent agents[2] = {{"a1", 100}, {"a2", 100}};
    f->truth = is_good ? truth_new(&f->scenario, &f->plan, agents, 2) : NULL;
    assert(f->truth != NULL);
    for (size_t i = 0; i < 2; i++) {
        f->snapshot[i].counter[COUNTER_clients_assigned] = 100;
        f->snapshot[i].counter[COUNTER_clients_never_started] = 100;
    }
}

static inline void truth_fixture_fini(struct truth_fixture *f)
{
    truth_free(f->truth);
    plan_free(&f->plan);
    scenario_free(&f->scenario);
}

/* Agents' clocks are far apart on purpose. */
static inline uint64_t truth_fixture_t_us(size_t agent, int64_t run_us)
{
    return (uint64_t)(run_us + (agent == 0 ? 1000000000 : 77000000000));
}

/* Counts and tells an event the way an agent and the run would. */
static inline void truth_fixture_event(struct truth_fixture *f, struct event e, double run_s)
{
    size_t agent = e.client < 100 ? 0 : 1;
    int64_t run_us = (int64_t)(run_s * 1e6);
    e.t_us = truth_fixture_t_us(agent, run_us);
    uint64_t *counter = f->snapshot[agent].counter;
    bool is_ack = e.result == EVENT_ACK || e.result == EVENT_CHANGED;
    bool is_real = (e.flags & EVENT_PREFLIGHT) == 0;
    counter[COUNTER_events]++;
    counter[COUNTER_leases_acquired] += is_real && (e.flags & EVENT_FIRST_LEASE) != 0;
    counter[COUNTER_leases_late_bound] += is_real && (e.flags & EVENT_LATE_BOUND) != 0;
    counter[COUNTER_leases_reacquired] += is_real && is_ack && (e.flags & EVENT_FIRST_LEASE) == 0 &&
                                          (e.kind == EVENT_ACQUIRE || e.kind == EVENT_REBOOT);
    counter[COUNTER_leases_renewed] += is_real && is_ack && e.kind == EVENT_RENEW;
    counter[COUNTER_leases_rebound] += is_real && is_ack && e.kind == EVENT_REBIND;
    counter[COUNTER_leases_expired] += is_real && e.kind == EVENT_EXPIRE;
    counter[COUNTER_leases_released] += is_real && e.kind == EVENT_RELEASE;
    counter[COUNTER_leases_failed] += is_real && (e.flags & EVENT_DEADLINE) != 0;
    counter[COUNTER_leases_nak] += is_real && e.result == EVENT_NAK;
    f->ledger_events++;
    truth_event(f->truth, agent, &e, run_us, 500);
}

static inline struct event truth_fixture_ack(const struct truth_fixture *f, enum event_kind kind,
                                             uint32_t client)
{
    uint32_t base = client < 100 ? 0x0a0a0001 : 0x0a0a8001;
    return (struct event){
        .client = client,
        .xid = 0x01000000 + client,
        .lease_s = 60,
        .offer_us = kind == EVENT_ACQUIRE ? 1000 : EVENT_SPAN_NONE,
        .took_us = 2000,
        .wait_us = 2500,
        .addr = inet_from_host(base + client),
        .server = f->plan.servers[client % 2].address,
        .tries = kind == EVENT_ACQUIRE ? 2 : 1,
        .flags = kind == EVENT_ACQUIRE ? EVENT_FIRST_LEASE | EVENT_OFFER_SEEN : 0,
        .kind = (uint8_t)kind,
        .result = EVENT_ACK,
        .stage = kind == EVENT_ACQUIRE ? 0 : 1,
    };
}

/* All clients get a lease in the first stage, two seconds long. */
static inline void truth_fixture_acquire_all(struct truth_fixture *f)
{
    truth_stage_begin(f->truth, 0, 0);
    for (uint32_t client = 0; client < 200; client++) {
        truth_fixture_event(f, truth_fixture_ack(f, EVENT_ACQUIRE, client), 0.005 * client + 0.01);
        uint64_t *counter = f->snapshot[client / 100].counter;
        counter[COUNTER_clients_bound]++;
        counter[COUNTER_clients_never_started]--;
    }
    truth_stage_end(f->truth, 0, 2000000, false);
}

/* Final snapshots, and the result. The caller frees it. */
static inline bool truth_fixture_finish(struct truth_fixture *f, double run_s, struct result *out)
{
    for (size_t i = 0; i < 2; i++) {
        f->snapshot[i].seq++;
        f->snapshot[i].is_final = true;
        f->snapshot[i].at_ns = truth_fixture_t_us(i, (int64_t)(run_s * 1e6)) * 1000;
        truth_snapshot(f->truth, i, &f->snapshot[i]);
    }
    const struct truth_closing closing = {
        .run_us = (int64_t)(run_s * 1e6),
        .started_at_s = 1738317600, /* 2025-01-31 10:00:00 UTC */
        .path = PLAN_PATH_EGRESS,
        .path_is_known = true,
        .ledger_events = f->ledger_events,
    };
    return truth_finish(f->truth, &closing, out);
}

/* --- for tests of verdicts --- */

static inline bool has_reason(const struct result *r, const char *text)
{
    for (size_t i = 0; i < r->verdict.reason_count; i++) {
        if (strstr(r->verdict.reasons[i], text) != NULL) {
            return true;
        }
    }
    return false;
}

static inline void finish(struct truth_fixture *f, double run_s, struct result *r)
{
    assert_true(truth_fixture_finish(f, run_s, r));
}

static inline void expect(struct truth_fixture *f, enum verdict verdict, const char *reason,
                          const char *finding, struct result *r)
{
    finish(f, 200, r);
    if (r->verdict.result != verdict || !has_reason(r, reason)) {
        print_message("verdict %s\n", verdict_name(r->verdict.result));
        for (size_t i = 0; i < r->verdict.reason_count; i++) {
            print_message("  %s\n", r->verdict.reasons[i]);
        }
    }
    assert_int_equal(r->verdict.result, verdict);
    assert_true(has_reason(r, reason));
    if (finding != NULL) {
        assert_non_null(findings_get(r, finding));
    }
}
