/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/judge_metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/schema.h"

struct metric_row {
    const char *name;
    enum judge_source source;
    enum judge_unit unit;
    size_t offset;
    const char *help;
};

#define RESULT_U64(name, field, help)                                                              \
    {                                                                                              \
        name, JUDGE_FROM_RESULT_U64, JUDGE_COUNT, offsetof(struct result, field), help             \
    }
#define RESULT_DOUBLE(field, unit, help)                                                           \
    {                                                                                              \
#field, JUDGE_FROM_RESULT_DOUBLE, unit, offsetof(struct result, field), help               \
    }
#define SAME_U64(field, help) RESULT_U64(#field, field, help)
#define LEASES(key, help)                                                                          \
    {                                                                                              \
        "leases." #key, JUDGE_FROM_LEASES, JUDGE_COUNT, offsetof(struct result_leases, key), help  \
    }
#define PER_S(key, help)                                                                           \
    {                                                                                              \
#key "_per_s", JUDGE_FROM_LEASE_RATE, JUDGE_PER_S, offsetof(struct result_leases, key),    \
            help                                                                                   \
    }
#define SENT(key, help)     RESULT_U64("messages.sent." #key, messages.sent_##key, help)
#define RECEIVED(key, help) RESULT_U64("messages.received." #key, messages.received_##key, help)
#define FATE(key, help)     RESULT_U64("messages.fate." #key, messages.fate_##key, help)

static const struct metric_row metric_rows[] = {
    LEASES(acquired, "first leases"),
    LEASES(reacquired, "later leases of clients that had lost theirs"),
    LEASES(late_bound, "leases that came after the client's deadline"),
    LEASES(renewed, "renewals answered with ACK"),
    LEASES(rebound, "rebinds answered with ACK"),
    LEASES(expired, "leases that ran out"),
    LEASES(released, "RELEASEs sent"),
    LEASES(failed, "clients without a lease at their deadline"),
    LEASES(nak, "exchanges answered with NAK"),
    PER_S(acquired, "first leases by measured second"),
    PER_S(reacquired, "later leases by measured second"),
    PER_S(renewed, "renewals by measured second"),
    PER_S(rebound, "rebinds by measured second"),
    PER_S(released, "RELEASEs by measured second"),
    SAME_U64(addresses.distinct, "addresses ever leased"),
    SAME_U64(addresses.duplicate, "addresses live at two clients"),
    SAME_U64(addresses.outside_subnet, "ACKs for an address outside the relay's subnet"),
    SAME_U64(addresses.changed_on_renew, "renewals that named another address"),
    SAME_U64(outage.clients, "clients that had no valid lease for a time"),
    SAME_U64(outage.at_risk, "clients past T2"),
    RESULT_DOUBLE(outage.client_seconds, JUDGE_SECONDS, "time without a valid lease, all clients"),
    RESULT_DOUBLE(outage.longest_s, JUDGE_SECONDS, "longest time without a valid lease"),
    RESULT_DOUBLE(outage.p50_s, JUDGE_SECONDS, "half of the outages were shorter"),
    RESULT_DOUBLE(outage.p99_s, JUDGE_SECONDS, "99 % of the outages were shorter"),
    RESULT_DOUBLE(outage.first_answer_s, JUDGE_SECONDS,
                  "shortest time from an unanswered RENEW to an ACK"),
    SAME_U64(accounting.assigned, "clients given to agents"),
    SAME_U64(accounting.bound, "clients with a lease at the end"),
    SAME_U64(accounting.released, "clients that gave their lease back"),
    SAME_U64(accounting.expired, "clients whose lease ran out"),
    SAME_U64(accounting.failed, "clients that got none"),
    SAME_U64(accounting.never_started, "clients that never began"),
    SAME_U64(accounting.lost_with_agent, "clients of agents that were lost"),
    SAME_U64(accounting.agent_events, "results the agents counted"),
    SAME_U64(accounting.ledger_events, "results in the ledger"),
    SAME_U64(accounting.duplicates_dropped, "results that came twice and were dropped"),
    SAME_U64(accounting.missing, "announced batches that never came"),
    SENT(discover, "DISCOVER packets sent"),
    SENT(request, "REQUEST packets of SELECTING sent"),
    SENT(renew, "REQUEST packets of RENEWING sent"),
    SENT(rebind, "REQUEST packets of REBINDING sent"),
    SENT(reboot, "REQUEST packets of INIT-REBOOT sent"),
    SENT(decline, "DECLINE packets sent"),
    SENT(release, "RELEASE packets sent"),
    SENT(inform, "INFORM packets sent"),
    SENT(query, "DHCPLEASEQUERY packets sent"),
    RECEIVED(offer, "OFFER packets received"),
    RECEIVED(ack, "ACK packets received"),
    RECEIVED(nak, "NAK packets received"),
    RECEIVED(other, "packets of another type received"),
    RECEIVED(malformed, "packets received that are no DHCP"),
    FATE(answer, "packets a client waited for"),
    FATE(late, "answers to exchanges that were over"),
    FATE(duplicate, "second answers to an exchange"),
    FATE(alien, "packets for nobody here"),
    FATE(misrouted, "packets that came to the wrong relay"),
    FATE(malformed, "packets nothing could be made of"),
    SAME_U64(messages.wrong_source_port, "answers from another port than 67"),
    RESULT_DOUBLE(rates.planned_per_s, JUDGE_PER_S, "starts by second as the open model has them"),
    RESULT_DOUBLE(rates.sent_per_s, JUDGE_PER_S, "starts by second as they were"),
    RESULT_DOUBLE(rates.acquired_per_s_mean, JUDGE_PER_S,
                  "first leases by second, over the acquire stages"),
    RESULT_DOUBLE(rates.acquired_per_s_peak, JUDGE_PER_S, "the same in the best interval"),
    RESULT_DOUBLE(rates.retransmission_wait_percent, JUDGE_PERCENT,
                  "closed model: slot time spent waiting to repeat"),
    RESULT_DOUBLE(search.low.exchanges_per_s, JUDGE_PER_S, "capacity search: sustained at least"),
    RESULT_DOUBLE(search.low.dora_per_s, JUDGE_PER_S, "the same, of it acquisitions"),
    RESULT_DOUBLE(search.low.renewals_per_s, JUDGE_PER_S, "the same, of it renewals"),
    RESULT_DOUBLE(search.high.exchanges_per_s, JUDGE_PER_S, "capacity search: not sustained"),
    RESULT_DOUBLE(search.high.dora_per_s, JUDGE_PER_S, "the same, of it acquisitions"),
    RESULT_DOUBLE(search.high.renewals_per_s, JUDGE_PER_S, "the same, of it renewals"),
};

static const struct {
    const char *name;
    enum judge_figure figure;
    double percent;
    const char *help;
} figure_rows[] = {
    {"p50", JUDGE_PERCENTILE, 50, "50 %"},    {"p90", JUDGE_PERCENTILE, 90, "90 %"},
    {"p99", JUDGE_PERCENTILE, 99, "99 %"},    {"p999", JUDGE_PERCENTILE, 99.9, "99.9 %"},
    {"max", JUDGE_MAX, 0, "longest time of"}, {"mean", JUDGE_MEAN, 0, "mean time of"}};

/* An exchange has an end of its own and may stay without one; its parts may not. */
static const struct {
    const char *name;
    enum latency_metric metric;
    bool is_exchange;
    const char *help;
} latency_rows[] = {{"discover_offer", LATENCY_DISCOVER_OFFER, false, "DISCOVER to OFFER"},
                    {"request_ack", LATENCY_REQUEST_ACK, false, "REQUEST to ACK"},
                    {"acquire", LATENCY_ACQUIRE, true, "acquisitions"},
                    {"renew", LATENCY_RENEW, true, "renewals"},
                    {"rebind", LATENCY_REBIND, true, "rebinds"},
                    {"reboot", LATENCY_REBOOT, true, "INIT-REBOOTs"},
                    {"inform", LATENCY_INFORM, true, "INFORMs"}};

static const struct {
    const char *name;
    enum judge_source source;
    const char *help;
} share_rows[] = {
    {"first_try_percent", JUDGE_FROM_FIRST_TRY, "answered at the first try"},
    {"answered_percent", JUDGE_FROM_ANSWERED, "answered at all"},
};

enum {
    RESULTS = ARRAY_LEN(metric_rows),
    FIGURES = ARRAY_LEN(figure_rows),
    LATENCIES = ARRAY_LEN(latency_rows),
    SHARES = ARRAY_LEN(share_rows),
    METRICS = RESULTS + 2 * FIGURES * LATENCIES + SHARES * LATENCIES
};

bool judge_source_takes_stage(enum judge_source source)
{
    return source != JUDGE_FROM_RESULT_U64 && source != JUDGE_FROM_RESULT_DOUBLE;
}

static void of_result(size_t i, struct judge_term *out, char help[JUDGE_HELP_BYTES])
{
    const struct metric_row *row = &metric_rows[i];
    (void)snprintf(out->metric, sizeof(out->metric), "%s", row->name);
    (void)snprintf(help, JUDGE_HELP_BYTES, "%s", row->help);
    out->source = row->source;
    out->unit = row->unit;
    out->offset = row->offset;
}

static bool of_latency(size_t i, struct judge_term *out, char help[JUDGE_HELP_BYTES])
{
    size_t figure = i % FIGURES, latency = i / FIGURES % LATENCIES;
    out->is_success_only = i >= (size_t)FIGURES * LATENCIES;
    out->source = JUDGE_FROM_LATENCY;
    out->unit = JUDGE_LATENCY;
    out->figure = figure_rows[figure].figure;
    out->percent = figure_rows[figure].percent;
    out->latency = latency_rows[latency].metric;
    bool is_exchange = latency_rows[latency].is_exchange;
    (void)snprintf(out->metric, sizeof(out->metric), "%s(%s%s)", figure_rows[figure].name,
                   latency_rows[latency].name, out->is_success_only ? ".success" : "");
    (void)snprintf(help, JUDGE_HELP_BYTES, "%s%s %s%s", figure_rows[figure].help,
                   out->figure == JUDGE_PERCENTILE ? " not longer:" : "",
                   latency_rows[latency].help,
                   out->is_success_only ? ", of those answered"
                   : is_exchange        ? "; unfinished infinite"
                                        : "");
    return is_exchange || !out->is_success_only;
}

static bool of_share(size_t i, struct judge_term *out, char help[JUDGE_HELP_BYTES])
{
    size_t share = i / LATENCIES, latency = i % LATENCIES;
    out->source = share_rows[share].source;
    out->unit = JUDGE_PERCENT;
    out->latency = latency_rows[latency].metric;
    (void)snprintf(out->metric, sizeof(out->metric), "%s(%s)", share_rows[share].name,
                   latency_rows[latency].name);
    (void)snprintf(help, JUDGE_HELP_BYTES, "share of %s %s", latency_rows[latency].help,
                   share_rows[share].help);
    return latency_rows[latency].is_exchange;
}

/* False: this combination means nothing. */
static bool metric_at(size_t i, struct judge_term *out, char help[JUDGE_HELP_BYTES])
{
    *out = (struct judge_term){.stage = JUDGE_ALL_STAGES};
    if (i < RESULTS) {
        of_result(i, out, help);
        return true;
    }
    i -= RESULTS;
    if (i < (size_t)2 * FIGURES * LATENCIES) {
        return of_latency(i, out, help);
    }
    return of_share(i - (size_t)2 * FIGURES * LATENCIES, out, help);
}

bool judge_metrics_find(const char *word, struct judge_term *out)
{
    for (size_t i = 0; i < METRICS; i++) {
        struct judge_term term;
        char help[JUDGE_HELP_BYTES];
        if (metric_at(i, &term, help) && strcmp(term.metric, word) == 0) {
            *out = term;
            return true;
        }
    }
    return false;
}

size_t judge_metric_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < METRICS; i++) {
        struct judge_term term;
        char help[JUDGE_HELP_BYTES];
        count += metric_at(i, &term, help);
    }
    return count;
}

void judge_metric_get(size_t index, struct judge_metric_info *out)
{
    for (size_t i = 0; i < METRICS; i++) {
        struct judge_term term;
        if (!metric_at(i, &term, out->help)) {
            continue;
        }
        if (index-- == 0) {
            (void)snprintf(out->name, sizeof(out->name), "%s", term.metric);
            out->unit = term.unit == JUDGE_LATENCY || term.unit == JUDGE_SECONDS
                            ? "time"
                            : judge_unit_text(term.unit);
            out->takes_stage = out->takes_window = judge_source_takes_stage(term.source);
            return;
        }
    }
    assert(false); /* index is below judge_metric_count() */
}

void judge_metrics_suggest(const char *word, char why[JUDGE_WHY_BYTES])
{
    char names[METRICS][JUDGE_METRIC_BYTES];
    const char *words[METRICS + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < METRICS; i++) {
        struct judge_term term;
        char help[JUDGE_HELP_BYTES];
        if (metric_at(i, &term, help)) {
            memcpy(names[count], term.metric, sizeof(names[count]));
            words[count] = names[count];
            count++;
        }
    }
    const char *near = schema_nearest(word, words);
    if (near != NULL) {
        (void)snprintf(why, JUDGE_WHY_BYTES, "unknown metric '%s'; did you mean '%s'?", word, near);
    } else {
        (void)snprintf(why, JUDGE_WHY_BYTES,
                       "unknown metric '%s'; `leaseherd check --metrics` lists them, such as "
                       "leases.failed or p99(renew)",
                       word);
    }
}
