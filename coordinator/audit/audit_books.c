/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_books.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t offset;
    enum snapshot_counter counter;
    bool is_never_folded;
} lease_counters[] = {
#define ROW(key, is_never_folded)                                                                  \
    {                                                                                              \
#key, offsetof(struct result_leases, key), COUNTER_leases_##key, is_never_folded           \
    }
    ROW(acquired, false), ROW(reacquired, false), ROW(late_bound, false),
    ROW(renewed, false),  ROW(rebound, false),    ROW(released, false),
    ROW(expired, true),   ROW(failed, true),      ROW(nak, true),
#undef ROW
};

struct books {
    const struct plan *plan;
    const struct audit_agent *agent;
    const struct audit_tally *tally;
    struct audit_notes *notes;
    uint64_t folded;
};

static bool has(const struct books *b, enum snapshot_counter c)
{
    if (!b->agent->final.has_counter[c]) {
        audit_differs(b->notes,
                      "agent %s: its final counter %s is not in the ledger: it cannot be compared",
                      b->agent->name, snapshot_counter_name(c));
    }
    return b->agent->final.has_counter[c];
}

/* Counted by the agent, seen in the ledger: the counter may be ahead by what was folded. */
static void compare(const struct books *b, const char *what, uint64_t counted, uint64_t seen,
                    uint64_t slack)
{
    if (counted < seen || counted - seen > slack) {
        audit_differs(b->notes,
                      "agent %s: %s: %" PRIu64 " counted by the agent, %" PRIu64
                      " in the ledger (successes folded: %" PRIu64 ")",
                      b->agent->name, what, counted, seen, slack);
    }
}

static void compare_events(const struct books *b)
{
    const struct ledger_final *f = &b->agent->final;
    if (has(b, COUNTER_events)) {
        compare(b, "events", f->counter[COUNTER_events], b->tally->rows, 0);
    }
    if (has(b, COUNTER_preflight_events)) {
        compare(b, "events of the preflight", f->counter[COUNTER_preflight_events],
                b->tally->preflight_rows, 0);
    }
    if (!f->has_last_batch_seq) {
        audit_differs(b->notes, "agent %s: how many batches it wrote is not in the ledger",
                      b->agent->name);
    } else {
        (void)audit_equal(b->notes, f->last_batch_seq, b->agent->stream_seq, "written by the agent",
                          "committed to the ledger", "agent %s: batches", b->agent->name);
    }
}

static void compare_leases(const struct books *b)
{
    for (size_t i = 0; i < ARRAY_LEN(lease_counters); i++) {
        char what[48];
        uint64_t seen = *(const uint64_t *)(const void *)((const char *)&b->tally->leases +
                                                          lease_counters[i].offset);
        if (!has(b, lease_counters[i].counter)) {
            continue;
        }
        (void)snprintf(what, sizeof(what), "leases.%s", lease_counters[i].name);
        compare(b, what, b->agent->final.counter[lease_counters[i].counter], seen,
                lease_counters[i].is_never_folded ? 0 : b->folded);
    }
}

static void compare_servers(const struct books *b)
{
    const struct ledger_final *f = &b->agent->final;
    /* An ACK for an address outside the block is counted and refused: no event says that. */
    uint64_t refused = has(b, COUNTER_foreign_offers) ? f->counter[COUNTER_foreign_offers] : 0;
    uint64_t offers = 0;
    bool has_all = true;
    for (uint32_t i = 0; i < b->plan->server_count; i++) {
        char what[PLAN_NAME_BYTES + 16];
        const char *name = b->plan->servers[i].name;
        if (!f->has_server[i]) {
            audit_differs(b->notes,
                          "agent %s: its final counters of server %s are not in the ledger",
                          b->agent->name, name);
            has_all = false;
            continue;
        }
        (void)snprintf(what, sizeof(what), "ACKs of server %s", name);
        compare(b, what, f->server[i].acks, b->tally->server_acks[i], b->folded + refused);
        (void)snprintf(what, sizeof(what), "NAKs of server %s", name);
        compare(b, what, f->server[i].naks, b->tally->server_naks[i], 0);
        offers += f->server[i].offers;
    }
    if (has_all && offers < b->tally->offers_seen) {
        audit_differs(b->notes,
                      "agent %s: OFFERs of all servers: %" PRIu64 " counted by the agent, but "
                      "%" PRIu64 " acquisitions in the ledger had one",
                      b->agent->name, offers, b->tally->offers_seen);
    }
}

/* Every packet received is in one bin of each kind. */
static void compare_bins(const struct books *b)
{
    static const enum snapshot_counter types[] = {COUNTER_received_offer, COUNTER_received_ack,
                                                  COUNTER_received_nak, COUNTER_received_other,
                                                  COUNTER_received_malformed};
    static const enum snapshot_counter fates[] = {COUNTER_fate_answer,    COUNTER_fate_late,
                                                  COUNTER_fate_duplicate, COUNTER_fate_alien,
                                                  COUNTER_fate_misrouted, COUNTER_fate_malformed};
    uint64_t by_type = 0, by_fate = 0;
    bool has_all = true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        has_all = has(b, types[i]) && has_all;
        by_type += b->agent->final.counter[types[i]];
    }
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        has_all = has(b, fates[i]) && has_all;
        by_fate += b->agent->final.counter[fates[i]];
    }
    if (has_all) {
        (void)audit_equal(b->notes, by_type, by_fate, "by type", "by fate",
                          "agent %s: packets received", b->agent->name);
    }
}

static void compare_agent(struct books *b)
{
    (void)audit_equal(b->notes, b->agent->stream_events, b->tally->rows, "committed by its stream",
                      "in the ledger", "agent %s: events", b->agent->name);
    if (!b->agent->final.is_known) {
        audit_note(b->notes, b->agent->is_lost ? AUDIT_NOT_COMPARED : AUDIT_DIFFERS,
                   b->agent->is_lost
                       ? "the counters of agent %s, which was lost: %" PRIu64
                         " events of it are in the ledger"
                       : "agent %s: no final counters are in the ledger, and it was not lost: "
                         "the run was stopped at once, or killed (%" PRIu64 " events)",
                   b->agent->name, b->tally->rows);
        return;
    }
    b->folded =
        has(b, COUNTER_results_coalesced) ? b->agent->final.counter[COUNTER_results_coalesced] : 0;
    compare_events(b);
    compare_leases(b);
    compare_servers(b);
    compare_bins(b);
}

void audit_books(const struct plan *plan, const struct audit_rows *rows,
                 const struct audit_agent *agents, size_t agent_count, struct audit_notes *notes)
{
    if (rows->impossible > 0) {
        audit_differs(notes,
                      "ledger: %" PRIu64 " events that no agent of this plan can have reported; "
                      "first: %s",
                      rows->impossible, rows->first_impossible);
    }
    if (rows->twice > 0) {
        audit_differs(notes, "ledger: %" PRIu64 " events stand in it twice; first: %s", rows->twice,
                      rows->first_twice);
    }
    for (size_t i = 0; i < agent_count; i++) {
        struct books b = {
            .plan = plan, .agent = &agents[i], .tally = &rows->agents[i], .notes = notes};
        compare_agent(&b);
    }
    if (agent_count == 0) {
        audit_differs(notes, "ledger: no agent is in it: nothing can be compared");
    }
}
