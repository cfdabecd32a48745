/* SPDX-License-Identifier: MIT */
#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"

#include <string.h>

#include "agent/lane/rx_stamp.h"
#include "common/clock.h"

/* What the control messages of one datagram say. */
struct facts {
    bool has_stamp, has_drops, has_destination;
    uint64_t real_ns;
    uint32_t drops;
    struct ipv4 destination;
};

static struct facts read_control(struct msghdr *header)
{
    struct facts f;
    memset(&f, 0, sizeof(f));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
            f.real_ns = (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec;
            f.has_stamp = true;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&f.drops, CMSG_DATA(c), sizeof(f.drops));
            f.has_drops = true;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            f.destination.be = info.ipi_addr.s_addr;
            f.has_destination = true;
        }
    }
    return f;
}

/* Receive instant on CLOCK_MONOTONIC; a stamp that cannot be true becomes now. */
static uint64_t stamp_ns(struct udp *udp, const struct udp_socket *s, const struct facts *f,
                         uint64_t now_ns)
{
    const struct rx_stamp_window window = {s->empty_at_ns, now_ns};
    uint64_t at_ns = now_ns;
    if (!f->has_stamp || !rx_stamp_convert(f->real_ns, udp->real_minus_mono_ns, &window, &at_ns)) {
        udp->facts.stamps_replaced++;
    }
    return at_ns;
}

static size_t carrier_of(const struct udp *udp, struct ipv4 destination)
{
    for (size_t i = 0; i < udp->carrier_count; i++) {
        if (inet_equal(udp->carriers[i], destination)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static struct lane_packet packet_of(struct udp *udp, struct udp_socket *s, size_t index,
                                    uint64_t now_ns)
{
    struct msghdr *header = &udp->messages[index].msg_hdr;
    const struct udp_slot *slot = &udp->slots[index];
    struct facts f = read_control(header);
    if (f.has_drops) {
        udp_note_drops(udp, s, f.drops);
    }
    udp->facts.truncated += (header->msg_flags & MSG_TRUNC) != 0;
    struct lane_packet packet = {
        .carrier = s->carrier,
        .port = s->port,
        .source = {.be = slot->address.sin_addr.s_addr},
        .source_port = ntohs(slot->address.sin_port),
        .bytes = slot->bytes,
        .size = udp->messages[index].msg_len,
        .at_ns = stamp_ns(udp, s, &f, now_ns),
    };
    if (s->carrier != SIZE_MAX) {
        packet.destination = udp->carriers[s->carrier];
    } else if (f.has_destination) {
        packet.destination = f.destination;
        packet.carrier = carrier_of(udp, f.destination);
    }
    return packet;
}

static void prepare_slots(struct udp *udp)
{
    for (size_t i = 0; i < UDP_BATCH; i++) {
        struct udp_slot *slot = &udp->slots[i];
        slot->part = (struct iovec){.iov_base = slot->bytes, .iov_len = sizeof(slot->bytes)};
        udp->messages[i].msg_hdr = (struct msghdr){.msg_name = &slot->address,
                                                   .msg_namelen = sizeof(slot->address),
                                                   .msg_iov = &slot->part,
                                                   .msg_iovlen = 1,
                                                   .msg_control = slot->control,
                                                   .msg_controllen = sizeof(slot->control)};
        udp->messages[i].msg_len = 0;
    }
}

/* A full batch leaves the socket in its place: there may be more. */
static size_t receive_from(struct udp *udp, struct udp_socket *s, struct lane_packet out[UDP_BATCH])
{
    prepare_slots(udp);
    uint64_t before_ns = clock_monotonic_ns();
    int got = recvmmsg(s->fd, udp->messages, UDP_BATCH, MSG_DONTWAIT, NULL);
    if (got < 0 && udp_read_errors(udp, s)) { /* it told of an ICMP error, not of a packet */
        got = recvmmsg(s->fd, udp->messages, UDP_BATCH, MSG_DONTWAIT, NULL);
    }
    uint64_t now_ns = clock_monotonic_ns();
    size_t count = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = packet_of(udp, s, i, now_ns);
    }
    if (count < UDP_BATCH) {
        s->empty_at_ns = before_ns;
        udp->ready_at++;
    }
    return count;
}

size_t udp_receive(struct udp *udp, struct lane_packet out[UDP_BATCH])
{
    size_t count = 0;
    while (count == 0 && udp->ready_at < udp->ready_count) {
        struct udp_socket *s = &udp->sockets[udp->ready[udp->ready_at].data.u64];
        if ((udp->ready[udp->ready_at].events & EPOLLERR) != 0 && s->fd >= 0) {
            (void)udp_read_errors(udp, s);
            udp->ready[udp->ready_at].events &= ~(uint32_t)EPOLLERR;
        }
        if (s->fd < 0) {
            udp->ready_at++;
        } else {
            count = receive_from(udp, s, out);
        }
    }
    return count;
}
