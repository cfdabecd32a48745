/* SPDX-License-Identifier: MIT */
/* What the helper does: runs the host's programs and judges what they print.
 * Edge; waits. */
#pragma once

#include "agent/observer/firewall_helper.h"

void firewall_audit(struct firewall_report *out);
