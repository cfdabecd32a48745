/* SPDX-License-Identifier: MIT */
#include "proto/observation.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/attrs.h"

static const struct metric_facts {
    const char *name, *unit, *help;
    enum observer_metric_kind kind;
} metrics[OBSERVER_METRIC_COUNT] = {
#define X(name, unit, kind, help) {#name, unit, help, OBSERVER_##kind},
    OBSERVER_METRICS(X)
#undef X
};

static const char *const availability_names[AVAILABLE_COUNT] = {
    [AVAILABLE_NOT_APPLICABLE] = "not_applicable",
    [AVAILABLE_OK] = "ok",
    [AVAILABLE_NO_PERMISSION] = "no_permission",
    [AVAILABLE_NO_KERNEL] = "no_kernel",
};

static const char *const state_names[FAILOVER_STATE_COUNT] = {
    [FAILOVER_UNKNOWN] = "unknown",
    [FAILOVER_STARTUP] = "startup",
    [FAILOVER_NORMAL] = "normal",
    [FAILOVER_COMMUNICATIONS_INTERRUPTED] = "communications-interrupted",
    [FAILOVER_PARTNER_DOWN] = "partner-down",
    [FAILOVER_RECOVER] = "recover",
    [FAILOVER_RECOVER_WAIT] = "recover-wait",
    [FAILOVER_RECOVER_DONE] = "recover-done",
    [FAILOVER_POTENTIAL_CONFLICT] = "potential-conflict",
    [FAILOVER_CONFLICT_DONE] = "conflict-done",
    [FAILOVER_RESOLUTION_INTERRUPTED] = "resolution-interrupted",
    [FAILOVER_PAUSED] = "paused",
    [FAILOVER_SHUTDOWN] = "shutdown",
    [FAILOVER_WAITING] = "waiting",
    [FAILOVER_SYNCING] = "syncing",
    [FAILOVER_READY] = "ready",
    [FAILOVER_LOAD_BALANCING] = "load-balancing",
    [FAILOVER_HOT_STANDBY] = "hot-standby",
    [FAILOVER_COMMUNICATION_RECOVERY] = "communication-recovery",
    [FAILOVER_PASSIVE_BACKUP] = "passive-backup",
    [FAILOVER_BACKUP] = "backup",
    [FAILOVER_IN_MAINTENANCE] = "in-maintenance",
    [FAILOVER_PARTNER_IN_MAINTENANCE] = "partner-in-maintenance",
    [FAILOVER_TERMINATED] = "terminated",
    [FAILOVER_UNAVAILABLE] = "unavailable",
};

static const char *const note_names[NOTE_KIND_COUNT] = {
    [NOTE_PROGRAM] = "program",           [NOTE_LEASE_FILE] = "lease_file",
    [NOTE_NAT_RULE] = "nat_rule",         [NOTE_NOTRACK_RULE] = "notrack_rule",
    [NOTE_DROP_RULE] = "drop_rule",       [NOTE_LAST_REFUSED] = "last_refused",
    [NOTE_LAST_STARVED] = "last_starved", [NOTE_CONFIGURATION] = "configuration",
    [NOTE_OBSERVER] = "observer",
};

const char *observer_metric_name(enum observer_metric m)
{
    assert((unsigned)m < OBSERVER_METRIC_COUNT);
    return metrics[m].name;
}

const char *observer_metric_unit(enum observer_metric m)
{
    assert((unsigned)m < OBSERVER_METRIC_COUNT);
    return metrics[m].unit;
}

const char *observer_metric_help(enum observer_metric m)
{
    assert((unsigned)m < OBSERVER_METRIC_COUNT);
    return metrics[m].help;
}

enum observer_metric_kind observer_metric_kind(enum observer_metric m)
{
    assert((unsigned)m < OBSERVER_METRIC_COUNT);
    return metrics[m].kind;
}

const char *availability_name(enum availability a)
{
    assert((unsigned)a < AVAILABLE_COUNT);
    return availability_names[a];
}

const char *failover_state_name(enum failover_state s)
{
    assert((unsigned)s < FAILOVER_STATE_COUNT);
    return state_names[s];
}

const char *observer_note_name(enum observer_note_kind k)
{
    assert((unsigned)k < NOTE_KIND_COUNT);
    return note_names[k];
}

/* "PARTNER_DOWN" and "partner-down" are one name. */
static char folded(char c)
{
    if (c == '_' || c == ' ') {
        return '-';
    }
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool is_same_name(const char *a, const char *b)
{
    for (; *a != '\0' && folded(*a) == folded(*b); a++, b++) {
    }
    return *a == '\0' && *b == '\0';
}

enum failover_state failover_state_of(const char *name)
{
    for (int s = 0; s < FAILOVER_STATE_COUNT; s++) {
        if (is_same_name(state_names[s], name)) {
            return (enum failover_state)s;
        }
    }
    return FAILOVER_UNKNOWN;
}

void observation_set_note(struct observation *o, enum observer_note_kind kind, const char *text)
{
    size_t length = strnlen(text, NOTE_BYTES);

    for (size_t i = 0; i < length; i++) {
        o->note[kind][i] = text[i];
        if (text[i] < 0x20 || text[i] > 0x7e) {
            o->note[kind][i] = text[i] == '\t' ? ' ' : '?';
        }
    }
    memset(o->note[kind] + length, 0, sizeof(o->note[kind]) - length);
}

static bool metric_is_valid(const struct observation *o, enum observer_metric m)
{
    double value = o->value[m];

    if (o->availability[m] >= AVAILABLE_COUNT) {
        return false;
    }
    if (o->availability[m] != AVAILABLE_OK) {
        return value == 0;
    }
    if (!isfinite(value) || value < 0 || value > OBSERVATION_VALUE_MAX) {
        return false;
    }
    return metrics[m].kind != OBSERVER_STATE ||
           (value < FAILOVER_STATE_COUNT && value == floor(value));
}

void observation_leave_out_impossible(struct observation *o)
{
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        if (!metric_is_valid(o, (enum observer_metric)m)) {
            observation_lacks(o, (enum observer_metric)m, AVAILABLE_NOT_APPLICABLE);
        }
    }
}

static bool note_is_valid(const char note[NOTE_BYTES + 1])
{
    size_t length = strnlen(note, NOTE_BYTES + 1);

    for (size_t i = 0; i < length; i++) {
        if (note[i] < 0x20 || note[i] > 0x7e) {
            return false;
        }
    }
    return length <= NOTE_BYTES;
}

bool observation_is_valid(const struct observation *o)
{
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        if (!metric_is_valid(o, (enum observer_metric)m)) {
            return false;
        }
    }
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        if (!note_is_valid(o->note[k])) {
            return false;
        }
    }
    return true;
}
