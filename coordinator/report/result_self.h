/* SPDX-License-Identifier: MIT */
/* Part of result.h: what an agent knows of itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct result_self {
    bool is_known;     /* its lanes watched themselves */
    bool knows_waited; /* and its kernel tells how long they waited for a CPU */
    uint64_t lanes, turns, switches;
    double cpu_percent;         /* of a lane's CPU over the run, spinning left out; NAN */
    double spin_percent;        /* spent spinning until the next instant; NAN */
    double cpu_peak_percent;    /* as cpu_percent, of the busiest lane in its busiest second; NAN */
    double waited_s;            /* could have run and had no CPU, all lanes; NAN */
    double waited_peak_percent; /* of the second in which a lane had least CPU; NAN */
    double absence_s;           /* the longest in which a lane left its sockets alone; NAN */
    uint64_t rcvbuf_errors;     /* of its network namespace, of any program; RESULT_UNKNOWN */
    uint64_t rx_truncated;      /* datagrams larger than DHCP allows; RESULT_UNKNOWN */
    uint64_t rx_buffer_bytes, rx_buffer_wanted_bytes; /* RESULT_UNKNOWN */
};
