/* SPDX-License-Identifier: MIT */
#include "coordinator/run/returning.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/run/run_dir.h"

/* 0 or -errno; the caller frees *out. */
static int read_whole(int fd, uint8_t **out, size_t *out_size)
{
    struct stat about;
    if (fstat(fd, &about) < 0) {
        return -errno;
    }
    if (!S_ISREG(about.st_mode)) {
        return -EINVAL;
    }
    if (about.st_size > PLAN_BYTES_MAX) {
        return -EFBIG;
    }
    size_t room = (size_t)about.st_size, size = 0;
    uint8_t *bytes = malloc(room + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    while (size < room) {
        ssize_t got = read(fd, bytes + size, room - size);
        if (got <= 0) {
            int error = got < 0 ? errno : EIO;
            free(bytes);
            return -error;
        }
        size += (size_t)got;
    }
    *out = bytes;
    *out_size = size;
    return 0;
}

bool returning_read(const char *run_dir, struct plan *out, char why[RETURNING_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES], reason[PLAN_WHY_BYTES];
    uint8_t *bytes = NULL;
    size_t size = 0;
    /* Not blocking: what is no regular file must not hold us up before it is refused. */
    int fd = open(run_dir_path(run_dir, "plan.bin", path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = fd < 0 ? -errno : read_whole(fd, &bytes, &size);
    if (fd >= 0) {
        close(fd);
    }
    if (rc < 0) {
        (void)snprintf(
            why, RETURNING_WHY_BYTES,
            "cannot read the plan of %.256s: %s; name the directory of a run of this host", run_dir,
            strerror(-rc));
        return false;
    }
    bool is_good = plan_decode(bytes, size, out, reason);
    free(bytes);
    if (!is_good) {
        (void)snprintf(why, RETURNING_WHY_BYTES,
                       "the plan of %.256s is damaged or of another version (%s); name another run",
                       run_dir, reason);
    }
    return is_good;
}

/* The first relay that is not the one which stood there; NULL: all are. */
static const struct plan_relay *stranger(const struct plan *old, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->relay_count && i < old->relay_count; i++) {
        if (strcmp(plan->relays[i].name, old->relays[i].name) != 0 ||
            !inet_equal(plan->relays[i].giaddr, old->relays[i].giaddr)) {
            return &plan->relays[i];
        }
    }
    return NULL;
}

bool returning_apply(const char *run_dir, struct plan *plan, char why[RETURNING_WHY_BYTES])
{
    struct plan old = {0};
    char reason[PLAN_WHY_BYTES];
    if (!returning_read(run_dir, &old, why)) {
        return false;
    }
    const struct plan_relay *other = stranger(&old, plan);
    bool is_good = false;
    if (other != NULL) {
        (void)snprintf(why, RETURNING_WHY_BYTES,
                       "clients.identity: relay %.63s of this scenario has another name or giaddr "
                       "than the one in its place in %.256s; keep that run's relays, in their "
                       "order",
                       other->name, run_dir);
    } else if (!scenario_return_identity(&old, plan, reason)) {
        (void)snprintf(why, RETURNING_WHY_BYTES, "clients.identity: %.256s: %s", run_dir, reason);
    } else {
        is_good = true;
    }
    plan_free(&old);
    return is_good;
}
