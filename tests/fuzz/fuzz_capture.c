/* SPDX-License-Identifier: MIT */
/*
 * Frames of a capture, of any link: whatever the bytes, every frame is in at most one place of
 * the sums, and a run's ledger beside it is compared without a fault. Input: a byte for the link,
 * then frames, each with its length in two bytes before it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "coordinator/audit/audit_capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static uint64_t sum_of(const struct audit_capture *c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= c->agent_count; i++) {
        for (unsigned k = 0; k < DHCP4_INTENT_COUNT; k++) {
            sum += c->agents[i].sent[k];
        }
        for (unsigned k = 0; k < AUDIT_TYPES; k++) {
            sum += c->agents[i].received[k] + c->agents[i].strangers[k];
        }
        sum += c->agents[i].renew_or_rebind;
    }
    return sum;
}

/* Two clients whose exchanges the corpus has packets of. */
static void add_rows(struct audit_rows *rows, const struct plan *plan)
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct event e = {.t_us = 1000000 * i,
                                .client = i,
                                .xid = 0x01000000 + i,
                                .lease_s = 60,
                                .offer_us = 10,
                                .took_us = 20,
                                .wait_us = 30,
                                .addr = inet_from_host(0x0a0a0001 + i),
                                .server = plan->servers[0].address,
                                .tries = 2,
                                .flags = EVENT_FIRST_LEASE | EVENT_OFFER_SEEN,
                                .kind = EVENT_ACQUIRE,
                                .result = EVENT_ACK};
        demand(audit_rows_add(rows, 0, &e, 1000000 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan_relay relay = {.client_count = 100, .xid_slot = 1, .to_count = 1};
    static struct plan plan = {.client_count = 100, .relays = &relay, .relay_count = 1};
    static struct audit_agent agent = {.name = "a1"};
    const struct ledger_share share = {.clients = 100};
    struct audit_rows rows;
    struct audit_capture c;
    struct audit_notes notes = {0};
    relay.via = relay.giaddr = inet_from_host(0xac100803);
    plan.server_count = plan.stage_count = 1;
    plan.servers[0].address = inet_from_host(0xc0a8010c);
    agent.final.is_known = true;
    memset(agent.final.has_counter, true, sizeof(agent.final.has_counter));
    demand(audit_rows_init(&rows, &plan, 1, 1));
    add_rows(&rows, &plan);
    demand(audit_capture_init(&c, &plan, &rows, &agent, &share, 1));
    struct byte_reader r = byte_reader_over(data, size);
    enum audit_link link = (enum audit_link)(byte_read_u8(&r) % (AUDIT_LINK_RAW + 1));
    for (uint64_t n = 1; r.ok && byte_reader_left(&r) > 0; n++) {
        size_t wanted = byte_read_u16(&r), left = byte_reader_left(&r);
        size_t length = wanted < left ? wanted : left;
        const uint8_t *bytes = byte_read_view(&r, length);
        const struct audit_frame frame = {.link = link, .bytes = bytes, .size = length};
        demand(bytes == NULL || audit_capture_frame(&c, (uint32_t)n & 1, &frame, n));
    }
    demand(c.datagrams + c.seen_again + c.cut + c.fragments <= c.frames);
    uint64_t sum = sum_of(&c);
    demand(sum <= c.datagrams); /* requests of a type there is none of are in no bin */
    audit_capture_compare(&c, &notes);
    demand(!notes.is_out_of_memory);
    for (size_t i = 0; i < notes.count; i++) {
        for (const char *at = notes.note[i].text; *at != '\0'; at++) {
            demand(*at >= ' ' && *at <= '~');
        }
    }
    audit_notes_fini(&notes);
    audit_capture_fini(&c);
    audit_rows_fini(&rows);
    return 0;
}
