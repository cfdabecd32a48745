/* SPDX-License-Identifier: MIT */
/*
 * The DHCP sockets of one lane. Edge; one thread uses it, another may have
 * opened it before.
 *
 * Each carrying address has two sockets, (addr,67) and (addr,68): a wildcard
 * would share replies with any other listener of the host. For the path
 * `routed`, where ACKs come to the clients' own addresses (AnyIP), one wildcard
 * socket on port 68 with IP_PKTINFO takes the place of all (addr,68), see
 * udp_use_wildcard(). Nothing is shared with another process (no SO_REUSEADDR),
 * nothing is ever broadcast (no SO_BROADCAST).
 *
 * Receive stamps are the kernel's, converted to CLOCK_MONOTONIC by a pair of readings of
 * this turn; one outside [when its socket was last known to be empty: the previous turn, now]
 * is replaced by now and counted (agent/lane/rx_stamp). UDP_GRO is never asked for; where the
 * network card or driver joins datagrams all the same, the kernel takes them apart before our
 * sockets, and those of one super-packet carry its one stamp: of when it was handed on.
 * An answer can so seem later than it came, by one poll of the card, never earlier.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane.h"
#include "common/attrs.h"
#include "common/inet.h"

struct udp;

enum {
    UDP_BATCH = 64, /* messages per recvmmsg() and sendmmsg() */
    UDP_ICMP_MAX = 64,
    UDP_WHY_BYTES = CONTROL_TEXT_BYTES
};

#define UDP_RECEIVE_BUFFER_BYTES (32 * 1024 * 1024)

/* Where the sockets are bound: 67 and 68, in tests others. Destinations are port 67 of it, too. */
struct udp_ports {
    uint16_t server, client;
};
extern const struct udp_ports udp_dhcp_ports;

/*
 * Opens the sockets of carriers[count]; their order is the lane's carrier index.
 * 0 or -errno; `why`: one sentence with address, port and what to do.
 */
NODISCARD int udp_open(const struct ipv4 *carriers, size_t count, struct udp_ports ports,
                       struct udp **out, char why[UDP_WHY_BYTES]);
void udp_close(struct udp *udp); /* NULL is fine */

/*
 * There is one server only: what goes to it, and comes from its port 67, has sockets of its own
 * from now on, connected to it beside the others, because the kernel then looks up no route per
 * packet (a seventh of a DORA's CPU). What comes from elsewhere arrives at the others as ever.
 * Where that is not to be had everything is as without it. Still nobody else can bind there.
 */
void udp_connect(struct udp *udp, struct ipv4 server);

/*
 * Exchanges the (addr,68) sockets for the wildcard socket, or back. On failure
 * the former ones are there again, if they can still be bound. 0 or -errno.
 */
NODISCARD int udp_use_wildcard(struct udp *udp, bool is_wanted);

/* The smallest receive buffer the kernel gave, as it counts it. */
size_t udp_receive_buffer_bytes(const struct udp *udp);

/* udp_wait() also ends when the eventfd is readable, and then takes its count. 0 or -errno. */
NODISCARD int udp_watch(struct udp *udp, int fd);

/* Until something is readable or timeout_ns passed (0: only looks). 0 or -errno. */
NODISCARD int udp_wait(struct udp *udp, uint64_t timeout_ns);

/*
 * Goes on looking, without sleeping, until something is readable or CLOCK_MONOTONIC is there. When
 * the last udp_wait() found something it returns at once. 0 or -errno.
 */
NODISCARD int udp_spin(struct udp *udp, uint64_t until_ns);

/*
 * Next packets of a readable socket, at most UDP_BATCH; 0 when the sockets of
 * the last udp_wait() are empty. Bytes and addresses live until the next call.
 */
size_t udp_receive(struct udp *udp, struct lane_packet out[UDP_BATCH]);

/* What only the edge can know about reception, since the last call. */
struct udp_rx_facts {
    uint64_t drops; /* at our sockets, as the kernel counts them */
    uint64_t stamps_replaced;
    uint64_t truncated;
};
struct udp_rx_facts udp_take_rx_facts(struct udp *udp);
/* Asks every socket for its drops, also those after which nothing was received. */
void udp_poll_drops(struct udp *udp);

/* An ICMP error that answers a packet of ours to `destination`. */
struct udp_icmp {
    uint8_t type, code;
    struct ipv4 destination;
};
/* Those that came since the last call, at most UDP_ICMP_MAX; the rest is forgotten. */
size_t udp_take_icmp(struct udp *udp, struct udp_icmp out[UDP_ICMP_MAX]);

struct udp_sent {
    size_t done;    /* of the packets offered, the first ones are dealt with */
    int error;      /* of the last of them: 0, or the errno with which the kernel refused it */
    uint64_t at_ns; /* CLOCK_MONOTONIC just before they left */
};

/*
 * Sends the longest run of out[0..count) that leaves from one socket, in one
 * call. When the kernel refuses a packet that is the only one dealt with, so
 * each errno belongs to one packet. EAGAIN and ENOBUFS are reported like that,
 * too: whether to try again is the caller's decision.
 */
struct udp_sent udp_send(struct udp *udp, const struct lane_out *out, size_t count);
