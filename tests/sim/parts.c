/* SPDX-License-Identifier: MIT */
#include "tests/sim/parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/edge/run_record.h"
#include "agent/edge/session.h"
#include "common/sign.h"
#include "coordinator/run/cleanup.h"
#include "coordinator/run/run.h"
#include "coordinator/run/run_resume.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/net_link.h"
#include "tests/sim/net_udp.h"
#include "tests/sim/oracle.h"
#include "tests/sim/os.h"
#include "tests/sim/plot.h"

enum {
    PATH_BYTES = 512,
    COORDINATOR_STACK_BYTES = 4 * 1024 * 1024,
    AGENT_STACK_BYTES = 1024 * 1024,
    RUNS_MAX = 3,
    EXIT_USAGE = 2,
    CLEANUP_MILLI_PER_S = 20000
};

#define GATHER_NS      (30 * NS_PER_S)
#define RESUME_WAIT_NS (30 * NS_PER_S)

struct parts_facts parts_facts = {.exit_code = -1};

/* What an agent's process holds of the kernel; given back when it dies. */
static struct life {
    struct state_dir state_dir;
    struct run_record *records;
} lives[WORLD_AGENTS_MAX];

static struct sign_key *operator_key;
static char keys_dir[PATH_BYTES], run_dir[PATH_BYTES];
static enum { NEXT_RUN, NEXT_RESUME } next_start;
static uint64_t back_after_ns = 2 * NS_PER_S; /* a coordinator that was killed */

static size_t index_of(const struct world_agent *agent)
{
    return (size_t)(agent - world.agents);
}

static const char *path_of(char out[PATH_BYTES], const char *dir, const char *name)
{
    int size = snprintf(out, PATH_BYTES, "%s/%s", dir, name);
    assert(size > 0 && size < PATH_BYTES);
    return out;
}

static void make_dir(const char *path)
{
    int rc = mkdir(path, 0700);
    assert(rc == 0);
}

/* --- keys and policies --- */

static void write_keys(void)
{
    char path[PATH_BYTES], why[KEY_WHY_BYTES];
    struct key_entry entries[WORLD_AGENTS_MAX];
    struct key_list list = {.entries = entries, .count = world.agent_count};
    make_dir(path_of(keys_dir, world.dir, "keys"));
    key_pair_make(&world.coordinator_key);
    int rc =
        key_pair_write(path_of(path, keys_dir, "coordinator.key"), &world.coordinator_key, why);
    assert(rc == 0);
    memset(entries, 0, sizeof(entries));
    for (size_t i = 0; i < world.agent_count; i++) {
        struct world_agent *agent = &world.agents[i];
        (void)snprintf(agent->name, sizeof(agent->name), "a%zu", i + 1);
        key_pair_make(&agent->own);
        (void)snprintf(entries[i].name, sizeof(entries[i].name), "%s", agent->name);
        (void)snprintf(entries[i].added, sizeof(entries[i].added), "2026-01-01");
        (void)snprintf(entries[i].expires, sizeof(entries[i].expires), "-");
        entries[i].role = KEY_ROLE_AGENT;
        memcpy(entries[i].public_key, agent->own.public_key, KEY_BYTES);
        make_dir(path_of(path, world.dir, agent->name));
    }
    rc = key_list_write(path_of(path, keys_dir, "agents.allow"), &list, why);
    assert(rc == 0);
    operator_key = sign_key_make();
    assert(operator_key != NULL);
}

static void make_policy(struct world_agent *agent)
{
    char text[2048], address[IPV4_TEXT_BYTES], operator_text[SIGN_PUBLIC_TEXT_BYTES];
    sign_public_to_text(sign_key_public(operator_key), operator_text);
    size_t at = (size_t)snprintf(text, sizeof(text), "servers: [");
    for (size_t i = 0; i < plot.server_count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? ", " : "",
                               inet_text(plot.servers[i], address));
    }
    at += (size_t)snprintf(text + at, sizeof(text) - at, "]\nprefixes: [%s/%u",
                           inet_text(plot.block.base, address), (unsigned)plot.block.prefix_bits);
    for (size_t i = 0; i < plot.relay_count; i++) {
        if (plot.relays[i].agent == index_of(agent)) {
            agent->address[agent->address_count++] = plot.relays[i].giaddr;
            at += (size_t)snprintf(text + at, sizeof(text) - at, ", %s/32",
                                   inet_text(plot.relays[i].giaddr, address));
        }
    }
    at += (size_t)snprintf(
        text + at, sizeof(text) - at,
        "]\nrun_time: 200h\nrenewals_without_coordinator: 60s\noperators: {op: {key: %s}}\n",
        operator_text);
    struct diag *why = calloc(1, sizeof(*why));
    assert(why != NULL);
    diag_init(why, "policy");
    bool is_good = policy_parse(text, at, &agent->policy, why);
    if (!is_good) {
        (void)fprintf(stderr, "%s", why->item[0].text);
    }
    assert(is_good);
    free(why);
}

void parts_prepare(void)
{
    write_keys();
    for (size_t i = 0; i < world.agent_count; i++) {
        make_policy(&world.agents[i]);
    }
}

/* --- agents --- */

static void agent_died(struct sim_part *part)
{
    struct world_agent *agent = world_agent_of(part);
    struct life *life = &lives[index_of(agent)];
    net_link_part_died(part);
    net_udp_part_died(part);
    state_dir_close(&life->state_dir);
    run_record_free(life->records);
    memset(life, 0, sizeof(*life));
}

static void *agent_main(void *argument)
{
    struct world_agent *agent = argument;
    struct life *life = &lives[index_of(agent)];
    struct link_context *context = NULL;
    char dir[PATH_BYTES], why[KEY_WHY_BYTES];
    int rc = state_dir_open(path_of(dir, world.dir, agent->name), &life->state_dir, why);
    assert(rc == 0);
    rc = run_record_load(dir, &life->records, why);
    assert(rc == 0);
    rc = link_context_new(&context);
    assert(rc == 0);
    struct session_setup setup = {.context = context,
                                  .host = "coordinator",
                                  .port = WORLD_PORT,
                                  .own = &agent->own,
                                  .policy = &agent->policy,
                                  .records = life->records,
                                  .state_dir = &life->state_dir,
                                  .stop_fd = agent->stop_fd};
    memcpy(setup.server_key, world.coordinator_key.public_key, KEY_BYTES);
    enum session_end end = session_run(&setup);
    sim_trace_number("agent ended", (uint64_t)end);
    parts_facts.had_agent_refusal = parts_facts.had_agent_refusal || end == SESSION_REFUSED;
    parts_facts.lost_agent = true;
    if (end == SESSION_INTERNAL) {
        oracle_violation(PROMISE_VERDICT, "%s ends with an internal error", agent->name);
    }
    sim_kill(agent->part);
    return NULL;
}

void parts_start_agent(struct world_agent *agent)
{
    struct sim_host host = {0};
    if (agent->part != NULL) {
        assert(agent->part->is_dead);
        host = agent->part->host; /* the process is new, the host is not */
    } else {
        faults_draw_host(&host, agent->name);
    }
    agent->part = calloc(1, sizeof(*agent->part));
    assert(agent->part != NULL);
    agent->part->host = host;
    agent->part->died = agent_died;
    (void)snprintf(agent->part->name, sizeof(agent->part->name), "%.8s", agent->name);
    agent->lives++;
    agent->stop_fd = os_event_fd();
    (void)sim_task_new(agent->part, AGENT_STACK_BYTES, agent_main, agent);
}

static void agent_is_back(void *context, uint64_t life)
{
    struct world_agent *agent = context;
    if (agent->lives == life && !parts_facts.is_over) {
        parts_start_agent(agent);
    }
}

void parts_kill_agent(struct world_agent *agent, uint64_t after_ns)
{
    if (agent->part->is_dead || parts_facts.is_over) {
        return;
    }
    sim_trace("killed", agent->name, strlen(agent->name));
    parts_facts.agent_deaths++;
    parts_facts.lost_agent = true;
    sim_kill(agent->part);
    if (after_ns > 0) {
        sim_after(after_ns, agent_is_back, agent, agent->lives);
    }
}

/* --- the coordinator --- */

static struct scenario *parse_scenario(void)
{
    struct scenario *s = calloc(1, sizeof(*s));
    struct diag *why = calloc(1, sizeof(*why));
    assert(s != NULL && why != NULL);
    diag_init(why, "scenario.yaml");
    if (!scenario_parse(plot.scenario, strlen(plot.scenario), s, why)) {
        for (size_t i = 0; i < why->count && i < DIAG_ITEMS_MAX; i++) {
            (void)fprintf(stderr, "scenario: %s\n", why->item[i].text);
        }
        (void)fputs(plot.scenario, stderr);
        assert(false); /* the plot draws good scenarios only */
    }
    free(why);
    return s;
}

static struct run_options options_of(const struct scenario *s)
{
    return (struct run_options){.scenario = s,
                                .scenario_path = "scenario.yaml",
                                .run_dir = run_dir,
                                .keys = keys_dir,
                                .signer = operator_key,
                                .listen_host = "coordinator",
                                .listen_port = WORLD_PORT,
                                .agents = world.agent_count,
                                .is_quiet = true,
                                .gather_ns = GATHER_NS};
}

static int play(const struct scenario *s)
{
    if (next_start == NEXT_RESUME) {
        parts_facts.resumed++;
        struct run_resume_options resume = {.run_dir = run_dir,
                                            .scenario = s,
                                            .keys = keys_dir,
                                            .listen_host = "coordinator",
                                            .listen_port = WORLD_PORT,
                                            .wait_ns = RESUME_WAIT_NS};
        return run_resume_execute(&resume);
    }
    char name[32];
    parts_facts.runs++;
    oracle_run_begins();
    (void)snprintf(name, sizeof(name), "run-%u", (unsigned)parts_facts.runs);
    (void)path_of(run_dir, world.dir, name);
    struct run_options options = options_of(s);
    return run_execute(&options);
}

static void judge(int code, bool was_killed)
{
    struct oracle_end end = {.dir = run_dir,
                             .exit_code = code,
                             .was_killed = was_killed,
                             .lost_agent = parts_facts.lost_agent || faults_may_lose_agents(),
                             .is_disturbed = faults_happened(),
                             .had_disk_error = disk_errors() > 0,
                             .may_be_incomplete = faults_may_hold_results(),
                             .may_be_refused = faults_happened()};
    sim_trace_number("exit code", (uint64_t)code);
    oracle_run_ended(&end);
}

static void clean_up(const struct scenario *s)
{
    struct cleanup_options cleanup = {.run_dir = run_dir,
                                      .scenario = s,
                                      .fleet = options_of(s),
                                      .rate_milli_per_s = CLEANUP_MILLI_PER_S};
    oracle_cleanup_begins();
    parts_facts.cleaned++;
    sim_trace_number("clean-up", (uint64_t)cleanup_execute(&cleanup));
}

static void *coordinator_main(void *argument)
{
    (void)argument;
    struct scenario *s = parse_scenario();
    int code = play(s);
    if (next_start == NEXT_RESUME && code == EXIT_USAGE) {
        /* Nothing to go on with: it had not come so far. */
        judge(code, true);
        next_start = NEXT_RUN;
        code = play(s);
    }
    next_start = NEXT_RUN;
    parts_facts.exit_code = code;
    judge(code, false);
    if (plot.has_cleanup_after && code != EXIT_USAGE && faults_may_clean_up()) {
        clean_up(s);
    }
    scenario_free(s);
    parts_facts.is_over = true;
    sim_end();
    sim_kill(world.coordinator);
    return NULL;
}

static void coordinator_is_back(void *context, uint64_t life);

/* Also when it dies by itself, at a commit. */
static void coordinator_died(struct sim_part *part)
{
    net_link_part_died(part);
    disk_part_died();
    disk_forget_kill();
    os_forget_signals();
    if (!parts_facts.is_over) {
        sim_trace("killed", "op", 2);
        next_start = faults_resumes() ? NEXT_RESUME : NEXT_RUN;
        parts_facts.coordinator_deaths++;
        sim_after(back_after_ns, coordinator_is_back, NULL, world.coordinator_lives);
    }
}

void parts_start_coordinator(void)
{
    struct sim_host host = {0};
    if (world.coordinator != NULL) {
        host = world.coordinator->host;
    } else {
        faults_draw_host(&host, "op");
    }
    world.coordinator = calloc(1, sizeof(*world.coordinator));
    assert(world.coordinator != NULL);
    world.coordinator->host = host;
    world.coordinator->died = coordinator_died;
    (void)snprintf(world.coordinator->name, sizeof(world.coordinator->name), "op");
    world.coordinator_lives++;
    (void)sim_task_new(world.coordinator, COORDINATOR_STACK_BYTES, coordinator_main, NULL);
}

static void coordinator_is_back(void *context, uint64_t life)
{
    (void)context;
    if (world.coordinator_lives != life || parts_facts.is_over || !world.coordinator->is_dead) {
        return;
    }
    if (next_start == NEXT_RUN) {
        judge(-1, true);
    }
    if (parts_facts.runs >= RUNS_MAX) {
        parts_facts.is_over = true;
        sim_end();
        return;
    }
    parts_start_coordinator();
}

void parts_kill_coordinator(uint64_t after_ns)
{
    back_after_ns = after_ns;
    if (!world.coordinator->is_dead && !parts_facts.is_over) {
        sim_kill(world.coordinator);
    }
}
