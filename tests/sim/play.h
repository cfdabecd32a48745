/* SPDX-License-Identifier: MIT */
/* One world from its seed to its end. Once per process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/cover.h"
#include "tests/sim/oracle.h"

enum { PLAY_FIRST_BYTES = 400 };

struct play_how {
    unsigned soak_hours; /* 0: an ordinary world */
    bool is_calm;        /* nothing goes wrong */
    bool is_loud;        /* logs and packets on stderr */
    bool keeps_dir;
};

/* X(name): what a world came to, to be added up. */
#define PLAY_COUNTS(X)                                                                             \
    X(packets)                                                                                     \
    X(messages_lost)                                                                               \
    X(leftovers_read)                                                                              \
    X(agents_killed)                                                                               \
    X(coordinators_killed)                                                                         \
    X(runs)                                                                                        \
    X(resumed)                                                                                     \
    X(clean_ups)                                                                                   \
    X(passed)                                                                                      \
    X(failed)                                                                                      \
    X(invalid)                                                                                     \
    X(aborted)                                                                                     \
    X(preflight_refused)                                                                           \
    X(resource)

enum play_count {
#define X(name) PLAY_##name,
    PLAY_COUNTS(X)
#undef X
        PLAY_COUNT
};

struct play_result {
    uint64_t count[PLAY_COUNT];
    uint64_t hash, turns, violations;
    uint64_t by_promise[PROMISE_COUNT];
    double virtual_s;
    int exit_code;
    char first[PLAY_FIRST_BYTES];
    struct cover cover;
};

void play(uint64_t seed, const char *dir, const struct play_how *how, struct play_result *out);
