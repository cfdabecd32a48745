/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-flood: the bare capability of a responder, and the bound no client can beat on this
 * machine: DORAs as fast as a window lets them through, from templates, without any client
 * state. An exchange is a slot of the window (low bits of the xid) and a generation (high
 * bits); one that is silent for a second is counted lost and its slot begins anew.
 *
 * Relays as perfdhcp does: giaddr is the local address, the hops 1, both ports 67. Understands
 * only leaseherd-reflector and servers that put option 53 first.
 */
#include "common/bytes.h"
#include "common/inet.h"
#include "proto/dhcp4.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, WINDOW_MAX = 4096, SLOT_BITS = 12, BUFFER_BYTES = 32 << 20 };
enum { YIADDR_AT = 16, XID_AT = 4, TYPE_AT = DHCP4_HEADER_BYTES + 2 };
enum { EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_RESOURCE = 6 };

struct config {
    struct ipv4 local, server;
    uint32_t window, clients, seconds;
};

struct slot {
    uint32_t xid;
    uint32_t client;
    uint64_t started_at_ns;
};

struct flood {
    struct config config;
    int fd;
    struct dhcp4_template discover, request;
    struct slot slots[WINDOW_MAX];
    uint32_t next_client, generation;
    uint64_t now_ns, done, lost, strange, send_errors;
    struct mmsghdr out[BATCH], in[BATCH];
    struct iovec out_iov[BATCH], in_iov[BATCH];
    uint8_t out_bytes[BATCH][DHCP4_MAX_BYTES], in_bytes[BATCH][DHCP4_MAX_BYTES];
    unsigned queued;
};

static uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void flush(struct flood *f)
{
    unsigned at = 0;
    while (at < f->queued) {
        int sent = sendmmsg(f->fd, f->out + at, f->queued - at, 0);
        if (sent > 0) {
            at += (unsigned)sent;
        } else if (errno != EINTR) {
            f->send_errors++;
            at++;
        }
    }
    f->queued = 0;
}

static void queue(struct flood *f, const struct dhcp4_template *t, const struct slot *slot,
                  struct ipv4 requested)
{
    struct dhcp4_fill fill = {.xid = slot->xid,
                              .requested_ip = requested,
                              .server_id = f->config.server,
                              .chaddr = {{0x02, 0x1f}}};
    bytes_put_u32(fill.chaddr.byte + 2, slot->client);
    dhcp4_template_fill(t, &fill, f->out_bytes[f->queued]);
    f->out_iov[f->queued].iov_len = t->size;
    if (++f->queued == BATCH) {
        flush(f);
    }
}

static void start_exchange(struct flood *f, uint32_t index)
{
    struct slot *slot = &f->slots[index];
    slot->xid = f->generation++ << SLOT_BITS | index;
    slot->client = f->next_client++ % f->config.clients;
    slot->started_at_ns = f->now_ns;
    queue(f, &f->discover, slot, (struct ipv4){0});
}

static void take(struct flood *f, const uint8_t *bytes, size_t size)
{
    if (size <= TYPE_AT) {
        f->strange++;
        return;
    }
    uint32_t xid = bytes_get_u32(bytes + XID_AT);
    uint32_t index = xid & (WINDOW_MAX - 1);
    if (index >= f->config.window || f->slots[index].xid != xid) {
        f->strange++; /* of an exchange that was given up */
        return;
    }
    if (bytes[TYPE_AT] == DHCP4_TYPE_OFFER) {
        struct ipv4 yiaddr;
        memcpy(&yiaddr.be, bytes + YIADDR_AT, 4);
        queue(f, &f->request, &f->slots[index], yiaddr);
    } else if (bytes[TYPE_AT] == DHCP4_TYPE_ACK) {
        f->done++;
        start_exchange(f, index);
    } else {
        f->strange++;
    }
}

static void give_up_the_silent(struct flood *f)
{
    for (uint32_t i = 0; i < f->config.window; i++) {
        if (f->now_ns - f->slots[i].started_at_ns > NS_PER_S) {
            f->lost++;
            start_exchange(f, i);
        }
    }
}

static void run(struct flood *f)
{
    f->now_ns = clock_ns();
    uint64_t end_ns = f->now_ns + f->config.seconds * NS_PER_S;
    uint64_t sweep_at_ns = f->now_ns + 100 * NS_PER_MS;
    for (uint32_t i = 0; i < f->config.window; i++) {
        start_exchange(f, i);
    }
    flush(f);
    while (f->now_ns < end_ns) {
        int received = recvmmsg(f->fd, f->in, BATCH, MSG_WAITFORONE, NULL);
        f->now_ns = clock_ns();
        for (int i = 0; i < received; i++) {
            take(f, f->in_bytes[i], f->in[i].msg_len);
        }
        if (f->now_ns >= sweep_at_ns) {
            sweep_at_ns = f->now_ns + 100 * NS_PER_MS;
            give_up_the_silent(f);
        }
        flush(f);
    }
}

/* ---- set-up ---- */

static int open_socket(const struct config *config)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int bytes = BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    const struct timeval wait = {.tv_usec = 50 * 1000}; /* a silent responder must not hold us */
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = config->local.be,
                               .sin_port = htons(DHCP4_SERVER_PORT)};
    struct sockaddr_in there = here;
    there.sin_addr.s_addr = config->server.be;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0 ||
        connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0) {
        return -errno;
    }
    return fd;
}

static bool prepare(struct flood *f)
{
    struct dhcp4_relay_part relay = {.giaddr = f->config.local};
    for (unsigned i = 0; i < BATCH; i++) {
        f->out_iov[i] = (struct iovec){f->out_bytes[i], 0};
        f->out[i].msg_hdr = (struct msghdr){.msg_iov = &f->out_iov[i], .msg_iovlen = 1};
        f->in_iov[i] = (struct iovec){f->in_bytes[i], sizeof(f->in_bytes[i])};
        f->in[i].msg_hdr = (struct msghdr){.msg_iov = &f->in_iov[i], .msg_iovlen = 1};
    }
    return dhcp4_template_make(DHCP4_DISCOVER, &dhcp4_profile_dhclient, &relay, &f->discover) &&
           dhcp4_template_make(DHCP4_REQUEST, &dhcp4_profile_dhclient, &relay, &f->request);
}

static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_options(int argc, char **argv, struct config *config)
{
    static const struct option options[] = {
        {"local", required_argument, NULL, 'l'},   {"server", required_argument, NULL, 's'},
        {"window", required_argument, NULL, 'w'},  {"clients", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'}, {0}};
    bool has_local = false, has_server = false, fine = true;
    for (int c; fine && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'l':
            fine = has_local = inet_parse(optarg, &config->local);
            break;
        case 's':
            fine = has_server = inet_parse(optarg, &config->server);
            break;
        case 'w':
            fine = parse_number(optarg, 1, WINDOW_MAX, &config->window);
            break;
        case 'c':
            fine = parse_number(optarg, 1, UINT32_MAX, &config->clients);
            break;
        case 't':
            fine = parse_number(optarg, 1, 3600, &config->seconds);
            break;
        default:
            fine = false;
        }
    }
    return fine && has_local && has_server && optind == argc;
}

static double cpu_seconds(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void print_result(const struct flood *f, double wall_s, double cpu_s)
{
    double done = (double)f->done;
    printf("{\"dora\": %llu, \"seconds\": %.3f, \"dora_per_s\": %.0f, \"lost\": %llu, "
           "\"strange\": %llu, \"send_errors\": %llu, \"cpu_us_per_dora\": %.2f, "
           "\"cpu_percent\": %.1f}\n",
           (unsigned long long)f->done, wall_s, done / wall_s, (unsigned long long)f->lost,
           (unsigned long long)f->strange, (unsigned long long)f->send_errors,
           f->done > 0 ? cpu_s * 1e6 / done : 0.0, 100 * cpu_s / wall_s);
}

int main(int argc, char **argv)
{
    static struct flood f = {.config = {.window = 1024, .clients = 1000000, .seconds = 3}};
    if (!parse_options(argc, argv, &f.config)) {
        (void)fprintf(stderr,
                      "usage: leaseherd-flood --local A --server A [--window 1..%d] "
                      "[--clients N] [--seconds S]\n",
                      WINDOW_MAX);
        return EXIT_USAGE;
    }
    f.fd = open_socket(&f.config);
    if (f.fd < 0 || !prepare(&f)) {
        (void)fprintf(stderr, "leaseherd-flood: port 67: %s\n",
                      strerror(f.fd < 0 ? -f.fd : EMSGSIZE));
        return EXIT_RESOURCE;
    }
    double cpu_before_s = cpu_seconds();
    uint64_t before_ns = clock_ns();
    run(&f);
    print_result(&f, (double)(clock_ns() - before_ns) / 1e9, cpu_seconds() - cpu_before_s);
    return f.done > 0 ? 0 : EXIT_FAIL;
}
