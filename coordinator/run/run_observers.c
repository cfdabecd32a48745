/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_observers.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/key_list.h"
#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/truth/truth_observers.h"
#include "proto/control_arena.h"

/* As agents are asked, but nobody waits for an observer's clock. */
#define CLOCK_FAST_NS   (20 * NS_PER_MS)
#define CLOCK_SLOW_NS   (250 * NS_PER_MS)
#define CLOCK_ANSWER_NS NS_PER_S

enum { NOTE_ARENA_BYTES = 64 * 1024 };

void run_observers_free(struct run_observers *observers)
{
    if (observers != NULL) {
        observer_gate_fini(&observers->gate);
        free(observers);
    }
}

static struct observer_gate *gate_of(struct run *run)
{
    if (run->observers == NULL) {
        run->observers = calloc(1, sizeof(*run->observers));
    }
    return run->observers == NULL ? NULL : &run->observers->gate;
}

/* --- messages --- */

static void send_to(struct run *run, const struct observer_guest *g, struct control_message *m)
{
    struct link_peer peer;
    if (g->session == 0) {
        return;
    }
    memset(&peer, 0, sizeof(peer));
    (void)snprintf(peer.name, sizeof(peer.name), "%.*s", (int)sizeof(peer.name) - 1, g->name);
    memcpy(peer.route, g->route.bytes, g->route.size);
    peer.route_bytes = g->route.size;
    m->session = g->session;
    (void)hub_send(run->hub, &peer, m); /* it asks again, or is silent and marked */
}

static void refuse(struct run *run, const struct link_peer *to, enum control_refusal code,
                   const char *text)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    uint64_t unsaid;
    m.u.refuse.code = code;
    control_set_text(m.u.refuse.text, text);
    (void)hub_send(run->hub, to, &m);
    if (hub_may_say(run->hub, HUB_REFUSED, &unsaid)) {
        log_warn("what=observer_refused observer=%s code=%s why=\"%s\" unsaid=%" PRIu64, to->name,
                 control_refusal_name(code), text, unsaid);
    }
}

static uint64_t random_number(void)
{
    uint64_t number;
    do {
        randombytes_buf(&number, sizeof(number));
    } while (number == CONTROL_SESSION_UNKNOWN);
    return number;
}

static void welcome(struct run *run, const struct link_peer *from, struct observer_guest *g)
{
    struct control_message m = {.kind = CONTROL_WELCOME};
    memcpy(g->key, from->key, sizeof(g->key));
    m.u.welcome.proto = CONTROL_PROTO;
    m.u.welcome.session = g->session;
    m.u.welcome.data_port = hub_data_port(run->hub); /* it has no use for it */
    memcpy(m.u.welcome.run_id, run->plan.run_id, PLAN_RUN_ID_BYTES);
    send_to(run, g, &m);
}

static bool versions_agree(struct run *run, const struct link_peer *from,
                           const struct control_observer_hello *hello)
{
    char text[CONTROL_TEXT_BYTES];
    if (hello->proto_min <= CONTROL_PROTO && hello->proto_max >= CONTROL_PROTO) {
        return true;
    }
    (void)snprintf(text, sizeof(text),
                   "the coordinator (%s) speaks protocol %d, this observer (%s) %u to %u; install "
                   "the same version on both",
                   LEASEHERD_VERSION, CONTROL_PROTO, hello->build, (unsigned)hello->proto_min,
                   (unsigned)hello->proto_max);
    refuse(run, from, REFUSAL_VERSION, text);
    return false;
}

static void take_hello(struct run *run, const struct link_peer *from,
                       const struct control_observer_hello *hello)
{
    struct observer_gate *gate = gate_of(run);
    struct observer_guest *g = NULL;
    if (from->role != KEY_ROLE_OBSERVER) {
        refuse(run, from, REFUSAL_KEY,
               "this key has another role than observer; enrol one: leaseherd keys agent NAME "
               "--role observer");
        return;
    }
    if (gate == NULL || !versions_agree(run, from, hello)) {
        return;
    }
    uint64_t session = random_number();
    switch (observer_gate_hello(gate, from->name, hello, from->route, from->route_bytes, session,
                                run->now_ns, &g)) {
    case OBSERVER_WELCOME:
        welcome(run, from, g);
        if (g->session == session && g->joins < OBSERVER_MARKS_MAX) {
            g->joins++;
            log_info("what=observer_joined observer=%s host=%s program=%s addresses=%zu", g->name,
                     hello->host, hello->program, hello->address_count);
        }
        break;
    case OBSERVER_DUPLICATE:
        refuse(run, from, REFUSAL_BUSY,
               "another observer with this name was heard a moment ago; give each a key of its "
               "own");
        break;
    case OBSERVER_FULL:
        refuse(run, from, REFUSAL_BUSY, "the run has as many observers as it takes");
        break;
    case OBSERVER_NO_MEMORY:
        break; /* it asks again */
    }
}

static void take_clock_reply(struct observer_guest *g, const struct control_clock_reply *reply)
{
    if (g->clock_id != 0 && reply->id == g->clock_id && reply->t1_ns == g->clock_asked_ns) {
        g->clock_id = 0;
        (void)clock_map_add(&g->clock, reply->t1_ns, reply->t2_ns, reply->t3_ns,
                            clock_monotonic_ns());
    }
}

/* --- to truth and into the journal --- */

static void note(struct run *run, const struct control_message *m, struct journal_entry *entry)
{
    size_t size = control_encode(m, run->observers->note, sizeof(run->observers->note));
    if (size > 0 && size <= sizeof(run->observers->note)) { /* always: it was decoded */
        entry->bytes = run->observers->note;
        entry->size = size;
        run_note(run, entry);
    }
}

static void note_guest(struct run *run, struct observer_guest *g)
{
    struct control_message m = {.kind = CONTROL_OBSERVER_HELLO, .session = 1};
    m.u.observer_hello = g->hello;
    note(run, &m,
         &(struct journal_entry){
             .kind = JOURNAL_OBSERVER, .run_us = run_time_us(run, run->now_ns), .text = {g->name}});
    g->is_noted = true;
}

static void note_frame(struct run *run, size_t index, const struct observer_held *held)
{
    const struct observer_guest *g = run->observers->gate.guest[index];
    struct control_message m = {.kind = CONTROL_OBSERVATION, .session = 1};
    uint64_t uncertainty_ns, unsaid;
    int64_t at_ns;
    if (!observer_guest_date(g, held, &at_ns, &uncertainty_ns)) {
        if (hub_may_say(run->hub, HUB_STREAM, &unsaid)) {
            log_info("what=frame_passed_over observer=%s why=\"it is dated at a time that cannot "
                     "be\" unsaid=%" PRIu64,
                     g->name, unsaid);
        }
        return;
    }
    m.u.observation = &held->frame;
    note(run, &m,
         &(struct journal_entry){.kind = JOURNAL_OBSERVATION,
                                 .run_us = run_time_us(run, (uint64_t)at_ns),
                                 .a = index,
                                 .b = uncertainty_ns / NS_PER_US + 1});
}

static bool can_be_noted(const struct run *run)
{
    return run->observers != NULL && run->truth != NULL && run->ledger != NULL &&
           run->start_ns != 0 && !run->is_start_guessed && !run->is_ledger_broken;
}

void run_observers_flush(struct run *run)
{
    if (!can_be_noted(run)) {
        return;
    }
    struct observer_gate *gate = &run->observers->gate;
    /* In their order, which is what numbers them. */
    for (size_t i = 0; i < gate->count; i++) {
        struct observer_guest *g = gate->guest[i];
        if (!g->is_noted) {
            note_guest(run, g);
        }
        for (size_t k = 0; clock_map_is_usable(&g->clock) && k < g->held_count; k++) {
            note_frame(run, i, &g->held[k]);
        }
        g->held_count = clock_map_is_usable(&g->clock) ? 0 : g->held_count;
    }
}

bool run_observers_tell(struct run *run, const struct journal_entry *entry)
{
    struct control_arena *arena = control_arena_new(NOTE_ARENA_BYTES);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];
    bool is_good = arena != NULL && entry->size > 0 &&
                   control_decode(arena, entry->bytes, entry->size, &m, why);
    if (is_good && entry->kind == JOURNAL_OBSERVER) {
        is_good = m.kind == CONTROL_OBSERVER_HELLO && entry->text[0] != NULL &&
                  truth_observer(run->truth, entry->text[0], &m.u.observer_hello);
    } else if (is_good) {
        is_good = m.kind == CONTROL_OBSERVATION && entry->a < OBSERVER_GATE_MAX &&
                  truth_observation(run->truth, (size_t)entry->a, entry->run_us, entry->b,
                                    m.u.observation);
    }
    control_arena_free(arena);
    return is_good;
}

bool run_observers_recall(struct run *run, const struct journal_entry *entry)
{
    struct control_arena *arena = control_arena_new(NOTE_ARENA_BYTES);
    struct observer_gate *gate = gate_of(run);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];
    bool is_good = arena != NULL && gate != NULL && entry->text[0] != NULL &&
                   control_decode(arena, entry->bytes, entry->size, &m, why) &&
                   m.kind == CONTROL_OBSERVER_HELLO &&
                   observer_gate_recall(gate, entry->text[0], &m.u.observer_hello);
    control_arena_free(arena);
    return is_good;
}

/* --- by time --- */

static void mark(struct run *run, struct observer_guest *g, const char *how)
{
    char text[RESULT_TEXT_BYTES];
    log_info("what=observer_changed observer=%s now=\"%s\"", g->name, how);
    if (g->marks < OBSERVER_MARKS_MAX && can_be_noted(run)) {
        g->marks++;
        (void)snprintf(text, sizeof(text), "observer %s is %s", g->name, how);
        run_mark(run, run_time_us(run, run->now_ns), text);
    }
}

static void ask_clock(struct run *run, struct observer_guest *g)
{
    uint64_t every_ns = clock_map_is_usable(&g->clock) ? CLOCK_SLOW_NS : CLOCK_FAST_NS;
    struct control_message m = {.kind = CONTROL_CLOCK_REQUEST};
    if (run->now_ns - g->clock_asked_ns < (g->clock_id != 0 ? CLOCK_ANSWER_NS : every_ns)) {
        return;
    }
    g->clock_id = random_number();
    g->clock_asked_ns = clock_monotonic_ns();
    m.u.clock_request.id = g->clock_id;
    m.u.clock_request.t1_ns = g->clock_asked_ns;
    send_to(run, g, &m);
}

void run_observers_tick(struct run *run)
{
    if (run->observers == NULL) {
        return;
    }
    struct observer_gate *gate = &run->observers->gate;
    bool was_stalled = run->now_ns - run->ticked_ns > NS_PER_S; /* ourselves */
    for (size_t i = 0; i < gate->count; i++) {
        struct observer_guest *g = gate->guest[i];
        if (g->session == 0) {
            continue;
        }
        if (was_stalled && g->last_heard_ns < run->now_ns) {
            g->last_heard_ns = run->now_ns;
        }
        if (!g->is_silent && run->now_ns - g->last_heard_ns > RUN_LEASE_ENDED_NS) {
            g->is_silent = true;
            mark(run, g, "silent");
        }
        ask_clock(run, g);
    }
    run_observers_flush(run);
}

void run_observers_take(struct run *run, const struct link_peer *from,
                        const struct control_message *m)
{
    if (m->kind == CONTROL_OBSERVER_HELLO) {
        take_hello(run, from, &m->u.observer_hello);
        return;
    }
    if (m->kind == CONTROL_HELLO) {
        refuse(run, from, REFUSAL_BUSY, "this key has another role than agent");
        return;
    }
    struct observer_gate *gate = gate_of(run);
    struct observer_guest *g =
        gate == NULL ? NULL : observer_gate_find(gate, from->name, m->session);
    if (g == NULL) {
        return; /* leftovers of an older session */
    }
    memcpy(g->route.bytes, from->route, from->route_bytes);
    g->route.size = from->route_bytes;
    g->last_heard_ns = run->now_ns;
    if (g->is_silent) {
        g->is_silent = false;
        mark(run, g, "back");
    }
    if (m->kind == CONTROL_CLOCK_REPLY) {
        take_clock_reply(g, &m->u.clock_reply);
    } else if (m->kind == CONTROL_OBSERVATION &&
               observer_guest_hold(g, m->u.observation, run->now_ns)) {
        run_observers_flush(run);
    }
}

void run_observers_check_keys(struct run *run, const char *today)
{
    for (size_t i = 0; run->observers != NULL && i < run->observers->gate.count; i++) {
        struct observer_guest *g = run->observers->gate.guest[i];
        struct control_message m = {.kind = CONTROL_REFUSE};
        if (g->session == 0 ||
            key_list_standing(&run->allowed, g->name, g->key, today) == KEY_STANDING_GOOD) {
            continue;
        }
        m.u.refuse.code = REFUSAL_KEY;
        control_set_text(m.u.refuse.text,
                         "this observer's key was revoked, replaced or has expired");
        send_to(run, g, &m);
        g->session = 0;
        mark(run, g, "shut out");
    }
}

void run_observers_say_bye(struct run *run)
{
    struct control_message m = {.kind = CONTROL_BYE};
    control_set_text(m.u.bye.text, "the run is over");
    for (size_t i = 0; run->observers != NULL && i < run->observers->gate.count; i++) {
        send_to(run, run->observers->gate.guest[i], &m);
    }
}
