/* SPDX-License-Identifier: MIT */
#include "coordinator/run/search_script.h"

#include <assert.h>

#include "common/attrs.h"

/* As in steps.c: over the whole fleet, each on top of the ones before. */
static const uint64_t canary_limit[] = {3, 3 + 30, 3 + 30 + 300};
enum { CANARY_TRIES = 2 }; /* an exchange of a LOAD stage is one packet: it may get lost */

#define ANSWER_NS (4 * NS_PER_S)  /* the longest an agent waits for one, see PLAN_LOAD */
#define WAY_NS    (5 * NS_PER_S)  /* of the results to the coordinator */
#define SLACK_NS  (15 * NS_PER_S) /* releases and refills: retransmissions, the way */

static uint32_t stage_of(const struct plan *plan, enum plan_stage_kind kind)
{
    uint32_t i = 0;
    while (i < plan->stage_count && plan->stages[i].kind != kind) {
        i++;
    }
    return i;
}

uint32_t search_script_stage(const struct plan *plan)
{
    return stage_of(plan, PLAN_LOAD);
}

void search_script_init(struct search_script *s, const struct scenario_search *config,
                        const struct plan *plan)
{
    *s = (struct search_script){.config = config, .plan = plan};
    s->load = search_script_stage(plan);
    s->release = plan->stage_count - 1;
    s->refill = stage_of(plan, PLAN_ACQUIRE);
    assert(s->load + 1 == s->release && plan->stages[s->release].kind == PLAN_RELEASE);
    s->part = s->refill < plan->stage_count ? SEARCH_PART_TRIM : SEARCH_PART_CANARIES;
}

static uint64_t duration_ns(uint64_t count, uint64_t rate_milli_per_s)
{
    return (uint64_t)((double)count * 1e3 / (double)rate_milli_per_s * (double)NS_PER_S);
}

static uint64_t lowest_rate(const struct search_script *s)
{
    return s->config->rate_count > 0 ? s->config->rates_milli_per_s[0] : s->config->low_milli_per_s;
}

/*
 * Nobody confirms a RELEASE, and one that a server has no room for is lost: at half of what the
 * servers were seen to bear, or to fail at, and then never faster than what they did bear.
 */
static uint64_t release_rate(const struct search_script *s)
{
    uint64_t good = s->good_milli_per_s > 0 ? s->good_milli_per_s : lowest_rate(s);
    uint64_t rate = good / 2;
    if (s->bad_milli_per_s > 0) {
        rate = s->bad_milli_per_s / 2 < good ? s->bad_milli_per_s / 2 : good;
    }
    uint64_t most = s->plan->stages[s->release].rate_milli_per_s;
    rate = most > 0 && rate > most ? most : rate;
    return rate > 0 ? rate : 1;
}

static struct search_move release_all_but(const struct search_script *s, uint64_t keep,
                                          uint64_t bound)
{
    uint64_t rate = release_rate(s);
    return (struct search_move){
        .kind = SEARCH_MOVE_RELEASE,
        .stage = s->release,
        .rate_milli_per_s = rate,
        .keep = keep,
        .longest_ns = duration_ns(bound - keep, rate) + SLACK_NS,
    };
}

/* False: the canaries are over. */
static bool next_canary(struct search_script *s, uint64_t bound, struct search_move *out)
{
    uint64_t rate = lowest_rate(s);
    while (s->canary < ARRAY_LEN(canary_limit) &&
           (s->canary == 0 || canary_limit[s->canary] < s->plan->client_count)) {
        uint64_t target = canary_limit[s->canary] < s->plan->client_count ? canary_limit[s->canary]
                                                                          : s->plan->client_count;
        if (bound >= target) {
            s->canary++;
            s->canary_tries = 0;
            continue;
        }
        *out = (struct search_move){
            .kind =
                s->canary_tries++ < CANARY_TRIES ? SEARCH_MOVE_CANARY : SEARCH_MOVE_CANARY_FAILED,
            .stage = s->load,
            .rate_milli_per_s = rate,
            .arrivals = target - bound,
            .keep = target,
            .longest_ns = duration_ns(target - bound, rate) + ANSWER_NS + WAY_NS,
        };
        return true;
    }
    s->part = SEARCH_PART_TRIM;
    return false;
}

static struct search_move step_at(const struct search_script *s, uint64_t rate_milli_per_s)
{
    double seconds = (double)s->config->step_ns / (double)NS_PER_S;
    uint64_t arrivals = (uint64_t)((double)rate_milli_per_s / 1e3 * seconds + 0.5);
    uint64_t answer_ns = s->config->within_ns > ANSWER_NS ? s->config->within_ns : ANSWER_NS;
    return (struct search_move){
        .kind = SEARCH_MOVE_STEP,
        .stage = s->load,
        .rate_milli_per_s = rate_milli_per_s,
        .arrivals = arrivals > 0 ? arrivals : 1,
        .longest_ns = s->config->step_ns + answer_ns + WAY_NS,
    };
}

static struct search_move refill(const struct search_script *s)
{
    return (struct search_move){
        .kind = SEARCH_MOVE_REFILL,
        .stage = s->refill,
        .keep = s->config->bound,
        .longest_ns = s->plan->stages[s->refill].timeout_ns + SLACK_NS,
    };
}

static bool is_refilled(const struct search_script *s)
{
    return s->config->bound > 0 && s->refill < s->plan->stage_count;
}

struct search_move search_script_next(struct search_script *s, struct search_order order,
                                      uint64_t bound)
{
    struct search_move move;
    for (;;) {
        switch (s->part) {
        case SEARCH_PART_CANARIES:
            if (next_canary(s, bound, &move)) {
                return move;
            }
            break;
        case SEARCH_PART_TRIM:
            s->part = SEARCH_PART_STEP;
            if (bound > s->config->bound) {
                return release_all_but(s, s->config->bound, bound);
            }
            break;
        case SEARCH_PART_STEP:
            if (order.kind == SEARCH_ORDER_DONE) {
                return (struct search_move){.kind = SEARCH_MOVE_DONE};
            }
            if (order.kind == SEARCH_ORDER_STEP) {
                s->part = SEARCH_PART_TRIM;
                return step_at(s, order.rate_milli_per_s);
            }
            s->part = SEARCH_PART_EMPTY;
            break;
        case SEARCH_PART_EMPTY:
            s->part = SEARCH_PART_HOOK;
            if (bound > 0) {
                return release_all_but(s, 0, bound);
            }
            break;
        case SEARCH_PART_HOOK:
            s->part = is_refilled(s) ? SEARCH_PART_REFILL : SEARCH_PART_FILLED;
            if (s->config->reset[0] != '\0') {
                return (struct search_move){.kind = SEARCH_MOVE_RESET};
            }
            break;
        case SEARCH_PART_REFILL:
            s->part = SEARCH_PART_FILLED;
            return refill(s);
        case SEARCH_PART_FILLED:
            s->part = SEARCH_PART_TRIM;
            move = (struct search_move){.kind = SEARCH_MOVE_RESET_DONE, .keep = s->config->bound};
            if (is_refilled(s) && bound < s->config->bound) {
                move.kind = SEARCH_MOVE_REFILL_FAILED;
            }
            return move;
        }
    }
}

void search_script_learn(struct search_script *s, uint64_t rate_milli_per_s, enum search_flag flag)
{
    if (flag == SEARCH_BAD && (s->bad_milli_per_s == 0 || rate_milli_per_s < s->bad_milli_per_s)) {
        s->bad_milli_per_s = rate_milli_per_s;
    } else if (flag == SEARCH_GOOD && rate_milli_per_s > s->good_milli_per_s) {
        s->good_milli_per_s = rate_milli_per_s;
    }
}
