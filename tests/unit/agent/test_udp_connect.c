/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <unistd.h>

#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"
#include "tests/support/own_network.h"
#include "tests/support/udp_bed.h"

static struct udp *open_connected(void)
{
    struct udp *udp = open_two();
    udp_connect(udp, ip(SERVER));
    return udp;
}

static size_t receive_what_came(struct udp *udp, struct lane_packet *out)
{
    assert_int_equal(udp_wait(udp, NS_PER_S), 0);
    size_t total = 0;
    for (size_t count = 1; count > 0; total += count) {
        count = udp_receive(udp, out + total);
    }
    return total;
}

static void the_only_server_is_talked_to_over_connected_sockets(void **state)
{
    (void)state;
    struct udp *udp = open_connected();
    int server = peer_open(SERVER, 67);
    struct lane_out *out = outbox(2);
    out[1].port = LANE_PORT_CLIENT;
    for (size_t i = 0; i < 2; i++) {
        assert_true(udp->sockets[udp_connected_index(udp, i)].fd >= 0);
        assert_int_equal(udp_send(udp, out + i, 1).error, 0);
        struct sockaddr_in from;
        assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
        assert_int_equal(from.sin_addr.s_addr, ip(CARRIER).be);
        assert_int_equal(ntohs(from.sin_port), i == 0 ? 67 : 68);
    }
    free(out);
    close(server);
    udp_close(udp);
}

/* What a connected socket alone would not get: another port of the server, and other hosts. */
static void an_answer_from_anywhere_still_arrives_and_says_from_where(void **state)
{
    (void)state;
    struct udp *udp = open_connected();
    static const struct {
        const char *address;
        uint16_t port;
    } from[] = {{SERVER, 67}, {SERVER, 167}, {CLIENT, 67}};
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        int peer = peer_open(from[i].address, from[i].port);
        struct lane_packet packets[UDP_BATCH];
        peer_send(peer, OTHER_CARRIER, 68, DHCP4_MIN_BYTES);
        assert_int_equal(receive_what_came(udp, packets), 1);
        assert_int_equal(packets[0].carrier, 1);
        assert_int_equal(packets[0].port, LANE_PORT_CLIENT);
        assert_int_equal(packets[0].source.be, ip(from[i].address).be);
        assert_int_equal(packets[0].source_port, from[i].port);
        assert_int_equal(packets[0].destination.be, ip(OTHER_CARRIER).be);
        close(peer);
    }
    assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 0);
    udp_close(udp);
}

static int bind_shared(const char *address, uint16_t port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip(address).be};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    if (bind(fd, (const struct sockaddr *)&in, sizeof(in)) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static void nobody_may_share_a_port_that_has_two_sockets(void **state)
{
    (void)state;
    struct udp *udp = open_connected();
    assert_int_equal(bind_shared(CARRIER, 67), -1);
    assert_int_equal(bind_shared(CARRIER, 68), -1);
    udp_close(udp);
    int holder = bind_shared(CARRIER, 67); /* nor do we share somebody's who would */
    assert_true(holder >= 0);
    struct ipv4 carrier = ip(CARRIER);
    char why[UDP_WHY_BYTES];
    assert_int_equal(udp_open(&carrier, 1, udp_dhcp_ports, &udp, why), -EADDRINUSE);
    close(holder);
}

static void after_the_wildcard_the_ports_are_connected_again(void **state)
{
    (void)state;
    struct udp *udp = open_connected();
    assert_int_equal(udp_use_wildcard(udp, true), 0);
    assert_int_equal(udp->sockets[udp_connected_index(udp, LANE_PORT_CLIENT)].fd, -1);
    assert_int_equal(udp_use_wildcard(udp, false), 0);
    assert_true(udp->sockets[udp_connected_index(udp, LANE_PORT_CLIENT)].fd >= 0);
    assert_int_equal(bind_shared(CARRIER, 68), -1);
    udp_close(udp);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_only_server_is_talked_to_over_connected_sockets),
        cmocka_unit_test(an_answer_from_anywhere_still_arrives_and_says_from_where),
        cmocka_unit_test(nobody_may_share_a_port_that_has_two_sockets),
        cmocka_unit_test(after_the_wildcard_the_ports_are_connected_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
