/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/leases_left.h"
#include "tests/support/truth_fixture.h"

static const char *const scenario_text = TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN;

static struct ipv4 ip(const char *text)
{
    struct ipv4 a;
    assert_true(inet_parse(text, &a));
    return a;
}

static void feed(struct leases_left *left, enum event_kind kind, enum event_result result,
                 uint32_t client, const char *addr)
{
    struct event e = {.kind = (uint8_t)kind,
                      .result = (uint8_t)result,
                      .client = client,
                      .addr = ip(addr),
                      .server = ip("192.168.1.12"),
                      .tries = 1};
    leases_left_event(left, &e);
}

static void put(struct lease_book *book, const char *addr, struct mac mac, const char *state)
{
    char text[256], mac_words[MAC_TEXT_BYTES];
    (void)snprintf(text, sizeof(text),
                   "lease %s {\n  binding state %s;\n  hardware ethernet %s;\n}\n", addr, state,
                   mac_text(mac, mac_words));
    assert_true(lease_book_dhcpd(book, text, strlen(text), 0));
}

static void what_was_lost_or_never_had_is_not_left(void **unused)
{
    (void)unused;
    struct leases_left left = {0};
    feed(&left, EVENT_ACQUIRE, EVENT_GAVE_UP, 1, "10.10.0.1");
    feed(&left, EVENT_ACQUIRE, EVENT_ACK, 2, "10.10.0.2");
    feed(&left, EVENT_EXPIRE, EVENT_ENDED, 2, "10.10.0.2");
    feed(&left, EVENT_ACQUIRE, EVENT_ACK, 3, "10.10.0.3");
    feed(&left, EVENT_RENEW, EVENT_NAK, 3, "10.10.0.3");
    feed(&left, EVENT_RELEASE, EVENT_SENT, 4, "10.10.0.4");
    struct event unsent = {.kind = EVENT_DECLINE, .result = EVENT_SENT, .client = 5};
    leases_left_event(&left, &unsent);
    assert_true(leases_left_close(&left));
    assert_int_equal(left.count, 0);
    assert_int_equal(left.declined.count, 0);
    leases_left_fini(&left);
}

static void a_release_confirms_nothing(void **unused)
{
    (void)unused;
    struct leases_left left = {0};
    feed(&left, EVENT_ACQUIRE, EVENT_ACK, 7, "10.10.0.7");
    feed(&left, EVENT_ACQUIRE, EVENT_ACK, 2, "10.10.0.2");
    feed(&left, EVENT_RENEW, EVENT_CHANGED, 2, "10.10.0.3");
    feed(&left, EVENT_RELEASE, EVENT_SENT, 7, "10.10.0.7");
    assert_true(leases_left_close(&left));
    assert_int_equal(left.count, 2);
    assert_int_equal(left.list[0].client, 2);
    assert_true(inet_equal(left.list[0].addr, ip("10.10.0.3")));
    assert_int_equal(left.list[0].state, LEFT_HELD);
    assert_int_equal(left.list[1].state, LEFT_RELEASED);
    struct left_tally tally = leases_left_tally(&left);
    assert_int_equal(tally.unconfirmed, 2);
    assert_int_equal(tally.confirmed, 0);
    leases_left_fini(&left);
}

static void a_decline_takes_the_lease_and_names_the_address(void **unused)
{
    (void)unused;
    struct leases_left left = {0};
    feed(&left, EVENT_ACQUIRE, EVENT_ACK, 7, "10.10.0.7");
    feed(&left, EVENT_DECLINE, EVENT_SENT, 7, "10.10.0.7");
    assert_true(leases_left_close(&left));
    assert_int_equal(left.count, 0);
    const struct table_entry *entry = table_find(&left.declined, inet_host(ip("10.10.0.7")));
    assert_non_null(entry);
    assert_int_equal(entry->value, 7);
    leases_left_fini(&left);
}

static void the_books_decide(void **unused)
{
    (void)unused;
    struct truth_fixture f;
    truth_fixture_init(&f, scenario_text);
    const struct plan *plan = &f.plan;
    struct leases_left left = {0};
    struct lease_book a = {0}, b = {0};
    for (uint32_t client = 1; client <= 4; client++) {
        char addr[IPV4_TEXT_BYTES];
        (void)snprintf(addr, sizeof(addr), "10.10.0.%u", (unsigned)client);
        feed(&left, EVENT_ACQUIRE, EVENT_ACK, client, addr);
    }
    assert_true(leases_left_close(&left));

    put(&a, "10.10.0.1", plan_client_mac(plan, 1), "active");
    put(&a, "10.10.0.2", plan_client_mac(plan, 2), "free");
    put(&b, "10.10.0.3", plan_client_mac(plan, 3), "active"); /* the partner was not told */
    put(&a, "10.10.0.4", plan_client_mac(plan, 9), "active"); /* somebody else's now: 9's */
    put(&a, "10.20.0.4", plan_client_mac(plan, 8), "active"); /* outside the block: not ours */
    put(&b, "10.10.0.4", plan_client_mac(plan, 9), "active"); /* told of twice, found once */

    const struct left_book only_partner[] = {{ip("192.168.2.12"), &b}};
    const struct left_book none[] = {{ip("192.168.1.12"), NULL}, {ip("192.168.2.12"), NULL}};
    const struct left_book both[] = {{ip("192.168.1.12"), &a}, {ip("192.168.2.12"), &b}};

    assert_true(leases_left_check(&left, plan, none, ARRAY_LEN(none)));
    assert_int_equal(leases_left_tally(&left).unconfirmed, 4);

    assert_true(leases_left_check(&left, plan, only_partner, 1));
    assert_int_equal(left.list[1].proof, LEFT_UNCONFIRMED); /* its own server was not asked */
    assert_int_equal(left.list[2].proof, LEFT_ACTIVE);

    assert_true(leases_left_check(&left, plan, both, ARRAY_LEN(both)));
    assert_int_equal(left.count, 5);
    assert_int_equal(left.list[0].proof, LEFT_ACTIVE);
    assert_int_equal(left.list[1].proof, LEFT_FREE);
    assert_int_equal(left.list[2].proof, LEFT_ACTIVE);
    assert_int_equal(left.list[3].proof, LEFT_FREE);
    assert_int_equal(left.list[4].client, 9);
    assert_int_equal(left.list[4].state, LEFT_FOUND);

    leases_left_asked(&left, 1, ip("10.10.0.1"), LEFT_FREE);
    leases_left_asked(&left, 1, ip("10.10.0.9"), LEFT_ACTIVE); /* no such lease */
    assert_int_equal(left.list[0].proof, LEFT_FREE);
    lease_book_fini(&a);
    lease_book_fini(&b);
    leases_left_fini(&left);
    truth_fixture_fini(&f);
}

/* An older entry proves nothing where a later one was not understood. */
static void a_book_not_understood_frees_nothing(void **unused)
{
    (void)unused;
    static const struct {
        const char *more;
        enum left_proof proof;
    } rows[] = {
        {"", LEFT_FREE},
        {"lease 10.10.0.9 {\n  binding state free;\n}\n", LEFT_FREE},
        {"lease 10.10.0.1 {\n  binding state active;\n}\n", LEFT_UNCONFIRMED},
        {"lease 10.10.0.1 {\n  binding state active;\n  hardware fddi 02:00:00:00:00:01;\n}\n",
         LEFT_UNCONFIRMED},
        {"lease 10.10.0.? {\n  binding state active;\n}\n", LEFT_UNCONFIRMED},
        {"lease 10.10.0.9 {\n  binding st", LEFT_UNCONFIRMED},
    };
    struct truth_fixture f;
    truth_fixture_init(&f, scenario_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct leases_left left = {0};
        struct lease_book book = {0};
        const struct left_book view = {ip("192.168.1.12"), &book};
        feed(&left, EVENT_ACQUIRE, EVENT_ACK, 1, "10.10.0.1");
        assert_true(leases_left_close(&left));
        put(&book, "10.10.0.1", plan_client_mac(&f.plan, 1), "free");
        assert_true(lease_book_dhcpd(&book, rows[i].more, strlen(rows[i].more), 0) ||
                    rows[i].more[0] == '\0' || book.strange > 0);
        assert_true(leases_left_check(&left, &f.plan, &view, 1));
        if (left.list[0].proof != rows[i].proof) {
            fail_msg("%s: %d", rows[i].more, (int)left.list[0].proof);
        }
        lease_book_fini(&book);
        leases_left_fini(&left);
    }
    truth_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lost_or_never_had_is_not_left),
        cmocka_unit_test(a_release_confirms_nothing),
        cmocka_unit_test(a_decline_takes_the_lease_and_names_the_address),
        cmocka_unit_test(a_book_not_understood_frees_nothing),
        cmocka_unit_test(the_books_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
