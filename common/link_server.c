/* SPDX-License-Identifier: MIT */
/* A server socket from its self-test to its port. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link_socket.h"

enum { SELF_TEST_MS = 2000 };

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
    int rc = link_new_socket(server->context, false, &probe);

    if (rc != 0) {
        return link_refuse(why, rc, "no socket for the self-test: %s", strerror(-rc));
    }
    key_pair_make(&stranger);
    rc = link_connect(probe, LINK_CTRL, server_key, &stranger, endpoint);
    unsigned verdict = rc == 0 ? await_verdict(probe) : 0;
    link_close(probe);
    key_pair_wipe(&stranger);
    if (verdict == LINK_KEY_REFUSED) {
        return 0;
    }
    if ((verdict & LINK_CONNECTED) != 0) {
        return link_refuse(
            why, -EPERM,
            "self-test: a key that is not on the allow-list was let in; nothing is served");
    }
    return link_refuse(
        why, rc != 0 ? rc : -EPROTO,
        "self-test: a key that is not on the allow-list was not refused as it should be "
        "(verdict 0x%x); nothing is served",
        verdict);
}

/* Whether the server reads the key of a message where it must: from ZAP. */
static bool knows_sender(struct link_socket *server, struct link_socket *probe,
                         const uint8_t key[KEY_BYTES])
{
    uint64_t end_ns = clock_monotonic_ns() + SELF_TEST_MS * NS_PER_MS;
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t size = 0;

    if (link_send(probe, NULL, "", 0) != 0) {
        return false;
    }
    while (clock_monotonic_ns() < end_ns) {
        if (link_receive(server, &from, &bytes, &size) == 1) {
            return memcmp(from.key, key, KEY_BYTES) == 0;
        }
        int rc = link_poll(&probe, 1, NULL, 0, 10);
        (void)rc; /* the deadline ends it */
    }
    return false;
}

/* Where every key may connect: that it is known by the key it proved. */
static int probe_identity(struct link_socket *server, const uint8_t server_key[KEY_BYTES],
                          const char *endpoint, char *why)
{
    struct key_pair stranger;
    struct link_socket *probe = NULL;
    int rc = link_new_socket(server->context, false, &probe);

    if (rc != 0) {
        return link_refuse(why, rc, "no socket for the self-test: %s", strerror(-rc));
    }
    key_pair_make(&stranger);
    rc = link_connect(probe, LINK_ENROL, server_key, &stranger, endpoint);
    bool is_known = rc == 0 && await_verdict(probe) == LINK_CONNECTED &&
                    knows_sender(server, probe, stranger.public_key);
    link_close(probe);
    key_pair_wipe(&stranger);
    return is_known ? 0
                    : link_refuse(why, rc != 0 ? rc : -EPROTO,
                                  "self-test: the key of a peer is not known; nothing is served");
}

/*
 * Proves on the socket that will serve, before anybody can reach it, that a stranger is
 * refused: on a Unix socket without a name in the file system.
 */
static int self_test(struct link_socket *s, const struct key_pair *own, char *why)
{
    char endpoint[LINK_ENDPOINT_BYTES];
    uint64_t nonce[2];

    randombytes_buf(nonce, sizeof(nonce));
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://@leaseherd-%d-%016" PRIx64 "%016" PRIx64,
                   (int)getpid(), nonce[0], nonce[1]);
    if (zmq_bind(s->zmq, endpoint) != 0) {
        int error = zmq_errno();
        return link_refuse(why, -error, "self-test: cannot bind a Unix socket: %s",
                           zmq_strerror(error));
    }
    int rc = s->context->admits == ZAP_ADMITS_LISTED
                 ? probe_with_strange_key(s, own->public_key, endpoint, why)
                 : probe_identity(s, own->public_key, endpoint, why);
    if (zmq_unbind(s->zmq, endpoint) != 0 && rc == 0) {
        rc = link_refuse(why, -zmq_errno(), "self-test: cannot take its Unix socket down");
    }
    if (rc == 0 && s->context->admits == ZAP_ADMITS_LISTED) {
        zap_forget_refusal(s->context->zap);
    }
    return rc;
}

static int bind_server(struct link_socket *s, const char *host, uint16_t port, uint16_t *out_port,
                       char *why)
{
    char endpoint[LINK_ENDPOINT_BYTES];
    char port_text[8];
    size_t size = sizeof(endpoint);

    (void)snprintf(port_text, sizeof(port_text), port == 0 ? "*" : "%u", (unsigned)port);
    int rc = link_put_endpoint(s, host, port_text, endpoint, why);
    if (rc != 0) {
        return rc;
    }
    if (zmq_bind(s->zmq, endpoint) != 0) {
        int error = zmq_errno();
        return link_refuse(
            why, -error, "cannot listen on %s: %s; is the address of this host and the port free?",
            endpoint, zmq_strerror(error));
    }
    if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        return link_refuse(why, -zmq_errno(), "cannot learn the port bound");
    }
    const char *colon = strrchr(endpoint, ':');
    *out_port = (uint16_t)strtoul(colon != NULL ? colon + 1 : "0", NULL, 10);
    return 0;
}

static int start_server(struct link_socket *s, enum link_kind kind, const struct key_pair *own,
                        char *why)
{
    if (!link_configure_server(s->zmq, kind, s->context->admits, own)) {
        return link_refuse(
            why, -zmq_errno(),
            "this libzmq lacks an option that keeps strangers out (%s); use 4.3.4 or "
            "later as Debian builds it",
            zmq_strerror(zmq_errno()));
    }
    int rc = self_test(s, own, why);
    if (rc == 0) {
        rc = link_open_monitor(s);
        if (rc != 0) {
            rc = link_refuse(why, rc, "cannot monitor the socket: %s", zmq_strerror(-rc));
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
        return link_refuse(why, -EINVAL, "there is no allow-list yet; nobody could be let in");
    }
    int rc = link_new_socket(context, true, &s);
    if (rc != 0) {
        return link_refuse(why, rc, "no socket: %s; check the limit of open files", strerror(-rc));
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
