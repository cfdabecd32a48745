/* SPDX-License-Identifier: MIT */
/* A signed plan is played once: through restarts, damage, full disks and clocks set back. */
#include "tests/support/testing.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/edge/run_record.h"
#include "common/prng.h"
#include "proto/plan_seal.h"

#define NOW UINT64_C(1800000000)

struct bed {
    char dir[64], path[96];
    struct run_record *record;
    char why[RUN_RECORD_WHY_BYTES];
};

static void load(struct bed *b)
{
    run_record_free(b->record);
    b->record = NULL;
    assert_int_equal(run_record_load(b->dir, &b->record, b->why), 0);
}

static int setup(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    (void)snprintf(bed.dir, sizeof(bed.dir), "/tmp/leaseherd-record-XXXXXX");
    assert_non_null(mkdtemp(bed.dir));
    (void)snprintf(bed.path, sizeof(bed.path), "%s/runs", bed.dir);
    load(&bed);
    *state = &bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    char part[96];
    run_record_free(b->record);
    (void)unlink(b->path);
    (void)snprintf(part, sizeof(part), "%s/runs.new", b->dir);
    (void)unlink(part);
    return rmdir(b->dir);
}

/* Run and plan hash are both one byte, repeated. */
static bool allows(struct bed *b, uint8_t run, uint8_t plan, uint64_t not_after_s)
{
    uint8_t run_id[PLAN_RUN_ID_BYTES], hash[PLAN_HASH_BYTES];
    memset(run_id, run, sizeof(run_id));
    memset(hash, plan, sizeof(hash));
    b->why[0] = '\0';
    return run_record_allows(b->record, run_id, hash, not_after_s, b->why);
}

static int begin(struct bed *b, uint8_t run, uint8_t plan, uint64_t not_after_s, uint64_t now_s)
{
    uint8_t run_id[PLAN_RUN_ID_BYTES], hash[PLAN_HASH_BYTES];
    memset(run_id, run, sizeof(run_id));
    memset(hash, plan, sizeof(hash));
    return run_record_open(b->record, run_id, hash, not_after_s, now_s, b->why);
}

static int finish(struct bed *b, uint8_t run)
{
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    memset(run_id, run, sizeof(run_id));
    return run_record_close(b->record, run_id, b->why);
}

static void a_closed_run_is_never_opened_again(void **state)
{
    struct bed *b = *state;
    assert_true(allows(b, 1, 1, NOW + 100));
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_int_equal(finish(b, 1), 0);
    for (int i = 0; i < 2; i++) {
        assert_false(allows(b, 1, 1, NOW + 100));
        assert_non_null(strstr(b->why, "played here already"));
        load(b);
    }
    assert_int_equal(finish(b, 1), 0);
    assert_int_equal(finish(b, 9), 0); /* never heard of it */
}

static void an_open_run_is_taken_again_with_its_own_plan_only(void **state)
{
    struct bed *b = *state;
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    load(b); /* the agent was restarted */
    assert_true(allows(b, 1, 1, NOW + 100));
    assert_false(allows(b, 1, 2, NOW + 100));
    assert_non_null(strstr(b->why, "another plan"));
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_true(allows(b, 1, 1, NOW + 100));
}

static int start(struct bed *b, uint8_t run)
{
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    memset(run_id, run, sizeof(run_id));
    return run_record_begin(b->record, run_id, b->why);
}

static void a_run_that_has_begun_is_not_taken_again_and_ends_closed(void **state)
{
    struct bed *b = *state;
    assert_int_equal(start(b, 1), 0); /* never heard of it */
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(start(b, 1), 0);
        load(b); /* the agent was restarted */
        assert_false(allows(b, 1, 1, NOW + 100));
        assert_non_null(strstr(b->why, "begun here before"));
    }
    assert_int_equal(finish(b, 1), 0);
    assert_int_equal(start(b, 1), 0); /* nor does it come back from there */
    load(b);
    assert_false(allows(b, 1, 1, NOW + 100));
    assert_non_null(strstr(b->why, "played here already"));
}

static void a_new_run_closes_the_one_before(void **state)
{
    struct bed *b = *state;
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_int_equal(begin(b, 2, 2, NOW + 100, NOW), 0);
    load(b);
    assert_false(allows(b, 1, 1, NOW + 100));
    assert_true(allows(b, 2, 2, NOW + 100));
}

static void what_was_forgotten_stays_refused_when_the_clock_is_set_back(void **state)
{
    struct bed *b = *state;
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_int_equal(finish(b, 1), 0);
    uint64_t later_s = NOW + 100 + PLAN_CLOCK_TOLERANCE_S;
    assert_int_equal(begin(b, 2, 2, later_s + 100, later_s), 0);
    assert_false(allows(b, 1, 1, NOW + 100)); /* not forgotten yet */
    assert_non_null(strstr(b->why, "played here already"));
    assert_int_equal(begin(b, 3, 3, later_s + 100, later_s + 1), 0);
    load(b);
    assert_false(allows(b, 1, 1, NOW + 100));
    assert_non_null(strstr(b->why, "clock"));
    assert_true(allows(b, 4, 4, later_s + 200));
}

static void a_record_that_is_full_takes_nothing_more(void **state)
{
    struct bed *b = *state;
    for (unsigned i = 0; i < RUN_RECORD_MAX; i++) {
        uint8_t run_id[PLAN_RUN_ID_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};
        uint8_t hash[PLAN_HASH_BYTES] = {0};
        assert_int_equal(run_record_open(b->record, run_id, hash, NOW + i + 1, NOW, b->why), 0);
    }
    assert_int_equal(begin(b, 0xff, 1, NOW + 5000, NOW), -ENOSPC);
    assert_non_null(strstr(b->why, "not expired"));
    load(b);
    assert_int_equal(begin(b, 0xff, 1, NOW + 5000, NOW), -ENOSPC);
    assert_int_equal(begin(b, 0xff, 1, NOW + 5000, NOW + 2 + PLAN_CLOCK_TOLERANCE_S), 0);
}

static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t got = fread(out, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return got;
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void expect_damaged(struct bed *b, const char *bytes, size_t size)
{
    struct run_record *record = NULL;
    write_file(b->path, bytes, size);
    b->why[0] = '\0';
    int rc = run_record_load(b->dir, &record, b->why);
    if (rc != -EBADMSG || strstr(b->why, "damaged") == NULL || record != NULL) {
        fail_msg("%zu bytes: %d '%s'", size, rc, b->why);
    }
}

/* Every byte flipped, every length cut: never taken for a record, never "nothing was played". */
static void a_damaged_record_is_refused_whatever_the_damage(void **state)
{
    struct bed *b = *state;
    char good[1024], bad[1024];
    struct prng prng = prng_seeded(7);
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_int_equal(begin(b, 2, 2, NOW + 100, NOW), 0);
    size_t size = read_file(b->path, good, sizeof(good));
    assert_in_range(size, 100, sizeof(good) - 1);
    for (size_t i = 0; i < size; i++) {
        memcpy(bad, good, size);
        bad[i] ^= (char)(1 + prng_below(&prng, 255));
        expect_damaged(b, bad, size);
        expect_damaged(b, good, i);
    }
    memcpy(bad, good, size);
    bad[size] = '\n';
    expect_damaged(b, bad, size + 1);
    write_file(b->path, good, size);
    load(b);
    assert_true(allows(b, 2, 2, NOW + 100));
}

/* Sums that are right over lines that are not. */
static void a_record_of_another_kind_is_refused(void **state)
{
    struct bed *b = *state;
    struct run_record *record = NULL;
    assert_int_equal(mkdir(b->path, 0700), 0);
    assert_int_equal(run_record_load(b->dir, &record, b->why), -EBADMSG);
    assert_int_equal(rmdir(b->path), 0);
    assert_int_equal(symlink("/etc/passwd", b->path), 0);
    assert_int_equal(run_record_load(b->dir, &record, b->why), -ELOOP);
    assert_int_equal(unlink(b->path), 0);
    assert_int_equal(run_record_load("/tmp/leaseherd-no-such-directory", &record, b->why), -ENOENT);
}

static void what_cannot_be_written_is_not_begun(void **state)
{
    struct bed *b = *state;
    struct rlimit before, none = {0, 0};
    assert_int_equal(begin(b, 1, 1, NOW + 100, NOW), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int opened = begin(b, 2, 2, NOW + 100, NOW);
    int closed = finish(b, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(opened, -EFBIG);
    assert_non_null(strstr(b->why, "make room"));
    assert_int_equal(closed, 0); /* by the new run, in memory */
    load(b);
    assert_true(allows(b, 1, 1, NOW + 100)); /* the file is as it was */
    assert_true(allows(b, 2, 2, NOW + 100));
}

int main(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_BED(a_closed_run_is_never_opened_again),
        IN_BED(an_open_run_is_taken_again_with_its_own_plan_only),
        IN_BED(a_run_that_has_begun_is_not_taken_again_and_ends_closed),
        IN_BED(a_new_run_closes_the_one_before),
        IN_BED(what_was_forgotten_stays_refused_when_the_clock_is_set_back),
        IN_BED(a_record_that_is_full_takes_nothing_more),
        IN_BED(a_damaged_record_is_refused_whatever_the_damage),
        IN_BED(a_record_of_another_kind_is_refused),
        IN_BED(what_cannot_be_written_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
