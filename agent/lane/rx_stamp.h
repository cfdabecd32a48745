/* SPDX-License-Identifier: MIT */
/*
 * The kernel's receive stamp, which is CLOCK_REALTIME, on CLOCK_MONOTONIC. The two clocks
 * are read together once per turn of the loop; whoever sets the wall clock between the packet
 * and that reading shifts the result by as much, so it is believed only inside the window in
 * which the packet can have come: since its socket was known to be empty, until now.
 * A shift smaller than the window stays unseen, and is smaller than the window.
 *
 * Pure. Nanoseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The pair of clock readings is good to some microseconds: no reason to distrust a stamp. */
enum { RX_STAMP_TOLERANCE_NS = 50000 };

struct rx_stamp_window {
    uint64_t empty_at_ns; /* the socket held nothing then */
    uint64_t now_ns;      /* >= empty_at_ns */
};

/*
 * `real_ns` as CLOCK_MONOTONIC, within the window; `real_minus_mono_ns` wraps. False: it
 * cannot be true, and *out_at_ns is now.
 */
bool rx_stamp_convert(uint64_t real_ns, uint64_t real_minus_mono_ns,
                      const struct rx_stamp_window *window, uint64_t *out_at_ns);
