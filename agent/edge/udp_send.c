/* SPDX-License-Identifier: MIT */
#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/clock.h"

enum { ICMP_TRIES = 8 };

/* The wildcard takes the place of every (addr,68), see udp_use_wildcard(). */
static size_t leaves_from(const struct udp *udp, const struct lane_out *out)
{
    if (out->port == LANE_PORT_CLIENT && udp->uses_wildcard) {
        return udp_wildcard_index(udp);
    }
    size_t index = udp_socket_index(out->carrier, out->port);
    size_t connected = udp_connected_index(udp, index);
    return udp->sockets[connected].fd >= 0 && inet_equal(out->destination, udp->server) ? connected
                                                                                        : index;
}

/* Its source is the client's own address, or the carrier's where the socket does not say it. */
static bool needs_source(const struct udp *udp, const struct lane_out *out)
{
    return !inet_is_zero(out->source) || (udp->uses_wildcard && out->port == LANE_PORT_CLIENT &&
                                          out->carrier < udp->carrier_count);
}

static void set_source(const struct udp *udp, const struct lane_out *out, struct udp_slot *slot,
                       struct msghdr *header)
{
    struct ipv4 source = inet_is_zero(out->source) ? udp->carriers[out->carrier] : out->source;
    header->msg_control = slot->control;
    header->msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
    memset(slot->control, 0, sizeof(slot->control));
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    assert(c != NULL);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = source.be};
    memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void fill(struct udp *udp, size_t index, const struct lane_out *out, bool is_connected)
{
    struct udp_slot *slot = &udp->slots[index];
    struct msghdr *header = &udp->messages[index].msg_hdr;
    /* sendmmsg() only reads, but struct iovec cannot say so. */
    slot->part = (struct iovec){.iov_base = (void *)(uintptr_t)out->bytes, .iov_len = out->size};
    *header = (struct msghdr){.msg_iov = &slot->part, .msg_iovlen = 1};
    if (!is_connected) {
        slot->address = (struct sockaddr_in){.sin_family = AF_INET,
                                             .sin_port = htons(udp->ports.server),
                                             .sin_addr.s_addr = out->destination.be};
        header->msg_name = &slot->address;
        header->msg_namelen = sizeof(slot->address);
    }
    if (needs_source(udp, out)) {
        set_source(udp, out, slot, header);
    }
}

/*
 * An ICMP error to an earlier packet makes the next call fail, whatever that sends: it is
 * noted, and the packets are sent. Bounded: somebody might send such errors without end.
 */
static int send_run(struct udp *udp, size_t from, unsigned run)
{
    const struct udp_socket *s = &udp->sockets[from];
    for (unsigned tries = 0;; tries++) {
        int rc = sendmmsg(s->fd, udp->messages, run, MSG_DONTWAIT);
        if (rc >= 0) {
            return rc;
        }
        int error = errno;
        if (error != EINTR && (tries >= ICMP_TRIES || !udp_read_errors(udp, s))) {
            errno = error;
            return rc;
        }
    }
}

struct udp_sent udp_send(struct udp *udp, const struct lane_out *out, size_t count)
{
    if (!inet_is_zero(out[0].source) && !udp->uses_wildcard) {
        /* The client's own address is only ours to speak from once the wildcard is bound. */
        return (struct udp_sent){.done = 1,
                                 .error = udp->wildcard_error != 0 ? udp->wildcard_error : ENOTSUP,
                                 .at_ns = clock_monotonic_ns()};
    }
    size_t from = leaves_from(udp, &out[0]);
    unsigned run = 0;
    while (run < UDP_BATCH && run < count && leaves_from(udp, &out[run]) == from &&
           (udp->uses_wildcard || inet_is_zero(out[run].source))) {
        fill(udp, run, &out[run], from > udp_wildcard_index(udp));
        run++;
    }
    struct udp_sent sent = {.at_ns = clock_monotonic_ns()};
    int rc = send_run(udp, from, run);
    if (rc > 0) {
        /* A refusal behind them comes back as the first of the next call. */
        sent.done = (size_t)rc;
    } else {
        sent.done = 1;
        sent.error = rc < 0 ? errno : EIO;
    }
    return sent;
}
