/* SPDX-License-Identifier: MIT */
/* Lines of logs as dhcpd 4.4.3-P1 and Kea 2.2.0 write them, and as nobody should. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "agent/observer/parse/log_line.h"
#include "common/attrs.h"

static void lines_of_dhcpd_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum log_event event;
    } rows[] = {
        {"DHCPACK on 10.10.0.5 to 02:00:00:00:00:05 via 172.16.8.3", LOG_ACK},
        {"Nov 23 22:00:01 s1 dhcpd[4711]: DHCPACK on 10.10.0.5 to 02:00:00:00:00:05 (x) via eth0",
         LOG_ACK},
        {"2026-11-23T22:00:01.123456+00:00 s1 dhcpd[4711]: DHCPNAK on 10.0.0.1 to 02:0 via x",
         LOG_NAK},
        {"DHCPACK to 10.10.0.5 (02:00:00:00:00:05) via 172.16.8.3", LOG_NOTHING}, /* of INFORM */
        {"DHCPNAK on 10.10.0.5 to 02:00:00:00:00:05 via 172.16.8.3", LOG_NAK},
        {"send_packet: Operation not permitted", LOG_SEND_REFUSED},
        {"dhcp.c:4018: Failed to send 300 byte long packet over fallback interface.", LOG_NOTHING},
        {"DHCPDISCOVER from 02:00:00:00:00:05 via 172.16.8.3: network lab: no free leases",
         LOG_NO_FREE_LEASES},
        {"DHCPDISCOVER from 02:00:00:00:00:05 via 172.16.8.3: peer holds all free leases",
         LOG_PEER_HOLDS},
        {"DHCPDISCOVER from 02:00:00:00:00:05 via 172.16.8.3: load balance to peer lab",
         LOG_LOAD_BALANCED},
        {"DHCPDISCOVER from 02:00:00:00:00:05 via x: cancel load balance to peer lab - y",
         LOG_NOTHING},
        {"DHCPDISCOVER from 02:00:00:00:00:05 via 172.16.8.3", LOG_NOTHING},
        {"Abandoning IP address 10.10.0.7: pinged before offer", LOG_ABANDONED},
        {"Abandoning IP address 10.10.0.7: declined.", LOG_ABANDONED},
        {"reuse_lease: lease age 3 (secs) under 25% threshold, reply with unaltered, existing "
         "lease for 10.10.0.5",
         LOG_REUSED},
        {"failover peer lab: I move from normal to communications-interrupted", LOG_FAILOVER},
        {"failover peer lab: peer moves from normal to shutdown", LOG_FAILOVER},
        {"failover peer lab: Both servers normal", LOG_NOTHING},
        {"commit_leases: unable to commit, fsync(): No space left on device", LOG_OTHER_ERROR},
        {"Can't open /var/lib/dhcp/dhcpd.leases for append.", LOG_OTHER_ERROR},
        {"balanced pool 55b3 lab  total 4  free 2  backup 2  lts 0  max-misbal 1", LOG_POOL},
        /* Another program's line in a common log. */
        {"Nov 23 22:00:01 s1 sshd[1]: DHCPACK on 10.10.0.5 to 02:00:00:00:00:05 via x",
         LOG_NOTHING},
        {" DHCPACK on 10.10.0.5", LOG_NOTHING},
        {"dhcpd[4711: DHCPACK on 10.10.0.5", LOG_NOTHING},
        {"", LOG_NOTHING},
        {"DHCP", LOG_NOTHING},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (log_line_event(LOG_DHCPD, rows[i].line, strlen(rows[i].line)) != rows[i].event) {
            fail_msg("%s", rows[i].line);
        }
    }
}

/* Host names are the clients' own choice, and dhcpd logs them in parentheses as they are. */
static void what_a_client_calls_itself_is_no_event(void **state)
{
    (void)state;
#define FROM(name) "DHCPDISCOVER from 02:00:00:00:00:05 (" name ") via 172.16.8.3"
    static const struct {
        const char *line;
        enum log_event event;
    } rows[] = {
        {FROM("x: peer holds all free leases"), LOG_NOTHING},
        {FROM("x: no free leases"), LOG_NOTHING},
        {FROM(": load balance to peer lab"), LOG_NOTHING},
        {FROM("x) via y: peer holds all free leases"), LOG_NOTHING},
        {FROM("dhcpd[1]: send_packet: Operation not permitted"), LOG_NOTHING},
        {FROM("22:00:01 s1 dhcpd[1]: failover peer lab: I move from normal to recover"),
         LOG_NOTHING},
        {FROM("dhcpd[1]: Abandoning IP address 10.0.0.1: pinged before offer"), LOG_NOTHING},
        {FROM("dhcpd[1]: balanced pool 1 l  total 4  free 0  backup 4  lts 2"), LOG_NOTHING},
        {FROM("dhcpd[1]: DHCPACK on 10.0.0.1"), LOG_NOTHING},
        {"Nov 23 22:00:01 s1 dhcpd[4711]: " FROM("dhcpd[1]: send_packet: x"), LOG_NOTHING},
        {"DHCPREQUEST for 10.0.0.1 from 02:00:00:00:00:05 (: no free leases) via x: wrong network.",
         LOG_NOTHING},
        {"Added new forward map from 02:00:00 dhcpd[1]: send_packet: x to 10.0.0.1", LOG_NOTHING},
        /* And what dhcpd says behind it is one, whatever they are called. */
        {FROM("via y") ": peer holds all free leases", LOG_PEER_HOLDS},
        {FROM(": load balance to peer x") ": load balance to peer lab", LOG_LOAD_BALANCED},
        {FROM("dhcpd[1]: x") ": network lab: no free leases", LOG_NO_FREE_LEASES},
        {"<30>Nov  3 22:00:01 s1 dhcpd[4711]: " FROM("y") ": peer holds all free leases",
         LOG_PEER_HOLDS},
        {"dhcpd[4711]: send_packet: Operation not permitted", LOG_SEND_REFUSED},
        {"1764021601.25 s1 dhcpd[4711]: send_packet: x", LOG_SEND_REFUSED},
        {"2026-11-23 22:00:01,5 daemon.err s1 dhcpd[4711]: send_packet: x", LOG_SEND_REFUSED},
    };
#undef FROM
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (log_line_event(LOG_DHCPD, rows[i].line, strlen(rows[i].line)) != rows[i].event) {
            fail_msg("%s", rows[i].line);
        }
    }
}

#define KEA(severity, logger)                                                                      \
    "2026-11-23 22:32:16.996 " severity " [kea-dhcp4." logger "/28023.13] "

static void lines_of_kea_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum log_event event;
    } rows[] = {
        {KEA("INFO ", "leases") "DHCP4_LEASE_ALLOC [hwtype=1 02:00:00:00:00:05], cid=[no info], "
                                "tid=0x1: lease 10.10.0.5 has been allocated for 60 seconds",
         LOG_ACK},
        {KEA("INFO ", "leases") "DHCP4_LEASE_REUSE [hwtype=1 02]: lease 10.10.0.5", LOG_REUSED},
        {KEA("INFO ", "leases") "DHCP4_LEASE_ADVERT [hwtype=1 02]: lease 10.10.0.5", LOG_NOTHING},
        {KEA("ERROR", "packets") "DHCP4_PACKET_SEND_FAIL [hwtype=1 02], cid=[no info], tid=0x1: "
                                 "failed to send DHCPv4 packet: pkt4 send failed: sendmsg() "
                                 "returned with an error: Operation not permitted",
         LOG_SEND_REFUSED},
        {KEA("WARN ", "alloc-engine") "ALLOC_ENGINE_V4_ALLOC_FAIL_SUBNET [hwtype=1 02]: failed",
         LOG_NO_FREE_LEASES},
        {KEA("WARN ", "alloc-engine") "ALLOC_ENGINE_V4_ALLOC_FAIL [hwtype=1 02]: failed",
         LOG_NOTHING},
        {KEA("WARN ", "alloc-engine") "ALLOC_ENGINE_V4_ALLOC_FAIL_CLASSES [hwtype=1 02]: ",
         LOG_NOTHING},
        {KEA("DEBUG", "bad-packets") "DHCP4_PACKET_NAK_0001 [hwtype=1 02]: failed", LOG_NAK},
        {KEA("INFO ", "ha-hooks") "HA_STATE_TRANSITION server transitions from WAITING to SYNCING "
                                  "state, partner state is WAITING",
         LOG_FAILOVER},
        {KEA("ERROR", "dhcp4") "DHCP4_SOMETHING_NEW whatever", LOG_OTHER_ERROR},
        {KEA("INFO ", "commands") "COMMAND_RECEIVED Received command 'DHCP4_LEASE_ALLOC'",
         LOG_NOTHING},
        {"DHCP4_LEASE_ALLOC", LOG_NOTHING},
        {" [kea-", LOG_NOTHING},
        {" [kea-] ", LOG_NOTHING},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (log_line_event(LOG_KEA, rows[i].line, strlen(rows[i].line)) != rows[i].event) {
            fail_msg("%s", rows[i].line);
        }
    }
    assert_int_equal(log_line_event(LOG_UNKNOWN, rows[0].line, strlen(rows[0].line)), LOG_NOTHING);
}

/* A count of none is a figure only where the server would have said something. */
static void what_a_server_never_says_cannot_be_counted(void **state)
{
    (void)state;
    assert_true(log_line_can_tell(LOG_DHCPD, LOG_PEER_HOLDS));
    assert_false(log_line_can_tell(LOG_KEA, LOG_PEER_HOLDS));
    assert_true(log_line_can_tell(LOG_DHCPD, LOG_NAK));
    assert_false(log_line_can_tell(LOG_KEA, LOG_NAK)); /* at its level DEBUG only */
    assert_true(log_line_can_tell(LOG_KEA, LOG_OTHER_ERROR));
    assert_false(log_line_can_tell(LOG_UNKNOWN, LOG_ACK));
}

static void take(struct log_counts *c, enum log_program program, const char *line)
{
    (void)log_counts_take(c, program, line, strlen(line));
}

static void the_last_telling_line_is_kept(void **state)
{
    (void)state;
    struct log_counts c;
    memset(&c, 0, sizeof(c));
    take(&c, LOG_DHCPD, "send_packet: Operation not permitted");
    take(&c, LOG_DHCPD, "send_packet: Network is unreachable");
    take(&c, LOG_DHCPD, "DHCPDISCOVER from 02:0: peer holds all free leases");
    assert_int_equal(c.of[LOG_SEND_REFUSED], 2);
    assert_string_equal(c.last_refused, "send_packet: Network is unreachable");
    assert_string_equal(c.last_starved, "DHCPDISCOVER from 02:0: peer holds all free leases");
    take(&c, LOG_KEA, KEA("INFO ", "leases") "DHCP4_LEASE_REUSE x");
    assert_int_equal(c.of[LOG_REUSED], 1);
    assert_int_equal(c.of[LOG_ACK], 1);
    char line[3 * NOTE_BYTES];
    memset(line, 'x', sizeof(line));
    memcpy(line, "send_packet: ", strlen("send_packet: "));
    (void)log_counts_take(&c, LOG_DHCPD, line, sizeof(line));
    assert_int_equal(strlen(c.last_refused), NOTE_BYTES);
}

static void tell(struct failover *f, enum log_program program, const char *line)
{
    log_line_failover(program, line, strlen(line), f);
}

static void states_of_failover_are_put_together(void **state)
{
    (void)state;
    struct failover f;
    enum failover_state own = FAILOVER_UNKNOWN, partner = FAILOVER_UNKNOWN;
    memset(&f, 0, sizeof(f));
    assert_false(failover_tell(&f, &own, &partner));
    tell(&f, LOG_DHCPD, "failover peer lab: I move from normal to communications-interrupted");
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(own, FAILOVER_COMMUNICATIONS_INTERRUPTED);
    assert_int_equal(partner, FAILOVER_UNKNOWN);
    tell(&f, LOG_DHCPD,
         "Nov 23 22:00:01 s1 dhcpd[1]: failover peer lab: peer moves from normal to "
         "recover-wait");
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(partner, FAILOVER_RECOVER_WAIT);
    tell(&f, LOG_DHCPD, "failover peer lab: I move from x to normal");
    tell(&f, LOG_DHCPD, "failover peer lab: peer moves from x to normal");
    tell(&f, LOG_DHCPD, "failover peer other: I move from normal to partner-down");
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(own, FAILOVER_PARTNER_DOWN); /* the one in trouble is told */
    memset(&f, 0, sizeof(f));
    tell(&f, LOG_KEA,
         KEA("INFO ", "ha-hooks") "HA_STATE_TRANSITION s1: server transitions from "
                                  "LOAD-BALANCING to COMMUNICATION-RECOVERY state, "
                                  "partner state is UNAVAILABLE");
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(own, FAILOVER_COMMUNICATION_RECOVERY);
    assert_int_equal(partner, FAILOVER_UNAVAILABLE);
    tell(&f, LOG_KEA,
         "HA_STATE_TRANSITION from A to PARTNER-DOWN state, partner state is UNDEFINED");
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(own, FAILOVER_PARTNER_DOWN);
    assert_int_equal(partner, FAILOVER_UNAVAILABLE);
}

static void names_of_relations_are_bounded(void **state)
{
    (void)state;
    struct failover f;
    char line[400];
    memset(&f, 0, sizeof(f));
    for (int i = 0; i < 2 * FAILOVER_PEERS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "failover peer %0*d: I move from a to normal",
                       i % 2 == 0 ? 3 : 200, i);
        tell(&f, LOG_DHCPD, line);
    }
    /* Those of 200 digits begin alike, and are cut. */
    assert_int_equal(f.count, FAILOVER_PEERS_MAX);
    tell(&f, LOG_DHCPD, "failover peer : I move from a to normal");
    tell(&f, LOG_DHCPD, "failover peer lab: I move from a");
    tell(&f, LOG_DHCPD, "failover peer lab: I move from a to ");
    tell(&f, LOG_DHCPD, "x");
    tell(&f, LOG_KEA, "HA_STATE_TRANSITION to  state, partner state is ");
    assert_int_equal(f.count, FAILOVER_PEERS_MAX);
}

static void pool(struct log_pools *p, const char *line)
{
    log_pools_take(p, line, strlen(line));
}

static void pools_are_summed_and_the_role_is_found(void **state)
{
    (void)state;
    static struct log_pools p;
    memset(&p, 0, sizeof(p));
    pool(&p,
         "balanced pool 55b3f63febb0 lab  total 1024  free 512  backup 512  lts 0  max-misbal 1");
    assert_int_equal(p.total, 1024);
    assert_int_equal(p.role, LOG_ROLE_UNKNOWN);
    pool(&p, "balancing pool 55b3f6406d20 lab  total 1024  free 1024  backup 0  lts 512  "
             "max-own (+/-)102");
    assert_int_equal(p.role, LOG_ROLE_PRIMARY);
    assert_int_equal(p.free, 1536);
    pool(&p,
         "balanced pool 55b3f6406d20 lab  total 1024  free 500  backup 512  lts -6  max-misbal 1");
    assert_int_equal(p.role, LOG_ROLE_PRIMARY);
    assert_int_equal(p.total, 2048);
    assert_int_equal(p.free, 1012);
    assert_int_equal(p.backup, 1024);
    memset(&p, 0, sizeof(p));
    pool(&p,
         "balancing pool 55d7ffc22b70 lab  total 1024  free 1024  backup 0  lts -512  max-own 1");
    assert_int_equal(p.role, LOG_ROLE_SECONDARY);
}

static void pools_that_cannot_be_are_none(void **state)
{
    (void)state;
    static struct log_pools p;
    memset(&p, 0, sizeof(p));
    pool(&p, "balanced pool x lab  total 4  free 2  backup 2  lts 0");
    pool(&p, "balanced pool 1 lab  total 4  free 3  backup 2  lts 0");
    pool(&p, "balanced pool 1 lab  total 99999999999  free 3  backup 2  lts 0");
    pool(&p, "balanced pool 1 lab  total 4");
    pool(&p, "balanced pool ");
    assert_int_equal(p.count, 0);
    char line[200];
    for (int i = 0; i < LOG_POOLS_MAX + 1; i++) {
        (void)snprintf(line, sizeof(line), "balanced pool %x l  total 4  free 2  backup 2  lts 0",
                       i + 1);
        pool(&p, line);
    }
    assert_int_equal(p.count, LOG_POOLS_MAX);
    assert_true(p.is_overfull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_dhcpd_are_told_apart),
        cmocka_unit_test(what_a_client_calls_itself_is_no_event),
        cmocka_unit_test(lines_of_kea_are_told_apart),
        cmocka_unit_test(what_a_server_never_says_cannot_be_counted),
        cmocka_unit_test(the_last_telling_line_is_kept),
        cmocka_unit_test(states_of_failover_are_put_together),
        cmocka_unit_test(names_of_relations_are_bounded),
        cmocka_unit_test(pools_are_summed_and_the_role_is_found),
        cmocka_unit_test(pools_that_cannot_be_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
