/* SPDX-License-Identifier: MIT */
#include "agent/observer/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/observer/parse/disk_text.h"
#include "agent/observer/read_text.h"

enum { TEXT_BYTES = 1024, MOUNTS_BYTES = 128 * 1024, SYS_PATH_MOST = 240 };

#define US_PER_MS UINT64_C(1000)

void disk_init(struct disk *d)
{
    memset(d, 0, sizeof(*d));
    d->lacking = AVAILABLE_NOT_APPLICABLE;
}

/* --- which disk --- */

/*
 * The directory in /sys of what a file lies on. File systems over several devices, as btrfs, have
 * a number of their own; there the name of the device that was mounted tells: "/dev/vda3".
 */
static bool find_directory(dev_t device, const char *source, char real[PATH_MAX])
{
    char path[DISK_PATH_BYTES];
    if (major(device) != 0) {
        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
    } else {
        const char *name = strrchr(source, '/');
        if (strncmp(source, "/dev/", 5) != 0 || name[1] == '\0') {
            return false;
        }
        (void)snprintf(path, sizeof(path), "/sys/class/block/%.200s", name + 1);
    }
    return realpath(path, real) != NULL;
}

/* "/sys/devices/.../block/vda/vda1" to its disk's counters and name. */
static bool take_disk(struct disk *d, char real[PATH_MAX])
{
    char path[PATH_MAX + 16];
    struct stat st;
    char *last = strrchr(real, '/');
    (void)snprintf(path, sizeof(path), "%s/partition", real);
    if (last != NULL && stat(path, &st) == 0) {
        *last = '\0';
        last = strrchr(real, '/');
    }
    if (last == NULL || strlen(real) > SYS_PATH_MOST) {
        return false;
    }
    (void)snprintf(d->stat_path, sizeof(d->stat_path), "%.240s/stat", real);
    (void)snprintf(d->name, sizeof(d->name), "%.60s", last + 1);
    return true;
}

static void find(struct disk *d)
{
    char type[DISK_PATH_BYTES] = "", source[DISK_PATH_BYTES] = "", real[PATH_MAX];
    char *mounts = malloc(MOUNTS_BYTES);
    bool is_mount =
        mounts != NULL && read_text("/proc/self/mountinfo", mounts, MOUNTS_BYTES) > 0 &&
        disk_parse_mount(mounts, major(d->device), minor(d->device), type, source, sizeof(source));
    free(mounts);
    if (is_mount) {
        (void)snprintf(d->type, sizeof(d->type), "%.60s", type);
    }
    d->is_known = find_directory(d->device, source, real) && take_disk(d, real);
    d->lacking = AVAILABLE_NOT_APPLICABLE; /* a file system in memory, or on another host */
}

static void look(struct disk *d, const char *leases)
{
    struct stat st;
    if (leases[0] == '\0') {
        disk_init(d);
        return;
    }
    if (stat(leases, &st) < 0) {
        /* Between two files: dhcpd puts a new one in its place. What was known stays so. */
        bool is_missing = errno == ENOENT;
        if (!is_missing || !d->is_known) {
            enum availability why = is_missing ? AVAILABLE_NOT_APPLICABLE : availability_of(-errno);
            disk_init(d);
            d->lacking = why;
        }
        return;
    }
    if (!d->is_known || st.st_dev != d->device) {
        disk_init(d);
        d->device = st.st_dev;
        find(d);
    }
}

/* --- what it says --- */

static void lack(struct observation *out, enum availability why)
{
    static const enum observer_metric mine[] = {OBSERVER_disk_writes, OBSERVER_disk_flushes,
                                                OBSERVER_disk_flush_time, OBSERVER_disk_busy};
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        observation_lacks(out, mine[i], why);
    }
}

static void observe_disk(const struct disk *d, struct observation *out)
{
    char text[TEXT_BYTES];
    struct disk_stat stat;
    if (!d->is_known) {
        lack(out, d->lacking);
        return;
    }
    int rc = read_text(d->stat_path, text, sizeof(text));
    if (rc < 0 || !disk_parse_stat(text, &stat)) {
        lack(out, availability_of(rc));
        return;
    }
    lack(out, AVAILABLE_NO_KERNEL);
    observation_set(out, OBSERVER_disk_writes, (double)stat.writes);
    observation_set(out, OBSERVER_disk_busy, (double)(stat.busy_ms * US_PER_MS));
    if (stat.has_flushes) {
        observation_set(out, OBSERVER_disk_flushes, (double)stat.flushes);
        observation_set(out, OBSERVER_disk_flush_time, (double)(stat.flush_ms * US_PER_MS));
    }
}

static void observe_pressure(const char *path, enum observer_metric metric, struct observation *out)
{
    char text[TEXT_BYTES];
    uint64_t total_us = 0;
    int rc = read_text(path, text, sizeof(text));
    if (rc > 0 && disk_parse_pressure(text, &total_us)) {
        observation_set(out, metric, (double)total_us);
    } else {
        observation_lacks(out, metric, availability_of(rc));
    }
}

static void note(const struct disk *d, const char *leases, struct observation *out)
{
    char text[NOTE_BYTES + 1] = "";
    if (leases[0] != '\0') {
        (void)snprintf(text, sizeof(text), "%.150s%s%.30s%s%.30s", leases,
                       d->type[0] == '\0' ? "" : ", ", d->type, d->name[0] == '\0' ? "" : " on ",
                       d->name);
    }
    observation_set_note(out, NOTE_LEASE_FILE, text);
}

void disk_observe(struct disk *d, const char *leases, struct observation *out)
{
    look(d, leases);
    observe_disk(d, out);
    note(d, leases, out);
    observe_pressure("/proc/pressure/io", OBSERVER_pressure_io, out);
    observe_pressure("/proc/pressure/cpu", OBSERVER_pressure_cpu, out);
}
