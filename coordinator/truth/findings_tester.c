/* SPDX-License-Identifier: MIT */
/* What the tester itself did wrong: an error here makes the run INVALID, DESIGN section 8. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/findings.h"
#include "coordinator/truth/judge.h"
#include "proto/dhcp4.h"

static void rule_lost_agents(const struct truth *t, struct result *out)
{
    struct result_finding *f =
        t->lost_text[0] == '\0' ? NULL : findings_add(out, "agent-lost", "warning", "tester");
    uint64_t moved = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        moved += t->moved[i];
    }
    if (f != NULL) {
        SUMMARY(f, "%" PRIu64 " clients were lost with their agent",
                out->accounting.lost_with_agent);
        if (moved > 0) {
            SUMMARY(f,
                    "an agent was lost: %" PRIu64 " of its clients went on at other agents, "
                    "%" PRIu64 " were lost with it",
                    moved, out->accounting.lost_with_agent);
        }
        EVIDENCE(f, "%s", t->lost_text);
        REMEDY(f, "see the agent's log on its host; its clients count as lost_with_agent and in "
                  "nothing else");
    }
}

static void rule_own_drops(const struct truth *t, struct result *out)
{
    uint64_t drops = merge_total(t->merge, COUNTER_rx_drops);
    struct result_finding *f =
        drops == 0 ? NULL : findings_add(out, "own-drops", "error", "tester");
    if (f != NULL) {
        SUMMARY(f, "the agents' own sockets dropped %" PRIu64 " answers", drops);
        EVIDENCE(f, "SO_RXQ_OVFL at the agents' sockets; see agents[].rx_drops");
        REMEDY(f,
               "raise net.core.rmem_max at the agents, use more agents, or a lower rate; packets "
               "damaged on the way are counted there, too (nstat UdpInCsumErrors)");
    }
}

static void rule_expired_in_pause(const struct truth *t, struct result *out)
{
    uint64_t expired = merge_total(t->merge, COUNTER_expired_in_pause);
    struct result_finding *f =
        expired == 0 ? NULL : findings_add(out, "expired-in-pause", "error", "tester");
    if (f != NULL) {
        SUMMARY(f, "%" PRIu64 " leases ran out while the agents were not allowed to send", expired);
        EVIDENCE(f, "agents paused for %.1f s in all for want of a run lease",
                 (double)merge_total(t->merge, COUNTER_paused_ns) / 1e9);
        REMEDY(f, "find out why coordinator and agents could not talk; then run again");
    }
}

static void rule_folded(const struct truth *t, struct result *out)
{
    (void)t;
    struct result_finding *f =
        out->accounting.folded == 0 ? NULL : findings_add(out, "results-folded", "error", "tester");
    if (f != NULL) {
        SUMMARY(f,
                "details of %" PRIu64 " results were given up because they came faster than "
                "the coordinator took them",
                out->accounting.folded);
        REMEDY(f, "use a faster disk for the run directory, or a lower rate");
    }
}

static void rule_send_lag(const struct truth *t, struct result *out)
{
    enum { SAMPLES_MIN = 100 };
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (t->plan->stages[i].kind == PLAN_LOAD) {
            continue; /* each step of a search is judged by itself: search_steps.c */
        }
        uint64_t judged_ns = judge_smallest_latency_ns(t->scenario, (uint8_t)i);
        uint64_t limit_ns = judged_ns == 0 ? 100 * NS_PER_MS : judged_ns / 10;
        struct merge_query query = {
            .metric = LATENCY_SEND_LAG, .clock = LATENCY_INTENDED, .stage = i, .agent = SIZE_MAX};
        struct histogram h;
        merge_latency(t->merge, &query, &h);
        uint64_t lag_ns = h.count < SAMPLES_MIN ? 0 : histogram_percentile_ns(&h, 99);
        struct result_finding *f =
            lag_ns <= limit_ns ? NULL : findings_add(out, "send-lag", "error", "tester");
        if (f != NULL) {
            SUMMARY(f, "the agents sent too late to measure stage %s: p99 %.1f ms after the plan",
                    t->stages[i].name, (double)lag_ns / 1e6);
            EVIDENCE(f, "allowed are %.1f ms (%s); %" PRIu64 " packets measured",
                     (double)limit_ns / 1e6,
                     judged_ns == 0 ? "no latency is judged" : "a tenth of the smallest judgement",
                     h.count);
            REMEDY(f, "give the agents more CPU or more hosts, or lower the rate or batch");
        }
    }
}

static void rule_rate(const struct truth *t, struct result *out)
{
    if (out->rates.is_closed_model || t->outcome != OUTCOME_COMPLETED) {
        return;
    }
    uint64_t planned = out->rates.planned_starts, actual = out->rates.actual_starts;
    bool is_short =
        planned != RESULT_UNKNOWN && planned > actual && (planned - actual) * 100 > planned;
    if (!is_short && t->evidence.shortfall_agents == 0) {
        return;
    }
    struct result_finding *f = findings_add(out, "rate-missed", "error", "tester");
    if (f != NULL) {
        SUMMARY(f, "the planned rate was not sent");
        EVIDENCE(f,
                 "%" PRIu64 " of %" PRIu64 " planned exchanges were started; %" PRIu64
                 " agents were behind for three seconds or more, at worst by %.1f %%",
                 actual, planned, t->evidence.shortfall_agents,
                 t->evidence.worst_shortfall_percent);
        REMEDY(f, "use more agents or hosts, raise limits.packets, or plan a lower rate");
    }
}

static const char *hint_of(uint32_t error)
{
    switch (error) {
    case EPERM:
        return "a firewall or NAT rule on the agent's host refuses them: look at nft list ruleset "
               "and at conntrack -S (insert_failed)";
    case EACCES:
        return "the agent's host forbids this destination";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "the agent's host has no route, or no neighbour answers: look at ip route get";
    case ENOBUFS:
    case EAGAIN:
        return "the interface's queue was full: lower the rate, or raise net.core.wmem_max";
    case EADDRNOTAVAIL:
    case EINVAL:
        return "the carrying address has gone from the agent's host";
    default:
        return "see the agent's log";
    }
}

/*
 * Preflight tries renewals on paths that may not exist here (a source address the
 * host has no route from): failed sends of those are its answer, not a fault.
 */
static bool is_of_tried_path(const struct truth *t, const struct result *out, size_t agent,
                             const struct snapshot_send_error *e)
{
    enum { TRIES_MAX = 4 }; /* transmissions per renewal that is tried */
    uint64_t tried = 0, failed = 0;
    for (size_t i = 0; i < t->preflight_count; i++) {
        const struct result_preflight_relay *p = &t->preflight[i];
        for (uint32_t k = 0; k < p->path_count; k++) {
            bool is_used =
                out->path_is_known && strcmp(p->path[k].name, plan_path_name(out->path)) == 0;
            bool is_this = !is_used && p->path[k].send_errno == e->error &&
                           strcmp(p->agent, t->agents[agent].name) == 0;
            tried += is_this ? p->path[k].renew_sent : 0;
        }
    }
    const struct snapshot *s = merge_latest(t->merge, agent);
    for (uint32_t k = 0; k < s->send_error_count; k++) {
        bool is_alike =
            s->send_error[k].error == e->error && s->send_error[k].message == e->message;
        failed += is_alike ? s->send_error[k].count : 0;
    }
    return e->message == DHCP4_RENEW && failed <= TRIES_MAX * tried;
}

/* The commonest kind of failed send: errno, message and destination belong together. */
static const struct snapshot_send_error *worst_send_error(const struct truth *t,
                                                          const struct result *out,
                                                          size_t *out_agent,
                                                          uint64_t *out_explained)
{
    *out_explained = 0;
    const struct snapshot_send_error *worst = NULL;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        for (uint32_t k = 0; s != NULL && k < s->send_error_count; k++) {
            if (is_of_tried_path(t, out, i, &s->send_error[k])) {
                *out_explained += s->send_error[k].count;
            } else if (worst == NULL || s->send_error[k].count > worst->count) {
                worst = &s->send_error[k];
                *out_agent = i;
            }
        }
    }
    return worst;
}

static void rule_send_errors(const struct truth *t, struct result *out)
{
    size_t agent = 0;
    uint64_t explained = 0, counted = merge_total(t->merge, COUNTER_send_errors);
    const struct snapshot_send_error *worst = worst_send_error(t, out, &agent, &explained);
    uint64_t errors = counted > explained ? counted - explained : 0;
    struct result_finding *f =
        errors == 0 ? NULL : findings_add(out, "send-errors", "warning", "tester");
    if (f == NULL) {
        return;
    }
    SUMMARY(f, "the kernel refused to send %" PRIu64 " packets", errors);
    if (worst == NULL) {
        REMEDY(f, "see the agents' logs");
        return;
    }
    char destination[IPV4_TEXT_BYTES];
    const char *name = strerrorname_np((int)worst->error);
    EVIDENCE(f, "most of all %s for %s to %s at agent %s: %" PRIu64 " times",
             name == NULL ? "an unknown error" : name,
             worst->message < DHCP4_INTENT_COUNT
                 ? dhcp4_intent_name((enum dhcp4_intent)worst->message)
                 : "a packet",
             inet_text(worst->destination, destination), t->agents[agent].name, worst->count);
    REMEDY(f, "%s", hint_of(worst->error));
}

static void clock_broke(const struct truth_agent_state *a, struct result *out)
{
    struct result_finding *f = !a->has_clock || a->clock.breaks == 0
                                   ? NULL
                                   : findings_add(out, "clock-jumped", "error", "tester");
    if (f != NULL) {
        SUMMARY(f, "the clock of agent %s did what no clock does, %" PRIu32 " times", a->name,
                a->clock.breaks);
        EVIDENCE(f, "it left the coordinator's by more than 0.1 %% of the time between two looks; "
                    "its events of these moments are as uncertain as the jumps are large, and "
                    "latencies that span one are wrong by as much");
        REMEDY(f, "do not suspend or migrate that machine during a run, and let its clock be set "
                  "before the run begins");
    }
}

static void rule_clock(const struct truth *t, struct result *out)
{
    enum { UNCERTAIN_US = 100000 };
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct truth_agent_state *a = &t->agents[i];
        clock_broke(a, out);
        struct result_finding *f = !a->has_clock || a->clock.uncertainty_us < UNCERTAIN_US
                                       ? NULL
                                       : findings_add(out, "clock-uncertain", "warning", "tester");
        if (f != NULL) {
            SUMMARY(f, "the clock of agent %s is known to +-%.0f ms only", a->name,
                    (double)a->clock.uncertainty_us / 1e3);
            EVIDENCE(f, "events of different agents cannot be put in order more closely; latencies "
                        "are not affected");
            REMEDY(f, "look for delay or congestion between coordinator and that agent");
        }
    }
}

static void rule_strange_events(const struct truth *t, struct result *out)
{
    struct result_finding *f = t->evidence.strange_events == 0
                                   ? NULL
                                   : findings_add(out, "strange-events", "error", "tester");
    if (f != NULL) {
        SUMMARY(f, "%" PRIu64 " events named clients or stages the plan does not have",
                t->evidence.strange_events);
        REMEDY(f, "a defect of Leaseherd, or agents of another build; please report it");
    }
}

void findings_of_tester(const struct truth *t, struct result *out)
{
    rule_own_drops(t, out);
    rule_send_lag(t, out);
    rule_rate(t, out);
    rule_expired_in_pause(t, out);
    rule_folded(t, out);
    rule_strange_events(t, out);
    rule_lost_agents(t, out);
    rule_send_errors(t, out);
    rule_clock(t, out);
}
