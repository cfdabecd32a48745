/* SPDX-License-Identifier: MIT */
/* Searches, events, lease sources, until-steady, returning clients: scenario.h. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/forecast_search.h"
#include "coordinator/plan/scenario.h"

static const char good[] =
    "leaseherd: 1\n"
    "scenario: capacity\n"
    "servers:\n"
    "  a: {address: 192.168.1.12, leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}}\n"
    "  b: {address: 192.168.2.12}\n"
    "network:\n"
    "  block: 10.10.0.0/16\n"
    "  relays:\n"
    "    - {name: bldg-1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 20000}\n"
    "clients: {seed: 1}\n"
    "expect: {lease: 2h}\n"
    "limits: {packets: 50000/s, time: 24h}\n"
    "events:\n"
    "  - {at: 60s, in: fill, name: \"b off\", run: \"ssh b systemctl stop kea\"}\n"
    "  - {at: 0s, name: begin}\n"
    "run:\n"
    "  - {name: fill, acquire: {batch: 300}}\n"
    "  - {name: settle, hold: until-steady}\n"
    "  - {name: limit, warmup: 2s, search: {between: [500/s, 20000/s],\n"
    "     mix: {acquire: 1, renew: 20}, bound: 5000, step: 10s, within: 500ms,\n"
    "     answered: 99.9%, resolution: 5%, repeat: 5, reset: \"ssh a reset\"}}\n"
    "judge: [leases.failed == 0]\n";

/* The good scenario with the first `find` replaced; the caller frees it. */
static char *edited(const char *find, const char *put)
{
    const char *at = strstr(good, find);
    if (at == NULL) {
        print_error("no '%s' in the scenario\n", find);
        fail();
        return NULL;
    }
    size_t before = (size_t)(at - good);
    char *text = malloc(sizeof(good) + strlen(put));
    assert_non_null(text);
    (void)sprintf(text, "%.*s%s%s", (int)before, good, put, at + strlen(find));
    return text;
}

static bool parse(const char *text, struct scenario *s, struct diag *why)
{
    diag_init(why, "test.yaml");
    return scenario_parse(text, strlen(text), s, why);
}

static void print_complaints(const struct diag *why)
{
    for (size_t i = 0; i < why->count && i < DIAG_ITEMS_MAX; i++) {
        print_error("  %u: %s\n", why->item[i].line, why->item[i].text);
    }
}

/* The good scenario, edited, which must be good still. */
static void parse_edited(const char *find, const char *put, struct scenario *s)
{
    static struct diag why;
    char *text = edited(find, put);
    bool is_parsed = parse(text, s, &why);
    print_complaints(&why);
    assert_true(is_parsed);
    free(text);
}

struct mistake {
    const char *find, *put;
    unsigned line;
    const char *words; /* part of the sentence */
};

/* Each is one mistake and must give one sentence, at its line. */
static void check_mistakes(const struct mistake *rows, size_t count)
{
    struct scenario s = {0};
    static struct diag why;
    bool is_good = true;
    for (size_t i = 0; i < count; i++) {
        char *text = edited(rows[i].find, rows[i].put);
        bool is_parsed = parse(text, &s, &why);
        free(text);
        if (is_parsed) {
            scenario_free(&s);
        }
        if (is_parsed || why.count != 1 || why.item[0].line != rows[i].line ||
            strstr(why.item[0].text, rows[i].words) == NULL) {
            print_error("'%s': wanted only %u: ...%s..., got\n", rows[i].put, rows[i].line,
                        rows[i].words);
            print_complaints(&why);
            is_good = false;
        }
    }
    assert_true(is_good);
}

static void a_mistake_in_an_event_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"in: fill", "in: fil", 14, "there is no stage 'fil'; did you mean 'fill'?"},
        {"in: fill", "in: elsewhere", 14, "there is no stage 'elsewhere'; name one of `run`"},
        {"in: fill", "in: limit", 14, "stage limit is a search, whose steps must be alike"},
        {"at: 60s, in: fill", "at: 3h, in: settle", 14,
         "\"b off\" never happens: stage settle ends after 10800 s"},
        {"at: 60s, in: fill", "at: 24h", 14,
         "is after the end of the run (limits.time is 86400 s)"},
        {"at: 60s", "at: 60", 14, "add the unit"},
        {"at: 60s, ", "", 14, "lacks the key `at`"},
        {"name: begin", "name: b off", 15, "two events are named \"b off\", the other in line 14"},
        {"name: begin", "name: 'the \"end\"'", 15, "the name has a quotation mark"},
        {"name: begin", "name: \"\"", 15, "an event has an empty name"},
        {"name: begin", "label: begin, name: x", 15, "unknown key `label`"},
        {"name: begin", "run: x", 15, "lacks the key `name`"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void a_mistake_in_a_lease_source_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}", "leases: {}", 4,
         "server a: leases says nothing; give exactly one of dhcpd, kea, kea_socket, query"},
        {"leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}", "leases: {query: false}", 4,
         "server a: leases says nothing"},
        {"leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}", "leases: {dhcpd: x, query: true}", 4,
         "server a: leases names several sources; give exactly one"},
        {"leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}", "leases: {kea: x, kea_socket: y}", 4,
         "server a: leases names several sources"},
        {"leases: {dhcpd: /var/lib/dhcp/dhcpd.leases}", "leases: {dhcp: x}", 4,
         "did you mean `dhcpd`?"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void a_mistake_in_a_search_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"between: [500/s, 20000/s]", "between: [20000/s, 500/s]", 19,
         "between begins at 20000/s and ends at 500/s; the lower rate comes first"},
        {"between: [500/s, 20000/s]", "between: [500/s, 500/s]", 19, "the lower rate comes first"},
        {"between: [500/s, 20000/s]", "between: [500/s]", 19, "has 1 elements"},
        {"between: [500/s, 20000/s]", "between: [500, 20000/s]", 19, "'500' is no rate above 0"},
        {"between: [500/s, 20000/s]", "between: [0/s, 20000/s]", 19, "'0/s' is no rate above 0"},
        {"between: [500/s, 20000/s],", "", 19, "give exactly one of `rates: [500/s, 1000/s]`"},
        {"between: [500/s, 20000/s]", "between: [500/s, 20000/s], rates: [1/s]", 19,
         "give exactly one of `rates"},
        {"between: [500/s, 20000/s]", "rates: [500/s, 400/s]", 19,
         "rate 400/s comes after 500/s; write the rates in ascending order"},
        {"between: [500/s, 20000/s]", "rates: [500/s, 500/s]", 19, "ascending order, each once"},
        {"between: [500/s, 20000/s]", "rates: []", 19, "has 0 elements"},
        {"between: [500/s, 20000/s]", "rates: [fast]", 19, "'fast' is no rate"},
        {"renew: 20}", "renew: 6000}", 20, "`run.search.mix.renew` is `6000`"},
        {"renew: 20}", "renew: 20, colour: red}", 20, "unknown key `colour`"},
        {"renew: 20}, bound: 5000", "renew: 0}, bound: 500", 20,
         "bound is for renewals and the mix has none"},
        {"mix: {acquire: 1, renew: 20}, bound: 5000", "mix: {acquire: 0}", 20,
         "the mix is empty; give a weight"},
        {"bound: 5000", "bound: 50000", 20, "bound is 50000 and there are 20000 clients"},
        {"step: 10s", "step: 60s", 19,
         "a step of 60 s at 20000/s needs 62143 clients (5000 bound, one per acquisition) and "
         "there are 20000"},
        {"between: [500/s, 20000/s],\n     mix: {acquire: 1, renew: 20}, bound: 5000, step: 10s",
         "rates: [30000/s],\n     mix: {acquire: 0, renew: 1}, bound: 5000, step: 3600s", 19,
         "a step of 3600 s at 30000/s has more than 100000000 exchanges"},
        {"warmup: 2s", "warmup: 10s", 19, "the warmup takes the whole step"},
        {"step: 10s", "step: 2000000900ns", 19, "the warmup takes the whole step"},
        {"warmup: 2s", "timeout: 20s", 19, "a search ends by itself"},
        {"within: 500ms", "within: 5s", 20, "`run.search.within` is `5s`"},
        {"packets: 50000/s", "packets: 20000/s", 12,
         "sends up to 22857 packets/s and limits.packets is 20000/s, so that the limit would be "
         "found instead of the servers'"},
        {"time: 24h", "time: 61m", 12, "the search may take "},
        {"name: settle", "name: limit-release", 18,
         "is the name of the releases between the steps of limit"},
        {"name: limit", "name: a2345678901234567890123456789012345678901234567890123456", 19,
         "the name of a search has at most 55 letters"},
        {"judge: [", "  - {name: more, hold: 1m}\njudge: [", 19,
         "is a search and stage more comes after it; a search is the last stage"},
        {"judge: [", "  - {name: more, search: {rates: [5/s]}}\njudge: [", 22,
         "stage more is a second search, after stage limit"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void a_search_may_be_the_only_stage_but_not_for_renewals(void **unused)
{
    (void)unused;
    struct scenario s;
    static struct diag why;
    static const char only[] =
        "leaseherd: 1\nscenario: small\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"
        "  block: 10.10.0.0/16\n  relays:\n"
        "    - {name: r, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 20000}\n"
        "limits: {time: 4h}\nrun:\n  - {name: x, search: {rates: [500/s, 1000/s]%s}}\n";
    char text[1024];
    (void)snprintf(text, sizeof(text), only, "");
    assert_true(parse(text, &s, &why));
    /* What the manual promises where nothing is said. */
    assert_true(s.has_search);
    assert_int_equal(s.search.acquire_weight, 1);
    assert_int_equal(s.search.renew_weight, 0);
    assert_int_equal(s.search.step_ns, 10 * NS_PER_S);
    assert_int_equal(s.search.warmup_ns, 2 * NS_PER_S);
    assert_int_equal(s.search.within_ns, 500 * NS_PER_MS);
    assert_true(s.search.answered_percent > 99.89 && s.search.answered_percent < 99.91);
    assert_true(s.search.resolution_percent > 4.99 && s.search.resolution_percent < 5.01);
    assert_int_equal(s.search.repeat, 1);
    assert_int_equal(s.search.bound, 0);
    struct plan plan;
    char sentence[PLAN_WHY_BYTES] = "";
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    assert_true(scenario_to_plan(&s, run_id, "run", &plan));
    bool is_valid = plan_is_valid(&plan, sentence);
    if (!is_valid) {
        print_error("%s\n", sentence);
    }
    assert_true(is_valid);
    plan_free(&plan);
    scenario_free(&s);
    (void)snprintf(text, sizeof(text), only, ", mix: {renew: 1}");
    assert_false(parse(text, &s, &why));
    assert_int_equal(why.count, 1);
    assert_non_null(strstr(why.item[0].text, "renews leases before any stage acquires them"));
}

static void until_steady_needs_the_lease_time(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"expect: {lease: 2h}\n", "", 17, "give `expect: {lease: ...}` or a duration"},
        {"hold: until-steady", "hold: until-steady, timeout: 2h", 18,
         "the timeout is shorter than 3 T1 (10800 s)"},
        {"hold: until-steady", "hold: until-steady, warmup: 3h", 18, "the warmup is as long as"},
        {"lease: 2h}\nlimits: {packets: 50000/s, time: 24h",
         "lease: 1000h}\nlimits: {packets: 50000/s, time: 720h", 18, "more than a hold may last"},
        {"hold: until-steady", "hold: until-stead", 18, "hold 'until-stead' is no duration"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void the_documented_search_is_read_as_written(void **unused)
{
    (void)unused;
    struct scenario s;
    parse_edited("judge", "judge", &s);
    const struct scenario_stage *stages = s.stages.items;
    const struct scenario_event *events = s.events.items;
    const struct scenario_server *servers = s.servers.items;

    assert_int_equal(servers[0].lease_source, LEASES_DHCPD_FILE);
    assert_string_equal(servers[0].lease_path, "/var/lib/dhcp/dhcpd.leases");
    assert_int_equal(servers[1].lease_source, LEASES_UNKNOWN);
    assert_int_equal(s.events.count, 2);
    assert_int_equal(events[0].line, 14);
    assert_int_equal(events[0].at_ns, 60 * NS_PER_S);
    assert_string_equal(events[0].stage, "fill");
    assert_string_equal(events[0].name, "b off");
    assert_string_equal(events[0].run, "ssh b systemctl stop kea");
    assert_string_equal(events[1].stage, "");
    assert_string_equal(events[1].run, "");

    assert_true(stages[1].is_until_steady);
    assert_int_equal(stages[1].duration_ns, UINT64_C(3) * 3600 * NS_PER_S);
    assert_true(stages[1].timeout_ns > stages[1].duration_ns);
    assert_int_equal(stages[2].kind, PLAN_LOAD);
    assert_int_equal(stages[2].rate_milli_per_s, 20000 * 1000);
    assert_int_equal(stages[2].warmup_ns, 2 * NS_PER_S);
    assert_true(s.has_search);
    assert_int_equal(s.search.acquire_weight, 1);
    assert_int_equal(s.search.renew_weight, 20);
    assert_int_equal(s.search.low_milli_per_s, 500 * 1000);
    assert_int_equal(s.search.high_milli_per_s, 20000 * 1000);
    assert_int_equal(s.search.rate_count, 0);
    assert_int_equal(s.search.bound, 5000);
    assert_int_equal(s.search.repeat, 5);
    assert_string_equal(s.search.reset, "ssh a reset");
    scenario_free(&s);

    parse_edited("bound: 5000, ", "", &s);
    assert_int_equal(s.search.bound, 10000);
    scenario_free(&s);
    parse_edited("between: [500/s, 20000/s]", "rates: [0.5/s, 1_000/s]", &s);
    assert_int_equal(s.search.rate_count, 2);
    assert_int_equal(s.search.rates_milli_per_s[0], 500);
    assert_int_equal(s.search.rates_milli_per_s[1], 1000 * 1000);
    assert_int_equal(s.search.low_milli_per_s, 0);
    scenario_free(&s);
}

/* Prints, parses, prints: the same file, and the same scenario where it is looked at. */
static void check_round_trip(const char *find, const char *put)
{
    struct scenario s, again;
    static struct diag why;
    parse_edited(find, put, &s);
    char *printed = scenario_print(&s);
    assert_non_null(printed);
    bool is_parsed = parse(printed, &again, &why);
    print_complaints(&why);
    assert_true(is_parsed);
    char *second = scenario_print(&again);
    assert_non_null(second);
    assert_string_equal(printed, second);
    assert_memory_equal(&s.search, &again.search, sizeof(s.search));
    assert_string_equal(s.returning, again.returning);
    assert_int_equal(s.identity, again.identity);
    assert_int_equal(s.events.count, again.events.count);
    const struct scenario_event *events = s.events.items, *back = again.events.items;
    for (size_t i = 0; i < s.events.count; i++) {
        assert_string_equal(events[i].name, back[i].name);
        assert_string_equal(events[i].run, back[i].run);
        assert_string_equal(events[i].stage, back[i].stage);
        assert_int_equal(events[i].at_ns, back[i].at_ns);
    }
    const struct scenario_stage *stages = s.stages.items, *stages_back = again.stages.items;
    for (size_t i = 0; i < s.stages.count; i++) {
        assert_int_equal(stages[i].is_until_steady, stages_back[i].is_until_steady);
        assert_int_equal(stages[i].duration_ns, stages_back[i].duration_ns);
        assert_int_equal(stages[i].warmup_ns, stages_back[i].warmup_ns);
        assert_int_equal(stages[i].timeout_ns, stages_back[i].timeout_ns);
    }
    const struct scenario_server *servers = s.servers.items, *servers_back = again.servers.items;
    assert_int_equal(servers[0].lease_source, servers_back[0].lease_source);
    assert_string_equal(servers[0].lease_path, servers_back[0].lease_path);
    free(printed);
    free(second);
    scenario_free(&s);
    scenario_free(&again);
}

static void the_effective_file_is_the_same_scenario(void **unused)
{
    (void)unused;
    check_round_trip("judge", "judge");
    check_round_trip("warmup: 2s, ", "");
    check_round_trip("warmup: 2s", "warmup: 0s");
    check_round_trip("between: [500/s, 20000/s]", "rates: [0.5/s, 1.25/s, 33.333/s, 20000/s]");
    check_round_trip("answered: 99.9%, resolution: 5%, repeat: 5, reset: \"ssh a reset\"",
                     "answered: 99.95%, resolution: 2.5%");
    check_round_trip("mix: {acquire: 1, renew: 20}", "mix: {acquire: 0, renew: 1}");
    check_round_trip("name: \"b off\"", "name: \"Strom weg: #2, 'b'\"");
    check_round_trip("run: \"ssh b systemctl stop kea\"", "run: 'ssh b \"kill $(cat \\x)\" # off'");
    check_round_trip("seed: 1", "seed: 1, identity: \"returning runs/2026 a/peak\"");
    check_round_trip("dhcpd: /var/lib/dhcp/dhcpd.leases", "kea: /var/lib/kea/kea-leases4.csv");
    check_round_trip("dhcpd: /var/lib/dhcp/dhcpd.leases", "kea_socket: /run/kea/kea4.sock");
    check_round_trip("dhcpd: /var/lib/dhcp/dhcpd.leases", "query: true");
}

static const uint8_t run_1[PLAN_RUN_ID_BYTES] = {1, 2, 3}, run_2[PLAN_RUN_ID_BYTES] = {1, 2, 4};

static void the_plan_of_a_search_ends_with_its_releases(void **unused)
{
    (void)unused;
    struct scenario s;
    struct plan plan;
    char why[PLAN_WHY_BYTES] = "";
    parse_edited("judge", "judge", &s);
    assert_true(scenario_to_plan(&s, run_1, "run", &plan));
    bool is_valid = plan_is_valid(&plan, why);
    if (!is_valid) {
        print_error("%s\n", why);
    }
    assert_true(is_valid);
    assert_int_equal(plan.stage_count, 4);
    assert_int_equal(plan.stages[2].kind, PLAN_LOAD);
    assert_int_equal(plan.stages[2].acquire_weight, 1);
    assert_int_equal(plan.stages[2].renew_weight, 20);
    assert_int_equal(plan.stages[2].rate_milli_per_s, 20000 * 1000);
    assert_int_equal(plan.stages[2].duration_ns, 0);
    assert_true(plan.stages[2].timeout_ns > s.search.step_ns + s.search.within_ns + 5 * NS_PER_S);
    assert_int_equal(plan.stages[3].kind, PLAN_RELEASE);
    assert_string_equal(plan.stages[3].name, "limit-release");
    assert_int_equal(plan.stages[3].rate_milli_per_s, 10000 * 1000);
    /* The 15,000 beyond `bound`, at half of the lowest rate. */
    assert_true(plan.stages[3].timeout_ns >= 60 * NS_PER_S);
    assert_int_equal(plan.stages[1].acquire_weight, 0);
    assert_int_equal(plan.acquire_tries, 4);
    plan_free(&plan);
    scenario_free(&s);
}

static void returning_clients_are_those_of_the_named_run(void **unused)
{
    (void)unused;
    struct scenario s, back;
    struct plan then, now;
    char why[PLAN_WHY_BYTES];
    parse_edited("judge", "judge", &s);
    parse_edited("seed: 1", "seed: 1, identity: returning runs/then", &back);
    assert_int_equal(back.identity, IDENTITY_RETURNING);
    assert_string_equal(back.returning, "runs/then");
    assert_true(scenario_to_plan(&s, run_1, "then", &then));
    assert_true(scenario_to_plan(&back, run_2, "now", &now));
    assert_true(then.identity_seed != now.identity_seed);
    assert_true(scenario_return_identity(&then, &now, why));
    assert_int_equal(now.identity_seed, then.identity_seed);
    for (uint32_t client = 0; client < 20000; client += 1999) {
        struct mac a = plan_client_mac(&then, client), b = plan_client_mac(&now, client);
        assert_memory_equal(&a, &b, sizeof(a));
    }

    /* Fewer may return; more, or elsewhere, would be others. */
    now.identity_seed = 5;
    now.relays[0].client_count = 19999;
    assert_true(scenario_return_identity(&then, &now, why));
    now.identity_seed = 5;
    now.relays[0].client_count = 20001;
    assert_false(scenario_return_identity(&then, &now, why));
    assert_non_null(strstr(why, "did not have the clients of relay bldg-1"));
    now.relays[0].client_count = 20000;
    now.relays[0].subnet.prefix_bits = 17;
    assert_false(scenario_return_identity(&then, &now, why));
    assert_non_null(strstr(why, "was in another subnet than 10.10.0.0/17"));
    now.relays[0].subnet.prefix_bits = 16;
    then.relay_count = 0;
    assert_false(scenario_return_identity(&then, &now, why));
    assert_int_equal(now.identity_seed, 5);
    then.relay_count = 1;
    plan_free(&then);
    plan_free(&now);
    scenario_free(&s);
    scenario_free(&back);
}

/* What a cut or a doubled line does must never hurt. */
static void a_file_cut_anywhere_is_read_or_refused(void **unused)
{
    (void)unused;
    static struct diag why;
    for (size_t bytes = 0; bytes < sizeof(good) - 1; bytes++) {
        struct scenario s;
        diag_init(&why, "cut.yaml");
        if (scenario_parse(good, bytes, &s, &why)) {
            scenario_free(&s);
        } else {
            assert_true(why.count > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_in_an_event_is_named),
        cmocka_unit_test(a_mistake_in_a_lease_source_is_named),
        cmocka_unit_test(a_mistake_in_a_search_is_named),
        cmocka_unit_test(a_search_may_be_the_only_stage_but_not_for_renewals),
        cmocka_unit_test(until_steady_needs_the_lease_time),
        cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(the_documented_search_is_read_as_written),
        cmocka_unit_test(the_effective_file_is_the_same_scenario),
        cmocka_unit_test(the_plan_of_a_search_ends_with_its_releases),
        cmocka_unit_test(returning_clients_are_those_of_the_named_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
