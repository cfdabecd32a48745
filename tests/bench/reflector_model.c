/* SPDX-License-Identifier: MIT */
#include "tests/bench/reflector_model.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "proto/dhcp4.h"

enum { BATCH = 64, CONTROL_BYTES = 64 };

#define NS_PER_S        UINT64_C(1000000000)
#define WAIT_LONGEST_NS (NS_PER_S / 20)

struct answer {
    uint64_t leave_at_ns;
    struct sockaddr_in to;
    size_t size; /* 0: nothing to say, but it was work */
    uint8_t bytes[DHCP4_MAX_BYTES];
};

struct server {
    int fd;
    const struct reflector_config *config;
    const struct reflector_model *model;
    struct reflector_totals *totals;
    struct paced_server *m;

    struct answer *answers; /* ring, in the order of leaving */
    size_t room, first, count;
    uint64_t stall_at_ns; /* UINT64_MAX: none to come */
    bool has_begun;

    struct mmsghdr in[BATCH];
    struct iovec in_iov[BATCH];
    struct sockaddr_in from[BATCH];
    _Alignas(8) uint8_t control[BATCH][CONTROL_BYTES];
    uint8_t questions[BATCH][DHCP4_MAX_BYTES];
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- in ---- */

static void prepare(struct server *s)
{
    for (unsigned i = 0; i < BATCH; i++) {
        s->in_iov[i] = (struct iovec){s->questions[i], sizeof(s->questions[i])};
        s->in[i].msg_hdr = (struct msghdr){.msg_name = &s->from[i],
                                           .msg_namelen = sizeof(s->from[i]),
                                           .msg_iov = &s->in_iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = s->control[i],
                                           .msg_controllen = sizeof(s->control[i])};
    }
}

/* The kernel's stamp on our clock; now where there is none, or an impossible one. */
static uint64_t arrived_ns(struct msghdr *header, uint64_t now_ns, uint64_t real_now_ns)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
            uint64_t real_ns = (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec;
            uint64_t age_ns = real_now_ns - real_ns;
            return age_ns < 10 * NS_PER_S ? now_ns - age_ns : now_ns;
        }
    }
    return now_ns;
}

static double cost_of(const struct server *s, uint8_t type)
{
    switch (type) {
    case DHCP4_TYPE_DISCOVER:
        return s->model->discover_cost;
    case DHCP4_TYPE_REQUEST:
        return 1;
    case DHCP4_TYPE_RELEASE:
    case DHCP4_TYPE_DECLINE:
        return s->model->release_cost;
    default:
        return 0;
    }
}

static void take(struct server *s, unsigned index, uint64_t at_ns)
{
    struct reflector_question q;
    if (!reflector_read(s->questions[index], s->in[index].msg_len, &q)) {
        s->totals->malformed++;
        return;
    }
    if (!s->has_begun) {
        s->has_begun = true;
        s->stall_at_ns = s->model->stall_at_ns == 0 ? UINT64_MAX : at_ns + s->model->stall_at_ns;
    }
    bool is_answered = reflector_counts(&q, s->totals);
    uint64_t leave_at_ns = 0;
    if (paced_server_take(s->m, at_ns, cost_of(s, q.type), &leave_at_ns) != PACED_ANSWERED) {
        return;
    }
    assert(s->count < s->room);
    struct answer *a = &s->answers[(s->first + s->count) % s->room];
    a->leave_at_ns = leave_at_ns;
    a->size = 0;
    if (is_answered && reflector_address(s->config, &q, &s->from[index], &a->to)) {
        a->size = reflector_write(s->config, &q, a->bytes);
    } else if (is_answered) {
        s->totals->unreachable++;
    }
    s->count++;
}

/* 0 or -errno. */
static int receive(struct server *s)
{
    prepare(s);
    int received = recvmmsg(s->fd, s->in, BATCH, MSG_DONTWAIT, NULL);
    if (received < 0) {
        return errno == EINTR || errno == EAGAIN || errno == ECONNREFUSED ? 0 : -errno;
    }
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), real_now_ns = clock_ns(CLOCK_REALTIME);
    for (unsigned i = 0; i < (unsigned)received; i++) {
        take(s, i, arrived_ns(&s->in[i].msg_hdr, now_ns, real_now_ns));
    }
    return 0;
}

/* ---- out ---- */

static void send_all(struct server *s, struct mmsghdr *out, unsigned count)
{
    unsigned at = 0;
    while (at < count) {
        int sent = sendmmsg(s->fd, out + at, count - at, 0);
        if (sent > 0) {
            s->totals->sent += (unsigned)sent;
            at += (unsigned)sent;
        } else if (errno != EINTR) {
            s->totals->send_errors++;
            at++; /* the one that could not be sent */
        }
    }
}

static void send_due(struct server *s, uint64_t now_ns)
{
    while (s->count > 0 && s->answers[s->first].leave_at_ns <= now_ns) {
        struct mmsghdr out[BATCH] = {0};
        struct iovec iov[BATCH];
        unsigned count = 0, looked_at = 0;
        while (looked_at < s->count && count < BATCH) {
            struct answer *a = &s->answers[(s->first + looked_at) % s->room];
            if (a->leave_at_ns > now_ns) {
                break;
            }
            if (a->size > 0) {
                iov[count] = (struct iovec){a->bytes, a->size};
                out[count].msg_hdr = (struct msghdr){.msg_name = &a->to,
                                                     .msg_namelen = sizeof(a->to),
                                                     .msg_iov = &iov[count],
                                                     .msg_iovlen = 1};
                count++;
            }
            looked_at++;
        }
        send_all(s, out, count);
        s->first = (s->first + looked_at) % s->room;
        s->count -= looked_at;
    }
}

/* ---- time ---- */

static void stall(struct server *s, uint64_t now_ns)
{
    uint64_t for_ns = s->model->stall_for_ns;
    paced_server_stall(s->m, now_ns, for_ns);
    for (size_t i = 0; i < s->count; i++) {
        s->answers[(s->first + i) % s->room].leave_at_ns += for_ns;
    }
}

static void stall_when_due(struct server *s, struct reflector_signals *signals, uint64_t now_ns)
{
    if (now_ns >= s->stall_at_ns || (signals->stall && s->model->stall_for_ns > 0)) {
        stall(s, now_ns);
        signals->stall = 0;
        s->stall_at_ns = now_ns >= s->stall_at_ns ? UINT64_MAX : s->stall_at_ns;
    }
}

static struct timespec wait_until_next(const struct server *s, uint64_t now_ns)
{
    uint64_t next_ns = now_ns + WAIT_LONGEST_NS; /* a signal before the call is noticed then */
    if (s->count > 0 && s->answers[s->first].leave_at_ns < next_ns) {
        next_ns = s->answers[s->first].leave_at_ns;
    }
    next_ns = s->stall_at_ns < next_ns ? s->stall_at_ns : next_ns;
    uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
    return (struct timespec){.tv_nsec = (long)wait_ns};
}

static int turn(struct server *s, struct reflector_signals *signals)
{
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    stall_when_due(s, signals, now_ns);
    send_due(s, now_ns);
    struct timespec wait = wait_until_next(s, now_ns);
    struct pollfd readable = {.fd = s->fd, .events = POLLIN};
    int ready = ppoll(&readable, 1, &wait, NULL);
    if (ready < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    return ready > 0 ? receive(s) : 0;
}

int reflector_model_serve(int fd, const struct reflector_config *config,
                          const struct reflector_model *model, struct reflector_signals *signals,
                          struct reflector_totals *totals, struct paced_server *m)
{
    static struct server s;
    int on = 1;
    s = (struct server){.fd = fd,
                        .config = config,
                        .model = model,
                        .totals = totals,
                        .m = m,
                        .stall_at_ns = UINT64_MAX};
    /* Waiting for their turn, for their commit, and just received. */
    double grouped = model->capacity.per_s * (double)model->capacity.commit_ns / 1e9;
    s.room = model->capacity.queue + 2 * (size_t)grouped + 4 * BATCH;
    s.answers = calloc(s.room, sizeof(*s.answers));
    int rc = s.answers != NULL && paced_server_init(m, &model->capacity) ? 0 : -ENOMEM;
    if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0) {
        rc = -errno;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* answers leave when they should */
    while (rc == 0 && !signals->stopped) {
        rc = turn(&s, signals);
    }
    free(s.answers);
    return rc;
}
