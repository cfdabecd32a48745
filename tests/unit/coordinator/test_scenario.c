/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/scenario.h"

static const char good[] = "leaseherd: 1\n"
                           "scenario: morning-peak\n"
                           "servers:\n"
                           "  a: {address: 192.168.1.12}\n"
                           "  b: {address: 192.168.2.12}\n"
                           "network:\n"
                           "  block: 10.10.0.0/16\n"
                           "  client_path: auto\n"
                           "  relays:\n"
                           "    - {name: bldg-1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, "
                           "clients: 12000}\n"
                           "    - {name: bldg-2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, "
                           "clients: 8000}\n"
                           "clients: {seed: 1, identity: fresh, profile: dhclient}\n"
                           "expect: {lease: 60s, production_lease: 8h}\n"
                           "limits: {packets: 20000/s, time: 30m}\n"
                           "run:\n"
                           "  - {name: peak, acquire: {batch: 300}}\n"
                           "  - {name: keep, hold: 10m, warmup: 1m}\n"
                           "judge:\n"
                           "  - leases.failed == 0\n"
                           "  - p99(renew) < 500ms in keep\n"
                           "cleanup: {release: 1000/s, on: [end, stop, fail]}\n"
                           "on_agent_loss: fail\n";

/* The good scenario with the first `find` replaced; the caller frees it. */
static char *edited(const char *find, const char *put)
{
    const char *at = strstr(good, find);
    assert_non_null(at);
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

static bool has_complaint(const struct diag *why, unsigned line, const char *words)
{
    for (size_t i = 0; i < why->count && i < DIAG_ITEMS_MAX; i++) {
        if (why->item[i].line == line && strstr(why->item[i].text, words) != NULL) {
            return true;
        }
    }
    return false;
}

static void print_complaints(const struct diag *why)
{
    for (size_t i = 0; i < why->count && i < DIAG_ITEMS_MAX; i++) {
        print_error("  %u: %s\n", why->item[i].line, why->item[i].text);
    }
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
    struct diag *why = malloc(sizeof(*why));
    assert_non_null(why);
    bool is_good = true;
    for (size_t i = 0; i < count; i++) {
        char *text = edited(rows[i].find, rows[i].put);
        bool is_parsed = parse(text, &s, why);
        free(text);
        if (is_parsed) {
            scenario_free(&s);
        }
        if (is_parsed || why->count != 1 || !has_complaint(why, rows[i].line, rows[i].words)) {
            print_error("'%s': wanted only %u: ...%s..., got\n", rows[i].put, rows[i].line,
                        rows[i].words);
            print_complaints(why);
            is_good = false;
        }
    }
    free(why);
    assert_true(is_good);
}

static void a_mistake_in_keys_and_values_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"leaseherd: 1", "leaseherd: 2", 1, "`leaseherd` is `2`"},
        {"leaseherd: 1\n", "", 1, "the key `leaseherd` is missing"},
        {"scenario: morning-peak", "scenario: mörning", 2, "must be a name"},
        {"client_path", "cleint_path", 8, "did you mean `client_path`?"},
        {"client_path: auto", "client_path: egres", 8, "did you mean `egress`?"},
        {"block: 10.10.0.0/16", "block: 10.10.1.0/16", 7, "no bit set behind the prefix"},
        {"  block: 10.10.0.0/16\n", "", 6, "lacks the key `block`"},
        {"clients: 12000", "clients: many", 10, "must be a whole number"},
        {"clients: 12000", "clients: 0", 10, "is `0`"},
        {"clients: 12000", "clients: 12000, colour: red", 10, "unknown key `colour`"},
        {"lease: 60s", "lease: 60", 13, "add the unit"},
        {"lease: 60s", "lease: 0s", 13, "`expect.lease` is `0s`"},
        {"packets: 20000/s", "packets: 20000", 14, "add the unit"},
        {"time: 30m", "time: 30m, spin: slow", 14, "must be one of on, off"},
        {"batch: 300", "batch: 0", 16, "is `0`"},
        {"[end, stop, fail]", "[end, sometimes]", 21, "sometimes"},
        {"{release: 1000/s, on", "{on", 21, "lacks the key `release`"},
        {"on_agent_loss: fail", "on_agent_loss: cry", 22,
         "must be one of fail, continue, reassign"},
        {"identity: fresh", "identity: stale", 12, "use fresh, fixed or \"returning RUN\""},
        {"identity: fresh", "identity: returning", 12, "does not name a run"},
        {"identity: fresh", "identity: returningruns/1", 12, "does not name a run"},
        {"identity: fresh", "identity: \"returning \"", 12, "does not name a run"},
        {"profile: dhclient", "profile: dhcpcd", 12, "use `profile: dhclient`"},
        {"profile: dhclient", "vendor_class: \"caf\303\251\"", 12, "printable ASCII"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void a_mistake_in_the_network_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"block: 10.10.0.0/16", "block: 0.0.0.0/0", 7, "wider than a /8"},
        {"block: 10.10.0.0/16", "block: 8.0.0.0/6", 7, "wider than a /8"},
        {"address: 192.168.2.12", "address: 192.168.1.12", 5,
         "servers a and b have the same address"},
        {"address: 192.168.2.12", "address: 0.0.0.0", 5, "no address of a host"},
        {"address: 192.168.2.12", "address: 224.0.0.1", 5, "a multicast address"},
        {"address: 192.168.2.12", "adress: 192.168.2.12, address: 192.168.2.12", 5,
         "did you mean `address`?"},
        {"giaddr: 172.16.9.3", "giaddr: 172.16.8.3", 11,
         "relays bldg-1 and bldg-2 have the same giaddr"},
        {"giaddr: 172.16.9.3", "giaddr: 255.255.255.255", 11, "the broadcast address"},
        {"giaddr: 172.16.9.3", "giaddr: 239.1.1.1", 11, "a multicast address"},
        {"giaddr: 172.16.9.3", "giaddr: 250.1.1.1", 11, "a reserved address"},
        {"giaddr: 172.16.9.3", "giaddr: 0.0.0.0", 11, "no address of a host"},
        {"giaddr: 172.16.9.3", "giaddr: 127.0.0.3", 11, "a loopback address and a server is not"},
        {"giaddr: 172.16.9.3", "giaddr: 10.10.0.0", 11,
         "the network or broadcast address of its subnet"},
        {"giaddr: 172.16.9.3", "giaddr: 10.10.255.255", 11,
         "the network or broadcast address of its subnet"},
        {"giaddr: 172.16.9.3", "giaddr: 192.168.1.12", 11, "is the address of server a"},
        {"giaddr: 172.16.9.3", "giaddr: 172.16.9.3, via: 127.0.0.1", 11,
         "via 127.0.0.1 is a loopback"},
        {"giaddr: 172.16.9.3", "giaddr: 172.16.9.3, via: 225.0.0.1", 11,
         "via 225.0.0.1 is a multicast"},
        {"name: bldg-2", "name: bldg-1", 11, "two relays are named 'bldg-1', the other in line 10"},
        {"subnet: 10.10.0.0/17", "subnet: 10.11.0.0/17", 10, "is not inside block 10.10.0.0/16"},
        {"subnet: 10.10.0.0/17", "subnet: 10.0.0.0/8", 10, "is not inside block 10.10.0.0/16"},
        {"subnet: 10.10.0.0/17", "subnet: 10.10.0.0/24", 10,
         "has 254 addresses and 12000 clients behind 1 relay;"},
        {"clients: 8000", "clients: 60000", 11,
         "has 65534 addresses and 72000 clients behind 2 relays"},
        {"clients: 8000", "clients: 8000, to: [a, c]", 11,
         "there is no server 'c'; name one of `servers`"},
        {"clients: 8000", "clients: 8000, to: [\"\"]", 11, "there is no server ''"},
        {"clients: 8000", "clients: 8000, to: [a, a]", 11, "is named twice"},
        {"clients: 8000", "clients: 8000, option82: {}", 11, "option82 is empty"},
        {"servers:\n  a: {address: 192.168.1.12}\n  b: {address: 192.168.2.12}\n", "servers: {}\n",
         3, "`servers` has 0 elements"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void a_mistake_in_the_stages_is_named(void **unused)
{
    (void)unused;
    static const struct mistake rows[] = {
        {"acquire: {batch: 300}", "acquire: {batch: 300, rate: 5/s}", 16, "give exactly one"},
        {"acquire: {batch: 300}", "acquire: {}", 16, "acquire has no pace"},
        {"acquire: {batch: 300}", "acquire: {batch: 300, arrivals: poisson}", 16,
         "only in the open model"},
        {"acquire: {batch: 300}", "acquire: {batch: 300}, release: {rate: 5/s}", 16,
         "does several things"},
        {"hold: 10m, ", "", 17, "does nothing"},
        {"hold: 10m", "hold: ten", 17, "hold 'ten' is no duration"},
        {"hold: 10m", "hold: 600", 17, "hold '600' is no duration"},
        {"hold: 10m", "hold: 1ms", 17, "out of range"},
        {"hold: 10m", "hold: 50s", 17, "the warmup takes the whole hold"},
        {"hold: 10m", "hold: 10m, timeout: 5m", 17, "the timeout is shorter than the hold"},
        {"hold: 10m", "release: {rate: 1000/s}, timeout: 30s", 17,
         "the warmup is as long as the timeout"},
        {"name: peak, ", "name: keep, ", 17, "two stages are named 'keep', the other in line 16"},
        {"name: peak, ", "name: preflight, ", 16, "rename the stage"},
        {"acquire: {batch: 300}", "reboot: {batch: 300}", 16, "it must be an acquire stage"},
        {"  - {name: peak, acquire: {batch: 300}}\n",
         "  - {name: soon, hold: 1m}\n  - {name: peak, acquire: {batch: 300}}\n", 16,
         "before any stage acquires them"},
        {"  - {name: keep,", "  - {name: more, acquire: {batch: 300, tries: 2}}\n  - {name: keep,",
         17, "all acquire stages of a run share them"},
        {"acquire: {batch: 300}", "acquire: {rate: 6000/s}", 16,
         "sends up to 24000 packets/s and limits.packets is 20000/s"},
        {"time: 30m", "time: 10m", 14, "the stages take at least 604 s and limits.time is 600 s"},
        {"p99(renew) < 500ms in keep", "p99(renew) < 500ms in kep", 20, "kep"},
        {"leases.failed == 0", "leases.faild == 0", 19, "leases.faild"},
        {"production_lease: 8h", "production_lease: 30s", 13,
         "production_lease is shorter than lease"},
        {"lease: 60s, ", "", 13, "give `lease` too"},
        {"lease: 60s", "lease: 60500ms", 13, "whole seconds"},
    };
    check_mistakes(rows, ARRAY_LEN(rows));
}

static void all_mistakes_of_a_file_come_at_once(void **unused)
{
    (void)unused;
    /* Four the schema sees and five it cannot see. */
    static const char text[] = "leaseherd: 1\n"
                               "scenario: bad\n"
                               "servers:\n"
                               "  tokyo: {address: 192.168.1.12}\n"
                               "network:\n"
                               "  block: 10.10.0.0/16\n"
                               "  relays:\n"
                               "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.11.0.0/16, "
                               "clients: 10}\n"
                               "    - {name: r2, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, "
                               "clients: 10, to: [tokio]}\n"
                               "    - {name: r3, giaddr: 172.16.8.300, subnet: 10.10.0.0/16, "
                               "clients: 10}\n"
                               "client: {seed: 1}\n"
                               "expect: {lease: 60}\n"
                               "run:\n"
                               "  - {name: keep, hold: 10m}\n"
                               "  - {name: late, acquire: {batch: 1, rate: 1/s}, timeout: soon}\n";
    struct scenario s;
    struct diag why;
    assert_false(parse(text, &s, &why));
    print_complaints(why.count == 9 ? &(struct diag){0} : &why);
    assert_int_equal(why.count, 9);
    assert_true(has_complaint(&why, 8, "not inside block"));
    assert_true(has_complaint(&why, 9, "same giaddr"));
    assert_true(has_complaint(&why, 9, "no server 'tokio'; did you mean 'tokyo'?"));
    assert_true(has_complaint(&why, 10, "172.16.8.300"));
    assert_true(has_complaint(&why, 11, "did you mean `clients`?"));
    assert_true(has_complaint(&why, 12, "add the unit"));
    assert_true(has_complaint(&why, 14, "before any stage acquires"));
    assert_true(has_complaint(&why, 15, "give exactly one"));
    assert_true(has_complaint(&why, 15, "`run.timeout` is `soon`"));
}

static void what_is_no_yaml_at_all_is_refused_with_a_line(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"",           "\n\n",     "a: [", "\tx: 1\n",
                                        "- 1\n- 2\n", "\xff\xfe", "42\n", "a: &x 1\nb: *x\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct scenario s;
        struct diag why;
        assert_false(parse(texts[i], &s, &why));
        assert_true(why.count > 0);
    }
}

/* Relay 256 has the slot of relay 1 again. */
static char *many_relays(const char *subnet_of_256th)
{
    size_t size = 256 * 120 + 1024;
    char *text = malloc(size);
    assert_non_null(text);
    int used = snprintf(text, size,
                        "leaseherd: 1\nscenario: many\nservers:\n  a: {address: 192.168.1.12}\n"
                        "network:\n  block: 10.0.0.0/8\n  relays:\n");
    for (int i = 0; i < 256; i++) {
        char apart[32];
        (void)snprintf(apart, sizeof(apart), "10.%d.0.0/16", i);
        used += snprintf(text + used, size - (size_t)used,
                         "    - {name: r%d, giaddr: 172.16.%d.1, subnet: %s, clients: 1}\n", i, i,
                         i == 255 ? subnet_of_256th : apart);
    }
    (void)snprintf(text + used, size - (size_t)used, "run:\n  - {name: x, acquire: {batch: 1}}\n");
    return text;
}

static void relays_that_share_addresses_must_differ_in_slot(void **unused)
{
    (void)unused;
    struct scenario s;
    struct diag why;
    char *text = many_relays("10.0.0.0/17");
    assert_false(parse(text, &s, &why));
    assert_int_equal(why.count, 1);
    assert_true(has_complaint(&why, 8 + 255, "relays r0 and r255 share addresses and xid slot 1"));
    free(text);

    text = many_relays("10.255.0.0/16");
    assert_true(parse(text, &s, &why));
    scenario_free(&s);
    free(text);
}

static void the_documented_scenario_is_read_as_written(void **unused)
{
    (void)unused;
    struct scenario s;
    struct diag why;
    bool is_parsed = parse(good, &s, &why);
    print_complaints(&why);
    assert_true(is_parsed);
    const struct scenario_relay *relays = s.relays.items;
    const struct scenario_stage *stages = s.stages.items;
    const struct scenario_judgement *judgements = s.judgements.items;

    assert_string_equal(s.name, "morning-peak");
    assert_int_equal(s.servers.count, 2);
    assert_int_equal(s.relays.count, 2);
    assert_true(inet_equal(relays[1].via, relays[1].giaddr));
    assert_int_equal(relays[1].line, 11);
    assert_int_equal(scenario_client_count(&s), 20000);
    assert_int_equal(s.identity, IDENTITY_FRESH);
    assert_int_equal(s.lease_ns, 60 * NS_PER_S);
    assert_int_equal(s.production_lease_ns, 8 * 3600 * NS_PER_S);
    assert_int_equal(s.packets_milli_per_s, 20000 * 1000);
    assert_int_equal(stages[0].kind, PLAN_ACQUIRE);
    assert_int_equal(stages[0].batch, 300);
    assert_int_equal(stages[0].tries, 4);
    assert_int_equal(stages[0].deadline_ns, 60 * NS_PER_S);
    assert_int_equal(stages[1].kind, PLAN_HOLD);
    assert_int_equal(stages[1].duration_ns, 600 * NS_PER_S);
    assert_int_equal(stages[1].timeout_ns, 630 * NS_PER_S);
    assert_int_equal(judgements[1].line, 20);
    assert_string_equal(judgements[1].text, "p99(renew) < 500ms in keep");
    assert_true(scenario_cleans_up(&s, CLEANUP_ON_FAIL));
    assert_int_equal(s.on_agent_loss, AGENT_LOSS_FAIL);
    scenario_free(&s);
}

static void defaults_are_those_of_the_manual(void **unused)
{
    (void)unused;
    static const char text[] =
        "leaseherd: 1\nscenario: small\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"
        "  block: 10.10.0.0/16\n  relays:\n"
        "    - {name: r, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 1000}\nrun:\n"
        "  - {name: x, acquire: {rate: 0.5/s}}\n";
    struct scenario s;
    struct diag why;
    assert_true(parse(text, &s, &why));
    const struct scenario_stage *stages = s.stages.items;
    assert_int_equal(s.seed, 1);
    assert_string_equal(s.profile, "dhclient");
    assert_int_equal(s.client_path, SCENARIO_PATH_AUTO);
    assert_true(s.fuzz_percent > 4.99 && s.fuzz_percent < 5.01);
    assert_int_equal(s.packets_milli_per_s, 20000 * 1000);
    assert_int_equal(s.time_ns, 3600 * NS_PER_S);
    assert_false(scenario_cleans_up(&s, CLEANUP_ON_END));
    assert_int_equal(stages[0].timeout_ns, (300 + 2000) * NS_PER_S);
    scenario_free(&s);
}

static void loopback_relays_are_for_loopback_servers(void **unused)
{
    (void)unused;
    static const char text[] =
        "leaseherd: 1\nscenario: local\nservers:\n  a: {address: 127.0.0.1}\nnetwork:\n"
        "  block: 10.10.0.0/16\n  relays:\n"
        "    - {name: r, giaddr: 127.0.0.2, subnet: 10.10.0.0/16, clients: 10}\nrun:\n"
        "  - {name: x, acquire: {batch: 1}}\n";
    struct scenario s;
    struct diag why;
    assert_true(parse(text, &s, &why));
    scenario_free(&s);
}

static void all_kinds_of_stages_are_read(void **unused)
{
    (void)unused;
    char *text = edited("  - {name: keep, hold: 10m, warmup: 1m}\n",
                        "  - {name: keep, hold: 90s}\n"
                        "  - {name: again, reboot: {batch: 10}}\n"
                        "  - {name: ask, inform: {rate: 50/s}}\n"
                        "  - {name: no, decline: {batch: 5}, timeout: 2m}\n"
                        "  - {name: back, acquire: {rate: 100/s, arrivals: poisson}}\n"
                        "  - {name: out, release: {rate: 1000/s}}\n");
    static const enum plan_stage_kind kinds[] = {PLAN_ACQUIRE, PLAN_HOLD,    PLAN_REBOOT,
                                                 PLAN_INFORM,  PLAN_DECLINE, PLAN_ACQUIRE,
                                                 PLAN_RELEASE};
    struct scenario s;
    struct diag why;
    bool is_parsed = parse(text, &s, &why);
    print_complaints(&why);
    assert_true(is_parsed);
    const struct scenario_stage *stages = s.stages.items;
    assert_int_equal(s.stages.count, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        assert_int_equal(stages[i].kind, kinds[i]);
    }
    assert_true(stages[5].is_poisson);
    assert_int_equal(stages[5].rate_milli_per_s, 100000);
    assert_int_equal(stages[4].timeout_ns, 120 * NS_PER_S);
    free(text);
    scenario_free(&s);
}

static void the_effective_scenario_parses_to_itself(void **unused)
{
    (void)unused;
    char *text = edited("clients: 8000}", "clients: 8000, to: [b], agent: a2, via: 172.16.9.4, "
                                          "option82: {circuit_id: \"eth 0/1\", remote_id: sw1}}");
    struct scenario s, again;
    struct diag why;
    assert_true(parse(text, &s, &why));
    char *printed = scenario_print(&s);
    assert_non_null(printed);
    bool is_parsed = parse(printed, &again, &why);
    print_complaints(&why);
    assert_true(is_parsed);
    char *second = scenario_print(&again);
    assert_string_equal(printed, second);
    const struct scenario_relay *relays = again.relays.items;
    assert_string_equal(relays[1].circuit_id, "eth 0/1");
    assert_string_equal(relays[1].agent, "a2");
    assert_int_equal(relays[1].to.count, 1);
    free(text);
    free(printed);
    free(second);
    scenario_free(&s);
    scenario_free(&again);
}

static bool plan_spins(const char *limits)
{
    char *text = edited("time: 30m", limits);
    struct scenario s;
    struct diag why;
    struct plan plan;
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    assert_true(parse(text, &s, &why));
    assert_true(scenario_to_plan(&s, run_id, "r", &plan));
    char *printed = scenario_print(&s);
    assert_non_null(strstr(printed, plan.is_spin_off ? "spin: off" : "spin: on"));
    bool spins = !plan.is_spin_off;
    free(printed);
    free(text);
    plan_free(&plan);
    scenario_free(&s);
    return spins;
}

static void spin_goes_into_the_plan_and_back_into_the_file(void **unused)
{
    (void)unused;
    assert_true(plan_spins("time: 30m"));
    assert_true(plan_spins("time: 30m, spin: on"));
    assert_false(plan_spins("time: 30m, spin: off"));
}

static const uint8_t run_1[PLAN_RUN_ID_BYTES] = {1, 2, 3}, run_2[PLAN_RUN_ID_BYTES] = {1, 2, 4};

static void the_plan_is_one_an_agent_accepts(void **unused)
{
    (void)unused;
    char *text = edited("clients: 8000}", "clients: 8000, to: [b], option82: {circuit_id: x}}");
    struct scenario s;
    struct diag why;
    struct plan plan, back;
    char sentence[PLAN_WHY_BYTES] = "";
    assert_true(parse(text, &s, &why));
    assert_true(scenario_to_plan(&s, run_1, "20120401-peak", &plan));
    size_t bytes = plan_encode(&plan, NULL, 0);
    uint8_t *packed = malloc(bytes);
    assert_non_null(packed);
    assert_int_equal(plan_encode(&plan, packed, bytes), bytes);
    assert_true(plan_decode(packed, bytes, &back, sentence));

    assert_int_equal(back.client_count, 20000);
    assert_int_equal(back.relays[1].first_client, 12000);
    assert_int_equal(back.relays[1].xid_slot, 2);
    assert_int_equal(back.relays[0].to_count, 2);
    assert_int_equal(back.relays[1].to_count, 1);
    assert_int_equal(back.relays[1].to[0], 1);
    assert_int_equal(back.relays[1].circuit_id_bytes, 1);
    assert_int_equal(back.acquire_tries, 4);
    assert_int_equal(back.fuzz_permille, 50);
    assert_int_equal(back.expect_lease_s, 60);
    assert_int_equal(back.packets_per_s_max, 20000);
    free(packed);
    free(text);
    plan_free(&plan);
    plan_free(&back);
    scenario_free(&s);
}

static uint64_t identity_of(const char *find, const char *put, const uint8_t *run)
{
    char *text = edited(find, put);
    struct scenario s;
    struct diag why;
    struct plan plan;
    assert_true(parse(text, &s, &why));
    assert_true(scenario_to_plan(&s, run, "r", &plan));
    uint64_t seed = plan.identity_seed;
    plan_free(&plan);
    scenario_free(&s);
    free(text);
    return seed;
}

static void fresh_clients_differ_from_run_to_run_and_fixed_ones_do_not(void **unused)
{
    (void)unused;
    const char *find = "identity: fresh", *fixed = "identity: fixed";
    assert_true(identity_of(find, find, run_1) != identity_of(find, find, run_2));
    assert_true(identity_of(find, find, run_1) == identity_of(find, find, run_1));
    assert_true(identity_of(find, fixed, run_1) == identity_of(find, fixed, run_2));
}

/* What a misspelt key, a cut file or a doubled line does must never hurt. */
static void a_file_cut_anywhere_is_read_or_refused(void **unused)
{
    (void)unused;
    struct diag *why = malloc(sizeof(*why));
    assert_non_null(why);
    for (size_t bytes = 0; bytes < sizeof(good) - 1; bytes++) {
        struct scenario s;
        diag_init(why, "cut.yaml");
        if (scenario_parse(good, bytes, &s, why)) {
            scenario_free(&s);
        } else {
            assert_true(why->count > 0);
        }
    }
    free(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_in_keys_and_values_is_named),
        cmocka_unit_test(a_mistake_in_the_network_is_named),
        cmocka_unit_test(a_mistake_in_the_stages_is_named),
        cmocka_unit_test(all_mistakes_of_a_file_come_at_once),
        cmocka_unit_test(what_is_no_yaml_at_all_is_refused_with_a_line),
        cmocka_unit_test(relays_that_share_addresses_must_differ_in_slot),
        cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(the_documented_scenario_is_read_as_written),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(loopback_relays_are_for_loopback_servers),
        cmocka_unit_test(all_kinds_of_stages_are_read),
        cmocka_unit_test(the_effective_scenario_parses_to_itself),
        cmocka_unit_test(spin_goes_into_the_plan_and_back_into_the_file),
        cmocka_unit_test(the_plan_is_one_an_agent_accepts),
        cmocka_unit_test(fresh_clients_differ_from_run_to_run_and_fixed_ones_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
