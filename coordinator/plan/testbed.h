/* SPDX-License-Identifier: MIT */
/*
 * What the test bed scripts (deploy/testbed) need to know of a scenario. The
 * rules on servers and routers follow from the scenario alone, before any agent
 * exists: DESIGN section 3. One directive per line, `#` begins a comment:
 *
 *   block CIDR
 *   relay NAME giaddr A via B subnet CIDR slot N
 *
 * `slot` is the first byte of every xid of the relay's clients.
 *
 * Pure.
 */
#pragma once

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"

/* malloc'd; NULL when out of memory. */
NODISCARD char *testbed_directives(const struct scenario *s);
