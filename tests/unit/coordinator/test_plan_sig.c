/* SPDX-License-Identifier: MIT */
/* RUN/plan.sig: what was written is read, and nothing else is. */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/prng.h"
#include "coordinator/run/plan_sig.h"
#include "proto/plan_seal.h"

static uint8_t plan[] = "not looked at: only signed";
static char dir[64], path[96], why[PLAN_SIG_WHY_BYTES];
static struct plan_sig sig;

static int setup(void **state)
{
    struct sign_key *key = sign_key_make();
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/leaseherd-sig-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/plan.sig", dir);
    assert_non_null(key);
    memcpy(sig.operator_key, sign_key_public(key), SIGN_PUBLIC_BYTES);
    assert_int_equal(sign_make(key, PLAN_SIGN_DOMAIN, plan, sizeof(plan), sig.signature), 0);
    sign_key_free(key);
    assert_int_equal(plan_sig_write(dir, &sig, why), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static int read_sig(struct plan_sig *out)
{
    why[0] = '\0';
    return plan_sig_read(dir, plan, sizeof(plan), out, why);
}

static void no_changed_file_or_plan_is_taken(void **state)
{
    char good[512], bad[512];
    struct plan_sig out;
    struct prng prng = prng_seeded(3);
    FILE *file = fopen(path, "r");
    (void)state;
    assert_non_null(file);
    size_t size = fread(good, 1, sizeof(good), file);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < size; i++) {
        memcpy(bad, good, size);
        bad[i] ^= (char)(1 + prng_below(&prng, 255));
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bad, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        if (read_sig(&out) >= 0 || strstr(why, "plan.sig") == NULL) {
            fail_msg("byte %zu: '%s'", i, why);
        }
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(good, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(read_sig(&out), 0);
    plan[3] ^= 1;
    assert_int_equal(read_sig(&out), -EBADMSG);
    assert_non_null(strstr(why, "does not belong to the plan.bin"));
    plan[3] ^= 1;
}

static void a_missing_or_writable_file_is_refused(void **state)
{
    struct plan_sig out;
    (void)state;
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(read_sig(&out), -EPERM);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_sig(&out), -ENOENT);
    assert_non_null(strstr(why, path));
}

static void what_was_written_is_read(void **state)
{
    struct plan_sig out;
    (void)state;
    assert_int_equal(read_sig(&out), 0);
    assert_memory_equal(&out, &sig, sizeof(sig));
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_DIR(no_changed_file_or_plan_is_taken),
        IN_DIR(a_missing_or_writable_file_is_refused),
        IN_DIR(what_was_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
