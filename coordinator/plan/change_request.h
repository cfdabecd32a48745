/* SPDX-License-Identifier: MIT */
/*
 * One page for those who have to agree before a test touches their servers: who,
 * from where, to which servers, how much, for how long, what is changed there and
 * how it is undone, how the test is stopped, what it leaves behind. Everything
 * follows from the scenario; what only people know is left blank.
 *
 * Pure.
 */
#pragma once

#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/scenario.h"

/* Log lines of a server with the logging it is delivered with. */
struct change_log {
    double lines, bytes;
};

/*
 * `path`: of the scenario, as the commands in the text name it. `f` is its
 * forecast. malloc'd; NULL when out of memory.
 */
NODISCARD char *change_request(const struct scenario *s, const struct forecast *f,
                               const char *path);

/*
 * Packets per second the plan sends to one server at most: all exchanges of the busiest stage
 * that may reach it, and no more than limits.packets. `server` is an index into s->servers.
 */
double change_request_packets_per_s(const struct scenario *s, const struct forecast *f,
                                    size_t server);

enum change_server_kind { CHANGE_DHCPD, CHANGE_KEA };
/* What the whole run, cleanup included, makes a server log. */
struct change_log change_request_log(const struct scenario *s, const struct forecast *f,
                                     size_t server, enum change_server_kind kind);
