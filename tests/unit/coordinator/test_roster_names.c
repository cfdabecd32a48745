/* SPDX-License-Identifier: MIT */
/* Who is who among a thousand: by a walk while agents gather, by halves once the roster is sealed.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/run/roster.h"

enum { AGENTS = 1000 };

/* Not in the order in which they come, and some the beginning of others. */
static void name_of(unsigned i, char out[PLAN_NAME_BYTES])
{
    (void)snprintf(out, PLAN_NAME_BYTES, "a%u", i * 7919U % AGENTS);
}

static void join_all(struct roster *r)
{
    static const struct ipv4 address = {1};
    for (unsigned i = 0; i < AGENTS; i++) {
        char name[PLAN_NAME_BYTES];
        struct roster_agent *a = NULL;
        struct control_hello hello = {.proto_min = 1,
                                      .proto_max = 1,
                                      .epoch = 1 + i,
                                      .addresses = &address,
                                      .address_count = 1};
        name_of(i, name);
        assert_int_equal(roster_hello(r, name, &hello, true, 100 + i, NS_PER_S, &a),
                         ROSTER_WELCOME);
    }
}

static void find_all(struct roster *r)
{
    for (unsigned i = 0; i < AGENTS; i++) {
        char name[PLAN_NAME_BYTES];
        name_of(i, name);
        const struct roster_agent *a = roster_find(r, name, 100 + i);
        assert_non_null(a);
        assert_string_equal(a->name, name);
        assert_null(roster_find(r, name, 99 + i)); /* another's session */
    }
}

static void everybody_is_found_before_and_after_it_is_sealed(void **state)
{
    (void)state;
    struct roster r = {0};
    static const char *const strangers[] = {"", "a", "a00", "a1000", "b", "A1", "a9999", "a-1"};
    assert_true(roster_init(&r, AGENTS));
    join_all(&r);
    find_all(&r);
    roster_seal(&r);
    find_all(&r);
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        assert_null(roster_find(&r, strangers[i], 100));
    }
    roster_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_is_found_before_and_after_it_is_sealed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
