/* SPDX-License-Identifier: MIT */
/*
 * A child process that lists and judges the host's packet rules, so that the
 * observer may give up starting programs: the rules are what nft and
 * iptables-save print. It takes one byte as its only order, runs these commands
 * with fixed arguments and answers with one struct firewall_report. Of
 * capabilities it keeps CAP_NET_ADMIN, CAP_NET_RAW and CAP_DAC_READ_SEARCH,
 * those of them it has. It ends with the observer.
 *
 * Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "agent/observer/parse/ruleset.h"
#include "proto/observation.h"

struct firewall_report {
    enum availability available;
    bool has_legacy; /* there are tables of iptables-legacy */
    struct ruleset_verdict verdict;
    char why[NOTE_BYTES + 1]; /* what could not be read, and what would help; "" */
};

struct firewall_helper {
    pid_t pid; /* 0: it could not be started */
    int fd;    /* -1: none */
};

void firewall_helper_start(struct firewall_helper *h);
void firewall_helper_end(struct firewall_helper *h);
/* Neither waits. False: it is not there any more, or has not answered yet. */
bool firewall_helper_ask(struct firewall_helper *h);
bool firewall_helper_answer(struct firewall_helper *h, struct firewall_report *out);
