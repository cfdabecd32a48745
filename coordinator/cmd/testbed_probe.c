/* SPDX-License-Identifier: MIT */
/* A few packets from an agent's host: which of the servers' replies come back, and where. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/cmd/testbed_parts.h"
#include "proto/dhcp4.h"

enum {
    TRIES = 4, /* a failover partner answers some of the clients only */
    KINDS = 2, /* INFORM, DISCOVER */
    SLOT_COUNT = 255,
    SECS = 10,      /* long enough waited for the partner to answer too */
    WAIT_MS = 1500, /* a server that pings before it offers takes a second */
    MAC_LOCAL = 0x02,
    XID_RANDOM = 0xffff00 /* the low byte counts: relay, kind, try */
};

struct probe {
    const struct scenario *s;
    struct testbed_probe result;
    struct dhcp4_template inform, discover;
    struct mac mac; /* its last byte counts */
    uint32_t xid;
    int client_fd, relay_fd; /* ports 68 and 67 */
};

static const struct scenario_relay *relay_of(const struct probe *p, size_t i)
{
    const struct scenario_relay *relays = p->s->relays.items;
    return &relays[p->result.relay[i]];
}

/* The relays whose carrying addresses this host has. */
static bool find_relays(struct probe *p)
{
    const struct scenario_relay *relays = p->s->relays.items;
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0) {
        return false;
    }
    for (size_t i = 0; i < p->s->relays.count; i++) {
        bool is_here = false;
        for (const struct ifaddrs *a = all; a != NULL && !is_here; a = a->ifa_next) {
            struct sockaddr_in in;
            if (a->ifa_addr != NULL && a->ifa_addr->sa_family == AF_INET) {
                memcpy(&in, a->ifa_addr, sizeof(in));
                is_here = in.sin_addr.s_addr == relays[i].via.be;
            }
        }
        if (is_here && p->result.relay_count < TESTBED_PROBED_MAX) {
            p->result.relay[p->result.relay_count++] = i;
        }
        p->result.relays_here += is_here;
    }
    freeifaddrs(all);
    return p->result.relay_count > 0;
}

static int open_port(uint16_t port)
{
    const int on = 1;
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
                    bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool prepare(struct probe *p)
{
    struct dhcp4_profile profile = dhcp4_profile_dhclient;
    const struct dhcp4_relay_part none = {0}, any = {.giaddr = inet_from_host(1)};
    (void)snprintf(profile.vendor_class, sizeof(profile.vendor_class), "leaseherd/check");
    uint32_t random[2] = {0};
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random) ||
        !dhcp4_template_make(DHCP4_INFORM, &profile, &none, &p->inform) ||
        !dhcp4_template_make(DHCP4_DISCOVER, &profile, &any, &p->discover)) {
        return false;
    }
    p->xid = random[0] & XID_RANDOM;
    p->mac.byte[0] = MAC_LOCAL;
    memcpy(p->mac.byte + 1, &random[1], sizeof(random[1]));
    p->client_fd = open_port(DHCP4_CLIENT_PORT);
    p->relay_fd = p->client_fd < 0 ? -1 : open_port(DHCP4_SERVER_PORT);
    return p->relay_fd >= 0;
}

static bool send_from(int fd, struct ipv4 from, struct ipv4 to, const uint8_t *bytes, size_t size)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(DHCP4_SERVER_PORT), .sin_addr.s_addr = to.be};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {.bytes = {0}};
    struct msghdr m = {.msg_name = &address,
                       .msg_namelen = sizeof(address),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    const struct in_pktinfo info = {.ipi_spec_dst.s_addr = from.be};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(c), &info, sizeof(info));
    return sendmsg(fd, &m, 0) == (ssize_t)size;
}

/* An address at the far end of the subnet: an INFORM takes it from nobody. */
static struct ipv4 address_for(const struct scenario_relay *relay, unsigned try)
{
    uint64_t size = inet_net_size(relay->subnet);
    uint64_t back = (2U + try) % size;
    return inet_from_host(inet_host(relay->subnet.base) + (uint32_t)(size - 1 - back % size));
}

static bool is_target(const struct scenario_relay *relay, const struct scenario_server *server)
{
    const char(*to)[PLAN_NAME_BYTES] = relay->to.items;
    for (size_t i = 0; i < relay->to.count; i++) {
        if (strcmp(to[i], server->name) == 0) {
            return true;
        }
    }
    return relay->to.count == 0;
}

/* One INFORM and one DISCOVER of a relay, to each of its servers. */
static void send_try(struct probe *p, size_t i, unsigned try)
{
    enum { GIADDR_AT = 24 };
    const struct scenario_server *servers = p->s->servers.items;
    const struct scenario_relay *relay = relay_of(p, i);
    uint32_t slot = 1 + (uint32_t)(p->result.relay[i] % SLOT_COUNT);
    uint32_t number = (uint32_t)(i * KINDS * TRIES + try);
    struct dhcp4_fill fill = {.xid = slot << 24 | p->xid | number,
                              .secs = SECS,
                              .chaddr = p->mac,
                              .ciaddr = address_for(relay, try)};
    uint8_t inform[DHCP4_MAX_BYTES], discover[DHCP4_MAX_BYTES];
    fill.chaddr.byte[MAC_BYTES - 1] = (uint8_t)number;
    dhcp4_template_fill(&p->inform, &fill, inform);
    fill.xid += TRIES;
    fill.ciaddr = inet_from_host(0);
    dhcp4_template_fill(&p->discover, &fill, discover);
    memcpy(discover + GIADDR_AT, &relay->giaddr.be, sizeof(relay->giaddr.be));
    for (size_t k = 0; k < p->s->servers.count; k++) {
        if (!is_target(relay, &servers[k])) {
            continue;
        }
        bool has_informed =
            send_from(p->client_fd, relay->via, servers[k].address, inform, p->inform.size);
        bool has_discovered =
            send_from(p->relay_fd, relay->via, servers[k].address, discover, p->discover.size);
        p->result.of_relay[i].informs += has_informed;
        p->result.of_server[k].informs += has_informed;
        p->result.of_relay[i].discovers += has_discovered;
        p->result.of_server[k].discovers += has_discovered;
    }
}

struct arrival {
    struct ipv4 to;
    uint16_t source_port;
};

/* One packet of a socket that is ready; false when there is none. */
static bool receive(int fd, struct dhcp4_reply *r, enum dhcp4_error *error, struct arrival *at)
{
    uint8_t bytes[DHCP4_MAX_BYTES];
    struct sockaddr_in from = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(fd, &m, 0);
    if (got < 0) {
        return false;
    }
    *at = (struct arrival){.source_port = ntohs(from.sin_port)};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        struct in_pktinfo info;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            at->to.be = info.ipi_addr.s_addr;
        }
    }
    *error = dhcp4_decode_reply(bytes, (size_t)got, r);
    return true;
}

static struct testbed_seen *server_of(struct probe *p, const struct dhcp4_reply *r)
{
    const struct scenario_server *servers = p->s->servers.items;
    for (size_t k = 0; k < p->s->servers.count; k++) {
        if (r->has_server_id && inet_equal(servers[k].address, r->server_id)) {
            return &p->result.of_server[k];
        }
    }
    return NULL;
}

static void count(struct probe *p, const struct dhcp4_reply *r, const struct arrival *at)
{
    uint32_t number = r->xid & ~(uint32_t)XID_RANDOM & 0xffffff;
    size_t i = number / (KINDS * TRIES);
    struct testbed_seen *server = server_of(p, r);
    if (server == NULL || i >= p->result.relay_count || (r->xid & XID_RANDOM) != p->xid ||
        r->xid >> 24 != 1 + p->result.relay[i] % SLOT_COUNT) {
        return; /* somebody else's */
    }
    const struct scenario_relay *relay = relay_of(p, i);
    struct testbed_seen *both[] = {&p->result.of_relay[i], server};
    bool is_inform = number % (KINDS * TRIES) < TRIES;
    for (size_t k = 0; k < ARRAY_LEN(both); k++) {
        if (is_inform && r->type == DHCP4_TYPE_ACK) {
            both[k]->to_carrier += inet_equal(at->to, relay->via);
            both[k]->to_client += inet_equal(at->to, address_for(relay, number % TRIES));
            both[k]->wrong_port += at->source_port != DHCP4_SERVER_PORT;
        } else if (!is_inform && r->type == DHCP4_TYPE_OFFER) {
            both[k]->offers += inet_equal(at->to, relay->via);
        }
    }
}

static bool has_all(const struct probe *p)
{
    for (size_t i = 0; i < p->result.relay_count; i++) {
        const struct testbed_seen *seen = &p->result.of_relay[i];
        if (seen->to_carrier + seen->to_client < seen->informs || seen->offers < seen->discovers) {
            return false;
        }
    }
    return true;
}

static void listen_for(struct probe *p, uint64_t deadline_ns)
{
    enum { PACKETS_PER_TURN = 256 }; /* a flood must not outlive the deadline */
    struct pollfd fds[] = {{p->client_fd, POLLIN, 0}, {p->relay_fd, POLLIN, 0}};
    for (uint64_t now_ns; !has_all(p) && (now_ns = clock_monotonic_ns()) < deadline_ns;) {
        int left_ms = (int)((deadline_ns - now_ns) / NS_PER_MS) + 1;
        if (poll(fds, ARRAY_LEN(fds), left_ms) < 0 && errno != EINTR) {
            return;
        }
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            struct dhcp4_reply r;
            struct arrival at;
            enum dhcp4_error error;
            unsigned left = fds[i].revents != 0 ? PACKETS_PER_TURN : 0;
            for (; left > 0 && receive(fds[i].fd, &r, &error, &at); left--) {
                if (error == DHCP4_OK) {
                    count(p, &r, &at);
                }
            }
        }
    }
}

static bool judge(const struct probe *p, enum scenario_path wanted)
{
    struct plan_text t = {.is_heap = true};
    bool works = testbed_judge(p->s, wanted, &p->result, &t);
    char *text = plan_text_take(&t);
    (void)fputs(text != NULL ? text : "FAIL  out of memory\n", stdout);
    works = works && text != NULL;
    free(text);
    return works;
}

bool testbed_try(const struct scenario *s, enum scenario_path wanted, bool *out_has_tried)
{
    struct probe p = {.s = s, .client_fd = -1, .relay_fd = -1};
    bool works = false;
    *out_has_tried = false;
    if (!find_relays(&p)) {
        return false;
    }
    if (prepare(&p)) {
        uint64_t deadline_ns = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;
        for (unsigned try = 0; try < TRIES; try++) {
            for (size_t i = 0; i < p.result.relay_count; i++) {
                send_try(&p, i, try);
            }
        }
        listen_for(&p, deadline_ns);
        works = judge(&p, wanted);
        *out_has_tried = true;
    } else {
        (void)printf("note  no packet was sent, so what comes back is not known: UDP port 67 or 68 "
                     "cannot be had here (%s); a run may be under way, or this needs root\n",
                     strerror(errno));
    }
    if (p.client_fd >= 0) {
        (void)close(p.client_fd);
    }
    if (p.relay_fd >= 0) {
        (void)close(p.relay_fd);
    }
    return works;
}
