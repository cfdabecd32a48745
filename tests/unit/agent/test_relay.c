/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "agent/relay/relay.h"
#include "common/bytes.h"
#include "tests/support/model_server.h"

static const char circuit[] = "eth0/7", remote[] = "bldg-1";

struct bench {
    struct plan plan;
    struct plan_relay plan_relay;
    struct dhcp4_profile profile;
    struct relay_common common;
    struct relay relay;
};

static struct bench *bench_new(bool has_option82)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    strcpy(b->plan.run_name, "20260101T000000Z-peak");
    b->plan_relay.giaddr = inet_from_host(0xac100803);
    if (has_option82) {
        b->plan_relay.circuit_id_bytes = sizeof(circuit) - 1;
        memcpy(b->plan_relay.circuit_id, circuit, sizeof(circuit) - 1);
        b->plan_relay.remote_id_bytes = sizeof(remote) - 1;
        memcpy(b->plan_relay.remote_id, remote, sizeof(remote) - 1);
    }
    relay_profile(&b->plan, &b->profile);
    assert_true(relay_common_init(&b->common, &b->profile));
    assert_true(relay_init(&b->relay, &b->plan_relay, 1, &b->profile));
    return b;
}

static void bench_free(struct bench *b)
{
    relay_fini(&b->relay);
    free(b);
}

static const struct dhcp4_fill fill = {
    .xid = 0x07abcdef,
    .secs = 0x1234,
    .chaddr = {{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}},
    .ciaddr = {0},
    .requested_ip = {0},
    .server_id = {0},
};

static size_t write_message(const struct bench *b, enum dhcp4_intent intent, enum plan_path path,
                            uint8_t bytes[DHCP4_MAX_BYTES], struct model_query *out)
{
    struct dhcp4_fill f = fill;
    f.ciaddr = f.requested_ip = inet_from_host(0x0a0a0105);
    f.server_id = inet_from_host(0xc0a8010c);
    size_t size = relay_write(&b->relay, &b->common, intent, path, &f, bytes);
    assert_true(size <= DHCP4_MAX_BYTES && model_query_parse(bytes, size, out));
    return size;
}

/*
 * RFC 2131 tables 4 and 5, with what a relay adds (RFC 1542, RFC 3046): which
 * field each message carries, written down from the tables.
 */
static const struct row {
    enum dhcp4_intent intent;
    enum plan_path path;
    uint8_t type;
    bool giaddr, ciaddr, requested, server_id, secs;
    bool copies; /* to every server of the relay */
} rows[] = {
    {DHCP4_DISCOVER, PLAN_PATH_EGRESS, 1, true, false, false, false, true, true},
    {DHCP4_REQUEST, PLAN_PATH_EGRESS, 3, true, false, true, true, true, true},
    {DHCP4_RENEW, PLAN_PATH_EGRESS, 3, false, true, false, false, true, false},
    {DHCP4_RENEW, PLAN_PATH_ROUTED, 3, false, true, false, false, true, false},
    {DHCP4_RENEW, PLAN_PATH_RELAYED, 3, true, true, false, false, true, false},
    {DHCP4_REBIND, PLAN_PATH_EGRESS, 3, true, true, false, false, true, true},
    {DHCP4_REBOOT, PLAN_PATH_EGRESS, 3, true, false, true, false, true, true},
    {DHCP4_DECLINE, PLAN_PATH_EGRESS, 4, true, false, true, true, false, true},
    {DHCP4_RELEASE, PLAN_PATH_EGRESS, 7, false, true, false, true, false, false},
    {DHCP4_RELEASE, PLAN_PATH_RELAYED, 7, false, true, false, true, false, false},
    {DHCP4_INFORM, PLAN_PATH_EGRESS, 8, false, true, false, false, true, false},
    {DHCP4_INFORM, PLAN_PATH_RELAYED, 8, false, true, false, false, true, false},
};

static void check_row(const struct bench *b, const struct row *row)
{
    uint8_t bytes[DHCP4_MAX_BYTES];
    struct model_query q;
    size_t size = write_message(b, row->intent, row->path, bytes, &q);
    assert_true(size >= DHCP4_MIN_BYTES);
    assert_int_equal(bytes[0], 1); /* BOOTREQUEST */
    assert_int_equal(bytes[1], 1); /* Ethernet */
    assert_int_equal(bytes[2], 6);
    assert_int_equal(q.hops, row->giaddr ? 1 : 0);
    assert_int_equal(q.xid, fill.xid);
    assert_int_equal(q.secs, row->secs ? fill.secs : 0);
    assert_int_equal(bytes[8], row->secs ? 0x12 : 0); /* network order */
    assert_int_equal(q.flags, 0);
    assert_int_equal(inet_host(q.ciaddr), row->ciaddr ? 0x0a0a0105 : 0);
    assert_int_equal(bytes_get_u32(bytes + 16), 0); /* yiaddr */
    assert_int_equal(bytes_get_u32(bytes + 20), 0); /* siaddr */
    assert_int_equal(inet_host(q.giaddr), row->giaddr ? 0xac100803 : 0);
    assert_memory_equal(&q.chaddr, &fill.chaddr, MAC_BYTES);
    assert_int_equal(q.type, row->type);
    assert_int_equal(q.has_requested, row->requested);
    assert_int_equal(inet_host(q.requested), row->requested ? 0x0a0a0105 : 0);
    assert_int_equal(q.has_server_id, row->server_id);
    assert_int_equal(inet_host(q.server_id), row->server_id ? 0xc0a8010c : 0);
    assert_int_equal(q.has_parameters, row->secs);
    assert_int_equal(q.has_vendor_class, row->secs);
    assert_int_equal(relay_copies(row->intent), row->copies);
    assert_int_equal(relay_forwards(row->intent, row->path), row->giaddr);
}

/* RFC 4388 6.3: what a relay asks itself is of no client, and of every path the same. */
static void a_query_is_the_relays_own(void **state)
{
    (void)state;
    static const struct mac none;
    for (int has_82 = 0; has_82 < 2; has_82++) {
        struct bench *b = bench_new(has_82);
        for (int path = 0; path < PLAN_PATH_COUNT; path++) {
            uint8_t bytes[DHCP4_MAX_BYTES];
            struct model_query q;
            (void)write_message(b, DHCP4_QUERY, (enum plan_path)path, bytes, &q);
            assert_int_equal(bytes[0], 1);
            assert_int_equal(bytes[1] | bytes[2] | bytes[3], 0); /* htype, hlen, hops */
            assert_int_equal(q.type, 10);
            assert_int_equal(q.xid, fill.xid);
            assert_int_equal(inet_host(q.ciaddr), 0x0a0a0105);
            assert_int_equal(inet_host(q.giaddr), 0xac100803);
            assert_memory_equal(&q.chaddr, &none, sizeof(none));
            assert_true(q.has_parameters && !q.has_client_id && !q.has_vendor_class);
            assert_null(q.relay_info);
            assert_true(relay_forwards(DHCP4_QUERY, (enum plan_path)path));
        }
        assert_false(relay_copies(DHCP4_QUERY));
        bench_free(b);
    }
}

static void every_message_carries_what_table_5_says_and_nothing_else(void **state)
{
    (void)state;
    struct bench *b = bench_new(false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(b, &rows[i]);
    }
    bench_free(b);
}

/* Option 82 is the relay's: never in what a client sends itself, always the last one. */
static void option_82_is_in_what_the_relay_forwards_and_only_there(void **state)
{
    (void)state;
    static const uint8_t expected[] = {82,  16, 1, 6,   'e', 't', 'h', '0', '/',
                                       '7', 2,  6, 'b', 'l', 'd', 'g', '-', '1'};
    struct bench *b = bench_new(true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t bytes[DHCP4_MAX_BYTES];
        struct model_query q;
        (void)write_message(b, rows[i].intent, rows[i].path, bytes, &q);
        assert_int_equal(q.relay_info != NULL, rows[i].giaddr);
        if (q.relay_info != NULL) {
            assert_int_equal(q.relay_info_bytes, sizeof(expected));
            assert_memory_equal(q.relay_info, expected, sizeof(expected));
            assert_int_equal(q.relay_info[sizeof(expected)], 255);
        }
        check_row(b, &rows[i]);
    }
    bench_free(b);
}

static void a_path_changes_nothing_but_the_renewal(void **state)
{
    (void)state;
    struct bench *b = bench_new(true);
    for (int intent = 0; intent < DHCP4_INTENT_COUNT; intent++) {
        uint8_t first[DHCP4_MAX_BYTES], other[DHCP4_MAX_BYTES];
        struct model_query q;
        size_t size = write_message(b, (enum dhcp4_intent)intent, PLAN_PATH_EGRESS, first, &q);
        for (int path = 0; path < PLAN_PATH_COUNT; path++) {
            bool is_same = intent != DHCP4_RENEW || path != PLAN_PATH_RELAYED;
            size_t other_size =
                write_message(b, (enum dhcp4_intent)intent, (enum plan_path)path, other, &q);
            assert_int_equal(other_size == size && memcmp(first, other, size) == 0, is_same);
        }
    }
    bench_free(b);
}

static const char *vendor_class_of(const struct plan *plan)
{
    static struct dhcp4_profile profile;
    relay_profile(plan, &profile);
    return profile.vendor_class;
}

static void option_60_is_the_scenarios_or_else_the_mark_of_the_run(void **state)
{
    (void)state;
    static struct plan plan;
    strcpy(plan.run_name, "r1");
    assert_string_equal(vendor_class_of(&plan), "leaseherd/r1");
    strcpy(plan.vendor_class, "MSFT 5.0");
    assert_string_equal(vendor_class_of(&plan), "MSFT 5.0");
    /* The longest texts a plan holds are cut, not overrun. */
    memset(plan.vendor_class, 'v', sizeof(plan.vendor_class) - 1);
    assert_in_range(strlen(vendor_class_of(&plan)), 100, DHCP4_VENDOR_CLASS_MAX - 1);
    memset(plan.vendor_class, 0, sizeof(plan.vendor_class));
    memset(plan.run_name, 'r', sizeof(plan.run_name) - 1);
    assert_in_range(strlen(vendor_class_of(&plan)), 100, DHCP4_VENDOR_CLASS_MAX - 1);
}

static void options_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct bench *b = bench_new(false);
    struct dhcp4_profile profile = b->profile;
    struct relay relay;
    struct relay_common common;
    profile.parameter_count = DHCP4_PARAMETERS_MAX + 1;
    assert_false(relay_common_init(&common, &profile));
    b->plan_relay.circuit_id_bytes = 1;
    assert_false(relay_init(&relay, &b->plan_relay, 0, &profile));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_do_not_fit_are_refused),
        cmocka_unit_test(every_message_carries_what_table_5_says_and_nothing_else),
        cmocka_unit_test(a_query_is_the_relays_own),
        cmocka_unit_test(option_82_is_in_what_the_relay_forwards_and_only_there),
        cmocka_unit_test(a_path_changes_nothing_but_the_renewal),
        cmocka_unit_test(option_60_is_the_scenarios_or_else_the_mark_of_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
