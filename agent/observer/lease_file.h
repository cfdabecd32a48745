/* SPDX-License-Identifier: MIT */
/*
 * The server's lease file: how large, how many leases were written to it, how
 * often it was written anew. Leases are counted by reading what is appended,
 * and not by inotify: of events that come faster than they are read, the kernel
 * makes one.
 *
 * dhcpd writes all leases into a new file and puts that in the place of the old
 * one; these are no commits, so how large the new file was when first seen
 * matters: hence lease_file_look(). A commit between that write and the look is
 * missed. Kea begins a new file with a heading alone.
 *
 * Edge. One thread.
 */
#pragma once

#include "agent/observer/follow.h"
#include "agent/observer/parse/failover.h"
#include "agent/observer/parse/lease_line.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct lease_file {
    struct follow follow;
    bool is_kea;
    bool is_caught_up; /* what the first file had when we came has been read */
    uint64_t commits;
    uint64_t rewrites; /* of files at other paths */
    struct lease_lines lines;
    struct failover *failover; /* the caller's */
};

void lease_file_open(struct lease_file *l, struct failover *failover);
void lease_file_close(struct lease_file *l);
void lease_file_look(struct lease_file *l); /* often: is there a new file? */
/* The metrics lease_*; `path`: "": not known, and `lack` says why. NOTE_LEASE_FILE is disk.h's. */
void lease_file_observe(struct lease_file *l, const struct observer_target *target,
                        const char *path, enum availability lack, struct observation *out);
