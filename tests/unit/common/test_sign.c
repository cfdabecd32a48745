/* SPDX-License-Identifier: MIT */
/* Ed25519 keys on disk, and what their signatures are good for. */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sign.h"

static const uint8_t text[] = "what the operator has read";
static const char domain[] = "leaseherd test 1";

static char dir[64], key_path[96], pub_path[96];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/leaseherd-sign-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(key_path, sizeof(key_path), "%s/operator-op.key", dir);
    (void)snprintf(pub_path, sizeof(pub_path), "%s/operator-op.pub", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    (void)unlink(key_path);
    (void)unlink(pub_path);
    return rmdir(dir);
}

static void write_text(const char *path, const char *content, mode_t mode)
{
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_damaged_key_file_is_refused_by_its_line(void **state)
{
    /* RFC 8032 7.1, test 1: seed and public key */
#define SEED   "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    static const struct {
        const char *content, *complaint;
    } rows[] = {
        {"", ":1: "},
        {"leaseherd-curve-secret 1\npublic x\nsecret y\n", "keys operator"},
        {"leaseherd-sign-public 1\npublic " PUBLIC "\n", ":1: "},
        {"leaseherd-sign-secret 1\n", ":2: "},
        {"leaseherd-sign-secret 1\npublic " PUBLIC "=\nsecret " SEED "\n", ":2: "},
        {"leaseherd-sign-secret 1\npublic " PUBLIC "\nsecret\n", ":3: "},
        {"leaseherd-sign-secret 1\npublic " PUBLIC "\nsecret AAAA\n", ":3: "},
        {"leaseherd-sign-secret 1\npublic " PUBLIC "\nsecret " SEED "\nmore\n", ":4: "},
        {"leaseherd-sign-secret 1\npublic " SEED "\nsecret " SEED "\n", "do not belong together"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sign_key *key = NULL;
        char why[SIGN_WHY_BYTES] = "";
        write_text(key_path, rows[i].content, 0600);
        assert_int_equal(sign_key_read(key_path, &key, why), -EBADMSG);
        if (strstr(why, rows[i].complaint) == NULL) {
            fail_msg("row %zu: '%s' instead of '%s'", i, why, rows[i].complaint);
        }
    }
    struct sign_key *key = NULL;
    char why[SIGN_WHY_BYTES] = "", known[SIGN_PUBLIC_TEXT_BYTES];
    write_text(key_path, "leaseherd-sign-secret 1\npublic " PUBLIC "\nsecret " SEED "\n", 0640);
    assert_int_equal(sign_key_read(key_path, &key, why), -EPERM);
    assert_non_null(strstr(why, "chmod 600"));
    assert_int_equal(chmod(key_path, 0600), 0);
    assert_int_equal(sign_key_read(key_path, &key, why), 0);
    sign_public_to_text(sign_key_public(key), known);
    assert_string_equal(known, PUBLIC);
    sign_key_free(key);
}

static void a_link_and_an_existing_file_are_refused(void **state)
{
    char why[SIGN_WHY_BYTES] = "";
    struct sign_key *key = sign_key_make(), *again = NULL;
    (void)state;
    assert_non_null(key);
    assert_int_equal(symlink("/dev/null", key_path), 0);
    assert_int_equal(sign_key_read(key_path, &again, why), -ELOOP);
    assert_int_equal(sign_key_write(key_path, key, why), -EEXIST);
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(sign_key_write(key_path, key, why), 0);
    assert_int_equal(sign_key_write(key_path, key, why), -EEXIST);
    assert_non_null(strstr(why, "not overwritten"));
    sign_key_free(key);
}

static void what_is_written_is_read_again(void **state)
{
    char why[SIGN_WHY_BYTES] = "";
    struct sign_key *key = sign_key_make(), *again = NULL;
    struct stat status;
    uint8_t signature[SIGN_SIGNATURE_BYTES];
    (void)state;
    assert_non_null(key);
    assert_int_equal(sign_key_write(key_path, key, why), 0);
    assert_int_equal(sign_public_write(pub_path, sign_key_public(key), why), 0);
    assert_int_equal(stat(key_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(sign_key_read(key_path, &again, why), 0);
    assert_memory_equal(sign_key_public(key), sign_key_public(again), SIGN_PUBLIC_BYTES);
    assert_int_equal(sign_make(again, domain, text, sizeof(text), signature), 0);
    assert_true(sign_is_good(sign_key_public(key), domain, text, sizeof(text), signature));
    sign_key_free(key);
    sign_key_free(again);
}

static void a_signature_is_good_for_its_bytes_key_and_purpose_only(void **state)
{
    struct sign_key *key = sign_key_make(), *other = sign_key_make();
    uint8_t signature[SIGN_SIGNATURE_BYTES], changed[sizeof(text)];
    (void)state;
    assert_non_null(key);
    assert_non_null(other);
    const uint8_t *public_key = sign_key_public(key);
    assert_int_equal(sign_make(key, domain, text, sizeof(text), signature), 0);
    assert_true(sign_is_good(public_key, domain, text, sizeof(text), signature));
    assert_false(sign_is_good(sign_key_public(other), domain, text, sizeof(text), signature));
    assert_false(sign_is_good(public_key, "leaseherd test 2", text, sizeof(text), signature));
    assert_false(sign_is_good(public_key, "", text, sizeof(text), signature));
    assert_false(sign_is_good(public_key, domain, text, sizeof(text) - 1, signature));
    for (size_t bit = 0; bit < 8 * sizeof(text); bit++) {
        memcpy(changed, text, sizeof(text));
        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(sign_is_good(public_key, domain, changed, sizeof(changed), signature));
    }
    for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(sign_is_good(public_key, domain, text, sizeof(text), signature));
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    sign_key_free(key);
    sign_key_free(other);
}

static void a_forgotten_key_signs_and_saves_nothing_more(void **state)
{
    struct sign_key *key = sign_key_make();
    uint8_t signature[SIGN_SIGNATURE_BYTES], public_key[SIGN_PUBLIC_BYTES];
    char why[SIGN_WHY_BYTES] = "";
    (void)state;
    assert_non_null(key);
    memcpy(public_key, sign_key_public(key), sizeof(public_key));
    sign_key_forget(key);
    assert_int_equal(sign_make(key, domain, text, sizeof(text), signature), -ENOKEY);
    assert_int_equal(sign_key_write(key_path, key, why), -ENOKEY);
    assert_int_equal(access(key_path, F_OK), -1);
    assert_memory_equal(sign_key_public(key), public_key, sizeof(public_key));
    sign_key_free(key);
}

static void text_that_is_no_key_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "=",
                                      "AAAA",
                                      PUBLIC "A",
                                      " " PUBLIC,
                                      PUBLIC " ",
                                      "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t key[SIGN_PUBLIC_BYTES] = {1, 2, 3};
        assert_false(sign_public_from_text(bad[i], key));
        assert_int_equal(key[1], 2);
    }
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        IN_DIR(a_damaged_key_file_is_refused_by_its_line),
        IN_DIR(a_link_and_an_existing_file_are_refused),
        IN_DIR(what_is_written_is_read_again),
        cmocka_unit_test(a_signature_is_good_for_its_bytes_key_and_purpose_only),
        IN_DIR(a_forgotten_key_signs_and_saves_nothing_more),
        cmocka_unit_test(text_that_is_no_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
