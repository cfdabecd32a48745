/* SPDX-License-Identifier: MIT */
/* Preloaded: a disk that says "written" before it is. What tests/system/powercut.sh must notice. */
#include <unistd.h>

int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}
