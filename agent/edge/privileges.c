/* SPDX-License-Identifier: MIT */
#include "agent/edge/privileges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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

/* Only root (CAP_SETPCAP) can, and only then there is something to drop. */
static int narrow_bounding_set(void)
{
    for (cap_value_t cap = 0; cap <= cap_max_bits() && CAP_IS_SUPPORTED(cap); cap++) {
        if (cap != CAP_NET_BIND_SERVICE && cap_drop_bound(cap) < 0 && errno != EPERM) {
            return -errno;
        }
    }
    return 0;
}

static int keep_only_bind(void)
{
    static const cap_value_t bind_service = CAP_NET_BIND_SERVICE;
    cap_t none = cap_init();
    int rc = none == NULL ? -ENOMEM : 0;
    if (rc == 0 && (cap_set_flag(none, CAP_PERMITTED, 1, &bind_service, CAP_SET) < 0 ||
                    cap_set_flag(none, CAP_EFFECTIVE, 1, &bind_service, CAP_SET) < 0 ||
                    cap_set_proc(none) < 0)) {
        rc = -errno;
    }
    if (none != NULL) {
        (void)cap_free(none); /* cannot fail for what cap_init() gave */
    }
    return rc;
}

int privileges_reduce(char why[PRIVILEGES_WHY_BYTES])
{
    lift_file_limit();
    (void)cap_reset_ambient(); /* not there before Linux 4.3: then there is nothing to clear */
    int rc = narrow_bounding_set();
    if (rc == 0) {
        rc = keep_only_bind();
    }
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
