/* SPDX-License-Identifier: MIT */
/* Answers of Kea's control socket, version 2.x: statistic-get-all and
 * status-get. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/observer/parse/failover.h"
#include "proto/observation.h"

enum { KEA_ANSWER_BYTES_MAX = 4 << 20 };

enum kea_answer {
    KEA_ANSWER_OK,
    KEA_ANSWER_REFUSED,  /* well-formed, and no: an unknown command, "result" is
                            not 0 */
    KEA_ANSWER_MALFORMED /* not what Kea would say */
};

struct kea_statistics {
    /* Each only where the server has it. */
    bool has[OBSERVER_METRIC_COUNT];
    double value[OBSERVER_METRIC_COUNT];
};

enum kea_answer kea_answer_statistics(const char *json, size_t size, struct kea_statistics *out);
/* States of its relations; none where it has none. */
enum kea_answer kea_answer_status(const char *json, size_t size, struct failover *out);
