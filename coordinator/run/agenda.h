/* SPDX-License-Identifier: MIT */
/*
 * When the scenario's events are due: `at` after the start instant of the run, or after
 * the begin of the stage `in`, while that stage lasts. An event is due once.
 *
 * Pure: instants come in, in nanoseconds of the coordinator's monotonic clock. Indices are
 * those of scenario->events. A zeroed agenda is a valid empty one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"

enum agenda_state {
    AGENDA_WAITING, /* its stage has not begun, or its time has not come */
    AGENDA_MISSED,  /* its stage, or the last stage, ended before its time came */
    AGENDA_BEGUN,   /* taken by agenda_take() */
    AGENDA_ENDED
};

struct agenda_item {
    enum agenda_state state;
    uint64_t due_ns; /* 0: not known yet */
};

struct agenda {
    const struct scenario *scenario; /* must outlive it */
    struct agenda_item item[SCENARIO_EVENTS_MAX];
};

void agenda_init(struct agenda *a, const struct scenario *scenario);
size_t agenda_count(const struct agenda *a);
const struct scenario_event *agenda_event(const struct agenda *a, size_t index);

void agenda_run_begins(struct agenda *a, uint64_t at_ns);
void agenda_stage_begins(struct agenda *a, const char *stage, uint64_t at_ns);
void agenda_stage_ended(struct agenda *a, const char *stage, uint64_t at_ns);
/* What the times count from was `by_ns` later, modulo 2^64. */
void agenda_move(struct agenda *a, uint64_t by_ns);
/* Load ends, for whatever reason: what has not begun will not. */
void agenda_stages_over(struct agenda *a);

/* The earliest event whose time has come, which is BEGUN then; false: none. */
bool agenda_take(struct agenda *a, uint64_t now_ns, size_t *out_index);
/* What was begun has ended; false when it was not running (a mark only ends as it begins). */
bool agenda_end(struct agenda *a, size_t index);

enum { AGENDA_LIST_BYTES = 600 };
/*
 * Every command of a scenario ("b off", "c off", the reset of stage limit), as one list for
 * a sentence; cut with "..." where it is long. Returns how many; 0: `out` is empty.
 */
size_t agenda_list_commands(const struct scenario *scenario, char out[AGENDA_LIST_BYTES]);
