/* SPDX-License-Identifier: MIT */
#include "tests/sim/play.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/net_link.h"
#include "tests/sim/net_udp.h"
#include "tests/sim/pair.h"
#include "tests/sim/parts.h"
#include "tests/sim/plot.h"
#include "tests/sim/sched.h"
#include "tests/sim/world.h"

enum { LOG_BYTES = 1024 };

#define AFTER_LAST_NS (120 * NS_PER_S)

static struct prng randomness;
static bool is_loud;

void __wrap_log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
unsigned __wrap_sleep(unsigned seconds);

/* --- what would differ from run to run --- */

static const char *random_name(void)
{
    return "seeded";
}

static uint32_t random_word(void)
{
    return (uint32_t)prng_next(&randomness);
}

static void random_bytes(void *const to, const size_t size)
{
    uint8_t *at = to;
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)prng_next(&randomness);
    }
}

static void make_random(uint64_t seed)
{
    static struct randombytes_implementation seeded = {
        .implementation_name = random_name, .random = random_word, .buf = random_bytes};
    randomness = prng_seeded(prng_mix(seed, 1, 1));
    int rc = randombytes_set_implementation(&seeded);
    assert(rc == 0);
    rc = sodium_init();
    assert(rc >= 0);
}

void __wrap_log_line(enum log_level level, const char *format, ...)
{
    char line[LOG_BYTES];
    const struct sim_part *part = sim_current_part();
    if (!is_loud || level > LOG_LEVEL_INFO) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%12.6f %-3s %s\n", (double)sim_now() / 1e9,
                  part == NULL ? "-" : part->name, line);
}

unsigned __wrap_sleep(unsigned seconds)
{
    (void)sim_wait(seconds * NS_PER_S);
    return 0;
}

/* --- the world --- */

static void draw_wires(struct prng *p)
{
    for (size_t i = 0; i < world.agent_count; i++) {
        struct world_agent *a = &world.agents[i];
        uint64_t link_ns = (100 + prng_below(p, 5000)) * NS_PER_US;
        uint64_t servers_ns = (50 + prng_below(p, 2000)) * NS_PER_US;
        world_wire_init(&a->up, prng_next(p), link_ns);
        world_wire_init(&a->down, prng_next(p), link_ns);
        world_wire_init(&a->to_servers, prng_next(p), servers_ns);
        world_wire_init(&a->from_servers, prng_next(p), servers_ns);
        a->receive_room = SIZE_MAX;
        a->port_68_is_taken = prng_below(p, 8) == 0;
    }
}

static void make_world(uint64_t seed, const char *dir, const struct play_how *how)
{
    static const uint32_t factors[] = {2, 4, 10};
    struct prng p = prng_seeded(prng_mix(seed, 2, 2));
    memset(&world, 0, sizeof(world));
    world.seed = seed;
    (void)snprintf(world.dir, sizeof(world.dir), "%s", dir);
    world.agent_count = 1 + prng_below(&p, WORLD_AGENTS_MAX);
    world.poll_factor = how->soak_hours > 0 ? 20 : factors[prng_below(&p, ARRAY_LEN(factors))];
    plot_draw(&p, world.agent_count, how->soak_hours);
    uint64_t path = prng_below(&p, 3);
    world.is_routed = path == 0 && !plot.shares_subnets;
    world.is_steered = path == 1;
    draw_wires(&p);
    pair_init(prng_seeded(prng_next(&p)), plot.lease_s);
    sim_set_sluggishness(prng_below(&p, 3) * 200 * NS_PER_US, prng_next(&p));
    parts_prepare();
    parts_start_coordinator();
    for (size_t i = 0; i < world.agent_count; i++) {
        parts_start_agent(&world.agents[i]);
    }
    faults_draw(&p, seed, how->is_calm);
}

static void check_end(void)
{
    if (!parts_facts.is_over) {
        oracle_violation(PROMISE_ENDS, "the run is not over");
    }
    if (sim_now() < plot.soak_hours * 3600 * NS_PER_S) {
        oracle_violation(PROMISE_ENDS, "the soak is over before its time");
    }
    if (sim_most_turns_per_s() > SIM_TURNS_MOST_PER_S) {
        oracle_violation(PROMISE_ENDS, "%llu turns in one second",
                         (unsigned long long)sim_most_turns_per_s());
    }
}

static void count_up(uint64_t count[PLAY_COUNT])
{
    static const enum play_count by_code[] = {PLAY_passed,  PLAY_failed,  PLAY_COUNT,
                                              PLAY_invalid, PLAY_aborted, PLAY_preflight_refused,
                                              PLAY_resource};
    count[PLAY_packets] = net_way_counts()->sent;
    count[PLAY_messages_lost] = net_link_lost();
    count[PLAY_leftovers_read] = net_link_leftovers();
    count[PLAY_agents_killed] = parts_facts.agent_deaths;
    count[PLAY_coordinators_killed] = parts_facts.coordinator_deaths;
    count[PLAY_runs] = parts_facts.runs;
    count[PLAY_resumed] = parts_facts.resumed;
    count[PLAY_clean_ups] = parts_facts.cleaned;
    int code = parts_facts.exit_code;
    if (code >= 0 && (size_t)code < ARRAY_LEN(by_code) && by_code[code] != PLAY_COUNT) {
        count[by_code[code]]++;
    }
}

void play(uint64_t seed, const char *dir, const struct play_how *how, struct play_result *out)
{
    is_loud = how->is_loud;
    make_random(seed);
    disk_install();
    make_world(seed, dir, how);
    if (is_loud) {
        (void)fputs(plot.scenario, stderr);
    }
    /* A clean-up, and runs anew after a coordinator that died, take their time, too. */
    sim_run(4 * plot.longest_ns + AFTER_LAST_NS);
    check_end();
    cover_note_faults(faults_effective());
    memset(out, 0, sizeof(*out));
    out->hash = sim_trace_hash();
    out->turns = sim_turns();
    out->virtual_s = (double)sim_now() / 1e9;
    out->exit_code = parts_facts.exit_code;
    out->violations = oracle_violations();
    for (unsigned i = 0; i < PROMISE_COUNT; i++) {
        out->by_promise[i] = oracle_violations_of((enum promise)i);
    }
    (void)snprintf(out->first, sizeof(out->first), "%s", oracle_first_violation());
    out->cover = cover;
    count_up(out->count);
}
