/* SPDX-License-Identifier: MIT */
#include "agent/edge/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EPOCH_LINE_BYTES = 23 };

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
        (void)snprintf(why, STATE_DIR_WHY_BYTES, "cannot use the state directory %s: %s%s", path,
                       strerror(-rc), rc == -ENOTDIR ? "; name a directory" : "");
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

static int lock_file(int dir_fd, int *out_fd)
{
    int fd = openat(dir_fd, "agent.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = -errno;
        (void)close(fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

/* Lines of one width, "epoch 0123456789abcdef"; whatever else stands there says nothing. */
static void read_former(struct state_dir *dir)
{
    char text[STATE_DIR_FORMER_MAX * EPOCH_LINE_BYTES + 1];
    ssize_t size = pread(dir->lock_fd, text, sizeof(text) - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    for (const char *line = text; size >= EPOCH_LINE_BYTES; size -= EPOCH_LINE_BYTES) {
        char end = 0;
        uint64_t epoch = 0;
        if (sscanf(line, "epoch %16" SCNx64 "%c", &epoch, &end) != 2 || end != '\n' || epoch == 0) {
            return;
        }
        dir->former[dir->former_count++] = epoch;
        line += EPOCH_LINE_BYTES;
    }
}

int state_dir_note_epoch(const struct state_dir *dir, uint64_t epoch)
{
    char text[STATE_DIR_FORMER_MAX * EPOCH_LINE_BYTES + 1] = "";
    size_t first = dir->former_count == STATE_DIR_FORMER_MAX ? 1 : 0, size = 0;
    for (size_t i = first; i <= dir->former_count; i++) {
        uint64_t one = i < dir->former_count ? dir->former[i] : epoch;
        size += (size_t)snprintf(text + size, sizeof(text) - size, "epoch %016" PRIx64 "\n", one);
    }
    ssize_t written = pwrite(dir->lock_fd, text, size, 0);
    if (written < 0) {
        return -errno;
    }
    return (size_t)written == size ? 0 : -ENOSPC;
}

int state_dir_open(const char *path, struct state_dir *out, char why[STATE_DIR_WHY_BYTES])
{
    struct state_dir dir = {.dir_fd = -1, .lock_fd = -1};
    int rc = open_directory(path, &dir.dir_fd, why);
    if (rc < 0) {
        return rc;
    }
    rc = lock_file(dir.dir_fd, &dir.lock_fd);
    if (rc == 0) {
        read_former(&dir);
        *out = dir;
        return 0;
    }
    (void)close(dir.dir_fd); /* only read from */
    if (rc == -EWOULDBLOCK) {
        (void)snprintf(why, STATE_DIR_WHY_BYTES,
                       "another agent uses the state directory %s; give each agent one of its own",
                       path);
    } else {
        (void)snprintf(why, STATE_DIR_WHY_BYTES, "cannot lock %s/agent.lock: %s", path,
                       strerror(-rc));
    }
    return rc;
}

void state_dir_close(struct state_dir *dir)
{
    if (dir->lock_fd >= 0) {
        (void)close(dir->lock_fd); /* frees the lock */
    }
    if (dir->dir_fd >= 0) {
        (void)close(dir->dir_fd);
    }
    dir->lock_fd = dir->dir_fd = -1;
}
