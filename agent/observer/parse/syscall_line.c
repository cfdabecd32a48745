/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/syscall_line.h"

#include <string.h>
#include <sys/syscall.h>

#include "common/attrs.h"

/* Of this architecture; the ones that newer architectures lack are left out
 * there. */
static const struct {
    long number;
    enum thread_wait wait;
} calls[] = {
    {SYS_fsync, THREAD_WAIT_FSYNC},
    {SYS_fdatasync, THREAD_WAIT_FSYNC},
    {SYS_sync_file_range, THREAD_WAIT_FSYNC},
    {SYS_msync, THREAD_WAIT_FSYNC},
    {SYS_write, THREAD_WAIT_WRITE},
    {SYS_writev, THREAD_WAIT_WRITE},
    {SYS_pwrite64, THREAD_WAIT_WRITE},
    {SYS_pwritev, THREAD_WAIT_WRITE},
    {SYS_pwritev2, THREAD_WAIT_WRITE},
    {SYS_sendto, THREAD_WAIT_SEND},
    {SYS_sendmsg, THREAD_WAIT_SEND},
    {SYS_sendmmsg, THREAD_WAIT_SEND},
#ifdef SYS_poll
    {SYS_poll, THREAD_WAIT_POLL},
#endif
#ifdef SYS_select
    {SYS_select, THREAD_WAIT_POLL},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, THREAD_WAIT_POLL},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, THREAD_WAIT_POLL},
#endif
    {SYS_ppoll, THREAD_WAIT_POLL},
    {SYS_pselect6, THREAD_WAIT_POLL},
    {SYS_epoll_pwait, THREAD_WAIT_POLL},
    {SYS_futex, THREAD_WAIT_POLL},
    {SYS_nanosleep, THREAD_WAIT_POLL},
    {SYS_clock_nanosleep, THREAD_WAIT_POLL},
    {SYS_restart_syscall, THREAD_WAIT_POLL}, /* of a sleep or poll that was stopped */
    {SYS_rt_sigtimedwait, THREAD_WAIT_POLL},
    {SYS_rt_sigsuspend, THREAD_WAIT_POLL},
    {SYS_recvfrom, THREAD_WAIT_POLL},
    {SYS_recvmsg, THREAD_WAIT_POLL},
    {SYS_recvmmsg, THREAD_WAIT_POLL},
    {SYS_accept, THREAD_WAIT_POLL},
    {SYS_accept4, THREAD_WAIT_POLL},
};

/*
 * "running", or the number of the call and its arguments; "-1 ..." is a thread
 * that sleeps outside of any, as in a page fault.
 */
enum thread_wait thread_wait_of_line(const char *line, size_t size)
{
    static const char running[] = "running";
    if (size >= sizeof(running) - 1 && memcmp(line, running, sizeof(running) - 1) == 0) {
        return THREAD_WAIT_RUNNING;
    }
    long number = 0;
    size_t i = 0;
    for (; i < size && i < 6 && line[i] >= '0' && line[i] <= '9'; i++) {
        number = 10 * number + (line[i] - '0');
    }
    if (i == 0 || i == size || line[i] != ' ') {
        return THREAD_WAIT_OTHER;
    }
    for (size_t k = 0; k < ARRAY_LEN(calls); k++) {
        if (calls[k].number == number) {
            return calls[k].wait;
        }
    }
    return THREAD_WAIT_OTHER;
}

enum thread_wait thread_wait_of_all(const enum thread_wait *of, size_t count)
{
    enum thread_wait first = THREAD_WAIT_POLL;
    for (size_t i = 0; i < count; i++) {
        first = of[i] < first ? of[i] : first;
    }
    return first;
}
