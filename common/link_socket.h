/* SPDX-License-Identifier: MIT */
/*
 * The ZeroMQ side of one socket: its options and its monitor, whose measured
 * language link_trouble() translates.
 *
 * Edge. Internal to common/link.c. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "common/link.h"

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

NODISCARD bool link_set_option(void *zmq_socket, int name, int value);

/* False with zmq_errno() set when an option is refused: the socket must not be used then. */
NODISCARD bool link_configure_server(void *zmq_socket, enum link_kind kind,
                                     const struct key_pair *own);
NODISCARD bool link_configure_client(void *zmq_socket, enum link_kind kind,
                                     const uint8_t server_key[KEY_BYTES],
                                     const struct key_pair *own);

/* `number` tells the monitors of a context apart. 0 or -errno. */
NODISCARD int link_open_monitor(struct link_socket *s, void *zmq_context, unsigned number);

/* Adds what the monitor told to s->trouble. */
void link_drain_monitor(struct link_socket *s);
