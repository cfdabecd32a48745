/* SPDX-License-Identifier: MIT */
#include "agent/edge/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_directory(const char *path, int *out_fd, char why[STATE_DIR_WHY_BYTES])
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        int rc = -errno;
        (void)snprintf(why, STATE_DIR_WHY_BYTES,
                       "cannot create the state directory %s: %s; create its parent first", path,
                       strerror(-rc));
        return rc;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int rc = -errno;
        (void)snprintf(why, STATE_DIR_WHY_BYTES, "cannot use the state directory %s: %s", path,
                       strerror(-rc));
        if (fd >= 0) {
            (void)close(fd); /* only read from */
        }
        return rc;
    }
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        (void)snprintf(
            why, STATE_DIR_WHY_BYTES,
            "the state directory %s is open to others (owner %u, mode %04o); chown it to "
            "the agent's user and chmod it to 0700",
            path, st.st_uid, (unsigned)(st.st_mode & 07777));
        (void)close(fd);
        return -EPERM;
    }
    *out_fd = fd;
    return 0;
}

int state_dir_lock(const char *path, int *out_fd, char why[STATE_DIR_WHY_BYTES])
{
    int dir_fd = -1;
    int rc = open_directory(path, &dir_fd, why);
    if (rc < 0) {
        return rc;
    }
    int fd = openat(dir_fd, "agent.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : 0;
    (void)close(dir_fd);
    if (rc == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        rc = -errno;
        (void)close(fd);
    }
    if (rc == -EWOULDBLOCK) {
        (void)snprintf(why, STATE_DIR_WHY_BYTES,
                       "another agent uses the state directory %s; give each agent one of its own",
                       path);
    } else if (rc < 0) {
        (void)snprintf(why, STATE_DIR_WHY_BYTES, "cannot lock %s/agent.lock: %s", path,
                       strerror(-rc));
    } else {
        *out_fd = fd;
    }
    return rc;
}
