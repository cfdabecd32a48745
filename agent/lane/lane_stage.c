/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "agent/lane/lane_internal.h"
#include "common/prng.h"

/* Bounds one turn, so that looking for the next client never starves the packets. */
enum { LOOKS_PER_TURN = 4096 };

/* --- who takes part --- */

enum turn { TURN_NOW, TURN_LATER, TURN_NEVER };

static enum turn turn_of(const struct client *c, enum plan_stage_kind kind)
{
    if (client_has(c, CLIENT_STAGE_DONE) || client_has(c, CLIENT_IN_STAGE)) {
        return TURN_NEVER;
    }
    if (kind == PLAN_ACQUIRE) {
        bool is_free = c->state == LEASE_INIT || c->state == LEASE_FAILED ||
                       c->state == LEASE_RELEASED || c->state == LEASE_EXPIRED;
        return is_free && !client_has(c, CLIENT_WAITING) ? TURN_NOW : TURN_NEVER;
    }
    if (kind == PLAN_QUERY && c->state == LEASE_RELEASED) {
        bool is_busy = client_has(c, CLIENT_WAITING) || client_has(c, CLIENT_QUEUED);
        return is_busy ? TURN_LATER : TURN_NOW;
    }
    bool is_for_adopted = kind == PLAN_RELEASE || kind == PLAN_QUERY || kind == PLAN_RENEW;
    if (client_is_adopted(c) && !is_for_adopted) {
        return TURN_NEVER;
    }
    if (kind == PLAN_RELEASE && (c->state == LEASE_RENEWING || c->state == LEASE_REBINDING)) {
        return TURN_NOW;
    }
    if (c->state == LEASE_BOUND && !client_has(c, CLIENT_WAITING)) {
        return TURN_NOW;
    }
    return client_is_bound(c) ? TURN_LATER : TURN_NEVER;
}

/* Next client whose turn it is, or false: nobody now. */
static bool next_client(struct lane *lane, uint32_t *out_local)
{
    struct stage *s = &lane->stage;
    uint32_t count = lane->population.count;
    for (unsigned looks = 0; looks < LOOKS_PER_TURN && s->passes_left > 0; looks++) {
        if (s->cursor == count) {
            /* Who was busy with a renewal gets another round. */
            s->cursor = 0;
            s->passes_left = s->found_later ? 1 : 0;
            s->found_later = false;
            return false;
        }
        uint32_t local = population_order(&lane->population, s->cursor);
        enum turn turn = turn_of(lane_client(lane, local), s->kind);
        if (turn == TURN_NOW) {
            *out_local = local;
            return true;
        }
        s->found_later = s->found_later || turn == TURN_LATER;
        s->cursor++;
    }
    return false;
}

static void start_one(struct lane *lane, uint32_t local, uint64_t intended_ns)
{
    static const enum lease_event events[PLAN_STAGE_KIND_COUNT] = {
        [PLAN_REBOOT] = LEASE_REBOOT_DUE,   [PLAN_INFORM] = LEASE_INFORM_DUE,
        [PLAN_DECLINE] = LEASE_DECLINE_DUE, [PLAN_QUERY] = LEASE_QUERY_DUE,
        [PLAN_RENEW] = LEASE_RENEW_DUE,
    };
    struct stage *s = &lane->stage;
    struct client *c = lane_client(lane, local);
    s->cursor++;
    s->started++;
    pacer_started(&s->pacer);
    results_count(&lane->results, COUNTER_actual_starts);
    if (s->kind == PLAN_ACQUIRE) {
        lane_start_acquire(lane, local, intended_ns, CLIENT_IN_STAGE);
    } else if (s->kind == PLAN_RELEASE) {
        lane_release(lane, local, intended_ns);
        client_set(c, CLIENT_IN_STAGE);
    } else {
        lane_start_exchange(lane, local, events[s->kind], intended_ns);
    }
}

static uint32_t open_starts(const struct stage *s)
{
    return s->started - s->finished;
}

uint64_t lane_stage_planned(const struct lane *lane)
{
    const struct stage *s = &lane->stage;
    if (!s->is_begun) {
        return 0;
    }
    uint64_t limit = s->is_by_arrival ? s->arrivals : s->client_limit - s->started_before;
    return pacer_planned(&s->pacer, limit, lane->now_ns);
}

void lane_stage_stop(struct lane *lane)
{
    lane->results.counter[COUNTER_planned_starts] += lane_stage_planned(lane);
    lane->stage.pacer = (struct pacer){0};
    lane->stage.arrivals = 0;
    lane->stage.started_before = lane->stage.started;
}

/* Their answers are told apart by numbers that come back. */
static bool may_ask(const struct stage *s)
{
    return s->kind != PLAN_QUERY || open_starts(s) < LANE_QUERIES_OPEN_MAX;
}

void lane_stage_turn(struct lane *lane)
{
    struct stage *s = &lane->stage;
    if (!s->is_begun || s->kind == PLAN_HOLD || lane_is_ending(lane)) {
        return;
    }
    if (s->is_by_arrival) {
        lane_load_turn(lane);
        return;
    }
    bool is_full = lane->results.pressure_permille >= 1000;
    uint64_t intended_ns;
    uint32_t local;
    while (!is_full && lane_may_start(lane) && s->started < s->client_limit &&
           lane->due.count < LANE_OUTBOX_MAX && may_ask(s) &&
           pacer_may_start(&s->pacer, open_starts(s), lane->now_ns, &intended_ns) &&
           next_client(lane, &local)) {
        start_one(lane, local, intended_ns);
    }
}

uint64_t lane_stage_next_ns(const struct lane *lane)
{
    const struct stage *s = &lane->stage;
    if (!s->is_begun || lane_is_ending(lane) || !lane_may_start(lane)) {
        return UINT64_MAX;
    }
    if (s->kind == PLAN_HOLD) {
        return s->end_ns > lane->now_ns ? s->end_ns : UINT64_MAX;
    }
    if (s->is_by_arrival) {
        return lane_load_next_ns(lane);
    }
    if (s->started >= s->client_limit || s->passes_left == 0) {
        return UINT64_MAX;
    }
    uint64_t at_ns = pacer_next_ns(&s->pacer, open_starts(s), lane->now_ns);
    /* Looking for a free client, or for room in the outbox, is taken up again a little later. */
    return at_ns > lane->now_ns ? at_ns : lane->now_ns + NS_PER_MS;
}

void lane_stage_finished(struct lane *lane, struct client *c)
{
    if (client_has(c, CLIENT_IN_STAGE)) {
        client_clear(c, CLIENT_IN_STAGE);
        client_set(c, CLIENT_STAGE_DONE);
        lane->stage.finished++;
    }
}

bool lane_stage_is_done(const struct lane *lane)
{
    const struct stage *s = &lane->stage;
    if (!s->is_begun) {
        return false;
    }
    if (s->kind == PLAN_HOLD) {
        return lane->now_ns >= s->end_ns;
    }
    if (s->is_by_arrival) {
        return open_starts(s) == 0 && s->is_closed;
    }
    return open_starts(s) == 0 && (s->started >= s->client_limit || s->passes_left == 0);
}

/* A new stage: everybody may have a turn again, and what an older stage left open is its own. */
static void begin_stage(struct lane *lane, const struct control_go *go)
{
    const struct plan_stage *plan = &lane->plan->stages[go->stage];
    for (uint32_t i = 0; i < lane->population.count; i++) {
        client_clear(lane_client(lane, i), CLIENT_STAGE_DONE);
        client_clear(lane_client(lane, i), CLIENT_IN_STAGE);
    }
    lane->stage = (struct stage){
        .round = go->round,
        .index = go->stage,
        .kind = plan->kind,
        .is_begun = true,
        .start_ns = go->start_at_ns,
        .end_ns = go->start_at_ns + plan->duration_ns,
        .is_by_arrival =
            plan->kind == PLAN_LOAD || (plan->kind == PLAN_RELEASE && go->arrivals > 0),
    };
    lane->ready.is_kept = lane->ready.is_kept && lane->stage.is_by_arrival;
}

/* In the order (round, stage, step). */
static bool is_newer(const struct control_go *go, const struct stage *s)
{
    if (go->round != s->round) {
        return go->round > s->round;
    }
    return go->stage != s->index ? go->stage > s->index : go->step > s->step;
}

/* Everybody may be looked at once more, also those who came since the last look. */
static void look_again(struct lane *lane)
{
    struct stage *s = &lane->stage;
    uint32_t count = lane->population.count;
    s->client_limit = s->asked_limit < count ? s->asked_limit : count;
    s->passes_left = 1;
    s->found_later = false;
}

static void begin_step(struct lane *lane, const struct control_go *go, uint64_t start_at_ns)
{
    struct stage *s = &lane->stage;
    const struct plan_stage *plan = &lane->plan->stages[go->stage];
    s->step = go->step;
    s->is_last_step = go->is_last_step;
    s->asked_limit = go->client_limit;
    look_again(lane);
    if (s->is_by_arrival) {
        lane_load_begin(lane, go);
    } else {
        pacer_begin(&s->pacer, go->batch, go->rate_milli_per_s, plan->is_poisson,
                    prng_mix(lane->plan->seed, go->stage, population_global(&lane->population, 0)),
                    start_at_ns);
    }
}

void lane_stage_widen(struct lane *lane, const struct control_go *go)
{
    struct stage *s = &lane->stage;
    s->cursor = 0; /* the order of starting is another one; who had a turn is known */
    if (go == NULL || go->stage >= lane->plan->stage_count) {
        look_again(lane);
    } else if (!s->is_begun || is_newer(go, s)) {
        lane_go(lane, go, lane->now_ns);
    } else if (go->round == s->round && go->stage == s->index && go->step == s->step &&
               !s->is_by_arrival) {
        lane_stage_stop(lane);
        begin_step(lane, go, go->start_at_ns > lane->now_ns ? go->start_at_ns : lane->now_ns);
    } else {
        look_again(lane);
    }
}

void lane_go(struct lane *lane, const struct control_go *go, uint64_t now_ns)
{
    struct stage *s = &lane->stage;
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    if (go->stage >= lane->plan->stage_count || lane_is_ending(lane)) {
        return;
    }
    if (s->is_begun && !is_newer(go, s)) {
        return; /* repeated, or older than what we do already */
    }
    lane_preflight_stop(lane, true); /* its clients are the stage's now */
    lane_stage_stop(lane);
    if (!s->is_begun || go->round != s->round || go->stage != s->index) {
        begin_stage(lane, go);
    }
    begin_step(lane, go, go->start_at_ns);
    uint64_t late_ns = now_ns > go->start_at_ns ? now_ns - go->start_at_ns : 0;
    results_latency(&lane->results, LATENCY_START_LATENESS, LATENCY_INTENDED, 0, (uint8_t)s->index,
                    late_ns);
}
