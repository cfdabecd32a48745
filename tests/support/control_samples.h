/* SPDX-License-Identifier: MIT */
/*
 * One message of each kind, and one plan, with every field set and no two
 * alike: what golden files, round trips and fuzz corpora are made of.
 *
 * The messages point into static storage: one at a time, one thread.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "proto/control.h"
#include "proto/plan.h"
#include "proto/plan_seal.h"

static inline struct ipv4 sample_ipv4(uint32_t host_order)
{
    return inet_from_host(host_order);
}

static inline void sample_event(struct event *e, uint32_t i)
{
    memset(e, 0, sizeof(*e));
    e->t_us = UINT64_C(1700000000) + i * UINT64_C(137);
    e->client = 1000 + 7 * i;
    e->xid = 0x01abcdef + i;
    e->lease_s = 60;
    e->offer_us = 2100 + i;
    e->took_us = 4100 + i;
    e->wait_us = 4200 + i;
    e->addr = sample_ipv4(0x0a0a0001 + i);
    e->server = sample_ipv4(0xc0a8010c);
    e->tries = 2;
    e->flags = EVENT_FIRST_LEASE | EVENT_OFFER_SEEN;
    e->kind = EVENT_ACQUIRE;
    e->result = EVENT_ACK;
    e->stage = 3;
}

/* Three rows that differ in kind, go back in time and in client, and lack spans. */
static inline struct event *sample_events(void)
{
    static struct event events[3];

    sample_event(&events[0], 0);
    sample_event(&events[1], 1);
    events[1].t_us -= 1000000;
    events[1].client = 5;
    events[1].kind = EVENT_EXPIRE;
    events[1].result = EVENT_ENDED;
    events[1].offer_us = events[1].took_us = events[1].wait_us = EVENT_SPAN_NONE;
    events[1].flags = EVENT_IN_PAUSE;
    sample_event(&events[2], 2);
    events[2].client = PLAN_CLIENTS_MAX - 1;
    events[2].kind = EVENT_RENEW;
    events[2].result = EVENT_CHANGED;
    events[2].flags = EVENT_ADDRESS_CHANGED;
    events[2].stage = SNAPSHOT_STAGE_PREFLIGHT;
    events[2].wait_us = EVENT_SPAN_MAX;
    return events;
}

static inline struct snapshot *sample_snapshot(void)
{
    static struct snapshot s;

    memset(&s, 0, sizeof(s));
    s.seq = 17;
    s.at_ns = UINT64_C(123456789012);
    s.is_final = true;
    s.last_batch_seq = 99;
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        s.counter[i] = 100 + i * UINT64_C(1001);
    }
    for (unsigned i = 0; i < PLAN_SERVERS_MAX; i++) {
        s.server[i] = (struct snapshot_server){.offers = 1 + i, .acks = 50 + i, .naks = 90 + i};
        for (unsigned k = 0; k < PACKET_COUNT; k++) {
            s.packets[i].count[k] = 3000 + i * UINT64_C(100) + k;
        }
        s.packets[i].low_port[7] = UINT64_C(1) << 63 | i;
        s.packets[i].wrong_source = sample_ipv4(0xa9fe6301 + i);
    }
    s.send_error_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        s.send_error[i].error = 1 + i;
        s.send_error[i].message = (uint8_t)(2 + i);
        s.send_error[i].destination = sample_ipv4(0xc0a8010c + i);
        s.send_error[i].count = 4711 + i;
    }
    s.unexpected_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        s.unexpected[i].state = (uint8_t)(3 + i);
        s.unexpected[i].event = (uint8_t)(1 + i);
        s.unexpected[i].count = 8 + i;
    }
    return &s;
}

static inline struct histogram *sample_histogram(void)
{
    static struct histogram h;

    memset(&h, 0, sizeof(h));
    for (uint64_t ns = 1500; ns < UINT64_C(100000000); ns = ns * 3 / 2) {
        histogram_record(&h, ns);
    }
    return &h;
}

static inline void sample_plan(struct plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    for (unsigned i = 0; i < PLAN_RUN_ID_BYTES; i++) {
        plan->run_id[i] = (uint8_t)(0xa0 + i);
    }
    strcpy(plan->run_name, "20260102T030405Z-morning-peak");
    strcpy(plan->scenario, "morning-peak");
    plan->seed = 1;
    plan->identity_seed = UINT64_C(0x0123456789abcdef);
    plan->client_count = 20000;
    plan->block = (struct ipv4_net){sample_ipv4(0x0a0a0000), 16};
    plan->server_count = 2;
    strcpy(plan->servers[0].name, "a");
    plan->servers[0].address = sample_ipv4(0xc0a8010c);
    strcpy(plan->servers[1].name, "b");
    plan->servers[1].address = sample_ipv4(0xc0a8020c);
    plan->relay_count = 2;
    plan->relays = calloc(2, sizeof(*plan->relays));
    for (unsigned i = 0; i < 2; i++) {
        struct plan_relay *r = &plan->relays[i];
        strcpy(r->name, i == 0 ? "bldg-1" : "bldg-2");
        r->giaddr = sample_ipv4(0xac100803 + i * 0x100);
        r->via = sample_ipv4(0xac100903 + i * 0x100);
        r->subnet = (struct ipv4_net){sample_ipv4(0x0a0a0000 + i * 0x8000), 17};
        r->first_client = i * 12000;
        r->client_count = i == 0 ? 12000 : 8000;
        r->xid_slot = (uint8_t)(1 + i);
        r->to_count = 2;
        r->to[0] = 1;
        r->to[1] = 0;
        r->circuit_id_bytes = 3;
        memcpy(r->circuit_id, "\x01\x00\xff", 3);
        r->remote_id_bytes = 4;
        memcpy(r->remote_id, "rem1", 4);
    }
    plan->stage_count = 4;
    plan->stages[0] = (struct plan_stage){.name = "peak",
                                          .kind = PLAN_ACQUIRE,
                                          .batch = 300,
                                          .warmup_ns = UINT64_C(1000000000),
                                          .timeout_ns = UINT64_C(600000000000)};
    plan->stages[1] = (struct plan_stage){.name = "keep",
                                          .kind = PLAN_HOLD,
                                          .duration_ns = UINT64_C(180000000000),
                                          .warmup_ns = UINT64_C(60000000000),
                                          .timeout_ns = UINT64_C(200000000000)};
    plan->stages[2] = (struct plan_stage){.name = "reboot",
                                          .kind = PLAN_REBOOT,
                                          .rate_milli_per_s = 500000,
                                          .is_poisson = true,
                                          .timeout_ns = UINT64_C(300000000000)};
    plan->stages[3] = (struct plan_stage){.name = "limit",
                                          .kind = PLAN_LOAD,
                                          .rate_milli_per_s = 20000000,
                                          .timeout_ns = UINT64_C(400000000000),
                                          .acquire_weight = 1,
                                          .renew_weight = 20};
    strcpy(plan->vendor_class, "MSFT 5.0");
    plan->acquire_tries = 4;
    plan->acquire_deadline_ns = UINT64_C(60000000000);
    plan->renew_retry_ns = UINT64_C(4000000000);
    plan->fuzz_permille = 50;
    plan->expect_lease_s = 60;
    plan->expect_mclt_s = 30;
    plan->packets_per_s_max = 20000;
    plan->run_time_max_ns = UINT64_C(1800000000000);
    plan->renewals_alone_ns = UINT64_C(900000000000);
    plan->not_before_s = 1767323045;
    plan->not_after_s = 1767332045;
    plan->agent_count = 2;
    plan->agents = calloc(2, sizeof(*plan->agents));
    for (unsigned i = 0; i < 2; i++) {
        strcpy(plan->agents[i].name, i == 0 ? "a1" : "a2");
        memset(plan->agents[i].key, 0x70 + (int)i, PLAN_AGENT_KEY_BYTES);
    }
}

static inline void sample_terms(struct control_preflight_relay *r, uint32_t i)
{
    r->lease_least_s = 60 + i;
    r->lease_most_s = 70 + i;
    r->t1_s = 30 + i;
    r->t2_s = 50 + i;
    r->mask = sample_ipv4(0xffff0000 + i);
    r->router = sample_ipv4(0x0a0a0001 + i);
    r->unmarked_offers = 2 - i;
    r->unmarked_addr = sample_ipv4(0x0a0a0010 + i);
    r->was_unmarked_asked = i == 0;
    r->outside_addr = sample_ipv4(0x0a0a2001 + i);
    r->way_count = 2 - i;
    for (uint32_t k = 0; k < r->way_count; k++) {
        r->way[k] = (struct control_preflight_way){.server = 3 + k,
                                                   .path = 2 - k,
                                                   .sent = 9 + i,
                                                   .acked = 8 + k,
                                                   .low_ports = 3 + i,
                                                   .other_ports = 1 + k};
    }
}

static inline void sample_facts(struct control_preflight_report *report)
{
    static struct control_fact facts[2];

    facts[0] = (struct control_fact){.kind = FACT_LISTENER, .value = 67, .limit = 104};
    facts[1] = (struct control_fact){.kind = FACT_STRICT_FILTER,
                                     .addr = sample_ipv4(0xac100803),
                                     .peer = sample_ipv4(0xc0a8010c),
                                     .value = UINT64_C(0x100000001),
                                     .limit = UINT64_C(0x200000002)};
    report->facts = facts;
    report->fact_count = 2;
}

static inline void sample_report(struct control_preflight_report *report)
{
    static struct control_preflight_relay relays[2];

    memset(relays, 0, sizeof(relays));
    for (uint32_t i = 0; i < 2; i++) {
        struct control_preflight_relay *r = &relays[i];
        r->relay = 11 + i;
        r->clients = 3 + i;
        r->offered = 2 + i;
        r->bound = 1 + i;
        r->foreign_offers = 21 + i;
        r->naks = 31 + i;
        r->servers_answered = 0x8001 + i;
        r->send_errno = 41 + i;
        r->path_count = 1 + i;
        for (uint32_t k = 0; k < r->path_count; k++) {
            r->path[k] = (struct control_preflight_path){.path = 1 + k,
                                                         .renew_sent = 60 + i + k,
                                                         .renew_acked = 50 + i + k,
                                                         .wrong_port = 7 + i + k,
                                                         .last_wrong_port = 1024 + i + k,
                                                         .send_errno = 1 + i + k};
        }
        sample_terms(r, i);
    }
    report->relays = relays;
    report->relay_count = 2;
    report->is_last = true;
    sample_facts(report);
}

static inline void sample_hello(struct control_hello *h)
{
    static struct ipv4 addresses[3];

    for (uint32_t i = 0; i < 3; i++) {
        addresses[i] = sample_ipv4(0xac100803 + i);
    }
    h->proto_min = 1;
    h->proto_max = 2;
    strcpy(h->build, "0.1.0 (gcc 12)");
    strcpy(h->host, "a1.example");
    h->cores = 8;
    h->epoch = UINT64_C(0x1122334455667788);
    h->addresses = addresses;
    h->address_count = 3;
    h->former[0] = UINT64_C(0x2233445566778899);
    h->former[1] = UINT64_C(0x33445566778899aa);
    h->former_count = 2;
    memset(h->kept_run_id, 0x32, PLAN_RUN_ID_BYTES);
    h->kept_epoch = UINT64_C(0x2233445566778899);
    h->kept_last_seq = 4711;
}

/* Of the metrics only the first ones: the bytes stay as they are when metrics are appended. */
static inline struct observation *sample_observation(void)
{
    static struct observation o;

    memset(&o, 0, sizeof(o));
    o.seq = 4711;
    o.at_ns = UINT64_C(765432109876);
    o.instance = UINT64_C(0x5566778899aabbcc);
    o.process_id = 31415;
    for (unsigned m = 0; m < 8; m++) {
        observation_set(&o, (enum observer_metric)m, 1000.5 + 3 * m);
    }
    observation_lacks(&o, (enum observer_metric)2, AVAILABLE_NO_PERMISSION);
    observation_lacks(&o, (enum observer_metric)3, AVAILABLE_NO_KERNEL);
    observation_lacks(&o, (enum observer_metric)4, AVAILABLE_NOT_APPLICABLE);
    observation_set_note(&o, NOTE_PROGRAM, "dhcpd 4.4.3-P1");
    observation_set_note(&o, NOTE_OBSERVER, "cannot read io: start it with CAP_SYS_PTRACE");
    return &o;
}

static inline void sample_observer_hello(struct control_observer_hello *h)
{
    static struct ipv4 addresses[2];

    for (uint32_t i = 0; i < 2; i++) {
        addresses[i] = sample_ipv4(0xc0a8010c + i * 0x100);
    }
    h->proto_min = 2;
    h->proto_max = 3;
    strcpy(h->build, "0.1.0 (gcc 12)");
    strcpy(h->host, "dhcp-1.example");
    strcpy(h->program, "dhcpd");
    h->epoch = UINT64_C(0x1020304050607080);
    h->addresses = addresses;
    h->address_count = 2;
}

static inline void sample_prepare(struct control_prepare *p)
{
    static uint8_t bytes[4096];
    static struct control_share shares[2];
    struct plan plan;

    sample_plan(&plan);
    p->plan = bytes;
    p->plan_bytes = plan_encode(&plan, bytes, sizeof(bytes));
    plan_free(&plan);
    plan_hash(p->plan, p->plan_bytes, p->plan_hash);
    p->is_signed = true;
    memset(p->operator_key, 0x41, sizeof(p->operator_key));
    memset(p->signature, 0x42, sizeof(p->signature));
    shares[0] = (struct control_share){.relay = 1, .first_client = 100, .client_count = 11900};
    shares[1] = (struct control_share){.relay = 2, .first_client = 12000, .client_count = 8000};
    p->assignment_epoch = 2;
    p->shares = shares;
    p->share_count = 2;
    p->packets_per_s_max = 10000;
}

static inline void sample_adopt(struct control_adopt *a)
{
    static struct control_adopted leases[3];

    for (uint32_t i = 0; i < 3; i++) {
        leases[i] = (struct control_adopted){.client = 700 - 13 * i,
                                             .addr = sample_ipv4(0x0a0a0101 + i),
                                             .server = sample_ipv4(0xc0a8010c + 0x100 * (i % 2))};
    }
    a->leases = leases;
    a->lease_count = 3;
}

static inline void sample_take(struct control_take *t)
{
    static struct control_take_share shares[2];
    static struct control_taken clients[3];

    for (uint32_t i = 0; i < 2; i++) {
        shares[i] = (struct control_take_share){.relay = 4 + i,
                                                .first_client = 1000 + 500 * i,
                                                .client_count = 300 + i,
                                                .via_relay = 8 + i};
    }
    for (uint32_t i = 0; i < 3; i++) {
        clients[i] = (struct control_taken){.client = 1001 + 251 * i,
                                            .flags = TAKEN_HAD_LEASE | TAKEN_FAILED,
                                            .addr = sample_ipv4(0x0a0a0201 + i),
                                            .server = sample_ipv4(0xc0a8010c + 0x100 * (i % 2)),
                                            .lease_ms = 30001 + i};
    }
    clients[2] = (struct control_taken){.client = 1503, .flags = TAKEN_RELEASED | TAKEN_HAD_LEASE};
    t->assignment_epoch = 3;
    t->at_ns = UINT64_C(876543210000);
    t->packets_per_s_max = 15000;
    t->shares = shares;
    t->share_count = 2;
    t->clients = clients;
    t->client_count = 3;
    t->has_go = true;
    t->go = (struct control_go){.stage = 1,
                                .step = 2,
                                .start_at_ns = UINT64_C(987654321000),
                                .client_limit = 450,
                                .batch = 150,
                                .is_last_step = true};
}

static inline void sample_ctrl_up(enum control_kind kind, struct control_message *m)
{
    if (kind == CONTROL_CLOCK_REPLY) {
        m->u.clock_reply =
            (struct control_clock_reply){.id = 5, .t1_ns = 1001, .t2_ns = 2002, .t3_ns = 3003};
    } else if (kind == CONTROL_BEAT) {
        m->u.beat = (struct control_beat){.boottime_ns = 77, .ring_used_permille = 750};
    } else if (kind == CONTROL_READY) {
        memset(m->u.ready.plan_hash, 0x5a, PLAN_HASH_BYTES);
        m->u.ready.memory_bytes = 300000000;
    } else if (kind == CONTROL_ARMED) {
        m->u.armed.generation = 3;
    } else if (kind == CONTROL_PROGRESS) {
        struct control_progress *p = &m->u.progress;
        p->assignment_epoch = 3;
        p->round = 9;
        p->stage = 1;
        p->step = 2;
        p->is_step_done = true;
        p->started = 300;
        p->finished = 299;
        p->bound = 298;
        p->failed = 4;
        p->foreign_offers = 5;
        p->received = 6000;
        p->silent_streak = 7;
        p->foreign_offer_addr = sample_ipv4(0x0b000001);
        p->foreign_offer_server = sample_ipv4(0xc0a80101);
    } else if (kind == CONTROL_DONE) {
        m->u.done = (struct control_done){.last_batch_seq = 99, .event_count = 12345};
    }
}

static inline void sample_ctrl_down(enum control_kind kind, struct control_message *m)
{
    if (kind == CONTROL_WELCOME) {
        m->u.welcome.proto = 1;
        m->u.welcome.session = UINT64_C(0x99aabbccddeeff00);
        memset(m->u.welcome.run_id, 0x31, PLAN_RUN_ID_BYTES);
        m->u.welcome.data_port = 6768;
        m->u.welcome.committed_batch = 42;
        m->u.welcome.deliver_epoch = UINT64_C(0x2233445566778899);
    } else if (kind == CONTROL_CLOCK_REQUEST) {
        m->u.clock_request = (struct control_clock_request){.id = 6, .t1_ns = 5005};
    } else if (kind == CONTROL_GRANT) {
        m->u.grant = (struct control_grant){.boottime_ns = 77, .duration_ns = RUN_LEASE_NS};
    } else if (kind == CONTROL_PREFLIGHT) {
        m->u.preflight.path_count = 3;
        m->u.preflight.path[0] = PLAN_PATH_RELAYED;
        m->u.preflight.path[1] = PLAN_PATH_EGRESS;
        m->u.preflight.path[2] = PLAN_PATH_ROUTED;
        m->u.preflight.asks_unmarked = true;
    } else if (kind == CONTROL_ARM) {
        m->u.arm = (struct control_arm){.generation = 3, .path = PLAN_PATH_EGRESS};
    } else if (kind == CONTROL_GO) {
        struct control_go *g = &m->u.go;
        g->stage = 1;
        g->step = 2;
        g->start_at_ns = UINT64_C(987654321000);
        g->client_limit = 300;
        g->rate_milli_per_s = 1500500;
        g->round = 9;
        g->arrivals = 15005;
        g->is_last_step = true;
    } else if (kind == CONTROL_ADOPT) {
        sample_adopt(&m->u.adopt);
    } else if (kind == CONTROL_TAKE) {
        sample_take(&m->u.take);
    } else if (kind == CONTROL_DRAIN) {
        m->u.drain.mode = DRAIN_NOW;
        m->u.drain.release_milli_per_s = 500000;
    } else if (kind == CONTROL_BYE) {
        strcpy(m->u.bye.text, "the run is over");
    } else if (kind == CONTROL_REFUSE) {
        m->u.refuse.code = REFUSAL_NO_RELAY;
        m->u.refuse.assignment_epoch = 4;
        strcpy(m->u.refuse.text, "agent a3 has the address of no relay");
    } else if (kind == CONTROL_ACK) {
        m->u.ack = (struct control_ack){.epoch = 12, .committed_seq = 13, .limit_seq = 525};
    }
}

static inline void sample_message(enum control_kind kind, struct control_message *m)
{
    memset(m, 0, sizeof(*m));
    m->kind = kind;
    m->session = UINT64_C(0x0102030405060708);
    if (kind == CONTROL_HELLO) {
        sample_hello(&m->u.hello);
    } else if (kind == CONTROL_PREPARE) {
        sample_prepare(&m->u.prepare);
    } else if (kind == CONTROL_PREFLIGHT_REPORT) {
        sample_report(&m->u.preflight_report);
    } else if (kind == CONTROL_OBSERVER_HELLO) {
        sample_observer_hello(&m->u.observer_hello);
    } else if (kind == CONTROL_OBSERVATION) {
        m->u.observation = sample_observation();
    } else if (kind == CONTROL_DATA_HELLO) {
        m->u.data_hello.epoch = 12;
    } else if (kind == CONTROL_BATCH) {
        m->u.batch.epoch = 12;
        m->u.batch.seq = 14;
        m->u.batch.events = sample_events();
        m->u.batch.event_count = 3;
    } else if (kind == CONTROL_SNAPSHOT) {
        m->u.snapshot = sample_snapshot();
    } else if (kind == CONTROL_HISTOGRAM) {
        m->u.histogram.snapshot_seq = 17;
        m->u.histogram.key = (struct histogram_key){
            .metric = LATENCY_RENEW, .clock = LATENCY_FROM_SEND, .server = 1, .stage = 2};
        m->u.histogram.histogram = sample_histogram();
    } else {
        sample_ctrl_up(kind, m);
        sample_ctrl_down(kind, m);
    }
}
