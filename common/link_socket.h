/* SPDX-License-Identifier: MIT */
/*
 * The ZeroMQ side of one socket: its options, its way to connect, and its monitor,
 * whose measured language link_trouble() translates.
 *
 * Edge. Internal to common/link*.c. Not thread-safe.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "common/link.h"
#include "common/zap.h"

enum { LINK_ENDPOINT_BYTES = 320 };

struct link_context {
    void *zmq;
    struct zap *zap; /* NULL before link_allow */
    enum zap_admits admits;
    _Atomic unsigned monitor_count; /* names monitors apart */
};

struct link_socket {
    struct link_context *context;
    void *zmq;
    void *monitor;
    bool is_server;
    bool has_message; /* `message` is what the caller may still be looking at */
    zmq_msg_t message;
    uint64_t dropped;
    unsigned trouble; /* bits not fetched yet */
    bool was_connected;
    bool is_disconnected; /* since the last attempt to connect */
};

/* Writes the sentence and returns `error`. */
int link_refuse(char why[LINK_WHY_BYTES], int error, const char *format, ...) PRINTF_LIKE(3, 4);

NODISCARD bool link_set_option(void *zmq_socket, int name, int value);

/* A ROUTER or a DEALER without options; link_close() frees it. 0 or -errno. */
NODISCARD int link_new_socket(struct link_context *context, bool is_server,
                              struct link_socket **out);

/* tcp://host:port; an IPv6 address gets its brackets and switches IPv6 on. */
NODISCARD int link_put_endpoint(struct link_socket *s, const char *host, const char *port,
                                char out[LINK_ENDPOINT_BYTES], char why[LINK_WHY_BYTES]);

/* Options, monitor, connect. */
NODISCARD int link_connect(struct link_socket *s, enum link_kind kind,
                           const uint8_t server_key[KEY_BYTES], const struct key_pair *own,
                           const char *endpoint);

/* False with zmq_errno() set when an option is refused: the socket must not be used then. */
NODISCARD bool link_configure_server(void *zmq_socket, enum link_kind kind, enum zap_admits admits,
                                     const struct key_pair *own);

/* 0 or -errno. */
NODISCARD int link_open_monitor(struct link_socket *s);

/* Adds what the monitor told to s->trouble. */
void link_drain_monitor(struct link_socket *s);
