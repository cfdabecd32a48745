/* SPDX-License-Identifier: MIT */
/*
 * The figures findings are made of: each has a name, a unit and a sentence, and is
 * either known or not, with the reason. Some are of the run, some of each server of
 * the plan, some are words (the name of a stage, a rule as a host prints it).
 *
 * They stand in report.json as they are, so that a finding can be contested with
 * nothing but the report; and recorded ones are what the rules are tested with.
 *
 * Pure. A zeroed struct is a valid one, in which nothing is known.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/truth/facts_list.h"
#include "coordinator/truth/facts_observed_list.h"
#include "coordinator/truth/facts_wire_list.h"
#include "proto/observation.h"
#include "proto/plan.h"

#define FACTS_RUN(X)    FACTS_RUN_LEASES(X) FACTS_RUN_BED(X) FACTS_RUN_TESTER(X) FACTS_RUN_WIRE(X)
#define FACTS_SERVER(X) FACTS_SERVER_LEASES(X) FACTS_SERVER_WIRE(X) FACTS_SERVER_OBSERVED(X)

enum fact_id {
    FACT_ABSENT,
#define X(name, unit, help) FACT_##name,
    FACTS_RUN(X) FACT_SERVER_BEGIN,
    FACT_BEFORE_SERVER = FACT_SERVER_BEGIN - 1,
    FACTS_SERVER(X) FACT_COUNT
#undef X
};

enum word_id {
#define X(name, help) WORD_##name,
    FACTS_RUN_WORDS(X) WORD_SERVER_BEGIN,
    WORD_BEFORE_SERVER = WORD_SERVER_BEGIN - 1,
    FACTS_SERVER_WORDS(X) WORD_COUNT
#undef X
};

enum fact_unit {
    UNIT_COUNT,
    UNIT_S,
    UNIT_MS,
    UNIT_PERCENT,
    UNIT_PER_S,
    UNIT_BYTES,
    UNIT_RATIO,
};

/* Why a fact has no value. */
enum fact_state {
    FACT_NO_DATA, /* the run has not shown it: too few, or the other way of working */
    FACT_KNOWN,
    FACT_NO_OBSERVER,
    FACT_NOT_APPLICABLE, /* the observed server has no such thing */
    FACT_NO_PERMISSION,
    FACT_NO_KERNEL,
    FACT_STATE_COUNT
};

enum { FACT_WORD_BYTES = 640 };

struct fact {
    double value; /* finite where known */
    uint8_t state;
};

struct facts {
    struct fact run[FACT_SERVER_BEGIN];
    char word[WORD_SERVER_BEGIN][FACT_WORD_BYTES];
    size_t server_count;
    struct facts_of_server {
        char name[PLAN_NAME_BYTES];
        struct fact fact[FACT_COUNT - FACT_SERVER_BEGIN];
        char word[WORD_COUNT - WORD_SERVER_BEGIN][FACT_WORD_BYTES];
    } server[PLAN_SERVERS_MAX];
};

struct truth;
struct result;
/*
 * All facts of a run that has ended; `out` was zeroed. Everything of `r` but findings is there.
 * False when out of memory.
 */
NODISCARD bool facts_gather(const struct truth *t, const struct result *r, struct facts *out);

/* Parts of facts_gather(). */
struct observers;
/* `o` NULL: there are none. The load was from `from_s` to `until_s`, NAN: unknown. */
void facts_gather_observers(const struct observers *o, double from_s, double until_s,
                            struct facts *out);
NODISCARD bool facts_gather_wire(const struct truth *t, struct facts *out); /* false: no memory */
void facts_gather_failover(const struct truth *t, const struct result *r, struct facts *out);
void facts_gather_tester(const struct truth *t, const struct result *r, struct facts *out);

/* Setting; a value that is not finite, or RESULT_UNKNOWN as a count, stays without data. */
void facts_set(struct facts *f, enum fact_id id, double value);
void facts_count(struct facts *f, enum fact_id id, uint64_t count);
void facts_set_of(struct facts *f, size_t server, enum fact_id id, double value);
void facts_count_of(struct facts *f, size_t server, enum fact_id id, uint64_t count);
void facts_lack_of(struct facts *f, size_t server, enum fact_id id, enum fact_state why);
void facts_say(struct facts *f, enum word_id id, const char *format, ...) PRINTF_LIKE(3, 4);
void facts_say_of(struct facts *f, size_t server, enum word_id id, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* `server` is ignored for facts and words of the run. */
struct fact facts_get(const struct facts *f, enum fact_id id, size_t server);
const char *facts_word(const struct facts *f, enum word_id id, size_t server); /* "" */

static inline bool fact_is_of_server(enum fact_id id)
{
    return id >= FACT_SERVER_BEGIN;
}

static inline bool word_is_of_server(enum word_id id)
{
    return id >= WORD_SERVER_BEGIN;
}

const char *fact_name(enum fact_id id);
const char *fact_help(enum fact_id id);
enum fact_unit fact_unit(enum fact_id id);
const char *fact_unit_name(enum fact_unit unit);    /* "n" "s" "ms" "%" "1/s" "bytes" "ratio" */
const char *fact_state_name(enum fact_state state); /* "no_observer", ... */
const char *word_name(enum word_id id);
/* By name, `length` characters of it; FACT_ABSENT or WORD_COUNT: there is none. */
enum fact_id fact_by_name(const char *name, size_t length);
enum word_id word_by_name(const char *name, size_t length);

enum { FACT_TEXT_BYTES = 32 };
/* "1,479" "12.3 s" "88.5 %"; "an unknown number" where it is not known. */
const char *fact_text(enum fact_id id, struct fact fact, char text[FACT_TEXT_BYTES]);
