/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_journal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/run/lease_source.h"
#include "coordinator/run/run_observers.h"
#include "coordinator/run/steps.h"
#include "coordinator/truth/findings.h"
#include "coordinator/truth/search_steps.h"
#include "proto/control_arena.h"

enum { REPORT_BYTES = 4096, REPORT_ARENA_BYTES = 64 * 1024 };

/* --- to truth --- */

static const char *text_of(const struct journal_entry *entry, int i)
{
    return entry->text[i] == NULL ? "" : entry->text[i];
}

static bool tell_preflight(struct run *run, const struct journal_entry *entry)
{
    struct control_arena *arena = control_arena_new(REPORT_ARENA_BYTES);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];
    bool is_good = arena != NULL && entry->a < run->roster.count && entry->size > 0 &&
                   control_decode(arena, entry->bytes, entry->size, &m, why) &&
                   m.kind == CONTROL_PREFLIGHT_REPORT && m.u.preflight_report.relay_count == 1 &&
                   m.u.preflight_report.relays[0].relay < run->plan.relay_count;
    if (is_good) {
        truth_preflight(run->truth, (size_t)entry->a, &m.u.preflight_report.relays[0]);
    }
    control_arena_free(arena);
    return is_good;
}

static bool tell_check(struct run *run, const struct journal_entry *entry)
{
    struct result_preflight_check check;
    (void)snprintf(check.id, sizeof(check.id), "%s", text_of(entry, 0));
    (void)snprintf(check.result, sizeof(check.result), "%s", text_of(entry, 1));
    (void)snprintf(check.where, sizeof(check.where), "%s", text_of(entry, 2));
    (void)snprintf(check.text, sizeof(check.text), "%s", text_of(entry, 3));
    (void)snprintf(check.remedy, sizeof(check.remedy), "%s", text_of(entry, 4));
    truth_preflight_check(run->truth, &check);
    return true;
}

static bool tell_start_state(struct run *run, const struct journal_entry *entry)
{
    const struct scenario_server *servers = run->scenario->servers.items;
    char how[LEASE_SOURCE_NAME_BYTES];
    if (entry->a >= run->plan.server_count) {
        return false;
    }
    truth_start_state(run->truth, (uint32_t)entry->a, entry->b, entry->c, entry->d,
                      lease_source_name(&servers[entry->a], how));
    return true;
}

static bool is_a_stage(const struct run *run, const struct journal_entry *entry)
{
    return entry->a < run->plan.stage_count;
}

static bool tell_stage(struct run *run, const struct journal_entry *entry)
{
    if (!is_a_stage(run, entry)) {
        return false;
    }
    uint32_t stage = (uint32_t)entry->a;
    if (entry->kind == JOURNAL_STAGE_BEGIN) {
        truth_stage_begin(run->truth, stage, entry->run_us);
    } else if (entry->kind == JOURNAL_STAGE_LOAD) {
        truth_stage_load(run->truth, stage, entry->run_us);
    } else {
        truth_stage_end(run->truth, stage, entry->run_us, entry->b != 0);
    }
    return true;
}

static bool tell_words(struct run *run, const struct journal_entry *entry)
{
    if (entry->kind == JOURNAL_MARK) {
        truth_mark(run->truth, entry->run_us, text_of(entry, 0));
        return true;
    }
    if (entry->kind == JOURNAL_FINDING) {
        truth_finding(run->truth, text_of(entry, 0), text_of(entry, 1), text_of(entry, 2),
                      text_of(entry, 3), text_of(entry, 4));
        return true;
    }
    if (entry->a > OUTCOME_INTERNAL || entry->b > JOURNAL_STOPS_AT_ONCE) {
        return false;
    }
    truth_outcome(run->truth, (enum run_outcome)entry->a, text_of(entry, 0));
    return true;
}

bool run_tell_note(struct run *run, const struct journal_entry *entry)
{
    switch (entry->kind) {
    case JOURNAL_STAGE_BEGIN:
    case JOURNAL_STAGE_LOAD:
    case JOURNAL_STAGE_END:
        return tell_stage(run, entry);
    case JOURNAL_MARK:
    case JOURNAL_FINDING:
    case JOURNAL_OUTCOME:
        return tell_words(run, entry);
    case JOURNAL_EVENT:
        if (entry->a >= run->scenario->events.count) {
            return false;
        }
        truth_scenario_event(run->truth, (size_t)entry->a, entry->run_us);
        return true;
    case JOURNAL_AGENT_LOST:
        if (entry->a >= run->roster.count) {
            return false;
        }
        truth_agent_lost(run->truth, (size_t)entry->a, entry->run_us);
        return true;
    case JOURNAL_PREFLIGHT:
        return tell_preflight(run, entry);
    case JOURNAL_PREFLIGHT_CHECK:
        return tell_check(run, entry);
    case JOURNAL_START_STATE:
        return tell_start_state(run, entry);
    case JOURNAL_STEP:
        return is_a_stage(run, entry) && !run_search_is_stage(run, (uint32_t)entry->a) &&
               entry->b < steps_count(&run->plan, (uint32_t)entry->a);
    case JOURNAL_PATH:
        return entry->a < PLAN_PATH_COUNT;
    case JOURNAL_MOVE:
    case JOURNAL_TAKEN:
    case JOURNAL_NOT_TAKEN:
    case JOURNAL_DEALT_ON:
        if (!run_reassign_is_possible(run, entry)) {
            return false;
        }
        run_reassign_tell(run, entry);
        return true;
    case JOURNAL_OBSERVER:
    case JOURNAL_OBSERVATION:
        return run_observers_tell(run, entry);
    case JOURNAL_START:
    case JOURNAL_DRAIN:
    case JOURNAL_RESUMED:
    case JOURNAL_KIND_COUNT:
        break;
    }
    return true;
}

/* --- to the ledger --- */

void run_note(struct run *run, const struct journal_entry *entry)
{
    if (run->truth == NULL) {
        return;
    }
    if (!run_tell_note(run, entry) || run->ledger == NULL || run->is_ledger_broken) {
        return;
    }
    if (ledger_note(run->ledger, entry) < 0) {
        run_ledger_failed(run);
    }
}

void run_note_now(struct run *run, const struct journal_entry *entry)
{
    run_note(run, entry);
    run_commit(run, true);
}

void run_note_stage(struct run *run, enum journal_kind kind, int64_t run_us, bool timed_out)
{
    run_note(run, &(struct journal_entry){
                      .kind = kind, .run_us = run_us, .a = run->stage, .b = timed_out});
}

void run_mark(struct run *run, int64_t run_us, const char *text)
{
    run_note(run, &(struct journal_entry){.kind = JOURNAL_MARK, .run_us = run_us, .text = {text}});
}

void run_outcome(struct run *run, enum run_outcome outcome, const char *reason)
{
    run_note(run, &(struct journal_entry){
                      .kind = JOURNAL_OUTCOME, .a = (uint64_t)outcome, .text = {reason}});
}

void run_note_stop(struct run *run, enum run_outcome outcome, const char *reason,
                   enum journal_stop how)
{
    run_note(run, &(struct journal_entry){.kind = JOURNAL_OUTCOME,
                                          .a = (uint64_t)outcome,
                                          .b = (uint64_t)how,
                                          .c = run->releases_leases,
                                          .text = {reason}});
}

void run_finding(struct run *run, const char *id, const char *severity, const char *summary,
                 const char *evidence, const char *remedy)
{
    assert(findings_side(id) != NULL);
    run_note(run, &(struct journal_entry){.kind = JOURNAL_FINDING,
                                          .text = {id, severity, summary, evidence, remedy}});
}

void run_note_preflight(struct run *run, size_t agent, const struct control_preflight_relay *relay)
{
    uint8_t bytes[REPORT_BYTES];
    struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT, .session = 1};
    m.u.preflight_report = (struct control_preflight_report){.relays = relay, .relay_count = 1};
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    if (size > 0 && size <= sizeof(bytes)) { /* a few words per path, always */
        run_note(run, &(struct journal_entry){
                          .kind = JOURNAL_PREFLIGHT, .a = agent, .bytes = bytes, .size = size});
    }
}

void run_note_start_state(struct run *run)
{
    for (size_t i = 0; i < run->stood.count; i++) {
        const uint64_t *count = run->stood.server[i].in_state;
        if (run->stood.server[i].is_known) {
            run_note(run, &(struct journal_entry){.kind = JOURNAL_START_STATE,
                                                  .a = i,
                                                  .b = count[BOOK_ACTIVE],
                                                  .c = count[BOOK_EXPIRED],
                                                  .d = count[BOOK_FREE]});
        }
    }
}

/* --- the fleet --- */

static int note_hand(struct run *run, size_t index)
{
    const struct deal_hand *hand = &run->roster.agents[index].hand;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < hand->share_count; i++) {
        const struct ledger_share share = {.agent = (uint32_t)index,
                                           .epoch = 1,
                                           .relay = hand->shares[i].relay,
                                           .via = hand->shares[i].relay,
                                           .first_client = hand->shares[i].first_client,
                                           .clients = hand->shares[i].client_count};
        rc = ledger_add_share(run->ledger, &share);
    }
    return rc;
}

static int set_number(struct run *run, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return ledger_set_fact(run->ledger, name, text);
}

int run_note_fleet(struct run *run)
{
    const struct run_options *o = run->options;
    char boot[RUN_BOOT_ID_BYTES];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->roster.count; i++) {
        rc = note_hand(run, i);
    }
    rc = rc == 0 ? set_number(run, "started_wall_s", run->started_wall_s) : rc;
    rc = rc == 0 ? ledger_set_fact(run->ledger, "boot_id", run_boot_id(boot)) : rc;
    rc = rc == 0 ? set_number(run, "is_local", o->is_local) : rc;
    if (rc == 0 && !o->is_local) {
        rc = ledger_set_fact(run->ledger, "listen_host", o->listen_host);
        rc = rc == 0 ? set_number(run, "listen_port", hub_ctrl_port(run->hub)) : rc;
        char *keys = realpath(o->keys, NULL);
        rc = rc == 0 ? ledger_set_fact(run->ledger, "keys", keys == NULL ? o->keys : keys) : rc;
        free(keys);
    }
    return rc;
}
