/* SPDX-License-Identifier: MIT */
/* What netlink answers to an observer, and what only looks like it. */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/observer/parse/netlink_bytes.h"

enum { SEQ = 7, ROOM = 4096 };

struct datagram {
    uint8_t bytes[ROOM];
    size_t size, message_at;
};

static void put(struct datagram *d, const void *bytes, size_t size)
{
    memcpy(d->bytes + d->size, bytes, size);
    d->size = (d->size + size + 3) & ~(size_t)3;
    uint32_t length = (uint32_t)(d->size - d->message_at);
    memcpy(d->bytes + d->message_at, &length, sizeof(length));
}

static void begin(struct datagram *d, unsigned type, uint32_t seq, const void *body, size_t size)
{
    struct nlmsghdr head = {.nlmsg_type = (uint16_t)type, .nlmsg_seq = seq};
    d->message_at = d->size;
    put(d, &head, sizeof(head));
    put(d, body, size);
}

static void attribute(struct datagram *d, unsigned type, const void *bytes, size_t size)
{
    struct nlattr head = {.nla_len = (uint16_t)(sizeof(head) + size), .nla_type = (uint16_t)type};
    put(d, &head, sizeof(head));
    put(d, bytes, size);
}

struct seen {
    struct socket_seen socket[8];
    struct qdisc_seen qdisc[8];
    size_t count;
};

static void take_socket(void *context, const struct socket_seen *seen)
{
    struct seen *s = context;
    assert_true(s->count < 8);
    s->socket[s->count++] = *seen;
}

static void take_qdisc(void *context, const struct qdisc_seen *seen)
{
    struct seen *s = context;
    assert_true(s->count < 8);
    s->qdisc[s->count++] = *seen;
}

/* As SK_MEMINFO of Linux 6: rmem_alloc, rcvbuf, ... drops is the ninth. */
static const uint32_t memory[SK_MEMINFO_VARS] = {1280, 212992, 0, 212992, 0, 0, 0, 0, 2833};

static void put_udp(struct datagram *d, uint16_t port, uint32_t inode)
{
    struct inet_diag_msg m = {.idiag_family = AF_INET, .idiag_inode = inode};
    m.id.idiag_sport = htons(port);
    begin(d, SOCK_DIAG_BY_FAMILY, SEQ, &m, sizeof(m));
    attribute(d, INET_DIAG_SHUTDOWN, "\0", 1);
    attribute(d, INET_DIAG_SKMEMINFO, memory, sizeof(memory));
}

static void put_done(struct datagram *d)
{
    int zero = 0;
    begin(d, NLMSG_DONE, SEQ, &zero, sizeof(zero));
}

static void udp_sockets_are_read_to_the_end(void **state)
{
    static struct datagram d;
    struct seen seen = {.count = 0};
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    put_udp(&d, 67, 90817);
    put_udp(&d, 53, 4);
    assert_int_equal(netlink_read_udp(d.bytes, d.size, SEQ, take_socket, &seen, &error),
                     NETLINK_GOES_ON);
    put_done(&d);
    seen.count = 0;
    assert_int_equal(netlink_read_udp(d.bytes, d.size, SEQ, take_socket, &seen, &error),
                     NETLINK_DONE);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.socket[0].port, 67);
    assert_int_equal(seen.socket[0].inode, 90817);
    assert_true(seen.socket[0].has_memory);
    assert_int_equal(seen.socket[0].queue_bytes, 1280);
    assert_int_equal(seen.socket[0].room_bytes, 212992);
    assert_int_equal(seen.socket[0].drops, 2833);
}

static void answers_to_another_question_are_passed_over(void **state)
{
    static struct datagram d;
    struct seen seen = {.count = 0};
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    put_udp(&d, 67, 1);
    put_done(&d);
    assert_int_equal(netlink_read_udp(d.bytes, d.size, SEQ + 1, take_socket, &seen, &error),
                     NETLINK_GOES_ON);
    assert_int_equal(seen.count, 0);
}

static void packet_sockets_tell_captures_from_servers(void **state)
{
    static struct datagram d;
    struct seen seen = {.count = 0};
    struct packet_diag_ring ring = {.pdr_block_size = 4096};
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    struct packet_diag_msg m = {.pdiag_family = AF_PACKET, .pdiag_type = SOCK_RAW, .pdiag_ino = 11};
    begin(&d, SOCK_DIAG_BY_FAMILY, SEQ, &m, sizeof(m));
    attribute(&d, PACKET_DIAG_MEMINFO, memory, sizeof(memory));
    m.pdiag_ino = 12;
    begin(&d, SOCK_DIAG_BY_FAMILY, SEQ, &m, sizeof(m));
    attribute(&d, PACKET_DIAG_RX_RING, &ring, sizeof(ring));
    attribute(&d, PACKET_DIAG_MEMINFO, memory, 8 * sizeof(memory[0])); /* before drops were told */
    put_done(&d);
    assert_int_equal(netlink_read_packet(d.bytes, d.size, SEQ, take_socket, &seen, &error),
                     NETLINK_DONE);
    assert_int_equal(seen.count, 2);
    assert_true(seen.socket[0].is_raw && !seen.socket[0].has_ring && seen.socket[0].has_memory);
    assert_int_equal(seen.socket[0].drops, 2833);
    assert_true(seen.socket[1].has_ring && !seen.socket[1].has_memory);
}

static void queueing_disciplines_tell_drops(void **state)
{
    static struct datagram d;
    struct seen seen = {.count = 0};
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    struct tcmsg m = {.tcm_ifindex = 3, .tcm_parent = TC_H_ROOT};
    begin(&d, RTM_NEWQDISC, SEQ, &m, sizeof(m));
    struct gnet_stats_queue queue = {.drops = 41};
    struct {
        struct nlattr head;
        struct gnet_stats_queue queue;
    } inner = {.head = {.nla_len = sizeof(inner), .nla_type = TCA_STATS_QUEUE}, .queue = queue};
    attribute(&d, TCA_STATS2, &inner, sizeof(inner));
    put_done(&d);
    assert_int_equal(netlink_read_qdiscs(d.bytes, d.size, SEQ, take_qdisc, &seen, &error),
                     NETLINK_DONE);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.qdisc[0].interface, 3);
    assert_true(seen.qdisc[0].parent == TC_H_ROOT);
    assert_int_equal(seen.qdisc[0].drops, 41);
}

static void a_refusal_gives_its_errno(void **state)
{
    static struct datagram d;
    struct seen seen = {.count = 0};
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    struct nlmsgerr refusal = {.error = -EPERM};
    begin(&d, NLMSG_ERROR, SEQ, &refusal, sizeof(refusal));
    assert_int_equal(netlink_read_udp(d.bytes, d.size, SEQ, take_socket, &seen, &error),
                     NETLINK_REFUSED);
    assert_int_equal(error, EPERM);
    assert_int_equal(netlink_read_udp(d.bytes, 20, SEQ, take_socket, &seen, &error),
                     NETLINK_GOES_ON); /* cut off */
}

/* Every prefix of a datagram, and every length field bent: nothing is read beyond its end. */
static void cut_off_or_bent_datagrams_do_no_harm(void **state)
{
    static struct datagram d;
    int error = 0;
    (void)state;
    memset(&d, 0, sizeof(d));
    put_udp(&d, 67, 1);
    put_udp(&d, 67, 2);
    for (size_t size = 0; size <= d.size; size++) {
        struct seen seen = {.count = 0};
        uint8_t *copy = malloc(size + 1); /* its end is watched by the sanitizer */
        assert_non_null(copy);
        memcpy(copy, d.bytes, size);
        (void)netlink_read_udp(copy, size, SEQ, take_socket, &seen, &error);
        (void)netlink_read_packet(copy, size, SEQ, take_socket, &seen, &error);
        free(copy);
    }
    for (size_t at = 0; at + 1 < d.size; at++) {
        struct seen seen = {.count = 0};
        struct datagram bent = d;
        bent.bytes[at] ^= 0xff;
        (void)netlink_read_udp(bent.bytes, bent.size, SEQ, take_socket, &seen, &error);
        assert_true(seen.count <= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_sockets_are_read_to_the_end),
        cmocka_unit_test(answers_to_another_question_are_passed_over),
        cmocka_unit_test(packet_sockets_tell_captures_from_servers),
        cmocka_unit_test(queueing_disciplines_tell_drops),
        cmocka_unit_test(a_refusal_gives_its_errno),
        cmocka_unit_test(cut_off_or_bent_datagrams_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
