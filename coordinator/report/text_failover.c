/* SPDX-License-Identifier: MIT */
/* Outage by half and relay, lease times, renewals foretold and begun. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/report/text_parts.h"

enum { RELAYS_SHOWN_MAX = 20, TIMES_SHOWN_MAX = 12, ROW_BYTES = 400 };

static const char *name_of(const char *server, const char *otherwise)
{
    return server[0] == '\0' ? otherwise : server;
}

/* --- outage --- */

static bool had_trouble(const struct result_outage_group *g)
{
    return g->clients > 0 || g->at_risk > 0 || g->expired > 0;
}

static void write_group(const char *name, const struct result_outage_group *g, FILE *out)
{
    char cell[7][TEXT_CELL_BYTES];
    (void)fprintf(out, "  %-16s %9s %9s %9s %12s %9s %8s %8s\n", name,
                  text_count(g->at_risk, cell[0]), text_count(g->expired, cell[1]),
                  text_count(g->clients, cell[2]), text_number(g->client_seconds, cell[3]),
                  text_number(g->longest_s, cell[4]), text_number(g->p50_s, cell[5]),
                  text_number(g->p99_s, cell[6]));
}

static void write_group_heading(const char *first, FILE *out)
{
    (void)fprintf(out, "  %-16s %9s %9s %9s %12s %9s %8s %8s\n", first, "at risk", "expired",
                  "outages", "client-s", "longest s", "p50 s", "p99 s");
}

/* "1,230 by a, 4 by b" */
static void say_answers(const struct result *r, const struct result_outage_half *h, char *text,
                        size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->server_count && at < size; i++) {
        char cell[TEXT_CELL_BYTES];
        if (h->answered_by[i] > 0) {
            at += (size_t)snprintf(text + at, size - at, "%s%s by %s", at == 0 ? "" : ", ",
                                   text_count(h->answered_by[i], cell), r->servers[i].name);
        }
    }
}

static void write_waits(const struct result *r, const struct result_outage_half *h, FILE *out)
{
    char by[RESULT_TEXT_BYTES], text[2 * RESULT_TEXT_BYTES], first[PLAN_NAME_BYTES + 8];
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES], d[TEXT_CELL_BYTES],
        e[TEXT_CELL_BYTES];
    if (h->waited == 0) {
        return;
    }
    say_answers(r, h, by, sizeof(by));
    size_t at = (size_t)snprintf(text, sizeof(text), "%s renewals reached T2 without an answer",
                                 text_count(h->waited, a));
    if (by[0] != '\0') {
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at,
                             "; from the first of them to the client's next ACK it took %s s at "
                             "the least, median %s s, at the most %s s (%s), and %s had it before "
                             "their lease had ended",
                             text_number(h->first_answer_s, c), text_number(h->median_answer_s, d),
                             text_number(h->last_answer_s, e), by, text_count(h->in_time, b));
    }
    if (h->unanswered > 0) {
        (void)snprintf(text + at, sizeof(text) - at, "; %s never had an answer",
                       text_count(h->unanswered, a));
    }
    (void)snprintf(first, sizeof(first), "  %s: ", name_of(h->server, "no lease"));
    text_wrapped(out, first, text);
}

static void write_retried(const struct result_outage_half *h, FILE *out)
{
    char a[TEXT_CELL_BYTES];
    if (h->retried > 0) {
        (void)fprintf(out,
                      "  %s: %s renewals were answered after a retransmission, the slowest after "
                      "%.1f s\n",
                      name_of(h->server, "no lease"), text_count(h->retried, a),
                      h->retried_longest_s);
    }
}

static void write_halves(const struct result *r, FILE *out)
{
    bool is_any = false;
    for (size_t i = 0; i < r->outage.half_count; i++) {
        is_any = is_any || had_trouble(&r->outage.halves[i].group) || r->outage.halves[i].retried;
    }
    if (!is_any) {
        return;
    }
    text_heading(out, "Outage by server half (the server that gave the client's latest lease)");
    write_group_heading("half of", out);
    for (size_t i = 0; i < r->outage.half_count; i++) {
        const struct result_outage_half *h = &r->outage.halves[i];
        write_group(name_of(h->server, "(no lease yet)"), &h->group, out);
    }
    for (size_t i = 0; i < r->outage.half_count; i++) {
        write_waits(r, &r->outage.halves[i], out);
        write_retried(&r->outage.halves[i], out);
    }
}

static void write_outage_relays(const struct result *r, FILE *out)
{
    size_t shown =
        r->outage.relay_count < RELAYS_SHOWN_MAX ? r->outage.relay_count : RELAYS_SHOWN_MAX;
    if (shown == 0) {
        return;
    }
    text_heading(out, "Outage by relay");
    write_group_heading("relay", out);
    for (size_t i = 0; i < shown; i++) {
        write_group(r->outage.relays[i].relay, &r->outage.relays[i].group, out);
    }
    if (r->outage.relay_count > shown) {
        (void)fprintf(out, "  ... and %zu more, see report.json\n", r->outage.relay_count - shown);
    }
}

/* --- lease times --- */

static void write_wave(const struct result *r, const struct result_lease_wave *w, FILE *out)
{
    char text[RESULT_TEXT_BYTES], acks[TEXT_CELL_BYTES], lease[48];
    if (w->shortest_s == w->longest_s) {
        (void)snprintf(lease, sizeof(lease), "%" PRIu32 " s", w->shortest_s);
    } else {
        (void)snprintf(lease, sizeof(lease), "%" PRIu32 " to %" PRIu32 " s", w->shortest_s,
                       w->longest_s);
    }
    bool is_mclt = r->lease_times.expect_mclt_s > 0;
    (void)snprintf(text, sizeof(text),
                   "%s wave: %s ACKs with %s instead of %" PRIu32 " s between %.1f s and %.1f s, "
                   "by %s",
                   is_mclt ? "MCLT" : "short lease", text_count(w->acks, acks), lease,
                   r->lease_times.expect_lease_s, w->first_s, w->last_s,
                   name_of(w->server, "an unknown server"));
    text_wrapped(out, "  ", text);
}

static void write_time(const struct result_lease_time *l, FILE *out)
{
    char lease[32], acks[TEXT_CELL_BYTES];
    if (l->is_rest) {
        (void)snprintf(lease, sizeof(lease), "%s", l->is_short ? "other, short" : "other");
    } else {
        (void)snprintf(lease, sizeof(lease), "%" PRIu32 " s", l->lease_s);
    }
    (void)fprintf(out, "  %-16s %14s %-9s %12s   %.1f - %.1f s\n", name_of(l->server, "(unknown)"),
                  lease, l->is_rest ? "" : l->class_, text_count(l->acks, acks), l->first_s,
                  l->last_s);
}

/* One lease time for all is no news. */
static bool is_one_time(const struct result_lease_times *l)
{
    for (size_t i = 0; i < l->time_count; i++) {
        bool is_same = !l->times[i].is_rest && l->times[i].lease_s == l->times[0].lease_s;
        if (!is_same || l->times[i].is_short) {
            return false;
        }
    }
    return true;
}

static void write_lease_times(const struct result *r, FILE *out)
{
    const struct result_lease_times *l = &r->lease_times;
    if (l->time_count == 0 || is_one_time(l)) {
        return;
    }
    text_heading(out, "Lease times of the ACKs, and when they were given");
    size_t shown = l->time_count < TIMES_SHOWN_MAX ? l->time_count : TIMES_SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        write_time(&l->times[i], out);
    }
    if (l->time_count > shown) {
        (void)fprintf(out, "  ... and %zu more, see report.json\n", l->time_count - shown);
    }
    for (size_t i = 0; i < l->server_count; i++) {
        char cell[TEXT_CELL_BYTES];
        if (l->servers[i].short_first > 0) {
            (void)fprintf(out, "  %s gave %s first leases shorter than expected\n",
                          name_of(l->servers[i].server, "an unknown server"),
                          text_count(l->servers[i].short_first, cell));
        }
    }
    for (size_t i = 0; i < l->wave_count; i++) {
        write_wave(r, &l->waves[i], out);
    }
}

/* --- renewals --- */

static void write_t1(const struct result_renewals *n, FILE *out)
{
    char text[ROW_BYTES] = "";
    size_t at = 0;
    for (size_t i = 0; i < n->t1_count && at < sizeof(text); i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "%sT1 of %" PRIu32 " s leases: %.6g s (%s)", i == 0 ? "" : ", ",
                               n->t1[i].lease_s, n->t1[i].t1_s,
                               n->t1[i].is_learned ? "as renewals were seen" : "half, assumed");
    }
    text_wrapped(out, "  ", text);
}

static void write_renewals(const struct result *r, FILE *out)
{
    const struct result_renewals *n = &r->renewals;
    if (!n->is_known) {
        return;
    }
    char text[2 * RESULT_TEXT_BYTES], share[TEXT_CELL_BYTES];
    text_heading(out, "Renewals foretold by the ACKs (lease start + T1) and begun");
    (void)snprintf(text, sizeof(text),
                   "%.0f foretold until the last stage's end, %.0f begun; %s %% of those foretold "
                   "began within +-%.3g %% of T1 (and a second); what had no answer yet at the end "
                   "is missing among the begun",
                   n->forecast_total, n->begun_total, text_number(n->in_time_percent, share),
                   n->fuzz_percent);
    text_wrapped(out, "  ", text);
    (void)snprintf(text, sizeof(text),
                   "peak foretold %.1f/s at %.0f s, begun %.1f/s at %.0f s; largest difference "
                   "%+.1f/s at %.0f s (intervals of %.0f s)",
                   n->forecast_peak_per_s, n->forecast_peak_at_s, n->begun_peak_per_s,
                   n->begun_peak_at_s, n->difference_per_s, n->difference_at_s, n->interval_s);
    text_wrapped(out, "  ", text);
    write_t1(n, out);
}

void text_failover(const struct result *r, FILE *out)
{
    write_halves(r, out);
    write_outage_relays(r, out);
    write_lease_times(r, out);
    write_renewals(r, out);
}
