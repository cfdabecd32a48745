/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/plan/change_request.h"
#include "coordinator/plan/testbed.h"

/* Two servers, all clients at both but 5,000 that only use a; `edits` change lines of it. */
static const char good[] =
    "leaseherd: 1\n"
    "scenario: board\n"
    "servers:\n"
    "  a: {address: 192.168.1.12}\n"
    "  b: {address: 192.168.2.12}\n"
    "network:\n"
    "  block: 10.10.0.0/16\n"
    "  client_path: egress\n"
    "  relays:\n"
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 15000}\n"
    "    - {name: r2, giaddr: 172.16.9.3, via: 172.16.9.7, agent: a2, subnet: 10.10.128.0/17, "
    "clients: 5000, to: [a]}\n"
    "clients: {identity: fixed}\n"
    "expect: {lease: 10m}\n"
    "limits: {packets: 9000/s, time: 30m}\n"
    "run:\n"
    "  - {name: fill, acquire: {rate: 400/s}}\n"
    "  - {name: keep, hold: 10m}\n"
    "  - {name: out, release: {rate: 500/s}}\n";

static void parse(const char *text, struct scenario *s, struct forecast *f)
{
    static struct diag why;
    diag_init(&why, "board.yaml");
    bool is_parsed = scenario_parse(text, strlen(text), s, &why);
    for (size_t i = 0; i < why.count; i++) {
        print_error("  %u: %s\n", why.item[i].line, why.item[i].text);
    }
    assert_true(is_parsed);
    forecast_make(s, f);
}

/* The page of the good scenario with the first `find` replaced; the caller frees it. */
static char *page_of(const char *find, const char *put)
{
    static struct forecast f;
    struct scenario s;
    const char *at = strstr(good, find);
    assert_non_null(at);
    char *text = malloc(sizeof(good) + strlen(put));
    assert_non_null(text);
    (void)sprintf(text, "%.*s%s%s", (int)(at - good), good, put, at + strlen(find));
    parse(text, &s, &f);
    char *page = change_request(&s, &f, "plans/board.yaml");
    assert_non_null(page);
    scenario_free(&s);
    free(text);
    return page;
}

/* A line break of the page may stand for any blank of `words`. */
static bool says(const char *page, const char *words)
{
    for (const char *at = page; *at != '\0'; at++) {
        const char *p = at, *w = words;
        while (*w != '\0' && *p != '\0') {
            if (*w == ' ' && (*p == ' ' || *p == '\n')) {
                p += strspn(p, " \n");
                w += strspn(w, " ");
            } else if (*w == *p) {
                w++;
                p++;
            } else {
                break;
            }
        }
        if (*w == '\0') {
            return true;
        }
    }
    return false;
}

static void check_page(const char *find, const char *put, const char *const *words, size_t count)
{
    char *page = page_of(find, put);
    bool is_good = true;
    for (size_t i = 0; i < count; i++) {
        if (!says(page, words[i])) {
            print_error("not said: %s\n", words[i]);
            is_good = false;
        }
    }
    if (!is_good) {
        print_error("%s\n", page);
    }
    free(page);
    assert_true(is_good);
}

static void every_question_of_a_board_has_its_answer(void **unused)
{
    (void)unused;
    static const char *const words[] = {
        "DHCP load test board",
        "Requested by",
        "Approved by",
        "20,000 simulated DHCP clients behind 2 simulated relays",
        "option 60 is leaseherd/RUN",
        "- fill: acquire, 400/s",
        "- keep: hold for 10 min",
        "172.16.8.3 relay r1, giaddr 172.16.8.3",
        "172.16.9.7 relay r2, giaddr 172.16.9.3, host a2",
        "192.168.1.12 a: up to 800 packets/s",
        "192.168.2.12 b: up to 600 packets/s",
        "never more than 9,000 packets/s",
        "Up to 20,000 leases at a time, all inside 10.10.0.0/16",
        "the third one stops the whole test",
        "load ends after 30 min",
        "table netdev leaseherd {",
        ("leaseherd testbed plans/board.yaml undo --ssh root@HOST (nft delete table netdev "
         "leaseherd)"),
        "leaseherd testbed plans/board.yaml apply --path egress --ssh root@HOST",
        "only with --allow-actions) None.",
        "`leaseherd stop RUN`",
        "`deploy/fleet stop INVENTORY`",
        "has stopped sending within 6 s",
        "No cleanup is planned: up to 20,000 leases stay active, each for at most 10 min after",
        "`leaseherd cleanup RUN` releases them",
        "10. LOG VOLUME",
        "follows from plans/board.yaml",
    };
    check_page("board", "board", words, ARRAY_LEN(words));
}

/* What replaces what in the scenario, and what the page says then. */
static const struct {
    const char *find, *put;
    const char *words[4];
} additions[] = {
    {"client_path: egress",
     "client_path: auto",
     {"The client path is auto: the test takes the way that is there", "apply --path egress",
      "egress"}},
    {"client_path: egress",
     "client_path: routed",
     {"ip route add 10.10.0.0/16 via NEXT-HOP proto 67",
      "apply --path routed --role router --next-hop NEXT-HOP", "apply --path routed --role agent"}},
    {"run:\n",
     "on_coordinator_loss: {new: stop, renewals: 15m}\nrun:\n",
     {"If the coordinator dies or is cut off, no agent begins anything new after 6 s; for up to 15 "
      "min more they renew and rebind the leases they hold (on_coordinator_loss), where their "
      "policy allows it.",
      "if the servers fall silent or foreign offers come, every agent stops sending"}},
    {"client_path: egress", "client_path: relayed", {"No change: renewals carry the giaddr"}},
    {"client_path: egress",
     "client_path: dnat",
     {"apply --path dnat", "nft delete table ip leaseherd"}},
    {"192.168.1.12}",
     "192.168.1.12, leases: {query: true}}",
     {"Server a: the carrying addresses (2) may send DHCPLEASEQUERY", "allow leasequery;",
      "undo: remove the line"}},
    {"192.168.1.12}",
     "192.168.1.12, leases: {kea: /var/lib/kea/l.csv}}",
     {"Server a: its lease file is read (/var/lib/kea/l.csv); nothing is changed"}},
    {"192.168.1.12}",
     "192.168.1.12, leases: {kea_socket: /run/kea/s}}",
     {"lease4-get-all, /run/kea/s", "libdhcp_lease_cmds.so"}},
    {"run:\n",
     "events:\n  - {at: 90s, in: keep, name: b off, run: \"ssh b halt\"}\n"
     "  - {at: 1s, name: mark}\nrun:\n",
     {"90 s after the begin of keep, \"b off\": ssh b halt"}},
    {"  - {name: out, release: {rate: 500/s}}\n",
     "  - {name: x, search: {rates: [90/s], repeat: 3, reset: \"ssh a wipe\"}}\n",
     {"between the 3 searches: ssh a wipe", "x: search, steps of up to 90/s",
      "Of a search: at most."}},
    {"run:\n",
     "cleanup: {release: 1000/s, on: [end, stop]}\nrun:\n",
     {"released at 1000/s (21 s for all 20,000), on: end stop.",
      "what a server did not read stays active for at most 10 min",
      "sends each once more, without confirmation"}},
    {"  a: {address: 192.168.1.12}\n  b: {address: 192.168.2.12}\n",
     "  a: {address: 192.168.1.12, leases: {query: true}}\n"
     "  b: {address: 192.168.2.12, leases: {dhcpd: /srv/leases}}\n"
     "cleanup: {release: 1000/s}\n",
     {"`leaseherd cleanup RUN` finds and repeats it"}},
    {"  - {name: out, release: {rate: 500/s}}\n",
     "  - {name: no, decline: {batch: 5}}\n",
     {"20,000 addresses are declined on purpose", "decline-probation-period (24 h",
      "lists them with the command that frees them"}},
    {"expect: {lease: 10m}\n",
     "",
     {"for at most the lease time the servers give (expect.lease is not given)"}},
    {"identity: fixed", "identity: fresh", {"every run has new MAC addresses"}},
    {"identity: fixed", "vendor_class: MSFT 5.0", {"option 60 is MSFT 5.0"}},
};

static void what_the_scenario_adds_is_on_the_page(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(additions); i++) {
        size_t count = 0;
        while (count < ARRAY_LEN(additions[i].words) && additions[i].words[count] != NULL) {
            count++;
        }
        check_page(additions[i].find, additions[i].put, additions[i].words, count);
    }
}

static void a_page_is_a_page(void **unused)
{
    (void)unused;
    char *page = page_of("board", "board");
    size_t lines = 0;
    for (char *rest = page, *line; (line = strtok_r(rest, "\n", &rest)) != NULL; lines++) {
        bool is_verbatim = strstr(line, "ip daddr") != NULL || strstr(line, "apply:") != NULL;
        if (!is_verbatim && strlen(line) > 100) {
            print_error("%zu columns: %s\n", strlen(line), line);
            fail();
        }
    }
    assert_in_range(lines, 50, 75);
    free(page);
}

static void packets_to_a_server_are_those_of_its_busiest_stage(void **unused)
{
    (void)unused;
    static struct forecast f;
    struct scenario s;
    parse(good, &s, &f);
    /* 400 DORA/s, of which three quarters reach b too: DISCOVER and REQUEST each. */
    assert_true(fabs(change_request_packets_per_s(&s, &f, 0) - 800) < 0.5);
    assert_true(fabs(change_request_packets_per_s(&s, &f, 1) - 600) < 0.5);
    s.release_milli_per_s = 5000 * 1000;
    assert_true(fabs(change_request_packets_per_s(&s, &f, 1) - 5000) < 0.5);
    s.release_milli_per_s = 50000 * 1000;
    assert_true(fabs(change_request_packets_per_s(&s, &f, 1) - 9000) < 0.5);
    scenario_free(&s);
}

static void a_server_logs_what_reaches_it(void **unused)
{
    (void)unused;
    static struct forecast f;
    struct scenario s;
    parse(good, &s, &f);
    /*
     * a: 20,000 DORA, 40,000 renewals (two T1 in the hold) and 20,000 RELEASEs, of which 7,500
     * clients' go to b. b: 15,000 DORA, and the other 7,500 clients' rest.
     */
    struct change_log dhcpd_a = change_request_log(&s, &f, 0, CHANGE_DHCPD);
    struct change_log dhcpd_b = change_request_log(&s, &f, 1, CHANGE_DHCPD);
    struct change_log kea_b = change_request_log(&s, &f, 1, CHANGE_KEA);
    assert_true(fabs(dhcpd_a.lines - (80000 + 12500 * (2 * 2 + 1))) < 1);
    assert_true(fabs(dhcpd_b.lines - (60000 + 7500 * (2 * 2 + 1))) < 1);
    assert_true(fabs(kea_b.lines - (30000 + 7500 * (2 * 1 + 1))) < 1);
    assert_true(dhcpd_a.bytes > 80 * dhcpd_a.lines && dhcpd_a.bytes < 110 * dhcpd_a.lines);
    assert_true(kea_b.bytes > 180 * kea_b.lines && kea_b.bytes < 210 * kea_b.lines);
    scenario_free(&s);
}

/* What `leaseherd testbed` would run; the caller frees it. */
static char *shown_by_testbed(const struct scenario *s)
{
    const struct testbed_options o = {.path = TESTBED_EGRESS};
    bool is_usage = false;
    char why[TESTBED_WHY_BYTES] = "";
    char *text = testbed_script(s, &o, TESTBED_SHOW, &is_usage, why);
    assert_non_null(text);
    return text;
}

/* The statements about addresses, without what stands before them. */
static size_t rules_of(char *text, const char **out, size_t most)
{
    size_t count = 0;
    for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL && count < most;) {
        line += strspn(line, " \t");
        if (strncmp(line, "ip daddr ", 9) == 0) {
            out[count++] = line;
        }
    }
    return count;
}

/* Relays apart, relays in one subnet, subnets within subnets, and all of them at once. */
static void the_rules_on_the_page_are_those_that_run(void **unused)
{
    (void)unused;
    static const char *const relays[][6] = {
        {"10.10.0.0/17", "10.10.128.0/17"},
        {"10.10.0.0/16", "10.10.0.0/16", "10.10.0.0/16"},
        {"10.10.0.0/16", "10.10.64.0/18", "10.10.64.0/24", "10.10.128.0/18", "10.10.64.0/18"},
        {"10.10.128.0/17", "10.10.0.0/20", "10.10.16.0/20", "10.10.0.0/24", "10.10.64.0/18"},
        {"10.10.3.0/24"},
    };
    static struct forecast f;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++) {
        struct scenario s;
        char text[2048];
        int used =
            snprintf(text, sizeof(text),
                     "leaseherd: 1\nscenario: rules\nservers:\n  a: {address: 192.168.1.12}\n"
                     "network:\n  block: 10.10.0.0/16\n  client_path: egress\n  relays:\n");
        for (size_t r = 0; r < ARRAY_LEN(relays[i]) && relays[i][r] != NULL; r++) {
            used += snprintf(text + used, sizeof(text) - (size_t)used,
                             "    - {name: r%zu, giaddr: 172.16.%zu.3, subnet: %s, clients: 5}\n",
                             r, 8 + r, relays[i][r]);
        }
        (void)snprintf(text + used, sizeof(text) - (size_t)used,
                       "run:\n  - {name: x, acquire: {batch: 1}}\n");
        parse(text, &s, &f);
        char *page = change_request(&s, &f, "x.yaml"), *shown = shown_by_testbed(&s);
        assert_non_null(page);
        const char *ours[32], *theirs[32];
        size_t count = rules_of(page, ours, ARRAY_LEN(ours));
        assert_int_equal(count, rules_of(shown, theirs, ARRAY_LEN(theirs)));
        assert_true(count >= 1);
        for (size_t line = 0; line < count; line++) {
            assert_string_equal(ours[line], theirs[line]);
        }
        free(page);
        free(shown);
        scenario_free(&s);
    }
}

static void many_relays_do_not_make_a_book(void **unused)
{
    (void)unused;
    static struct forecast f;
    struct scenario s;
    enum { RELAYS = 3000, BYTES = RELAYS * 120 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    int used = snprintf(text, BYTES,
                        "leaseherd: 1\nscenario: many\nservers:\n  a: {address: 192.168.1.12}\n"
                        "network:\n  block: 10.0.0.0/8\n  relays:\n");
    for (int i = 0; i < RELAYS; i++) {
        used +=
            snprintf(text + used, (size_t)(BYTES - used),
                     "    - {name: r%d, giaddr: 172.%d.%d.1, subnet: 10.%d.%d.0/24, clients: 1}\n",
                     i, 16 + i / 256, i % 256, i / 256, i % 256);
    }
    (void)snprintf(text + used, (size_t)(BYTES - used),
                   "run:\n  - {name: x, acquire: {batch: 1}}\n");
    parse(text, &s, &f);
    char *page = change_request(&s, &f, "x.yaml");
    assert_non_null(page);
    assert_true(says(page, "and 2988 more: leaseherd check lists them all"));
    assert_true(says(page, "(rules of 3000 relays; `leaseherd testbed` prints them: attach it)"));
    assert_true(strlen(page) < 10000);
    free(page);
    free(text);
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_question_of_a_board_has_its_answer),
        cmocka_unit_test(what_the_scenario_adds_is_on_the_page),
        cmocka_unit_test(a_page_is_a_page),
        cmocka_unit_test(packets_to_a_server_are_those_of_its_busiest_stage),
        cmocka_unit_test(a_server_logs_what_reaches_it),
        cmocka_unit_test(the_rules_on_the_page_are_those_that_run),
        cmocka_unit_test(many_relays_do_not_make_a_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
