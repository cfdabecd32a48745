/* SPDX-License-Identifier: MIT */
/* Small files of the agent's edge that look at the host: what they would find in this world. */
#include <string.h>

#include "agent/edge/addresses.h"
#include "agent/edge/greeting.h"
#include "coordinator/run/confinement.h"
#include "tests/sim/world.h"

int addresses_list(const struct policy *policy, struct ipv4 *out, size_t room, size_t *out_count)
{
    const struct world_agent *agent = world_agent_of(sim_current_part());
    size_t count = 0;
    for (size_t i = 0; i < agent->address_count && count < room; i++) {
        if (policy_owns_address(policy, agent->address[i])) {
            out[count++] = agent->address[i];
        }
    }
    *out_count = count;
    return 0;
}

/* Once for a process, and several coordinators live in this one. */
int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                  char why[CONFINEMENT_WHY_BYTES])
{
    (void)run_dir;
    (void)keys_dir;
    (void)why;
    return 0;
}

int confinement_keep_reading(const char *run_dir, const struct scenario *books, bool is_local,
                             char why[CONFINEMENT_WHY_BYTES])
{
    (void)run_dir;
    (void)books;
    (void)is_local;
    (void)why;
    return 0;
}

bool greeting_is_name_known(const char *host)
{
    (void)host;
    return true;
}

enum greeting greeting_ask(const char *host, uint16_t port, int timeout_ms)
{
    (void)host;
    (void)port;
    (void)sim_wait((uint64_t)timeout_ms * NS_PER_MS);
    return GREETING_NOBODY;
}
