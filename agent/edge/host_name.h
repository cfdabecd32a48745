/* SPDX-License-Identifier: MIT */
/* What this host, or a program on it, is called in a message. Edge. */
#pragma once

#include "proto/plan.h"

/* The system lets administrators write more than a message may have: that becomes '-'. */
void host_name_ask(char out[PLAN_NAME_BYTES]);
void host_name_clean(char *name);
