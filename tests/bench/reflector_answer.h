/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-reflector's answers: a function of the question alone. Used by reflector.c, which
 * answers as fast as it can, and reflector_model.c, which answers as a server of known capacity.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "proto/dhcp_options.h"

struct reflector_config {
    struct ipv4 address;
    struct ipv4_net base;
    uint32_t lease_s;
    bool renew_to_source;
};

/* A question points into the bytes it was read from. */
struct reflector_question {
    const uint8_t *bytes; /* whole header */
    uint8_t type;
    struct ipv4 ciaddr, giaddr;
    struct dhcp_option client_id, relay_info; /* value NULL: absent */
};

struct reflector_totals {
    uint64_t discover, request, inform, other, malformed, unreachable;
    uint64_t sent, send_errors;
};

/* False for what is not a whole BOOTREQUEST with option 53. */
bool reflector_read(const uint8_t *bytes, size_t size, struct reflector_question *out);
/* Counts it by type; false where there is nothing to say (RELEASE, DECLINE). */
bool reflector_counts(const struct reflector_question *q, struct reflector_totals *totals);
/* RFC 2131 4.1; false where only a broadcast could reach the client. */
bool reflector_address(const struct reflector_config *config, const struct reflector_question *q,
                       const struct sockaddr_in *from, struct sockaddr_in *to);
/* Returns the size of the answer in out[DHCP4_MAX_BYTES]. */
size_t reflector_write(const struct reflector_config *config, const struct reflector_question *q,
                       uint8_t *out);
