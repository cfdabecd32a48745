/* SPDX-License-Identifier: MIT */
/* What agents without packets claim to have seen: plausible, and counted as an agent counts. */
#include <string.h>

#include "tests/bench/peers.h"

#include "common/clock.h"

enum {
    PATH_US = 400,     /* shortest time to an answer */
    SPREAD_US = 2000,  /* and how much longer it may take */
    RETRIED_OF = 200,  /* one renewal in so many was answered at its second try */
    SILENT_OF = 10000, /* one in so many not at all until T2 */
    RETRY_US = 4000000,
    PENDING_MAX = CONTROL_BATCH_EVENTS_MAX,
    FIRST_HOST = 16
};

static void count(struct peer *p, enum snapshot_counter c, uint64_t amount)
{
    p->counters.counter[c] += amount;
}

static struct ipv4 address_of(const struct peer *p, uint32_t client)
{
    return inet_from_host(inet_host(p->subnet) + FIRST_HOST + client);
}

static uint32_t server_index(const struct peers *world, uint32_t client)
{
    return client % world->server_count;
}

static struct event event_of(struct peers *world, const struct peer *p, uint32_t client)
{
    uint32_t took_us = PATH_US + (uint32_t)prng_below(&world->prng, SPREAD_US);
    return (struct event){.t_us = world->now_ns / NS_PER_US,
                          .client = client,
                          .xid = (uint32_t)prng_next(&world->prng),
                          .lease_s = world->lease_s,
                          .offer_us = EVENT_SPAN_NONE,
                          .took_us = took_us,
                          .wait_us = took_us + 60,
                          .addr = address_of(p, client),
                          .server = world->servers[server_index(world, client)],
                          .tries = 1,
                          .result = EVENT_ACK,
                          .stage = (uint8_t)p->go.stage};
}

static void put(struct peer *p, const struct event *e)
{
    p->pending[p->pending_count++] = *e;
    count(p, COUNTER_events, 1);
}

static void count_answer(struct peers *world, struct peer *p, uint32_t client, bool is_offer)
{
    struct snapshot_server *server = &p->counters.server[server_index(world, client)];
    server->offers += is_offer;
    server->acks += !is_offer;
    count(p, is_offer ? COUNTER_received_offer : COUNTER_received_ack, 1);
    count(p, COUNTER_fate_answer, 1);
}

void peer_acquire(struct peers *world, struct peer *p)
{
    while (p->bound < p->go.client_limit) {
        if (p->pending_count == PENDING_MAX && !peer_flush(world, p)) {
            return;
        }
        uint32_t client = p->share.first_client + p->bound++;
        struct event e = event_of(world, p, client);
        e.kind = EVENT_ACQUIRE;
        e.flags = EVENT_FIRST_LEASE | EVENT_OFFER_SEEN;
        e.offer_us = e.took_us / 2;
        e.tries = 2;
        put(p, &e);
        count_answer(world, p, client, true);
        count_answer(world, p, client, false);
        count(p, COUNTER_sent_discover, 1);
        count(p, COUNTER_sent_request, 1);
        count(p, COUNTER_leases_acquired, 1);
        count(p, COUNTER_planned_starts, 1);
        count(p, COUNTER_actual_starts, 1);
    }
    (void)peer_flush(world, p);
}

void peer_renew(struct peers *world, struct peer *p, size_t amount)
{
    for (size_t i = 0; i < amount && p->pending_count < PENDING_MAX; i++) {
        uint32_t client =
            p->share.first_client + (uint32_t)prng_below(&world->prng, p->share.client_count);
        struct event e = event_of(world, p, client);
        bool is_silent = prng_below(&world->prng, SILENT_OF) == 0;
        e.kind = EVENT_RENEW;
        if (prng_below(&world->prng, RETRIED_OF) == 0 || is_silent) {
            e.tries = 2;
            e.took_us += RETRY_US;
            e.wait_us += RETRY_US;
        }
        if (is_silent) {
            e.result = EVENT_GAVE_UP;
            e.lease_s = 0;
        } else {
            count_answer(world, p, client, false);
            count(p, COUNTER_leases_renewed, 1);
            count(p, COUNTER_renew_retried, e.tries > 1);
            histogram_record(&p->renew[LATENCY_INTENDED], e.wait_us * NS_PER_US);
            histogram_record(&p->renew[LATENCY_FROM_SEND], e.took_us * NS_PER_US);
        }
        count(p, COUNTER_sent_renew, e.tries);
        put(p, &e);
        p->streamed++;
    }
}

bool peer_flush(struct peers *world, struct peer *p)
{
    if (p->pending_count == 0) {
        return true;
    }
    if (!p->has_credit || p->seq + 1 > p->limit_seq) {
        return false;
    }
    struct control_message m = {.kind = CONTROL_BATCH};
    m.u.batch = (struct control_batch){.epoch = p->epoch,
                                       .seq = p->seq + 1,
                                       .events = p->pending,
                                       .event_count = p->pending_count};
    if (!peer_say(world, p, &m)) {
        return false;
    }
    p->seq++;
    p->pending_count = 0;
    return true;
}

static void say_histograms(struct peers *world, struct peer *p)
{
    for (unsigned clock = 0; clock < PEERS_RENEW_METRICS; clock++) {
        struct control_message m = {.kind = CONTROL_HISTOGRAM};
        m.u.histogram = (struct control_histogram){
            .snapshot_seq = p->counters.seq,
            .key = {LATENCY_RENEW, (uint8_t)clock, 0, (uint8_t)p->go.stage},
            .histogram = &p->renew[clock]};
        if (p->renew[clock].count > 0) {
            (void)peer_say(world, p, &m);
        }
    }
}

void peer_snapshot(struct peers *world, struct peer *p, bool is_final)
{
    struct snapshot *s = &p->counters;
    s->seq++;
    s->at_ns = world->now_ns;
    s->is_final = is_final;
    s->last_batch_seq = p->seq;
    s->counter[COUNTER_clients_assigned] = p->share.client_count;
    s->counter[COUNTER_clients_bound] = p->bound;
    s->counter[COUNTER_clients_never_started] = p->share.client_count - p->bound;
    say_histograms(world, p);
    struct control_message m = {.kind = CONTROL_SNAPSHOT, .u.snapshot = s};
    (void)peer_say(world, p, &m);
}
