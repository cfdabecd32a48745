/* SPDX-License-Identifier: MIT */
/* The rules of every message kind, on plain structs: asked before sending and after receiving. */
#include <inttypes.h>
#include <string.h>

#include "proto/control.h"
#include "proto/control_observation.h"
#include "proto/control_wire.h"
#include "proto/dhcp4.h"
#include "proto/lease_names.h"
#include "proto/wire.h"

enum { CORES_MAX = 4096, ERRNO_MAX = 4095, PROTO_MAX = 65535 };

#define SEQ_MAX ((uint64_t)INT64_MAX - 65536)

typedef bool validate_fn(const struct control_message *m, char *why);

/* An epoch and its run, or neither. */
static bool kept_is_valid(const struct control_hello *h, char *why)
{
    static const uint8_t no_run[PLAN_RUN_ID_BYTES];
    bool has_run = memcmp(h->kept_run_id, no_run, sizeof(no_run)) != 0;
    if (h->former_count > CONTROL_FORMER_MAX) {
        return wire_refuse(why, "hello: %zu former epochs; at most %d are possible",
                           h->former_count, CONTROL_FORMER_MAX);
    }
    for (size_t i = 0; i < h->former_count; i++) {
        if (h->former[i] == 0) {
            return wire_refuse(why, "hello: former epoch %zu is 0", i);
        }
    }
    if ((h->kept_epoch != 0) != has_run || h->kept_last_seq > SEQ_MAX) {
        return wire_refuse(why, "hello: what it has kept is of no run, or cannot be");
    }
    return true;
}

static bool hello_is_valid(const struct control_message *m, char *why)
{
    const struct control_hello *h = &m->u.hello;

    if (h->proto_min < 1 || h->proto_min > h->proto_max || h->proto_max > PROTO_MAX) {
        return wire_refuse(why, "hello: versions %" PRIu32 " to %" PRIu32 " are not a range",
                           h->proto_min, h->proto_max);
    }
    if (h->build[0] == '\0' || !wire_text_is_printable(h->build, sizeof(h->build))) {
        return wire_refuse(why, "hello: build is empty or not printable");
    }
    if (!control_word_is_valid(h->host, sizeof(h->host), "hello: host", why)) {
        return false;
    }
    if (h->cores < 1 || h->cores > CORES_MAX) {
        return wire_refuse(why, "hello: %" PRIu32 " cores; 1 to %d are possible", h->cores,
                           CORES_MAX);
    }
    if (h->epoch == 0) {
        return wire_refuse(why, "hello: the epoch is 0");
    }
    if (h->address_count > CONTROL_ADDRESSES_MAX) {
        return wire_refuse(why, "hello: %zu addresses; at most %d are possible", h->address_count,
                           CONTROL_ADDRESSES_MAX);
    }
    for (size_t i = 0; i < h->address_count; i++) {
        if (!wire_is_unicast(h->addresses[i])) {
            return wire_refuse(why, "hello: address %zu is not a unicast address", i);
        }
    }
    return kept_is_valid(h, why);
}

static bool welcome_is_valid(const struct control_message *m, char *why)
{
    const struct control_welcome *w = &m->u.welcome;

    if (w->proto < 1 || w->proto > PROTO_MAX) {
        return wire_refuse(why, "welcome: %" PRIu32 " is not a version", w->proto);
    }
    if (w->session == CONTROL_SESSION_UNKNOWN) {
        return wire_refuse(why, "welcome: the session is 0");
    }
    /* The ledger keeps sequence numbers as signed 64 bit, and agents count on from here. */
    if (w->committed_batch > SEQ_MAX) {
        return wire_refuse(why, "welcome: batch %" PRIu64 " cannot have been committed",
                           w->committed_batch);
    }
    return w->data_port != 0 || wire_refuse(why, "welcome: the data port is 0");
}

static bool refuse_is_valid(const struct control_message *m, char *why)
{
    const struct control_refuse *r = &m->u.refuse;

    if ((int)r->code <= REFUSAL_UNSPECIFIED || (int)r->code >= REFUSAL_COUNT) {
        return wire_refuse(why, "refuse: %d is not a known code", (int)r->code);
    }
    if (r->text[0] == '\0' || !wire_text_is_printable(r->text, sizeof(r->text))) {
        return wire_refuse(why, "refuse: the text is empty or not printable");
    }
    return true;
}

static bool bye_is_valid(const struct control_message *m, char *why)
{
    return wire_text_is_printable(m->u.bye.text, sizeof(m->u.bye.text)) ||
           wire_refuse(why, "bye: the text is not printable");
}

static bool clock_request_is_valid(const struct control_message *m, char *why)
{
    return m->u.clock_request.t1_ns != 0 || wire_refuse(why, "clock_request: t1 is 0");
}

static bool clock_reply_is_valid(const struct control_message *m, char *why)
{
    const struct control_clock_reply *c = &m->u.clock_reply;

    if (c->t1_ns == 0 || c->t2_ns == 0) {
        return wire_refuse(why, "clock_reply: t1 or t2 is 0");
    }
    return c->t3_ns >= c->t2_ns || wire_refuse(why, "clock_reply: t3 is before t2");
}

static bool beat_is_valid(const struct control_message *m, char *why)
{
    if (m->u.beat.boottime_ns == 0) {
        return wire_refuse(why, "beat: the boot time is 0");
    }
    return m->u.beat.ring_used_permille <= 1000 ||
           wire_refuse(why, "beat: the ring is used by more than 1000 permille");
}

/* The run lease bounds how long an agent sends unattended: never longer than agreed. */
static bool grant_is_valid(const struct control_message *m, char *why)
{
    if (m->u.grant.boottime_ns == 0) {
        return wire_refuse(why, "grant: the boot time is 0");
    }
    return m->u.grant.duration_ns <= RUN_LEASE_NS ||
           wire_refuse(why, "grant: longer than the run lease");
}

static bool prepare_is_valid(const struct control_message *m, char *why)
{
    const struct control_prepare *p = &m->u.prepare;
    uint64_t end = 0;

    if (p->plan_bytes < 1 || p->plan_bytes > PLAN_BYTES_MAX) {
        return wire_refuse(why, "prepare: the plan has %zu bytes; 1 to %d are possible",
                           p->plan_bytes, PLAN_BYTES_MAX);
    }
    if (p->assignment_epoch == 0) {
        return wire_refuse(why, "prepare: the assignment's epoch is 0");
    }
    if (p->packets_per_s_max == 0) {
        return wire_refuse(why, "prepare: no packets per second are allowed");
    }
    if (p->share_count < 1 || p->share_count > PLAN_RELAYS_MAX) {
        return wire_refuse(why, "prepare: %zu shares; 1 to %d are possible", p->share_count,
                           PLAN_RELAYS_MAX);
    }
    for (size_t i = 0; i < p->share_count; i++) {
        const struct control_share *share = &p->shares[i];
        if (share->relay >= PLAN_RELAYS_MAX) {
            return wire_refuse(why, "prepare: share %zu is of relay %" PRIu32, i, share->relay);
        }
        if (share->client_count == 0) {
            return wire_refuse(why, "prepare: share %zu has no clients", i);
        }
        if (share->first_client < end) {
            return wire_refuse(why, "prepare: share %zu begins inside or before the one before it",
                               i);
        }
        end = (uint64_t)share->first_client + share->client_count;
        if (end > PLAN_CLIENTS_MAX) {
            return wire_refuse(why, "prepare: share %zu ends beyond client %d", i,
                               PLAN_CLIENTS_MAX);
        }
    }
    return true;
}

/* READY and DONE: any hash, size and count is possible. */
static bool always_valid(const struct control_message *m, char *why)
{
    (void)m;
    (void)why;
    return true;
}

static bool preflight_is_valid(const struct control_message *m, char *why)
{
    const struct control_preflight *p = &m->u.preflight;
    unsigned seen = 0;

    if (p->path_count < 1 || p->path_count > PLAN_PATH_COUNT) {
        return wire_refuse(why, "preflight: %" PRIu32 " paths; 1 to %d are possible", p->path_count,
                           PLAN_PATH_COUNT);
    }
    for (uint32_t i = 0; i < p->path_count; i++) {
        if (p->path[i] >= PLAN_PATH_COUNT) {
            return wire_refuse(why, "preflight: %" PRIu32 " is not a path", p->path[i]);
        }
        if ((seen & 1U << p->path[i]) != 0) {
            return wire_refuse(why, "preflight: a path is named twice");
        }
        seen |= 1U << p->path[i];
    }
    return true;
}

static bool preflight_path_is_valid(const struct control_preflight_path *p, char *why)
{
    if (p->path >= PLAN_PATH_COUNT) {
        return wire_refuse(why, "preflight_report: %" PRIu32 " is not a path", p->path);
    }
    if (p->renew_acked > p->renew_sent) {
        return wire_refuse(why, "preflight_report: more renewals answered than sent");
    }
    if (p->last_wrong_port > UINT16_MAX) {
        return wire_refuse(why, "preflight_report: %" PRIu32 " is not a port", p->last_wrong_port);
    }
    return p->send_errno <= ERRNO_MAX ||
           wire_refuse(why, "preflight_report: %" PRIu32 " is not an errno", p->send_errno);
}

static bool preflight_ways_are_valid(const struct control_preflight_relay *r, char *why)
{
    if (r->way_count > CONTROL_PREFLIGHT_WAYS_MAX) {
        return wire_refuse(why, "preflight_report: %" PRIu32 " ways; at most %d are possible",
                           r->way_count, CONTROL_PREFLIGHT_WAYS_MAX);
    }
    for (uint32_t i = 0; i < r->way_count; i++) {
        const struct control_preflight_way *w = &r->way[i];
        if (w->server >= PLAN_SERVERS_MAX || w->path >= PLAN_PATH_COUNT) {
            return wire_refuse(why, "preflight_report: a way of a server or path that cannot be");
        }
        if (w->sent > CONTROL_PREFLIGHT_WAY_CLIENTS_MAX || w->acked > w->sent ||
            w->low_ports > w->acked || w->other_ports > w->acked - w->low_ports) {
            return wire_refuse(why, "preflight_report: more ACKs on a way than can be");
        }
    }
    return r->unmarked_offers >> PLAN_SERVERS_MAX == 0 ||
           wire_refuse(why, "preflight_report: a stranger was served by who cannot exist");
}

static bool preflight_facts_are_valid(const struct control_preflight_report *p, char *why)
{
    if (p->fact_count > CONTROL_FACTS_MAX) {
        return wire_refuse(why, "preflight_report: %zu facts; at most %d are possible",
                           p->fact_count, CONTROL_FACTS_MAX);
    }
    for (size_t i = 0; i < p->fact_count; i++) {
        if (p->facts[i].kind == FACT_NONE || p->facts[i].kind >= FACT_KIND_COUNT) {
            return wire_refuse(why, "preflight_report: %" PRIu32 " is no kind of fact",
                               p->facts[i].kind);
        }
    }
    return true;
}

static bool preflight_report_is_valid(const struct control_message *m, char *why)
{
    const struct control_preflight_report *p = &m->u.preflight_report;

    if (p->relay_count > CONTROL_PREFLIGHT_RELAYS_MAX) {
        return wire_refuse(why, "preflight_report: %zu relays; at most %d are possible",
                           p->relay_count, CONTROL_PREFLIGHT_RELAYS_MAX);
    }
    for (size_t i = 0; i < p->relay_count; i++) {
        const struct control_preflight_relay *r = &p->relays[i];
        if (r->relay >= PLAN_RELAYS_MAX) {
            return wire_refuse(why, "preflight_report: there is no relay %" PRIu32, r->relay);
        }
        if (r->bound > r->clients) {
            return wire_refuse(why, "preflight_report: more clients bound than played");
        }
        if (r->servers_answered >> PLAN_SERVERS_MAX != 0) {
            return wire_refuse(why, "preflight_report: a server answered that cannot exist");
        }
        if (r->send_errno > ERRNO_MAX) {
            return wire_refuse(why, "preflight_report: %" PRIu32 " is not an errno", r->send_errno);
        }
        if (r->path_count > PLAN_PATH_COUNT) {
            return wire_refuse(why, "preflight_report: %" PRIu32 " paths; at most %d are possible",
                               r->path_count, PLAN_PATH_COUNT);
        }
        for (uint32_t k = 0; k < r->path_count; k++) {
            if (!preflight_path_is_valid(&r->path[k], why)) {
                return false;
            }
        }
        if (!preflight_ways_are_valid(r, why)) {
            return false;
        }
    }
    return preflight_facts_are_valid(p, why);
}

static bool arm_is_valid(const struct control_message *m, char *why)
{
    if (m->u.arm.generation == 0) {
        return wire_refuse(why, "arm: the generation is 0");
    }
    return m->u.arm.path < PLAN_PATH_COUNT ||
           wire_refuse(why, "arm: %" PRIu32 " is not a path", m->u.arm.path);
}

static bool armed_is_valid(const struct control_message *m, char *why)
{
    return m->u.armed.generation != 0 || wire_refuse(why, "armed: the generation is 0");
}

bool control_go_is_valid(const struct control_go *g, char *why)
{
    if (g->stage >= PLAN_STAGES_MAX) {
        return wire_refuse(why, "go: there is no stage %" PRIu32, g->stage);
    }
    if (g->start_at_ns == 0) {
        return wire_refuse(why, "go: the start instant is 0");
    }
    if (g->client_limit > PLAN_CLIENTS_MAX || g->batch > PLAN_CLIENTS_MAX) {
        return wire_refuse(why, "go: more than %d clients", PLAN_CLIENTS_MAX);
    }
    if (g->batch != 0 && g->rate_milli_per_s != 0) {
        return wire_refuse(why, "go: a batch and a rate; a stage has one");
    }
    if (g->rate_milli_per_s > PLAN_RATE_MILLI_MAX) {
        return wire_refuse(why, "go: more than %" PRIu64 " starts/s", PLAN_RATE_MILLI_MAX / 1000);
    }
    if (g->arrivals > PLAN_CLIENTS_MAX) {
        return wire_refuse(why, "go: more than %d arrivals", PLAN_CLIENTS_MAX);
    }
    return g->arrivals == 0 || g->rate_milli_per_s != 0 ||
           wire_refuse(why, "go: arrivals without a rate");
}

static bool go_is_valid(const struct control_message *m, char *why)
{
    return control_go_is_valid(&m->u.go, why);
}

static bool take_is_valid(const struct control_message *m, char *why)
{
    return control_take_is_valid(&m->u.take, why);
}

static bool adopt_is_valid(const struct control_message *m, char *why)
{
    const struct control_adopt *a = &m->u.adopt;

    if (a->lease_count < 1 || a->lease_count > CONTROL_ADOPT_MAX) {
        return wire_refuse(why, "adopt: %zu leases; 1 to %d are possible", a->lease_count,
                           CONTROL_ADOPT_MAX);
    }
    for (size_t i = 0; i < a->lease_count; i++) {
        if (a->leases[i].client >= PLAN_CLIENTS_MAX) {
            return wire_refuse(why, "adopt: lease %zu is of client %" PRIu32, i,
                               a->leases[i].client);
        }
        if (!wire_is_unicast(a->leases[i].addr) || !wire_is_unicast(a->leases[i].server)) {
            return wire_refuse(why, "adopt: address or server of lease %zu is not unicast", i);
        }
    }
    return true;
}

static bool progress_is_valid(const struct control_message *m, char *why)
{
    const struct control_progress *p = &m->u.progress;

    if (p->stage >= PLAN_STAGES_MAX) {
        return wire_refuse(why, "progress: there is no stage %" PRIu32, p->stage);
    }
    if (p->started > PLAN_CLIENTS_MAX || p->finished > PLAN_CLIENTS_MAX ||
        p->bound > PLAN_CLIENTS_MAX || p->failed > PLAN_CLIENTS_MAX) {
        return wire_refuse(why, "progress: more than %d clients", PLAN_CLIENTS_MAX);
    }
    return true;
}

static bool drain_is_valid(const struct control_message *m, char *why)
{
    return (unsigned)m->u.drain.mode <= DRAIN_NOW ||
           wire_refuse(why, "drain: %d is not a mode", (int)m->u.drain.mode);
}

static bool data_hello_is_valid(const struct control_message *m, char *why)
{
    return m->u.data_hello.epoch != 0 || wire_refuse(why, "data_hello: the epoch is 0");
}

static bool batch_is_valid(const struct control_message *m, char *why)
{
    const struct control_batch *b = &m->u.batch;

    if (b->epoch == 0 || b->seq == 0) {
        return wire_refuse(why, "batch: epoch or sequence number is 0");
    }
    if (b->seq > SEQ_MAX) {
        return wire_refuse(why, "batch: the sequence number %" PRIu64 " is too large", b->seq);
    }
    if (b->event_count < 1 || b->event_count > CONTROL_BATCH_EVENTS_MAX) {
        return wire_refuse(why, "batch: %zu events; 1 to %d are possible", b->event_count,
                           CONTROL_BATCH_EVENTS_MAX);
    }
    for (size_t i = 0; i < b->event_count; i++) {
        if (!event_is_valid(&b->events[i])) {
            return wire_refuse(why, "batch: event %zu does not make sense", i);
        }
    }
    return true;
}

static bool snapshot_rows_are_valid(const struct snapshot *s, char *why)
{
    if (s->send_error_count > SNAPSHOT_SEND_ERRORS_MAX ||
        s->unexpected_count > SNAPSHOT_UNEXPECTED_MAX) {
        return wire_refuse(why, "snapshot: too many rows");
    }
    for (uint32_t i = 0; i < s->send_error_count; i++) {
        const struct snapshot_send_error *e = &s->send_error[i];
        if (e->error < 1 || e->error > ERRNO_MAX || e->message >= DHCP4_INTENT_COUNT) {
            return wire_refuse(why, "snapshot: send error %" PRIu32 " has no such errno or message",
                               i);
        }
    }
    for (uint32_t i = 0; i < s->unexpected_count; i++) {
        const struct snapshot_unexpected *u = &s->unexpected[i];
        if (u->state >= LEASE_STATE_COUNT || u->event >= LEASE_EVENT_COUNT) {
            return wire_refuse(why, "snapshot: unexpected %" PRIu32 " has no such state or event",
                               i);
        }
    }
    return true;
}

static bool snapshot_is_valid(const struct control_message *m, char *why)
{
    const struct snapshot *s = m->u.snapshot;

    if (s->seq == 0 || s->at_ns == 0) {
        return wire_refuse(why, "snapshot: sequence number or time is 0");
    }
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (s->counter[i] > INT64_MAX) {
            return wire_refuse(why, "snapshot: the counter %s is above 2^63",
                               snapshot_counter_name((enum snapshot_counter)i));
        }
    }
    for (int i = 0; i < PLAN_SERVERS_MAX * PACKET_COUNT; i++) {
        int packet = i % PACKET_COUNT;
        if (s->packets[i / PACKET_COUNT].count[packet] > INT64_MAX) {
            return wire_refuse(why, "snapshot: the packets %s are above 2^63",
                               snapshot_packet_name((enum snapshot_packet)packet));
        }
    }
    return snapshot_rows_are_valid(s, why);
}

/* Exact sums of what the buckets hold; the first and last bucket must be those of min and max. */
static bool buckets_agree(const struct histogram *h, char *why)
{
    unsigned first = HISTOGRAM_BUCKETS;
    unsigned last = 0;
    uint64_t sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->bucket[i] > 0) {
            first = first < i ? first : i;
            last = i;
            sum += h->bucket[i];
        }
    }
    if (h->is_saturated ? sum > h->count : sum != h->count) {
        return wire_refuse(why, "histogram: the buckets hold %" PRIu64 " of %" PRIu64 " samples",
                           sum, h->count);
    }
    if (first != histogram_bucket_of(h->min_ns) || last != histogram_bucket_of(h->max_ns)) {
        return wire_refuse(why, "histogram: min or max is not in the outermost buckets");
    }
    return true;
}

static bool histogram_is_valid(const struct control_message *m, char *why)
{
    const struct histogram *h = m->u.histogram.histogram;

    if (m->u.histogram.snapshot_seq == 0) {
        return wire_refuse(why, "histogram: the snapshot's sequence number is 0");
    }
    if (!histogram_key_is_valid(m->u.histogram.key)) {
        return wire_refuse(why, "histogram: the key names no metric, clock, server or stage");
    }
    if (h->count == 0) {
        return wire_refuse(why, "histogram: it is empty");
    }
    if (h->min_ns > h->max_ns) {
        return wire_refuse(why, "histogram: min is above max");
    }
    /* Beyond that, count * max no longer fits and the sum may have wrapped. */
    if (h->max_ns <= UINT64_MAX / h->count &&
        (h->sum_ns < h->count * h->min_ns || h->sum_ns > h->count * h->max_ns)) {
        return wire_refuse(why, "histogram: the sum is not between count * min and count * max");
    }
    return buckets_agree(h, why);
}

static bool ack_is_valid(const struct control_message *m, char *why)
{
    if (m->u.ack.epoch == 0) {
        return wire_refuse(why, "ack: the epoch is 0");
    }
    if (m->u.ack.limit_seq > SEQ_MAX) {
        return wire_refuse(why, "ack: the limit %" PRIu64 " is too large", m->u.ack.limit_seq);
    }
    return m->u.ack.limit_seq >= m->u.ack.committed_seq ||
           wire_refuse(why, "ack: the limit is below what is committed");
}

static bool observer_hello_is_valid(const struct control_message *m, char *why)
{
    return control_observer_hello_is_valid(&m->u.observer_hello, why);
}

static bool observation_message_is_valid(const struct control_message *m, char *why)
{
    return control_observation_is_valid(m->u.observation, why);
}

static validate_fn *const rules[CONTROL_KIND_COUNT] = {
    [CONTROL_HELLO] = hello_is_valid,
    [CONTROL_CLOCK_REPLY] = clock_reply_is_valid,
    [CONTROL_BEAT] = beat_is_valid,
    [CONTROL_READY] = always_valid,
    [CONTROL_PREFLIGHT_REPORT] = preflight_report_is_valid,
    [CONTROL_ARMED] = armed_is_valid,
    [CONTROL_PROGRESS] = progress_is_valid,
    [CONTROL_DONE] = always_valid,
    [CONTROL_OBSERVER_HELLO] = observer_hello_is_valid,
    [CONTROL_OBSERVATION] = observation_message_is_valid,
    [CONTROL_WELCOME] = welcome_is_valid,
    [CONTROL_CLOCK_REQUEST] = clock_request_is_valid,
    [CONTROL_GRANT] = grant_is_valid,
    [CONTROL_PREPARE] = prepare_is_valid,
    [CONTROL_PREFLIGHT] = preflight_is_valid,
    [CONTROL_ARM] = arm_is_valid,
    [CONTROL_GO] = go_is_valid,
    [CONTROL_DRAIN] = drain_is_valid,
    [CONTROL_ADOPT] = adopt_is_valid,
    [CONTROL_TAKE] = take_is_valid,
    [CONTROL_BYE] = bye_is_valid,
    [CONTROL_REFUSE] = refuse_is_valid,
    [CONTROL_DATA_HELLO] = data_hello_is_valid,
    [CONTROL_BATCH] = batch_is_valid,
    [CONTROL_SNAPSHOT] = snapshot_is_valid,
    [CONTROL_HISTOGRAM] = histogram_is_valid,
    [CONTROL_ACK] = ack_is_valid,
};

bool control_is_valid(const struct control_message *m, char why[CONTROL_WHY_BYTES])
{
    if ((unsigned)m->kind >= CONTROL_KIND_COUNT || rules[m->kind] == NULL) {
        return wire_refuse(why, "%d is not a kind of message", (int)m->kind);
    }
    return rules[m->kind](m, why);
}
