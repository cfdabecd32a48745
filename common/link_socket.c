/* SPDX-License-Identifier: MIT */
#include "common/link_socket.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A draft option of the header, but not of the library: 4.3.4 as Debian builds it obeys it. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

enum {
    CURVE_OVERHEAD_BYTES = 33, /* MAXMSGSIZE counts ciphertext */
    RECONNECT_MS = 200, /* plus up to as much again, so that agents do not come back in step */
    RECONNECT_MAX_MS = 5000,
    SERVER_LINGER_MS = 1000,
    ENROL_HIGH_WATER_MESSAGES = 16,
    HOST_BYTES_MAX = 255
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
    /*
     * Detects a dead peer in 6 s; by the TTL the server hears of it, too. Only one side sends them:
     * a server of a thousand peers that did would spend its time in libzmq's list of timers, which
     * is walked to cancel one. Safe only while unread messages stay below the high water.
     */
    {ZMQ_HEARTBEAT_IVL, 2000},
    {ZMQ_HEARTBEAT_TIMEOUT, 6000},
    {ZMQ_HEARTBEAT_TTL, 8000},
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
    [LINK_ENROL] = {LINK_ENROL_BYTES, LINK_ENROL_BYTES},
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
bool link_configure_server(void *socket, enum link_kind kind, enum zap_admits admits,
                           const struct key_pair *own)
{
    const char *domain = zap_domain(admits);

    return set_options(socket, common_options, ARRAY_LEN(common_options)) &&
           set_bytes(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) &&
           set_options(socket, server_options, ARRAY_LEN(server_options)) &&
           (kind != LINK_ENROL || link_set_option(socket, ZMQ_RCVHWM, ENROL_HIGH_WATER_MESSAGES)) &&
           set_bytes(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_BYTES) &&
           set_frame_max(socket, frame_bytes_max[kind].up);
}

static bool configure_client(void *socket, enum link_kind kind, const uint8_t server_key[KEY_BYTES],
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
int link_open_monitor(struct link_socket *s)
{
    char endpoint[64];
    void *zmq_context = s->context->zmq;

    (void)snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%u",
                   atomic_fetch_add(&s->context->monitor_count, 1));
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

int link_refuse(char why[LINK_WHY_BYTES], int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, LINK_WHY_BYTES, format, arguments); /* a cut sentence still says what */
    va_end(arguments);
    return error;
}

int link_new_socket(struct link_context *context, bool is_server, struct link_socket **out)
{
    struct link_socket *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    s->context = context;
    s->is_server = is_server;
    s->zmq = zmq_socket(context->zmq, is_server ? ZMQ_ROUTER : ZMQ_DEALER);
    if (s->zmq == NULL) {
        int error = zmq_errno();
        free(s);
        return error > 0 ? -error : -ENOMEM;
    }
    *out = s;
    return 0;
}

int link_put_endpoint(struct link_socket *s, const char *host, const char *port,
                      char out[LINK_ENDPOINT_BYTES], char why[LINK_WHY_BYTES])
{
    size_t length = strlen(host);

    if (length == 0 || length > HOST_BYTES_MAX || strpbrk(host, " /;*@[]\t\n") != NULL) {
        return link_refuse(why, -EINVAL, "'%.64s' is not a host name or address", host);
    }
    bool is_ipv6 = strchr(host, ':') != NULL;
    if (is_ipv6 && !link_set_option(s->zmq, ZMQ_IPV6, 1)) {
        return link_refuse(why, -zmq_errno(), "this libzmq cannot do IPv6");
    }
    (void)snprintf(out, LINK_ENDPOINT_BYTES, is_ipv6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
    return 0;
}

int link_connect(struct link_socket *s, enum link_kind kind, const uint8_t server_key[KEY_BYTES],
                 const struct key_pair *own, const char *endpoint)
{
    if (!configure_client(s->zmq, kind, server_key, own)) {
        return -zmq_errno();
    }
    int rc = link_open_monitor(s);
    if (rc == 0 && zmq_connect(s->zmq, endpoint) != 0) {
        rc = -zmq_errno();
    }
    return rc;
}
