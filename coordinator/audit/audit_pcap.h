/* SPDX-License-Identifier: MIT */
/*
 * Reads a capture file, pcap or pcapng, with libpcap: Ethernet, Linux cooked, raw IP. Edge: the
 * only file that includes libpcap's header is audit_pcap.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_frame.h"

enum { AUDIT_PCAP_WHY_BYTES = 600 };

/* One frame; `at_ns`: UTC. False stops the reading. */
typedef bool audit_pcap_visit(void *context, const struct audit_frame *frame, uint64_t at_ns);

struct audit_pcap {
    uint64_t frames;
    bool is_cut; /* the file ends within a packet: what the capture had after it is not there */
};

/*
 * No more than the file has when it is opened. 0 or -errno with one sentence in `why`: -EBADMSG
 * damaged, or no capture; -EPROTONOSUPPORT of another kind of link; -ECANCELED `visit` stopped it.
 */
NODISCARD int audit_pcap_read(const char *path, audit_pcap_visit *visit, void *context,
                              struct audit_pcap *out, char why[AUDIT_PCAP_WHY_BYTES]);
