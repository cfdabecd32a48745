/* SPDX-License-Identifier: MIT */
/*
 * Whoever may reach a coordinator's port and wishes it ill.
 *
 * usage: leaseherd-hostile-peer ROLE MODE HOST PORT ADDRESS SECONDS KEY OTHER-KEY
 * ("-" where a role does not need it)
 */
#include "tests/support/hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/prng.h"
#include "proto/control.h"
#include "tests/support/control_samples.h"

enum {
    MESSAGE_BYTES = 1024 * 1024,
    OVERSIZED_BYTES = LINK_CTRL_UP_BYTES + 4096,
    TICK_MS = 10,
    PER_TICK = 20
};

static void pause_ms(uint64_t ms)
{
    usleep((useconds_t)(ms * 1000));
}

/* --- those with a key --- */

struct peer {
    const struct hostile_options *o;
    void *zmq, *ctrl, *data;
    struct control_arena *arena;
    uint8_t *bytes;
    struct prng prng;
    uint64_t session, epoch, until_ns, beat_at_ns, seq, snapshot_seq, answers;
    uint16_t data_port;
    uint64_t refusals, welcomes, clock_replies;
    bool is_prepared, is_asked_preflight, is_running, is_draining, is_over;
    uint8_t plan_hash[PLAN_HASH_BYTES];
    struct control_share share;
    struct control_go go;
};

static void *dial(struct peer *p, uint16_t port)
{
    char endpoint[128];
    int no_linger = 0, immediate = 1;
    void *s = zmq_socket(p->zmq, ZMQ_DEALER);
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", p->o->host, (unsigned)port);
    bool ok = s != NULL && zmq_setsockopt(s, ZMQ_LINGER, &no_linger, sizeof(int)) == 0 &&
              zmq_setsockopt(s, ZMQ_IMMEDIATE, &immediate, sizeof(int)) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, p->o->other, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, p->o->own.public_key, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, p->o->own.secret_key, KEY_BYTES) == 0 &&
              zmq_connect(s, endpoint) == 0;
    if (!ok) {
        fprintf(stderr, "cannot call %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        exit(2);
    }
    return s;
}

static struct peer *peer_new(const struct hostile_options *o)
{
    struct peer *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        exit(2);
    }
    p->o = o;
    p->zmq = zmq_ctx_new();
    p->arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    p->bytes = malloc(MESSAGE_BYTES);
    p->prng = prng_seeded(4711);
    p->epoch = randombytes_random() | 1;
    p->until_ns = clock_monotonic_ns() + o->seconds * NS_PER_S;
    if (p->zmq == NULL || p->arena == NULL || p->bytes == NULL) {
        exit(2);
    }
    p->ctrl = dial(p, o->port);
    return p;
}

static void peer_free(struct peer *p)
{
    (void)zmq_close(p->ctrl);
    if (p->data != NULL) {
        (void)zmq_close(p->data);
    }
    (void)zmq_ctx_term(p->zmq);
    control_arena_free(p->arena);
    free(p->bytes);
    free(p);
}

static void say_on(struct peer *p, void *socket, struct control_message *m)
{
    size_t size = control_encode(m, p->bytes, MESSAGE_BYTES);
    if (size > 0 && size <= MESSAGE_BYTES && socket != NULL) {
        (void)zmq_send(socket, p->bytes, size, ZMQ_DONTWAIT); /* full: the other side is slow */
    }
}

static void say(struct peer *p, struct control_message *m)
{
    m->session = m->kind == CONTROL_HELLO ? CONTROL_SESSION_UNKNOWN : p->session;
    say_on(p, control_kind_is_data(m->kind) ? p->data : p->ctrl, m);
}

/* A good message with one to eight bytes changed, or cut. */
static void say_damaged(struct peer *p, void *socket, struct control_message *m)
{
    size_t size = control_encode(m, p->bytes, MESSAGE_BYTES);
    if (size == 0 || size > MESSAGE_BYTES || socket == NULL) {
        return;
    }
    uint64_t changes = 1 + prng_below(&p->prng, 8);
    for (uint64_t i = 0; i < changes; i++) {
        p->bytes[prng_below(&p->prng, size)] = (uint8_t)prng_below(&p->prng, 256);
    }
    size = prng_below(&p->prng, 4) == 0 ? (size_t)prng_below(&p->prng, size) : size;
    (void)zmq_send(socket, p->bytes, size, ZMQ_DONTWAIT);
}

/* Every kind, of both sides, on either socket: whole, damaged, or with the largest numbers. */
static void say_anything(struct peer *p, uint64_t session)
{
    struct control_message m;
    sample_message((enum control_kind)(1 + prng_below(&p->prng, CONTROL_KIND_COUNT - 1)), &m);
    m.session = session;
    void *socket = prng_below(&p->prng, 2) == 0 || p->data == NULL ? p->ctrl : p->data;
    if (prng_below(&p->prng, 2) == 0) {
        say_damaged(p, socket, &m);
    } else {
        say_on(p, socket, &m);
    }
}

/* What is no message at all: several frames, an empty one, one beyond the limit. */
static void say_badly_framed(struct peer *p, void *socket)
{
    uint64_t which = prng_below(&p->prng, 40);
    randombytes_buf(p->bytes, 64);
    if (which == 0) {
        (void)zmq_send(socket, p->bytes, OVERSIZED_BYTES, ZMQ_DONTWAIT); /* costs the connection */
    } else if (which < 10) {
        (void)zmq_send(socket, NULL, 0, ZMQ_DONTWAIT);
    } else {
        for (uint64_t i = 0; i < which; i++) {
            (void)zmq_send(socket, p->bytes, 64, ZMQ_DONTWAIT | (i + 1 < which ? ZMQ_SNDMORE : 0));
        }
    }
}

static void say_hello(struct peer *p, uint64_t epoch)
{
    struct control_message m;
    struct ipv4 address = sample_ipv4(ntohl(inet_addr(p->o->address)));
    sample_message(CONTROL_HELLO, &m);
    m.u.hello.proto_max = CONTROL_PROTO;
    m.u.hello.epoch = epoch;
    m.u.hello.addresses = &address;
    m.u.hello.address_count = 1;
    say(p, &m);
}

/* One message from `socket`, decoded; false when there is none. */
static bool hear(struct peer *p, void *socket, struct control_message *m)
{
    char why[CONTROL_WHY_BYTES];
    int size = socket == NULL ? -1 : zmq_recv(socket, p->bytes, MESSAGE_BYTES, ZMQ_DONTWAIT);
    if (size < 0) {
        return false;
    }
    p->answers++;
    if (size > MESSAGE_BYTES || !control_decode(p->arena, p->bytes, (size_t)size, m, why)) {
        m->kind = CONTROL_NONE;
    }
    p->refusals += m->kind == CONTROL_REFUSE;
    p->welcomes += m->kind == CONTROL_WELCOME;
    return true;
}

/* --- stranger: a listed key, but no agent of this run; or the key of one that is there --- */

int hostile_stranger(const struct hostile_options *o)
{
    struct peer *p = peer_new(o);
    p->data = dial(p, (uint16_t)(o->port + 1));
    uint64_t said = 0;
    while (clock_monotonic_ns() < p->until_ns) {
        struct control_message m;
        for (unsigned i = 0; i < PER_TICK; i++) {
            say_hello(p, prng_next(&p->prng) | 1);
            say_anything(p, prng_next(&p->prng));
            say_badly_framed(p, i % 2 == 0 ? p->ctrl : p->data);
            said += 3;
        }
        while (hear(p, p->ctrl, &m) || hear(p, p->data, &m)) {
        }
        pause_ms(TICK_MS);
    }
    printf("%s %llu messages, %llu refusals, %llu times welcome\n",
           p->welcomes == 0 && p->refusals > 0 ? "ok" : "FAIL", (unsigned long long)said,
           (unsigned long long)p->refusals, (unsigned long long)p->welcomes);
    peer_free(p);
    return 0;
}

/* --- member: does what an agent does up to its first stage, and then as its mode says --- */

static bool has_mode(const struct peer *p, const char *mode)
{
    return strcmp(p->o->mode, mode) == 0;
}

static void answer_clock(struct peer *p, const struct control_clock_request *request)
{
    enum { GOOD_ONES = 20 };
    static const uint64_t wild[] = {
        1,         UINT64_C(1) << 63,       UINT64_MAX - 5,
        INT64_MAX, (uint64_t)INT64_MAX / 8, UINT64_MAX - (uint64_t)INT64_MAX / 8};
    struct control_message m = {.kind = CONTROL_CLOCK_REPLY};
    uint64_t now_ns = clock_monotonic_ns();
    if (has_mode(p, "clock") && p->clock_replies >= GOOD_ONES) {
        now_ns = wild[p->clock_replies % ARRAY_LEN(wild)] + request->t1_ns;
        now_ns = now_ns == 0 ? 1 : now_ns;
    }
    p->clock_replies++;
    m.u.clock_reply = (struct control_clock_reply){
        .id = request->id, .t1_ns = request->t1_ns, .t2_ns = now_ns, .t3_ns = now_ns};
    say(p, &m);
}

static void get_ready(struct peer *p, const struct control_prepare *prepare)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES];
    struct control_message m = {.kind = CONTROL_READY};
    if (!plan_decode(prepare->plan, prepare->plan_bytes, &plan, why)) {
        fprintf(stderr, "the plan does not decode: %s\n", why);
        exit(2);
    }
    plan_free(&plan);
    p->share = prepare->shares[0];
    memcpy(p->plan_hash, prepare->plan_hash, PLAN_HASH_BYTES);
    memcpy(m.u.ready.plan_hash, p->plan_hash, PLAN_HASH_BYTES);
    p->is_prepared = true;
    say(p, &m);
    m = (struct control_message){.kind = CONTROL_DATA_HELLO};
    m.u.data_hello.epoch = p->epoch;
    say(p, &m);
}

static void report_preflight(struct peer *p, bool is_last, uint32_t relay)
{
    struct control_preflight_relay rows[CONTROL_PREFLIGHT_RELAYS_MAX];
    struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT};
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i] = (struct control_preflight_relay){.relay = (relay + i) % PLAN_RELAYS_MAX,
                                                   .clients = 3,
                                                   .offered = 3,
                                                   .bound = 3,
                                                   .servers_answered = 1,
                                                   .path_count = 1};
        rows[i].path[0] = (struct control_preflight_path){
            .path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3};
    }
    m.u.preflight_report.relays = rows;
    m.u.preflight_report.relay_count = is_last ? 1 : ARRAY_LEN(rows);
    m.u.preflight_report.is_last = is_last;
    say(p, &m);
}

/* In a search: other rounds than the one that is played, no end, or counters that go anywhere. */
static void lie_about_round(struct peer *p, struct control_progress *progress)
{
    if (has_mode(p, "search-rounds")) {
        static const uint64_t wrong[] = {0, UINT64_MAX, 1};
        uint64_t which = prng_below(&p->prng, 5);
        progress->round = which < ARRAY_LEN(wrong) ? wrong[which] : p->go.round + 2 * which - 7;
    } else if (has_mode(p, "search-endless")) {
        progress->is_step_done = false;
    } else if (has_mode(p, "search-counters")) {
        progress->bound = (uint32_t)prng_next(&p->prng);
        progress->started = (uint32_t)prng_next(&p->prng);
        progress->finished = (uint32_t)prng_next(&p->prng);
        progress->failed = (uint32_t)prng_next(&p->prng);
        progress->received = prng_next(&p->prng);
        progress->silent_streak = prng_next(&p->prng);
    }
}

/* Answers that came before they were asked for, in an hour, or in another round than they claim. */
static void report_search_event(struct peer *p)
{
    static const uint32_t spans[] = {0, 1, 500000, UINT32_MAX - 1, UINT32_MAX};
    struct event e;
    struct control_message m = {.kind = CONTROL_BATCH};
    sample_event(&e, 0);
    e.kind = EVENT_RENEW;
    e.result = EVENT_ACK;
    e.stage = (uint8_t)p->go.stage;
    e.client = p->share.first_client + (uint32_t)prng_below(&p->prng, p->share.client_count);
    e.took_us = spans[prng_below(&p->prng, ARRAY_LEN(spans))];
    e.wait_us = spans[prng_below(&p->prng, ARRAY_LEN(spans))];
    e.offer_us = EVENT_SPAN_NONE;
    e.t_us = clock_monotonic_ns() / NS_PER_US + prng_below(&p->prng, 4000000) - 2000000;
    char why[CONTROL_WHY_BYTES];
    m.session = p->session;
    m.u.batch = (struct control_batch){
        .epoch = p->epoch, .seq = p->seq + 1, .events = &e, .event_count = 1};
    p->seq += control_is_valid(&m, why); /* what is refused at once would only leave a gap */
    say(p, &m);
}

/* All that was asked for is done, although not a packet was sent. */
static void claim_all_done(struct peer *p)
{
    struct control_message m = {.kind = CONTROL_PROGRESS};
    uint32_t clients = p->go.client_limit;
    m.u.progress = (struct control_progress){.round = p->go.round,
                                             .stage = p->go.stage,
                                             .step = p->go.step,
                                             .is_step_done = true,
                                             .started = clients,
                                             .finished = clients,
                                             .bound = clients,
                                             .received = UINT64_MAX};
    if (p->go.round > 0) {
        lie_about_round(p, &m.u.progress);
    }
    say(p, &m);
}

static void obey(struct peer *p, const struct control_message *m)
{
    struct control_message answer = {.kind = CONTROL_ARMED};
    if (m->kind == CONTROL_WELCOME) {
        p->session = m->u.welcome.session;
        if (p->data == NULL) {
            p->data = dial(p, m->u.welcome.data_port);
        }
    } else if (m->kind == CONTROL_CLOCK_REQUEST) {
        answer_clock(p, &m->u.clock_request);
    } else if (m->kind == CONTROL_PREPARE) {
        get_ready(p, &m->u.prepare);
    } else if (m->kind == CONTROL_PREFLIGHT) {
        p->is_asked_preflight = true;
        for (unsigned i = 0; has_mode(p, "preflight") && i < 500; i++) {
            report_preflight(p, false, i);
        }
        report_preflight(p, true, p->share.relay);
    } else if (m->kind == CONTROL_ARM) {
        answer.u.armed.generation = m->u.arm.generation;
        say(p, &answer);
    } else if (m->kind == CONTROL_GO) {
        p->go = m->u.go;
        claim_all_done(p);
        p->is_running = p->is_running || p->go.is_last_step; /* past the canaries */
    } else if (m->kind == CONTROL_DRAIN) {
        p->is_draining = true;
    } else if (m->kind == CONTROL_BYE) {
        p->is_over = true;
    }
}

static void beat(struct peer *p)
{
    struct control_message m = {.kind = CONTROL_BEAT};
    if (p->session == 0 || clock_monotonic_ns() < p->beat_at_ns ||
        (p->is_running && has_mode(p, "mute"))) {
        return;
    }
    m.u.beat.boottime_ns = clock_boottime_ns();
    p->beat_at_ns = clock_monotonic_ns() + NS_PER_S;
    say(p, &m);
    m = (struct control_message){.kind = CONTROL_DATA_HELLO};
    m.u.data_hello.epoch = p->epoch;
    say(p, &m);
}

static void claim_final(struct peer *p)
{
    struct control_message m = {.kind = CONTROL_DONE};
    m.u.done.last_batch_seq = UINT64_MAX;
    say(p, &m);
    struct snapshot *s = sample_snapshot();
    s->seq = ++p->snapshot_seq;
    s->at_ns = clock_monotonic_ns();
    s->last_batch_seq = p->seq;
    m = (struct control_message){.kind = CONTROL_SNAPSHOT, .u.snapshot = s};
    say(p, &m);
}

/* A batch of one event, good but for what the mode changes. */
static void report_event(struct peer *p, uint64_t seq, uint64_t epoch)
{
    struct event e;
    struct control_message m = {.kind = CONTROL_BATCH};
    sample_event(&e, 0);
    e.t_us = clock_monotonic_ns() / NS_PER_US;
    e.client = p->share.first_client;
    e.stage = 0;
    if (has_mode(p, "foreign")) {
        e.client = p->share.first_client == 0 ? p->share.client_count : 0;
    } else if (has_mode(p, "beyond")) {
        e.client = PLAN_CLIENTS_MAX - 1;
    } else if (has_mode(p, "future")) {
        e.t_us += UINT64_C(86400000000);
    } else if (has_mode(p, "eternity")) {
        e.t_us = INT64_MAX;
    } else if (has_mode(p, "stage")) {
        e.stage = PLAN_STAGES_MAX - 1;
    }
    m.u.batch = (struct control_batch){.epoch = epoch, .seq = seq, .events = &e, .event_count = 1};
    say(p, &m);
}

static void report_out_of_step(struct peer *p)
{
    static const uint64_t seqs[] = {5, 5, 1, 1, 3, 1, UINT64_C(1) << 40, 2};
    for (unsigned i = 0; i < PER_TICK; i++) {
        report_event(p, seqs[i % ARRAY_LEN(seqs)], p->epoch + (i % 3 == 2));
    }
}

static void flood_snapshots(struct peer *p)
{
    for (unsigned i = 0; i < PER_TICK; i++) {
        struct snapshot *s = sample_snapshot();
        s->seq = prng_next(&p->prng) | 1;
        s->at_ns = clock_monotonic_ns();
        s->is_final = false;
        struct control_message m = {.kind = CONTROL_SNAPSHOT, .u.snapshot = s};
        say(p, &m);
        sample_message(CONTROL_HISTOGRAM, &m);
        m.u.histogram.key =
            (struct histogram_key){.metric = (uint8_t)prng_below(&p->prng, LATENCY_METRIC_COUNT),
                                   .clock = LATENCY_INTENDED,
                                   .server = (uint8_t)prng_below(&p->prng, PLAN_SERVERS_MAX),
                                   .stage = (uint8_t)prng_below(&p->prng, PLAN_STAGES_MAX)};
        say(p, &m);
    }
}

static void refuse(struct peer *p)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = REFUSAL_POLICY;
    strcpy(m.u.refuse.text, "no; \"what\" = x %s %n");
    say(p, &m);
}

static void attack(struct peer *p)
{
    if ((has_mode(p, "done") && p->session != 0) || (p->is_draining && !has_mode(p, "endless"))) {
        claim_final(p);
    }
    if ((has_mode(p, "refuse-prepare") && p->is_prepared) ||
        (has_mode(p, "refuse-preflight") && p->is_asked_preflight) ||
        (has_mode(p, "refuse") && p->is_running)) {
        refuse(p);
    }
    if (!p->is_running) {
        return;
    }
    if (has_mode(p, "noise")) {
        for (unsigned i = 0; i < PER_TICK; i++) {
            say_anything(p, p->session);
            say_badly_framed(p, i % 2 == 0 ? p->ctrl : p->data);
        }
    } else if (has_mode(p, "gaps")) {
        report_out_of_step(p);
        claim_all_done(p);
    } else if (has_mode(p, "snapshots")) {
        flood_snapshots(p);
        claim_all_done(p);
    } else if (!has_mode(p, "mute") && !has_mode(p, "endless") && !has_mode(p, "refuse")) {
        claim_all_done(p);
        if (has_mode(p, "search-events")) {
            report_search_event(p);
        } else if (strncmp(p->o->mode, "search-", 7) != 0 && !has_mode(p, "progress") &&
                   !has_mode(p, "done") && !has_mode(p, "clock")) {
            report_event(p, ++p->seq, p->epoch);
        }
    }
}

int hostile_member(const struct hostile_options *o)
{
    struct peer *p = peer_new(o);
    while (clock_monotonic_ns() < p->until_ns && !p->is_over) {
        struct control_message m;
        if (p->session == 0) {
            say_hello(p, p->epoch);
        }
        bool is_deaf = p->is_running && has_mode(p, "mute");
        while (!is_deaf && hear(p, p->ctrl, &m)) {
            obey(p, &m);
        }
        while (hear(p, p->data, &m)) {
        }
        beat(p);
        attack(p);
        pause_ms(TICK_MS);
    }
    printf("%s member, mode %s: %s\n", p->session != 0 ? "ok" : "FAIL", o->mode,
           p->is_running ? "had its stage" : "was let in");
    peer_free(p);
    return 0;
}

/* --- main --- */

static void read_options(int argc, char **argv, struct hostile_options *o)
{
    char why[KEY_WHY_BYTES];
    *o = (struct hostile_options){.role = argv[1],
                                  .mode = argv[2],
                                  .host = argv[3],
                                  .port = (uint16_t)strtoul(argv[4], NULL, 10),
                                  .address = argv[5],
                                  .seconds = strtoull(argv[6], NULL, 10)};
    bool is_bad = (strcmp(argv[7], "-") != 0 && key_pair_read(argv[7], &o->own, why) < 0) ||
                  (strcmp(argv[8], "-") != 0 && key_public_read(argv[8], o->other, why) < 0);
    if (!is_bad && argc > 9) {
        is_bad = sign_key_read(argv[9], &o->signer, why) < 0;
    }
    o->run_dir = argc > 10 ? argv[10] : NULL;
    if (is_bad) {
        fprintf(stderr, "%s\n", why);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*play)(const struct hostile_options *o);
    } roles[] = {{"outsider", hostile_outsider},
                 {"stranger", hostile_stranger},
                 {"member", hostile_member},
                 {"observer", hostile_observer},
                 {"coordinator", hostile_coordinator}};
    struct hostile_options o;
    struct rlimit files = {4096, 4096};
    if (argc < 9 || argc > 11 || sodium_init() < 0) {
        fprintf(stderr,
                "usage: ROLE MODE HOST PORT ADDRESS SECONDS KEY OTHER-KEY [OPERATOR-KEY [RUN]]\n");
        return 2;
    }
    (void)setrlimit(RLIMIT_NOFILE, &files); /* fewer calls, then */
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_options(argc, argv, &o);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(o.role, roles[i].name) == 0) {
            return roles[i].play(&o);
        }
    }
    fprintf(stderr, "there is no role '%s'\n", o.role);
    return 2;
}
