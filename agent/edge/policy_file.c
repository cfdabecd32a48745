/* SPDX-License-Identifier: MIT */
#include "agent/edge/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that is open, not the name: it cannot be swapped in between. */
static bool is_trustworthy(int fd, struct diag *why)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        diag_add(why, 0, "cannot look at the policy: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        diag_add(why, 0, "the policy is not a regular file; name the file itself");
    } else if (st.st_uid != 0 && st.st_uid != geteuid()) {
        diag_add(why, 0,
                 "the policy belongs to user %u, who could change what this host allows; chown it "
                 "to root",
                 st.st_uid);
    } else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        diag_add(why, 0, "the policy can be written by others (mode %04o); chmod go-w it",
                 (unsigned)(st.st_mode & 07777));
    } else if (st.st_size > POLICY_FILE_BYTES_MAX) {
        diag_add(why, 0, "the policy is larger than 1 MiB; it cannot be the right file");
    }
    return diag_is_clean(why);
}

static bool read_all(int fd, char *text, size_t *out_bytes, struct diag *why)
{
    size_t bytes = 0;
    ssize_t got = 0;
    do {
        got = read(fd, text + bytes, POLICY_FILE_BYTES_MAX - bytes);
        bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        diag_add(why, 0, "cannot read the policy: %s", strerror(errno));
        return false;
    }
    *out_bytes = bytes;
    return true;
}

bool policy_file_read(const char *path, struct policy *out, struct diag *why)
{
    diag_init(why, path);
    memset(out, 0, sizeof(*out));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP) {
        diag_add(why, 0, "the policy is a symbolic link; name the file itself");
        return false;
    }
    if (fd < 0) {
        diag_add(why, 0, "cannot open the policy: %s; %s", strerror(errno),
                 errno == ENOENT ? "write one, see POLICY in leaseherd-agent(1)"
                                 : "without one this agent does not start, see --policy");
        return false;
    }
    char *text = malloc(POLICY_FILE_BYTES_MAX);
    size_t bytes = 0;
    if (text == NULL) {
        diag_add(why, 0, "out of memory");
    }
    bool is_good = text != NULL && is_trustworthy(fd, why) && read_all(fd, text, &bytes, why) &&
                   policy_parse(text, bytes, out, why);
    free(text);
    (void)close(fd); /* only read from */
    return is_good;
}
