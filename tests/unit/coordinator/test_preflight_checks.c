/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/preflight_checks.h"
#include "coordinator/truth/findings.h"

enum { RELAYS = 2, AGENTS = 2, FACTS = 12 };

static struct scenario scenario;
static struct plan plan;
static struct plan_relay relays[RELAYS];
static struct control_preflight_relay reports[RELAYS];
static struct control_fact facts[AGENTS][FACTS + 2];
static struct preflight_agent agents[AGENTS];
static uint32_t report_agent[RELAYS];
static struct preflight_bed bed;
static struct preflight_checks checks;

static struct ipv4 address(const char *text)
{
    struct ipv4 a;
    assert_true(inet_parse(text, &a));
    return a;
}

static void set_up_relay(uint32_t i)
{
    snprintf(relays[i].name, sizeof(relays[i].name), "r%u", (unsigned)(i + 1));
    relays[i].giaddr = relays[i].via = inet_from_host(0xac100803 + 256 * i);
    assert_true(inet_parse_net("10.10.0.0/16", &relays[i].subnet));
    relays[i].client_count = 500;
    reports[i] = (struct control_preflight_relay){.relay = i,
                                                  .clients = 3,
                                                  .offered = 3,
                                                  .bound = 3,
                                                  .path_count = 2,
                                                  .lease_least_s = 60,
                                                  .lease_most_s = 60,
                                                  .t1_s = 30,
                                                  .t2_s = 52,
                                                  .mask = address("255.255.0.0"),
                                                  .router = address("10.10.0.1"),
                                                  .was_unmarked_asked = true,
                                                  .way_count = 2};
    reports[i].path[0] = (struct control_preflight_path){
        .path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3};
    reports[i].path[1] = (struct control_preflight_path){
        .path = PLAN_PATH_RELAYED, .renew_sent = 3, .renew_acked = 3};
    reports[i].way[0] =
        (struct control_preflight_way){.path = PLAN_PATH_EGRESS, .sent = 2, .acked = 2};
    reports[i].way[1] = (struct control_preflight_way){
        .server = 1, .path = PLAN_PATH_EGRESS, .sent = 1, .acked = 1};
    report_agent[i] = i;
}

static void set_up_agent(uint32_t i)
{
    static const char *const names[AGENTS] = {"a1", "a2"}, *const hosts[AGENTS] = {"h1", "h2"};
    uint64_t all = (UINT64_C(1) << FACT_KIND_COUNT) - 1;
    const struct control_fact usual[] = {
        {.kind = FACT_LOOKED_AT, .value = all},
        {.kind = FACT_RECEIVE_BUFFER, .value = 425984, .limit = 33554432},
        {.kind = FACT_OPEN_FILES, .value = 1024, .limit = 30},
        {.kind = FACT_CLOCK_SOURCE, .value = CLOCK_SOURCE_FAST},
        {.kind = FACT_TIMER_STEP, .value = 1},
        {.kind = FACT_PROCESSORS, .value = 1},
    };
    memcpy(facts[i], usual, sizeof(usual));
    agents[i] = (struct preflight_agent){.name = names[i],
                                         .host = hosts[i],
                                         .facts = facts[i],
                                         .fact_count = ARRAY_LEN(usual),
                                         .clients = 500,
                                         .relays = 1,
                                         .clock_uncertainty_ns = 100000};
}

static int set_up(void **state)
{
    (void)state;
    memset(&scenario, 0, sizeof(scenario));
    memset(&plan, 0, sizeof(plan));
    memset(&checks, 0, sizeof(checks));
    memset(facts, 0, sizeof(facts));
    plan.relays = relays;
    plan.relay_count = RELAYS;
    plan.client_count = 1000;
    plan.server_count = 2;
    strcpy(plan.servers[0].name, "s1");
    strcpy(plan.servers[1].name, "s2");
    plan.expect_lease_s = 60;
    plan.stage_count = 1;
    plan.stages[0].batch = 50;
    scenario.pool_addresses = 2000;
    for (uint32_t i = 0; i < RELAYS; i++) {
        set_up_relay(i);
        set_up_agent(i);
    }
    bed = (struct preflight_bed){.scenario = &scenario,
                                 .plan = &plan,
                                 .agents = agents,
                                 .agent_count = AGENTS,
                                 .reports = reports,
                                 .report_agent = report_agent,
                                 .report_count = RELAYS,
                                 .received = 100};
    return 0;
}

static void fact(enum control_fact_kind kind, const char *addr, const char *peer, uint64_t value,
                 uint64_t limit)
{
    for (size_t i = 0; i < agents[1].fact_count; i++) {
        if (facts[1][i].kind == kind && kind >= FACT_RECEIVE_BUFFER && kind <= FACT_PROCESSORS) {
            facts[1][i].value = value;
            facts[1][i].limit = limit;
            return;
        }
    }
    facts[1][agents[1].fact_count++] =
        (struct control_fact){.kind = kind,
                              .addr = addr == NULL ? (struct ipv4){0} : address(addr),
                              .peer = peer == NULL ? (struct ipv4){0} : address(peer),
                              .value = value,
                              .limit = limit};
}

static void run(void)
{
    uint32_t skip = checks.skip;
    struct preflight_verdict v;
    memset(&checks, 0, sizeof(checks));
    checks.skip = skip;
    preflight_judge(&plan, reports, bed.report_count, bed.received, &v);
    preflight_check_hosts(&bed, &checks);
    preflight_check_bed(&bed, &v, &checks);
}

static const struct preflight_check *first(enum preflight_check_id id)
{
    for (size_t i = 0; i < checks.count; i++) {
        if (checks.item[i].id == id) {
            return &checks.item[i];
        }
    }
    fail_msg("no %s", preflight_check_name(id));
    return &checks.item[0];
}

/* That check says this, with these words and a remedy, and no other check complains. */
static void expect(enum preflight_check_id id, enum preflight_check_result result,
                   const char *words)
{
    run();
    const struct preflight_check *c = first(id);
    if (c->result != result || strstr(c->text, words) == NULL) {
        fail_msg("%s is %s: %s", preflight_check_name(id), preflight_result_name(c->result),
                 c->text);
    }
    assert_true(c->remedy[0] != '\0' || result == CHECK_NOT_KNOWN || result == CHECK_PASSED);
    assert_true(result != CHECK_FAILED || findings_side(c->finding) != NULL);
    for (size_t i = 0; i < checks.count; i++) {
        const struct preflight_check *o = &checks.item[i];
        if (o->id != id && (o->result == CHECK_WARNED || o->result == CHECK_FAILED) &&
            !(o->id == CHECK_ANSWERS && reports[1].bound < reports[1].clients)) {
            fail_msg("%s complains, too: %s", preflight_check_name(o->id), o->text);
        }
    }
}

static void relay_is_silent(void)
{
    reports[1].offered = reports[1].bound = 0;
    reports[1].way_count = 0;
    reports[1].lease_least_s = reports[1].lease_most_s = reports[1].t1_s = reports[1].t2_s = 0;
}

static void a_healthy_bed_passes_every_check(void **state)
{
    (void)state;
    run();
    for (size_t i = 0; i < checks.count; i++) {
        if (checks.item[i].result != CHECK_PASSED) {
            fail_msg("%s is %s: %s", preflight_check_name(checks.item[i].id),
                     preflight_result_name(checks.item[i].result), checks.item[i].text);
        }
        assert_string_equal(checks.item[i].remedy, "");
    }
    for (enum preflight_check_id id = 0; id < CHECK_ID_COUNT; id++) {
        assert_true(id == CHECK_SOCKETS || first(id) != NULL);
    }
}

static void listeners_are_named_where_they_matter(void **state)
{
    (void)state;
    fact(FACT_LISTENER, NULL, NULL, 67, 104);
    expect(CHECK_LISTENERS, CHECK_WARNED, "agent a2 (user id 104) listens on udp port 67 of all");
    agents[1].refusal = "cannot bind 172.16.9.3 port 67";
    run();
    assert_int_equal(first(CHECK_LISTENERS)->result, CHECK_FAILED);
    assert_int_equal(first(CHECK_SOCKETS)->result, CHECK_FAILED);
    assert_non_null(strstr(first(CHECK_SOCKETS)->text, "a2 refused the plan: cannot bind"));
    set_up(NULL);
    fact(FACT_LISTENER, "172.16.9.3", NULL, 68, 0);
    expect(CHECK_LISTENERS, CHECK_WARNED, "udp port 68 of 172.16.9.3");
    set_up(NULL);
    fact(FACT_LISTENER, "192.0.2.7", NULL, 68, 0); /* nobody's relay */
    expect(CHECK_LISTENERS, CHECK_PASSED, "nobody");
    set_up(NULL);
    scenario.client_path = SCENARIO_PATH_ROUTED;
    fact(FACT_LISTENER, "192.0.2.7", NULL, 68, 0);
    expect(CHECK_LISTENERS, CHECK_WARNED, "routed needs that port");
}

static void addresses_and_routes_that_lack_are_named(void **state)
{
    (void)state;
    fact(FACT_NO_ADDRESS, "172.16.9.3", NULL, 0, 0);
    expect(CHECK_ADDRESSES, CHECK_FAILED, "a2 does not have 172.16.9.3");
    set_up(NULL);
    fact(FACT_NO_ROUTE, "172.16.9.3", "192.168.2.12", ENETUNREACH, 0);
    expect(CHECK_ROUTES, CHECK_WARNED, "from 172.16.9.3 to the server 192.168.2.12 (Network is");
    reports[1].send_errno = ENETUNREACH; /* and it was needed */
    expect(CHECK_ROUTES, CHECK_FAILED, "no route");
    set_up(NULL);
    fact(FACT_NO_ROUTE, NULL, "10.10.0.12", 0, 0);
    expect(CHECK_ROUTES, CHECK_FAILED, "takes 10.10.0.12, a server, for one of its own");
}

static void a_strict_filter_matters_where_answers_lack(void **state)
{
    (void)state;
    fact(FACT_STRICT_FILTER, "172.16.9.3", "192.168.1.12", 0, 0);
    expect(CHECK_RP_FILTER, CHECK_PASSED, "no reverse-path filter");
    relay_is_silent();
    expect(CHECK_RP_FILTER, CHECK_FAILED, "rp_filter is strict");
}

static void small_buffers_and_few_files_are_named_with_the_figure(void **state)
{
    (void)state;
    fact(FACT_RECEIVE_BUFFER, NULL, NULL, 32768, 33554432);
    expect(CHECK_RECEIVE_BUFFER, CHECK_WARNED, "bytes and got 32768; a burst");
    assert_non_null(strstr(first(CHECK_RECEIVE_BUFFER)->remedy, "net.core.rmem_max=33554432"));
    set_up(NULL);
    plan.stages[0].batch = 2000; /* the same buffers, a larger burst */
    run();
    assert_int_equal(first(CHECK_RECEIVE_BUFFER)->result, CHECK_WARNED);
    set_up(NULL);
    plan.stages[0].batch = 0;
    plan.stages[0].rate_milli_per_s = 20000 * 1000;
    run();
    assert_int_equal(first(CHECK_RECEIVE_BUFFER)->result, CHECK_WARNED);
    set_up(NULL);
    fact(FACT_OPEN_FILES, NULL, NULL, 64, 210);
    expect(CHECK_OPEN_FILES, CHECK_FAILED, "may open 64 files and needs 210");
}

static void clocks_that_cannot_measure_are_named(void **state)
{
    (void)state;
    fact(FACT_CLOCK_SOURCE, NULL, NULL, CLOCK_SOURCE_COARSE, 0);
    expect(CHECK_CLOCK, CHECK_FAILED, "jiffies");
    set_up(NULL);
    fact(FACT_CLOCK_SOURCE, NULL, NULL, CLOCK_SOURCE_SLOW, 0);
    expect(CHECK_CLOCK, CHECK_WARNED, "a microsecond or more");
    set_up(NULL);
    fact(FACT_CLOCK_SOURCE, NULL, NULL, CLOCK_SOURCE_OTHER, 0);
    expect(CHECK_CLOCK, CHECK_PASSED, "fine enough");
    fact(FACT_TIMER_STEP, NULL, NULL, 4 * NS_PER_MS, 0);
    expect(CHECK_CLOCK, CHECK_FAILED, "every 4.0 ms only");
    set_up(NULL);
    agents[1].clock_uncertainty_ns = 7 * NS_PER_MS;
    expect(CHECK_CLOCK, CHECK_WARNED, "known to 7.0 ms only");
}

static void agents_that_share_a_cpu_are_named_once(void **state)
{
    (void)state;
    agents[1].host = agents[0].host;
    expect(CHECK_CPUS, CHECK_WARNED, "2 agents share the 1 CPUs of host h1");
    assert_int_equal(checks.of_id[CHECK_CPUS], 1);
}

static void who_answers_pings_is_named(void **state)
{
    (void)state;
    fact(FACT_PING, "10.10.255.254", NULL, PING_SILENT, 0);
    expect(CHECK_PING, CHECK_PASSED, "nobody answers");
    set_up(NULL);
    fact(FACT_PING, "10.10.255.254", NULL, PING_ANSWERED, 0);
    expect(CHECK_PING, CHECK_WARNED, "a2 answers pings to 10.10.255.254");
    relay_is_silent();
    expect(CHECK_PING, CHECK_FAILED, "abandons every address");
    set_up(NULL);
    fact(FACT_PING, "10.10.255.254", NULL, PING_UNKNOWN, 0);
    expect(CHECK_PING, CHECK_NOT_KNOWN, "cannot be asked");
}

static void what_could_not_be_looked_at_is_unknown(void **state)
{
    (void)state;
    agents[1].fact_count = 0; /* an agent that tells nothing */
    run();
    for (enum preflight_check_id id = CHECK_LISTENERS; id <= CHECK_PING; id++) {
        assert_int_equal(first(id)->result, CHECK_NOT_KNOWN);
        assert_non_null(strstr(first(id)->text, "1 of 2 agents could not look"));
    }
}

static void every_relay_that_is_not_served_is_named(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < RELAYS; i++) {
        reports[i].offered = reports[i].bound = 0;
    }
    bed.received = 0;
    run();
    assert_int_equal(checks.of_id[CHECK_ANSWERS], 2);
    assert_string_equal(first(CHECK_ANSWERS)->finding, "server-silent");
    assert_string_equal(first(CHECK_ANSWERS)->where, "r1");
    assert_string_equal((first(CHECK_ANSWERS) + 1)->where, "r2");
    set_up(NULL);
    reports[0].path[0].renew_acked = reports[1].path[0].renew_acked = 0;
    reports[0].path[1].renew_acked = reports[1].path[1].renew_acked = 0;
    run();
    assert_int_equal(first(CHECK_CLIENT_PATH)->result, CHECK_FAILED);
    assert_string_equal(first(CHECK_CLIENT_PATH)->finding, "no-client-path");
}

static void addresses_outside_the_subnet_refuse_the_run_once(void **state)
{
    (void)state;
    reports[1].outside_addr = address("10.11.0.9");
    expect(CHECK_SUBNET, CHECK_FAILED, "relay r2 (giaddr 172.16.9.3): the servers lease 10.11.0.9");
    assert_string_equal(first(CHECK_SUBNET)->finding, "wrong-subnet");
    assert_int_equal(first(CHECK_CLIENT_PATH)->result, CHECK_PASSED);
    reports[0].path_count = reports[1].path_count = 1;
    reports[1].path[0].renew_acked = 0;
    run();
    assert_string_equal(first(CHECK_CLIENT_PATH)->finding, "wrong-subnet");
    assert_int_equal(first(CHECK_CLIENT_PATH)->result, CHECK_FAILED);
    assert_int_equal(first(CHECK_SUBNET)->result, CHECK_PASSED); /* masks and routers do fit */
    reports[1].outside_addr = (struct ipv4){0};
    reports[1].way_count = 0;
    run();
    assert_string_equal(first(CHECK_CLIENT_PATH)->finding, "no-return-path");
}

static void a_servers_way_is_told_by_ports_and_destinations(void **state)
{
    (void)state;
    static const struct {
        uint32_t path, sent, acked, low, other;
        enum preflight_check_result result;
        const char *words;
    } cases[] = {
        {PLAN_PATH_EGRESS, 2, 0, 0, 0, CHECK_PASSED, "s2: none"},
        {PLAN_PATH_EGRESS, 2, 2, 2, 0, CHECK_WARNED, "s2: DNAT with connection tracking: all 2"},
        {PLAN_PATH_EGRESS, 2, 2, 1, 0, CHECK_WARNED, "s2: DNAT with NOTRACK in PREROUTING: 1 of 2"},
        {PLAN_PATH_EGRESS, 2, 2, 0, 2, CHECK_WARNED, "s2: something rewrites source ports"},
        {PLAN_PATH_EGRESS, 2, 2, 0, 0, CHECK_PASSED, "s2: egress: ACKs are turned"},
        {PLAN_PATH_EGRESS, 1, 1, 0, 0, CHECK_PASSED, "s2: egress, port 67 kept; with a single"},
        {PLAN_PATH_ROUTED, 2, 2, 0, 0, CHECK_PASSED, "s2: routed"},
        {PLAN_PATH_ROUTED, 2, 0, 0, 0, CHECK_PASSED, "s2: none"},
        {PLAN_PATH_RELAYED, 2, 2, 0, 0, CHECK_NOT_KNOWN, "s2: not tried"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set_up(NULL);
        reports[0].way_count = 1;
        reports[1].way[1] = (struct control_preflight_way){.server = 1,
                                                           .path = cases[i].path,
                                                           .sent = cases[i].sent,
                                                           .acked = cases[i].acked,
                                                           .low_ports = cases[i].low,
                                                           .other_ports = cases[i].other};
        run();
        const struct preflight_check *c = first(CHECK_SERVER_PATH);
        assert_non_null(strstr(c->text, "s1: egress:"));
        c++;
        if (c->result != cases[i].result || strstr(c->text, cases[i].words) == NULL) {
            fail_msg("row %zu: %s: %s", i, preflight_result_name(c->result), c->text);
        }
    }
}

static void pools_are_compared_where_their_size_is_known(void **state)
{
    (void)state;
    scenario.pool_addresses = 999;
    expect(CHECK_POOL_SIZE, CHECK_FAILED, "1000 clients and the pool 999");
    scenario.pool_addresses = 1999;
    expect(CHECK_POOL_SIZE, CHECK_WARNED, "each peer hands out only its half");
    plan.server_count = 1;
    run();
    assert_int_equal(first(CHECK_POOL_SIZE)->result, CHECK_PASSED);
    set_up(NULL);
    scenario.pool_addresses = 0;
    expect(CHECK_POOL_SIZE, CHECK_NOT_KNOWN, "servers do not tell");
}

static void lease_times_are_compared(void **state)
{
    (void)state;
    static const struct {
        uint32_t expect_s, mclt_s, least_s, most_s;
        enum preflight_check_result result;
    } cases[] = {
        {60, 0, 60, 60, CHECK_PASSED},   {60, 0, 59, 60, CHECK_PASSED},
        {60, 0, 45, 60, CHECK_PASSED},   {60, 0, 44, 60, CHECK_FAILED},
        {60, 0, 62, 62, CHECK_FAILED},   {60, 0, 60, 120, CHECK_FAILED},
        {600, 40, 40, 40, CHECK_PASSED}, {600, 40, 40, 600, CHECK_PASSED},
        {600, 40, 29, 40, CHECK_FAILED}, {600, 0, 40, 40, CHECK_FAILED},
        {60, 120, 60, 60, CHECK_PASSED}, {0, 0, 60, 60, CHECK_NOT_KNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set_up(NULL);
        plan.expect_lease_s = cases[i].expect_s;
        plan.expect_mclt_s = cases[i].mclt_s;
        for (uint32_t k = 0; k < RELAYS; k++) {
            reports[k].lease_least_s = cases[i].least_s;
            reports[k].lease_most_s = cases[i].most_s;
            reports[k].t1_s = reports[k].t2_s = 0;
        }
        run();
        if (first(CHECK_LEASE_TIME)->result != cases[i].result) {
            fail_msg("row %zu: %s", i, first(CHECK_LEASE_TIME)->text);
        }
    }
    set_up(NULL);
    reports[1].t1_s = 52;
    expect(CHECK_LEASE_TIME, CHECK_WARNED, "T1 52 s and T2 52 s");
    set_up(NULL);
    reports[1].t2_s = 60;
    expect(CHECK_LEASE_TIME, CHECK_WARNED, "T2 60 s");
}

static void masks_and_routers_are_compared(void **state)
{
    (void)state;
    reports[1].mask = address("255.255.255.0");
    expect(CHECK_SUBNET, CHECK_WARNED, "mask 255.255.255.0, the scenario's subnet is 10.10.0.0/16");
    set_up(NULL);
    reports[1].router = address("192.168.1.1");
    expect(CHECK_SUBNET, CHECK_WARNED, "router 192.168.1.1, outside");
    set_up(NULL);
    for (uint32_t i = 0; i < RELAYS; i++) {
        reports[i].mask = reports[i].router = (struct ipv4){0};
    }
    expect(CHECK_SUBNET, CHECK_NOT_KNOWN, "neither");
}

static void a_stranger_that_gets_a_test_address_is_told(void **state)
{
    (void)state;
    reports[1].unmarked_offers = 2;
    reports[1].unmarked_addr = address("10.10.0.9");
    expect(CHECK_UNMARKED, CHECK_WARNED, "server s2 offered 10.10.0.9, a test address");
    scenario.is_pool_guarded = true;
    expect(CHECK_UNMARKED, CHECK_FAILED, "server s2");
    set_up(NULL);
    reports[0].was_unmarked_asked = reports[1].was_unmarked_asked = false;
    expect(CHECK_UNMARKED, CHECK_NOT_KNOWN, "no server was asked");
    set_up(NULL);
    reports[1].unmarked_offers = 1U << 5; /* of a server that is not in the plan */
    expect(CHECK_UNMARKED, CHECK_PASSED, "no test address");
}

static void checks_are_skipped_by_name_and_say_so(void **state)
{
    (void)state;
    char why[PREFLIGHT_SKIP_WHY_BYTES];
    uint32_t skip = 0;
    assert_true(preflight_skip_parse("lease-time,pool-size", &skip, why));
    checks.skip = skip;
    scenario.pool_addresses = 1;
    reports[0].lease_most_s = reports[1].lease_most_s = 9999;
    run();
    assert_int_equal(first(CHECK_LEASE_TIME)->result, CHECK_SKIPPED);
    assert_string_equal(first(CHECK_LEASE_TIME)->text, "skipped by --no-preflight");
    assert_int_equal(first(CHECK_POOL_SIZE)->result, CHECK_SKIPPED);
    assert_int_equal(first(CHECK_SUBNET)->result, CHECK_PASSED);
    assert_true(preflight_skip_parse("all", &skip, why));
    assert_int_equal(skip, PREFLIGHT_SKIP_ALL);
    static const char *const refused[] = {
        "",        "lease",       "pool-size,", "lease-time,,clock",
        "answers", "client-path", "sockets",    "lease-time, clock"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        why[0] = '\0';
        assert_false(preflight_skip_parse(refused[i], &skip, why));
        assert_non_null(strstr(why, "--no-preflight"));
    }
}

static void every_check_is_in_the_manual_and_in_the_list(void **state)
{
    (void)state;
    enum { BYTES = 1 << 17 };
    FILE *file = fopen(SOURCE_DIR "/deploy/man/leaseherd.1", "r");
    assert_non_null(file);
    char *text = calloc(1, BYTES);
    assert_non_null(text);
    size_t size = fread(text, 1, BYTES - 1, file);
    assert_true(size > 0 && size < BYTES - 1);
    (void)fclose(file);
    char *list = strstr(text, "\n.Bl -tag -width receive-buffer -compact\n");
    assert_non_null(list);
    char *end = strstr(list, "\n.El\n");
    assert_non_null(end);
    end[1] = '\0';
    size_t items = 0;
    for (const char *at = list; (at = strstr(at, "\n.It Cm ")) != NULL; at++) {
        items++;
    }
    assert_int_equal(items, CHECK_ID_COUNT);
    run();
    for (enum preflight_check_id id = 0; id < CHECK_ID_COUNT; id++) {
        char item[64];
        (void)snprintf(item, sizeof(item), "\n.It Cm %s\n", preflight_check_name(id));
        if (strstr(list, item) == NULL) {
            fail_msg("leaseherd.1 has no check %s", preflight_check_name(id));
        }
        (void)first(id); /* each says something, whatever it is */
    }
    free(text);
}

static void many_complaints_of_a_kind_are_cut(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        preflight_say(&checks, CHECK_ROUTES, CHECK_FAILED, "a1", "mend it", "row %d", i);
    }
    assert_int_equal(checks.count, PREFLIGHT_EACH_MAX);
    assert_int_equal(checks.of_id[CHECK_ROUTES], 100);
}

/* Whatever else is said of a check, and however often: one that failed refuses the run. */
static void a_failure_outweighs_warnings_that_came_before(void **state)
{
    (void)state;
    for (int i = 0; i < PREFLIGHT_EACH_MAX; i++) {
        preflight_say(&checks, CHECK_LEASE_TIME, i == 3 ? CHECK_PASSED : CHECK_WARNED, "a1",
                      "mend it", "row %d", i);
    }
    preflight_say(&checks, CHECK_LEASE_TIME, CHECK_FAILED, "a9", "mend that", "the ninth");
    preflight_say(&checks, CHECK_LEASE_TIME, CHECK_FAILED, "a9", "mend that", "the tenth");
    preflight_say(&checks, CHECK_LEASE_TIME, CHECK_WARNED, "a9", "mend that", "one more");
    assert_int_equal(checks.count, PREFLIGHT_EACH_MAX);
    assert_int_equal(checks.item[3].result, CHECK_FAILED);
    assert_string_equal(checks.item[3].text, "the ninth");
    assert_string_equal(checks.item[3].finding, "lease-time");
    assert_int_equal(checks.item[0].result, CHECK_FAILED);
    assert_int_equal(checks.item[1].result, CHECK_WARNED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_healthy_bed_passes_every_check, set_up),
        cmocka_unit_test_setup(listeners_are_named_where_they_matter, set_up),
        cmocka_unit_test_setup(addresses_and_routes_that_lack_are_named, set_up),
        cmocka_unit_test_setup(a_strict_filter_matters_where_answers_lack, set_up),
        cmocka_unit_test_setup(small_buffers_and_few_files_are_named_with_the_figure, set_up),
        cmocka_unit_test_setup(clocks_that_cannot_measure_are_named, set_up),
        cmocka_unit_test_setup(agents_that_share_a_cpu_are_named_once, set_up),
        cmocka_unit_test_setup(who_answers_pings_is_named, set_up),
        cmocka_unit_test_setup(what_could_not_be_looked_at_is_unknown, set_up),
        cmocka_unit_test_setup(every_relay_that_is_not_served_is_named, set_up),
        cmocka_unit_test_setup(a_servers_way_is_told_by_ports_and_destinations, set_up),
        cmocka_unit_test_setup(pools_are_compared_where_their_size_is_known, set_up),
        cmocka_unit_test_setup(lease_times_are_compared, set_up),
        cmocka_unit_test_setup(masks_and_routers_are_compared, set_up),
        cmocka_unit_test_setup(addresses_outside_the_subnet_refuse_the_run_once, set_up),
        cmocka_unit_test_setup(a_stranger_that_gets_a_test_address_is_told, set_up),
        cmocka_unit_test_setup(checks_are_skipped_by_name_and_say_so, set_up),
        cmocka_unit_test_setup(every_check_is_in_the_manual_and_in_the_list, set_up),
        cmocka_unit_test_setup(many_complaints_of_a_kind_are_cut, set_up),
        cmocka_unit_test_setup(a_failure_outweighs_warnings_that_came_before, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
