/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/run/run_dir.h"

enum { HOST_BYTES = 256, TEXT_BYTES = 512, LOOK_EVERY_MS = 20 };

static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static void own_host(char out[HOST_BYTES])
{
    if (gethostname(out, HOST_BYTES) < 0) {
        out[0] = '\0';
    }
    out[HOST_BYTES - 1] = '\0';
}

static int describe(int fd, uint64_t wall_s)
{
    char host[HOST_BYTES], stamp[32], text[TEXT_BYTES];
    time_t seconds = (time_t)wall_s;
    struct tm utc;
    own_host(host);
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
    int size =
        snprintf(text, sizeof(text), "host=%s pid=%ld started=%s\n", host, (long)getpid(), stamp);
    return pwrite(fd, text, (size_t)size, 0) == size ? 0 : -EIO;
}

int run_lock_take(const char *run_dir, uint64_t wall_s, char why[RUN_LOCK_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    int fd = open(run_dir_path(run_dir, "run.lock", path),
                  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    int rc = fd < 0 ? -errno : 0;
    if (rc == 0) {
        struct flock lock = whole_file(F_WRLCK);
        rc = fcntl(fd, F_SETLK, &lock) < 0 ? -errno : describe(fd, wall_s);
    }
    if (rc == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (rc == -EAGAIN || rc == -EACCES) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "another run uses %s at this moment; use another --run-dir", run_dir);
    } else {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "cannot lock %s: %s; use a --run-dir on a file system with locks", path,
                       strerror(-rc));
    }
    return rc;
}

/* The file's text as it may be shown: one printable line. */
static void read_text(int fd, char out[TEXT_BYTES])
{
    ssize_t size = pread(fd, out, TEXT_BYTES - 1, 0);
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    for (char *at = out; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
}

/* "host=NAME ..." names this host. */
static bool is_of_this_host(const char *text)
{
    char host[HOST_BYTES], mark[HOST_BYTES + 8];
    own_host(host);
    (void)snprintf(mark, sizeof(mark), "host=%s ", host);
    return strncmp(text, mark, strlen(mark)) == 0;
}

/* "... pid=NUMBER ..." names this process. */
static bool is_naming(const char *text, pid_t pid)
{
    char mark[32];
    (void)snprintf(mark, sizeof(mark), " pid=%ld ", (long)pid);
    return strstr(text, mark) != NULL;
}

/* The descriptor of a file that is RUN's own, not a name for another file, or -errno. */
static int open_own(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ELOOP ? -EINVAL : -errno;
    }
    int rc = fstat(fd, &about) < 0 ? -errno : 0;
    if (rc == 0 && (!S_ISREG(about.st_mode) || about.st_nlink != 1)) {
        rc = -EINVAL;
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    return fd;
}

/* 0: `out` holds the lock. -ESRCH: nobody does. -EREMOTE: somebody who cannot be seen from here. */
static int holder_of(int fd, pid_t *out)
{
    struct flock lock = whole_file(F_WRLCK);
    if (fcntl(fd, F_GETLK, &lock) < 0) {
        return -errno;
    }
    if (lock.l_type == F_UNLCK) {
        return -ESRCH;
    }
    *out = lock.l_pid;
    return lock.l_pid > 0 ? 0 : -EREMOTE;
}

/* `owner`: as far as it was found. */
static int explain(int rc, const char *run_dir, const struct run_owner *owner,
                   char why[RUN_LOCK_WHY_BYTES])
{
    char text[TEXT_BYTES] = "";
    if (owner->lock_fd >= 0) {
        read_text(owner->lock_fd, text);
    }
    bool is_elsewhere = rc == -EREMOTE || (rc == -ESRCH && !is_of_this_host(text));
    if (rc == -ENOENT || rc == -ENOTDIR) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "%s is no run: there is no run.lock in it; give the directory that "
                       "`leaseherd run` named",
                       run_dir);
        return -ENOENT;
    }
    if (rc == -EINVAL) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "the run.lock of %s is a link or no file, so that who plays the run cannot "
                       "be told; give the directory that `leaseherd run` named",
                       run_dir);
    } else if (rc == -EREMOTE && owner->pid > 0) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "%s is locked by process %ld, and its run.lock does not name that one (%s): "
                       "stop the run where it was begun, or see what that process is",
                       run_dir, (long)owner->pid, text);
    } else if (rc == -EREMOTE) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "%s is played where its process cannot be seen from here (%s); stop it "
                       "there",
                       run_dir, text);
    } else if (is_elsewhere) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES,
                       "%s is not played on this host (%s); if it still goes on, stop it there",
                       run_dir, text);
    } else if (rc == -ESRCH) {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES, "%s is over: nothing plays it any more (%s)",
                       run_dir, text);
    } else {
        (void)snprintf(why, RUN_LOCK_WHY_BYTES, "cannot see who plays %s: %s", run_dir,
                       strerror(-rc));
    }
    return rc;
}

int run_owner_find(const char *run_dir, struct run_owner *out, char why[RUN_LOCK_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    struct run_owner owner = {.pid_fd = -1};
    char text[TEXT_BYTES];
    owner.lock_fd = open_own(run_dir_path(run_dir, "run.lock", path));
    int rc = owner.lock_fd < 0 ? owner.lock_fd : holder_of(owner.lock_fd, &owner.pid);
    if (rc == 0) {
        read_text(owner.lock_fd, text);
        rc = is_of_this_host(text) && is_naming(text, owner.pid) ? 0 : -EREMOTE;
    }
    if (rc == 0) {
        owner.pid_fd = pidfd_open(owner.pid, 0);
        pid_t again = 0;
        rc = owner.pid_fd < 0 ? -errno : holder_of(owner.lock_fd, &again);
        /*
         * It held the lock before and after the descriptor was opened, so the descriptor is its:
         * a process that inherited a dead owner's number would not hold the lock.
         */
        rc = rc == 0 && again != owner.pid ? -ESRCH : rc;
    }
    if (rc == 0) {
        *out = owner;
        return 0;
    }
    rc = explain(rc, run_dir, &owner, why);
    run_owner_fini(&owner);
    return rc;
}

void run_owner_fini(struct run_owner *owner)
{
    if (owner->lock_fd >= 0) {
        close(owner->lock_fd);
    }
    if (owner->pid_fd >= 0) {
        close(owner->pid_fd);
    }
    owner->lock_fd = owner->pid_fd = -1;
}

int run_owner_signal(const struct run_owner *owner, int signal_number)
{
    return pidfd_send_signal(owner->pid_fd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

bool run_owner_wait(const struct run_owner *owner, uint64_t timeout_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t until_ns = timeout_ns < UINT64_MAX - now_ns ? now_ns + timeout_ns : UINT64_MAX;
    for (;;) {
        pid_t pid = 0;
        int rc = holder_of(owner->lock_fd, &pid);
        if (rc == -ESRCH || rc == -EREMOTE || (rc == 0 && pid != owner->pid)) {
            return true; /* free, or another's by now */
        }
        if (clock_monotonic_ns() >= until_ns) {
            return false;
        }
        struct pollfd fd = {.fd = owner->pid_fd, .events = POLLIN};
        if (poll(&fd, 1, LOOK_EVERY_MS) > 0) {
            return true;
        }
    }
}
