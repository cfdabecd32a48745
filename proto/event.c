/* SPDX-License-Identifier: MIT */
#include "proto/event.h"

#include <assert.h>
#include <stddef.h>

#include "proto/plan.h"
#include "proto/snapshot.h"

static const char *const kind_names[EVENT_KIND_COUNT] = {
    [EVENT_ACQUIRE] = "acquire", [EVENT_RENEW] = "renew",   [EVENT_REBIND] = "rebind",
    [EVENT_REBOOT] = "reboot",   [EVENT_INFORM] = "inform", [EVENT_RELEASE] = "release",
    [EVENT_DECLINE] = "decline", [EVENT_EXPIRE] = "expire", [EVENT_QUERY] = "query",
};

static const char *const result_names[EVENT_RESULT_COUNT] = {
    [EVENT_ACK] = "ack",         [EVENT_NAK] = "nak",
    [EVENT_GAVE_UP] = "gave_up", [EVENT_SENT] = "sent",
    [EVENT_CHANGED] = "changed", [EVENT_ENDED] = "ended",
    [EVENT_LEASED] = "leased",   [EVENT_UNASSIGNED] = "unassigned",
    [EVENT_UNKNOWN] = "unknown",
};

#define RESULT_BIT(result) (1U << (result))

/* What can become of each kind. A server that answers INFORM with a NAK is recorded, not denied. */
static const unsigned results_of_kind[EVENT_KIND_COUNT] = {
    [EVENT_ACQUIRE] = RESULT_BIT(EVENT_ACK) | RESULT_BIT(EVENT_NAK) | RESULT_BIT(EVENT_GAVE_UP),
    [EVENT_RENEW] = RESULT_BIT(EVENT_ACK) | RESULT_BIT(EVENT_NAK) | RESULT_BIT(EVENT_GAVE_UP) |
                    RESULT_BIT(EVENT_CHANGED),
    [EVENT_REBIND] = RESULT_BIT(EVENT_ACK) | RESULT_BIT(EVENT_NAK) | RESULT_BIT(EVENT_GAVE_UP) |
                     RESULT_BIT(EVENT_CHANGED),
    [EVENT_REBOOT] = RESULT_BIT(EVENT_ACK) | RESULT_BIT(EVENT_NAK) | RESULT_BIT(EVENT_GAVE_UP) |
                     RESULT_BIT(EVENT_CHANGED),
    [EVENT_INFORM] = RESULT_BIT(EVENT_ACK) | RESULT_BIT(EVENT_NAK) | RESULT_BIT(EVENT_GAVE_UP),
    [EVENT_RELEASE] = RESULT_BIT(EVENT_SENT),
    [EVENT_DECLINE] = RESULT_BIT(EVENT_SENT),
    [EVENT_EXPIRE] = RESULT_BIT(EVENT_ENDED),
    [EVENT_QUERY] = RESULT_BIT(EVENT_LEASED) | RESULT_BIT(EVENT_UNASSIGNED) |
                    RESULT_BIT(EVENT_UNKNOWN) | RESULT_BIT(EVENT_GAVE_UP),
};

const char *event_kind_name(enum event_kind kind)
{
    assert((unsigned)kind < EVENT_KIND_COUNT);
    return kind_names[kind];
}

const char *event_result_name(enum event_result result)
{
    assert((unsigned)result < EVENT_RESULT_COUNT);
    return result_names[result];
}

static bool flags_fit(const struct event *e)
{
    bool is_acquire = e->kind == EVENT_ACQUIRE;
    bool has_lease = e->result == EVENT_ACK || e->result == EVENT_CHANGED;

    if ((e->flags & ~(unsigned)EVENT_FLAGS_ALL) != 0) {
        return false;
    }
    if ((e->flags & (EVENT_FIRST_LEASE | EVENT_LATE_BOUND)) != 0 && !(is_acquire && has_lease)) {
        return false;
    }
    if ((e->flags & EVENT_DEADLINE) != 0 && !(is_acquire && e->result == EVENT_GAVE_UP)) {
        return false;
    }
    if ((e->flags & EVENT_EARLY) != 0 && e->kind != EVENT_RENEW) {
        return false;
    }
    if ((e->flags & EVENT_VOID) != 0 && e->result != EVENT_GAVE_UP && e->result != EVENT_ENDED) {
        return false;
    }
    return (e->flags & EVENT_CLEANUP) == 0 || e->kind == EVENT_RELEASE;
}

bool event_is_valid(const struct event *e)
{
    if (e->kind >= EVENT_KIND_COUNT || e->result >= EVENT_RESULT_COUNT ||
        (results_of_kind[e->kind] & RESULT_BIT(e->result)) == 0) {
        return false;
    }
    bool has_lease = e->result == EVENT_ACK || e->result == EVENT_CHANGED;

    if (has_lease && inet_is_zero(e->addr)) {
        return false;
    }
    if (e->stage >= PLAN_STAGES_MAX && e->stage != SNAPSHOT_STAGE_PREFLIGHT) {
        return false;
    }
    /* The ledger keeps times as signed 64 bit. */
    return e->client < PLAN_CLIENTS_MAX && e->t_us <= INT64_MAX && flags_fit(e);
}
