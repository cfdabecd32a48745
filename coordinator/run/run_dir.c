/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIR_MODE = 0755, FILE_MODE = 0644 };

static int make_parents(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/') {
            continue;
        }
        *at = '\0';
        int rc = mkdir(path, DIR_MODE);
        *at = '/';
        if (rc < 0 && errno != EEXIST) {
            return -errno;
        }
    }
    return 0;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    unsigned entries = 0;
    while (readdir(dir) != NULL) {
        entries++;
    }
    closedir(dir);
    return entries <= 2; /* . and .. */
}

int run_dir_create(const char *wanted, const char *scenario, uint64_t wall_s,
                   char out[RUN_DIR_PATH_BYTES], char why[RUN_DIR_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    int length;
    if (wanted != NULL) {
        length = snprintf(path, sizeof(path), "%s", wanted);
    } else {
        char stamp[32];
        time_t seconds = (time_t)wall_s;
        struct tm utc;
        gmtime_r(&seconds, &utc);
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
        length = snprintf(path, sizeof(path), "runs/%s-%s", stamp, scenario);
    }
    if (length <= 0 || (size_t)length >= sizeof(path)) {
        snprintf(why, RUN_DIR_WHY_BYTES,
                 "the run directory's name is empty or too long; use a shorter "
                 "--run-dir");
        return -ENAMETOOLONG;
    }
    int rc = make_parents(path);
    if (rc == 0 && mkdir(path, DIR_MODE) < 0) {
        rc = -errno;
    }
    if (rc == -EEXIST && is_empty(path)) {
        rc = 0;
    }
    if (rc == -EEXIST) {
        snprintf(why, RUN_DIR_WHY_BYTES,
                 "%s exists and is not empty; a run never mixes with an older one: use another "
                 "--run-dir",
                 path);
    } else if (rc < 0) {
        snprintf(why, RUN_DIR_WHY_BYTES, "cannot create the run directory %s: %s", path,
                 strerror(-rc));
    } else {
        memcpy(out, path, (size_t)length + 1);
    }
    return rc;
}

const char *run_dir_path(const char *dir, const char *name, char out[RUN_DIR_PATH_BYTES])
{
    snprintf(out, RUN_DIR_PATH_BYTES, "%s/%s", dir, name);
    return out;
}

struct blob {
    const void *bytes;
    size_t size;
};

static int print_blob(const void *what, FILE *to)
{
    const struct blob *blob = what;
    return fwrite(blob->bytes, 1, blob->size, to) == blob->size ? 0 : -EIO;
}

int run_dir_write(const char *dir, const char *name, const void *bytes, size_t size,
                  char why[RUN_DIR_WHY_BYTES])
{
    struct blob blob = {bytes, size};
    return run_dir_print(dir, name, print_blob, &blob, why);
}

static int print_and_sync(const char *path, run_dir_printer *print, const void *what)
{
    /* A new file always: never through a link, nor into what somebody has put there to wait on. */
    if (unlink(path) < 0 && errno != ENOENT) {
        return -errno;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return -errno;
    }
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        int error = errno;
        close(fd);
        return -error;
    }
    int rc = print(what, file);
    if (rc == 0 && (fflush(file) != 0 || fsync(fd) < 0)) {
        rc = -errno;
    }
    if (fclose(file) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

int run_dir_print(const char *dir, const char *name, run_dir_printer *print, const void *what,
                  char why[RUN_DIR_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES], temporary[RUN_DIR_PATH_BYTES + 8];
    run_dir_path(dir, name, path);
    snprintf(temporary, sizeof(temporary), "%s.part", path);
    int rc = print_and_sync(temporary, print, what);
    if (rc == 0 && rename(temporary, path) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        (void)unlink(temporary); /* best effort: the error that matters is already known */
        snprintf(why, RUN_DIR_WHY_BYTES,
                 "cannot write %s: %s; make room or choose another --run-dir", path, strerror(-rc));
    }
    return rc;
}
