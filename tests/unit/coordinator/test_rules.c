/* SPDX-License-Identifier: MIT */
/* The engine of the rules, and what every rule makes of recorded facts. */
#include "tests/support/testing.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/findings.h"
#include "coordinator/truth/rules.h"
#include "coordinator/truth/rules_macros.h"
#include "tests/support/series.h"

enum { SERIES_MAX = 256, IDS_MAX = 128 };

/* --- a small table of its own for the engine --- */

static const char *const by_drops[] = {"drops", NULL};

static const struct rule small[] = {
    {RULE("drops", ERROR, BED, SERVER, OBSERVER), .when = {WHEN(socket_drops, ABOVE, 5)},
     .summary = "{servers} dropped {socket_drops} ({each socket_drops})",
     .evidence = "[{pool_total} addresses; ]renewed {renewed}", .remedy = "none"},
    {RULE("losses", ERROR, SERVER, SERVER, WIRE),
     .when = {WHEN(lost, AT_LEAST, 100), WHEN_OF(lost, AT_LEAST, 0.5, tries)},
     .explained_by = by_drops, .summary = "half of {servers}", .evidence = "", .remedy = "none"},
    {RULE("losses", INFO, SERVER, SERVER, WIRE), .when = {WHEN(lost, AT_LEAST, 100)},
     .explained_by = by_drops, .summary = "some of {servers}", .evidence = "", .remedy = "none"},
    {RULE("expiries", WARNING, UNKNOWN, RUN, WIRE), .when = {WHEN(expired, EQUAL, 7)},
     .explained_by = by_drops, .summary = "{expired} of {acquired}", .evidence = "",
     .remedy = "none"},
};
static const struct rule_table small_table = {small, ARRAY_LEN(small)};
static const struct rule_table *const small_tables[] = {&small_table, NULL};

struct bed {
    struct facts facts;
    struct result result;
};

static int set_up(void **state)
{
    struct bed *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->result.findings = calloc(RESULT_FINDINGS_MAX, sizeof(*b->result.findings));
    b->result.not_evaluated = calloc(RESULT_NOT_EVALUATED_MAX, sizeof(*b->result.not_evaluated));
    assert_true(b->result.findings != NULL && b->result.not_evaluated != NULL);
    b->facts.server_count = 3;
    for (size_t i = 0; i < 3; i++) {
        b->facts.server[i].name[0] = (char)('a' + i);
    }
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *b = *state;
    result_free(&b->result);
    free(b);
    return 0;
}

static void a_rule_of_servers_names_those_it_holds_of(void **state)
{
    struct bed *b = *state;
    facts_count_of(&b->facts, 0, FACT_socket_drops, 6);
    facts_count_of(&b->facts, 1, FACT_socket_drops, 5);
    facts_count_of(&b->facts, 2, FACT_socket_drops, 10);
    facts_count(&b->facts, FACT_renewed, 3);
    rules_apply_tables(small_tables, &b->facts, &b->result);
    const struct result_finding *f = findings_get(&b->result, "drops");
    assert_non_null(f);
    assert_int_equal(f->servers, 5);
    assert_string_equal(f->summary, "servers a and c dropped 16 (a 6, c 10)");
    assert_string_equal(f->evidence, "renewed 3");
    assert_string_equal(f->severity, "error");
    assert_string_equal(f->side, "bed");
}

static void the_first_row_that_holds_speaks(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < 3; i++) {
        facts_count_of(&b->facts, i, FACT_lost, 100 * i);
        facts_count_of(&b->facts, i, FACT_tries, 400);
    }
    rules_apply_tables(small_tables, &b->facts, &b->result);
    const struct result_finding *f = findings_get(&b->result, "losses");
    assert_non_null(f);
    assert_string_equal(f->severity, "error");
    assert_string_equal(f->summary, "half of server c");
}

static void a_cause_explains_its_own_servers_only(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < 3; i++) {
        facts_count_of(&b->facts, i, FACT_lost, 100);
        facts_count_of(&b->facts, i, FACT_tries, 400);
        facts_count_of(&b->facts, i, FACT_socket_drops, i == 1 ? 0 : 9);
    }
    facts_count(&b->facts, FACT_expired, 7);
    rules_apply_tables(small_tables, &b->facts, &b->result);
    assert_int_equal(findings_get(&b->result, "drops")->servers, 5);
    assert_string_equal(findings_get(&b->result, "losses")->summary, "some of server b");
    assert_null(findings_get(&b->result, "expiries"));
    assert_int_equal(b->result.not_evaluated_count, 1);
    assert_string_equal(b->result.not_evaluated[0].why, "explained");
    assert_string_equal(b->result.not_evaluated[0].detail, "by drops");
}

static void what_is_not_known_is_not_evaluated_and_never_zero(void **state)
{
    struct bed *b = *state;
    facts_lack_of(&b->facts, 0, FACT_socket_drops, FACT_NO_PERMISSION);
    facts_count_of(&b->facts, 0, FACT_lost, 100);
    facts_count(&b->facts, FACT_expired, 6);
    rules_apply_tables(small_tables, &b->facts, &b->result);
    /* `tries` is not known; the row without it speaks. */
    assert_string_equal(findings_get(&b->result, "losses")->summary, "some of server a");
    assert_int_equal(b->result.finding_count, 1);
    assert_int_equal(b->result.not_evaluated_count, 1);
    assert_string_equal(b->result.not_evaluated[0].id, "drops");
    assert_string_equal(b->result.not_evaluated[0].form, "observer");
    assert_string_equal(b->result.not_evaluated[0].why, "no_permission");
    assert_string_equal(b->result.not_evaluated[0].detail, "socket_drops of server a");
}

static void what_is_false_anyway_needs_no_other_figure(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < 3; i++) {
        facts_count_of(&b->facts, i, FACT_lost, 99);
        facts_count_of(&b->facts, i, FACT_socket_drops, 0);
    }
    facts_count(&b->facts, FACT_expired, 6);
    rules_apply_tables(small_tables, &b->facts, &b->result);
    assert_int_equal(b->result.finding_count, 0);
    assert_int_equal(b->result.not_evaluated_count, 0);
}

static void the_runs_own_word_is_kept(void **state)
{
    struct bed *b = *state;
    assert_non_null(findings_add(&b->result, "expiries", "error", "tester"));
    facts_count(&b->facts, FACT_expired, 7);
    rules_apply_tables(small_tables, &b->facts, &b->result);
    assert_string_equal(findings_get(&b->result, "expiries")->severity, "error");
    assert_int_equal(b->result.finding_count, 1);
}

static void templates_are_filled_by_unit(void **state)
{
    struct bed *b = *state;
    static const struct {
        const char *template, *text;
        bool is_good;
    } rows[] = {
        {"{acquired}, {expired}", "12, an unknown number", true},
        {"{burst_begin} {send_lag} {behind_worst} {renewals_peak} {wave_times}",
         "1.3 s 0.25 ms 3 % 17.5/s 7.5", true},
        {"x[ {expired}]y[, {acquired}][ {failed}]", "xy, 12", true},
        {"{each acks last_ack_words}", "a 5 (late), b 7", true},
        {"{acks} at most {last_ack}", "12 at most 9.5 s", true},
        {"{each half_words}", "one; two", true},
        {"no {such_fact}", NULL, false},
        {"open [ {acquired}", NULL, false},
        {"lost ] {acquired}", NULL, false},
        {"{each acquired}", NULL, false},
        {"{acquired", NULL, false},
    };
    struct facts *f = &b->facts;
    facts_count(f, FACT_acquired, 12);
    facts_count(f, FACT_failed, 0);
    facts_set(f, FACT_burst_begin, 1.3);
    facts_set(f, FACT_send_lag, 0.25);
    facts_set(f, FACT_behind_worst, 3);
    facts_set(f, FACT_renewals_peak, 17.5);
    facts_set(f, FACT_wave_times, 7.5);
    facts_count_of(f, 0, FACT_acks, 5);
    facts_count_of(f, 1, FACT_acks, 7);
    facts_set_of(f, 0, FACT_last_ack, 9.5);
    facts_set_of(f, 1, FACT_last_ack, 2);
    facts_say_of(f, 0, WORD_last_ack_words, "late");
    facts_say_of(f, 0, WORD_half_words, "one");
    facts_say_of(f, 2, WORD_half_words, "two");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256];
        bool is_good = rules_text(rows[i].template, f, 7, text, sizeof(text));
        if (is_good != rows[i].is_good || (is_good && strcmp(text, rows[i].text) != 0)) {
            print_error("\"%s\" became \"%s\"\n", rows[i].template, text);
        }
        assert_int_equal(is_good, rows[i].is_good);
        assert_true(!is_good || strcmp(text, rows[i].text) == 0);
    }
    char little[6];
    assert_true(rules_text("{acquired} addresses", f, 7, little, sizeof(little)));
    assert_string_equal(little, "12 ad");
}

/* --- the tables --- */

struct ids {
    const char *id[IDS_MAX];
    size_t count;
};

static bool is_in(const struct ids *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(ids->id[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static struct ids all_ids(void)
{
    struct ids ids = {.count = 0};
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            if (!is_in(&ids, (*t)->rules[i].id)) {
                assert_true(ids.count < IDS_MAX);
                ids.id[ids.count++] = (*t)->rules[i].id;
            }
        }
    }
    return ids;
}

static void every_sentence_names_facts_there_are(void **state)
{
    struct bed *b = *state;
    char text[RESULT_LONG_BYTES];
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct rule *r = &(*t)->rules[i];
            const char *const templates[] = {r->summary, r->evidence, r->remedy};
            for (size_t k = 0; k < ARRAY_LEN(templates); k++) {
                bool is_good = rules_text(templates[k], &b->facts, 7, text, sizeof(text));
                if (!is_good) {
                    print_error("%s, row %zu: \"%s\"\n", r->id, i, templates[k]);
                }
                assert_true(is_good);
            }
            assert_true(r->when[0].fact != FACT_ABSENT);
            assert_true(strlen(r->id) < 48 && r->summary[0] != '\0' && r->remedy[0] != '\0');
            for (size_t k = 0; k < RULE_CONDITIONS_MAX; k++) {
                bool is_of_server =
                    r->when[k].fact != FACT_ABSENT &&
                    (fact_is_of_server(r->when[k].fact) || fact_is_of_server(r->when[k].other));
                assert_true(!is_of_server || r->scope == SCOPE_SERVER);
            }
        }
    }
}

/* A cause is known before what it explains; and it is one somebody can name. */
static void causes_stand_before_what_they_explain(void **state)
{
    struct ids before = {.id = {"server-silent", "canary-failed"}, .count = 2};
    (void)state;
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct rule *r = &(*t)->rules[i];
            for (size_t k = 0; r->explained_by != NULL && r->explained_by[k] != NULL; k++) {
                if (!is_in(&before, r->explained_by[k])) {
                    print_error("%s is explained by %s\n", r->id, r->explained_by[k]);
                }
                assert_true(is_in(&before, r->explained_by[k]));
                assert_string_not_equal(r->id, r->explained_by[k]);
            }
            if (!is_in(&before, r->id)) {
                before.id[before.count++] = r->id;
            }
        }
    }
}

static char *read_manual(void)
{
    enum { BYTES = 1 << 17 };
    FILE *file = fopen(SOURCE_DIR "/deploy/man/leaseherd-findings.7", "r");
    assert_non_null(file);
    char *text = calloc(1, BYTES);
    assert_non_null(text);
    size_t size = fread(text, 1, BYTES - 1, file);
    assert_true(size > 0 && size < BYTES - 1);
    (void)fclose(file);
    return text;
}

/* Its item says the side, and what to do: a line that begins with "Remedy:". */
static bool is_in_manual(const char *manual, const char *id, const char *side)
{
    char item[96];
    (void)snprintf(item, sizeof(item), "\n.It Sy %s Pq %s\n", id, side);
    const char *at = strstr(manual, item);
    if (at == NULL) {
        print_error("leaseherd-findings.7 has no \"%s\"\n", item + 1);
        return false;
    }
    const char *remedy = strstr(at, "\nRemedy: "), *next = strstr(at + 1, "\n.It ");
    if (remedy == NULL || (next != NULL && next < remedy)) {
        print_error("leaseherd-findings.7: %s has no remedy\n", id);
        return false;
    }
    return true;
}

static void every_id_is_in_the_manual(void **state)
{
    (void)state;
    char *manual = read_manual();
    bool is_good = true;
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct rule *r = &(*t)->rules[i];
            is_good = is_in_manual(manual, r->id, rule_side_name(r->side)) && is_good;
        }
    }
    for (const struct finding_own *own = findings_own; own->id != NULL; own++) {
        is_good = is_in_manual(manual, own->id, own->side) && is_good;
    }
    free(manual);
    assert_true(is_good);
}

static void every_id_of_the_manual_is_a_finding(void **state)
{
    static const char item[] = "\n.It Sy ";
    (void)state;
    char *manual = read_manual();
    bool is_good = true;
    size_t count = 0;
    struct ids seen = {.count = 0};
    for (char *at = manual; (at = strstr(at, item)) != NULL; count++) {
        char *id = at + strlen(item), *end = strchr(id, ' ');
        assert_non_null(end);
        *end = '\0';
        if (findings_side(id) == NULL || is_in(&seen, id)) {
            print_error("leaseherd-findings.7: %s is no finding, or there twice\n", id);
            is_good = false;
        }
        assert_true(seen.count < IDS_MAX);
        seen.id[seen.count++] = id;
        at = end + 1;
    }
    assert_true(is_good && count > 60);
    free(manual);
}

/* One id, one side: rows of a rule agree, and the run's own are nobody else's unless the same. */
static void an_id_has_one_side(void **state)
{
    (void)state;
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct rule *r = &(*t)->rules[i];
            assert_string_equal(findings_side(r->id), rule_side_name(r->side));
        }
    }
    assert_null(findings_side("no-such-finding"));
}

/* --- recordings --- */

static const char series_folder[] = SOURCE_DIR "/tests/support/series";
static struct series *recorded[SERIES_MAX];
static size_t recorded_count;

static int read_recordings(void **state)
{
    (void)state;
    DIR *folder = opendir(series_folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *dot = strstr(entry->d_name, ".facts");
        if (dot == NULL || dot[6] != '\0') {
            continue;
        }
        *dot = '\0';
        assert_true(recorded_count < SERIES_MAX);
        recorded[recorded_count] = calloc(1, sizeof(struct series));
        assert_non_null(recorded[recorded_count]);
        series_read(recorded[recorded_count++], series_folder, entry->d_name);
    }
    (void)closedir(folder);
    return 0;
}

static int free_recordings(void **state)
{
    (void)state;
    while (recorded_count > 0) {
        free(recorded[--recorded_count]);
    }
    return 0;
}

static bool is_expected(const struct series *s, const struct result_finding *f)
{
    for (size_t i = 0; i < s->expect_count; i++) {
        if (strcmp(s->expect[i].id, f->id) == 0) {
            return strcmp(s->expect[i].severity, f->severity) == 0 &&
                   s->expect[i].servers == f->servers;
        }
    }
    return false;
}

static bool gives_what_it_should(const struct series *s, struct result *r)
{
    bool is_good = true;
    rules_apply(&s->facts, r);
    for (size_t i = 0; i < r->finding_count; i++) {
        const struct result_finding *f = &r->findings[i];
        if (!is_expected(s, f)) {
            print_error("%s: %s %s (servers %x) is not expected: %s; %s\n", s->name, f->severity,
                        f->id, f->servers, f->summary, f->evidence);
            is_good = false;
        }
    }
    for (size_t i = 0; i < s->expect_count; i++) {
        if (findings_get(r, s->expect[i].id) == NULL) {
            print_error("%s: %s does not come\n", s->name, s->expect[i].id);
            is_good = false;
        }
    }
    return is_good;
}

static void every_recording_gives_its_findings_and_no_others(void **state)
{
    struct bed *b = *state;
    bool is_good = true;
    for (size_t i = 0; i < recorded_count; i++) {
        b->result.finding_count = b->result.not_evaluated_count = 0;
        is_good = gives_what_it_should(recorded[i], &b->result) && is_good;
    }
    assert_true(is_good && recorded_count > 0);
}

/* Once found; not found in a healthy run, nor in what looks most alike. */
static void every_id_is_recorded_found_and_not_found(void **state)
{
    struct ids ids = all_ids();
    bool is_good = true;
    (void)state;
    for (size_t i = 0; i < ids.count; i++) {
        size_t found = 0, alike = 0, healthy = 0;
        for (size_t k = 0; k < recorded_count; k++) {
            bool is_found = false;
            for (size_t e = 0; e < recorded[k]->expect_count; e++) {
                is_found |= strcmp(recorded[k]->expect[e].id, ids.id[i]) == 0;
            }
            for (size_t e = 0; !is_found && e < recorded[k]->lookalike_count; e++) {
                alike += strcmp(recorded[k]->lookalike[e], ids.id[i]) == 0;
            }
            found += is_found;
            healthy += !is_found && strncmp(recorded[k]->name, "healthy", 7) == 0;
        }
        if (found == 0 || alike == 0 || healthy == 0) {
            print_error("%s: found in %zu recordings, looks alike in %zu, healthy %zu\n", ids.id[i],
                        found, alike, healthy);
            is_good = false;
        }
    }
    assert_true(is_good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_rule_of_servers_names_those_it_holds_of),
        TEST(the_first_row_that_holds_speaks),
        TEST(a_cause_explains_its_own_servers_only),
        TEST(what_is_not_known_is_not_evaluated_and_never_zero),
        TEST(what_is_false_anyway_needs_no_other_figure),
        TEST(the_runs_own_word_is_kept),
        TEST(templates_are_filled_by_unit),
        TEST(every_sentence_names_facts_there_are),
        TEST(causes_stand_before_what_they_explain),
        TEST(every_id_is_in_the_manual),
        TEST(every_id_of_the_manual_is_a_finding),
        TEST(an_id_has_one_side),
        TEST(every_recording_gives_its_findings_and_no_others),
        TEST(every_id_is_recorded_found_and_not_found),
    };
    return cmocka_run_group_tests(tests, read_recordings, free_recordings);
}
