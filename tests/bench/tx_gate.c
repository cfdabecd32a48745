/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-bench-gate: what agent/lane/tx_gate costs per packet, with all that a policy can
 * ask for: two servers, a rate, a total. Prints nanoseconds per packet, the median of rounds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/lane/tx_gate.h"
#include "common/attrs.h"
#include "common/clock.h"

enum { ROUNDS = 15, MESSAGES = 2000000, SERVERS = 2 };

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* A microsecond between messages, below the cap, so that all of them pass. */
static double round_ns(const struct plan *plan, uint64_t *passed)
{
    struct tx_gate gate;
    uint64_t now_ns = NS_PER_S;
    tx_gate_init(&gate, plan, 10 * 1000 * 1000, now_ns);
    tx_gate_set_total(&gate, UINT64_C(1000000000000));
    tx_gate_set_may_send(&gate, true, now_ns);
    uint64_t began_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < MESSAGES; i++) {
        now_ns += NS_PER_US;
        if (tx_gate_pass(&gate, SERVERS, now_ns)) {
            for (unsigned k = 0; k < SERVERS; k++) {
                *passed += tx_gate_knows(&gate, plan->servers[k].address);
            }
        }
    }
    return (double)(clock_monotonic_ns() - began_ns) / (SERVERS * (double)MESSAGES);
}

int main(void)
{
    static struct plan plan = {.server_count = SERVERS};
    double ns[ROUNDS];
    uint64_t passed = 0;
    for (uint32_t i = 0; i < SERVERS; i++) {
        plan.servers[i].address = inet_from_host(UINT32_C(0xc0a8010c) + i);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        ns[i] = round_ns(&plan, &passed);
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    bool is_whole = passed == (uint64_t)ROUNDS * MESSAGES * SERVERS;
    printf("tx_gate: %.1f ns per packet (%.1f to %.1f), %" PRIu64 " packets passed%s\n",
           ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1], passed, is_whole ? "" : ": not all");
    return is_whole ? 0 : 1;
}
