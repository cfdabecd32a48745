/* SPDX-License-Identifier: MIT */
/* What the ledger says is leased at the end, against what lease files say. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_leases.h"
#include "tests/support/truth_fixture.h"

enum { END_S = 100, NOW_S = 1700000000 };

struct fixture {
    struct truth_fixture f;
    struct audit_leases leases;
    struct lease_book books[2];
    struct audit_notes notes;
    char text[2][8192];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    truth_fixture_init(&f->f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(f->text[i], sizeof(f->text[i]),
                       "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,"
                       "hostname,state,user_context\n");
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    audit_leases_fini(&f->leases);
    for (size_t i = 0; i < 2; i++) {
        lease_book_fini(&f->books[i]);
    }
    audit_notes_fini(&f->notes);
    truth_fixture_fini(&f->f);
    free(f);
    return 0;
}

static void lease_it(struct fixture *f, uint32_t client, int64_t at_s)
{
    struct event e = truth_fixture_ack(&f->f, EVENT_ACQUIRE, client);
    assert_true(audit_leases_event(&f->leases, &e, at_s * 1000000));
}

static void release_it(struct fixture *f, uint32_t client)
{
    struct event e = truth_fixture_ack(&f->f, EVENT_RELEASE, client);
    e.result = EVENT_SENT;
    e.lease_s = 0;
    assert_true(audit_leases_event(&f->leases, &e, 99000000));
}

/* A line of Kea's for the client's address; `left_s` from the run's end. */
static void line(struct fixture *f, size_t book, uint32_t client, int left_s)
{
    char mac[MAC_TEXT_BYTES], ip[IPV4_TEXT_BYTES];
    struct event e = truth_fixture_ack(&f->f, EVENT_ACQUIRE, client);
    size_t at = strlen(f->text[book]);
    (void)snprintf(f->text[book] + at, sizeof(f->text[book]) - at, "%s,%s,,60,%d,1,0,0,,0,\n",
                   inet_text(e.addr, ip), mac_text(plan_client_mac(&f->f.plan, client), mac),
                   NOW_S + left_s);
}

static uint64_t compare(struct fixture *f, size_t books)
{
    bool is_good = false;
    for (size_t i = 0; i < books; i++) {
        assert_true(lease_book_kea_csv(&f->books[i], f->text[i], strlen(f->text[i]), NOW_S));
    }
    uint64_t held = audit_leases_compare(&f->leases, &f->f.plan, INT64_C(1000000) * END_S, f->books,
                                         books, &f->notes, &is_good);
    assert_true(is_good);
    return held;
}

static void expect_notes(const struct fixture *f, uint64_t differences, const char *text)
{
    bool says = text == NULL;
    for (size_t i = 0; i < f->notes.count; i++) {
        says = says || strstr(f->notes.note[i].text, text) != NULL;
    }
    for (size_t i = 0; i < f->notes.count && (!says || f->notes.differences != differences); i++) {
        print_message("%s\n", f->notes.note[i].text);
    }
    assert_int_equal(f->notes.differences, differences);
    assert_true(says);
}

static void leases_that_both_have_are_no_difference(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 10; i++) {
        lease_it(f, i, 90);
        line(f, i % 2, i, 50);
    }
    assert_int_equal(compare(f, 2), 10);
    expect_notes(f, 0, NULL);
    assert_int_equal(f->notes.count, 0);
}

static void a_line_that_is_missing_or_over_is_told_with_its_client(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 10; i++) {
        lease_it(f, i, 90);
        if (i != 4) {                        /* of server s1 */
            line(f, 0, i, i == 7 ? -1 : 50); /* of server s2 */
        }
    }
    assert_int_equal(compare(f, 1), 10);
    expect_notes(
        f, 2,
        "server s1: 5 leases of the ledger are held at the run's end, 4 of them are active "
        "in the files; first missing: client 4 (");
    expect_notes(f, 2, "server s2: 5 leases of the ledger are held at the run's end, 4 of them");
}

static void another_servers_file_is_told(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 10; i += 2) {
        lease_it(f, i, 90);
    }
    for (uint32_t i = 1; i < 9; i += 2) {
        line(f, 0, i, 50); /* of clients of this run that never had one */
    }
    (void)compare(f, 1);
    expect_notes(
        f, 2,
        "server s1: 5 leases of the ledger are held at the run's end, 0 of them are active "
        "in the files: is that server's own file among them");
    expect_notes(f, 2,
                 "4 leases of the run's clients are active in them that the ledger does not have");
}

static void somebody_elses_lease_of_the_address_is_not_ours(void **state)
{
    struct fixture *f = *state;
    lease_it(f, 2, 90);
    line(f, 0, 2, 50);
    char *mac = strchr(f->text[0], '\n') + 1;
    mac = strchr(mac, ',') + 1;
    memcpy(mac, "00:11", 5);
    (void)compare(f, 1);
    expect_notes(f, 1, "server s1: 1 leases of the ledger are held");
}

static void what_was_released_or_is_over_is_said_and_no_difference(void **state)
{
    struct fixture *f = *state;
    lease_it(f, 0, 90);
    release_it(f, 0);
    line(f, 0, 0, 50); /* the RELEASE was lost */
    lease_it(f, 2, 90);
    release_it(f, 2);
    lease_it(f, 4, 30); /* its 60 s were over before the end */
    assert_int_equal(compare(f, 1), 0);
    expect_notes(f, 0, "1 leases are active in them for which a RELEASE was sent");
    expect_notes(f, 0, "1 leases that had ended");
}

static void entries_that_are_not_understood_are_never_equal(void **state)
{
    struct fixture *f = *state;
    lease_it(f, 0, 90);
    line(f, 0, 0, 50);
    size_t at = strlen(f->text[0]);
    (void)snprintf(f->text[0] + at, sizeof(f->text[0]) - at, "rubbish,\n");
    (void)compare(f, 1);
    expect_notes(f, 1, "lease file 1: 1 entries in it are not understood");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(leases_that_both_have_are_no_difference),
        TEST(a_line_that_is_missing_or_over_is_told_with_its_client),
        TEST(another_servers_file_is_told),
        TEST(somebody_elses_lease_of_the_address_is_not_ours),
        TEST(what_was_released_or_is_over_is_said_and_no_difference),
        TEST(entries_that_are_not_understood_are_never_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
