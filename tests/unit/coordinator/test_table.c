/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/truth/table.h"

/* Large enough that parts grow by sixteenths, not only by doubling. */
enum { MANY = 1300000, KEYS = 4096 };

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct table table = {0};
    size_t cursor = 0;
    assert_null(table_find(&table, 1));
    assert_null(table_next(&table, &cursor));
    table_remove(&table, 1);
    assert_int_equal(table.count, 0);
    table_fini(&table);
    table_fini(&table);
}

/* Against a plain array, with every operation in any order. */
static void random_operations_do_what_an_array_would(void **state)
{
    (void)state;
    static uint64_t model[KEYS + 1];
    struct table table = {0};
    struct prng prng = prng_seeded(7);
    size_t there = 0;
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < 400000; i++) {
        uint32_t key = 1 + (uint32_t)prng_below(&prng, KEYS);
        if (prng_below(&prng, 5) < 2) {
            table_remove(&table, key);
            there -= model[key] != 0;
            model[key] = 0;
        } else {
            struct table_entry *entry = table_put(&table, key);
            assert_non_null(entry);
            assert_int_equal(entry->word, model[key]);
            there += model[key] == 0;
            model[key] = entry->word = i + 1;
        }
        assert_int_equal(table.count, there);
    }
    for (uint32_t key = 1; key <= KEYS; key++) {
        const struct table_entry *entry = table_find(&table, key);
        assert_true((entry != NULL) == (model[key] != 0));
        assert_true(entry == NULL || entry->word == model[key]);
    }
    table_fini(&table);
}

static void every_entry_is_met_once(void **state)
{
    (void)state;
    struct table table = {0};
    uint8_t *met = calloc(MANY + 1, 1);
    assert_non_null(met);
    for (uint32_t key = 1; key <= MANY; key++) {
        struct table_entry *entry = table_put(&table, key);
        assert_non_null(entry);
        entry->value = ~key;
    }
    assert_int_equal(table.count, MANY);
    size_t cursor = 0;
    const struct table_entry *entry;
    while ((entry = table_next(&table, &cursor)) != NULL) {
        assert_in_range(entry->key, 1, MANY);
        assert_int_equal(entry->value, ~entry->key);
        assert_int_equal(met[entry->key]++, 0);
    }
    for (uint32_t key = 1; key <= MANY; key++) {
        assert_int_equal(met[key], 1);
    }
    assert_null(table_next(&table, &cursor));
    free(met);
    table_fini(&table);
}

static void extreme_keys_are_keys(void **state)
{
    (void)state;
    static const uint32_t keys[] = {1, 2, UINT32_MAX, UINT32_MAX - 1, UINT32_C(1) << 31};
    struct table table = {0};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct table_entry *entry = table_put(&table, keys[i]);
        assert_non_null(entry);
        entry->value = (uint32_t)i;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(table_find(&table, keys[i])->value, i);
    }
    table_fini(&table);
}

/* What memory there is: DESIGN section 11 and 200 MB for ten million. */
static void a_large_table_is_at_least_four_fifths_full(void **state)
{
    (void)state;
    struct table table = {0};
    for (uint32_t key = 1; key <= MANY; key++) {
        assert_non_null(table_put(&table, key));
        if (key < MANY / 2 || key % 10007 != 0) {
            continue;
        }
        uint64_t capacity = 0;
        for (size_t part = 0; part < 256; part++) {
            capacity += table.parts[part].capacity;
        }
        if ((uint64_t)key * 100 < capacity * 80) {
            fail_msg("%u of %llu", key, (unsigned long long)capacity);
        }
    }
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(random_operations_do_what_an_array_would),
        cmocka_unit_test(every_entry_is_met_once),
        cmocka_unit_test(extreme_keys_are_keys),
        cmocka_unit_test(a_large_table_is_at_least_four_fifths_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
