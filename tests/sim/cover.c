/* SPDX-License-Identifier: MIT */
#include "tests/sim/cover.h"

#include <stdio.h>

#include "agent/client/lease_fsm.h"
#include "common/attrs.h"
#include "tests/sim/sched.h"

struct cover cover;

enum lease_action __real_lease_fsm_step(enum lease_state *state, enum lease_event event);
enum run_action __real_run_fsm_step(enum run_phase *phase, enum run_event event);
enum lease_action __wrap_lease_fsm_step(enum lease_state *state, enum lease_event event);
enum run_action __wrap_run_fsm_step(enum run_phase *phase, enum run_event event);

static const char *const run_event_names[RUN_EVENT_COUNT] = {
    [RUN_ALL_JOINED] = "all joined",
    [RUN_ALL_READY] = "all ready",
    [RUN_PREFLIGHT_PASSED] = "passed",
    [RUN_ALL_ARMED] = "all armed",
    [RUN_STEP_DONE] = "step done",
    [RUN_STAGES_DONE] = "stages done",
    [RUN_STOP] = "stop",
    [RUN_REFUSED] = "refused",
    [RUN_ALL_DRAINED] = "drained",
    [RUN_RECONCILED] = "reconciled",
    [RUN_PHASE_TIMEOUT] = "timeout",
    [RUN_HARD_STOP] = "hard stop",
};

/* Rows that no run can come to, and why; one that is reached is struck off here. */
static const struct {
    enum run_phase phase;
    enum run_event event;
    const char *why;
} unreachable_run[] = {
    {RUN_GATHER, RUN_STOP, "before there are books, a stop is a refusal"},
    {RUN_GATHER, RUN_HARD_STOP, "as above"},
    {RUN_GATHER, RUN_PHASE_TIMEOUT, "agents that do not come are a refusal"},
    {RUN_PREPARE, RUN_PHASE_TIMEOUT, "agents that are not ready are a refusal"},
    {RUN_PREFLIGHT, RUN_PHASE_TIMEOUT, "agents that do not answer are a stop"},
    {RUN_ARM, RUN_PHASE_TIMEOUT, "as above"},
    {RUN_ARM, RUN_REFUSED, "only for lack of memory"},
};

static const struct {
    enum lease_state state;
    enum lease_event event;
    const char *why;
} unreachable_lease[] = {
    {LEASE_REBOOTING, LEASE_RELEASE_DUE,
     "a stage leaves it alone, the end of a run gives it up first"},
    {LEASE_RELEASED, LEASE_QUERY_DUE,
     "a clean-up asks before it releases, each in a run of its own"},
    {LEASE_RELEASED, LEASE_RETRANSMIT, "as above"},
    {LEASE_RELEASED, LEASE_GIVE_UP, "as above"},
    {LEASE_RELEASED, LEASE_STILL_HELD, "as above"},
};

enum lease_action __wrap_lease_fsm_step(enum lease_state *state, enum lease_event event)
{
    cover.lease[*state][event]++;
    sim_trace_number("lease", (uint64_t)*state << 8 | (uint64_t)event);
    return __real_lease_fsm_step(state, event);
}

enum run_action __wrap_run_fsm_step(enum run_phase *phase, enum run_event event)
{
    cover.run[*phase][event]++;
    sim_trace_number("run", (uint64_t)*phase << 8 | (uint64_t)event);
    enum run_phase before = *phase;
    enum run_action action = __real_run_fsm_step(phase, event);
    if (*phase != before) {
        faults_at_phase(*phase);
    }
    return action;
}

void cover_note_faults(uint64_t effective)
{
    for (unsigned a = 0; a < FAULT_COUNT; a++) {
        for (unsigned b = 0; b <= a; b++) {
            cover.pairs[a][b] += (effective >> a & 1) != 0 && (effective >> b & 1) != 0;
        }
    }
}

void cover_add(struct cover *to, const struct cover *more)
{
    uint32_t *sum = &to->lease[0][0];
    const uint32_t *part = &more->lease[0][0];
    for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++) {
        sum[i] += part[i];
    }
}

/* --- tables --- */

static bool is_lease_row(enum lease_state state, enum lease_event event)
{
    return __real_lease_fsm_step(&state, event) != LEASE_UNEXPECTED;
}

static bool is_run_row(enum run_phase phase, enum run_event event)
{
    return __real_run_fsm_step(&phase, event) != RUN_IGNORE;
}

static const char *why_no_lease(enum lease_state state, enum lease_event event)
{
    for (size_t i = 0; i < ARRAY_LEN(unreachable_lease); i++) {
        if (unreachable_lease[i].state == state && unreachable_lease[i].event == event) {
            return unreachable_lease[i].why;
        }
    }
    return NULL;
}

static const char *why_no_run(enum run_phase phase, enum run_event event)
{
    for (size_t i = 0; i < ARRAY_LEN(unreachable_run); i++) {
        if (unreachable_run[i].phase == phase && unreachable_run[i].event == event) {
            return unreachable_run[i].why;
        }
    }
    return NULL;
}

struct tally {
    unsigned rows, reached, unreachable, wrong;
};

/* One row of a table: reached, or known not to be; `wrong` counts what is neither. */
static void count_row(struct tally *t, const char *state, const char *event, uint32_t reached,
                      const char *why)
{
    t->rows++;
    t->reached += reached > 0;
    t->unreachable += why != NULL;
    if (reached > 0 && why != NULL) {
        t->wrong++;
        (void)printf("  reached, though listed as unreachable: %s, %s\n", state, event);
    } else if (reached == 0) {
        t->wrong += why == NULL;
        (void)printf("  not reached: %s, %s%s%s\n", state, event, why == NULL ? "" : ": ",
                     why == NULL ? "" : why);
    }
}

static unsigned print_lease(const struct cover *c)
{
    struct tally t = {0};
    for (enum lease_state s = 0; s < LEASE_STATE_COUNT; s++) {
        for (enum lease_event e = 0; e < LEASE_EVENT_COUNT; e++) {
            if (is_lease_row(s, e)) {
                count_row(&t, lease_state_name(s), lease_event_name(e), c->lease[s][e],
                          why_no_lease(s, e));
            }
        }
    }
    (void)printf("client: %u of %u rows (state, event) reached, %u listed as unreachable\n",
                 t.reached, t.rows, t.unreachable);
    return t.wrong;
}

static unsigned print_run(const struct cover *c)
{
    struct tally t = {0};
    for (enum run_phase p = 0; p < RUN_PHASE_COUNT; p++) {
        for (enum run_event e = 0; e < RUN_EVENT_COUNT; e++) {
            if (is_run_row(p, e)) {
                count_row(&t, run_phase_name(p), run_event_names[e], c->run[p][e],
                          why_no_run(p, e));
            }
        }
    }
    (void)printf("run: %u of %u rows (phase, event) reached, %u listed as unreachable\n", t.reached,
                 t.rows, t.unreachable);
    return t.wrong;
}

static unsigned print_pairs(const struct cover *c)
{
    unsigned reached = 0, missing = 0;
    for (unsigned a = 0; a < FAULT_COUNT; a++) {
        (void)printf("  %-12s", fault_name((enum fault_kind)a));
        for (unsigned b = 0; b <= a; b++) {
            (void)printf(" %5u", (unsigned)c->pairs[a][b]);
            reached += c->pairs[a][b] > 0;
            missing += c->pairs[a][b] == 0;
        }
        (void)printf("\n");
    }
    (void)printf("faults: %u of %u kinds and pairs took effect in one run\n", reached,
                 reached + missing);
    return missing;
}

bool cover_print(const struct cover *c, bool demands_all)
{
    unsigned wrong = print_lease(c);
    wrong += print_run(c);
    wrong += print_pairs(c);
    return !demands_all || wrong == 0;
}
