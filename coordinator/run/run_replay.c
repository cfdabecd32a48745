/* SPDX-License-Identifier: MIT */
/* The ledger of a run that was cut off, told to a new truth; the run stands where it stood. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_observers.h"
#include "coordinator/run/run_replay.h"
#include "coordinator/run/steps.h"
#include "coordinator/truth/ledger_final.h"

enum { WATERMARK_EVERY = 64 }; /* events; a batch has up to 512 of one agent */

/* --- the fleet --- */

static int add_share(struct run *run, const struct ledger_share *share)
{
    if (share->agent >= run->roster.count || share->relay >= run->plan.relay_count ||
        share->clients > run->plan.client_count ||
        share->first_client > run->plan.client_count - share->clients) {
        return -EBADMSG;
    }
    struct deal_hand *hand = &run->roster.agents[share->agent].hand;
    void *grown = realloc(hand->shares, (hand->share_count + 1) * sizeof(*hand->shares));
    if (grown == NULL) {
        return -ENOMEM;
    }
    hand->shares = grown;
    hand->shares[hand->share_count++] = (struct control_share){
        .relay = share->relay, .first_client = share->first_client, .client_count = share->clients};
    hand->clients += share->clients;
    return 0;
}

static int add_agents(struct run *run, const struct ledger_agent *agents, size_t count)
{
    if (count == 0 || !roster_init(&run->roster, count)) {
        return count == 0 ? -EBADMSG : -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        memcpy(a->name, agents[i].name, sizeof(a->name));
        a->epoch = agents[i].epoch;
        a->is_ready = a->is_armed = a->is_preflighted = true;
    }
    run->roster.count = count;
    return 0;
}

int run_replay_fleet(struct run *run)
{
    struct ledger_agent *agents = NULL;
    struct ledger_share *shares = NULL;
    size_t agent_count = 0, share_count = 0;
    int rc = ledger_read_agents(run->ledger, &agents, &agent_count);
    rc = rc == 0 ? ledger_read_shares(run->ledger, &shares, &share_count) : rc;
    rc = rc == 0 ? add_agents(run, agents, agent_count) : rc;
    for (size_t i = 0; rc == 0 && i < share_count; i++) {
        if (shares[i].epoch == 1) { /* later ones come with their JOURNAL_MOVE */
            rc = add_share(run, &shares[i]);
        }
    }
    free(agents);
    free(shares);
    return rc;
}

/* --- decisions and events --- */

static uint64_t at_ns(const struct run *run, int64_t run_us)
{
    return run->start_ns + (uint64_t)run_us * NS_PER_US; /* modulo 2^64, as run_time_us() */
}

/*
 * On another boot the monotonic clock began anew: the start instant follows from the wall
 * clock, until an agent's clock says it exactly (run_control.c).
 */
static uint64_t start_by_wall_clock(uint64_t wall_ns)
{
    return clock_monotonic_ns() - (clock_realtime_ns() - wall_ns);
}

/* What the journal says beyond what truth has to know. */
static void stand_where_it_stood(struct run *run, const struct journal_entry *e)
{
    const struct plan_stage *stages = run->plan.stages;
    if (e->kind == JOURNAL_START) {
        run->start_ns = run->is_other_boot ? start_by_wall_clock(e->b) : e->a;
        run->is_start_guessed = run->is_other_boot;
        agenda_run_begins(&run->agenda, run->start_ns);
    } else if (e->kind == JOURNAL_PATH) {
        run->path = (enum plan_path)e->a;
        run->path_is_known = true;
    } else if (e->kind == JOURNAL_STAGE_BEGIN) {
        run->phase = RUN_STAGE; /* of a search no step follows */
        run->stage = (uint32_t)e->a;
        run->step = 0;
        run->stage_is_open = true;
        run->phase_until_ns = at_ns(run, e->run_us) + stages[e->a].timeout_ns;
        agenda_stage_begins(&run->agenda, stages[e->a].name, at_ns(run, e->run_us));
    } else if (e->kind == JOURNAL_STAGE_END) {
        run->stage_is_open = false;
        agenda_stage_ended(&run->agenda, stages[e->a].name, at_ns(run, e->run_us));
    } else if (e->kind == JOURNAL_STEP) {
        run->phase = RUN_STAGE;
        run->stage = (uint32_t)e->a;
        run->step = (uint32_t)e->b;
        run->step_begun_ns = at_ns(run, e->run_us);
        run->step_received_base = e->c;
    } else if (e->kind == JOURNAL_EVENT) {
        run->agenda.item[e->a].state = AGENDA_ENDED;
    } else if (e->kind == JOURNAL_AGENT_LOST) {
        run->roster.agents[e->a].is_lost = true;
    } else if (e->kind == JOURNAL_DRAIN) {
        run->phase = RUN_DRAIN;
        run->releases_leases = e->a != 0;
        agenda_stages_over(&run->agenda);
    } else if (e->kind == JOURNAL_OUTCOME) {
        run->stopped_how = e->b > (uint64_t)run->stopped_how ? (int)e->b : run->stopped_how;
        run->is_stopping = run->stopped_how != JOURNAL_GOES_ON;
        run->releases_leases = run->is_stopping && e->c != 0;
    }
}

struct context {
    struct run *run;
    int64_t last_us; /* of anything that is known of the run */
    /* Results of one agent that follow each other, and the latest time of them. */
    uint32_t agent;
    uint64_t events;
    int64_t agent_us;
};

/* No other has a run of this plan seen: windows are counted from the start of the run on. */
bool run_replay_is_time(const struct run *run, int64_t run_us)
{
    const int64_t day_us = INT64_C(86400) * 1000 * 1000, month_us = 30 * day_us;
    return run_us > -day_us && run_us < (int64_t)(run->plan.run_time_max_ns / NS_PER_US) + month_us;
}

static void note_time(struct context *context, int64_t run_us)
{
    context->last_us = run_us > context->last_us ? run_us : context->last_us;
}

/* As after each batch while the run was played: then windows close as they did. */
static void say_watermark(struct context *context)
{
    if (context->events > 0) {
        truth_watermark(context->run->truth, context->agent,
                        context->agent_us - RUN_WATERMARK_SLACK_US);
    }
    context->events = 0;
}

static void count_event(struct context *context, uint32_t agent, int64_t run_us)
{
    if (agent != context->agent || context->events == WATERMARK_EVERY) {
        say_watermark(context);
    }
    bool is_latest = context->events == 0 || run_us > context->agent_us;
    context->agent = agent;
    context->agent_us = is_latest ? run_us : context->agent_us;
    context->events++;
}

static bool take_entry(void *opaque, const struct journal_entry *e)
{
    struct context *context = opaque;
    say_watermark(context);
    if (!run_replay_is_time(context->run, e->run_us) || !run_tell_note(context->run, e)) {
        return false;
    }
    bool is_reassignment = e->kind == JOURNAL_MOVE || e->kind == JOURNAL_TAKEN ||
                           e->kind == JOURNAL_NOT_TAKEN || e->kind == JOURNAL_DEALT_ON;
    if (is_reassignment && !run_reassign_replay(context->run, e)) {
        return false;
    }
    if (e->kind == JOURNAL_OBSERVER && !run_observers_recall(context->run, e)) {
        return false;
    }
    stand_where_it_stood(context->run, e);
    note_time(context, e->run_us);
    return true;
}

static bool take_event(void *opaque, uint32_t agent, const struct event *e, int64_t run_us,
                       uint64_t uncertainty_us)
{
    struct context *context = opaque;
    struct run *run = context->run;
    bool is_ours = run_replay_is_time(run, run_us) && agent < run->roster.count &&
                   e->client < run->plan.client_count && e->kind < EVENT_KIND_COUNT &&
                   e->result < EVENT_RESULT_COUNT &&
                   ((e->flags & EVENT_PREFLIGHT) != 0 || e->stage < run->plan.stage_count);
    if (!is_ours) {
        return false;
    }
    struct roster_agent *a = &run->roster.agents[agent];
    a->last_event_us = e->t_us > a->last_event_us ? e->t_us : a->last_event_us;
    run_take_result(run, agent, e, run_us, uncertainty_us);
    note_time(context, run_us);
    count_event(context, agent, run_us);
    return true;
}

bool run_take_kept_final(struct run *run, struct roster_agent *a)
{
    size_t index = roster_index(&run->roster, a), count = run->roster.count;
    struct ledger_final *finals =
        run->is_resumed && !a->has_final ? calloc(count, sizeof(*finals)) : NULL;
    bool is_kept = finals != NULL && ledger_read_finals(run->ledger, finals, count) == 0;
    const struct ledger_final *final = is_kept ? &finals[index] : NULL;
    is_kept = is_kept && final->is_known && final->has_last_batch_seq &&
              final->last_batch_seq <= ledger_committed(run->ledger, (uint32_t)index);
    if (is_kept) {
        struct snapshot s = {.seq = UINT64_MAX,
                             .at_ns = a->last_event_us * NS_PER_US,
                             .is_final = true,
                             .last_batch_seq = final->last_batch_seq};
        memcpy(s.counter, final->counter, sizeof(s.counter));
        memcpy(s.server, final->server, sizeof(s.server));
        memcpy(s.packets, final->packets, sizeof(s.packets));
        truth_snapshot(run->truth, index, &s);
        a->has_final = a->is_done = true;
        a->final_batch_seq = a->last_batch_seq = final->last_batch_seq;
    }
    free(finals);
    return is_kept;
}

int run_replay_ledger(struct run *run, int64_t *out_last_us)
{
    struct context context = {.run = run};
    const struct ledger_replay replay = {
        .context = &context, .event = take_event, .entry = take_entry};
    int rc = ledger_replay(run->ledger, &replay);
    say_watermark(&context);
    *out_last_us = context.last_us;
    return rc == -ECANCELED ? -EBADMSG : rc;
}
