/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/edge/ring_file.h"

enum { REGION_BYTES = 8192, RECORD_BYTES = 100 };

struct bench {
    char path[64];
    int dir_fd;
    struct ring_file file;
    struct replay_ring ring;
};

static int setup(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof(bench));
    strcpy(bench.path, "/tmp/leaseherd-ring-XXXXXX");
    assert_non_null(mkdtemp(bench.path));
    bench.dir_fd = open(bench.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bench.file.fd = -1;
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    ring_file_close(&b->file, false);
    (void)unlinkat(b->dir_fd, RING_FILE_NAME, 0);
    close(b->dir_fd);
    return rmdir(b->path);
}

static struct ring_owner owner_of(uint8_t run)
{
    struct ring_owner owner = {.assignment_epoch = 3, .epoch = 0x1122334455667788U + run};
    memset(owner.run_id, run, sizeof(owner.run_id));
    memset(owner.plan_hash, 0x77, sizeof(owner.plan_hash));
    (void)snprintf(owner.run_name, sizeof(owner.run_name), "run-%02x", run);
    return owner;
}

static void make(struct bench *b, uint8_t run, uint64_t committed)
{
    char why[RING_FILE_WHY_BYTES] = "";
    struct ring_owner owner = owner_of(run);
    int rc = ring_file_make(b->dir_fd, &owner, REGION_BYTES, committed, &b->file, &b->ring, why);
    if (rc != 0) {
        fail_msg("%s", why);
    }
}

static void append(struct bench *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t payload[RECORD_BYTES];
        memset(payload, (int)(b->ring.next_seq & 0xff), sizeof(payload));
        assert_true(replay_ring_append(&b->ring, payload, sizeof(payload)));
    }
}

/* As a successor would: what the process had is only in the file. */
static int find(struct bench *b)
{
    static struct replay_ring empty;
    char why[RING_FILE_WHY_BYTES] = "";
    ring_file_close(&b->file, false);
    b->ring = empty;
    return ring_file_find(b->dir_fd, &b->file, &b->ring, why);
}

static void expect_records(struct bench *b, uint64_t first, uint64_t last)
{
    assert_int_equal(b->ring.acked_seq + 1, first);
    assert_int_equal(b->ring.next_seq, last + 1);
    struct replay_cursor cursor = replay_ring_rewind(&b->ring);
    for (uint64_t i = first; i <= last; i++) {
        uint64_t seq = 0;
        const uint8_t *payload = NULL;
        size_t size = 0;
        assert_int_equal(replay_ring_read(&b->ring, &cursor, &seq, &payload, &size), REPLAY_RECORD);
        assert_int_equal(size, RECORD_BYTES);
        assert_int_equal(payload[0], i & 0xff);
    }
}

static void poke(const struct bench *b, off_t at, uint8_t change)
{
    int fd = openat(b->dir_fd, RING_FILE_NAME, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= change;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* --- what of it is in the process's memory --- */

enum { BIG_REGION_BYTES = 8 * RING_FILE_CHUNK_BYTES, BIG_RECORD_BYTES = 60000 };

/* Of the pages of this mapping. */
static size_t resident_bytes(const struct ring_file *file)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    assert_non_null(smaps);
    char line[512];
    size_t kb = 0;
    bool is_ours = false;
    while (fgets(line, sizeof(line), smaps) != NULL) {
        unsigned long long from = 0, to = 0;
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2) {
            is_ours = from < (uintptr_t)file->map + file->map_bytes && to > (uintptr_t)file->map;
        } else if (is_ours && strncmp(line, "Rss:", 4) == 0) {
            kb += strtoul(line + 4, NULL, 10);
        }
    }
    fclose(smaps);
    return kb * 1024;
}

static bool append_big(struct bench *b)
{
    static uint8_t payload[BIG_RECORD_BYTES];
    memset(payload, (int)(b->ring.next_seq & 0xff), sizeof(payload));
    return replay_ring_append(&b->ring, payload, sizeof(payload));
}

static void expect_big_records(const struct bench *b)
{
    struct replay_cursor cursor = replay_ring_rewind(&b->ring);
    for (uint64_t seq = b->ring.acked_seq + 1; seq < b->ring.next_seq; seq++) {
        uint64_t read_seq = 0;
        const uint8_t *payload = NULL;
        size_t size = 0;
        assert_int_equal(replay_ring_read(&b->ring, &cursor, &read_seq, &payload, &size),
                         REPLAY_RECORD);
        assert_int_equal(read_seq, seq);
        assert_int_equal(size, BIG_RECORD_BYTES);
        assert_int_equal(payload[0], seq & 0xff);
        assert_int_equal(payload[size - 1], seq & 0xff);
    }
}

static void make_big(struct bench *b, int dir_fd)
{
    char why[RING_FILE_WHY_BYTES] = "";
    struct ring_owner owner = owner_of(1);
    assert_int_equal(ring_file_make(dir_fd, &owner, BIG_REGION_BYTES, 0, &b->file, &b->ring, why),
                     0);
}

static size_t unacked_bytes(const struct bench *b)
{
    return (size_t)(b->ring.next_seq - 1 - b->ring.acked_seq) * (BIG_RECORD_BYTES + 16);
}

/* Around it many times, as full as it gets and as empty; in a file and without one. */
static void what_is_acknowledged_leaves_memory_and_what_is_not_stays_whole(void **state)
{
    struct bench *b = *state;
    for (int is_file = 0; is_file < 2; is_file++) {
        make_big(b, is_file != 0 ? b->dir_fd : -1);
        size_t most = 0;
        for (unsigned step = 0; step < 600; step++) {
            while (step % 3 != 2 && append_big(b)) {
                most = unacked_bytes(b) > most ? unacked_bytes(b) : most;
            }
            uint64_t held = b->ring.next_seq - 1 - b->ring.acked_seq;
            ring_file_ack(&b->file, &b->ring,
                          b->ring.acked_seq + (step % 7 == 6 ? held : held * (step % 5) / 6));
            expect_big_records(b);
            /* What is kept, its two ends, and where the first comes to lie again. */
            assert_in_range(resident_bytes(&b->file), 0,
                            unacked_bytes(b) + 3 * RING_FILE_CHUNK_BYTES);
        }
        assert_true(most > 7 * RING_FILE_CHUNK_BYTES);
        ring_file_close(&b->file, true);
    }
}

static void what_left_memory_is_in_the_file(void **state)
{
    struct bench *b = *state;
    make_big(b, b->dir_fd);
    while (append_big(b)) {
    }
    ring_file_ack(&b->file, &b->ring, 100);
    while (append_big(b)) { /* around the end, into what was given back */
    }
    uint64_t next = b->ring.next_seq;
    assert_int_equal(find(b), 1);
    assert_int_equal(b->ring.acked_seq, 100);
    assert_int_equal(b->ring.next_seq, next);
    expect_big_records(b);
}

static void a_file_that_others_may_touch_is_refused(void **state)
{
    struct bench *b = *state;
    struct ring_owner owner = owner_of(1);
    char why[RING_FILE_WHY_BYTES] = "";
    assert_int_equal(symlinkat("/etc/passwd", b->dir_fd, RING_FILE_NAME), 0);
    assert_int_equal(ring_file_find(b->dir_fd, &b->file, &b->ring, why), -ELOOP);
    assert_int_equal(ring_file_make(b->dir_fd, &owner, REGION_BYTES, 0, &b->file, &b->ring, why),
                     -ELOOP);
    assert_int_equal(unlinkat(b->dir_fd, RING_FILE_NAME, 0), 0);
    make(b, 1, 0);
    assert_int_equal(fchmodat(b->dir_fd, RING_FILE_NAME, 0640, 0), 0);
    assert_int_equal(find(b), -EPERM);
    assert_int_equal(ring_file_make(b->dir_fd, &owner, REGION_BYTES, 0, &b->file, &b->ring, why),
                     -EPERM);
    assert_non_null(strstr(why, "remove it"));
}

/* The limit stands for a full disk: the same store would have failed. */
static void without_room_it_says_how_many_bytes_and_keeps_none(void **state)
{
    struct bench *b = *state;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {16384, 16384};
        signal(SIGXFSZ, SIG_IGN);
        char why[RING_FILE_WHY_BYTES] = "";
        struct ring_owner owner = owner_of(1);
        bool is_good = setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                       ring_file_make(b->dir_fd, &owner, REPLAY_RING_BYTES, 0, &b->file, &b->ring,
                                      why) == -ENOSPC &&
                       strstr(why, "needs 67112960 bytes") != NULL;
        _exit(is_good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct stat st;
    assert_int_equal(fstatat(b->dir_fd, RING_FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_blocks, 0);
}

static void all_of_it_is_reserved_at_once(void **state)
{
    struct bench *b = *state;
    make(b, 1, 0);
    struct stat st;
    assert_int_equal(fstatat(b->dir_fd, RING_FILE_NAME, &st, 0), 0);
    assert_true((size_t)st.st_blocks * 512 >= RING_FILE_HEAD_BYTES + REGION_BYTES);
}

static void a_successor_finds_what_was_not_acknowledged_and_whose_it_is(void **state)
{
    struct bench *b = *state;
    assert_int_equal(find(b), 0); /* no file yet */
    make(b, 7, 41);
    assert_int_equal(find(b), 1); /* nothing in it yet */
    expect_records(b, 42, 41);
    append(b, 9);
    ring_file_ack(&b->file, &b->ring, 45);
    append(b, 2);
    assert_int_equal(find(b), 1);
    expect_records(b, 46, 52);
    struct ring_owner owner = owner_of(7);
    assert_memory_equal(&b->file.owner, &owner, sizeof(owner));
    /* It goes on where the other one stopped, around the end of the region, too. */
    for (unsigned i = 0; i < 200; i++) {
        append(b, 5);
        ring_file_ack(&b->file, &b->ring, b->ring.next_seq - 1 - i % 7);
        assert_int_equal(find(b), 1);
    }
    assert_int_equal(b->ring.next_seq, 53 + 1000);
}

/* An empty ring begins at its start again: that alone must be noted as well. */
static void a_ring_that_was_emptied_twice_is_found_at_its_new_start(void **state)
{
    struct bench *b = *state;
    make(b, 1, 0);
    append(b, 3);
    assert_int_equal(find(b), 1);
    ring_file_ack(&b->file, &b->ring, 3);
    append(b, 1);
    ring_file_ack(&b->file, &b->ring, 3); /* says nothing new */
    assert_int_equal(find(b), 1);
    expect_records(b, 4, 4);
}

static void a_run_that_is_over_is_not_found_and_gives_its_room_back(void **state)
{
    struct bench *b = *state;
    make(b, 1, 0);
    append(b, 3);
    ring_file_close(&b->file, true);
    assert_int_equal(find(b), 0);
    struct stat st;
    assert_int_equal(fstatat(b->dir_fd, RING_FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_size, RING_FILE_HEAD_BYTES);
}

static void the_next_run_never_sees_the_records_of_the_one_before(void **state)
{
    struct bench *b = *state;
    make(b, 1, 0);
    append(b, 20);
    ring_file_close(&b->file, false);
    make(b, 2, 0);
    assert_int_equal(find(b), 1);
    expect_records(b, 1, 0);
    assert_int_equal(b->file.owner.run_id[0], 2);
}

/* Each byte of the first page in turn: either it did not matter, or it is noticed. */
static void a_changed_byte_in_the_first_page_is_noticed_or_does_not_matter(void **state)
{
    struct bench *b = *state;
    make(b, 1, 0);
    append(b, 12);
    ring_file_ack(&b->file, &b->ring, 4);
    ring_file_ack(&b->file, &b->ring, 5);
    unsigned noticed = 0, older = 0;
    for (off_t at = 0; at < RING_FILE_HEAD_BYTES; at++) {
        poke(b, at, 0x41);
        int rc = find(b);
        assert_true(rc == 1 || rc == -EBADMSG);
        if (rc == 1) {
            assert_in_range(b->ring.acked_seq, 4, 5);
            assert_int_equal(b->ring.next_seq, 13);
            older += b->ring.acked_seq == 4; /* the newest slot is torn: the one before it */
        }
        noticed += rc < 0;
        poke(b, at, 0x41);
    }
    assert_int_equal(older, 32);          /* bytes of a slot */
    assert_true(noticed >= 32 + 36 + 96); /* of the head */
    assert_int_equal(find(b), 1);
    expect_records(b, 6, 12);
}

static void files_of_any_size_and_content_are_survived(void **state)
{
    struct bench *b = *state;
    static const off_t sizes[] = {0, 1, 4095, 4096, 4097, 4160, 4163, 8192, 65536};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        int fd = openat(b->dir_fd, RING_FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        for (off_t at = 0; at < sizes[i]; at++) {
            uint8_t byte = (uint8_t)(at * 31 + (at >> 8));
            assert_int_equal(write(fd, &byte, 1), 1);
        }
        close(fd);
        assert_int_equal(find(b), 0); /* no slot is whole */
    }
    make(b, 1, 0);
    append(b, 3);
    ring_file_close(&b->file, false);
    int fd = openat(b->dir_fd, RING_FILE_NAME, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, RING_FILE_HEAD_BYTES + REGION_BYTES / 2), 0);
    close(fd);
    assert_int_equal(find(b), -EBADMSG);
}

static void anonymous_memory_serves_where_there_is_no_directory(void **state)
{
    struct bench *b = *state;
    char why[RING_FILE_WHY_BYTES] = "";
    struct ring_owner owner = owner_of(1);
    assert_int_equal(ring_file_make(-1, &owner, REGION_BYTES, 9, &b->file, &b->ring, why), 0);
    append(b, 4);
    ring_file_ack(&b->file, &b->ring, 11);
    expect_records(b, 12, 13);
    ring_file_close(&b->file, false);
    assert_int_equal(find(b), 0);
}

#define AT_A_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_A_BENCH(a_file_that_others_may_touch_is_refused),
        AT_A_BENCH(without_room_it_says_how_many_bytes_and_keeps_none),
        AT_A_BENCH(all_of_it_is_reserved_at_once),
        AT_A_BENCH(a_successor_finds_what_was_not_acknowledged_and_whose_it_is),
        AT_A_BENCH(a_ring_that_was_emptied_twice_is_found_at_its_new_start),
        AT_A_BENCH(a_run_that_is_over_is_not_found_and_gives_its_room_back),
        AT_A_BENCH(the_next_run_never_sees_the_records_of_the_one_before),
        AT_A_BENCH(a_changed_byte_in_the_first_page_is_noticed_or_does_not_matter),
        AT_A_BENCH(files_of_any_size_and_content_are_survived),
        AT_A_BENCH(what_is_acknowledged_leaves_memory_and_what_is_not_stays_whole),
        AT_A_BENCH(what_left_memory_is_in_the_file),
        AT_A_BENCH(anonymous_memory_serves_where_there_is_no_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
