/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-reflector: a DHCP responder without memory, to be faster than any client that is
 * measured against it. What it gives is a function of the question:
 *   DISCOVER -> OFFER, REQUEST -> ACK, INFORM -> ACK; yiaddr = base + low bits of chaddr;
 *   options 53, 54, 51, 58, 59, 1, and 61 and 82 as they came.
 * Plain UDP socket on port 67, recvmmsg and sendmmsg in batches. Not a server: it does not
 * look whether an address was asked for, is free, or is anybody else's.
 */
#include "common/bytes.h"
#include "common/inet.h"
#include "proto/dhcp4.h"
#include "proto/dhcp_names.h"
#include "proto/dhcp_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BATCH = 64, RECEIVE_BUFFER_BYTES = 64 << 20, OPTION_MAX = 255 };
enum { EXIT_USAGE = 2, EXIT_RESOURCE = 6 };

struct config {
    struct ipv4 address;
    struct ipv4_net base;
    uint32_t lease_s;
    bool renew_to_source;
};

struct totals {
    uint64_t discover, request, inform, other, malformed, unreachable;
    uint64_t sent, send_errors;
};

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct sockaddr_in from[BATCH], to[BATCH];
    uint8_t questions[BATCH][DHCP4_MAX_BYTES], answers[BATCH][DHCP4_MAX_BYTES];
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- one question, one answer ---- */

struct question {
    const uint8_t *bytes; /* whole header */
    uint8_t type;
    struct ipv4 ciaddr, giaddr;
    struct dhcp_option client_id, relay_info; /* value NULL: absent */
};

static bool read_question(const uint8_t *bytes, size_t size, struct question *out)
{
    if (size < DHCP4_HEADER_BYTES || bytes[0] != 1) {
        return false;
    }
    *out = (struct question){.bytes = bytes};
    memcpy(&out->ciaddr.be, bytes + 12, 4);
    memcpy(&out->giaddr.be, bytes + 24, 4);
    struct dhcp_option_walk walk = dhcp_option_walk_over(bytes, size);
    struct dhcp_option option;
    while (dhcp_option_next(&walk, &option)) {
        if (option.code == DHCP_OPTION_MESSAGE_TYPE && option.bytes == 1) {
            out->type = option.value[0];
        } else if (option.code == DHCP_OPTION_CLIENT_ID) {
            out->client_id = option;
        } else if (option.code == DHCP_OPTION_RELAY_INFO) {
            out->relay_info = option;
        }
    }
    return !walk.damaged && out->type != DHCP4_TYPE_NONE;
}

static struct ipv4 address_for(const struct config *config, const uint8_t *chaddr)
{
    uint32_t low = bytes_get_u32(chaddr + 2);
    uint32_t host_bits = (uint32_t)(inet_net_size(config->base) - 1);
    return inet_from_host(inet_host(config->base.base) | (low & host_bits));
}

static void write_u32_option(struct byte_writer *w, uint8_t code, uint32_t value)
{
    byte_write_u8(w, code);
    byte_write_u8(w, 4);
    byte_write_u32(w, value);
}

static void echo_option(struct byte_writer *w, const struct dhcp_option *option)
{
    if (option->value != NULL) {
        byte_write_u8(w, option->code);
        byte_write_u8(w, option->bytes);
        byte_write_copy(w, option->value, option->bytes);
    }
}

/* Returns the size of the answer in `out`. */
static size_t write_answer(const struct config *config, const struct question *q, uint8_t *out)
{
    bool gives_lease = q->type != DHCP4_TYPE_INFORM;
    memcpy(out, q->bytes, DHCP4_HEADER_BYTES);
    out[0] = 2;             /* BOOTREPLY */
    memset(out + 8, 0, 2);  /* secs */
    memset(out + 16, 0, 8); /* yiaddr, siaddr */
    if (gives_lease) {
        struct ipv4 yiaddr = address_for(config, q->bytes + 28);
        memcpy(out + 16, &yiaddr.be, 4);
    }
    struct byte_writer w = byte_writer_over(out, DHCP4_MAX_BYTES);
    w.at = DHCP4_HEADER_BYTES;
    byte_write_u8(&w, DHCP_OPTION_MESSAGE_TYPE);
    byte_write_u8(&w, 1);
    byte_write_u8(&w, q->type == DHCP4_TYPE_DISCOVER ? DHCP4_TYPE_OFFER : DHCP4_TYPE_ACK);
    write_u32_option(&w, DHCP_OPTION_SERVER_ID, inet_host(config->address));
    if (gives_lease) {
        write_u32_option(&w, DHCP_OPTION_LEASE_TIME, config->lease_s);
        write_u32_option(&w, DHCP_OPTION_RENEWAL_TIME, config->lease_s / 2);
        write_u32_option(&w, DHCP_OPTION_REBINDING_TIME, config->lease_s - config->lease_s / 8);
    }
    write_u32_option(&w, DHCP_OPTION_SUBNET_MASK, inet_host(inet_net_mask(config->base)));
    echo_option(&w, &q->client_id);
    echo_option(&w, &q->relay_info);
    byte_write_u8(&w, DHCP_OPTION_END);
    if (w.at < DHCP4_MIN_BYTES) {
        byte_write_fill(&w, DHCP_OPTION_PAD, DHCP4_MIN_BYTES - w.at);
    }
    return w.at;
}

/* RFC 2131 4.1; false where only a broadcast could reach the client. */
static bool address_answer(const struct config *config, const struct question *q,
                           const struct sockaddr_in *from, struct sockaddr_in *to)
{
    *to = *from;
    if (!inet_is_zero(q->giaddr) && q->type != DHCP4_TYPE_INFORM) {
        to->sin_addr.s_addr = q->giaddr.be;
        to->sin_port = htons(DHCP4_SERVER_PORT);
        return true;
    }
    if (inet_is_zero(q->ciaddr)) {
        return false;
    }
    if (!config->renew_to_source) {
        to->sin_addr.s_addr = q->ciaddr.be;
        to->sin_port = htons(DHCP4_CLIENT_PORT);
    }
    return true;
}

static bool is_answered(const struct question *q, struct totals *totals)
{
    switch (q->type) {
    case DHCP4_TYPE_DISCOVER:
        totals->discover++;
        return true;
    case DHCP4_TYPE_REQUEST:
        totals->request++;
        return true;
    case DHCP4_TYPE_INFORM:
        totals->inform++;
        return true;
    default:
        totals->other++; /* RELEASE, DECLINE: nothing to say */
        return false;
    }
}

/* ---- batches ---- */

static void prepare(struct batch *b)
{
    for (unsigned i = 0; i < BATCH; i++) {
        b->in_iov[i] = (struct iovec){b->questions[i], sizeof(b->questions[i])};
        b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
                                           .msg_namelen = sizeof(b->from[i]),
                                           .msg_iov = &b->in_iov[i],
                                           .msg_iovlen = 1};
        b->out_iov[i] = (struct iovec){b->answers[i], 0};
        b->out[i].msg_hdr = (struct msghdr){.msg_name = &b->to[i],
                                            .msg_namelen = sizeof(b->to[i]),
                                            .msg_iov = &b->out_iov[i],
                                            .msg_iovlen = 1};
    }
}

/* Turns `received` questions into answers; returns how many. */
static unsigned answer_all(const struct config *config, struct batch *b, unsigned received,
                           struct totals *totals)
{
    unsigned count = 0;
    for (unsigned i = 0; i < received; i++) {
        struct question q;
        b->in[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
        if (!read_question(b->questions[i], b->in[i].msg_len, &q)) {
            totals->malformed++;
        } else if (is_answered(&q, totals)) {
            if (address_answer(config, &q, &b->from[i], &b->to[count])) {
                b->out_iov[count].iov_len = write_answer(config, &q, b->answers[count]);
                count++;
            } else {
                totals->unreachable++;
            }
        }
    }
    return count;
}

static void send_all(int fd, struct batch *b, unsigned count, struct totals *totals)
{
    unsigned at = 0;
    while (at < count) {
        int sent = sendmmsg(fd, b->out + at, count - at, 0);
        if (sent > 0) {
            totals->sent += (unsigned)sent;
            at += (unsigned)sent;
        } else if (errno != EINTR) {
            totals->send_errors++;
            at++; /* the one that could not be sent */
        }
    }
}

static int serve(int fd, const struct config *config, struct totals *totals)
{
    static struct batch b;
    prepare(&b);
    while (!stopped) {
        int received = recvmmsg(fd, b.in, BATCH, MSG_WAITFORONE, NULL);
        if (received < 0) {
            if (errno != EINTR && errno != EAGAIN && errno != ECONNREFUSED) {
                return -errno;
            }
            continue;
        }
        send_all(fd, &b, answer_all(config, &b, (unsigned)received, totals), totals);
    }
    return 0;
}

/* ---- set-up ---- */

static int open_socket(struct ipv4 address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int bytes = RECEIVE_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        /* Without the capability: as much as net.core.rmem_max gives. */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    /* A signal between the test of `stopped` and the call is noticed at the latest now. */
    const struct timeval wait = {.tv_usec = 200 * 1000};
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = address.be, .sin_port = htons(DHCP4_SERVER_PORT)};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        return -errno;
    }
    return fd;
}

static void print_totals(int fd, const struct totals *t)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(memory);
    (void)getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size);
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    long long cpu_us = (long long)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 +
                       use.ru_utime.tv_usec + use.ru_stime.tv_usec;
    printf("discover=%llu request=%llu inform=%llu other=%llu malformed=%llu unreachable=%llu "
           "sent=%llu send_errors=%llu receive_drops=%u cpu_us=%lld\n",
           (unsigned long long)t->discover, (unsigned long long)t->request,
           (unsigned long long)t->inform, (unsigned long long)t->other,
           (unsigned long long)t->malformed, (unsigned long long)t->unreachable,
           (unsigned long long)t->sent, (unsigned long long)t->send_errors,
           memory[SK_MEMINFO_DROPS], cpu_us);
}

static int usage(const char *what)
{
    (void)fprintf(stderr,
                  "leaseherd-reflector: %s\n"
                  "usage: leaseherd-reflector --address A --base NET [--lease S] "
                  "[--renew-to client|source]\n",
                  what);
    return EXIT_USAGE;
}

static bool parse_lease(const char *text, uint32_t *out_s)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < 8 || value > UINT32_MAX) {
        return false;
    }
    *out_s = (uint32_t)value;
    return true;
}

/* NULL, or what is wrong. */
static const char *parse_options(int argc, char **argv, struct config *config)
{
    static const struct option options[] = {{"address", required_argument, NULL, 'a'},
                                            {"base", required_argument, NULL, 'b'},
                                            {"lease", required_argument, NULL, 'l'},
                                            {"renew-to", required_argument, NULL, 'r'},
                                            {0}};
    bool has_address = false, has_base = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'a':
            has_address = inet_parse(optarg, &config->address);
            break;
        case 'b':
            has_base = inet_parse_net(optarg, &config->base);
            break;
        case 'l':
            if (!parse_lease(optarg, &config->lease_s)) {
                return "--lease is seconds, at least 8";
            }
            break;
        case 'r':
            config->renew_to_source = strcmp(optarg, "source") == 0;
            if (!config->renew_to_source && strcmp(optarg, "client") != 0) {
                return "--renew-to is 'client' (ciaddr, port 68) or 'source'";
            }
            break;
        default:
            return "unknown option";
        }
    }
    if (!has_address || !has_base || optind != argc) {
        return "--address A and --base NET are needed, as 10.0.0.1 and 10.128.0.0/10";
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct config config = {.lease_s = 3600};
    const char *wrong = parse_options(argc, argv, &config);
    if (wrong != NULL) {
        return usage(wrong);
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);

    char text[IPV4_TEXT_BYTES];
    int fd = open_socket(config.address);
    if (fd < 0) {
        (void)fprintf(stderr, "leaseherd-reflector: %s port 67: %s\n",
                      inet_text(config.address, text), strerror(-fd));
        return EXIT_RESOURCE;
    }
    struct totals totals = {0};
    int result = serve(fd, &config, &totals);
    print_totals(fd, &totals);
    if (result != 0) {
        (void)fprintf(stderr, "leaseherd-reflector: receive: %s\n", strerror(-result));
        return EXIT_RESOURCE;
    }
    return 0;
}
