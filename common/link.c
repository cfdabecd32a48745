/* SPDX-License-Identifier: MIT */
#include "common/link.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/link_socket.h"
#include "common/zap.h"

enum {
    AUTO_ROUTE_BYTES = 5, /* a zero and a 32 bit counter */
    ENDPOINT_BYTES = 320,
    HOST_BYTES_MAX = 255,
    DROPS_PER_CALL_MAX = 256,
    SELF_TEST_MS = 2000
};

struct link_context {
    void *zmq;
    struct zap *zap;                /* NULL before link_allow */
    _Atomic unsigned monitor_count; /* names monitors apart */
};

static int refuse(char why[LINK_WHY_BYTES], int error, const char *format, ...) PRINTF_LIKE(3, 4);

static int refuse(char why[LINK_WHY_BYTES], int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, LINK_WHY_BYTES, format, arguments); /* a cut sentence still says what */
    va_end(arguments);
    return error;
}

int link_context_new(struct link_context **out)
{
    struct link_context *context = calloc(1, sizeof(*context));

    if (context == NULL || sodium_init() < 0) {
        free(context);
        return -ENOMEM;
    }
    context->zmq = zmq_ctx_new();
    if (context->zmq == NULL || zmq_has("curve") == 0) {
        int error = context->zmq == NULL ? zmq_errno() : EPROTONOSUPPORT;
        link_context_free(context);
        return -error;
    }
    *out = context;
    return 0;
}

void link_context_free(struct link_context *context)
{
    if (context == NULL) {
        return;
    }
    if (context->zmq != NULL) {
        (void)zmq_ctx_shutdown(context->zmq); /* ends the ZAP thread */
        zap_join(context->zap);
        while (zmq_ctx_term(context->zmq) != 0 && zmq_errno() == EINTR) {
        }
    }
    free(context);
}

int link_allow(struct link_context *context, const struct key_list *list)
{
    return context->zap == NULL ? zap_start(context->zmq, list, &context->zap)
                                : zap_replace(context->zap, list);
}

bool link_last_refusal(struct link_context *context, struct link_refusal *out)
{
    struct zap_refusal refusal;

    if (context->zap == NULL || !zap_take_refusal(context->zap, &refusal)) {
        return false;
    }
    out->count = refusal.count;
    memcpy(out->address, refusal.address, sizeof(out->address));
    memcpy(out->key_z85, refusal.key_z85, sizeof(out->key_z85));
    memcpy(out->expired_name, refusal.expired_name, sizeof(out->expired_name));
    return true;
}

static int new_socket(struct link_context *context, bool is_server, struct link_socket **out)
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

void link_close(struct link_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    if (socket->has_message) {
        (void)zmq_msg_close(&socket->message);
    }
    if (socket->monitor != NULL) {
        (void)zmq_socket_monitor(socket->zmq, NULL, 0);
        (void)zmq_close(socket->monitor);
    }
    (void)zmq_close(socket->zmq);
    free(socket);
}

/* tcp://host:port; an IPv6 address gets its brackets and switches IPv6 on. */
static int put_endpoint(struct link_socket *s, const char *host, const char *port,
                        char out[ENDPOINT_BYTES], char *why)
{
    size_t length = strlen(host);

    if (length == 0 || length > HOST_BYTES_MAX || strpbrk(host, " /;*@[]\t\n") != NULL) {
        return refuse(why, -EINVAL, "'%.64s' is not a host name or address", host);
    }
    bool is_ipv6 = strchr(host, ':') != NULL;
    if (is_ipv6 && !link_set_option(s->zmq, ZMQ_IPV6, 1)) {
        return refuse(why, -zmq_errno(), "this libzmq cannot do IPv6");
    }
    (void)snprintf(out, ENDPOINT_BYTES, is_ipv6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
    return 0;
}

unsigned link_trouble(struct link_socket *socket)
{
    link_drain_monitor(socket);
    unsigned trouble = socket->trouble;

    socket->trouble = 0;
    return trouble;
}

static int open_monitor(struct link_socket *s)
{
    return link_open_monitor(s, s->context->zmq, atomic_fetch_add(&s->context->monitor_count, 1));
}

static int connect_client(struct link_socket *s, enum link_kind kind,
                          const uint8_t server_key[KEY_BYTES], const struct key_pair *own,
                          const char *endpoint)
{
    if (!link_configure_client(s->zmq, kind, server_key, own)) {
        return -zmq_errno();
    }
    int rc = open_monitor(s);
    if (rc == 0 && zmq_connect(s->zmq, endpoint) != 0) {
        rc = -zmq_errno();
    }
    return rc;
}

int link_client_open(struct link_context *context, enum link_kind kind, const char *host,
                     uint16_t port, const uint8_t server_key[KEY_BYTES], const struct key_pair *own,
                     struct link_socket **out, char why[LINK_WHY_BYTES])
{
    struct link_socket *s = NULL;
    char endpoint[ENDPOINT_BYTES];
    char port_text[8];
    int rc = new_socket(context, false, &s);

    if (rc != 0) {
        return refuse(why, rc, "no socket: %s; check the limit of open files", strerror(-rc));
    }
    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    rc = put_endpoint(s, host, port_text, endpoint, why);
    if (rc == 0) {
        rc = connect_client(s, kind, server_key, own, endpoint);
        if (rc != 0) {
            rc = refuse(why, rc, "cannot connect to %s: %s; check host, port and key", endpoint,
                        zmq_strerror(-rc));
        }
    }
    if (rc != 0) {
        link_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* Waits until the probe's handshake has ended one way or the other. */
static unsigned await_verdict(struct link_socket *probe)
{
    uint64_t end_ns = clock_monotonic_ns() + SELF_TEST_MS * NS_PER_MS;
    unsigned verdict = 0;

    while (verdict == 0 && clock_monotonic_ns() < end_ns) {
        int rc = link_poll(&probe, 1, NULL, 0, 50);
        (void)rc; /* the deadline ends it */
        verdict = link_trouble(probe) & (LINK_CONNECTED | LINK_KEY_REFUSED | LINK_TRY_LATER |
                                         LINK_WRONG_SERVER_KEY | LINK_NOT_CURVE);
    }
    return verdict;
}

static int probe_with_strange_key(struct link_socket *server, const uint8_t server_key[KEY_BYTES],
                                  const char *endpoint, char *why)
{
    struct key_pair stranger;
    struct link_socket *probe = NULL;
    int rc = new_socket(server->context, false, &probe);

    if (rc != 0) {
        return refuse(why, rc, "no socket for the self-test: %s", strerror(-rc));
    }
    key_pair_make(&stranger);
    rc = connect_client(probe, LINK_CTRL, server_key, &stranger, endpoint);
    unsigned verdict = rc == 0 ? await_verdict(probe) : 0;
    link_close(probe);
    key_pair_wipe(&stranger);
    if (verdict == LINK_KEY_REFUSED) {
        return 0;
    }
    if ((verdict & LINK_CONNECTED) != 0) {
        return refuse(
            why, -EPERM,
            "self-test: a key that is not on the allow-list was let in; nothing is served");
    }
    return refuse(why, rc != 0 ? rc : -EPROTO,
                  "self-test: a key that is not on the allow-list was not refused as it should be "
                  "(verdict 0x%x); nothing is served",
                  verdict);
}

/*
 * Proves on the socket that will serve, before anybody can reach it, that a stranger is
 * refused: on a Unix socket without a name in the file system.
 */
static int self_test(struct link_socket *s, const struct key_pair *own, char *why)
{
    char endpoint[ENDPOINT_BYTES];
    uint64_t nonce[2];

    randombytes_buf(nonce, sizeof(nonce));
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://@leaseherd-%d-%016" PRIx64 "%016" PRIx64,
                   (int)getpid(), nonce[0], nonce[1]);
    if (zmq_bind(s->zmq, endpoint) != 0) {
        int error = zmq_errno();
        return refuse(why, -error, "self-test: cannot bind a Unix socket: %s", zmq_strerror(error));
    }
    int rc = probe_with_strange_key(s, own->public_key, endpoint, why);
    if (zmq_unbind(s->zmq, endpoint) != 0 && rc == 0) {
        rc = refuse(why, -zmq_errno(), "self-test: cannot take its Unix socket down");
    }
    if (rc == 0) {
        zap_forget_refusal(s->context->zap);
    }
    return rc;
}

static int bind_server(struct link_socket *s, const char *host, uint16_t port, uint16_t *out_port,
                       char *why)
{
    char endpoint[ENDPOINT_BYTES];
    char port_text[8];
    size_t size = sizeof(endpoint);

    (void)snprintf(port_text, sizeof(port_text), port == 0 ? "*" : "%u", (unsigned)port);
    int rc = put_endpoint(s, host, port_text, endpoint, why);
    if (rc != 0) {
        return rc;
    }
    if (zmq_bind(s->zmq, endpoint) != 0) {
        int error = zmq_errno();
        return refuse(why, -error,
                      "cannot listen on %s: %s; is the address of this host and the port free?",
                      endpoint, zmq_strerror(error));
    }
    if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        return refuse(why, -zmq_errno(), "cannot learn the port bound");
    }
    const char *colon = strrchr(endpoint, ':');
    *out_port = (uint16_t)strtoul(colon != NULL ? colon + 1 : "0", NULL, 10);
    return 0;
}

static int start_server(struct link_socket *s, enum link_kind kind, const struct key_pair *own,
                        char *why)
{
    if (!link_configure_server(s->zmq, kind, own)) {
        return refuse(why, -zmq_errno(),
                      "this libzmq lacks an option that keeps strangers out (%s); use 4.3.4 or "
                      "later as Debian builds it",
                      zmq_strerror(zmq_errno()));
    }
    int rc = self_test(s, own, why);
    if (rc == 0) {
        rc = open_monitor(s);
        if (rc != 0) {
            rc = refuse(why, rc, "cannot monitor the socket: %s", zmq_strerror(-rc));
        }
    }
    return rc;
}

int link_server_open(struct link_context *context, enum link_kind kind, const char *host,
                     uint16_t port, const struct key_pair *own, struct link_socket **out,
                     uint16_t *out_port, char why[LINK_WHY_BYTES])
{
    struct link_socket *s = NULL;

    if (context->zap == NULL) {
        return refuse(why, -EINVAL, "there is no allow-list yet; nobody could be let in");
    }
    int rc = new_socket(context, true, &s);
    if (rc != 0) {
        return refuse(why, rc, "no socket: %s; check the limit of open files", strerror(-rc));
    }
    rc = start_server(s, kind, own, why);
    if (rc == 0) {
        rc = bind_server(s, host, port, out_port, why);
    }
    if (rc != 0) {
        link_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int link_send(struct link_socket *socket, const struct link_peer *to, const void *bytes,
              size_t size)
{
    assert(socket->is_server == (to != NULL));
    if (to != NULL &&
        zmq_send(socket->zmq, to->route, to->route_bytes, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return -zmq_errno();
    }
    return zmq_send(socket->zmq, bytes, size, ZMQ_DONTWAIT) < 0 ? -zmq_errno() : 0;
}

/* Receives and forgets what is left of a message. */
static void skip_rest(void *socket, zmq_msg_t *frame)
{
    while (zmq_msg_more(frame) && zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0) {
    }
}

/* The route of the next message; false when it is one we did not give. */
static bool take_route(zmq_msg_t *frame, struct link_peer *from)
{
    const uint8_t *route = zmq_msg_data(frame);

    if (zmq_msg_size(frame) != AUTO_ROUTE_BYTES || route[0] != 0) {
        return false;
    }
    memcpy(from->route, route, AUTO_ROUTE_BYTES);
    from->route_bytes = AUTO_ROUTE_BYTES;
    return true;
}

/*
 * Who sent it, from a body frame (an identity frame may have lost its
 * properties), and whether the key is still on the list.
 */
static bool take_identity(struct link_socket *s, zmq_msg_t *body, struct link_peer *from)
{
    struct key_entry entry;
    uint8_t key[KEY_BYTES];
    const char *name = zmq_msg_gets(body, "User-Id");
    const char *key_text = zmq_msg_gets(body, ZAP_KEY_PROPERTY);

    if (name == NULL || key_text == NULL || !key_from_z85(key_text, key) ||
        !zap_find(s->context->zap, key, &entry) || strcmp(entry.name, name) != 0) {
        return false;
    }
    strcpy(from->name, entry.name);
    from->role = entry.role;
    return true;
}

/* 1 for a good message in s->message, 0 for one that is to be dropped, -errno. */
static int receive_one(struct link_socket *s, struct link_peer *from)
{
    bool has_route = !s->is_server;

    if (zmq_msg_recv(&s->message, s->zmq, ZMQ_DONTWAIT) < 0) {
        return -zmq_errno();
    }
    if (s->is_server) {
        has_route = take_route(&s->message, from);
        if (!zmq_msg_more(&s->message) || zmq_msg_recv(&s->message, s->zmq, ZMQ_DONTWAIT) < 0) {
            return 0;
        }
    }
    if (zmq_msg_more(&s->message)) {
        skip_rest(s->zmq, &s->message);
        return 0;
    }
    return has_route && (!s->is_server || take_identity(s, &s->message, from)) ? 1 : 0;
}

int link_receive(struct link_socket *socket, struct link_peer *from, const uint8_t **bytes,
                 size_t *size)
{
    struct link_peer peer;

    if (socket->has_message) {
        (void)zmq_msg_close(&socket->message);
    }
    (void)zmq_msg_init(&socket->message); /* always 0 */
    socket->has_message = true;
    link_drain_monitor(socket);
    memset(&peer, 0, sizeof(peer));
    for (int i = 0; i < DROPS_PER_CALL_MAX; i++) {
        int rc = receive_one(socket, &peer);
        if (rc < 0) {
            return rc == -EAGAIN ? 0 : rc;
        }
        if (rc > 0) {
            if (from != NULL) {
                *from = peer;
            }
            *bytes = zmq_msg_data(&socket->message);
            *size = zmq_msg_size(&socket->message);
            return 1;
        }
        socket->dropped++;
    }
    return 0; /* more may wait; link_poll() says so */
}

uint64_t link_dropped_count(const struct link_socket *socket)
{
    return socket->dropped;
}

static short to_zmq_events(short events)
{
    return (short)((events & POLLIN ? ZMQ_POLLIN : 0) | (events & POLLOUT ? ZMQ_POLLOUT : 0) |
                   (events & POLLPRI ? ZMQ_POLLPRI : 0));
}

static short from_zmq_events(short events)
{
    return (short)((events & ZMQ_POLLIN ? POLLIN : 0) | (events & ZMQ_POLLOUT ? POLLOUT : 0) |
                   (events & ZMQ_POLLPRI ? POLLPRI : 0) | (events & ZMQ_POLLERR ? POLLERR : 0));
}

int link_poll(struct link_socket *const *sockets, size_t socket_count, struct pollfd *fds,
              size_t fd_count, int timeout_ms)
{
    zmq_pollitem_t items[2 * LINK_POLL_SOCKETS_MAX + LINK_POLL_FDS_MAX];
    size_t count = 0;
    int readable = 0;

    if (socket_count > LINK_POLL_SOCKETS_MAX || fd_count > LINK_POLL_FDS_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < socket_count; i++) {
        items[count++] = (zmq_pollitem_t){.socket = sockets[i]->zmq, .events = ZMQ_POLLIN};
        items[count++] = (zmq_pollitem_t){.socket = sockets[i]->monitor, .events = ZMQ_POLLIN};
    }
    for (size_t i = 0; i < fd_count; i++) {
        items[count++] = (zmq_pollitem_t){.fd = fds[i].fd, .events = to_zmq_events(fds[i].events)};
    }
    if (zmq_poll(items, (int)count, timeout_ms) < 0) {
        return -zmq_errno();
    }
    for (size_t i = 0; i < socket_count; i++) {
        readable |= items[2 * i].revents & ZMQ_POLLIN ? 1 << i : 0;
        if (items[2 * i + 1].revents != 0) {
            link_drain_monitor(sockets[i]); /* also where the caller forgets link_trouble() */
        }
    }
    for (size_t i = 0; i < fd_count; i++) {
        fds[i].revents = from_zmq_events(items[2 * socket_count + i].revents);
    }
    return readable;
}
