/* SPDX-License-Identifier: MIT */
#include "agent/edge/session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/edge/addresses.h"
#include "agent/edge/host_name.h"
#include "common/clock.h"
#include "common/log.h"

enum { MESSAGES_PER_TURN = 256 };

#define HELLO_EVERY_NS   (500 * NS_PER_MS)
#define BEAT_EVERY_NS    NS_PER_S
#define BUSY_AGAIN_NS    (2 * NS_PER_S)
#define REFUSED_AGAIN_NS (5 * NS_PER_S)

/* --- HELLO --- */

static void say_hello(struct session *s, struct ipv4 *addresses)
{
    struct control_message m = {.kind = CONTROL_HELLO};
    struct control_hello *hello = &m.u.hello;
    hello->proto_min = CONTROL_PROTO;
    hello->proto_max = CONTROL_PROTO;
    (void)snprintf(hello->build, sizeof(hello->build), "%s", LEASEHERD_VERSION);
    host_name_ask(hello->host);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    hello->cores = cores > 0 ? (uint32_t)cores : 1;
    hello->epoch = s->epoch;
    int rc =
        addresses_list(s->setup->policy, addresses, CONTROL_ADDRESSES_MAX, &hello->address_count);
    if (rc < 0) {
        log_warn("what=addresses_unknown errno=%d why=\"%s\" continuing", -rc, strerror(-rc));
        hello->address_count = 0;
    }
    hello->addresses = addresses;
    session_kept_tell(s, hello);
    (void)session_send(s, &m); /* said again until WELCOME */
}

static void call(struct session *s)
{
    struct ipv4 *addresses = malloc(CONTROL_ADDRESSES_MAX * sizeof(*addresses));
    if (addresses != NULL) {
        say_hello(s, addresses);
    }
    free(addresses);
    s->hello_at_ns = s->now_ns + HELLO_EVERY_NS;
}

/* --- what comes --- */

static void welcomed(struct session *s, const struct control_welcome *welcome)
{
    if (s->state == SESSION_WELCOMED && welcome->session == s->id) {
        return; /* told twice; another id means that a repeated HELLO was answered, too */
    }
    s->is_delivering = false;
    if (welcome->deliver_epoch != 0 && !session_kept_deliver(s, welcome)) {
        session_complain(s, control_kind_name(CONTROL_WELCOME), "nothing is kept of what it wants");
        session_call_again(s, BUSY_AGAIN_NS);
        return;
    }
    bool is_same_run = memcmp(s->run_id, welcome->run_id, sizeof(s->run_id)) == 0;
    if (s->assignment != NULL && !is_same_run) {
        session_discard(s, "the coordinator came back with another run");
    }
    if (!is_same_run) {
        s->lease_until_ns = 0; /* it was another run's */
    }
    s->state = SESSION_WELCOMED;
    s->id = welcome->session;
    memcpy(s->run_id, welcome->run_id, sizeof(s->run_id));
    s->committed_batch = welcome->committed_batch;
    s->beat_at_ns = s->now_ns;
    s->backoff_ns = 0;
    s->said = TROUBLE_NONE;
    bool is_resumed = s->assignment != NULL;
    if (session_may_tell(s, is_resumed ? NEWS_RESUMED : NEWS_JOINED)) {
        log_info("what=joined coordinator=%s:%u%s", s->setup->host, s->setup->port,
                 is_resumed ? " run=resumed" : "");
    }
    if (session_data_open(s, welcome->data_port) < 0) {
        session_reopen_later(s);
        return;
    }
    session_resume(s);
}

static void refused(struct session *s, const struct control_refuse *refuse)
{
    bool is_for_good = refuse->code == REFUSAL_VERSION || refuse->code == REFUSAL_DUPLICATE_AGENT;
    if (is_for_good) {
        log_error("what=refused code=%s why=\"%s\"", control_refusal_name(refuse->code),
                  refuse->text);
        s->end = SESSION_REFUSED;
        return;
    }
    session_discard(s, "the coordinator refused this agent");
    session_data_close(s);
    if (refuse->code == REFUSAL_KEY) {
        log_error("what=refused code=%s why=\"%s\" trying again",
                  control_refusal_name(refuse->code), refuse->text);
        session_reopen_later(s); /* it hears nothing more over this connection */
        return;
    }
    if (refuse->code == REFUSAL_BUSY) {
        session_say(s, TROUBLE_BUSY);
        session_call_again(s, BUSY_AGAIN_NS);
        return;
    }
    log_error("what=refused code=%s why=\"%s\" trying again", control_refusal_name(refuse->code),
              refuse->text);
    session_call_again(s, REFUSED_AGAIN_NS);
}

static void answer_clock(struct session *s, const struct control_clock_request *request,
                         uint64_t received_ns)
{
    struct control_message m = {.kind = CONTROL_CLOCK_REPLY};
    m.u.clock_reply.id = request->id;
    m.u.clock_reply.t1_ns = request->t1_ns;
    m.u.clock_reply.t2_ns = received_ns;
    m.u.clock_reply.t3_ns = clock_monotonic_ns();
    (void)session_send(s, &m); /* a lost sample is replaced by the next */
}

static void granted(struct session *s, const struct control_grant *grant)
{
    if (grant->boottime_ns < s->grant_boottime_ns || grant->boottime_ns > clock_boottime_ns()) {
        session_complain(s, control_kind_name(CONTROL_GRANT), "it answers no beat of ours");
        return;
    }
    /* Counted from our own beat: an answer that took long only shortens it. */
    uint64_t duration_ns = grant->duration_ns < RUN_LEASE_NS ? grant->duration_ns : RUN_LEASE_NS;
    uint64_t until_ns = grant->boottime_ns + duration_ns;
    if (grant->boottime_ns == s->grant_boottime_ns && until_ns > s->lease_until_ns) {
        session_complain(s, control_kind_name(CONTROL_GRANT), "its beat was answered already");
        return;
    }
    s->grant_boottime_ns = grant->boottime_ns;
    s->lease_until_ns = until_ns;
    session_renew_lease(s);
}

static void run_is_over(struct session *s, const struct control_bye *bye)
{
    log_info("what=run_over why=\"%s\"", bye->text);
    session_close_run(s);
    session_discard(s, NULL);
    if (memcmp(s->kept.file.owner.run_id, s->run_id, sizeof(s->run_id)) == 0) {
        session_kept_forget(s, "the run is over"); /* what another run left waits on */
    }
    session_await_next_run(s);
    if (s->setup->is_once) {
        s->end = SESSION_STOPPED;
    }
}

static bool is_command(enum control_kind kind)
{
    return kind == CONTROL_PREFLIGHT || kind == CONTROL_ARM || kind == CONTROL_GO ||
           kind == CONTROL_DRAIN || kind == CONTROL_ADOPT || kind == CONTROL_TAKE;
}

static void handle(struct session *s, const struct control_message *m, uint64_t received_ns)
{
    if (m->kind == CONTROL_WELCOME) {
        welcomed(s, &m->u.welcome);
    } else if (m->kind == CONTROL_REFUSE) {
        refused(s, &m->u.refuse);
    } else if (s->state != SESSION_WELCOMED || m->session != s->id) {
        session_complain(s, control_kind_name(m->kind), "it belongs to another session");
    } else if (m->kind == CONTROL_CLOCK_REQUEST) {
        answer_clock(s, &m->u.clock_request, received_ns);
    } else if (m->kind == CONTROL_GRANT) {
        granted(s, &m->u.grant);
    } else if (m->kind == CONTROL_PREPARE) {
        session_prepare(s, &m->u.prepare);
    } else if (m->kind == CONTROL_BYE) {
        run_is_over(s, &m->u.bye);
    } else if (is_command(m->kind) && s->assignment != NULL) {
        session_obey(s, m);
    } else {
        session_complain(s, control_kind_name(m->kind), "no run is prepared here");
    }
}

void session_receive_control(struct session *s)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && s->ctrl != NULL && s->end < 0; i++) {
        if (link_receive(s->ctrl, &from, &bytes, &size) <= 0) {
            return;
        }
        uint64_t received_ns = clock_monotonic_ns();
        s->heard_ns = received_ns;
        struct control_message m;
        char why[CONTROL_WHY_BYTES] = "";
        if (!control_decode(s->arena, bytes, size, &m, why)) {
            session_complain(s, "unreadable", why);
        } else if (control_kind_is_data(m.kind) ||
                   (control_kind_is_from_agent(m.kind) && m.kind != CONTROL_REFUSE)) {
            session_complain(s, control_kind_name(m.kind), "a coordinator does not send it here");
        } else {
            handle(s, &m, received_ns);
        }
    }
}

/* --- what is due --- */

static void beat(struct session *s)
{
    struct control_message m = {.kind = CONTROL_BEAT};
    m.u.beat.boottime_ns = clock_boottime_ns();
    if (s->assignment != NULL) {
        m.u.beat.ring_used_permille = replay_ring_used_permille(&s->assignment->results.ring);
    }
    (void)session_send(s, &m); /* the next one is due in a second */
    s->beat_at_ns = s->now_ns + BEAT_EVERY_NS;
}

void session_control_tick(struct session *s)
{
    if (s->state == SESSION_CALLING && s->now_ns >= s->hello_at_ns) {
        call(s);
    } else if (s->state == SESSION_WELCOMED && s->now_ns >= s->beat_at_ns) {
        beat(s);
    }
}

uint64_t session_control_next_ns(const struct session *s)
{
    switch (s->state) {
    case SESSION_CLOSED:
        return s->open_at_ns;
    case SESSION_CALLING:
        return s->hello_at_ns;
    case SESSION_WELCOMED:
        return s->beat_at_ns;
    }
    return 0;
}
