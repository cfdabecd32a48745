/* SPDX-License-Identifier: MIT */
/* From events and snapshots to the figures of evidence_wire.h, and the healthy look-alikes. */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/truth/evidence_wire.h"
#include "tests/support/truth_fixture.h"

#define JUDGE "judge: [leases.failed == 0]\n"

static struct truth_wire wire;
static struct truth_fixture f;

static int begin_with(const char *text)
{
    truth_fixture_init(&f, text);
    truth_stage_begin(f.truth, 0, 0);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return begin_with(TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN JUDGE);
}

static int tear_down(void **state)
{
    (void)state;
    truth_fixture_fini(&f);
    return 0;
}

static struct event ack(enum event_kind kind, uint32_t client)
{
    return truth_fixture_ack(&f, kind, client);
}

/* What a client has: s1 serves the even ones. Their leases begin one after another. */
static void acquire_all(void)
{
    for (uint32_t client = 0; client < 200; client++) {
        truth_fixture_event(&f, ack(EVENT_ACQUIRE, client), 0.1 * client + 0.01);
    }
}

static double t1_of(uint32_t client)
{
    return 0.1 * client + 30;
}

/* A renewal at T1, and another 30 s later and so on; `tries` 4 s apart; 0: T2 comes unanswered. */
static void renew(uint32_t client, unsigned round, uint16_t tries)
{
    struct event e = ack(EVENT_RENEW, client);
    double at_s = t1_of(client) + 30 * round;
    e.tries = tries == 0 ? 6 : tries;
    e.took_us = tries == 0 ? 22500000 : (uint32_t)(tries - 1) * 4000000 + 2000;
    if (tries == 0) {
        e.result = EVENT_GAVE_UP;
        e.lease_s = 0;
    }
    truth_fixture_event(&f, e, at_s + e.took_us / 1e6);
}

static void rebind(uint32_t client, double at_s, uint32_t waited_us, uint32_t lease_s,
                   uint32_t server)
{
    struct event e = ack(EVENT_REBIND, client);
    e.offer_us = waited_us;
    e.lease_s = lease_s;
    e.server = f.plan.servers[server].address;
    truth_fixture_event(&f, e, at_s);
}

static const struct wire_server *figures(uint32_t server)
{
    truth_wire_figures(f.truth, &wire);
    assert_int_equal(wire.server_count, f.plan.server_count);
    assert_int_equal(wire.late, 0);
    return &wire.server[server];
}

/* --- a run in which nothing is wrong --- */

static void a_healthy_run_shows_nothing(void **state)
{
    (void)state;
    acquire_all();
    for (unsigned round = 0; round < 4; round++) {
        for (uint32_t client = 0; client < 200; client++) {
            renew(client, round, 1);
        }
    }
    for (uint32_t server = 0; server < 2; server++) {
        const struct wire_server *s = figures(server);
        assert_int_equal(s->renew_first_acked, 400);
        assert_int_equal(s->renew_lost_first + s->losers + s->after_loss + s->renew_gave_up, 0);
        assert_int_equal(s->after_win, 300);
        assert_int_equal(s->all_lost + s->lost_newly + s->rebind_acked, 0);
        assert_int_equal(s->renewals_timed, 400);
        assert_int_equal(s->renewals_cached, 0);
        assert_int_equal(s->window[0].windows + s->window[1].windows + s->window[2].windows, 0);
        assert_int_equal(s->alone_offer.samples, 100);
        assert_true(s->alone_gap.p50_us < 2);
        assert_int_equal(s->ack_spacing.samples + s->offer_mode.near + s->offers_about_1s, 0);
        assert_int_equal(s->busy.seconds + s->losing.seconds + s->burst_slots, 0);
        assert_int_equal(s->silences + s->is_silent_at_end + s->silent_first, 0);
        assert_int_equal(s->clients, 100);
        assert_int_equal(s->left + s->went_back + s->handed_back, 0);
    }
    assert_int_equal(wire.with82.relays, 0);
    assert_int_equal(wire.without82.relays, 2);
    assert_int_equal(wire.without82.renew_acked, 800);
    assert_int_equal(wire.without82.relays_failing, 0);
}

static void what_is_no_evidence_is_left_out(void **state)
{
    (void)state;
    struct event e = ack(EVENT_RENEW, 4);
    e.result = EVENT_GAVE_UP;
    e.lease_s = 0;
    const unsigned flags[] = {EVENT_IN_PAUSE, EVENT_VOID, EVENT_PREFLIGHT, EVENT_EARLY};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        e.flags = (uint16_t)flags[i];
        truth_fixture_event(&f, e, 10);
    }
    e.flags = 0;
    e.tries = 0; /* it was never sent */
    truth_fixture_event(&f, e, 10);
    assert_int_equal(figures(0)->renew_lost_first, 0);
    assert_int_equal(wire.server[0].losers, 0);
    assert_int_equal(wire.server[0].calm_tries, 1); /* the load stage's was sent */
}

/* --- who loses --- */

static void sticky_losers_lose_again_and_their_retries_never_help(void **state)
{
    (void)state;
    acquire_all();
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t client = 0; client < 200; client += 2) {
            renew(client, round, client < 60 ? 0 : 1);
        }
    }
    const struct wire_server *s = figures(0);
    assert_int_equal(s->renew_lost_first, 90);
    assert_int_equal(s->renew_retries, 90 * 5);
    assert_int_equal(s->renew_retry_acked, 0);
    assert_int_equal(s->losers, 30);
    assert_int_equal(s->after_loss, 60);
    assert_int_equal(s->lost_again, 60);
    assert_int_equal(s->after_win, 140);
    assert_int_equal(s->lost_newly, 0);
    assert_int_equal(wire.server[1].losers, 0);
}

static void random_losses_stick_to_nobody(void **state)
{
    (void)state;
    struct prng prng = prng_seeded(5);
    acquire_all();
    for (unsigned round = 0; round < 20; round++) {
        for (uint32_t client = 0; client < 200; client += 2) {
            renew(client, round, prng_below(&prng, 10) < 3 ? 2 : 1);
        }
    }
    const struct wire_server *s = figures(0);
    assert_int_equal(s->renew_retry_acked, s->renew_lost_first);
    assert_int_equal(s->renew_retries, s->renew_lost_first);
    assert_true(s->losers > 95);
    double again = (double)s->lost_again / (double)s->after_loss;
    double newly = (double)s->lost_newly / (double)s->after_win;
    assert_true(again > 0.2 && again < 0.4 && newly > 0.15 && newly < 0.45);
    assert_int_equal(s->all_lost, s->renew_lost_first);
    assert_true(s->losing.seconds > 100);
}

/* --- request lost or reply lost --- */

static void lease_times_of_rebinds_tell_what_was_lost(void **state)
{
    (void)state;
    static const struct {
        uint32_t waited_us, lease_s, server;
        uint64_t counts[5]; /* by wait, less, full, late, by other */
    } rows[] = {
        {12000000, 48, 0, {1, 0, 0, 0, 0}}, {12400000, 47, 0, {1, 0, 0, 0, 0}},
        {22500000, 54, 0, {0, 1, 0, 0, 0}}, {12000000, 60, 0, {0, 0, 1, 0, 0}},
        {12000000, 59, 0, {0, 0, 0, 0, 0}}, {22500000, 60, 0, {0, 0, 0, 1, 0}},
        {1500000, 60, 0, {0, 0, 0, 0, 0}},  {12000000, 30, 0, {0, 0, 0, 0, 0}},
        {12000000, 48, 1, {0, 0, 0, 0, 1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_server before = *figures(0);
        truth_fixture_event(&f, ack(EVENT_ACQUIRE, 0), 100.0 * (double)i);
        rebind(0, 100.0 * (double)i + 52.5, rows[i].waited_us, rows[i].lease_s, rows[i].server);
        const struct wire_server *s = figures(0);
        const uint64_t got[] = {s->rebind_short_by_wait - before.rebind_short_by_wait,
                                s->rebind_short_less - before.rebind_short_less,
                                s->rebind_full - before.rebind_full,
                                s->rebind_full_late - before.rebind_full_late,
                                s->rebind_by_other - before.rebind_by_other};
        for (size_t k = 0; k < ARRAY_LEN(got); k++) {
            if (got[k] != rows[i].counts[k]) {
                print_message("row %zu, figure %zu: %llu\n", i, k, (unsigned long long)got[k]);
            }
            assert_int_equal(got[k], rows[i].counts[k]);
        }
        assert_int_equal(s->rebind_acked, i + 1);
    }
}

static void so_do_those_of_renewals_answered_at_a_retransmission(void **state)
{
    (void)state;
    static const struct {
        uint16_t tries;
        uint32_t took_us, lease_s;
        unsigned is_short, is_full;
    } rows[] = {{2, 4002000, 56, 1, 0},  {2, 4002000, 60, 0, 1}, {3, 8003000, 52, 1, 0},
                {3, 8003000, 56, 1, 0},  {3, 8003000, 30, 0, 0}, {1, 2000, 56, 0, 0},
                {5, 16003000, 60, 0, 0}, {2, 2001000, 58, 1, 0}, {2, 2001000, 60, 0, 1},
                {2, 2001000, 59, 0, 0},  {2, 1500000, 60, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wire_server before = *figures(0);
        struct event e = ack(EVENT_RENEW, 0);
        e.tries = rows[i].tries;
        e.took_us = rows[i].took_us;
        e.lease_s = rows[i].lease_s;
        truth_fixture_event(&f, e, 30 + 30.0 * (double)i);
        assert_int_equal(figures(0)->retry_short - before.retry_short, rows[i].is_short);
        assert_int_equal(figures(0)->retry_full - before.retry_full, rows[i].is_full);
    }
}

/* --- how long --- */

/* Requests that all wait at a server that takes 20 ms for each ACK; or one every 20 ms. */
static void acks_every_20_ms(bool is_queued)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct event e = ack(EVENT_ACQUIRE, i);
        e.server = f.plan.servers[0].address;
        e.offer_us = 1000;
        e.took_us = is_queued ? 1000 + 20000 * (i + 1) : 2000;
        truth_fixture_event(&f, e, 1 + 0.02 * (i + 1));
    }
}

static void serial_commits_have_a_modal_gap(void **state)
{
    (void)state;
    acks_every_20_ms(true);
    const struct wire_server *s = figures(0);
    assert_int_equal(s->ack_spacing.samples, 99);
    assert_int_equal(s->ack_spacing.near, 99);
    assert_true(s->ack_spacing.value_us > 19800 && s->ack_spacing.value_us < 20200);
    assert_int_equal(s->alone_gap.samples, 1);
    assert_true(s->alone_gap.p50_us > 18900 && s->alone_gap.p50_us < 19300);
    assert_int_equal(s->busy.seconds, 2);
    assert_true(s->busy.mean_per_s > 49 && s->busy.mean_per_s < 51);
}

static void a_paced_tester_at_a_fast_server_has_none(void **state)
{
    (void)state;
    acks_every_20_ms(false);
    const struct wire_server *s = figures(0);
    assert_int_equal(s->ack_spacing.samples, 0);
    assert_int_equal(s->alone_gap.samples, 100);
    assert_true(s->alone_gap.p50_us < 2);
    assert_int_equal(s->busy.seconds, 0);
}

static void a_ping_before_every_offer_takes_a_second(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct event e = ack(EVENT_ACQUIRE, i);
        e.server = f.plan.servers[i < 80 ? 0 : 1].address;
        e.offer_us = i < 80 ? 1001000 + 50 * i : 4003000; /* of s2 the first DISCOVER was lost */
        e.tries = i < 80 ? 2 : 3;
        e.took_us = e.offer_us + 1000;
        truth_fixture_event(&f, e, 6 + 0.01 * i);
    }
    const struct wire_server *s = figures(0);
    assert_int_equal(s->offers_timed, 80);
    assert_int_equal(s->offers_about_1s, 80);
    assert_int_equal(s->offer_mode.near, 80);
    assert_true(s->offer_mode.value_us > 990000 && s->offer_mode.value_us < 1015000);
    assert_true(s->alone_ack.p50_us < 1100);
    assert_int_equal(wire.server[1].offers_timed, 0);
    assert_int_equal(wire.server[1].all_lost, 20);
}

/* --- losses in time --- */

static void what_a_burst_loses_is_told_from_calm(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct event e = ack(EVENT_ACQUIRE, i);
        e.server = f.plan.servers[0].address;
        bool is_lost = i % 2 == 0;
        e.tries = is_lost ? 3 : 2;
        e.offer_us = is_lost ? 4001000 : 1000;
        e.took_us = e.offer_us + 1000;
        truth_fixture_event(&f, e, 1.0 + 0.001 * i + e.took_us / 1e6);
    }
    struct event e = ack(EVENT_ACQUIRE, 150); /* calm, and the REQUEST was lost */
    e.tries = 3;
    e.took_us = 4003000;
    e.server = f.plan.servers[0].address;
    truth_fixture_event(&f, e, 20);
    const struct wire_server *s = figures(0);
    /* With the REQUESTs: of those answered at once, and four seconds later of the others. */
    assert_int_equal(s->burst_slots, 2);
    assert_int_equal(s->burst_tries, 100 + 50 + 50);
    assert_int_equal(s->burst_lost, 50);
    assert_int_equal(s->burst_mended, 50);
    assert_int_equal(s->calm_tries, 2);
    assert_int_equal(s->calm_lost, 1);
    assert_int_equal(s->calm_mended, 1);
    assert_int_equal(s->worst_second_lost, 50);
}

/* --- servers that go and come back --- */

static void clients_leave_come_back_and_are_handed_back(void **state)
{
    (void)state;
    acquire_all();
    /* s2 is silent from 20 s on; s1 goes on, and takes over clients 1, 3, 5. */
    for (uint32_t client = 0; client < 60; client += 2) {
        renew(client, 0, 1);
    }
    for (uint32_t client = 1; client < 7; client += 2) {
        rebind(client, 52.5 + client, 22000000, 60, 0);
    }
    const struct wire_server *s = figures(1);
    assert_true(s->is_silent_at_end);
    assert_int_equal(s->clients, 100);
    assert_int_equal(s->left, 3);
    assert_int_equal(s->went_back, 0);
    assert_int_equal(wire.server[0].left, 0);
    assert_int_equal(s->rebind_by_other, 3);
    /* It is back; s1 lets go of them, though it answers its own. */
    truth_fixture_event(&f, ack(EVENT_RENEW, 99), 70);
    renew(2, 1, 1);
    struct event own = ack(EVENT_RENEW, 4);
    truth_fixture_event(&f, own, 95);
    for (uint32_t client = 1; client < 5; client += 2) {
        rebind(client, 105.5 + client, 22000000, 60, 1);
    }
    s = figures(1);
    assert_int_equal(s->silences, 1);
    assert_false(s->is_silent_at_end);
    assert_int_equal(s->went_back, 2);
    assert_int_equal(s->handed_back, 2);
    assert_int_equal(wire.server[0].handed_back, 0);
}

/* --- option 82 --- */

static void relays_with_option_82_are_apart(void **state)
{
    (void)state;
    truth_fixture_fini(&f);
    static char text[4096];
    (void)snprintf(text, sizeof(text), "%s", TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN JUDGE);
    char *at = strstr(text, "clients: 100}\n    - {name: r2");
    assert_non_null(at);
    static char patched[4096];
    (void)snprintf(patched, sizeof(patched), "%.*sclients: 100, option82: {circuit_id: port-1}}%s",
                   (int)(at - text), text, at + strlen("clients: 100}"));
    (void)begin_with(patched);
    assert_true(f.plan.relays[0].circuit_id_bytes > 0);
    acquire_all();
    for (uint32_t client = 0; client < 8; client += 2) {
        struct event e = ack(EVENT_RENEW, client);
        e.result = client == 0 ? EVENT_CHANGED : EVENT_NAK;
        e.flags = client == 0 ? EVENT_ADDRESS_CHANGED : 0;
        truth_fixture_event(&f, e, t1_of(client));
    }
    renew(10, 0, 0);
    rebind(10, 53.5, 22500000, 60, 0);
    for (uint32_t client = 100; client < 104; client++) {
        renew(client, 0, 1);
    }
    (void)figures(0);
    assert_int_equal(wire.with82.relays, 1);
    assert_int_equal(wire.with82.renew_acked, 0);
    assert_int_equal(wire.with82.renew_moved, 1);
    assert_int_equal(wire.with82.renew_nak, 3);
    assert_int_equal(wire.with82.renew_gave_up, 1);
    assert_int_equal(wire.with82.rebind_acked, 1);
    assert_int_equal(wire.with82.relays_failing, 1);
    assert_int_equal(wire.without82.renew_acked, 4);
    assert_int_equal(wire.without82.relays_failing, 0);
}

/* --- NAT: windows are kept where a wrong port was seen --- */

static void windows_begin_with_a_wrong_port(void **state)
{
    (void)state;
    acquire_all();
    for (uint32_t client = 0; client < 200; client++) {
        struct event e = ack(EVENT_RENEW, client);
        e.flags = client % 2 == 0 ? EVENT_WRONG_PORT : 0;
        truth_fixture_event(&f, e, 100 + 0.001 * client);
        truth_fixture_event(&f, e, 100.5 + 0.001 * client); /* again at once: one address */
    }
    const struct wire_server *s = figures(0);
    assert_int_equal(s->window[0].most, 100);
    assert_int_equal(s->window[1].most, 100);
    assert_int_equal(s->window[2].windows, 1);
    assert_int_equal(s->window[2].at_ceiling, 0);
    assert_int_equal(wire.server[1].window[2].windows, 0);
}

/* --- packets --- */

static void tell(size_t agent)
{
    f.snapshot[agent].seq++;
    f.snapshot[agent].at_ns = 1;
    truth_snapshot(f.truth, agent, &f.snapshot[agent]);
}

static void packets_of_all_agents_are_added_up(void **state)
{
    (void)state;
    (void)figures(0);
    assert_false(wire.has_packets); /* nobody has told anything */
    for (size_t agent = 0; agent < 2; agent++) {
        struct snapshot *s = &f.snapshot[agent];
        s->counter[COUNTER_sent_renew] = 100;
        s->counter[COUNTER_icmp_known] = agent;
        s->counter[COUNTER_icmp_echo_out] = 7;
        s->counter[COUNTER_icmp_errors] = 2;
        tell(agent);
    }
    (void)figures(0);
    assert_false(wire.has_packets); /* they sent, but do not say to whom */
    for (size_t agent = 0; agent < 2; agent++) {
        struct snapshot_packets *p = &f.snapshot[agent].packets[0];
        p->count[PACKET_sent_renew] = 100;
        p->count[PACKET_renew_replies] = 30 + agent;
        p->count[PACKET_ports_low] = 30;
        p->count[PACKET_wrong_source] = agent;
        p->low_port[agent * 7] = 0xf0f0;
        p->low_port[3] = 1;
        p->wrong_source = inet_from_host(agent == 1 ? 0xa9fe6301 : 0);
        tell(agent);
    }
    const struct wire_server *s = figures(0);
    assert_true(wire.has_packets);
    assert_int_equal(s->sent[DHCP4_RENEW], 200);
    assert_int_equal(s->renew_unanswered, 200 - 61);
    assert_int_equal(s->low_ports, 8 + 8 + 1);
    assert_int_equal(s->wrong_source, 1);
    assert_int_equal(s->wrong_source_example, 0xa9fe6301);
    assert_int_equal(wire.server[1].sent[DHCP4_RENEW], 0);
    assert_int_equal(wire.icmp_agents, 1);
    assert_int_equal(wire.icmp_echo_out, 7);
    assert_int_equal(wire.icmp_errors, 4);
    truth_agent_lost(f.truth, 1, 1000000);
    (void)figures(0);
    assert_false(wire.has_packets); /* what it sent after its last snapshot nobody knows */
}

/* --- the ledger is read again --- */

/* Live, two agents' streams are mixed by chance; on resume as they were committed. */
static void the_order_of_streams_does_not_matter(void **state)
{
    (void)state;
    static struct event events[2][600];
    static double at_s[2][600];
    static struct truth_wire first;
    struct prng prng = prng_seeded(9);
    for (unsigned agent = 0; agent < 2; agent++) {
        for (uint32_t i = 0; i < 600; i++) {
            enum event_kind kind = i < 100 ? EVENT_ACQUIRE : i < 400 ? EVENT_RENEW : EVENT_REBIND;
            struct event e = ack(kind, agent * 100 + i % 100);
            e.tries = (uint16_t)(e.tries + prng_below(&prng, 2));
            e.took_us = 2000 + (uint32_t)prng_below(&prng, 30000);
            e.flags = (uint16_t)(e.flags | (i % 3 == 0 ? EVENT_WRONG_PORT : 0));
            e.server = f.plan.servers[prng_below(&prng, 2)].address;
            e.offer_us = kind == EVENT_RENEW ? EVENT_SPAN_NONE : 1000;
            events[agent][i] = e;
            at_s[agent][i] = 0.01 * i;
        }
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        unsigned next[2] = {0};
        while (next[0] < 600 || next[1] < 600) {
            unsigned agent = pass == 0 ? next[0] == 600 : (unsigned)prng_below(&prng, 2);
            agent = next[agent] == 600 ? 1 - agent : agent;
            truth_fixture_event(&f, events[agent][next[agent]], at_s[agent][next[agent]]);
            next[agent]++;
        }
        (void)figures(0);
        if (pass == 0) {
            first = wire;
            (void)tear_down(state);
            (void)set_up(state);
        }
    }
    for (unsigned server = 0; server < 2; server++) {
        assert_memory_equal(&first.server[server], &wire.server[server], sizeof(wire.server[0]));
    }
    assert_true(wire.server[0].renew_first_acked > 0 && wire.server[0].loaded_ack.samples > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_healthy_run_shows_nothing),
        CASE(what_is_no_evidence_is_left_out),
        CASE(sticky_losers_lose_again_and_their_retries_never_help),
        CASE(random_losses_stick_to_nobody),
        CASE(lease_times_of_rebinds_tell_what_was_lost),
        CASE(so_do_those_of_renewals_answered_at_a_retransmission),
        CASE(serial_commits_have_a_modal_gap),
        CASE(a_paced_tester_at_a_fast_server_has_none),
        CASE(a_ping_before_every_offer_takes_a_second),
        CASE(what_a_burst_loses_is_told_from_calm),
        CASE(clients_leave_come_back_and_are_handed_back),
        CASE(relays_with_option_82_are_apart),
        CASE(windows_begin_with_a_wrong_port),
        CASE(packets_of_all_agents_are_added_up),
        CASE(the_order_of_streams_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
