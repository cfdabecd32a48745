/* SPDX-License-Identifier: MIT */
/* Packets by server: what left, what came back, from where and with which terms. */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/edge/host_snmp.h"
#include "tests/support/lane_world.h"

enum { CLIENTS = 20, SERVERS = 2 };

static struct lane_world world;
static struct snapshot snapshot;

static int tear_down(void **state)
{
    (void)state;
    lane_world_check(&world);
    lane_world_fini(&world);
    return 0;
}

/* Two relays, two servers of which the second says nothing, leases of 60 s; nothing begun. */
static int set_up(void **state)
{
    (void)state;
    lane_world_init(&world, 2, CLIENTS / 2, SERVERS);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 100 * NS_PER_S);
    world.plan.renew_retry_ns = 4 * NS_PER_S;
    for (unsigned i = 0; i < SERVERS; i++) {
        world.servers[i].lease_s = 60;
    }
    world.servers[1].is_silent = true;
    for (unsigned i = 0; i < 2; i++) {
        world.relays[i].subnet = world.plan.block; /* whose mask the model server gives */
    }
    return 0;
}

static const struct snapshot_packets *packets(unsigned server)
{
    memset(&snapshot, 0, sizeof(snapshot));
    lane_snapshot(world.lane, &snapshot);
    return &snapshot.packets[server];
}

static uint64_t count(unsigned server, enum snapshot_packet p)
{
    return packets(server)->count[p];
}

static void play(uint64_t hold_ns)
{
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, NS_PER_S);
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, hold_ns);
}

static void nothing_odd(unsigned server)
{
    for (unsigned p = PACKET_ports_low; p < PACKET_COUNT; p++) {
        assert_int_equal(count(server, (enum snapshot_packet)p), 0);
    }
    assert_true(inet_is_zero(packets(server)->wrong_source));
}

static void every_packet_of_a_healthy_run_is_answered(void **state)
{
    (void)state;
    play(40 * NS_PER_S);
    assert_int_equal(count(0, PACKET_sent_discover), CLIENTS);
    assert_int_equal(count(0, PACKET_sent_request), CLIENTS);
    assert_int_equal(count(0, PACKET_offers), CLIENTS);
    size_t renews = lane_world_count_sent(&world, DHCP4_RENEW);
    assert_true(renews >= CLIENTS);
    assert_int_equal(count(0, PACKET_sent_renew), renews);
    assert_int_equal(count(0, PACKET_renew_replies), renews);
    assert_int_equal(count(0, PACKET_unicast_replies), renews);
    assert_int_equal(count(0, PACKET_acks), CLIENTS + renews);
    nothing_odd(0);
    /* The silent one got its copies. */
    assert_int_equal(count(1, PACKET_sent_discover), CLIENTS);
    assert_int_equal(count(1, PACKET_sent_renew), 0);
    assert_int_equal(count(1, PACKET_offers) + count(1, PACKET_acks), 0);
    nothing_odd(1);
    uint64_t sent = 0;
    for (unsigned i = 0; i < SERVERS; i++) {
        for (unsigned p = PACKET_sent_discover; p <= PACKET_sent_query; p++) {
            sent += count(i, (enum snapshot_packet)p);
        }
    }
    assert_int_equal(sent, world.sent_count);
}

/* What the server could not send is what was sent to it and never came back, packet by packet. */
static void unanswered_renews_are_counted_by_packet(void **state)
{
    (void)state;
    world.servers[0].is_silent_to_renewals = true;
    play(54 * NS_PER_S);
    size_t renews = lane_world_count_sent(&world, DHCP4_RENEW);
    assert_true(renews > 3 * CLIENTS);
    assert_int_equal(count(0, PACKET_sent_renew), renews);
    assert_int_equal(count(0, PACKET_renew_replies), 0);
    assert_true(count(0, PACKET_acks) > CLIENTS); /* rebinds are answered */
}

static void duplicates_and_late_answers_are_answers_too(void **state)
{
    (void)state;
    world.servers[0].answers_twice = true;
    play(40 * NS_PER_S);
    size_t renews = lane_world_count_sent(&world, DHCP4_RENEW);
    assert_int_equal(count(0, PACKET_renew_replies), 2 * renews);
    assert_int_equal(count(0, PACKET_offers), 2 * CLIENTS);
    assert_true(lane_world_counter(&world, COUNTER_fate_duplicate) > 0);
}

static void rewritten_ports_are_told_by_range_and_kept_as_a_set(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        enum snapshot_packet counted;
    } rows[] = {{1, PACKET_ports_low},    {511, PACKET_ports_low},   {512, PACKET_ports_other},
                {600, PACKET_ports_high}, {1023, PACKET_ports_high}, {1024, PACKET_ports_other},
                {0, PACKET_ports_other}};
    play(NS_PER_S);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct model_query *q = &lane_world_last(&world, 3)->query;
        struct model_reply reply;
        model_server_write(&world.servers[0], q, DHCP4_TYPE_ACK,
                           inet_from_host(0x0a0a0064 + (uint32_t)i), &reply);
        uint64_t before = count(0, rows[i].counted);
        lane_world_inject(&world, 0, LANE_PORT_CLIENT, rows[i].port, reply.bytes, reply.size);
        assert_int_equal(count(0, rows[i].counted), before + 1);
        lane_world_inject(&world, 0, LANE_PORT_SERVER, rows[i].port, reply.bytes, reply.size);
        assert_int_equal(count(0, rows[i].counted), before + 1);
        assert_int_equal(count(0, PACKET_relayed_wrong_port), i + 1);
    }
    assert_true(packets(0)->low_port[0] == 2 && packets(0)->low_port[7] == UINT64_C(1) << 63);
    assert_int_equal(count(0, PACKET_ports_low), 2);
    assert_int_equal(count(0, PACKET_wrong_source), 0);
}

static void port_67_is_in_the_set_but_not_wrong(void **state)
{
    (void)state;
    play(40 * NS_PER_S);
    assert_true(packets(0)->low_port[1] == UINT64_C(1) << (67 - 64));
    assert_int_equal(count(0, PACKET_ports_low), 0);
}

static void a_source_that_is_not_the_server_id_is_kept(void **state)
{
    (void)state;
    play(NS_PER_S);
    const struct model_query *q = &lane_world_last(&world, 3)->query;
    struct model_reply reply;
    struct ipv4 true_address = world.servers[0].address;
    model_server_write(&world.servers[0], q, DHCP4_TYPE_ACK, inet_from_host(0x0a0a0064), &reply);
    world.servers[0].address = inet_from_host(0xa9fe6301); /* 169.254.99.1, where it comes from */
    lane_world_inject(&world, 0, LANE_PORT_CLIENT, 67, reply.bytes, reply.size);
    world.servers[0].address = true_address;
    assert_int_equal(count(0, PACKET_wrong_source), 1);
    assert_true(inet_host(packets(0)->wrong_source) == 0xa9fe6301);
}

static void odd_terms_are_counted_and_good_ones_are_not(void **state)
{
    (void)state;
    enum { ABSENT = 9999 };
    static const struct {
        uint32_t t1_s, t2_s;
        unsigned odd[4]; /* T1 >= T2, T2 >= lease, zero, early */
    } rows[] = {
        {30, 52, {0, 0, 0, 0}},         {52, 52, {1, 0, 0, 0}},     {30, 60, {0, 1, 0, 0}},
        {70, 61, {1, 1, 0, 0}},         {0, 52, {0, 0, 1, 0}},      {15, 52, {0, 0, 0, 0}},
        {14, 52, {0, 0, 0, 1}},         {53, ABSENT, {1, 0, 0, 0}}, {52, ABSENT, {0, 0, 0, 0}},
        {ABSENT, 30, {1, 0, 0, 0}},     {ABSENT, 31, {0, 0, 0, 0}}, {0, ABSENT, {0, 0, 1, 0}},
        {ABSENT, ABSENT, {0, 0, 0, 0}},
    };
    play(NS_PER_S);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum snapshot_packet of[] = {PACKET_t1_not_below_t2, PACKET_t2_not_below_lease,
                                           PACKET_timer_zero, PACKET_t1_early};
        struct model_reply reply;
        uint64_t before[ARRAY_LEN(of)];
        world.servers[0].has_t1 = rows[i].t1_s != ABSENT;
        world.servers[0].has_t2 = rows[i].t2_s != ABSENT;
        world.servers[0].t1_s = rows[i].t1_s;
        world.servers[0].t2_s = rows[i].t2_s;
        model_server_write(&world.servers[0], &lane_world_last(&world, 3)->query, DHCP4_TYPE_ACK,
                           inet_from_host(0x0a0a0064), &reply);
        for (size_t k = 0; k < ARRAY_LEN(of); k++) {
            before[k] = count(0, of[k]);
        }
        lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, reply.bytes, reply.size);
        for (size_t k = 0; k < ARRAY_LEN(of); k++) {
            assert_int_equal(count(0, of[k]) - before[k], rows[i].odd[k]);
        }
    }
    assert_int_equal(count(0, PACKET_mask_not_subnet), 0);
}

static void a_mask_that_is_not_the_subnets_is_counted(void **state)
{
    (void)state;
    world.servers[0].changes_mask = true;
    play(NS_PER_S);
    assert_true(count(0, PACKET_mask_not_subnet) > 0);
    assert_true(count(0, PACKET_mask_not_subnet) < CLIENTS);
}

static void icmp_errors_are_added_up(void **state)
{
    (void)state;
    play(NS_PER_S);
    lane_count_icmp(world.lane, 3);
    lane_count_icmp(world.lane, 2);
    assert_int_equal(lane_world_counter(&world, COUNTER_icmp_errors), 5);
}

/* --- the host's own counts --- */

static void counts_of_the_kernel_are_read_by_name(void **state)
{
    (void)state;
    static const char text[] = "Ip: Forwarding InEchos\nIp: 1 99\n"
                               "IcmpMsg: InEchos OutEchoReps\nIcmpMsg: 98 97\n"
                               "Icmp: InMsgs InErrors InEchos OutMsgs OutEchoReps\n"
                               "Icmp: 20 1 7 12 5\n"
                               "Udp: InDatagrams NoPorts RcvbufErrors SndbufErrors\nUdp: 4 3 11 9\n"
                               "UdpLite: InDatagrams RcvbufErrors\nUdpLite: 96 95\n";
    struct host_snmp snmp;
    host_snmp_parse(text, &snmp);
    assert_true(snmp.has_icmp && snmp.has_udp);
    assert_int_equal(snmp.echo_in, 7);
    assert_int_equal(snmp.echo_out, 5);
    assert_int_equal(snmp.rcvbuf_errors, 11);
    host_snmp_read(&snmp); /* of this machine */
    assert_true(snmp.has_icmp && snmp.has_udp);
}

static void a_text_that_is_not_understood_counts_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "Icmp: ",
        "Icmp: InEchos OutEchoReps",
        "Icmp: InEchos OutEchoReps\n",
        "Icmp: InEchos OutEchoReps\nIcmp: 1",
        "Icmp: InEchos OutEchoReps\nIcmp: 1 -2\n",
        "Icmp: InEchos OutEchoReps\nIcmp: 1 2x\n",
        "Icmp: InEchos OutEchoReps\nIcmp: 1 99999999999999999999999\n",
        "Icmp: InEchos OutEchos\nIcmp: 1 2\n",
        "Icmp: InEchos OutEchoReps\nUdp: 1 2\n",
        "Udp: RcvbufErrors\nUdp: -1\n",
        "Udp: InDatagrams RcvbufErrors\nUdp: 1\n",
        "Udp: RcvbufErrors\nUdpLite: 1\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host_snmp snmp = {true, true, 4, 5, 6};
        host_snmp_parse(rows[i], &snmp);
        assert_false(snmp.has_icmp || snmp.has_udp);
        assert_int_equal(snmp.echo_in + snmp.echo_out + snmp.rcvbuf_errors, 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_packet_of_a_healthy_run_is_answered),
        CASE(unanswered_renews_are_counted_by_packet),
        CASE(duplicates_and_late_answers_are_answers_too),
        CASE(rewritten_ports_are_told_by_range_and_kept_as_a_set),
        CASE(port_67_is_in_the_set_but_not_wrong),
        CASE(a_source_that_is_not_the_server_id_is_kept),
        CASE(odd_terms_are_counted_and_good_ones_are_not),
        CASE(a_mask_that_is_not_the_subnets_is_counted),
        CASE(icmp_errors_are_added_up),
        cmocka_unit_test(counts_of_the_kernel_are_read_by_name),
        cmocka_unit_test(a_text_that_is_not_understood_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
