/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-bench-peers enrol KEYS AGENTS
 *        leaseherd-bench-peers run HOST PORT KEYS AGENTS EVENTS SECONDS PID
 *
 * enrol: writes KEYS/agents.allow with AGENTS keys. run: plays them in a run; in its last stage
 * they stream EVENTS results, or (0) tell little for SECONDS. Prints what the coordinator PID used
 * meanwhile, as JSON. exit: 0, 2 usage, 6 the run did not come about or did not go on.
 */
#include "tests/bench/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "tests/bench/process.h"

enum { TICK_MS = 10, READY_MAX = 256, WHOLE_RUN_S = 900 };

#define SAMPLE_EVERY_NS (100 * NS_PER_MS)
#define SETTLE_NS       (2 * NS_PER_S)
#define PATIENCE_NS     (30 * NS_PER_S)

/* What is measured: the coordinator in its last stage. */
struct measurement {
    uint64_t begun_ns, begun_cpu_ns, ended_ns, ended_cpu_ns;
    uint64_t sampled_ns, events, moved_ns;
    struct slope rss; /* bytes over events, or over seconds */
};

void peers_key(uint32_t index, struct key_pair *out)
{
    unsigned char seed[crypto_box_SEEDBYTES] = "leaseherd bench peer";
    memcpy(seed + sizeof(seed) - sizeof(index), &index, sizeof(index));
    (void)crypto_box_seed_keypair(out->public_key, out->secret_key, seed);
}

void peers_name(uint32_t index, char out[KEY_NAME_BYTES])
{
    (void)snprintf(out, KEY_NAME_BYTES, "p%04" PRIu32, index);
}

static int enrol(const char *keys, uint32_t agents)
{
    char path[512], why[KEY_WHY_BYTES];
    struct key_list list = {.entries = calloc(agents, sizeof(struct key_entry)), .count = agents};
    for (uint32_t i = 0; list.entries != NULL && i < agents; i++) {
        struct key_pair pair;
        struct key_entry *entry = &list.entries[i];
        peers_key(i, &pair);
        peers_name(i, entry->name);
        entry->role = KEY_ROLE_AGENT;
        memcpy(entry->public_key, pair.public_key, KEY_BYTES);
        strcpy(entry->added, "2026-01-01");
        strcpy(entry->expires, "-");
    }
    (void)snprintf(path, sizeof(path), "%s/agents.allow", keys);
    int rc = list.entries == NULL ? -ENOMEM : key_list_write(path, &list, why);
    key_list_free(&list);
    if (rc < 0) {
        fprintf(stderr, "bench peers: %s\n", rc == -ENOMEM ? "out of memory" : why);
    }
    return rc < 0 ? 6 : 0;
}

/* --- the measurement --- */

static bool all_in_last_stage(const struct peers *world)
{
    for (uint32_t i = 0; i < world->options->agents; i++) {
        if (!world->peer[i].is_in_last_stage) {
            return false;
        }
    }
    return true;
}

/* Results of the last stage in batches that were acknowledged, nearly: a batch is either whole or
 * not. */
static uint64_t committed_events(const struct peers *world, bool *out_are_all)
{
    uint64_t events = 0, streamed = 0;
    for (uint32_t i = 0; i < world->options->agents; i++) {
        const struct peer *p = &world->peer[i];
        uint64_t open = (p->seq - p->committed_seq) * CONTROL_BATCH_EVENTS_MAX + p->pending_count;
        events += p->streamed > open ? p->streamed - open : 0;
        streamed += p->streamed;
        *out_are_all = *out_are_all && open == 0;
    }
    *out_are_all = *out_are_all && streamed == world->options->events;
    return events;
}

static void begin(struct peers *world, struct measurement *m)
{
    m->begun_ns = m->moved_ns = world->now_ns;
    m->begun_cpu_ns = process_cpu_ns(world->options->coordinator);
}

static void end(struct peers *world, struct measurement *m)
{
    m->ended_ns = world->now_ns;
    m->ended_cpu_ns = process_cpu_ns(world->options->coordinator);
    world->may_end = true;
}

static void sample_stream(struct peers *world, struct measurement *m)
{
    bool are_all = true;
    uint64_t events = committed_events(world, &are_all);
    double rss_bytes = (double)process_rss_bytes(world->options->coordinator);
    if (events != m->events) {
        m->moved_ns = world->now_ns;
    }
    m->events = events;
    if (world->now_ns - m->moved_ns > PATIENCE_NS) {
        fprintf(stderr, "bench peers: nothing was acknowledged for %d s\n",
                (int)(PATIENCE_NS / NS_PER_S));
        exit(6);
    }
    if (events * 10 > world->options->events) { /* its buffers have their size then */
        slope_add(&m->rss, (double)events, rss_bytes);
    }
    if (are_all) {
        m->events = world->options->events;
        end(world, m);
    }
}

static void sample(struct peers *world, struct measurement *m)
{
    uint64_t settle_ns = world->options->events > 0 ? 0 : SETTLE_NS;
    if (world->may_end || !all_in_last_stage(world)) {
        return;
    }
    if (m->moved_ns == 0) {
        m->moved_ns = world->now_ns;
    }
    if (m->begun_ns == 0 && world->now_ns - m->moved_ns >= settle_ns) {
        begin(world, m);
    }
    /* Reading /proc is cheap, but not free: the end of a stream is looked for more often. */
    if (m->begun_ns == 0 || world->now_ns - m->sampled_ns < SAMPLE_EVERY_NS) {
        return;
    }
    m->sampled_ns = world->now_ns;
    if (world->options->events > 0) {
        sample_stream(world, m);
    } else {
        slope_add(&m->rss, (double)(world->now_ns - m->begun_ns) / (double)NS_PER_S,
                  (double)process_rss_bytes(world->options->coordinator));
        if (world->now_ns - m->begun_ns >= world->options->seconds * NS_PER_S) {
            end(world, m);
        }
    }
}

static void print(const struct peers *world, const struct measurement *m)
{
    double s = (double)(m->ended_ns - m->begun_ns) / (double)NS_PER_S;
    double cpu_s = (double)(m->ended_cpu_ns - m->begun_cpu_ns) / (double)NS_PER_S;
    printf("{\"agents\": %" PRIu32 ", \"events\": %" PRIu64 ", \"seconds\": %.3f, \"cpu_s\": %.4f, "
           "\"rss_first_bytes\": %.0f, \"rss_last_bytes\": %.0f, \"rss_most_bytes\": %.0f, "
           "\"rss_slope\": %.4f}\n",
           world->options->agents, m->events, s, cpu_s, m->rss.first_y, m->rss.last_y,
           m->rss.most_y, slope_value(&m->rss));
}

/* --- the loop --- */

static void world_open(struct peers *world, const struct peers_options *options)
{
    *world = (struct peers){.options = options, .prng = prng_seeded(20260101)};
    world->zmq = zmq_ctx_new();
    world->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    world->peer = calloc(options->agents, sizeof(*world->peer));
    world->arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    world->bytes = malloc(LINK_CTRL_UP_BYTES);
    if (world->zmq == NULL || world->epoll_fd < 0 || world->peer == NULL || world->arena == NULL ||
        world->bytes == NULL || zmq_ctx_set(world->zmq, ZMQ_MAX_SOCKETS, 4 * PEERS_MAX) != 0) {
        fprintf(stderr, "bench peers: out of memory or descriptors\n");
        exit(6);
    }
    for (uint32_t i = 0; i < options->agents; i++) {
        peer_open(world, i);
    }
}

static void world_close(struct peers *world)
{
    for (uint32_t i = 0; i < world->options->agents; i++) {
        peer_close(&world->peer[i]);
    }
    (void)zmq_ctx_term(world->zmq);
    (void)close(world->epoll_fd);
    control_arena_free(world->arena);
    free(world->bytes);
    free(world->peer);
}

static bool is_over(const struct peers *world)
{
    for (uint32_t i = 0; i < world->options->agents; i++) {
        if (world->peer[i].phase != PEER_OVER) {
            return false;
        }
    }
    return true;
}

/* The coordinator is gone, or a zombie. */
static bool has_ended(struct peers *world)
{
    if (world->now_ns - world->looked_ns < SAMPLE_EVERY_NS) {
        return false;
    }
    world->looked_ns = world->now_ns;
    return process_rss_bytes(world->options->coordinator) == 0;
}

static int run(const struct peers_options *options)
{
    struct peers world;
    struct measurement m = {0};
    struct epoll_event ready[READY_MAX];
    world_open(&world, options);
    uint64_t until_ns = clock_monotonic_ns() + WHOLE_RUN_S * NS_PER_S, swept_ns = 0;
    while (!is_over(&world) && !has_ended(&world) && clock_monotonic_ns() < until_ns) {
        int count = epoll_wait(world.epoll_fd, ready, READY_MAX, TICK_MS);
        world.now_ns = clock_monotonic_ns();
        bool is_sweep = world.now_ns - swept_ns >= TICK_MS * NS_PER_MS;
        for (int i = 0; i < count; i++) {
            struct peer *p = &world.peer[ready[i].data.u32];
            peer_receive(&world, p);
            peer_tick(&world, p);
        }
        /* Sending takes what would wake us: nobody is left out for longer than this. */
        for (uint32_t i = 0; is_sweep && i < options->agents; i++) {
            peer_receive(&world, &world.peer[i]);
            peer_tick(&world, &world.peer[i]);
        }
        swept_ns = is_sweep ? world.now_ns : swept_ns;
        sample(&world, &m);
    }
    world_close(&world);
    if (m.ended_ns == 0) {
        fprintf(stderr, "bench peers: the run ended before its last stage was measured\n");
        return 6;
    }
    print(&world, &m);
    return 0;
}

static int read_options(char **argv, struct peers_options *o)
{
    char path[512], why[KEY_WHY_BYTES];
    *o = (struct peers_options){.host = argv[2],
                                .port = (uint16_t)strtoul(argv[3], NULL, 10),
                                .agents = (uint32_t)strtoul(argv[5], NULL, 10),
                                .events = strtoull(argv[6], NULL, 10),
                                .seconds = strtoull(argv[7], NULL, 10),
                                .coordinator = (int)strtol(argv[8], NULL, 10)};
    (void)snprintf(path, sizeof(path), "%s/coordinator.pub", argv[4]);
    if (key_public_read(path, o->server_key, why) < 0) {
        fprintf(stderr, "bench peers: %s\n", why);
        return 2;
    }
    return o->agents < 1 || o->agents > PEERS_MAX ? 2 : 0;
}

int main(int argc, char **argv)
{
    struct peers_options options;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (sodium_init() < 0) {
        return 6;
    }
    if (argc == 4 && strcmp(argv[1], "enrol") == 0) {
        uint32_t agents = (uint32_t)strtoul(argv[3], NULL, 10);
        return agents < 1 || agents > PEERS_MAX ? 2 : enrol(argv[2], agents);
    }
    if (argc == 9 && strcmp(argv[1], "run") == 0) {
        int rc = read_options(argv, &options);
        return rc != 0 ? rc : run(&options);
    }
    fprintf(stderr, "usage: leaseherd-bench-peers enrol KEYS AGENTS\n"
                    "       leaseherd-bench-peers run HOST PORT KEYS AGENTS EVENTS SECONDS PID\n");
    return 2;
}
