/* SPDX-License-Identifier: MIT */
#include "agent/observer/kea.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/observer/remark.h"
#include "common/attrs.h"

enum { ROOM_FIRST = 64 * 1024 };

#define PATIENCE_NS UINT64_C(900000000)  /* for one answer */
#define PAUSE_NS    UINT64_C(800000000)  /* so that answers are fresh when they are told */
#define STALE_NS    UINT64_C(2500000000) /* an answer that is older is none */

void kea_open(struct kea *k, struct failover *failover)
{
    memset(k, 0, sizeof(*k));
    k->fd = -1;
    k->question = KEA_ASKS_NOTHING;
    k->failover = failover;
}

static void hang_up(struct kea *k)
{
    if (k->fd >= 0) {
        close(k->fd);
    }
    free(k->bytes);
    k->fd = -1;
    k->bytes = NULL;
    k->sent = k->got = k->room = 0;
}

void kea_close(struct kea *k)
{
    hang_up(k);
}

/* A full backlog is no event to wait for: -EAGAIN, to be tried at the next
 * look. */
static int dial(struct kea *k, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    k->fd = fd;
    return 0;
}

static int say(struct kea *k)
{
    static const char *const questions[] = {
        [KEA_ASKS_STATISTICS] = "{\"command\": \"statistic-get-all\"}",
        [KEA_ASKS_STATUS] = "{\"command\": \"status-get\"}",
    };
    const char *text = questions[k->question];
    while (text[k->sent] != '\0') {
        ssize_t sent = send(k->fd, text + k->sent, strlen(text + k->sent), MSG_NOSIGNAL);
        if (sent < 0) {
            return -errno;
        }
        k->sent += (size_t)sent;
    }
    return 0;
}

static int make_room(struct kea *k)
{
    if (k->got < k->room) {
        return 0;
    }
    if (k->got > KEA_ANSWER_BYTES_MAX) {
        return -EFBIG;
    }
    size_t room = k->room == 0 ? ROOM_FIRST : 2 * k->room;
    char *grown = realloc(k->bytes, room);
    if (grown == NULL) {
        return -ENOMEM;
    }
    k->bytes = grown;
    k->room = room;
    return 0;
}

/* 0: the whole answer is there, since Kea has closed. */
static int hear(struct kea *k)
{
    for (;;) {
        int rc = make_room(k);
        if (rc < 0) {
            return rc;
        }
        ssize_t got = recv(k->fd, k->bytes + k->got, k->room - k->got, 0);
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            return k->got > 0 ? 0 : -EPIPE;
        }
        k->got += (size_t)got;
    }
}

static int take_answer(struct kea *k, uint64_t now_ns)
{
    if (k->question == KEA_ASKS_STATISTICS) {
        k->has_statistics =
            kea_answer_statistics(k->bytes, k->got, &k->statistics) == KEA_ANSWER_OK;
        k->answered_at_ns = now_ns;
        return k->has_statistics ? 0 : -EPROTO;
    }
    return kea_answer_status(k->bytes, k->got, k->failover) == KEA_ANSWER_MALFORMED ? -EPROTO : 0;
}

/* The next question, or the pause after the last. */
static void move_on(struct kea *k, int error, uint64_t now_ns)
{
    bool is_first = k->question == KEA_ASKS_STATISTICS;
    hang_up(k);
    k->error = error;
    k->question = error == 0 && is_first ? KEA_ASKS_STATUS : KEA_ASKS_NOTHING;
    k->asked_at_ns = now_ns;
}

static int turn(struct kea *k, const char *path, uint64_t now_ns)
{
    int rc = k->fd < 0 ? dial(k, path) : 0;
    rc = rc == 0 ? say(k) : rc;
    rc = rc == 0 ? hear(k) : rc;
    return rc == 0 ? take_answer(k, now_ns) : rc;
}

void kea_look(struct kea *k, const struct observer_target *target, const char *path,
              uint64_t now_ns)
{
    if (target->program != TARGET_KEA || target->pid == 0 || path[0] == '\0') {
        hang_up(k);
        k->question = KEA_ASKS_NOTHING;
        k->has_statistics = false;
        return;
    }
    if (k->question == KEA_ASKS_NOTHING) {
        if (now_ns < k->next_at_ns) {
            return;
        }
        k->question = KEA_ASKS_STATISTICS;
        k->asked_at_ns = now_ns;
        k->next_at_ns = now_ns + PATIENCE_NS; /* unless an observation is made before */
    }
    int rc = turn(k, path, now_ns);
    if (rc == -EAGAIN || rc == -EINTR) {
        if (now_ns - k->asked_at_ns < PATIENCE_NS) {
            return;
        }
        rc = -ETIMEDOUT;
    }
    move_on(k, rc, now_ns);
}

static enum availability availability_of_kea(const struct kea *k,
                                             const struct observer_target *target, uint64_t now_ns)
{
    if (target->program != TARGET_KEA || target->pid == 0) {
        return AVAILABLE_NOT_APPLICABLE;
    }
    if (k->error == -EACCES || k->error == -EPERM) {
        return AVAILABLE_NO_PERMISSION;
    }
    return k->has_statistics && now_ns - k->answered_at_ns < STALE_NS ? AVAILABLE_OK
                                                                      : AVAILABLE_NOT_APPLICABLE;
}

static void tell(const struct kea *k, enum availability available, enum observer_metric metric,
                 struct observation *out)
{
    if (available != AVAILABLE_OK) {
        observation_lacks(out, metric, available);
    } else if (!k->statistics.has[metric]) {
        observation_lacks(out, metric, AVAILABLE_NOT_APPLICABLE);
    } else {
        observation_set(out, metric, k->statistics.value[metric]);
    }
}

/* In load balancing each server gives from pools of its own, of which Kea keeps
 * no account. */
static void tell_pools(const struct kea *k, enum availability available, struct observation *out)
{
    const struct kea_statistics *s = &k->statistics;
    enum failover_state own = FAILOVER_UNKNOWN, partner = FAILOVER_UNKNOWN;
    bool is_shared = failover_tell(k->failover, &own, &partner) && own == FAILOVER_LOAD_BALANCING;
    double left = s->value[OBSERVER_pool_total] - s->value[OBSERVER_kea_assigned];
    bool is_known = s->has[OBSERVER_pool_total] && s->has[OBSERVER_kea_assigned] && left >= 0;
    tell(k, available, OBSERVER_pool_total, out);
    observation_lacks(out, OBSERVER_pool_backup, AVAILABLE_NOT_APPLICABLE);
    if (available == AVAILABLE_OK && is_known && !is_shared) {
        observation_set(out, OBSERVER_pool_free, left);
    } else {
        observation_lacks(out, OBSERVER_pool_free,
                          available == AVAILABLE_OK ? AVAILABLE_NOT_APPLICABLE : available);
    }
}

void kea_observe(struct kea *k, const struct observer_target *target, uint64_t now_ns,
                 struct observation *out)
{
    static const enum observer_metric metrics[] = {
        OBSERVER_kea_received, OBSERVER_kea_offers,   OBSERVER_kea_acks,
        OBSERVER_kea_naks,     OBSERVER_kea_assigned, OBSERVER_kea_allocation_failures,
    };
    enum availability available = availability_of_kea(k, target, now_ns);
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        tell(k, available, metrics[i], out);
    }
    k->next_at_ns = now_ns + PAUSE_NS;
    if (target->program != TARGET_KEA) {
        return; /* pools of dhcpd are told by its log */
    }
    tell_pools(k, available, out);
    if (available == AVAILABLE_NO_PERMISSION) {
        remark(out, "may not talk to Kea's control socket: run the observer in its group");
    } else if (available != AVAILABLE_OK && k->error == -ETIMEDOUT) {
        remark(out, "Kea's control socket does not answer");
    } else if (available != AVAILABLE_OK && k->error == -EPROTO) {
        remark(out, "Kea's control socket does not answer as Kea 2.x does");
    }
}
