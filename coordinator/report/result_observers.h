/* SPDX-License-Identifier: MIT */
/* What observers on the servers' hosts have seen; part of struct result. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/observation.h"
#include "proto/plan.h"

struct result_failover_span {
    double from_s, until_s;
    bool is_running; /* the server's process; if not, nothing is known */
    bool is_own_known, is_partner_known;
    enum failover_state own, partner; /* partner: as it believes */
};

struct result_observer_metric {
    enum availability availability; /* as of the last frame */
    bool is_any;                    /* it had figures at some time */
    double available_percent;       /* of the frames */
    double first, last;             /* NAN: none */
    double difference;              /* COUNTER: growth, over restarts; NAN */
    double mean, min, max;          /* GAUGE; NAN */
};

struct result_observer {
    char name[PLAN_NAME_BYTES], host[PLAN_NAME_BYTES], program[PLAN_NAME_BYTES];
    char build[PLAN_NAME_BYTES];
    char server[PLAN_NAME_BYTES]; /* of servers[]; empty: none has an address of its host */
    uint64_t frames;
    uint64_t clock_uncertainty_us; /* the largest with which a frame was dated */
    double first_s, last_s;        /* NAN: no frame */
    bool is_lost;                  /* silent when the run ended */
    uint64_t restarts;             /* of the server's process */
    double self_cpu_percent;       /* of one core; NAN: unknown */
    struct result_observer_metric metric[OBSERVER_METRIC_COUNT];
    char note[NOTE_KIND_COUNT][NOTE_BYTES + 1];
    struct result_failover_span *band; /* malloc'd */
    size_t band_count;
    uint64_t band_left_out; /* frames after the band had too many spans */
};
