/* SPDX-License-Identifier: MIT */
/* Small files of the agent's edge that look at the host: what they would find in this world. */
#include <string.h>

#include "agent/edge/addresses.h"
#include "agent/edge/greeting.h"
#include "agent/edge/preflight_host.h"
#include "agent/edge/host_snmp.h"
#include "agent/edge/lane_usage.h"
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

/* Hosts of this world lack nothing; what is wrong with real ones is tests/net/preflight.sh's. */
void preflight_host_look(const struct preflight_ask *ask, struct preflight_host *out)
{
    enum { MOST_FILES = 65536 };
    *out = (struct preflight_host){.count = 1};
    out->facts[0].kind = FACT_LOOKED_AT;
    preflight_host_looked(out, FACT_LISTENER);
    preflight_host_looked(out, FACT_NO_ADDRESS);
    preflight_host_looked(out, FACT_NO_ROUTE);
    preflight_host_add(out, &(struct control_fact){.kind = FACT_OPEN_FILES,
                                                   .value = MOST_FILES,
                                                   .limit = ask->sockets});
    preflight_host_looked(out, FACT_OPEN_FILES);
}

void preflight_host_looked(struct preflight_host *host, enum control_fact_kind kind)
{
    host->facts[0].value |= UINT64_C(1) << kind;
}

void preflight_host_add(struct preflight_host *host, const struct control_fact *fact)
{
    if (host->count < CONTROL_FACTS_MAX) {
        host->facts[host->count++] = *fact;
    }
}

bool greeting_is_name_known(const char *host)
{
    (void)host;
    return true;
}

/* What this machine's kernel counts is no part of this world. */
void host_snmp_read(struct host_snmp *out)
{
    *out = (struct host_snmp){0};
}

/* Nor is its scheduler. */
int lane_usage_open(void)
{
    return -1;
}

void lane_usage_read(int fd, struct lane_usage *out)
{
    (void)fd;
    *out = (struct lane_usage){0};
}

enum greeting greeting_ask(const char *host, uint16_t port, int timeout_ms)
{
    (void)host;
    (void)port;
    (void)sim_wait((uint64_t)timeout_ms * NS_PER_MS);
    return GREETING_NOBODY;
}
