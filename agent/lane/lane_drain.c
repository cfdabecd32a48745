/* SPDX-License-Identifier: MIT */
/* The end of a run: open exchanges finish, the rest is abandoned, leases are released. */
#include "agent/lane/lane_internal.h"

/* Bounds one turn, so that a million clients do not hold up what is still to be sent. */
enum { CLIENTS_PER_TURN = 16384, DRAIN_PATIENCE_S = 10 };

void lane_drain(struct lane *lane, const struct control_drain *drain, uint64_t now_ns)
{
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    if (!lane_is_ending(lane)) {
        lane_stage_stop(lane);
    }
    if (drain->mode == DRAIN_NOW) {
        lane->is_stopped = true;
        lane->due.count = lane->held.count = 0;
        lane_preflight_stop(lane, true);
        return;
    }
    if (lane_is_ending(lane)) {
        return;
    }
    lane->drain = DRAIN_FINISHING;
    lane->drain_until_ns = now_ns + DRAIN_PATIENCE_S * NS_PER_S;
    lane->release_milli_per_s = drain->release_milli_per_s;
    lane_preflight_stop(lane, false);
}

static bool is_quiet(const struct lane *lane)
{
    return lane->results.counter[COUNTER_exchanges_open] == 0 && lane->due.count == 0 &&
           !lane->preflight.is_running;
}

/* True when every client was abandoned. Each may leave an event, hence the look for room. */
static bool abandon_some(struct lane *lane)
{
    uint32_t count = lane->population.count;
    for (unsigned i = 0; i < CLIENTS_PER_TURN && lane->drain_cursor < count; i++) {
        if (!results_has_room(&lane->results)) {
            return false;
        }
        lane_abandon(lane, lane->drain_cursor++);
    }
    return lane->drain_cursor == count;
}

static bool release_some(struct lane *lane)
{
    uint32_t count = lane->population.count;
    uint64_t intended_ns;
    for (unsigned i = 0; i < CLIENTS_PER_TURN && lane->drain_cursor < count; i++) {
        if (!results_has_room(&lane->results)) {
            return false;
        }
        /* At a gentle rate the last ones wait for longer than a short lease. */
        bool has_lapsed = lane_lapse(lane, lane->drain_cursor);
        if (!has_lapsed && client_is_bound(lane_client(lane, lane->drain_cursor))) {
            if (!lane_may_start(lane) || lane->due.count >= LANE_OUTBOX_MAX ||
                !pacer_may_start(&lane->release_pacer, 0, lane->now_ns, &intended_ns)) {
                return false;
            }
            pacer_started(&lane->release_pacer);
            lane_release(lane, lane->drain_cursor, intended_ns);
        }
        lane->drain_cursor++;
    }
    return lane->drain_cursor == count;
}

static void begin_releasing(struct lane *lane)
{
    lane->drain = DRAIN_RELEASING;
    lane->drain_cursor = lane->release_milli_per_s > 0 ? 0 : lane->population.count;
    pacer_begin(&lane->release_pacer, 0, lane->release_milli_per_s, false, 0, lane->now_ns);
}

void lane_drain_turn(struct lane *lane)
{
    if (lane->is_stopped) {
        lane->is_drained = true;
        return;
    }
    if (lane->drain == DRAIN_NOT_ASKED || lane->is_drained) {
        return;
    }
    if (lane->drain == DRAIN_FINISHING &&
        (is_quiet(lane) || lane->now_ns >= lane->drain_until_ns)) {
        lane_preflight_stop(lane, true);
        lane->drain = DRAIN_ABANDONING;
    }
    if (lane->drain == DRAIN_ABANDONING && abandon_some(lane)) {
        begin_releasing(lane);
    }
    if (lane->drain == DRAIN_RELEASING && release_some(lane)) {
        lane->is_drained = lane->due.count == 0 && lane->held.count == 0 && lane->out_count == 0;
    }
}

uint64_t lane_drain_next_ns(const struct lane *lane)
{
    if (lane->is_stopped) {
        return lane->is_drained ? UINT64_MAX : lane->now_ns;
    }
    if (lane->drain == DRAIN_NOT_ASKED || lane->is_drained) {
        return UINT64_MAX;
    }
    if (lane->drain == DRAIN_FINISHING) {
        return is_quiet(lane) ? lane->now_ns : lane->drain_until_ns;
    }
    if (lane->drain == DRAIN_ABANDONING) {
        return lane->now_ns;
    }
    if (lane->due.count > 0) {
        return UINT64_MAX; /* the gate knows when */
    }
    if (lane->drain_cursor == lane->population.count) {
        return lane->now_ns;
    }
    return lane_may_start(lane) ? pacer_next_ns(&lane->release_pacer, 0, lane->now_ns) : UINT64_MAX;
}
