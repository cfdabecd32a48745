/* SPDX-License-Identifier: MIT */
#include "coordinator/run/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "coordinator/run/lease_books.h"
#include "coordinator/run/cleanup_report.h"
#include "coordinator/run/returning.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/truth/ledger.h"

enum {
    ROUNDS_MAX = 6,
    SMALL_STAGES_MAX = 2,
    EXIT_ACTIVE = 1,
    EXIT_USAGE = 2,
    EXIT_UNCONFIRMED = 3,
    EXIT_ABORTED = 4,
    EXIT_INTERNAL = 6,
    SERVERS_WRITE_S = 2 /* for the servers to read and write what was sent last */
};
#define RATE_MIN_MILLI_PER_S UINT64_C(50000)

struct cleanup {
    const struct cleanup_options *options;
    struct plan plan; /* of the run that left the leases */
    struct leases_left left;
    struct control_adopted *adopted; /* of the round */
    size_t adopted_count;
    bool is_every_book_read;
    unsigned played; /* small runs so far: cleanup-1, -2, ... */
};

static int fail(const char *why, int exit_code)
{
    (void)fprintf(stderr, "leaseherd cleanup: %s\n", why);
    return exit_code;
}

/* --- what is left --- */

static bool visit_event(void *context, const char *agent, const struct event *e, int64_t run_us)
{
    struct cleanup *c = context;
    (void)agent;
    (void)run_us;
    leases_left_event(&c->left, e);
    return !c->left.is_out_of_memory;
}

static int read_ledger(struct cleanup *c)
{
    char path[RUN_DIR_PATH_BYTES], why[RUN_DIR_PATH_BYTES + 200];
    struct ledger *ledger = NULL;
    int rc = ledger_open(run_dir_path(c->options->run_dir, "ledger.db", path), &ledger);
    if (rc == 0) {
        rc = ledger_walk(ledger, visit_event, c);
    }
    ledger_close(ledger);
    if (rc < 0) {
        (void)snprintf(why, sizeof(why), "cannot read %s: %s", path, strerror(-rc));
        return fail(why, rc == -ENOMEM ? EXIT_INTERNAL : EXIT_USAGE);
    }
    return leases_left_close(&c->left) ? 0 : fail("out of memory", EXIT_INTERNAL);
}

static int look(struct cleanup *c)
{
    struct lease_books books;
    lease_books_read(&books, c->options->scenario, stderr);
    bool is_good = leases_left_check(&c->left, &c->plan, books.view, books.count);
    c->is_every_book_read = true;
    for (size_t i = 0; i < books.count; i++) {
        c->is_every_book_read = c->is_every_book_read && books.view[i].book != NULL;
    }
    lease_books_free(&books);
    return is_good ? 0 : fail("out of memory", EXIT_INTERNAL);
}

/* What a small run may touch is read from the scenario: it must be what the leases were made by. */
static int check_is_one_run(const struct cleanup *c)
{
    const struct scenario *s = c->options->scenario;
    const struct scenario_server *servers = s->servers.items;
    bool is_one = inet_equal(s->block.base, c->plan.block.base) &&
                  s->block.prefix_bits == c->plan.block.prefix_bits &&
                  s->servers.count == c->plan.server_count;
    for (size_t i = 0; is_one && i < s->servers.count; i++) {
        is_one = inet_equal(servers[i].address, c->plan.servers[i].address);
    }
    return is_one ? 0
                  : fail("scenario.yaml and plan.bin of this run name different servers or another "
                         "block; put back the scenario.yaml that the run wrote (only `leases:` "
                         "may be added to its servers)",
                         EXIT_USAGE);
}

/* --- one small run --- */

/* What a small run plays, at one rate. */
struct small_run {
    const enum plan_stage_kind *kinds;
    size_t kind_count; /* 1 .. SMALL_STAGES_MAX */
    uint64_t rate_milli_per_s;
};

/* Nothing judged, nothing cleaned up afterwards. */
static struct scenario small_scenario(const struct cleanup *c, const struct small_run *run,
                                      struct scenario_stage stages[SMALL_STAGES_MAX])
{
    struct scenario s = *c->options->scenario;
    /* A round that loses an agent is followed by another one. */
    s.on_agent_loss =
        s.on_agent_loss == AGENT_LOSS_REASSIGN ? AGENT_LOSS_CONTINUE : s.on_agent_loss;
    s.renewals_alone_ns = 0;
    uint64_t needed_ns = (uint64_t)((double)c->adopted_count * 1e3 / (double)run->rate_milli_per_s *
                                    (double)NS_PER_S);
    uint64_t timeout_ns = 60 * NS_PER_S + 2 * needed_ns;
    for (size_t i = 0; i < run->kind_count; i++) {
        stages[i] = (struct scenario_stage){.kind = run->kinds[i],
                                            .rate_milli_per_s = run->rate_milli_per_s,
                                            .timeout_ns = timeout_ns};
        (void)snprintf(stages[i].name, sizeof(stages[i].name), "%s",
                       plan_stage_kind_name(run->kinds[i]));
    }
    s.stages = (struct schema_array){.items = stages, .count = run->kind_count};
    s.judgements = s.events = (struct schema_array){0};
    s.has_search = false;
    s.cleanup_on = 0;
    s.release_milli_per_s = 0;
    s.identity = IDENTITY_RETURNING;
    (void)snprintf(s.returning, sizeof(s.returning), "%s", c->options->run_dir);
    s.time_ns = run->kind_count * timeout_ns + 60 * NS_PER_S;
    return s;
}

static int play(struct cleanup *c, const struct small_run *run, char dir[RUN_DIR_PATH_BYTES])
{
    char name[32];
    struct scenario_stage stages[SMALL_STAGES_MAX];
    struct scenario s = small_scenario(c, run, stages);
    const struct run_adoption adoption = {.leases = c->adopted, .count = c->adopted_count};
    struct run_options options = c->options->fleet;
    do {
        (void)snprintf(name, sizeof(name), "cleanup-%u", ++c->played);
        (void)run_dir_path(c->options->run_dir, name, dir);
    } while (access(dir, F_OK) == 0); /* an earlier clean-up's */
    options.scenario = &s;
    options.scenario_path = c->options->run_dir;
    options.run_dir = dir;
    options.adoption = &adoption;
    options.is_quiet = true;
    int code = run_execute(&options);
    /* Nothing was judged: a small run that was cut short says so with these only. */
    bool is_over = code == EXIT_USAGE || code == EXIT_ABORTED || code >= EXIT_ABORTED;
    return is_over ? code : 0;
}

/* --- rounds --- */

/* The other server of the lease's relay: first the one that granted it, then its partner. */
static struct ipv4 target_of(const struct cleanup *c, const struct left_lease *lease,
                             unsigned round)
{
    const struct plan_relay *relay = &c->plan.relays[plan_relay_of(&c->plan, lease->client)];
    uint8_t first = 0;
    for (uint8_t i = 0; i < relay->to_count; i++) {
        if (inet_equal(c->plan.servers[relay->to[i]].address, lease->server)) {
            first = i;
        }
    }
    return c->plan.servers[relay->to[(first + round) % relay->to_count]].address;
}

/*
 * Leases to take up: in the first round all that are not proven free, later
 * those proven active. One per client and round: a client has one address.
 */
static void choose(struct cleanup *c, unsigned round, bool is_question)
{
    c->adopted_count = 0;
    for (size_t i = 0; i < c->left.count; i++) {
        const struct left_lease *lease = &c->left.list[i];
        bool is_due = lease->proof == LEFT_ACTIVE ||
                      (lease->proof == LEFT_UNCONFIRMED && (round == 0 || is_question));
        bool is_same_client =
            c->adopted_count > 0 && c->adopted[c->adopted_count - 1].client == lease->client;
        if (!is_due || is_same_client || lease->client >= c->plan.client_count ||
            !inet_net_contains(c->plan.block, lease->addr)) {
            continue;
        }
        c->adopted[c->adopted_count++] = (struct control_adopted){
            .client = lease->client,
            .addr = lease->addr,
            .server = is_question ? lease->server : target_of(c, lease, round)};
    }
}

static bool can_ask(const struct cleanup *c)
{
    const struct scenario_server *servers = c->options->scenario->servers.items;
    for (size_t i = 0; i < c->options->scenario->servers.count; i++) {
        if (servers[i].lease_source == LEASES_QUERY) {
            return true;
        }
    }
    return false;
}

static bool visit_answer(void *context, const char *agent, const struct event *e, int64_t run_us)
{
    struct cleanup *c = context;
    (void)agent;
    (void)run_us;
    if (e->kind == EVENT_QUERY && e->result != EVENT_GAVE_UP) {
        leases_left_asked(&c->left, e->client, e->addr,
                          e->result == EVENT_LEASED       ? LEFT_ACTIVE
                          : e->result == EVENT_UNASSIGNED ? LEFT_FREE
                                                          : LEFT_UNCONFIRMED);
    }
    return true;
}

/* DHCPLEASEQUERY to those servers whose book is nowhere else. */
static int ask(struct cleanup *c)
{
    const struct scenario_server *servers = c->options->scenario->servers.items;
    char dir[RUN_DIR_PATH_BYTES], path[2 * RUN_DIR_PATH_BYTES];
    struct ledger *ledger = NULL;
    choose(c, 0, true);
    size_t kept = 0;
    for (size_t i = 0; i < c->adopted_count; i++) {
        for (size_t s = 0; s < c->options->scenario->servers.count; s++) {
            if (servers[s].lease_source == LEASES_QUERY &&
                inet_equal(servers[s].address, c->adopted[i].server)) {
                c->adopted[kept++] = c->adopted[i];
                break;
            }
        }
    }
    c->adopted_count = kept;
    if (kept == 0) {
        return 0;
    }
    static const enum plan_stage_kind query = PLAN_QUERY;
    int code = play(c, &(struct small_run){&query, 1, c->options->rate_milli_per_s}, dir);
    if (code != 0) {
        return code;
    }
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    if (ledger_open(path, &ledger) < 0 || ledger_walk(ledger, visit_answer, c) < 0) {
        code = fail("cannot read the answers of DHCPLEASEQUERY", EXIT_INTERNAL);
    }
    ledger_close(ledger);
    return code;
}

static int look_and_ask(struct cleanup *c)
{
    int code = look(c);
    return code == 0 && can_ask(c) ? ask(c) : code;
}

/*
 * When neither partner frees a lease, one of them has freed it and not told the other, and
 * the other is not responsible (a Kea pair under many RELEASEs at once): from the third
 * round on the lease is taken once more, which both learn of, and then given back.
 */
static int play_round(struct cleanup *c, unsigned round, uint64_t rate_milli_per_s)
{
    static const enum plan_stage_kind kinds[] = {PLAN_RENEW, PLAN_RELEASE};
    char dir[RUN_DIR_PATH_BYTES];
    bool is_renewed = round >= 2;
    (void)printf("round %u: %zu %s at %.0f/s%s\n", round + 1, c->adopted_count,
                 is_renewed ? "renewed and released" : "RELEASEs", (double)rate_milli_per_s / 1e3,
                 round % 2 == 1 ? ", through the partner of the server that granted" : "");
    (void)fflush(stdout);
    size_t first = is_renewed ? 0 : 1;
    const struct small_run run = {kinds + first, ARRAY_LEN(kinds) - first, rate_milli_per_s};
    return play(c, &run, dir);
}

/* A server reads what it can: what was lost at one pace is sent again at half of it. */
static int play_rounds(struct cleanup *c)
{
    uint64_t rate = c->options->rate_milli_per_s;
    const uint64_t least = rate < RATE_MIN_MILLI_PER_S ? rate : RATE_MIN_MILLI_PER_S;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        choose(c, round, false);
        if (c->adopted_count == 0) {
            return 0;
        }
        int code = play_round(c, round, rate);
        if (code == 0) {
            (void)sleep(SERVERS_WRITE_S);
            code = look_and_ask(c);
        }
        if (code != 0) {
            return code;
        }
        rate = rate / 2 > least ? rate / 2 : least; /* --rate is the most, always */
    }
    return 0;
}

/*
 * The ledger of a run that was killed lacks what its last moments brought. Only a whole book
 * of every server shows such leases; DHCPLEASEQUERY is asked about known ones.
 */
static bool is_more_possible(const struct cleanup *c)
{
    char path[RUN_DIR_PATH_BYTES];
    bool is_ledger_whole =
        access(run_dir_path(c->options->run_dir, "report.json", path), F_OK) == 0;
    return !is_ledger_whole && !c->is_every_book_read;
}

static int conclude(const struct cleanup *c)
{
    struct left_tally tally = leases_left_tally(&c->left);
    bool is_proven = tally.unconfirmed == 0 && !is_more_possible(c);
    return tally.active > 0 ? EXIT_ACTIVE : is_proven ? 0 : EXIT_UNCONFIRMED;
}

int cleanup_execute(const struct cleanup_options *options)
{
    struct cleanup c = {.options = options};
    char why[RETURNING_WHY_BYTES];
    if (!returning_read(options->run_dir, &c.plan, why)) {
        return fail(why, EXIT_USAGE);
    }
    int code = check_is_one_run(&c);
    code = code == 0 ? read_ledger(&c) : code;
    code = code == 0 ? look(&c) : code;
    if (code == 0) {
        c.adopted = calloc(c.left.count + c.plan.client_count + 1, sizeof(*c.adopted));
        code = c.adopted == NULL ? fail("out of memory", EXIT_INTERNAL) : 0;
    }
    const struct left_tally before = leases_left_tally(&c.left);
    if (code == 0) {
        cleanup_report_before(stdout, &c.left, &before);
        code = options->is_dry ? 0 : play_rounds(&c);
    }
    if (code == 0 && !options->is_dry) {
        const struct cleanup_told told = {options->scenario, &c.left, &before,
                                          is_more_possible(&c)};
        code = cleanup_report_write(options->run_dir, &told) < 0
                   ? fail("cannot write cleanup.txt and cleanup.json into the run directory",
                          EXIT_INTERNAL)
                   : conclude(&c);
    }
    free(c.adopted);
    leases_left_fini(&c.left);
    plan_free(&c.plan);
    return code;
}
