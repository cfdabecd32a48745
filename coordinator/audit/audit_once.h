/* SPDX-License-Identifier: MIT */
/*
 * A datagram that several capture points have seen is one datagram: a router's capture on all
 * interfaces shows it coming in and going out, two files may both have it. How often it was sent
 * is the most that any one point has seen of it, so that a repetition on the wire (which is two
 * datagrams, at every point) still counts as two.
 *
 * What is the same: direction, the DHCP server's address, IP id and every byte of the message.
 * Addresses and ports that a rule on the way rewrites are no part of it. What is another point:
 * another file, interface, direction or TTL.
 *
 * 16 bytes per datagram and point. Pure; owns its memory: audit_once_fini(). A zeroed one is
 * valid and empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_frame.h"

struct audit_seen {
    uint64_t key; /* 0: free slot */
    uint32_t count, most;
};

struct audit_once {
    struct audit_seen *slots;
    size_t capacity, count;
};

enum audit_news { AUDIT_NEW, AUDIT_SEEN, AUDIT_NO_MEMORY };

/* `file`: number of the capture; `server`: which of source and destination is the server's. */
NODISCARD enum audit_news audit_once(struct audit_once *once, uint32_t file,
                                     const struct audit_datagram *d, struct ipv4 server);
void audit_once_fini(struct audit_once *once);
