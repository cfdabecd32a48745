/* SPDX-License-Identifier: MIT */
/* The sentences of rules, with figures put in. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/rules.h"

struct writer {
    const struct facts *facts;
    uint32_t servers;
    char *out;
    size_t size, at;
    bool is_wrong;   /* the template */
    bool is_lacking; /* within [...]: something is not known, or zero */
};

static void put(struct writer *w, const char *text, size_t length)
{
    for (size_t i = 0; i < length && w->at + 1 < w->size; i++) {
        w->out[w->at++] = text[i];
    }
    w->out[w->at] = '\0';
}

static void put_string(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static bool has_server(const struct writer *w, size_t server)
{
    return (w->servers >> server & 1) != 0;
}

/* "server a", "servers a and b", "servers a, b and c" */
static void put_servers(struct writer *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->facts->server_count; i++) {
        left += has_server(w, i);
    }
    bool is_first = true;
    put_string(w, left == 1 ? "server " : "servers ");
    for (size_t i = 0; i < w->facts->server_count; i++) {
        if (!has_server(w, i)) {
            continue;
        }
        put_string(w, is_first ? "" : left == 1 ? " and " : ", ");
        put_string(w, w->facts->server[i].name);
        is_first = false;
        left--;
    }
}

/* Over the servers: counts are added up, of anything else the largest. */
static struct fact over_servers(const struct writer *w, enum fact_id id)
{
    struct fact all = {0};
    for (size_t i = 0; i < w->facts->server_count; i++) {
        struct fact one = facts_get(w->facts, id, i);
        if (!has_server(w, i) || one.state != FACT_KNOWN) {
            continue;
        }
        bool is_sum = fact_unit(id) == UNIT_COUNT;
        if (all.state != FACT_KNOWN) {
            all = one;
        } else {
            all.value = is_sum ? all.value + one.value : fmax(all.value, one.value);
        }
    }
    return all;
}

static void put_fact(struct writer *w, enum fact_id id)
{
    char text[FACT_TEXT_BYTES];
    struct fact fact = fact_is_of_server(id) ? over_servers(w, id) : facts_get(w->facts, id, 0);
    w->is_lacking |= fact.state != FACT_KNOWN || fabs(fact.value) < 1e-12;
    put_string(w, fact_text(id, fact, text));
}

/* Of several servers the first that has any. */
static void put_word(struct writer *w, enum word_id id)
{
    const char *word = word_is_of_server(id) ? "" : facts_word(w->facts, id, 0);
    for (size_t i = 0; word_is_of_server(id) && i < w->facts->server_count; i++) {
        if (has_server(w, i) && word[0] == '\0') {
            word = facts_word(w->facts, id, i);
        }
    }
    w->is_lacking |= word[0] == '\0';
    put_string(w, word);
}

/* "a 198 (its last ACK at 21.3 s), b 12" */
static void put_each(struct writer *w, enum fact_id id, enum word_id word)
{
    bool is_any = false;
    for (size_t i = 0; i < w->facts->server_count; i++) {
        struct fact fact = facts_get(w->facts, id, i);
        if (!has_server(w, i) || fact.state != FACT_KNOWN || fabs(fact.value) < 1e-12) {
            continue;
        }
        char text[FACT_TEXT_BYTES];
        put_string(w, is_any ? ", " : "");
        put_string(w, w->facts->server[i].name);
        put_string(w, " ");
        put_string(w, fact_text(id, fact, text));
        if (word != WORD_COUNT && facts_word(w->facts, word, i)[0] != '\0') {
            put_string(w, " (");
            put_string(w, facts_word(w->facts, word, i));
            put_string(w, ")");
        }
        is_any = true;
    }
    put_string(w, is_any ? "" : "none");
    w->is_lacking |= !is_any;
}

/* "; ": the words of the servers, each a sentence that names its server. */
static void put_each_word(struct writer *w, enum word_id word)
{
    bool is_any = false;
    for (size_t i = 0; i < w->facts->server_count; i++) {
        if (has_server(w, i) && facts_word(w->facts, word, i)[0] != '\0') {
            put_string(w, is_any ? "; " : "");
            put_string(w, facts_word(w->facts, word, i));
            is_any = true;
        }
    }
    w->is_lacking |= !is_any;
}

static void put_list(struct writer *w, const char *name, size_t length)
{
    const char *space = memchr(name, ' ', length);
    size_t first = space == NULL ? length : (size_t)(space - name);
    enum fact_id id = fact_by_name(name, first);
    enum word_id word =
        space == NULL ? word_by_name(name, first) : word_by_name(space + 1, length - first - 1);
    if (id != FACT_ABSENT && fact_is_of_server(id) && (space == NULL || word != WORD_COUNT)) {
        put_each(w, id, space == NULL ? WORD_COUNT : word);
    } else if (id == FACT_ABSENT && word != WORD_COUNT && word_is_of_server(word)) {
        put_each_word(w, word);
    } else {
        w->is_wrong = true;
    }
}

static void put_named(struct writer *w, const char *name, size_t length)
{
    static const char each[] = "each ";
    enum fact_id id = fact_by_name(name, length);
    enum word_id word = word_by_name(name, length);
    if (length == 7 && memcmp(name, "servers", 7) == 0) {
        put_servers(w);
    } else if (length > sizeof(each) - 1 && memcmp(name, each, sizeof(each) - 1) == 0) {
        put_list(w, name + sizeof(each) - 1, length - (sizeof(each) - 1));
    } else if (id != FACT_ABSENT) {
        put_fact(w, id);
    } else if (word != WORD_COUNT) {
        put_word(w, word);
    } else {
        w->is_wrong = true;
    }
}

bool rules_text(const char *template, const struct facts *f, uint32_t servers, char *out,
                size_t size)
{
    struct writer w = {.facts = f, .servers = servers, .out = out, .size = size};
    size_t option_at = SIZE_MAX; /* where in `out` the [ was */
    out[0] = '\0';
    for (const char *c = template; *c != '\0'; c++) {
        if (*c == '[' && option_at == SIZE_MAX) {
            option_at = w.at;
            w.is_lacking = false;
        } else if (*c == ']' && option_at != SIZE_MAX) {
            w.at = w.is_lacking ? option_at : w.at;
            out[w.at] = '\0';
            option_at = SIZE_MAX;
        } else if (*c == '{' && strchr(c, '}') != NULL) {
            const char *end = strchr(c, '}');
            put_named(&w, c + 1, (size_t)(end - c) - 1);
            c = end;
        } else {
            w.is_wrong |= *c == '[' || *c == ']' || *c == '{' || *c == '}';
            put(&w, c, 1);
        }
    }
    return !w.is_wrong && option_at == SIZE_MAX;
}
