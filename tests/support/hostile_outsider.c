/* SPDX-License-Identifier: MIT */
/* Whoever calls by TCP and has no key. */
#include "tests/support/hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum { OUTSIDERS = 500 };

static int call_by_tcp(const struct hostile_options *o)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, o->host, &to.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Nothing, noise, half a greeting, a greeting without CURVE, or a whole one and then noise. */
static void speak_badly(int fd, uint64_t n)
{
    static const char null_greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL";
    static const char curve_greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE";
    char noise[512];
    randombytes_buf(noise, sizeof(noise));
    ssize_t ignored = 0;
    if (n % 5 == 1) {
        ignored = send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
    } else if (n % 5 == 2) {
        ignored = send(fd, curve_greeting, 17, MSG_NOSIGNAL);
    } else if (n % 5 == 3) {
        ignored = send(fd, null_greeting, sizeof(null_greeting), MSG_NOSIGNAL);
    } else if (n % 5 == 4) {
        ignored = send(fd, curve_greeting, sizeof(curve_greeting), MSG_NOSIGNAL);
        ignored += send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
    }
    (void)ignored; /* whether it got through is the other side's affair */
}

int hostile_outsider(const struct hostile_options *o)
{
    int fd[OUTSIDERS];
    uint64_t until_ns = clock_monotonic_ns() + o->seconds * NS_PER_S, calls = 0, refused = 0;
    for (unsigned i = 0; i < OUTSIDERS; i++) {
        fd[i] = call_by_tcp(o);
        refused += fd[i] < 0;
        calls++;
    }
    while (clock_monotonic_ns() < until_ns) {
        unsigned i = (unsigned)(calls % OUTSIDERS);
        if (fd[i] >= 0) {
            speak_badly(fd[i], calls);
            close(fd[i]);
        }
        fd[i] = call_by_tcp(o);
        refused += fd[i] < 0;
        calls++;
        usleep(2000);
    }
    printf("%s %llu calls without a key, %llu not taken\n", refused < calls ? "ok" : "FAIL",
           (unsigned long long)calls, (unsigned long long)refused);
    return 0;
}
