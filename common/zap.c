/* SPDX-License-Identifier: MIT */
#include "common/zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"
#include "common/zap_watchdog.h"

enum { REQUEST_FRAMES = 7, FRAME_BYTES = 256 };

/* RFC 27: the frames of a request by a CURVE client, after the empty delimiter REP takes off. */
enum {
    FRAME_VERSION,
    FRAME_REQUEST_ID,
    FRAME_DOMAIN,
    FRAME_ADDRESS,
    FRAME_IDENTITY,
    FRAME_MECHANISM,
    FRAME_KEY
};

struct zap_request {
    size_t count; /* also those beyond REQUEST_FRAMES */
    bool is_cut;  /* a frame was larger than any we expect */
    size_t size[REQUEST_FRAMES];
    uint8_t frame[REQUEST_FRAMES][FRAME_BYTES];
};

struct zap {
    enum zap_admits admits;
    void *socket; /* of the thread alone, once it runs */
    pthread_t thread;
    struct zap_watchdog *watchdog;
    pthread_mutex_t lock; /* guards what follows */
    struct key_list list; /* sorted by key */
    uint8_t probe_key[KEY_BYTES];
    struct zap_refusal refusal;
    bool is_refusal_new;
};

static int compare_entries(const void *a, const void *b)
{
    const struct key_entry *left = a;
    const struct key_entry *right = b;

    return memcmp(left->public_key, right->public_key, KEY_BYTES);
}

static int compare_key_to_entry(const void *key, const void *entry)
{
    return memcmp(key, ((const struct key_entry *)entry)->public_key, KEY_BYTES);
}

static int copy_sorted(const struct key_list *from, struct key_list *out)
{
    struct key_entry *entries = calloc(from->count + 1, sizeof(*entries));

    if (entries == NULL) {
        return -ENOMEM;
    }
    if (from->count > 0) {
        memcpy(entries, from->entries, from->count * sizeof(*entries));
        qsort(entries, from->count, sizeof(*entries), compare_entries);
    }
    *out = (struct key_list){.entries = entries, .count = from->count};
    return 0;
}

const char *zap_domain(enum zap_admits admits)
{
    return admits == ZAP_ADMITS_LISTED ? ZAP_DOMAIN : ZAP_ENROL_DOMAIN;
}

void zap_fail_closed(const char *why)
{
    log_error("what=authentication_dead why=\"%s\" this process ends at once", why);
    (void)fprintf(stderr,
                  "leaseherd: %s; nobody would be kept out any more, so this process ends at "
                  "once\n",
                  why);
    abort();
}

/* Copies the entry; the caller holds no lock. */
static bool find_entry(struct zap *zap, const uint8_t key[KEY_BYTES], struct key_entry *out)
{
    (void)pthread_mutex_lock(&zap->lock);
    const struct key_entry *found = bsearch(key, zap->list.entries, zap->list.count,
                                            sizeof(struct key_entry), compare_key_to_entry);
    if (found != NULL) {
        *out = *found;
    }
    (void)pthread_mutex_unlock(&zap->lock);
    return found != NULL;
}

bool zap_find(struct zap *zap, const uint8_t public_key[KEY_BYTES], struct key_entry *out)
{
    struct key_entry entry;
    char today[KEY_DATE_BYTES];

    if (!find_entry(zap, public_key, &entry)) {
        return false;
    }
    if (strcmp(entry.expires, "-") != 0) {
        key_today(today);
        if (key_entry_is_expired(&entry, today)) {
            return false;
        }
    }
    *out = entry;
    return true;
}

bool zap_take_refusal(struct zap *zap, struct zap_refusal *out)
{
    (void)pthread_mutex_lock(&zap->lock);
    bool is_new = zap->is_refusal_new;
    if (is_new) {
        *out = zap->refusal;
        zap->is_refusal_new = false;
    }
    (void)pthread_mutex_unlock(&zap->lock);
    return is_new;
}

void zap_forget_refusal(struct zap *zap)
{
    (void)pthread_mutex_lock(&zap->lock);
    zap->refusal.count--;
    zap->is_refusal_new = false;
    (void)pthread_mutex_unlock(&zap->lock);
}

void zap_expect_probe(struct zap *zap, const uint8_t key[KEY_BYTES])
{
    (void)pthread_mutex_lock(&zap->lock);
    memcpy(zap->probe_key, key, KEY_BYTES);
    (void)pthread_mutex_unlock(&zap->lock);
}

static bool frame_is(const struct zap_request *request, size_t index, const char *text)
{
    return request->size[index] == strlen(text) &&
           memcmp(request->frame[index], text, request->size[index]) == 0;
}

static bool is_curve_request(const struct zap *zap, const struct zap_request *request)
{
    return request->count == REQUEST_FRAMES && !request->is_cut &&
           frame_is(request, FRAME_VERSION, "1.0") &&
           frame_is(request, FRAME_DOMAIN, zap_domain(zap->admits)) &&
           frame_is(request, FRAME_MECHANISM, "CURVE") && request->size[FRAME_KEY] == KEY_BYTES;
}

/* Our own watchdog's; nobody else knows the key. The lock is the caller's. */
static bool is_probe(const struct zap *zap, const struct zap_request *request)
{
    return request->count == REQUEST_FRAMES && request->size[FRAME_KEY] == KEY_BYTES &&
           memcmp(request->frame[FRAME_KEY], zap->probe_key, KEY_BYTES) == 0;
}

static void note_refusal(struct zap *zap, const struct zap_request *request)
{
    struct key_entry expired;
    bool has_key = is_curve_request(zap, request);
    bool is_known = has_key && find_entry(zap, request->frame[FRAME_KEY], &expired);
    size_t length = request->count > FRAME_ADDRESS ? request->size[FRAME_ADDRESS] : 0;

    (void)pthread_mutex_lock(&zap->lock);
    if (is_probe(zap, request)) {
        (void)pthread_mutex_unlock(&zap->lock);
        return;
    }
    struct zap_refusal *refusal = &zap->refusal;
    (void)snprintf(refusal->address, sizeof(refusal->address), "%.*s", (int)length,
                   (const char *)request->frame[FRAME_ADDRESS]);
    refusal->key_z85[0] = '\0';
    if (has_key) {
        key_to_z85(request->frame[FRAME_KEY], refusal->key_z85);
    }
    (void)snprintf(refusal->expired_name, sizeof(refusal->expired_name), "%s",
                   is_known ? expired.name : "");
    refusal->count++;
    zap->is_refusal_new = true;
    (void)pthread_mutex_unlock(&zap->lock);
}

/* RFC 23 metadata: one byte of name length, name, four of value length, value. */
static size_t put_property(uint8_t *out, const char *name, const char *value)
{
    size_t name_bytes = strlen(name);
    size_t value_bytes = strlen(value);

    out[0] = (uint8_t)name_bytes;
    memcpy(out + 1, name, name_bytes);
    memset(out + 1 + name_bytes, 0, 3);
    out[1 + name_bytes + 3] = (uint8_t)value_bytes;
    memcpy(out + 1 + name_bytes + 4, value, value_bytes);
    return 1 + name_bytes + 4 + value_bytes;
}

/* A reply that cannot be sent means the context is going down; the next receive says so. */
static void send_frame(struct zap *zap, const void *bytes, size_t size, bool is_last)
{
    int rc = 0;

    do {
        rc = zmq_send(zap->socket, bytes, size, is_last ? 0 : ZMQ_SNDMORE);
    } while (rc < 0 && zmq_errno() == EINTR);
}

/* Whose key it is; of a domain that admits every key, nobody's. */
static bool admits(struct zap *zap, const struct zap_request *request, struct key_entry *out)
{
    if (!is_curve_request(zap, request)) {
        return false;
    }
    if (zap->admits == ZAP_ADMITS_LISTED) {
        return zap_find(zap, request->frame[FRAME_KEY], out);
    }
    memset(out, 0, sizeof(*out));
    return true;
}

static void answer(struct zap *zap, const struct zap_request *request)
{
    struct key_entry entry;
    uint8_t metadata[128];
    size_t metadata_bytes = 0;
    bool is_listed = admits(zap, request, &entry);

    if (is_listed) {
        char z85[KEY_Z85_BYTES];
        key_to_z85(request->frame[FRAME_KEY], z85);
        metadata_bytes = put_property(metadata, ZAP_KEY_PROPERTY, z85);
    } else {
        note_refusal(zap, request);
    }
    const char *status = is_listed ? "200" : "400";
    const char *text = is_listed ? "OK" : "not on the allow-list";
    const char *user = is_listed ? entry.name : "";
    send_frame(zap, "1.0", 3, false);
    send_frame(zap, request->frame[FRAME_REQUEST_ID],
               request->count > FRAME_REQUEST_ID ? request->size[FRAME_REQUEST_ID] : 0, false);
    send_frame(zap, status, 3, false);
    send_frame(zap, text, strlen(text), false);
    send_frame(zap, user, strlen(user), false);
    send_frame(zap, metadata, metadata_bytes, true);
}

/* 0 or -errno; takes all frames of one request, keeps those that can matter. */
static int receive(struct zap *zap, struct zap_request *out)
{
    int has_more = 1;
    size_t option_size = sizeof(has_more);

    memset(out, 0, sizeof(*out));
    while (has_more != 0) {
        uint8_t spare[FRAME_BYTES];
        bool is_kept = out->count < REQUEST_FRAMES;
        int size = zmq_recv(zap->socket, is_kept ? out->frame[out->count] : spare, FRAME_BYTES, 0);
        if (size < 0 && zmq_errno() == EINTR) {
            continue;
        }
        if (size < 0) {
            return -zmq_errno();
        }
        if (size > FRAME_BYTES) {
            out->is_cut = true;
            size = FRAME_BYTES;
        }
        if (is_kept) {
            out->size[out->count] = (size_t)size;
        }
        out->count++;
        if (zmq_getsockopt(zap->socket, ZMQ_RCVMORE, &has_more, &option_size) != 0) {
            return -zmq_errno();
        }
    }
    return 0;
}

/* Ends when the context is shut down; without a handler the enforced domain admits nobody. */
static void *run(void *argument)
{
    struct zap *zap = argument;
    struct zap_request request;
    int rc = receive(zap, &request);

    while (rc == 0) {
        answer(zap, &request);
        rc = receive(zap, &request);
    }
    if (rc != -ETERM) {
        zap_fail_closed("the authentication handler cannot receive");
    }
    (void)zmq_close(zap->socket);
    return NULL;
}

/* Signals belong to the threads of the program, not to this one. */
static int create_thread(struct zap *zap)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&zap->thread, NULL, run, zap);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(zap->thread, "zap"); /* for whoever looks; nothing depends on it */
    }
    return -rc;
}

static int open_handler(struct zap *zap, void *zmq_context)
{
    int no_linger = 0;

    zap->socket = zmq_socket(zmq_context, ZMQ_REP);
    if (zap->socket == NULL) {
        return -zmq_errno();
    }
    if (zmq_setsockopt(zap->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)) != 0 ||
        zmq_bind(zap->socket, "inproc://zeromq.zap.01") != 0) {
        int error = zmq_errno();
        (void)zmq_close(zap->socket);
        return -error;
    }
    return 0;
}

/* Waits for the threads, which end when the context is shut down. */
static void end(struct zap *zap)
{
    (void)pthread_join(zap->thread, NULL);
    zap_watchdog_join(zap->watchdog);
    (void)pthread_mutex_destroy(&zap->lock);
    key_list_free(&zap->list);
    free(zap);
}

/* 0 or -errno; then no thread runs and no socket is open. */
static int start_handler(struct zap *zap, void *zmq_context)
{
    int rc = open_handler(zap, zmq_context);

    if (rc == 0) {
        rc = create_thread(zap);
        if (rc != 0) {
            (void)zmq_close(zap->socket);
        }
    }
    return rc;
}

int zap_start(void *zmq_context, enum zap_admits admits, const struct key_list *list,
              struct zap **out)
{
    struct zap *zap = calloc(1, sizeof(*zap));

    if (zap == NULL) {
        return -ENOMEM;
    }
    zap->admits = admits;
    int rc = copy_sorted(list, &zap->list);
    if (rc != 0) {
        free(zap);
        return rc;
    }
    (void)pthread_mutex_init(&zap->lock, NULL);
    rc = start_handler(zap, zmq_context);
    if (rc != 0) {
        (void)pthread_mutex_destroy(&zap->lock);
        key_list_free(&zap->list);
        free(zap);
        return rc;
    }
    rc = zap_watchdog_start(zmq_context, zap, &zap->watchdog);
    if (rc != 0) {
        (void)zmq_ctx_shutdown(zmq_context); /* the context is good for nothing without it */
        end(zap);
        return rc;
    }
    *out = zap;
    return 0;
}

int zap_replace(struct zap *zap, const struct key_list *list)
{
    struct key_list fresh;
    int rc = copy_sorted(list, &fresh);

    if (rc != 0) {
        return rc;
    }
    (void)pthread_mutex_lock(&zap->lock);
    struct key_list old = zap->list;
    zap->list = fresh;
    (void)pthread_mutex_unlock(&zap->lock);
    key_list_free(&old);
    return 0;
}

void zap_join(struct zap *zap)
{
    if (zap != NULL) {
        end(zap);
    }
}
