/* SPDX-License-Identifier: MIT */
#include "agent/observer/stage1.h"

#include <string.h>

#include "agent/observer/remark.h"

void stage1_open(struct stage1 *s)
{
    memset(s, 0, sizeof(*s));
    firewall_open(&s->firewall); /* forks: first, while there is little to be copied */
    conntrack_dump_open(&s->conntrack);
    syscalls_open(&s->syscalls);
    server_files_open(&s->files);
    server_log_open(&s->log, &s->failover);
    server_conf_open(&s->conf);
    lease_file_open(&s->leases, &s->failover);
    kea_open(&s->kea, &s->failover);
}

void stage1_close(struct stage1 *s)
{
    firewall_close(&s->firewall);
    conntrack_dump_close(&s->conntrack);
    syscalls_close(&s->syscalls);
    server_log_close(&s->log);
    lease_file_close(&s->leases);
    kea_close(&s->kea);
}

void stage1_look(struct stage1 *s, const struct observer_target *target, uint64_t now_ns)
{
    syscalls_look(&s->syscalls, target);
    lease_file_look(&s->leases);
    kea_look(&s->kea, target, s->files.kea_socket, now_ns);
    firewall_look(&s->firewall, now_ns);
    conntrack_dump_look(&s->conntrack, now_ns);
}

/* Who may not read what tells of states does not know that there are none. */
static enum availability why_no_state(const struct observer_target *target,
                                      const struct observation *out)
{
    bool is_kea = target->program == TARGET_KEA;
    bool is_hidden =
        is_kea ? out->availability[OBSERVER_kea_received] == AVAILABLE_NO_PERMISSION
               : out->availability[OBSERVER_log_acks] == AVAILABLE_NO_PERMISSION ||
                     out->availability[OBSERVER_lease_file_bytes] == AVAILABLE_NO_PERMISSION;
    return target->pid != 0 && is_hidden ? AVAILABLE_NO_PERMISSION : AVAILABLE_NOT_APPLICABLE;
}

static void tell_failover(const struct stage1 *s, const struct observer_target *target,
                          struct observation *out)
{
    enum failover_state own = FAILOVER_UNKNOWN, partner = FAILOVER_UNKNOWN;
    if (target->pid != 0 && failover_tell(&s->failover, &own, &partner)) {
        observation_set(out, OBSERVER_failover_own, own);
        observation_set(out, OBSERVER_failover_partner, partner);
    } else {
        enum availability why = why_no_state(target, out);
        observation_lacks(out, OBSERVER_failover_own, why);
        observation_lacks(out, OBSERVER_failover_partner, why);
    }
}

void stage1_observe(struct stage1 *s, const struct observer_target *target, uint64_t now_ns,
                    struct observation *out)
{
    server_files_look(&s->files, target);
    enum availability lack = server_files_lack(&s->files);
    if (target->pid != 0 && s->instance != target->instance) {
        s->instance = target->instance;
        server_log_forget_pools(&s->log);
    }
    syscalls_observe(&s->syscalls, target, out);
    /* The file before the log: of a state that both tell of, the log's is the
     * newer. */
    lease_file_observe(&s->leases, target, s->files.leases, lack, out);
    server_log_observe(&s->log, target, s->files.log, lack, out);
    server_conf_observe(&s->conf, target, s->files.config, out);
    kea_observe(&s->kea, target, now_ns, out);
    tell_failover(s, target, out);
    firewall_observe(&s->firewall, target, out);
    conntrack_dump_observe(&s->conntrack, target, out);
    if (s->files.is_hidden && target->pid != 0) {
        remark(out, "files are guessed without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
    }
}
