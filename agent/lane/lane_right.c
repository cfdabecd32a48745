/* SPDX-License-Identifier: MIT */
/*
 * The right to send goes and comes back. Without it what is due waits; without the coordinator
 * only leases are kept, for as long as the plan says (`on_coordinator_loss`).
 */
#include "agent/lane/lane_internal.h"
#include "agent/lane/wake.h"

/* Messages of one exchange that a stage begins. */
static double messages_per_start(const struct stage *s)
{
    if (s->kind == PLAN_LOAD) {
        double acquire = s->mix.weight[MIX_ACQUIRE];
        return 1 + acquire / (acquire + s->mix.weight[MIX_RENEW]);
    }
    return s->kind == PLAN_ACQUIRE ? 2 : 1;
}

double lane_planned_per_s(const struct lane *lane, bool *out_doubles)
{
    const struct stage *s = &lane->stage;
    const uint64_t *counter = lane->results.counter;
    bool is_starting = s->is_begun && s->kind != PLAN_HOLD && !lane_is_ending(lane);
    double t1_s = lane->typical_t1_ms > 0 ? lane->typical_t1_ms / 1000.0 : 1;
    double holders = (double)(counter[COUNTER_clients_bound] + counter[COUNTER_clients_expired]);
    double starts_per_s = (double)lane->release_milli_per_s / 1000;
    *out_doubles = is_starting && s->pacer.batch > 0;
    if (is_starting) {
        starts_per_s = s->pacer.batch > 0
                           ? s->pacer.batch
                           : (double)s->pacer.rate_milli_per_s / 1000 * messages_per_start(s);
    }
    return holders / t1_s + starts_per_s;
}

double lane_begins_per_s(const struct lane *lane)
{
    const struct stage *s = &lane->stage;
    bool is_starting = s->is_begun && s->kind != PLAN_HOLD && !lane_is_ending(lane);
    if (is_starting && s->pacer.batch > 0) {
        return 0;
    }
    double t1_s = lane->typical_t1_ms / 1000.0;
    double renewals = t1_s > 0 ? (double)lane->results.counter[COUNTER_clients_bound] / t1_s : 0;
    uint64_t milli_per_s = is_starting ? s->pacer.rate_milli_per_s : lane->release_milli_per_s;
    return renewals + (double)milli_per_s / 1000;
}

/* What had to wait while only renewals were sent: all of it is due. */
static void let_go(struct lane *lane)
{
    struct client *clients = lane->population.clients;
    while (lane->held.count > 0) {
        due_push(&lane->due, clients, due_pop(&lane->held, clients));
    }
}

static void catch_up(struct lane *lane)
{
    bool doubles = false;
    double per_s = lane_planned_per_s(lane, &doubles);
    tx_gate_catch_up(&lane->gate, per_s, doubles, lane->now_ns);
}

void lane_set_right(struct lane *lane, enum lane_right right, uint64_t since_ns, uint64_t now_ns)
{
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    since_ns = since_ns < lane->now_ns ? since_ns : lane->now_ns;
    if (right == LANE_MAY_RENEW && lane->plan->renewals_alone_ns == 0) {
        right = LANE_MAY_NOTHING; /* the plan gives no such right */
    }
    if (right == lane->right) {
        return;
    }
    uint64_t *counter = lane->results.counter;
    enum lane_right before = lane->right;
    lane->right = right;
    tx_gate_set_may_send(&lane->gate, right != LANE_MAY_NOTHING, lane->now_ns);
    if (before == LANE_MAY_RENEW) {
        counter[COUNTER_alone_ns] +=
            since_ns > lane->alone_at_ns ? since_ns - lane->alone_at_ns : 0;
    }
    if (before == LANE_MAY_NOTHING && lane->was_granted) {
        counter[COUNTER_paused_ns] += lane->now_ns - lane->paused_at_ns;
    }
    if (before != LANE_MAY_SEND && right == LANE_MAY_SEND) {
        let_go(lane);
    }
    if (before == LANE_MAY_NOTHING ? lane->was_granted : right == LANE_MAY_SEND) {
        catch_up(lane);
        lane->back_at_ns = lane->now_ns;
    }
    lane->paused_at_ns = right == LANE_MAY_NOTHING ? since_ns : 0;
    lane->alone_at_ns = since_ns;
    if (right == LANE_MAY_NOTHING && lane->was_granted) {
        results_count(&lane->results, COUNTER_pauses);
    }
    lane->was_granted = lane->was_granted || right != LANE_MAY_NOTHING;
}

void lane_right_snapshot(const struct lane *lane, struct snapshot *out)
{
    if (lane->was_granted && lane->paused_at_ns != 0 && lane->now_ns > lane->paused_at_ns) {
        out->counter[COUNTER_paused_ns] += lane->now_ns - lane->paused_at_ns;
    }
    if (lane->right == LANE_MAY_RENEW && lane->now_ns > lane->alone_at_ns) {
        out->counter[COUNTER_alone_ns] += lane->now_ns - lane->alone_at_ns;
    }
}

void lane_outbox_withdraw(struct lane *lane, size_t first)
{
    for (size_t i = first; i < lane->out_count; i++) {
        uint32_t local = lane->out[i].client;
        struct client *c = lane_client(lane, local);
        if (client_has(c, CLIENT_PREFLIGHT) || client_has(c, CLIENT_QUEUED)) {
            continue; /* another copy of the same message, or it repeats itself anyway */
        }
        c->attempt = (uint8_t)(c->attempt > 0 ? c->attempt - 1 : 0);
        c->tries = (uint8_t)(c->tries > 0 ? c->tries - 1 : 0);
        lane_queue(lane, local);
        lane_arm_timer(lane, local);
    }
    lane->out_count = 0;
}
