/* SPDX-License-Identifier: MIT */
/* What findings are made of, and what could not be asked: enough to contest one. */
#include <math.h>

#include "coordinator/report/json_parts.h"
#include "coordinator/truth/facts.h"

static json_t *json_fact(struct fact fact)
{
    if (fact.state != FACT_KNOWN) {
        return json_null();
    }
    bool is_whole = fabs(fact.value) < 1e15 && fabs(fact.value - round(fact.value)) < 1e-9;
    return is_whole ? json_integer((json_int_t)llround(fact.value)) : json_real(fact.value);
}

static void put_facts(json_t *to, const struct facts *f, size_t server, bool is_of_server, bool *ok)
{
    for (size_t i = FACT_ABSENT + 1; i < FACT_COUNT; i++) {
        enum fact_id id = (enum fact_id)i;
        if (fact_is_of_server(id) == is_of_server) {
            json_put(to, fact_name(id), json_fact(facts_get(f, id, server)), ok);
        }
    }
}

/* Only those that say anything. */
static void put_words(json_t *to, const struct facts *f, size_t server, bool is_of_server, bool *ok)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        enum word_id id = (enum word_id)i;
        const char *word = word_is_of_server(id) == is_of_server ? facts_word(f, id, server) : "";
        if (word[0] != '\0') {
            json_put(to, word_name(id), json_string(word), ok);
        }
    }
}

json_t *json_facts(const struct result *r, bool *ok)
{
    const struct facts *f = r->facts;
    if (f == NULL) {
        return json_null();
    }
    json_t *all = json_object(), *run = json_object(), *words = json_object();
    json_t *servers = json_object(), *server_words = json_object();
    put_facts(run, f, 0, false, ok);
    put_words(words, f, 0, false, ok);
    for (size_t i = 0; i < f->server_count; i++) {
        json_t *one = json_object(), *its_words = json_object();
        put_facts(one, f, i, true, ok);
        put_words(its_words, f, i, true, ok);
        json_put(servers, f->server[i].name, one, ok);
        json_put(server_words, f->server[i].name, its_words, ok);
    }
    json_put(all, "run", run, ok);
    json_put(all, "servers", servers, ok);
    json_put(all, "words", words, ok);
    json_put(all, "server_words", server_words, ok);
    return all;
}

json_t *json_not_evaluated(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->not_evaluated_count; i++) {
        const struct result_not_evaluated *n = &r->not_evaluated[i];
        json_t *one = json_object();
        json_put(one, "id", json_string(n->id), ok);
        json_put(one, "form", json_string(n->form), ok);
        json_put(one, "why", json_string(n->why), ok);
        json_put(one, "detail", json_string(n->detail), ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_finding_servers(const struct result *r, const struct result_finding *f, bool *ok)
{
    json_t *names = json_array();
    for (size_t i = 0; r->facts != NULL && i < r->facts->server_count; i++) {
        if ((f->servers >> i & 1) != 0) {
            json_push(names, json_string(r->facts->server[i].name), ok);
        }
    }
    return names;
}
