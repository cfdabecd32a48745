/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"
#include "common/clock.h"
#include "tests/support/own_network.h"
#include "tests/support/udp_bed.h"

/* --- opening --- */

static void an_occupied_port_is_named_with_a_remedy(void **state)
{
    (void)state;
    int holder = peer_open(OTHER_CARRIER, 68);
    struct ipv4 carriers[] = {ip(CARRIER), ip(OTHER_CARRIER)};
    struct udp *udp = NULL;
    char why[UDP_WHY_BYTES] = "";
    assert_int_equal(udp_open(carriers, 2, udp_dhcp_ports, &udp, why), -EADDRINUSE);
    assert_null(udp);
    assert_non_null(strstr(why, OTHER_CARRIER " port 68"));
    assert_non_null(strstr(why, "ss -ulpn"));
    close(holder);
}

static void an_address_of_another_host_is_named_with_a_remedy(void **state)
{
    (void)state;
    struct ipv4 carrier = ip(NO_ROUTE);
    struct udp *udp = NULL;
    char why[UDP_WHY_BYTES] = "";
    assert_int_equal(udp_open(&carrier, 1, udp_dhcp_ports, &udp, why), -EADDRNOTAVAIL);
    assert_non_null(strstr(why, NO_ROUTE " port 67"));
    assert_non_null(strstr(why, "does not have the address"));
}

static void a_second_agent_on_the_same_address_is_refused(void **state)
{
    (void)state;
    struct udp *first = open_two();
    struct ipv4 carrier = ip(CARRIER);
    struct udp *second = NULL;
    char why[UDP_WHY_BYTES] = "";
    assert_int_equal(udp_open(&carrier, 1, udp_dhcp_ports, &second, why), -EADDRINUSE);
    udp_close(first);
    assert_int_equal(udp_open(&carrier, 1, udp_dhcp_ports, &second, why), 0);
    udp_close(second);
}

/* --- sending --- */

static void a_refused_packet_keeps_its_errno_and_the_others_leave(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    struct lane_out *out = outbox(6);
    out[1].destination = ip(NO_ROUTE);
    out[2].destination = ip("255.255.255.255");
    out[5].destination = ip(NO_ROUTE);
    static const int errors[] = {0, ENETUNREACH, EACCES, 0, 0, ENETUNREACH};
    size_t at = 0;
    for (unsigned calls = 0; at < 6; calls++) {
        assert_true(calls < 6);
        struct udp_sent sent = udp_send(udp, out + at, 6 - at);
        assert_in_range(sent.done, 1, 6 - at);
        for (size_t i = 0; i + 1 < sent.done; i++) {
            assert_int_equal(errors[at + i], 0);
        }
        assert_int_equal(sent.error, errors[at + sent.done - 1]);
        at += sent.done;
    }
    struct sockaddr_in from;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
        assert_int_equal(from.sin_addr.s_addr, ip(CARRIER).be);
        assert_int_equal(ntohs(from.sin_port), 67);
    }
    assert_int_equal(peer_receive(server, &from), -1);
    free(out);
    close(server);
    udp_close(udp);
}

static void one_call_takes_one_sockets_run_and_at_most_a_batch(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    struct lane_out *out = outbox(UDP_BATCH + 10);
    out[2].port = LANE_PORT_CLIENT;
    out[3].carrier = 1;
    assert_int_equal(udp_send(udp, out, 10).done, 2);
    assert_int_equal(udp_send(udp, out + 2, 8).done, 1);
    assert_int_equal(udp_send(udp, out + 3, 7).done, 1);
    assert_int_equal(udp_send(udp, out + 4, UDP_BATCH + 6).done, UDP_BATCH);
    static const struct {
        const char *address;
        uint16_t port;
    } senders[] = {{CARRIER, 67}, {CARRIER, 67}, {CARRIER, 68}, {OTHER_CARRIER, 67}};
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        struct sockaddr_in from;
        assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
        assert_int_equal(from.sin_addr.s_addr, ip(senders[i].address).be);
        assert_int_equal(ntohs(from.sin_port), senders[i].port);
    }
    free(out);
    close(server);
    udp_close(udp);
}

/* --- receiving --- */

static struct lane_packet receive_one(struct udp *udp)
{
    static struct lane_packet packets[UDP_BATCH];
    assert_int_equal(udp_wait(udp, NS_PER_S), 0);
    assert_int_equal(udp_receive(udp, packets), 1);
    return packets[0];
}

static void a_packet_comes_with_its_addresses_port_and_kernel_stamp(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 1067);
    uint64_t before_ns = clock_monotonic_ns();
    peer_send(server, OTHER_CARRIER, 68, 301);
    uint64_t after_ns = clock_monotonic_ns();
    struct lane_packet packet = receive_one(udp);
    assert_int_equal(packet.carrier, 1);
    assert_int_equal(packet.port, LANE_PORT_CLIENT);
    assert_true(inet_equal(packet.source, ip(SERVER)));
    assert_true(inet_equal(packet.destination, ip(OTHER_CARRIER)));
    assert_int_equal(packet.source_port, 1067);
    assert_int_equal(packet.size, 301);
    assert_int_equal(packet.bytes[0], 2);
    /* Between the two readings, give or take what converting the clock costs. */
    assert_in_range(packet.at_ns, before_ns - 50 * NS_PER_US, after_ns + 50 * NS_PER_US);
    assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 0);
    close(server);
    udp_close(udp);
}

static void a_stamp_that_cannot_be_true_becomes_now_and_is_counted(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    static const int64_t steps_ns[] = {-(int64_t)NS_PER_S, (int64_t)NS_PER_S};
    for (size_t i = 0; i < ARRAY_LEN(steps_ns); i++) {
        peer_send(server, CARRIER, 67, 300);
        assert_int_equal(udp_wait(udp, NS_PER_S), 0);
        /* As if CLOCK_REALTIME had been set between reception and this turn. */
        udp->real_minus_mono_ns += (uint64_t)steps_ns[i];
        struct lane_packet packets[UDP_BATCH];
        uint64_t before_ns = clock_monotonic_ns();
        assert_int_equal(udp_receive(udp, packets), 1);
        assert_in_range(packets[0].at_ns, before_ns, clock_monotonic_ns());
        assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 1);
    }
    close(server);
    udp_close(udp);
}

static void a_quiet_socket_is_known_to_be_empty_since_the_previous_turn(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    uint64_t opened_ns = clock_monotonic_ns();
    while (clock_monotonic_ns() - opened_ns < 30 * NS_PER_MS) {
        assert_int_equal(udp_wait(udp, NS_PER_MS), 0);
    }
    peer_send(server, CARRIER, 67, 300);
    assert_int_equal(udp_wait(udp, NS_PER_S), 0);
    /* The wall clock was set forward by less than the socket is open, by more than a turn. */
    udp->real_minus_mono_ns += 25 * NS_PER_MS;
    struct lane_packet packets[UDP_BATCH];
    uint64_t before_ns = clock_monotonic_ns();
    assert_int_equal(udp_receive(udp, packets), 1);
    assert_in_range(packets[0].at_ns, before_ns, clock_monotonic_ns());
    assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 1);
    close(server);
    udp_close(udp);
}

/* It was readable in the previous turn and not read to its end: then it was not empty. */
static void what_waits_for_several_turns_keeps_its_stamp(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    uint64_t before_ns = clock_monotonic_ns();
    peer_send(server, CARRIER, 67, 300);
    uint64_t after_ns = clock_monotonic_ns();
    while (clock_monotonic_ns() - after_ns < 5 * NS_PER_MS) {
        assert_int_equal(udp_wait(udp, NS_PER_MS), 0);
    }
    struct lane_packet packets[UDP_BATCH];
    assert_int_equal(udp_receive(udp, packets), 1);
    assert_in_range(packets[0].at_ns, before_ns - 50 * NS_PER_US, after_ns + 50 * NS_PER_US);
    assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 0);
    close(server);
    udp_close(udp);
}

static void a_datagram_too_large_is_cut_and_counted(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    peer_send(server, CARRIER, 67, DHCP4_MAX_BYTES + 1);
    assert_int_equal(receive_one(udp).size, DHCP4_MAX_BYTES);
    peer_send(server, CARRIER, 67, DHCP4_MAX_BYTES);
    assert_int_equal(receive_one(udp).size, DHCP4_MAX_BYTES);
    assert_int_equal(udp_take_rx_facts(udp).truncated, 1);
    assert_int_equal(udp_take_rx_facts(udp).truncated, 0);
    close(server);
    udp_close(udp);
}

static size_t receive_all(struct udp *udp)
{
    struct lane_packet packets[UDP_BATCH];
    size_t total = 0;
    assert_int_equal(udp_wait(udp, 0), 0);
    for (size_t count = udp_receive(udp, packets); count > 0; count = udp_receive(udp, packets)) {
        total += count;
    }
    return total;
}

static void what_overflows_our_buffer_is_counted_once(void **state)
{
    (void)state;
    enum { SENT = 300 };
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    int small = 16 * 1024;
    assert_int_equal(setsockopt(udp->sockets[0].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
                     0);
    for (unsigned i = 0; i < SENT; i++) {
        peer_send(server, CARRIER, 67, 1400);
    }
    size_t received = receive_all(udp);
    assert_in_range(received, 1, SENT - 1);
    udp_poll_drops(udp);
    assert_int_equal(udp_take_rx_facts(udp).drops, SENT - received);
    peer_send(server, CARRIER, 67, 300); /* carries the counter, too */
    assert_int_equal(receive_all(udp), 1);
    udp_poll_drops(udp);
    assert_int_equal(udp_take_rx_facts(udp).drops, 0);
    close(server);
    udp_close(udp);
}

static void more_than_a_batch_comes_in_batches(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    for (unsigned i = 0; i < UDP_BATCH + 5; i++) {
        peer_send(server, CARRIER, 67, 300);
    }
    struct lane_packet packets[UDP_BATCH];
    assert_int_equal(udp_wait(udp, NS_PER_S), 0);
    assert_int_equal(udp_receive(udp, packets), UDP_BATCH);
    assert_int_equal(udp_receive(udp, packets), 5);
    assert_int_equal(udp_receive(udp, packets), 0);
    assert_int_equal(udp_take_rx_facts(udp).stamps_replaced, 0);
    close(server);
    udp_close(udp);
}

static void a_watched_descriptor_ends_the_wait_and_is_no_packet(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int fd = eventfd(1, EFD_CLOEXEC);
    struct lane_packet packets[UDP_BATCH];
    assert_int_equal(udp_watch(udp, fd), 0);
    uint64_t before_ns = clock_monotonic_ns();
    assert_int_equal(udp_wait(udp, 10 * NS_PER_S), 0);
    assert_true(clock_monotonic_ns() - before_ns < 5 * NS_PER_S);
    assert_int_equal(udp_receive(udp, packets), 0);
    close(fd);
    udp_close(udp);
}

static void spinning_ends_at_its_instant_and_at_once_for_what_is_there(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t count = 1;
    assert_int_equal(udp_watch(udp, fd), 0);
    assert_int_equal(udp_wait(udp, 0), 0);
    uint64_t until_ns = clock_monotonic_ns() + 5 * NS_PER_MS;
    assert_int_equal(udp_spin(udp, until_ns), 0);
    assert_true(clock_monotonic_ns() >= until_ns);
    assert_int_equal(udp_spin(udp, until_ns - NS_PER_S), 0); /* it has passed */
    assert_int_equal(write(fd, &count, sizeof(count)), sizeof(count));
    until_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    assert_int_equal(udp_spin(udp, until_ns), 0);
    assert_int_equal(udp_spin(udp, until_ns), 0); /* nobody has dealt with it yet */
    assert_true(clock_monotonic_ns() < until_ns - 10 * NS_PER_S);
    assert_int_equal(read(fd, &count, sizeof(count)), -1); /* its count was taken */
    assert_int_equal(errno, EAGAIN);
    close(fd);
    udp_close(udp);
}

/* --- routed --- */

static void the_wildcard_receives_for_every_address_and_speaks_as_the_client(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    struct sockaddr_in from;
    struct lane_out *out = outbox(2);
    assert_int_equal(udp_use_wildcard(udp, true), 0);

    peer_send(server, CLIENT, 68, 300);
    struct lane_packet packet = receive_one(udp);
    assert_true(packet.carrier == SIZE_MAX && inet_equal(packet.destination, ip(CLIENT)));
    peer_send(server, OTHER_CARRIER, 68, 300);
    packet = receive_one(udp);
    assert_true(packet.carrier == 1 && inet_equal(packet.destination, ip(OTHER_CARRIER)));

    out[0].port = LANE_PORT_CLIENT;
    out[0].source = ip(CLIENT);
    out[1].port = LANE_PORT_CLIENT;
    out[1].carrier = 1;
    assert_int_equal(udp_send(udp, out, 2).done, 2);
    assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
    assert_true(from.sin_addr.s_addr == ip(CLIENT).be && ntohs(from.sin_port) == 68);
    assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
    assert_true(from.sin_addr.s_addr == ip(OTHER_CARRIER).be && ntohs(from.sin_port) == 68);

    assert_int_equal(udp_use_wildcard(udp, false), 0);
    peer_send(server, CARRIER, 68, 300);
    assert_int_equal(receive_one(udp).carrier, 0);
    free(out);
    close(server);
    udp_close(udp);
}

static void a_wildcard_that_is_taken_leaves_the_carriers_working(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    int server = peer_open(SERVER, 67);
    int holder = peer_open("127.0.0.200", 68);
    struct lane_out *out = outbox(1);
    out[0].port = LANE_PORT_CLIENT;
    assert_int_equal(udp_use_wildcard(udp, true), -EADDRINUSE);
    assert_int_equal(udp_send(udp, out, 1).error, 0);
    out[0].source = ip(CLIENT);
    assert_int_equal(udp_send(udp, out, 1).error, EADDRINUSE);
    peer_send(server, CARRIER, 68, 300);
    assert_int_equal(receive_one(udp).carrier, 0);
    free(out);
    close(holder);
    close(server);
    udp_close(udp);
}

/* --- ICMP errors --- */

/* Nobody is at the server's port: ICMP says so, and no packet is taken for refused. */
static void an_icmp_error_is_told_and_harms_no_packet(void **state)
{
    (void)state;
    struct udp *udp = open_two();
    struct udp_icmp icmp[UDP_ICMP_MAX];
    struct lane_packet packets[UDP_BATCH];
    struct lane_out *out = outbox(1);
    size_t told = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct udp_sent sent = udp_send(udp, out, 1);
        assert_int_equal(sent.done, 1);
        assert_int_equal(sent.error, 0);
        if (i % 2 == 0) { /* else it is the next send that meets the error */
            assert_int_equal(udp_wait(udp, 0), 0);
            assert_int_equal(udp_receive(udp, packets), 0);
        }
        size_t count = udp_take_icmp(udp, icmp);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(icmp[k].type, 3);
            assert_int_equal(icmp[k].code, 3);
            assert_true(inet_equal(icmp[k].destination, ip(SERVER)));
        }
        told += count;
    }
    assert_true(told > 0); /* the kernel sends a few at once, then one a second */
    int server = peer_open(SERVER, 67);
    assert_int_equal(udp_send(udp, out, 1).error, 0);
    (void)udp_take_icmp(udp, icmp); /* about the last one */
    struct sockaddr_in from;
    assert_int_equal(peer_receive(server, &from), DHCP4_MIN_BYTES);
    peer_send(server, CARRIER, 67, 300);
    assert_int_equal(udp_wait(udp, NS_PER_S), 0);
    assert_int_equal(udp_receive(udp, packets), 1);
    assert_int_equal(udp_take_icmp(udp, icmp), 0);
    (void)close(server);
    udp_close(udp);
    free(out);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_occupied_port_is_named_with_a_remedy),
        cmocka_unit_test(an_address_of_another_host_is_named_with_a_remedy),
        cmocka_unit_test(a_second_agent_on_the_same_address_is_refused),
        cmocka_unit_test(a_refused_packet_keeps_its_errno_and_the_others_leave),
        cmocka_unit_test(one_call_takes_one_sockets_run_and_at_most_a_batch),
        cmocka_unit_test(a_packet_comes_with_its_addresses_port_and_kernel_stamp),
        cmocka_unit_test(a_stamp_that_cannot_be_true_becomes_now_and_is_counted),
        cmocka_unit_test(a_quiet_socket_is_known_to_be_empty_since_the_previous_turn),
        cmocka_unit_test(what_waits_for_several_turns_keeps_its_stamp),
        cmocka_unit_test(a_datagram_too_large_is_cut_and_counted),
        cmocka_unit_test(what_overflows_our_buffer_is_counted_once),
        cmocka_unit_test(more_than_a_batch_comes_in_batches),
        cmocka_unit_test(a_watched_descriptor_ends_the_wait_and_is_no_packet),
        cmocka_unit_test(spinning_ends_at_its_instant_and_at_once_for_what_is_there),
        cmocka_unit_test(the_wildcard_receives_for_every_address_and_speaks_as_the_client),
        cmocka_unit_test(a_wildcard_that_is_taken_leaves_the_carriers_working),
        cmocka_unit_test(an_icmp_error_is_told_and_harms_no_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
