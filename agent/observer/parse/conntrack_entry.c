/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/conntrack_entry.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

enum { SERVER_PORT = 67, ATTRIBUTE_FLAGS = 0xc000 };

struct bytes {
    const uint8_t *at;
    size_t size;
};

static struct bytes behind(struct bytes b, size_t skip)
{
    skip = skip < b.size ? skip : b.size;
    return (struct bytes){b.at + skip, b.size - skip};
}

static size_t aligned(size_t size)
{
    return (size + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
}

/* The attribute at the beginning of `rest`, whatever its flags, and moves on.
 */
static bool next_attribute(struct bytes *rest, unsigned *out_type, struct bytes *out_value)
{
    struct nlattr head;
    if (rest->size < sizeof(head)) {
        return false;
    }
    memcpy(&head, rest->at, sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > rest->size) {
        return false;
    }
    *out_type = head.nla_type & ~(unsigned)ATTRIBUTE_FLAGS;
    *out_value = (struct bytes){rest->at + sizeof(head), head.nla_len - sizeof(head)};
    *rest = behind(*rest, aligned(head.nla_len));
    return true;
}

static bool find_attribute(struct bytes in, unsigned wanted, struct bytes *out)
{
    unsigned type = 0;
    struct bytes value = {NULL, 0};
    while (next_attribute(&in, &type, &value)) {
        if (type == wanted) {
            *out = value;
            return true;
        }
    }
    return false;
}

struct ports {
    bool is_udp;
    uint16_t from, to;
};

static uint16_t port_in(struct bytes in, unsigned type)
{
    struct bytes value = {NULL, 0};
    uint16_t port = 0;
    if (find_attribute(in, type, &value) && value.size == sizeof(port)) {
        memcpy(&port, value.at, sizeof(port));
    }
    return ntohs(port);
}

static struct ports ports_of(struct bytes entry, unsigned tuple)
{
    struct bytes in = {NULL, 0}, proto = {NULL, 0}, number = {NULL, 0};
    if (!find_attribute(entry, tuple, &in) || !find_attribute(in, CTA_TUPLE_PROTO, &proto) ||
        !find_attribute(proto, CTA_PROTO_NUM, &number) || number.size != 1) {
        return (struct ports){false, 0, 0};
    }
    return (struct ports){number.at[0] == IPPROTO_UDP, port_in(proto, CTA_PROTO_SRC_PORT),
                          port_in(proto, CTA_PROTO_DST_PORT)};
}

static void take_entry(struct bytes entry, struct conntrack_tally *tally)
{
    struct ports there = ports_of(entry, CTA_TUPLE_ORIG), back = ports_of(entry, CTA_TUPLE_REPLY);
    if (!there.is_udp || (there.from != SERVER_PORT && there.to != SERVER_PORT)) {
        return;
    }
    tally->dhcp_entries++;
    if (there.from == SERVER_PORT && back.is_udp && back.to >= 1 &&
        back.to <= CONNTRACK_LOW_PORTS && !tally->is_low_port_used[back.to]) {
        tally->is_low_port_used[back.to] = true;
        tally->low_ports++;
    }
}

/* An error of 0 is an acknowledgement. */
static enum conntrack_bytes take_error(struct bytes body, int *out_error)
{
    int error = 0;
    if (body.size < sizeof(error)) {
        return CONNTRACK_GARBLED;
    }
    memcpy(&error, body.at, sizeof(error));
    if (error > 0 || error == INT_MIN) {
        return CONNTRACK_GARBLED;
    }
    *out_error = error;
    return error == 0 ? CONNTRACK_MORE : CONNTRACK_ERROR;
}

static enum conntrack_bytes take_message(const struct nlmsghdr *head, struct bytes body,
                                         struct conntrack_tally *tally, int *out_error)
{
    if (head->nlmsg_type == NLMSG_DONE) {
        return CONNTRACK_DONE;
    }
    if (head->nlmsg_type == NLMSG_ERROR) {
        return take_error(body, out_error);
    }
    if (head->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK) {
        take_entry(behind(body, NLMSG_ALIGN(sizeof(struct nfgenmsg))), tally);
    }
    return CONNTRACK_MORE;
}

enum conntrack_bytes conntrack_take(const void *bytes, size_t size, uint32_t seq,
                                    struct conntrack_tally *tally, int *out_error)
{
    struct bytes rest = {bytes, size};
    while (rest.size >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;
        memcpy(&head, rest.at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > rest.size) {
            return CONNTRACK_GARBLED;
        }
        struct bytes body = {rest.at + sizeof(head), head.nlmsg_len - sizeof(head)};
        enum conntrack_bytes said =
            head.nlmsg_seq == seq ? take_message(&head, body, tally, out_error) : CONNTRACK_MORE;
        if (said != CONNTRACK_MORE) {
            return said;
        }
        rest = behind(rest, NLMSG_ALIGN((size_t)head.nlmsg_len));
    }
    return rest.size == 0 ? CONNTRACK_MORE : CONNTRACK_GARBLED;
}
