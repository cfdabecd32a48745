/* SPDX-License-Identifier: MIT */
#include "agent/observer/firewall_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/observer/firewall_audit.h"
#include "common/attrs.h"

enum { NICENESS = 5 };

/* Passed on to the programs it runs, by those who are not root as ambient ones.
 */
static void keep_capabilities(void)
{
    static const cap_value_t kept[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_DAC_READ_SEARCH};
    cap_t now = cap_get_proc(), wanted = cap_init();
    for (cap_value_t cap = 0; cap <= cap_max_bits() && CAP_IS_SUPPORTED(cap); cap++) {
        bool is_kept = false;
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
            is_kept = is_kept || kept[i] == cap;
        }
        if (!is_kept) {
            (void)cap_drop_bound(cap); /* only root can, and only for root does it matter */
        }
    }
    for (size_t i = 0; now != NULL && wanted != NULL && i < ARRAY_LEN(kept); i++) {
        cap_flag_value_t has = CAP_CLEAR;
        (void)cap_get_flag(now, kept[i], CAP_PERMITTED, &has);
        (void)cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i], has);
        (void)cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i], has);
        (void)cap_set_flag(wanted, CAP_INHERITABLE, 1, &kept[i], has);
    }
    (void)cap_reset_ambient();
    if (wanted == NULL || cap_set_proc(wanted) < 0) {
        _exit(1);
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        (void)cap_set_ambient(kept[i], CAP_SET); /* refused for those it has not */
    }
    (void)cap_free(now);
    (void)cap_free(wanted);
}

static void serve(int fd)
{
    char order = 0;
    while (recv(fd, &order, sizeof(order), 0) == sizeof(order)) {
        struct firewall_report report;
        memset(&report, 0, sizeof(report));
        firewall_audit(&report);
        if (send(fd, &report, sizeof(report), MSG_NOSIGNAL) != sizeof(report)) {
            break;
        }
    }
    _exit(0); /* the observer has ended */
}

/* The child: nothing of the observer's is its own but one socket. */
static void become_helper(int fd, pid_t observer)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        (void)signal(signals[i], SIG_IGN); /* it ends when the observer does, not before */
    }
    int nothing = open("/dev/null", O_RDWR);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != observer ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || nothing < 0 || dup2(nothing, 0) < 0 ||
        dup2(nothing, 1) < 0 || dup2(nothing, 2) < 0 || dup2(fd, 3) < 0) {
        _exit(1);
    }
    (void)close_range(4, ~0U, 0);
    if (fcntl(3, F_SETFD, FD_CLOEXEC) < 0) {
        _exit(1);
    }
    (void)prctl(PR_SET_NAME, "observer-rules", 0, 0, 0);
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    keep_capabilities();
    serve(3);
}

void firewall_helper_start(struct firewall_helper *h)
{
    int ends[2];
    pid_t observer = getpid();
    *h = (struct firewall_helper){0, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become_helper(ends[1], observer);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return;
    }
    *h = (struct firewall_helper){pid, ends[0]};
}

/* It sees that its socket has ended. Waiting for it would be a system call more
 * to be allowed. */
void firewall_helper_end(struct firewall_helper *h)
{
    if (h->fd >= 0) {
        close(h->fd);
    }
    *h = (struct firewall_helper){0, -1};
}

bool firewall_helper_ask(struct firewall_helper *h)
{
    static const char order = '?';
    if (h->fd < 0) {
        return false;
    }
    if (send(h->fd, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        firewall_helper_end(h);
        return false;
    }
    return true;
}

bool firewall_helper_answer(struct firewall_helper *h, struct firewall_report *out)
{
    struct firewall_report report;
    ssize_t got = h->fd < 0 ? 0 : recv(h->fd, &report, sizeof(report), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got != sizeof(report)) {
        firewall_helper_end(h);
        return false;
    }
    *out = report;
    return true;
}
