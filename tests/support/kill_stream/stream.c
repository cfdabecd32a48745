/* SPDX-License-Identifier: MIT */
#include "tests/support/kill_stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/edge/ring_file.h"
#include "common/clock.h"
#include "coordinator/truth/ledger.h"
#include "coordinator/truth/ledger_journal.h"
#include "proto/control.h"

#define COMMIT_EVERY_NS (2 * NS_PER_MS)

static int complain(const char *what, int rc)
{
    (void)fprintf(stderr, "kill_stream: %s: %s\n", what, strerror(-rc));
    return 1;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static bool send_message(int fd, struct control_message *m)
{
    uint8_t bytes[STREAM_MESSAGE_BYTES];
    m->session = 1;
    size_t size = control_encode(m, bytes, sizeof(bytes));
    return size > 0 && size <= sizeof(bytes) &&
           send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* 1: one came; 0: none within `wait_ms`; -1: the other side is gone. */
static int receive_message(int fd, int wait_ms, struct control_arena *arena,
                           struct control_message *m)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    if (poll(&pollfd, 1, wait_ms) <= 0) {
        return 0;
    }
    uint8_t bytes[STREAM_MESSAGE_BYTES];
    char why[CONTROL_WHY_BYTES] = "";
    ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
    return size > 0 && control_decode(arena, bytes, (size_t)size, m, why) ? 1 : -1;
}

/* --- the keeper --- */

int stream_make_ledger(const char *path)
{
    struct ledger *ledger = NULL;
    int rc = ledger_create(path, "kill-stream", &ledger);
    rc = rc == 0 ? ledger_add_agent(ledger, STREAM_AGENT, "a1", STREAM_EPOCH) : rc;
    rc = rc == 0 ? ledger_commit(ledger) : rc;
    ledger_close(ledger);
    return rc < 0 ? complain("making the ledger", rc) : 0;
}

static bool acknowledge(int fd, const struct ledger *ledger)
{
    struct control_message m = {.kind = CONTROL_ACK};
    uint64_t committed = ledger_committed(ledger, STREAM_AGENT);
    m.u.ack = (struct control_ack){
        .epoch = STREAM_EPOCH, .committed_seq = committed, .limit_seq = committed + STREAM_WINDOW};
    return send_message(fd, &m);
}

static int serve(int fd, struct ledger *ledger, struct control_arena *arena)
{
    uint64_t due_ns = 0;
    for (;;) {
        struct control_message m;
        int got = receive_message(fd, ledger_pending(ledger) > 0 ? 1 : 1000, arena, &m);
        if (got < 0) {
            return 0;
        }
        if (got > 0 && m.kind == CONTROL_DATA_HELLO && !acknowledge(fd, ledger)) {
            return 0;
        }
        if (got > 0 && m.kind == CONTROL_BATCH) {
            int rc = ledger_append(ledger, STREAM_AGENT, m.u.batch.seq, m.u.batch.events,
                                   m.u.batch.event_count);
            if (rc == -EPROTO || rc == 0) { /* as the coordinator does: where are we? */
                if (!acknowledge(fd, ledger)) {
                    return 0;
                }
            } else if (rc < 0) {
                return complain(ledger_why(ledger), rc);
            }
        }
        uint64_t now_ns = clock_monotonic_ns();
        if (ledger_pending(ledger) > 0 && now_ns >= due_ns) {
            due_ns = now_ns + COMMIT_EVERY_NS;
            int rc = ledger_commit(ledger);
            if (rc < 0) {
                return complain(ledger_why(ledger), rc);
            }
            if (!acknowledge(fd, ledger)) {
                return 0;
            }
        }
    }
}

int stream_keep(const char *path, const char *socket_path)
{
    struct ledger *ledger = NULL;
    int rc = ledger_reopen(path, &ledger);
    if (rc < 0) {
        return complain("reopening the ledger", rc);
    }
    struct sockaddr_un address = address_of(socket_path);
    (void)unlink(socket_path);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    if (listener < 0 || arena == NULL ||
        bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 4) < 0) {
        return complain("listening", -errno);
    }
    for (int code = 0; code == 0;) {
        int fd = accept(listener, NULL, NULL);
        code = fd < 0 ? 1 : serve(fd, ledger, arena);
        (void)close(fd);
        /* What a broken connection left uncommitted is committed: it is in order, and comes again.
         */
        if (code == 0 && ledger_commit(ledger) < 0) {
            code = complain(ledger_why(ledger), -EIO);
        }
    }
    return 1;
}

/* --- the writer --- */

struct writer {
    struct ring_file file;
    struct replay_ring ring;
    struct replay_cursor cursor;
    uint64_t limit_seq;
    int fd;
    struct control_arena *arena;
};

static bool open_ring(struct writer *w, int dir_fd)
{
    char why[RING_FILE_WHY_BYTES] = "";
    int rc = ring_file_find(dir_fd, &w->file, &w->ring, why);
    if (rc == 0) {
        struct ring_owner owner = {.epoch = STREAM_EPOCH, .run_id = {1}, .run_name = "kill-stream"};
        rc = ring_file_make(dir_fd, &owner, STREAM_RING_BYTES, 0, &w->file, &w->ring, why);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "kill_stream: %s\n", why);
    }
    return rc >= 0;
}

static bool call_keeper(struct writer *w, const char *socket_path)
{
    struct sockaddr_un address = address_of(socket_path);
    w->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    while (connect(w->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)poll(NULL, 0, 1);
    }
    struct control_message m = {.kind = CONTROL_DATA_HELLO};
    m.u.data_hello.epoch = STREAM_EPOCH;
    w->cursor = replay_ring_rewind(&w->ring);
    /* Some of it may have been committed, and the word of it lost: it must not be there twice. */
    w->limit_seq = w->ring.acked_seq + STREAM_WINDOW / 2;
    return send_message(w->fd, &m);
}

static bool write_batch(struct writer *w)
{
    static struct event events[STREAM_EVENTS];
    uint8_t bytes[STREAM_MESSAGE_BYTES];
    struct control_message m = {.kind = CONTROL_BATCH, .session = 1};
    uint64_t seq = w->ring.next_seq;
    for (uint32_t i = 0; i < STREAM_EVENTS; i++) {
        events[i] = (struct event){.t_us = (seq - 1) * STREAM_EVENTS + i + 1,
                                   .client = i,
                                   .kind = EVENT_ACQUIRE,
                                   .result = EVENT_ACK,
                                   .tries = 1,
                                   .xid = (uint32_t)seq,
                                   .addr = inet_from_host(0x0a0a0001 + i),
                                   .server = inet_from_host(0xc0a8010c),
                                   .lease_s = 60};
    }
    m.u.batch = (struct control_batch){
        .epoch = STREAM_EPOCH, .seq = seq, .events = events, .event_count = STREAM_EVENTS};
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    return size > 0 && size <= sizeof(bytes) && replay_ring_append(&w->ring, bytes, size);
}

/* False when the connection is gone. */
static bool send_what_may_go(struct writer *w)
{
    while (w->cursor.seq <= w->limit_seq) {
        struct replay_cursor next = w->cursor;
        uint64_t seq = 0;
        const uint8_t *payload = NULL;
        size_t size = 0;
        enum replay_read read = replay_ring_read(&w->ring, &next, &seq, &payload, &size);
        if (read == REPLAY_END) {
            return true;
        }
        if (read == REPLAY_CORRUPT || send(w->fd, payload, size, MSG_NOSIGNAL) != (ssize_t)size) {
            return false;
        }
        w->cursor = next;
    }
    return true;
}

int stream_write(const char *state_dir, const char *socket_path)
{
    static struct writer w;
    int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w.arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    if (dir_fd < 0 || w.arena == NULL || !open_ring(&w, dir_fd)) {
        return 1;
    }
    bool is_connected = call_keeper(&w, socket_path);
    for (;;) {
        bool is_enough = faccessat(dir_fd, "enough", F_OK, 0) == 0;
        for (unsigned i = 0; !is_enough && i < 4 && write_batch(&w); i++) {
        }
        struct control_message m;
        int got = is_connected ? receive_message(w.fd, 1, w.arena, &m) : -1;
        if (got > 0 && m.kind == CONTROL_ACK) {
            ring_file_ack(&w.file, &w.ring, m.u.ack.committed_seq);
            w.limit_seq = m.u.ack.limit_seq;
        }
        is_connected = got >= 0 && send_what_may_go(&w);
        if (is_enough && w.ring.acked_seq + 1 == w.ring.next_seq) {
            return 0;
        }
        if (!is_connected) {
            (void)close(w.fd);
            is_connected = call_keeper(&w, socket_path);
        }
    }
}

/* --- the check --- */

static bool ask(sqlite3 *db, const char *sql, uint64_t *out, int count)
{
    sqlite3_stmt *s = NULL;
    bool is_good =
        sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    for (int i = 0; is_good && i < count; i++) {
        out[i] = (uint64_t)sqlite3_column_int64(s, i);
    }
    if (!is_good) {
        (void)fprintf(stderr, "kill_stream: %s: %s\n", sql, sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(s);
    return is_good;
}

static bool check_ledger(const char *ledger, struct stream_state *out)
{
    sqlite3 *db = NULL;
    uint64_t sound = 0, stream[2] = {0, 0}, rows[4] = {0, 0, 0, 0};
    bool is_read =
        sqlite3_open_v2(ledger, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        ask(db, "SELECT count(*) FROM pragma_quick_check WHERE quick_check = 'ok'", &sound, 1) &&
        ask(db,
            "SELECT coalesce(max(committed_seq), 0), coalesce(sum(events), 0)"
            " FROM stream",
            stream, 2) &&
        ask(db,
            "SELECT count(*), count(DISTINCT t_us), coalesce(min(t_us), 1),"
            " coalesce(max(t_us), 0) FROM event",
            rows, 4);
    (void)sqlite3_close(db);
    out->committed = stream[0];
    out->rows = rows[0];
    bool is_good = is_read && sound == 1 && rows[0] == stream[1] && rows[0] == rows[1] &&
                   rows[0] == stream[0] * STREAM_EVENTS && rows[2] == 1 && rows[3] == rows[0];
    if (!is_good) {
        (void)fprintf(stderr,
                      "kill_stream: sound=%" PRIu64 " committed=%" PRIu64 " events=%" PRIu64
                      " rows=%" PRIu64 " distinct=%" PRIu64 " first=%" PRIu64 " last=%" PRIu64 "\n",
                      sound, stream[0], stream[1], rows[0], rows[1], rows[2], rows[3]);
    }
    return is_good;
}

bool stream_look(const char *state_dir, struct stream_state *out)
{
    struct ring_file file = {.fd = -1};
    static struct replay_ring ring;
    char why[RING_FILE_WHY_BYTES] = "";
    memset(out, 0, sizeof(*out));
    int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir_fd < 0 ? complain(state_dir, -errno) : ring_file_find(dir_fd, &file, &ring, why);
    if (dir_fd < 0 || rc < 0) {
        (void)fprintf(stderr, "kill_stream: %s\n", why);
        return false;
    }
    (void)close(dir_fd); /* only read from */
    out->has_ring = rc == 1;
    if (out->has_ring) {
        out->acked = ring.acked_seq;
        out->next = ring.next_seq;
        ring_file_close(&file, false);
    }
    return true;
}

bool stream_check(const char *ledger, const char *state_dir, struct stream_state *out)
{
    if (!stream_look(state_dir, out)) {
        return false;
    }
    bool is_good = check_ledger(ledger, out) && out->acked <= out->committed &&
                   (!out->has_ring || out->committed < out->next);
    if (!is_good) {
        (void)fprintf(stderr,
                      "kill_stream: acked=%" PRIu64 " committed=%" PRIu64 " next=%" PRIu64 "\n",
                      out->acked, out->committed, out->next);
    }
    return is_good;
}
