/* SPDX-License-Identifier: MIT */
/* Sockets that are connected to the only server, beside those that anybody may answer to. */
#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"

#include <arpa/inet.h>
#include <unistd.h>

/* Beyond that the kernel's search among the sockets of one port costs more than it saves. */
enum { CONNECTED_MAX = 128 };

static bool set_shared(int fd, int is_shared)
{
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_shared, sizeof(is_shared)) == 0;
}

/*
 * The place is ours alone since the first one was bound; it is shared while the second one takes
 * its place, and then no more. What comes to the second before it is connected is received like
 * anything else: with the address it came from.
 */
static bool bind_beside(const struct udp *udp, const struct udp_socket *first, int fd)
{
    struct sockaddr_in here = udp_bind_address(udp, first);
    const struct sockaddr_in there = {.sin_family = AF_INET,
                                      .sin_port = htons(udp->ports.server),
                                      .sin_addr.s_addr = udp->server.be};
    bool is_bound = set_shared(first->fd, 1) && set_shared(fd, 1) &&
                    bind(fd, (const struct sockaddr *)&here, sizeof(here)) == 0 &&
                    connect(fd, (const struct sockaddr *)&there, sizeof(there)) == 0;
    bool is_alone = set_shared(first->fd, 0) && set_shared(fd, 0);
    return is_bound && is_alone;
}

static void connect_one(struct udp *udp, size_t index)
{
    const struct udp_socket *first = &udp->sockets[index];
    struct udp_socket *second = &udp->sockets[udp_connected_index(udp, index)];
    if (first->fd < 0 || second->fd >= 0) {
        return;
    }
    size_t buffer = 0;
    int fd = udp_new_socket(false, &buffer);
    if (fd >= 0 && (!bind_beside(udp, first, fd) || udp_take_socket(udp, second, fd, buffer) < 0)) {
        (void)close(fd); /* nothing was sent on it; the first one serves */
    }
}

void udp_connect_sockets(struct udp *udp)
{
    if (inet_is_zero(udp->server) || udp_wildcard_index(udp) > CONNECTED_MAX) {
        return;
    }
    for (size_t i = 0; i < udp_wildcard_index(udp); i++) {
        connect_one(udp, i);
    }
}

void udp_connect(struct udp *udp, struct ipv4 server)
{
    udp->server = server;
    udp_connect_sockets(udp);
}
