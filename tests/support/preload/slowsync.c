/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: a disk that takes LEASEHERD_SYNC_MS for each fsync(), whatever it is asked to keep.
 * It shows clients a slow disk; an observer sees a thread that sleeps, for no fsync() is called.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int wait_as_a_disk(void)
{
    const char *text = getenv("LEASEHERD_SYNC_MS");
    long ms = text == NULL ? 0 : strtol(text, NULL, 10);
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return wait_as_a_disk();
}

int fdatasync(int fd)
{
    (void)fd;
    return wait_as_a_disk();
}
