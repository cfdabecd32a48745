/* SPDX-License-Identifier: MIT */
/*
 * How often exchanges had to be sent until they were answered, by stage and
 * metric, from events. An ACK and a NAK are answers.
 *
 * An acquisition that got past its client's deadline counts as one that gave up;
 * made up for later, it is an answered one. In a load stage (`is_load`) there is
 * no next try: every unanswered exchange counts. Pure; a zeroed one is empty.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/report/result.h"
#include "proto/event.h"
#include "proto/plan.h"
#include "proto/snapshot.h"

struct tries_row {
    uint64_t answered[RESULT_TRIES];
    uint64_t gave_up, made_up; /* made_up: of these, answered after all */
};

struct tries {
    struct tries_row of[PLAN_STAGES_MAX][LATENCY_METRIC_COUNT];
};

/* Metric whose exchanges events of this kind end; LATENCY_METRIC_COUNT: none. */
enum latency_metric tries_metric_of(uint8_t event_kind);

/* Ignores events of another metric. */
void tries_row_event(struct tries_row *row, enum latency_metric metric, const struct event *e,
                     bool is_load);
void tries_event(struct tries *t, const struct event *e, bool is_load);

/* The sum over `stage`, or over all of them when it is PLAN_STAGES_MAX or more. */
struct result_tries tries_of(const struct tries *t, unsigned stage, enum latency_metric metric);
struct result_tries tries_row_result(const struct tries_row *row);
uint64_t tries_answered(const struct result_tries *tries);
