/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-press enrol KEYS N
 *        leaseherd-press crowd HOST PORT N SECONDS KEYS
 *        leaseherd-press (stream | probe | flood | slow) HOST PORT ADDRESS SECONDS KEY SERVER-KEY
 *
 * enrol writes KEYS/agents.allow for a crowd of N. A crowd says HELLO, all N at once, and counts
 * its answers. The others are an agent of the run each, and end with it, or when the coordinator is
 * gone for 10 s, or after SECONDS. What was seen is printed as "KEY=VALUE ..." on one line.
 */
#include "tests/support/press/press.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "tests/support/control_samples.h"

enum { CROWD_MAX = 4096, FLOOD_PER_TURN = 64, STREAM_EVENTS = 64, GONE_S = 10 };

static void fail(const char *what)
{
    fprintf(stderr, "press: %s\n", what);
    exit(2);
}

static void *new_context(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    void *zmq = zmq_ctx_new();
    if (zmq == NULL || zmq_ctx_set(zmq, ZMQ_MAX_SOCKETS, 3 * CROWD_MAX) != 0) {
        fail("cannot start ZeroMQ");
    }
    return zmq;
}

/* --- a crowd --- */

static void key_of(uint32_t index, struct key_pair *out)
{
    unsigned char seed[crypto_box_SEEDBYTES] = "leaseherd press crowd";
    memcpy(seed + sizeof(seed) - sizeof(index), &index, sizeof(index));
    (void)crypto_box_seed_keypair(out->public_key, out->secret_key, seed);
}

static int enrol(const char *keys, uint32_t count)
{
    char path[512], why[KEY_WHY_BYTES] = "out of memory";
    struct key_list list = {.entries = calloc(count, sizeof(struct key_entry)), .count = count};
    for (uint32_t i = 0; list.entries != NULL && i < count; i++) {
        struct key_pair pair;
        struct key_entry *entry = &list.entries[i];
        key_of(i, &pair);
        (void)snprintf(entry->name, sizeof(entry->name), "p%04" PRIu32, i);
        entry->role = KEY_ROLE_AGENT;
        memcpy(entry->public_key, pair.public_key, KEY_BYTES);
        strcpy(entry->added, "2026-01-01");
        strcpy(entry->expires, "-");
    }
    (void)snprintf(path, sizeof(path), "%s/agents.allow", keys);
    if (list.entries == NULL || key_list_write(path, &list, why) < 0) {
        fail(why);
    }
    key_list_free(&list);
    return 0;
}

static void hear_all(struct press *p)
{
    struct control_message m;
    while (press_hear(p, p->ctrl, &m) || press_hear(p, p->data, &m)) {
        press_obey(p, &m);
    }
}

static void count_crowd(const struct press *crowd, uint32_t count, uint32_t *welcome,
                        uint32_t *refused, uint32_t *over)
{
    *welcome = *refused = *over = 0;
    for (uint32_t i = 0; i < count; i++) {
        *welcome += crowd[i].session != 0;
        *over += crowd[i].is_over;
        *refused += crowd[i].session == 0 && crowd[i].refusals > 0;
    }
}

/*
 * Until everybody has an answer; then the clocks are told, without which no run begins, and the
 * run's end is waited for.
 */
static int join(const char *host, uint16_t port, uint32_t count, uint64_t seconds, const char *keys)
{
    char path[512], why[KEY_WHY_BYTES];
    uint8_t server[KEY_BYTES];
    struct press *crowd = calloc(count, sizeof(*crowd));
    uint32_t welcome = 0, refused = 0, over = 0;
    void *zmq = new_context();
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    uint8_t *bytes = malloc(PRESS_MESSAGE_BYTES);
    (void)snprintf(path, sizeof(path), "%s/coordinator.pub", keys);
    if (crowd == NULL || arena == NULL || bytes == NULL) {
        fail("out of memory");
    }
    if (key_public_read(path, server, why) < 0) {
        fail(why);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct press *p = &crowd[i];
        p->arena = arena;
        p->bytes = bytes;
        p->epoch = i + 1;
        p->beat_every_ns = NS_PER_S;
        p->address = sample_ipv4(0xac100001);
        key_of(i, &p->own);
        memcpy(p->server, server, sizeof(p->server));
        press_open(p, zmq, host, port);
    }
    uint64_t begun_ns = clock_monotonic_ns(), answered_ns = 0;
    while (clock_monotonic_ns() - begun_ns < seconds * NS_PER_S &&
           (answered_ns == 0 || over == 0)) {
        for (uint32_t i = 0; i < count; i++) {
            crowd[i].keeps_clock = answered_ns == 0;
            hear_all(&crowd[i]);
            press_tick(&crowd[i]);
        }
        count_crowd(crowd, count, &welcome, &refused, &over);
        answered_ns =
            answered_ns == 0 && welcome + refused == count ? clock_monotonic_ns() : answered_ns;
        usleep(2000);
    }
    printf("welcome=%" PRIu32 " refused=%" PRIu32 " over=%" PRIu32 " answered_ms=%" PRIu64 "\n",
           welcome, refused, over,
           answered_ns == 0 ? seconds * 1000 : (answered_ns - begun_ns) / NS_PER_MS);
    for (uint32_t i = 0; i < count; i++) {
        press_close(&crowd[i]);
    }
    (void)zmq_ctx_term(zmq);
    control_arena_free(arena);
    free(bytes);
    free(crowd);
    return 0;
}

/* --- one agent of the run --- */

/* As many results as there is credit for. */
static void stream(struct press *p)
{
    while (p->is_running && !p->is_draining && press_batch(p, STREAM_EVENTS)) {
    }
}

/* One result every 50 ms, and beats often: how soon is it answered? */
static void probe(struct press *p)
{
    static uint64_t due_ns;
    if (p->is_running && !p->is_draining && p->now_ns >= due_ns) {
        due_ns = p->now_ns + 50 * NS_PER_MS;
        (void)press_batch(p, 1);
    }
}

/* Batches out of step, counters, HELLOs of other processes, beats: as fast as the sockets take. */
static void flood(struct press *p)
{
    struct event event;
    struct snapshot *s = sample_snapshot();
    for (unsigned i = 0; p->is_running && !p->is_draining && i < FLOOD_PER_TURN; i++) {
        struct control_message m = {.kind = CONTROL_BATCH};
        sample_event(&event, 0);
        event.t_us = p->now_ns / NS_PER_US;
        event.client = p->share.first_client;
        event.stage = 0;
        m.u.batch = (struct control_batch){
            .epoch = p->epoch, .seq = 7 + i % 5, .events = &event, .event_count = 1};
        p->sent_events += press_say(p, &m);
        s->seq = ++p->snapshot_seq;
        s->at_ns = p->now_ns;
        s->is_final = false;
        s->last_batch_seq = 0;
        m = (struct control_message){.kind = CONTROL_SNAPSHOT, .u.snapshot = s};
        p->sent_events += press_say(p, &m);
        p->sent_events += press_hello(p, p->now_ns | 1);
        m = (struct control_message){.kind = CONTROL_BEAT};
        m.u.beat.boottime_ns = p->now_ns;
        p->sent_events += press_say(p, &m);
    }
}

/* Reads five messages a second. */
static void read_slowly(struct press *p)
{
    static uint64_t due_ns;
    struct control_message m;
    if (p->now_ns >= due_ns) {
        due_ns = p->now_ns + NS_PER_S / 5;
        if (press_hear(p, p->ctrl, &m) || press_hear(p, p->data, &m)) {
            press_obey(p, &m);
        }
    }
}

static int play(const char *mode, struct press *p, uint64_t seconds)
{
    static const struct {
        const char *name;
        void (*turn)(struct press *p);
        uint64_t beat_every_ns, pause_us;
    } modes[] = {{"stream", stream, NS_PER_S, 2000},
                 {"probe", probe, NS_PER_S / 10, 1000},
                 {"flood", flood, NS_PER_S, 0},
                 {"slow", read_slowly, NS_PER_S, 10000}};
    size_t which = 0;
    while (which < ARRAY_LEN(modes) && strcmp(modes[which].name, mode) != 0) {
        which++;
    }
    if (which == ARRAY_LEN(modes)) {
        fail("no such mode");
    }
    p->beat_every_ns = modes[which].beat_every_ns;
    uint64_t begun_ns = clock_monotonic_ns(), granted = 0, granted_ns = begun_ns;
    while (!p->is_over && clock_monotonic_ns() - begun_ns < seconds * NS_PER_S) {
        press_tick(p);
        if (!p->is_running || modes[which].turn != read_slowly) {
            hear_all(p);
        }
        modes[which].turn(p);
        granted_ns = p->grants != granted || !p->is_running ? p->now_ns : granted_ns;
        granted = p->grants;
        if (p->now_ns - granted_ns > GONE_S * NS_PER_S && modes[which].turn != read_slowly) {
            break; /* the coordinator is gone */
        }
        usleep((useconds_t)modes[which].pause_us);
    }
    printf("mode=%s joined=%d ran=%d sent=%" PRIu64 " acked=%" PRIu64 " acked_batches=%" PRIu64
           " grants=%" PRIu64 " grant_most_ms=%" PRIu64 " ack_most_ms=%" PRIu64 "\n",
           mode, p->session != 0, p->is_running, p->sent_events, p->acked_events, p->committed_seq,
           p->grants, p->grant_most_ns / NS_PER_MS, p->ack_most_ns / NS_PER_MS);
    return p->session != 0 ? 0 : 1;
}

static int agent(char **argv)
{
    static struct press p;
    char why[KEY_WHY_BYTES];
    p.arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    p.bytes = malloc(PRESS_MESSAGE_BYTES);
    p.epoch = randombytes_random() | 1;
    p.address.be = inet_addr(argv[4]);
    if (p.arena == NULL || p.bytes == NULL) {
        fail("out of memory");
    }
    if (key_pair_read(argv[6], &p.own, why) < 0 || key_public_read(argv[7], p.server, why) < 0) {
        fail(why);
    }
    void *zmq = new_context();
    press_open(&p, zmq, argv[2], (uint16_t)strtoul(argv[3], NULL, 10));
    int code = play(argv[1], &p, strtoull(argv[5], NULL, 10));
    press_close(&p);
    (void)zmq_ctx_term(zmq);
    control_arena_free(p.arena);
    free(p.bytes);
    return code;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        return 6;
    }
    if (argc == 4 && strcmp(argv[1], "enrol") == 0) {
        return enrol(argv[2], (uint32_t)strtoul(argv[3], NULL, 10) % (CROWD_MAX + 1));
    }
    if (argc == 7 && strcmp(argv[1], "crowd") == 0) {
        return join(argv[2], (uint16_t)strtoul(argv[3], NULL, 10),
                    (uint32_t)strtoul(argv[4], NULL, 10) % (CROWD_MAX + 1),
                    strtoull(argv[5], NULL, 10), argv[6]);
    }
    if (argc == 8) {
        return agent(argv);
    }
    fail("see the head of tests/support/press/press.c for its arguments");
}
