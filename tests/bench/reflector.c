/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-reflector: a DHCP responder without memory, to be faster than any client that is
 * measured against it. What it gives is a function of the question:
 *   DISCOVER -> OFFER, REQUEST -> ACK, INFORM -> ACK; yiaddr = base + low bits of chaddr;
 *   options 53, 54, 51, 58, 59, 1, and 61 and 82 as they came.
 * Plain UDP socket on port 67, recvmmsg and sendmmsg in batches. Not a server: it does not
 * look whether an address was asked for, is free, or is anybody else's.
 * With --capacity or a stall it answers when a server of that capacity would (reflector_model.h).
 */
#include "common/inet.h"
#include "proto/dhcp4.h"
#include "tests/bench/reflector_answer.h"
#include "tests/bench/reflector_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BATCH = 64, RECEIVE_BUFFER_BYTES = 64 << 20 };
enum { EXIT_USAGE = 2, EXIT_RESOURCE = 6 };

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec in_iov[BATCH], out_iov[BATCH];
    struct sockaddr_in from[BATCH], to[BATCH];
    uint8_t questions[BATCH][DHCP4_MAX_BYTES], answers[BATCH][DHCP4_MAX_BYTES];
};

static struct reflector_signals signals;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        signals.stall = 1;
    } else {
        signals.stopped = 1;
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
static unsigned answer_all(const struct reflector_config *config, struct batch *b,
                           unsigned received, struct reflector_totals *totals)
{
    unsigned count = 0;
    for (unsigned i = 0; i < received; i++) {
        struct reflector_question q;
        b->in[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
        if (!reflector_read(b->questions[i], b->in[i].msg_len, &q)) {
            totals->malformed++;
        } else if (reflector_counts(&q, totals)) {
            if (reflector_address(config, &q, &b->from[i], &b->to[count])) {
                b->out_iov[count].iov_len = reflector_write(config, &q, b->answers[count]);
                count++;
            } else {
                totals->unreachable++;
            }
        }
    }
    return count;
}

static void send_all(int fd, struct batch *b, unsigned count, struct reflector_totals *totals)
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

static int serve(int fd, const struct reflector_config *config, struct reflector_totals *totals)
{
    static struct batch b;
    prepare(&b);
    while (!signals.stopped) {
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
    /* A signal between the test of `signals.stopped` and the call is noticed at the latest now. */
    const struct timeval wait = {.tv_usec = 200 * 1000};
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = address.be, .sin_port = htons(DHCP4_SERVER_PORT)};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        return -errno;
    }
    return fd;
}

static void print_totals(int fd, const struct reflector_totals *t)
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

static void print_model(const struct paced_server *m)
{
    printf("answered=%llu commits=%.2f queue_drops=%llu stall_losses=%llu\n",
           (unsigned long long)m->fates[PACED_ANSWERED], m->work,
           (unsigned long long)m->fates[PACED_QUEUE_FULL],
           (unsigned long long)m->fates[PACED_LOST_IN_STALL]);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
}

int main(int argc, char **argv)
{
    struct reflector_options options;
    const char *wrong = reflector_options_parse(argc, argv, &options);
    if (wrong != NULL) {
        (void)fprintf(stderr, "leaseherd-reflector: %s\n%s", wrong, reflector_usage);
        return EXIT_USAGE;
    }
    catch_signals();
    char text[IPV4_TEXT_BYTES];
    int fd = open_socket(options.config.address);
    if (fd < 0) {
        (void)fprintf(stderr, "leaseherd-reflector: %s port 67: %s\n",
                      inet_text(options.config.address, text), strerror(-fd));
        return EXIT_RESOURCE;
    }
    struct reflector_totals totals = {0};
    struct paced_server model = {0};
    int result = options.is_modelled ? reflector_model_serve(fd, &options.config, &options.model,
                                                             &signals, &totals, &model)
                                     : serve(fd, &options.config, &totals);
    print_totals(fd, &totals);
    if (options.is_modelled) {
        print_model(&model);
    }
    paced_server_fini(&model);
    if (result != 0) {
        (void)fprintf(stderr, "leaseherd-reflector: %s\n", strerror(-result));
        return EXIT_RESOURCE;
    }
    return 0;
}
