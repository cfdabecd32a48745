/* SPDX-License-Identifier: MIT */
#include "agent/observer/network.h"

#include <stdio.h>
#include <string.h>

#include "agent/observer/parse/net_text.h"
#include "agent/observer/read_text.h"

enum { TEXT_BYTES = 64 * 1024, PATH_BYTES = 96 };

static const struct {
    enum observer_metric metric;
    const char *group, *name;
} of_snmp[] = {
    {OBSERVER_udp_in, "Udp", "InDatagrams"},
    {OBSERVER_udp_out, "Udp", "OutDatagrams"},
    {OBSERVER_udp_receive_buffer_errors, "Udp", "RcvbufErrors"},
    {OBSERVER_udp_no_ports, "Udp", "NoPorts"},
    {OBSERVER_ip_out_discards, "Ip", "OutDiscards"},
    {OBSERVER_ip_out_no_routes, "Ip", "OutNoRoutes"},
    {OBSERVER_icmp_in_echo_replies, "Icmp", "InEchoReps"},
};

static const struct {
    enum observer_metric metric;
    const char *column;
} of_conntrack[] = {
    {OBSERVER_ct_insert_failed, "insert_failed"},
    {OBSERVER_ct_drop, "drop"},
    {OBSERVER_ct_early_drop, "early_drop"},
    {OBSERVER_ct_found, "found"},
};

/* Set when `is_known`; else why not. */
static void set_or_lack(struct observation *out, enum observer_metric m, bool is_known,
                        uint64_t value, enum availability why)
{
    if (is_known) {
        observation_set(out, m, (double)value);
    } else {
        observation_lacks(out, m, why);
    }
}

/*
 * Below the process's own directory procfs shows its network. While there is none, ours, if that is
 * where it was. False: nobody can say.
 */
static bool path_of(const struct observer_target *target, const char *file, char out[PATH_BYTES])
{
    if (target->pid != 0) {
        (void)snprintf(out, PATH_BYTES, "/proc/%d/net/%s", (int)target->pid, file);
    } else {
        (void)snprintf(out, PATH_BYTES, "/proc/self/net/%s", file);
    }
    return target->pid != 0 || target->is_same_network;
}

/* What has no place is the network of nobody. */
static enum availability read_net(const struct observer_target *target, const char *file,
                                  char text[TEXT_BYTES])
{
    char path[PATH_BYTES];
    text[0] = '\0';
    if (!path_of(target, file, path)) {
        return AVAILABLE_NOT_APPLICABLE;
    }
    int rc = read_text(path, text, TEXT_BYTES);
    return rc < 0 ? availability_of(rc) : AVAILABLE_OK;
}

/* A name that is not in a file that could be read is one this kernel does not have. */
static enum availability lacking(enum availability read)
{
    return read == AVAILABLE_OK ? AVAILABLE_NO_KERNEL : read;
}

static void observe_snmp(const struct observer_target *target, char text[TEXT_BYTES],
                         struct observation *out)
{
    enum availability read = read_net(target, "snmp", text);
    for (size_t i = 0; i < ARRAY_LEN(of_snmp); i++) {
        uint64_t value = 0;
        bool is_known = net_snmp_number(text, of_snmp[i].group, of_snmp[i].name, &value);
        set_or_lack(out, of_snmp[i].metric, is_known, value, lacking(read));
    }
}

static void observe_drops(const struct observer_target *target, char text[TEXT_BYTES],
                          struct observation *out)
{
    uint64_t value = 0;
    enum availability read = read_net(target, "dev", text);
    bool is_known = net_dev_drops(text, &value);
    set_or_lack(out, OBSERVER_link_drops, is_known, value, lacking(read));
    int rc = read_text("/proc/self/net/softnet_stat", text, TEXT_BYTES);
    is_known = rc > 0 && net_softnet_drops(text, &value);
    set_or_lack(out, OBSERVER_softnet_drops, is_known, value, availability_of(rc));
}

/* They show the reader's network, not the directory's: only where both are one. */
static void observe_limit(const struct observer_target *target, const char *path,
                          enum observer_metric metric, struct observation *out)
{
    uint64_t value = 0;
    if (!target->is_same_network) {
        observation_lacks(out, metric, AVAILABLE_NOT_APPLICABLE);
        return;
    }
    int rc = read_number(path, &value);
    set_or_lack(out, metric, rc == 0, value, availability_of(rc));
}

/* Files only: asking by netlink could load connection tracking where there was none. */
static void observe_conntrack(const struct observer_target *target, char text[TEXT_BYTES],
                              struct observation *out)
{
    uint64_t value = 0;
    enum availability read = read_net(target, "stat/nf_conntrack", text);
    bool is_known = net_conntrack_first(text, "entries", &value);
    set_or_lack(out, OBSERVER_ct_entries, is_known, value, lacking(read));
    for (size_t i = 0; i < ARRAY_LEN(of_conntrack); i++) {
        is_known = net_conntrack_sum(text, of_conntrack[i].column, &value);
        set_or_lack(out, of_conntrack[i].metric, is_known, value, lacking(read));
    }
    observe_limit(target, "/proc/sys/net/netfilter/nf_conntrack_max", OBSERVER_ct_max, out);
    observe_limit(target, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout",
                  OBSERVER_ct_udp_timeout, out);
}

void network_observe(const struct observer_target *target, struct observation *out)
{
    char text[TEXT_BYTES];
    observe_snmp(target, text, out);
    observe_drops(target, text, out);
    observe_conntrack(target, text, out);
}
