/* SPDX-License-Identifier: MIT */
/*
 * The observer's loop: calls the coordinator, and while a run is on looks at the server's threads
 * 50 to 100 times a second and tells once a second what it saw. Edge; runs in the caller's thread.
 */
#pragma once

#include "agent/observer/sources.h"
#include "agent/observer/watch_link.h"
#include "common/attrs.h"

enum observer_end {
    OBSERVER_STOPPED = 0, /* asked to, or one run is over and no more are wanted */
    OBSERVER_REFUSED = 3, /* for good: version, or another observer has this name */
    OBSERVER_INTERNAL = 6
};

struct observer_setup {
    struct watch_setup watch;
    struct sources *sources; /* open */
    int stop_fd;             /* readable: return; a signalfd */
    bool is_once;            /* return after one run */
};

/* Everything in `setup` must outlive the call. */
NODISCARD enum observer_end observer_run(const struct observer_setup *setup);
