/* SPDX-License-Identifier: MIT */
/*
 * Whether this host, or the network, still wants what is sent: the kernel that refuses
 * packets, and routers that say "administratively prohibited". Then nothing more is sent
 * and the run is aborted; all limits are here.
 *
 * A port that is unreachable is no reason: that is what a server looks like whose DHCP
 * service has ended, and finding that out is what runs are for.
 *
 * Pure: time is an argument (CLOCK_MONOTONIC).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/inet.h"

enum {
    SEND_REFUSED_IN_A_ROW = 100,
    SEND_REFUSED_PERCENT = 10, /* more than that, of at least so many in a second: */
    SEND_REFUSED_OF = 1000,
    /* Routers say it once a second at most after the first few: more than a stray one. */
    SEND_PROHIBITED = 5,
    SEND_PROHIBITED_SPAN_S = 10
};

enum send_halt_kind {
    SEND_GOES_ON,
    SEND_HALT_REFUSED,    /* by the kernel: `error` */
    SEND_HALT_PROHIBITED, /* by ICMP destination unreachable with `icmp_code` */
    SEND_HALT_TOTAL       /* the policy's total is spent: `count` packets */
};

struct send_halt {
    enum send_halt_kind kind;
    int error; /* errno, of the last refusal */
    uint8_t icmp_code;
    struct ipv4 destination; /* of the last one */
    uint64_t count, of;      /* refusals, and packets tried meanwhile (prohibited: 0) */
};

struct send_health {
    uint64_t second_ns, sent, refused; /* of the second that began then */
    uint64_t in_a_row;
    uint64_t prohibited_ns, prohibited; /* since then */
    struct send_halt halt;              /* the first reason is the one */
};

void send_health_sent(struct send_health *h, uint64_t count, uint64_t now_ns);
void send_health_refused(struct send_health *h, int error, struct ipv4 destination,
                         uint64_t now_ns);
/* Any ICMP error that came back; only "prohibited" counts. */
void send_health_icmp(struct send_health *h, uint8_t type, uint8_t code, struct ipv4 destination,
                      uint64_t now_ns);
void send_health_spent(struct send_health *h, uint64_t total_packets);
