/* SPDX-License-Identifier: MIT */
#include "agent/lane/lane_leave.h"

size_t lane_may_leave(enum lane_right right, const struct lane_out *out, size_t count)
{
    if (right != LANE_MAY_RENEW) {
        return right == LANE_MAY_SEND ? count : 0;
    }
    size_t may = 0;
    while (may < count && (out[may].intent == DHCP4_RENEW || out[may].intent == DHCP4_REBIND)) {
        may++;
    }
    return may;
}
