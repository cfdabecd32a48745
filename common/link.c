/* SPDX-License-Identifier: MIT */
#include "common/link.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/link_socket.h"

enum {
    AUTO_ROUTE_BYTES = 5, /* a zero and a 32 bit counter */
    DROPS_PER_CALL_MAX = 256
};

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
    if (context->admits != ZAP_ADMITS_LISTED) {
        return -EINVAL;
    }
    return context->zap == NULL ? zap_start(context->zmq, ZAP_ADMITS_LISTED, list, &context->zap)
                                : zap_replace(context->zap, list);
}

int link_allow_anybody(struct link_context *context)
{
    const struct key_list nobody = {0};

    if (context->zap != NULL) {
        return -EINVAL;
    }
    context->admits = ZAP_ADMITS_ANY_KEY;
    return zap_start(context->zmq, ZAP_ADMITS_ANY_KEY, &nobody, &context->zap);
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

unsigned link_trouble(struct link_socket *socket)
{
    link_drain_monitor(socket);
    unsigned trouble = socket->trouble;

    socket->trouble = 0;
    return trouble;
}

int link_client_open(struct link_context *context, enum link_kind kind, const char *host,
                     uint16_t port, const uint8_t server_key[KEY_BYTES], const struct key_pair *own,
                     struct link_socket **out, char why[LINK_WHY_BYTES])
{
    struct link_socket *s = NULL;
    char endpoint[LINK_ENDPOINT_BYTES];
    char port_text[8];
    int rc = link_new_socket(context, false, &s);

    if (rc != 0) {
        return link_refuse(why, rc, "no socket: %s; check the limit of open files", strerror(-rc));
    }
    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    rc = link_put_endpoint(s, host, port_text, endpoint, why);
    if (rc == 0) {
        rc = link_connect(s, kind, server_key, own, endpoint);
        if (rc != 0) {
            rc = link_refuse(why, rc, "cannot connect to %s: %s; check host, port and key",
                             endpoint, zmq_strerror(-rc));
        }
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
 * Ends the connection a message came over: libzmq has no call for it. The file
 * descriptor may be another connection's by now, so the address must be the same; at
 * worst another connection from that host is cut, and comes back by itself.
 */
static void cut_connection(zmq_msg_t *body)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    char host[NI_MAXHOST];
    int fd = zmq_msg_get(body, ZMQ_SRCFD);
    const char *address = zmq_msg_gets(body, "Peer-Address");

    if (fd < 0 || address == NULL || getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
        getnameinfo((const struct sockaddr *)&peer, size, host, sizeof(host), NULL, 0,
                    NI_NUMERICHOST) != 0 ||
        strcmp(host, address) != 0) {
        return;
    }
    (void)shutdown(fd, SHUT_RDWR); /* libzmq closes it and tells */
}

/*
 * Who sent it, from a body frame (an identity frame may have lost its
 * properties), and whether the key is still on the list.
 */
static bool take_identity(struct link_socket *s, zmq_msg_t *body, struct link_peer *from)
{
    struct key_entry entry;
    const char *name = zmq_msg_gets(body, "User-Id");
    const char *key_text = zmq_msg_gets(body, ZAP_KEY_PROPERTY);

    if (name == NULL || key_text == NULL || !key_from_z85(key_text, from->key)) {
        return false;
    }
    if (s->context->admits == ZAP_ADMITS_ANY_KEY) {
        from->name[0] = '\0';
        return true;
    }
    if (!zap_find(s->context->zap, from->key, &entry) || strcmp(entry.name, name) != 0) {
        cut_connection(body); /* it was listed when it connected */
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
