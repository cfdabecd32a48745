/* SPDX-License-Identifier: MIT */
/* Of preflight_host.h: what the kernel's network says. */
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/preflight_host.h"
#include "proto/dhcp4.h"

enum {
    LINE_BYTES = 512,
    ROUTES_MAX = 4096, /* questions to the kernel; a host with more relays has asked enough */
    FILTER_STRICT = 1,
    ECHO_WAIT_MS = 200,
    PATH_BYTES = 128
};

static bool is_carrier(const struct preflight_ask *ask, struct ipv4 address)
{
    for (size_t i = 0; i < ask->carrier_count; i++) {
        if (inet_equal(ask->carriers[i], address)) {
            return true;
        }
    }
    return false;
}

/* --- who listens --- */

/* `hex` as the kernel prints it: words of an address as they lie in memory. */
static bool address_of(const char *hex, struct ipv4 *out)
{
    enum { V4 = 8, V6 = 32 };
    size_t digits = strspn(hex, "0123456789ABCDEFabcdef");
    if (digits != V4 && digits != V6) {
        return false;
    }
    out->be = (uint32_t)strtoul(hex + digits - V4, NULL, 16);
    if (digits == V4) {
        return true;
    }
    /* ::, or ::ffff:a.b.c.d; any other is no address of IPv4. */
    bool is_any = strspn(hex, "0") >= V6;
    uint32_t third = 0;
    bool is_mapped = strspn(hex, "0") >= V6 / 2 && sscanf(hex + V6 / 2, "%8" SCNx32, &third) == 1 &&
                     third == htonl(0xffff);
    return is_any || is_mapped;
}

bool preflight_net_listener(const char *line, struct ipv4 *out_addr, uint16_t *out_port,
                            uint32_t *out_uid)
{
    char local[64];
    unsigned port = 0, uid = 0;
    struct ipv4 address;
    if (sscanf(line, " %*u: %63[0-9A-Fa-f]:%4x %*s %*s %*s %*s %*s %u", local, &port, &uid) != 3 ||
        !address_of(local, &address) || (port != DHCP4_SERVER_PORT && port != DHCP4_CLIENT_PORT)) {
        return false;
    }
    *out_addr = address;
    *out_port = (uint16_t)port;
    *out_uid = uid;
    return true;
}

/* Everywhere, at a carrying address; elsewhere only what the wildcard of `routed` clashes with. */
static void look_at_listeners(const struct preflight_ask *ask, const char *path,
                              struct preflight_host *out)
{
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct ipv4 addr;
        uint16_t port;
        uint32_t uid;
        if (preflight_net_listener(line, &addr, &port, &uid) &&
            (inet_is_zero(addr) || is_carrier(ask, addr) || port == DHCP4_CLIENT_PORT)) {
            preflight_host_add(
                out, &(struct control_fact){
                         .kind = FACT_LISTENER, .addr = addr, .value = port, .limit = uid});
        }
    }
    (void)fclose(file);
    preflight_host_looked(out, FACT_LISTENER);
}

/* --- addresses and routes --- */

static struct sockaddr_in name_of(struct ipv4 address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = address.be;
    return in;
}

/* What the kernel would do with a packet to `to`, from `from` if not zero: 0 or -errno. */
static int ask_route(struct ipv4 from, struct ipv4 to, struct ipv4 *out_source)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    struct sockaddr_in local = name_of(from, 0), peer = name_of(to, DHCP4_SERVER_PORT);
    socklen_t size = sizeof(local);
    int rc = 0;
    if (!inet_is_zero(from) && bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0) {
        rc = -errno;
    } else if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0 ||
               getsockname(fd, (struct sockaddr *)&local, &size) < 0) {
        rc = -errno;
    }
    (void)close(fd); /* nothing was sent */
    if (rc == 0) {
        out_source->be = local.sin_addr.s_addr;
    }
    return rc;
}

static bool interface_of(const struct ifaddrs *all, struct ipv4 address, char out[IF_NAMESIZE])
{
    for (const struct ifaddrs *e = all; e != NULL; e = e->ifa_next) {
        struct sockaddr_in in;
        if (e->ifa_addr == NULL || e->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        memcpy(&in, e->ifa_addr, sizeof(in));
        if (in.sin_addr.s_addr == address.be) {
            (void)snprintf(out, IF_NAMESIZE, "%s", e->ifa_name);
            return true;
        }
    }
    return false;
}

static int number_in(const char *path)
{
    char text[32];
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL && fgets(text, sizeof(text), file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_read ? (int)strtol(text, NULL, 10) : -1;
}

/* The kernel takes the larger of the two; -1: cannot be read. */
static int filter_of(const char *interface)
{
    char path[PATH_BYTES];
    int of_all = number_in("/proc/sys/net/ipv4/conf/all/rp_filter");
    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%.*s/rp_filter", IF_NAMESIZE,
                   interface);
    int own = number_in(path);
    return of_all < 0 || own < 0 ? -1 : of_all > own ? of_all : own;
}

/* Answers to `carrier` come in where it lives as a rule; does the way back lead out elsewhere? */
static void look_at_filter(const struct ifaddrs *all, struct ipv4 carrier, struct ipv4 server,
                           struct ipv4 source, struct preflight_host *out)
{
    char home[IF_NAMESIZE], leads[IF_NAMESIZE];
    if (!interface_of(all, carrier, home) || !interface_of(all, source, leads)) {
        return;
    }
    int filter = filter_of(home);
    if (filter < 0) {
        return;
    }
    preflight_host_looked(out, FACT_STRICT_FILTER);
    if (filter == FILTER_STRICT && strcmp(home, leads) != 0 && strcmp(home, "lo") != 0) {
        preflight_host_add(out, &(struct control_fact){
                                    .kind = FACT_STRICT_FILTER, .addr = carrier, .peer = server});
    }
}

static void look_at_carrier(const struct preflight_ask *ask, const struct ifaddrs *all,
                            struct ipv4 carrier, struct preflight_host *out)
{
    for (uint32_t i = 0; i < ask->plan->server_count; i++) {
        struct ipv4 server = ask->plan->servers[i].address, source = {0};
        int rc = ask_route(carrier, server, &source);
        if (rc == -EADDRNOTAVAIL) {
            preflight_host_add(out,
                               &(struct control_fact){.kind = FACT_NO_ADDRESS, .addr = carrier});
            return;
        }
        if (rc < 0) {
            preflight_host_add(out, &(struct control_fact){.kind = FACT_NO_ROUTE,
                                                           .addr = carrier,
                                                           .peer = server,
                                                           .value = (uint64_t)-rc});
        } else if (ask_route((struct ipv4){0}, server, &source) == 0) {
            look_at_filter(all, carrier, server, source, out);
        }
    }
}

/* A route that makes the block this host's own must leave the servers out of it. */
static void look_at_servers(const struct preflight_ask *ask, const struct ifaddrs *all,
                            struct preflight_host *out)
{
    for (uint32_t i = 0; i < ask->plan->server_count; i++) {
        char interface[IF_NAMESIZE];
        struct ipv4 server = ask->plan->servers[i].address, source = {0};
        if (ask_route((struct ipv4){0}, server, &source) == 0 && inet_equal(source, server) &&
            !interface_of(all, server, interface)) {
            preflight_host_add(out, &(struct control_fact){.kind = FACT_NO_ROUTE, .peer = server});
        }
    }
}

static void look_at_routes(const struct preflight_ask *ask, const struct ifaddrs *all,
                           struct preflight_host *out)
{
    size_t most = ROUTES_MAX / (ask->plan->server_count > 0 ? ask->plan->server_count : 1);
    for (size_t i = 0; i < ask->carrier_count && i < most; i++) {
        look_at_carrier(ask, all, ask->carriers[i], out);
    }
    look_at_servers(ask, all, out);
    if (ask->carrier_count <= most) {
        preflight_host_looked(out, FACT_NO_ADDRESS);
        preflight_host_looked(out, FACT_NO_ROUTE);
    }
}

/* --- ping --- */

static enum control_ping ask_ping(struct ipv4 address)
{
    struct sockaddr_in to = name_of(address, 0);
    struct icmphdr echo = {.type = ICMP_ECHO};
    uint8_t answer[64];
    if (number_in("/proc/sys/net/ipv4/icmp_echo_ignore_all") == 1) {
        return PING_SILENT;
    }
    /* For those of net.ipv4.ping_group_range; others cannot know. */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0) {
        return PING_UNKNOWN;
    }
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    enum control_ping ping = PING_SILENT;
    if (sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
        ping = errno == EPERM ? PING_SILENT : PING_UNKNOWN; /* a rule on the way out drops it */
    } else if (poll(&readable, 1, ECHO_WAIT_MS) == 1 &&
               recv(fd, answer, sizeof(answer), 0) >= (ssize_t)sizeof(echo)) {
        ping = answer[0] == ICMP_ECHOREPLY ? PING_ANSWERED : PING_SILENT;
    }
    (void)close(fd);
    return ping;
}

/* An address of the relay's subnet that no interface has: is it this host's own all the same? */
static void look_at_ping(const struct preflight_ask *ask, const struct ifaddrs *all,
                         struct preflight_host *out)
{
    uint32_t base = inet_host(ask->subnet.base);
    uint64_t size = UINT64_C(1) << (32 - ask->subnet.prefix_bits);
    for (uint64_t from_end = 2; from_end < 6 && from_end < size; from_end++) {
        char interface[IF_NAMESIZE];
        struct ipv4 address = inet_from_host(base + (uint32_t)(size - from_end));
        struct ipv4 source = {0};
        if (interface_of(all, address, interface)) {
            continue;
        }
        preflight_host_looked(out, FACT_PING);
        if (ask_route((struct ipv4){0}, address, &source) == 0 && inet_equal(source, address)) {
            preflight_host_add(out, &(struct control_fact){.kind = FACT_PING,
                                                           .addr = address,
                                                           .value = ask_ping(address)});
        }
        return;
    }
}

void preflight_net_look(const struct preflight_ask *ask, struct preflight_host *out)
{
    struct ifaddrs *all = NULL;
    look_at_listeners(ask, "/proc/net/udp", out);
    look_at_listeners(ask, "/proc/net/udp6", out);
    if (getifaddrs(&all) == 0) {
        look_at_routes(ask, all, out);
        look_at_ping(ask, all, out);
        freeifaddrs(all);
    }
}
