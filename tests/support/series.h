/* SPDX-License-Identifier: MIT */
/*
 * Recorded facts, tests/support/series/NAME.facts, a word and its values a line:
 *
 *     base NAME                 begins as that recording; its expectations are not taken over
 *     servers a b
 *     run FACT VALUE            or, in place of the value, why there is none: no_data, no_observer
 * ... server a FACT VALUE       `*` for a: every server expect ID SEVERITY [a b]  a finding the
 * rules make of it, with the servers it names lookalike ID              one they must not make of
 * it, although it looks alike
 *
 * Exactly the expected findings must come. tests/support/facts_of_report makes one of a report.
 */
#pragma once

#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/rules.h"

enum { SERIES_EXPECT_MAX = 16, SERIES_NAME_BYTES = 96 };

struct series {
    char name[SERIES_NAME_BYTES];
    const char *folder;
    struct facts facts;
    struct {
        char id[48], severity[12];
        uint32_t servers;
    } expect[SERIES_EXPECT_MAX];
    size_t expect_count;
    char lookalike[SERIES_EXPECT_MAX][48];
    size_t lookalike_count;
};

static inline void series_fault(const struct series *s, const char *line, const char *what)
{
    print_error("%s.facts: %s: \"%s\"\n", s->name, what, line);
    fail();
}

/* Number of a server; `*`: all of them as bits, a name: its bit. */
static inline uint32_t series_servers(const struct series *s, const char *name)
{
    for (size_t i = 0; i < s->facts.server_count; i++) {
        if (strcmp(s->facts.server[i].name, name) == 0) {
            return UINT32_C(1) << i;
        }
    }
    return strcmp(name, "*") == 0 ? (uint32_t)((UINT64_C(1) << s->facts.server_count) - 1) : 0;
}

static inline void series_put(struct series *s, const char *line, uint32_t servers,
                              const char *name, const char *value)
{
    enum fact_id id = fact_by_name(name, strlen(name));
    char *end = NULL;
    double number = strtod(value, &end);
    if (id == FACT_ABSENT || fact_is_of_server(id) != (servers != 0)) {
        series_fault(s, line, "no such fact");
        return;
    }
    bool is_good = *end == '\0';
    enum fact_state state = FACT_KNOWN;
    for (size_t i = 0; !is_good && i < FACT_STATE_COUNT; i++) {
        if (strcmp(fact_state_name((enum fact_state)i), value) == 0) {
            state = (enum fact_state)i;
            is_good = true;
        }
    }
    if (!is_good) {
        series_fault(s, line, "neither a number nor a reason");
    }
    for (size_t i = 0; i < PLAN_SERVERS_MAX; i++) {
        bool is_meant = servers == 0 ? i == 0 : (servers >> i & 1) != 0;
        if (is_meant && state == FACT_KNOWN) {
            facts_set_of(&s->facts, i, id, number);
        } else if (is_meant) {
            facts_lack_of(&s->facts, i, id, state);
        }
    }
}

static inline void series_expect(struct series *s, const char *line, char *rest)
{
    char *at = NULL, *id = strtok_r(rest, " ", &at), *severity = strtok_r(NULL, " ", &at);
    if (severity == NULL || s->expect_count == SERIES_EXPECT_MAX) {
        series_fault(s, line, "no severity, or too many");
        return;
    }
    (void)snprintf(s->expect[s->expect_count].id, 48, "%s", id);
    (void)snprintf(s->expect[s->expect_count].severity, 12, "%s", severity);
    for (char *name; (name = strtok_r(NULL, " ", &at)) != NULL;) {
        uint32_t servers = series_servers(s, name);
        if (servers == 0) {
            series_fault(s, line, "no such server");
        }
        s->expect[s->expect_count].servers |= servers;
    }
    s->expect_count++;
}

static inline void series_name_servers(struct series *s, char *names)
{
    char *at = NULL;
    s->facts.server_count = 0;
    for (char *name = strtok_r(names, " ", &at); name != NULL; name = strtok_r(NULL, " ", &at)) {
        assert_true(s->facts.server_count < PLAN_SERVERS_MAX);
        (void)snprintf(s->facts.server[s->facts.server_count++].name, PLAN_NAME_BYTES, "%s", name);
    }
}

static inline void series_read(struct series *s, const char *folder, const char *name);

static inline void series_take_base(struct series *s, const char *name)
{
    struct series *base = calloc(1, sizeof(*base));
    assert_non_null(base);
    series_read(base, s->folder, name);
    s->facts = base->facts;
    free(base);
}

/* One line without its end; it is taken apart. */
static inline void series_line(struct series *s, const char *line, char *copy)
{
    char *rest = strchr(copy, ' ');
    if (copy[0] == '#' || copy[0] == '\0') {
        return;
    }
    if (rest == NULL) {
        series_fault(s, line, "a word alone");
        return;
    }
    *rest++ = '\0';
    char *at = NULL;
    if (strcmp(copy, "base") == 0) {
        series_take_base(s, rest);
    } else if (strcmp(copy, "servers") == 0) {
        series_name_servers(s, rest);
    } else if (strcmp(copy, "expect") == 0) {
        series_expect(s, line, rest);
    } else if (strcmp(copy, "lookalike") == 0 && s->lookalike_count < SERIES_EXPECT_MAX) {
        (void)snprintf(s->lookalike[s->lookalike_count++], 48, "%s", rest);
    } else if (strcmp(copy, "run") == 0 || strcmp(copy, "server") == 0) {
        const char *server = copy[1] == 'u' ? NULL : strtok_r(rest, " ", &at);
        const char *fact = strtok_r(server == NULL ? rest : NULL, " ", &at);
        const char *value = strtok_r(NULL, " ", &at);
        uint32_t servers = server == NULL ? 0 : series_servers(s, server);
        if (value == NULL || (server != NULL && servers == 0)) {
            series_fault(s, line, "no value, or no such server");
            return;
        }
        series_put(s, line, servers, fact, value);
    } else {
        series_fault(s, line, "no such word");
    }
}

static inline void series_read(struct series *s, const char *folder, const char *name)
{
    char path[512], line[512], copy[512];
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    (void)snprintf(path, sizeof(path), "%s/%s.facts", folder, name);
    s->folder = folder;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        series_fault(s, name, "cannot be opened");
        return;
    }
    /* What is expected names servers: those lines come last, whatever the order in the file. */
    for (int is_last = 0; is_last < 2; is_last++) {
        rewind(file);
        while (fgets(line, sizeof(line), file) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            if ((strncmp(line, "expect ", 7) == 0) == (is_last == 1)) {
                memcpy(copy, line, sizeof(copy));
                series_line(s, line, copy);
            }
        }
    }
    (void)fclose(file);
}
