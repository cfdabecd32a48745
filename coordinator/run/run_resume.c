/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_resume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/run/confinement.h"
#include "coordinator/run/returning.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_lock.h"
#include "coordinator/run/run_log.h"
#include "coordinator/run/run_replay.h"
#include "coordinator/run/run_trail.h"
#include "coordinator/run/steps.h"

/* 2: there is nothing to go on with. 6: there is, but this host is not ready for it now. */
enum { EXIT_USAGE = 2, EXIT_INTERNAL = 6 };

/* How the run was begun, from the ledger's facts. */
struct origin {
    struct run_options options;
    char host[LEDGER_FACT_BYTES], keys[LEDGER_FACT_BYTES];
};

static int fail(int exit_code, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(int exit_code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("leaseherd resume: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return exit_code;
}

/* --- what there is --- */

/* The dead coordinator's lock is free; a living one's is not. */
static int take_over(struct run *run, const char *dir)
{
    char path[RUN_DIR_PATH_BYTES], why[RUN_LOCK_WHY_BYTES];
    struct stat about;
    if (stat(dir, &about) < 0 || strlen(dir) >= sizeof(run->dir)) {
        return fail(EXIT_USAGE, "cannot use %.256s: %s; name the directory of a run", dir,
                    errno == 0 ? "its path is too long" : strerror(errno));
    }
    if (access(run_dir_path(dir, "plan.bin", path), F_OK) < 0) {
        return fail(EXIT_USAGE, "%s is not there; name the directory of a run", path);
    }
    if (access(run_dir_path(dir, "report.json", path), F_OK) == 0) {
        return fail(EXIT_USAGE, "the run is over; leaseherd report %s prints its report", dir);
    }
    (void)snprintf(run->dir, sizeof(run->dir), "%s", dir);
    run->started_wall_s = clock_realtime_ns() / NS_PER_S;
    run->lock_fd = run_lock_take(dir, run->started_wall_s, why);
    if (run->lock_fd == -EAGAIN || run->lock_fd == -EACCES) {
        return fail(EXIT_INTERNAL, "the run is being played at this moment (%s/run.lock is held)",
                    dir);
    }
    if (run->lock_fd < 0) {
        return fail(EXIT_INTERNAL, "%s", why);
    }
    return run_found(dir) == RUN_FOUND_UNBEGUN
               ? fail(EXIT_USAGE, "the run in %s never began; start it again with leaseherd run",
                      dir)
               : 0;
}

static int read_plan(struct run *run)
{
    char why[RETURNING_WHY_BYTES];
    if (!returning_read(run->dir, &run->plan, why)) {
        return fail(EXIT_USAGE, "%s", why);
    }
    bool is_its = strcmp(run->plan.scenario, run->scenario->name) == 0 &&
                  run->plan.server_count == run->scenario->servers.count &&
                  run->plan.relay_count == run->scenario->relays.count &&
                  run->plan.stage_count >= run->scenario->stages.count;
    if (!is_its) {
        return fail(EXIT_USAGE, "scenario.yaml and plan.bin of %s are not of one run", run->dir);
    }
    run->plan_size = plan_encode(&run->plan, NULL, 0);
    run->plan_bytes = malloc(run->plan_size);
    if (run->plan_bytes == NULL) {
        return fail(EXIT_INTERNAL, "out of memory");
    }
    plan_encode(&run->plan, run->plan_bytes, run->plan_size);
    plan_hash(run->plan_bytes, run->plan_size, run->plan_hash);
    char reason[PLAN_SIG_WHY_BYTES];
    return plan_sig_read(run->dir, run->plan_bytes, run->plan_size, &run->plan_sig, reason) < 0
               ? fail(EXIT_USAGE, "%s", reason)
               : 0;
}

static bool number_fact(struct ledger *ledger, const char *name, uint64_t most, uint64_t *out)
{
    char text[LEDGER_FACT_BYTES], *end = NULL;
    if (!ledger_fact(ledger, name, text) || text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *out <= most;
}

/* How agents found the coordinator: they look for it there again. */
static bool read_origin(struct run *run, const struct run_resume_options *o, struct origin *origin)
{
    uint64_t is_local = 0, port = 0;
    char boot[LEDGER_FACT_BYTES], here[RUN_BOOT_ID_BYTES];
    if (!number_fact(run->ledger, "is_local", 1, &is_local) ||
        !number_fact(run->ledger, "started_wall_s", INT64_MAX, &run->started_wall_s) ||
        !ledger_fact(run->ledger, "boot_id", boot)) {
        return false;
    }
    run->is_other_boot = strcmp(boot, run_boot_id(here)) != 0;
    origin->options.is_local = is_local != 0;
    if (is_local == 0 && (!ledger_fact(run->ledger, "listen_host", origin->host) ||
                          !ledger_fact(run->ledger, "keys", origin->keys) ||
                          !number_fact(run->ledger, "listen_port", UINT16_MAX, &port))) {
        return false;
    }
    origin->options.listen_host = o->listen_host != NULL ? o->listen_host : origin->host;
    origin->options.listen_port = o->listen_host != NULL ? o->listen_port : (uint16_t)port;
    origin->options.keys = o->keys != NULL ? o->keys : origin->keys;
    return true;
}

static bool is_of_plan(struct run *run)
{
    char name[LEDGER_FACT_BYTES];
    return ledger_fact(run->ledger, "run", name) && strcmp(name, run->plan.run_name) == 0;
}

static int open_ledger(struct run *run, const struct run_resume_options *o, struct origin *origin)
{
    char path[RUN_DIR_PATH_BYTES];
    int rc = ledger_reopen(run_dir_path(run->dir, "ledger.db", path), &run->ledger);
    if (rc == -ENOENT) {
        return fail(EXIT_USAGE, "the run had not begun when its coordinator ended; start it again");
    }
    if (rc == -EBADMSG || rc == -EPROTONOSUPPORT) {
        return fail(EXIT_USAGE, "%s is no ledger of this version of leaseherd", path);
    }
    if (rc < 0) {
        return fail(EXIT_INTERNAL, "cannot open %s to write: %s", path, strerror(-rc));
    }
    rc = is_of_plan(run) && read_origin(run, o, origin) ? run_replay_fleet(run) : -EBADMSG;
    if (rc == -EBADMSG) {
        return fail(EXIT_USAGE,
                    "%s does not tell who played what: the run had not begun; start it again",
                    path);
    }
    return rc < 0 ? fail(EXIT_INTERNAL, "cannot read %s: %s", path, strerror(-rc)) : 0;
}

/* --- what it meant --- */

static bool make_truth(struct run *run)
{
    size_t count = run->roster.count;
    struct truth_agent *agents = calloc(count, sizeof(*agents));
    for (size_t i = 0; agents != NULL && i < count; i++) {
        memcpy(agents[i].name, run->roster.agents[i].name, sizeof(agents[i].name));
        agents[i].clients = run->roster.agents[i].hand.clients;
    }
    run->truth = agents == NULL ? NULL : truth_new(run->scenario, &run->plan, agents, count);
    free(agents);
    return run->truth != NULL;
}

/* In the place of one there is; what stands there may be a link that a stranger has put. */
static FILE *new_file(const char *path)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL && fd >= 0) {
        (void)close(fd);
    }
    return file;
}

static int recall(struct run *run, int64_t *out_last_us)
{
    char path[RUN_DIR_PATH_BYTES], why[RUN_DIR_WHY_BYTES];
    if (run_trail_open(run, "run_resumed") != 0) {
        return EXIT_INTERNAL;
    }
    /* Begun anew: the replay writes every line of it that is in the ledger. */
    run->problems = new_file(run_dir_path(run->dir, "problems.log", path));
    run->terminal = terminal_new(stderr, isatty(STDERR_FILENO));
    if (run->problems == NULL || run->terminal == NULL || !make_truth(run)) {
        return fail(EXIT_INTERNAL, "cannot write into %s, or out of memory", run->dir);
    }
    if (run_events_open(run, why) < 0) {
        return fail(EXIT_INTERNAL, "%s", why);
    }
    int rc = run_replay_ledger(run, out_last_us);
    if (rc == -EBADMSG && run->start_ns != 0) {
        return fail(EXIT_USAGE, "the ledger of %s is damaged; leaseherd export shows what is in it",
                    run->dir);
    }
    if (rc < 0 && rc != -EBADMSG) {
        return fail(EXIT_INTERNAL, "cannot read the ledger: %s", ledger_why(run->ledger));
    }
    if (run->phase != RUN_STAGE && run->phase != RUN_DRAIN) {
        return fail(EXIT_USAGE,
                    "no load had begun when the coordinator ended; start the run again");
    }
    return 0;
}

/* --- and on --- */

/* What was to end within a time may take as much longer: it is as far from now as it was then. */
static void put_off(struct run *run, int64_t last_us)
{
    uint64_t last_ns = run->start_ns + (uint64_t)last_us * NS_PER_US;
    uint64_t away_ns = run->now_ns - last_ns; /* modulo 2^64: a guessed start may lie ahead */
    run->phase_until_ns += away_ns;
    if (run->phase == RUN_DRAIN) {
        run->phase_until_ns = run_drain_until_ns(run);
    } else if (!run_search_is_stage(run, run->stage) &&
               steps_is_canary(&run->plan, run->stage, run->step)) {
        /* Nothing can be said of canaries while their agents are still to come. */
        run->step_until_ns = run->step_begun_ns + run->plan.acquire_deadline_ns + away_ns +
                             (run->awaited_ns - run->now_ns);
    }
}

/* A wall clock that no run of this plan can have seen is wrong: then no time has passed. */
static void doubt_guess(struct run *run, int64_t last_us)
{
    int64_t now_us = run_time_us(run, run->now_ns);
    if (run->is_start_guessed && (now_us < last_us || !run_replay_is_time(run, now_us))) {
        run_move_start(run, run->now_ns - (uint64_t)last_us * NS_PER_US);
    }
}

void run_note_absence(struct run *run)
{
    char text[RESULT_TEXT_BYTES];
    int64_t last_us = run->ended_us, now_us = run_time_us(run, run->resumed_ns);
    uint64_t away_us = now_us > last_us ? (uint64_t)(now_us - last_us) : 0;
    (void)snprintf(text, sizeof(text), "the coordinator was away for %.1f s%s",
                   (double)away_us / 1e6, run->is_start_guessed ? " by the wall clock" : "");
    run_note(run, &(struct journal_entry){.kind = JOURNAL_RESUMED, .run_us = now_us});
    run_mark(run, last_us, "the coordinator ended");
    run_mark(run, now_us, text);
    char evidence[RESULT_TEXT_BYTES];
    (void)snprintf(evidence, sizeof(evidence), "from second %.1f of the run to second %.1f%s",
                   (double)last_us / 1e6, (double)now_us / 1e6,
                   run->is_start_guessed
                       ? "; this host was restarted meanwhile, so the latter is a guess by its "
                         "wall clock"
                       : "");
    run_finding(run, "coordinator-resumed", "info",
                "the coordinator ended during the run and was resumed", evidence,
                "agents go on for 5 s without it, then pause; what expired meanwhile is "
                "expired_in_pause");
    run_say(run, text);
    log_info("what=resumed away_us=%" PRIu64 " phase=%s", away_us, run_phase_name(run->phase));
}

static void await_agents(struct run *run, uint64_t wait_ns)
{
    struct control_go go = {.stage = run->stage, .step = run->step};
    uint64_t more_ns = wait_ns > RUN_LEASE_ENDED_NS ? wait_ns - RUN_LEASE_ENDED_NS : 0;
    run->is_resumed = true;
    run->steady_look_ns = run->now_ns + NS_PER_S;
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        roster_ask(a, &go);
        a->last_heard_ns = run->now_ns + more_ns;
    }
}

/* Nobody can come back, or what was going on cannot be taken up. */
static void end_what_cannot_go_on(struct run *run)
{
    for (size_t i = 0; i < run->roster.count && run->options->is_local; i++) {
        run_lose_agent(run, &run->roster.agents[i],
                       "ended with its coordinator, as local agents do");
    }
    if (run->options->is_local) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL,
                 "the coordinator ended, and its local agents with it");
        run->phase = RUN_OVER;
    } else if (run->phase == RUN_STAGE && run->is_stopping) {
        run_event_happened(run,
                           run->stopped_how == JOURNAL_STOPS_AT_ONCE ? RUN_HARD_STOP : RUN_STOP);
    } else if (run->phase == RUN_STAGE && run_search_is_stage(run, run->stage)) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL,
                 "the coordinator ended within a capacity search, which cannot be resumed; play "
                 "the run again");
    }
}

static int open_hub(struct run *run)
{
    const struct run_options *o = run->options;
    struct key_pair *own = key_pair_new();
    char why[RUN_DIR_WHY_BYTES], path[RUN_DIR_PATH_BYTES];
    int code = 0;
    allow_watch_init(&run->allow_watch, run_dir_path(o->keys, "agents.allow", path),
                     clock_monotonic_ns());
    if (own == NULL) {
        code = fail(EXIT_INTERNAL, "out of memory");
    } else if (key_pair_read(run_dir_path(o->keys, "coordinator.key", path), own, why) < 0 ||
               key_list_read(run_dir_path(o->keys, "agents.allow", path), &run->allowed, why) < 0) {
        code = fail(EXIT_INTERNAL, "%s; --keys names the directory", why);
    } else if (hub_lift_file_limit(run->roster.wanted, why) < 0 ||
               confinement_drop_capabilities(run->dir, o->keys, why) < 0) {
        code = fail(EXIT_INTERNAL, "%s", why);
    } else if (hub_open(o->listen_host, o->listen_port, own, &run->allowed, &run->hub, why) < 0) {
        code = fail(EXIT_INTERNAL, "%s", why);
    }
    key_pair_free(own);
    return code;
}

static int go_on(struct run *run, const struct run_resume_options *o, int signal_fd,
                 int64_t last_us)
{
    int code = run->options->is_local ? 0 : open_hub(run);
    if (code != 0) {
        return code;
    }
    run->now_ns = run->resumed_ns = clock_monotonic_ns();
    run->awaited_ns = run->now_ns + o->wait_ns;
    run->ended_us = last_us;
    put_off(run, last_us);
    doubt_guess(run, last_us);
    if (run->is_start_guessed) {
        run_say(run, "this host was restarted; an agent's clock will say how long the coordinator "
                     "was away");
    } else {
        run_note_absence(run);
    }
    await_agents(run, o->wait_ns);
    end_what_cannot_go_on(run);
    if (run->hub != NULL) {
        run_loop(run, signal_fd);
    }
    if (run->is_start_guessed) { /* nobody has said it */
        run_note_absence(run);
    }
    code = run->exit_code >= 0 ? run->exit_code : run_report(run);
    if (run->hub != NULL) {
        run_say_bye(run);
    }
    return code;
}

int run_resume_execute(const struct run_resume_options *o)
{
    struct run *run = calloc(1, sizeof(*run));
    struct origin origin = {.options = {.scenario = o->scenario,
                                        .scenario_path = "scenario.yaml",
                                        .allows_actions = o->allows_actions}};
    int signal_fd = run_block_signals();
    if (run == NULL || signal_fd < 0) {
        free(run);
        return fail(EXIT_INTERNAL, "cannot start: out of memory or descriptors");
    }
    if (run_events_refuse(&origin.options)) {
        free(run);
        (void)close(signal_fd);
        return EXIT_USAGE;
    }
    run->options = &origin.options;
    run->scenario = o->scenario;
    run->exit_code = -1;
    run->lock_fd = -1;
    int64_t last_us = 0;
    int code = take_over(run, o->run_dir);
    code = code == 0 ? read_plan(run) : code;
    code = code == 0 ? open_ledger(run, o, &origin) : code;
    code = code == 0 ? recall(run, &last_us) : code;
    code = code == 0 ? go_on(run, o, signal_fd, last_us) : code;
    run_close(run);
    (void)close(signal_fd);
    run_log_close();
    free(run);
    return code;
}
