/* SPDX-License-Identifier: MIT */
/*
 * A preloaded library that lets CLOCK_MONOTONIC and CLOCK_BOOTTIME of one process run fast
 * or slow by LEASEHERD_DRIFT_PPM, as the crystal of another machine would.
 *
 * faketime does not do for this: it moves the monotonic clock to the wall clock's epoch and
 * bends CLOCK_REALTIME, too, but not the kernel's receive stamps, which on a real machine tick
 * with it. Here CLOCK_REALTIME stays what the stamps are taken from.
 *
 * Pivot: the monotonic instant LEASEHERD_DRIFT_FROM_NS, at which the bent clock shows the
 * true one; by default that of the library's loading.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static int64_t from_ns[2]; /* monotonic, boottime */
static double rate;

static int64_t true_ns(clockid_t clock)
{
    struct timespec t = {0};
    (void)syscall(SYS_clock_gettime, clock, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

__attribute__((constructor)) static void begin(void)
{
    const char *ppm = getenv("LEASEHERD_DRIFT_PPM");
    const char *from = getenv("LEASEHERD_DRIFT_FROM_NS");
    int64_t mono_ns = true_ns(CLOCK_MONOTONIC);
    rate = ppm == NULL ? 0 : strtod(ppm, NULL) / 1e6;
    from_ns[0] = from == NULL ? mono_ns : strtoll(from, NULL, 10);
    from_ns[1] = from_ns[0] + true_ns(CLOCK_BOOTTIME) - mono_ns;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    long rc = syscall(SYS_clock_gettime, clock, out);
    if (rc != 0 || (clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)) {
        return (int)rc;
    }
    int64_t ns = (int64_t)out->tv_sec * NS_PER_S + out->tv_nsec;
    ns += (int64_t)((double)(ns - from_ns[clock == CLOCK_BOOTTIME]) * rate);
    out->tv_sec = ns / NS_PER_S;
    out->tv_nsec = ns % NS_PER_S;
    return 0;
}
