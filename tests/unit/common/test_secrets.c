/* SPDX-License-Identifier: MIT */
/* Where secrets are left behind: the whole memory of this process is searched for a key. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/secrets.h"
#include "tests/support/link_lab.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_FREED true /* sanitizers keep what is freed, to see who uses it */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS_FREED true
#endif
#endif
#ifndef KEEPS_FREED
#define KEEPS_FREED false
#endif

enum { WINDOW_BYTES = 1024 * 1024, PAGE_SIZE_BYTES = 4096, LINE_BYTES = 512 };

/* What is looked for, inverted: the search must not find its own pattern. */
struct hunt {
    uint8_t inverse[KEY_BYTES], inverse_z85[KEY_Z85_BYTES - 1];
    uint8_t *window;
};

static void hunt_for(struct hunt *h, const uint8_t secret[KEY_BYTES])
{
    char z85[KEY_Z85_BYTES];

    h->window = malloc(WINDOW_BYTES);
    assert_non_null(h->window);
    key_to_z85(secret, z85);
    for (size_t i = 0; i < KEY_BYTES; i++) {
        h->inverse[i] = (uint8_t)~secret[i];
    }
    for (size_t i = 0; i < sizeof(h->inverse_z85); i++) {
        h->inverse_z85[i] = (uint8_t) ~(uint8_t)z85[i];
    }
    explicit_bzero(z85, sizeof(z85));
}

static bool is_inverse(const uint8_t *at, const uint8_t *inverse, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((at[i] ^ inverse[i]) != UINT8_MAX) {
            return false;
        }
    }
    return true;
}

static bool is_untouched(const uint8_t *page, size_t size)
{
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

/* Pages of zeros, most of what a sanitizer maps, are passed over. */
static unsigned count_in_window(const struct hunt *h, size_t size)
{
    unsigned hits = 0;
    size_t next = 0;

    for (size_t page = 0; page < size; page += PAGE_SIZE_BYTES) {
        size_t end = page + PAGE_SIZE_BYTES < size ? page + PAGE_SIZE_BYTES : size;
        if (is_untouched(h->window + page, end - page)) {
            continue;
        }
        /* It may have begun at the end of a page whose rest is zeros. */
        next = page > next + KEY_Z85_BYTES ? page - KEY_Z85_BYTES : next;
        for (; next < end && next + KEY_BYTES <= size; next++) {
            hits += is_inverse(h->window + next, h->inverse, KEY_BYTES);
            hits += next + sizeof(h->inverse_z85) <= size &&
                    is_inverse(h->window + next, h->inverse_z85, sizeof(h->inverse_z85));
        }
    }
    return hits;
}

static unsigned count_between(const struct hunt *h, int memory, uintptr_t from, uintptr_t to)
{
    enum { OVERLAP = KEY_Z85_BYTES };
    unsigned hits = 0;

    while (from < to) {
        size_t want = to - from < WINDOW_BYTES ? to - from : WINDOW_BYTES;
        uintptr_t window = (uintptr_t)h->window;
        ssize_t got = from < window + WINDOW_BYTES && window < from + want
                          ? 0 /* not what was just looked at */
                          : pread(memory, h->window, want, (off_t)from);
        if (got > 0) {
            hits += count_in_window(h, (size_t)got);
        }
        from += want == WINDOW_BYTES ? WINDOW_BYTES - OVERLAP : want;
    }
    return hits;
}

/* Copies of the key, binary or as text, in all memory that can be read and written. */
static unsigned copies(const struct hunt *h)
{
    char line[LINE_BYTES];
    unsigned hits = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

    assert_non_null(maps);
    assert_true(memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        char mode[8] = "";
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0 &&
            to - from < (UINT64_C(1) << 32)) { /* not the shadow of a sanitizer */
            hits += count_between(h, memory, from, to);
        }
    }
    assert_int_equal(fclose(maps), 0);
    assert_int_equal(close(memory), 0);
    return hits;
}

/* The method has teeth: a copy that is there is found, in either form. */
static void a_copy_that_is_there_is_found(void **state)
{
    (void)state;
    struct hunt h;
    struct key_pair *pair = key_pair_new();

    assert_non_null(pair);
    key_pair_make(pair);
    hunt_for(&h, pair->secret_key);
    assert_int_equal(copies(&h), 1); /* the pair itself */
    uint8_t *second = malloc(KEY_BYTES);
    char *third = malloc(KEY_Z85_BYTES);
    assert_non_null(second);
    assert_non_null(third);
    memcpy(second, pair->secret_key, KEY_BYTES);
    key_to_z85(pair->secret_key, third);
    assert_int_equal(copies(&h), 3);
    explicit_bzero(second, KEY_BYTES);
    explicit_bzero(third, KEY_Z85_BYTES);
    key_pair_free(pair);
    assert_int_equal(copies(&h), 0);
    free(second);
    free(third);
    free(h.window);
}

static void reading_and_writing_a_key_file_leaves_nothing(void **state)
{
    (void)state;
    char dir[] = "/tmp/leaseherd-secrets-XXXXXX";
    char path[64];
    char why[KEY_WHY_BYTES] = "";
    struct hunt h;
    struct key_pair *pair = key_pair_new();

    assert_non_null(pair);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/key", dir);
    key_pair_make(pair);
    hunt_for(&h, pair->secret_key);
    assert_int_equal(key_pair_write(path, pair, why), 0);
    assert_int_equal(copies(&h), 1);
    key_pair_wipe(pair);
    assert_int_equal(copies(&h), 0);
    assert_int_equal(key_pair_read(path, pair, why), 0);
    assert_int_equal(copies(&h), 1);
    key_pair_free(pair);
    assert_int_equal(copies(&h), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(h.window);
}

/*
 * libzmq has its copies while a socket is open and frees them as they are. What we had is
 * gone before; what it had, once its memory is freed, where the C library wipes that.
 */
static void closed_sockets_leave_nothing(void **state)
{
    struct hunt h;
    struct lab *lab = NULL;
    void *lab_state = NULL;
    (void)state;

    secrets_wipe_freed();
    assert_int_equal(open_lab(&lab_state), 0);
    lab = lab_state;
    hunt_for(&h, lab->server_key.secret_key);
    for (unsigned i = 0; i < 3; i++) {
        struct link_socket *client = connect_as(lab, &lab->agent_key[0]);
        expect_only(lab, client, "hello");
        close_kept(lab, client);
    }
    key_pair_wipe(&lab->server_key);
    unsigned open_copies = copies(&h);
    assert_true(open_copies > 0); /* libzmq's: the process is the boundary, not the buffer */
    assert_int_equal(close_lab(&lab_state), 0);
    unsigned left = copies(&h);
    if (!KEEPS_FREED) {
        assert_int_equal(left, 0);
    }
    print_message("copies of libzmq: %u while open, %u after\n", open_copies, left);
    free(h.window);
}

static void dumps_are_forbidden_for_good(void **state)
{
    (void)state;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit core = {1, 1};
        bool is_good = secrets_forbid_dumps() == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                       getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 &&
                       core.rlim_max == 0;
        _exit(is_good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumps_are_forbidden_for_good),
        cmocka_unit_test(a_copy_that_is_there_is_found),
        cmocka_unit_test(reading_and_writing_a_key_file_leaves_nothing),
        cmocka_unit_test(closed_sockets_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
