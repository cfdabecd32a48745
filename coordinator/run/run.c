/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/confine.h"
#include "common/log.h"
#include "coordinator/report/problems.h"
#include "coordinator/report/junit.h"
#include "coordinator/report/report.h"
#include "coordinator/run/confinement.h"
#include "coordinator/run/returning.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_lock.h"
#include "coordinator/run/run_log.h"
#include "coordinator/run/run_trail.h"

enum { TURN_MS = 5, EXIT_INTERNAL = 6, EXIT_USAGE = 2, EXIT_ABORTED = 4 };

static int fail(const char *why, int exit_code)
{
    fprintf(stderr, "leaseherd run: %s\n", why);
    return exit_code;
}

void run_say(struct run *run, const char *text)
{
    terminal_clear(run->terminal);
    size_t size = strlen(text);
    bool ends_line = size > 0 && text[size - 1] == '\n';
    fprintf(stderr, "%s%s%s", ends_line ? "" : "leaseherd run: ", text, ends_line ? "" : "\n");
}

/* The run's name: UTC second and four random bytes, so that two runs never share one. */
static int make_plan(struct run *run)
{
    uint8_t id[PLAN_RUN_ID_BYTES];
    char name[64], stamp[32];
    randombytes_buf(id, sizeof(id));
    time_t seconds = (time_t)run->started_wall_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    snprintf(name, sizeof(name), "%s-%02x%02x%02x%02x", stamp, id[0], id[1], id[2], id[3]);
    if (!scenario_to_plan(run->scenario, id, name, &run->plan)) {
        return fail("out of memory", EXIT_INTERNAL);
    }
    char why[RETURNING_WHY_BYTES];
    if (run->scenario->identity == IDENTITY_RETURNING &&
        !returning_apply(run->scenario->returning, &run->plan, why)) {
        return fail(why, EXIT_USAGE);
    }
    run->plan_size = plan_encode(&run->plan, NULL, 0);
    run->plan_bytes = malloc(run->plan_size);
    if (run->plan_bytes == NULL) {
        return fail("out of memory", EXIT_INTERNAL);
    }
    plan_encode(&run->plan, run->plan_bytes, run->plan_size);
    plan_hash(run->plan_bytes, run->plan_size, run->plan_hash);
    return 0;
}

static int make_dir(struct run *run)
{
    char why[RUN_DIR_WHY_BYTES];
    int rc = run_dir_create(run->options->run_dir, run->scenario->name, run->started_wall_s,
                            run->dir, why);
    if (rc < 0) {
        return fail(why, rc == -EEXIST || rc == -ENAMETOOLONG ? EXIT_USAGE : EXIT_INTERNAL);
    }
    return 0;
}

static int open_dir(struct run *run)
{
    char why[RUN_DIR_WHY_BYTES], path[RUN_DIR_PATH_BYTES];
    int rc = 0;
    run->lock_fd = run_lock_take(run->dir, run->started_wall_s, why);
    if (run->lock_fd < 0) {
        return fail(why, EXIT_INTERNAL);
    }
    if (run_trail_open(run, "run_begins") != 0) {
        return EXIT_INTERNAL;
    }
    char *effective = scenario_print(run->scenario);
    rc = effective == NULL
             ? -ENOMEM
             : run_dir_write(run->dir, "scenario.yaml", effective, strlen(effective), why);
    if (rc == 0) {
        run_trail_scenario(run, effective, strlen(effective));
    }
    free(effective);
    if (rc == 0) {
        rc = run_dir_write(run->dir, "plan.bin", run->plan_bytes, run->plan_size, why);
    }
    run->problems = rc == 0 ? fopen(run_dir_path(run->dir, "problems.log", path), "we") : NULL;
    if (run->problems == NULL) {
        return fail(rc == 0 ? "cannot create problems.log in the run directory" : why,
                    EXIT_INTERNAL);
    }
    return run_events_open(run, why) < 0 ? fail(why, EXIT_INTERNAL) : 0;
}

static int read_keys(struct run *run, struct key_pair *own, struct key_list *allowed)
{
    char why[RUN_DIR_WHY_BYTES], path[RUN_DIR_PATH_BYTES];
    allow_watch_init(
        &run->allow_watch,
        run->options->is_local ? NULL : run_dir_path(run->options->keys, "agents.allow", path),
        clock_monotonic_ns());
    if (run->options->is_local) {
        run->throw_away = sign_key_make();
        if (run->throw_away == NULL) {
            return fail("out of memory", EXIT_INTERNAL);
        }
        return local_agents_prepare(run->dir, run->options->agents, run->scenario,
                                    sign_key_public(run->throw_away), own, allowed, why) < 0
                   ? fail(why, EXIT_INTERNAL)
                   : 0;
    }
    if (key_pair_read(run_dir_path(run->options->keys, "coordinator.key", path), own, why) < 0 ||
        key_list_read(run_dir_path(run->options->keys, "agents.allow", path), allowed, why) < 0) {
        return fail(why, EXIT_USAGE);
    }
    return 0;
}

/*
 * Before there are threads; local agents come from what we still may. Cleanup reads books of
 * servers afterwards, and its "scenario" is the directory of the run that is cleaned up.
 */
static int give_up_capabilities(struct run *run)
{
    const struct run_options *o = run->options;
    char why[LOCAL_WHY_BYTES];
    int rc = o->is_local ? local_agents_fork(&run->local, run->dir, o->agents, why) : 0;
    if (rc == 0 && o->adoption != NULL) {
        rc = confinement_keep_reading(o->scenario_path, run->scenario, o->is_local, why);
    } else if (rc == 0) {
        rc = confinement_drop_capabilities(run->dir, o->is_local ? NULL : o->keys, why);
    }
    return rc == 0 ? 0 : fail(why, EXIT_INTERNAL);
}

static int open_hub(struct run *run)
{
    struct key_pair *own = key_pair_new();
    char why[RUN_DIR_WHY_BYTES];
    int code =
        own == NULL ? fail("out of memory", EXIT_INTERNAL) : read_keys(run, own, &run->allowed);
    /* Keys first: a mistake in them must not use up the run directory. Nor in the address. */
    bool is_made_here = code == 0 && !run->options->is_local;
    if (is_made_here) {
        code = make_dir(run);
    }
    if (code == 0) {
        code = give_up_capabilities(run);
    }
    if (code == 0) {
        const char *host = run->options->is_local ? "127.0.0.1" : run->options->listen_host;
        uint16_t port = run->options->is_local ? 0 : run->options->listen_port;
        if (hub_open(host, port, own, &run->allowed, &run->hub, why) < 0) {
            code = fail(why, EXIT_USAGE);
        }
    }
    if (code != 0 && is_made_here) {
        (void)rmdir(run->dir); /* still empty */
    }
    key_pair_free(own);
    if (code == 0 && run->options->is_local &&
        local_agents_start(&run->local, hub_ctrl_port(run->hub), why) < 0) {
        code = fail(why, EXIT_INTERNAL);
    }
    if (code == 0 && run->options->is_local && !run->options->is_quiet) {
        fprintf(
            stderr,
            "leaseherd run: local agents obey %s/local-1/policy.yaml, derived from the scenario\n",
            run->dir);
    }
    return code;
}

const char *run_boot_id(char out[RUN_BOOT_ID_BYTES])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool is_known = file != NULL && fgets(out, RUN_BOOT_ID_BYTES, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!is_known) {
        (void)snprintf(out, RUN_BOOT_ID_BYTES, "unknown");
    }
    out[strcspn(out, "\n")] = '\0';
    return out;
}

int run_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void stop_in_order(struct run *run)
{
    if (run->truth == NULL) {
        run_refuse(run, EXIT_ABORTED, "stopped by the operator before the run began");
        return;
    }
    run_say(run, "stopping in order; once more to stop at once");
    run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_STOP, "stopped by the operator");
}

static void stop_at_once(struct run *run)
{
    if (run->truth == NULL) {
        stop_in_order(run);
        return;
    }
    run->is_stopping = true;
    run->releases_leases = false;
    run_note_stop(run, OUTCOME_ABORTED, "stopped at once by the operator; leases were left behind",
                  JOURNAL_STOPS_AT_ONCE);
    run_event_happened(run, RUN_HARD_STOP);
}

/*
 * Ctrl-C: in order, the second one at once. SIGTERM and SIGQUIT say which they mean, however
 * often: `leaseherd stop` twice must not leave leases behind.
 */
static void take_signals(struct run *run, int signal_fd)
{
    struct signalfd_siginfo info;
    while (run->phase != RUN_OVER &&
           read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        bool is_at_once =
            info.ssi_signo == SIGQUIT || (info.ssi_signo == SIGINT && run->was_told_to_stop);
        run_trail_signal(&info, is_at_once);
        if (is_at_once) {
            stop_at_once(run);
        } else if (!run->was_told_to_stop) {
            stop_in_order(run);
        }
        run->was_told_to_stop = true;
    }
}

static const char *agent_word(const struct run *run, const struct roster_agent *a)
{
    if (a->is_lost) {
        return "lost";
    }
    if (run->now_ns - a->last_heard_ns > 2 * NS_PER_S) {
        return "silent";
    }
    return a->is_done ? "done" : run->start_ns != 0 ? "running" : a->is_ready ? "ready" : "joined";
}

static void name_phase(const struct run *run, char *out, size_t size)
{
    if (run->phase == RUN_STAGE && run_search_is_stage(run, run->stage)) {
        run_search_describe(run, out, size);
    } else if (run->phase == RUN_STAGE) {
        snprintf(out, size, "stage %s", run->plan.stages[run->stage].name);
    } else if (run->phase == RUN_GATHER) {
        snprintf(out, size, "gather (%zu of %zu agents)", run->roster.count, run->roster.wanted);
    } else {
        snprintf(out, size, "%s", run_phase_name(run->phase));
    }
}

static void show(struct run *run)
{
    static struct terminal_agent rows[ROSTER_AGENTS_MAX];
    struct truth_now now = {0};
    char phase[PLAN_NAME_BYTES + 32];
    double run_s = 0;
    name_phase(run, phase, sizeof(phase));
    if (!terminal_is_due(run->terminal, phase)) {
        return;
    }
    if (run->truth != NULL && run->start_ns != 0) {
        int64_t run_us = run_time_us(run, run->now_ns);
        truth_now(run->truth, run_us, &now);
        run_s = (double)run_us / 1e6;
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        rows[i] = (struct terminal_agent){
            .name = a->name,
            .state = agent_word(run, a),
            .clients = a->hand.clients,
            .bound = a->progress.bound,
            .received = a->progress.received,
        };
    }
    terminal_update(run->terminal, &now, phase, rows, run->roster.count, run_s < 0 ? 0 : run_s);
}

static void watch_children(struct run *run)
{
    size_t ended =
        run->options->is_local && run->phase < RUN_RECONCILE ? local_agents_ended(&run->local) : 0;
    if (ended == 0) {
        return;
    }
    if (run->truth == NULL) {
        run_refuse(run, EXIT_INTERNAL,
                   "local agent %zu ended; its reason is in %s/local-%zu/agent.log", ended,
                   run->dir, ended);
        return;
    }
    char name[KEY_NAME_BYTES];
    snprintf(name, sizeof(name), "local-%zu", ended);
    for (size_t i = 0; i < run->roster.count; i++) {
        if (strcmp(run->roster.agents[i].name, name) == 0 && !run->roster.agents[i].is_done) {
            run_lose_agent(run, &run->roster.agents[i], "ended; see its agent.log");
        }
    }
}

/* From here on nothing is executed, unless the operator has allowed the scenario's commands. */
static void confine(struct run *run)
{
    char why[CONFINE_WHY_BYTES];
    if (run->actions != NULL || (run->options->adoption != NULL && run->options->is_local)) {
        log_info("what=not_confined why=\"commands or agents are still to be started\"");
        return;
    }
    int rc = confine_system_calls(CONFINE_COORDINATOR, why);
    if (rc == -ENOTSUP) {
        log_warn("what=system_calls_not_confined why=\"%s\"", why);
    } else if (rc < 0) {
        run_refuse(run, EXIT_INTERNAL, "%s", why);
    }
}

/* What goes by time: looked at every TURN_MS, however many messages come. */
static void tick(struct run *run)
{
    run_control_tick(run);
    run_reassign_tick(run);
    watch_children(run);
    run_events_tick(run);
    run_phase_tick(run);
    if (run->exit_code < 0) {
        show(run);
    }
}

void run_loop(struct run *run, int signal_fd)
{
    confine(run);
    run->ticked_ns = clock_monotonic_ns();
    while (run->phase != RUN_OVER) {
        struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
        int rc = hub_wait(run->hub, &fd, 1, TURN_MS);
        run->now_ns = clock_monotonic_ns();
        if (rc < 0 && rc != -EINTR) {
            run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "waiting for messages failed: %s",
                     strerror(-rc));
        }
        take_signals(run, signal_fd);
        run_allow_tick(run); /* before any message of a key that was revoked */
        run_receive_control(run);
        run_receive_data(run);
        run_commit(run, run->phase == RUN_RECONCILE);
        /* With a thousand agents a message comes every 100 us, and looking at all of them costs as
         * much. */
        if (run->now_ns - run->ticked_ns >= TURN_MS * NS_PER_MS) {
            tick(run);
        }
    }
    run_commit(run, true);
}

/* --- after the loop --- */

static int print_text(const void *what, FILE *to)
{
    return report_write_text(what, to);
}

static int print_json(const void *what, FILE *to)
{
    return report_write_json(what, to);
}

static int print_junit(const void *what, FILE *to)
{
    return report_write_junit(what, to);
}

static uint64_t missing_batches(const struct run *run)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        uint64_t committed = ledger_committed(run->ledger, (uint32_t)i);
        uint64_t announced = a->has_final ? a->final_batch_seq : a->last_batch_seq;
        missing += !a->is_lost && announced > committed ? announced - committed : 0;
    }
    return missing;
}

static struct truth_closing closing_of(const struct run *run)
{
    struct truth_closing closing = {
        .run_us = run->start_ns == 0 ? 0 : run_time_us(run, run->now_ns),
        .started_at_s = run->started_wall_s,
        .path = run->path,
        .path_is_known = run->path_is_known,
        .missing_batches = missing_batches(run),
    };
    for (size_t i = 0; i < run->roster.count; i++) {
        struct ledger_totals totals = ledger_totals(run->ledger, (uint32_t)i);
        closing.ledger_events += totals.events;
        closing.duplicates_dropped += totals.duplicates_dropped;
    }
    return closing;
}

static bool close_problems(struct run *run)
{
    char line[PROBLEMS_LINE_BYTES];
    size_t size = problems_format_rest(run->problems_unwritten, line, sizeof(line));
    (void)fwrite(line, 1, size, run->problems); /* ferror() tells below */
    bool ok = ferror(run->problems) == 0;
    ok = fclose(run->problems) == 0 && ok;
    run->problems = NULL;
    return ok;
}

int run_report(struct run *run)
{
    if (run->start_ns == 0) {
        /* Preflight refused: its events get run times counted backwards from now. */
        run->start_ns = run->now_ns;
        run_flush_deferred(run);
    }
    run_keep_finals(run);
    if (ledger_finish(run->ledger) < 0) {
        truth_outcome(run->truth, OUTCOME_INTERNAL, ledger_why(run->ledger));
    }
    if (!close_problems(run)) {
        truth_outcome(run->truth, OUTCOME_INTERNAL, "problems.log could not be written completely");
    }
    run_events_finish(run);
    struct truth_closing closing = closing_of(run);
    struct result *result = calloc(1, sizeof(*result));
    char why[RUN_DIR_WHY_BYTES];
    if (result == NULL || !truth_finish(run->truth, &closing, result)) {
        free(result);
        return fail("out of memory while writing the report", EXIT_INTERNAL);
    }
    int code = verdict_exit_code(result->verdict.result);
    run_trail_ledger(run);
    run_trail_verdict(result, code);
    terminal_done(run->terminal);
    run->terminal = NULL;
    int shown = run->options->is_quiet ? 0 : report_write_text(result, stdout);
    if (shown < 0) {
        log_warn("what=report_not_shown errno=%d", -shown); /* it is on disk as well */
    }
    fflush(stdout);
    if (run_dir_print(run->dir, "report.txt", print_text, result, why) < 0 ||
        run_dir_print(run->dir, "report.json", print_json, result, why) < 0 ||
        run_dir_print(run->dir, "report.junit.xml", print_junit, result, why) < 0) {
        code = fail(why, EXIT_INTERNAL);
    } else {
        run->is_report_written = true;
    }
    if (!run->options->is_quiet) {
        printf("\nRun directory: %s\n", run->dir);
    }
    result_free(result);
    free(result);
    return code;
}

void run_say_bye(struct run *run)
{
    struct control_message m = {.kind = CONTROL_BYE};
    if (run->truth != NULL && run->exit_code < 0 && !run->is_report_written) {
        return; /* the agents keep what they know: `resume` writes the report when there is room */
    }
    snprintf(m.u.bye.text, sizeof(m.u.bye.text), "the run is over");
    run_send_all(run, &m);
    run_observers_say_bye(run);
}

void run_close(struct run *run)
{
    terminal_done(run->terminal);
    if (run->problems != NULL) {
        fclose(run->problems);
    }
    actions_close(run->actions);
    hub_close(run->hub);
    key_list_free(&run->allowed);
    local_agents_stop(&run->local);
    ledger_close(run->ledger);
    truth_free(run->truth);
    run_reassign_fini(&run->reassign);
    roster_fini(&run->roster);
    run_observers_free(run->observers);
    plan_free(&run->plan);
    free(run->plan_bytes);
    sign_key_free(run->throw_away);
    free(run->deferred);
    free(run->preflight);
    free(run->hosts);
    if (run->lock_fd >= 0) {
        close(run->lock_fd); /* last: `leaseherd stop` takes it for the end of the run */
    }
}

static int prepare_world(struct run *run)
{
    char why[LINK_WHY_BYTES];
    if (hub_lift_file_limit(run->options->agents, why) < 0) {
        return fail(why, EXIT_INTERNAL);
    }
    if (sodium_init() < 0 || !roster_init(&run->roster, run->options->agents)) {
        return fail("out of memory", EXIT_INTERNAL);
    }
    int code = make_plan(run);
    if (code == 0) {
        code = run->options->is_local ? make_dir(run) : open_hub(run);
    }
    if (code == 0) {
        code = open_dir(run);
    }
    if (code == 0 && run->options->is_local) { /* the local agents live in the directory */
        code = open_hub(run);
    }
    if (code == 0) {
        run_space_warn(run);
        run->terminal = terminal_new(stderr, isatty(STDERR_FILENO));
        code = run->terminal == NULL ? fail("out of memory", EXIT_INTERNAL) : 0;
    }
    return code;
}

int run_execute(const struct run_options *options)
{
    if (run_events_refuse(options)) {
        return EXIT_USAGE;
    }
    struct run *run = calloc(1, sizeof(*run));
    /* A slow book must hold up neither agents nor Ctrl-C: there are none yet, and that still ends
     * us. */
    if (run != NULL && options->adoption == NULL) {
        lease_books_count(&run->stood, options->scenario, stderr);
    }
    int signal_fd = run_block_signals();
    if (run == NULL || signal_fd < 0) {
        free(run);
        return fail("cannot start: out of memory or descriptors", EXIT_INTERNAL);
    }
    run->options = options;
    run->scenario = options->scenario;
    run->exit_code = -1;
    run->lock_fd = -1;
    run->started_wall_s = clock_realtime_ns() / NS_PER_S;
    int code = prepare_world(run);
    if (code == 0) {
        run->phase_until_ns = clock_monotonic_ns() + run->options->gather_ns;
        run_loop(run, signal_fd);
        code = run->exit_code >= 0 ? run->exit_code : run_report(run);
        run_say_bye(run);
    }
    run_close(run);
    close(signal_fd);
    run_log_close();
    free(run);
    return code;
}
