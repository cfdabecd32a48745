/* SPDX-License-Identifier: MIT */
/*
 * Flags of every subcommand that plays something with a fleet: --local, --agents,
 * --listen, --keys, --wait. Pure, but for the sentence on stderr.
 */
#pragma once

#include "coordinator/cmd/options.h"
#include "coordinator/run/run.h"

enum {
    FLEET_LOCAL,
    FLEET_AGENTS,
    FLEET_LISTEN,
    FLEET_KEYS,
    FLEET_WAIT,
    FLEET_OPTION_COUNT,
    FLEET_HOST_BYTES = 256
};

/* Fills rows[0..FLEET_OPTION_COUNT) of a subcommand's own array. */
void fleet_options_rows(struct option_row *rows);

/* "ADDR[:PORT]", port 6767 unless given. */
NODISCARD bool fleet_options_listen(const char *text, char host[FLEET_HOST_BYTES], uint16_t *port);

/*
 * Reads them into `out`; `host` must live as long as `out`. CMD_PASS, or CMD_USAGE
 * after one sentence that begins with the subcommand's name.
 */
NODISCARD int fleet_options_read(const char *command, const struct option_row *rows,
                                 struct run_options *out, char host[FLEET_HOST_BYTES]);
