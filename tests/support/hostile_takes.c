/* SPDX-License-Identifier: MIT */
#include "tests/support/hostile_mad.h"

#include <arpa/inet.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "tests/support/hostile_plans.h"

enum { TAKES = 300 };

static const struct control_take_share own_again = {
    .relay = 0, .first_client = 0, .client_count = 1, .via_relay = 0};
static const struct control_take_share strangers = {
    .relay = 0, .first_client = HOSTILE_CLIENTS, .client_count = 10000, .via_relay = 0};
static const struct control_take_share no_such_relay = {
    .relay = 7, .first_client = 0, .client_count = 5, .via_relay = 0};
static const struct control_take_share not_carried_here = {
    .relay = 0, .first_client = 0, .client_count = 5, .via_relay = 7};

/* The first is refused with a reason; the rest are of an epoch that has been refused, or is none.
 */
static void random_takes(struct mad *c)
{
    for (unsigned i = 0; i < TAKES; i++) {
        const struct control_take_share share = {
            .relay = (uint32_t)prng_below(&c->prng, 3),
            .first_client = (uint32_t)prng_below(&c->prng, 2 * (uint64_t)HOSTILE_CLIENTS),
            .client_count = 1 + (uint32_t)prng_below(&c->prng, 30000),
            .via_relay = (uint32_t)prng_below(&c->prng, 3)};
        const struct control_taken client = {
            .client = share.first_client,
            .flags = TAKEN_HAD_LEASE,
            .addr = {htonl(0x0a0a0000 + (uint32_t)prng_below(&c->prng, 1 << 16))},
            .server = {htonl(0x0a000001 + (uint32_t)prng_below(&c->prng, 1 << 24))},
            .lease_ms = 60000};
        struct control_message m = {.kind = CONTROL_TAKE};
        m.u.take = (struct control_take){.assignment_epoch = 2 + prng_below(&c->prng, 5),
                                         .at_ns = c->agent_clock_ns,
                                         .packets_per_s_max = UINT32_MAX,
                                         .shares = &share,
                                         .share_count = 1,
                                         .clients = &client,
                                         .client_count = 1};
        mad_tell(c, &m);
    }
}

void mad_takes(struct mad *c)
{
    static const struct control_take_share *const bad[] = {&own_again, &strangers, &no_such_relay,
                                                           &not_carried_here};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct control_message m = {.kind = CONTROL_TAKE};
        m.u.take = (struct control_take){.assignment_epoch = 2,
                                         .at_ns = c->agent_clock_ns,
                                         .packets_per_s_max = UINT32_MAX,
                                         .shares = bad[i],
                                         .share_count = 1};
        mad_check(c, mad_offer(c, &m) == 'R', "clients that are not a lost agent's are refused");
    }
    random_takes(c);
    mad_still_lives(c, "300 orders to take clients");
    mad_check(c, c->progress.assignment_epoch == 1, "it plays the clients it was given, no others");
}
