/* SPDX-License-Identifier: MIT */
/*
 * Events and a search as the schema sees them: the part of scenario_rows.h (which
 * includes this) that has files of its own. Private to plan/scenario*.c.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/schema.h"
#include "coordinator/plan/scenario.h"

enum { RAW_RATE_BYTES = 32 };

struct raw_scenario;
struct raw_stage;

struct raw_rate {
    char text[RAW_RATE_BYTES];
    unsigned line;
};

struct raw_mix {
    uint64_t acquire, renew;
};

struct raw_search {
    struct schema_array rates, between; /* struct raw_rate */
    struct raw_mix mix;
    uint64_t bound, step_ns, within_ns, repeat;
    double answered_percent, resolution_percent;
    char reset[SCENARIO_COMMAND_BYTES];
    unsigned rates_line, between_line, mix_line, bound_line, step_line, within_line, repeat_line;
};

struct raw_event {
    uint64_t at_ns;
    char stage[PLAN_NAME_BYTES];
    char name[sizeof(((struct scenario_event *)0)->name)];
    char run[SCENARIO_COMMAND_BYTES];
    unsigned line, at_line, in_line;
};

/*
 * The way of a search and of the events from the file's shape to the program's
 * and back. False when out of memory. A rate that is none is 0, for the checks to
 * complain about; the arrays that scenario_put_search() made are the caller's.
 */
void scenario_take_search(const struct raw_stage *raw, struct scenario *s);
NODISCARD bool scenario_take_events(const struct raw_scenario *raw, struct scenario *s);
NODISCARD bool scenario_put_search(const struct scenario *s, struct raw_search *raw);
void scenario_put_events(const struct scenario *s, struct raw_event *raw);

/* on_coordinator_loss; new exchanges stop, always: the key says so. */
struct raw_coordinator_loss {
    int new_exchanges;
    uint64_t renewals_ns;
    unsigned renewals_line;
};

struct raw_scenario;
struct scenario;

/* What happens when an agent or the coordinator is lost. */
void scenario_check_losses(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why);
