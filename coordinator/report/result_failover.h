/* SPDX-License-Identifier: MIT */
/*
 * What a run showed of a pair of servers: outages and answers by server half and
 * by relay, lease times, and the renewals foretold beside those begun. Part of
 * struct result; the same rules for what is not known. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/plan.h"

struct result_outage_group {
    uint64_t clients, at_risk;                      /* distinct */
    uint64_t expired;                               /* leases that ran out */
    double client_seconds, longest_s, p50_s, p99_s; /* percentiles: NAN, too few outages */
};

/* Clients by the server that had granted their latest lease when trouble began. */
struct result_outage_half {
    char server[PLAN_NAME_BYTES]; /* empty: clients that had no lease yet */
    struct result_outage_group group;
    uint64_t waited;     /* renewals that reached T2 without an answer */
    uint64_t in_time;    /* of these: an ACK before the lease had ended */
    uint64_t unanswered; /* of these: never an ACK */
    uint64_t untimed;    /* of these: an ACK, after a wait too long to be timed */
    /* From the unanswered RENEW's first transmission to the client's next ACK. NAN: none. */
    double first_answer_s, median_answer_s, last_answer_s;
    uint64_t answered_by[PLAN_SERVERS_MAX]; /* result.servers[] */
    uint64_t retried;                       /* renewals answered after a retransmission */
    double retried_longest_s;               /* NAN: none */
};

struct result_outage_relay {
    char relay[PLAN_NAME_BYTES];
    struct result_outage_group group;
};

/* One lease time of one server; or what did not fit into the table of its times. */
struct result_lease_time {
    char server[PLAN_NAME_BYTES]; /* empty: a server that is not in the scenario */
    bool is_rest;
    uint32_t lease_s;   /* 0 with is_rest */
    const char *class_; /* "expected" "mclt" "between" "other" */
    bool is_short;      /* shorter than expected */
    uint64_t acks;
    double first_s, last_s; /* run time */
};

/* All lease times of one server. */
struct result_lease_spread {
    char server[PLAN_NAME_BYTES];
    uint64_t acks, expected, mclt, between, other;
    uint64_t short_first;                     /* first leases of clients, shorter than expected */
    double min_s, p10_s, p50_s, p90_s, max_s; /* percentiles: NAN, too few ACKs */
};

/* A time in which a server gave short leases to clients that had one before. */
struct result_lease_wave {
    char server[PLAN_NAME_BYTES];
    uint64_t acks;
    uint32_t shortest_s, longest_s;
    double first_s, last_s;
};

struct result_lease_times {
    uint32_t expect_lease_s, expect_mclt_s; /* 0: not given */
    struct result_lease_time *times;
    size_t time_count;
    struct result_lease_spread *servers;
    size_t server_count;
    struct result_lease_wave *waves;
    size_t wave_count;
};

enum { RESULT_T1_MAX = 8 };

/* Renewals foretold by ACKs (lease start + T1) and begun, to the end of the last stage. */
struct result_renewals {
    bool is_known; /* false: no ACK foretold any within that time */
    struct {
        uint32_t lease_s;
        double t1_s;
        bool is_learned; /* from renewals seen; else assumed to be half of the lease */
        uint64_t acks;
    } t1[RESULT_T1_MAX];
    size_t t1_count;
    double fuzz_percent, interval_s;
    double forecast_total, begun_total;
    double in_time_percent; /* of those foretold: began within the fuzz of T1; NAN */
    double forecast_peak_per_s, forecast_peak_at_s, begun_peak_per_s, begun_peak_at_s;
    double difference_per_s, difference_at_s; /* begun - foretold, the largest either way */
};
