/* SPDX-License-Identifier: MIT */
/* Facts about this host, for the coordinator's preflight. */
#include <stdio.h>

#include "agent/edge/session_internal.h"
#include "common/log.h"

void session_host_look(struct assignment *a, const struct ipv4 *carriers, size_t count)
{
    const struct preflight_ask ask = {.plan = &a->plan,
                                      .carriers = carriers,
                                      .carrier_count = count,
                                      .subnet = a->plan.relays[a->shares[0].relay].subnet,
                                      .sockets = LANE_PORT_COUNT * count + 1};
    preflight_host_look(&ask, &a->host);
}

void session_host_buffers(struct session *s, struct assignment *a, const struct udp *udp)
{
    size_t got = udp_receive_buffer_bytes(udp);
    uint64_t asked_for = got / 2; /* the kernel counts its own part, too */
    if (a->rx_buffer_bytes == 0 || asked_for < a->rx_buffer_bytes) {
        a->rx_buffer_bytes = asked_for;
    }
    preflight_host_looked(&a->host, FACT_RECEIVE_BUFFER);
    preflight_host_add(&a->host, &(struct control_fact){.kind = FACT_RECEIVE_BUFFER,
                                                        .value = got,
                                                        .limit = UDP_RECEIVE_BUFFER_BYTES});
    if (got < UDP_RECEIVE_BUFFER_BYTES && session_may_tell(s, NEWS_SMALL_BUFFERS)) {
        log_warn("what=small_receive_buffer bytes=%zu hint=\"sysctl -w net.core.rmem_max=%d lets "
                 "this agent keep bursts of answers\" continuing",
                 got, UDP_RECEIVE_BUFFER_BYTES);
    }
}

bool session_host_tell(struct session *s, const struct assignment *a)
{
    struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT};
    m.u.preflight_report =
        (struct control_preflight_report){.facts = a->host.facts, .fact_count = a->host.count};
    return a->host.count == 0 || session_send(s, &m) == 0;
}
