/* SPDX-License-Identifier: MIT */
#include "agent/observer/lease_file.h"

#include <string.h>

void lease_file_open(struct lease_file *l, struct failover *failover)
{
    memset(l, 0, sizeof(*l));
    l->failover = failover;
    follow_open(&l->follow, "", FOLLOW_LEASES);
}

void lease_file_close(struct lease_file *l)
{
    follow_close(&l->follow);
}

void lease_file_look(struct lease_file *l)
{
    follow_look(&l->follow);
}

static void take_line(void *context, const char *line, size_t size, uint64_t files, uint64_t at)
{
    struct lease_file *l = context;
    bool is_lease = l->is_kea ? lease_line_kea(line, size)
                              : lease_line_dhcpd(&l->lines, line, size, l->failover);
    if (is_lease && (files > 1 || l->is_kea || at >= l->follow.first_bytes)) {
        l->commits++;
    }
}

/* Another path: counters go on. */
static void begin(struct lease_file *l, const struct observer_target *target, const char *path)
{
    uint64_t files = l->follow.files;
    l->rewrites += files > 1 ? files - 1 : 0;
    l->is_kea = target->program == TARGET_KEA;
    l->is_caught_up = false;
    memset(&l->lines, 0, sizeof(l->lines));
    follow_close(&l->follow);
    follow_open(&l->follow, path, l->is_kea ? FOLLOW_LOG : FOLLOW_LEASES);
}

void lease_file_observe(struct lease_file *l, const struct observer_target *target,
                        const char *path, enum availability lack, struct observation *out)
{
    struct follow *f = &l->follow;
    if (strcmp(f->path, path) != 0) {
        begin(l, target, path);
    }
    follow_turn(f, take_line, l);
    l->is_caught_up =
        l->is_caught_up || f->files > 1 || (f->files == 1 && f->offset >= f->first_bytes);
    enum availability available = follow_availability(f, lack);
    if (available == AVAILABLE_OK) {
        observation_set(out, OBSERVER_lease_file_bytes, (double)f->file_size);
    } else {
        observation_lacks(out, OBSERVER_lease_file_bytes, available);
    }
    if (available == AVAILABLE_OK && (target->program == TARGET_OTHER || !l->is_caught_up)) {
        available = AVAILABLE_NOT_APPLICABLE;
    }
    if (available == AVAILABLE_OK) {
        observation_set(out, OBSERVER_lease_commits, (double)l->commits);
        observation_set(out, OBSERVER_lease_rewrites, (double)(l->rewrites + f->files - 1));
    } else {
        observation_lacks(out, OBSERVER_lease_commits, available);
        observation_lacks(out, OBSERVER_lease_rewrites, available);
    }
}
