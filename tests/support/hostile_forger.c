/* SPDX-License-Identifier: MIT */
#include "tests/support/hostile_mad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "proto/plan_seal.h"

enum { FLIPS = 200, TEXT_BYTES = 1024 };

void mad_sign(struct mad *c, struct control_prepare *prepare, const struct sign_key *key)
{
    prepare->is_signed = true;
    memcpy(prepare->operator_key, sign_key_public(key), sizeof(prepare->operator_key));
    if (sign_make(key, PLAN_SIGN_DOMAIN, prepare->plan, prepare->plan_bytes, prepare->signature) <
        0) {
        mad_check(c, false, "signing a plan");
    }
}

/* Refused with this phrase, or a line that says what came instead. */
static void refused(struct mad *c, struct control_message *m, const char *what, const char *phrase)
{
    char text[2 * CONTROL_TEXT_BYTES];
    bool is_good = mad_offer(c, m) == 'R' && strstr(c->why, phrase) != NULL;
    (void)snprintf(text, sizeof(text), "%s is refused%s%s", what,
                   is_good ? "" : "; instead: ", is_good ? "" : c->why);
    mad_check(c, is_good, text);
}

static void changed(struct mad *c, void (*change)(struct plan *plan), const char *what,
                    const char *phrase)
{
    struct plan plan;
    mad_good_plan(c, &plan);
    change(&plan);
    struct control_message m = mad_prepare_of(c, &plan);
    refused(c, &m, what, phrase);
    plan_free(&plan);
}

static void of_others(struct plan *plan)
{
    plan->agents[0].key[0] ^= 1;
}

static void of_nobody(struct plan *plan)
{
    plan->agent_count = 0;
    plan->not_before_s = plan->not_after_s = 0;
}

static void expired(struct plan *plan)
{
    plan->not_before_s -= 7200;
    plan->not_after_s -= 3600 + PLAN_CLOCK_TOLERANCE_S + 1;
}

static void too_early(struct plan *plan)
{
    plan->not_before_s += PLAN_CLOCK_TOLERANCE_S + 60;
}

static void flips(struct mad *c, const struct plan *plan)
{
    unsigned others = 0;
    char text[64];
    for (unsigned i = 0; i < FLIPS && others == 0; i++) {
        struct control_message m = mad_prepare_of(c, plan);
        size_t at = (size_t)prng_below(&c->prng, m.u.prepare.plan_bytes + SIGN_SIGNATURE_BYTES);
        uint8_t flip = (uint8_t)(1 + prng_below(&c->prng, 255));
        if (at < m.u.prepare.plan_bytes) {
            c->plan_bytes[at] ^= flip;
            plan_hash(c->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
        } else {
            m.u.prepare.signature[at - m.u.prepare.plan_bytes] ^= flip;
        }
        others += mad_offer(c, &m) != 'R' || strstr(c->why, "does not belong to this plan") == NULL;
    }
    (void)snprintf(text, sizeof(text), "%d flipped bytes, %u taken or not noticed", FLIPS, others);
    mad_check(c, others == 0, text);
}

void mad_forges(struct mad *c)
{
    struct plan plan, other;
    struct sign_key *own = sign_key_make();
    double from_s = mad_wall_s();
    if (own == NULL) {
        exit(2);
    }
    c->grants = true;
    mad_good_plan(c, &plan);
    mad_good_plan(c, &other);
    other.seed++;
    struct control_message m = mad_prepare_of(c, &plan);
    m.u.prepare.is_signed = false;
    refused(c, &m, "a plan without a signature", "not signed");
    m = mad_prepare_of(c, &plan);
    mad_sign(c, &m.u.prepare, own);
    refused(c, &m, "the coordinator's own signature", "none of operators:");
    uint8_t signature[SIGN_SIGNATURE_BYTES];
    m = mad_prepare_of(c, &other);
    memcpy(signature, m.u.prepare.signature, sizeof(signature));
    m = mad_prepare_of(c, &plan);
    memcpy(m.u.prepare.signature, signature, sizeof(signature));
    refused(c, &m, "the signature of another plan", "does not belong to this plan");
    flips(c, &plan);
    changed(c, of_others, "a plan for other agents", "signed for other agents");
    changed(c, of_nobody, "a plan for nobody", "neither which agents");
    changed(c, expired, "a plan that has expired", "was valid until");
    changed(c, too_early, "a plan of the future", "is not valid before");
    mad_still_lives(c, "forged plans");
    mad_quiet(from_s, "no forged plan let a packet out");
    m = mad_prepare_of(c, &plan);
    mad_check(c, mad_offer(c, &m) == 'Y', "the operator's own plan is taken, which shows that");
    plan_free(&plan);
    plan_free(&other);
    sign_key_free(own);
}

/* --- replay --- */

static size_t read_file(const char *dir, const char *name, uint8_t *out, size_t size)
{
    char path[TEXT_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size_t got = fread(out, 1, size, file);
    (void)fclose(file);
    return got;
}

static void read_signature(const char *dir, struct control_prepare *p)
{
    char text[TEXT_BYTES] = "", key[128], signature[128];
    (void)read_file(dir, "plan.sig", (uint8_t *)text, sizeof(text) - 1);
    p->is_signed = sscanf(text, "%*[^\n] operator %127s signature %127s", key, signature) == 2 &&
                   sign_public_from_text(key, p->operator_key) &&
                   sign_signature_from_text(signature, p->signature);
}

void mad_replays(struct mad *c)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES] = "";
    struct control_message m = {.kind = CONTROL_PREPARE};
    double from_s = mad_wall_s();
    c->grants = true;
    m.u.prepare.plan = c->plan_bytes;
    m.u.prepare.plan_bytes = read_file(c->o->run_dir, "plan.bin", c->plan_bytes, MAD_BYTES_MAX);
    read_signature(c->o->run_dir, &m.u.prepare);
    if (!plan_decode(c->plan_bytes, m.u.prepare.plan_bytes, &plan, why)) {
        mad_check(c, false, why);
        return;
    }
    plan_hash(c->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
    c->share = (struct control_share){.client_count = plan.relays[0].client_count};
    m.u.prepare.assignment_epoch = 1;
    m.u.prepare.shares = &c->share;
    m.u.prepare.share_count = 1;
    m.u.prepare.packets_per_s_max = 10;
    struct control_message hello = {.kind = CONTROL_WELCOME};
    hello.u.welcome.proto = CONTROL_PROTO;
    c->session = prng_next(&c->prng) | 1;
    hello.u.welcome.session = c->session;
    memcpy(hello.u.welcome.run_id, plan.run_id, PLAN_RUN_ID_BYTES);
    hello.u.welcome.data_port = c->port[1];
    mad_tell(c, &hello);
    mad_check(c, m.u.prepare.is_signed, "the run left its signature");
    refused(c, &m, "the plan of a run that is over", "played here already");
    mad_turn_for(c, 1.0);
    mad_quiet(from_s, "a replayed plan lets no packet out");
    plan_free(&plan);
}
