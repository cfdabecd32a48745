/* SPDX-License-Identifier: MIT */
/* What procfs says of a network and of a host's drops. Pure. Sums over interfaces and CPUs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

/* Of net/snmp and net/netstat: group "Ip", name "OutDiscards". False: this kernel has none. */
NODISCARD bool net_snmp_number(const char *text, const char *group, const char *name,
                               uint64_t *out);

/* Of net/dev: packets dropped both ways by all interfaces but lo. */
NODISCARD bool net_dev_drops(const char *text, uint64_t *out);

/* Of net/softnet_stat. */
NODISCARD bool net_softnet_drops(const char *text, uint64_t *out);

/* Of net/stat/nf_conntrack: the sum of a column over CPUs, or what the first of them says. */
NODISCARD bool net_conntrack_sum(const char *text, const char *column, uint64_t *out);
NODISCARD bool net_conntrack_first(const char *text, const char *column, uint64_t *out);
