/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/accounting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* result_leases and the counter of the same meaning. */
static const struct {
    const char *name;
    size_t offset;
    enum snapshot_counter counter;
} lease_counters[] = {
#define ROW(key)                                                                                   \
    {                                                                                              \
#key, offsetof(struct result_leases, key), COUNTER_leases_##key                            \
    }
    ROW(acquired), ROW(reacquired), ROW(late_bound), ROW(renewed), ROW(rebound),
    ROW(expired),  ROW(released),   ROW(failed),     ROW(nak),
#undef ROW
};

static uint64_t field(const struct result_leases *leases, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)leases + offset);
}

static void add_leases(struct result_leases *to, const struct result_leases *amount)
{
    for (size_t i = 0; i < ARRAY_LEN(lease_counters); i++) {
        *(uint64_t *)(void *)((char *)to + lease_counters[i].offset) +=
            field(amount, lease_counters[i].offset);
    }
}

bool accounting_init(struct accounting *a, size_t agent_count)
{
    *a = (struct accounting){.agent_count = agent_count};
    a->agents = calloc(agent_count + 1, sizeof(*a->agents));
    return a->agents != NULL;
}

void accounting_fini(struct accounting *a)
{
    free(a->agents);
    *a = (struct accounting){0};
}

static void ack_leases(const struct event *e, struct result_leases *out)
{
    switch ((enum event_kind)e->kind) {
    case EVENT_ACQUIRE:
        out->acquired = (e->flags & EVENT_FIRST_LEASE) != 0;
        out->reacquired = (e->flags & EVENT_FIRST_LEASE) == 0;
        out->late_bound = (e->flags & EVENT_LATE_BOUND) != 0;
        break;
    case EVENT_REBOOT:
        out->reacquired = 1;
        break;
    case EVENT_RENEW:
        out->renewed = 1;
        break;
    case EVENT_REBIND:
        out->rebound = 1;
        break;
    case EVENT_INFORM:
    case EVENT_RELEASE:
    case EVENT_DECLINE:
    case EVENT_EXPIRE:
    case EVENT_QUERY:
    case EVENT_KIND_COUNT:
        break;
    }
}

bool accounting_leases_of(const struct event *e, struct result_leases *out_increments)
{
    *out_increments = (struct result_leases){0};
    if ((e->flags & (EVENT_PREFLIGHT | EVENT_VOID)) != 0) {
        return false;
    }
    switch ((enum event_result)e->result) {
    case EVENT_ACK:
    case EVENT_CHANGED:
        ack_leases(e, out_increments);
        break;
    case EVENT_NAK:
        out_increments->nak = 1;
        break;
    case EVENT_GAVE_UP:
        out_increments->failed = (e->flags & EVENT_DEADLINE) != 0;
        break;
    case EVENT_SENT:
        out_increments->released = e->kind == EVENT_RELEASE && e->tries > 0;
        break;
    case EVENT_ENDED:
        out_increments->expired = 1;
        break;
    case EVENT_LEASED:
    case EVENT_UNASSIGNED:
    case EVENT_UNKNOWN:
    case EVENT_RESULT_COUNT:
        break;
    }
    return true;
}

bool accounting_lease_is_off(const struct plan *plan, const struct event *e)
{
    enum { ROUNDING_S = 1 };
    if ((e->flags & EVENT_SHORT_LEASE) == 0) {
        return false;
    }
    uint32_t longest_s = plan->expect_lease_s;
    uint32_t shortest_s = plan->expect_mclt_s > 0 && plan->expect_mclt_s < longest_s
                              ? plan->expect_mclt_s
                              : longest_s;
    bool is_short = e->lease_s < shortest_s && shortest_s - e->lease_s > ROUNDING_S;
    bool is_long = e->lease_s > longest_s && e->lease_s - longest_s > ROUNDING_S;
    return is_short || is_long;
}

void accounting_event(struct accounting *a, size_t agent, const struct event *e, bool is_judged)
{
    assert(agent < a->agent_count);
    a->agents[agent].events++;
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        a->agents[agent].preflight_events++;
        return;
    }
    struct result_leases amount;
    if (accounting_leases_of(e, &amount)) {
        add_leases(&a->total, &amount);
        add_leases(&a->agents[agent].leases, &amount);
        if (e->stage < PLAN_STAGES_MAX) {
            add_leases(&a->stage[e->stage], &amount);
            if (is_judged) {
                add_leases(&a->judged[e->stage], &amount);
            }
        }
    }
    bool is_renewal = e->kind == EVENT_RENEW || e->kind == EVENT_REBIND;
    bool is_changed = e->result == EVENT_CHANGED || (e->flags & EVENT_ADDRESS_CHANGED) != 0;
    a->changed_on_renew += is_renewal && is_changed;
    a->outside_subnet += (e->flags & EVENT_OUTSIDE_SUBNET) != 0;
    a->mask_changed += (e->flags & EVENT_MASK_CHANGED) != 0;
}

/* --- the proof --- */

struct proof {
    const struct accounting *a;
    const struct accounting_facts *facts;
    struct result *out;
    bool is_good;
};

static void check(struct proof *p, const char *name, bool is_passed, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void check(struct proof *p, const char *name, bool is_passed, const char *format, ...)
{
    p->is_good = p->is_good && is_passed;
    assert(p->out->accounting.check_count < RESULT_CHECKS_MAX);
    struct result_check *c = &p->out->accounting.checks[p->out->accounting.check_count++];
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    c->is_passed = is_passed;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(c->text, sizeof(c->text), format, arguments);
    va_end(arguments);
}

static uint64_t sum_of_living(const struct proof *p, enum snapshot_counter c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->a->agent_count; i++) {
        sum += p->facts->is_lost[i] ? 0 : merge_counter(p->facts->merge, i, c);
    }
    return sum;
}

static void prove_presence(struct proof *p)
{
    size_t final = 0, living = 0, lost = 0;
    for (size_t i = 0; i < p->a->agent_count; i++) {
        const struct snapshot *s = merge_latest(p->facts->merge, i);
        lost += p->facts->is_lost[i];
        living += !p->facts->is_lost[i];
        final += !p->facts->is_lost[i] && s != NULL && s->is_final;
    }
    check(p, "final counters", final == living,
          "%zu of %zu agents sent their final counters; %zu lost%s", final, living, lost,
          lost == 0 ? "" : ", of whom the ledger's rows are all that is known");
}

static void prove_clients(struct proof *p)
{
    struct result *r = p->out;
    for (size_t i = 0; i < p->a->agent_count; i++) {
        r->accounting.assigned += p->facts->clients[i];
        r->accounting.lost_with_agent += p->facts->is_lost[i] ? p->facts->clients[i] : 0;
    }
    r->accounting.bound = sum_of_living(p, COUNTER_clients_bound);
    r->accounting.released = sum_of_living(p, COUNTER_clients_released);
    r->accounting.expired = sum_of_living(p, COUNTER_clients_expired);
    r->accounting.failed = sum_of_living(p, COUNTER_clients_failed);
    r->accounting.never_started = sum_of_living(p, COUNTER_clients_never_started);
    check(p, "dealt", r->accounting.assigned == p->facts->client_count,
          "%" PRIu64 " clients planned = %" PRIu64 " assigned to agents", p->facts->client_count,
          r->accounting.assigned);
    uint64_t sum = r->accounting.bound + r->accounting.released + r->accounting.expired +
                   r->accounting.failed + r->accounting.never_started +
                   r->accounting.lost_with_agent;
    check(p, "clients", sum == r->accounting.assigned,
          "%" PRIu64 " assigned %s %" PRIu64 " bound + %" PRIu64 " released + %" PRIu64
          " expired + %" PRIu64 " failed + %" PRIu64 " never started + %" PRIu64
          " lost with their agent",
          r->accounting.assigned, sum == r->accounting.assigned ? "=" : "but", r->accounting.bound,
          r->accounting.released, r->accounting.expired, r->accounting.failed,
          r->accounting.never_started, r->accounting.lost_with_agent);
}

static void prove_events(struct proof *p)
{
    struct result *r = p->out;
    uint64_t judged = 0;
    for (size_t i = 0; i < p->a->agent_count; i++) {
        judged += p->a->agents[i].events;
        if (p->facts->is_lost[i]) {
            /* What arrived is all that is known of it. */
            r->accounting.agent_events += p->a->agents[i].events;
            continue;
        }
        /* COUNTER_events are those recorded; the folded ones happened as well. */
        uint64_t folded = merge_counter(p->facts->merge, i, COUNTER_results_coalesced);
        r->accounting.agent_events += merge_counter(p->facts->merge, i, COUNTER_events) + folded;
        r->accounting.folded += folded;
    }
    uint64_t ledger = p->facts->ledger_events;
    uint64_t explained = ledger + r->accounting.folded;
    r->accounting.ledger_events = ledger;
    r->accounting.duplicates_dropped = p->facts->duplicates_dropped;
    r->accounting.missing =
        r->accounting.agent_events > explained ? r->accounting.agent_events - explained : 0;
    if (p->facts->missing_batches > r->accounting.missing) {
        r->accounting.missing = p->facts->missing_batches;
    }
    bool is_equal = r->accounting.agent_events == explained;
    check(p, "events", is_equal,
          "%" PRIu64 " seen by the agents %s %" PRIu64 " in the ledger + %" PRIu64 " folded",
          r->accounting.agent_events, is_equal ? "=" : "but", ledger, r->accounting.folded);
    check(p, "batches", p->facts->missing_batches == 0,
          "%" PRIu64 " announced batches missing; %" PRIu64 " events came twice and were dropped",
          p->facts->missing_batches, p->facts->duplicates_dropped);
    check(p, "judged", judged == ledger, "%" PRIu64 " events judged %s %" PRIu64 " in the ledger",
          judged, judged == ledger ? "=" : "but", ledger);
}

static void prove_packets(struct proof *p)
{
    const struct merge *m = p->facts->merge;
    uint64_t types = merge_total(m, COUNTER_received_offer) + merge_total(m, COUNTER_received_ack) +
                     merge_total(m, COUNTER_received_nak) + merge_total(m, COUNTER_received_other) +
                     merge_total(m, COUNTER_received_malformed);
    uint64_t fates = merge_total(m, COUNTER_fate_answer) + merge_total(m, COUNTER_fate_late) +
                     merge_total(m, COUNTER_fate_duplicate) + merge_total(m, COUNTER_fate_alien) +
                     merge_total(m, COUNTER_fate_misrouted) +
                     merge_total(m, COUNTER_fate_malformed);
    check(p, "packets", types == fates, "%" PRIu64 " received by type %s %" PRIu64 " by fate",
          types, types == fates ? "=" : "but", fates);
}

static void prove_leases(struct proof *p)
{
    /* Folded successes have no event: the counters may be ahead by that many. */
    uint64_t slack = p->out->accounting.folded;
    for (size_t k = 0; k < ARRAY_LEN(lease_counters); k++) {
        uint64_t counted = sum_of_living(p, lease_counters[k].counter), seen = 0;
        for (size_t i = 0; i < p->a->agent_count; i++) {
            seen +=
                p->facts->is_lost[i] ? 0 : field(&p->a->agents[i].leases, lease_counters[k].offset);
        }
        char name[64];
        (void)snprintf(name, sizeof(name), "leases.%s", lease_counters[k].name);
        bool is_passed = counted >= seen && counted - seen <= slack;
        check(p, name, is_passed, "%" PRIu64 " counted by the agents %s %" PRIu64 " in events",
              counted, counted == seen ? "=" : "but", seen);
    }
}

bool accounting_prove(const struct accounting *a, const struct accounting_facts *facts,
                      struct result *out)
{
    struct proof p = {.a = a, .facts = facts, .out = out, .is_good = true};
    out->accounting.is_known = false;
    for (size_t i = 0; i < a->agent_count; i++) {
        /* Of a lost agent it is known what became of its clients, whatever it has told. */
        out->accounting.is_known |= merge_latest(facts->merge, i) != NULL || facts->is_lost[i];
    }
    prove_presence(&p);
    prove_clients(&p);
    prove_events(&p);
    prove_packets(&p);
    prove_leases(&p);
    return p.is_good;
}
