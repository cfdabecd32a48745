/* SPDX-License-Identifier: MIT */
/*
 * A run as an audit finds it, small and wholly consistent: plan, events, final counters, and the
 * frames a capture would have of it. Tests take something out, put something in, and ask what the
 * audit says.
 */
#pragma once

#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "coordinator/audit/audit_books.h"
#include "coordinator/audit/audit_capture.h"
#include "coordinator/truth/accounting.h"
#include "tests/support/truth_fixture.h"

enum { BED_FRAME_BYTES = 1024, BED_FRAMES_MAX = 4096, BED_EVENTS_MAX = 1024 };

struct bed_frame {
    uint8_t bytes[BED_FRAME_BYTES];
    size_t size;
    uint32_t file; /* which capture has it */
    uint32_t client;
    uint8_t type; /* of the DHCP message */
};

struct bed {
    struct truth_fixture f; /* for its plan */
    const struct plan *plan;
    struct audit_agent agents[2];
    struct ledger_share shares[2];
    struct event events[BED_EVENTS_MAX];
    size_t event_count;
    struct bed_frame *frames;
    size_t frame_count;
    struct audit_rows rows;
    struct audit_capture capture;
    struct audit_notes notes;
};

static inline size_t bed_agent_of(uint32_t client)
{
    return client < 100 ? 0 : 1;
}

static inline void bed_init(struct bed *b)
{
    memset(b, 0, sizeof(*b));
    truth_fixture_init(&b->f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    b->plan = &b->f.plan;
    b->frames = calloc(BED_FRAMES_MAX, sizeof(*b->frames));
    assert_non_null(b->frames);
    for (uint32_t i = 0; i < 2; i++) {
        struct audit_agent *a = &b->agents[i];
        (void)snprintf(a->name, sizeof(a->name), "a%u", (unsigned)i + 1);
        a->final.is_known = a->final.has_last_batch_seq = a->final.has_instant = true;
        a->final.at.wall_s = 1700000000;
        memset(a->final.has_counter, true, sizeof(a->final.has_counter));
        memset(a->final.has_server, true, sizeof(a->final.has_server));
        b->shares[i] = (struct ledger_share){
            .agent = i, .epoch = 1, .relay = i, .via = i, .first_client = 100 * i, .clients = 100};
    }
}

static inline void bed_fini(struct bed *b)
{
    audit_capture_fini(&b->capture);
    audit_rows_fini(&b->rows);
    audit_notes_fini(&b->notes);
    free(b->frames);
    truth_fixture_fini(&b->f);
}

static inline uint64_t *bed_counter(struct bed *b, uint32_t client, enum snapshot_counter c)
{
    return &b->agents[bed_agent_of(client)].final.counter[c];
}

/* --- frames --- */

struct bed_way {
    struct ipv4 from, to;
    uint16_t from_port, to_port;
};

/* Ethernet, IPv4 without options, UDP. */
static inline struct bed_frame *bed_frame(struct bed *b, const struct bed_way *way,
                                          const uint8_t *message, size_t size)
{
    assert_true(b->frame_count < BED_FRAMES_MAX && size + 42 <= BED_FRAME_BYTES);
    struct bed_frame *f = &b->frames[b->frame_count++];
    struct byte_writer w = byte_writer_over(f->bytes, sizeof(f->bytes));
    byte_write_fill(&w, 2, 12);
    byte_write_u16(&w, 0x0800);
    byte_write_u16(&w, 0x4500);
    byte_write_u16(&w, (uint16_t)(28 + size));
    byte_write_u32(&w, 0x00004000); /* id 0, do not fragment */
    byte_write_u16(&w, 64 << 8 | 17);
    byte_write_u16(&w, 0);
    byte_write_ipv4(&w, way->from);
    byte_write_ipv4(&w, way->to);
    byte_write_u16(&w, way->from_port);
    byte_write_u16(&w, way->to_port);
    byte_write_u16(&w, (uint16_t)(8 + size));
    byte_write_u16(&w, 0);
    byte_write_copy(&w, message, size);
    assert_true(w.ok);
    f->size = w.at;
    f->file = 0;
    return f;
}

static inline void bed_ask(struct bed *b, enum dhcp4_intent intent, const struct event *e,
                           struct ipv4 server)
{
    static struct dhcp4_template t;
    uint8_t message[DHCP4_MAX_BYTES];
    const struct plan_relay *relay = &b->plan->relays[plan_relay_of(b->plan, e->client)];
    bool is_own = intent == DHCP4_RENEW || intent == DHCP4_RELEASE || intent == DHCP4_INFORM;
    const struct dhcp4_relay_part part = {.giaddr = is_own ? inet_from_host(0) : relay->giaddr};
    assert_true(dhcp4_template_make(intent, &dhcp4_profile_dhclient, &part, &t));
    const struct dhcp4_fill fill = {.xid = e->xid,
                                    .chaddr = plan_client_mac(b->plan, e->client),
                                    .ciaddr = e->addr,
                                    .requested_ip = e->addr,
                                    .server_id = e->server};
    dhcp4_template_fill(&t, &fill, message);
    const struct bed_way way = {relay->via, server, is_own ? 68 : 67, 67};
    struct bed_frame *f = bed_frame(b, &way, message, t.size);
    f->client = e->client;
    f->type = 0;
    static const enum snapshot_counter counters[] = {
        [DHCP4_DISCOVER] = COUNTER_sent_discover, [DHCP4_REQUEST] = COUNTER_sent_request,
        [DHCP4_RENEW] = COUNTER_sent_renew,       [DHCP4_REBIND] = COUNTER_sent_rebind,
        [DHCP4_REBOOT] = COUNTER_sent_reboot,     [DHCP4_DECLINE] = COUNTER_sent_decline,
        [DHCP4_RELEASE] = COUNTER_sent_release,   [DHCP4_INFORM] = COUNTER_sent_inform,
    };
    ++*bed_counter(b, e->client, counters[intent]);
}

static inline void bed_ask_all(struct bed *b, enum dhcp4_intent intent, const struct event *e)
{
    for (uint32_t i = 0; i < b->plan->server_count; i++) {
        bed_ask(b, intent, e, b->plan->servers[i].address);
    }
}

static inline size_t bed_message(const struct bed *b, uint8_t type, const struct event *e,
                                 uint8_t out[DHCP4_MAX_BYTES])
{
    struct mac mac = plan_client_mac(b->plan, e->client);
    struct byte_writer w = byte_writer_over(out, DHCP4_MAX_BYTES);
    byte_write_u32(&w, 0x02010600);
    byte_write_u32(&w, e->xid);
    byte_write_fill(&w, 0, 8);
    byte_write_ipv4(&w, type == DHCP4_TYPE_NAK ? inet_from_host(0) : e->addr);
    byte_write_fill(&w, 0, 8);
    byte_write_copy(&w, mac.byte, MAC_BYTES);
    byte_write_fill(&w, 0, 10 + 64 + 128);
    byte_write_u32(&w, 0x63825363);
    byte_write_u16(&w, 53 << 8 | 1);
    byte_write_u8(&w, type);
    byte_write_u16(&w, 54 << 8 | 4);
    byte_write_ipv4(&w, e->server);
    if (type != DHCP4_TYPE_NAK) {
        byte_write_u16(&w, 51 << 8 | 4);
        byte_write_u32(&w, e->lease_s);
    }
    byte_write_u8(&w, 255);
    byte_write_fill(&w, 0, 60);
    assert_true(w.ok);
    return w.at;
}

/* By the relay, or (`to_client`) straight to the client's address. */
static inline struct bed_frame *bed_answer(struct bed *b, uint8_t type, const struct event *e,
                                           bool to_client)
{
    uint8_t message[DHCP4_MAX_BYTES];
    const struct plan_relay *relay = &b->plan->relays[plan_relay_of(b->plan, e->client)];
    size_t size = bed_message(b, type, e, message);
    const struct bed_way way = {e->server, to_client ? e->addr : relay->via, 67,
                                to_client ? 68 : 67};
    struct bed_frame *f = bed_frame(b, &way, message, size);
    f->client = e->client;
    f->type = type;
    ++*bed_counter(b, e->client,
                   type == DHCP4_TYPE_OFFER ? COUNTER_received_offer
                   : type == DHCP4_TYPE_ACK ? COUNTER_received_ack
                                            : COUNTER_received_nak);
    ++*bed_counter(b, e->client, COUNTER_fate_answer);
    return f;
}

/* --- events --- */

static inline void bed_event(struct bed *b, const struct event *e)
{
    size_t agent = bed_agent_of(e->client);
    uint64_t *counter = b->agents[agent].final.counter;
    struct snapshot_server *server = NULL;
    struct result_leases l;
    assert_true(b->event_count < BED_EVENTS_MAX && event_is_valid(e));
    b->events[b->event_count] = *e;
    b->events[b->event_count].t_us = 1000000 * (b->event_count + 1);
    b->event_count++;
    b->agents[agent].stream_events++;
    counter[COUNTER_events]++;
    for (uint32_t i = 0; i < b->plan->server_count; i++) {
        bool is_it = inet_equal(b->plan->servers[i].address, e->server);
        server = is_it ? &b->agents[agent].final.server[i] : server;
    }
    if (accounting_leases_of(e, &l)) {
        counter[COUNTER_leases_acquired] += l.acquired;
        counter[COUNTER_leases_reacquired] += l.reacquired;
        counter[COUNTER_leases_renewed] += l.renewed;
        counter[COUNTER_leases_rebound] += l.rebound;
        counter[COUNTER_leases_released] += l.released;
        counter[COUNTER_leases_nak] += l.nak;
    }
    if (server != NULL) {
        server->acks += e->result == EVENT_ACK;
        server->naks += e->result == EVENT_NAK;
        server->offers += (e->flags & EVENT_OFFER_SEEN) != 0;
    }
}

/* DISCOVER, OFFER, REQUEST, ACK. */
static inline void bed_acquire(struct bed *b, uint32_t client)
{
    struct event e = truth_fixture_ack(&b->f, EVENT_ACQUIRE, client);
    bed_ask_all(b, DHCP4_DISCOVER, &e);
    (void)bed_answer(b, DHCP4_TYPE_OFFER, &e, false);
    bed_ask_all(b, DHCP4_REQUEST, &e);
    (void)bed_answer(b, DHCP4_TYPE_ACK, &e, false);
    bed_event(b, &e);
}

static inline void bed_renew(struct bed *b, uint32_t client)
{
    struct event e = truth_fixture_ack(&b->f, EVENT_RENEW, client);
    e.xid += 0x1000;
    bed_ask(b, DHCP4_RENEW, &e, e.server);
    (void)bed_answer(b, DHCP4_TYPE_ACK, &e, true);
    bed_event(b, &e);
}

static inline void bed_nak(struct bed *b, uint32_t client)
{
    struct event e = truth_fixture_ack(&b->f, EVENT_RENEW, client);
    e.xid += 0x2000;
    e.result = EVENT_NAK;
    e.lease_s = 0;
    bed_ask(b, DHCP4_RENEW, &e, e.server);
    (void)bed_answer(b, DHCP4_TYPE_NAK, &e, false);
    bed_event(b, &e);
}

static inline void bed_release(struct bed *b, uint32_t client)
{
    struct event e = truth_fixture_ack(&b->f, EVENT_RELEASE, client);
    e.xid += 0x3000;
    e.result = EVENT_SENT;
    e.lease_s = 0;
    bed_ask(b, DHCP4_RELEASE, &e, e.server);
    bed_event(b, &e);
}

/* Ten clients of each agent: all acquire, renew; one is refused, one releases. */
static inline void bed_play(struct bed *b)
{
    for (uint32_t i = 0; i < 20; i++) {
        bed_acquire(b, i < 10 ? i : 90 + i);
    }
    for (uint32_t i = 0; i < 20; i++) {
        bed_renew(b, i < 10 ? i : 90 + i);
    }
    bed_nak(b, 3);
    bed_release(b, 104);
}

static inline void bed_drop_event(struct bed *b, size_t at)
{
    memmove(&b->events[at], &b->events[at + 1], (b->event_count - at - 1) * sizeof(b->events[0]));
    b->event_count--;
}

static inline void bed_drop_frame(struct bed *b, size_t at)
{
    memmove(&b->frames[at], &b->frames[at + 1], (b->frame_count - at - 1) * sizeof(b->frames[0]));
    b->frame_count--;
}

/* The first frame of that type for the client; type 0: what it sent. */
static inline size_t bed_find(const struct bed *b, uint32_t client, uint8_t type)
{
    for (size_t i = 0; i < b->frame_count; i++) {
        if (b->frames[i].client == client && b->frames[i].type == type) {
            return i;
        }
    }
    fail();
    return 0;
}

/* --- the audit --- */

static inline bool bed_says(const struct bed *b, enum audit_note_kind kind, const char *text)
{
    for (size_t i = 0; i < b->notes.count; i++) {
        if (b->notes.note[i].kind == kind && strstr(b->notes.note[i].text, text) != NULL) {
            return true;
        }
    }
    return false;
}

/* Ledger against counters, then (`with_capture`) the frames against both. */
static inline void bed_audit(struct bed *b, bool with_capture)
{
    audit_capture_fini(&b->capture);
    audit_rows_fini(&b->rows);
    audit_notes_fini(&b->notes);
    assert_true(audit_rows_init(&b->rows, b->plan, 2, 1));
    for (size_t i = 0; i < b->event_count; i++) {
        const struct event *e = &b->events[i];
        assert_true(
            audit_rows_add(&b->rows, (uint32_t)bed_agent_of(e->client), e, (int64_t)e->t_us));
    }
    audit_books(b->plan, &b->rows, b->agents, 2, &b->notes);
    assert_true(audit_capture_init(&b->capture, b->plan, &b->rows, b->agents, b->shares, 2));
    for (size_t i = 0; with_capture && i < b->frame_count; i++) {
        const struct audit_frame frame = {
            .link = AUDIT_LINK_ETHERNET, .bytes = b->frames[i].bytes, .size = b->frames[i].size};
        assert_true(audit_capture_frame(&b->capture, b->frames[i].file, &frame, i + 1));
    }
    if (with_capture) {
        audit_capture_compare(&b->capture, &b->notes);
    }
}

static inline void bed_expect(const struct bed *b, uint64_t differences, const char *text)
{
    bool is_good =
        b->notes.differences == differences && (text == NULL || bed_says(b, AUDIT_DIFFERS, text));
    for (size_t i = 0; !is_good && i < b->notes.count; i++) {
        print_message("%d %s\n", (int)b->notes.note[i].kind, b->notes.note[i].text);
    }
    assert_int_equal(b->notes.differences, differences);
    assert_true(text == NULL || bed_says(b, AUDIT_DIFFERS, text));
}

/* cmocka's set-up and teardown of a bed that has been played. */
static inline int bed_set_up(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    bed_init(b);
    bed_play(b);
    *state = b;
    return 0;
}

static inline int bed_tear_down(void **state)
{
    bed_fini(*state);
    free(*state);
    return 0;
}
