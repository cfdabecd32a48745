/* SPDX-License-Identifier: MIT */
/*
 * One connection between two sockets: two streams, the messages that arrived
 * and were not read, and an end on each side that closes on its own. Internal to
 * net_link.c and net_conn.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/link.h"
#include "tests/sim/world.h"

struct message {
    uint8_t *bytes; /* owned; NULL: the end of the stream (FIN, RST) */
    size_t size;
    uint64_t due_ns;
};

struct queue {
    struct message *items;
    size_t first, count, room;
};

struct link_socket {
    struct link_context *context;
    struct sim_part *part;
    enum link_kind kind;
    bool is_server, is_closed;
    uint16_t port;
    struct sim_task *poller;
    unsigned trouble;
    struct message read; /* what the caller may still look at */
    /* clients */
    struct world_agent *agent;
    struct key_pair own;
    struct conn *conn;
    uint64_t reconnect_ns;
};

struct conn {
    uint64_t id;
    struct world_agent *agent;
    enum key_role role;
    struct link_socket *socket[2]; /* [0] the client's, [1] the server's */
    bool is_open[2];
    struct queue way[2];   /* [0] up, [1] down: on its way */
    struct queue inbox[2]; /* [0] at the client, [1] at the server */
    bool is_moving[2];     /* a delivery is in the heap */
    uint64_t heard_ns[2];
    uint64_t backoff_ns[2];
};

struct conn *conn_new(struct link_socket *client, struct link_socket *server,
                      const struct key_entry *entry);
/* The open connection that has this route; NULL: gone. */
struct conn *conn_of_route(const struct link_socket *server, uint64_t id);
/* False: its queue is full. Copies. */
bool conn_send(struct conn *c, bool is_down, const void *bytes, size_t size);
bool conn_has_message(const struct link_socket *s);
/* The next message of any connection of the socket, its bytes the caller's; NULL: none. */
struct conn *conn_take(struct link_socket *s, struct message *out);
/* Its connections end: in order with what was sent still arriving, or cut short. */
void conn_socket_closed(struct link_socket *s, bool in_order);

/* net_link.c */
void net_link_client_broke(struct link_socket *s);
