/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/unix_sockets.h"

#include <stdio.h>
#include <string.h>

/* Num RefCount Protocol Flags Type St Inode Path; a path has 108 bytes at most.
 */
enum { LINE_BYTES = 256 };

static bool take_line(char *line, unsigned long inode, char *out, size_t out_size)
{
    unsigned long number = 0;
    int end = 0;
    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu%n", &number, &end) != 1 || number != inode ||
        line[end] != ' ' || line[end + 1] != '/' || strlen(line + end + 1) >= out_size) {
        return false;
    }
    memcpy(out, line + end + 1, strlen(line + end + 1) + 1);
    return true;
}

bool unix_socket_path(const char *text, unsigned long inode, char *out, size_t out_size)
{
    for (const char *at = text; at != NULL && *at != '\0';) {
        char line[LINE_BYTES];
        size_t size = strcspn(at, "\n");
        if (size < sizeof(line)) {
            memcpy(line, at, size);
            line[size] = '\0';
            if (take_line(line, inode, out, out_size)) {
                return true;
            }
        }
        at += size + (at[size] == '\n');
    }
    return false;
}
