/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/facts.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum fact_unit unit;
    const char *help;
} table[FACT_COUNT] = {
#define X(name, unit, help) [FACT_##name] = {#name, unit, help},
    FACTS_RUN(X) FACTS_SERVER(X)
#undef X
};

static const char *const words[WORD_COUNT] = {
#define X(name, help) [WORD_##name] = #name,
    FACTS_RUN_WORDS(X) FACTS_SERVER_WORDS(X)
#undef X
};

static struct fact *slot(struct facts *f, size_t server, enum fact_id id)
{
    assert(id > FACT_ABSENT && id < FACT_COUNT);
    assert(!fact_is_of_server(id) || server < PLAN_SERVERS_MAX);
    return fact_is_of_server(id) ? &f->server[server].fact[id - FACT_SERVER_BEGIN] : &f->run[id];
}

void facts_set_of(struct facts *f, size_t server, enum fact_id id, double value)
{
    if (isfinite(value)) {
        *slot(f, server, id) = (struct fact){.value = value, .state = FACT_KNOWN};
    }
}

void facts_count_of(struct facts *f, size_t server, enum fact_id id, uint64_t count)
{
    if (count != UINT64_MAX) {
        facts_set_of(f, server, id, (double)count);
    }
}

void facts_set(struct facts *f, enum fact_id id, double value)
{
    assert(!fact_is_of_server(id));
    facts_set_of(f, 0, id, value);
}

void facts_count(struct facts *f, enum fact_id id, uint64_t count)
{
    assert(!fact_is_of_server(id));
    facts_count_of(f, 0, id, count);
}

void facts_lack_of(struct facts *f, size_t server, enum fact_id id, enum fact_state why)
{
    assert(why != FACT_KNOWN);
    *slot(f, server, id) = (struct fact){.state = (uint8_t)why};
}

static char *word_slot(struct facts *f, size_t server, enum word_id id)
{
    assert(id < WORD_COUNT && (!word_is_of_server(id) || server < PLAN_SERVERS_MAX));
    return word_is_of_server(id) ? f->server[server].word[id - WORD_SERVER_BEGIN] : f->word[id];
}

void facts_say(struct facts *f, enum word_id id, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(word_slot(f, 0, id), FACT_WORD_BYTES, format, arguments);
    va_end(arguments);
}

void facts_say_of(struct facts *f, size_t server, enum word_id id, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(word_slot(f, server, id), FACT_WORD_BYTES, format, arguments);
    va_end(arguments);
}

struct fact facts_get(const struct facts *f, enum fact_id id, size_t server)
{
    return *slot((struct facts *)(uintptr_t)f, server, id);
}

const char *facts_word(const struct facts *f, enum word_id id, size_t server)
{
    return word_slot((struct facts *)(uintptr_t)f, server, id);
}

const char *fact_name(enum fact_id id)
{
    return table[id].name;
}

const char *fact_help(enum fact_id id)
{
    return table[id].help;
}

enum fact_unit fact_unit(enum fact_id id)
{
    return table[id].unit;
}

const char *fact_unit_name(enum fact_unit unit)
{
    static const char *const names[] = {
        [UNIT_COUNT] = "n",   [UNIT_S] = "s",         [UNIT_MS] = "ms",      [UNIT_PERCENT] = "%",
        [UNIT_PER_S] = "1/s", [UNIT_BYTES] = "bytes", [UNIT_RATIO] = "ratio"};
    return names[unit];
}

const char *fact_state_name(enum fact_state state)
{
    static const char *const names[FACT_STATE_COUNT] = {[FACT_NO_DATA] = "no_data",
                                                        [FACT_KNOWN] = "known",
                                                        [FACT_NO_OBSERVER] = "no_observer",
                                                        [FACT_NOT_APPLICABLE] = "not_applicable",
                                                        [FACT_NO_PERMISSION] = "no_permission",
                                                        [FACT_NO_KERNEL] = "no_kernel"};
    return names[state];
}

const char *word_name(enum word_id id)
{
    return words[id];
}

static bool is_named(const char *candidate, const char *name, size_t length)
{
    return candidate != NULL && strlen(candidate) == length && memcmp(candidate, name, length) == 0;
}

enum fact_id fact_by_name(const char *name, size_t length)
{
    for (size_t i = FACT_ABSENT + 1; i < FACT_COUNT; i++) {
        if (is_named(table[i].name, name, length)) {
            return (enum fact_id)i;
        }
    }
    return FACT_ABSENT;
}

enum word_id word_by_name(const char *name, size_t length)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (is_named(words[i], name, length)) {
            return (enum word_id)i;
        }
    }
    return WORD_COUNT;
}

/* One decimal, none where it says nothing. */
static void put_tenths(char *text, double value, const char *unit)
{
    bool is_whole = fabs(value - round(value)) < 0.05;
    (void)snprintf(text, FACT_TEXT_BYTES, "%.*f%s%s", is_whole ? 0 : 1, value,
                   unit[0] == '/' ? "" : " ", unit);
}

const char *fact_text(enum fact_id id, struct fact fact, char text[FACT_TEXT_BYTES])
{
    if (fact.state != FACT_KNOWN) {
        (void)snprintf(text, FACT_TEXT_BYTES, "an unknown number");
        return text;
    }
    switch (fact_unit(id)) {
    case UNIT_COUNT:
        (void)snprintf(text, FACT_TEXT_BYTES, "%.0f", fact.value);
        break;
    case UNIT_S:
        put_tenths(text, fact.value, "s");
        break;
    case UNIT_MS:
        (void)snprintf(text, FACT_TEXT_BYTES, "%.*f ms", fact.value < 10 ? 2 : 1, fact.value);
        break;
    case UNIT_PERCENT:
        put_tenths(text, fact.value, "%");
        break;
    case UNIT_PER_S:
        put_tenths(text, fact.value, "/s");
        break;
    case UNIT_BYTES:
        put_tenths(text, fact.value, "bytes");
        break;
    case UNIT_RATIO:
        (void)snprintf(text, FACT_TEXT_BYTES, "%.3g", fact.value);
        break;
    }
    return text;
}
