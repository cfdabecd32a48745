/* SPDX-License-Identifier: MIT */
#include "agent/edge/privileges.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/confine.h"
#include "common/log.h"

enum { OPEN_FILES_WANTED = 65536 };

/* Two sockets per carrying address. A refusal is no error here: EMFILE will name itself. */
static void lift_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return;
    }
    struct rlimit wanted = limit;
    wanted.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < OPEN_FILES_WANTED) {
        wanted.rlim_cur = OPEN_FILES_WANTED;
        wanted.rlim_max = OPEN_FILES_WANTED;
    }
    if (setrlimit(RLIMIT_NOFILE, &wanted) < 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int forbid_dumps(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return -errno;
    }
    return 0;
}

struct kept {
    const cap_value_t *cap;
    size_t count;
    bool is_needed; /* all of them; else as many of them as there are */
};

static const cap_value_t of_agent[] = {CAP_NET_BIND_SERVICE};
/* Others' system calls, descriptors and files; connection tracking and packet rules. */
static const cap_value_t of_observer[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN};

static bool is_kept(const struct kept *kept, cap_value_t cap)
{
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->cap[i] == cap) {
            return true;
        }
    }
    return false;
}

/* Only root (CAP_SETPCAP) can, and only then there is something to drop. */
static int narrow_bounding_set(const struct kept *kept)
{
    for (cap_value_t cap = 0; cap <= cap_max_bits() && CAP_IS_SUPPORTED(cap); cap++) {
        if (!is_kept(kept, cap) && cap_drop_bound(cap) < 0 && errno != EPERM) {
            return -errno;
        }
    }
    return 0;
}

static bool is_permitted(cap_t own, cap_value_t cap)
{
    cap_flag_value_t value = CAP_CLEAR;
    return cap_get_flag(own, cap, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

static int keep_only(const struct kept *kept)
{
    cap_t own = cap_get_proc(), some = cap_init();
    int rc = own == NULL || some == NULL ? -ENOMEM : 0;
    for (size_t i = 0; i < kept->count && rc == 0; i++) {
        bool is_wanted = kept->is_needed || is_permitted(own, kept->cap[i]);
        if (is_wanted && (cap_set_flag(some, CAP_PERMITTED, 1, &kept->cap[i], CAP_SET) < 0 ||
                          cap_set_flag(some, CAP_EFFECTIVE, 1, &kept->cap[i], CAP_SET) < 0)) {
            rc = -errno;
        }
    }
    if (rc == 0 && cap_set_proc(some) < 0) {
        rc = -errno;
    }
    (void)cap_free(own); /* cannot fail for what libcap gave, nor for NULL */
    (void)cap_free(some);
    return rc;
}

static int reduce_to(const struct kept *kept)
{
    (void)cap_reset_ambient(); /* not there before Linux 4.3: then there is nothing to clear */
    int rc = narrow_bounding_set(kept);
    return rc == 0 ? keep_only(kept) : rc;
}

int privileges_reduce(char why[PRIVILEGES_WHY_BYTES])
{
    static const struct kept bind_service = {of_agent, ARRAY_LEN(of_agent), true};
    lift_file_limit();
    int rc = reduce_to(&bind_service);
    if (rc == -EPERM) {
        (void)snprintf(why, PRIVILEGES_WHY_BYTES,
                       "may not bind the DHCP ports 67 and 68; run as root or give "
                       "CAP_NET_BIND_SERVICE (setcap cap_net_bind_service+ep, or systemd's "
                       "AmbientCapabilities=)");
        return rc;
    }
    if (rc == 0) {
        rc = forbid_dumps();
    }
    if (rc < 0) {
        (void)snprintf(why, PRIVILEGES_WHY_BYTES, "cannot drop privileges: %s", strerror(-rc));
    }
    return rc;
}

int privileges_reduce_observer(char why[PRIVILEGES_WHY_BYTES])
{
    static const struct kept looking = {of_observer, ARRAY_LEN(of_observer), false};
    int rc = reduce_to(&looking);
    rc = rc < 0 ? rc : forbid_dumps();
    if (rc < 0) {
        (void)snprintf(why, PRIVILEGES_WHY_BYTES, "cannot drop privileges: %s", strerror(-rc));
    }
    return rc;
}

int privileges_confine_observer(char why[PRIVILEGES_WHY_BYTES])
{
    int rc = confine_system_calls(CONFINE_OBSERVER, why);
    if (rc == -ENOTSUP) {
        log_warn("what=system_calls_not_confined why=\"%s\"", why);
        rc = 0;
    }
    return rc;
}

/*
 * Names of hosts are looked up again at every new connection, by libraries the C library may load
 * then. Not /etc as a whole: root reads more there than an agent may.
 */
static const char *const readable[] = {"/etc/hosts",
                                       "/etc/host.conf",
                                       "/etc/nsswitch.conf",
                                       "/etc/gai.conf",
                                       "/etc/services",
                                       "/etc/protocols",
                                       "/etc/resolv.conf",
                                       "/etc/ld.so.cache",
                                       "/lib",
                                       "/lib64",
                                       "/usr",
                                       "/proc",
                                       "/sys",
                                       "/dev/null",
                                       "/dev/urandom",
                                       "/proc/self/exe"};

int privileges_confine(int state_dir_fd, char why[PRIVILEGES_WHY_BYTES])
{
    static_assert((int)CONFINE_WHY_BYTES <= (int)PRIVILEGES_WHY_BYTES, "one buffer serves both");
    static_assert(ARRAY_LEN(readable) + 2 <= CONFINE_PATHS_MAX, "all paths fit");
    struct confine_path paths[CONFINE_PATHS_MAX];
    char resolver[PATH_MAX], state_dir[32];
    size_t count = 0;
    for (; count < ARRAY_LEN(readable); count++) {
        paths[count] = (struct confine_path){readable[count], false};
    }
    /* Where it is a link into /run the file is replaced whenever the network changes. */
    if (realpath("/etc/resolv.conf", resolver) != NULL && strncmp(resolver, "/run/", 5) == 0) {
        paths[count++] = (struct confine_path){dirname(resolver), false};
    }
    if (state_dir_fd >= 0) { /* its path may be closed to root without privileges */
        (void)snprintf(state_dir, sizeof(state_dir), "/proc/self/fd/%d", state_dir_fd);
        paths[count++] = (struct confine_path){state_dir, true};
    }
    int rc = confine_files(paths, count, why);
    if (rc == -ENOTSUP) {
        log_warn("what=files_not_confined why=\"%s\"", why);
        rc = 0;
    }
    rc = rc < 0 ? rc : confine_system_calls(CONFINE_AGENT, why);
    if (rc == -ENOTSUP) {
        log_warn("what=system_calls_not_confined why=\"%s\"", why);
        rc = 0;
    }
    return rc;
}
