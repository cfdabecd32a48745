/* SPDX-License-Identifier: MIT */
#include "agent/edge/lane_usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/attrs.h"

int lane_usage_open(void)
{
    return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

/* "ran_ns waited_ns slices". No slice, although it runs: this kernel does not count. */
static bool read_waited(int fd, uint64_t *out_ns)
{
    char text[96];
    ssize_t got = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
    uint64_t ran_ns = 0, waited_ns = 0, slices = 0;
    if (got <= 0) {
        return false;
    }
    text[got] = '\0';
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &ran_ns, &waited_ns, &slices) != 3 ||
        slices == 0) {
        return false;
    }
    *out_ns = waited_ns;
    return true;
}

void lane_usage_read(int fd, struct lane_usage *out)
{
    struct rusage usage;
    *out = (struct lane_usage){0};
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        uint64_t s = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
        uint64_t us = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
        out->cpu_ns = s * NS_PER_S + us * NS_PER_US;
        out->switches = (uint64_t)usage.ru_nivcsw;
    }
    out->is_waited_known = read_waited(fd, &out->waited_ns);
}
