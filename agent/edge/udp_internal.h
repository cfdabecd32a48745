/* SPDX-License-Identifier: MIT */
/* Shared by udp.c (sockets), udp_receive.c and udp_send.c; nobody else includes it. */
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/edge/udp.h"

struct udp_socket {
    int fd;         /* -1: not open */
    size_t carrier; /* SIZE_MAX: the wildcard */
    enum lane_port port;
    uint32_t drops_seen;  /* the kernel's own counter, which wraps */
    uint64_t empty_at_ns; /* when it was last known to be empty */
    uint64_t ready_turn;  /* the last turn in which epoll called it readable */
};

/* Room for SO_TIMESTAMPNS, SO_RXQ_OVFL and IP_PKTINFO. */
enum { UDP_CONTROL_BYTES = 128 };

struct udp_slot {
    struct sockaddr_in address;
    struct iovec part;
    /* Aligned as struct cmsghdr wants it. */
    _Alignas(8) uint8_t control[UDP_CONTROL_BYTES];
    _Alignas(8) uint8_t bytes[DHCP4_MAX_BYTES];
};

struct udp {
    int epoll_fd;
    int watched_fd;        /* -1: none */
    bool is_watched_ready; /* at the last wait */
    struct udp_ports ports;
    size_t carrier_count;
    struct ipv4 *carriers;
    struct udp_socket *sockets; /* two per carrier, then the wildcard */
    bool uses_wildcard;
    int wildcard_error; /* errno of the last try to bind it; 0: none */
    size_t receive_buffer_bytes;

    struct epoll_event ready[UDP_BATCH];
    size_t ready_count, ready_at;
    uint64_t turn, wait_began_ns;
    bool ready_was_cut;          /* more sockets than `ready` holds may have been readable */
    uint64_t real_minus_mono_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, of this turn; wraps */
    struct udp_rx_facts facts;
    struct udp_icmp icmp[UDP_ICMP_MAX];
    size_t icmp_count;

    struct mmsghdr messages[UDP_BATCH];
    struct udp_slot slots[UDP_BATCH];
};

static inline size_t udp_socket_count(const struct udp *udp)
{
    return udp->carrier_count * LANE_PORT_COUNT + 1;
}

static inline size_t udp_wildcard_index(const struct udp *udp)
{
    return udp->carrier_count * LANE_PORT_COUNT;
}

static inline size_t udp_socket_index(size_t carrier, enum lane_port port)
{
    return carrier * LANE_PORT_COUNT + (size_t)port;
}

/* Empties the socket's error queue, and with it the errno that waits for the next call; false: it
 * was empty. */
bool udp_read_errors(struct udp *udp, const struct udp_socket *s);

/* The kernel's counter of a socket went on; it wraps, and messages carry older values. */
void udp_note_drops(struct udp *udp, struct udp_socket *s, uint32_t drops);
