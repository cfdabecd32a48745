/* SPDX-License-Identifier: MIT */
#include "agent/edge/greeting.h"
#include "agent/edge/session.h"
#include "agent/edge/session_internal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/prng.h"

enum { ARENA_BYTES = 4 * LINK_CTRL_DOWN_BYTES, WAIT_LONGEST_MS = 1000, GREETING_MS = 1000 };

#define BACKOFF_FIRST_NS   NS_PER_S
#define BACKOFF_LONGEST_NS (30 * NS_PER_S)
/* Three heartbeats of the link; the coordinator answers every beat. */
#define SILENCE_NS (6 * NS_PER_S)
/* Longer than the link's own pause between two attempts, which tell that nobody listens. */
#define NO_CONNECTION_NS (10 * NS_PER_S)
#define AFTER_RUN_NS     NS_PER_S

int session_send(struct session *s, struct control_message *m)
{
    struct link_socket *socket = control_kind_is_data(m->kind) ? s->data : s->ctrl;
    if (socket == NULL) {
        return -EAGAIN;
    }
    m->session = m->kind == CONTROL_HELLO ? CONTROL_SESSION_UNKNOWN : s->id;
    size_t size = control_encode(m, s->out, LINK_CTRL_UP_BYTES);
    assert(size > 0 && size <= LINK_CTRL_UP_BYTES);
    return link_send(socket, NULL, s->out, size);
}

static void close_sockets(struct session *s)
{
    session_data_close(s);
    link_close(s->ctrl);
    s->ctrl = NULL;
    s->is_connected = false;
    s->state = SESSION_CLOSED;
}

void session_reopen_later(struct session *s)
{
    close_sockets(s);
    s->backoff_ns = s->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * s->backoff_ns;
    if (s->backoff_ns > BACKOFF_LONGEST_NS) {
        s->backoff_ns = BACKOFF_LONGEST_NS;
    }
    /* Up to a quarter earlier, differently for each agent: no thundering herd. */
    double jitter = prng_unit(prng_mix(s->epoch, s->attempts++, 0)) / 4;
    s->open_at_ns = s->now_ns + s->backoff_ns - (uint64_t)(jitter * (double)s->backoff_ns);
}

void session_await_next_run(struct session *s)
{
    close_sockets(s);
    s->backoff_ns = 0;
    s->said = TROUBLE_NONE;
    s->open_at_ns = s->now_ns + AFTER_RUN_NS;
}

void session_call_again(struct session *s, uint64_t after_ns)
{
    s->state = SESSION_CALLING;
    s->hello_at_ns = s->now_ns + after_ns;
    s->heard_ns = s->hello_at_ns;
}

static void open_ctrl(struct session *s)
{
    char why[LINK_WHY_BYTES] = "";
    int rc = link_client_open(s->setup->context, LINK_CTRL, s->setup->host, s->setup->port,
                              s->setup->server_key, s->setup->own, &s->ctrl, why);
    if (rc < 0) {
        s->ctrl = NULL;
        log_warn("what=connect_failed why=\"%s\" trying again", why);
        session_reopen_later(s);
        return;
    }
    session_call_again(s, 0);
}

/* The first of these that is set explains the others. */
static enum session_trouble worst_of(unsigned trouble)
{
    static const struct {
        unsigned bit;
        enum session_trouble trouble;
    } order[] = {
        {LINK_KEY_REFUSED, TROUBLE_KEY_REFUSED},           {LINK_NOT_CURVE, TROUBLE_NOT_CURVE},
        {LINK_WRONG_SERVER_KEY, TROUBLE_WRONG_SERVER_KEY}, {LINK_TRY_LATER, TROUBLE_TRY_LATER},
        {LINK_NO_LISTENER, TROUBLE_NO_LISTENER},
    };
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if ((trouble & order[i].bit) != 0) {
            return order[i].trouble;
        }
    }
    return TROUBLE_NONE;
}

/*
 * A handshake that broke off without a word: a wrong key, a peer without CURVE, or
 * a coordinator that ended just then. Not asked in a run: asking blocks.
 */
static enum session_trouble look_closer(struct session *s)
{
    enum greeting greeting = GREETING_UNKNOWN;
    if (s->assignment == NULL) {
        greeting = greeting_ask(s->setup->host, s->setup->port, GREETING_MS);
    }
    if (greeting == GREETING_NOT_CURVE) {
        return TROUBLE_NOT_CURVE;
    }
    if (greeting == GREETING_NOBODY) {
        return TROUBLE_NO_LISTENER;
    }
    s->broken_handshakes++;
    return s->broken_handshakes > 1 ? TROUBLE_WRONG_SERVER_KEY : TROUBLE_NONE;
}

static void control_trouble(struct session *s, unsigned trouble)
{
    if ((trouble & LINK_DISCONNECTED) != 0) {
        if (s->state == SESSION_WELCOMED) {
            session_say(s, TROUBLE_LOST);
        }
        s->is_connected = false;
        session_call_again(s, 0);
    }
    if ((trouble & LINK_CONNECTED) != 0) {
        s->is_connected = true;
        s->broken_handshakes = 0;
        if (s->state == SESSION_CALLING) {
            session_call_again(s, 0);
        }
        return;
    }
    enum session_trouble worst = worst_of(trouble);
    if (worst == TROUBLE_WRONG_SERVER_KEY) {
        worst = look_closer(s);
    }
    if (worst == TROUBLE_NO_LISTENER) {
        worst = session_nobody(s);
    }
    if (worst == TROUBLE_NONE) {
        return;
    }
    session_say(s, worst);
    if (worst == TROUBLE_NO_LISTENER || worst == TROUBLE_NO_NAME) {
        session_call_again(s, 0); /* the socket connects again by itself */
    } else {
        session_reopen_later(s); /* after these it never does, or only too often */
    }
}

static enum session_trouble look_closer_at_silence(const struct session *s)
{
    bool may_ask = !s->is_connected && s->assignment == NULL;
    return may_ask &&
                   greeting_ask(s->setup->host, s->setup->port, GREETING_MS) == GREETING_NOT_CURVE
               ? TROUBLE_NOT_CURVE
               : TROUBLE_SILENT;
}

static void look_for_trouble(struct session *s)
{
    if (s->ctrl != NULL) {
        control_trouble(s, link_trouble(s->ctrl));
    }
    if (s->data != NULL) {
        session_data_trouble(s, link_trouble(s->data));
    }
    uint64_t patience_ns = s->is_connected ? SILENCE_NS : NO_CONNECTION_NS;
    if (s->ctrl != NULL && s->now_ns > s->heard_ns && s->now_ns - s->heard_ns > patience_ns) {
        session_say(s, look_closer_at_silence(s));
        session_reopen_later(s);
    }
    if (s->state == SESSION_CLOSED && s->now_ns >= s->open_at_ns) {
        open_ctrl(s);
    }
}

static int timeout_ms(const struct session *s)
{
    uint64_t next_ns = s->state == SESSION_CLOSED ? s->open_at_ns : session_control_next_ns(s);
    uint64_t data_ns = session_data_next_ns(s);
    next_ns = data_ns < next_ns ? data_ns : next_ns;
    uint64_t now_ns = clock_monotonic_ns();
    if (next_ns <= now_ns) {
        return 0;
    }
    uint64_t left_ms = (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return left_ms < WAIT_LONGEST_MS ? (int)left_ms : WAIT_LONGEST_MS;
}

static void wait_for_something(struct session *s)
{
    struct link_socket *sockets[2];
    size_t socket_count = 0;
    if (s->ctrl != NULL) {
        sockets[socket_count++] = s->ctrl;
    }
    if (s->data != NULL) {
        sockets[socket_count++] = s->data;
    }
    struct pollfd fds[2] = {{.fd = s->setup->stop_fd, .events = POLLIN}};
    size_t fd_count = 1;
    if (s->assignment != NULL) {
        fds[fd_count++] =
            (struct pollfd){.fd = lane_thread_fd(s->assignment->lane), .events = POLLIN};
    }
    int rc = link_poll(sockets, socket_count, fds, fd_count, timeout_ms(s));
    if (rc < 0 && rc != -EINTR) {
        log_error("what=poll_failed errno=%d why=\"%s\"", -rc, strerror(-rc));
        s->end = SESSION_INTERNAL;
    } else if (rc >= 0 && (fds[0].revents & POLLIN) != 0) {
        log_info("what=stopped why=\"asked to stop\"");
        s->end = SESSION_STOPPED;
    } else if (rc >= 0 && fd_count > 1 && (fds[1].revents & POLLIN) != 0) {
        lane_thread_awake(s->assignment->lane);
    }
}

static void turn(struct session *s)
{
    s->now_ns = clock_monotonic_ns();
    session_receive_control(s);
    session_receive_data(s);
    look_for_trouble(s);
    session_collect(s);
    session_control_tick(s);
    session_data_tick(s);
    session_kept_tick(s);
}

static int session_init(struct session *s, const struct session_setup *setup)
{
    memset(s, 0, sizeof(*s));
    s->setup = setup;
    s->end = -1;
    s->now_ns = clock_monotonic_ns();
    randombytes_buf(&s->epoch, sizeof(s->epoch));
    s->epoch |= 1; /* 0 would mean: none */
    session_kept_find(s);
    int rc = setup->state_dir != NULL ? state_dir_note_epoch(setup->state_dir, s->epoch) : 0;
    if (rc < 0) {
        log_warn("what=state_dir_not_written errno=%d why=\"%s\" hint=\"if this agent is started "
                 "anew, its coordinator will not know at once that this one has ended\" continuing",
                 -rc, strerror(-rc));
    }
    s->arena = control_arena_new(ARENA_BYTES);
    s->out = malloc(LINK_CTRL_UP_BYTES);
    return s->arena == NULL || s->out == NULL ? -ENOMEM : 0;
}

static void session_fini(struct session *s)
{
    session_discard(s, NULL); /* its results wait in the state directory */
    ring_file_close(&s->kept.file, false);
    close_sockets(s);
    control_arena_free(s->arena);
    free(s->out);
}

enum session_end session_run(const struct session_setup *setup)
{
    static_assert((int)LINK_DATA_UP_BYTES <= (int)LINK_CTRL_UP_BYTES, "one buffer serves both");
    struct session s;
    if (session_init(&s, setup) < 0) {
        log_error("what=out_of_memory why=\"no memory for the session\"");
        s.end = SESSION_INTERNAL;
    }
    while (s.end < 0) {
        turn(&s);
        if (s.end < 0) {
            wait_for_something(&s);
        }
    }
    session_fini(&s);
    return (enum session_end)s.end;
}
