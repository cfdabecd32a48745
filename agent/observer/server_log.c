/* SPDX-License-Identifier: MIT */
#include "agent/observer/server_log.h"

#include <string.h>

#include "common/attrs.h"

void server_log_open(struct server_log *l, struct failover *failover)
{
    memset(l, 0, sizeof(*l));
    l->failover = failover;
    follow_open(&l->follow, "", FOLLOW_LOG);
}

void server_log_close(struct server_log *l)
{
    follow_close(&l->follow);
}

void server_log_forget_pools(struct server_log *l)
{
    memset(&l->pools, 0, sizeof(l->pools));
}

static void take_line(void *context, const char *line, size_t size, uint64_t files, uint64_t at)
{
    (void)files;
    (void)at;
    struct server_log *l = context;
    enum log_event event = log_counts_take(&l->counts, l->program, line, size);
    if (event == LOG_FAILOVER) {
        log_line_failover(l->program, line, size, l->failover);
    } else if (event == LOG_POOL) {
        log_pools_take(&l->pools, line, size);
    }
}

static void tell_counts(const struct server_log *l, enum availability available,
                        struct observation *out)
{
    static const struct {
        enum log_event event;
        enum observer_metric metric;
    } told[] = {
        {LOG_ACK, OBSERVER_log_acks},
        {LOG_SEND_REFUSED, OBSERVER_log_send_refused},
        {LOG_NO_FREE_LEASES, OBSERVER_log_no_free_leases},
        {LOG_PEER_HOLDS, OBSERVER_log_peer_holds},
        {LOG_ABANDONED, OBSERVER_log_abandoned},
        {LOG_NAK, OBSERVER_log_naks},
        {LOG_LOAD_BALANCED, OBSERVER_log_load_balanced},
        {LOG_REUSED, OBSERVER_log_reused},
        {LOG_OTHER_ERROR, OBSERVER_log_other_errors},
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        uint64_t count = l->counts.of[told[i].event];
        if (available != AVAILABLE_OK) {
            observation_lacks(out, told[i].metric, available);
        } else if (count == 0 && !log_line_can_tell(l->program, told[i].event)) {
            observation_lacks(out, told[i].metric, AVAILABLE_NOT_APPLICABLE);
        } else {
            observation_set(out, told[i].metric, (double)count);
        }
    }
}

/* Kea's pools are told by its control socket. */
static void tell_pools(const struct server_log *l, enum availability available,
                       struct observation *out)
{
    const struct log_pools *p = &l->pools;
    bool is_known = available == AVAILABLE_OK && p->count > 0 && !p->is_overfull;
    enum availability why = available == AVAILABLE_OK ? AVAILABLE_NOT_APPLICABLE : available;
    bool is_primary = p->role == LOG_ROLE_PRIMARY;
    if (is_known) {
        observation_set(out, OBSERVER_pool_total, (double)p->total);
    } else {
        observation_lacks(out, OBSERVER_pool_total, why);
    }
    /* While both have as many, it does not matter which of the two it is. */
    if (is_known && (p->role != LOG_ROLE_UNKNOWN || p->free == p->backup)) {
        observation_set(out, OBSERVER_pool_free, (double)(is_primary ? p->free : p->backup));
        observation_set(out, OBSERVER_pool_backup, (double)(is_primary ? p->backup : p->free));
    } else {
        observation_lacks(out, OBSERVER_pool_free, why);
        observation_lacks(out, OBSERVER_pool_backup, why);
    }
}

void server_log_observe(struct server_log *l, const struct observer_target *target,
                        const char *path, enum availability lack, struct observation *out)
{
    if (strcmp(l->follow.path, path) != 0) {
        follow_close(&l->follow);
        follow_open(&l->follow, path, FOLLOW_LOG);
    }
    if (target->pid != 0) {
        l->program = target->program == TARGET_DHCPD ? LOG_DHCPD
                     : target->program == TARGET_KEA ? LOG_KEA
                                                     : LOG_UNKNOWN;
    }
    follow_turn(&l->follow, take_line, l);
    enum availability available = follow_availability(&l->follow, lack);
    tell_counts(l, available, out);
    if (target->program != TARGET_KEA) {
        tell_pools(l, available, out);
    }
    observation_set_note(out, NOTE_LAST_REFUSED, l->counts.last_refused);
    observation_set_note(out, NOTE_LAST_STARVED, l->counts.last_starved);
}
