/* SPDX-License-Identifier: MIT */
/*
 * Stages that work by arrivals: a load (acquisitions and renewals in a fixed mix) and
 * a release of so many leases. An open model in which not the clients decide when an
 * exchange begins but a schedule; whoever is ready for it is taken.
 *
 * An arrival that finds nobody ready waits, while those of the other kind go on, until
 * somebody is or the last arrival of the step is due; then it stays planned and not
 * started. So a step ends whatever the clients do.
 */
#include "agent/lane/lane_internal.h"
#include "common/prng.h"

/* Bounds one arrival's look for somebody whose RELEASE has left. */
enum { LOOKS_PER_ARRIVAL = 16 };

static enum ready_kind kind_of(const struct lane *lane, const struct client *c)
{
    if (client_has(c, CLIENT_WAITING) || client_has(c, CLIENT_PREFLIGHT)) {
        return READY_NOT;
    }
    switch ((enum lease_state)c->state) {
    case LEASE_INIT:
    case LEASE_FAILED:
    case LEASE_RELEASED:
    case LEASE_EXPIRED:
        return READY_FREE;
    case LEASE_BOUND:
        return client_is_adopted(c) && lane->stage.kind != PLAN_RELEASE ? READY_NOT : READY_BOUND;
    case LEASE_SELECTING:
    case LEASE_REQUESTING:
    case LEASE_RENEWING:
    case LEASE_REBINDING:
    case LEASE_INIT_REBOOT:
    case LEASE_REBOOTING:
    case LEASE_DECLINED:
    case LEASE_STATE_COUNT:
        break;
    }
    return READY_NOT;
}

void lane_load_recount(struct lane *lane, const struct client *c)
{
    ready_put(&lane->ready, (uint32_t)(c - lane->population.clients), kind_of(lane, c));
}

/* --- a step begins --- */

static void keep_lists(struct lane *lane)
{
    bool has_adopted = lane->results.counter[COUNTER_leases_adopted] > 0;
    if (lane->ready.is_kept && !has_adopted) {
        return; /* a load and its release alternate: the lists are up to date */
    }
    ready_clear(&lane->ready);
    for (uint32_t k = 0; k < lane->population.count; k++) {
        uint32_t local = population_order(&lane->population, k);
        ready_put(&lane->ready, local, kind_of(lane, lane_client(lane, local)));
    }
    lane->ready.is_kept = true;
}

static void set_place(struct stage *s, enum mix_kind kind)
{
    struct demand *d = &s->demand[kind];
    d->place = mix_place(s->mix, kind, d->number);
    if (d->place < s->arrivals) {
        pacer_skip_to(&d->pacer, d->place);
    }
}

void lane_load_begin(struct lane *lane, const struct control_go *go)
{
    struct stage *s = &lane->stage;
    const struct plan_stage *plan = &lane->plan->stages[go->stage];
    uint64_t rate = go->rate_milli_per_s;
    if (plan->rate_milli_per_s > 0 && rate > plan->rate_milli_per_s) {
        rate = plan->rate_milli_per_s;
    }
    s->arrivals = rate > 0 ? go->arrivals : 0;
    s->is_closed = false;
    s->mix = plan->kind == PLAN_LOAD ? (struct mix){{plan->acquire_weight, plan->renew_weight}}
                                     : (struct mix){{0, 1}};
    uint64_t seed = prng_mix(lane->plan->seed, go->round << 8 ^ go->stage,
                             population_global(&lane->population, 0));
    pacer_begin(&s->pacer, 0, rate, plan->is_poisson, seed, go->start_at_ns);
    for (int kind = 0; kind < MIX_KIND_COUNT; kind++) {
        s->demand[kind] = (struct demand){.pacer = s->pacer};
        set_place(s, (enum mix_kind)kind);
    }
    keep_lists(lane);
}

/* --- arrivals --- */

static enum ready_kind wanted(enum mix_kind kind)
{
    return kind == MIX_ACQUIRE ? READY_FREE : READY_BOUND;
}

static bool is_due(const struct stage *s, enum mix_kind kind, uint64_t now_ns)
{
    const struct demand *d = &s->demand[kind];
    return d->place < s->arrivals && d->pacer.arrival_ns <= now_ns && now_ns >= d->pacer.start_ns;
}

/* A RELEASE that waits to be sent would be forgotten if its client acquired now. */
static bool still_releases(const struct lane *lane, const struct client *c)
{
    return c->state == LEASE_RELEASED && (client_has(c, CLIENT_QUEUED) || lane->out_count > 0);
}

static uint32_t pick(struct lane *lane, enum ready_kind kind)
{
    for (unsigned i = 0; i < LOOKS_PER_ARRIVAL; i++) {
        uint32_t local = ready_first(&lane->ready, kind);
        if (local == READY_NOBODY || !still_releases(lane, lane_client(lane, local))) {
            return local;
        }
        ready_postpone_first(&lane->ready, kind);
    }
    return READY_NOBODY;
}

static void start(struct lane *lane, enum mix_kind kind, uint32_t local)
{
    struct stage *s = &lane->stage;
    struct demand *d = &s->demand[kind];
    uint64_t intended_ns = d->pacer.arrival_ns;
    d->number++;
    set_place(s, kind);
    s->started++;
    results_count(&lane->results, COUNTER_actual_starts);
    if (kind == MIX_ACQUIRE) {
        lane_start_acquire(lane, local, intended_ns, CLIENT_IN_STAGE | CLIENT_SINGLE);
    } else if (s->kind == PLAN_RELEASE) {
        lane_release(lane, local, intended_ns);
        client_set(lane_client(lane, local), CLIENT_IN_STAGE);
    } else {
        lane_start_exchange(lane, local, LEASE_RENEW_DUE, intended_ns);
    }
}

/* The earliest arrival somebody is ready for; false: there is none. */
static bool start_next(struct lane *lane)
{
    struct stage *s = &lane->stage;
    uint32_t chosen = READY_NOBODY;
    enum mix_kind chosen_kind = MIX_ACQUIRE;
    for (int i = 0; i < MIX_KIND_COUNT; i++) {
        enum mix_kind kind = (enum mix_kind)i;
        if (!is_due(s, kind, lane->now_ns) ||
            (chosen != READY_NOBODY && s->demand[kind].place > s->demand[chosen_kind].place)) {
            continue;
        }
        uint32_t local = pick(lane, wanted(kind));
        if (local != READY_NOBODY) {
            chosen = local;
            chosen_kind = kind;
        }
    }
    if (chosen != READY_NOBODY) {
        start(lane, chosen_kind, chosen);
    }
    return chosen != READY_NOBODY;
}

static bool can_start(const struct lane *lane)
{
    return lane->results.pressure_permille < 1000 && lane_may_start(lane) &&
           lane->due.count < LANE_OUTBOX_MAX;
}

/* Nothing more can come of what is left of that kind. */
static bool is_exhausted(const struct lane *lane, enum mix_kind kind)
{
    const struct stage *s = &lane->stage;
    return s->demand[kind].place >= s->arrivals ||
           (s->pacer.arrivals >= s->arrivals && lane_may_start(lane) &&
            lane->ready.count[wanted(kind)] == 0);
}

void lane_load_turn(struct lane *lane)
{
    struct stage *s = &lane->stage;
    uint64_t ignored_ns;
    /* What the schedule has called for, whoever may answer it. */
    while (s->pacer.arrivals < s->arrivals &&
           pacer_may_start(&s->pacer, 0, lane->now_ns, &ignored_ns)) {
        pacer_started(&s->pacer);
    }
    while (!s->is_closed && can_start(lane) && start_next(lane)) {
    }
    s->is_closed =
        s->is_closed || (is_exhausted(lane, MIX_ACQUIRE) && is_exhausted(lane, MIX_RENEW));
}

uint64_t lane_load_next_ns(const struct lane *lane)
{
    const struct stage *s = &lane->stage;
    if (s->is_closed) {
        return UINT64_MAX;
    }
    bool is_blocked = s->pacer.arrivals >= s->arrivals;
    for (int i = 0; i < MIX_KIND_COUNT; i++) {
        enum mix_kind kind = (enum mix_kind)i;
        is_blocked =
            is_blocked || (is_due(s, kind, lane->now_ns) && lane->ready.count[wanted(kind)] > 0);
    }
    uint64_t at_ns = is_blocked ? lane->now_ns : s->pacer.arrival_ns;
    /* Room in the outbox is looked for a little later. */
    return at_ns > lane->now_ns ? at_ns : lane->now_ns + NS_PER_MS;
}
