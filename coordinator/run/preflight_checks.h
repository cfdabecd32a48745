/* SPDX-License-Identifier: MIT */
/*
 * Preflight in full: a list of checks of the test bed, each with what was found and what to do
 * about it, from the facts that the agents tell and from what their first clients met. A check
 * that fails refuses the run (exit 5); a warning is only said. What could not be looked at is
 * `unknown`, never fine.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/run/preflight_verdict.h"
#include "proto/control.h"

enum preflight_check_id {
    /* at the agents' hosts */
    CHECK_SOCKETS,
    CHECK_LISTENERS,
    CHECK_ADDRESSES,
    CHECK_ROUTES,
    CHECK_RP_FILTER,
    CHECK_RECEIVE_BUFFER,
    CHECK_OPEN_FILES,
    CHECK_CLOCK,
    CHECK_CPUS,
    CHECK_PING,
    /* of what the first clients met */
    CHECK_ANSWERS,
    CHECK_CLIENT_PATH,
    CHECK_SERVER_PATH,
    CHECK_POOL_SIZE,
    CHECK_LEASE_TIME,
    CHECK_SUBNET,
    CHECK_UNMARKED,
    CHECK_ID_COUNT
};

/* As --no-preflight and the report name them. */
const char *preflight_check_name(enum preflight_check_id id);
/* "a,b": adds their bits to *skip; "all": PREFLIGHT_SKIP_ALL. False: `why` is one sentence. */
#define PREFLIGHT_SKIP_ALL UINT32_MAX
enum { PREFLIGHT_SKIP_WHY_BYTES = 300 };
NODISCARD bool preflight_skip_parse(const char *text, uint32_t *skip,
                                    char why[PREFLIGHT_SKIP_WHY_BYTES]);

enum preflight_check_result {
    CHECK_PASSED,
    CHECK_WARNED,
    CHECK_FAILED,
    CHECK_NOT_KNOWN,
    CHECK_SKIPPED,
    CHECK_RESULT_COUNT
};
/* "pass", "warning", "fail", "unknown", "skipped". */
const char *preflight_result_name(enum preflight_check_result result);

enum { PREFLIGHT_CHECKS_MAX = 128, PREFLIGHT_TEXT_BYTES = 320, PREFLIGHT_EACH_MAX = 8 };

struct preflight_check {
    enum preflight_check_id id;
    enum preflight_check_result result;
    const char *finding;               /* its id where it fails: the check's name, or a finer one */
    char where[PLAN_NAME_BYTES];       /* agent, relay or server; empty: all */
    char text[PREFLIGHT_TEXT_BYTES];   /* what was found, one sentence without full stop */
    char remedy[PREFLIGHT_TEXT_BYTES]; /* what to do; empty where there is nothing to do */
};

struct preflight_checks {
    struct preflight_check item[PREFLIGHT_CHECKS_MAX];
    size_t count;
    uint32_t skip;                  /* bit per check */
    uint32_t of_id[CHECK_ID_COUNT]; /* complaints so far; beyond PREFLIGHT_EACH_MAX only counted */
};

struct preflight_agent {
    const char *name, *host;
    const struct control_fact *facts;
    size_t fact_count;
    uint64_t clients, relays;
    uint64_t clock_uncertainty_ns; /* UINT64_MAX: no sample yet */
    const char *refusal;           /* why it could not open its sockets; NULL: it could */
};

struct preflight_bed {
    const struct scenario *scenario;
    const struct plan *plan;
    const struct preflight_agent *agents;
    size_t agent_count;
    const struct control_preflight_relay *reports; /* none: the agents did not come that far */
    const uint32_t *report_agent;                  /* whose each is; < agent_count */
    size_t report_count;
    uint64_t received; /* packets of any kind, see preflight_judge() */
};

/* Of the agents' hosts; then of the bed, where there are reports. `out` is zeroed but for skip. */
void preflight_check_hosts(const struct preflight_bed *bed, struct preflight_checks *out);
void preflight_check_bed(const struct preflight_bed *bed, const struct preflight_verdict *verdict,
                         struct preflight_checks *out);

/*
 * Adds one; `where` may be "". Of a check's complaints beyond PREFLIGHT_EACH_MAX only those are
 * kept that are worse than one before, whose place they take. Returns its item; NULL: left out.
 */
PRINTF_LIKE(6, 7)
struct preflight_check *preflight_say(struct preflight_checks *out, enum preflight_check_id id,
                                      enum preflight_check_result result, const char *where,
                                      const char *remedy, const char *format, ...);
bool preflight_is_silent(const struct preflight_checks *out, enum preflight_check_id id);
