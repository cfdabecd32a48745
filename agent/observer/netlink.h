/* SPDX-License-Identifier: MIT */
/*
 * Asking the kernel for a list by netlink: one question, a bounded number of answers, never
 * without a time limit (not every answer is ended by NLMSG_DONE). Edge. Errors are -errno.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "agent/observer/parse/netlink_bytes.h"
#include "common/attrs.h"

enum { NETLINK_WAIT_MS = 200, NETLINK_DATAGRAMS_MAX = 1024 };

/* Answers of one kind, one datagram: netlink_read_...() of parse/netlink_bytes.h. */
typedef enum netlink_end netlink_reader(const uint8_t *bytes, size_t size, uint32_t seq,
                                        void *context, int *out_errno);

/* A socket of NETLINK_SOCK_DIAG or NETLINK_ROUTE; before system calls are given up. */
NODISCARD int netlink_open(int protocol);
/*
 * Sends `request` (which begins with a struct nlmsghdr; its length and sequence are filled in) and
 * hands the answers to `reader` until it says that they are complete. 0, the kernel's -errno, or
 * -ETIMEDOUT.
 */
NODISCARD int netlink_ask(int fd, void *request, size_t size, uint32_t seq, netlink_reader *reader,
                          void *context);
