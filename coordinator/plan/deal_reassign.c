/* SPDX-License-Identifier: MIT */
/* Who goes on with the clients of a lost agent, DESIGN sections 3 and 6. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/deal.h"

enum { FEW_SHARES_PER_AGENT = 4 };

struct homes {
    const struct plan *plan;
    const struct deal_home *homes;
    size_t count;
    const uint32_t *owner;
    uint32_t *order;      /* relays by subnet */
    uint64_t *agent_load; /* clients */
    uint64_t *relay_load; /* clients that were moved to it */
    uint32_t *stamp;      /* per agent: counted for this share */
    struct deal_move *moves;
    size_t move_count, move_room;
};

static int by_net(const struct ipv4_net *a, const struct ipv4_net *b)
{
    uint32_t x = inet_host(a->base), y = inet_host(b->base);
    if (x != y) {
        return x < y ? -1 : 1;
    }
    return (a->prefix_bits > b->prefix_bits) - (a->prefix_bits < b->prefix_bits);
}

static int by_subnet(const void *a, const void *b, void *context)
{
    const struct plan_relay *relays = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = by_net(&relays[x].subnet, &relays[y].subnet);
    return order != 0 ? order : (x > y) - (x < y);
}

/* The first place in `order` whose subnet is not below `net`. */
static size_t first_of(const struct homes *h, const struct ipv4_net *net)
{
    size_t low = 0, high = h->plan->relay_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_net(&h->plan->relays[h->order[middle]].subnet, net) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_in(const struct homes *h, size_t place, const struct ipv4_net *net)
{
    return place < h->plan->relay_count &&
           by_net(&h->plan->relays[h->order[place]].subnet, net) == 0;
}

static bool is_home(const struct homes *h, uint32_t relay)
{
    return h->owner[relay] < h->count && h->homes[h->owner[relay]].can_take;
}

static uint64_t cores_of(const struct deal_home *home)
{
    return home->cores > 0 ? home->cores : 1;
}

/* Fewest clients per core, then the name; of one agent's relays the one with the fewest. */
static bool is_better(const struct homes *h, uint32_t relay, uint32_t than)
{
    uint32_t a = h->owner[relay], b = h->owner[than];
    if (a == b) {
        return h->relay_load[relay] < h->relay_load[than];
    }
    uint64_t left = h->agent_load[a] * cores_of(&h->homes[b]);
    uint64_t right = h->agent_load[b] * cores_of(&h->homes[a]);
    return left != right ? left < right : strcmp(h->homes[a].name, h->homes[b].name) < 0;
}

/* UINT32_MAX: there is no other live relay in this subnet. */
static uint32_t best_relay(const struct homes *h, const struct ipv4_net *net)
{
    uint32_t best = UINT32_MAX;
    for (size_t i = first_of(h, net); is_in(h, i, net); i++) {
        uint32_t relay = h->order[i];
        if (is_home(h, relay) && (best == UINT32_MAX || is_better(h, relay, best))) {
            best = relay;
        }
    }
    return best;
}

static uint32_t agents_in(const struct homes *h, const struct ipv4_net *net, uint32_t stamp)
{
    uint32_t count = 0;
    for (size_t i = first_of(h, net); is_in(h, i, net); i++) {
        uint32_t relay = h->order[i];
        if (is_home(h, relay) && h->stamp[h->owner[relay]] != stamp) {
            h->stamp[h->owner[relay]] = stamp;
            count++;
        }
    }
    return count;
}

static bool add_move(struct homes *h, const struct deal_move *move)
{
    if (h->move_count == h->move_room) {
        size_t room = h->move_room == 0 ? 64 : 2 * h->move_room;
        struct deal_move *grown = realloc(h->moves, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        h->moves = grown;
        h->move_room = room;
    }
    h->moves[h->move_count++] = *move;
    return true;
}

/* A few large shares are cut, so that all who can take have a part; many small ones are not. */
static uint32_t piece_of(const struct homes *h, const struct deal_lost *lost, size_t lost_count,
                         uint32_t stamp)
{
    uint32_t count = lost->share.client_count, parts = 1;
    if (lost_count < FEW_SHARES_PER_AGENT * h->count) {
        uint32_t agents = agents_in(h, &h->plan->relays[lost->share.relay].subnet, stamp);
        parts = agents > 0 ? agents : 1;
    }
    uint32_t piece = count / parts + (count % parts != 0);
    return piece < CONTROL_TAKE_CLIENTS_MAX ? piece : CONTROL_TAKE_CLIENTS_MAX;
}

static bool move_share(struct homes *h, const struct deal_lost *lost, uint32_t piece)
{
    const struct ipv4_net *net = &h->plan->relays[lost->share.relay].subnet;
    uint32_t left = lost->share.client_count, first = lost->share.first_client;
    while (left > 0) {
        uint32_t relay = best_relay(h, net);
        uint32_t count = left < piece || relay == UINT32_MAX ? left : piece;
        struct deal_move move = {.from = lost->from,
                                 .to = relay == UINT32_MAX ? DEAL_NOBODY : h->owner[relay],
                                 .share = {.relay = lost->share.relay,
                                           .first_client = first,
                                           .client_count = count,
                                           .via_relay = relay == UINT32_MAX ? 0 : relay}};
        if (!add_move(h, &move)) {
            return false;
        }
        if (relay != UINT32_MAX) {
            h->agent_load[h->owner[relay]] += count;
            h->relay_load[relay] += count;
        }
        first += count;
        left -= count;
    }
    return true;
}

static bool make_homes(struct homes *h)
{
    uint32_t relays = h->plan->relay_count;
    h->order = calloc((size_t)relays + 1, sizeof(*h->order));
    h->relay_load = calloc((size_t)relays + 1, sizeof(*h->relay_load));
    h->agent_load = calloc(h->count + 1, sizeof(*h->agent_load));
    h->stamp = calloc(h->count + 1, sizeof(*h->stamp));
    if (h->order == NULL || h->relay_load == NULL || h->agent_load == NULL || h->stamp == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < relays; i++) {
        h->order[i] = i;
    }
    qsort_r(h->order, relays, sizeof(*h->order), by_subnet, h->plan->relays);
    for (size_t i = 0; i < h->count; i++) {
        h->agent_load[i] = h->homes[i].clients;
    }
    return true;
}

bool deal_reassign(const struct plan *plan, const uint32_t *owner, const struct deal_home *homes,
                   size_t home_count, const struct deal_lost *lost, size_t lost_count,
                   struct deal_move **out_moves, size_t *out_count)
{
    struct homes h = {.plan = plan, .homes = homes, .count = home_count, .owner = owner};
    bool is_good = make_homes(&h);
    for (size_t i = 0; is_good && i < lost_count; i++) {
        is_good = move_share(&h, &lost[i], piece_of(&h, &lost[i], lost_count, (uint32_t)i + 1));
    }
    free(h.order);
    free(h.relay_load);
    free(h.agent_load);
    free(h.stamp);
    if (!is_good) {
        free(h.moves);
        return false;
    }
    *out_moves = h.moves;
    *out_count = h.move_count;
    return true;
}
