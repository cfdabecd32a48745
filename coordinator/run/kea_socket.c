/* SPDX-License-Identifier: MIT */
#include "coordinator/run/kea_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

enum { ROOM_FIRST = 64 * 1024, BACKLOG_LOOK_MS = 20 };

struct answer {
    char *bytes;
    size_t size, room;
};

/* 0: ready; -ETIMEDOUT. */
static int await(int fd, short events, uint64_t until_ns)
{
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= until_ns) {
            return -ETIMEDOUT;
        }
        uint64_t left_ms = (until_ns - now_ns) / NS_PER_MS + 1;
        struct pollfd p = {.fd = fd, .events = events};
        int rc = poll(&p, 1, left_ms < 1000 ? (int)left_ms : 1000);
        if (rc > 0) {
            return 0;
        }
        if (rc < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

/* A full backlog is no event to wait for: it is looked at again. */
static int dial(const char *path, uint64_t until_ns, int *out_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno == EAGAIN && clock_monotonic_ns() >= until_ns ? ETIMEDOUT : errno;
        if (error != EAGAIN && error != EINTR) {
            close(fd);
            return -error;
        }
        (void)poll(NULL, 0, BACKLOG_LOOK_MS);
    }
    *out_fd = fd;
    return 0;
}

static int say(int fd, const char *text, uint64_t until_ns)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        int rc = sent < 0 ? await(fd, POLLOUT, until_ns) : 0;
        if (rc < 0) {
            return rc;
        }
        text += sent > 0 ? sent : 0;
        left -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int make_room(struct answer *a, size_t bytes_max)
{
    if (a->size < a->room) {
        return 0;
    }
    size_t room = a->room == 0 ? ROOM_FIRST : 2 * a->room;
    /* One byte more than may come shows that more would. */
    room = room > bytes_max + 1 ? bytes_max + 1 : room;
    char *grown = a->size > bytes_max ? NULL : realloc(a->bytes, room);
    if (grown == NULL) {
        return a->size > bytes_max ? -EFBIG : -ENOMEM;
    }
    a->bytes = grown;
    a->room = room;
    return 0;
}

static int hear(int fd, uint64_t until_ns, size_t bytes_max, struct answer *a)
{
    for (;;) {
        int rc = make_room(a, bytes_max);
        rc = rc == 0 ? await(fd, POLLIN, until_ns) : rc;
        if (rc < 0) {
            return rc;
        }
        ssize_t got = recv(fd, a->bytes + a->size, a->room - a->size, 0);
        if (got == 0) {
            return a->size > 0 ? 0 : -EPIPE;
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        a->size += got > 0 ? (size_t)got : 0;
    }
}

int kea_socket_ask(const char *path, const char *question, uint64_t patience_ns, size_t bytes_max,
                   char **out, size_t *out_size)
{
    uint64_t until_ns = clock_monotonic_ns() + patience_ns;
    struct answer answer = {0};
    int fd = -1;
    int rc = dial(path, until_ns, &fd);
    rc = rc == 0 ? say(fd, question, until_ns) : rc;
    rc = rc == 0 ? hear(fd, until_ns, bytes_max, &answer) : rc;
    if (fd >= 0) {
        close(fd);
    }
    if (rc < 0) {
        free(answer.bytes);
        return rc;
    }
    *out = answer.bytes;
    *out_size = answer.size;
    return 0;
}
