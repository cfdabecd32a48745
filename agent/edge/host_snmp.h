/* SPDX-License-Identifier: MIT */
/*
 * What the kernel counts of this network namespace since boot (/proc/net/snmp): echo requests it
 * received and echo replies it sent (a host that answers for the test block makes a server with
 * ping-check abandon every address), and datagrams that found no room in the receive buffer of a
 * socket, of whatever program. Needs no privilege.
 *
 * Edge; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct host_snmp {
    bool has_icmp, has_udp; /* else what follows is 0 */
    uint64_t echo_in, echo_out;
    uint64_t rcvbuf_errors;
};

/* What is not there or not understood is not had. */
void host_snmp_read(struct host_snmp *out);
/* The text of /proc/net/snmp. */
void host_snmp_parse(const char *text, struct host_snmp *out);
