/* SPDX-License-Identifier: MIT */
/*
 * One judgement that looks at a part of a stage (`after`, `except`), or at every
 * window of it (`over 30s`), computed while the results come in.
 *
 * An exchange belongs to where it ended. Windows begin where their part of the
 * stage begins; only those that fit are judged. They are closed once all
 * results of their time have come (lens_watermark()), and then only the worst
 * and the tallies are kept: memory is that of the windows open at a time,
 * LENS_OPEN_MAX at most. A result that comes after that is counted, and then
 * the judgement cannot be a pass.
 *
 * Run time in microseconds. Pure; allocates when a window opens; sticky
 * out-of-memory. Owns its memory: lens_free(). Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/judge_terms.h"
#include "proto/event.h"

enum { LENS_OPEN_MAX = 256 };

struct lens;

/* `term` needs one (judge_term_needs_lens()). NULL when out of memory. */
NODISCARD struct lens *lens_new(const struct judge_term *term);
void lens_free(struct lens *lens); /* NULL is fine */

/*
 * The measured part of a stage begins. Told again for the same stage, all that
 * was seen of the stage so far was before it, and is forgotten.
 */
void lens_stage_begin(struct lens *lens, uint8_t stage, int64_t measured_from_us);
void lens_stage_end(struct lens *lens, uint8_t stage, int64_t run_us);
/* An event of the scenario happened; told before any later result. */
void lens_scenario_event(struct lens *lens, size_t event, int64_t run_us);

/* A result that is judged (due after the warm-up). `is_load`: of a PLAN_LOAD stage. */
void lens_event(struct lens *lens, const struct event *e, int64_t run_us, bool is_load);
/* The results of all agents are complete up to here. */
void lens_watermark(struct lens *lens, int64_t run_us);

/*
 * All is told; what has no end yet ends at `run_us`. `text`: the judgement as it
 * stands in the scenario; `event_name` of its filter, or NULL. False when out of memory.
 */
NODISCARD bool lens_judge(struct lens *lens, int64_t run_us, const char *text,
                          const char *event_name, struct result_judgement *out);

size_t lens_bytes(const struct lens *lens); /* memory it holds now */
