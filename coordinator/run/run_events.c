/* SPDX-License-Identifier: MIT */
/* What the scenario has planned for the operator's machine: events at their instants. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"

/* Events are tagged by their index; the reset of a search by what no index can be. */
static const size_t tag_of_reset = SIZE_MAX;

bool run_events_refuse(const struct run_options *options)
{
    char list[AGENDA_LIST_BYTES];
    size_t count = agenda_list_commands(options->scenario, list);
    if (count == 0 || options->allows_actions) {
        return false;
    }
    fprintf(stderr,
            "leaseherd run: %s runs %zu command%s on this host (%s); read them, then allow them "
            "with --allow-actions\n",
            options->scenario_path, count, count == 1 ? "" : "s", list);
    return true;
}

int run_events_open(struct run *run, char why[RUN_DIR_WHY_BYTES])
{
    char list[AGENDA_LIST_BYTES];
    agenda_init(&run->agenda, run->scenario);
    if (agenda_list_commands(run->scenario, list) == 0) {
        return 0;
    }
    return actions_open(run->dir, &run->actions, why);
}

void run_events_run_begins(struct run *run, uint64_t at_ns)
{
    agenda_run_begins(&run->agenda, at_ns);
}

/* What did not go as planned, gathered for one finding: there is one of an id. */
static void keep_fault(struct run *run, const char *event, const char *what)
{
    size_t at = strlen(run->action_faults);
    if (run->action_fault_count++ > 0 && at + 2 < sizeof(run->action_faults)) {
        memcpy(run->action_faults + at, "; ", 3);
        at += 2;
    }
    (void)snprintf(run->action_faults + at, sizeof(run->action_faults) - at, "\"%s\": %s", event,
                   what);
    run->had_fault_before_stop = run->had_fault_before_stop || !run->is_stopping;
}

static void mark_end(struct run *run, const char *name, const char *status)
{
    char text[RESULT_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "\"%s\" ended%s%s", name, status[0] == '\0' ? "" : ": ",
                   status);
    run_mark(run, run_time_us(run, clock_monotonic_ns()), text);
    run_say(run, text);
    log_info("what=action_ended event=\"%s\" status=\"%s\"", name,
             status[0] == '\0' ? "exit status 0" : status);
}

static void begin_event(struct run *run, size_t index)
{
    const struct scenario_event *event = agenda_event(&run->agenda, index);
    struct action_about about = {.event = event->name};
    char text[RESULT_TEXT_BYTES];
    int64_t run_us = run_time_us(run, clock_monotonic_ns());
    /* On disk first: a resumed run must not start a command once more. */
    run_note_now(run, &(struct journal_entry){.kind = JOURNAL_EVENT, .run_us = run_us, .a = index});
    int rc = event->run[0] == '\0' ? 0 : actions_start(run->actions, index, event->run, &about);
    (void)snprintf(text, sizeof(text), "event \"%s\"%s", event->name,
                   event->run[0] == '\0' ? "" : ": its command was started");
    run_say(run, text);
    log_info("what=event name=\"%s\" at_us=%lld has_command=%d", event->name, (long long)run_us,
             event->run[0] != '\0');
    if (rc < 0) {
        (void)agenda_end(&run->agenda, index);
        mark_end(run, event->name, strerror(-rc));
        keep_fault(run, event->name, strerror(-rc));
    }
}

static void reap(struct run *run)
{
    size_t tag;
    char status[ACTIONS_STATUS_BYTES];
    while (run->actions != NULL && actions_ended(run->actions, &tag, status)) {
        if (tag == tag_of_reset) {
            run->reset = status[0] == '\0' ? RUN_RESET_DONE : RUN_RESET_FAILED;
            mark_end(run, "reset", status);
            if (status[0] != '\0') {
                keep_fault(run, "reset", status);
            }
        } else if (agenda_end(&run->agenda, tag)) {
            const char *name = agenda_event(&run->agenda, tag)->name;
            mark_end(run, name, status);
            if (status[0] != '\0') {
                keep_fault(run, name, status);
            }
        }
    }
}

void run_events_tick(struct run *run)
{
    size_t index;
    reap(run);
    while (run->phase == RUN_STAGE && run->start_ns != 0 && !run->is_start_guessed &&
           agenda_take(&run->agenda, run->now_ns, &index)) {
        begin_event(run, index);
    }
}

void run_events_reset(struct run *run, uint64_t repeat)
{
    struct action_about about = {.event = "reset", .repeat = repeat};
    char text[64];
    run->reset = RUN_RESET_RUNNING;
    (void)snprintf(text, sizeof(text), "reset before repeat %llu", (unsigned long long)repeat);
    run_mark(run, run_time_us(run, clock_monotonic_ns()), text);
    run_say(run, text);
    int rc = actions_start(run->actions, tag_of_reset, run->scenario->search.reset, &about);
    if (rc < 0) {
        run->reset = RUN_RESET_FAILED;
        keep_fault(run, "reset", strerror(-rc));
    }
}

void run_events_kill_reset(struct run *run, const char *why)
{
    actions_kill(run->actions, tag_of_reset);
    run->reset = RUN_RESET_FAILED;
    keep_fault(run, "reset", why);
}

/* Still running when there is nothing left to wait for: ended, and said. */
static void end_leftovers(struct run *run)
{
    for (size_t i = 0; i < agenda_count(&run->agenda); i++) {
        if (run->agenda.item[i].state == AGENDA_BEGUN) {
            keep_fault(run, agenda_event(&run->agenda, i)->name,
                       "still running at the end of the run, killed");
        }
    }
}

void run_events_finish(struct run *run)
{
    reap(run);
    end_leftovers(run);
    bool is_logged = actions_close(run->actions);
    run->actions = NULL;
    if (!is_logged) {
        run_outcome(run, OUTCOME_INTERNAL, "actions.log could not be written completely");
    }
    if (run->action_fault_count == 0) {
        return;
    }
    truth_finding(run->truth, "action-failed", run->had_fault_before_stop ? "error" : "info",
                  "a command of the scenario did not do what it was planned to do",
                  run->action_faults, "see actions.log in the run directory");
}
