/* SPDX-License-Identifier: MIT */
/*
 * Seeded random histories of a pair of servers through truth: its figures must
 * equal those of an independent recomputation over the full list of events.
 */
#include "tests/support/testing.h"

#include <math.h>

#include "common/prng.h"
#include "tests/support/truth_fixture.h"

enum { CLIENTS = 200, SERVERS = 2, END_S = 300, RUN_S = 340, EVENTS_MAX = 40000 };
enum { NO_HALF = SERVERS };

struct told {
    struct event e;
    double at_s;
};

struct history {
    struct told told[EVENTS_MAX];
    size_t count;
    uint64_t seed, drawn;
    uint32_t client;
    double now_s;
    int half; /* of the client's lease */
};

static double draw(struct history *h)
{
    return prng_unit(prng_mix(h->seed, h->drawn++, 0xfa));
}

static double whole_us(double s)
{
    return floor(s * 1e6) / 1e6;
}

static struct event make(const struct truth_fixture *f, const struct history *h,
                         enum event_kind kind, enum event_result result, int server)
{
    struct event e = truth_fixture_ack(f, kind, h->client);
    bool has_lease = result == EVENT_ACK;
    e.result = (uint8_t)result;
    e.stage = 1;
    e.flags = kind == EVENT_ACQUIRE ? EVENT_OFFER_SEEN : 0;
    e.lease_s = has_lease ? 60 : 0;
    e.offer_us = kind == EVENT_ACQUIRE ? 1000 : EVENT_SPAN_NONE;
    e.server = server < SERVERS ? f->plan.servers[server].address : (struct ipv4){0};
    return e;
}

static void tell(struct history *h, struct event e, double at_s)
{
    assert_true(h->count < EVENTS_MAX);
    h->told[h->count++] = (struct told){.e = e, .at_s = whole_us(at_s)};
    h->now_s = whole_us(at_s);
}

/* An ACK: with the full lease, or a third of it. */
static void tell_ack(struct truth_fixture *f, struct history *h, enum event_kind kind, int server,
                     double took_s, double waited_s, bool is_first)
{
    struct event e = make(f, h, kind, EVENT_ACK, server);
    e.lease_s = draw(h) < 0.2 ? 20 : 60;
    e.took_us = (uint32_t)lround(took_s * 1e6);
    e.wait_us = e.took_us;
    e.tries = kind == EVENT_RENEW && took_s > 1 ? 2 : e.tries;
    e.flags |= is_first ? EVENT_FIRST_LEASE : 0;
    if (waited_s > 0) {
        e.offer_us = (uint32_t)lround(waited_s * 1e6);
    }
    h->half = server;
    tell(h, e, h->now_s + took_s);
}

static int any_server(struct history *h)
{
    return draw(h) < 0.5 ? 0 : 1;
}

/* From INIT to a lease, unless nobody answers for ever. False: gave up for good. */
static bool acquire(struct truth_fixture *f, struct history *h, bool is_first)
{
    if (draw(h) < 0.05) {
        struct event e = make(f, h, EVENT_ACQUIRE, EVENT_GAVE_UP, NO_HALF);
        e.flags = EVENT_DEADLINE;
        tell(h, e, h->now_s + 10);
        return false;
    }
    h->now_s = whole_us(h->now_s + 8 * draw(h));
    tell_ack(f, h, EVENT_ACQUIRE, any_server(h), 0.002, 0, is_first);
    return true;
}

/* T1 has come and nobody answers until T2: rebinds, or loses its lease. */
static bool unanswered(struct truth_fixture *f, struct history *h)
{
    double begun_s = h->now_s;
    struct event e = make(f, h, EVENT_RENEW, EVENT_GAVE_UP, h->half);
    e.took_us = 22500000;
    tell(h, e, begun_s + 22.5);
    double rebind_s = h->now_s, choice = draw(h);
    if (choice < 0.5) {
        double took_s = whole_us(5 * draw(h) + 0.001);
        tell_ack(f, h, EVENT_REBIND, any_server(h), took_s, whole_us(rebind_s - begun_s) + took_s,
                 false);
        return true;
    }
    e = make(f, h, EVENT_REBIND, choice < 0.6 ? EVENT_NAK : EVENT_GAVE_UP, h->half);
    tell(h, e, rebind_s + (choice < 0.6 ? 1 : 7.5));
    if (choice >= 0.6) {
        tell(h, make(f, h, EVENT_EXPIRE, EVENT_ENDED, h->half), h->now_s);
    }
    return acquire(f, h, false);
}

static void live(struct truth_fixture *f, struct history *h)
{
    h->now_s = whole_us(0.01 * h->client);
    bool is_alive = acquire(f, h, true);
    while (is_alive && h->now_s < END_S + 20) {
        h->now_s = whole_us(h->now_s + 9 + 2 * draw(h));
        double choice = draw(h);
        if (choice < 0.7) {
            tell_ack(f, h, EVENT_RENEW, h->half, choice < 0.05 ? 4.5 : 0.001, 0, false);
        } else if (choice < 0.95) {
            is_alive = unanswered(f, h);
        } else if (choice < 0.97) {
            tell(h, make(f, h, EVENT_RENEW, EVENT_NAK, h->half), h->now_s + 0.001);
            is_alive = acquire(f, h, false);
        } else {
            tell(h, make(f, h, EVENT_RELEASE, EVENT_SENT, h->half), h->now_s);
            h->now_s += 3;
            is_alive = acquire(f, h, false);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (x->at_s != y->at_s) {
        return x->at_s < y->at_s ? -1 : 1;
    }
    return x->e.client != y->e.client ? (x->e.client < y->e.client ? -1 : 1) : 0;
}

/* Of one client, events of the same instant stay in their order: insertion sort is stable. */
static void sort_told(struct history *h)
{
    for (size_t i = 1; i < h->count; i++) {
        struct told t = h->told[i];
        size_t k = i;
        for (; k > 0 && by_time(&h->told[k - 1], &t) > 0; k--) {
            h->told[k] = h->told[k - 1];
        }
        h->told[k] = t;
    }
}

/* --- the independent recomputation: one client after the other, exact instants --- */

struct naive_half {
    bool had_outage[CLIENTS], was_at_risk[CLIENTS];
    double spans[EVENTS_MAX], waits[EVENTS_MAX];
    size_t span_count, wait_count;
    uint64_t expired, waited, in_time, unanswered, answered_by[SERVERS], retried;
};

struct naive {
    struct naive_half half[SERVERS + 1];
    uint64_t acks[SERVERS][2]; /* of 60 s, of 20 s */
};

struct naive_client {
    int half;
    double lost_s, asked_s; /* negative: not */
};

static void naive_span(struct naive_half *h, uint32_t client, double begin_s, double end_s)
{
    end_s = fmin(end_s, END_S);
    if (end_s > begin_s) {
        h->had_outage[client] = true;
        h->spans[h->span_count++] = end_s - begin_s;
    }
}

static int naive_server(const struct truth_fixture *f, struct ipv4 address)
{
    return inet_equal(address, f->plan.servers[0].address)   ? 0
           : inet_equal(address, f->plan.servers[1].address) ? 1
                                                             : NO_HALF;
}

static void naive_ack(struct naive *n, const struct told *t, struct naive_client *c, int server)
{
    struct naive_half *h = &n->half[c->half];
    if (t->e.kind == EVENT_RENEW && t->e.tries > 1) {
        h->retried++;
    }
    if (c->asked_s >= 0) {
        h->waits[h->wait_count++] = t->at_s - c->asked_s;
        h->answered_by[server]++;
        h->in_time += c->lost_s < 0;
    }
    if (c->lost_s >= 0) {
        naive_span(h, t->e.client, c->lost_s, t->at_s);
    }
    n->acks[server][t->e.lease_s == 20]++;
    *c = (struct naive_client){.half = server, .lost_s = -1, .asked_s = -1};
}

static void naive_event(const struct truth_fixture *f, struct naive *n, const struct told *t,
                        struct naive_client *c)
{
    const struct event *e = &t->e;
    struct naive_half *h = &n->half[c->half];
    bool is_acquire = e->kind == EVENT_ACQUIRE;
    if (e->kind == EVENT_REBIND || (e->kind == EVENT_RENEW && e->result == EVENT_GAVE_UP)) {
        h->was_at_risk[e->client] = true;
    }
    if (e->result == EVENT_ACK) {
        naive_ack(n, t, c, naive_server(f, e->server));
    } else if (e->kind == EVENT_RENEW && e->result == EVENT_GAVE_UP) {
        c->asked_s = t->at_s - e->took_us / 1e6;
        h->waited++;
    } else if (e->kind == EVENT_EXPIRE || (e->result == EVENT_NAK && !is_acquire) ||
               (e->flags & EVENT_DEADLINE) != 0) {
        h->expired += e->kind == EVENT_EXPIRE;
        c->lost_s = c->lost_s < 0 ? t->at_s : c->lost_s;
    } else if (e->kind == EVENT_RELEASE) {
        c->half = NO_HALF; /* has no lease any more */
    }
}

static void recompute(const struct truth_fixture *f, const struct history *h, struct naive *n)
{
    for (uint32_t client = 0; client < CLIENTS; client++) {
        struct naive_client c = {.half = NO_HALF, .lost_s = -1, .asked_s = -1};
        for (size_t i = 0; i < h->count; i++) {
            if (h->told[i].e.client == client) {
                naive_event(f, n, &h->told[i], &c);
            }
        }
        n->half[c.half].unanswered += c.asked_s >= 0;
        if (c.lost_s >= 0) {
            naive_span(&n->half[c.half], client, c.lost_s, END_S);
        }
    }
}

static uint64_t members(const bool *set)
{
    uint64_t count = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        count += set[i];
    }
    return count;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A percentile from a histogram is at most 1/128 above the sample. Few samples have none. */
static void expect_median(double got_s, double *samples, size_t count)
{
    qsort(samples, count, sizeof(*samples), by_value);
    if (count < 20) {
        assert_true(isnan(got_s));
        return;
    }
    double sample_s = samples[(count + 1) / 2 - 1];
    assert_true(got_s > sample_s - 2e-6 && got_s <= sample_s * (1 + 1.0 / 64) + 0.0011);
}

static void compare_half(const struct result_outage_half *got, struct naive_half *n)
{
    double total_s = 0, longest_s = 0;
    for (size_t i = 0; i < n->span_count; i++) {
        total_s += n->spans[i];
        longest_s = fmax(longest_s, n->spans[i]);
    }
    assert_int_equal(got->group.clients, members(n->had_outage));
    assert_int_equal(got->group.at_risk, members(n->was_at_risk));
    assert_int_equal(got->group.expired, n->expired);
    assert_true(fabs(got->group.client_seconds - total_s) < 1e-6 * (double)(n->span_count + 1) * 2);
    assert_true(fabs(got->group.longest_s - longest_s) < 3e-6);
    expect_median(got->group.p50_s, n->spans, n->span_count);
    assert_int_equal(got->waited, n->waited);
    assert_int_equal(got->in_time, n->in_time);
    assert_int_equal(got->unanswered, n->unanswered);
    assert_int_equal(got->untimed, 0);
    assert_int_equal(got->retried, n->retried);
    for (size_t i = 0; i < SERVERS; i++) {
        assert_int_equal(got->answered_by[i], n->answered_by[i]);
    }
    if (n->wait_count > 0) {
        expect_median(got->median_answer_s, n->waits, n->wait_count);
        assert_true(fabs(got->first_answer_s - n->waits[0]) < 3e-6);
        assert_true(fabs(got->last_answer_s - n->waits[n->wait_count - 1]) < 3e-6);
    } else {
        assert_true(isnan(got->first_answer_s));
    }
}

static void compare_leases(const struct result *r, const struct naive *n)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < r->lease_times.time_count; i++) {
        const struct result_lease_time *l = &r->lease_times.times[i];
        size_t server = strcmp(l->server, "s1") == 0 ? 0 : 1;
        assert_int_equal(l->acks, n->acks[server][l->lease_s == 20]);
        assert_true(l->is_short == (l->lease_s == 20));
        seen += l->acks;
    }
    assert_int_equal(seen, n->acks[0][0] + n->acks[0][1] + n->acks[1][0] + n->acks[1][1]);
}

static void compare_totals(const struct result *r)
{
    struct result_outage_group by_half = {0}, by_relay = {0};
    for (size_t i = 0; i < r->outage.half_count; i++) {
        by_half.client_seconds += r->outage.halves[i].group.client_seconds;
        by_half.expired += r->outage.halves[i].group.expired;
    }
    for (size_t i = 0; i < r->outage.relay_count; i++) {
        by_relay.client_seconds += r->outage.relays[i].group.client_seconds;
        by_relay.expired += r->outage.relays[i].group.expired;
        by_relay.clients += r->outage.relays[i].group.clients;
        by_relay.at_risk += r->outage.relays[i].group.at_risk;
    }
    assert_true(fabs(by_half.client_seconds - r->outage.client_seconds) < 1e-3);
    assert_true(fabs(by_relay.client_seconds - r->outage.client_seconds) < 1e-3);
    assert_int_equal(by_half.expired, r->leases.expired);
    assert_int_equal(by_relay.expired, r->leases.expired);
    assert_int_equal(by_relay.clients, r->outage.clients);
    assert_int_equal(by_relay.at_risk, r->outage.at_risk);
}

static struct history history; /* 3 MB: too much for a stack */
static struct naive naive;

static void one_random_history(uint64_t seed)
{
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    history = (struct history){.seed = seed};
    naive = (struct naive){0};
    for (history.client = 0; history.client < CLIENTS; history.client++) {
        history.half = NO_HALF;
        live(&f, &history);
    }
    sort_told(&history);
    recompute(&f, &history, &naive);
    truth_stage_begin(f.truth, 0, 0);
    truth_stage_end(f.truth, 0, 1, false);
    truth_stage_begin(f.truth, 1, 1);
    bool has_ended = false;
    for (size_t i = 0; i < history.count; i++) {
        if (!has_ended && history.told[i].at_s > END_S) {
            truth_stage_end(f.truth, 1, (int64_t)END_S * 1000000, false);
            has_ended = true;
        }
        truth_fixture_event(&f, history.told[i].e, history.told[i].at_s + 2e-7);
    }
    assert_true(has_ended);
    assert_true(truth_fixture_finish(&f, RUN_S, &r));
    assert_int_equal(r.outage.half_count, SERVERS + 1);
    for (size_t i = 0; i < r.outage.half_count; i++) {
        compare_half(&r.outage.halves[i], &naive.half[i]);
    }
    compare_leases(&r, &naive);
    compare_totals(&r);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void random_histories_equal_a_naive_recomputation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        print_message("seed %lu\n", (unsigned long)seed);
        one_random_history(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_equal_a_naive_recomputation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
