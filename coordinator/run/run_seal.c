/* SPDX-License-Identifier: MIT */
/* The plan becomes one of these agents and of today, and the operator's: sealed and signed. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_trail.h"
#include "proto/plan_seal.h"

/*
 * Beyond the run's time: preflight and clean-up, and a coordinator that is away for a
 * while and resumed. Shorter is safer: until then a copy of the plan is worth something.
 */
#define VALID_LONGER_S (UINT64_C(2) * 3600)

/* Every key of every agent that joined, if it is good today: in a rotation a name has two. */
static bool name_agents(const struct run *run, struct plan *plan)
{
    struct plan_agent *agents = calloc(run->allowed.count + 1, sizeof(*agents));
    char today[KEY_DATE_BYTES];
    uint32_t count = 0;
    if (agents == NULL) {
        return false;
    }
    key_today(today);
    for (size_t i = 0; i < run->allowed.count; i++) {
        const struct key_entry *entry = &run->allowed.entries[i];
        if (key_entry_is_expired(entry, today)) {
            continue;
        }
        bool has_joined = false;
        for (size_t k = 0; k < run->roster.count && !has_joined; k++) {
            has_joined = strcmp(run->roster.agents[k].name, entry->name) == 0;
        }
        if (has_joined && entry->role == KEY_ROLE_AGENT) {
            snprintf(agents[count].name, sizeof(agents[count].name), "%s", entry->name);
            memcpy(agents[count].key, entry->public_key, PLAN_AGENT_KEY_BYTES);
            count++;
        }
    }
    qsort(agents, count, sizeof(*agents), plan_agent_compare);
    free(plan->agents);
    plan->agents = agents;
    plan->agent_count = count;
    return true;
}

/* False: the run is refused, the reason said. */
static bool pack(struct run *run)
{
    size_t size = plan_encode(&run->plan, NULL, 0);
    uint8_t *bytes = size == 0 ? NULL : malloc(size);
    if (bytes == NULL) {
        char why[PLAN_WHY_BYTES] = "out of memory";
        bool is_valid = plan_is_valid(&run->plan, why);
        run_refuse(run, 6, "the plan cannot be packed: %s",
                   is_valid ? "it is too large, or memory lacks" : why);
        return false;
    }
    (void)plan_encode(&run->plan, bytes, size);
    free(run->plan_bytes);
    run->plan_bytes = bytes;
    run->plan_size = size;
    plan_hash(bytes, size, run->plan_hash);
    return true;
}

static bool sign(struct run *run)
{
    struct sign_key *signer = run->throw_away != NULL ? run->throw_away : run->options->signer;
    memcpy(run->plan_sig.operator_key, sign_key_public(signer), SIGN_PUBLIC_BYTES);
    int rc = sign_make(signer, PLAN_SIGN_DOMAIN, run->plan_bytes, run->plan_size,
                       run->plan_sig.signature);
    if (run->throw_away != NULL || run->options->forgets_signer) {
        sign_key_forget(signer);
    }
    if (rc < 0) {
        run_refuse(run, 6, "cannot sign the plan: %s", strerror(-rc));
    }
    return rc == 0;
}

bool run_seal(struct run *run)
{
    char why[RUN_DIR_WHY_BYTES];
    if (!name_agents(run, &run->plan)) {
        run_refuse(run, 6, "out of memory");
        return false;
    }
    run->plan.not_before_s = clock_realtime_ns() / NS_PER_S;
    run->plan.not_after_s =
        run->plan.not_before_s + run->plan.run_time_max_ns / NS_PER_S + VALID_LONGER_S;
    if (!pack(run) || !sign(run)) {
        return false;
    }
    if (run_dir_write(run->dir, "plan.bin", run->plan_bytes, run->plan_size, why) < 0 ||
        plan_sig_write(run->dir, &run->plan_sig, why) < 0) {
        run_refuse(run, 6, "%s", why);
        return false;
    }
    run_trail_sealed(run);
    return true;
}
