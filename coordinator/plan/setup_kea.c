/* SPDX-License-Identifier: MIT */
/* Kea 2.2 and later: a whole kea-dhcp4.conf, without comments, so that jq can change it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/plan/setup_print.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "linux-gnu"
#endif
static const char hooks[] = "/usr/lib/" MULTIARCH "/kea/hooks/";

enum { EXPRESSION_BYTES = 3 * SETUP_GUARD_BYTES + 64 };

static const struct scenario_server *server_at(const struct setup *setup, size_t i)
{
    return (const struct scenario_server *)setup->scenario->servers.items + i;
}

static bool is_pair(const struct setup *setup)
{
    return setup->partner != setup->server;
}

/* Two servers that both answer share a pool by the classes HA_NAME of Kea's hook. */
static bool is_shared(const struct setup *setup)
{
    return is_pair(setup) && setup->mode == SETUP_LOAD_BALANCING;
}

/* Hexadecimal, so that no character of the guard can end the expression. */
static json_t *guard_class(const struct setup *setup)
{
    char test[EXPRESSION_BYTES];
    int at =
        snprintf(test, sizeof(test), "substring(option[60].hex, 0, %zu) == 0x", setup->guard_bytes);
    for (size_t i = 0; i < setup->guard_bytes; i++) {
        at +=
            snprintf(test + at, sizeof(test) - (size_t)at, "%02x", (unsigned char)setup->guard[i]);
    }
    return json_pack("{s:s, s:s, s:{s:s}}", "name", "leaseherd", "test", test, "user-context",
                     "comment", "clients of the test, by option 60");
}

static json_t *classes(const struct setup *setup)
{
    return json_pack("[o, {s:s, s:s, s:{s:s}}]", guard_class(setup), "name", "production", "test",
                     "not member('leaseherd')", "user-context", "comment",
                     "every subnet of production needs \"client-class\": \"production\"");
}

static json_t *pool(uint32_t first, uint32_t last, const char *class_name)
{
    char a[IPV4_TEXT_BYTES], b[IPV4_TEXT_BYTES], range[2 * IPV4_TEXT_BYTES + 1];
    (void)snprintf(range, sizeof(range), "%s-%s", inet_text(inet_from_host(first), a),
                   inet_text(inet_from_host(last), b));
    return json_pack("{s:s, s:s*}", "pool", range, "client-class", class_name);
}

static json_t *pools(const struct setup *setup, const struct setup_network *n)
{
    uint32_t first = inet_host(n->pool_first), last = inet_host(n->pool_last);
    if (!is_shared(setup) || first == last) {
        return json_pack("[o]", pool(first, last, NULL));
    }
    size_t primary = setup->is_primary ? setup->server : setup->partner;
    size_t secondary = setup->is_primary ? setup->partner : setup->server;
    char one[PLAN_NAME_BYTES + 4], two[PLAN_NAME_BYTES + 4];
    (void)snprintf(one, sizeof(one), "HA_%s", server_at(setup, primary)->name);
    (void)snprintf(two, sizeof(two), "HA_%s", server_at(setup, secondary)->name);
    uint32_t middle = first + (last - first) / 2;
    return json_pack("[o, o]", pool(first, middle, one), pool(middle + 1, last, two));
}

static json_t *giaddrs(const struct setup *setup, const struct setup_network *n)
{
    const struct scenario_relay *relays = setup->scenario->relays.items;
    json_t *list = json_array();
    for (size_t i = 0; i < setup->scenario->relays.count; i++) {
        char text[IPV4_TEXT_BYTES];
        if (setup_serves(setup, n, i)) {
            (void)json_array_append_new(list, json_string(inet_text(relays[i].giaddr, text)));
        }
    }
    return list;
}

static json_t *subnet(const struct setup *setup, size_t at)
{
    const struct setup_network *n = &setup->networks[at];
    char net[IPV4_NET_TEXT_BYTES], router[IPV4_TEXT_BYTES];
    return json_pack("{s:i, s:s, s:s*, s:{s:o}, s:o, s:[{s:s, s:s}]}", "id", (int)(at + 1),
                     "subnet", inet_net_text(n->subnet, net), "client-class",
                     setup->is_open ? NULL : "leaseherd", "relay", "ip-addresses",
                     giaddrs(setup, n), "pools", pools(setup, n), "option-data", "name", "routers",
                     "data", inet_text(n->router, router));
}

static json_t *peer(const struct setup *setup, size_t server, const char *role)
{
    char address[IPV4_TEXT_BYTES], url[IPV4_TEXT_BYTES + 16];
    (void)snprintf(url, sizeof(url), "http://%s:8000/",
                   inet_text(server_at(setup, server)->address, address));
    return json_pack("{s:s, s:s, s:s}", "name", server_at(setup, server)->name, "url", url, "role",
                     role);
}

static json_t *library(const char *name)
{
    char path[sizeof(hooks) + 40];
    (void)snprintf(path, sizeof(path), "%s%s", hooks, name);
    return json_pack("{s:s}", "library", path);
}

/* The delays are Kea's own defaults: what production has belongs here. */
static json_t *high_availability(const struct setup *setup)
{
    size_t primary = setup->is_primary ? setup->server : setup->partner;
    size_t secondary = setup->is_primary ? setup->partner : setup->server;
    bool is_standby = setup->mode == SETUP_HOT_STANDBY;
    json_t *ha = library("libdhcp_ha.so");
    (void)json_object_set_new(
        ha, "parameters",
        json_pack("{s:[{s:s, s:s, s:{s:b, s:b}, s:[o, o]}]}", "high-availability",
                  "this-server-name", server_at(setup, setup->server)->name, "mode",
                  is_standby ? "hot-standby" : "load-balancing", "multi-threading",
                  "enable-multi-threading", 1, "http-dedicated-listener", 1, "peers",
                  peer(setup, primary, "primary"),
                  peer(setup, secondary, is_standby ? "standby" : "secondary")));
    return json_pack("[o, o]", library("libdhcp_lease_cmds.so"), ha);
}

static json_t *subnets(const struct setup *setup)
{
    json_t *list = json_array();
    for (size_t i = 0; i < setup->network_count; i++) {
        (void)json_array_append_new(list, subnet(setup, i));
    }
    return list;
}

static json_t *configuration(const struct setup *setup)
{
    json_int_t lease_s = (json_int_t)setup->lease_s;
    json_t *dhcp4 =
        json_pack("{s:{s:[s]}, s:{s:s, s:b}, s:I, s:I, s:I, s:b, s:{s:b}, s:o}",
                  "interfaces-config", "interfaces", setup->interface, "lease-database", "type",
                  "memfile", "persist", 1, "valid-lifetime", lease_s, "renew-timer", lease_s / 2,
                  "rebind-timer", lease_s * 7 / 8, "authoritative", 1, "multi-threading",
                  "enable-multi-threading", 1, "subnet4", subnets(setup));
    if (!setup->is_open) {
        (void)json_object_set_new(dhcp4, "client-classes", classes(setup));
    }
    if (is_pair(setup)) {
        (void)json_object_set_new(dhcp4, "hooks-libraries", high_availability(setup));
    }
    return json_pack("{s:o}", "Dhcp4", dhcp4);
}

void setup_print_kea(const struct setup *setup, struct plan_text *t)
{
    json_t *root = configuration(setup);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        t->has_failed = true;
        return;
    }
    plan_text_say(t, "%s\n", text);
    free(text);
}
