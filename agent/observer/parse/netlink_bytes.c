/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/netlink_bytes.h"

#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

struct attribute {
    unsigned type;
    const uint8_t *bytes;
    size_t size;
};

/* Messages and attributes begin at multiples of four. The kernel's macros are for signed sizes. */
static size_t align4(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* The attribute at `*offset`, which moves behind it; false: there is none, or it is cut off. */
static bool next_attribute(const uint8_t *bytes, size_t size, size_t *offset, struct attribute *out)
{
    struct nlattr head;
    if (*offset > size || size - *offset < sizeof(head)) {
        return false;
    }
    memcpy(&head, bytes + *offset, sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > size - *offset) {
        return false;
    }
    out->type = head.nla_type & (unsigned)NLA_TYPE_MASK;
    out->bytes = bytes + *offset + sizeof(head);
    out->size = head.nla_len - sizeof(head);
    *offset += align4(head.nla_len);
    return true;
}

static void take_memory(const struct attribute *a, struct socket_seen *seen)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    if (a->size < (SK_MEMINFO_DROPS + 1) * sizeof(memory[0])) {
        return;
    }
    memcpy(memory, a->bytes, a->size < sizeof(memory) ? a->size : sizeof(memory));
    seen->has_memory = true;
    seen->queue_bytes = memory[SK_MEMINFO_RMEM_ALLOC];
    seen->room_bytes = memory[SK_MEMINFO_RCVBUF];
    seen->drops = memory[SK_MEMINFO_DROPS];
}

/* --- one message each --- */

struct sinks {
    netlink_socket_sink *socket;
    netlink_qdisc_sink *qdisc;
    void *context;
};

typedef void message_reader(const uint8_t *body, size_t size, const struct sinks *sinks);

static void read_udp(const uint8_t *body, size_t size, const struct sinks *sinks)
{
    struct inet_diag_msg m;
    if (size < sizeof(m)) {
        return;
    }
    memcpy(&m, body, sizeof(m));
    struct socket_seen seen = {.inode = m.idiag_inode, .port = ntohs(m.id.idiag_sport)};
    struct attribute a;
    for (size_t at = align4(sizeof(m)); next_attribute(body, size, &at, &a);) {
        if (a.type == INET_DIAG_SKMEMINFO) {
            take_memory(&a, &seen);
        }
    }
    sinks->socket(sinks->context, &seen);
}

static void read_packet(const uint8_t *body, size_t size, const struct sinks *sinks)
{
    struct packet_diag_msg m;
    if (size < sizeof(m)) {
        return;
    }
    memcpy(&m, body, sizeof(m));
    struct socket_seen seen = {.inode = m.pdiag_ino, .is_raw = m.pdiag_type == SOCK_RAW};
    struct attribute a;
    for (size_t at = align4(sizeof(m)); next_attribute(body, size, &at, &a);) {
        if (a.type == PACKET_DIAG_MEMINFO) {
            take_memory(&a, &seen);
        } else if (a.type == PACKET_DIAG_RX_RING) {
            seen.has_ring = true;
        }
    }
    sinks->socket(sinks->context, &seen);
}

/* TCA_STATS2 holds attributes of its own. */
static void take_queue_stats(const struct attribute *stats, struct qdisc_seen *seen)
{
    struct attribute a;
    for (size_t at = 0; next_attribute(stats->bytes, stats->size, &at, &a);) {
        struct gnet_stats_queue queue;
        if (a.type == TCA_STATS_QUEUE && a.size >= sizeof(queue)) {
            memcpy(&queue, a.bytes, sizeof(queue));
            seen->drops = queue.drops;
        }
    }
}

static void read_qdisc(const uint8_t *body, size_t size, const struct sinks *sinks)
{
    struct tcmsg m;
    if (size < sizeof(m)) {
        return;
    }
    memcpy(&m, body, sizeof(m));
    struct qdisc_seen seen = {.interface = (uint32_t)m.tcm_ifindex, .parent = m.tcm_parent};
    struct attribute a;
    for (size_t at = align4(sizeof(m)); next_attribute(body, size, &at, &a);) {
        if (a.type == TCA_STATS2) {
            take_queue_stats(&a, &seen);
        }
    }
    sinks->qdisc(sinks->context, &seen);
}

/* --- a datagram --- */

static enum netlink_end refused(const uint8_t *body, size_t size, int *out_errno)
{
    struct nlmsgerr error;
    *out_errno = 0;
    if (size >= sizeof(error)) {
        memcpy(&error, body, sizeof(error));
        *out_errno = error.error < 0 && error.error > -4096 ? -error.error : 0;
    }
    return NETLINK_REFUSED;
}

static enum netlink_end read_all(const uint8_t *bytes, size_t size, uint32_t seq, unsigned type,
                                 message_reader *read_one, const struct sinks *sinks,
                                 int *out_errno)
{
    for (size_t at = 0; at <= size && size - at >= sizeof(struct nlmsghdr);) {
        struct nlmsghdr head;
        memcpy(&head, bytes + at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > size - at) {
            return NETLINK_GOES_ON; /* cut off: the datagram was longer than our room */
        }
        const uint8_t *body = bytes + at + sizeof(head);
        size_t body_size = head.nlmsg_len - sizeof(head);
        bool is_ours = head.nlmsg_seq == seq; /* else the rest of an answer that was given up */
        if (is_ours && head.nlmsg_type == NLMSG_DONE) {
            return NETLINK_DONE;
        }
        if (is_ours && head.nlmsg_type == NLMSG_ERROR) {
            return refused(body, body_size, out_errno);
        }
        if (is_ours && head.nlmsg_type == type) {
            read_one(body, body_size, sinks);
        }
        at += align4(head.nlmsg_len);
    }
    return NETLINK_GOES_ON;
}

enum netlink_end netlink_read_udp(const uint8_t *bytes, size_t size, uint32_t seq,
                                  netlink_socket_sink *sink, void *context, int *out_errno)
{
    struct sinks sinks = {.socket = sink, .context = context};
    return read_all(bytes, size, seq, SOCK_DIAG_BY_FAMILY, read_udp, &sinks, out_errno);
}

enum netlink_end netlink_read_packet(const uint8_t *bytes, size_t size, uint32_t seq,
                                     netlink_socket_sink *sink, void *context, int *out_errno)
{
    struct sinks sinks = {.socket = sink, .context = context};
    return read_all(bytes, size, seq, SOCK_DIAG_BY_FAMILY, read_packet, &sinks, out_errno);
}

enum netlink_end netlink_read_qdiscs(const uint8_t *bytes, size_t size, uint32_t seq,
                                     netlink_qdisc_sink *sink, void *context, int *out_errno)
{
    struct sinks sinks = {.qdisc = sink, .context = context};
    return read_all(bytes, size, seq, RTM_NEWQDISC, read_qdisc, &sinks, out_errno);
}
