/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails, preloaded into a program: from its LEASEHERD_FAULT_AFTER-th write to a file
 * whose name ends in LEASEHERD_FAULT_FILE on, pwrite() and fdatasync() of such files give EIO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static bool is_of_file(int fd)
{
    char link[64], path[1024];
    const char *suffix = getenv("LEASEHERD_FAULT_FILE");
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = suffix == NULL ? -1 : readlink(link, path, sizeof(path) - 1);
    if (size < 0) {
        return false;
    }
    path[size] = '\0';
    size_t length = strlen(suffix);
    return (size_t)size >= length && strcmp(path + size - length, suffix) == 0;
}

static bool must_fail(int fd, bool counts)
{
    static unsigned long writes;
    const char *after = getenv("LEASEHERD_FAULT_AFTER");
    if (after == NULL || !is_of_file(fd)) {
        return false;
    }
    writes += counts;
    return writes > strtoul(after, NULL, 10);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    }
    if (must_fail(fd, true)) {
        errno = EIO;
        return -1;
    }
    return real(fd, bytes, size, at);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    if (must_fail(fd, false)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}
