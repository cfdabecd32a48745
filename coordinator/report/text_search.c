/* SPDX-License-Identifier: MIT */
/* The capacity search and the servers' start state in report.txt. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/report/text_parts.h"

static void write_terms(const struct result_search *s, FILE *out)
{
    char text[RESULT_TEXT_BYTES];
    (void)snprintf(text, sizeof(text),
                   "a step offers so many exchanges per second (DORA : renewals = %" PRIu32
                   " : %" PRIu32 ") for %g s, of which the last %g s count; good: %g %% of those "
                   "planned are answered within %g ms, and the answers keep the pace of the "
                   "questions; bad: twice not so; invalid: the tester's own load fell short",
                   s->acquire_weight, s->renew_weight, s->step_s, s->step_s - s->warmup_s,
                   s->answered_percent, s->within_s * 1000);
    text_wrapped(out, "  ", text);
}

static void write_step(const struct result_search_step *s, FILE *out)
{
    char cell[9][TEXT_CELL_BYTES];
    (void)fprintf(out, "  %9s %9s %9s %9s %7s %7s %9s %9s %9s %s\n",
                  text_number(s->rate_per_s, cell[0]), text_count(s->planned, cell[1]),
                  text_count(s->sent, cell[2]), text_count(s->in_time, cell[3]),
                  text_count(s->late, cell[4]), text_count(s->lost + s->nak, cell[5]),
                  text_number(s->answered_per_s, cell[6]), text_ms(s->acquire.p99_us, cell[7]),
                  text_ms(s->renew.p99_us, cell[8]), search_flag_name(s->flag));
    if (s->reason[0] != '\0') {
        text_wrapped(out, "            ", s->reason);
    }
}

/* An end of a bracket that was not found is open. */
static const char *end_text(double value, char cell[TEXT_CELL_BYTES])
{
    return isfinite(value) ? text_number(value, cell) : "open";
}

static void write_repeat(const struct result_search *s, size_t index, FILE *out)
{
    const struct result_search_repeat *r = &s->repeats[index];
    char low[TEXT_CELL_BYTES], high[TEXT_CELL_BYTES];
    (void)fprintf(out, "  repeat %zu of %" PRIu64 ": %s - %s exchanges/s, limit: %s\n", index + 1,
                  s->repeats_planned, end_text(r->low_per_s, low), end_text(r->high_per_s, high),
                  search_limit_name(r->limit));
    for (size_t i = 0; i < r->step_count; i++) {
        write_step(&r->steps[i], out);
    }
}

static void write_unit(const char *name, double low, double high, FILE *out)
{
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES];
    if (isfinite(low) || isfinite(high)) {
        (void)fprintf(out, "  %-14s %12s - %s\n", name, end_text(low, a), end_text(high, b));
    }
}

void text_search(const struct result *r, FILE *out)
{
    const struct result_search *s = &r->search;
    if (!s->was_run) {
        return;
    }
    text_heading(out, "Capacity search");
    text_wrapped(out, "  ", s->sentence);
    (void)fputs("\n                          low - high\n", out);
    write_unit("exchanges/s", s->low.exchanges_per_s, s->high.exchanges_per_s, out);
    write_unit("DORA/s", s->low.dora_per_s, s->high.dora_per_s, out);
    write_unit("renewals/s", s->low.renewals_per_s, s->high.renewals_per_s, out);
    write_unit("clients", floor(s->low.clients), floor(s->high.clients), out);
    (void)fputc('\n', out);
    write_terms(s, out);
    (void)fprintf(out, "\n  %9s %9s %9s %9s %7s %7s %9s %9s %9s\n", "planned/s", "planned", "sent",
                  "in time", "late", "lost", "answers/s", "DORA p99", "renew p99");
    for (size_t i = 0; i < s->repeat_count; i++) {
        write_repeat(s, i, out);
    }
}

void text_start_state(const struct result *r, FILE *out)
{
    text_heading(out, "Leases the servers had before the run");
    for (size_t i = 0; i < r->server_count && i < PLAN_SERVERS_MAX; i++) {
        const struct result_start_state *s = &r->start_state[i];
        char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES];
        bool is_unknown = s->active == RESULT_UNKNOWN && s->expired == RESULT_UNKNOWN &&
                          s->free == RESULT_UNKNOWN;
        if (is_unknown) {
            (void)fprintf(out, "  %-16s unknown\n", s->server);
        } else {
            (void)fprintf(out, "  %-16s active %s, expired %s, free %s (%s)\n", s->server,
                          text_count(s->active, a), text_count(s->expired, b),
                          text_count(s->free, c), s->how);
        }
    }
}
