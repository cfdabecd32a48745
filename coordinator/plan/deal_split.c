/* SPDX-License-Identifier: MIT */
/* Exact parts of a rate or batch, and whether subnets stayed whole. */
#include "coordinator/plan/deal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

void deal_split(uint64_t total, const uint64_t *weights, size_t count, uint64_t *out)
{
    wide sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
    }
    assert(sum > 0 || total == 0);
    if (sum == 0) {
        memset(out, 0, count * sizeof(*out));
        return;
    }
    uint64_t given = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint64_t)((wide)total * weights[i] / sum);
        given += out[i];
    }
    /* Fewer than `count` units are left; each goes to the largest remainder not served yet. */
    for (; given < total; given++) {
        size_t best = count;
        wide best_rest = 0;
        for (size_t i = 0; i < count; i++) {
            wide product = (wide)total * weights[i];
            bool is_served = out[i] > (uint64_t)(product / sum);
            if (!is_served && product % sum > best_rest) {
                best = i;
                best_rest = product % sum;
            }
        }
        assert(best < count);
        out[best]++;
    }
}

/* A subnet and who carries it, to be swept wide ones first. */
struct lot {
    struct ipv4_net net;
    size_t agent;
};

static int by_subnet(const void *a, const void *b)
{
    const struct lot *x = a, *y = b;
    uint32_t left = inet_host(x->net.base), right = inet_host(y->net.base);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return (x->net.prefix_bits > y->net.prefix_bits) - (x->net.prefix_bits < y->net.prefix_bits);
}

bool deal_subnets_are_whole(const struct plan *plan, const struct deal_hand *hands,
                            size_t agent_count)
{
    struct lot *lots = calloc((size_t)plan->relay_count + 1, sizeof(*lots));
    if (lots == NULL) {
        return false; /* the careful answer: paths that need whole subnets are not taken */
    }
    size_t count = 0;
    for (size_t i = 0; i < agent_count; i++) {
        for (size_t j = 0; j < hands[i].share_count && count < plan->relay_count; j++) {
            lots[count++] =
                (struct lot){.net = plan->relays[hands[i].shares[j].relay].subnet, .agent = i};
        }
    }
    qsort(lots, count, sizeof(*lots), by_subnet);
    bool is_whole = true;
    const struct lot *widest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (widest != NULL && inet_net_covers(widest->net, lots[i].net)) {
            is_whole = is_whole && widest->agent == lots[i].agent;
        } else {
            widest = &lots[i];
        }
    }
    free(lots);
    return is_whole;
}
