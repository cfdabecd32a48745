/* SPDX-License-Identifier: MIT */
/* What the kernel says of disks and of waiting for them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

/* Of /sys/block/NAME/stat, see Documentation/block/stat.rst. */
struct disk_stat {
    uint64_t writes, busy_ms;
    bool has_flushes; /* before Linux 5.5 they are not told */
    uint64_t flushes, flush_ms;
};

NODISCARD bool disk_parse_stat(const char *text, struct disk_stat *out);

/* Of /proc/pressure/NAME: the total of "some". */
NODISCARD bool disk_parse_pressure(const char *text, uint64_t *out_us);

/*
 * Of /proc/PID/mountinfo: type and source of the file system with this device number, the latest
 * mounted there is. False: none has it, or a name has no room.
 */
NODISCARD bool disk_parse_mount(const char *text, unsigned major, unsigned minor, char *out_type,
                                char *out_source, size_t size);
