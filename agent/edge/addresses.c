/* SPDX-License-Identifier: MIT */
#include "agent/edge/addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/wire.h"

static bool is_listed(const struct ipv4 *list, size_t count, struct ipv4 address)
{
    for (size_t i = 0; i < count; i++) {
        if (inet_equal(list[i], address)) {
            return true;
        }
    }
    return false;
}

static bool address_of(const struct ifaddrs *entry, struct ipv4 *out)
{
    if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != AF_INET ||
        (entry->ifa_flags & IFF_UP) == 0) {
        return false;
    }
    struct sockaddr_in in;
    memcpy(&in, entry->ifa_addr, sizeof(in));
    out->be = in.sin_addr.s_addr;
    return true;
}

static bool is_offered(const struct policy *policy, struct ipv4 address)
{
    bool is_loopback = (ntohl(address.be) >> 24) == IN_LOOPBACKNET;
    return policy == NULL ? !is_loopback : policy_owns_address(policy, address);
}

int addresses_list(const struct policy *policy, struct ipv4 *out, size_t room, size_t *out_count)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0) {
        return -errno;
    }
    size_t count = 0;
    for (const struct ifaddrs *entry = all; entry != NULL && count < room;
         entry = entry->ifa_next) {
        struct ipv4 address;
        if (address_of(entry, &address) && wire_is_unicast(address) &&
            is_offered(policy, address) && !is_listed(out, count, address)) {
            out[count++] = address;
        }
    }
    freeifaddrs(all);
    *out_count = count;
    return 0;
}
