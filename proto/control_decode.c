/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "proto/control_observation.h"
#include "proto/control_wire.h"
#include "proto/wire.h"

/* Takes the envelope's body apart; the rules come after. */
typedef bool take_fn(struct control_arena *arena, const Leaseherd__Envelope *e,
                     struct control_message *out, char *why);

bool control_no_memory(const char *message, char *why)
{
    return wire_refuse(why, "%s: needs more memory than the decoder's budget", message);
}

bool control_columns_match(const size_t *lengths, size_t count, size_t wanted, const char *message,
                           char *why)
{
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] != wanted) {
            return wire_refuse(why, "%s: columns of %zu and %zu rows", message, wanted, lengths[i]);
        }
    }
    return true;
}

/* Wire paths are plan_path plus one. */
static bool take_path(Leaseherd__Path from, uint32_t *out, const char *message, char *why)
{
    if ((int)from < 1 || (int)from > PLAN_PATH_COUNT) {
        return wire_refuse(why, "%s: %d is not a path", message, (int)from);
    }
    *out = (uint32_t)from - 1;
    return true;
}

static bool take_kept(const Leaseherd__Hello *from, struct control_hello *to, char *why)
{
    if (from->n_former_epoch > CONTROL_FORMER_MAX) {
        return wire_refuse(why, "hello: %zu former epochs; at most %d are possible",
                           from->n_former_epoch, CONTROL_FORMER_MAX);
    }
    to->former_count = from->n_former_epoch;
    for (size_t i = 0; i < from->n_former_epoch; i++) {
        to->former[i] = from->former_epoch[i];
    }
    to->kept_epoch = from->kept_epoch;
    to->kept_last_seq = from->kept_last_seq;
    return from->kept_run_id.len == 0 ||
           wire_take_exact(from->kept_run_id.data, from->kept_run_id.len, to->kept_run_id,
                           sizeof(to->kept_run_id), "hello: kept run id", why);
}

/* For a log or a report, where it stands between double quotes. */
static bool take_quotable(const ProtobufCBinaryData *from, char *to, size_t to_bytes,
                          const char *field, char *why)
{
    if (!wire_take_text(from->data, from->len, to, to_bytes, field, why)) {
        return false;
    }
    for (char *quote = to; (quote = strchr(quote, '"')) != NULL;) {
        *quote = '\'';
    }
    return true;
}

static bool take_hello(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    const Leaseherd__Hello *from = e->hello;
    struct control_hello *to = &out->u.hello;

    if (from->n_address > CONTROL_ADDRESSES_MAX) {
        return wire_refuse(why, "hello: %zu addresses; at most %d are possible", from->n_address,
                           CONTROL_ADDRESSES_MAX);
    }
    struct ipv4 *addresses = control_arena_take(arena, from->n_address, sizeof(*addresses));
    if (addresses == NULL) {
        return control_no_memory("hello", why);
    }
    for (size_t i = 0; i < from->n_address; i++) {
        addresses[i] = inet_from_host(from->address[i]);
    }
    to->addresses = addresses;
    to->address_count = from->n_address;
    to->proto_min = from->proto_min;
    to->proto_max = from->proto_max;
    to->cores = from->cores;
    to->epoch = from->epoch;
    if (!take_kept(from, to, why)) {
        return false;
    }
    return take_quotable(&from->build, to->build, sizeof(to->build), "hello: build", why) &&
           wire_take_text(from->host.data, from->host.len, to->host, sizeof(to->host),
                          "hello: host", why);
}

static bool take_welcome(struct control_arena *arena, const Leaseherd__Envelope *e,
                         struct control_message *out, char *why)
{
    const Leaseherd__Welcome *from = e->welcome;
    struct control_welcome *to = &out->u.welcome;

    (void)arena;
    if (from->data_port > UINT16_MAX) {
        return wire_refuse(why, "welcome: %u is not a port", from->data_port);
    }
    to->proto = from->proto;
    to->session = from->session;
    to->data_port = (uint16_t)from->data_port;
    to->committed_batch = from->committed_batch;
    to->deliver_epoch = from->deliver_epoch;
    return wire_take_exact(from->run_id.data, from->run_id.len, to->run_id, sizeof(to->run_id),
                           "welcome: run id", why);
}

static bool take_refuse(struct control_arena *arena, const Leaseherd__Envelope *e,
                        struct control_message *out, char *why)
{
    struct control_refuse *to = &out->u.refuse;

    (void)arena;
    to->code = (enum control_refusal)e->refuse->code;
    to->assignment_epoch = e->refuse->assignment_epoch;
    return take_quotable(&e->refuse->text, to->text, sizeof(to->text), "refuse: text", why);
}

static bool take_bye(struct control_arena *arena, const Leaseherd__Envelope *e,
                     struct control_message *out, char *why)
{
    struct control_bye *to = &out->u.bye;

    (void)arena;
    return take_quotable(&e->bye->text, to->text, sizeof(to->text), "bye: text", why);
}

static bool take_clock_request(struct control_arena *arena, const Leaseherd__Envelope *e,
                               struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.clock_request.id = e->clock_request->id;
    out->u.clock_request.t1_ns = e->clock_request->t1_ns;
    return true;
}

static bool take_clock_reply(struct control_arena *arena, const Leaseherd__Envelope *e,
                             struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.clock_reply.id = e->clock_reply->id;
    out->u.clock_reply.t1_ns = e->clock_reply->t1_ns;
    out->u.clock_reply.t2_ns = e->clock_reply->t2_ns;
    out->u.clock_reply.t3_ns = e->clock_reply->t3_ns;
    return true;
}

static bool take_beat(struct control_arena *arena, const Leaseherd__Envelope *e,
                      struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.beat.boottime_ns = e->beat->boottime_ns;
    out->u.beat.ring_used_permille = e->beat->ring_used_permille;
    return true;
}

static bool take_grant(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.grant.boottime_ns = e->grant->boottime_ns;
    out->u.grant.duration_ns = e->grant->duration_ns;
    return true;
}

/* Whether there is one at all is for the agent to judge, which says so. */
static bool take_signature(const Leaseherd__Prepare *from, struct control_prepare *to, char *why)
{
    to->is_signed = from->operator_key.len > 0 || from->signature.len > 0;
    return !to->is_signed ||
           (wire_take_exact(from->operator_key.data, from->operator_key.len, to->operator_key,
                            sizeof(to->operator_key), "prepare: operator's key", why) &&
            wire_take_exact(from->signature.data, from->signature.len, to->signature,
                            sizeof(to->signature), "prepare: signature", why));
}

static bool take_prepare(struct control_arena *arena, const Leaseherd__Envelope *e,
                         struct control_message *out, char *why)
{
    const Leaseherd__Prepare *from = e->prepare;
    struct control_prepare *to = &out->u.prepare;
    const size_t lengths[] = {from->n_share_first_client, from->n_share_client_count};
    size_t rows = from->n_share_relay;

    if (rows > PLAN_RELAYS_MAX) {
        return wire_refuse(why, "prepare: %zu shares; 1 to %d are possible", rows, PLAN_RELAYS_MAX);
    }
    if (!control_columns_match(lengths, ARRAY_LEN(lengths), rows, "prepare", why)) {
        return false;
    }
    struct control_share *shares = control_arena_take(arena, rows, sizeof(*shares));
    if (shares == NULL) {
        return control_no_memory("prepare", why);
    }
    for (size_t i = 0; i < rows; i++) {
        shares[i] = (struct control_share){.relay = from->share_relay[i],
                                           .first_client = from->share_first_client[i],
                                           .client_count = from->share_client_count[i]};
    }
    to->shares = shares;
    to->share_count = rows;
    to->plan = from->plan.data; /* in the arena as well */
    to->plan_bytes = from->plan.len;
    to->assignment_epoch = from->assignment_epoch;
    to->packets_per_s_max = from->packets_per_s_max;
    return wire_take_exact(from->plan_hash.data, from->plan_hash.len, to->plan_hash,
                           sizeof(to->plan_hash), "prepare: plan hash", why) &&
           take_signature(from, to, why);
}

static bool take_ready(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    struct control_ready *to = &out->u.ready;

    (void)arena;
    to->memory_bytes = e->ready->memory_bytes;
    return wire_take_exact(e->ready->plan_hash.data, e->ready->plan_hash.len, to->plan_hash,
                           sizeof(to->plan_hash), "ready: plan hash", why);
}

static bool take_preflight(struct control_arena *arena, const Leaseherd__Envelope *e,
                           struct control_message *out, char *why)
{
    const Leaseherd__Preflight *from = e->preflight;
    struct control_preflight *to = &out->u.preflight;

    (void)arena;
    if (from->n_path > PLAN_PATH_COUNT) {
        return wire_refuse(why, "preflight: %zu paths; 1 to %d are possible", from->n_path,
                           PLAN_PATH_COUNT);
    }
    for (size_t i = 0; i < from->n_path; i++) {
        if (!take_path(from->path[i], &to->path[i], "preflight", why)) {
            return false;
        }
    }
    to->path_count = (uint32_t)from->n_path;
    to->asks_unmarked = from->asks_unmarked;
    return true;
}

static bool take_preflight_report(struct control_arena *arena, const Leaseherd__Envelope *e,
                                  struct control_message *out, char *why)
{
    return control_take_report(arena, e->preflight_report, &out->u.preflight_report, why);
}

static bool take_arm(struct control_arena *arena, const Leaseherd__Envelope *e,
                     struct control_message *out, char *why)
{
    (void)arena;
    out->u.arm.generation = e->arm->generation;
    return take_path(e->arm->path, &out->u.arm.path, "arm", why);
}

static bool take_armed(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.armed.generation = e->armed->generation;
    return true;
}

void control_take_go(const Leaseherd__Go *from, struct control_go *to)
{
    to->stage = from->stage;
    to->step = from->step;
    to->start_at_ns = from->start_at_ns;
    to->client_limit = from->client_limit;
    to->batch = from->batch;
    to->rate_milli_per_s = from->rate_milli_per_s;
    to->is_last_step = from->is_last_step;
    to->round = from->round;
    to->arrivals = from->arrivals;
}

static bool take_go(struct control_arena *arena, const Leaseherd__Envelope *e,
                    struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    control_take_go(e->go, &out->u.go);
    return true;
}

static bool take_take(struct control_arena *arena, const Leaseherd__Envelope *e,
                      struct control_message *out, char *why)
{
    return control_take_take(arena, e->take, &out->u.take, why);
}

static bool take_progress(struct control_arena *arena, const Leaseherd__Envelope *e,
                          struct control_message *out, char *why)
{
    const Leaseherd__Progress *from = e->progress;
    struct control_progress *to = &out->u.progress;

    (void)arena;
    (void)why;
    to->assignment_epoch = from->assignment_epoch;
    to->round = from->round;
    to->stage = from->stage;
    to->step = from->step;
    to->is_step_done = from->is_step_done;
    to->started = from->started;
    to->finished = from->finished;
    to->bound = from->bound;
    to->failed = from->failed;
    to->foreign_offers = from->foreign_offers;
    to->received = from->received;
    to->silent_streak = from->silent_streak;
    to->foreign_offer_addr = inet_from_host(from->foreign_offer_addr);
    to->foreign_offer_server = inet_from_host(from->foreign_offer_server);
    return true;
}

static bool take_adopt(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    const Leaseherd__Adopt *from = e->adopt;
    const size_t lengths[] = {from->n_addr, from->n_server};
    size_t rows = from->n_client;

    if (rows > CONTROL_ADOPT_MAX) {
        return wire_refuse(why, "adopt: %zu leases; 1 to %d are possible", rows, CONTROL_ADOPT_MAX);
    }
    if (!control_columns_match(lengths, ARRAY_LEN(lengths), rows, "adopt", why)) {
        return false;
    }
    struct control_adopted *leases = control_arena_take(arena, rows, sizeof(*leases));
    if (leases == NULL) {
        return control_no_memory("adopt", why);
    }
    for (size_t i = 0; i < rows; i++) {
        leases[i] = (struct control_adopted){.client = from->client[i],
                                             .addr = inet_from_host(from->addr[i]),
                                             .server = inet_from_host(from->server[i])};
    }
    out->u.adopt.leases = leases;
    out->u.adopt.lease_count = rows;
    return true;
}

static bool take_drain(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    int mode = (int)e->drain->mode - 1;

    (void)arena;
    if (mode < 0 || mode > DRAIN_NOW) {
        return wire_refuse(why, "drain: %d is not a mode", mode);
    }
    out->u.drain.mode = (enum control_drain_mode)mode;
    out->u.drain.release_milli_per_s = e->drain->release_milli_per_s;
    return true;
}

static bool take_done(struct control_arena *arena, const Leaseherd__Envelope *e,
                      struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.done.last_batch_seq = e->done->last_batch_seq;
    out->u.done.event_count = e->done->event_count;
    return true;
}

static bool take_data_hello(struct control_arena *arena, const Leaseherd__Envelope *e,
                            struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.data_hello.epoch = e->data_hello->epoch;
    return true;
}

static bool take_batch(struct control_arena *arena, const Leaseherd__Envelope *e,
                       struct control_message *out, char *why)
{
    return control_take_batch(arena, e->batch, &out->u.batch, why);
}

static bool take_snapshot(struct control_arena *arena, const Leaseherd__Envelope *e,
                          struct control_message *out, char *why)
{
    out->u.snapshot = control_take_snapshot(arena, e->snapshot, why);
    return out->u.snapshot != NULL;
}

static bool take_histogram(struct control_arena *arena, const Leaseherd__Envelope *e,
                           struct control_message *out, char *why)
{
    return control_take_histogram(arena, e->histogram, &out->u.histogram, why);
}

static bool take_ack(struct control_arena *arena, const Leaseherd__Envelope *e,
                     struct control_message *out, char *why)
{
    (void)arena;
    (void)why;
    out->u.ack.epoch = e->ack->epoch;
    out->u.ack.committed_seq = e->ack->committed_seq;
    out->u.ack.limit_seq = e->ack->limit_seq;
    return true;
}

static bool take_observer_hello(struct control_arena *arena, const Leaseherd__Envelope *e,
                                struct control_message *out, char *why)
{
    return control_take_observer_hello(arena, e->observer_hello, &out->u.observer_hello, why);
}

static bool take_observation(struct control_arena *arena, const Leaseherd__Envelope *e,
                             struct control_message *out, char *why)
{
    out->u.observation = control_take_observation(arena, e->observation, why);
    return out->u.observation != NULL;
}

static const struct body {
    Leaseherd__Envelope__BodyCase body_case;
    enum control_kind kind;
    take_fn *take;
} bodies[] = {
#define BODY(CASE, lower)                                                                          \
    {                                                                                              \
        LEASEHERD__ENVELOPE__BODY_##CASE, CONTROL_##CASE, take_##lower                             \
    }
    BODY(HELLO, hello),
    BODY(WELCOME, welcome),
    BODY(REFUSE, refuse),
    BODY(BYE, bye),
    BODY(CLOCK_REQUEST, clock_request),
    BODY(CLOCK_REPLY, clock_reply),
    BODY(BEAT, beat),
    BODY(GRANT, grant),
    BODY(PREPARE, prepare),
    BODY(READY, ready),
    BODY(PREFLIGHT, preflight),
    BODY(PREFLIGHT_REPORT, preflight_report),
    BODY(ARM, arm),
    BODY(ARMED, armed),
    BODY(GO, go),
    BODY(PROGRESS, progress),
    BODY(DRAIN, drain),
    BODY(ADOPT, adopt),
    BODY(TAKE, take),
    BODY(DONE, done),
    BODY(OBSERVER_HELLO, observer_hello),
    BODY(OBSERVATION, observation),
    BODY(DATA_HELLO, data_hello),
    BODY(BATCH, batch),
    BODY(SNAPSHOT, snapshot),
    BODY(HISTOGRAM, histogram),
    BODY(ACK, ack),
#undef BODY
};
_Static_assert(ARRAY_LEN(bodies) == CONTROL_KIND_COUNT - 1, "every kind but NONE");

static bool open_envelope(struct control_arena *arena, const Leaseherd__Envelope *e,
                          struct control_message *out, char *why)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        if (bodies[i].body_case == e->body_case) {
            /* All members of the oneof point to a message; any of them leads to its base. */
            unsigned unknown = e->base.n_unknown_fields + e->hello->base.n_unknown_fields;
            if (unknown > WIRE_UNKNOWN_FIELDS_MAX) {
                return wire_refuse(why, "%s: %u unknown fields; at most %d are let pass",
                                   control_kind_name(bodies[i].kind), unknown,
                                   WIRE_UNKNOWN_FIELDS_MAX);
            }
            out->kind = bodies[i].kind;
            return bodies[i].take(arena, e, out, why) && control_is_valid(out, why);
        }
    }
    return wire_refuse(why, "the envelope has no body of a known kind");
}

bool control_decode(struct control_arena *arena, const uint8_t *bytes, size_t size,
                    struct control_message *out, char why[CONTROL_WHY_BYTES])
{
    struct control_message m;

    control_arena_reset(arena);
    const Leaseherd__Envelope *e = leaseherd__envelope__unpack(&arena->allocator, size, bytes);

    if (e == NULL) {
        return arena->is_exhausted ? control_no_memory("an envelope", why)
                                   : wire_refuse(why, "the %zu bytes are not an envelope", size);
    }
    memset(&m, 0, sizeof(m)); /* also the padding: equal messages are equal bytes */
    m.session = e->session;
    if (!open_envelope(arena, e, &m, why)) {
        return false;
    }
    *out = m;
    return true;
}
