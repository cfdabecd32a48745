/* SPDX-License-Identifier: MIT */
#include "agent/lane/tx_gate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/attrs.h"

static const double burst_s = 0.010;
/* Sums of fractions of packets are this far from whole ones at most. */
static const double rounding = 1e-6;

/* One packet more than is needed at once: what a turn that came late has gained is not lost. */
static double depth_of(double per_s, double least)
{
    return fmax(per_s * burst_s, least) + 1;
}

static void bucket_start(struct tx_bucket *b, double per_s, double least, uint64_t now_ns)
{
    b->per_s = per_s;
    b->depth = depth_of(per_s, least);
    b->tokens = least;
    b->at_ns = now_ns;
}

static void bucket_refill(struct tx_bucket *b, uint64_t now_ns)
{
    if (b->per_s == 0 || now_ns <= b->at_ns) {
        return;
    }
    double gained = (double)(now_ns - b->at_ns) / (double)NS_PER_S * b->per_s;
    b->tokens = fmin(b->depth, b->tokens + gained);
    b->at_ns = now_ns;
}

/* With another rate, or after a pause: what is owed stays owed, and credit is not carried over. */
static void bucket_go_on(struct tx_bucket *b, double per_s, double least, uint64_t now_ns)
{
    if (b->per_s == 0) { /* nothing was counted */
        bucket_start(b, per_s, least, now_ns);
        return;
    }
    bucket_refill(b, now_ns);
    b->per_s = per_s;
    b->depth = depth_of(per_s, least);
    b->tokens = fmin(b->tokens, least);
}

static uint64_t bucket_next_ns(const struct tx_bucket *b, double wanted, uint64_t now_ns)
{
    if (b->per_s == 0) {
        return now_ns;
    }
    struct tx_bucket then = *b;
    bucket_refill(&then, now_ns);
    if (then.tokens + rounding >= wanted) {
        return now_ns;
    }
    return now_ns + (uint64_t)ceil((wanted - then.tokens) / b->per_s * (double)NS_PER_S);
}

void tx_gate_init(struct tx_gate *g, const struct plan *plan, uint64_t packets_per_s_max,
                  uint64_t now_ns)
{
    memset(g, 0, sizeof(*g));
    for (uint32_t i = 0; i < plan->server_count; i++) {
        g->server[i] = plan->servers[i].address;
    }
    g->server_count = plan->server_count;
    g->left = UINT64_MAX;
    bucket_start(&g->cap, (double)packets_per_s_max, g->server_count, now_ns);
}

void tx_gate_set_total(struct tx_gate *g, uint64_t packets)
{
    g->left = packets;
}

bool tx_gate_knows(const struct tx_gate *g, struct ipv4 destination)
{
    for (uint32_t i = 0; i < g->server_count; i++) {
        if (inet_equal(g->server[i], destination)) {
            return true;
        }
    }
    return false;
}

static void refill_catch_up(struct tx_gate *g, uint64_t now_ns)
{
    while (g->doubling_at_ns <= now_ns) {
        bucket_refill(&g->catch_up, g->doubling_at_ns);
        g->catch_up.per_s *= 2;
        g->catch_up.depth = depth_of(g->catch_up.per_s, 1);
        g->doubling_at_ns += NS_PER_S;
    }
    bucket_refill(&g->catch_up, now_ns);
}

bool tx_gate_pass(struct tx_gate *g, uint32_t packets, uint64_t now_ns)
{
    assert(packets <= g->server_count);
    if (!g->may_send || g->is_spent) {
        return false;
    }
    bucket_refill(&g->cap, now_ns);
    if (g->is_catching_up) {
        refill_catch_up(g, now_ns);
    }
    if ((g->cap.per_s != 0 && g->cap.tokens + rounding < packets) ||
        (g->is_catching_up && g->catch_up.tokens + rounding < 1)) {
        return false;
    }
    if (g->left < packets) {
        g->is_spent = true;
        return false;
    }
    g->left -= g->left == UINT64_MAX ? 0 : packets;
    g->cap.tokens -= packets;
    g->catch_up.tokens -= 1;
    return true;
}

uint64_t tx_gate_next_ns(const struct tx_gate *g, uint32_t packets, uint64_t now_ns)
{
    if (!g->may_send || g->is_spent) {
        return UINT64_MAX;
    }
    uint64_t cap_ns = bucket_next_ns(&g->cap, packets, now_ns);
    uint64_t catch_up_ns = g->is_catching_up ? bucket_next_ns(&g->catch_up, 1, now_ns) : now_ns;
    return cap_ns > catch_up_ns ? cap_ns : catch_up_ns;
}

void tx_gate_set_may_send(struct tx_gate *g, bool may_send, uint64_t now_ns)
{
    if (may_send && !g->may_send) {
        bucket_go_on(&g->cap, g->cap.per_s, g->server_count, now_ns);
    }
    g->may_send = may_send;
}

void tx_gate_limit(struct tx_gate *g, uint64_t packets_per_s_max, uint64_t now_ns)
{
    if (packets_per_s_max != 0) {
        bucket_go_on(&g->cap, (double)packets_per_s_max, g->server_count, now_ns);
    }
}

void tx_gate_catch_up(struct tx_gate *g, double per_s, bool doubles, uint64_t now_ns)
{
    g->is_catching_up = true;
    g->doubling_at_ns = doubles ? now_ns + NS_PER_S : UINT64_MAX;
    bucket_start(&g->catch_up, fmax(per_s, 1), 1, now_ns);
}

void tx_gate_caught_up(struct tx_gate *g)
{
    g->is_catching_up = false;
}
