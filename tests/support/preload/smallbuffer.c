/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: receive buffers of LEASEHERD_RCVBUF bytes at most, as a small net.core.rmem_max would
 * make them, which is one for the whole machine.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    const char *limit = getenv("LEASEHERD_RCVBUF");
    int bytes = limit == NULL ? 0 : atoi(limit);
    bool is_buffer = level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_RCVBUFFORCE);
    if (is_buffer && bytes > 0 && size == sizeof(bytes) && *(const int *)value > bytes) {
        return (int)syscall(SYS_setsockopt, fd, level, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}
