/* SPDX-License-Identifier: MIT */
/*
 * --operator-key FILE of every subcommand that makes new plans for a fleet. Edge: reads
 * the key before anything else is done with it.
 */
#pragma once

#include "common/attrs.h"
#include "coordinator/cmd/options.h"
#include "coordinator/run/run.h"

/* Fills the row of a subcommand's own array. */
void operator_option_row(struct option_row *row);

/*
 * After fleet_options_read(): the key goes to out->signer, which the caller releases with
 * sign_key_free(). CMD_PASS, or CMD_USAGE after one sentence: --agents needs one, --local
 * makes its own.
 */
NODISCARD int operator_option_read(const char *command, const struct option_row *row,
                                   struct run_options *out);
