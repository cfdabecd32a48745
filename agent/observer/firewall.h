/* SPDX-License-Identifier: MIT */
/*
 * The host's packet rules, audited at the beginning and when they change, which
 * the kernel is asked once a second (NFT_MSG_GETGEN); of iptables-legacy's it
 * says nothing, so these are listed again every minute. A helper does the
 * audit, see firewall_helper.h.
 *
 * Needs CAP_NET_ADMIN in the server's network namespace, which must be ours;
 * rules of iptables-legacy need CAP_NET_RAW. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/firewall_helper.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct firewall {
    struct firewall_helper helper;
    int netlink; /* -1: none; then rules are listed every minute */
    bool is_wanted, is_asked, has_report, has_generation;
    uint32_t generation, judged_generation, seq;
    uint64_t look_at_ns, asked_at_ns;
    struct firewall_report report;
};

/* Forks: before the first thread, before keys are read, before privileges are
 * given up. */
void firewall_open(struct firewall *f);
void firewall_close(struct firewall *f);
void firewall_look(struct firewall *f, uint64_t now_ns);
/* The metrics fw_*, and the notes NOTE_*_RULE; a remark on what is missing. */
void firewall_observe(struct firewall *f, const struct observer_target *target,
                      struct observation *out);
