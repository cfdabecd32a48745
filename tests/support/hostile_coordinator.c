/* SPDX-License-Identifier: MIT */
/*
 * The coordinator an agent trusts, gone mad; see hostile_mad.h for what it prints.
 *
 * The agent's policy allows: server 192.168.1.12, prefixes of its own address /24 and
 * 10.10.0.0/16, 200 packets/s, 50 clients, a run of 30 s.
 */
#include "tests/support/hostile_mad.h"
#include "tests/support/hostile_plans.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/prng.h"
#include "proto/control.h"
#include "proto/plan_seal.h"
#include "tests/support/control_samples.h"

enum { MUTATIONS = 1000, NOISE = 2000, DRAINS = 200 };

double mad_wall_s(void)
{
    return (double)clock_realtime_ns() / (double)NS_PER_S;
}

void mad_check(struct mad *c, bool is_good, const char *what)
{
    printf("%s %s\n", is_good ? "ok" : "FAIL", what);
    c->failed += !is_good;
}

void mad_quiet(double from_s, const char *what)
{
    printf("quiet %.6f %.6f %s\n", from_s, mad_wall_s(), what);
}

static void send_bytes(struct mad *c, unsigned socket, size_t size)
{
    int rc = link_send(c->socket[socket], &c->peer[socket], c->bytes, size);
    (void)rc; /* the agent may be away: what it does not answer is noticed */
}

static void tell_as(struct mad *c, struct control_message *m, uint64_t session)
{
    m->session = session;
    size_t size = control_encode(m, c->bytes, MAD_BYTES_MAX);
    if (size == 0 || size > MAD_BYTES_MAX) {
        printf("FAIL cannot encode %s\n", control_kind_name(m->kind));
        c->failed++;
        return;
    }
    send_bytes(c, control_kind_is_data(m->kind) ? 1 : 0, size);
}

void mad_tell(struct mad *c, struct control_message *m)
{
    tell_as(c, m, c->session);
}

/* --- what comes --- */

static void acknowledge(struct mad *c, uint64_t epoch)
{
    struct control_message m = {.kind = CONTROL_ACK};
    m.u.ack = (struct control_ack){.epoch = epoch,
                                   .committed_seq = c->committed,
                                   .limit_seq = c->committed + LINK_WINDOW_BATCHES};
    mad_tell(c, &m);
}

static void grant(struct mad *c, uint64_t boottime_ns)
{
    struct control_message m = {.kind = CONTROL_GRANT};
    m.u.grant.boottime_ns = boottime_ns;
    m.u.grant.duration_ns = RUN_LEASE_NS;
    mad_tell(c, &m);
}

static void hear_one(struct mad *c, const struct control_message *m)
{
    c->heard[m->kind]++;
    if (m->kind == CONTROL_BEAT) {
        c->agent_boot_ns = m->u.beat.boottime_ns;
        if (c->grants) {
            c->granted_s_e3 = (uint64_t)(mad_wall_s() * 1e3);
            grant(c, m->u.beat.boottime_ns);
        }
    } else if (m->kind == CONTROL_CLOCK_REPLY) {
        c->clock_id = m->u.clock_reply.id;
        c->agent_clock_ns = m->u.clock_reply.t3_ns;
    } else if (m->kind == CONTROL_REFUSE) {
        memcpy(c->why, m->u.refuse.text, sizeof(c->why));
    } else if (m->kind == CONTROL_PROGRESS) {
        c->progress = m->u.progress;
    } else if (m->kind == CONTROL_DATA_HELLO) {
        acknowledge(c, m->u.data_hello.epoch);
    } else if (m->kind == CONTROL_BATCH) {
        c->committed = m->u.batch.seq > c->committed ? m->u.batch.seq : c->committed;
        acknowledge(c, m->u.batch.epoch);
    }
}

static void turn(struct mad *c, int timeout_ms)
{
    if (link_poll(c->socket, 2, NULL, 0, timeout_ms) < 0) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct link_peer from;
        const uint8_t *bytes;
        size_t size;
        while (link_receive(c->socket[i], &from, &bytes, &size) > 0) {
            struct control_message m;
            char why[CONTROL_WHY_BYTES];
            c->peer[i] = from;
            if (!control_decode(c->arena, bytes, size, &m, why)) {
                mad_check(c, false, why);
            } else {
                hear_one(c, &m);
            }
        }
    }
}

void mad_turn_for(struct mad *c, double seconds)
{
    for (double until = mad_wall_s() + seconds; mad_wall_s() < until;) {
        turn(c, 20);
    }
}

/* Until a message of this kind came that had not come before the call. */
static bool await_from(struct mad *c, enum control_kind kind, unsigned before, double seconds)
{
    for (double until = mad_wall_s() + seconds; mad_wall_s() < until && c->heard[kind] == before;) {
        turn(c, 20);
    }
    return c->heard[kind] != before;
}

bool mad_await(struct mad *c, enum control_kind kind, double seconds)
{
    return await_from(c, kind, c->heard[kind], seconds);
}

void mad_still_lives(struct mad *c, const char *after)
{
    char text[128];
    struct control_message m = {.kind = CONTROL_CLOCK_REQUEST};
    uint64_t id = prng_next(&c->prng);
    m.u.clock_request = (struct control_clock_request){.id = id, .t1_ns = 1};
    mad_tell(c, &m);
    for (double until = mad_wall_s() + MAD_PATIENCE_S; mad_wall_s() < until && c->clock_id != id;) {
        turn(c, 20);
    }
    (void)snprintf(text, sizeof(text), "the agent lives after %s", after);
    mad_check(c, c->clock_id == id, text);
}

/* --- plans --- */

static void put_run(const struct mad *c, uint8_t run_id[PLAN_RUN_ID_BYTES])
{
    memset(run_id, (uint8_t)c->run, PLAN_RUN_ID_BYTES);
    run_id[1] = (uint8_t)(c->run >> 8);
}

static struct control_message welcome_of(struct mad *c)
{
    struct control_message m = {.kind = CONTROL_WELCOME};
    m.u.welcome.proto = CONTROL_PROTO;
    m.u.welcome.session = c->session;
    put_run(c, m.u.welcome.run_id);
    m.u.welcome.data_port = c->port[1];
    m.u.welcome.committed_batch = c->committed;
    return m;
}

/* Another run: the agent forgets the one it has. */
void mad_welcome_again(struct mad *c)
{
    c->session = prng_next(&c->prng) | 1;
    c->run++;
    struct control_message m = welcome_of(c);
    mad_tell(c, &m);
}

static struct ipv4 own_address(const struct mad *c)
{
    return sample_ipv4(ntohl(inet_addr(c->o->address)));
}

void mad_good_plan(const struct mad *c, struct plan *plan)
{
    hostile_good_plan(plan, (uint8_t)c->run, own_address(c));
    put_run(c, plan->run_id);
    plan->not_before_s = clock_realtime_ns() / NS_PER_S - 1;
    plan->not_after_s = plan->not_before_s + 3600;
    plan->agent_count = 1;
    memcpy(plan->agents[0].key, c->o->other, PLAN_AGENT_KEY_BYTES);
}

struct control_message mad_prepare_of(struct mad *c, const struct plan *plan)
{
    struct control_message m = {.kind = CONTROL_PREPARE};
    c->share = (struct control_share){.relay = 0, .client_count = plan->relays[0].client_count};
    m.u.prepare.plan = c->plan_bytes;
    m.u.prepare.plan_bytes = plan_encode(plan, c->plan_bytes, MAD_BYTES_MAX);
    if (m.u.prepare.plan_bytes > 0) {
        plan_hash(c->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
    }
    mad_sign(c, &m.u.prepare, c->o->signer);
    m.u.prepare.assignment_epoch = 1;
    m.u.prepare.shares = &c->share;
    m.u.prepare.share_count = 1;
    m.u.prepare.packets_per_s_max = plan->packets_per_s_max;
    return m;
}

/* 'R' for REFUSE, 'Y' for READY, '-' for neither. */
char mad_offer(struct mad *c, struct control_message *prepare)
{
    unsigned refused = c->heard[CONTROL_REFUSE], ready = c->heard[CONTROL_READY];
    mad_tell(c, prepare);
    for (double until = mad_wall_s() + MAD_PATIENCE_S; mad_wall_s() < until;) {
        turn(c, 20);
        if (c->heard[CONTROL_REFUSE] != refused) {
            return 'R';
        }
        if (c->heard[CONTROL_READY] != ready) {
            return 'Y';
        }
    }
    return '-';
}

static bool prepare_good(struct mad *c, struct plan *plan)
{
    mad_good_plan(c, plan);
    struct control_message m = mad_prepare_of(c, plan);
    return mad_offer(c, &m) == 'Y';
}

static void refuses_what_it_must(struct mad *c)
{
    for (size_t i = 0; i < hostile_plan_count; i++) {
        struct plan plan;
        char text[128];
        mad_good_plan(c, &plan);
        if (hostile_plans[i].is_in_plan) {
            hostile_plans[i].change(&plan, NULL);
        }
        struct control_message m = mad_prepare_of(c, &plan);
        if (!hostile_plans[i].is_in_plan) {
            hostile_plans[i].change(&plan, &m.u.prepare);
        }
        (void)snprintf(text, sizeof(text), "%s is refused", hostile_plans[i].what);
        mad_check(c, m.u.prepare.plan_bytes > 0 && mad_offer(c, &m) == 'R', text);
        plan_free(&plan);
    }
}

/* One byte of the plan changed, its hash corrected. */
static void refuses_changed_plans(struct mad *c)
{
    unsigned refused = 0, accepted = 0, wrong = 0;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct plan plan;
        char why[PLAN_WHY_BYTES];
        mad_good_plan(c, &plan);
        struct control_message m = mad_prepare_of(c, &plan);
        plan_free(&plan);
        size_t at = (size_t)prng_below(&c->prng, m.u.prepare.plan_bytes);
        c->plan_bytes[at] ^= (uint8_t)(1 + prng_below(&c->prng, 255));
        plan_hash(c->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
        mad_sign(c, &m.u.prepare, c->o->signer); /* else nothing of it would be looked at */
        char answer = mad_offer(c, &m);
        if (answer == 'Y') {
            bool is_decoded = plan_decode(c->plan_bytes, m.u.prepare.plan_bytes, &plan, why);
            wrong +=
                !is_decoded || !hostile_plan_is_allowed(&plan, (uint8_t)c->run, own_address(c));
            if (is_decoded) {
                plan_free(&plan);
            }
            accepted++;
            mad_welcome_again(c);
        }
        refused += answer == 'R';
    }
    printf("%s of %d changed plans %u were refused, %u were harmless, %u of these were not\n",
           wrong == 0 && refused + accepted == MUTATIONS ? "ok" : "FAIL", MUTATIONS, refused,
           accepted, wrong);
    c->failed += wrong != 0 || refused + accepted != MUTATIONS;
}

/* --- commands out of place --- */

static void command(struct mad *c, enum control_kind kind)
{
    struct control_message m;
    sample_message(kind, &m);
    if (kind == CONTROL_GO) {
        m.u.go.round = m.u.go.arrivals = m.u.go.stage = m.u.go.step = 0;
        m.u.go.start_at_ns = 1;
    } else if (kind == CONTROL_DRAIN) {
        m.u.drain.mode = DRAIN_GRACEFUL;
    }
    mad_tell(c, &m);
}

static void commands_nobody_prepared(struct mad *c)
{
    static const enum control_kind kinds[] = {CONTROL_PREFLIGHT, CONTROL_ADOPT, CONTROL_ARM,
                                              CONTROL_GO,        CONTROL_DRAIN, CONTROL_ACK};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        command(c, kinds[i]);
    }
    mad_still_lives(c, "commands without a plan");
}

/* Damaged messages, other sessions' and agents' own; not the few that may end a session. */
static void noise(struct mad *c)
{
    for (unsigned i = 0; i < NOISE; i++) {
        struct control_message m;
        enum control_kind kind =
            (enum control_kind)(1 + prng_below(&c->prng, CONTROL_KIND_COUNT - 1));
        bool is_final = kind == CONTROL_WELCOME || kind == CONTROL_REFUSE || kind == CONTROL_BYE ||
                        kind == CONTROL_DRAIN;
        sample_message(is_final ? CONTROL_GRANT : kind, &m);
        m.session = prng_next(&c->prng);
        size_t size = control_encode(&m, c->bytes, MAD_BYTES_MAX);
        for (uint64_t k = prng_below(&c->prng, 6); k > 0; k--) {
            /* Behind the kind's tag, or damage could make another kind of it. */
            size_t from = size > 16 ? 14 : size - 1;
            c->bytes[from + prng_below(&c->prng, size - from)] ^= (uint8_t)prng_next(&c->prng);
        }
        send_bytes(c, (unsigned)prng_below(&c->prng, 2), size);
        if (i % 100 == 0) {
            turn(c, 1);
        }
    }
    mad_still_lives(c, "2000 messages that make no sense");
}

/* Right to send that answers no beat, or lasts too long. */
static void false_grants(struct mad *c)
{
    static const uint64_t ahead_ns[] = {3600 * NS_PER_S, NS_PER_S, UINT64_C(1) << 62};
    for (size_t i = 0; i < ARRAY_LEN(ahead_ns); i++) {
        grant(c, c->agent_boot_ns + ahead_ns[i]);
    }
    struct control_message m = {.kind = CONTROL_GRANT, .session = c->session};
    m.u.grant =
        (struct control_grant){.boottime_ns = c->agent_boot_ns, .duration_ns = RUN_LEASE_NS};
    size_t size = control_encode(&m, c->bytes, MAD_BYTES_MAX);
    c->bytes[size - 1] = 0x7f; /* the last digit of the duration: seven times as long */
    send_bytes(c, 0, size);
}

static void no_packet_without_a_lease(struct mad *c)
{
    struct plan plan;
    c->grants = false;
    double from_s = mad_wall_s();
    mad_check(c, prepare_good(c, &plan), "a good plan is taken");
    command(c, CONTROL_PREFLIGHT);
    for (unsigned i = 0; i < 4; i++) {
        false_grants(c);
        mad_turn_for(c, 0.5);
    }
    mad_still_lives(c, "grants that answer nothing");
    mad_quiet(from_s, "grants that answer nothing let no packet out");
    command(c, CONTROL_ADOPT);
    mad_check(c, mad_await(c, CONTROL_REFUSE, MAD_PATIENCE_S),
              "leases of clients it does not play are refused");
    plan_free(&plan);
    mad_welcome_again(c);
}

static void go_absurd(struct mad *c)
{
    struct control_message m = {.kind = CONTROL_GO};
    m.u.go = (struct control_go){.stage = PLAN_STAGES_MAX - 1, .start_at_ns = 1};
    mad_tell(c, &m);
    m.u.go = (struct control_go){.start_at_ns = 1,
                                 .client_limit = PLAN_CLIENTS_MAX,
                                 .batch = PLAN_CLIENTS_MAX,
                                 .is_last_step = true};
    mad_tell(c, &m);
    m.u.go.step = UINT32_MAX;
    mad_tell(c, &m);
    mad_turn_for(c, 1.0);
    m.u.go = (struct control_go){.stage = 1, .start_at_ns = UINT64_MAX, .client_limit = 1};
    mad_tell(c, &m);
    m.u.go = (struct control_go){.stage = 2,
                                 .start_at_ns = 1,
                                 .client_limit = HOSTILE_CLIENTS,
                                 .rate_milli_per_s = PLAN_RATE_MILLI_MAX};
    mad_tell(c, &m);
    m.u.go.step = 7;
    m.u.go.start_at_ns = c->agent_clock_ns;
    mad_tell(c, &m);
    command(c, CONTROL_ADOPT); /* the run has begun */
    mad_still_lives(c, "absurd orders to go");
}

static void preflight_and_arm(struct mad *c)
{
    unsigned armed = c->heard[CONTROL_ARMED], reports = c->heard[CONTROL_PREFLIGHT_REPORT];
    command(c, CONTROL_PREFLIGHT);
    command(c, CONTROL_ARM);
    command(c, CONTROL_GO);
    bool has_report = await_from(c, CONTROL_PREFLIGHT_REPORT, reports, 25);
    mad_check(c, has_report, "preflight ends although ARM and GO came into it");
    mad_check(c, c->heard[CONTROL_ARMED] == armed, "ARM during preflight is not obeyed");
    command(c, CONTROL_ARM);
    mad_check(c, mad_await(c, CONTROL_ARMED, MAD_PATIENCE_S), "ARM after it is");
}

static void whole_run(struct mad *c)
{
    struct plan plan, other;
    c->grants = true;
    mad_check(c, prepare_good(c, &plan), "a good plan is taken again");
    double from_s = mad_wall_s();
    mad_turn_for(c, 1.2);
    command(c, CONTROL_GO);
    mad_still_lives(c, "GO before ARM");
    mad_quiet(from_s, "GO before ARM lets no packet out");
    preflight_and_arm(c);
    mad_good_plan(c, &other);
    other.seed++;
    struct control_message m = mad_prepare_of(c, &other);
    mad_check(c, mad_offer(c, &m) == 'R', "another plan is refused while one is prepared");
    go_absurd(c);
    m = mad_prepare_of(c, &other);
    mad_check(c, mad_offer(c, &m) == 'R', "another plan is refused while one runs");
    command(c, CONTROL_PREFLIGHT);
    command(c, CONTROL_ARM);
    noise(c);
    mad_takes(c);
    mad_turn_for(c, 1.0);
    mad_check(c, c->progress.received > 0, "the run went on through all that");
    plan_free(&plan);
    plan_free(&other);
}

static void stopped(struct mad *c)
{
    c->grants = false;
    double ended_s = (double)c->granted_s_e3 / 1e3;
    mad_turn_for(c, ended_s + 5.5 - mad_wall_s());
    double from_s = mad_wall_s();
    command(c, CONTROL_GO);
    false_grants(c);
    mad_turn_for(c, 2.0);
    mad_quiet(from_s, "5.5 s after the last grant nothing is sent, whatever is ordered");
}

static void drained(struct mad *c)
{
    struct control_message m = {.kind = CONTROL_DRAIN};
    unsigned done = c->heard[CONTROL_DONE];
    c->grants = true;
    for (unsigned i = 0; i < DRAINS; i++) {
        m.u.drain.mode = DRAIN_GRACEFUL;
        m.u.drain.release_milli_per_s = i % 2 == 0 ? 1000000 : UINT64_MAX;
        mad_tell(c, &m);
    }
    mad_check(c, await_from(c, CONTROL_DONE, done, 30), "200 orders to drain are one");
    command(c, CONTROL_GO);
    command(c, CONTROL_DRAIN);
    mad_still_lives(c, "orders after its end");
    m = (struct control_message){.kind = CONTROL_BYE};
    mad_tell(c, &m);
    mad_check(c, mad_await(c, CONTROL_HELLO, MAD_PATIENCE_S), "after BYE it calls again");
}

static void all_of_it(struct mad *c)
{
    commands_nobody_prepared(c); /* in no session yet it would be noticed, too */
    double from_s = mad_wall_s();
    c->grants = true;
    commands_nobody_prepared(c);
    refuses_what_it_must(c);
    refuses_changed_plans(c);
    noise(c);
    mad_quiet(from_s, "no plan was accepted and begun, no packet was sent");
    struct control_message m = welcome_of(c);
    m.u.welcome.session = ++c->session;
    m.u.welcome.committed_batch = INT64_MAX - 65536; /* the largest that can be said */
    mad_tell(c, &m);
    mad_still_lives(c, "a WELCOME that claims the largest batch");
    mad_turn_for(c, 5.2); /* the lease granted so far ends */
    mad_welcome_again(c);
    no_packet_without_a_lease(c);
    whole_run(c);
    stopped(c);
    drained(c);
}

/* Grants for ever: the agent's own clock ends the run. 40 clients at 2/s take longer than that. */
static void overtime(struct mad *c)
{
    enum { RUN_S = 2, SLACK_S = 10, LONGER_S = 17 };
    struct plan plan;
    c->grants = true;
    mad_good_plan(c, &plan);
    plan.run_time_max_ns = RUN_S * NS_PER_S;
    plan.stages[0].batch = 0; /* the pace of a stage is what was signed */
    plan.stages[0].rate_milli_per_s = 2000;
    struct control_message m = mad_prepare_of(c, &plan);
    mad_check(c, mad_offer(c, &m) == 'Y', "a plan of 2 s is taken");
    plan_free(&plan);
    command(c, CONTROL_ARM);
    mad_check(c, mad_await(c, CONTROL_ARMED, MAD_PATIENCE_S), "it is armed");
    m = (struct control_message){.kind = CONTROL_GO};
    m.u.go = (struct control_go){.start_at_ns = c->agent_clock_ns,
                                 .client_limit = HOSTILE_CLIENTS,
                                 .rate_milli_per_s = 2000,
                                 .is_last_step = true};
    double began_s = mad_wall_s();
    mad_tell(c, &m);
    mad_turn_for(c, RUN_S + SLACK_S + 0.5);
    mad_check(c, c->progress.started > 15, "it runs meanwhile");
    double from_s = mad_wall_s();
    mad_turn_for(c, began_s + LONGER_S - mad_wall_s());
    mad_still_lives(c, "the end of its time");
    mad_check(c, c->progress.started < HOSTILE_CLIENTS, "it had more to send");
    mad_quiet(from_s, "the run's time is over, whatever is granted");
}

/* --- the two sockets --- */

static void open_sockets(struct mad *c)
{
    char why[LINK_WHY_BYTES] = "";
    struct key_entry entry = {.name = "a", .role = KEY_ROLE_AGENT, .added = "-", .expires = "-"};
    memcpy(entry.public_key, c->o->other, KEY_BYTES);
    struct key_list list = {.entries = &entry, .count = 1};
    bool ok = link_context_new(&c->context) == 0 && link_allow(c->context, &list) == 0;
    for (unsigned i = 0; ok && i < 2; i++) {
        ok = link_server_open(c->context, i == 0 ? LINK_CTRL : LINK_DATA, c->o->host,
                              (uint16_t)(c->o->port + i), &c->o->own, &c->socket[i], &c->port[i],
                              why) == 0;
    }
    if (!ok) {
        fprintf(stderr, "cannot listen: %s\n", why);
        exit(2);
    }
}

int hostile_coordinator(const struct hostile_options *o)
{
    struct mad *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return 2;
    }
    c->o = o;
    c->arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    c->bytes = malloc(MAD_BYTES_MAX);
    c->plan_bytes = malloc(MAD_BYTES_MAX);
    c->prng = prng_seeded(4711);
    c->run = 1;
    c->session = 1;
    open_sockets(c);
    mad_check(c, mad_await(c, CONTROL_HELLO, 30), "the agent calls");
    struct control_message m = {.kind = CONTROL_GO, .u.go = {.start_at_ns = 1}};
    tell_as(c, &m, CONTROL_SESSION_UNKNOWN);
    mad_check(c, mad_await(c, CONTROL_HELLO, MAD_PATIENCE_S), "GO before WELCOME is not obeyed");
    mad_welcome_again(c);
    mad_check(c, mad_await(c, CONTROL_BEAT, MAD_PATIENCE_S), "it is welcome");
    mad_still_lives(c, "its welcome");
    if (strcmp(o->mode, "overtime") == 0) {
        overtime(c);
    } else if (strcmp(o->mode, "forge") == 0) {
        mad_forges(c);
    } else if (strcmp(o->mode, "replay") == 0) {
        mad_replays(c);
    } else {
        all_of_it(c);
    }
    printf("end %d\n", c->failed);
    link_close(c->socket[0]);
    link_close(c->socket[1]);
    link_context_free(c->context);
    control_arena_free(c->arena);
    free(c->bytes);
    free(c->plan_bytes);
    int failed = c->failed;
    free(c);
    return failed > 0;
}
