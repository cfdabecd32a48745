/* SPDX-License-Identifier: MIT */
#include "common/clock.h"

#include <assert.h>
#include <time.h>

#include "common/attrs.h"

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    int rc = clock_gettime(clock, &now);

    assert(rc == 0); /* these clocks exist on every kernel we run on */
    (void)rc;
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boottime_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_realtime_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

void clock_wait_until_ns(uint64_t monotonic_ns, bool spins)
{
    const struct timespec at = {.tv_sec = (time_t)(monotonic_ns / NS_PER_S),
                                .tv_nsec = (long)(monotonic_ns % NS_PER_S)};
    while (clock_monotonic_ns() < monotonic_ns) {
        if (!spins) {
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); /* EINTR: again */
        }
    }
}
