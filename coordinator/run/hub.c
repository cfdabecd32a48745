/* SPDX-License-Identifier: MIT */
#include "coordinator/run/hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    HUB_ARENA_BYTES = 1024 * 1024,
    REJECTS_PER_CALL_MAX = 256 /* then whoever sends such things waits, not the run */
};

struct hub {
    struct link_context *context;
    struct link_socket *socket[2];
    uint16_t port[2];
    struct control_arena *arena;
    uint8_t *out; /* encode buffer, grown to the largest message sent */
    size_t out_size;
    uint64_t rejected;
    struct {
        uint64_t said_ns, unsaid;
    } topic[HUB_TOPIC_COUNT];
};

static int open_sockets(struct hub *hub, const char *host, uint16_t port,
                        const struct key_pair *own, char why[LINK_WHY_BYTES])
{
    int rc = link_server_open(hub->context, LINK_CTRL, host, port, own, &hub->socket[HUB_CTRL],
                              &hub->port[HUB_CTRL], why);
    if (rc < 0) {
        return rc;
    }
    uint16_t next = port == 0 || port == UINT16_MAX ? 0 : (uint16_t)(port + 1);
    rc = link_server_open(hub->context, LINK_DATA, host, next, own, &hub->socket[HUB_DATA],
                          &hub->port[HUB_DATA], why);
    if (rc == -EADDRINUSE && next != 0) {
        /* Agents learn the port from WELCOME, so another one will do. */
        rc = link_server_open(hub->context, LINK_DATA, host, 0, own, &hub->socket[HUB_DATA],
                              &hub->port[HUB_DATA], why);
    }
    return rc;
}

/*
 * Two connections per agent, as many for those that come again before the old ones are seen to
 * be dead, and idle strangers.
 */
int hub_lift_file_limit(size_t agents, char why[LINK_WHY_BYTES])
{
    enum { FILES_PER_AGENT = 4, FILES_BESIDE = 256 };
    rlim_t needed = FILES_PER_AGENT * (rlim_t)agents + FILES_BESIDE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 0; /* cannot fail; then accept() will say */
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0) {
            return 0;
        }
    }
    if (limit.rlim_cur < needed) {
        (void)snprintf(why, LINK_WHY_BYTES,
                       "%zu agents need %llu open files and only %llu are allowed; raise the limit "
                       "(ulimit -Hn %llu as root, or LimitNOFILE= of the service)",
                       agents, (unsigned long long)needed, (unsigned long long)limit.rlim_cur,
                       (unsigned long long)needed);
        return -EMFILE;
    }
    return 0;
}

int hub_open(const char *host, uint16_t port, const struct key_pair *own,
             const struct key_list *allowed, struct hub **out, char why[LINK_WHY_BYTES])
{
    struct hub *hub = calloc(1, sizeof(*hub));
    snprintf(why, LINK_WHY_BYTES, "out of memory");
    if (hub == NULL) {
        return -ENOMEM;
    }
    int rc = -ENOMEM;
    hub->arena = control_arena_new(HUB_ARENA_BYTES);
    if (hub->arena != NULL) {
        rc = link_context_new(&hub->context);
    }
    if (rc == 0) {
        rc = link_allow(hub->context, allowed);
        snprintf(why, LINK_WHY_BYTES, "cannot start the authentication handler: %s", strerror(-rc));
    }
    if (rc == 0) {
        rc = open_sockets(hub, host, port, own, why);
    }
    if (rc < 0) {
        hub_close(hub);
        return rc;
    }
    *out = hub;
    return 0;
}

void hub_close(struct hub *hub)
{
    if (hub == NULL) {
        return;
    }
    link_close(hub->socket[HUB_CTRL]);
    link_close(hub->socket[HUB_DATA]);
    link_context_free(hub->context);
    control_arena_free(hub->arena);
    free(hub->out);
    free(hub);
}

int hub_allow(struct hub *hub, const struct key_list *allowed)
{
    return link_allow(hub->context, allowed);
}

uint16_t hub_ctrl_port(const struct hub *hub)
{
    return hub->port[HUB_CTRL];
}

uint16_t hub_data_port(const struct hub *hub)
{
    return hub->port[HUB_DATA];
}

bool hub_may_say(struct hub *hub, enum hub_topic topic, uint64_t *out_unsaid)
{
    uint64_t now_ns = clock_monotonic_ns();
    *out_unsaid = hub->topic[topic].unsaid;
    if (hub->topic[topic].said_ns != 0 && now_ns - hub->topic[topic].said_ns < NS_PER_S) {
        hub->topic[topic].unsaid++;
        return false;
    }
    hub->topic[topic].said_ns = now_ns;
    hub->topic[topic].unsaid = 0;
    return true;
}

/* The operator's other half of "the coordinator does not list this agent's key". */
static void tell_stranger(struct hub *hub)
{
    struct link_refusal refusal;
    uint64_t unsaid;
    if (!link_last_refusal(hub->context, &refusal) || !hub_may_say(hub, HUB_STRANGER, &unsaid)) {
        return;
    }
    log_warn("what=key_refused address=%s key='%s' why=\"%s%s\" total=%llu", refusal.address,
             refusal.key_z85, refusal.expired_name[0] != '\0' ? "expired: " : "not on agents.allow",
             refusal.expired_name, (unsigned long long)refusal.count);
}

int hub_wait(struct hub *hub, struct pollfd *fds, size_t fd_count, int timeout_ms)
{
    int rc = link_poll(hub->socket, 2, fds, fd_count, timeout_ms);
    tell_stranger(hub);
    return rc < 0 ? rc : 0;
}

static void reject(struct hub *hub, const struct link_peer *from, const char *why)
{
    uint64_t unsaid;
    hub->rejected++;
    if (hub_may_say(hub, HUB_REJECTED, &unsaid)) {
        log_warn("what=message_rejected agent=%s why=\"%s\" total=%llu", from->name, why,
                 (unsigned long long)hub->rejected);
    }
}

int hub_receive(struct hub *hub, enum hub_socket socket, struct link_peer *from,
                struct control_message *out)
{
    for (unsigned rejects = 0; rejects < REJECTS_PER_CALL_MAX; rejects++) {
        const uint8_t *bytes;
        size_t size;
        int rc = link_receive(hub->socket[socket], from, &bytes, &size);
        if (rc <= 0) {
            return 0;
        }
        char why[CONTROL_WHY_BYTES];
        if (!control_decode(hub->arena, bytes, size, out, why)) {
            reject(hub, from, why);
        } else if (!(control_kind_is_from_agent(out->kind) || out->kind == CONTROL_REFUSE) ||
                   control_kind_is_data(out->kind) != (socket == HUB_DATA)) {
            reject(hub, from, "this kind of message does not belong on this socket");
        } else {
            return 1;
        }
    }
    return 0;
}

uint64_t hub_rejected_count(const struct hub *hub)
{
    return hub->rejected;
}

int hub_send(struct hub *hub, const struct link_peer *to, const struct control_message *m)
{
    size_t size = control_encode(m, hub->out, hub->out_size);
    if (size > hub->out_size) {
        uint8_t *grown = realloc(hub->out, size);
        if (grown == NULL) {
            return -ENOMEM;
        }
        hub->out = grown;
        hub->out_size = size;
        size = control_encode(m, hub->out, hub->out_size);
    }
    if (size == 0) {
        return -EMSGSIZE;
    }
    enum hub_socket socket = control_kind_is_data(m->kind) ? HUB_DATA : HUB_CTRL;
    return link_send(hub->socket[socket], to, hub->out, size);
}
