/* SPDX-License-Identifier: MIT */
/* ICMP errors that answer what was sent: the kernel's error queue (IP_RECVERR). */
#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"

#include <linux/errqueue.h>
#include <string.h>

enum { ERRORS_PER_TURN = 64 };

static void note(struct udp *udp, const struct msghdr *header, const struct sockaddr_in *to)
{
    /* CMSG_NXTHDR() changes nothing, but wants to. */
    struct msghdr h = *header;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c)) {
        struct sock_extended_err error;
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) {
            continue;
        }
        memcpy(&error, CMSG_DATA(c), sizeof(error));
        if (error.ee_origin == SO_EE_ORIGIN_ICMP && udp->icmp_count < UDP_ICMP_MAX) {
            udp->icmp[udp->icmp_count++] = (struct udp_icmp){.type = error.ee_type,
                                                             .code = error.ee_code,
                                                             .destination.be = to->sin_addr.s_addr};
        }
    }
}

bool udp_read_errors(struct udp *udp, const struct udp_socket *s)
{
    unsigned count = 0;
    for (; count < ERRORS_PER_TURN; count++) {
        struct sockaddr_in to = {.sin_family = AF_INET};
        uint8_t byte;
        _Alignas(8) uint8_t control[512];
        struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
        struct msghdr header = {.msg_name = &to,
                                .msg_namelen = sizeof(to),
                                .msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control,
                                .msg_controllen = sizeof(control)};
        if (recvmsg(s->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            break; /* empty */
        }
        note(udp, &header, &to);
    }
    return count > 0;
}

size_t udp_take_icmp(struct udp *udp, struct udp_icmp out[UDP_ICMP_MAX])
{
    size_t count = udp->icmp_count;
    memcpy(out, udp->icmp, count * sizeof(*out));
    udp->icmp_count = 0;
    return count;
}
