/* SPDX-License-Identifier: MIT */
#include "agent/edge/session_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"

enum { MESSAGES_PER_TURN = 256, RECORDS_PER_TURN = 64 };

#define FLUSH_EVERY_NS      (50 * NS_PER_MS)
#define SNAPSHOT_EVERY_NS   NS_PER_S
#define FINAL_AGAIN_NS      (100 * NS_PER_MS)
#define DATA_HELLO_EVERY_NS (500 * NS_PER_MS)
/* The coordinator acknowledges after its COMMIT, which takes some time on a busy disk. */
#define ACK_STALLED_NS (5 * NS_PER_S)

/* --- connection --- */

int session_data_open(struct session *s, uint16_t port)
{
    session_data_close(s);
    char why[LINK_WHY_BYTES] = "";
    int rc = link_client_open(s->setup->context, LINK_DATA, s->setup->host, port,
                              s->setup->server_key, s->setup->own, &s->data, why);
    if (rc < 0) {
        s->data = NULL;
        log_warn("what=connect_failed socket=data why=\"%s\" trying again", why);
    }
    s->data_hello_at_ns = s->now_ns;
    return rc;
}

struct result_stream *session_stream(struct session *s)
{
    if (s->assignment != NULL) {
        return &s->assignment->results;
    }
    return s->is_delivering && s->kept.file.map != NULL ? &s->kept : NULL;
}

/* What was sent and not acknowledged may be lost: all of it again, under the present session. */
static void start_over(struct session *s)
{
    s->is_data_open = false;
    struct assignment *a = s->assignment;
    struct result_stream *r = session_stream(s);
    if (r != NULL) {
        r->cursor = replay_ring_rewind(&r->ring);
        r->stale_until_seq = r->ring.next_seq - (a != NULL && a->batch_bytes > 0 ? 0 : 1);
        r->ack_moved_ns = s->now_ns;
    }
    if (a == NULL) {
        return;
    }
    a->needs_all_histograms = true;
    a->is_snapshot_broken = true;
    if (a->phase == PHASE_DONE) {
        a->phase = PHASE_FINAL; /* the final snapshot may be lost, too */
        a->owes &= ~(unsigned)OWES_DONE;
        a->is_snapshot_open = false;
        a->snapshot_at_ns = s->now_ns;
    }
}

void session_data_close(struct session *s)
{
    link_close(s->data);
    s->data = NULL;
    start_over(s);
}

void session_data_trouble(struct session *s, unsigned trouble)
{
    if ((trouble & (LINK_DISCONNECTED | LINK_KEY_REFUSED | LINK_NOT_CURVE)) != 0) {
        start_over(s);
    }
    if ((trouble & LINK_CONNECTED) != 0) {
        s->data_hello_at_ns = s->now_ns;
    }
    if ((trouble & (LINK_KEY_REFUSED | LINK_NOT_CURVE)) != 0) {
        session_reopen_later(s); /* such a socket never connects again by itself */
    }
}

/* --- what comes --- */

static void acknowledged(struct session *s, const struct control_ack *ack)
{
    struct result_stream *r = session_stream(s);
    if (r != NULL && !s->is_data_open) {
        r->ack_moved_ns = s->now_ns; /* sending begins only now: nothing is overdue */
    }
    s->is_data_open = true;
    if (r == NULL || ack->epoch != r->file.owner.epoch) {
        return;
    }
    uint64_t former = r->ring.acked_seq;
    ring_file_ack(&r->file, &r->ring, ack->committed_seq);
    r->limit_seq = ack->limit_seq;
    if (r->ring.acked_seq != former) {
        r->ack_moved_ns = s->now_ns;
    }
    if (s->is_delivering) {
        s->heard_ns = s->now_ns; /* who only delivers is granted nothing, and hears no more */
    }
}

void session_receive_data(struct session *s)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && s->data != NULL; i++) {
        if (link_receive(s->data, &from, &bytes, &size) <= 0) {
            return;
        }
        struct control_message m;
        char why[CONTROL_WHY_BYTES] = "";
        if (!control_decode(s->arena, bytes, size, &m, why)) {
            session_complain(s, "unreadable", why);
        } else if (m.kind != CONTROL_ACK || m.session != s->id) {
            session_complain(s, control_kind_name(m.kind), "it does not belong on this socket");
        } else {
            acknowledged(s, &m.u.ack);
        }
    }
}

/* --- events --- */

/* False when the ring has no room; the batch waits then, and its events are not taken twice. */
static bool keep_batch(struct assignment *a)
{
    if (a->batch_bytes > 0 && !replay_ring_append(&a->results.ring, a->batch, a->batch_bytes)) {
        return false;
    }
    a->batch_bytes = 0;
    return true;
}

static void encode_batch(struct session *s, struct assignment *a, size_t count)
{
    struct control_message m = {.kind = CONTROL_BATCH, .session = s->id};
    m.u.batch = (struct control_batch){.epoch = s->epoch,
                                       .seq = a->results.ring.next_seq,
                                       .events = a->events,
                                       .event_count = count};
    a->batch_bytes = control_encode(&m, a->batch, LINK_DATA_UP_BYTES);
    assert(a->batch_bytes > 0 && a->batch_bytes <= LINK_DATA_UP_BYTES);
    a->event_count += count;
}

/* Full batches at once, the rest every 50 ms or when `is_last`. */
static void take_events(struct session *s, struct assignment *a, bool is_last)
{
    bool is_due = is_last || s->now_ns - a->flushed_ns >= FLUSH_EVERY_NS;
    while (keep_batch(a)) {
        size_t waiting = lane_thread_events_waiting(a->lane);
        if (waiting == 0 || (waiting < CONTROL_BATCH_EVENTS_MAX && !is_due)) {
            break;
        }
        size_t count = lane_thread_take_events(a->lane, a->events, CONTROL_BATCH_EVENTS_MAX);
        encode_batch(s, a, count);
    }
    if (is_due) {
        a->flushed_ns = s->now_ns;
    }
    uint32_t permille = replay_ring_used_permille(&a->results.ring);
    lane_thread_set_pressure(a->lane, a->batch_bytes > 0 ? 1000 : permille);
}

bool session_data_collect(struct session *s, struct assignment *a)
{
    take_events(s, a, true);
    return a->batch_bytes == 0 && lane_thread_events_waiting(a->lane) == 0;
}

/*
 * A record of an earlier session is packed again: the id stands in its envelope. -EBADMSG: it is
 * no batch of this stream, which only a file of another program can hold: its CRC is right.
 */
static int send_record(struct session *s, const struct result_stream *r, uint64_t seq,
                       const uint8_t *payload, size_t size)
{
    if (seq > r->stale_until_seq) {
        return link_send(s->data, NULL, payload, size);
    }
    struct control_message m;
    char why[CONTROL_WHY_BYTES] = "";
    bool is_ours = control_decode(s->arena, payload, size, &m, why) && m.kind == CONTROL_BATCH &&
                   m.u.batch.seq == seq && m.u.batch.epoch == r->file.owner.epoch;
    return is_ours ? session_send(s, &m) : -EBADMSG;
}

static void ring_is_corrupt(struct session *s, uint64_t seq)
{
    log_error("what=ring_corrupt seq=%llu why=\"a result that was kept has changed by itself; test "
              "this host's memory and disk\"",
              (unsigned long long)seq);
    if (s->assignment != NULL) {
        s->end = SESSION_INTERNAL;
    } else {
        session_kept_forget(s, "what is kept of it cannot be read");
    }
}

static void send_batches(struct session *s, struct result_stream *r)
{
    for (unsigned i = 0; i < RECORDS_PER_TURN && r->cursor.seq <= r->limit_seq; i++) {
        struct replay_cursor next = r->cursor;
        uint64_t seq = 0;
        const uint8_t *payload = NULL;
        size_t size = 0;
        enum replay_read read = replay_ring_read(&r->ring, &next, &seq, &payload, &size);
        if (read == REPLAY_END) {
            r->cursor = next;
            return;
        }
        int rc = read == REPLAY_CORRUPT ? -EBADMSG : send_record(s, r, seq, payload, size);
        if (rc == -EBADMSG) {
            ring_is_corrupt(s, r->cursor.seq);
        }
        if (rc < 0) {
            return;
        }
        r->cursor = next;
    }
}

static void watch_acks(const struct session *s, struct result_stream *r)
{
    bool is_waiting = r->cursor.seq > r->ring.acked_seq + 1;
    if (!is_waiting) {
        r->ack_moved_ns = s->now_ns;
    } else if (s->now_ns - r->ack_moved_ns > ACK_STALLED_NS) {
        r->cursor = replay_ring_rewind(&r->ring);
        r->ack_moved_ns = s->now_ns;
    }
}

/* --- snapshots --- */

/* The namespace's counts first: so its drops are never more than the lane's for being newer. */
static void ask_snapshot(struct session *s, struct assignment *a)
{
    host_snmp_read(&a->snmp);
    struct lane_command command = {.kind = LANE_DO_SNAPSHOT,
                                   .u.snapshot = {.seq = a->snapshot_seq + 1,
                                                  .last_batch_seq = a->results.ring.next_seq - 1,
                                                  .is_final = a->phase == PHASE_FINAL,
                                                  .is_complete = a->needs_all_histograms}};
    if (!lane_thread_command(a->lane, &command)) {
        return;
    }
    a->snapshot_seq++;
    a->snapshot_at_ns = s->now_ns + SNAPSHOT_EVERY_NS;
    a->is_snapshot_open = true;
    a->is_snapshot_broken = false;
    a->needs_all_histograms = false;
}

static void send_histograms(struct session *s, struct assignment *a)
{
    while (lane_thread_take_histogram(a->lane, &a->histogram)) {
        struct control_message m = {.kind = CONTROL_HISTOGRAM};
        m.u.histogram = (struct control_histogram){.snapshot_seq = a->histogram.snapshot_seq,
                                                   .key = a->histogram.key,
                                                   .histogram = &a->histogram.histogram};
        if (!s->is_data_open || session_send(s, &m) < 0) {
            a->is_snapshot_broken = true;
        }
    }
}

static uint64_t rise(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* The host's and the process's, not a lane's: read where no packet waits for it. */
static void add_host(const struct assignment *a, uint64_t counter[COUNTER_COUNT])
{
    const struct host_snmp *then = &a->snmp_at_ready, *now = &a->snmp;
    if (then->has_icmp && now->has_icmp) {
        counter[COUNTER_icmp_known] = 1;
        counter[COUNTER_icmp_echo_in] = rise(now->echo_in, then->echo_in);
        counter[COUNTER_icmp_echo_out] = rise(now->echo_out, then->echo_out);
    }
    if (then->has_udp && now->has_udp) {
        counter[COUNTER_rcvbuf_known] = 1;
        counter[COUNTER_rcvbuf_errors] = rise(now->rcvbuf_errors, then->rcvbuf_errors);
    }
    counter[COUNTER_rx_buffer_bytes] = a->rx_buffer_bytes;
    counter[COUNTER_rx_buffer_wanted] = UDP_RECEIVE_BUFFER_BYTES;
}

static void send_snapshot(struct session *s, struct assignment *a)
{
    send_histograms(s, a);
    if (!lane_thread_take_snapshot(a->lane, &a->snapshot)) {
        return;
    }
    send_histograms(s, a); /* those that came before it, after the look above */
    add_host(a, a->snapshot.counter);
    bool is_answer = a->snapshot.seq == a->snapshot_seq;
    struct control_message m = {.kind = CONTROL_SNAPSHOT, .u.snapshot = &a->snapshot};
    if (a->is_snapshot_broken || !s->is_data_open || session_send(s, &m) < 0) {
        a->needs_all_histograms = true;
        a->snapshot_at_ns = s->now_ns + FINAL_AGAIN_NS;
    } else if (a->snapshot.is_final && is_answer && a->phase == PHASE_FINAL) {
        a->phase = PHASE_DONE;
        a->owes |= OWES_DONE;
    }
    a->is_snapshot_open = a->is_snapshot_open && !is_answer;
}

/* All that the lane will ever say is in batches: what remains is the final snapshot. */
static void look_for_end(struct session *s, struct assignment *a)
{
    if (a->phase == PHASE_DRAINING && lane_thread_is_drained(a->lane)) {
        if (session_data_collect(s, a)) {
            a->phase = PHASE_FINAL;
            a->snapshot_at_ns = s->now_ns;
            a->needs_all_histograms = true;
        }
    }
}

static bool may_ask_snapshot(const struct session *s, const struct assignment *a)
{
    bool all_batches_left = a->results.cursor.seq == a->results.ring.next_seq;
    return s->is_data_open && !a->is_snapshot_open && s->now_ns >= a->snapshot_at_ns &&
           a->phase != PHASE_DONE && (a->phase != PHASE_FINAL || all_batches_left);
}

static void say_data_hello(struct session *s)
{
    struct control_message m = {.kind = CONTROL_DATA_HELLO};
    const struct result_stream *r = session_stream(s);
    m.u.data_hello.epoch = r != NULL ? r->file.owner.epoch : s->epoch;
    (void)session_send(s, &m); /* said again until an ACK comes */
    s->data_hello_at_ns = s->now_ns + DATA_HELLO_EVERY_NS;
}

void session_data_tick(struct session *s)
{
    struct assignment *a = s->assignment;
    bool is_up = s->state == SESSION_WELCOMED && s->data != NULL;
    if (is_up && !s->is_data_open && s->now_ns >= s->data_hello_at_ns) {
        say_data_hello(s);
    }
    if (a != NULL) {
        take_events(s, a, false);
        look_for_end(s, a);
        send_snapshot(s, a);
    }
    struct result_stream *r = session_stream(s);
    if (is_up && s->is_data_open && r != NULL) {
        send_batches(s, r);
        watch_acks(s, r);
    }
    if (a != NULL && s->end < 0 && may_ask_snapshot(s, a)) {
        ask_snapshot(s, a);
    }
}

uint64_t session_data_next_ns(const struct session *s)
{
    const struct assignment *a = s->assignment;
    uint64_t next_ns = UINT64_MAX;
    if (s->state == SESSION_WELCOMED && s->data != NULL && !s->is_data_open) {
        next_ns = s->data_hello_at_ns;
    }
    if (a != NULL) {
        uint64_t flush_ns = a->flushed_ns + FLUSH_EVERY_NS;
        next_ns = flush_ns < next_ns ? flush_ns : next_ns;
    }
    return next_ns;
}
