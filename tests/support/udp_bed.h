/* SPDX-License-Identifier: MIT */
/* DHCP sockets on loopback and plain ones on the other side. In a network of the test's own. */
#pragma once

#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/edge/udp.h"

#define SERVER        "127.0.0.12"
#define CARRIER       "127.0.0.71"
#define OTHER_CARRIER "127.0.0.72"
#define CLIENT        "127.0.0.99"
#define NO_ROUTE      "192.0.2.1"

static inline struct ipv4 ip(const char *text)
{
    struct ipv4 a = {0};
    assert_true(inet_parse(text, &a));
    return a;
}

/* A plain socket on the other side. */
static inline int peer_open(const char *address, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip(address).be};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static inline void peer_send(int fd, const char *address, uint16_t port, size_t size)
{
    static const uint8_t bytes[4096] = {2, 1, 6};
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip(address).be};
    assert_int_equal(sendto(fd, bytes, size, 0, (const struct sockaddr *)&in, sizeof(in)), size);
}

static inline ssize_t peer_receive(int fd, struct sockaddr_in *from)
{
    uint8_t bytes[4096];
    socklen_t size = sizeof(*from);
    return recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)from, &size);
}

static inline struct udp *open_two(void)
{
    struct ipv4 carriers[] = {ip(CARRIER), ip(OTHER_CARRIER)};
    struct udp *udp = NULL;
    char why[UDP_WHY_BYTES];
    assert_int_equal(udp_open(carriers, 2, udp_dhcp_ports, &udp, why), 0);
    return udp;
}

static inline struct lane_out *outbox(size_t count)
{
    struct lane_out *out = calloc(count, sizeof(*out));
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        out[i].destination = ip(SERVER);
        out[i].size = DHCP4_MIN_BYTES;
        out[i].bytes[0] = 1;
    }
    return out;
}
