/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/tries.h"

enum latency_metric tries_metric_of(uint8_t event_kind)
{
    switch ((enum event_kind)event_kind) {
    case EVENT_ACQUIRE:
        return LATENCY_ACQUIRE;
    case EVENT_RENEW:
        return LATENCY_RENEW;
    case EVENT_REBIND:
        return LATENCY_REBIND;
    case EVENT_REBOOT:
        return LATENCY_REBOOT;
    case EVENT_INFORM:
        return LATENCY_INFORM;
    case EVENT_RELEASE:
    case EVENT_DECLINE:
    case EVENT_EXPIRE:
    case EVENT_QUERY:
    case EVENT_KIND_COUNT:
        break;
    }
    return LATENCY_METRIC_COUNT;
}

/* An acquisition needs two messages, DISCOVER and REQUEST; every further one is a repetition. */
static unsigned repetitions(const struct event *e)
{
    unsigned least = e->kind == EVENT_ACQUIRE ? 2 : 1;
    return e->tries > least ? e->tries - least : 0;
}

/* A client of an acquire stage goes on trying until its deadline: that is counted, once. */
static bool is_given_up(const struct event *e, bool is_load)
{
    bool is_deadline = (e->flags & EVENT_DEADLINE) != 0;
    return e->result == EVENT_GAVE_UP && (e->kind != EVENT_ACQUIRE || is_deadline != is_load);
}

void tries_row_event(struct tries_row *row, enum latency_metric metric, const struct event *e,
                     bool is_load)
{
    if (tries_metric_of(e->kind) != metric) {
        return;
    }
    if (e->result == EVENT_ACK || e->result == EVENT_CHANGED || e->result == EVENT_NAK) {
        unsigned again = repetitions(e);
        row->answered[again < RESULT_TRIES ? again : RESULT_TRIES - 1]++;
        row->made_up += (e->flags & EVENT_LATE_BOUND) != 0;
    }
    row->gave_up += is_given_up(e, is_load);
}

void tries_event(struct tries *t, const struct event *e, bool is_load)
{
    enum latency_metric metric = tries_metric_of(e->kind);
    if (metric != LATENCY_METRIC_COUNT && e->stage < PLAN_STAGES_MAX) {
        tries_row_event(&t->of[e->stage][metric], metric, e, is_load);
    }
}

struct result_tries tries_row_result(const struct tries_row *row)
{
    struct result_tries out = {0};
    for (unsigned i = 0; i < RESULT_TRIES; i++) {
        out.answered[i] = row->answered[i];
    }
    out.gave_up = row->gave_up > row->made_up ? row->gave_up - row->made_up : 0;
    return out;
}

struct result_tries tries_of(const struct tries *t, unsigned stage, enum latency_metric metric)
{
    struct tries_row sum = {0};
    for (unsigned s = 0; s < PLAN_STAGES_MAX; s++) {
        if (stage < PLAN_STAGES_MAX && s != stage) {
            continue;
        }
        const struct tries_row *row = &t->of[s][metric];
        for (unsigned i = 0; i < RESULT_TRIES; i++) {
            sum.answered[i] += row->answered[i];
        }
        sum.gave_up += row->gave_up;
        sum.made_up += row->made_up;
    }
    return tries_row_result(&sum);
}

uint64_t tries_answered(const struct result_tries *tries)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < RESULT_TRIES; i++) {
        sum += tries->answered[i];
    }
    return sum;
}
