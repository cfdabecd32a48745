/* SPDX-License-Identifier: MIT */
/* The text of /proc/net/unix. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The path of the socket of this inode, absolute; false: there is none, or it
 * has no room. */
bool unix_socket_path(const char *text, unsigned long inode, char *out, size_t out_size);
