/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/deal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

/* An address and one agent that has it; sorted by address, then by the agent's name. */
struct holder {
    uint32_t address;
    uint32_t agent;
    const char *name;
};

/*
 * Relays with one carrying address go together: only one process can have its
 * sockets. The relays of a group are consecutive in `order`.
 */
struct group {
    uint32_t first, count; /* in order[] */
    uint64_t clients;
    const char *pin; /* empty: any agent */
    const struct holder *holders;
    size_t holder_count;
};

struct deal {
    const struct scenario *s;
    const struct plan *plan;
    const struct deal_agent *agents;
    size_t agent_count;
    struct diag *why;
    struct holder *holders;
    size_t holder_count;
    uint32_t *order; /* relays by carrying address */
    struct group *groups;
    size_t group_count;
    uint32_t *agent_of; /* relay -> agent; UINT32_MAX: nobody */
    uint64_t *load;     /* agent -> clients */
};

static const struct scenario_relay *relay_of(const struct deal *d, uint32_t relay)
{
    return (const struct scenario_relay *)d->s->relays.items + relay;
}

static int by_address(const void *a, const void *b)
{
    const struct holder *x = a, *y = b;
    if (x->address != y->address) {
        return x->address < y->address ? -1 : 1;
    }
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->agent > y->agent) - (x->agent < y->agent);
}

static int by_via(const void *a, const void *b, void *context)
{
    const struct plan_relay *relays = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t left = inet_host(relays[x].via), right = inet_host(relays[y].via);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return (x > y) - (x < y);
}

/* Those without a choice first, so that the others see their load; then the big ones. */
static int by_choice(const void *a, const void *b, void *context)
{
    const uint32_t *order = context;
    const struct group *x = a, *y = b;
    bool x_is_free = x->holder_count > 1, y_is_free = y->holder_count > 1;
    if (x_is_free != y_is_free) {
        return x_is_free ? 1 : -1;
    }
    if (x->clients != y->clients) {
        return x->clients > y->clients ? -1 : 1;
    }
    return (order[x->first] > order[y->first]) - (order[x->first] < order[y->first]);
}

static void list_holders(struct deal *d)
{
    for (size_t i = 0; i < d->agent_count; i++) {
        for (size_t j = 0; j < d->agents[i].address_count; j++) {
            d->holders[d->holder_count++] = (struct holder){
                .address = inet_host(d->agents[i].addresses[j]),
                .agent = (uint32_t)i,
                .name = d->agents[i].name,
            };
        }
    }
    qsort(d->holders, d->holder_count, sizeof(*d->holders), by_address);
}

/* Narrows the group to the agents that have its address. */
static void find_holders(const struct deal *d, struct group *g)
{
    uint32_t address = inet_host(d->plan->relays[d->order[g->first]].via);
    size_t low = 0, high = d->holder_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->holders[middle].address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    g->holders = &d->holders[low];
    while (low + g->holder_count < d->holder_count &&
           g->holders[g->holder_count].address == address) {
        g->holder_count++;
    }
}

/* Keeps only the pinned agent. */
static void apply_pin(struct group *g)
{
    for (size_t i = 0; g->pin[0] != '\0' && i < g->holder_count; i++) {
        if (strcmp(g->holders[i].name, g->pin) == 0) {
            g->holders = &g->holders[i];
            g->holder_count = 1;
            return;
        }
    }
    g->holder_count = g->pin[0] != '\0' ? 0 : g->holder_count;
}

static void explain_nobody(const struct deal *d, const struct group *g, size_t before_pin)
{
    const struct scenario_relay *r = relay_of(d, d->order[g->first]);
    const char *names[2] = {NULL, NULL};
    char via[IPV4_TEXT_BYTES];
    (void)inet_text(r->via, via);

    const struct deal_agent *pinned = NULL;
    const char *near = NULL;
    for (size_t i = 0; i < d->agent_count; i++) {
        pinned = strcmp(d->agents[i].name, g->pin) == 0 ? &d->agents[i] : pinned;
        names[0] = d->agents[i].name;
        near = near == NULL ? schema_nearest(g->pin, names) : near;
    }
    if (g->pin[0] != '\0' && pinned == NULL) {
        diag_add(d->why, r->line, "relay %s is pinned to agent '%s', which is not here; %s%s%s",
                 r->name, g->pin,
                 near != NULL ? "did you mean '" : "start that agent or remove `agent`",
                 near != NULL ? near : "", near != NULL ? "'?" : "");
    } else if (g->pin[0] != '\0' && before_pin > 0) {
        diag_add(d->why, r->line,
                 "relay %s is pinned to agent '%s', which may not use %s; give that agent the "
                 "address or remove `agent`",
                 r->name, g->pin, via);
    } else {
        diag_add(d->why, r->line,
                 "relay %s: no agent may use its address %s; give the address to an agent (its "
                 "interface and its policy), or name one it has with `via`",
                 r->name, via);
    }
}

static void note_pin(const struct deal *d, struct group *g, uint32_t relay)
{
    const struct scenario_relay *r = relay_of(d, relay);
    if (r->agent[0] == '\0') {
        return;
    }
    if (g->pin[0] != '\0' && strcmp(g->pin, r->agent) != 0) {
        char via[IPV4_TEXT_BYTES];
        diag_add(d->why, r->line,
                 "relay %s is pinned to agent '%s', but shares the address %s with a relay pinned "
                 "to '%s'; pin both to one agent",
                 r->name, r->agent, inet_text(r->via, via), g->pin);
        return;
    }
    g->pin = r->agent;
}

static void make_groups(struct deal *d)
{
    const struct plan_relay *relays = d->plan->relays;
    for (uint32_t i = 0; i < d->plan->relay_count; i++) {
        d->order[i] = i;
        d->agent_of[i] = UINT32_MAX;
    }
    qsort_r(d->order, d->plan->relay_count, sizeof(*d->order), by_via, d->plan->relays);
    for (uint32_t i = 0; i < d->plan->relay_count; i++) {
        uint32_t relay = d->order[i];
        if (i == 0 || !inet_equal(relays[relay].via, relays[d->order[i - 1]].via)) {
            d->groups[d->group_count++] = (struct group){.first = i, .pin = ""};
        }
        struct group *g = &d->groups[d->group_count - 1];
        g->count++;
        g->clients += relays[relay].client_count;
        note_pin(d, g, relay);
    }
    for (size_t i = 0; i < d->group_count; i++) {
        find_holders(d, &d->groups[i]);
        size_t before_pin = d->groups[i].holder_count;
        apply_pin(&d->groups[i]);
        if (d->groups[i].holder_count == 0) {
            explain_nobody(d, &d->groups[i], before_pin);
        }
    }
}

static uint64_t cores_of(const struct deal_agent *agent)
{
    return agent->cores > 0 ? agent->cores : 1;
}

static void assign(struct deal *d)
{
    qsort_r(d->groups, d->group_count, sizeof(*d->groups), by_choice, d->order);
    for (size_t i = 0; i < d->group_count; i++) {
        const struct group *g = &d->groups[i];
        if (g->holder_count == 0) {
            continue;
        }
        /* Holders stand in the order of their names, so the first of equals wins. */
        uint32_t best = g->holders[0].agent;
        for (size_t j = 1; j < g->holder_count; j++) {
            uint32_t other = g->holders[j].agent;
            if (d->load[other] * cores_of(&d->agents[best]) <
                d->load[best] * cores_of(&d->agents[other])) {
                best = other;
            }
        }
        d->load[best] += g->clients;
        for (uint32_t j = 0; j < g->count; j++) {
            d->agent_of[d->order[g->first + j]] = best;
        }
    }
}

static void refuse_idle(const struct deal *d)
{
    for (size_t i = 0; i < d->agent_count; i++) {
        if (d->load[i] == 0) {
            diag_add(d->why, 0,
                     "agent %s has no relay to carry; give it the address of a relay, more relays, "
                     "or leave it out",
                     d->agents[i].name);
        }
    }
}

static bool hand_out(const struct deal *d, struct deal_hand *hands)
{
    for (size_t i = 0; i < d->agent_count; i++) {
        hands[i].shares = calloc(d->plan->relay_count, sizeof(*hands[i].shares));
        if (hands[i].shares == NULL) {
            return false;
        }
    }
    for (uint32_t relay = 0; relay < d->plan->relay_count; relay++) {
        struct deal_hand *hand = &hands[d->agent_of[relay]];
        hand->shares[hand->share_count++] = (struct control_share){
            .relay = relay,
            .first_client = d->plan->relays[relay].first_client,
            .client_count = d->plan->relays[relay].client_count,
        };
        hand->clients += d->plan->relays[relay].client_count;
    }
    for (size_t i = 0; i < d->agent_count; i++) {
        struct control_share *fitted =
            realloc(hands[i].shares, hands[i].share_count * sizeof(*fitted));
        hands[i].shares = fitted != NULL ? fitted : hands[i].shares;
    }
    return true;
}

static bool deal_new(struct deal *d)
{
    size_t addresses = 0;
    for (size_t i = 0; i < d->agent_count; i++) {
        addresses += d->agents[i].address_count;
    }
    size_t relays = d->plan->relay_count;
    d->holders = calloc(addresses + 1, sizeof(*d->holders));
    d->order = calloc(relays + 1, sizeof(*d->order));
    d->groups = calloc(relays + 1, sizeof(*d->groups));
    d->agent_of = calloc(relays + 1, sizeof(*d->agent_of));
    d->load = calloc(d->agent_count + 1, sizeof(*d->load));
    return d->holders != NULL && d->order != NULL && d->groups != NULL && d->agent_of != NULL &&
           d->load != NULL;
}

bool deal_relays(const struct scenario *s, const struct plan *plan, const struct deal_agent *agents,
                 size_t agent_count, struct deal_hand *hands, struct diag *why)
{
    struct deal d = {
        .s = s, .plan = plan, .agents = agents, .agent_count = agent_count, .why = why};
    assert(s->relays.count == plan->relay_count);
    memset(hands, 0, agent_count * sizeof(*hands));

    bool has_memory = deal_new(&d);
    if (has_memory) {
        list_holders(&d);
        make_groups(&d);
        assign(&d);
        refuse_idle(&d);
        has_memory = !diag_is_clean(why) || hand_out(&d, hands);
    }
    if (!has_memory) {
        diag_add(why, 0, "out of memory while dealing the relays; give fewer relays");
    }
    free(d.holders);
    free(d.order);
    free(d.groups);
    free(d.agent_of);
    free(d.load);
    return diag_is_clean(why);
}

void deal_free(struct deal_hand *hands, size_t agent_count)
{
    for (size_t i = 0; i < agent_count; i++) {
        free(hands[i].shares);
        hands[i] = (struct deal_hand){0};
    }
}
