/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/nft_generation.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

bool nft_generation_of(const void *bytes, size_t size, uint32_t *out)
{
    const uint8_t *at = bytes;
    struct nlmsghdr head;
    size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
    if (size < skip) {
        return false;
    }
    memcpy(&head, at, sizeof(head));
    if (head.nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN) ||
        head.nlmsg_len > size) {
        return false;
    }
    for (size_t i = skip; head.nlmsg_len >= i + sizeof(struct nlattr);) {
        struct nlattr attribute;
        memcpy(&attribute, at + i, sizeof(attribute));
        if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > head.nlmsg_len - i) {
            return false;
        }
        if (attribute.nla_type == NFTA_GEN_ID &&
            attribute.nla_len == sizeof(attribute) + sizeof(*out)) {
            memcpy(out, at + i + sizeof(attribute), sizeof(*out));
            *out = ntohl(*out);
            return true;
        }
        i += ((size_t)attribute.nla_len + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
    }
    return false;
}
