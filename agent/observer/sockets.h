/* SPDX-License-Identifier: MIT */
/*
 * The queues in front of the server: its UDP sockets of port 67 and its packet sockets, where
 * dhcpd, and Kea unless told otherwise, take their messages from; and the queueing disciplines
 * behind it. By netlink, in the observer's own network namespace.
 *
 * Whose a socket is, is known where /proc/PID/fd may be read. Elsewhere UDP sockets of port 67, and
 * packet sockets as a DHCP server has them (raw, not mapped as captures are), are taken for its.
 * Edge. One thread.
 */
#pragma once

#include "agent/observer/parse/tally.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

enum { SOCKETS_INODES_MAX = 4096, SOCKETS_LINKS_MAX = 256 };

struct sockets {
    int diag_fd, route_fd; /* -errno: it could not be opened */
    uint32_t seq;
    uint64_t instance; /* whose tallies these are */
    struct tally udp_drops, packet_drops;
    struct tally queue_drops; /* by interface; the host's, not the server's */
    bool is_guessed;          /* whose the sockets are, at the last look */
};

void sockets_open(struct sockets *s);
void sockets_close(struct sockets *s);
/* The metrics udp67_*, packet_socket_* and queue_drops. */
void sockets_observe(struct sockets *s, const struct observer_target *target,
                     struct observation *out);
