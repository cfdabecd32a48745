/* SPDX-License-Identifier: MIT */
#include "tests/sim/net_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "tests/sim/net_link.h"
#include "tests/sim/oracle.h"

enum { CONNS_MAX = 4096, QUEUE_MAX = 2 * LINK_HIGH_WATER_MESSAGES };

/* As common/link_socket.c has libzmq watch its connections, and TCP's first retransmission. */
#define LOOK_NS        (500 * NS_PER_MS)
#define CLIENT_DEAF_NS (8 * NS_PER_S)
#define SERVER_DEAF_NS (8 * NS_PER_S)
#define RTO_NS         (200 * NS_PER_MS)
#define RTO_MAX_NS     (2 * NS_PER_S)

static struct conn *conns[CONNS_MAX];
static size_t conn_count;
static uint64_t lost, leftovers;

uint64_t net_link_lost(void)
{
    return lost;
}

uint64_t net_link_leftovers(void)
{
    return leftovers;
}

/* --- queues --- */

static void queue_put(struct queue *q, struct message m)
{
    if (q->first + q->count == q->room) {
        if (q->first > 0) {
            memmove(q->items, q->items + q->first, q->count * sizeof(*q->items));
        }
        q->first = 0;
        if (2 * q->count >= q->room) {
            q->room = q->room == 0 ? 16 : 2 * q->room;
            q->items = realloc(q->items, q->room * sizeof(*q->items));
            assert(q->items != NULL);
        }
    }
    q->items[q->first + q->count++] = m;
}

static struct message queue_take(struct queue *q)
{
    assert(q->count > 0);
    q->count--;
    return q->items[q->first++];
}

/* Forgets all but the first `kept`. */
static void queue_cut(struct queue *q, size_t kept)
{
    while (q->count > kept) {
        struct message *last = &q->items[q->first + --q->count];
        lost += last->bytes != NULL;
        free(last->bytes);
    }
}

/* --- the way --- */

static struct world_wire *wire_of(const struct conn *c, bool is_down)
{
    return is_down ? &c->agent->down : &c->agent->up;
}

static bool is_cut(const struct conn *c, bool is_down)
{
    bool is_data = c->socket[0]->kind == LINK_DATA;
    return wire_of(c, is_down)->cuts > 0 || (is_data && c->agent->data_cuts > 0);
}

static void deliver(void *context, uint64_t is_down);

static void keep_moving(struct conn *c, bool is_down)
{
    struct queue *way = &c->way[is_down];
    if (!c->is_moving[is_down] && way->count > 0) {
        c->is_moving[is_down] = true;
        sim_at(way->items[way->first].due_ns, deliver, c, is_down);
    }
}

/* What is lost of a stream is sent again: everything behind it waits. */
static void put_on_way(struct conn *c, bool is_down, struct message m)
{
    struct world_wire *wire = wire_of(c, is_down);
    struct queue *way = &c->way[is_down];
    m.due_ns = sim_now() + world_wire_delay_ns(wire);
    for (uint64_t rto_ns = RTO_NS; rto_ns < RTO_MAX_NS && world_wire_chance(wire, wire->loses);
         rto_ns *= 2) {
        m.due_ns += rto_ns;
    }
    if (world_wire_chance(wire, wire->delays)) {
        m.due_ns += prng_below(&wire->prng, wire->late_ns + 1);
    }
    const struct message *last = way->count > 0 ? &way->items[way->first + way->count - 1] : NULL;
    if (last != NULL && last->due_ns > m.due_ns) {
        m.due_ns = last->due_ns;
    }
    queue_put(way, m);
    keep_moving(c, is_down);
}

/* This end is closed and knows it; the other one learns of it as the wire allows. */
static void end_closes(struct conn *c, unsigned end, bool in_order)
{
    if (!c->is_open[end]) {
        return;
    }
    c->is_open[end] = false;
    struct queue *way = &c->way[end];
    if (!in_order) {
        queue_cut(way, prng_below(&wire_of(c, end)->prng, way->count + 1));
    }
    if (end == 0) {
        net_link_client_broke(c->socket[0]); /* what has arrived can still be read */
    }
    put_on_way(c, end, (struct message){0});
}

static void arrive(struct conn *c, bool is_down, struct message m)
{
    unsigned to = is_down ? 0 : 1;
    struct link_socket *s = c->socket[to];
    c->heard_ns[to] = sim_now();
    if (m.bytes == NULL) {
        end_closes(c, to, true);
    } else if (s->is_closed || s->part->is_dead || (to == 0 && !c->is_open[0])) {
        lost++;
        free(m.bytes);
    } else {
        leftovers += !c->is_open[to];
        queue_put(&c->inbox[to], m);
        sim_wake(s->poller);
    }
}

static void deliver(void *context, uint64_t is_down)
{
    struct conn *c = context;
    c->is_moving[is_down] = false;
    struct queue *way = &c->way[is_down];
    if (way->count == 0) {
        return;
    }
    if (is_cut(c, is_down)) {
        uint64_t *backoff_ns = &c->backoff_ns[is_down];
        *backoff_ns = *backoff_ns == 0 ? RTO_NS : 2 * *backoff_ns;
        *backoff_ns = *backoff_ns < RTO_MAX_NS ? *backoff_ns : RTO_MAX_NS;
        way->items[way->first].due_ns = sim_now() + *backoff_ns;
        keep_moving(c, is_down);
        return;
    }
    c->backoff_ns[is_down] = 0;
    if (way->items[way->first].due_ns > sim_now()) { /* the one it was for has been cut off */
        keep_moving(c, is_down);
        return;
    }
    arrive(c, is_down, queue_take(way));
    keep_moving(c, is_down);
}

/* --- heartbeats --- */

/* An end that was itself asleep may hear first what waits for it, or find the time over first. */
static bool hears(struct conn *c, unsigned end)
{
    const struct sim_part *peer = c->socket[1 - end]->part;
    bool is_through = !is_cut(c, false) && !is_cut(c, true);
    bool is_new = sim_now() - c->heard_ns[end] < 2 * LOOK_NS;
    return is_through && c->is_open[1 - end] && !peer->is_dead && peer->stops == 0 &&
           (is_new || world_wire_chance(wire_of(c, end == 0), 500));
}

static void look_after(void *context, uint64_t number)
{
    static const uint64_t deaf_ns[2] = {CLIENT_DEAF_NS, SERVER_DEAF_NS};
    struct conn *c = context;
    (void)number;
    for (unsigned end = 0; end < 2; end++) {
        if (!c->is_open[end] || c->socket[end]->part->stops > 0) {
            continue;
        }
        if (hears(c, end)) {
            c->heard_ns[end] = sim_now();
        } else if (sim_now() - c->heard_ns[end] > deaf_ns[end]) {
            end_closes(c, end, false);
        }
    }
    if (c->is_open[0] || c->is_open[1]) {
        sim_after(LOOK_NS, look_after, c, 0);
    }
}

/* --- the ways in --- */

struct conn *conn_new(struct link_socket *client, struct link_socket *server,
                      const struct key_entry *entry)
{
    struct conn *c = calloc(1, sizeof(*c));
    assert(c != NULL && conn_count < CONNS_MAX);
    c->id = 1 + conn_count;
    c->agent = client->agent;
    c->role = entry->role;
    c->socket[0] = client;
    c->socket[1] = server;
    c->is_open[0] = c->is_open[1] = true;
    c->heard_ns[0] = c->heard_ns[1] = sim_now();
    conns[conn_count++] = c;
    sim_after(LOOK_NS, look_after, c, 0);
    sim_trace_number("connected", c->id);
    return c;
}

struct conn *conn_of_route(const struct link_socket *server, uint64_t id)
{
    assert(id > 0 && id <= conn_count);
    struct conn *c = conns[id - 1];
    return c->is_open[1] && c->socket[1] == server ? c : NULL;
}

bool conn_send(struct conn *c, bool is_down, const void *bytes, size_t size)
{
    unsigned to = is_down ? 0 : 1;
    if (c->way[is_down].count + c->inbox[to].count >= QUEUE_MAX) {
        return false;
    }
    struct message m = {.bytes = malloc(size), .size = size};
    assert(m.bytes != NULL);
    memcpy(m.bytes, bytes, size);
    sim_trace(is_down ? "down" : "up", bytes, size);
    put_on_way(c, is_down, m);
    return true;
}

static bool has_for(const struct conn *c, const struct link_socket *s)
{
    return c->socket[s->is_server] == s && c->inbox[s->is_server].count > 0;
}

bool conn_has_message(const struct link_socket *s)
{
    for (size_t i = 0; i < conn_count; i++) {
        if (has_for(conns[i], s)) {
            return true;
        }
    }
    return false;
}

/*
 * A server reads its connections in no order: that of a former one may come after a newer one's.
 * A client reads what a former one has left first.
 */
static struct conn *pick(const struct link_socket *s)
{
    static struct conn *ready[CONNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < conn_count; i++) {
        if (has_for(conns[i], s)) {
            ready[count++] = conns[i];
        }
    }
    if (count > 0 && !s->is_server) {
        return ready[0];
    }
    return count == 0 ? NULL : ready[prng_below(&ready[0]->agent->up.prng, count)];
}

struct conn *conn_take(struct link_socket *s, struct message *out)
{
    struct conn *c = pick(s);
    if (c != NULL) {
        *out = queue_take(&c->inbox[s->is_server]);
    }
    return c;
}

void conn_socket_closed(struct link_socket *s, bool in_order)
{
    for (size_t i = 0; i < conn_count; i++) {
        struct conn *c = conns[i];
        unsigned end = s->is_server ? 1 : 0;
        if (c->socket[end] == s) {
            queue_cut(&c->inbox[end], 0);
            end_closes(c, end, in_order && s->is_server);
        }
    }
}

void net_link_part_died(struct sim_part *part)
{
    for (size_t i = 0; i < conn_count; i++) {
        for (unsigned end = 0; end < 2; end++) {
            if (conns[i]->socket[end]->part == part) {
                conns[i]->socket[end]->is_closed = true;
                queue_cut(&conns[i]->inbox[end], 0);
                end_closes(conns[i], end, false);
            }
        }
    }
}

void net_link_reset(struct world_agent *agent)
{
    for (size_t i = 0; i < conn_count; i++) {
        if (conns[i]->agent == agent && conns[i]->is_open[0] && conns[i]->is_open[1]) {
            queue_cut(&conns[i]->way[0], prng_below(&agent->up.prng, conns[i]->way[0].count + 1));
            end_closes(conns[i], 0, false);
            end_closes(conns[i], 1, false);
        }
    }
}
