/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/preflight_host.h"
#include "tests/support/own_network.h"

static struct plan plan;
static struct ipv4 carrier;
static struct preflight_ask ask;
static struct preflight_host host;

static int set_up(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof(plan));
    plan.server_count = 1;
    assert_true(inet_parse("127.0.0.1", &plan.servers[0].address));
    assert_true(inet_parse("127.0.0.2", &carrier));
    ask = (struct preflight_ask){
        .plan = &plan, .carriers = &carrier, .carrier_count = 1, .sockets = 3};
    assert_true(inet_parse_net("198.51.100.0/24", &ask.subnet));
    return 0;
}

/* NULL: there is none. */
static const struct control_fact *find(enum control_fact_kind kind)
{
    for (size_t i = 0; i < host.count; i++) {
        if (host.facts[i].kind == kind) {
            return &host.facts[i];
        }
    }
    return NULL;
}

static const struct control_fact *found(enum control_fact_kind kind)
{
    static const struct control_fact none;
    const struct control_fact *fact = find(kind);
    assert_non_null(fact);
    return fact != NULL ? fact : &none;
}

static bool was_looked_at(enum control_fact_kind kind)
{
    assert_int_equal(host.facts[0].kind, FACT_LOOKED_AT);
    return (host.facts[0].value >> kind & 1) != 0;
}

#define REST     " 07 00000000:00000000 00:00000000 00000000 "
#define NOBODY_6 " 00000000000000000000000000000000:0000"

static void lines_of_listeners_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line, *address;
        uint16_t port;
        uint32_t uid;
    } cases[] = {
        {"  141: 00000000:0043 00000000:0000" REST "  104        0 29 2 0 0", "0.0.0.0", 67, 104},
        {"  142: 030810AC:0044 00000000:0000" REST "    0        0 30 2 0 0", "172.16.8.3", 68, 0},
        {"  9: 00000000000000000000000000000000:0043" NOBODY_6 REST "7 0 31 2 0 0", "0.0.0.0", 67,
         7},
        {"  9: 0000000000000000FFFF0000030810AC:0043" NOBODY_6 REST "7 0 31 2 0 0", "172.16.8.3",
         67, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ipv4 address, wanted;
        uint16_t port;
        uint32_t uid;
        assert_true(inet_parse(cases[i].address, &wanted));
        assert_true(preflight_net_listener(cases[i].line, &address, &port, &uid));
        assert_int_equal(address.be, wanted.be);
        assert_int_equal(port, cases[i].port);
        assert_int_equal(uid, cases[i].uid);
    }
}

static void other_lines_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *line;
    } cases[] = {
        {""},
        {"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"},
        {"  1: 00000000:0035 00000000:0000" REST "0 0 1 2 0 0"}, /* port 53 */
        {"  1: 000:0043 00000000:0000" REST "0 0 1 2 0 0"},
        {"  9: 000080FE00000000FF005450B6AD1DFE:0043" NOBODY_6 REST "7 0 31 2 0 0"}, /* fe80:: */
        {"  1: 00000000:0043 00000000:0000"},
        {"x: y:z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ipv4 address;
        uint16_t port;
        uint32_t uid;
        assert_false(preflight_net_listener(cases[i].line, &address, &port, &uid));
    }
}

static void a_host_that_lacks_nothing_has_nothing_to_tell(void **state)
{
    (void)state;
    preflight_host_look(&ask, &host);
    assert_null(find(FACT_LISTENER));
    assert_null(find(FACT_NO_ADDRESS));
    assert_null(find(FACT_NO_ROUTE));
    assert_null(find(FACT_STRICT_FILTER));
    assert_null(find(FACT_PING));
    assert_null(find(FACT_MORE));
    assert_true(was_looked_at(FACT_LISTENER) && was_looked_at(FACT_NO_ADDRESS) &&
                was_looked_at(FACT_NO_ROUTE) && was_looked_at(FACT_PING));
    assert_true(found(FACT_TIMER_STEP)->value > 0);
    assert_true(found(FACT_PROCESSORS)->value > 0);
    assert_true(found(FACT_OPEN_FILES)->limit > ask.sockets);
}

static void a_listener_is_found_and_a_bystander_is_not(void **state)
{
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(67)};
    in.sin_addr.s_addr = htonl(0x7f000003); /* nobody's */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    preflight_host_look(&ask, &host);
    assert_null(find(FACT_LISTENER));
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    in.sin_addr.s_addr = 0;
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_LISTENER)->value, 67);
    assert_int_equal(found(FACT_LISTENER)->limit, geteuid());
    assert_true(inet_is_zero(found(FACT_LISTENER)->addr));
    close(fd);
}

static void an_address_and_a_route_that_lack_are_found(void **state)
{
    (void)state;
    assert_true(inet_parse("192.0.2.77", &carrier));
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_NO_ADDRESS)->addr.be, carrier.be);
    assert_null(find(FACT_NO_ROUTE));
    set_up(NULL);
    assert_true(inet_parse("203.0.113.1", &plan.servers[0].address));
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_NO_ROUTE)->value, ENETUNREACH);
    assert_int_equal(found(FACT_NO_ROUTE)->peer.be, plan.servers[0].address.be);
}

static void set_sysctl(const char *name, const char *value)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (file != NULL) {
        assert_true(fputs(value, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
}

static void a_subnet_that_is_this_hosts_own_is_asked_whether_it_answers(void **state)
{
    (void)state;
    assert_int_equal(system("ip route add local 198.51.100.0/24 dev lo"), 0);
    set_sysctl("ping_group_range", "1 0");
    preflight_host_look(&ask, &host);
    assert_int_equal(inet_host(found(FACT_PING)->addr), 0xc63364fe);
    assert_int_equal(found(FACT_PING)->value, PING_UNKNOWN);
    set_sysctl("ping_group_range", "0 2147483647");
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_PING)->value, PING_ANSWERED);
    set_sysctl("icmp_echo_ignore_all", "1");
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_PING)->value, PING_SILENT);
}

static void a_server_that_a_local_route_swallows_is_found(void **state)
{
    (void)state;
    assert_true(
        inet_parse("198.51.100.9", &plan.servers[0].address)); /* the route is there still */
    assert_true(inet_parse("127.0.0.1", &carrier));
    preflight_host_look(&ask, &host);
    assert_int_equal(found(FACT_NO_ROUTE)->value, 0);
    assert_int_equal(found(FACT_NO_ROUTE)->peer.be, plan.servers[0].address.be);
}

static void few_descriptors_are_told_with_what_is_needed(void **state)
{
    (void)state;
    ask.sockets = 100000000;
    preflight_host_look(&ask, &host);
    assert_true(found(FACT_OPEN_FILES)->value < found(FACT_OPEN_FILES)->limit);
}

static void rows_that_find_no_room_are_counted(void **state)
{
    (void)state;
    preflight_host_look(&ask, &host);
    size_t before = host.count;
    for (size_t i = 0; i < 2 * (size_t)CONTROL_FACTS_MAX; i++) {
        preflight_host_add(&host, &(struct control_fact){.kind = FACT_NO_ADDRESS});
    }
    assert_int_equal(host.count, CONTROL_FACTS_MAX);
    assert_int_equal(host.facts[CONTROL_FACTS_MAX - 1].kind, FACT_MORE);
    assert_int_equal(host.facts[CONTROL_FACTS_MAX - 1].value,
                     2 * CONTROL_FACTS_MAX - (CONTROL_FACTS_MAX - 1 - before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_listeners_are_read),
        cmocka_unit_test(other_lines_are_passed_over),
        cmocka_unit_test_setup(a_host_that_lacks_nothing_has_nothing_to_tell, set_up),
        cmocka_unit_test_setup(a_listener_is_found_and_a_bystander_is_not, set_up),
        cmocka_unit_test_setup(an_address_and_a_route_that_lack_are_found, set_up),
        cmocka_unit_test_setup(a_subnet_that_is_this_hosts_own_is_asked_whether_it_answers, set_up),
        cmocka_unit_test_setup(a_server_that_a_local_route_swallows_is_found, set_up),
        cmocka_unit_test_setup(few_descriptors_are_told_with_what_is_needed, set_up),
        cmocka_unit_test_setup(rows_that_find_no_room_are_counted, set_up),
    };
    if (!own_network_enter()) {
        (void)fputs("needs root, for a network namespace\n", stderr);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
