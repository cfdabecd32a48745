/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/fleet_options.h"

#include <stdlib.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/run/local_agents.h"
#include "coordinator/run/roster.h"

enum { DEFAULT_PORT = 6767, PORT_MAX = 65535 };
#define DEFAULT_WAIT_NS (120 * NS_PER_S)

void fleet_options_rows(struct option_row *rows)
{
    rows[FLEET_LOCAL] =
        (struct option_row){.name = "--local", .value = "N", .help = "start N agents on this host"};
    rows[FLEET_AGENTS] = (struct option_row){
        .name = "--agents", .value = "N", .help = "wait for N agents from other hosts"};
    rows[FLEET_LISTEN] = (struct option_row){
        .name = "--listen", .value = "ADDR[:PORT]", .help = "where they connect to; port 6767"};
    rows[FLEET_KEYS] = (struct option_row){
        .name = "--keys", .value = "DIR", .help = "made by `leaseherd keys init`; default keys"};
    rows[FLEET_WAIT] = (struct option_row){
        .name = "--wait", .value = "DURATION", .help = "for the agents to join; default 2m"};
}

bool fleet_options_listen(const char *text, char host[FLEET_HOST_BYTES], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
    if (length == 0 || length >= FLEET_HOST_BYTES) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    *port = DEFAULT_PORT;
    if (colon != NULL) {
        char *end;
        unsigned long number = strtoul(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || number > PORT_MAX) {
            return false;
        }
        *port = (uint16_t)number;
    }
    return true;
}

int fleet_options_read(const char *command, const struct option_row *rows, struct run_options *out,
                       char host[FLEET_HOST_BYTES])
{
    char why[OPTIONS_WHY_BYTES];
    uint64_t count = 0;
    out->gather_ns = DEFAULT_WAIT_NS;
    if (rows[FLEET_WAIT].is_given &&
        !schema_scan_duration(rows[FLEET_WAIT].text, &out->gather_ns)) {
        return cmd_usage_error(command, "--wait takes a duration with its unit, such as 90s or 5m");
    }
    if (rows[FLEET_LOCAL].is_given && rows[FLEET_AGENTS].is_given) {
        return cmd_usage_error(command, "--local and --agents exclude each other; give one");
    }
    if (rows[FLEET_LOCAL].is_given == rows[FLEET_AGENTS].is_given) {
        return cmd_usage_error(
            command, "say how many agents: --local N on this host, or --agents N --listen "
                     "ADDR[:PORT] for agents on other hosts");
    }
    out->is_local = rows[FLEET_LOCAL].is_given;
    uint64_t most = out->is_local ? (uint64_t)LOCAL_AGENTS_MAX : (uint64_t)ROSTER_AGENTS_MAX;
    if (!options_number(&rows[out->is_local ? FLEET_LOCAL : FLEET_AGENTS], most, &count, why)) {
        return cmd_usage_error(command, "%s", why);
    }
    out->agents = (size_t)count;
    if (out->is_local) {
        return rows[FLEET_LISTEN].is_given || rows[FLEET_KEYS].is_given
                   ? cmd_usage_error(command,
                                     "--listen and --keys go with --agents; --local makes its own")
                   : CMD_PASS;
    }
    if (!rows[FLEET_LISTEN].is_given ||
        !fleet_options_listen(rows[FLEET_LISTEN].text, host, &out->listen_port)) {
        return cmd_usage_error(
            command, "--agents needs --listen ADDR[:PORT], the address the agents connect to");
    }
    out->listen_host = host;
    out->keys = rows[FLEET_KEYS].is_given ? rows[FLEET_KEYS].text : "keys";
    return CMD_PASS;
}
