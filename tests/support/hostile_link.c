/* SPDX-License-Identifier: MIT */
/*
 * Who misuses the sockets themselves, not what is said over them.
 *
 * usage: leaseherd-hostile-link MODE HOST PORT SECONDS KEY PUBLIC-KEY ("-" where it is not needed)
 *   guess     enrolment: one wrong secret after the other, each with a key of its own
 *   noise     enrolment: what is no request
 *   frames    enrolment: one message of 300,000 frames, with a key of its own
 *   thief     with KEY: routing ids of others, and those the coordinator gives itself
 *   impostor  listens at HOST PORT with a key of its own, and counts what is said to it
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/keys.h"
#include "proto/control.h"
#include "proto/enrol.h"
#include "tests/support/control_samples.h"

struct options {
    const char *mode, *host, *port;
    uint64_t until_ns;
    struct key_pair own;
    uint8_t server[KEY_BYTES];
};

static void *must(void *zmq)
{
    if (zmq == NULL) {
        fprintf(stderr, "ZeroMQ: %s\n", zmq_strerror(zmq_errno()));
        exit(2);
    }
    return zmq;
}

static void set(void *socket, int option, const void *value, size_t size)
{
    if (zmq_setsockopt(socket, option, value, size) != 0) {
        fprintf(stderr, "option %d: %s\n", option, zmq_strerror(zmq_errno()));
        exit(2);
    }
}

static void set_int(void *socket, int option, int value)
{
    set(socket, option, &value, sizeof(value));
}

static void *dial(void *context, const struct options *o, const struct key_pair *own,
                  const void *id, size_t id_bytes)
{
    char endpoint[128];
    void *s = must(zmq_socket(context, ZMQ_DEALER));
    set_int(s, ZMQ_LINGER, 0);
    set_int(s, ZMQ_IMMEDIATE, 1);
    set(s, ZMQ_CURVE_SERVERKEY, o->server, KEY_BYTES);
    set(s, ZMQ_CURVE_PUBLICKEY, own->public_key, KEY_BYTES);
    set(s, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_BYTES);
    if (id_bytes > 0) {
        set(s, ZMQ_ROUTING_ID, id, id_bytes);
    }
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%s", o->host, o->port);
    if (zmq_connect(s, endpoint) != 0) {
        fprintf(stderr, "cannot call %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        exit(2);
    }
    return s;
}

/* Sends as soon as there is a connection; false when there was none for `ms`. */
static bool say(void *socket, const void *bytes, size_t size, int flags, int ms)
{
    set_int(socket, ZMQ_SNDTIMEO, ms);
    return zmq_send(socket, bytes, size, flags) >= 0;
}

static int answer(void *socket, void *out, size_t size, int ms)
{
    set_int(socket, ZMQ_RCVTIMEO, ms);
    return zmq_recv(socket, out, size, 0);
}

static int guess(const struct options *o, void *context)
{
    unsigned guesses = 0, refused = 0, welcome = 0;
    while (clock_monotonic_ns() < o->until_ns) {
        struct key_pair own;
        uint8_t secret[ENROL_SECRET_BYTES], bytes[ENROL_MESSAGE_BYTES];
        char name[KEY_NAME_BYTES];
        enum enrol_answer what = ENROL_FAILED;
        key_pair_make(&own);
        randombytes_buf(secret, sizeof(secret));
        size_t size = strcmp(o->mode, "guess") == 0 ? enrol_put_request(secret, bytes)
                                                    : randombytes_uniform(sizeof(bytes));
        if (strcmp(o->mode, "guess") != 0) {
            randombytes_buf(bytes, sizeof(bytes));
        }
        void *s = dial(context, o, &own, NULL, 0);
        if (say(s, bytes, size, 0, 300)) {
            guesses++;
            int got = answer(s, bytes, sizeof(bytes), 300);
            bool is_answer = got > 0 && enrol_take_answer(bytes, (size_t)got, &what, name);
            refused += is_answer && what == ENROL_WRONG_SECRET;
            welcome += is_answer && what == ENROL_WELCOME;
        }
        (void)zmq_close(s);
    }
    bool is_good = welcome == 0 && (refused > 0) == (strcmp(o->mode, "guess") == 0);
    printf("%s %u guesses, %u refused, %u welcome\n", is_good ? "ok" : "FAIL", guesses, refused,
           welcome);
    return 0;
}

/* libzmq hands a message on when its last frame is there: until then it is the sender's memory. */
static int frames(const struct options *o, void *context)
{
    enum { FRAMES = 300000 };
    static uint8_t frame[400];
    struct key_pair own;
    unsigned sent = 0;
    key_pair_make(&own);
    void *s = dial(context, o, &own, NULL, 0);
    while (sent < FRAMES &&
           say(s, frame, sizeof(frame), sent + 1 < FRAMES ? ZMQ_SNDMORE : 0, 1000)) {
        sent++;
    }
    while (clock_monotonic_ns() < o->until_ns) {
        usleep(10000); /* what is on its way must get through */
    }
    printf("%s %u frames of one message\n", sent == FRAMES ? "ok" : "FAIL", sent);
    (void)zmq_close(s);
    return 0;
}

/* HELLO under a chosen routing id; how it was answered: -1 not at all. */
static int hello_as(const struct options *o, void *context, const void *id, size_t id_bytes)
{
    static uint8_t bytes[64 * 1024];
    struct control_message m;
    char why[CONTROL_WHY_BYTES];
    int kind = -1;
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    void *s = dial(context, o, &o->own, id, id_bytes);
    sample_message(CONTROL_HELLO, &m);
    m.session = CONTROL_SESSION_UNKNOWN;
    m.u.hello.proto_max = CONTROL_PROTO;
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    if (say(s, bytes, size, 0, 2000)) {
        int got = answer(s, bytes, sizeof(bytes), 1000);
        if (got > 0 && (size_t)got <= sizeof(bytes)) {
            kind = control_decode(arena, bytes, (size_t)got, &m, why) ? (int)m.kind : 0;
        }
    }
    (void)zmq_close(s);
    control_arena_free(arena);
    return kind;
}

/*
 * Names of agents as routing ids: not heard. Ids of the form the ROUTER gives: heard, but as
 * whom the key says, which is nobody of this run.
 */
static int thief(const struct options *o, void *context)
{
    static const char *const names[] = {"a1", "a2", "x", "\x01zzzz"};
    unsigned heard = 0, welcome = 0, tries = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        heard += hello_as(o, context, names[i], strlen(names[i])) >= 0;
        tries++;
    }
    while (clock_monotonic_ns() < o->until_ns) {
        uint8_t id[5] = {0};
        randombytes_buf(id + 1, sizeof(id) - 1);
        welcome += hello_as(o, context, id, sizeof(id)) == CONTROL_WELCOME;
        tries++;
    }
    printf("%s %u routing ids, %u of chosen names heard, %u welcome\n",
           heard == 0 && welcome == 0 && tries > ARRAY_LEN(names) ? "ok" : "FAIL", tries, heard,
           welcome);
    return 0;
}

static int impostor(const struct options *o, void *context)
{
    char endpoint[128];
    struct key_pair own;
    unsigned said = 0;
    void *s = must(zmq_socket(context, ZMQ_ROUTER));
    key_pair_make(&own);
    set_int(s, ZMQ_LINGER, 0);
    set_int(s, ZMQ_CURVE_SERVER, 1); /* and no handler: whoever comes is let in */
    set(s, ZMQ_CURVE_SECRETKEY, own.secret_key, KEY_BYTES);
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%s", o->host, o->port);
    if (zmq_bind(s, endpoint) != 0) {
        fprintf(stderr, "cannot listen at %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        return 2;
    }
    while (clock_monotonic_ns() < o->until_ns) {
        char bytes[512];
        said += answer(s, bytes, sizeof(bytes), 100) >= 0;
    }
    printf("%s the impostor heard %u messages\n", said == 0 ? "ok" : "FAIL", said);
    (void)zmq_close(s);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*play)(const struct options *o, void *context);
    } modes[] = {{"guess", guess},
                 {"noise", guess},
                 {"frames", frames},
                 {"thief", thief},
                 {"impostor", impostor}};
    char why[KEY_WHY_BYTES];
    if (argc != 7 || sodium_init() < 0) {
        fprintf(stderr, "usage: MODE HOST PORT SECONDS KEY PUBLIC-KEY\n");
        return 2;
    }
    struct options o = {.mode = argv[1], .host = argv[2], .port = argv[3]};
    o.until_ns = clock_monotonic_ns() + strtoull(argv[4], NULL, 10) * NS_PER_S;
    if ((strcmp(argv[5], "-") != 0 && key_pair_read(argv[5], &o.own, why) < 0) ||
        (strcmp(argv[6], "-") != 0 && key_public_read(argv[6], o.server, why) < 0)) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    void *context = must(zmq_ctx_new());
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(o.mode, modes[i].name) == 0) {
            int code = modes[i].play(&o, context);
            (void)zmq_ctx_term(context);
            return code;
        }
    }
    fprintf(stderr, "there is no mode '%s'\n", o.mode);
    return 2;
}
