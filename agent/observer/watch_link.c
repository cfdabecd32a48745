/* SPDX-License-Identifier: MIT */
#include "agent/observer/watch_link.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/addresses.h"
#include "agent/edge/greeting.h"
#include "agent/edge/host_name.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/prng.h"

enum { MESSAGES_PER_TURN = 64, GREETING_MS = 1000 };

#define HELLO_EVERY_NS     NS_PER_S
#define BACKOFF_FIRST_NS   NS_PER_S
#define BACKOFF_LONGEST_NS (30 * NS_PER_S)
#define AFTER_RUN_NS       NS_PER_S
#define BUSY_AGAIN_NS      (2 * NS_PER_S)
#define REFUSED_AGAIN_NS   (5 * NS_PER_S)
#define SILENCE_NS         (10 * NS_PER_S) /* without a connection, or without an answer */
#define SAY_AGAIN_NS       (30 * NS_PER_S)
#define COMPLAIN_EVERY_NS  NS_PER_S
#define GONE_NS            (30 * NS_PER_S) /* a coordinator that resumes its run is back by then */

/* --- what is said --- */

enum saying {
    SAY_NO_LISTENER,
    SAY_NO_NAME,
    SAY_KEY_REFUSED,
    SAY_TRY_LATER,
    SAY_WRONG_SERVER_KEY,
    SAY_NOT_CURVE,
    SAY_SILENT,
    SAY_LOST,
    SAY_GONE,
    SAY_BUSY,
    SAY_NOTHING
};

static const struct {
    const char *what, *why;
} sayings[] = {
    [SAY_NO_LISTENER] = {"no_listener", "nobody listens there; start `leaseherd run` there or "
                                        "correct --coordinator"},
    [SAY_NO_NAME] = {"unknown_host", "this name is not known on this host; correct --coordinator "
                                     "or give an address"},
    [SAY_KEY_REFUSED] = {"key_refused", "the coordinator does not list this observer's key; enrol "
                                        "it there: leaseherd keys agent NAME --role observer "
                                        "--public 'KEY'"},
    [SAY_TRY_LATER] = {"try_later", "the coordinator takes nobody now"},
    [SAY_WRONG_SERVER_KEY] = {"wrong_server_key", "the coordinator has another key than "
                                                  "--server-key says; copy its coordinator.pub to "
                                                  "this host"},
    [SAY_NOT_CURVE] = {"not_curve", "what listens there does not speak CURVE, so it is no "
                                    "leaseherd coordinator; correct --coordinator"},
    [SAY_SILENT] = {"coordinator_silent", "no coordinator answers there; look at --coordinator, "
                                          "the network and the coordinator's log"},
    [SAY_LOST] = {"coordinator_lost", "the connection broke"},
    [SAY_GONE] = {"coordinator_gone", "the run that was watched has no coordinator any more"},
    [SAY_BUSY] = {"coordinator_busy", "the coordinator has no place for this observer in its run"},
};

/* Once per change; that nobody is there, every now and then. */
static void say(struct watch_link *w, enum saying saying)
{
    bool is_repeated = saying == SAY_NO_LISTENER || saying == SAY_NO_NAME;
    if (w->said == (int)saying && !(is_repeated && w->now_ns - w->said_ns >= SAY_AGAIN_NS)) {
        return;
    }
    w->said = (int)saying;
    w->said_ns = w->now_ns;
    char key[KEY_Z85_BYTES] = "";
    if (saying == SAY_KEY_REFUSED) {
        key_to_z85(w->setup->own->public_key, key);
    }
    log_warn("what=%s coordinator=%s:%u%s%s why=\"%s\" trying again", sayings[saying].what,
             w->setup->host, w->setup->port, key[0] == '\0' ? "" : " key=", key,
             sayings[saying].why);
}

static void complain(struct watch_link *w, const char *kind, const char *why)
{
    if (w->complained_ns != 0 && w->now_ns - w->complained_ns < COMPLAIN_EVERY_NS) {
        return;
    }
    w->complained_ns = w->now_ns;
    log_warn("what=message_ignored kind=%s why=\"%s\" continuing", kind, why);
}

/* --- the connection --- */

static void close_socket(struct watch_link *w)
{
    w->is_over = w->is_over || w->state == WATCH_ON;
    link_close(w->ctrl);
    w->ctrl = NULL;
    w->is_connected = false;
    w->state = WATCH_CLOSED;
}

static void reopen_later(struct watch_link *w)
{
    close_socket(w);
    w->backoff_ns = w->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * w->backoff_ns;
    w->backoff_ns = w->backoff_ns > BACKOFF_LONGEST_NS ? BACKOFF_LONGEST_NS : w->backoff_ns;
    /* Up to a quarter earlier, differently for each: no thundering herd. */
    double jitter = prng_unit(prng_mix(w->epoch, w->attempts++, 0)) / 4;
    w->open_at_ns = w->now_ns + w->backoff_ns - (uint64_t)(jitter * (double)w->backoff_ns);
}

static void call_again(struct watch_link *w, uint64_t after_ns)
{
    w->state = WATCH_CALLING;
    w->hello_at_ns = w->now_ns + after_ns;
    w->heard_ns = w->hello_at_ns;
}

static void open_socket(struct watch_link *w)
{
    char why[LINK_WHY_BYTES] = "";
    const struct watch_setup *setup = w->setup;
    if (link_client_open(setup->context, LINK_CTRL, setup->host, setup->port, setup->server_key,
                         setup->own, &w->ctrl, why) < 0) {
        w->ctrl = NULL;
        log_warn("what=connect_failed why=\"%s\" trying again", why);
        reopen_later(w);
        return;
    }
    call_again(w, 0);
}

static enum saying nobody_or_no_name(const struct watch_link *w)
{
    return greeting_is_name_known(w->setup->host) ? SAY_NO_LISTENER : SAY_NO_NAME;
}

/* A handshake that broke off without a word. Asking blocks, but no run is watched now. */
static enum saying look_closer(struct watch_link *w)
{
    switch (greeting_ask(w->setup->host, w->setup->port, GREETING_MS)) {
    case GREETING_NOT_CURVE:
        return SAY_NOT_CURVE;
    case GREETING_NOBODY:
        return nobody_or_no_name(w);
    case GREETING_CURVE:
    case GREETING_UNKNOWN:
        break;
    }
    w->broken++;
    return w->broken > 1 ? SAY_WRONG_SERVER_KEY : SAY_NOTHING;
}

/* The first of these that is set explains the others. */
static enum saying worst_of(struct watch_link *w, unsigned trouble)
{
    if ((trouble & LINK_KEY_REFUSED) != 0) {
        return SAY_KEY_REFUSED;
    }
    if ((trouble & LINK_NOT_CURVE) != 0) {
        return SAY_NOT_CURVE;
    }
    if ((trouble & LINK_WRONG_SERVER_KEY) != 0) {
        return look_closer(w);
    }
    if ((trouble & LINK_TRY_LATER) != 0) {
        return SAY_TRY_LATER;
    }
    return (trouble & LINK_NO_LISTENER) != 0 ? nobody_or_no_name(w) : SAY_NOTHING;
}

static void look_for_trouble(struct watch_link *w)
{
    unsigned trouble = link_trouble(w->ctrl);
    if ((trouble & LINK_DISCONNECTED) != 0) {
        if (w->state == WATCH_ON) {
            say(w, SAY_LOST);
            w->lost_ns = w->now_ns;
        }
        w->is_connected = false;
        call_again(w, 0);
    }
    if ((trouble & LINK_CONNECTED) != 0) {
        w->is_connected = true;
        w->broken = 0;
        if (w->state == WATCH_CALLING) {
            call_again(w, 0);
        }
        return;
    }
    enum saying worst = worst_of(w, trouble);
    if (worst == SAY_NO_LISTENER || worst == SAY_NO_NAME) {
        say(w, worst);
        call_again(w, 0); /* the socket connects again by itself */
    } else if (worst != SAY_NOTHING) {
        say(w, worst);
        reopen_later(w); /* after these it never does, or only too often */
    }
}

/* --- messages --- */

/* What is lost is said again, so whether it left is asked only where it matters. */
static int send_message(struct watch_link *w, struct control_message *m)
{
    m->session = m->kind == CONTROL_OBSERVER_HELLO ? CONTROL_SESSION_UNKNOWN : w->session;
    size_t size = control_encode(m, w->out, LINK_CTRL_UP_BYTES);
    assert(size > 0 && size <= LINK_CTRL_UP_BYTES);
    return link_send(w->ctrl, NULL, w->out, size);
}

static void say_hello(struct watch_link *w)
{
    struct ipv4 addresses[CONTROL_OBSERVER_ADDRESSES_MAX];
    struct control_message m = {.kind = CONTROL_OBSERVER_HELLO};
    struct control_observer_hello *hello = &m.u.observer_hello;
    hello->proto_min = hello->proto_max = CONTROL_PROTO;
    (void)snprintf(hello->build, sizeof(hello->build), "%s", LEASEHERD_VERSION);
    host_name_ask(hello->host);
    memcpy(hello->program, w->program, sizeof(hello->program));
    hello->epoch = w->epoch;
    hello->addresses = addresses;
    int rc = addresses_list(NULL, addresses, CONTROL_OBSERVER_ADDRESSES_MAX, &hello->address_count);
    if (rc < 0) {
        log_warn("what=addresses_unknown errno=%d why=\"%s\" continuing", -rc, strerror(-rc));
        hello->address_count = 0;
    }
    (void)send_message(w, &m);
    w->hello_at_ns = w->now_ns + HELLO_EVERY_NS;
}

static void welcomed(struct watch_link *w, const struct control_welcome *welcome)
{
    if (w->state == WATCH_ON && welcome->session == w->session) {
        return; /* told twice */
    }
    if (w->state != WATCH_ON) {
        log_info("what=watching coordinator=%s:%u", w->setup->host, w->setup->port);
    }
    w->state = WATCH_ON;
    w->lost_ns = 0;
    w->session = welcome->session;
    w->backoff_ns = 0;
    w->said = -1;
    memset(w->told, 0, sizeof(w->told));
}

static void refused(struct watch_link *w, const struct control_refuse *refuse)
{
    bool is_for_good = refuse->code == REFUSAL_VERSION || refuse->code == REFUSAL_DUPLICATE_AGENT;
    w->is_over = w->is_over || w->state == WATCH_ON;
    if (refuse->code == REFUSAL_BUSY) {
        say(w, SAY_BUSY);
        call_again(w, BUSY_AGAIN_NS);
        return;
    }
    log_error("what=refused code=%s why=\"%s\"%s", control_refusal_name(refuse->code), refuse->text,
              is_for_good ? "" : " trying again");
    w->is_refused = is_for_good;
    if (refuse->code == REFUSAL_KEY) {
        reopen_later(w); /* it hears nothing more over this connection */
    } else {
        call_again(w, REFUSED_AGAIN_NS);
    }
}

static void answer_clock(struct watch_link *w, const struct control_clock_request *request,
                         uint64_t received_ns)
{
    struct control_message m = {.kind = CONTROL_CLOCK_REPLY};
    m.u.clock_reply.id = request->id;
    m.u.clock_reply.t1_ns = request->t1_ns;
    m.u.clock_reply.t2_ns = received_ns;
    m.u.clock_reply.t3_ns = clock_monotonic_ns();
    (void)send_message(w, &m);
}

static void handle(struct watch_link *w, const struct control_message *m, uint64_t received_ns)
{
    if (m->kind == CONTROL_WELCOME) {
        welcomed(w, &m->u.welcome);
    } else if (m->kind == CONTROL_REFUSE) {
        refused(w, &m->u.refuse);
    } else if (w->state != WATCH_ON || m->session != w->session) {
        complain(w, control_kind_name(m->kind), "it belongs to another session");
    } else if (m->kind == CONTROL_CLOCK_REQUEST) {
        answer_clock(w, &m->u.clock_request, received_ns);
    } else if (m->kind == CONTROL_BYE) {
        log_info("what=run_over why=\"%s\"", m->u.bye.text);
        close_socket(w);
        w->said = -1;
        w->open_at_ns = w->now_ns + AFTER_RUN_NS;
    } else {
        complain(w, control_kind_name(m->kind), "an observer has no part in what a run does");
    }
}

static void receive(struct watch_link *w)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && w->ctrl != NULL && !w->is_refused; i++) {
        if (link_receive(w->ctrl, &from, &bytes, &size) <= 0) {
            return;
        }
        uint64_t received_ns = clock_monotonic_ns();
        w->heard_ns = received_ns;
        struct control_message m;
        char why[CONTROL_WHY_BYTES] = "";
        if (!control_decode(w->arena, bytes, size, &m, why)) {
            complain(w, "unreadable", why);
        } else if (!control_kind_is_allowed(m.kind, false, false)) {
            complain(w, control_kind_name(m.kind), "a coordinator does not send it here");
        } else {
            handle(w, &m, received_ns);
        }
    }
}

/* --- the caller's side --- */

bool watch_link_init(struct watch_link *w, const struct watch_setup *setup, uint64_t now_ns)
{
    memset(w, 0, sizeof(*w));
    w->setup = setup;
    w->said = -1;
    w->now_ns = w->open_at_ns = now_ns;
    randombytes_buf(&w->epoch, sizeof(w->epoch));
    w->epoch |= 1; /* 0 would mean: none */
    (void)snprintf(w->program, sizeof(w->program), "unknown");
    /* Nothing that an observer needs is large; a plan, which it does not, is not decoded. */
    w->arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    w->out = malloc(LINK_CTRL_UP_BYTES);
    return w->arena != NULL && w->out != NULL;
}

void watch_link_fini(struct watch_link *w)
{
    close_socket(w);
    control_arena_free(w->arena);
    free(w->out);
}

void watch_link_turn(struct watch_link *w, uint64_t now_ns)
{
    w->now_ns = now_ns;
    if (w->state == WATCH_CLOSED && now_ns >= w->open_at_ns) {
        open_socket(w);
    }
    receive(w);
    if (w->ctrl != NULL) {
        look_for_trouble(w);
    }
    if (w->lost_ns != 0 && now_ns - w->lost_ns >= GONE_NS) {
        say(w, SAY_GONE);
        w->lost_ns = 0;
        w->is_over = true;
    }
    bool is_silent =
        w->state == WATCH_CALLING && now_ns > w->heard_ns && now_ns - w->heard_ns > SILENCE_NS;
    if (is_silent) {
        say(w, SAY_SILENT);
        reopen_later(w);
    } else if (w->state == WATCH_CALLING && now_ns >= w->hello_at_ns) {
        say_hello(w);
    }
}

uint64_t watch_link_next_ns(const struct watch_link *w)
{
    switch (w->state) {
    case WATCH_CLOSED:
        return w->open_at_ns; /* before it is gone, or soon after */
    case WATCH_CALLING:
        return w->hello_at_ns;
    case WATCH_ON:
        break;
    }
    return UINT64_MAX;
}

void watch_link_tell(struct watch_link *w, struct observation *o)
{
    struct control_message m = {.kind = CONTROL_OBSERVATION};
    observation_leave_out_impossible(o);
    bool is_new[NOTE_KIND_COUNT];
    for (size_t i = 0; i < NOTE_KIND_COUNT; i++) {
        if (o->note[i][0] == '\0' && w->told[i][0] != '\0') {
            /* Nothing said would leave what was said. */
            observation_set_note(o, (enum observer_note_kind)i, "none any more");
        }
        is_new[i] = strcmp(o->note[i], w->told[i]) != 0;
        if (!is_new[i]) {
            o->note[i][0] = '\0';
        }
    }
    m.u.observation = o;
    if (send_message(w, &m) < 0) {
        return; /* its notes are told with the next */
    }
    for (size_t i = 0; i < NOTE_KIND_COUNT; i++) {
        if (is_new[i]) {
            memcpy(w->told[i], o->note[i], sizeof(w->told[i]));
        }
    }
}
