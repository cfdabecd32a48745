/* SPDX-License-Identifier: MIT */
/* How a run comes to end: in order, before any load, or because an agent is gone. */
#include <stdarg.h>

#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"

void run_stop(struct run *run, enum run_outcome outcome, enum scenario_cleanup_on reason,
              const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_warn("what=stop reason=\"%s\"", text);
    if (run->truth == NULL) {
        run_refuse(run, outcome == OUTCOME_INTERNAL ? 6 : 4, "%s", text);
        return;
    }
    if (run->is_stopping) {
        run_outcome(run, outcome, text);
        return;
    }
    run->is_stopping = true;
    run->releases_leases = scenario_cleans_up(run->scenario, reason);
    run_note_stop(run, outcome, text, JOURNAL_STOPS);
    run_event_happened(run, outcome == OUTCOME_PREFLIGHT ? RUN_REFUSED : RUN_STOP);
}

void run_refuse(struct run *run, int exit_code, const char *format, ...)
{
    if (run->exit_code >= 0) {
        return; /* the first sentence is the cause */
    }
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_error("what=refused exit_code=%d why=\"%s\"", exit_code, text);
    run_say(run, text);
    run->exit_code = exit_code;
    run_event_happened(run, RUN_REFUSED);
}

void run_lose_agent(struct run *run, struct roster_agent *a, const char *how)
{
    if (a->is_lost) {
        return;
    }
    a->is_lost = true;
    log_error("what=agent_lost agent=%s why=\"%s\"", a->name, how);
    if (run->truth == NULL) {
        run_refuse(run, 4, "agent %s %s before the run began", a->name, how);
        return;
    }
    int64_t run_us = run->start_ns == 0 ? 0 : run_time_us(run, run->now_ns);
    run_note(run, &(struct journal_entry){.kind = JOURNAL_AGENT_LOST,
                                          .run_us = run_us,
                                          .a = roster_index(&run->roster, a)});
    run_reassign_lost(run, a);
    if (run->scenario->on_agent_loss == AGENT_LOSS_FAIL || roster_live_count(&run->roster) == 0) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL, "agent %s %s", a->name, how);
    }
}
