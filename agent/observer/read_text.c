/* SPDX-License-Identifier: MIT */
#include "agent/observer/read_text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/observer/parse/text.h"

int read_text_at(int fd, char *out, size_t size)
{
    size_t held = 0;
    while (held + 1 < size) {
        ssize_t got = pread(fd, out + held, size - 1 - held, (off_t)held);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        held += (size_t)got;
    }
    out[held] = '\0';
    return (int)held;
}

/* O_NONBLOCK: a pipe would hold us until somebody writes to it. */
int read_text(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    struct stat s;
    int rc = fstat(fd, &s) < 0 ? -errno : S_ISREG(s.st_mode) ? 0 : -EINVAL;
    rc = rc < 0 ? rc : read_text_at(fd, out, size);
    (void)close(fd); /* it was read only */
    return rc;
}

int read_number(const char *path, uint64_t *out)
{
    char text[64];
    int rc = read_text(path, text, sizeof(text));
    const char *at = text;
    if (rc < 0) {
        return rc;
    }
    return text_take_number(&at, 10, out) ? 0 : -EINVAL;
}

enum availability availability_of(int negative_errno)
{
    switch (negative_errno) {
    case -EACCES:
    case -EPERM:
        return AVAILABLE_NO_PERMISSION;
    case -ESRCH: /* the process ended while we looked */
        return AVAILABLE_NOT_APPLICABLE;
    default:
        return AVAILABLE_NO_KERNEL;
    }
}
