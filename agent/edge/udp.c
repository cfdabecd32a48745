/* SPDX-License-Identifier: MIT */
#include "agent/edge/udp.h"
#include "agent/edge/udp_internal.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

enum { SEND_BUFFER_BYTES = 4 * 1024 * 1024 };

/* epoll data of a descriptor that is not one of our sockets. */
#define WATCHED UINT64_MAX

const struct udp_ports udp_dhcp_ports = {DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT};

static int set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

/* SO_RCVBUFFORCE needs CAP_NET_ADMIN; without it net.core.rmem_max is the limit. */
static size_t enlarge_buffers(int fd)
{
    int wanted = UDP_RECEIVE_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    }
    int send = SEND_BUFFER_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
    int got = 0;
    socklen_t size = sizeof(got);
    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &size); /* 0 then: unknown */
    return got > 0 ? (size_t)got : 0;
}

static int configure(int fd, bool is_wildcard)
{
    int rc = set_on(fd, SOL_SOCKET, SO_TIMESTAMPNS);
    if (rc == 0) {
        rc = set_on(fd, SOL_SOCKET, SO_RXQ_OVFL);
    }
    if (rc == 0) {
        rc = set_on(fd, IPPROTO_IP, IP_RECVERR);
    }
    if (rc == 0 && is_wildcard) {
        rc = set_on(fd, IPPROTO_IP, IP_PKTINFO);
    }
    return rc;
}

struct sockaddr_in udp_bind_address(const struct udp *udp, const struct udp_socket *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    in.sin_port = htons(s->port == LANE_PORT_SERVER ? udp->ports.server : udp->ports.client);
    if (s->carrier != SIZE_MAX) {
        in.sin_addr.s_addr = udp->carriers[s->carrier].be;
    }
    return in;
}

int udp_new_socket(bool is_wildcard, size_t *out_receive_buffer_bytes)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    *out_receive_buffer_bytes = enlarge_buffers(fd);
    int rc = configure(fd, is_wildcard);
    if (rc < 0) {
        (void)close(fd); /* nothing was sent on it */
        return rc;
    }
    return fd;
}

int udp_take_socket(struct udp *udp, struct udp_socket *s, int fd, size_t receive_buffer_bytes)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(s - udp->sockets)};
    if (epoll_ctl(udp->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return -errno;
    }
    s->fd = fd;
    s->drops_seen = 0;
    s->empty_at_ns = clock_monotonic_ns();
    if (udp->receive_buffer_bytes == 0 || receive_buffer_bytes < udp->receive_buffer_bytes) {
        udp->receive_buffer_bytes = receive_buffer_bytes;
    }
    return 0;
}

static int open_socket(struct udp *udp, size_t index)
{
    struct udp_socket *s = &udp->sockets[index];
    assert(s->fd < 0);
    size_t buffer = 0;
    int fd = udp_new_socket(s->carrier == SIZE_MAX, &buffer);
    if (fd < 0) {
        return fd;
    }
    struct sockaddr_in in = udp_bind_address(udp, s);
    int rc = bind(fd, (const struct sockaddr *)&in, sizeof(in)) < 0
                 ? -errno
                 : udp_take_socket(udp, s, fd, buffer);
    if (rc < 0) {
        (void)close(fd); /* nothing was sent on it */
    }
    return rc;
}

static void close_socket(struct udp *udp, size_t index)
{
    struct udp_socket *s = &udp->sockets[index];
    if (s->fd >= 0) {
        (void)close(s->fd); /* leaves the epoll set by itself */
        s->fd = -1;
    }
}

static void explain(const struct udp *udp, size_t index, int rc, char why[UDP_WHY_BYTES])
{
    struct sockaddr_in in = udp_bind_address(udp, &udp->sockets[index]);
    unsigned port = ntohs(in.sin_port);
    char text[IPV4_TEXT_BYTES];
    inet_text((struct ipv4){.be = in.sin_addr.s_addr}, text);
    const char *what_to_do = "look at this host's network";
    if (rc == -EADDRINUSE) {
        what_to_do = "another program has it; find it with `ss -ulpn` and stop it, or use another "
                     "address";
    } else if (rc == -EADDRNOTAVAIL) {
        what_to_do = "this host does not have the address; add it to an interface";
    } else if (rc == -EACCES || rc == -EPERM) {
        what_to_do = "run the agent as root or with CAP_NET_BIND_SERVICE";
    } else if (rc == -EMFILE || rc == -ENFILE) {
        what_to_do = "raise the limit of open files (ulimit -n, LimitNOFILE=)";
    }
    (void)snprintf(why, UDP_WHY_BYTES, "cannot bind %s port %u: %s; %s", text, port, strerror(-rc),
                   what_to_do);
}

static int open_carriers(struct udp *udp, char why[UDP_WHY_BYTES])
{
    for (size_t i = 0; i < udp_wildcard_index(udp); i++) {
        int rc = open_socket(udp, i);
        if (rc < 0) {
            explain(udp, i, rc, why);
            return rc;
        }
    }
    return 0;
}

static void name_sockets(struct udp *udp, const struct ipv4 *carriers)
{
    memcpy(udp->carriers, carriers, udp->carrier_count * sizeof(*carriers));
    for (size_t i = 0; i < udp_wildcard_index(udp); i++) {
        const struct udp_socket named = {.fd = -1,
                                         .carrier = i / LANE_PORT_COUNT,
                                         .port = (enum lane_port)(i % LANE_PORT_COUNT)};
        udp->sockets[i] = named;
        udp->sockets[udp_connected_index(udp, i)] = named;
    }
    struct udp_socket *wildcard = &udp->sockets[udp_wildcard_index(udp)];
    wildcard->fd = -1;
    wildcard->carrier = SIZE_MAX;
    wildcard->port = LANE_PORT_CLIENT;
}

int udp_open(const struct ipv4 *carriers, size_t count, struct udp_ports ports, struct udp **out,
             char why[UDP_WHY_BYTES])
{
    (void)snprintf(why, UDP_WHY_BYTES, "out of memory for the DHCP sockets");
    struct udp *udp = calloc(1, sizeof(*udp));
    if (udp == NULL) {
        return -ENOMEM;
    }
    udp->epoll_fd = udp->watched_fd = -1;
    udp->ports = ports;
    udp->carrier_count = count;
    udp->carriers = calloc(count + 1, sizeof(*udp->carriers));
    udp->sockets = calloc(udp_socket_count(udp), sizeof(*udp->sockets));
    int rc = udp->carriers == NULL || udp->sockets == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        name_sockets(udp, carriers);
        udp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        rc = udp->epoll_fd < 0 ? -errno : open_carriers(udp, why);
    }
    if (rc < 0) {
        udp_close(udp);
        return rc;
    }
    *out = udp;
    return 0;
}

void udp_close(struct udp *udp)
{
    if (udp == NULL) {
        return;
    }
    for (size_t i = 0; udp->sockets != NULL && i < udp_socket_count(udp); i++) {
        close_socket(udp, i);
    }
    if (udp->epoll_fd >= 0) {
        (void)close(udp->epoll_fd); /* holds nothing */
    }
    free(udp->sockets);
    free(udp->carriers);
    free(udp);
}

/* All that are of this kind; the first failure is returned, the others are tried all the same. */
static int open_client_sockets(struct udp *udp, bool is_wildcard)
{
    int rc = 0;
    size_t first = is_wildcard ? udp_wildcard_index(udp) : 0;
    size_t end = first + (is_wildcard ? 1 : udp_wildcard_index(udp));
    for (size_t i = first; i < end; i++) {
        if (udp->sockets[i].port == LANE_PORT_CLIENT && udp->sockets[i].fd < 0) {
            int opened = open_socket(udp, i);
            rc = rc < 0 ? rc : opened;
        }
    }
    if (!is_wildcard) {
        udp_connect_sockets(udp);
    }
    return rc;
}

static void close_client_sockets(struct udp *udp)
{
    for (size_t i = 0; i < udp_socket_count(udp); i++) {
        if (udp->sockets[i].port == LANE_PORT_CLIENT) {
            close_socket(udp, i);
        }
    }
}

int udp_use_wildcard(struct udp *udp, bool is_wanted)
{
    if (udp->uses_wildcard == is_wanted) {
        return 0;
    }
    udp_poll_drops(udp); /* a closed socket's counter is gone */
    close_client_sockets(udp);
    udp->ready_count = 0;
    int rc = open_client_sockets(udp, is_wanted);
    udp->wildcard_error = is_wanted ? -rc : 0;
    if (rc < 0) {
        close_client_sockets(udp);
        /* Whatever cannot be bound again refuses its sends with EBADF. */
        (void)open_client_sockets(udp, !is_wanted);
        return rc;
    }
    udp->uses_wildcard = is_wanted;
    return 0;
}

size_t udp_receive_buffer_bytes(const struct udp *udp)
{
    return udp->receive_buffer_bytes;
}

int udp_watch(struct udp *udp, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WATCHED};
    udp->watched_fd = fd;
    return epoll_ctl(udp->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int wait_ns(struct udp *udp, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    int ready = epoll_pwait2(udp->epoll_fd, udp->ready, UDP_BATCH, &timeout, NULL);
    if (ready < 0 && errno == ENOSYS) {
        /* Linux before 5.11: rounded down, so that no timer fires late. */
        uint64_t timeout_ms = timeout_ns / NS_PER_MS;
        ready = epoll_wait(udp->epoll_fd, udp->ready, UDP_BATCH,
                           timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    }
    return ready;
}

/* The two clocks read around each other; the closest of three pairs. */
static uint64_t real_minus_mono_ns(void)
{
    uint64_t best_gap_ns = UINT64_MAX;
    uint64_t best = 0;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before_ns = clock_monotonic_ns();
        uint64_t real_ns = clock_realtime_ns();
        uint64_t gap_ns = clock_monotonic_ns() - before_ns;
        if (gap_ns < best_gap_ns) {
            best_gap_ns = gap_ns;
            best = real_ns - (before_ns + gap_ns / 2);
        }
    }
    return best;
}

/* What was not readable when the previous wait ended was empty after that wait began. */
static void note_empty(const struct udp *udp, struct udp_socket *s, uint64_t previous_began_ns)
{
    bool was_readable = s->ready_turn + 1 == udp->turn;
    if (!was_readable && previous_began_ns > s->empty_at_ns) {
        s->empty_at_ns = previous_began_ns;
    }
    s->ready_turn = udp->turn;
}

static void note_ready(struct udp *udp, int ready, uint64_t began_ns)
{
    bool was_cut = udp->ready_was_cut;
    uint64_t previous_began_ns = was_cut ? 0 : udp->wait_began_ns;
    for (int i = 0; i < ready; i++) {
        if (udp->ready[i].data.u64 == WATCHED) {
            uint64_t count = 0;
            ssize_t ignored = read(udp->watched_fd, &count, sizeof(count)); /* 0: somebody did */
            (void)ignored;
            udp->is_watched_ready = true;
        } else {
            note_empty(udp, &udp->sockets[udp->ready[i].data.u64], previous_began_ns);
            udp->ready[udp->ready_count++] = udp->ready[i];
        }
    }
    udp->ready_was_cut = ready == UDP_BATCH;
    udp->wait_began_ns = began_ns;
}

int udp_wait(struct udp *udp, uint64_t timeout_ns)
{
    udp->ready_count = 0;
    udp->ready_at = 0;
    udp->is_watched_ready = false;
    uint64_t began_ns = clock_monotonic_ns();
    int ready = wait_ns(udp, timeout_ns);
    if (ready < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    udp->turn++;
    note_ready(udp, ready, began_ns);
    if (udp->ready_count > 0) {
        udp->real_minus_mono_ns = real_minus_mono_ns();
    }
    return 0;
}

int udp_spin(struct udp *udp, uint64_t until_ns)
{
    int rc = 0;
    while (rc == 0 && udp->ready_count == 0 && !udp->is_watched_ready &&
           clock_monotonic_ns() < until_ns) {
        rc = udp_wait(udp, 0);
    }
    return rc;
}

void udp_note_drops(struct udp *udp, struct udp_socket *s, uint32_t drops)
{
    uint32_t more = drops - s->drops_seen;
    if (more != 0 && more < UINT32_MAX / 2) {
        udp->facts.drops += more;
        s->drops_seen = drops;
    }
}

void udp_poll_drops(struct udp *udp)
{
    for (size_t i = 0; i < udp_socket_count(udp); i++) {
        struct udp_socket *s = &udp->sockets[i];
        uint32_t info[SK_MEMINFO_VARS] = {0};
        socklen_t size = sizeof(info);
        if (s->fd >= 0 && getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
            size > SK_MEMINFO_DROPS * sizeof(info[0])) {
            udp_note_drops(udp, s, info[SK_MEMINFO_DROPS]);
        }
    }
}

struct udp_rx_facts udp_take_rx_facts(struct udp *udp)
{
    struct udp_rx_facts taken = udp->facts;
    memset(&udp->facts, 0, sizeof(udp->facts));
    return taken;
}
