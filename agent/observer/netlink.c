/* SPDX-License-Identifier: MIT */
#include "agent/observer/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { DATAGRAM_BYTES = 32 * 1024 };

int netlink_open(int protocol)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return -errno;
    }
    struct timeval wait = {.tv_usec = NETLINK_WAIT_MS * 1000};
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
        int rc = -errno;
        (void)close(fd); /* nothing was asked yet */
        return rc;
    }
    return fd;
}

/* One datagram of the kernel's own: its size, 0: of somebody else, or -errno. */
static ssize_t receive(int fd, uint8_t *out, size_t size)
{
    struct sockaddr_nl from;
    socklen_t from_size = sizeof(from);
    ssize_t got = recvfrom(fd, out, size, 0, (struct sockaddr *)&from, &from_size);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;
    }
    return from_size == sizeof(from) && from.nl_pid == 0 ? got : 0;
}

int netlink_ask(int fd, void *request, size_t size, uint32_t seq, netlink_reader *reader,
                void *context)
{
    struct nlmsghdr head;
    memcpy(&head, request, sizeof(head));
    head.nlmsg_len = (uint32_t)size;
    head.nlmsg_seq = seq;
    memcpy(request, &head, sizeof(head));
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        return -errno;
    }
    uint8_t bytes[DATAGRAM_BYTES];
    for (unsigned i = 0; i < NETLINK_DATAGRAMS_MAX; i++) {
        ssize_t got = receive(fd, bytes, sizeof(bytes));
        int error = 0;
        if (got < 0) {
            return (int)got;
        }
        switch (reader(bytes, (size_t)got, seq, context, &error)) {
        case NETLINK_DONE:
            return 0;
        case NETLINK_REFUSED:
            return error == 0 ? -EPROTO : -error;
        case NETLINK_GOES_ON:
            break;
        }
    }
    return -EMSGSIZE;
}
