/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/report/problems.h"
#include "coordinator/truth/ledger_final.h"

enum {
    COMMIT_ROWS = 5000,
    COMMIT_AFTER_MS = 50,
    MESSAGES_PER_TURN = 256, /* so that control is never delayed by bulk */
    DEFERRED_PER_RELAY = 64, /* preflight has 3 clients, each with a handful of results */
    DEFERRED_LEAST = 4096
};

/* An agent's time is known to milliseconds; what it dates beyond this cannot have happened. */
#define FUTURE_SLACK_NS (10 * NS_PER_S)
#define PAST_SLACK_NS   (3600 * NS_PER_S)

int64_t run_time_us(const struct run *run, uint64_t coordinator_ns)
{
    return ((int64_t)(coordinator_ns - run->start_ns)) / (int64_t)NS_PER_US;
}

static int64_t agent_run_us(const struct run *run, const struct roster_agent *a, uint64_t agent_us)
{
    int64_t ns = clock_map_to_coordinator_ns(&a->clock, agent_us * NS_PER_US);
    return run_time_us(run, (uint64_t)ns); /* its difference wraps where a signed one must not */
}

static void log_problem(struct run *run, const struct roster_agent *a, const struct event *e,
                        int64_t run_us)
{
    struct problems_context context = {
        .plan = &run->plan,
        .agent = a->name,
        .run_us = run_us,
        .started_at_s = run->start_ns == 0 ? 0 : run->started_wall_s,
    };
    char line[PROBLEMS_LINE_BYTES];
    size_t size = problems_format(&context, e, line, sizeof(line));
    if (size == 0 || run->problems == NULL) {
        return;
    }
    if (run->problem_lines == PROBLEMS_LINES_MAX) {
        run->problems_unwritten++;
        return;
    }
    run->problem_lines++;
    (void)fwrite(line, 1, size, run->problems); /* checked when it is closed */
}

void run_take_result(struct run *run, size_t index, const struct event *e, int64_t run_us,
                     uint64_t uncertainty_us)
{
    truth_event(run->truth, index, e, run_us, uncertainty_us);
    log_problem(run, &run->roster.agents[index], e, run_us);
}

static void tell_truth(struct run *run, size_t index, const struct event *e)
{
    const struct roster_agent *a = &run->roster.agents[index];
    struct clock_reading clock = clock_map_at(&a->clock, e->t_us * NS_PER_US);
    run_take_result(run, index, e, agent_run_us(run, a, e->t_us),
                    clock.uncertainty_ns / NS_PER_US + 1);
}

/* In the time of the run and not in the future, by the agent's clock as it is known. */
static bool time_is_possible(const struct run *run, const struct roster_agent *a, uint64_t agent_us)
{
    if (agent_us > UINT64_MAX / NS_PER_US) {
        return false;
    }
    int64_t ns = clock_map_to_coordinator_ns(&a->clock, agent_us * NS_PER_US);
    /* The host has booted before; after a resume perhaps since the run began. */
    int64_t since_ns = run->is_other_boot ? (int64_t)run->start_ns : 0;
    return ns > since_ns - (int64_t)PAST_SLACK_NS && ns < (int64_t)(run->now_ns + FUTURE_SLACK_NS);
}

/* What no agent of ours would say: then nothing it says can be counted on. NULL: all is well. */
static const char *fault_of(const struct run *run, const struct roster_agent *a,
                            const struct control_batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct event *e = &batch->events[i];
        bool is_preflight = (e->flags & EVENT_PREFLIGHT) != 0;
        if ((e->flags & EVENT_VOID) != 0) {
            return "reported results with a mark that is the coordinator's";
        }
        if (!roster_plays(a, e->client)) {
            return "reported results of clients it does not play";
        }
        if (!is_preflight && e->stage >= run->plan.stage_count) {
            return "reported results of a stage that does not exist";
        }
        if (!time_is_possible(run, a, e->t_us)) {
            return "reported results of a time that cannot be";
        }
    }
    size_t deferred_max = DEFERRED_LEAST + (size_t)run->plan.relay_count * DEFERRED_PER_RELAY;
    if (run->start_ns == 0 && run->deferred_count + batch->event_count > deferred_max) {
        return "reported more results than a preflight has";
    }
    return NULL;
}

static bool defer(struct run *run, size_t index, const struct event *e)
{
    if (run->deferred_count == run->deferred_room) {
        size_t room = run->deferred_room == 0 ? 256 : 2 * run->deferred_room;
        struct deferred_event *grown = realloc(run->deferred, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        run->deferred = grown;
        run->deferred_room = room;
    }
    run->deferred[run->deferred_count++] = (struct deferred_event){index, *e};
    return true;
}

void run_flush_deferred(struct run *run)
{
    for (size_t i = 0; i < run->deferred_count; i++) {
        tell_truth(run, run->deferred[i].agent, &run->deferred[i].event);
    }
    run->deferred_count = 0;
    run_observers_flush(run);
}

void run_ledger_failed(struct run *run)
{
    if (run->is_ledger_broken) {
        return; /* told already */
    }
    run->is_ledger_broken = true;
    char what_to_do[RESULT_TEXT_BYTES];
    run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "the ledger cannot be written: %s",
             ledger_why(run->ledger));
    run_space_explain(run, what_to_do, sizeof(what_to_do));
    run_say(run, what_to_do);
}

static void send_ack(struct run *run, struct roster_agent *a)
{
    size_t index = roster_index(&run->roster, a);
    uint64_t committed = ledger_committed(run->ledger, (uint32_t)index);
    struct control_message m = {.kind = CONTROL_ACK};
    m.u.ack = (struct control_ack){
        .epoch = a->epoch,
        .committed_seq = committed,
        .limit_seq = committed + LINK_WINDOW_BATCHES,
    };
    a->acked_seq = committed;
    run_send(run, a, &m);
}

static void say_out_of_step(struct run *run, const struct roster_agent *a, uint64_t seq,
                            const char *what)
{
    uint64_t unsaid;
    if (hub_may_say(run->hub, HUB_STREAM, &unsaid)) {
        uint32_t index = (uint32_t)roster_index(&run->roster, a);
        log_info("what=%s agent=%s seq=%llu committed=%llu unsaid=%llu", what, a->name,
                 (unsigned long long)seq, (unsigned long long)ledger_committed(run->ledger, index),
                 (unsigned long long)unsaid);
    }
}

/* What a lost agent tells late and never happened is marked before it is written. */
static void mark_void(const struct run *run, size_t index, const struct control_batch *batch,
                      struct event out[CONTROL_BATCH_EVENTS_MAX])
{
    memcpy(out, batch->events, batch->event_count * sizeof(*out));
    for (size_t i = 0; i < batch->event_count; i++) {
        if (truth_is_void(run->truth, index, &out[i])) {
            out[i].flags |= EVENT_VOID;
        }
    }
}

static void receive_batch(struct run *run, struct roster_agent *a,
                          const struct control_batch *batch)
{
    struct event events[CONTROL_BATCH_EVENTS_MAX];
    size_t index = roster_index(&run->roster, a);
    /* Not acknowledged, so the agent keeps it. */
    if (batch->epoch != a->epoch || run->ledger == NULL || run->is_ledger_broken) {
        return;
    }
    const char *fault = fault_of(run, a, batch);
    if (fault != NULL) {
        a->is_barred = true;
        a->is_returned = false;
        run_lose_agent(run, a, fault);
        return;
    }
    mark_void(run, index, batch, events);
    int rc = ledger_append(run->ledger, (uint32_t)index, batch->seq, events, batch->event_count);
    if (rc == -EPROTO || rc == 0) {
        say_out_of_step(run, a, batch->seq, rc == 0 ? "batch_repeated" : "batch_gap");
        send_ack(run, a); /* tell the agent where we are */
        return;
    }
    if (rc < 0) {
        run_ledger_failed(run);
        return;
    }
    if (run->commit_due_ns == 0) {
        run->commit_due_ns = run->now_ns + COMMIT_AFTER_MS * NS_PER_MS;
    }
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct event *e = &events[i];
        a->last_event_us = e->t_us > a->last_event_us ? e->t_us : a->last_event_us;
        if (run->start_ns != 0) {
            tell_truth(run, index, e);
        } else if (!defer(run, index, e)) {
            run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "out of memory");
        }
    }
    a->delivered_ns = run->now_ns;
    if (run->start_ns != 0 && a->last_event_us > 0 && !a->is_lost) {
        truth_watermark(run->truth, index,
                        agent_run_us(run, a, a->last_event_us) - RUN_WATERMARK_SLACK_US);
    }
}

/* For who audits the run later: counters and events, from one file. */
static void keep_final(struct run *run, size_t agent, const struct snapshot *s)
{
    const struct ledger_instant at = {
        .run_us = run->start_ns == 0 ? 0 : run_time_us(run, run->now_ns),
        .wall_s = clock_realtime_ns() / NS_PER_S,
    };
    if (!run->is_ledger_broken &&
        ledger_add_final(run->ledger, (uint32_t)agent, s, run->plan.server_count, &at) < 0) {
        run_ledger_failed(run);
    }
}

void run_keep_finals(struct run *run)
{
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct snapshot *s = truth_latest(run->truth, i);
        if (!run->roster.agents[i].is_lost && s != NULL && s->is_final) {
            keep_final(run, i, s);
        }
    }
}

static void receive_snapshot(struct run *run, struct roster_agent *a, const struct snapshot *s)
{
    if (run->truth == NULL) {
        return;
    }
    if (!time_is_possible(run, a, s->at_ns / NS_PER_US)) {
        a->is_barred = true;
        run_lose_agent(run, a, "dated its counters at a time that cannot be");
        return;
    }
    truth_snapshot(run->truth, roster_index(&run->roster, a), s);
    if (s->is_final) {
        if (!a->has_final) { /* said again, it is kept when the run ends: no flood of writing */
            keep_final(run, roster_index(&run->roster, a), s);
        }
        a->has_final = true;
        a->final_batch_seq = s->last_batch_seq;
    }
}

/* Of servers and stages there are: what is kept per key stays bounded by the plan. */
static void receive_histogram(struct run *run, const struct roster_agent *a,
                              const struct control_histogram *h)
{
    const struct histogram_key *key = &h->key;
    if ((key->stage < run->plan.stage_count || key->stage == SNAPSHOT_STAGE_PREFLIGHT) &&
        (key->server < run->plan.server_count || key->server == SNAPSHOT_NO_SERVER)) {
        truth_histogram(run->truth, roster_index(&run->roster, a), h);
    }
}

/* After a resume results wait at their agent until their times can be understood. */
static bool hears_results(const struct run *run, const struct roster_agent *a)
{
    return run->ledger != NULL && !run->is_start_guessed && roster_is_there(a) &&
           roster_has_clock(a);
}

static void handle_data(struct run *run, const struct link_peer *from,
                        const struct control_message *m)
{
    struct roster_agent *a = roster_find(&run->roster, from->name, m->session);
    if (a == NULL || !roster_is_there(a)) {
        return; /* leftovers of an older connection; the agent will say HELLO again */
    }
    memcpy(a->data.bytes, from->route, from->route_bytes);
    a->data.size = from->route_bytes;
    a->last_heard_ns = run->now_ns;
    if (!hears_results(run, a)) {
        return;
    }
    if (m->kind == CONTROL_DATA_HELLO) {
        send_ack(run, a);
    } else if (m->kind == CONTROL_BATCH) {
        receive_batch(run, a, &m->u.batch);
    } else if (a->is_lost) {
        return; /* counters of one that was given up are compared with nothing */
    } else if (m->kind == CONTROL_SNAPSHOT) {
        receive_snapshot(run, a, m->u.snapshot);
    } else if (m->kind == CONTROL_HISTOGRAM) {
        receive_histogram(run, a, &m->u.histogram);
    }
}

void run_receive_data(struct run *run)
{
    static_assert((int)LINK_ROUTE_BYTES <= (int)ROSTER_ROUTE_BYTES, "routes fit");
    struct link_peer from;
    struct control_message m;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && hub_receive(run->hub, HUB_DATA, &from, &m) > 0;
         i++) {
        handle_data(run, &from, &m);
    }
}

void run_commit(struct run *run, bool is_forced)
{
    if (run->ledger == NULL || run->is_ledger_broken || ledger_pending(run->ledger) == 0) {
        return;
    }
    if (!is_forced && run->now_ns < run->commit_due_ns &&
        ledger_pending(run->ledger) < COMMIT_ROWS) {
        return;
    }
    run->commit_due_ns = 0;
    if (ledger_commit(run->ledger) < 0) {
        run_ledger_failed(run);
        return;
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        if (hears_results(run, a) && ledger_committed(run->ledger, (uint32_t)i) != a->acked_seq) {
            send_ack(run, a);
        }
    }
    if (run->problems != NULL) {
        (void)fflush(run->problems); /* so that `tail -f` shows it; checked when it is closed */
    }
}
