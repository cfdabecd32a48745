/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "proto/control_observation.h"
#include "proto/control_wire.h"
#include "proto/wire.h"

/* The body of the one message being packed, with its columns. */
union encode_scratch {
    struct {
        Leaseherd__Hello body;
        uint32_t address[CONTROL_ADDRESSES_MAX];
        uint64_t former[CONTROL_FORMER_MAX];
    } hello;
    struct {
        Leaseherd__Prepare body;
        uint32_t *columns; /* malloc'd: three per share */
    } prepare;
    struct {
        Leaseherd__Adopt body;
        uint32_t *columns; /* malloc'd: three per lease */
    } adopt;
    struct {
        Leaseherd__Preflight body;
        Leaseherd__Path path[PLAN_PATH_COUNT];
    } preflight;
    Leaseherd__Welcome welcome;
    Leaseherd__Refuse refuse;
    Leaseherd__Bye bye;
    Leaseherd__ClockRequest clock_request;
    Leaseherd__ClockReply clock_reply;
    Leaseherd__Beat beat;
    Leaseherd__Grant grant;
    Leaseherd__Ready ready;
    Leaseherd__Arm arm;
    Leaseherd__Armed armed;
    Leaseherd__Go go;
    Leaseherd__Progress progress;
    Leaseherd__Drain drain;
    Leaseherd__Done done;
    Leaseherd__DataHello data_hello;
    Leaseherd__Ack ack;
    struct control_take_scratch take;
    struct control_batch_scratch batch;
    struct control_snapshot_scratch snapshot;
    struct control_histogram_scratch histogram;
    struct control_report_scratch report;
    struct control_observer_hello_scratch observer_hello;
    struct control_observation_scratch observation;
};

/* Fills the scratch and points the envelope to it. The message is valid. */
typedef bool put_fn(const struct control_message *m, Leaseherd__Envelope *e,
                    union encode_scratch *s);

/* protobuf-c's structs have no const; packing does not write through them. */
static uint8_t *unconst(const void *bytes)
{
    uint8_t *writable;

    memcpy(&writable, &bytes, sizeof(writable));
    return writable;
}

ProtobufCBinaryData control_text_field(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = unconst(text)};
}

ProtobufCBinaryData control_bytes_field(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = unconst(bytes)};
}

#define BODY(member, body_case_name, pointer)                                                      \
    e->body_case = LEASEHERD__ENVELOPE__BODY_##body_case_name, e->member = (pointer)

static bool put_hello(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    const struct control_hello *from = &m->u.hello;
    Leaseherd__Hello *to = &s->hello.body;

    leaseherd__hello__init(to);
    to->proto_min = from->proto_min;
    to->proto_max = from->proto_max;
    to->build = control_text_field(from->build);
    to->host = control_text_field(from->host);
    to->cores = from->cores;
    to->epoch = from->epoch;
    for (size_t i = 0; i < from->address_count; i++) {
        s->hello.address[i] = inet_host(from->addresses[i]);
    }
    to->n_address = from->address_count;
    to->address = s->hello.address;
    memcpy(s->hello.former, from->former, from->former_count * sizeof(from->former[0]));
    to->n_former_epoch = from->former_count;
    to->former_epoch = s->hello.former;
    if (from->kept_epoch != 0) {
        to->kept_run_id = control_bytes_field(from->kept_run_id, sizeof(from->kept_run_id));
        to->kept_epoch = from->kept_epoch;
        to->kept_last_seq = from->kept_last_seq;
    }
    BODY(hello, HELLO, to);
    return true;
}

static bool put_welcome(const struct control_message *m, Leaseherd__Envelope *e,
                        union encode_scratch *s)
{
    const struct control_welcome *from = &m->u.welcome;

    leaseherd__welcome__init(&s->welcome);
    s->welcome.proto = from->proto;
    s->welcome.session = from->session;
    s->welcome.run_id = control_bytes_field(from->run_id, sizeof(from->run_id));
    s->welcome.data_port = from->data_port;
    s->welcome.committed_batch = from->committed_batch;
    s->welcome.deliver_epoch = from->deliver_epoch;
    BODY(welcome, WELCOME, &s->welcome);
    return true;
}

static bool put_refuse(const struct control_message *m, Leaseherd__Envelope *e,
                       union encode_scratch *s)
{
    leaseherd__refuse__init(&s->refuse);
    s->refuse.code = (Leaseherd__Refusal)m->u.refuse.code;
    s->refuse.text = control_text_field(m->u.refuse.text);
    s->refuse.assignment_epoch = m->u.refuse.assignment_epoch;
    BODY(refuse, REFUSE, &s->refuse);
    return true;
}

static bool put_bye(const struct control_message *m, Leaseherd__Envelope *e,
                    union encode_scratch *s)
{
    leaseherd__bye__init(&s->bye);
    s->bye.text = control_text_field(m->u.bye.text);
    BODY(bye, BYE, &s->bye);
    return true;
}

static bool put_clock_request(const struct control_message *m, Leaseherd__Envelope *e,
                              union encode_scratch *s)
{
    leaseherd__clock_request__init(&s->clock_request);
    s->clock_request.id = m->u.clock_request.id;
    s->clock_request.t1_ns = m->u.clock_request.t1_ns;
    BODY(clock_request, CLOCK_REQUEST, &s->clock_request);
    return true;
}

static bool put_clock_reply(const struct control_message *m, Leaseherd__Envelope *e,
                            union encode_scratch *s)
{
    leaseherd__clock_reply__init(&s->clock_reply);
    s->clock_reply.id = m->u.clock_reply.id;
    s->clock_reply.t1_ns = m->u.clock_reply.t1_ns;
    s->clock_reply.t2_ns = m->u.clock_reply.t2_ns;
    s->clock_reply.t3_ns = m->u.clock_reply.t3_ns;
    BODY(clock_reply, CLOCK_REPLY, &s->clock_reply);
    return true;
}

static bool put_beat(const struct control_message *m, Leaseherd__Envelope *e,
                     union encode_scratch *s)
{
    leaseherd__beat__init(&s->beat);
    s->beat.boottime_ns = m->u.beat.boottime_ns;
    s->beat.ring_used_permille = (uint32_t)m->u.beat.ring_used_permille;
    BODY(beat, BEAT, &s->beat);
    return true;
}

static bool put_grant(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    leaseherd__grant__init(&s->grant);
    s->grant.boottime_ns = m->u.grant.boottime_ns;
    s->grant.duration_ns = m->u.grant.duration_ns;
    BODY(grant, GRANT, &s->grant);
    return true;
}

static bool put_prepare(const struct control_message *m, Leaseherd__Envelope *e,
                        union encode_scratch *s)
{
    const struct control_prepare *from = &m->u.prepare;
    Leaseherd__Prepare *to = &s->prepare.body;
    size_t rows = from->share_count;
    uint32_t *relay = calloc(3 * rows, sizeof(*relay));

    if (relay == NULL) {
        return false;
    }
    s->prepare.columns = relay;
    leaseherd__prepare__init(to);
    to->plan = control_bytes_field(from->plan, from->plan_bytes);
    to->plan_hash = control_bytes_field(from->plan_hash, sizeof(from->plan_hash));
    to->assignment_epoch = from->assignment_epoch;
    to->packets_per_s_max = from->packets_per_s_max;
    if (from->is_signed) {
        to->operator_key = control_bytes_field(from->operator_key, sizeof(from->operator_key));
        to->signature = control_bytes_field(from->signature, sizeof(from->signature));
    }
    to->n_share_relay = to->n_share_first_client = to->n_share_client_count = rows;
    to->share_relay = relay;
    to->share_first_client = relay + rows;
    to->share_client_count = relay + 2 * rows;
    for (size_t i = 0; i < rows; i++) {
        to->share_relay[i] = from->shares[i].relay;
        to->share_first_client[i] = from->shares[i].first_client;
        to->share_client_count[i] = from->shares[i].client_count;
    }
    BODY(prepare, PREPARE, to);
    return true;
}

static bool put_ready(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    const struct control_ready *from = &m->u.ready;

    leaseherd__ready__init(&s->ready);
    s->ready.plan_hash = control_bytes_field(from->plan_hash, sizeof(from->plan_hash));
    s->ready.memory_bytes = from->memory_bytes;
    BODY(ready, READY, &s->ready);
    return true;
}

static bool put_preflight(const struct control_message *m, Leaseherd__Envelope *e,
                          union encode_scratch *s)
{
    const struct control_preflight *from = &m->u.preflight;

    leaseherd__preflight__init(&s->preflight.body);
    for (uint32_t i = 0; i < from->path_count; i++) {
        s->preflight.path[i] = (Leaseherd__Path)(from->path[i] + 1);
    }
    s->preflight.body.n_path = from->path_count;
    s->preflight.body.path = s->preflight.path;
    s->preflight.body.asks_unmarked = from->asks_unmarked;
    BODY(preflight, PREFLIGHT, &s->preflight.body);
    return true;
}

static bool put_preflight_report(const struct control_message *m, Leaseherd__Envelope *e,
                                 union encode_scratch *s)
{
    control_put_report(&m->u.preflight_report, &s->report);
    BODY(preflight_report, PREFLIGHT_REPORT, &s->report.body);
    return true;
}

static bool put_arm(const struct control_message *m, Leaseherd__Envelope *e,
                    union encode_scratch *s)
{
    leaseherd__arm__init(&s->arm);
    s->arm.generation = m->u.arm.generation;
    s->arm.path = (Leaseherd__Path)(m->u.arm.path + 1);
    BODY(arm, ARM, &s->arm);
    return true;
}

static bool put_armed(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    leaseherd__armed__init(&s->armed);
    s->armed.generation = m->u.armed.generation;
    BODY(armed, ARMED, &s->armed);
    return true;
}

void control_put_go(const struct control_go *from, Leaseherd__Go *to)
{
    leaseherd__go__init(to);
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

static bool put_go(const struct control_message *m, Leaseherd__Envelope *e, union encode_scratch *s)
{
    control_put_go(&m->u.go, &s->go);
    BODY(go, GO, &s->go);
    return true;
}

static bool put_take(const struct control_message *m, Leaseherd__Envelope *e,
                     union encode_scratch *s)
{
    if (!control_put_take(&m->u.take, &s->take)) {
        return false;
    }
    BODY(take, TAKE, &s->take.body);
    return true;
}

static bool put_progress(const struct control_message *m, Leaseherd__Envelope *e,
                         union encode_scratch *s)
{
    const struct control_progress *from = &m->u.progress;
    Leaseherd__Progress *to = &s->progress;

    leaseherd__progress__init(to);
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
    to->foreign_offer_addr = inet_host(from->foreign_offer_addr);
    to->foreign_offer_server = inet_host(from->foreign_offer_server);
    BODY(progress, PROGRESS, to);
    return true;
}

static bool put_adopt(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    const struct control_adopt *from = &m->u.adopt;
    Leaseherd__Adopt *to = &s->adopt.body;
    size_t rows = from->lease_count;
    uint32_t *client = calloc(3 * rows, sizeof(*client));

    if (client == NULL) {
        return false;
    }
    s->adopt.columns = client;
    leaseherd__adopt__init(to);
    to->n_client = to->n_addr = to->n_server = rows;
    to->client = client;
    to->addr = client + rows;
    to->server = client + 2 * rows;
    for (size_t i = 0; i < rows; i++) {
        to->client[i] = from->leases[i].client;
        to->addr[i] = inet_host(from->leases[i].addr);
        to->server[i] = inet_host(from->leases[i].server);
    }
    BODY(adopt, ADOPT, to);
    return true;
}

static bool put_drain(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    leaseherd__drain__init(&s->drain);
    s->drain.mode = (Leaseherd__DrainMode)((int)m->u.drain.mode + 1);
    s->drain.release_milli_per_s = m->u.drain.release_milli_per_s;
    BODY(drain, DRAIN, &s->drain);
    return true;
}

static bool put_done(const struct control_message *m, Leaseherd__Envelope *e,
                     union encode_scratch *s)
{
    leaseherd__done__init(&s->done);
    s->done.last_batch_seq = m->u.done.last_batch_seq;
    s->done.event_count = m->u.done.event_count;
    BODY(done, DONE, &s->done);
    return true;
}

static bool put_data_hello(const struct control_message *m, Leaseherd__Envelope *e,
                           union encode_scratch *s)
{
    leaseherd__data_hello__init(&s->data_hello);
    s->data_hello.epoch = m->u.data_hello.epoch;
    BODY(data_hello, DATA_HELLO, &s->data_hello);
    return true;
}

static bool put_batch(const struct control_message *m, Leaseherd__Envelope *e,
                      union encode_scratch *s)
{
    control_put_batch(&m->u.batch, &s->batch);
    BODY(batch, BATCH, &s->batch.body);
    return true;
}

static bool put_snapshot(const struct control_message *m, Leaseherd__Envelope *e,
                         union encode_scratch *s)
{
    control_put_snapshot(m->u.snapshot, &s->snapshot);
    BODY(snapshot, SNAPSHOT, &s->snapshot.body);
    return true;
}

static bool put_histogram(const struct control_message *m, Leaseherd__Envelope *e,
                          union encode_scratch *s)
{
    control_put_histogram(&m->u.histogram, &s->histogram);
    BODY(histogram, HISTOGRAM, &s->histogram.body);
    return true;
}

static bool put_ack(const struct control_message *m, Leaseherd__Envelope *e,
                    union encode_scratch *s)
{
    leaseherd__ack__init(&s->ack);
    s->ack.epoch = m->u.ack.epoch;
    s->ack.committed_seq = m->u.ack.committed_seq;
    s->ack.limit_seq = m->u.ack.limit_seq;
    BODY(ack, ACK, &s->ack);
    return true;
}

static bool put_observer_hello(const struct control_message *m, Leaseherd__Envelope *e,
                               union encode_scratch *s)
{
    control_put_observer_hello(&m->u.observer_hello, &s->observer_hello);
    BODY(observer_hello, OBSERVER_HELLO, &s->observer_hello.body);
    return true;
}

static bool put_observation(const struct control_message *m, Leaseherd__Envelope *e,
                            union encode_scratch *s)
{
    control_put_observation(m->u.observation, &s->observation);
    BODY(observation, OBSERVATION, &s->observation.body);
    return true;
}

static put_fn *const puts_of_kind[CONTROL_KIND_COUNT] = {
    [CONTROL_HELLO] = put_hello,
    [CONTROL_CLOCK_REPLY] = put_clock_reply,
    [CONTROL_BEAT] = put_beat,
    [CONTROL_READY] = put_ready,
    [CONTROL_PREFLIGHT_REPORT] = put_preflight_report,
    [CONTROL_ARMED] = put_armed,
    [CONTROL_PROGRESS] = put_progress,
    [CONTROL_DONE] = put_done,
    [CONTROL_OBSERVER_HELLO] = put_observer_hello,
    [CONTROL_OBSERVATION] = put_observation,
    [CONTROL_WELCOME] = put_welcome,
    [CONTROL_CLOCK_REQUEST] = put_clock_request,
    [CONTROL_GRANT] = put_grant,
    [CONTROL_PREPARE] = put_prepare,
    [CONTROL_PREFLIGHT] = put_preflight,
    [CONTROL_ARM] = put_arm,
    [CONTROL_GO] = put_go,
    [CONTROL_DRAIN] = put_drain,
    [CONTROL_ADOPT] = put_adopt,
    [CONTROL_TAKE] = put_take,
    [CONTROL_BYE] = put_bye,
    [CONTROL_REFUSE] = put_refuse,
    [CONTROL_DATA_HELLO] = put_data_hello,
    [CONTROL_BATCH] = put_batch,
    [CONTROL_SNAPSHOT] = put_snapshot,
    [CONTROL_HISTOGRAM] = put_histogram,
    [CONTROL_ACK] = put_ack,
};

size_t control_encode(const struct control_message *m, uint8_t *out, size_t size)
{
    char why[CONTROL_WHY_BYTES];
    union encode_scratch scratch;
    Leaseherd__Envelope envelope = LEASEHERD__ENVELOPE__INIT;

    if (!control_is_valid(m, why)) {
        return 0;
    }
    envelope.session = m->session;
    if (!puts_of_kind[m->kind](m, &envelope, &scratch)) {
        return 0;
    }
    size_t needed = leaseherd__envelope__get_packed_size(&envelope);

    if (needed <= size) {
        (void)leaseherd__envelope__pack(&envelope, out);
    }
    if (m->kind == CONTROL_PREPARE) {
        free(scratch.prepare.columns);
    } else if (m->kind == CONTROL_ADOPT) {
        free(scratch.adopt.columns);
    } else if (m->kind == CONTROL_TAKE) {
        free(scratch.take.columns);
    }
    return needed;
}
