/* SPDX-License-Identifier: MIT */
/* Files that a server writes while they are read: its log and its leases. */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/observer/lease_file.h"
#include "agent/observer/server_log.h"
#include "common/attrs.h"

static char dir[] = "/tmp/test_observer_leases_XXXXXX";
static char path[64], other[64];

static int begin(void **state)
{
    (void)state;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    (void)snprintf(other, sizeof(other), "%s/other", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(other);
    return rmdir(dir);
}

static void add(const char *to, const char *text)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

struct heard {
    char lines[4096];
    size_t size, count, longest;
};

static void hear(void *context, const char *line, size_t size, uint64_t files, uint64_t at)
{
    struct heard *h = context;
    (void)files;
    (void)at;
    h->count++;
    h->longest = size > h->longest ? size : h->longest;
    if (size + 1 < sizeof(h->lines) - h->size) {
        memcpy(h->lines + h->size, line, size);
        h->lines[h->size + size] = '|';
        h->size += size + 1;
        h->lines[h->size] = '\0';
    }
}

static void heard_is(struct follow *f, const char *wanted)
{
    struct heard h = {.size = 0};
    follow_turn(f, hear, &h);
    assert_string_equal(h.lines, wanted);
}

static void a_log_is_read_from_its_end_and_through_rotation(void **state)
{
    (void)state;
    struct follow f;
    add(path, "old\nolder");
    follow_open(&f, path, FOLLOW_LOG);
    heard_is(&f, "");
    add(path, "\nnew\nha");
    heard_is(&f, "|new|"); /* the end of a line that was begun before us */
    add(path, "lf\n");
    heard_is(&f, "half|");
    add(path, "last of the old\n");
    assert_int_equal(rename(path, other), 0);
    heard_is(&f, "last of the old|"); /* nothing is there now */
    assert_int_equal(f.error, -ENOENT);
    add(other, "and one more\n");
    add(path, "first of the new\n");
    heard_is(&f, "and one more|first of the new|");
    assert_int_equal(f.error, 0);
    assert_int_equal(truncate(path, 0), 0);
    add(path, "again\n");
    heard_is(&f, "again|");
    assert_int_equal(f.files, 3);
    follow_close(&f);
}

static void a_log_that_comes_later_is_read_whole(void **state)
{
    (void)state;
    struct follow f;
    follow_open(&f, path, FOLLOW_LOG);
    heard_is(&f, "");
    assert_int_equal(f.error, -ENOENT);
    add(path, "first\n");
    heard_is(&f, "first|");
    follow_close(&f);
}

static void lines_are_bounded(void **state)
{
    (void)state;
    struct follow f;
    struct heard h = {.size = 0};
    char *line = malloc(100001);
    assert_non_null(line);
    memset(line, 'x', 100000);
    line[100000] = '\0';
    follow_open(&f, path, FOLLOW_LOG);
    add(path, "");
    follow_turn(&f, hear, &h);
    add(path, line);
    follow_turn(&f, hear, &h);
    assert_int_equal(h.count, 0);
    add(path, line);
    add(path, "\nshort\n");
    follow_turn(&f, hear, &h);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.longest, FOLLOW_LINE_BYTES);
    free(line);
    follow_close(&f);
}

static void what_is_no_regular_file_is_not_read(void **state)
{
    (void)state;
    struct follow f;
    assert_int_equal(mkfifo(path, 0600), 0);
    follow_open(&f, path, FOLLOW_LOG); /* and does not wait for somebody to write to it */
    heard_is(&f, "");
    assert_int_equal(f.error, -EINVAL);
    follow_open(&f, dir, FOLLOW_LOG);
    heard_is(&f, "");
    assert_int_equal(f.error, -EINVAL);
    follow_open(&f, "", FOLLOW_LOG);
    heard_is(&f, "");
    assert_int_equal(f.error, -ENOENT);
}

/* ---- leases ---- */

static const char first_leases[] = "# The format of this file is documented\n"
                                   "authoring-byte-order little-endian;\n\n"
                                   "lease 10.10.0.1 {\n  starts 1 2026/11/23 22:22:18;\n}\n"
                                   "failover peer \"lab\" state {\n"
                                   "  my state normal at 0 2024/01/07 00:00:00;\n"
                                   "  partner state communications-interrupted at 0 2024/01/07 "
                                   "00:00:00;\n  mclt 120;\n}\n";
static const char one_lease[] = "lease 10.10.0.2 {\n  starts 1 2026/11/23 22:22:18;\n  "
                                "client-hostname \"lease 10.10.0.9 {\";\n}\n";

static const struct observer_target dhcpd = {.pid = 1, .instance = 1, .program = TARGET_DHCPD};
static const struct observer_target kea = {.pid = 1, .instance = 1, .program = TARGET_KEA};

static void commits_are(struct lease_file *l, const struct observer_target *target, double commits,
                        double rewrites)
{
    struct observation o;
    memset(&o, 0, sizeof(o));
    lease_file_observe(l, target, path, AVAILABLE_NOT_APPLICABLE, &o);
    assert_int_equal(o.availability[OBSERVER_lease_commits], AVAILABLE_OK);
    assert_int_equal(o.value[OBSERVER_lease_commits], commits);
    assert_int_equal(o.value[OBSERVER_lease_rewrites], rewrites);
}

static void commits_of_dhcpd_are_counted_and_rewritten_leases_are_not(void **state)
{
    (void)state;
    struct failover failover;
    struct lease_file l;
    enum failover_state own = FAILOVER_UNKNOWN, partner = FAILOVER_UNKNOWN;
    memset(&failover, 0, sizeof(failover));
    add(path, first_leases);
    lease_file_open(&l, &failover);
    commits_are(&l, &dhcpd, 0, 0);
    assert_true(failover_tell(&failover, &own, &partner));
    assert_int_equal(own, FAILOVER_NORMAL);
    assert_int_equal(partner, FAILOVER_COMMUNICATIONS_INTERRUPTED);
    add(path, one_lease);
    add(path, one_lease);
    commits_are(&l, &dhcpd, 2, 0);
    /* Written anew, as dhcpd does: a new file with all leases in the place of the old one. */
    add(path, one_lease);
    add(other, first_leases);
    add(other, one_lease);
    assert_int_equal(rename(other, path), 0);
    lease_file_look(&l);
    add(path, one_lease);
    commits_are(&l, &dhcpd, 4, 1);
    lease_file_look(&l);
    add(path, one_lease);
    commits_are(&l, &dhcpd, 5, 1);
    assert_int_equal(truncate(path, 0), 0);
    commits_are(&l, &dhcpd, 5, 2);
    add(path, one_lease);
    commits_are(&l, &dhcpd, 6, 2);
    lease_file_close(&l);
}

static void commits_of_kea_are_counted_through_its_cleanup(void **state)
{
    (void)state;
    struct failover failover;
    struct lease_file l;
    static const char heading[] = "address,hwaddr,client_id,valid_lifetime\n";
    static const char row[] = "10.10.0.1,02:00:00:00:00:01,,60\n";
    memset(&failover, 0, sizeof(failover));
    add(path, heading);
    add(path, row);
    lease_file_open(&l, &failover);
    commits_are(&l, &kea, 0, 0);
    add(path, row);
    commits_are(&l, &kea, 1, 0);
    add(path, row);
    assert_int_equal(rename(path, other), 0);
    add(path, heading);
    add(path, row);
    add(path, row);
    lease_file_look(&l);
    commits_are(&l, &kea, 4, 1);
    lease_file_close(&l);
}

static void lines_of_leases_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool is_lease;
    } rows[] = {
        {"lease 10.10.0.1 {", true},
        {"lease 10.10.0.1", false},
        {"lease 10.10.0.300 {", false},
        {"lease {", false},
        {"lease ", false},
        {" lease 10.10.0.1 {", false},
        {"lease 10.10.0.1111111111 {", false},
        {"}", false},
        {"", false},
        {"failover peer \"\" state {", false},
        {"failover peer \"", false},
    };
    struct failover failover;
    struct lease_lines s;
    memset(&failover, 0, sizeof(failover));
    memset(&s, 0, sizeof(s));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (lease_line_dhcpd(&s, rows[i].line, strlen(rows[i].line), &failover) !=
            rows[i].is_lease) {
            fail_msg("%s", rows[i].line);
        }
    }
    /* A state outside of its block is somebody's text. */
    static const char state_line[] = "  my state normal at 0 2024/01/07 00:00:00;";
    assert_false(lease_line_dhcpd(&s, state_line, strlen(state_line), &failover));
    assert_int_equal(failover.count, 0);
    assert_true(lease_line_kea("10.0.0.1,x", 10));
    assert_false(lease_line_kea("address,x", 9));
    assert_false(lease_line_kea("10.0.0.1", 8));
    assert_false(lease_line_kea("", 0));
}

static void a_log_counts_and_says_what_it_cannot(void **state)
{
    (void)state;
    struct failover failover;
    static struct server_log l;
    struct observation o;
    memset(&failover, 0, sizeof(failover));
    memset(&o, 0, sizeof(o));
    server_log_open(&l, &failover);
    server_log_observe(&l, &dhcpd, "", AVAILABLE_NO_PERMISSION, &o);
    assert_int_equal(o.availability[OBSERVER_log_acks], AVAILABLE_NO_PERMISSION);
    assert_int_equal(o.availability[OBSERVER_pool_free], AVAILABLE_NO_PERMISSION);
    server_log_observe(&l, &dhcpd, "", AVAILABLE_NOT_APPLICABLE, &o);
    assert_int_equal(o.availability[OBSERVER_log_acks], AVAILABLE_NOT_APPLICABLE);
    add(path, "DHCPACK on 1.2.3.4 to x\n");
    server_log_observe(&l, &dhcpd, path, AVAILABLE_NO_PERMISSION, &o);
    assert_int_equal(o.availability[OBSERVER_log_acks], AVAILABLE_OK);
    assert_int_equal(o.value[OBSERVER_log_acks], 0);
    assert_int_equal(o.availability[OBSERVER_pool_total], AVAILABLE_NOT_APPLICABLE);
    add(path, "balanced pool 1 lab  total 10  free 4  backup 4  lts 0  max-misbal 1\n");
    server_log_observe(&l, &dhcpd, path, AVAILABLE_NO_PERMISSION, &o);
    assert_int_equal(o.value[OBSERVER_pool_free], 4);
    assert_int_equal(o.value[OBSERVER_pool_backup], 4);
    add(path, "DHCPACK on 1.2.3.4 to x\nsend_packet: Operation not permitted\n"
              "failover peer lab: I move from normal to partner-down\n"
              "balancing pool 1 lab  total 10  free 6  backup 2  lts -2  max-own (+/-)1\n");
    server_log_observe(&l, &dhcpd, path, AVAILABLE_NO_PERMISSION, &o);
    assert_int_equal(o.value[OBSERVER_log_acks], 1);
    assert_int_equal(o.value[OBSERVER_log_send_refused], 1);
    assert_string_equal(o.note[NOTE_LAST_REFUSED], "send_packet: Operation not permitted");
    assert_int_equal(failover.peer[0].own, FAILOVER_PARTNER_DOWN);
    assert_int_equal(o.value[OBSERVER_pool_total], 10);
    assert_int_equal(o.value[OBSERVER_pool_free], 2); /* the secondary's are called backup */
    assert_int_equal(o.value[OBSERVER_pool_backup], 6);
    server_log_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_is_read_from_its_end_and_through_rotation, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_log_that_comes_later_is_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(lines_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_not_read, begin, end),
        cmocka_unit_test_setup_teardown(commits_of_dhcpd_are_counted_and_rewritten_leases_are_not,
                                        begin, end),
        cmocka_unit_test_setup_teardown(commits_of_kea_are_counted_through_its_cleanup, begin, end),
        cmocka_unit_test(lines_of_leases_are_told_apart),
        cmocka_unit_test_setup_teardown(a_log_counts_and_says_what_it_cannot, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
