/* SPDX-License-Identifier: MIT */
#include "common/zap_watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/zap.h"

enum { EVERY_MS = 1000, TURN_MS = 100, ANSWER_FRAMES_MAX = 16 };

/*
 * Of another mechanism than the domain's: refused by a handler that admits every key, too.
 * The address is one that no peer can have.
 */
#define PROBE_MECHANISM "PROBE"
#define PROBE_ID        "watchdog"

struct zap_watchdog {
    struct zap *zap;
    void *socket; /* of the thread alone, once it runs */
    pthread_t thread;
};

enum watch { WATCH_GOOD, WATCH_OVER };

static enum watch over_or_abort(const char *why)
{
    if (zmq_errno() != ETERM) {
        zap_fail_closed(why);
    }
    return WATCH_OVER;
}

/*
 * The handler's socket is not there. When the context ends it may be told a moment before ours:
 * then our own end is on its way.
 */
static enum watch gone_or_over(struct zap_watchdog *w)
{
    for (int waited_ms = 0; waited_ms < ZAP_DEADLINE_MS / 4; waited_ms += TURN_MS) {
        zmq_pollitem_t item = {.socket = w->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, TURN_MS) < 0 && zmq_errno() == ETERM) {
            return WATCH_OVER;
        }
    }
    zap_fail_closed("the authentication handler is gone");
}

static enum watch ask(struct zap_watchdog *w)
{
    uint8_t key[KEY_BYTES];
    const struct {
        const void *bytes;
        size_t size;
    } frames[] = {{"1.0", 3},
                  {PROBE_ID, strlen(PROBE_ID)},
                  {ZAP_DOMAIN, strlen(ZAP_DOMAIN)},
                  {PROBE_ID, strlen(PROBE_ID)},
                  {"", 0},
                  {PROBE_MECHANISM, strlen(PROBE_MECHANISM)},
                  {key, sizeof(key)}};

    randombytes_buf(key, sizeof(key));
    zap_expect_probe(w->zap, key);
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        int flags = i + 1 < ARRAY_LEN(frames) ? ZMQ_SNDMORE : 0;
        int rc = 0;
        do {
            rc = zmq_send(w->socket, frames[i].bytes, frames[i].size, flags | ZMQ_DONTWAIT);
        } while (rc < 0 && zmq_errno() == EINTR);
        if (rc < 0) {
            return zmq_errno() == ETERM ? WATCH_OVER : gone_or_over(w);
        }
    }
    return WATCH_GOOD;
}

/* One frame of the answer, cut to `size`; its length, or -1. */
static int take_frame(struct zap_watchdog *w, char *out, size_t size, int *has_more)
{
    size_t option_size = sizeof(*has_more);
    int length = zmq_recv(w->socket, out, size, ZMQ_DONTWAIT);

    return length < 0 || zmq_getsockopt(w->socket, ZMQ_RCVMORE, has_more, &option_size) != 0
               ? -1
               : length;
}

/* "1.0", our id, "400", and what else there is. */
static bool is_refusal(struct zap_watchdog *w)
{
    static const char *const wanted[] = {"1.0", PROBE_ID, "400"};
    bool is_good = true;
    int has_more = 1;
    size_t count = 0;

    for (; has_more != 0 && count < ANSWER_FRAMES_MAX; count++) {
        char frame[16] = "";
        int length = take_frame(w, frame, sizeof(frame), &has_more);
        if (length < 0) {
            return false;
        }
        is_good = is_good && (count >= ARRAY_LEN(wanted) ||
                              ((size_t)length == strlen(wanted[count]) &&
                               memcmp(frame, wanted[count], (size_t)length) == 0));
    }
    return is_good && count > ARRAY_LEN(wanted) && has_more == 0;
}

static enum watch await_refusal(struct zap_watchdog *w)
{
    for (int waited_ms = 0; waited_ms < ZAP_DEADLINE_MS; waited_ms += TURN_MS) {
        zmq_pollitem_t item = {.socket = w->socket, .events = ZMQ_POLLIN};
        int rc = zmq_poll(&item, 1, TURN_MS);
        if (rc < 0 && zmq_errno() != EINTR) {
            return over_or_abort("the authentication handler cannot be watched");
        }
        if (rc > 0) {
            if (!is_refusal(w)) {
                return over_or_abort("the authentication handler did not refuse a stranger");
            }
            return WATCH_GOOD;
        }
    }
    zap_fail_closed("the authentication handler has not answered for 2 s");
}

/* Nothing comes unasked: what is awaited is the end of the context. */
static enum watch rest(struct zap_watchdog *w)
{
    zmq_pollitem_t item = {.socket = w->socket, .events = ZMQ_POLLIN};

    if (zmq_poll(&item, 1, EVERY_MS) < 0 && zmq_errno() != EINTR) {
        return over_or_abort("the authentication handler cannot be watched");
    }
    return WATCH_GOOD;
}

static void *run(void *argument)
{
    struct zap_watchdog *w = argument;

    while (ask(w) == WATCH_GOOD && await_refusal(w) == WATCH_GOOD && rest(w) == WATCH_GOOD) {
    }
    (void)zmq_close(w->socket);
    return NULL;
}

static int open_socket(struct zap_watchdog *w, void *zmq_context)
{
    int no_linger = 0;

    w->socket = zmq_socket(zmq_context, ZMQ_REQ);
    if (w->socket == NULL) {
        return -zmq_errno();
    }
    if (zmq_setsockopt(w->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)) != 0 ||
        zmq_connect(w->socket, "inproc://zeromq.zap.01") != 0) {
        int error = zmq_errno();
        (void)zmq_close(w->socket);
        return -error;
    }
    return 0;
}

int zap_watchdog_start(void *zmq_context, struct zap *zap, struct zap_watchdog **out)
{
    struct zap_watchdog *w = calloc(1, sizeof(*w));
    sigset_t all;
    sigset_t before;

    if (w == NULL) {
        return -ENOMEM;
    }
    w->zap = zap;
    int rc = open_socket(w, zmq_context);
    if (rc == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        rc = -pthread_create(&w->thread, NULL, run, w);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (rc != 0) {
            (void)zmq_close(w->socket);
        }
    }
    if (rc != 0) {
        free(w);
        return rc;
    }
    (void)pthread_setname_np(w->thread, "zap-watchdog");
    *out = w;
    return 0;
}

void zap_watchdog_join(struct zap_watchdog *watchdog)
{
    if (watchdog != NULL) {
        (void)pthread_join(watchdog->thread, NULL);
        free(watchdog);
    }
}
