/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-bench-live LEASES
 *
 * The check for duplicate addresses with so many live leases: what it holds, what it held at most
 * while growing, and what a renewal costs then. Prints JSON. exit: 0, 2 usage, 6 out of memory or a
 * wrong count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/truth/live_addresses.h"
#include "tests/bench/process.h"

enum { AGENTS = 16, RENEWALS = 2000000, LEASE_US = 60000000 };

#define FIRST_ADDRESS (UINT32_C(10) << 24)
#define STRIDE        7919 /* a prime: clients do not get their addresses in order */

static uint32_t agent_of(const void *context, uint32_t client)
{
    (void)context;
    return client % AGENTS;
}

static void lease(struct live_addresses *live, uint64_t i, uint64_t leases, int64_t at_us)
{
    uint32_t client = (uint32_t)(i * STRIDE % leases);
    struct live_holder who = {.client = client, .agent = agent_of(NULL, client)};
    live_addresses_lease(live, inet_from_host(FIRST_ADDRESS + 1 + client), who, at_us,
                         at_us + LEASE_US);
}

static uint64_t peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : (uint64_t)usage.ru_maxrss * 1024;
}

int main(int argc, char **argv)
{
    uint64_t leases = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (leases < 1 || leases > 15 * 1000 * 1000 || leases % STRIDE == 0) {
        fprintf(stderr, "usage: leaseherd-bench-live LEASES (1 to 15000000, not k * %d)\n", STRIDE);
        return 2;
    }
    uint64_t before_bytes = process_rss_bytes(getpid());
    struct live_addresses *live = live_addresses_new(AGENTS, agent_of, NULL);
    if (live == NULL) {
        return 6;
    }
    uint64_t begun_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < leases; i++) {
        lease(live, i, leases, (int64_t)i);
    }
    uint64_t filled_ns = clock_monotonic_ns();
    for (uint64_t i = 0; i < RENEWALS; i++) {
        lease(live, i, leases, (int64_t)(leases + i));
    }
    uint64_t renewed_ns = clock_monotonic_ns();
    struct live_figures figures = live_addresses_figures(live);
    if (figures.is_out_of_memory || figures.live_now != leases || figures.duplicates != 0) {
        fprintf(stderr,
                "bench live: %" PRIu64 " live, %" PRIu64 " duplicates, wanted %" PRIu64
                " and none\n",
                figures.live_now, figures.duplicates, leases);
        return 6;
    }
    printf("{\"leases\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"peak_bytes\": %" PRIu64
           ", \"lease_ns\": %.1f, \"renewal_ns\": %.1f}\n",
           leases, process_rss_bytes(getpid()) - before_bytes, peak_rss_bytes() - before_bytes,
           (double)(filled_ns - begun_ns) / (double)leases,
           (double)(renewed_ns - filled_ns) / RENEWALS);
    live_addresses_free(live);
    return 0;
}
