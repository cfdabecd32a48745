/* SPDX-License-Identifier: MIT */
/* Which system calls a role may make: a list of what it needs, so that the next new call of a
 * kernel is refused without being known here. */
#include "common/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* Calls whose arguments do not matter. Names that an architecture lacks are passed over. */
static const int of_everybody[] = {
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mincore), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect), SCMP_SYS(mremap),
    SCMP_SYS(msync), SCMP_SYS(munlock), SCMP_SYS(munmap),
    /* threads, signals, the end */
    SCMP_SYS(arch_prctl), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex),
    SCMP_SYS(futex_time64), SCMP_SYS(get_robust_list), SCMP_SYS(getpid), SCMP_SYS(getppid),
    SCMP_SYS(gettid), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigtimedwait_time64),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address), SCMP_SYS(sigaltstack), SCMP_SYS(signalfd), SCMP_SYS(signalfd4),
    SCMP_SYS(sigreturn), SCMP_SYS(tgkill),
    /* who and where we are */
    SCMP_SYS(capget), SCMP_SYS(getcwd), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getgroups), SCMP_SYS(getpgrp), SCMP_SYS(getrandom), SCMP_SYS(getresgid),
    SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getuid),
    SCMP_SYS(sysinfo), SCMP_SYS(times), SCMP_SYS(uname),
    /* time */
    SCMP_SYS(clock_getres), SCMP_SYS(clock_getres_time64), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep), SCMP_SYS(time), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime),
    /* waiting */
    SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(pselect6), SCMP_SYS(pselect6_time64),
    SCMP_SYS(select),
    /* files; which ones is the file system's and Landlock's to say */
    SCMP_SYS(_llseek), SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64),
    SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(fstatat64),
    SCMP_SYS(fstatfs), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(readv), SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(statfs), SCMP_SYS(statx),
    SCMP_SYS(write), SCMP_SYS(writev),
    /* sockets; which kinds is asked below */
    SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(recv), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg), SCMP_SYS(recvmmsg_time64), SCMP_SYS(recvmsg), SCMP_SYS(send),
    SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown)};

/* Who keeps files. An observer does not: what it could write to is open, as its log. */
static const int of_writers[] = {
    SCMP_SYS(fallocate), SCMP_SYS(fdatasync),       SCMP_SYS(flock),  SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),     SCMP_SYS(open),   SCMP_SYS(openat),
    SCMP_SYS(pwrite64),  SCMP_SYS(pwritev),         SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(sync_file_range), SCMP_SYS(umask),  SCMP_SYS(unlink),
    SCMP_SYS(unlinkat)};

/* It waits for the helper that lists rules, when that ends. */
static const int of_observer[] = {SCMP_SYS(wait4), SCMP_SYS(waitid)};

/* It is called, it makes files with modes and directories, and ends its local agents. */
static const int of_coordinator[] = {
    SCMP_SYS(accept),        SCMP_SYS(accept4),   SCMP_SYS(listen),   SCMP_SYS(chdir),
    SCMP_SYS(chmod),         SCMP_SYS(fchmod),    SCMP_SYS(fchmodat), SCMP_SYS(fchown),
    SCMP_SYS(inotify_init1), SCMP_SYS(kill),      SCMP_SYS(mkdir),    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(mkdirat),       SCMP_SYS(rmdir),     SCMP_SYS(wait4),    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(waitid),        SCMP_SYS(utimensat), SCMP_SYS(link)};

/* LeakSanitizer stops the threads of its own process, from a process it makes, and looks at them.
 */
static const int of_sanitizers[] = {
    SCMP_SYS(clone), SCMP_SYS(getdents), SCMP_SYS(kill),  SCMP_SYS(personality),
    SCMP_SYS(prctl), SCMP_SYS(ptrace),   SCMP_SYS(wait4), SCMP_SYS(process_vm_readv)};

enum { CONDITIONS_MAX = 2 };

/* Some bits of an argument, as they must be. */
struct condition {
    unsigned argument;
    uint64_t mask, value;
};

struct rule {
    int call;
    struct condition condition[CONDITIONS_MAX]; /* a mask of 0 asks nothing */
};

/* Arguments of type int: their upper halves may hold anything. */
#define INT_IS(argument, value)                                                                    \
    {                                                                                              \
        (argument), UINT32_MAX, (value)                                                            \
    }

enum { SOCKET_KIND = 0xf }; /* beside it stand SOCK_CLOEXEC and SOCK_NONBLOCK */

/* Calls that are harmless with some arguments only. */
static const struct rule of_everybody_if[] = {
    {SCMP_SYS(socket), {INT_IS(0, AF_INET), {1, SOCKET_KIND, SOCK_STREAM}}},
    {SCMP_SYS(socket), {INT_IS(0, AF_INET), {1, SOCKET_KIND, SOCK_DGRAM}}},
    {SCMP_SYS(socket), {INT_IS(0, AF_INET6), {1, SOCKET_KIND, SOCK_STREAM}}},
    {SCMP_SYS(socket), {INT_IS(0, AF_INET6), {1, SOCKET_KIND, SOCK_DGRAM}}},
    /* getifaddrs() and getaddrinfo() ask the kernel for the addresses of this host. */
    {SCMP_SYS(socket), {INT_IS(0, AF_NETLINK), INT_IS(2, NETLINK_ROUTE)}},
    /* A thread, never a process. The C library tries clone3() first, see below. */
    {SCMP_SYS(clone), {{0, CLONE_THREAD, CLONE_THREAD}}},
    {SCMP_SYS(prlimit64), {{2, UINT64_MAX, 0}}}, /* read a limit, set none */
    {SCMP_SYS(prctl), {INT_IS(0, PR_SET_NAME)}},
    {SCMP_SYS(prctl), {INT_IS(0, PR_GET_NAME)}},
    {SCMP_SYS(prctl), {INT_IS(0, PR_GET_DUMPABLE)}},
    {SCMP_SYS(prctl), {INT_IS(0, PR_SET_NO_NEW_PRIVS)}},
    {SCMP_SYS(prctl), {INT_IS(0, PR_SET_TIMERSLACK)}},
    {SCMP_SYS(ioctl), {INT_IS(1, FIONREAD)}},
    {SCMP_SYS(ioctl), {INT_IS(1, FIONBIO)}},
    {SCMP_SYS(ioctl), {INT_IS(1, TCGETS)}}, /* by isatty() */
    {SCMP_SYS(ioctl), {INT_IS(1, TIOCGWINSZ)}},
    {SCMP_SYS(ioctl), {INT_IS(1, SIOCGIFNAME)}},
    {SCMP_SYS(ioctl), {INT_IS(1, SIOCGIFINDEX)}}};

/* The control socket of a Kea server, after a run. */
static const struct rule of_coordinator_if[] = {
    {SCMP_SYS(socket), {INT_IS(0, AF_UNIX), {1, SOCKET_KIND, SOCK_STREAM}}}};

/* Files are opened to be read, none is made; and the control socket of a Kea server. */
#define WRITING_FLAGS (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
static const struct rule of_observer_if[] = {
    {SCMP_SYS(open), {{1, WRITING_FLAGS, O_RDONLY}}},
    {SCMP_SYS(openat), {{2, WRITING_FLAGS, O_RDONLY}}},
    {SCMP_SYS(socket), {INT_IS(0, AF_UNIX), {1, SOCKET_KIND, SOCK_STREAM}}}};

static int allow_calls(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }
    return rc;
}

static int allow_rules(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct scmp_arg_cmp compare[CONDITIONS_MAX];
        unsigned asked = 0;
        for (; asked < CONDITIONS_MAX && rules[i].condition[asked].mask != 0; asked++) {
            const struct condition *c = &rules[i].condition[asked];
            compare[asked] =
                (struct scmp_arg_cmp){c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value};
        }
        rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, asked, compare);
    }
    return rc;
}

static int write_rules(scmp_filter_ctx filter, enum confine_role role)
{
    int rc = HAS_SANITIZER ? allow_calls(filter, of_sanitizers, ARRAY_LEN(of_sanitizers)) : 0;
    rc = rc != 0 ? rc : allow_calls(filter, of_everybody, ARRAY_LEN(of_everybody));
    rc = rc != 0 ? rc : allow_rules(filter, of_everybody_if, ARRAY_LEN(of_everybody_if));
    if (rc == 0 && role != CONFINE_OBSERVER) {
        rc = allow_calls(filter, of_writers, ARRAY_LEN(of_writers));
    }
    if (rc == 0 && role == CONFINE_OBSERVER) {
        rc = allow_calls(filter, of_observer, ARRAY_LEN(of_observer));
        rc = rc != 0 ? rc : allow_rules(filter, of_observer_if, ARRAY_LEN(of_observer_if));
    }
    if (rc == 0 && role == CONFINE_COORDINATOR) {
        rc = allow_calls(filter, of_coordinator, ARRAY_LEN(of_coordinator));
        rc = rc != 0 ? rc : allow_rules(filter, of_coordinator_if, ARRAY_LEN(of_coordinator_if));
    }
    /* Its flags lie in memory, where a filter cannot look; without it the C library takes clone().
     */
    return rc != 0 ? rc : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int confine_system_calls(enum confine_role role, char why[CONFINE_WHY_BYTES])
{
    static bool is_done; /* for good, and then even asking is refused */
    if (is_done) {
        return 0;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter == NULL ? -ENOMEM : write_rules(filter, role);
    rc = rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : rc;
    /* All threads: those of ZeroMQ may run already. */
    rc = rc != 0 ? rc : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    bool is_unknown = rc == -EOPNOTSUPP;
    rc = rc != 0 ? rc : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    rc = rc != 0 ? rc : seccomp_load(filter);
    if (filter != NULL) {
        seccomp_release(filter);
    }
    if (is_unknown) {
        (void)snprintf(why, CONFINE_WHY_BYTES, "this kernel has no seccomp filters");
        return -ENOTSUP;
    }
    if (rc != 0) {
        (void)snprintf(why, CONFINE_WHY_BYTES,
                       "cannot give up system calls: %s; this kernel, or what this process runs "
                       "in, must allow seccomp filters",
                       strerror(-rc));
    }
    is_done = rc == 0;
    return rc;
}
