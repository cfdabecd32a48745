/* SPDX-License-Identifier: MIT */
/*
 * What netlink answers to the observer's three questions: which UDP sockets, which packet
 * sockets, which queueing disciplines. One datagram at a time; sizes and offsets are checked. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum netlink_end {
    NETLINK_GOES_ON,
    NETLINK_DONE,   /* the dump is complete */
    NETLINK_REFUSED /* the kernel's error is in out_errno */
};

/* A socket of the host, from INET_DIAG or PACKET_DIAG with its memory. */
struct socket_seen {
    uint64_t inode;
    uint16_t port;   /* UDP: the local one; a packet socket: 0 */
    bool is_raw;     /* packet socket: SOCK_RAW */
    bool has_ring;   /* packet socket: mapped, as captures have it */
    bool has_memory; /* the three below are known */
    uint32_t queue_bytes, room_bytes, drops;
};

/* The drops of one interface's queueing disciplines. */
struct qdisc_seen {
    uint32_t interface;
    uint32_t parent; /* TC_H_ROOT or another */
    uint32_t drops;
};

typedef void netlink_socket_sink(void *context, const struct socket_seen *seen);
typedef void netlink_qdisc_sink(void *context, const struct qdisc_seen *seen);

/* A message that is cut off, or of another kind or sequence, is passed over. */
enum netlink_end netlink_read_udp(const uint8_t *bytes, size_t size, uint32_t seq,
                                  netlink_socket_sink *sink, void *context, int *out_errno);
enum netlink_end netlink_read_packet(const uint8_t *bytes, size_t size, uint32_t seq,
                                     netlink_socket_sink *sink, void *context, int *out_errno);
enum netlink_end netlink_read_qdiscs(const uint8_t *bytes, size_t size, uint32_t seq,
                                     netlink_qdisc_sink *sink, void *context, int *out_errno);
