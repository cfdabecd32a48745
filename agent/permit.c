/* SPDX-License-Identifier: MIT */
#include "agent/permit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/sign.h"
#include "proto/plan_seal.h"

enum { TIME_TEXT_BYTES = 24, NAMES_BYTES = 64 };

static_assert((int)SIGN_PUBLIC_BYTES == CONTROL_OPERATOR_KEY_BYTES, "one key");
static_assert((int)SIGN_SIGNATURE_BYTES == CONTROL_SIGNATURE_BYTES, "one signature");
static_assert((int)KEY_BYTES == PLAN_AGENT_KEY_BYTES, "one key");

static const struct policy_operator *find_operator(const struct policy *policy,
                                                   const uint8_t key[SIGN_PUBLIC_BYTES])
{
    const struct policy_operator *operators = policy->operators.items;
    for (size_t i = 0; i < policy->operators.count; i++) {
        uint8_t known[SIGN_PUBLIC_BYTES];
        if (sign_public_from_text(operators[i].key, known) &&
            memcmp(known, key, sizeof(known)) == 0) {
            return &operators[i];
        }
    }
    return NULL;
}

bool permit_signature(const struct policy *policy, const struct control_prepare *prepare,
                      const char **out_operator, char why[POLICY_WHY_BYTES])
{
    char text[SIGN_PUBLIC_TEXT_BYTES];
    if (policy->operators.count == 0) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "this agent's policy names no operators, so it takes no plan; add the "
                       "operators: lines that `leaseherd keys operator NAME` prints");
        return false;
    }
    if (!prepare->is_signed) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the plan is not signed; begin the run with --operator-key FILE");
        return false;
    }
    const struct policy_operator *op = find_operator(policy, prepare->operator_key);
    if (op == NULL) {
        sign_public_to_text(prepare->operator_key, text);
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the plan is signed with key %s, which is none of operators: (line %u) in "
                       "this agent's policy; add it there if it is an operator's",
                       text, policy->operators_line);
        return false;
    }
    if (!sign_is_good(prepare->operator_key, PLAN_SIGN_DOMAIN, prepare->plan, prepare->plan_bytes,
                      prepare->signature)) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the signature of operator %.63s does not belong to this plan; it was "
                       "changed, or it is another plan's",
                       op->name);
        return false;
    }
    *out_operator = op->name;
    return true;
}

static void time_text(uint64_t wall_s, char out[TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)wall_s;
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
}

/* "a1, a2, ..." as far as it goes. */
static void name_agents(const struct plan *plan, char out[NAMES_BYTES])
{
    size_t at = 0;
    for (uint32_t i = 0; i < plan->agent_count; i++) {
        const char *name = plan->agents[i].name;
        if (at + strlen(name) + sizeof(", ...") + 1 > NAMES_BYTES) {
            (void)snprintf(out + at, NAMES_BYTES - at, ", ...");
            return;
        }
        at += (size_t)snprintf(out + at, NAMES_BYTES - at, "%s%s", i == 0 ? "" : ", ", name);
    }
}

static bool is_valid_now(const struct plan *plan, uint64_t now_s, char why[POLICY_WHY_BYTES])
{
    char here[TIME_TEXT_BYTES], there[TIME_TEXT_BYTES];
    bool is_early = now_s + PLAN_CLOCK_TOLERANCE_S < plan->not_before_s;
    bool is_late = now_s > plan->not_after_s + PLAN_CLOCK_TOLERANCE_S;
    if (!is_early && !is_late) {
        return true;
    }
    time_text(now_s, here);
    time_text(is_early ? plan->not_before_s : plan->not_after_s, there);
    (void)snprintf(why, POLICY_WHY_BYTES,
                   "the plan %s %s and by this host's clock it is %s; set the clocks right, or "
                   "begin a new run",
                   is_early ? "is not valid before" : "was valid until", there, here);
    return false;
}

bool permit_seal(const struct plan *plan, const uint8_t own_key[KEY_BYTES], uint64_t now_s,
                 char why[POLICY_WHY_BYTES])
{
    if (plan->agent_count == 0) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the plan says neither which agents may play it nor when; another version "
                       "made it");
        return false;
    }
    if (!plan_names_agent(plan, own_key)) {
        char names[NAMES_BYTES];
        name_agents(plan, names);
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the plan was signed for other agents (%s); this agent's key is not among "
                       "theirs",
                       names);
        return false;
    }
    return is_valid_now(plan, now_s, why);
}

static bool has_load(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->stage_count; i++) {
        if (plan->stages[i].kind == PLAN_LOAD) {
            return true;
        }
    }
    return false;
}

bool permit_go(const struct plan *plan, struct control_go *go, char why[POLICY_WHY_BYTES])
{
    if (go->stage >= plan->stage_count) {
        (void)snprintf(why, POLICY_WHY_BYTES, "there is no stage %" PRIu32, go->stage);
        return false;
    }
    const struct plan_stage *stage = &plan->stages[go->stage];
    if (go->round != 0 && (stage->kind == PLAN_DECLINE || !has_load(plan))) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "round %" PRIu64 " of stage %.60s, which was signed for one", go->round,
                       stage->name);
        return false;
    }
    bool is_other = (stage->batch != 0 && (go->batch == 0 || go->rate_milli_per_s != 0)) ||
                    (stage->rate_milli_per_s != 0 && (go->rate_milli_per_s == 0 || go->batch != 0));
    if (is_other) {
        (void)snprintf(why, POLICY_WHY_BYTES, "stage %.60s was signed with the other pace, a %s",
                       stage->name, stage->batch != 0 ? "batch" : "rate");
        return false;
    }
    if (stage->batch != 0 && go->batch > stage->batch) {
        go->batch = stage->batch;
    }
    if (stage->rate_milli_per_s != 0 && go->rate_milli_per_s > stage->rate_milli_per_s) {
        go->rate_milli_per_s = stage->rate_milli_per_s;
    }
    return true;
}
