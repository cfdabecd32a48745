/* SPDX-License-Identifier: MIT */
/*
 * The disk that the lease file lies on, and how long the host's tasks wait for disks and CPUs.
 * Counted for the whole disk, of which the file's partition is a part. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "agent/observer/target.h"
#include "proto/observation.h"

enum { DISK_PATH_BYTES = 256, DISK_NAME_BYTES = 64 };

struct disk {
    dev_t device; /* of the file, when last looked at */
    bool is_known;
    enum availability lacking;       /* not known: why */
    char stat_path[DISK_PATH_BYTES]; /* in /sys */
    char name[DISK_NAME_BYTES];      /* "vda", "dm-3" */
    char type[DISK_NAME_BYTES];      /* "ext4" */
};

void disk_init(struct disk *d);
/* The metrics disk_* and pressure_*, and NOTE_LEASE_FILE. `leases`: its path, "": not known. */
void disk_observe(struct disk *d, const char *leases, struct observation *out);
