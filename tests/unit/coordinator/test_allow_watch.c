/* SPDX-License-Identifier: MIT */
/* agents.allow while a run goes on: the file is real, the time is not. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/key_list.h"
#include "coordinator/run/allow_watch.h"

struct place {
    char dir[64], path[128], why[KEY_WHY_BYTES];
    struct allow_watch watch;
    struct key_list list;
    uint64_t now_ns;
};

static void put_list(const struct place *p, size_t count, const char *expires)
{
    char why[KEY_WHY_BYTES];
    struct key_list list = {calloc(count + 1, sizeof(struct key_entry)), count};

    assert_non_null(list.entries);
    for (size_t i = 0; i < count; i++) {
        struct key_entry *e = &list.entries[i];
        (void)snprintf(e->name, sizeof(e->name), "a%zu", i + 1);
        memset(e->public_key, (int)i + 1, KEY_BYTES);
        strcpy(e->added, "2026-01-01");
        strcpy(e->expires, expires);
    }
    assert_int_equal(key_list_write(p->path, &list, why), 0);
    key_list_free(&list);
}

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    strcpy(p->dir, "/tmp/leaseherd-allow-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->path, sizeof(p->path), "%s/agents.allow", p->dir);
    p->now_ns = 1000 * NS_PER_S;
    put_list(p, 2, "-");
    allow_watch_init(&p->watch, p->path, p->now_ns);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;

    key_list_free(&p->list);
    (void)unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
    free(p);
    return 0;
}

static enum allow_news look_after(struct place *p, uint64_t ns)
{
    struct key_list fresh = {0};

    p->now_ns += ns;
    enum allow_news news = allow_watch_look(&p->watch, p->now_ns, &fresh, p->why);
    if (news == ALLOW_CHANGED) {
        key_list_free(&p->list);
        p->list = fresh;
    } else {
        assert_null(fresh.entries);
    }
    return news;
}

static void a_list_that_cannot_be_read_holds_for_ten_seconds_and_no_longer(void **state)
{
    struct place *p = *state;

    assert_int_equal(look_after(p, 0), ALLOW_CHANGED);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_BROKEN); /* told once */
    assert_non_null(strstr(p->why, p->path));
    for (unsigned s = 1; s <= 10; s++) {
        assert_int_equal(look_after(p, NS_PER_S), ALLOW_LOOKED);
    }
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_DISTRUSTED);
    assert_non_null(strstr(p->why, p->path));
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_DISTRUSTED);
    put_list(p, 1, "-"); /* back again */
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_CHANGED);
    assert_int_equal(p->list.count, 1);
    assert_int_equal(unlink(p->path), 0);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_BROKEN); /* another ten */
    assert_int_equal(look_after(p, 9 * NS_PER_S), ALLOW_LOOKED);
}

static void a_list_others_may_write_is_no_list(void **state)
{
    struct place *p = *state;

    assert_int_equal(look_after(p, 0), ALLOW_CHANGED);
    assert_int_equal(chmod(p->path, 0664), 0);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_BROKEN);
    assert_non_null(strstr(p->why, "others may change it"));
    assert_int_equal(chmod(p->path, 0644), 0);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_CHANGED); /* who knows what was done to it */
}

static void a_damaged_list_is_no_list(void **state)
{
    struct place *p = *state;
    FILE *file = fopen(p->path, "ae");

    assert_non_null(file);
    assert_true(fputs("a9 agent short 2026-01-01 -\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(look_after(p, 0), ALLOW_BROKEN); /* also at the first look */
    assert_non_null(strstr(p->why, ":4: the key must be"));
}

static void it_is_looked_at_once_a_second_and_read_when_it_has_changed(void **state)
{
    struct place *p = *state;

    assert_int_equal(look_after(p, 0), ALLOW_CHANGED); /* the first look always reads */
    assert_int_equal(p->list.count, 2);
    put_list(p, 1, "-");
    assert_int_equal(look_after(p, NS_PER_S - 1), ALLOW_SAME);
    assert_int_equal(look_after(p, 1), ALLOW_CHANGED);
    assert_int_equal(p->list.count, 1);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_LOOKED);
    assert_int_equal(look_after(p, NS_PER_S / 2), ALLOW_SAME);
    put_list(p, 1, "-"); /* the same again, another file */
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_CHANGED);
}

static void without_a_path_there_is_no_news(void **state)
{
    struct place *p = *state;

    allow_watch_init(&p->watch, NULL, 0);
    assert_int_equal(look_after(p, NS_PER_S), ALLOW_SAME);
    assert_int_equal(look_after(p, 100 * NS_PER_S), ALLOW_SAME);
}

static void a_session_is_worth_what_its_key_is_worth_now(void **state)
{
    struct place *p = *state;
    uint8_t first[KEY_BYTES];
    uint8_t second[KEY_BYTES];
    uint8_t other[KEY_BYTES];

    memset(first, 1, sizeof(first));
    memset(second, 2, sizeof(second));
    memset(other, 9, sizeof(other));
    put_list(p, 2, "2026-06-30");
    assert_int_equal(look_after(p, 0), ALLOW_CHANGED);
    const struct {
        const char *name;
        const uint8_t *key;
        const char *today;
        enum key_standing want;
    } rows[] = {
        {"a1", first, "2026-06-30", KEY_STANDING_GOOD},
        {"a2", second, "2026-06-30", KEY_STANDING_GOOD},
        {"a1", first, "2026-07-01", KEY_STANDING_EXPIRED},
        {"a1", other, "2026-06-30", KEY_STANDING_REPLACED},
        {"a1", second, "2026-06-30", KEY_STANDING_REPLACED}, /* another name's by now */
        {"a3", other, "2026-06-30", KEY_STANDING_REVOKED},
        {"a3", first, "2026-06-30", KEY_STANDING_REVOKED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum key_standing got =
            key_list_standing(&p->list, rows[i].name, rows[i].key, rows[i].today);
        if (got != rows[i].want) {
            fail_msg("row %zu: %d, wanted %d", i, (int)got, (int)rows[i].want);
        }
    }
}

int main(void)
{
#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_list_that_cannot_be_read_holds_for_ten_seconds_and_no_longer),
        PLACE_TEST(a_list_others_may_write_is_no_list),
        PLACE_TEST(a_damaged_list_is_no_list),
        PLACE_TEST(it_is_looked_at_once_a_second_and_read_when_it_has_changed),
        PLACE_TEST(without_a_path_there_is_no_news),
        PLACE_TEST(a_session_is_worth_what_its_key_is_worth_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
