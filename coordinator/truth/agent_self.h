/* SPDX-License-Identifier: MIT */
/*
 * Why an agent was the limit, in plain words: a full CPU, a CPU that others had, a process that
 * was stopped, a small receive buffer. Pure.
 */
#pragma once

#include <stddef.h>

#include "coordinator/report/result.h"
#include "proto/snapshot.h"

/* `s` NULL: nothing is known. */
void agent_self_fill(const struct snapshot *s, struct result_self *out);

enum { AGENT_SELF_TEXT_BYTES = 600 };

/*
 * What held it up, for a finding's summary: "agent a1: its lane was at 99 % of its CPU". Of a drop
 * the receive buffer is a cause, too. Empty where nothing is known.
 */
const char *agent_self_cause(const struct result_agent *a, bool is_drop,
                             char text[AGENT_SELF_TEXT_BYTES]);
/* The figures that show it; empty where nothing is known. */
const char *agent_self_figures(const struct result_agent *a, char text[AGENT_SELF_TEXT_BYTES]);
