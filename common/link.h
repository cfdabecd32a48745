/* SPDX-License-Identifier: MIT */
/*
 * Authenticated message sockets; link*.c and zap*.c are the only includers of zmq.h. Edge.
 *
 * CURVE is always on. A server socket (ROUTER) answers only peers whose public
 * key the ZAP handler (common/zap.c) finds in the allow-list; the peer's identity is
 * the enrolled name the handler returned ("User-Id"), read from a body frame,
 * never what the peer says. ZAP_DOMAIN is set and enforced, return codes are
 * checked, and link_server_open() refuses to start unless a key that is not on
 * the list was refused in a self-test on the same context. A handler that dies
 * or hangs later ends the process (common/zap_watchdog.h).
 *
 * One thread owns a socket. A context may be shared. Signals must be blocked
 * or handled before link_context_new(), and no fork() after it.
 * Errors are -errno.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"

struct link_context;
struct link_socket;

enum {
    LINK_ROUTE_BYTES = 32,
    LINK_WHY_BYTES = 400,
    LINK_POLL_SOCKETS_MAX = 16,
    LINK_POLL_FDS_MAX = 64
};

/*
 * Which bounds a socket has: DESIGN section 2, CTRL small and never delayed, DATA bulk.
 * ENROL: a few short messages of whoever calls.
 */
enum link_kind { LINK_CTRL, LINK_DATA, LINK_ENROL };

enum {
    LINK_CTRL_UP_BYTES = 64 * 1024,         /* agent -> coordinator, one message */
    LINK_CTRL_DOWN_BYTES = 4 * 1024 * 1024, /* plans */
    LINK_DATA_UP_BYTES = 64 * 1024,
    LINK_DATA_DOWN_BYTES = 4 * 1024,
    LINK_ENROL_BYTES = 512, /* either way */
    LINK_HIGH_WATER_MESSAGES = 1024,
    LINK_WINDOW_BATCHES = 512 /* credit; <= half the high water, see messaging rule */
};

/* Who sent a message, or who is to get one. */
struct link_peer {
    char name[KEY_NAME_BYTES]; /* ZAP User-Id; "" of an enrolment socket */
    enum key_role role;
    uint8_t key[KEY_BYTES]; /* the one it proved to have */
    uint8_t route[LINK_ROUTE_BYTES];
    size_t route_bytes;
};

/* What the socket monitor told since the last call; a set of bits. */
enum link_trouble {
    LINK_CONNECTED = 1 << 0,   /* handshake succeeded */
    LINK_NO_LISTENER = 1 << 1, /* no such host, TCP connect refused or timed out, or nobody answers
                                  the handshake; retried by itself */
    LINK_KEY_REFUSED = 1 << 2, /* ZAP 400: our key is not (or no longer) on the list. libzmq never
                                  tries again: link_close() and link_client_open() after a pause */
    LINK_TRY_LATER = 1 << 3,   /* ZAP 300 or 500; retried by itself */
    LINK_WRONG_SERVER_KEY = 1 << 4, /* the server hung up in the handshake: a wrong --server-key, or
                                       a program that is no coordinator, or one that just died;
                                       retried by itself */
    LINK_NOT_CURVE = 1 << 5,    /* the other side does not speak CURVE, and said so before it hung
                                   up; as LINK_KEY_REFUSED */
    LINK_DISCONNECTED = 1 << 6, /* a connection that had succeeded ended; retried by itself */
    LINK_PEER_REFUSED = 1 << 7  /* server side: a peer failed authentication */
};

NODISCARD int link_context_new(struct link_context **out);
void link_context_free(struct link_context *context); /* NULL is fine; sockets closed before */

/*
 * Starts the ZAP handler thread with a copy of `list`. Must precede
 * link_server_open(). link_allow() replaces the list later, atomically.
 */
NODISCARD int link_allow(struct link_context *context, const struct key_list *list);

/* Instead, for enrolment: servers of this context (LINK_ENROL) hear whoever has any key. */
NODISCARD int link_allow_anybody(struct link_context *context);

/*
 * Binds tcp://host:port (port 0: any; `out_port` says which). Runs the
 * self-test first. `why` is set on failure: one sentence.
 */
NODISCARD int link_server_open(struct link_context *context, enum link_kind kind, const char *host,
                               uint16_t port, const struct key_pair *own, struct link_socket **out,
                               uint16_t *out_port, char why[LINK_WHY_BYTES]);

/* Connects; returns at once, success is seen by link_trouble(). Host may be a name or address. */
NODISCARD int link_client_open(struct link_context *context, enum link_kind kind, const char *host,
                               uint16_t port, const uint8_t server_key[KEY_BYTES],
                               const struct key_pair *own, struct link_socket **out,
                               char why[LINK_WHY_BYTES]);
void link_close(struct link_socket *socket); /* NULL is fine */

/*
 * Never blocks. Sends one message of one frame; `to` is NULL on a client. 0,
 * -EAGAIN (that peer's queue is full), -EHOSTUNREACH (gone).
 */
NODISCARD int link_send(struct link_socket *socket, const struct link_peer *to, const void *bytes,
                        size_t size);

/*
 * Never blocks. 1 and a borrowed view (valid until the next call on this
 * socket), 0 when there is nothing, -errno. Messages without User-Id, with
 * more than one body frame, from a peer that chose its own routing id, or from a
 * key that is not on the list any more are dropped and counted; the connection
 * over which a revoked key speaks is cut. `from` may be NULL on a client.
 */
NODISCARD int link_receive(struct link_socket *socket, struct link_peer *from,
                           const uint8_t **bytes, size_t *size);
uint64_t link_dropped_count(const struct link_socket *socket);

/* Drains the monitor; returns a set of enum link_trouble. */
unsigned link_trouble(struct link_socket *socket);

/*
 * The last connection attempt whose key the list refused, for the operator;
 * false when none came since the last call. The coordinator's own self-test is not told.
 */
struct link_refusal {
    uint64_t count; /* refusals so far */
    char address[64];
    char key_z85[KEY_Z85_BYTES];       /* "" if it had none */
    char expired_name[KEY_NAME_BYTES]; /* whose key it is when it is only out of date, else "" */
};
bool link_last_refusal(struct link_context *context, struct link_refusal *out);

/*
 * Waits until a socket is readable, an fd of `fds` is ready (revents set),
 * link_trouble() has news, or `timeout_ms` passed (-1: for ever). Returns a bit
 * set of readable sockets (bit i: sockets[i]), or -errno (-EINTR included). At most
 * LINK_POLL_SOCKETS_MAX sockets and LINK_POLL_FDS_MAX fds, else -EINVAL.
 */
NODISCARD int link_poll(struct link_socket *const *sockets, size_t socket_count, struct pollfd *fds,
                        size_t fd_count, int timeout_ms);
