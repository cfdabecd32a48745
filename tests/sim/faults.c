/* SPDX-License-Identifier: MIT */
#include "tests/sim/faults.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "common/log.h"
#include "coordinator/run/run_fsm.h"
#include "tests/sim/disk.h"
#include "tests/sim/net_link.h"
#include "tests/sim/net_udp.h"
#include "tests/sim/os.h"
#include "tests/sim/pair.h"
#include "tests/sim/parts.h"
#include "tests/sim/plot.h"

enum { MOMENTS_MAX = 256, EXTRA_KINDS_MAX = 2, BY_CHANCE = 3 };

/* A fault with a beginning and an end. */
struct moment {
    enum fault_kind kind;
    uint64_t begin_ns, length_ns;
    size_t target;  /* agent or server */
    uint64_t draw;  /* whatever else it needs */
    unsigned phase; /* of the run in which it begins, so long after the phase has; 0: at begin_ns */
};

static struct moment moments[MOMENTS_MAX];
static size_t moment_count;
static uint64_t effective, tried;
static struct prng prng;

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[FAULT_COUNT] = {
#define X(name, text) text,
        FAULT_KINDS(X)
#undef X
    };
    return names[kind];
}

static void took_effect(enum fault_kind kind)
{
    effective |= UINT64_C(1) << kind;
}

static uint64_t between(uint64_t low, uint64_t high)
{
    return low + prng_below(&prng, high - low + 1);
}

/* --- what each does; `begins` or ends --- */

typedef void fault_fn(const struct moment *m, bool begins);

static struct world_wire *wires_of(struct world_agent *a, size_t i)
{
    struct world_wire *all[] = {&a->to_servers, &a->from_servers, &a->up, &a->down};
    return all[i];
}

/* Datagrams of both directions, and streams a little. */
static void set_wires(const struct moment *m, bool begins)
{
    struct world_agent *a = &world.agents[m->target];
    for (size_t i = 0; i < 4; i++) {
        struct world_wire *w = wires_of(a, i);
        uint32_t most = i < 2 ? 300 : 60;
        if (m->kind == FAULT_LOSS) {
            w->loses = begins ? 1 + (uint32_t)(m->draw % most) : 0;
        } else if (m->kind == FAULT_DUPLICATION) {
            w->doubles = begins ? 1 + (uint32_t)(m->draw % 300) : 0;
        } else if (m->kind == FAULT_REORDER) {
            w->delays = begins ? 50 + (uint32_t)(m->draw % 300) : 0;
            w->late_ns = 300 * NS_PER_MS;
        } else {
            assert(m->kind == FAULT_DELAY);
            uint64_t added_ns = (1 + m->draw % 400) * NS_PER_MS;
            w->base_ns += begins ? added_ns : 0 - added_ns;
        }
    }
    took_effect(m->kind);
}

/* One direction or both. */
static void cut_control(const struct moment *m, bool begins)
{
    struct world_agent *a = &world.agents[m->target];
    unsigned ways = 1 + (unsigned)(m->draw % 3);
    a->up.cuts += (ways & 1U) != 0 ? (begins ? 1U : 0U - 1U) : 0;
    a->down.cuts += (ways & 2U) != 0 ? (begins ? 1U : 0U - 1U) : 0;
    took_effect(m->kind);
}

static void cut_data(const struct moment *m, bool begins)
{
    world.agents[m->target].data_cuts += begins ? 1U : 0U - 1U;
    took_effect(m->kind);
}

static void cut_servers(const struct moment *m, bool begins)
{
    struct world_agent *a = &world.agents[m->target];
    unsigned ways = 1 + (unsigned)(m->draw % 3);
    a->to_servers.cuts += (ways & 1U) != 0 ? (begins ? 1U : 0U - 1U) : 0;
    a->from_servers.cuts += (ways & 2U) != 0 ? (begins ? 1U : 0U - 1U) : 0;
    took_effect(m->kind);
}

static void reset(const struct moment *m, bool begins)
{
    if (begins) {
        net_link_reset(&world.agents[m->target]);
        took_effect(m->kind);
    }
}

static struct sim_part *stopped_coordinator, *stopped_agent[WORLD_AGENTS_MAX];

static void pause_coordinator(const struct moment *m, bool begins)
{
    if (begins && !world.coordinator->is_dead && stopped_coordinator == NULL) {
        stopped_coordinator = world.coordinator;
        sim_stop(stopped_coordinator);
        took_effect(m->kind);
    } else if (!begins && stopped_coordinator != NULL) {
        sim_continue(stopped_coordinator);
        stopped_coordinator = NULL;
    }
}

static void pause_agent(const struct moment *m, bool begins)
{
    struct sim_part **stopped = &stopped_agent[m->target];
    struct sim_part *part = world.agents[m->target].part;
    if (begins && !part->is_dead && *stopped == NULL) {
        *stopped = part;
        sim_stop(part);
        took_effect(m->kind);
    } else if (!begins && *stopped != NULL) {
        sim_continue(*stopped);
        *stopped = NULL;
    }
}

static void kill_coordinator(const struct moment *m, bool begins)
{
    if (!begins || world.coordinator->is_dead) {
        return;
    }
    if (m->draw % 3 == 0) {
        parts_kill_coordinator(m->length_ns);
    } else {
        disk_kill_at_commit(m->draw % 3 == 1);
    }
}

static void kill_agent(const struct moment *m, bool begins)
{
    if (begins && !world.agents[m->target].part->is_dead) {
        parts_kill_agent(&world.agents[m->target], m->draw % 5 == 0 ? 0 : m->length_ns);
        took_effect(m->kind);
    }
}

static void break_disk(const struct moment *m, bool begins)
{
    if (begins) {
        disk_break(m->draw % 2 == 0 ? DISK_FULL : DISK_IO_ERROR, (unsigned)(m->draw / 2 % 6));
    } else {
        disk_mend();
    }
}

static struct sim_part *asleep[WORLD_AGENTS_MAX];

/* The host sleeps: afterwards its two clocks differ by so much more. */
static void step_clock(const struct moment *m, bool begins)
{
    struct world_agent *a = &world.agents[m->target];
    if (begins && !a->part->is_dead && asleep[m->target] == NULL) {
        asleep[m->target] = a->part;
        sim_suspend(a->part);
        took_effect(m->kind);
    } else if (!begins && asleep[m->target] != NULL) {
        sim_resume(asleep[m->target]);
        asleep[m->target] = NULL;
    }
}

static void lie(const struct moment *m, bool begins)
{
    size_t server = m->target % plot.server_count;
    enum pair_lie which = (enum pair_lie)(1 + m->draw % (LIE_COUNT - 1));
    pair_set_lie(server, begins ? which : LIE_NONE);
}

static void take_server_down(const struct moment *m, bool begins)
{
    pair_set_down(m->target % plot.server_count, begins);
}

static void operate(const struct moment *m, bool begins)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};
    int number = signals[m->draw % ARRAY_LEN(signals)];
    bool is_second = !begins && number == SIGINT && m->draw / 3 % 2 == 0;
    if ((begins || is_second) && !world.coordinator->is_dead) {
        os_signal(number);
        took_effect(m->kind);
    }
}

static void refuse_sends(const struct moment *m, bool begins)
{
    static const int errors[] = {EPERM, ENOBUFS, EAGAIN, ENETUNREACH};
    struct world_agent *a = &world.agents[m->target];
    a->refuses_sends = begins ? 1 + (uint32_t)(m->draw % 400) : 0;
    a->send_errno = errors[m->draw / 400 % ARRAY_LEN(errors)];
    took_effect(m->kind);
}

static void fill_socket(const struct moment *m, bool begins)
{
    world.agents[m->target].receive_room = begins ? m->draw % 2 : SIZE_MAX;
}

static fault_fn *const functions[FAULT_COUNT] = {
    [FAULT_LOSS] = set_wires,
    [FAULT_DUPLICATION] = set_wires,
    [FAULT_REORDER] = set_wires,
    [FAULT_DELAY] = set_wires,
    [FAULT_CONTROL_CUT] = cut_control,
    [FAULT_DATA_CUT] = cut_data,
    [FAULT_SERVER_CUT] = cut_servers,
    [FAULT_RESET] = reset,
    [FAULT_PAUSE_COORDINATOR] = pause_coordinator,
    [FAULT_PAUSE_AGENT] = pause_agent,
    [FAULT_KILL_COORDINATOR] = kill_coordinator,
    [FAULT_KILL_AGENT] = kill_agent,
    [FAULT_DISK] = break_disk,
    [FAULT_CLOCK_STEP] = step_clock,
    [FAULT_LIE] = lie,
    [FAULT_SERVER_DOWN] = take_server_down,
    [FAULT_OPERATOR] = operate,
    [FAULT_SEND_ERROR] = refuse_sends,
    [FAULT_FULL_SOCKET] = fill_socket,
};

/* --- when --- */

static void moment_ends(void *context, uint64_t number);

static void moment_begins(void *context, uint64_t number)
{
    const struct moment *m = context;
    (void)number;
    if (!parts_facts.is_over) {
        sim_trace("begins", fault_name(m->kind), 3);
        log_info("*** %s begins, %zu, for %.3f s (%u)", fault_name(m->kind), m->target + 1,
                 (double)m->length_ns / 1e9, (unsigned)(m->draw % 1000));
        functions[m->kind](m, true);
        sim_after(m->length_ns, moment_ends, context, 0);
    }
}

static void moment_ends(void *context, uint64_t number)
{
    const struct moment *m = context;
    (void)number;
    if (!parts_facts.is_over) {
        sim_trace("ends", fault_name(m->kind), 3);
        log_info("*** %s ends, %zu", fault_name(m->kind), m->target + 1);
        functions[m->kind](m, false);
    }
}

/* Datagrams suffer for a while; the rest is shorter. */
static uint64_t length_of(enum fault_kind kind)
{
    bool is_silence = kind == FAULT_PAUSE_COORDINATOR || kind == FAULT_PAUSE_AGENT ||
                      kind == FAULT_CLOCK_STEP || kind == FAULT_CONTROL_CUT;
    if (is_silence) {
        /* About as long as a run lease, or much shorter, or longer than anybody waits. */
        uint64_t which = between(0, 2);
        return which == 0   ? between(10, 900) * NS_PER_MS
               : which == 1 ? between(2000, 5400) * NS_PER_MS
                            : between(1, 14) * NS_PER_S;
    }
    if (kind == FAULT_KILL_COORDINATOR || kind == FAULT_KILL_AGENT) {
        return between(100, 12000) * NS_PER_MS; /* until it is back */
    }
    if (kind == FAULT_DISK) {
        return between(0, 1) == 0 ? 100 * NS_PER_MS : 20 * NS_PER_S;
    }
    return kind == FAULT_OPERATOR ? between(5, 3000) * NS_PER_MS : between(1, 30) * NS_PER_S;
}

static void add(enum fault_kind kind, uint64_t span_ns)
{
    if (moment_count == MOMENTS_MAX) {
        return;
    }
    struct moment *m = &moments[moment_count++];
    tried |= UINT64_C(1) << kind;
    m->kind = kind;
    /* Half of them early, when a run is set up; the rest over all of it. */
    uint64_t most_ns = between(0, 2) == 0 ? 4 * NS_PER_S : span_ns;
    m->begin_ns = between(10 * NS_PER_MS, most_ns);
    m->length_ns = length_of(kind);
    m->target = between(0, world.agent_count - 1);
    m->draw = prng_next(&prng);
    if (kind == FAULT_DATA_CUT && between(0, 1) == 0) {
        /* When the last results are on their way, for longer than they are waited for. */
        m->phase = RUN_DRAIN;
        m->begin_ns = between(0, 60) * NS_PER_MS;
        m->length_ns = between(1, 45) * NS_PER_S;
    } else if (between(0, 3) == 0) {
        m->phase = (unsigned)between(RUN_PREPARE, RUN_RECONCILE);
        m->begin_ns = between(0, 8) * between(0, 8) * NS_PER_MS;
    } else {
        sim_at(m->begin_ns, moment_begins, m, 0);
    }
}

void faults_at_phase(unsigned phase)
{
    for (size_t i = 0; i < moment_count; i++) {
        if (moments[i].phase == phase && phase != RUN_GATHER) {
            moments[i].phase = 0;
            sim_after(moments[i].begin_ns, moment_begins, &moments[i], 0);
        }
    }
}

/* What a long run must bear: nobody is away for longer than a run lease, and whoever dies is back.
 */
static void draw_soak(bool is_calm)
{
    static const enum fault_kind kinds[] = {
        FAULT_LOSS,        FAULT_DUPLICATION,       FAULT_REORDER,     FAULT_DELAY,
        FAULT_CONTROL_CUT, FAULT_DATA_CUT,          FAULT_SERVER_CUT,  FAULT_RESET,
        FAULT_PAUSE_AGENT, FAULT_PAUSE_COORDINATOR, FAULT_SERVER_DOWN, FAULT_SEND_ERROR,
        FAULT_CLOCK_STEP,  FAULT_KILL_COORDINATOR,  FAULT_FULL_SOCKET};
    uint64_t hours = is_calm ? 0 : plot.soak_hours;
    for (uint64_t i = 0; i < 3 * hours && moment_count < MOMENTS_MAX; i++) {
        struct moment *m = &moments[moment_count++];
        m->kind = kinds[between(0, ARRAY_LEN(kinds) - 1)];
        m->begin_ns = between(120, hours * 3600) * NS_PER_S;
        m->length_ns = between(1, 3) * NS_PER_S;
        m->target = between(0, world.agent_count - 1);
        m->draw = prng_next(&prng);
        tried |= UINT64_C(1) << m->kind;
        sim_at(m->begin_ns, moment_begins, m, 0);
    }
}

void faults_draw(struct prng *p, uint64_t number, bool is_calm)
{
    prng = prng_seeded(prng_next(p));
    if (is_calm || plot.soak_hours > 0) {
        draw_soak(is_calm);
        return;
    }
    /* All pairs in turn, a kind with itself among them. */
    uint64_t pair = number % (FAULT_COUNT * (FAULT_COUNT + 1) / 2);
    enum fault_kind a = 0;
    while (pair > (uint64_t)a) {
        pair -= (uint64_t)a + 1;
        a++;
    }
    uint64_t span_ns = (30 + 3 * (uint64_t)plot.lease_s) * NS_PER_S;
    for (uint64_t i = between(0, 1); i < 2; i++) {
        add(a, span_ns);
        add((enum fault_kind)pair, span_ns);
    }
    for (uint64_t i = between(0, BY_CHANCE); i > BY_CHANCE - EXTRA_KINDS_MAX; i--) {
        add((enum fault_kind)between(0, FAULT_COUNT - 1), span_ns);
    }
}

void faults_draw_host(struct sim_host *out, const char *name)
{
    uint64_t own =
        prng_mix(world.seed, 7, (uint64_t)(unsigned char)name[0] * 256 + (unsigned char)name[1]);
    out->boot_ns = (1 + own % 1000000) * NS_PER_S + own % NS_PER_S;
    out->drift_ppb = (int64_t)(own % 100001) - 50000;
}

/* --- what came of it --- */

uint64_t faults_effective(void)
{
    const struct net_way_counts *net = net_way_counts();
    uint64_t seen = effective;
    seen |= disk_errors() > 0 ? UINT64_C(1) << FAULT_DISK : 0;
    seen |= parts_facts.coordinator_deaths > 0 ? UINT64_C(1) << FAULT_KILL_COORDINATOR : 0;
    seen |= pair_counts()->lies > 0 ? UINT64_C(1) << FAULT_LIE : 0;
    seen |= pair_counts()->while_down > 0 ? UINT64_C(1) << FAULT_SERVER_DOWN : 0;
    seen |= net->dropped > 0 && (tried >> FAULT_FULL_SOCKET & 1) != 0
                ? UINT64_C(1) << FAULT_FULL_SOCKET
                : 0;
    return seen & tried;
}

uint64_t faults_tried(void)
{
    return tried;
}

bool faults_happened(void)
{
    return tried != 0;
}

bool faults_may_lose_agents(void)
{
    static const enum fault_kind kinds[] = {FAULT_CONTROL_CUT, FAULT_PAUSE_COORDINATOR,
                                            FAULT_PAUSE_AGENT, FAULT_KILL_COORDINATOR,
                                            FAULT_KILL_AGENT,  FAULT_CLOCK_STEP,
                                            FAULT_DELAY,       FAULT_LOSS,
                                            FAULT_RESET,       FAULT_REORDER};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if ((tried >> kinds[i] & 1) != 0) {
            return true;
        }
    }
    return false;
}

bool faults_may_hold_results(void)
{
    return (tried >> FAULT_DATA_CUT & 1) != 0;
}

bool faults_may_clean_up(void)
{
    return (tried >> FAULT_KILL_COORDINATOR & 1) == 0 && (tried >> FAULT_OPERATOR & 1) == 0;
}

bool faults_resumes(void)
{
    return plot.soak_hours > 0 || prng_below(&prng, 4) != 0;
}
