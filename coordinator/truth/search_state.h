/* SPDX-License-Identifier: MIT */
/* What search_steps.c gathers and search_result.c reads; nobody else includes it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/report/result_search.h"
#include "coordinator/truth/search.h"
#include "coordinator/truth/search_gather.h"

struct truth_search {
    struct search controller;
    struct search_gather gather; /* of the step under way */
    bool is_open;
    uint32_t stage; /* of the plan */
    uint64_t round;
    uint64_t *planned, *seen; /* per agent: exchanges told to begin, and known to have ended */
    uint64_t planned_all, agents_loaded;
    uint64_t rx_drops_before, send_errors_before;
    struct result_search_repeat *repeats; /* the last one may be under way */
    size_t repeat_count;
};
