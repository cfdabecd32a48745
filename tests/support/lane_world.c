/* SPDX-License-Identifier: MIT */
#include "tests/support/lane_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"

enum { SUBNET_BITS = 18, CLIENT_PORT = 68 };

struct lane_world_flight {
    uint64_t at_ns, order; /* arrival; packets of one instant keep their order */
    size_t server;         /* to this server, or from it when it is a reply */
    bool is_reply;
    struct ipv4 source;
    size_t size;
    struct model_reply reply; /* of a message to a server: bytes and size only */
};

/* --- set up --- */

void lane_world_init(struct lane_world *w, uint32_t relays, uint32_t clients_per_relay,
                     uint32_t servers)
{
    assert(relays <= LANE_WORLD_RELAYS_MAX && servers <= LANE_WORLD_SERVERS_MAX);
    memset(w, 0, sizeof(*w));
    struct plan *p = &w->plan;
    struct ipv4 base = inet_from_host(0x0a0a0000);
    p->block = (struct ipv4_net){base, 16};
    p->seed = 1;
    p->identity_seed = 7;
    p->acquire_tries = 4;
    p->acquire_deadline_ns = 60 * NS_PER_S;
    p->packets_per_s_max = 1000000;
    p->run_time_max_ns = 3600 * NS_PER_S;
    (void)snprintf(p->run_name, sizeof(p->run_name), "20260101T000000Z-virtual");
    for (uint32_t i = 0; i < servers; i++) {
        w->servers[i] = (struct model_server){
            .address = inet_from_host(0xc0a8010c + (i << 8)), .pools = w->pools, .lease_s = 60};
        w->servers[i].pool_count = relays;
        p->servers[i].address = w->servers[i].address;
        (void)snprintf(p->servers[i].name, sizeof(p->servers[i].name), "s%u", i + 1);
    }
    p->server_count = servers;
    for (uint32_t i = 0; i < relays; i++) {
        struct plan_relay *r = &w->relays[i];
        (void)snprintf(r->name, sizeof(r->name), "r%u", i + 1);
        r->giaddr = r->via = inet_from_host(0xac100803 + (i << 8));
        r->subnet =
            (struct ipv4_net){inet_from_host(0x0a0a0000 + (i << (32 - SUBNET_BITS))), SUBNET_BITS};
        r->first_client = i * clients_per_relay;
        r->client_count = clients_per_relay;
        r->xid_slot = (uint8_t)(1 + i);
        r->to_count = (uint8_t)servers;
        for (uint32_t k = 0; k < servers; k++) {
            r->to[k] = (uint8_t)k;
        }
        w->shares[i] = (struct control_share){i, r->first_client, clients_per_relay};
        bool ok = model_pool_init(&w->pools[i], r->subnet, r->giaddr,
                                  inet_from_host(inet_host(r->subnet.base) + 1), 16000);
        assert(ok);
    }
    p->relays = w->relays;
    p->relay_count = relays;
    p->client_count = relays * clients_per_relay;
    w->now_ns = LANE_WORLD_BEGIN_NS;
    w->latency_ns = NS_PER_MS;
}

void lane_world_add_stage(struct lane_world *w, enum plan_stage_kind kind, uint64_t duration_ns)
{
    assert(w->plan.stage_count < PLAN_STAGES_MAX && w->lane == NULL);
    struct plan_stage *s = &w->plan.stages[w->plan.stage_count++];
    (void)snprintf(s->name, sizeof(s->name), "stage-%u", w->plan.stage_count);
    s->kind = kind;
    s->duration_ns = duration_ns;
    s->timeout_ns = 3600 * NS_PER_S;
}

void lane_world_start(struct lane_world *w)
{
    struct lane_setup setup = {.plan = &w->plan,
                               .shares = w->shares + w->relays_elsewhere,
                               .share_count = w->plan.relay_count - w->relays_elsewhere,
                               .packets_per_s_max = w->packets_per_s_max,
                               .now_ns = w->now_ns};
    w->lane = lane_new(&setup);
    assert(w->lane != NULL);
    lane_set_may_send(w->lane, true, w->now_ns);
    lane_arm(w->lane, PLAN_PATH_EGRESS);
}

void lane_world_fini(struct lane_world *w)
{
    lane_free(w->lane);
    for (uint32_t i = 0; i < w->plan.relay_count; i++) {
        model_pool_fini(&w->pools[i]);
    }
    free(w->events);
    free(w->sent);
    free(w->flights);
    memset(w, 0, sizeof(*w));
}

static void *grown(void *array, size_t count, size_t *room, size_t item_bytes)
{
    if (count < *room) {
        return array;
    }
    *room = *room == 0 ? 1024 : *room * 2;
    void *more = realloc(array, *room * item_bytes);
    assert(more != NULL);
    return more;
}

/* --- the network --- */

static bool is_before(const struct lane_world_flight *a, const struct lane_world_flight *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void swap_flights(struct lane_world *w, size_t a, size_t b)
{
    struct lane_world_flight other = w->flights[a];
    w->flights[a] = w->flights[b];
    w->flights[b] = other;
}

static struct lane_world_flight *take_off(struct lane_world *w, uint64_t at_ns)
{
    w->flights = grown(w->flights, w->flight_count, &w->flight_room, sizeof(*w->flights));
    struct lane_world_flight *f = &w->flights[w->flight_count++];
    f->at_ns = at_ns;
    f->order = w->flights_begun++;
    return f;
}

/* Moves the newest flight to its place. Call when it is filled. */
static void sift_up(struct lane_world *w)
{
    for (size_t i = w->flight_count - 1;
         i > 0 && is_before(&w->flights[i], &w->flights[(i - 1) / 2]); i = (i - 1) / 2) {
        swap_flights(w, i, (i - 1) / 2);
    }
}

static void drop_first(struct lane_world *w)
{
    swap_flights(w, 0, --w->flight_count);
    size_t i = 0;
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < w->flight_count && is_before(&w->flights[left], &w->flights[least])) {
            least = left;
        }
        if (right < w->flight_count && is_before(&w->flights[right], &w->flights[least])) {
            least = right;
        }
        if (least == i) {
            return;
        }
        swap_flights(w, i, least);
        i = least;
    }
}

static size_t carrier_of(const struct lane_world *w, struct ipv4 destination)
{
    for (size_t i = 0; i < lane_carrier_count(w->lane); i++) {
        if (inet_equal(lane_carrier_address(w->lane, i), destination)) {
            return i;
        }
    }
    /* ciaddr: the egress rule brings it to the relay of the subnet. */
    for (uint32_t i = 0; i < w->plan.relay_count; i++) {
        if (inet_net_contains(w->relays[i].subnet, destination)) {
            return carrier_of(w, w->relays[i].via);
        }
    }
    return SIZE_MAX;
}

static void arrive_at_lane(struct lane_world *w, const struct lane_world_flight *f)
{
    struct lane_packet packet = {
        .carrier = carrier_of(w, f->reply.destination),
        .port = f->reply.destination_port == CLIENT_PORT ? LANE_PORT_CLIENT : LANE_PORT_SERVER,
        .source = f->source,
        .destination = f->reply.destination,
        .source_port = f->reply.source_port,
        .bytes = f->reply.bytes,
        .size = f->reply.size,
        .at_ns = f->at_ns,
    };
    w->arrived++;
    lane_receive(w->lane, &packet);
}

static void arrive_at_server(struct lane_world *w, const struct lane_world_flight *message)
{
    struct model_reply replies[MODEL_REPLIES_MAX];
    struct model_server *server = &w->servers[message->server];
    uint64_t at_ns = message->at_ns;
    size_t index = message->server;
    size_t count =
        model_server_take(server, message->reply.bytes, message->reply.size, at_ns, replies);
    for (size_t i = 0; i < count; i++) {
        if (w->loses_every > 0 && ++w->replies_sent % w->loses_every == 0) {
            w->lost++;
            continue;
        }
        struct lane_world_flight *f = take_off(w, at_ns + w->latency_ns);
        f->server = index;
        f->is_reply = true;
        f->source = server->address;
        f->reply = replies[i];
        sift_up(w);
    }
}

static void land(struct lane_world *w)
{
    while (w->flight_count > 0 && w->flights[0].at_ns <= w->now_ns) {
        struct lane_world_flight f = w->flights[0];
        drop_first(w);
        if (f.is_reply) {
            arrive_at_lane(w, &f);
        } else {
            arrive_at_server(w, &f);
        }
    }
}

void lane_world_inject(struct lane_world *w, size_t carrier, enum lane_port port,
                       uint16_t source_port, const uint8_t *bytes, size_t size)
{
    struct lane_packet packet = {
        .carrier = carrier,
        .port = port,
        .source = w->servers[0].address,
        .source_port = source_port,
        .bytes = bytes,
        .size = size,
        .at_ns = w->now_ns,
    };
    w->arrived++;
    lane_receive(w->lane, &packet);
}

/* --- the edge --- */

static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    uint64_t hash = size;
    for (size_t i = 0; i < size; i++) {
        hash = prng_mix(hash, bytes[i], i);
    }
    return hash;
}

static void note_sent(struct lane_world *w, const struct lane_out *out, int error)
{
    w->sent = grown(w->sent, w->sent_count, &w->sent_room, sizeof(*w->sent));
    struct lane_world_sent *s = &w->sent[w->sent_count++];
    memset(s, 0, sizeof(*s));
    bool ok = model_query_parse(out->bytes, out->size, &s->query);
    assert(ok);
    s->query.relay_info = NULL;
    s->at_ns = w->now_ns;
    s->carrier = out->carrier;
    s->port = out->port;
    s->intent = out->intent;
    s->source = out->source;
    s->destination = out->destination;
    s->client = out->client;
    s->is_first = out->is_first;
    s->error = error;
    s->hash = hash_of(out->bytes, out->size);
}

static void send_one(struct lane_world *w, const struct lane_out *out)
{
    for (size_t i = 0; i < w->plan.server_count; i++) {
        if (inet_equal(w->servers[i].address, out->destination)) {
            struct lane_world_flight *f = take_off(w, w->now_ns + w->latency_ns);
            f->server = i;
            f->is_reply = false;
            f->reply.size = out->size;
            memcpy(f->reply.bytes, out->bytes, out->size);
            sift_up(w);
            return;
        }
    }
    assert(false); /* a packet for somebody who is no server of the plan */
}

static void send_outbox(struct lane_world *w)
{
    const struct lane_out *out;
    size_t count = w->holds_sends ? 0 : lane_outbox(w->lane, &out);
    for (size_t i = 0; i < count; i++) {
        int error = w->send_error[out[i].intent];
        note_sent(w, &out[i], error);
        if (error == 0) {
            send_one(w, &out[i]);
        }
        lane_sent(w->lane, i, error, w->now_ns);
    }
    if (!w->holds_sends) {
        lane_outbox_clear(w->lane);
    }
}

static void take_events(struct lane_world *w)
{
    const struct event *events;
    size_t count = w->holds_events ? 0 : lane_events(w->lane, &events);
    for (size_t i = 0; i < count; i++) {
        w->events = grown(w->events, w->event_count, &w->event_room, sizeof(*w->events));
        w->events[w->event_count++] = events[i];
        assert(event_is_valid(&events[i]));
    }
    if (count > 0) {
        lane_events_clear(w->lane, count);
    }
}

void lane_world_turn(struct lane_world *w)
{
    w->turns++;
    land(w);
    lane_turn(w->lane, w->now_ns);
    send_outbox(w);
    take_events(w);
}

/* The next instant at which anything happens, later than now. */
static uint64_t next_ns(const struct lane_world *w)
{
    if (!w->turns_only_when_asked) {
        uint64_t ms = (w->now_ns - LANE_WORLD_BEGIN_NS) / NS_PER_MS;
        return LANE_WORLD_BEGIN_NS + (ms + 1) * NS_PER_MS;
    }
    uint64_t at_ns = lane_next_ns(w->lane);
    if (w->flight_count > 0 && w->flights[0].at_ns < at_ns) {
        at_ns = w->flights[0].at_ns;
    }
    if (at_ns > w->now_ns) {
        return at_ns;
    }
    /* Another turn at the same instant; but what is kept back waits, as the edge does. */
    return w->holds_events || w->holds_sends ? w->now_ns + NS_PER_MS : w->now_ns;
}

static void step(struct lane_world *w, uint64_t until_ns)
{
    uint64_t at_ns = next_ns(w);
    w->turns_at_once = at_ns > w->now_ns ? 0 : w->turns_at_once + 1;
    if (w->turns_at_once > w->most_turns_at_once) {
        w->most_turns_at_once = w->turns_at_once;
        assert(w->turns_at_once < 1000); /* it would spin for ever */
    }
    w->now_ns = at_ns < until_ns ? at_ns : until_ns;
    lane_world_turn(w);
}

void lane_world_run(struct lane_world *w, uint64_t span_ns)
{
    uint64_t until_ns = w->now_ns + span_ns;
    lane_world_turn(w);
    while (w->now_ns < until_ns) {
        step(w, until_ns);
    }
}

bool lane_world_run_step(struct lane_world *w, uint64_t longest_ns)
{
    uint64_t until_ns = w->now_ns + longest_ns;
    struct control_progress progress;
    for (lane_world_turn(w); w->now_ns < until_ns; step(w, until_ns)) {
        lane_progress(w->lane, &progress);
        if (progress.is_step_done) {
            return true;
        }
    }
    return false;
}

bool lane_world_run_drained(struct lane_world *w, uint64_t longest_ns)
{
    uint64_t until_ns = w->now_ns + longest_ns;
    for (lane_world_turn(w); w->now_ns < until_ns && !lane_is_drained(w->lane);) {
        step(w, until_ns);
    }
    return lane_is_drained(w->lane);
}

/* --- commands --- */

void lane_world_go(struct lane_world *w, uint32_t stage, uint32_t batch, uint64_t rate_milli_per_s)
{
    struct control_go go = {.stage = stage,
                            .start_at_ns = w->now_ns,
                            .client_limit = w->plan.client_count,
                            .batch = batch,
                            .rate_milli_per_s = rate_milli_per_s,
                            .is_last_step = true};
    lane_go(w->lane, &go, w->now_ns);
}

void lane_world_go_arrivals(struct lane_world *w, uint64_t round, uint32_t stage,
                            uint64_t rate_milli_per_s, uint64_t arrivals)
{
    struct control_go go = {.round = round,
                            .arrivals = arrivals,
                            .stage = stage,
                            .start_at_ns = w->now_ns,
                            .client_limit = w->plan.client_count,
                            .rate_milli_per_s = rate_milli_per_s,
                            .is_last_step = true};
    lane_go(w->lane, &go, w->now_ns);
}

void lane_world_drain(struct lane_world *w, enum control_drain_mode mode,
                      uint64_t release_milli_per_s)
{
    struct control_drain drain = {mode, release_milli_per_s};
    lane_drain(w->lane, &drain, w->now_ns);
}
