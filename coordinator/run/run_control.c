/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_preflight.h"
#include "coordinator/run/run_trail.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

enum { MESSAGES_PER_TURN = 1024 };

/* Until the clock is known samples come fast; then often, as two clocks part by up to 1 us a ms. */
#define CLOCK_FAST_NS   (10 * NS_PER_MS)
#define CLOCK_SLOW_NS   (250 * NS_PER_MS)
#define CLOCK_SHARE_NS  (2500 * NS_PER_US) /* a fleet asks at most 400 times a second */
#define CLOCK_ANSWER_NS NS_PER_S
#define CLOCK_ROW_EVERY 4 /* samples between two rows of the ledger's clock table */

static void fill_peer(const struct roster_agent *a, const struct roster_route *route,
                      struct link_peer *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->name, a->name,
           sizeof(out->name) < sizeof(a->name) ? sizeof(out->name) - 1 : sizeof(a->name));
    memcpy(out->route, route->bytes, route->size);
    out->route_bytes = route->size;
}

void run_send(struct run *run, struct roster_agent *a, struct control_message *m)
{
    const struct roster_route *route = control_kind_is_data(m->kind) ? &a->data : &a->ctrl;
    if (route->size == 0) {
        return;
    }
    struct link_peer peer;
    fill_peer(a, route, &peer);
    m->session = a->session;
    int rc = hub_send(run->hub, &peer, m);
    if (rc < 0) {
        /* Gone or stuck: silence will show it, and every message is repeated or has a deadline. */
        log_debug("what=send_failed agent=%s kind=%s errno=%d", a->name, control_kind_name(m->kind),
                  -rc);
    }
}

void run_send_all(struct run *run, struct control_message *m)
{
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost || (a->is_returned && m->kind == CONTROL_BYE)) {
            run_send(run, &run->roster.agents[i], m);
        }
    }
}

static void refuse_peer(struct run *run, const struct link_peer *to, enum control_refusal code,
                        const char *text)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = code;
    snprintf(m.u.refuse.text, sizeof(m.u.refuse.text), "%s", text);
    (void)hub_send(run->hub, to, &m); /* the peer asks again if this is lost */
    uint64_t unsaid;
    if (hub_may_say(run->hub, HUB_REFUSED, &unsaid)) {
        log_warn("what=agent_refused agent=%s code=%s why=\"%s\" unsaid=%llu", to->name,
                 control_refusal_name(code), text, (unsigned long long)unsaid);
    }
}

static uint64_t random_session(void)
{
    uint64_t session;
    do {
        randombytes_buf(&session, sizeof(session));
    } while (session == CONTROL_SESSION_UNKNOWN);
    return session;
}

static void send_welcome(struct run *run, struct roster_agent *a)
{
    struct control_message m = {.kind = CONTROL_WELCOME};
    m.u.welcome.proto = CONTROL_PROTO;
    m.u.welcome.session = a->session;
    memcpy(m.u.welcome.run_id, run->plan.run_id, PLAN_RUN_ID_BYTES);
    m.u.welcome.data_port = hub_data_port(run->hub);
    if (run->ledger != NULL) {
        m.u.welcome.committed_batch =
            ledger_committed(run->ledger, (uint32_t)roster_index(&run->roster, a));
    }
    m.u.welcome.deliver_epoch = a->is_returned ? a->epoch : 0;
    run_send(run, a, &m);
}

static void welcome(struct run *run, const struct link_peer *from, struct roster_agent *a)
{
    memcpy(a->key, from->key, sizeof(a->key));
    memcpy(a->ctrl.bytes, from->route, from->route_bytes);
    a->ctrl.size = from->route_bytes;
    a->data.size = 0;
    a->clock_id = 0;
    a->is_owed_word = true;
    send_welcome(run, a);
    log_info("what=agent_joined agent=%s host=%s cores=%u addresses=%zu", a->name, a->host,
             (unsigned)a->cores, a->address_count);
}

/* One that had told all it knew is no loss. */
static void process_has_ended(struct run *run, struct roster_agent *a)
{
    if (!a->is_done || !a->has_final) {
        run_lose_agent(run, a, "was restarted; its clients are gone with it");
    }
}

/* Its clients are gone, but what it has kept belongs into the ledger. */
static void welcome_back(struct run *run, const struct link_peer *from, struct roster_agent *a,
                         const struct control_hello *hello)
{
    process_has_ended(run, a);
    welcome(run, from, a);
    log_info("what=agent_returned agent=%s kept_batches=%llu why=\"what it has not delivered yet "
             "is taken; its clients are gone\"",
             a->name, (unsigned long long)hello->kept_last_seq);
}

static void handle_hello(struct run *run, const struct link_peer *from,
                         const struct control_hello *hello)
{
    if (from->role != KEY_ROLE_AGENT) {
        refuse_peer(run, from, REFUSAL_BUSY, "this key has another role than agent");
        return;
    }
    if (hello->proto_min > CONTROL_PROTO || hello->proto_max < CONTROL_PROTO) {
        char text[CONTROL_TEXT_BYTES];
        snprintf(
            text, sizeof(text),
            "the coordinator (%s) speaks protocol %d, this agent (%s) %u to %u; install the same "
            "version on both",
            LEASEHERD_VERSION, CONTROL_PROTO, hello->build, (unsigned)hello->proto_min,
            (unsigned)hello->proto_max);
        refuse_peer(run, from, REFUSAL_VERSION, text);
        return;
    }
    struct roster_agent *a = roster_repeated_hello(&run->roster, from->name, hello->epoch,
                                                   from->route, from->route_bytes);
    if (a != NULL) {
        send_welcome(run, a);
        return;
    }
    memcpy(run->roster.run_id, run->plan.run_id, sizeof(run->roster.run_id));
    switch (roster_hello(&run->roster, from->name, hello, run->phase == RUN_GATHER,
                         random_session(), run->now_ns, &a)) {
    case ROSTER_WELCOME:
        welcome(run, from, a);
        break;
    case ROSTER_DUPLICATE:
        refuse_peer(run, from, REFUSAL_DUPLICATE_AGENT,
                    "another agent with this name is connected; give each agent a key of its own");
        break;
    case ROSTER_RETURNED:
        welcome_back(run, from, a, hello);
        break;
    case ROSTER_BUSY:
        if (a != NULL) {
            process_has_ended(run, a);
        }
        refuse_peer(run, from, REFUSAL_BUSY,
                    "a run without this agent is going on; it may join the next");
        break;
    case ROSTER_NO_MEMORY:
        run_refuse(run, 6, "out of memory");
        break;
    }
}

/* `agent_us`: an instant of its clock; the row says what to add to it for run time. */
static void note_clock(struct run *run, const struct roster_agent *a, uint64_t agent_us)
{
    struct clock_reading clock = clock_map_latest(&a->clock);
    /* Signed: after a restart of this host the run began before the clock did. */
    int64_t to_run_us =
        -(clock.offset_ns / (int64_t)NS_PER_US) - (int64_t)run->start_ns / (int64_t)NS_PER_US;
    if (ledger_add_clock(run->ledger, (uint32_t)roster_index(&run->roster, a), agent_us, to_run_us,
                         clock.uncertainty_ns / NS_PER_US + 1) < 0) {
        run_ledger_failed(run);
    }
}

void run_note_clocks(struct run *run)
{
    for (size_t i = 0; i < run->roster.count && !run->is_ledger_broken; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost && roster_has_clock(a)) {
            note_clock(run, a, clock_map_to_agent_ns(&a->clock, run->now_ns) / NS_PER_US);
        }
    }
}

static void handle_clock_reply(struct run *run, struct roster_agent *a,
                               const struct control_clock_reply *reply)
{
    if (a->clock_id == 0 || reply->id != a->clock_id || reply->t1_ns != a->clock_asked_ns) {
        return;
    }
    a->clock_id = 0;
    if (!clock_map_add(&a->clock, reply->t1_ns, reply->t2_ns, reply->t3_ns, clock_monotonic_ns())) {
        return;
    }
    if (run->truth == NULL) {
        return;
    }
    size_t index = roster_index(&run->roster, a);
    struct clock_reading clock = clock_map_latest(&a->clock);
    int64_t offset_us = clock.offset_ns / (int64_t)NS_PER_US;
    uint64_t uncertainty_us = clock.uncertainty_ns / NS_PER_US + 1;
    const struct truth_clock known = {offset_us, uncertainty_us, clock_map_rate_ppm(&a->clock),
                                      a->clock.breaks};
    truth_agent_clock(run->truth, index, &known);
    /* A start that is only guessed would be taken for known when it is read back. */
    if (run->start_ns != 0 && !run->is_start_guessed && a->clock.count % CLOCK_ROW_EVERY == 0 &&
        !run->is_ledger_broken) {
        note_clock(run, a, reply->t2_ns / NS_PER_US);
    }
}

static void handle_beat(struct run *run, struct roster_agent *a, const struct control_beat *beat)
{
    if (run->phase == RUN_OVER || a->is_lost) {
        return;
    }
    struct control_message m = {.kind = CONTROL_GRANT};
    m.u.grant.boottime_ns = beat->boottime_ns;
    m.u.grant.duration_ns = RUN_LEASE_NS;
    a->last_grant_ns = run->now_ns;
    run_send(run, a, &m);
}

/* The agent sends nothing any more, but is there: what it has measured is still collected. */
static bool was_halted(struct run *run, const struct roster_agent *a,
                       const struct control_refuse *r)
{
    static const struct {
        enum control_refusal code;
        const char *id, *remedy;
    } halts[] = {
        {REFUSAL_TOTAL, "policy-total",
         "raise total_packets: in the agent's policy, or ask for less"},
        {REFUSAL_SENDS, "sends-refused",
         "find what refuses there: nft list ruleset, ip route get ADDRESS, the link's queue"},
        {REFUSAL_PROHIBITED, "sends-prohibited",
         "ask whoever filters between agent and server before this load goes there again"},
    };
    char summary[CONTROL_TEXT_BYTES + PLAN_NAME_BYTES + 16];
    for (size_t i = 0; i < ARRAY_LEN(halts); i++) {
        if (halts[i].code == r->code && run->truth != NULL) {
            snprintf(summary, sizeof(summary), "agent %s: %s", a->name, r->text);
            run_finding(run, halts[i].id, "error", summary,
                        "told by the agent, which stopped sending", halts[i].remedy);
            run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL, "%s: %s", halts[i].id, summary);
            return true;
        }
    }
    return false;
}

static void handle_refusal(struct run *run, struct roster_agent *a, const struct control_refuse *r)
{
    int code = 2;
    if (was_halted(run, a, r)) {
        return;
    }
    if (run_reassign_refused(run, a, r) || run_preflight_refused(run, a, r)) {
        return;
    }
    if (r->code == REFUSAL_ADDRESS) {
        code = 5;
    } else if (r->code == REFUSAL_RESOURCES) {
        code = 6;
    }
    if (run->phase == RUN_PREPARE || run->phase == RUN_GATHER) {
        run_refuse(run, code, "agent %s refused the plan: %s", a->name, r->text);
    } else {
        run_lose_agent(run, a, r->text);
    }
}

static void handle_ready(struct run *run, struct roster_agent *a, const struct control_ready *ready)
{
    if (memcmp(ready->plan_hash, run->plan_hash, PLAN_HASH_BYTES) != 0) {
        run_refuse(run, 6, "agent %s is ready for another plan than ours (hash differs)", a->name);
        return;
    }
    if (!a->is_ready) {
        run_trail_ready(run, a, ready->memory_bytes);
    }
    a->is_ready = true;
}

static void handle_done(struct roster_agent *a, const struct control_done *done)
{
    a->is_done = true;
    a->last_batch_seq = done->last_batch_seq;
    a->event_count = done->event_count;
}

/* From one that only delivers. All of it is acknowledged when it says so. */
static void handle_returned(struct run *run, struct roster_agent *a,
                            const struct control_message *m)
{
    uint64_t committed = 0;
    if (run->ledger != NULL) {
        committed = ledger_committed(run->ledger, (uint32_t)roster_index(&run->roster, a));
    }
    if (m->kind == CONTROL_CLOCK_REPLY) {
        handle_clock_reply(run, a, &m->u.clock_reply);
    } else if (m->kind == CONTROL_DONE && committed >= m->u.done.last_batch_seq) {
        log_info("what=agent_delivered agent=%s batches=%llu", a->name,
                 (unsigned long long)committed);
        struct control_message bye = {.kind = CONTROL_BYE};
        control_set_text(bye.u.bye.text, "what it had kept is in the ledger");
        run_send(run, a, &bye);
        a->is_returned = false;
        if (run->truth != NULL && run->start_ns != 0) {
            char text[PLAN_NAME_BYTES + 48];
            (void)snprintf(text, sizeof(text), "agent %s has delivered what it had kept", a->name);
            run_mark(run, run_time_us(run, run->now_ns), text);
        }
    }
}

static void handle_agent(struct run *run, struct roster_agent *a, const struct control_message *m)
{
    if (a->is_returned) {
        handle_returned(run, a, m);
        return;
    }
    if (m->kind == CONTROL_CLOCK_REPLY) {
        handle_clock_reply(run, a, &m->u.clock_reply);
    } else if (m->kind == CONTROL_BEAT) {
        handle_beat(run, a, &m->u.beat);
    } else if (m->kind == CONTROL_PROGRESS) {
        a->progress = m->u.progress;
        run_reassign_progress(run, a, &m->u.progress);
    } else if (m->kind == CONTROL_READY && run->phase == RUN_PREPARE) {
        handle_ready(run, a, &m->u.ready);
    } else if (m->kind == CONTROL_PREFLIGHT_REPORT) {
        run_take_preflight(run, a, &m->u.preflight_report);
    } else if (m->kind == CONTROL_ARMED) {
        a->is_armed = m->u.armed.generation == run->arm_generation;
    } else if (m->kind == CONTROL_DONE && run->phase >= RUN_DRAIN) {
        handle_done(a, &m->u.done);
    } else if (m->kind == CONTROL_REFUSE) {
        handle_refusal(run, a, &m->u.refuse);
    }
}

void run_receive_control(struct run *run)
{
    struct link_peer from;
    struct control_message m;
    for (unsigned i = 0; i < MESSAGES_PER_TURN && hub_receive(run->hub, HUB_CTRL, &from, &m) > 0;
         i++) {
        if (from.role == KEY_ROLE_OBSERVER || m.kind == CONTROL_OBSERVER_HELLO) {
            run_observers_take(run, &from, &m);
            continue;
        }
        if (m.kind == CONTROL_HELLO) {
            handle_hello(run, &from, &m.u.hello);
            continue;
        }
        struct roster_agent *a = roster_find(&run->roster, from.name, m.session);
        if (a == NULL || !roster_is_there(a)) {
            continue; /* leftovers of an older session */
        }
        memcpy(a->ctrl.bytes, from.route, from.route_bytes);
        a->ctrl.size = from.route_bytes;
        a->last_heard_ns = run->now_ns;
        handle_agent(run, a, &m);
    }
}

static void ask_clock(struct run *run, struct roster_agent *a)
{
    uint64_t share_ns = run->roster.count * CLOCK_SHARE_NS;
    uint64_t slow_ns = share_ns > CLOCK_SLOW_NS ? share_ns : CLOCK_SLOW_NS;
    uint64_t every_ns = clock_map_is_usable(&a->clock) ? slow_ns : CLOCK_FAST_NS;
    uint64_t wait_ns = a->clock_id != 0 ? CLOCK_ANSWER_NS : every_ns;
    if (run->now_ns - a->clock_asked_ns < wait_ns) {
        return;
    }
    struct control_message m = {.kind = CONTROL_CLOCK_REQUEST};
    a->clock_id = random_session();
    a->clock_asked_ns = clock_monotonic_ns();
    m.u.clock_request.id = a->clock_id;
    m.u.clock_request.t1_ns = a->clock_asked_ns;
    run_send(run, a, &m);
}

void run_move_start(struct run *run, uint64_t start_ns)
{
    uint64_t by_ns = start_ns - run->start_ns; /* modulo 2^64, as all of these */
    run->start_ns = start_ns;
    run->step_begun_ns += by_ns;
    agenda_move(&run->agenda, by_ns);
}

/* The start instant, exactly: the agent's clock went on while this host restarted. */
static void correct_start(struct run *run, const struct roster_agent *a)
{
    int64_t to_run_us;
    if (!run->is_start_guessed) {
        return;
    }
    if (ledger_last_clock(run->ledger, (uint32_t)roster_index(&run->roster, a), &to_run_us)) {
        int64_t offset_us = clock_map_latest(&a->clock).offset_ns / (int64_t)NS_PER_US;
        run_move_start(run, (uint64_t)(-(to_run_us + offset_us) * (int64_t)NS_PER_US));
        run->is_start_guessed = false;
    }
    run_note_absence(run);
    run->is_start_guessed = false; /* or the guess is all there is */
}

/* It was welcomed once more: what it was last told may have been lost with the connection. */
static void tell_again(struct run *run, struct roster_agent *a)
{
    if (!a->is_owed_word || !roster_has_clock(a)) {
        return;
    }
    a->is_owed_word = false;
    correct_start(run, a);
    if (run->phase == RUN_STAGE && !run_search_is_stage(run, run->stage)) {
        run_repeat_go(run, a);
    } else if (run->phase == RUN_DRAIN) {
        run_repeat_drain(run, a);
    }
}

void run_control_tick(struct run *run)
{
    /* A stall of our own says nothing about the agents: give them time to be heard again. */
    bool was_stalled = run->now_ns - run->ticked_ns > NS_PER_S;
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        if (a->is_lost) {
            if (a->is_returned && !roster_has_clock(a)) {
                ask_clock(run, a); /* after a resume: what it delivers has to be dated */
            } else if (a->is_returned) {
                correct_start(run, a); /* what is kept is of the same boot of its host */
            }
            continue;
        }
        if (was_stalled && a->last_heard_ns < run->now_ns) {
            a->last_heard_ns = run->now_ns;
        }
        ask_clock(run, a);
        tell_again(run, a);
        if (run->phase != RUN_GATHER && !a->is_done && run->now_ns > a->last_heard_ns &&
            run->now_ns - a->last_heard_ns > RUN_LEASE_ENDED_NS && !run_take_kept_final(run, a)) {
            run_lose_agent(run, a, "was not heard for 5.5 s");
        }
    }
    if (was_stalled && run->truth != NULL && run->start_ns != 0 && !run->is_start_guessed) {
        run_mark(run, run_time_us(run, run->now_ns), "the coordinator itself stood still");
    }
    run_observers_tick(run);
    run->ticked_ns = run->now_ns;
}
