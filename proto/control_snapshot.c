/* SPDX-License-Identifier: MIT */
/* Counters and histograms: cumulative, sparse. */
#include <string.h>

#include "proto/control_wire.h"
#include "proto/dhcp4.h"
#include "proto/wire.h"

_Static_assert((int)LEASEHERD__METRIC__METRIC_START_LATENESS == LATENCY_METRIC_COUNT,
               "wire metrics are latency metrics plus one");
_Static_assert((int)LEASEHERD__METRIC_CLOCK__CLOCK_FROM_SEND == LATENCY_CLOCK_COUNT,
               "wire clocks are latency clocks plus one");

_Static_assert((int)PACKET_sent_query == (int)DHCP4_QUERY &&
                   (int)DHCP4_QUERY == (int)DHCP4_INTENT_COUNT - 1,
               "packets sent are counted in the order of the intents");

static bool is_used(const struct snapshot *s, size_t row)
{
    static const struct snapshot_server none;
    static const struct snapshot_packets no_packets;

    return memcmp(&s->server[row], &none, sizeof(none)) != 0 ||
           memcmp(&s->packets[row], &no_packets, sizeof(no_packets)) != 0;
}

static size_t used_servers(const struct snapshot *s)
{
    size_t rows = PLAN_SERVERS_MAX;

    while (rows > 0 && !is_used(s, rows - 1)) {
        rows--;
    }
    return rows;
}

static void put_packets(const struct snapshot *from, struct control_snapshot_scratch *to,
                        size_t rows)
{
    Leaseherd__Snapshot *body = &to->body;

    for (size_t i = 0; i < rows; i++) {
        const struct snapshot_packets *p = &from->packets[i];
        memcpy(&to->packet[i * PACKET_COUNT], p->count, sizeof(p->count));
        memcpy(&to->low_port[i * SNAPSHOT_LOW_PORT_WORDS], p->low_port, sizeof(p->low_port));
        to->wrong_source[i] = inet_host(p->wrong_source);
    }
    body->server_packet_columns = rows > 0 ? PACKET_COUNT : 0;
    CONTROL_COLUMN(server_packet, rows * PACKET_COUNT, to->packet);
    CONTROL_COLUMN(server_low_port, rows * SNAPSHOT_LOW_PORT_WORDS, to->low_port);
    CONTROL_COLUMN(server_wrong_source, rows, to->wrong_source);
}

static void put_servers(const struct snapshot *from, struct control_snapshot_scratch *to)
{
    Leaseherd__Snapshot *body = &to->body;
    size_t rows = used_servers(from);

    for (size_t i = 0; i < rows; i++) {
        to->offers[i] = from->server[i].offers;
        to->acks[i] = from->server[i].acks;
        to->naks[i] = from->server[i].naks;
    }
    CONTROL_COLUMN(server_offers, rows, to->offers);
    CONTROL_COLUMN(server_acks, rows, to->acks);
    CONTROL_COLUMN(server_naks, rows, to->naks);
    put_packets(from, to, rows);
}

void control_put_snapshot(const struct snapshot *from, struct control_snapshot_scratch *to)
{
    Leaseherd__Snapshot *body = &to->body;

    leaseherd__snapshot__init(body);
    body->seq = from->seq;
    body->at_ns = from->at_ns;
    body->is_final = from->is_final;
    body->last_batch_seq = from->last_batch_seq;
    memcpy(to->counter, from->counter, sizeof(to->counter));
    CONTROL_COLUMN(counter, COUNTER_COUNT, to->counter);
    put_servers(from, to);
    for (uint32_t i = 0; i < from->send_error_count; i++) {
        to->error[i] = from->send_error[i].error;
        to->message[i] = from->send_error[i].message + 1U;
        to->destination[i] = inet_host(from->send_error[i].destination);
        to->error_count[i] = from->send_error[i].count;
    }
    CONTROL_COLUMN(error_errno, from->send_error_count, to->error);
    CONTROL_COLUMN(error_message, from->send_error_count, to->message);
    CONTROL_COLUMN(error_destination, from->send_error_count, to->destination);
    CONTROL_COLUMN(error_count, from->send_error_count, to->error_count);
    for (uint32_t i = 0; i < from->unexpected_count; i++) {
        to->state[i] = from->unexpected[i].state + 1U;
        to->event[i] = from->unexpected[i].event + 1U;
        to->unexpected_count[i] = from->unexpected[i].count;
    }
    CONTROL_COLUMN(unexpected_state, from->unexpected_count, to->state);
    CONTROL_COLUMN(unexpected_event, from->unexpected_count, to->event);
    CONTROL_COLUMN(unexpected_count, from->unexpected_count, to->unexpected_count);
}

/* Builds before 2 tell nothing of packets. */
static bool packets_shape_is_good(const Leaseherd__Snapshot *from, char *why)
{
    size_t rows = from->n_server_offers, columns = from->server_packet_columns;

    if (columns > PACKET_COUNT) {
        return wire_refuse(why, "snapshot: %zu kinds of packets; at most %d are known", columns,
                           PACKET_COUNT);
    }
    if (columns == 0 && from->n_server_packet == 0 && from->n_server_low_port == 0 &&
        from->n_server_wrong_source == 0) {
        return true;
    }
    return from->n_server_packet == rows * columns &&
                   from->n_server_low_port == rows * SNAPSHOT_LOW_PORT_WORDS &&
                   from->n_server_wrong_source == rows
               ? true
               : wire_refuse(why, "snapshot: the columns of packets differ in length");
}

static bool snapshot_shape_is_good(const Leaseherd__Snapshot *from, char *why)
{
    const size_t server_lengths[] = {from->n_server_acks, from->n_server_naks};
    const size_t error_lengths[] = {from->n_error_message, from->n_error_destination,
                                    from->n_error_count};
    const size_t unexpected_lengths[] = {from->n_unexpected_event, from->n_unexpected_count};

    if (from->n_counter > COUNTER_COUNT) {
        return wire_refuse(why, "snapshot: %zu counters; at most %d are known", from->n_counter,
                           COUNTER_COUNT);
    }
    if (from->n_server_offers > PLAN_SERVERS_MAX ||
        from->n_error_errno > SNAPSHOT_SEND_ERRORS_MAX ||
        from->n_unexpected_state > SNAPSHOT_UNEXPECTED_MAX) {
        return wire_refuse(why, "snapshot: too many rows");
    }
    return control_columns_match(server_lengths, ARRAY_LEN(server_lengths), from->n_server_offers,
                                 "snapshot", why) &&
           packets_shape_is_good(from, why) &&
           control_columns_match(error_lengths, ARRAY_LEN(error_lengths), from->n_error_errno,
                                 "snapshot", why) &&
           control_columns_match(unexpected_lengths, ARRAY_LEN(unexpected_lengths),
                                 from->n_unexpected_state, "snapshot", why);
}

/* Wire rows are the value plus one and fit a byte; 0 becomes 255, which no table has. */
static bool narrow(uint32_t wire, uint8_t *out)
{
    *out = (uint8_t)(wire - 1U);
    return wire >= 1 && wire <= UINT8_MAX;
}

static bool take_rows(const Leaseherd__Snapshot *from, struct snapshot *s, char *why)
{
    for (size_t i = 0; i < from->n_error_errno; i++) {
        struct snapshot_send_error *e = &s->send_error[i];
        e->error = from->error_errno[i];
        e->destination = inet_from_host(from->error_destination[i]);
        e->count = from->error_count[i];
        if (!narrow(from->error_message[i], &e->message)) {
            return wire_refuse(why, "snapshot: send error %zu has no such errno or message", i);
        }
    }
    for (size_t i = 0; i < from->n_unexpected_state; i++) {
        struct snapshot_unexpected *u = &s->unexpected[i];
        u->count = from->unexpected_count[i];
        if (!narrow(from->unexpected_state[i], &u->state) ||
            !narrow(from->unexpected_event[i], &u->event)) {
            return wire_refuse(why, "snapshot: unexpected %zu has no such state or event", i);
        }
    }
    s->send_error_count = (uint32_t)from->n_error_errno;
    s->unexpected_count = (uint32_t)from->n_unexpected_state;
    return true;
}

static void take_packets(const Leaseherd__Snapshot *from, struct snapshot *s)
{
    size_t columns = from->server_packet_columns;

    for (size_t i = 0; i < from->n_server_wrong_source; i++) {
        struct snapshot_packets *p = &s->packets[i];
        for (size_t k = 0; k < columns; k++) {
            p->count[k] = from->server_packet[i * columns + k];
        }
        for (size_t k = 0; k < SNAPSHOT_LOW_PORT_WORDS; k++) {
            p->low_port[k] = from->server_low_port[i * SNAPSHOT_LOW_PORT_WORDS + k];
        }
        p->wrong_source = inet_from_host(from->server_wrong_source[i]);
    }
}

const struct snapshot *control_take_snapshot(struct control_arena *arena,
                                             const Leaseherd__Snapshot *from, char *why)
{
    if (!snapshot_shape_is_good(from, why)) {
        return NULL;
    }
    struct snapshot *s = control_arena_take(arena, 1, sizeof(*s));
    if (s == NULL) {
        (void)control_no_memory("snapshot", why);
        return NULL;
    }
    s->seq = from->seq;
    s->at_ns = from->at_ns;
    s->is_final = from->is_final;
    s->last_batch_seq = from->last_batch_seq;
    for (size_t i = 0; i < from->n_counter; i++) {
        s->counter[i] = from->counter[i];
    }
    for (size_t i = 0; i < from->n_server_offers; i++) {
        s->server[i].offers = from->server_offers[i];
        s->server[i].acks = from->server_acks[i];
        s->server[i].naks = from->server_naks[i];
    }
    take_packets(from, s);
    return take_rows(from, s, why) ? s : NULL;
}

void control_put_histogram(const struct control_histogram *from,
                           struct control_histogram_scratch *to)
{
    Leaseherd__Histogram *body = &to->body;
    const struct histogram *h = from->histogram;
    size_t rows = 0;
    unsigned next = 0; /* the bucket after the last one written */

    leaseherd__histogram__init(body);
    body->snapshot_seq = from->snapshot_seq;
    body->metric = (Leaseherd__Metric)(from->key.metric + 1);
    body->clock = (Leaseherd__MetricClock)(from->key.clock + 1);
    body->server = from->key.server == SNAPSHOT_NO_SERVER ? 0 : from->key.server + 1U;
    body->stage = from->key.stage == SNAPSHOT_STAGE_PREFLIGHT ? 0 : from->key.stage + 1U;
    body->count = h->count;
    body->sum_ns = h->sum_ns;
    body->min_ns = h->min_ns;
    body->max_ns = h->max_ns;
    body->is_saturated = h->is_saturated;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->bucket[i] > 0) {
            to->skip[rows] = i - next;
            to->count[rows] = h->bucket[i];
            next = i + 1;
            rows++;
        }
    }
    CONTROL_COLUMN(bucket_skip, rows, to->skip);
    CONTROL_COLUMN(bucket_count, rows, to->count);
}

static bool take_key(const Leaseherd__Histogram *from, struct histogram_key *out, char *why)
{
    if ((int)from->metric < 1 || (int)from->metric > LATENCY_METRIC_COUNT || (int)from->clock < 1 ||
        (int)from->clock > LATENCY_CLOCK_COUNT || from->server > PLAN_SERVERS_MAX ||
        from->stage > PLAN_STAGES_MAX) {
        return wire_refuse(why, "histogram: the key names no metric, clock, server or stage");
    }
    out->metric = (uint8_t)((int)from->metric - 1);
    out->clock = (uint8_t)((int)from->clock - 1);
    out->server = from->server == 0 ? (uint8_t)SNAPSHOT_NO_SERVER : (uint8_t)(from->server - 1);
    out->stage = from->stage == 0 ? (uint8_t)SNAPSHOT_STAGE_PREFLIGHT : (uint8_t)(from->stage - 1);
    return true;
}

static bool take_buckets(const Leaseherd__Histogram *from, struct histogram *h, char *why)
{
    uint64_t next = 0;

    for (size_t i = 0; i < from->n_bucket_skip; i++) {
        uint64_t bucket = next + from->bucket_skip[i];
        if (bucket >= HISTOGRAM_BUCKETS) {
            return wire_refuse(why, "histogram: row %zu is beyond the last bucket", i);
        }
        if (from->bucket_count[i] == 0) {
            return wire_refuse(why, "histogram: row %zu is an empty bucket", i);
        }
        h->bucket[bucket] = from->bucket_count[i];
        next = bucket + 1;
    }
    return true;
}

bool control_take_histogram(struct control_arena *arena, const Leaseherd__Histogram *from,
                            struct control_histogram *out, char *why)
{
    if (from->n_bucket_skip > HISTOGRAM_BUCKETS) {
        return wire_refuse(why, "histogram: %zu rows; at most %d are possible", from->n_bucket_skip,
                           HISTOGRAM_BUCKETS);
    }
    if (!control_columns_match(&from->n_bucket_count, 1, from->n_bucket_skip, "histogram", why) ||
        !take_key(from, &out->key, why)) {
        return false;
    }
    struct histogram *h = control_arena_take(arena, 1, sizeof(*h));
    if (h == NULL) {
        return control_no_memory("histogram", why);
    }
    h->count = from->count;
    h->sum_ns = from->sum_ns;
    h->min_ns = from->min_ns;
    h->max_ns = from->max_ns;
    h->is_saturated = from->is_saturated;
    out->snapshot_seq = from->snapshot_seq;
    out->histogram = h;
    return take_buckets(from, h, why);
}
