/* SPDX-License-Identifier: MIT */
/*
 * The sources that need more than anybody may read: the server's system calls,
 * its log, lease file and control socket, the host's rules and tracked
 * connections. One struct, since some of them know together what none knows
 * alone: failover is told by log, lease file and Kea.
 *
 *   stage1_open()     once, before keys are read, the first thread is started
 * and privileges are given up: it starts the helper that lists rules, and opens
 * netlink sockets stage1_look()     50 to 100 times a second, at uneven
 * intervals: reads where the threads are, and moves on what waits for an
 * answer; never waits itself stage1_observe()  once a second, after the sources
 * of stage 0: it reads their insert_failed and out_discards of this
 * observation, and adds to their NOTE_OBSERVER
 *
 * Sets every metric and note that is its own in each observation. Edge. One
 * thread.
 */
#pragma once

#include "agent/observer/conntrack_dump.h"
#include "agent/observer/firewall.h"
#include "agent/observer/kea.h"
#include "agent/observer/lease_file.h"
#include "agent/observer/parse/failover.h"
#include "agent/observer/server_conf.h"
#include "agent/observer/server_files.h"
#include "agent/observer/server_log.h"
#include "agent/observer/syscalls.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct stage1 {
    struct syscalls syscalls;
    struct server_files files; /* where they are; files.leases is for disk.h, too */
    struct server_log log;
    struct server_conf conf;
    struct lease_file leases;
    struct kea kea;
    struct firewall firewall;
    struct conntrack_dump conntrack;
    struct failover failover; /* of `instance` */
    uint64_t instance;
};

/* Cannot fail: a source that cannot be had says so in every observation. */
void stage1_open(struct stage1 *s);
void stage1_close(struct stage1 *s);
void stage1_look(struct stage1 *s, const struct observer_target *target, uint64_t now_ns);
void stage1_observe(struct stage1 *s, const struct observer_target *target, uint64_t now_ns,
                    struct observation *out);
