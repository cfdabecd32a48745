/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cmd/options.h"
#include "coordinator/plan/setup.h"

enum { ROW_FOR, ROW_SERVER, ROW_POOL, ROW_MODE, ROW_INTERFACE, ROW_OPEN, ROW_COUNT };

static const struct option_row flags[ROW_COUNT] = {
    [ROW_FOR] = {.name = "--for", .value = "KIND", .help = "isc-dhcpd, kea, ios or nft"},
    [ROW_SERVER] = {.name = "--server", .value = "NAME", .help = "which one of several"},
    [ROW_POOL] = {.name = "--pool",
                  .value = "FIRST-LAST",
                  .help = "the addresses to give, of one subnet (chosen to suffice)"},
    [ROW_MODE] = {.name = "--mode",
                  .value = "MODE",
                  .help = "of a Kea pair: load-balancing (the default) or hot-standby"},
    [ROW_INTERFACE] = {.name = "--interface",
                       .value = "NAME",
                       .help = "Kea, nft: the device towards the clients (eth0)"},
    [ROW_OPEN] = {.name = "--open",
                  .help = "without guard classes, for a server that serves nobody else"},
};

static void print_help(void)
{
    (void)puts(
        "usage: leaseherd setup SCENARIO --for isc-dhcpd|kea|ios|nft [--server NAME] [OPTIONS]\n"
        "\n"
        "Prints the configuration of a DHCP server for the scenario: its networks, pools with\n"
        "enough addresses for the clients (twice as many for a failover pair, of which each\n"
        "server has half), and guard classes that keep production clients out of the test's\n"
        "pools and test clients out of production's. Changes nothing and contacts nobody.\n"
        "nft: the rules that bring renewals' answers to the agents, for a file; `leaseherd\n"
        "testbed` applies the same and looks after them.\n"
        "\n"
        "Exit code: 0 done, 2 usage, or a scenario no such server can serve, 6 internal.\n");
    options_print(stdout, flags, ROW_COUNT);
}

static bool take_kind(const char *text, enum setup_dialect *out)
{
    static const char *const names[SETUP_DIALECT_COUNT] = {[SETUP_ISC_DHCPD] = "isc-dhcpd",
                                                           [SETUP_KEA] = "kea",
                                                           [SETUP_IOS] = "ios",
                                                           [SETUP_NFT] = "nft"};
    for (size_t i = 0; text != NULL && i < SETUP_DIALECT_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum setup_dialect)i;
            return true;
        }
    }
    return false;
}

static bool take_pool(const char *text, struct setup_wish *wish)
{
    char first[IPV4_TEXT_BYTES];
    const char *dash = strchr(text, '-');
    size_t length = dash == NULL ? sizeof(first) : (size_t)(dash - text);
    if (length >= sizeof(first)) {
        return false;
    }
    memcpy(first, text, length);
    first[length] = '\0';
    wish->has_pool = true;
    return inet_parse(first, &wish->pool_first) && inet_parse(dash + 1, &wish->pool_last);
}

/* Names of interfaces as Linux has them: it goes into somebody's configuration. */
static bool is_interface(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-@*";
    size_t length = strlen(text);
    return length > 0 && length < 16 && strspn(text, letters) == length;
}

static int take_wish(const struct option_row *rows, enum setup_dialect *out_kind,
                     struct setup_wish *out)
{
    if (!take_kind(rows[ROW_FOR].text, out_kind)) {
        return cmd_usage_error("setup", "--for names the kind of server; write --for isc-dhcpd, "
                                        "--for kea, --for ios or --for nft");
    }
    const char *mode = rows[ROW_MODE].is_given ? rows[ROW_MODE].text : "load-balancing";
    bool is_standby = strcmp(mode, "hot-standby") == 0;
    if (!is_standby && strcmp(mode, "load-balancing") != 0) {
        return cmd_usage_error("setup", "--mode is load-balancing or hot-standby");
    }
    if (rows[ROW_MODE].is_given && *out_kind != SETUP_KEA) {
        return cmd_usage_error("setup",
                               "--mode is of a Kea pair; leave it out, or write --for kea");
    }
    if (rows[ROW_INTERFACE].is_given && *out_kind != SETUP_KEA && *out_kind != SETUP_NFT) {
        return cmd_usage_error("setup",
                               "--interface is of Kea and nft; this configuration names none: "
                               "leave it out");
    }
    if (rows[ROW_INTERFACE].is_given && !is_interface(rows[ROW_INTERFACE].text)) {
        return cmd_usage_error("setup", "'%.40s' is no interface; write a name as ip link shows it",
                               rows[ROW_INTERFACE].text);
    }
    *out = (struct setup_wish){
        .server = rows[ROW_SERVER].text,
        .interface = rows[ROW_INTERFACE].text,
        .is_open = rows[ROW_OPEN].is_given,
        .mode = is_standby ? SETUP_HOT_STANDBY : SETUP_LOAD_BALANCING,
    };
    if (rows[ROW_POOL].is_given && !take_pool(rows[ROW_POOL].text, out)) {
        return cmd_usage_error("setup",
                               "'%.60s' is no pool; write FIRST-LAST, as "
                               "10.10.0.1-10.10.3.254",
                               rows[ROW_POOL].text);
    }
    return CMD_PASS;
}

/* Beside the configuration, which goes into a file. */
static void warn_of_pool(const struct setup *setup, enum setup_dialect kind)
{
    const struct setup_network *n = &setup->networks[0]; /* a pool is given for one only */
    if (kind != SETUP_NFT && setup->is_pool_given && n->is_scarce) {
        (void)fprintf(stderr,
                      "leaseherd setup: warning: --pool has %" PRIu64 " addresses for %" PRIu64
                      " clients%s; give it more, or play fewer clients\n",
                      (uint64_t)inet_host(n->pool_last) - inet_host(n->pool_first) + 1, n->clients,
                      setup->partner != setup->server
                          ? ", and each server of the pair has only half of the free ones"
                          : "");
    }
}

static int print_setup(const char *path, enum setup_dialect kind, const struct setup_wish *wish)
{
    struct scenario s;
    struct setup setup;
    char why[SETUP_WHY_BYTES];
    int code = cmd_load_scenario("setup", path, &s);
    if (code != CMD_PASS) {
        return code;
    }
    if (!setup_make(&s, wish, &setup, why)) {
        code = cmd_usage_error("setup", "%s", why);
    } else {
        warn_of_pool(&setup, kind);
        char *text = setup_print(&setup, kind);
        bool is_written = text != NULL && fputs(text, stdout) >= 0 && fflush(stdout) == 0;
        if (!is_written) {
            (void)fprintf(stderr, "leaseherd setup: %s\n",
                          text == NULL ? "out of memory" : "cannot write the output");
            code = CMD_INTERNAL;
        }
        free(text);
    }
    setup_fini(&setup);
    scenario_free(&s);
    return code;
}

int cmd_setup(int argc, char **argv)
{
    struct option_row rows[ROW_COUNT];
    struct setup_wish wish;
    enum setup_dialect kind = SETUP_ISC_DHCPD;
    const char *args[1];
    size_t count = 0;
    char why[OPTIONS_WHY_BYTES];

    memcpy(rows, flags, sizeof(rows));
    if (options_want_help(argc, argv)) {
        print_help();
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, ROW_COUNT, args, ARRAY_LEN(args), &count, why)) {
        return cmd_usage_error("setup", "%s", why);
    }
    if (count != 1) {
        return cmd_usage_error("setup", "a scenario is needed; write leaseherd setup SCENARIO "
                                        "--for isc-dhcpd");
    }
    int code = take_wish(rows, &kind, &wish);
    return code != CMD_PASS ? code : print_setup(args[0], kind, &wish);
}
