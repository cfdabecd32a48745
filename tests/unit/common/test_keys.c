/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keys.h"
#include "common/z85.h"

#define Z85_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* of the ZeroMQ documentation */
#define Z85_B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

/* A directory of its own for each test; `path` is a file in it that does not exist yet. */
struct place {
    char dir[64], path[128];
    char why[KEY_WHY_BYTES];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    strcpy(place->dir, "/tmp/leaseherd-keys-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    (void)snprintf(place->path, sizeof(place->path), "%s/file", place->dir);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    DIR *dir = opendir(place->dir);

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        (void)unlinkat(dirfd(dir), e->d_name, 0); /* "." and ".." refuse */
    }
    assert_int_equal(closedir(dir), 0);
    assert_int_equal(rmdir(place->dir), 0);
    free(place);
    return 0;
}

static unsigned files_in(const struct place *place)
{
    unsigned count = 0;
    DIR *dir = opendir(place->dir);

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.';
    }
    assert_int_equal(closedir(dir), 0);
    return count;
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void expect_why(const struct place *place, const char *phrase)
{
    if (strstr(place->why, phrase) == NULL || strstr(place->why, place->path) == NULL) {
        fail_msg("why='%s', expected '%s' and the path", place->why, phrase);
    }
}

static void a_secret_others_may_read_is_refused(void **state)
{
    static const mode_t modes[] = {0644, 0640, 0660, 0602, 0601};
    struct place *place = *state;
    struct key_pair pair;

    key_pair_make(&pair);
    assert_int_equal(key_pair_write(place->path, &pair, place->why), 0);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(place->path, modes[i]), 0);
        assert_int_equal(key_pair_read(place->path, &pair, place->why), -EPERM);
        expect_why(place, "chmod 600");
    }
    assert_int_equal(chmod(place->path, 0400), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), 0);
}

static void a_secret_behind_a_link_is_refused(void **state)
{
    struct place *place = *state;
    char other[160];
    struct key_pair pair;

    key_pair_make(&pair);
    (void)snprintf(other, sizeof(other), "%s/other", place->dir);
    assert_int_equal(key_pair_write(other, &pair, place->why), 0);
    assert_int_equal(symlink(other, place->path), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), -ELOOP);
    expect_why(place, "symbolic link");
    assert_int_equal(key_pair_write(place->path, &pair, place->why), -EEXIST);
}

static void a_secret_of_somebody_else_is_refused(void **state)
{
    struct place *place = *state;
    struct key_pair pair;

    if (geteuid() != 0) { /* only root can give a file away; anybody has one of root's */
        assert_int_equal(key_pair_read("/etc/passwd", &pair, place->why), -EPERM);
        assert_non_null(strstr(place->why, "belongs to user 0"));
        return;
    }
    key_pair_make(&pair);
    assert_int_equal(key_pair_write(place->path, &pair, place->why), 0);
    assert_int_equal(chown(place->path, 65534, 65534), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), -EPERM);
    expect_why(place, "belongs to user 65534");
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    struct place *place = *state;
    struct key_pair pair;

    assert_int_equal(key_pair_read(place->path, &pair, place->why), -ENOENT);
    expect_why(place, "cannot open");
    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), -EINVAL);
    expect_why(place, "not a regular file");
}

static void an_existing_file_is_never_overwritten(void **state)
{
    struct place *place = *state;
    struct key_pair first;
    struct key_pair second;

    key_pair_make(&first);
    key_pair_make(&second);
    assert_int_equal(key_pair_write(place->path, &first, place->why), 0);
    assert_int_equal(key_pair_write(place->path, &second, place->why), -EEXIST);
    expect_why(place, "not overwritten");
    assert_int_equal(key_public_write(place->path, second.public_key, place->why), -EEXIST);
    assert_int_equal(key_pair_read(place->path, &second, place->why), 0);
    assert_memory_equal(&first, &second, sizeof(first));
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    struct place *place = *state;
    struct key_pair pair;

    key_pair_make(&pair);
    assert_int_equal(key_pair_write("/nonexistent/key", &pair, place->why), -ENOENT);
    assert_non_null(strstr(place->why, "/nonexistent/key"));
    struct key_list list = {0};
    assert_int_equal(key_list_write("/nonexistent/list", &list, place->why), -ENOENT);
    assert_non_null(strstr(place->why, "/nonexistent/list"));
}

static void every_broken_secret_file_is_named(void **state)
{
    static const struct {
        const char *text, *phrase;
    } rows[] = {
        {"", ":1: expected 'leaseherd-curve-secret 1'"},
        {"leaseherd-curve-secret 2\n", ":1: expected"},
        {"leaseherd-curve-secret 1\n", ":2: expected 'public'"},
        {"leaseherd-curve-secret 1\npublic short\n", ":2: expected 'public'"},
        {"leaseherd-curve-secret 1\npublic " Z85_A "\n", ":3: expected 'secret'"},
        {"leaseherd-curve-secret 1\npublic " Z85_A "\nsecret " Z85_B "x\n", ":3: expected"},
        {"leaseherd-curve-secret 1\npublic " Z85_A "\nsecret " Z85_B "\nmore\n", ":4: nothing"},
        {"leaseherd-curve-secret 1\npublic " Z85_A "\nsecret " Z85_A "\n", "do not belong"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_pair pair;
        struct key_pair untouched;
        memset(&pair, 0x5a, sizeof(pair));
        memset(&untouched, 0x5a, sizeof(untouched));
        put_file(place->path, rows[i].text, 0600);
        assert_int_equal(key_pair_read(place->path, &pair, place->why), -EBADMSG);
        expect_why(place, rows[i].phrase);
        assert_memory_equal(&pair, &untouched, sizeof(pair));
    }
}

static void files_with_nul_bytes_or_without_end_are_refused(void **state)
{
    struct place *place = *state;
    struct key_pair pair;
    uint8_t key[KEY_BYTES];

    put_file(place->path, "leaseherd-curve-secret 1\n", 0600);
    assert_int_equal(truncate(place->path, 100), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), -EBADMSG);
    expect_why(place, "NUL");
    assert_int_equal(truncate(place->path, 1 << 20), 0);
    assert_int_equal(key_pair_read(place->path, &pair, place->why), -EFBIG);
    assert_int_equal(key_public_read(place->path, key, place->why), -EFBIG);
}

static void a_pair_comes_back_from_a_file_of_mode_0600(void **state)
{
    struct place *place = *state;
    struct key_pair pair;
    struct key_pair back;
    struct stat status;
    mode_t before = umask(0);

    key_pair_make(&pair);
    assert_int_equal(key_pair_write(place->path, &pair, place->why), 0);
    (void)umask(before);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(key_pair_read(place->path, &back, place->why), 0);
    assert_memory_equal(&pair, &back, sizeof(pair));
    key_pair_wipe(&back);
    for (size_t i = 0; i < sizeof(back); i++) {
        assert_int_equal(((const uint8_t *)&back)[i], 0);
    }
}

static void a_public_key_comes_back_and_a_secret_is_not_taken_for_one(void **state)
{
    struct place *place = *state;
    struct key_pair pair;
    struct stat status;
    uint8_t key[KEY_BYTES];

    key_pair_make(&pair);
    mode_t before = umask(077);
    assert_int_equal(key_public_write(place->path, pair.public_key, place->why), 0);
    (void)umask(before);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_int_equal(key_public_read(place->path, key, place->why), 0);
    assert_memory_equal(key, pair.public_key, KEY_BYTES);
    assert_int_equal(chmod(place->path, 0666), 0);
    assert_int_equal(key_public_read(place->path, key, place->why), -EPERM);
    expect_why(place, "others may change it");
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(key_pair_write(place->path, &pair, place->why), 0);
    assert_int_equal(key_public_read(place->path, key, place->why), -EBADMSG);
    expect_why(place, "is a secret key");
    put_file(place->path, "something else\n", 0644);
    assert_int_equal(key_public_read(place->path, key, place->why), -EBADMSG);
    expect_why(place, ":1: expected");
    put_file(place->path, "leaseherd-curve-public 1\npublic " Z85_A "\nmore", 0644);
    assert_int_equal(key_public_read(place->path, key, place->why), -EBADMSG);
    expect_why(place, ":2: expected");
}

static void every_broken_line_of_the_list_is_named_with_its_number(void **state)
{
    static const struct {
        const char *text, *phrase;
    } rows[] = {
        {"a1 agent " Z85_A " 2026-01-02\n", ":1: expected 'NAME ROLE KEY ADDED EXPIRES'"},
        {"# comment\n\na1 agent " Z85_A " 2026-01-02 - extra\n", ":3: expected 'NAME ROLE"},
        {"-a1 agent " Z85_A " 2026-01-02 -\n", ":1: the name may hold"},
        {"a/1 agent " Z85_A " 2026-01-02 -\n", ":1: the name may hold"},
        {"a12345678901234567890123456789012 agent " Z85_A " 2026-01-02 -\n", ":1: the name may"},
        {"a1 root " Z85_A " 2026-01-02 -\n", ":1: the role must be"},
        {"a1 agent short 2026-01-02 -\n", ":1: the key must be"},
        {"a1 agent " Z85_A "x 2026-01-02 -\n", ":1: the key must be"},
        {"a1 agent " Z85_A " 2026-1-2 -\n", ":1: the date added"},
        {"a1 agent " Z85_A " 2026-13-02 -\n", ":1: the date added"},
        {"a1 agent " Z85_A " 2026/01/02 -\n", ":1: the date added"},
        {"a1 agent " Z85_A " x026-01-02 -\n", ":1: the date added"},
        {"a1 agent " Z85_A " 2026-01-02 2026-02-30\n", ":1: the date of expiry"},
        {"a1 agent " Z85_A " 2026-01-02 never\n", ":1: the date of expiry"},
        {"a1 agent " Z85_A " 2026-01-02 -\na2 agent " Z85_A " 2026-01-02 -\n",
         ":2: this key is listed twice"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_list list = {.count = 4711};
        put_file(place->path, rows[i].text, 0644);
        assert_int_equal(key_list_read(place->path, &list, place->why), -EBADMSG);
        expect_why(place, rows[i].phrase);
        assert_int_equal(list.count, 4711);
    }
}

static void a_list_others_may_write_is_refused(void **state)
{
    struct place *place = *state;
    struct key_list list = {0};

    put_file(place->path, "", 0664);
    assert_int_equal(key_list_read(place->path, &list, place->why), -EPERM);
    expect_why(place, "others may change it");
}

static struct key_list sample_list(void)
{
    struct key_list list = {.entries = calloc(3, sizeof(struct key_entry)), .count = 3};
    static const char *const names[] = {"a1", "a1", "eye-2"}; /* a1 changes its key */

    assert_non_null(list.entries);
    for (size_t i = 0; i < list.count; i++) {
        strcpy(list.entries[i].name, names[i]);
        list.entries[i].role = i == 2 ? KEY_ROLE_OBSERVER : KEY_ROLE_AGENT;
        memset(list.entries[i].public_key, (int)(0x11 * (i + 1)), KEY_BYTES);
        strcpy(list.entries[i].added, "2026-01-02");
        strcpy(list.entries[i].expires, i == 0 ? "2026-12-31" : "-");
    }
    return list;
}

static void a_list_comes_back_and_is_searched_by_key(void **state)
{
    struct place *place = *state;
    struct key_list list = sample_list();
    struct key_list back = {0};
    uint8_t unknown[KEY_BYTES] = {0};

    assert_int_equal(key_list_write(place->path, &list, place->why), 0);
    assert_int_equal(key_list_read(place->path, &back, place->why), 0);
    assert_int_equal(back.count, list.count);
    assert_memory_equal(back.entries, list.entries, list.count * sizeof(*list.entries));
    assert_ptr_equal(key_list_find(&back, list.entries[2].public_key), &back.entries[2]);
    assert_null(key_list_find(&back, unknown));
    key_list_free(&back);
    assert_null(key_list_find(&back, unknown)); /* an empty list is a list */
    key_list_free(&list);
}

/* A reader sees the old list or the new one: the name changes hands at once. */
static void a_list_is_replaced_whole_and_leaves_nothing_behind(void **state)
{
    struct place *place = *state;
    struct key_list list = sample_list();
    struct key_list back = {0};
    struct stat old_status;
    struct stat new_status;

    assert_int_equal(key_list_write(place->path, &list, place->why), 0);
    int old_fd = open(place->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(old_fd, &old_status), 0);
    list.count = 1;
    assert_int_equal(key_list_write(place->path, &list, place->why), 0);
    assert_int_equal(stat(place->path, &new_status), 0);
    assert_int_not_equal(old_status.st_ino, new_status.st_ino);
    assert_int_equal(new_status.st_mode & 07777, 0644);
    assert_true(lseek(old_fd, 0, SEEK_END) > new_status.st_size); /* the old one is whole */
    assert_int_equal(files_in(place), 1);
    assert_int_equal(key_list_read(place->path, &back, place->why), 0);
    assert_int_equal(back.count, 1);
    assert_int_equal(close(old_fd), 0);
    key_list_free(&back);
    key_list_free(&list);
}

static void a_key_is_good_through_its_last_day(void **state)
{
    struct key_entry entry = {.expires = "2026-12-31"};

    (void)state;
    assert_false(key_entry_is_expired(&entry, "2026-12-30"));
    assert_false(key_entry_is_expired(&entry, "2026-12-31"));
    assert_true(key_entry_is_expired(&entry, "2027-01-01"));
    strcpy(entry.expires, "-");
    assert_false(key_entry_is_expired(&entry, "9999-12-31"));
}

static void z85_is_that_of_zeromq(void **state)
{
    static const uint8_t hello[8] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
    char text[11];
    uint8_t back[8];
    uint8_t key[KEY_BYTES];
    char again[KEY_Z85_BYTES];

    (void)state;
    z85_encode(hello, sizeof(hello), text);
    assert_string_equal(text, "HelloWorld"); /* RFC 32 */
    assert_true(z85_decode(text, back, sizeof(back)));
    assert_memory_equal(back, hello, sizeof(hello));
    assert_false(z85_decode("HelloWorl", back, sizeof(back)));
    assert_false(z85_decode("HelloWorldHello", back, sizeof(back)));
    assert_false(z85_decode("HelloWor~d", back, sizeof(back)));
    assert_false(z85_decode("#####World", back, sizeof(back))); /* above 2^32 - 1 */
    assert_memory_equal(back, hello, sizeof(hello));
    assert_true(key_from_z85(Z85_A, key));
    key_to_z85(key, again);
    assert_string_equal(again, Z85_A);
}

static void names_and_roles_are_those_of_the_list(void **state)
{
    (void)state;
    assert_true(key_name_is_valid("a1"));
    assert_true(key_name_is_valid("agent-7.lab_x"));
    assert_false(key_name_is_valid(""));
    assert_false(key_name_is_valid(".a"));
    assert_false(key_name_is_valid("a b"));
    assert_false(key_name_is_valid("a\n"));
    assert_true(key_name_is_valid("a123456789012345678901234567890"));
    assert_false(key_name_is_valid("a1234567890123456789012345678901"));
    assert_string_equal(key_role_name(KEY_ROLE_AGENT), "agent");
    assert_string_equal(key_role_name(KEY_ROLE_OBSERVER), "observer");
}

/* systemd's LoadCredential=: the one place where a secret's group may read it, and be root's. */
static void a_credential_of_systemd_may_show_an_access_list(void **state)
{
    struct place *place = *state;
    struct key_pair pair, got;
    char deeper[160];
    key_pair_make(&pair);
    assert_int_equal(key_pair_write(place->path, &pair, place->why), 0);
    assert_int_equal(chmod(place->path, 0440), 0);
    assert_int_equal(key_pair_read(place->path, &got, place->why), -EPERM);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/tmp", 1), 0); /* too high up */
    assert_int_equal(key_pair_read(place->path, &got, place->why), -EPERM);
    (void)snprintf(deeper, sizeof(deeper), "%s-not", place->dir); /* another name's beginning */
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", deeper, 1), 0);
    assert_int_equal(key_pair_read(place->path, &got, place->why), -EPERM);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", place->dir, 1), 0);
    assert_int_equal(key_pair_read(place->path, &got, place->why), 0);
    assert_memory_equal(got.public_key, pair.public_key, KEY_BYTES);
    static const mode_t loose[] = {0444, 0460, 0442, 0441};
    for (size_t i = 0; i < ARRAY_LEN(loose); i++) {
        assert_int_equal(chmod(place->path, loose[i]), 0);
        assert_int_equal(key_pair_read(place->path, &got, place->why), -EPERM);
    }
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

int main(void)
{
#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_secret_others_may_read_is_refused),
        PLACE_TEST(a_secret_behind_a_link_is_refused),
        PLACE_TEST(a_secret_of_somebody_else_is_refused),
        PLACE_TEST(what_is_no_file_is_refused_at_once),
        PLACE_TEST(an_existing_file_is_never_overwritten),
        PLACE_TEST(a_directory_that_is_not_there_is_named),
        PLACE_TEST(every_broken_secret_file_is_named),
        PLACE_TEST(files_with_nul_bytes_or_without_end_are_refused),
        PLACE_TEST(a_credential_of_systemd_may_show_an_access_list),
        PLACE_TEST(a_pair_comes_back_from_a_file_of_mode_0600),
        PLACE_TEST(a_public_key_comes_back_and_a_secret_is_not_taken_for_one),
        PLACE_TEST(every_broken_line_of_the_list_is_named_with_its_number),
        PLACE_TEST(a_list_others_may_write_is_refused),
        PLACE_TEST(a_list_comes_back_and_is_searched_by_key),
        PLACE_TEST(a_list_is_replaced_whole_and_leaves_nothing_behind),
        cmocka_unit_test(a_key_is_good_through_its_last_day),
        cmocka_unit_test(z85_is_that_of_zeromq),
        cmocka_unit_test(names_and_roles_are_those_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
