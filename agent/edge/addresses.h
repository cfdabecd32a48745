/* SPDX-License-Identifier: MIT */
/* The addresses this host may lend to relays: its interfaces, narrowed by the policy. Edge. */
#pragma once

#include <stddef.h>

#include "agent/policy.h"
#include "common/attrs.h"
#include "common/inet.h"

/*
 * IPv4 addresses of all interfaces that are up and inside the policy's
 * prefixes (NULL: all but loopback's), each once, at most `room`. 0 or -errno.
 */
NODISCARD int addresses_list(const struct policy *policy, struct ipv4 *out, size_t room,
                             size_t *out_count);
