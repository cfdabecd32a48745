/* SPDX-License-Identifier: MIT */
#include "common/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/key_list.h"

/* A rename or a new name is durable once its directory is. */
int key_file_sync_directory_of(const char *path)
{
    char copy[PATH_MAX];

    if (strlen(path) >= sizeof(copy)) {
        return -ENAMETOOLONG;
    }
    strcpy(copy, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int rc = fsync(fd) == 0 ? 0 : -errno;
    (void)close(fd); /* read-only: nothing can be lost */
    return rc;
}

/* Writes all of `text` and closes `fd`, also on failure. */
static int write_and_close(int fd, const char *text, size_t size)
{
    int rc = 0;

    while (size > 0 && rc == 0) {
        ssize_t written = write(fd, text, size);
        if (written >= 0) {
            text += written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    if (rc == 0 && fsync(fd) != 0) {
        rc = -errno;
    }
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

int key_file_write_new(const char *path, mode_t mode, const char *text, char why[KEY_WHY_BYTES])
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0) {
        int error = errno;
        if (error == EEXIST) {
            return key_refuse(why, -error,
                              "%s exists and is not overwritten; remove it or name another file",
                              path);
        }
        return key_refuse(why, -error, "cannot create %s: %s; check the directory", path,
                          strerror(error));
    }
    /* The umask may only have narrowed it; the mode is part of the format. */
    int rc = fchmod(fd, mode) == 0 ? 0 : -errno;
    int write_rc = write_and_close(fd, text, strlen(text));
    rc = rc != 0 ? rc : write_rc;
    rc = rc != 0 ? rc : key_file_sync_directory_of(path);
    if (rc != 0) {
        (void)unlink(path); /* half a key is worse than none */
        return key_refuse(why, rc, "cannot write %s: %s; check the disk", path, strerror(-rc));
    }
    return 0;
}

/* Who may not read (a secret) or write (a list) the file. */
struct file_rule {
    mode_t forbidden_mode;
    const char *trouble, *remedy; /* when that mode is set */
    bool must_be_ours;
    int open_flags;
};

static const struct file_rule secret_rule = {
    0077, "others may read or change it", "chmod 600 it, and make a new key if that was not meant",
    true, O_NOFOLLOW};
static const struct file_rule token_rule = {0077, "others may read or change it",
                                            "chmod 600 it, and ask for a new token", true,
                                            O_NOFOLLOW};
static const struct file_rule public_rule = {0022, "others may change it",
                                             "chmod 644 it after checking what it holds", false, 0};

/*
 * What systemd hands to a service (LoadCredential=) lies in a directory that only the service can
 * enter. From version 255 on it is root's there, and the service's right to read it, an access
 * list, shows as the group's.
 */
static const struct file_rule credential_rule = {0027, "others may read or change it",
                                                 "leave the credential as systemd made it", false,
                                                 O_NOFOLLOW};

static bool is_credential(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t length = dir == NULL ? 0 : strlen(dir);

    return length > 0 && strncmp(path, dir, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

static int check_file(int fd, const char *path, const struct file_rule *rule,
                      char why[KEY_WHY_BYTES])
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return key_refuse(why, -errno, "cannot inspect %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return key_refuse(why, -EINVAL, "%s is not a regular file; name the key file itself", path);
    }
    if (status.st_uid != geteuid() && (rule->must_be_ours || status.st_uid != 0)) {
        return key_refuse(why, -EPERM, "%s belongs to user %u and not to user %u; chown it", path,
                          (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & rule->forbidden_mode) != 0) {
        return key_refuse(why, -EPERM, "%s has mode %04o: %s; %s", path,
                          (unsigned)status.st_mode & 07777, rule->trouble, rule->remedy);
    }
    return 0;
}

/* Reads at most size - 1 bytes and terminates them. */
static int read_all(int fd, char *out, size_t size, size_t *out_size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = read(fd, out + have, size - have);
        if (got == 0) {
            out[have] = '\0';
            *out_size = have;
            return 0;
        }
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return -EFBIG;
}

int key_file_read(const char *path, enum key_file_kind kind, char *out, size_t size,
                  char why[KEY_WHY_BYTES])
{
    const struct file_rule *rule = kind == KEY_FILE_PUBLIC  ? &public_rule
                                   : is_credential(path)    ? &credential_rule
                                   : kind == KEY_FILE_TOKEN ? &token_rule
                                                            : &secret_rule;
    size_t length = 0;
    /* O_NONBLOCK: a FIFO must not hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | rule->open_flags);

    if (fd < 0 && errno == ELOOP) {
        return key_refuse(why, -ELOOP, "%s is a symbolic link; name the key file itself", path);
    }
    if (fd < 0) {
        return key_refuse(why, -errno, "cannot open %s: %s; check the path", path, strerror(errno));
    }
    int rc = check_file(fd, path, rule, why);
    if (rc == 0) {
        rc = read_all(fd, out, size, &length);
        if (rc != 0) {
            rc = key_refuse(why, rc, "cannot read %s: %s", path, strerror(-rc));
        } else if (strlen(out) != length) {
            rc = key_refuse(why, -EBADMSG, "%s holds NUL bytes; it is not a key file", path);
        }
    }
    (void)close(fd); /* read-only: nothing can be lost */
    return rc;
}
