/* SPDX-License-Identifier: MIT */
#include "common/link_socket.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/zap.h"

/* A draft option of the header, but not of the library: 4.3.4 as Debian builds it obeys it. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

enum {
    CURVE_OVERHEAD_BYTES = 33, /* MAXMSGSIZE counts ciphertext */
    RECONNECT_MS = 200, /* plus up to as much again, so that agents do not come back in step */
    RECONNECT_MAX_MS = 5000,
    SERVER_LINGER_MS = 1000
};

enum {
    CLIENT_EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                    ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED,
    SERVER_EVENTS = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
};

struct option {
    int name, value;
};

static const struct option common_options[] = {
    {ZMQ_HANDSHAKE_IVL, 3000},
    /* Detects a dead peer in 6 s. Safe only while unread messages stay below the high water. */
    {ZMQ_HEARTBEAT_IVL, 2000},
    {ZMQ_HEARTBEAT_TIMEOUT, 6000},
    {ZMQ_HEARTBEAT_TTL, 8000},
    {ZMQ_SNDHWM, LINK_HIGH_WATER_MESSAGES},
    {ZMQ_RCVHWM, LINK_HIGH_WATER_MESSAGES},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 60},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_MAXRT, 10000},
};

static const struct option server_options[] = {
    {ZMQ_CURVE_SERVER, 1},    {ZMQ_ZAP_ENFORCE_DOMAIN, 1}, {ZMQ_ROUTER_MANDATORY, 1},
    {ZMQ_ROUTER_HANDOVER, 0}, {ZMQ_BACKLOG, 1024},         {ZMQ_LINGER, SERVER_LINGER_MS},
};

static const struct option client_options[] = {
    {ZMQ_IMMEDIATE, 1}, /* queue nothing for a connection that is not there */
    {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
    {ZMQ_CONNECT_TIMEOUT, 3000},
    {ZMQ_PROBE_ROUTER, 0},
    {ZMQ_LINGER, 0}, /* what matters is acknowledged */
};

static const struct {
    int64_t up, down;
} frame_bytes_max[] = {
    [LINK_CTRL] = {LINK_CTRL_UP_BYTES, LINK_CTRL_DOWN_BYTES},
    [LINK_DATA] = {LINK_DATA_UP_BYTES, LINK_DATA_DOWN_BYTES},
};

bool link_set_option(void *socket, int name, int value)
{
    return zmq_setsockopt(socket, name, &value, sizeof(value)) == 0;
}

static bool set_options(void *socket, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!link_set_option(socket, options[i].name, options[i].value)) {
            return false;
        }
    }
    return true;
}

static bool set_bytes(void *socket, int name, const void *bytes, size_t size)
{
    return zmq_setsockopt(socket, name, bytes, size) == 0;
}

static bool set_frame_max(void *socket, int64_t bytes)
{
    int64_t ciphertext = bytes + CURVE_OVERHEAD_BYTES;

    return set_bytes(socket, ZMQ_MAXMSGSIZE, &ciphertext, sizeof(ciphertext));
}

/* Every return code counts: with one of these missing the server may admit anybody. */
bool link_configure_server(void *socket, enum link_kind kind, const struct key_pair *own)
{
    return set_options(socket, common_options, ARRAY_LEN(common_options)) &&
           set_bytes(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, sizeof(ZAP_DOMAIN) - 1) &&
           set_options(socket, server_options, ARRAY_LEN(server_options)) &&
           set_bytes(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_BYTES) &&
           set_frame_max(socket, frame_bytes_max[kind].up);
}

bool link_configure_client(void *socket, enum link_kind kind, const uint8_t server_key[KEY_BYTES],
                           const struct key_pair *own)
{
    int reconnect_ms = RECONNECT_MS + (int)randombytes_uniform(RECONNECT_MS);

    return set_options(socket, common_options, ARRAY_LEN(common_options)) &&
           set_options(socket, client_options, ARRAY_LEN(client_options)) &&
           link_set_option(socket, ZMQ_RECONNECT_IVL, reconnect_ms) &&
           set_bytes(socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_BYTES) &&
           set_bytes(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, KEY_BYTES) &&
           set_bytes(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_BYTES) &&
           set_frame_max(socket, frame_bytes_max[kind].down);
}

/*
 * The monitor's messages pile up here without bound rather than block libzmq's
 * I/O thread; every call on the socket drains them.
 */
int link_open_monitor(struct link_socket *s, void *zmq_context, unsigned number)
{
    char endpoint[64];

    (void)snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%u", number);
    if (zmq_socket_monitor(s->zmq, endpoint, s->is_server ? SERVER_EVENTS : CLIENT_EVENTS) != 0) {
        return -zmq_errno();
    }
    s->monitor = zmq_socket(zmq_context, ZMQ_PAIR);
    if (s->monitor == NULL || !link_set_option(s->monitor, ZMQ_RCVHWM, 0) ||
        !link_set_option(s->monitor, ZMQ_LINGER, 0) || zmq_connect(s->monitor, endpoint) != 0) {
        return -zmq_errno();
    }
    return 0;
}

/* Event number and value of the next monitor message; false when there is none. */
static bool next_event(void *monitor, uint16_t *event, uint32_t *value)
{
    uint8_t facts[6];
    char address[256];

    if (zmq_recv(monitor, facts, sizeof(facts), ZMQ_DONTWAIT) != (int)sizeof(facts)) {
        return false;
    }
    memcpy(event, facts, sizeof(*event));
    memcpy(value, facts + sizeof(*event), sizeof(*value));
    (void)zmq_recv(monitor, address, sizeof(address), ZMQ_DONTWAIT); /* second frame, always */
    return true;
}

static unsigned trouble_of_auth(uint32_t status)
{
    return status == 400 ? LINK_KEY_REFUSED : LINK_TRY_LATER;
}

/*
 * What libzmq 4.3.4 tells a client of each failure, measured: a wrong server key
 * makes the server hang up (EPIPE, or ECONNRESET), silence ends at HANDSHAKE_IVL with
 * another errno, and a connect that fails is retried without having been connected.
 */
static unsigned trouble_of_client(struct link_socket *s, uint16_t event, uint32_t value)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        s->was_connected = true;
        return LINK_CONNECTED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return trouble_of_auth(value);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ? LINK_WRONG_SERVER_KEY
                                                              : LINK_NOT_CURVE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return value == EPIPE || value == ECONNRESET ? LINK_WRONG_SERVER_KEY : LINK_NO_LISTENER;
    case ZMQ_EVENT_CONNECT_RETRIED: {
        unsigned trouble = s->is_disconnected ? 0 : LINK_NO_LISTENER;
        s->is_disconnected = false;
        return trouble;
    }
    case ZMQ_EVENT_DISCONNECTED: {
        unsigned trouble = s->was_connected ? LINK_DISCONNECTED : 0;
        s->was_connected = false;
        s->is_disconnected = true;
        return trouble;
    }
    default:
        return 0;
    }
}

void link_drain_monitor(struct link_socket *s)
{
    uint16_t event = 0;
    uint32_t value = 0;

    while (next_event(s->monitor, &event, &value)) {
        s->trouble |= s->is_server ? LINK_PEER_REFUSED : trouble_of_client(s, event, value);
    }
}
