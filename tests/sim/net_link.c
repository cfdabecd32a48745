/* SPDX-License-Identifier: MIT */
#include "tests/sim/net_link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/link.h"
#include "tests/sim/net_conn.h"
#include "tests/sim/oracle.h"
#include "tests/sim/os.h"

enum { LISTENERS_MAX = 8, PORT_FIRST_FREE = 40000, COORDINATOR_TURN_MS = 5 };

#define HANDSHAKE_NS     (3 * NS_PER_S) /* HANDSHAKE_IVL of common/link_socket.c */
#define RECONNECT_NS     (200 * NS_PER_MS)
#define RECONNECT_MAX_NS (5 * NS_PER_S)

struct link_context {
    struct sim_part *part;
    struct key_list allowed;
};

static struct link_socket *listeners[LISTENERS_MAX];
static uint16_t next_port = PORT_FIRST_FREE;

/* --- contexts and listeners --- */

int link_context_new(struct link_context **out)
{
    *out = calloc(1, sizeof(**out));
    assert(*out != NULL);
    (*out)->part = sim_current_part();
    return 0;
}

void link_context_free(struct link_context *context)
{
    (void)context; /* a connection may still look at its list */
}

int link_allow(struct link_context *context, const struct key_list *list)
{
    struct key_entry *copy = calloc(list->count + 1, sizeof(*copy));
    assert(copy != NULL);
    memcpy(copy, list->entries, list->count * sizeof(*copy));
    context->allowed = (struct key_list){copy, list->count};
    return 0;
}

static struct link_socket *listener_at(uint16_t port)
{
    for (size_t i = 0; i < LISTENERS_MAX; i++) {
        struct link_socket *s = listeners[i];
        if (s != NULL && s->port == port && !s->is_closed && !s->part->is_dead) {
            return s;
        }
    }
    return NULL;
}

static struct link_socket *socket_new(struct link_context *context, enum link_kind kind)
{
    struct link_socket *s = calloc(1, sizeof(*s));
    assert(s != NULL);
    s->context = context;
    s->part = sim_current_part();
    s->kind = kind;
    return s;
}

int link_server_open(struct link_context *context, enum link_kind kind, const char *host,
                     uint16_t port, const struct key_pair *own, struct link_socket **out,
                     uint16_t *out_port, char why[LINK_WHY_BYTES])
{
    (void)host;
    (void)own;
    if (port != 0 && listener_at(port) != NULL) {
        (void)snprintf(why, LINK_WHY_BYTES, "port %u is taken", port);
        return -EADDRINUSE;
    }
    struct link_socket *s = socket_new(context, kind);
    s->is_server = true;
    s->port = port != 0 ? port : next_port++;
    size_t i = 0;
    while (i < LISTENERS_MAX && listeners[i] != NULL && !listeners[i]->is_closed &&
           !listeners[i]->part->is_dead) {
        i++;
    }
    assert(i < LISTENERS_MAX);
    listeners[i] = s;
    *out = s;
    *out_port = s->port;
    return 0;
}

/* --- connecting --- */

static void tell(struct link_socket *s, unsigned trouble)
{
    s->trouble |= trouble;
    sim_wake(s->poller);
}

static void try_to_connect(void *context, uint64_t number);

static void try_later(struct link_socket *s, uint64_t after_ns)
{
    uint64_t pause_ns = s->reconnect_ns + prng_below(&s->agent->up.prng, RECONNECT_NS);
    s->reconnect_ns =
        2 * s->reconnect_ns < RECONNECT_MAX_NS ? 2 * s->reconnect_ns : RECONNECT_MAX_NS;
    sim_after(after_ns + pause_ns, try_to_connect, s, 0);
}

static void no_listener(void *context, uint64_t number)
{
    struct link_socket *s = context;
    (void)number;
    if (!s->is_closed && !s->part->is_dead) {
        tell(s, LINK_NO_LISTENER);
    }
}

static const struct key_entry *enrolled(const struct link_socket *server,
                                        const struct link_socket *client)
{
    return key_list_find(&server->context->allowed, client->own.public_key);
}

static void try_to_connect(void *context, uint64_t number)
{
    struct link_socket *s = context;
    (void)number;
    if (s->is_closed || s->part->is_dead || s->conn != NULL) {
        return;
    }
    if (s->part->stops > 0) {
        sim_after(100 * NS_PER_MS, try_to_connect, s, 0);
        return;
    }
    struct link_socket *server = listener_at(s->port);
    bool is_cut = s->agent->up.cuts > 0 || s->agent->down.cuts > 0 ||
                  (s->kind == LINK_DATA && s->agent->data_cuts > 0);
    if (is_cut || (server != NULL && server->part->stops > 0)) {
        sim_after(HANDSHAKE_NS, no_listener, s, 0);
        try_later(s, HANDSHAKE_NS);
        return;
    }
    if (server == NULL) {
        sim_after(2 * world_wire_delay_ns(&s->agent->up), no_listener, s, 0);
        try_later(s, 0);
        return;
    }
    const struct key_entry *entry = enrolled(server, s);
    if (entry == NULL) {
        tell(s, LINK_KEY_REFUSED);
        return;
    }
    s->reconnect_ns = RECONNECT_NS;
    s->conn = conn_new(s, server, entry);
    tell(s, LINK_CONNECTED);
}

int link_client_open(struct link_context *context, enum link_kind kind, const char *host,
                     uint16_t port, const uint8_t server_key[KEY_BYTES], const struct key_pair *own,
                     struct link_socket **out, char why[LINK_WHY_BYTES])
{
    (void)host;
    (void)why;
    assert(memcmp(server_key, world.coordinator_key.public_key, KEY_BYTES) == 0);
    struct link_socket *s = socket_new(context, kind);
    s->agent = world_agent_of(s->part);
    assert(s->agent != NULL);
    s->port = port;
    s->own = *own;
    s->reconnect_ns = RECONNECT_NS;
    *out = s;
    uint64_t handshake_ns =
        3 * (world_wire_delay_ns(&s->agent->up) + world_wire_delay_ns(&s->agent->down));
    sim_after(handshake_ns, try_to_connect, s, 0);
    return 0;
}

/* The client's end is gone: libzmq connects again by itself. */
void net_link_client_broke(struct link_socket *s)
{
    s->conn = NULL;
    if (!s->is_closed) {
        tell(s, LINK_DISCONNECTED);
        try_later(s, 0);
    }
}

void link_close(struct link_socket *s)
{
    if (s != NULL && !s->is_closed) {
        s->is_closed = true;
        conn_socket_closed(s, true);
    }
}

/* --- messages --- */

int link_send(struct link_socket *s, const struct link_peer *to, const void *bytes, size_t size)
{
    struct conn *c = s->conn;
    if (s->is_server) {
        uint64_t id = 0;
        assert(to != NULL && to->route_bytes == sizeof(id));
        memcpy(&id, to->route, sizeof(id));
        c = conn_of_route(s, id);
    }
    if (c == NULL) {
        return s->is_server ? -EHOSTUNREACH : -EAGAIN;
    }
    if (!conn_send(c, s->is_server, bytes, size)) {
        return -EAGAIN;
    }
    oracle_link_sent(c->agent, s->is_server, bytes, size);
    return 0;
}

int link_receive(struct link_socket *s, struct link_peer *from, const uint8_t **bytes, size_t *size)
{
    free(s->read.bytes);
    s->read.bytes = NULL;
    struct conn *c = conn_take(s, &s->read);
    if (c == NULL) {
        return 0;
    }
    if (from != NULL) {
        memset(from, 0, sizeof(*from));
        (void)snprintf(from->name, sizeof(from->name), "%s", c->agent->name);
        from->role = c->role;
        memcpy(from->key, c->socket[0]->own.public_key, KEY_BYTES);
        memcpy(from->route, &c->id, sizeof(c->id));
        from->route_bytes = sizeof(c->id);
    }
    *bytes = s->read.bytes;
    *size = s->read.size;
    oracle_link_received(c->agent, s->is_server, *bytes, *size);
    return 1;
}

uint64_t link_dropped_count(const struct link_socket *s)
{
    (void)s;
    return 0;
}

unsigned link_trouble(struct link_socket *s)
{
    unsigned trouble = s->trouble;
    s->trouble = 0;
    return trouble;
}

bool link_last_refusal(struct link_context *context, struct link_refusal *out)
{
    (void)context;
    (void)out;
    return false;
}

static int readable(struct link_socket *const *sockets, size_t count, bool *out_has_news)
{
    int set = 0;
    for (size_t i = 0; i < count; i++) {
        sockets[i]->poller = sim_current();
        set |= conn_has_message(sockets[i]) ? 1 << i : 0;
        *out_has_news = *out_has_news || sockets[i]->trouble != 0;
    }
    return set;
}

int link_poll(struct link_socket *const *sockets, size_t socket_count, struct pollfd *fds,
              size_t fd_count, int timeout_ms)
{
    uint64_t left_ns = timeout_ms < 0 ? UINT64_MAX / 4 : (uint64_t)timeout_ms * NS_PER_MS;
    bool is_coordinator = sim_current_part() == world.coordinator;
    if (is_coordinator && timeout_ms == COORDINATOR_TURN_MS) {
        left_ns *= world.poll_factor;
    }
    (void)sim_wait(0); /* a turn takes time, also one that finds work at once */
    uint64_t until_ns = sim_now() + left_ns;
    for (;;) {
        bool has_news = false;
        int set = readable(sockets, socket_count, &has_news);
        if (os_poll(fds, fd_count, sim_current()) > 0 || set != 0 || has_news) {
            return set;
        }
        if (sim_now() >= until_ns) {
            return 0;
        }
        (void)sim_wait(until_ns - sim_now());
    }
}
