/* SPDX-License-Identifier: MIT */
#include "agent/lane/rx_stamp.h"

bool rx_stamp_convert(uint64_t real_ns, uint64_t real_minus_mono_ns,
                      const struct rx_stamp_window *window, uint64_t *out_at_ns)
{
    uint64_t mono_ns = real_ns - real_minus_mono_ns;
    /* By differences that wrap: any stamp, any clock. */
    int64_t after_empty_ns = (int64_t)(mono_ns - window->empty_at_ns);
    int64_t before_now_ns = (int64_t)(window->now_ns - mono_ns);
    *out_at_ns = window->now_ns;
    if (after_empty_ns < -RX_STAMP_TOLERANCE_NS || before_now_ns < -RX_STAMP_TOLERANCE_NS) {
        return false;
    }
    if (after_empty_ns < 0) {
        *out_at_ns = window->empty_at_ns;
    } else if (before_now_ns >= 0) {
        *out_at_ns = mono_ns;
    }
    return true;
}
