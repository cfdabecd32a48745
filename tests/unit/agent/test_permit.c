/* SPDX-License-Identifier: MIT */
/* Whose plans an agent takes: each way in which one is not its own, each with its sentence. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/permit.h"
#include "common/attrs.h"
#include "common/prng.h"
#include "common/sign.h"
#include "proto/plan_seal.h"
#include "tests/support/control_samples.h"

enum { FLIPS = 10000 };

struct bed {
    struct policy policy;
    struct sign_key *op, *stranger;
    uint8_t bytes[4096];
    struct control_prepare prepare;
    struct plan plan;
    char why[POLICY_WHY_BYTES];
};

static void read_policy(struct bed *b, const struct sign_key *named)
{
    static struct diag complaints;
    char key[SIGN_PUBLIC_TEXT_BYTES], text[300] = "servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\n";
    if (named != NULL) {
        sign_public_to_text(sign_key_public(named), key);
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                       "operators:\n  alice: {key: %s}\n", key);
    }
    policy_free(&b->policy);
    diag_init(&complaints, "policy.yaml");
    assert_true(policy_parse(text, strlen(text), &b->policy, &complaints));
}

static void sign(struct bed *b, const struct sign_key *key)
{
    b->prepare.is_signed = true;
    memcpy(b->prepare.operator_key, sign_key_public(key), SIGN_PUBLIC_BYTES);
    assert_int_equal(sign_make(key, PLAN_SIGN_DOMAIN, b->prepare.plan, b->prepare.plan_bytes,
                               b->prepare.signature),
                     0);
}

static int setup(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    bed.op = sign_key_make();
    bed.stranger = sign_key_make();
    assert_true(bed.op != NULL && bed.stranger != NULL);
    read_policy(&bed, bed.op);
    sample_plan(&bed.plan);
    bed.prepare.plan = bed.bytes;
    bed.prepare.plan_bytes = plan_encode(&bed.plan, bed.bytes, sizeof(bed.bytes));
    assert_in_range(bed.prepare.plan_bytes, 1, sizeof(bed.bytes));
    sign(&bed, bed.op);
    *state = &bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    policy_free(&b->policy);
    plan_free(&b->plan);
    sign_key_free(b->op);
    sign_key_free(b->stranger);
    return 0;
}

static bool permits(struct bed *b)
{
    const char *name = NULL;
    bool is_good = permit_signature(&b->policy, &b->prepare, &name, b->why);
    assert_int_equal(is_good, name != NULL);
    return is_good;
}

static void expect_refused(struct bed *b, const char *phrase)
{
    b->why[0] = '\0';
    if (permits(b) || strstr(b->why, phrase) == NULL) {
        fail_msg("'%s' instead of '%s'", b->why, phrase);
    }
}

static void a_policy_without_operators_takes_no_plan(void **state)
{
    struct bed *b = *state;
    read_policy(b, NULL);
    expect_refused(b, "keys operator NAME");
}

static void an_unsigned_plan_is_refused(void **state)
{
    struct bed *b = *state;
    b->prepare.is_signed = false;
    expect_refused(b, "not signed");
}

/* The coordinator's own forgery: a good signature, of a key that nobody here trusts. */
static void a_stranger_or_an_operator_removed_is_refused(void **state)
{
    struct bed *b = *state;
    sign(b, b->stranger);
    expect_refused(b, "none of operators: (line 3)");
    sign(b, b->op);
    assert_true(permits(b));
    read_policy(b, b->stranger);
    expect_refused(b, "none of operators: (line 3)");
}

static void the_signature_of_another_plan_is_refused(void **state)
{
    struct bed *b = *state;
    b->plan.seed++;
    b->prepare.plan_bytes = plan_encode(&b->plan, b->bytes, sizeof(b->bytes));
    expect_refused(b, "operator alice does not belong to this plan");
}

static void what_was_signed_for_another_purpose_is_refused(void **state)
{
    struct bed *b = *state;
    assert_int_equal(
        sign_make(b->op, "leaseherd plan", b->bytes, b->prepare.plan_bytes, b->prepare.signature),
        0);
    expect_refused(b, "does not belong to this plan");
}

/* In the plan, the signature or the operator's key: 10,000 flips, none accepted. */
static void a_flipped_byte_anywhere_is_refused(void **state)
{
    struct bed *b = *state;
    struct prng prng = prng_seeded(20260101);
    uint8_t *const parts[] = {b->bytes, b->prepare.signature, b->prepare.operator_key};
    const size_t sizes[] = {b->prepare.plan_bytes, SIGN_SIGNATURE_BYTES, SIGN_PUBLIC_BYTES};
    unsigned accepted = 0;
    for (unsigned i = 0; i < FLIPS; i++) {
        size_t at = (size_t)prng_below(&prng, sizes[0] + sizes[1] + sizes[2]);
        size_t part = 0;
        while (at >= sizes[part]) {
            at -= sizes[part++];
        }
        uint8_t before = parts[part][at];
        parts[part][at] ^= (uint8_t)(1 + prng_below(&prng, 255));
        accepted += permits(b);
        parts[part][at] = before;
    }
    assert_int_equal(accepted, 0);
    assert_true(permits(b));
}

static bool seal_permits(struct bed *b, uint8_t key_byte, uint64_t now_s)
{
    uint8_t key[KEY_BYTES];
    memset(key, key_byte, sizeof(key));
    b->why[0] = '\0';
    return permit_seal(&b->plan, key, now_s, b->why);
}

static void a_plan_for_others_is_refused_with_their_names(void **state)
{
    struct bed *b = *state;
    uint64_t now_s = b->plan.not_before_s + 10;
    assert_true(seal_permits(b, 0x70, now_s));
    assert_true(seal_permits(b, 0x71, now_s));
    assert_false(seal_permits(b, 0x72, now_s));
    assert_non_null(strstr(b->why, "other agents (a1, a2)"));
    free(b->plan.agents);
    b->plan.agents = calloc(200, sizeof(*b->plan.agents));
    assert_non_null(b->plan.agents);
    b->plan.agent_count = 200;
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(b->plan.agents[i].name, PLAN_AGENT_NAME_BYTES, "an-agent-with-a-long-n-%u",
                       i);
    }
    assert_false(seal_permits(b, 0x70, now_s));
    assert_non_null(strstr(b->why, ", ...)"));
    b->plan.agent_count = 0;
    assert_false(seal_permits(b, 0x70, now_s));
    assert_non_null(strstr(b->why, "neither which agents"));
}

static void a_plan_is_valid_for_its_time_and_the_tolerance_of_clocks(void **state)
{
    struct bed *b = *state;
    uint64_t first_s = b->plan.not_before_s - PLAN_CLOCK_TOLERANCE_S;
    uint64_t last_s = b->plan.not_after_s + PLAN_CLOCK_TOLERANCE_S;
    assert_false(seal_permits(b, 0x70, first_s - 1));
    assert_non_null(strstr(b->why, "not valid before 2026-01-02T03:04:05Z"));
    assert_non_null(strstr(b->why, "it is 2026-01-02T02:59:04Z"));
    assert_true(seal_permits(b, 0x70, first_s));
    assert_true(seal_permits(b, 0x70, last_s));
    assert_false(seal_permits(b, 0x70, last_s + 1));
    assert_non_null(strstr(b->why, "was valid until 2026-01-02T05:34:05Z"));
    assert_false(seal_permits(b, 0x70, 0));
    assert_false(seal_permits(b, 0x70, UINT64_MAX - 1000));
}

/* --- GO --- */

enum { BATCH, RATE, DECLINE, UNPACED, LOAD };

static const struct plan_stage stages[] = {
    [BATCH] = {.name = "peak", .kind = PLAN_ACQUIRE, .batch = 300},
    [RATE] = {.name = "again", .kind = PLAN_RELEASE, .rate_milli_per_s = 5000},
    [DECLINE] = {.name = "no", .kind = PLAN_DECLINE, .batch = 5},
    [UNPACED] = {.name = "wait", .kind = PLAN_HOLD},
    [LOAD] = {.name = "load", .kind = PLAN_LOAD, .rate_milli_per_s = 9000},
};

static struct plan plan_of_stages(uint32_t count)
{
    struct plan plan = {.stage_count = count};
    memcpy(plan.stages, stages, count * sizeof(*stages));
    return plan;
}

static void a_go_that_was_not_signed_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t stages;
        struct control_go go;
        const char *text;
    } rows[] = {
        {LOAD, {.stage = LOAD, .rate_milli_per_s = 1}, "no stage 4"},
        {LOAD, {.stage = UINT32_MAX, .batch = 1}, "no stage 4294967295"},
        {LOAD, {.stage = BATCH, .batch = 1, .round = 1}, "round 1 of stage peak"},
        {LOAD, {.stage = RATE, .rate_milli_per_s = 1, .round = UINT64_MAX}, "of stage again"},
        {LOAD + 1, {.stage = DECLINE, .batch = 1, .round = 1}, "round 1 of stage no"},
        {LOAD, {.stage = BATCH, .rate_milli_per_s = 1}, "a batch"},
        {LOAD, {.stage = BATCH}, "a batch"},
        {LOAD, {.stage = BATCH, .batch = 1, .rate_milli_per_s = 1}, "a batch"},
        {LOAD, {.stage = RATE}, "a rate"},
        {LOAD, {.stage = RATE, .batch = 1}, "a rate"},
        {LOAD + 1, {.stage = LOAD, .round = 1}, "a rate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan plan = plan_of_stages(rows[i].stages);
        struct control_go go = rows[i].go;
        char why[POLICY_WHY_BYTES] = "";
        if (permit_go(&plan, &go, why) || strstr(why, rows[i].text) == NULL) {
            fail_msg("row %zu: '%s' instead of '%s'", i, why, rows[i].text);
        }
    }
}

static void a_go_is_cut_to_what_was_signed(void **state)
{
    (void)state;
    static const struct {
        struct control_go go;
        uint32_t batch;
        uint64_t rate;
    } rows[] = {
        {{.stage = BATCH, .batch = 300}, 300, 0},
        {{.stage = BATCH, .batch = UINT32_MAX}, 300, 0},
        {{.stage = BATCH, .batch = 1, .round = 7}, 1, 0}, /* there is a load */
        {{.stage = RATE, .rate_milli_per_s = 1, .round = 7}, 0, 1},
        {{.stage = RATE, .rate_milli_per_s = 5001}, 0, 5000},
        {{.stage = LOAD, .rate_milli_per_s = UINT64_MAX, .round = 1}, 0, 9000},
        {{.stage = UNPACED}, 0, 0},
    };
    struct plan plan = plan_of_stages(LOAD + 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct control_go go = rows[i].go;
        char why[POLICY_WHY_BYTES] = "";
        assert_true(permit_go(&plan, &go, why));
        assert_int_equal(go.batch, rows[i].batch);
        assert_int_equal(go.rate_milli_per_s, rows[i].rate);
        assert_int_equal(go.round, rows[i].go.round);
    }
}

int main(void)
{
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_BED(a_policy_without_operators_takes_no_plan),
        IN_BED(an_unsigned_plan_is_refused),
        IN_BED(a_stranger_or_an_operator_removed_is_refused),
        IN_BED(the_signature_of_another_plan_is_refused),
        IN_BED(what_was_signed_for_another_purpose_is_refused),
        IN_BED(a_flipped_byte_anywhere_is_refused),
        IN_BED(a_plan_for_others_is_refused_with_their_names),
        IN_BED(a_plan_is_valid_for_its_time_and_the_tolerance_of_clocks),
        cmocka_unit_test(a_go_that_was_not_signed_is_refused),
        cmocka_unit_test(a_go_is_cut_to_what_was_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
