/* SPDX-License-Identifier: MIT */
/* PREPARE and ARM: the plan goes out, all agents are armed. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/deal.h"
#include "coordinator/run/lease_books.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"

#define PREPARE_NS (30 * NS_PER_S)
#define ARM_NS     (10 * NS_PER_S)

static bool deal_the_plan(struct run *run)
{
    size_t count = run->roster.count;
    struct deal_agent *agents = calloc(count, sizeof(*agents));
    struct deal_hand *hands = calloc(count, sizeof(*hands));
    struct diag *why = calloc(1, sizeof(*why));
    bool ok = agents != NULL && hands != NULL && why != NULL;
    if (!ok) {
        run_refuse(run, 6, "out of memory");
    }
    for (size_t i = 0; ok && i < count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        snprintf(agents[i].name, sizeof(agents[i].name), "%s", a->name);
        agents[i].cores = a->cores;
        agents[i].addresses = a->addresses;
        agents[i].address_count = a->address_count;
    }
    if (ok) {
        diag_init(why, run->options->scenario_path);
        ok = deal_relays(run->scenario, &run->plan, agents, count, hands, why);
        for (size_t i = 0; i < count; i++) {
            run->roster.agents[i].hand = hands[i];
        }
    }
    if (!ok && why != NULL && run->exit_code < 0) {
        char text[DIAG_ITEMS_MAX * (DIAG_TEXT_BYTES + DIAG_FILE_BYTES)];
        size_t size = diag_print(why, text, sizeof(text) - 1);
        text[size] = '\0';
        run_say(run, text);
        run_refuse(run, 2, "the relays cannot be dealt to these agents, for the reasons above");
    }
    free(agents);
    free(hands);
    free(why);
    return ok;
}

static bool open_books(struct run *run)
{
    size_t count = run->roster.count;
    struct truth_agent *agents = calloc(count, sizeof(*agents));
    for (size_t i = 0; agents != NULL && i < count; i++) {
        snprintf(agents[i].name, sizeof(agents[i].name), "%s", run->roster.agents[i].name);
        agents[i].clients = run->roster.agents[i].hand.clients;
    }
    struct truth *truth =
        agents == NULL ? NULL : truth_new(run->scenario, &run->plan, agents, count);
    free(agents);
    if (truth == NULL) {
        run_refuse(run, 6, "out of memory");
        return false;
    }
    char path[RUN_DIR_PATH_BYTES];
    int rc =
        ledger_create(run_dir_path(run->dir, "ledger.db", path), run->plan.run_name, &run->ledger);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = ledger_add_agent(run->ledger, (uint32_t)i, run->roster.agents[i].name,
                              run->roster.agents[i].epoch);
    }
    if (rc < 0) {
        truth_free(truth);
        run_refuse(run, 6, "cannot create %s: %s", path,
                   run->ledger != NULL ? ledger_why(run->ledger) : strerror(-rc));
        return false;
    }
    run->truth = truth;
    run_note_start_state(run);
    rc = run_note_fleet(run);
    if (rc < 0) {
        run_refuse(run, 6, "cannot write %s: %s", path, ledger_why(run->ledger));
        return false;
    }
    run_commit(run, true);
    return true;
}

void run_split_by_clients(const struct run *run, uint64_t total, uint64_t *out)
{
    uint64_t weights[ROSTER_AGENTS_MAX], sum = 0;
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        weights[i] = a->is_lost ? 0 : a->hand.clients;
        sum += weights[i];
    }
    deal_split(sum > 0 ? total : 0, weights, run->roster.count, out); /* all lost: nobody sends */
}

void run_prepare(struct run *run)
{
    roster_seal(&run->roster);
    if (!deal_the_plan(run) || !run_seal(run) || !open_books(run)) {
        return;
    }
    uint64_t packets[ROSTER_AGENTS_MAX];
    run_split_by_clients(run, run->plan.packets_per_s_max, packets);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_PREPARE};
        m.u.prepare.plan = run->plan_bytes;
        m.u.prepare.plan_bytes = run->plan_size;
        memcpy(m.u.prepare.plan_hash, run->plan_hash, PLAN_HASH_BYTES);
        m.u.prepare.is_signed = true;
        memcpy(m.u.prepare.operator_key, run->plan_sig.operator_key, SIGN_PUBLIC_BYTES);
        memcpy(m.u.prepare.signature, run->plan_sig.signature, SIGN_SIGNATURE_BYTES);
        m.u.prepare.assignment_epoch = 1;
        m.u.prepare.shares = a->hand.shares;
        m.u.prepare.share_count = a->hand.share_count;
        m.u.prepare.packets_per_s_max = packets[i] > 0 ? packets[i] : 1;
        run_send(run, a, &m);
    }
    run->phase_until_ns = run->now_ns + PREPARE_NS;
}

/* --- ARM --- */

/* Each agent the leases of its own clients, in messages of a bounded size. */
static void send_adoption(struct run *run, struct roster_agent *a)
{
    enum { ROWS = 4096 };
    static struct control_adopted rows[ROWS];
    const struct run_adoption *adoption = run->options->adoption;
    struct control_message m = {.kind = CONTROL_ADOPT, .u.adopt.leases = rows};
    for (size_t i = 0; i < adoption->count; i++) {
        if (roster_plays(a, adoption->leases[i].client)) {
            rows[m.u.adopt.lease_count++] = adoption->leases[i];
        }
        if (m.u.adopt.lease_count == ROWS) {
            run_send(run, a, &m);
            m.u.adopt.lease_count = 0;
        }
    }
    if (m.u.adopt.lease_count > 0) {
        run_send(run, a, &m);
    }
}

void run_arm(struct run *run)
{
    for (size_t i = 0; i < run->roster.count && run->options->adoption != NULL; i++) {
        if (!run->roster.agents[i].is_lost) {
            send_adoption(run, &run->roster.agents[i]);
        }
    }
    struct control_message m = {.kind = CONTROL_ARM};
    m.u.arm.generation = ++run->arm_generation;
    m.u.arm.path = (uint32_t)run->path;
    run_send_all(run, &m);
    run->phase_until_ns = run->now_ns + ARM_NS;
}
