/* SPDX-License-Identifier: MIT */
/* Text of procfs and sysfs, as Linux 6.1 to 6.18 write it, and as nobody should. */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/observer/parse/disk_text.h"
#include "agent/observer/parse/net_text.h"
#include "agent/observer/parse/proc_text.h"
#include "agent/observer/parse/tally.h"
#include "agent/observer/parse/text.h"
#include "common/attrs.h"

/* --- /proc/PID/stat --- */

static const char stat_of_dhcpd[] =
    "4711 (dhcpd) D 1 4711 4711 0 -1 4194560 2211 0 3 0 1234 567 0 0 20 0 4 0 8123456 57208832 "
    "5432 18446744073709551615 1 1 0 0 0 0 0 4096 17663 0 0 0 17 1 0 0 9 0 0 0 0 0 0 0 0 0 0\n";

static void stat_of_a_process_is_read(void **state)
{
    (void)state;
    struct proc_stat s;
    assert_true(proc_parse_stat(stat_of_dhcpd, &s));
    assert_int_equal(s.pid, 4711);
    assert_string_equal(s.comm, "dhcpd");
    assert_int_equal(s.state, 'D');
    assert_int_equal(s.user_ticks, 1234);
    assert_int_equal(s.system_ticks, 567);
    assert_int_equal(s.start_ticks, 8123456);
    assert_int_equal(s.resident_pages, 5432);
}

/* A process may call itself what it likes, also as if another line began. */
static void a_name_with_parentheses_and_spaces_ends_at_the_last_one(void **state)
{
    (void)state;
    struct proc_stat s;
    assert_true(proc_parse_stat("7 (a) R 1) (b\n) S 1 2 3 4 -1 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                                "19 20 21 22\n",
                                &s));
    assert_string_equal(s.comm, "a) R 1) (b\n");
    assert_int_equal(s.state, 'S');
    assert_int_equal(s.user_ticks, 11);
    assert_int_equal(s.start_ticks, 19);
}

static const char long_name[] =
    "4711 (a-name-that-is-longer-than-any-that-the-kernel-keeps-of-a-process-is) S 1 2 3 4 -1 "
    "6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22";

static void a_stat_that_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "4711",
        "4711 (dhcpd",
        "4711 dhcpd) S 1",
        ") (4711 S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22",
        "4711 (dhcpd) ",
        "4711 (dhcpd) S 1 2 3 4 -1 6 7 8 9 10 -11 12 13 14 15 16 17 18 19 20 21 22",
        "4711 (dhcpd) S 1 2 3 4 -1 6 7 8 9 10 99999999999999999999 12 13 14 15 16 17 18 19 20 21",
        "4711 (dhcpd) S 1 2 3 4 -1 6 7 8 9 10 11 12 13 14 15 16 17 18 19",
        long_name};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct proc_stat s = {.pid = 42};
        if (proc_parse_stat(bad[i], &s)) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_int_equal(s.pid, 42); /* untouched */
    }
}

static void schedstat_and_links_are_read(void **state)
{
    (void)state;
    uint64_t run_ns = 1, wait_ns = 2, inode = 3;
    assert_true(proc_parse_schedstat("257822414 175430063 1788\n", &run_ns, &wait_ns));
    assert_int_equal(run_ns, 257822414);
    assert_int_equal(wait_ns, 175430063);
    assert_false(proc_parse_schedstat("257822414\n", &run_ns, &wait_ns));
    assert_false(proc_parse_schedstat("", &run_ns, &wait_ns));
    assert_true(proc_parse_socket_link("socket:[90817]", &inode));
    assert_int_equal(inode, 90817);
    static const char *const no_links[] = {"",
                                           "socket:[",
                                           "socket:[]",
                                           "socket:[12",
                                           "socket:[12]]",
                                           "pipe:[90817]",
                                           "/var/lib/dhcp/dhcpd.leases",
                                           "socket:[-1]",
                                           "socket:[12 13]",
                                           "socket:[111111111111111111111111111111111111]"};
    for (size_t i = 0; i < ARRAY_LEN(no_links); i++) {
        if (proc_parse_socket_link(no_links[i], &inode)) {
            fail_msg("taken: %s", no_links[i]);
        }
    }
}

static void named_numbers_are_found_at_the_begin_of_lines_only(void **state)
{
    static const char status[] = "Name:\tdhcpd\nnonvoluntary_ctxt_switches:\t12\n"
                                 "voluntary_ctxt_switches:\t3456\n";
    (void)state;
    uint64_t value = 0;
    assert_true(text_named_number(status, "voluntary_ctxt_switches", &value));
    assert_int_equal(value, 3456);
    assert_true(text_named_number(status, "nonvoluntary_ctxt_switches", &value));
    assert_int_equal(value, 12);
    assert_false(text_named_number(status, "Name", &value));
    assert_false(text_named_number(status, "VmRSS", &value));
    assert_false(text_named_number("", "VmRSS", &value));
}

/* --- networks --- */

static const char snmp[] =
    "Ip: Forwarding DefaultTTL InReceives OutRequests OutDiscards OutNoRoutes\n"
    "Ip: 2 64 13416158 13407096 689 3\n"
    "Icmp: InMsgs InErrors InEchoReps\n"
    "Icmp: 6 0 4\n"
    "UdpLite: InDatagrams NoPorts\n"
    "UdpLite: 99 98\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n"
    "Udp: 182 7 0 188 2834 0\n";

static void counters_of_a_network_are_found_by_name(void **state)
{
    static const struct {
        const char *group, *name;
        uint64_t value;
    } rows[] = {{"Ip", "OutDiscards", 689},    {"Ip", "OutNoRoutes", 3},
                {"Icmp", "InEchoReps", 4},     {"Udp", "InDatagrams", 182},
                {"Udp", "NoPorts", 7},         {"Udp", "RcvbufErrors", 2834},
                {"UdpLite", "InDatagrams", 99}};
    (void)state;
    uint64_t value = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(net_snmp_number(snmp, rows[i].group, rows[i].name, &value));
        assert_int_equal(value, rows[i].value);
    }
    assert_false(net_snmp_number(snmp, "Udp", "MemErrors", &value));
    assert_false(net_snmp_number(snmp, "Udp", "InData", &value));
    assert_false(net_snmp_number(snmp, "Tcp", "InSegs", &value));
    assert_false(net_snmp_number("", "Ip", "OutDiscards", &value));
    assert_false(net_snmp_number("Ip: OutDiscards\n", "Ip", "OutDiscards", &value));
    assert_false(net_snmp_number("Ip: A OutDiscards\nIp: 1\n", "Ip", "OutDiscards", &value));
    assert_false(net_snmp_number("Ip: OutDiscards\nIp: x\n", "Ip", "OutDiscards", &value));
    assert_false(net_snmp_number("Ip: OutDiscards\nIp: -1\n", "Ip", "OutDiscards", &value));
}

static const char dev[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
    "fifo colls carrier compressed\n"
    "    lo: 6039405505 13415025    0    9    0     0          0         0 6039405505 13415025    "
    "0 "
    "   9    0     0       0          0\n"
    "  eth0: 34239914    1208    0    5    0     0          0         0    83270     990    0    2 "
    " "
    "  0     0       0          0\n"
    "veth0.1:34239914    1208    0    10    0     0          0         0    83270     990    0    "
    "20    0     0       0          0\n";

static void drops_of_interfaces_are_added_up_without_lo(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(net_dev_drops(dev, &value));
    assert_int_equal(value, 37);
    assert_false(net_dev_drops("", &value));
    assert_false(net_dev_drops("a\nb\neth0: 1 2 3\n", &value));
    assert_false(net_dev_drops("a\nb\neth0\n", &value));
    assert_true(net_dev_drops("a\nb\n", &value));
    assert_int_equal(value, 0);
}

static void cpus_are_added_up(void **state)
{
    static const char softnet[] =
        "0ab9ec1b 0000000a 0000008b 00000000 00000000 00000000 00000000 00000000 00000000\n"
        "0a7c3201 00000010 00000098 00000000 00000000 00000000 00000000 00000000 00000001\n";
    static const char conntrack[] =
        "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop "
        "early_drop icmp_error  expect_new expect_create expect_delete search_restart\n"
        "00000201  00000000 0002bb38 00000000 00000000 00000000 00000000 00000000 00000000 "
        "000002b1 00000001 00000000 00000000  00000000 00000000 00000000 00000000\n"
        "00000201  00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 "
        "00000001 00000002 00000000 00000000  00000000 00000000 00000000 00000000\n";
    (void)state;
    uint64_t value = 0;
    assert_true(net_softnet_drops(softnet, &value));
    assert_int_equal(value, 26);
    assert_false(net_softnet_drops("", &value));
    assert_false(net_softnet_drops("0ab9ec1b\n", &value));
    assert_true(net_conntrack_first(conntrack, "entries", &value));
    assert_int_equal(value, 513);
    assert_true(net_conntrack_sum(conntrack, "insert_failed", &value));
    assert_int_equal(value, 690);
    assert_true(net_conntrack_sum(conntrack, "drop", &value));
    assert_int_equal(value, 3);
    assert_true(net_conntrack_sum(conntrack, "found", &value));
    assert_int_equal(value, 0x2bb39);
    assert_true(net_conntrack_sum(conntrack, "insert", &value)); /* not insert_failed */
    assert_int_equal(value, 0);
    assert_false(net_conntrack_sum(conntrack, "searched", &value));
    assert_false(net_conntrack_sum("entries drop\n", "drop", &value));
    assert_false(net_conntrack_first("", "entries", &value));
}

/* --- disks --- */

static void a_disk_s_counters_are_read_with_and_without_flushes(void **state)
{
    (void)state;
    struct disk_stat s;
    assert_true(disk_parse_stat(" 1368154   131793 34967866  2796386 34795465  2497521 598314256  "
                                "6304877        0  2521632  9915367  1091829       62 1183096800   "
                                "218213 11536299   595890\n",
                                &s));
    assert_int_equal(s.writes, 34795465);
    assert_int_equal(s.busy_ms, 2521632);
    assert_true(s.has_flushes);
    assert_int_equal(s.flushes, 11536299);
    assert_int_equal(s.flush_ms, 595890);
    assert_true(disk_parse_stat("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", &s));
    assert_false(s.has_flushes);
    assert_int_equal(s.writes, 5);
    assert_false(disk_parse_stat("1 2 3 4 5 6 7 8 9 10\n", &s));
    assert_false(disk_parse_stat("", &s));
}

static void pressure_is_the_total_of_some(void **state)
{
    (void)state;
    uint64_t us = 0;
    assert_true(disk_parse_pressure("some avg10=0.02 avg60=0.25 avg300=0.68 total=1226819966\n"
                                    "full avg10=0.02 avg60=0.22 avg300=0.61 total=701267115\n",
                                    &us));
    assert_int_equal(us, 1226819966);
    assert_false(disk_parse_pressure("full avg10=0.02 total=701267115\n", &us));
    assert_false(disk_parse_pressure("some avg10=0.02\nfull total=701267115\n", &us));
    assert_false(disk_parse_pressure("some total=-3\n", &us));
    assert_false(disk_parse_pressure("", &us));
}

static void the_latest_mount_of_a_device_counts(void **state)
{
    static const char mounts[] =
        "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
        "23 22 0:45 /sub /var rw,relatime shared:9 - btrfs /dev/vda3 rw,space_cache\n"
        "24 22 0:46 / /tmp rw - tmpfs tmpfs rw\n"
        "25 22 0:45 /other /srv rw - btrfs /dev/vdb1 rw\n"
        "26 22 0:47 / /broken rw\n";
    (void)state;
    char type[64] = "", source[64] = "";
    assert_true(disk_parse_mount(mounts, 254, 0, type, source, sizeof(type)));
    assert_string_equal(type, "ext4");
    assert_true(disk_parse_mount(mounts, 0, 45, type, source, sizeof(type)));
    assert_string_equal(source, "/dev/vdb1");
    assert_false(disk_parse_mount(mounts, 0, 4, type, source, sizeof(type)));
    assert_false(disk_parse_mount(mounts, 0, 47, type, source, sizeof(type)));
    assert_false(disk_parse_mount("", 0, 45, type, source, sizeof(type)));
    char little_type[8] = "", little_source[8] = "";
    assert_false(disk_parse_mount(mounts, 0, 45, little_type, little_source, sizeof(little_type)));
    assert_string_equal(little_type, "");
}

/* --- parts that come and go --- */

static void round_of(struct tally *t, const uint64_t rows[][2], size_t count)
{
    tally_begin(t);
    for (size_t i = 0; i < count; i++) {
        tally_add(t, rows[i][0], rows[i][1]);
    }
    tally_end(t);
}

static void what_a_part_had_counted_stays_when_it_is_gone(void **state)
{
    static struct tally t;
    (void)state;
    tally_init(&t);
    round_of(&t, (const uint64_t[][2]){{1, 100}, {2, 10}}, 2);
    assert_int_equal(t.total, 110);
    assert_int_equal(t.largest, 100);
    round_of(&t, (const uint64_t[][2]){{1, 105}, {2, 40}, {3, 7}}, 3);
    assert_int_equal(t.total, 110 + 5 + 30 + 7);
    assert_int_equal(t.largest, 130);
    round_of(&t, (const uint64_t[][2]){{3, 9}}, 1);
    assert_int_equal(t.total, 154);
    assert_int_equal(t.count, 1);
    round_of(&t, (const uint64_t[][2]){{1, 4}, {3, 1}}, 2); /* another part with an old number */
    assert_int_equal(t.total, 159);
    round_of(&t, NULL, 0);
    assert_int_equal(t.total, 159);
    assert_int_equal(t.count, 0);
}

static void more_parts_than_there_is_room_for_are_left_out(void **state)
{
    static struct tally t;
    (void)state;
    tally_init(&t);
    tally_begin(&t);
    for (uint64_t i = 0; i < TALLY_PARTS_MAX + 100; i++) {
        tally_add(&t, i, 1);
    }
    tally_end(&t);
    assert_int_equal(t.total, TALLY_PARTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_of_a_process_is_read),
        cmocka_unit_test(a_name_with_parentheses_and_spaces_ends_at_the_last_one),
        cmocka_unit_test(a_stat_that_makes_no_sense_is_refused),
        cmocka_unit_test(schedstat_and_links_are_read),
        cmocka_unit_test(named_numbers_are_found_at_the_begin_of_lines_only),
        cmocka_unit_test(counters_of_a_network_are_found_by_name),
        cmocka_unit_test(drops_of_interfaces_are_added_up_without_lo),
        cmocka_unit_test(cpus_are_added_up),
        cmocka_unit_test(a_disk_s_counters_are_read_with_and_without_flushes),
        cmocka_unit_test(pressure_is_the_total_of_some),
        cmocka_unit_test(the_latest_mount_of_a_device_counts),
        cmocka_unit_test(what_a_part_had_counted_stays_when_it_is_gone),
        cmocka_unit_test(more_parts_than_there_is_room_for_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
