/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/control_samples.h"

static uint8_t packed[CONTROL_ARENA_DOWN_BYTES];
static uint8_t again[CONTROL_ARENA_DOWN_BYTES];

static void expect_equal_prepare(const struct control_prepare *a, const struct control_prepare *b)
{
    assert_int_equal(a->plan_bytes, b->plan_bytes);
    assert_memory_equal(a->plan, b->plan, a->plan_bytes);
    assert_memory_equal(a->plan_hash, b->plan_hash, PLAN_HASH_BYTES);
    assert_int_equal(a->assignment_epoch, b->assignment_epoch);
    assert_int_equal(a->packets_per_s_max, b->packets_per_s_max);
    assert_int_equal(a->share_count, b->share_count);
    assert_memory_equal(a->shares, b->shares, a->share_count * sizeof(*a->shares));
}

/* Pointers in both are replaced by what they point to; the rest is compared as memory. */
static void expect_equal(struct control_message a, struct control_message b)
{
    assert_int_equal(a.kind, b.kind);
    assert_true(a.session == b.session);
    if (a.kind == CONTROL_HELLO) {
        assert_int_equal(a.u.hello.address_count, b.u.hello.address_count);
        assert_memory_equal(a.u.hello.addresses, b.u.hello.addresses,
                            a.u.hello.address_count * sizeof(struct ipv4));
        a.u.hello.addresses = b.u.hello.addresses = NULL;
    } else if (a.kind == CONTROL_PREPARE) {
        expect_equal_prepare(&a.u.prepare, &b.u.prepare);
        memset(&a.u.prepare, 0, sizeof(a.u.prepare));
        memset(&b.u.prepare, 0, sizeof(b.u.prepare));
    } else if (a.kind == CONTROL_ADOPT) {
        assert_int_equal(a.u.adopt.lease_count, b.u.adopt.lease_count);
        assert_memory_equal(a.u.adopt.leases, b.u.adopt.leases,
                            a.u.adopt.lease_count * sizeof(struct control_adopted));
        a.u.adopt.leases = b.u.adopt.leases = NULL;
    } else if (a.kind == CONTROL_TAKE) {
        assert_int_equal(a.u.take.share_count, b.u.take.share_count);
        assert_memory_equal(a.u.take.shares, b.u.take.shares,
                            a.u.take.share_count * sizeof(struct control_take_share));
        assert_int_equal(a.u.take.client_count, b.u.take.client_count);
        assert_memory_equal(a.u.take.clients, b.u.take.clients,
                            a.u.take.client_count * sizeof(struct control_taken));
        a.u.take.shares = b.u.take.shares = NULL;
        a.u.take.clients = b.u.take.clients = NULL;
    } else if (a.kind == CONTROL_PREFLIGHT_REPORT) {
        assert_int_equal(a.u.preflight_report.relay_count, b.u.preflight_report.relay_count);
        assert_memory_equal(a.u.preflight_report.relays, b.u.preflight_report.relays,
                            a.u.preflight_report.relay_count *
                                sizeof(struct control_preflight_relay));
        assert_int_equal(a.u.preflight_report.fact_count, b.u.preflight_report.fact_count);
        assert_memory_equal(a.u.preflight_report.facts, b.u.preflight_report.facts,
                            a.u.preflight_report.fact_count * sizeof(*a.u.preflight_report.facts));
        a.u.preflight_report.facts = b.u.preflight_report.facts = NULL;
        a.u.preflight_report.relays = b.u.preflight_report.relays = NULL;
    } else if (a.kind == CONTROL_BATCH) {
        assert_int_equal(a.u.batch.event_count, b.u.batch.event_count);
        assert_memory_equal(a.u.batch.events, b.u.batch.events,
                            a.u.batch.event_count * sizeof(struct event));
        a.u.batch.events = b.u.batch.events = NULL;
    } else if (a.kind == CONTROL_SNAPSHOT) {
        assert_memory_equal(a.u.snapshot, b.u.snapshot, sizeof(struct snapshot));
        a.u.snapshot = b.u.snapshot = NULL;
    } else if (a.kind == CONTROL_OBSERVER_HELLO) {
        assert_int_equal(a.u.observer_hello.address_count, b.u.observer_hello.address_count);
        assert_memory_equal(a.u.observer_hello.addresses, b.u.observer_hello.addresses,
                            a.u.observer_hello.address_count * sizeof(struct ipv4));
        a.u.observer_hello.addresses = b.u.observer_hello.addresses = NULL;
    } else if (a.kind == CONTROL_OBSERVATION) {
        assert_memory_equal(a.u.observation, b.u.observation, sizeof(struct observation));
        a.u.observation = b.u.observation = NULL;
    } else if (a.kind == CONTROL_HISTOGRAM) {
        assert_memory_equal(a.u.histogram.histogram, b.u.histogram.histogram,
                            sizeof(struct histogram));
        a.u.histogram.histogram = b.u.histogram.histogram = NULL;
    }
    assert_memory_equal(&a.u, &b.u, sizeof(a.u));
}

static size_t expect_round_trip(struct control_arena *arena, const struct control_message *m)
{
    struct control_message back;
    char why[CONTROL_WHY_BYTES] = "";
    size_t size = control_encode(m, packed, sizeof(packed));

    assert_in_range(size, 1, sizeof(packed));
    if (!control_decode(arena, packed, size, &back, why)) {
        fail_msg("%s: %s", control_kind_name(m->kind), why);
    }
    expect_equal(*m, back);
    assert_int_equal(control_encode(&back, again, sizeof(again)), size);
    assert_memory_equal(packed, again, size);
    return size;
}

static void expect_unencodable(const struct control_message *m, const char *phrase)
{
    char why[CONTROL_WHY_BYTES] = "";

    assert_int_equal(control_encode(m, packed, sizeof(packed)), 0);
    assert_false(control_is_valid(m, why));
    if (strstr(why, phrase) == NULL) {
        fail_msg("why='%s', expected '%s'", why, phrase);
    }
}

static void a_kind_that_is_none_needs_zero_bytes(void **state)
{
    struct control_message m;

    (void)state;
    sample_message(CONTROL_ACK, &m);
    m.kind = CONTROL_NONE;
    expect_unencodable(&m, "0 is not a kind");
    m.kind = CONTROL_KIND_COUNT;
    expect_unencodable(&m, "is not a kind");
}

static void a_text_that_is_none_needs_zero_bytes(void **state)
{
    struct control_message m;

    (void)state;
    sample_message(CONTROL_REFUSE, &m);
    strcpy(m.u.refuse.text, "two\nlines");
    expect_unencodable(&m, "not printable");
    memset(m.u.refuse.text, 'x', sizeof(m.u.refuse.text)); /* no terminator */
    expect_unencodable(&m, "not printable");
}

/* A count above its cap is refused before a single row is looked at. */
static void a_count_above_its_cap_needs_zero_bytes(void **state)
{
    static struct event events[CONTROL_BATCH_EVENTS_MAX + 1];
    static struct ipv4 addresses[CONTROL_ADDRESSES_MAX + 1];
    static struct control_preflight_relay relays[CONTROL_PREFLIGHT_RELAYS_MAX + 1];
    struct control_message m;

    (void)state;
    sample_message(CONTROL_BATCH, &m);
    for (uint32_t i = 0; i < ARRAY_LEN(events); i++) {
        sample_event(&events[i], i);
    }
    m.u.batch.events = events;
    m.u.batch.event_count = ARRAY_LEN(events);
    expect_unencodable(&m, "513 events");
    m.u.batch.event_count = 0;
    expect_unencodable(&m, "0 events");
    sample_message(CONTROL_HELLO, &m);
    for (uint32_t i = 0; i < ARRAY_LEN(addresses); i++) {
        addresses[i] = sample_ipv4(0x0a000001 + i);
    }
    m.u.hello.addresses = addresses;
    m.u.hello.address_count = ARRAY_LEN(addresses);
    expect_unencodable(&m, "4097 addresses");
    sample_message(CONTROL_PREFLIGHT_REPORT, &m);
    m.u.preflight_report.relays = relays;
    m.u.preflight_report.relay_count = ARRAY_LEN(relays);
    expect_unencodable(&m, "257 relays");
    m.u.preflight_report.relay_count = 1;
    relays[0].path_count = PLAN_PATH_COUNT + 1;
    expect_unencodable(&m, "4 paths");
    sample_message(CONTROL_SNAPSHOT, &m);
    struct snapshot *s = sample_snapshot();
    s->send_error_count = SNAPSHOT_SEND_ERRORS_MAX + 1;
    expect_unencodable(&m, "too many rows");
    s->send_error_count = 0;
    s->unexpected_count = SNAPSHOT_UNEXPECTED_MAX + 1;
    expect_unencodable(&m, "too many rows");
}

static void a_path_that_is_none_needs_zero_bytes(void **state)
{
    struct control_preflight_relay relay = {.path_count = 1, .path[0].path = PLAN_PATH_COUNT};
    struct control_message m;

    (void)state;
    sample_message(CONTROL_PREFLIGHT, &m);
    m.u.preflight.path[1] = PLAN_PATH_COUNT;
    expect_unencodable(&m, "3 is not a path");
    sample_message(CONTROL_ARM, &m);
    m.u.arm.path = PLAN_PATH_COUNT;
    expect_unencodable(&m, "3 is not a path");
    sample_message(CONTROL_PREFLIGHT_REPORT, &m);
    m.u.preflight_report.relays = &relay;
    m.u.preflight_report.relay_count = 1;
    expect_unencodable(&m, "3 is not a path");
    sample_message(CONTROL_DRAIN, &m);
    m.u.drain.mode = (enum control_drain_mode)2;
    expect_unencodable(&m, "2 is not a mode");
}

static void nothing_is_written_where_it_does_not_fit(void **state)
{
    struct control_message m;
    uint8_t small[8];

    (void)state;
    memset(small, 0x5a, sizeof(small));
    sample_message(CONTROL_PREPARE, &m);
    size_t needed = control_encode(&m, NULL, 0);
    assert_in_range(needed, sizeof(small) + 1, sizeof(packed));
    assert_int_equal(control_encode(&m, small, sizeof(small)), needed);
    for (size_t i = 0; i < sizeof(small); i++) {
        assert_int_equal(small[i], 0x5a);
    }
    assert_int_equal(control_encode(&m, packed, needed), needed);
}

static void a_message_larger_than_the_budget_is_refused_and_the_next_one_is_not(void **state)
{
    struct control_arena *small = control_arena_new(2048);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    (void)state;
    assert_non_null(small);
    sample_message(CONTROL_HISTOGRAM, &m);
    size_t size = control_encode(&m, packed, sizeof(packed));
    assert_false(control_decode(small, packed, size, &m, why));
    assert_non_null(strstr(why, "needs more memory than the decoder's budget"));
    sample_message(CONTROL_ACK, &m);
    size = control_encode(&m, packed, sizeof(packed));
    assert_true(control_decode(small, packed, size, &m, why));
    control_arena_free(small);
    control_arena_free(NULL);
}

static void every_kind_comes_back_with_every_field(void **state)
{
    for (int kind = CONTROL_NONE + 1; kind < CONTROL_KIND_COUNT; kind++) {
        struct control_message m;
        sample_message((enum control_kind)kind, &m);
        (void)expect_round_trip(*state, &m);
    }
}

static void fields_that_exclude_each_other_come_back_too(void **state)
{
    struct control_message m;

    sample_message(CONTROL_GO, &m);
    m.u.go.rate_milli_per_s = m.u.go.arrivals = 0;
    m.u.go.batch = 150;
    (void)expect_round_trip(*state, &m);
    sample_message(CONTROL_BYE, &m);
    memset(m.u.bye.text, 0, sizeof(m.u.bye.text));
    (void)expect_round_trip(*state, &m);
    sample_message(CONTROL_HISTOGRAM, &m);
    m.u.histogram.key = (struct histogram_key){.metric = LATENCY_SEND_LAG,
                                               .clock = LATENCY_INTENDED,
                                               .server = SNAPSHOT_NO_SERVER,
                                               .stage = SNAPSHOT_STAGE_PREFLIGHT};
    (void)expect_round_trip(*state, &m);
}

static void a_saturated_histogram_comes_back(void **state)
{
    struct histogram *h = sample_histogram();
    struct control_message m;

    sample_message(CONTROL_HISTOGRAM, &m);
    m.u.histogram.histogram = h;
    h->bucket[histogram_bucket_of(h->min_ns)] = UINT32_MAX;
    h->count = UINT64_C(5000000000);
    h->sum_ns = UINT64_C(5000000000) * 2000;
    h->is_saturated = true;
    (void)expect_round_trip(*state, &m);
}

static void trailing_rows_of_zeros_come_back_as_zeros(void **state)
{
    struct control_message m;

    sample_message(CONTROL_SNAPSHOT, &m);
    struct snapshot *s = sample_snapshot();
    memset(s->server, 0, sizeof(s->server));
    s->server[1].acks = 5;
    m.u.snapshot = s;
    (void)expect_round_trip(*state, &m);
}

static void a_full_batch_stays_below_37_bytes_per_event(void **state)
{
    static struct event events[CONTROL_BATCH_EVENTS_MAX];
    struct control_message m = {.kind = CONTROL_BATCH, .session = 1};

    for (uint32_t i = 0; i < CONTROL_BATCH_EVENTS_MAX; i++) {
        sample_event(&events[i], i);
        /* Leases of a few ms at 1000/s, in no order of clients. */
        events[i].t_us = UINT64_C(86400000000) + i * 997;
        events[i].client = i * UINT32_C(7919) % 100000;
        events[i].xid = i * UINT32_C(2654435761);
    }
    m.u.batch = (struct control_batch){
        .epoch = UINT64_MAX, .seq = 100000, .events = events, .event_count = ARRAY_LEN(events)};
    size_t size = expect_round_trip(*state, &m);
    print_message("a full batch: %.1f bytes per event\n", (double)size / ARRAY_LEN(events));
    assert_true(size <= 37 * ARRAY_LEN(events));
}

static void the_largest_hello_and_histogram_fit_their_budget(void **state)
{
    static struct ipv4 addresses[CONTROL_ADDRESSES_MAX];
    static struct histogram h;
    struct control_message m;

    sample_message(CONTROL_HELLO, &m);
    for (uint32_t i = 0; i < CONTROL_ADDRESSES_MAX; i++) {
        addresses[i] = sample_ipv4(0xac100000 + i);
    }
    m.u.hello.addresses = addresses;
    m.u.hello.address_count = CONTROL_ADDRESSES_MAX;
    assert_in_range(expect_round_trip(*state, &m), 1, 64 * 1024);
    sample_message(CONTROL_HISTOGRAM, &m);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram_record(&h, i == 0 ? 1 : histogram_upper_ns(i - 1) + 1);
    }
    m.u.histogram.histogram = &h;
    assert_in_range(expect_round_trip(*state, &m), 1, 64 * 1024);
}

static void the_largest_batch_fits_its_budget(void **state)
{
    static struct event events[CONTROL_BATCH_EVENTS_MAX];
    struct control_message m;

    sample_message(CONTROL_BATCH, &m);
    for (uint32_t i = 0; i < CONTROL_BATCH_EVENTS_MAX; i++) {
        events[i] = (struct event){.t_us = i % 2 == 0 ? 0 : INT64_MAX,
                                   .client = i % 2 == 0 ? 0 : PLAN_CLIENTS_MAX - 1,
                                   .xid = UINT32_MAX,
                                   .lease_s = UINT32_MAX,
                                   .offer_us = EVENT_SPAN_MAX,
                                   .took_us = EVENT_SPAN_MAX,
                                   .wait_us = EVENT_SPAN_MAX,
                                   .addr = sample_ipv4(UINT32_MAX),
                                   .server = sample_ipv4(UINT32_MAX),
                                   .tries = UINT16_MAX,
                                   .flags = EVENT_OFFER_SEEN | EVENT_FOREIGN_OFFER,
                                   .kind = EVENT_ACQUIRE,
                                   .result = EVENT_NAK,
                                   .stage = 31};
    }
    m.u.batch.events = events;
    m.u.batch.event_count = CONTROL_BATCH_EVENTS_MAX;
    assert_in_range(expect_round_trip(*state, &m), 1, 64 * 1024);
}

static void the_largest_preflight_report_fits_its_budget(void **state)
{
    static struct control_preflight_relay relays[CONTROL_PREFLIGHT_RELAYS_MAX];
    struct control_message m;

    sample_message(CONTROL_PREFLIGHT_REPORT, &m);
    for (uint32_t i = 0; i < CONTROL_PREFLIGHT_RELAYS_MAX; i++) {
        relays[i] = (struct control_preflight_relay){.relay = PLAN_RELAYS_MAX - 1,
                                                     .clients = UINT32_MAX,
                                                     .offered = UINT32_MAX,
                                                     .bound = UINT32_MAX,
                                                     .foreign_offers = UINT32_MAX,
                                                     .naks = UINT32_MAX,
                                                     .servers_answered = UINT16_MAX,
                                                     .send_errno = 4095,
                                                     .path_count = PLAN_PATH_COUNT};
        for (uint32_t k = 0; k < PLAN_PATH_COUNT; k++) {
            relays[i].path[k] = (struct control_preflight_path){k,          UINT32_MAX, UINT32_MAX,
                                                                UINT32_MAX, UINT16_MAX, 4095};
        }
        relays[i].lease_least_s = relays[i].lease_most_s = UINT32_MAX;
        relays[i].t1_s = relays[i].t2_s = UINT32_MAX;
        relays[i].unmarked_offers = UINT16_MAX;
        relays[i].way_count = CONTROL_PREFLIGHT_WAYS_MAX;
        for (uint32_t k = 0; k < CONTROL_PREFLIGHT_WAYS_MAX; k++) {
            relays[i].way[k] =
                (struct control_preflight_way){.server = PLAN_SERVERS_MAX - 1,
                                               .path = k % PLAN_PATH_COUNT,
                                               .sent = CONTROL_PREFLIGHT_WAY_CLIENTS_MAX,
                                               .acked = CONTROL_PREFLIGHT_WAY_CLIENTS_MAX,
                                               .low_ports = CONTROL_PREFLIGHT_WAY_CLIENTS_MAX};
        }
    }
    m.u.preflight_report.relays = relays;
    m.u.preflight_report.relay_count = CONTROL_PREFLIGHT_RELAYS_MAX;
    assert_in_range(expect_round_trip(*state, &m), 1, 64 * 1024);
}

static void the_largest_prepare_fits_its_budget_and_its_frame(void **state)
{
    static uint8_t plan[PLAN_BYTES_MAX];
    static struct control_share shares[PLAN_RELAYS_MAX];
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    struct control_message m;

    (void)state;
    assert_non_null(arena);
    sample_message(CONTROL_PREPARE, &m);
    for (uint32_t i = 0; i < PLAN_RELAYS_MAX; i++) {
        shares[i] = (struct control_share){
            .relay = i, .first_client = PLAN_CLIENTS_MAX - PLAN_RELAYS_MAX + i, .client_count = 1};
    }
    m.u.prepare.plan = plan;
    m.u.prepare.plan_bytes = sizeof(plan);
    m.u.prepare.shares = shares;
    m.u.prepare.share_count = PLAN_RELAYS_MAX;
    assert_in_range(expect_round_trip(arena, &m), sizeof(plan), 4 * 1024 * 1024);
    control_arena_free(arena);
}

static void the_largest_adopt_fits_its_budget_and_its_frame(void **state)
{
    static struct control_adopted leases[CONTROL_ADOPT_MAX + 1];
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    struct control_message m;

    (void)state;
    assert_non_null(arena);
    sample_message(CONTROL_ADOPT, &m);
    for (uint32_t i = 0; i < ARRAY_LEN(leases); i++) {
        leases[i] = (struct control_adopted){.client = PLAN_CLIENTS_MAX - 1 - i,
                                             .addr = sample_ipv4(0x0a000001 + i),
                                             .server = sample_ipv4(0xc0a8010c)};
    }
    m.u.adopt.leases = leases;
    m.u.adopt.lease_count = CONTROL_ADOPT_MAX;
    assert_in_range(expect_round_trip(arena, &m), 12 * CONTROL_ADOPT_MAX, 4 * 1024 * 1024);
    m.u.adopt.lease_count++;
    expect_unencodable(&m, "65537 leases");
    m.u.adopt.lease_count = 0;
    expect_unencodable(&m, "0 leases");
    control_arena_free(arena);
}

static void the_largest_take_fits_its_budget_and_its_frame(void **state)
{
    static struct control_take_share shares[CONTROL_TAKE_SHARES_MAX];
    static struct control_taken clients[CONTROL_TAKE_CLIENTS_MAX + 1];
    enum { EACH = CONTROL_TAKE_CLIENTS_MAX / CONTROL_TAKE_SHARES_MAX };
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    struct control_message m;
    uint32_t first = PLAN_CLIENTS_MAX - CONTROL_TAKE_CLIENTS_MAX;

    (void)state;
    assert_non_null(arena);
    sample_message(CONTROL_TAKE, &m);
    for (uint32_t i = 0; i < ARRAY_LEN(shares); i++) {
        shares[i] = (struct control_take_share){.relay = PLAN_RELAYS_MAX - 1,
                                                .first_client = first + i * EACH,
                                                .client_count = EACH,
                                                .via_relay = PLAN_RELAYS_MAX - 1};
    }
    for (uint32_t i = 0; i < ARRAY_LEN(clients); i++) {
        clients[i] = (struct control_taken){.client = first + i,
                                            .flags = TAKEN_HAD_LEASE,
                                            .addr = sample_ipv4(0x0a000001 + i),
                                            .server = sample_ipv4(0xc0a8010c),
                                            .lease_ms = UINT32_MAX};
    }
    m.u.take.shares = shares;
    m.u.take.share_count = ARRAY_LEN(shares);
    m.u.take.clients = clients;
    m.u.take.client_count = CONTROL_TAKE_CLIENTS_MAX;
    assert_in_range(expect_round_trip(arena, &m), 18 * CONTROL_TAKE_CLIENTS_MAX, 1024 * 1024);
    m.u.take.client_count++;
    expect_unencodable(&m, "32769 clients");
    m.u.take.client_count = 0; /* nobody of them has started */
    assert_in_range(expect_round_trip(arena, &m), CONTROL_TAKE_SHARES_MAX, 1024 * 1024);
    shares[0].client_count = EACH + 1;
    shares[0].first_client--;
    expect_unencodable(&m, "all of them have more");
    m.u.take.share_count = 0;
    expect_unencodable(&m, "0 shares");
    control_arena_free(arena);
}

static void text_is_made_harmless_before_it_is_sent(void **state)
{
    char out[CONTROL_TEXT_BYTES];
    char longest[400];

    (void)state;
    control_set_text(out, "a\nb\x1b[2J\xc3\xa9");
    assert_string_equal(out, "a?b?[2J??");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    control_set_text(out, longest);
    assert_int_equal(strlen(out), CONTROL_TEXT_BYTES - 1);
}

/* Its reader prints it between quotes. */
static void a_text_that_came_does_not_end_a_quoted_value(void **state)
{
    static const enum control_kind kinds[] = {CONTROL_REFUSE, CONTROL_BYE};
    static const char said[] = "no\" agent=a9 why=\"yes";
    uint8_t bytes[1024];
    char why[CONTROL_WHY_BYTES] = "";

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct control_message m, back;
        sample_message(kinds[i], &m);
        strcpy(kinds[i] == CONTROL_BYE ? m.u.bye.text : m.u.refuse.text, said);
        size_t size = control_encode(&m, bytes, sizeof(bytes));
        assert_true(control_decode(*state, bytes, size, &back, why));
        assert_string_equal(kinds[i] == CONTROL_BYE ? back.u.bye.text : back.u.refuse.text,
                            "no' agent=a9 why='yes");
    }
    struct control_message m, back;
    sample_message(CONTROL_HELLO, &m);
    strcpy(m.u.hello.build, "1\" x=\"");
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    assert_true(control_decode(*state, bytes, size, &back, why));
    assert_string_equal(back.u.hello.build, "1' x='");
}

static void every_kind_has_a_name_a_sender_and_a_socket(void **state)
{
    (void)state;
    for (int i = CONTROL_NONE + 1; i < CONTROL_KIND_COUNT; i++) {
        enum control_kind kind = (enum control_kind)i;
        bool is_data = control_kind_is_data(kind);
        assert_non_null(control_kind_name(kind));
        assert_true(control_kind_is_allowed(kind, true, is_data) ||
                    control_kind_is_allowed(kind, false, is_data));
        assert_false(control_kind_is_allowed(kind, true, !is_data));
        assert_false(control_kind_is_allowed(kind, false, !is_data));
        assert_int_equal(control_kind_is_from_agent(kind),
                         control_kind_is_allowed(kind, true, is_data));
    }
    assert_true(control_kind_is_allowed(CONTROL_REFUSE, true, false));
    assert_true(control_kind_is_allowed(CONTROL_REFUSE, false, false));
    assert_false(control_kind_is_allowed(CONTROL_GRANT, true, false));
    assert_false(control_kind_is_allowed(CONTROL_ADOPT, true, false));
    assert_true(control_kind_is_allowed(CONTROL_ADOPT, false, false));
    assert_false(control_kind_is_allowed(CONTROL_TAKE, true, false));
    assert_false(control_kind_is_allowed(CONTROL_BATCH, false, true));
    assert_false(control_kind_is_allowed(CONTROL_NONE, true, false));
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        assert_non_null(control_refusal_name((enum control_refusal)i));
    }
}

static int make_arena(void **state)
{
    *state = control_arena_new(CONTROL_ARENA_UP_BYTES);
    return *state != NULL ? 0 : -1;
}

static int free_arena(void **state)
{
    control_arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_that_is_none_needs_zero_bytes),
        cmocka_unit_test(a_text_that_is_none_needs_zero_bytes),
        cmocka_unit_test(a_count_above_its_cap_needs_zero_bytes),
        cmocka_unit_test(a_path_that_is_none_needs_zero_bytes),
        cmocka_unit_test(nothing_is_written_where_it_does_not_fit),
        cmocka_unit_test(a_message_larger_than_the_budget_is_refused_and_the_next_one_is_not),
        cmocka_unit_test(every_kind_comes_back_with_every_field),
        cmocka_unit_test(fields_that_exclude_each_other_come_back_too),
        cmocka_unit_test(a_saturated_histogram_comes_back),
        cmocka_unit_test(trailing_rows_of_zeros_come_back_as_zeros),
        cmocka_unit_test(a_full_batch_stays_below_37_bytes_per_event),
        cmocka_unit_test(the_largest_hello_and_histogram_fit_their_budget),
        cmocka_unit_test(the_largest_batch_fits_its_budget),
        cmocka_unit_test(the_largest_preflight_report_fits_its_budget),
        cmocka_unit_test(the_largest_prepare_fits_its_budget_and_its_frame),
        cmocka_unit_test(the_largest_adopt_fits_its_budget_and_its_frame),
        cmocka_unit_test(the_largest_take_fits_its_budget_and_its_frame),
        cmocka_unit_test(text_is_made_harmless_before_it_is_sent),
        cmocka_unit_test(a_text_that_came_does_not_end_a_quoted_value),
        cmocka_unit_test(every_kind_has_a_name_a_sender_and_a_socket),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
