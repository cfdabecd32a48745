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
    struct udp_socket *sockets; /* two per carrier, the wildcard, two per carrier connected */
    struct ipv4 server;         /* that those are connected to; zero: there are none */
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
    return 2 * udp->carrier_count * LANE_PORT_COUNT + 1;
}

static inline size_t udp_wildcard_index(const struct udp *udp)
{
    return udp->carrier_count * LANE_PORT_COUNT;
}

static inline size_t udp_socket_index(size_t carrier, enum lane_port port)
{
    return carrier * LANE_PORT_COUNT + (size_t)port;
}

/* The one beside the socket at `index` < udp_wildcard_index() that is connected, or not open. */
static inline size_t udp_connected_index(const struct udp *udp, size_t index)
{
    return udp_wildcard_index(udp) + 1 + index;
}

/* udp_connect.c: makes what is missing of the connected ones, where there is a server for them. */
void udp_connect_sockets(struct udp *udp);
/* udp.c: a new socket with our options, not bound; or -errno. */
int udp_new_socket(bool is_wildcard, size_t *out_receive_buffer_bytes);
struct sockaddr_in udp_bind_address(const struct udp *udp, const struct udp_socket *s);
/* udp.c: the descriptor, bound, is `s` from now on. 0 or -errno, and it is not. */
int udp_take_socket(struct udp *udp, struct udp_socket *s, int fd, size_t receive_buffer_bytes);

/* Empties the socket's error queue, and with it the errno that waits for the next call; false: it
 * was empty. */
bool udp_read_errors(struct udp *udp, const struct udp_socket *s);

/* The kernel's counter of a socket went on; it wraps, and messages carry older values. */
void udp_note_drops(struct udp *udp, struct udp_socket *s, uint32_t drops);
