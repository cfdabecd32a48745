/* SPDX-License-Identifier: MIT */
/*
 * `leaseherd-agent enrol`: makes this agent's key pair, proves with a one-time token to
 * the coordinator that the token names, and writes the coordinator's public key. Edge.
 *
 * The token comes from a file of mode 0600 or from standard input, never from the command
 * line or the environment, and is said only to who has the key in the token.
 */
#pragma once

#include "agent/agent.h"
#include "common/attrs.h"

/* argv[0] is "enrol". Prints one sentence. AGENT_REFUSED: not enrolled. */
NODISCARD enum agent_exit agent_enrol(int argc, char *const argv[]);
