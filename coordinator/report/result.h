/* SPDX-License-Identifier: MIT */
/*
 * What a run came to: the one struct every report is written from, key by key
 * the content of report.json (schema leaseherd.report/1).
 *
 * A figure that could not be had is marked (`is_known`, NAN, RESULT_UNKNOWN)
 * and becomes null in JSON and "-" in text, never 0. Latencies are
 * microseconds. truth_finish() fills it; result_free() releases its arrays. A
 * zeroed struct is a valid empty one. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/report/result_failover.h"
#include "coordinator/report/result_observers.h"
#include "coordinator/report/result_search.h"
#include "coordinator/report/result_self.h"
#include "proto/plan.h"
#include "proto/snapshot.h"

enum {
    RESULT_TEXT_BYTES = 320,
    RESULT_LONG_BYTES = 1600,
    RESULT_RUN_REASONS_MAX = 24,
    RESULT_CHECKS_MAX = 24,
    RESULT_FINDINGS_MAX = 64,
    RESULT_NOT_EVALUATED_MAX = 96,
    RESULT_PERCENTILES = 4 /* p50 p90 p99 p999 */
};

#define RESULT_UNKNOWN UINT64_MAX /* a count that is not available */

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_INVALID,
    VERDICT_ABORTED,
    VERDICT_PREFLIGHT,
    VERDICT_INTERNAL,
    VERDICT_COUNT
};
const char *verdict_name(enum verdict v); /* "PASS", "FAIL", ... */
int verdict_exit_code(enum verdict v);    /* DESIGN section 7 */

struct result_stage {
    char name[PLAN_NAME_BYTES];
    enum plan_stage_kind kind;
    bool was_begun, has_ended, timed_out;
    double begin_s, end_s; /* run time */
    /* As planned, the fleet's: what runs that are compared must have in common. */
    uint32_t batch;                /* 0: open model, or none */
    double rate_per_s, duration_s; /* NAN: the stage has none */
    /* What is judged: without the warm-up. NAN: nothing (not begun, or over before). */
    double measured_from_s, measured_until_s;
};

/* Percentile values are RESULT_UNKNOWN when the samples are too few (n < 10/(1-p)). */
struct result_latency {
    uint64_t count;
    uint64_t unfinished; /* from intended: exchanges that ended unanswered, taken as infinite */
    uint64_t min_us, mean_us, max_us; /* RESULT_UNKNOWN when count is 0 */
    uint64_t percentile_us[RESULT_PERCENTILES];
    bool is_infinite[RESULT_PERCENTILES]; /* lies among the unfinished: "> give-up" */
    uint64_t low_us[RESULT_PERCENTILES], high_us[RESULT_PERCENTILES]; /* 95 % interval */
};

enum { RESULT_TRIES = 4 }; /* 1, 2, 3, and 4 or more */

/* How often exchanges were sent until they were answered, in the measured windows. */
struct result_tries {
    uint64_t answered[RESULT_TRIES]; /* [0]: before the first retransmission */
    uint64_t gave_up;                /* ended without an answer */
};
/* Share answered before the first retransmission, of all; NAN: there were none. */
double result_first_try_percent(const struct result_tries *tries);

struct result_server {
    char name[PLAN_NAME_BYTES];
    struct ipv4 server_id;
    uint64_t offers, acks, naks;
    double share_percent; /* of all ACKs; NAN: none */
};

struct result_relay {
    char name[PLAN_NAME_BYTES], agent[PLAN_NAME_BYTES]; /* agent: empty when unknown */
    struct ipv4 giaddr, via;
    struct ipv4_net subnet;
    uint64_t clients, acquired, renewed, rebound, expired, failed, naks;
};

struct result_agent {
    char name[PLAN_NAME_BYTES];
    bool is_lost, has_snapshot, has_clock;
    uint64_t clients, sent, received, send_errors, rx_drops;
    uint64_t rx_stamps_replaced; /* receive stamps that could not be true: dated when looked at */
    uint64_t send_lag_us;        /* p99 over the run; RESULT_UNKNOWN */
    uint64_t start_lateness_us;  /* largest over the stages; RESULT_UNKNOWN */
    int64_t clock_offset_us;
    uint64_t clock_uncertainty_us; /* the largest with which one of its events was dated */
    double clock_rate_ppm;         /* faster than the coordinator's; NAN */
    uint32_t clock_breaks;
    double cpu_percent;       /* NAN: unknown */
    uint64_t clients_moved;   /* of a lost one: went on at other agents, not among `clients` */
    uint64_t clients_taken;   /* among `clients`: of lost agents */
    uint64_t pauses;          /* without the right to send */
    double paused_s, alone_s; /* in all; alone: only leases were kept, without the coordinator */
    struct result_self self;
};

struct result_series {
    char name[PLAN_NAME_BYTES + 48];
    const char *unit;
    double *values; /* malloc'd, timeline.count of them; NAN: no figure */
};

enum result_mark_kind { MARK_RUN, MARK_AGENT, MARK_EVENT };
const char *result_mark_kind_name(enum result_mark_kind kind); /* "run" "agent" "event" */

struct result_mark {
    double at_s;
    enum result_mark_kind kind; /* the run's own; an agent's fate; an event of the scenario */
    char text[RESULT_TEXT_BYTES];
};

struct result_timeline {
    double interval_s, t0_s; /* run time of the first value */
    size_t count;
    struct result_series *series;
    size_t series_count;
    struct result_mark *marks;
    size_t mark_count;
};

enum judgement_result { JUDGEMENT_PASS, JUDGEMENT_MISS, JUDGEMENT_NOT_JUDGED };
const char *judgement_result_name(enum judgement_result r); /* "pass", "miss", "not judged" */

struct result_judgement {
    char expression[240];
    const char *unit; /* "us" "s" "1/s" "%"; "": a count */
    double value;     /* in the unit; NAN: none, or infinite. With windows: the worst one's */
    double limit;
    enum judgement_result result;
    bool has_windows;                                  /* `over` */
    double window_begin_s, window_end_s;               /* run time of the worst; NAN: none */
    uint64_t windows, windows_missed, windows_too_few; /* full ones; with too few samples */
    char note[RESULT_TEXT_BYTES]; /* why not judged, or what the value means; may be empty */
};

enum { JUDGEMENT_VALUE_BYTES = 40 };
/* "612.300 ms", "17"; "> give-up" among what never finished; "-" where there is none. */
const char *judgement_value_text(const struct result_judgement *j,
                                 char text[JUDGEMENT_VALUE_BYTES]);

struct result_finding {
    char id[48], severity[12], side[12];
    char summary[RESULT_TEXT_BYTES], evidence[RESULT_LONG_BYTES], remedy[2 * RESULT_TEXT_BYTES];
    uint32_t servers; /* bit per server of the plan it speaks of; 0: of the run */
};

/* A rule that could not be asked, or that a finding made superfluous. */
struct result_not_evaluated {
    char id[48], detail[64 + PLAN_NAME_BYTES]; /* the fact that is missing, or "by ID" */
    const char *form;                          /* "wire", "observer" */
    const char *why;                           /* "no_observer" "no_permission" ... "explained" */
};

/* One line of the accounting proof. */
struct result_check {
    char name[64];
    bool is_passed;
    char text[RESULT_TEXT_BYTES]; /* "20000 assigned = 20000 bound + ..." */
};

struct result_unexpected {
    const char *state, *event;
    uint64_t count;
};

struct result_preflight_relay {
    char relay[PLAN_NAME_BYTES], agent[PLAN_NAME_BYTES];
    uint32_t clients, offered, bound, foreign_offers, naks, send_errno;
    uint32_t path_count;
    struct {
        const char *name;
        uint32_t renew_sent, renew_acked, wrong_port, send_errno;
    } path[PLAN_PATH_COUNT];
};

struct result_preflight_check {
    char id[24], result[12]; /* pass | warning | fail | unknown | skipped */
    char where[PLAN_NAME_BYTES];
    char text[RESULT_TEXT_BYTES],
        remedy[RESULT_TEXT_BYTES]; /* remedy: empty where none is needed */
};

struct result_leases {
    uint64_t acquired, reacquired, late_bound, renewed, rebound, expired, released, failed, nak;
};

struct facts; /* coordinator/truth/facts.h */

struct result {
    struct {
        char id[PLAN_TEXT_BYTES], scenario[PLAN_NAME_BYTES];
        uint64_t seed;
        const char *identity, *version;
        bool is_spin_off;                   /* limits.spin */
        uint64_t started_at_s;              /* wall clock; 0: unknown */
        double duration_s;                  /* start instant to the end of RECONCILE */
        double lease_s, production_lease_s; /* `expect`; NAN: not given */
        struct result_stage *stages;
        size_t stage_count;
    } run;

    struct {
        enum verdict result;
        char reasons[RESULT_RUN_REASONS_MAX][RESULT_TEXT_BYTES];
        size_t reason_count;
    } verdict;

    char log_chain[33]; /* value of coordinator.log's last line; empty: unknown */

    struct {
        uint64_t assigned, bound, released, expired, failed, never_started, lost_with_agent;
        uint64_t agent_events, ledger_events, folded, duplicates_dropped, missing;
        struct result_check checks[RESULT_CHECKS_MAX];
        size_t check_count;
        bool is_known; /* false: no agent ever counted anything */
    } accounting;

    struct {
        bool is_known;
        uint64_t sent_discover, sent_request, sent_renew, sent_rebind, sent_reboot, sent_decline,
            sent_release, sent_inform, sent_query;
        uint64_t received_offer, received_ack, received_nak, received_other, received_malformed;
        uint64_t fate_answer, fate_late, fate_duplicate, fate_alien, fate_misrouted, fate_malformed;
        uint64_t wrong_source_port;
    } messages;

    struct result_leases leases;
    uint64_t renew_retried;     /* renewals answered after a retransmission; RESULT_UNKNOWN */
    uint64_t renew_gave_up;     /* renewals that reached T2 without an answer */
    uint64_t unanswered_at_end; /* exchanges the drain had to abandon; RESULT_UNKNOWN */

    struct {
        uint64_t clients, at_risk;
        double client_seconds, longest_s, p50_s, p99_s, first_answer_s; /* NAN: none */
        struct result_outage_half *halves; /* of servers[], and those without a lease if any */
        size_t half_count;
        struct result_outage_relay *relays; /* that had anything to tell */
        size_t relay_count;
    } outage;
    struct result_lease_times lease_times;
    struct result_renewals renewals;

    /* The five metrics of report.json, LATENCY_DISCOVER_OFFER..LATENCY_REBIND, by clock; and more.
     */
    struct result_latency latency[LATENCY_CLOCK_COUNT][LATENCY_METRIC_COUNT];
    /* From the intended instant, of what was answered: unfinished is 0. */
    struct result_latency latency_success[LATENCY_METRIC_COUNT];
    struct result_tries tries[LATENCY_METRIC_COUNT];
    /*
     * Closed-model stages, of what was answered: as an even pace would have met it
     * (statistics_paced_ns()). RESULT_UNKNOWN: too few samples.
     */
    bool is_any_paced[LATENCY_METRIC_COUNT]; /* there was such a stage, with answers */
    uint64_t paced_us[LATENCY_METRIC_COUNT][RESULT_PERCENTILES];

    struct {
        double planned_per_s, sent_per_s, acquired_per_s_mean, acquired_per_s_peak; /* NAN */
        uint64_t planned_starts, actual_starts; /* RESULT_UNKNOWN */
        bool is_closed_model;
        double retransmission_wait_percent; /* closed model: of the slot time; NAN */
    } rates;

    struct {
        uint64_t distinct, duplicate, outside_subnet, changed_on_renew;
    } addresses;

    struct result_server *servers;
    size_t server_count;
    struct result_relay *relays;
    size_t relay_count;
    struct result_agent *agents;
    size_t agent_count;
    struct result_observer *observers;
    size_t observer_count;
    struct result_timeline timeline;
    struct result_judgement *judgements;
    size_t judgement_count;
    struct result_finding *findings;
    size_t finding_count;
    struct result_not_evaluated *not_evaluated;
    size_t not_evaluated_count;
    struct facts *facts; /* what the findings are made of; NULL: there are none */
    struct result_unexpected *unexpected;
    size_t unexpected_count;

    struct {
        bool was_run;
        uint64_t sent, received, events; /* RESULT_UNKNOWN */
        struct result_preflight_relay *relays;
        size_t relay_count;
        struct result_preflight_check *checks;
        size_t check_count;
    } preflight;

    struct result_search search;
    struct result_start_state start_state[PLAN_SERVERS_MAX]; /* of servers[] */

    bool path_is_known;
    bool path_is_dnat; /* egress as the agents see it, made by a DNAT rule on the servers */
    enum plan_path path;
    char compression[RESULT_LONG_BYTES]; /* what the load equals at the production lease time */
    /* Closed-model stages that were played, and what their latencies cannot show; empty: none. */
    char window_limited[RESULT_LONG_BYTES];
    char
        housekeeping[RESULT_LONG_BYTES]; /* periodic jobs of the servers and the measured windows */
};

void result_free(struct result *r); /* NULL is fine; leaves a valid empty one */
