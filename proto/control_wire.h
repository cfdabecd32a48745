/* SPDX-License-Identifier: MIT */
/*
 * Between the envelope and its bulk bodies (batch, snapshot, histogram,
 * preflight report): files are split by size, not by idea.
 *
 * Encoders fill a scratch whose columns the body then points to. Decoders take
 * a body apart into arena memory, check what only the wire form can get wrong
 * (column lengths, numbers that would not fit the field) and leave the rules to
 * control_is_valid().
 *
 * Internal to proto/. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.pb-c.h"
#include "proto/control.h"
#include "proto/control_arena.h"

/* Fields that borrow what is packed. */
ProtobufCBinaryData control_text_field(const char *text);
ProtobufCBinaryData control_bytes_field(const uint8_t *bytes, size_t size);

/* In a function with the generated struct as `body`: a column of `rows` elements. */
#define CONTROL_COLUMN(field, rows, values) body->n_##field = (rows), body->field = (values)

struct control_batch_scratch {
    Leaseherd__Batch body;
    int64_t t_step_us[CONTROL_BATCH_EVENTS_MAX];
    int32_t client_step[CONTROL_BATCH_EVENTS_MAX];
    Leaseherd__EventKind kind[CONTROL_BATCH_EVENTS_MAX];
    Leaseherd__EventResult result[CONTROL_BATCH_EVENTS_MAX];
    uint32_t xid[CONTROL_BATCH_EVENTS_MAX], stage[CONTROL_BATCH_EVENTS_MAX];
    uint32_t tries[CONTROL_BATCH_EVENTS_MAX], flags[CONTROL_BATCH_EVENTS_MAX];
    uint32_t lease_s[CONTROL_BATCH_EVENTS_MAX], offer_us[CONTROL_BATCH_EVENTS_MAX];
    uint32_t took_us[CONTROL_BATCH_EVENTS_MAX], wait_us[CONTROL_BATCH_EVENTS_MAX];
    uint32_t addr[CONTROL_BATCH_EVENTS_MAX], server[CONTROL_BATCH_EVENTS_MAX];
};

struct control_snapshot_scratch {
    Leaseherd__Snapshot body;
    uint64_t counter[COUNTER_COUNT];
    uint64_t offers[PLAN_SERVERS_MAX], acks[PLAN_SERVERS_MAX], naks[PLAN_SERVERS_MAX];
    uint64_t packet[PLAN_SERVERS_MAX * PACKET_COUNT];
    uint64_t low_port[PLAN_SERVERS_MAX * SNAPSHOT_LOW_PORT_WORDS];
    uint32_t wrong_source[PLAN_SERVERS_MAX];
    uint32_t error[SNAPSHOT_SEND_ERRORS_MAX], message[SNAPSHOT_SEND_ERRORS_MAX];
    uint32_t destination[SNAPSHOT_SEND_ERRORS_MAX];
    uint64_t error_count[SNAPSHOT_SEND_ERRORS_MAX];
    uint32_t state[SNAPSHOT_UNEXPECTED_MAX], event[SNAPSHOT_UNEXPECTED_MAX];
    uint64_t unexpected_count[SNAPSHOT_UNEXPECTED_MAX];
};

struct control_histogram_scratch {
    Leaseherd__Histogram body;
    uint32_t skip[HISTOGRAM_BUCKETS], count[HISTOGRAM_BUCKETS];
};

struct control_take_scratch {
    Leaseherd__Take body;
    Leaseherd__Go go;
    uint32_t *columns; /* malloc'd: four per share, five per client */
};

enum {
    CONTROL_PREFLIGHT_PATHS_MAX = CONTROL_PREFLIGHT_RELAYS_MAX * PLAN_PATH_COUNT,
    CONTROL_PREFLIGHT_WAY_ROWS_MAX = CONTROL_PREFLIGHT_RELAYS_MAX * CONTROL_PREFLIGHT_WAYS_MAX
};

struct control_report_scratch {
    Leaseherd__PreflightReport body;
    uint32_t relay[CONTROL_PREFLIGHT_RELAYS_MAX], clients[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t offered[CONTROL_PREFLIGHT_RELAYS_MAX], bound[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t foreign_offers[CONTROL_PREFLIGHT_RELAYS_MAX], naks[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t servers_answered[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t send_errno[CONTROL_PREFLIGHT_RELAYS_MAX], path_count[CONTROL_PREFLIGHT_RELAYS_MAX];
    Leaseherd__Path path[CONTROL_PREFLIGHT_PATHS_MAX];
    uint32_t renew_sent[CONTROL_PREFLIGHT_PATHS_MAX], renew_acked[CONTROL_PREFLIGHT_PATHS_MAX];
    uint32_t wrong_port[CONTROL_PREFLIGHT_PATHS_MAX];
    uint32_t last_wrong_port[CONTROL_PREFLIGHT_PATHS_MAX];
    uint32_t path_send_errno[CONTROL_PREFLIGHT_PATHS_MAX];
    uint32_t fact[CONTROL_FACTS_MAX], fact_addr[CONTROL_FACTS_MAX], fact_peer[CONTROL_FACTS_MAX];
    uint64_t fact_value[CONTROL_FACTS_MAX], fact_limit[CONTROL_FACTS_MAX];
    uint32_t lease_least_s[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t lease_most_s[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t t1_s[CONTROL_PREFLIGHT_RELAYS_MAX], t2_s[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t mask[CONTROL_PREFLIGHT_RELAYS_MAX], router[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t unmarked_offers[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t unmarked_addr[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t outside_addr[CONTROL_PREFLIGHT_RELAYS_MAX];
    protobuf_c_boolean was_unmarked_asked[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t way_count[CONTROL_PREFLIGHT_RELAYS_MAX];
    uint32_t way_server[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
    Leaseherd__Path way_path[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
    uint32_t way_sent[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
    uint32_t way_acked[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
    uint32_t way_low_ports[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
    uint32_t way_other_ports[CONTROL_PREFLIGHT_WAY_ROWS_MAX];
};

void control_put_batch(const struct control_batch *from, struct control_batch_scratch *to);
void control_put_snapshot(const struct snapshot *from, struct control_snapshot_scratch *to);
void control_put_histogram(const struct control_histogram *from,
                           struct control_histogram_scratch *to);
void control_put_report(const struct control_preflight_report *from,
                        struct control_report_scratch *to);
void control_put_go(const struct control_go *from, Leaseherd__Go *to);
/* False when out of memory. */
NODISCARD bool control_put_take(const struct control_take *from, struct control_take_scratch *to);

NODISCARD bool control_take_batch(struct control_arena *arena, const Leaseherd__Batch *from,
                                  struct control_batch *out, char *why);
/* The result is in the arena; NULL on failure. */
NODISCARD const struct snapshot *control_take_snapshot(struct control_arena *arena,
                                                       const Leaseherd__Snapshot *from, char *why);
NODISCARD bool control_take_histogram(struct control_arena *arena, const Leaseherd__Histogram *from,
                                      struct control_histogram *out, char *why);
NODISCARD bool control_take_report(struct control_arena *arena,
                                   const Leaseherd__PreflightReport *from,
                                   struct control_preflight_report *out, char *why);

void control_take_go(const Leaseherd__Go *from, struct control_go *out);
NODISCARD bool control_take_take(struct control_arena *arena, const Leaseherd__Take *from,
                                 struct control_take *out, char *why);
/* The rules of TAKE and GO, for control_is_valid(). */
NODISCARD bool control_go_is_valid(const struct control_go *go, char *why);
NODISCARD bool control_take_is_valid(const struct control_take *take, char *why);

/* All `count` lengths are `wanted`; otherwise the sentence names the message. */
NODISCARD bool control_columns_match(const size_t *lengths, size_t count, size_t wanted,
                                     const char *message, char *why);
/* The sentence for an arena that is used up. */
bool control_no_memory(const char *message, char *why);
