/* SPDX-License-Identifier: MIT */
/* Whatever arrives is counted in exactly one type bin and one fate bin, and harms nobody. */
#include "tests/support/testing.h"

#include <string.h>

#include "common/prng.h"
#include "tests/support/lane_world.h"

enum { CLIENTS = 20 };

static struct lane_world world;

static uint64_t counter(enum snapshot_counter c)
{
    return lane_world_counter(&world, c);
}

static int tear_down(void **state)
{
    (void)state;
    lane_world_check(&world);
    lane_world_fini(&world);
    return 0;
}

/* Two relays, one server; the clients have sent their DISCOVERs and nothing has come back. */
static int set_up(void **state)
{
    (void)state;
    lane_world_init(&world, 2, CLIENTS / 2, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    world.servers[0].is_silent = true;
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 10 * NS_PER_MS);
    assert_int_equal(world.sent_count, CLIENTS);
    return 0;
}

static struct ipv4 offered_to(uint32_t client)
{
    uint32_t relay = client / (CLIENTS / 2);
    return inet_from_host(inet_host(world.relays[relay].subnet.base) + 100 + client);
}

static struct model_reply reply_to(uint32_t client, uint8_t type)
{
    struct model_reply reply;
    struct ipv4 none = {0};
    model_server_write(&world.servers[0], &lane_world_last(&world, client)->query, type,
                       type == DHCP4_TYPE_NAK ? none : offered_to(client), &reply);
    return reply;
}

static void arrives(const struct model_reply *reply, size_t carrier, enum lane_port port)
{
    lane_world_inject(&world, carrier, port, 67, reply->bytes, reply->size);
}

static void arrives_well(uint32_t client, uint8_t type)
{
    struct model_reply reply = reply_to(client, type);
    arrives(&reply, client / (CLIENTS / 2), LANE_PORT_SERVER);
}

/* Brings a client to BOUND. */
static void bind_client(uint32_t client)
{
    arrives_well(client, DHCP4_TYPE_OFFER);
    lane_world_run(&world, NS_PER_MS);
    arrives_well(client, DHCP4_TYPE_ACK);
}

static void noise_is_malformed_and_changes_nothing(void **state)
{
    (void)state;
    struct prng prng = prng_seeded(5);
    uint8_t bytes[600];
    for (unsigned i = 0; i < 3000; i++) {
        struct model_reply reply = reply_to((uint32_t)(i % CLIENTS), DHCP4_TYPE_OFFER);
        size_t size = prng_below(&prng, sizeof(bytes));
        for (size_t k = 0; k < size; k++) {
            bytes[k] = (uint8_t)prng_next(&prng);
        }
        /* Half of it: an OFFER cut short or with three bytes changed. */
        if (i % 2 == 0) {
            size = 1 + prng_below(&prng, reply.size);
            memcpy(bytes, reply.bytes, size);
            for (unsigned k = 0; k < 3; k++) {
                bytes[prng_below(&prng, size)] = (uint8_t)prng_next(&prng);
            }
        }
        lane_world_inject(&world, i % 3, (enum lane_port)(i % 2), 67, bytes, size);
        if (i % 64 == 0) {
            lane_world_turn(&world);
        }
    }
    assert_true(counter(COUNTER_fate_malformed) > 1500);
    lane_world_check(&world);
}

static void an_empty_datagram_is_malformed(void **state)
{
    (void)state;
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, (const uint8_t *)"", 0);
    assert_int_equal(counter(COUNTER_received_malformed), 1);
    assert_int_equal(counter(COUNTER_fate_malformed), 1);
}

static void a_reply_for_a_mac_of_nobody_is_alien(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    reply.bytes[28 + 1] ^= 0x10;
    arrives(&reply, 0, LANE_PORT_SERVER);
    struct mac beyond = plan_client_mac(&world.plan, CLIENTS);
    memcpy(reply.bytes + 28, beyond.byte, MAC_BYTES);
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_alien), 2);
    assert_int_equal(counter(COUNTER_received_offer), 2);
}

static void a_reply_at_another_relays_address_is_misrouted(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    arrives(&reply, 1, LANE_PORT_SERVER);
    arrives(&reply, 1, LANE_PORT_CLIENT);
    reply.bytes[24 + 2] ^= 1; /* the other relay's giaddr */
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_misrouted), 3);
    assert_int_equal(counter(COUNTER_fate_answer), 0);
}

static void a_reply_for_another_agents_client_is_misrouted_not_alien(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    world.plan.client_count = CLIENTS + 5; /* the plan's, of which five are not dealt here */
    struct mac other = plan_client_mac(&world.plan, CLIENTS + 2);
    memcpy(reply.bytes + 28, other.byte, MAC_BYTES);
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_misrouted), 1);
    world.plan.client_count = CLIENTS;
}

static void on_a_wildcard_socket_the_address_is_not_held_against_a_reply(void **state)
{
    (void)state;
    bind_client(0);
    lane_world_run(&world, 31 * NS_PER_S);
    struct model_reply reply = reply_to(0, DHCP4_TYPE_ACK);
    arrives(&reply, SIZE_MAX, LANE_PORT_CLIENT);
    assert_int_equal(counter(COUNTER_leases_renewed), 1);
}

static void an_answer_with_an_old_xid_is_late(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    reply.bytes[7] ^= 1;
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_late), 1);
    assert_int_equal(counter(COUNTER_unexpected), 0);
}

static void an_answer_for_a_client_that_never_spoke_is_late(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    lane_free(world.lane);
    struct lane_setup setup = {
        .plan = &world.plan, .shares = world.shares, .share_count = 2, .now_ns = world.now_ns};
    world.lane = lane_new(&setup);
    world.sent_count = 0;
    memset(reply.bytes + 4, 0, 4);
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_late), 1);
    assert_int_equal(counter(COUNTER_clients_never_started), CLIENTS);
}

static void the_partners_offer_and_ack_are_duplicates(void **state)
{
    (void)state;
    arrives_well(0, DHCP4_TYPE_OFFER);
    arrives_well(0, DHCP4_TYPE_OFFER);
    assert_int_equal(counter(COUNTER_fate_duplicate), 1);
    lane_world_run(&world, NS_PER_MS);
    arrives_well(0, DHCP4_TYPE_OFFER);
    arrives_well(0, DHCP4_TYPE_ACK);
    arrives_well(0, DHCP4_TYPE_ACK);
    assert_int_equal(counter(COUNTER_fate_duplicate), 3);
    assert_int_equal(counter(COUNTER_fate_answer), 2);
    assert_int_equal(counter(COUNTER_leases_acquired), 1);
    assert_int_equal(counter(COUNTER_unexpected), 3);
}

/* What the open exchange does not wait for is counted as a pair, and changes no state. */
static void an_ack_to_a_discover_and_a_nak_to_a_discover_are_unexpected(void **state)
{
    (void)state;
    arrives_well(0, DHCP4_TYPE_ACK);
    arrives_well(0, DHCP4_TYPE_NAK);
    assert_int_equal(counter(COUNTER_fate_late), 2);
    assert_int_equal(counter(COUNTER_unexpected), 2);
    assert_int_equal(counter(COUNTER_leases_nak), 0);
    bind_client(0);
    assert_int_equal(counter(COUNTER_leases_acquired), 1);
}

static void other_message_types_are_other(void **state)
{
    (void)state;
    for (uint8_t type = 0; type < 40; type++) {
        if (type != DHCP4_TYPE_OFFER && type != DHCP4_TYPE_ACK && type != DHCP4_TYPE_NAK) {
            arrives_well(0, type);
        }
    }
    uint64_t other = counter(COUNTER_received_other);
    assert_int_equal(other, 37 - counter(COUNTER_received_malformed));
    assert_true(other >= 36);
    assert_int_equal(counter(COUNTER_fate_answer), 0);
}

static void a_source_port_other_than_67_is_counted_whatever_came(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 1, reply.bytes, reply.size);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 511, (const uint8_t *)"x", 1);
    assert_int_equal(counter(COUNTER_wrong_source_port), 2);
    assert_int_equal(counter(COUNTER_fate_answer), 1);
}

/* A BOOTREQUEST (our own packet reflected) is not taken for an answer. */
static void our_own_packet_coming_back_is_malformed(void **state)
{
    (void)state;
    struct model_reply reply = reply_to(0, DHCP4_TYPE_OFFER);
    reply.bytes[0] = 1;
    arrives(&reply, 0, LANE_PORT_SERVER);
    assert_int_equal(counter(COUNTER_fate_malformed), 1);
}

static void an_ack_after_t2_answers_no_exchange_that_is_open(void **state)
{
    (void)state;
    bind_client(0);
    lane_world_run(&world, 31 * NS_PER_S);
    struct model_reply to_renew = reply_to(0, DHCP4_TYPE_ACK);
    lane_world_run(&world, 23 * NS_PER_S);
    arrives(&to_renew, 0, LANE_PORT_CLIENT);
    assert_int_equal(counter(COUNTER_fate_late), 1);
    assert_int_equal(counter(COUNTER_leases_renewed), 0);
    arrives_well(0, DHCP4_TYPE_ACK);
    assert_int_equal(counter(COUNTER_leases_rebound), 1);
}

static void an_answer_sets_things_off_when_it_came_not_when_the_lane_last_had_its_turn(void **state)
{
    (void)state;
    bind_client(0);
    lane_world_run(&world, 30 * NS_PER_S + 20 * NS_PER_MS);
    struct model_reply nak = reply_to(0, DHCP4_TYPE_NAK);
    world.now_ns += 40 * NS_PER_MS; /* the agent slept */
    arrives(&nak, 0, LANE_PORT_CLIENT);
    lane_world_turn(&world);
    arrives_well(0, DHCP4_TYPE_OFFER);
    lane_world_turn(&world);
    arrives_well(0, DHCP4_TYPE_ACK);
    lane_world_turn(&world);
    const struct event *e = lane_world_event(&world, 0, EVENT_ACQUIRE, 1);
    assert_int_equal(e->result, EVENT_ACK);
    assert_int_equal(e->wait_us, 0);
}

static void what_the_edge_knows_of_reception_is_added(void **state)
{
    (void)state;
    lane_count_rx(world.lane, 1, 2, 3);
    lane_count_rx(world.lane, 10, 20, 30);
    assert_int_equal(counter(COUNTER_rx_drops), 11);
    assert_int_equal(counter(COUNTER_rx_stamp_replaced), 22);
    assert_int_equal(counter(COUNTER_rx_truncated), 33);
}

static void per_server_the_answers_taken_are_counted(void **state)
{
    (void)state;
    bind_client(0);
    arrives_well(0, DHCP4_TYPE_ACK); /* a duplicate: not taken */
    arrives_well(1, DHCP4_TYPE_OFFER);
    lane_world_run(&world, NS_PER_MS);
    arrives_well(1, DHCP4_TYPE_NAK);
    static struct snapshot snapshot;
    lane_snapshot(world.lane, &snapshot);
    assert_int_equal(snapshot.server[0].offers, 2);
    assert_int_equal(snapshot.server[0].acks, 1);
    assert_int_equal(snapshot.server[0].naks, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(noise_is_malformed_and_changes_nothing),
        TEST(an_empty_datagram_is_malformed),
        TEST(a_reply_for_a_mac_of_nobody_is_alien),
        TEST(a_reply_at_another_relays_address_is_misrouted),
        TEST(a_reply_for_another_agents_client_is_misrouted_not_alien),
        TEST(on_a_wildcard_socket_the_address_is_not_held_against_a_reply),
        TEST(an_answer_with_an_old_xid_is_late),
        TEST(an_answer_for_a_client_that_never_spoke_is_late),
        TEST(the_partners_offer_and_ack_are_duplicates),
        TEST(an_ack_to_a_discover_and_a_nak_to_a_discover_are_unexpected),
        TEST(other_message_types_are_other),
        TEST(a_source_port_other_than_67_is_counted_whatever_came),
        TEST(our_own_packet_coming_back_is_malformed),
        TEST(an_ack_after_t2_answers_no_exchange_that_is_open),
        TEST(an_answer_sets_things_off_when_it_came_not_when_the_lane_last_had_its_turn),
        TEST(what_the_edge_knows_of_reception_is_added),
        TEST(per_server_the_answers_taken_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
