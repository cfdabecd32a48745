/* SPDX-License-Identifier: MIT */
/* ctnetlink's bytes, NFT_MSG_GETGEN's answer, system calls of threads, sockets of AF_UNIX. */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "agent/observer/parse/conntrack_entry.h"
#include "agent/observer/parse/nft_generation.h"
#include "agent/observer/parse/syscall_line.h"
#include "agent/observer/parse/unix_sockets.h"
#include "common/attrs.h"

enum { SEQ = 7, ROOM = 4096 };

struct message {
    unsigned char bytes[ROOM];
    size_t size;
};

static size_t begin_attribute(struct message *m, uint16_t type)
{
    struct nlattr head = {.nla_len = 0, .nla_type = type};
    memcpy(m->bytes + m->size, &head, sizeof(head));
    m->size += sizeof(head);
    return m->size - sizeof(head);
}

static void end_attribute(struct message *m, size_t at)
{
    uint16_t length = (uint16_t)(m->size - at);
    memcpy(m->bytes + at, &length, sizeof(length));
    m->size = (m->size + 3) & ~(size_t)3;
}

static void add_value(struct message *m, uint16_t type, const void *value, size_t size)
{
    size_t at = begin_attribute(m, type);
    memcpy(m->bytes + m->size, value, size);
    m->size += size;
    end_attribute(m, at);
}

static void add_tuple(struct message *m, uint16_t type, uint8_t protocol, uint16_t from,
                      uint16_t to)
{
    size_t tuple = begin_attribute(m, (uint16_t)(type | NLA_F_NESTED));
    size_t proto = begin_attribute(m, CTA_TUPLE_PROTO | NLA_F_NESTED);
    uint16_t source = htons(from), target = htons(to);
    add_value(m, CTA_PROTO_NUM, &protocol, sizeof(protocol));
    add_value(m, CTA_PROTO_SRC_PORT, &source, sizeof(source));
    add_value(m, CTA_PROTO_DST_PORT, &target, sizeof(target));
    end_attribute(m, proto);
    end_attribute(m, tuple);
}

static size_t begin_message(struct message *m, uint16_t type)
{
    struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_seq = SEQ, .nlmsg_flags = NLM_F_MULTI};
    memcpy(m->bytes + m->size, &head, sizeof(head));
    m->size += sizeof(head);
    return m->size - sizeof(head);
}

static void end_message(struct message *m, size_t at)
{
    uint32_t length = (uint32_t)(m->size - at);
    memcpy(m->bytes + at, &length, sizeof(length));
}

/* An entry from port A to B, of which answers come from C to D. */
static void add_entry(struct message *m, uint8_t protocol, uint16_t a, uint16_t b, uint16_t c,
                      uint16_t d)
{
    size_t at = begin_message(m, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW);
    memset(m->bytes + m->size, 0, sizeof(struct nfgenmsg));
    m->size += sizeof(struct nfgenmsg);
    add_tuple(m, CTA_TUPLE_ORIG, protocol, a, b);
    add_tuple(m, CTA_TUPLE_REPLY, protocol, c, d);
    end_message(m, at);
}

static void add_number(struct message *m, uint16_t type, int number)
{
    size_t at = begin_message(m, type);
    memcpy(m->bytes + m->size, &number, sizeof(number));
    m->size += sizeof(number);
    end_message(m, at);
}

static enum conntrack_bytes take(const struct message *m, uint32_t seq, struct conntrack_tally *t,
                                 int *out_error)
{
    return conntrack_take(m->bytes, m->size, seq, t, out_error);
}

static void entries_of_port_67_are_counted(void **state)
{
    (void)state;
    struct conntrack_tally t;
    struct message m = {.size = 0};
    int error = 0;
    memset(&t, 0, sizeof(t));
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 67); /* a reply as it is */
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 1);  /* two that DNAT gave other ports */
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 511);
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 511); /* at another server's address */
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 512);
    add_entry(&m, IPPROTO_UDP, 67, 67, 67, 0);
    add_entry(&m, IPPROTO_UDP, 68, 67, 67, 68); /* a request */
    add_entry(&m, IPPROTO_TCP, 67, 68, 68, 2);
    add_entry(&m, IPPROTO_UDP, 53, 4711, 4711, 53);
    assert_int_equal(take(&m, SEQ, &t, &error), CONNTRACK_MORE);
    assert_int_equal(t.dhcp_entries, 7);
    assert_int_equal(t.low_ports, 3);
    add_number(&m, NLMSG_DONE, 0);
    assert_int_equal(take(&m, SEQ, &t, &error), CONNTRACK_DONE);
    assert_int_equal(t.dhcp_entries, 14);
    assert_int_equal(t.low_ports, 3);
}

static void the_kernels_no_is_told(void **state)
{
    (void)state;
    struct conntrack_tally t;
    struct message m = {.size = 0}, ok = {.size = 0}, odd = {.size = 0};
    int error = 0;
    memset(&t, 0, sizeof(t));
    add_number(&m, NLMSG_ERROR, -EPERM);
    assert_int_equal(take(&m, SEQ, &t, &error), CONNTRACK_ERROR);
    assert_int_equal(error, -EPERM);
    assert_int_equal(take(&m, SEQ + 1, &t, &error), CONNTRACK_MORE); /* of an older question */
    add_number(&ok, NLMSG_ERROR, 0);
    assert_int_equal(take(&ok, SEQ, &t, &error), CONNTRACK_MORE);
    add_number(&odd, NLMSG_ERROR, 5);
    assert_int_equal(take(&odd, SEQ, &t, &error), CONNTRACK_GARBLED);
}

/* Cut at each length, and with each byte another one: it ends, and touches nothing beyond. */
static void garbled_bytes_are_survived(void **state)
{
    (void)state;
    struct message m = {.size = 0};
    int error = 0;
    add_entry(&m, IPPROTO_UDP, 67, 68, 68, 1);
    add_number(&m, NLMSG_DONE, 0);
    for (size_t size = 0; size <= m.size; size++) {
        struct conntrack_tally t;
        unsigned char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, m.bytes, size);
        memset(&t, 0, sizeof(t));
        (void)conntrack_take(copy, size, SEQ, &t, &error);
        assert_true(t.dhcp_entries <= 1);
        for (size_t i = 0; i < size; i++) {
            for (unsigned value = 0; value < 256; value += 51) {
                copy[i] = (unsigned char)value;
                (void)conntrack_take(copy, size, SEQ, &t, &error);
            }
            copy[i] = m.bytes[i];
        }
        free(copy);
    }
}

static void a_generation_is_read(void **state)
{
    (void)state;
    struct message m = {.size = 0};
    uint32_t generation = htonl(4711), got = 0;
    size_t at = begin_message(&m, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
    memset(m.bytes + m.size, 0, sizeof(struct nfgenmsg));
    m.size += sizeof(struct nfgenmsg);
    add_value(&m, NFTA_GEN_PROC_NAME, "nft", 4);
    add_value(&m, NFTA_GEN_ID, &generation, sizeof(generation));
    end_message(&m, at);
    assert_true(nft_generation_of(m.bytes, m.size, &got));
    assert_int_equal(got, 4711);
    for (size_t size = 0; size < m.size; size++) {
        assert_false(nft_generation_of(m.bytes, size, &got));
    }
    struct message no = {.size = 0};
    add_number(&no, NLMSG_ERROR, -EPERM);
    assert_false(nft_generation_of(no.bytes, no.size, &got));
}

static enum thread_wait wait_of(const char *line)
{
    return thread_wait_of_line(line, strlen(line));
}

static void system_calls_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        long number;
        enum thread_wait wait;
    } rows[] = {
        {SYS_fsync, THREAD_WAIT_FSYNC},      {SYS_fdatasync, THREAD_WAIT_FSYNC},
        {SYS_write, THREAD_WAIT_WRITE},      {SYS_sendmsg, THREAD_WAIT_SEND},
        {SYS_sendto, THREAD_WAIT_SEND},      {SYS_pselect6, THREAD_WAIT_POLL},
        {SYS_epoll_pwait, THREAD_WAIT_POLL}, {SYS_futex, THREAD_WAIT_POLL},
        {SYS_read, THREAD_WAIT_OTHER},       {999999, THREAD_WAIT_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "%ld 0x8 0x1 0x2 0x0 0x0 0x0 0x7ffe 0x7f20\n",
                       rows[i].number);
        if (wait_of(line) != rows[i].wait) {
            fail_msg("%s", line);
        }
    }
    assert_int_equal(wait_of("running\n"), THREAD_WAIT_RUNNING);
    static const char *const others[] = {"-1 0x7ffe 0x7f20\n", "", "runnin", "x", "74", "9999999 "};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(wait_of(others[i]), THREAD_WAIT_OTHER);
    }
}

static void what_matters_more_stands_for_all_threads(void **state)
{
    (void)state;
    static const struct {
        enum thread_wait of[3], all;
    } rows[] = {
        {{THREAD_WAIT_POLL, THREAD_WAIT_POLL, THREAD_WAIT_POLL}, THREAD_WAIT_POLL},
        {{THREAD_WAIT_POLL, THREAD_WAIT_OTHER, THREAD_WAIT_POLL}, THREAD_WAIT_OTHER},
        {{THREAD_WAIT_POLL, THREAD_WAIT_RUNNING, THREAD_WAIT_OTHER}, THREAD_WAIT_RUNNING},
        {{THREAD_WAIT_SEND, THREAD_WAIT_RUNNING, THREAD_WAIT_WRITE}, THREAD_WAIT_WRITE},
        {{THREAD_WAIT_RUNNING, THREAD_WAIT_POLL, THREAD_WAIT_FSYNC}, THREAD_WAIT_FSYNC},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(thread_wait_of_all(rows[i].of, 3), rows[i].all);
    }
}

static void a_socket_is_found_by_its_inode(void **state)
{
    (void)state;
    static const char text[] =
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 6331279 /run/kea/kea4-ctrl-socket\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 17\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 18 @abstract\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 19 /with a blank\n";
    char path[64];
    assert_true(unix_socket_path(text, 6331279, path, sizeof(path)));
    assert_string_equal(path, "/run/kea/kea4-ctrl-socket");
    assert_true(unix_socket_path(text, 19, path, sizeof(path)));
    assert_string_equal(path, "/with a blank");
    assert_false(unix_socket_path(text, 17, path, sizeof(path)));
    assert_false(unix_socket_path(text, 18, path, sizeof(path)));
    assert_false(unix_socket_path(text, 633127, path, sizeof(path)));
    assert_false(unix_socket_path(text, 6331279, path, 10));
    assert_false(unix_socket_path("", 1, path, sizeof(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_of_port_67_are_counted),
        cmocka_unit_test(the_kernels_no_is_told),
        cmocka_unit_test(garbled_bytes_are_survived),
        cmocka_unit_test(a_generation_is_read),
        cmocka_unit_test(system_calls_are_told_apart),
        cmocka_unit_test(what_matters_more_stands_for_all_threads),
        cmocka_unit_test(a_socket_is_found_by_its_inode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
