/* SPDX-License-Identifier: MIT */
/*
 * Packets an agent has exchanged with one server since READY, whatever became of
 * them: what an EPERM in the server's log, or a NAT between, is held against.
 * Replies count where they name the server (option 54) and a client of the run.
 * Preflight tries paths that need not work: what it sent, and OFFERs, ACKs and NAKs
 * it got, are left out; ports, sources and terms of its replies are not.
 *
 * Pure. A zeroed struct is a valid empty one.
 */
#pragma once

#include <stdint.h>

#include "common/inet.h"

/*
 * X(name, help). Order is the wire order: append only. The first nine are in the
 * order of enum dhcp4_intent.
 *
 * `renew_replies` are told from others by the port they come to. With client_path
 * relayed all come to one port: only those that answer the open RENEW count then.
 */
#define SNAPSHOT_PACKETS(X)                                                                        \
    X(sent_discover, "DISCOVER copies handed to the kernel")                                       \
    X(sent_request, "REQUEST in SELECTING")                                                        \
    X(sent_renew, "REQUEST in RENEWING")                                                           \
    X(sent_rebind, "REQUEST in REBINDING")                                                         \
    X(sent_reboot, "REQUEST in INIT-REBOOT")                                                       \
    X(sent_decline, "DECLINE")                                                                     \
    X(sent_release, "RELEASE")                                                                     \
    X(sent_inform, "INFORM")                                                                       \
    X(sent_query, "DHCPLEASEQUERY")                                                                \
    X(offers, "OFFERs that name it")                                                               \
    X(acks, "ACKs that name it")                                                                   \
    X(naks, "NAKs that name it")                                                                   \
    X(renew_replies, "of these ACKs and NAKs: to RENEWs")                                          \
    X(unicast_replies, "replies that came to port 68")                                             \
    X(ports_low, "of these, not from port 67: from 1..511")                                        \
    X(ports_high, "from 600..1023")                                                                \
    X(ports_other, "from another port")                                                            \
    X(relayed_wrong_port, "replies to a relay's port 67 that did not come from port 67")           \
    X(wrong_source, "replies whose source address was not their option 54")                        \
    X(t1_not_below_t2, "ACKs with T1 >= T2, or its default")                                       \
    X(t2_not_below_lease, "ACKs with T2 >= lease time")                                            \
    X(timer_zero, "ACKs with a T1, T2 or lease time of 0")                                         \
    X(t1_early, "ACKs with T1 below a quarter of the lease time")                                  \
    X(mask_not_subnet, "ACKs whose mask is not that of the relay's subnet")

enum snapshot_packet {
#define X(name, help) PACKET_##name,
    SNAPSHOT_PACKETS(X)
#undef X
        PACKET_COUNT
};

enum { SNAPSHOT_LOW_PORTS = 512, SNAPSHOT_LOW_PORT_WORDS = SNAPSHOT_LOW_PORTS / 64 };

/* Answers that were taken. */
struct snapshot_server {
    uint64_t offers, acks, naks;
};

struct snapshot_packets {
    uint64_t count[PACKET_COUNT];
    uint64_t low_port[SNAPSHOT_LOW_PORT_WORDS]; /* bit p: a unicast reply came from port p */
    struct ipv4 wrong_source;                   /* the latest of those counted; zero: none */
};

const char *snapshot_packet_name(enum snapshot_packet p);
