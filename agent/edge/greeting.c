/* SPDX-License-Identifier: MIT */
#include "agent/edge/greeting.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/clock.h"

/* ZMTP 3.0 (RFC 23): signature, version, mechanism padded with zeros, as-server, filler. */
enum { GREETING_BYTES = 64, SIGNATURE_BYTES = 10, MECHANISM_AT = 12, MECHANISM_BYTES = 20 };

static const char curve[MECHANISM_BYTES] = "CURVE";

static int left_ms(uint64_t until_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    return now_ns < until_ns ? (int)((until_ns - now_ns) / NS_PER_MS) + 1 : 0;
}

static bool wait_for(int fd, short events, uint64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, left_ms(until_ns)) > 0;
}

/* A connected descriptor, or -errno. */
static int connect_to(const struct addrinfo *to, uint64_t until_ns)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS) {
        error = errno;
    } else if (!wait_for(fd, POLLOUT, until_ns)) {
        error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        error = errno;
    }
    if (error != 0) {
        (void)close(fd); /* nothing was said on it */
        return -error;
    }
    return fd;
}

/*
 * Signature and major version only: libzmq answers with its whole greeting then, and would
 * break off without one if it read a mechanism that it does not have.
 */
static bool send_ours(int fd)
{
    static const uint8_t ours[SIGNATURE_BYTES + 1] = {
        [0] = 0xff, [SIGNATURE_BYTES - 1] = 0x7f, [SIGNATURE_BYTES] = 3};
    return send(fd, ours, sizeof(ours), MSG_NOSIGNAL) == (ssize_t)sizeof(ours);
}

static enum greeting judge(const uint8_t theirs[GREETING_BYTES], size_t size)
{
    bool is_zmtp =
        size >= SIGNATURE_BYTES && theirs[0] == 0xff && (theirs[SIGNATURE_BYTES - 1] & 1) != 0;
    if (size > 0 && (theirs[0] != 0xff || (size >= SIGNATURE_BYTES && !is_zmtp))) {
        return GREETING_NOT_CURVE;
    }
    if (size < MECHANISM_AT + MECHANISM_BYTES) {
        return GREETING_UNKNOWN;
    }
    return memcmp(theirs + MECHANISM_AT, curve, sizeof(curve)) == 0 ? GREETING_CURVE
                                                                    : GREETING_NOT_CURVE;
}

static enum greeting exchange(int fd, uint64_t until_ns)
{
    uint8_t theirs[GREETING_BYTES];
    size_t size = 0;
    (void)send_ours(fd); /* what they say counts, even if they do not listen */
    while (size < sizeof(theirs) && wait_for(fd, POLLIN, until_ns)) {
        ssize_t got = recv(fd, theirs + size, sizeof(theirs) - size, 0);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    return judge(theirs, size);
}

bool greeting_is_name_known(const char *host)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false;
    }
    freeaddrinfo(found);
    return true;
}

enum greeting greeting_ask(const char *host, uint16_t port, int timeout_ms)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return GREETING_NOBODY;
    }
    uint64_t until_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    int fd = connect_to(found, until_ns);
    freeaddrinfo(found);
    if (fd < 0) {
        return fd == -ECONNREFUSED ? GREETING_NOBODY : GREETING_UNKNOWN;
    }
    enum greeting heard = exchange(fd, until_ns);
    (void)close(fd); /* the handshake ends here */
    return heard;
}
