/* SPDX-License-Identifier: MIT */
/* Capture files: whole, cut, damaged, endless, and files that are something else. */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_pcap.h"

struct fixture {
    char dir[64], path[96], why[AUDIT_PCAP_WHY_BYTES];
    uint64_t frames, last_at_ns;
    size_t bytes, stop_at;
    enum audit_link link;
    const char *grows; /* a file that gets longer with every frame */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_pcap_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/c.pcap", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

struct head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, digits, snaplen, link;
};
struct packet_head {
    uint32_t s, ns, captured, size;
};

static const uint32_t MAGIC_NS = 0xa1b23c4d;
enum { DLT_ETHERNET = 1, DLT_RAW_IP = 101, DLT_COOKED = 113, DLT_COOKED2 = 276, DLT_WIFI = 105 };

static void append(FILE *file, uint32_t captured)
{
    static const uint8_t zeros[70000];
    const struct packet_head p = {1700000000, 5, captured, captured};
    assert_int_equal(fwrite(&p, sizeof(p), 1, file), 1);
    size_t there = captured < sizeof(zeros) ? captured : sizeof(zeros);
    assert_int_equal(fwrite(zeros, 1, there, file), there);
}

static void write_capture(struct fixture *f, uint32_t link, int packets)
{
    const struct head h = {MAGIC_NS, 2, 4, 0, 0, 65535, link};
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&h, sizeof(h), 1, file), 1);
    for (int i = 0; i < packets; i++) {
        append(file, 60);
    }
    (void)fclose(file);
}

static bool visit(void *context, const struct audit_frame *frame, uint64_t at_ns)
{
    struct fixture *f = context;
    f->frames++;
    f->bytes += frame->size;
    f->last_at_ns = at_ns;
    f->link = frame->link;
    if (f->grows != NULL) {
        FILE *file = fopen(f->grows, "ab");
        assert_non_null(file);
        append(file, 60);
        append(file, 60);
        (void)fclose(file);
    }
    return f->stop_at == 0 || f->frames < f->stop_at;
}

static int look(struct fixture *f, struct audit_pcap *out)
{
    f->frames = f->bytes = 0;
    f->why[0] = '\0';
    int rc = audit_pcap_read(f->path, visit, f, out, f->why);
    assert_true(rc == 0 || (f->why[0] != '\0' && strchr(f->why, '\n') == NULL));
    return rc;
}

static void every_link_there_is_is_read(void **state)
{
    static const struct {
        uint32_t number;
        enum audit_link link;
    } rows[] = {{DLT_ETHERNET, AUDIT_LINK_ETHERNET},
                {DLT_RAW_IP, AUDIT_LINK_RAW},
                {DLT_COOKED, AUDIT_LINK_COOKED},
                {DLT_COOKED2, AUDIT_LINK_COOKED2}};
    struct fixture *f = *state;
    struct audit_pcap out;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_capture(f, rows[i].number, 3);
        assert_int_equal(look(f, &out), 0);
        assert_int_equal(out.frames, 3);
        assert_int_equal(f->bytes, 180);
        assert_false(out.is_cut);
        assert_int_equal(f->link, rows[i].link);
        assert_int_equal(f->last_at_ns, 1700000000 * NS_PER_S + 5);
    }
    write_capture(f, DLT_WIFI, 1);
    assert_int_equal(look(f, &out), -EPROTONOSUPPORT);
}

static void a_file_that_was_cut_anywhere_is_named_or_refused(void **state)
{
    struct fixture *f = *state;
    struct audit_pcap out;
    write_capture(f, DLT_ETHERNET, 3);
    const size_t head = sizeof(struct head), packet = sizeof(struct packet_head) + 60;
    for (size_t size = head + 3 * packet; size-- > 0;) {
        assert_int_equal(truncate(f->path, (off_t)size), 0);
        int rc = look(f, &out);
        assert_int_equal(rc, size < head ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(out.frames, (size - head) / packet);
            assert_int_equal(out.is_cut, (size - head) % packet != 0);
        }
    }
}

static void a_damaged_file_is_refused_with_its_place(void **state)
{
    struct fixture *f = *state;
    struct audit_pcap out;
    write_capture(f, DLT_ETHERNET, 2);
    FILE *file = fopen(f->path, "ab");
    assert_non_null(file);
    const struct packet_head p = {1, 1, 0x7fffffff, 0x7fffffff};
    assert_int_equal(fwrite(&p, sizeof(p), 1, file), 1);
    (void)fclose(file);
    assert_int_equal(look(f, &out), -EBADMSG);
    assert_non_null(strstr(f->why, "is damaged after packet 2"));
}

static void what_is_no_capture_is_refused(void **state)
{
    struct fixture *f = *state;
    struct audit_pcap out;
    assert_int_equal(look(f, &out), -ENOENT);
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    (void)fputs("lease 10.0.0.1 {\n}\nlease 10.0.0.2 {\n}\n", file);
    (void)fclose(file);
    assert_int_equal(look(f, &out), -EBADMSG);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0); /* nobody writes it */
    assert_int_equal(look(f, &out), -EINVAL);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("/dev/zero", f->path), 0);
    assert_int_equal(look(f, &out), -EINVAL);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(look(f, &out), -EISDIR);
    assert_int_equal(rmdir(f->path), 0);
}

static void a_file_that_grows_for_ever_ends(void **state)
{
    struct fixture *f = *state;
    struct audit_pcap out;
    write_capture(f, DLT_ETHERNET, 5);
    f->grows = f->path;
    assert_int_equal(look(f, &out), 0);
    assert_in_range(out.frames, 5, 6);
}

static void who_has_had_enough_stops_it(void **state)
{
    struct fixture *f = *state;
    struct audit_pcap out;
    write_capture(f, DLT_ETHERNET, 5);
    f->stop_at = 2;
    assert_int_equal(look(f, &out), -ECANCELED);
    assert_int_equal(out.frames, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_link_there_is_is_read),
        TEST(a_file_that_was_cut_anywhere_is_named_or_refused),
        TEST(a_damaged_file_is_refused_with_its_place),
        TEST(what_is_no_capture_is_refused),
        TEST(a_file_that_grows_for_ever_ends),
        TEST(who_has_had_enough_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
