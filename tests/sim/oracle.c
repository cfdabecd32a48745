/* SPDX-License-Identifier: MIT */
#include "tests/sim/oracle.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/sim/sched.h"

enum { FIRST_BYTES = 400, SAID_MOST = 20 };

static uint64_t violations[PROMISE_COUNT], total;
static char first[FIRST_BYTES];

const char *promise_name(enum promise promise)
{
    static const char *const names[PROMISE_COUNT] = {
        [PROMISE_ACKED_IS_KEPT] = "acked-is-kept",
        [PROMISE_NOTHING_TWICE] = "nothing-twice",
        [PROMISE_ONE_AGENT_PER_CLIENT] = "one-agent-per-client",
        [PROMISE_RUN_LEASE] = "run-lease",
        [PROMISE_POLICY] = "policy",
        [PROMISE_NO_EXPIRED_LEASE] = "no-expired-lease",
        [PROMISE_INSIDE_BLOCK] = "inside-block",
        [PROMISE_ACCOUNTING_CLOSES] = "accounting-closes",
        [PROMISE_ONE_BIN] = "one-bin",
        [PROMISE_VERDICT] = "verdict",
        [PROMISE_ENDS] = "ends",
    };
    return names[promise];
}

void oracle_violation(enum promise promise, const char *format, ...)
{
    char text[FIRST_BYTES - 60];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    violations[promise]++;
    char line[FIRST_BYTES];
    (void)snprintf(line, sizeof(line), "%s at %.6f s: %s", promise_name(promise),
                   (double)sim_now() / 1e9, text);
    if (total++ == 0) {
        (void)snprintf(first, sizeof(first), "%s", line);
    }
    if (total <= SAID_MOST) {
        (void)fprintf(stderr, "VIOLATION %s\n", line);
    }
    sim_trace("violation", line, 20);
}

uint64_t oracle_violations(void)
{
    return total;
}

uint64_t oracle_violations_of(enum promise promise)
{
    return violations[promise];
}

const char *oracle_first_violation(void)
{
    return first;
}
