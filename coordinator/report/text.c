/* SPDX-License-Identifier: MIT */
#include "coordinator/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "common/attrs.h"
#include "coordinator/report/text_parts.h"

const char *text_count(uint64_t value, char cell[TEXT_CELL_BYTES])
{
    if (value == RESULT_UNKNOWN) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "-");
        return cell;
    }
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            cell[at++] = ',';
        }
        cell[at++] = digits[i];
    }
    cell[at] = '\0';
    return cell;
}

const char *text_ms(uint64_t us, char cell[TEXT_CELL_BYTES])
{
    if (us == RESULT_UNKNOWN) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "-");
    } else if (us < 1000) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.3f", (double)us / 1e3);
    } else if (us < 100000) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.2f", (double)us / 1e3);
    } else {
        (void)text_count((us + 500) / 1000, cell);
    }
    return cell;
}

const char *text_number(double value, char cell[TEXT_CELL_BYTES])
{
    if (isfinite(value)) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.1f", value);
    } else {
        (void)snprintf(cell, TEXT_CELL_BYTES, "-");
    }
    return cell;
}

void text_heading(FILE *out, const char *title)
{
    (void)fprintf(out, "\n%s\n", title);
}

/* A new line of the page; the text of "- " points hangs behind the dash. */
static size_t next_line(FILE *out, size_t indent)
{
    (void)fprintf(out, "\n%*s", (int)indent, "");
    return indent;
}

void text_wrapped(FILE *out, const char *first, const char *text)
{
    size_t indent = strlen(first), column = indent;
    size_t hang = strncmp(text, "- ", 2) == 0 ? 2 : 0;
    (void)fputs(first, out);
    bool is_line_empty = true;
    for (const char *at = text; *at != '\0';) {
        if (at[strspn(at, " \n")] == '\0') {
            break;
        }
        if (*at == '\n') {
            column = next_line(out, indent);
            hang = strncmp(at + 1, "- ", 2) == 0 ? 2 : 0;
            is_line_empty = true;
        }
        if (*at == '\n' || *at == ' ') {
            at++;
            continue;
        }
        size_t length = strcspn(at, " \n");
        if (!is_line_empty && column + 1 + length > TEXT_COLUMNS) {
            column = next_line(out, indent + hang);
            is_line_empty = true;
        }
        column += length + !is_line_empty;
        (void)fprintf(out, "%s%.*s", is_line_empty ? "" : " ", (int)length, at);
        is_line_empty = false;
        at += length;
    }
    (void)fputc('\n', out);
}

static bool is_any_check_wrong(const struct result *r)
{
    for (size_t i = 0; i < r->accounting.check_count; i++) {
        if (!r->accounting.checks[i].is_passed) {
            return true;
        }
    }
    return false;
}

static bool is_any_missed(const struct result *r)
{
    for (size_t i = 0; i < r->judgement_count; i++) {
        if (r->judgements[i].result == JUDGEMENT_MISS) {
            return true;
        }
    }
    return false;
}

static bool is_any_check_warned(const struct result *r)
{
    for (size_t i = 0; i < r->preflight.check_count; i++) {
        if (strcmp(r->preflight.checks[i].result, "warning") == 0) {
            return true;
        }
    }
    return false;
}

/* Where the reader looks next. Findings are sorted, worst first. */
static void write_next(const struct result *r, FILE *out)
{
    const struct result_finding *worst = r->finding_count > 0 ? &r->findings[0] : NULL;
    bool is_serious = worst != NULL && strcmp(worst->severity, "info") != 0;
    char text[RESULT_TEXT_BYTES];
    if (r->verdict.result == VERDICT_INTERNAL) {
        text_wrapped(out, "  next: ", "coordinator.log in the run directory");
    } else if (is_serious) {
        (void)snprintf(text, sizeof(text), "the finding %s below, and what it says to do",
                       worst->id);
        text_wrapped(out, "  next: ", text);
    } else if (is_any_check_wrong(r)) {
        text_wrapped(out, "  next: ",
                     "the lines marked WRONG under Accounting below, then "
                     "coordinator.log and the agents' logs");
    } else if (is_any_missed(r)) {
        text_wrapped(out, "  next: ",
                     "problems.log in the run directory: a line for every client "
                     "that missed a step");
    } else if (r->verdict.result == VERDICT_ABORTED) {
        text_wrapped(out,
                     "  next: ", "run it again; what is below covers only the time until then");
    } else if (r->verdict.result == VERDICT_PASS) {
        text_wrapped(out, "  next: ",
                     is_any_check_warned(r)
                         ? "nothing needs attention but the warnings under Preflight below"
                         : "nothing needs attention");
    }
}

static void write_verdict(const struct result *r, FILE *out)
{
    (void)fprintf(out, "%s  (exit code %d)   scenario %s\n", verdict_name(r->verdict.result),
                  verdict_exit_code(r->verdict.result), r->run.scenario);
    for (size_t i = 0; i < r->verdict.reason_count; i++) {
        text_wrapped(out, "  - ", r->verdict.reasons[i]);
    }
    write_next(r, out);
}

enum { MEASURED_BYTES = 64 };

static const char *measured_text(const struct result_stage *s, char text[MEASURED_BYTES])
{
    if (isfinite(s->measured_from_s)) {
        (void)snprintf(text, MEASURED_BYTES, "measured %.1f - %.1f s", s->measured_from_s,
                       s->measured_until_s);
    } else {
        (void)snprintf(text, MEASURED_BYTES, "nothing of it measured");
    }
    return text;
}

static void write_run(const struct result *r, FILE *out)
{
    char measured[MEASURED_BYTES];
    char when[40] = "at an unknown time";
    time_t at = (time_t)r->run.started_at_s;
    struct tm parts;
    if (r->run.started_at_s != 0 && gmtime_r(&at, &parts) != NULL) {
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &parts);
    }
    text_heading(out, "Run");
    (void)fprintf(out, "  id         %s\n", r->run.id);
    (void)fprintf(out, "  started    %s, took %.1f s\n", when, r->run.duration_s);
    (void)fprintf(out, "  identity   %s, seed %" PRIu64 "\n",
                  r->run.identity == NULL ? "-" : r->run.identity, r->run.seed);
    (void)fprintf(out, "  version    leaseherd %s\n",
                  r->run.version == NULL ? "-" : r->run.version);
    for (size_t i = 0; i < r->run.stage_count; i++) {
        const struct result_stage *s = &r->run.stages[i];
        (void)fprintf(out, "  stage      %-16s %-8s ", s->name, plan_stage_kind_name(s->kind));
        if (!s->was_begun && i > 0 && s[-1].kind == PLAN_LOAD && s[-1].was_begun) {
            (void)fputs("between the steps of the search\n", out);
        } else if (!s->was_begun) {
            (void)fputs("not begun\n", out);
        } else if (!s->has_ended) {
            (void)fprintf(out, "%.1f s, not ended\n", s->begin_s);
        } else {
            (void)fprintf(out, "%.1f - %.1f s, %s%s\n", s->begin_s, s->end_s,
                          measured_text(s, measured), s->timed_out ? ", ended by its timeout" : "");
        }
    }
}

static void write_judgements(const struct result *r, FILE *out)
{
    text_heading(out, "Judgements");
    if (r->judgement_count == 0) {
        (void)fputs("  none in this scenario\n", out);
    }
    for (size_t i = 0; i < r->judgement_count; i++) {
        const struct result_judgement *j = &r->judgements[i];
        char value[JUDGEMENT_VALUE_BYTES], first[24];
        char line[sizeof(j->expression) + JUDGEMENT_VALUE_BYTES + 16];
        (void)snprintf(first, sizeof(first), "  %-10s  ", judgement_result_name(j->result));
        (void)snprintf(line, sizeof(line), "%s: it was %s", j->expression,
                       judgement_value_text(j, value));
        text_wrapped(out, first, line);
        if (j->note[0] != '\0') {
            text_wrapped(out, "              ", j->note);
        }
    }
}

/* The verdict's reasons stand a few lines above: nothing is said twice. */
static bool is_said_above(const struct result *r, const char *text)
{
    for (size_t i = 0; i < r->verdict.reason_count && text[0] != '\0'; i++) {
        if (strstr(r->verdict.reasons[i], text) != NULL) {
            return true;
        }
    }
    return false;
}

static void write_finding(const struct result *r, const struct result_finding *f, FILE *out)
{
    bool is_summary_above = is_said_above(r, f->summary);
    (void)fprintf(out, "  %s, %s, side: %s%s\n", f->severity, f->id, f->side,
                  is_summary_above ? " (see the reasons above)" : "");
    if (!is_summary_above) {
        text_wrapped(out, "      ", f->summary);
    }
    if (f->evidence[0] != '\0' && !is_said_above(r, f->evidence)) {
        text_wrapped(out, "      evidence: ", f->evidence);
    }
    if (f->remedy[0] != '\0' && !is_said_above(r, f->remedy)) {
        text_wrapped(out, "      remedy:   ", f->remedy);
    }
}

static void write_findings(const struct result *r, FILE *out)
{
    text_heading(out, "Findings");
    if (r->finding_count == 0) {
        (void)fputs("  none\n", out);
    }
    for (size_t i = 0; i < r->finding_count; i++) {
        write_finding(r, &r->findings[i], out);
    }
}

/* As many to a line as the page holds. */
static void write_counts(FILE *out, const char *const *names, const uint64_t *values, size_t count)
{
    size_t column = 0;
    for (size_t i = 0; i < count; i++) {
        char cell[TEXT_CELL_BYTES], item[96];
        int length = snprintf(item, sizeof(item), "%s %s", names[i], text_count(values[i], cell));
        bool is_wrapped = column > 0 && column + 3 + (size_t)length > TEXT_COLUMNS;
        const char *gap = column == 0 ? "  " : is_wrapped ? "\n  " : "   ";
        (void)fprintf(out, "%s%s", gap, item);
        column = (column == 0 || is_wrapped ? 2 : column + 3) + (size_t)length;
    }
    (void)fputc('\n', out);
}

static void write_leases(const struct result *r, FILE *out)
{
    static const char *const names[] = {"first leases", "later ones", "after their deadline",
                                        "renewed",      "rebound",    "expired",
                                        "released",     "failed",     "refused (NAK)"};
    const uint64_t values[] = {
        r->leases.acquired, r->leases.reacquired, r->leases.late_bound,
        r->leases.renewed,  r->leases.rebound,    r->leases.expired,
        r->leases.released, r->leases.failed,     r->leases.nak,
    };
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES], d[TEXT_CELL_BYTES];
    text_heading(out, "Leases");
    write_counts(out, names, values, ARRAY_LEN(values));
    (void)fprintf(out,
                  "  addresses: %s distinct, %s leased twice at a time, %s outside the subnet,"
                  " %s changed on renewal\n",
                  text_count(r->addresses.distinct, a), text_count(r->addresses.duplicate, b),
                  text_count(r->addresses.outside_subnet, c),
                  text_count(r->addresses.changed_on_renew, d));
    (void)fprintf(out,
                  "  renewals: %s answered, %s of them after a retransmission; %s reached T2 "
                  "without an answer\n",
                  text_count(r->leases.renewed, a), text_count(r->renew_retried, b),
                  text_count(r->renew_gave_up, c));
    (void)fprintf(out, "  exchanges still without an answer when the run ended: %s\n",
                  text_count(r->unanswered_at_end, a));
}

static void write_outage(const struct result *r, FILE *out)
{
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES], d[TEXT_CELL_BYTES];
    text_heading(out, "Outage (time in which a client that wanted an address had no valid lease)");
    if (r->outage.clients == 0) {
        (void)fputs("  none\n", out);
    } else {
        (void)fprintf(out, "  %s clients, %s client-seconds, longest %s s",
                      text_count(r->outage.clients, a), text_number(r->outage.client_seconds, b),
                      text_number(r->outage.longest_s, c));
        if (isfinite(r->outage.p50_s)) {
            (void)fprintf(out, "; half under %s s", text_number(r->outage.p50_s, d));
        }
        if (isfinite(r->outage.p99_s)) {
            (void)fprintf(out, ", 99 %% under %s s", text_number(r->outage.p99_s, a));
        }
        (void)fputc('\n', out);
    }
    if (r->outage.at_risk == 0) {
        return;
    }
    char text[RESULT_TEXT_BYTES], first[128] = "";
    if (isfinite(r->outage.first_answer_s)) {
        (void)snprintf(
            first, sizeof(first),
            "; the quickest of them had an answer %s s after its first unanswered renewal",
            text_number(r->outage.first_answer_s, b));
    }
    (void)snprintf(text, sizeof(text), "at risk (past T2): %s clients%s",
                   text_count(r->outage.at_risk, a), first);
    text_wrapped(out, "  ", text);
}

static void write_rates(const struct result *r, FILE *out)
{
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES];
    text_heading(out, "Rates");
    (void)fprintf(out, "  acquired %s/s in the mean of the stage, %s/s in the best %.3g s",
                  text_number(r->rates.acquired_per_s_mean, a),
                  text_number(r->rates.acquired_per_s_peak, b), r->timeline.interval_s);
    (void)fprintf(out, "; exchanges begun %s/s\n", text_number(r->rates.sent_per_s, c));
    if (r->window_limited[0] != '\0') {
        text_wrapped(out, "  ", r->window_limited);
    }
    if (r->rates.is_closed_model) {
        return;
    }
    uint64_t planned = r->rates.planned_starts, actual = r->rates.actual_starts;
    bool is_known = planned != RESULT_UNKNOWN && actual != RESULT_UNKNOWN;
    (void)fprintf(out, "  planned %s/s (%s starts), of these not begun: %s\n",
                  text_number(r->rates.planned_per_s, a), text_count(planned, b),
                  text_count(!is_known          ? RESULT_UNKNOWN
                             : planned > actual ? planned - actual
                                                : 0,
                             c));
}

static void write_messages(const struct result *r, FILE *out)
{
    static const char *const sent[] = {"DISCOVER", "REQUEST", "RENEW",  "REBIND", "REBOOT",
                                       "DECLINE",  "RELEASE", "INFORM", "QUERY"};
    static const char *const received[] = {"OFFER", "ACK", "NAK", "other", "malformed"};
    static const char *const fates[] = {"answers", "late",      "duplicate",
                                        "alien",   "misrouted", "malformed"};
    const uint64_t sent_values[] = {
        r->messages.sent_discover, r->messages.sent_request, r->messages.sent_renew,
        r->messages.sent_rebind,   r->messages.sent_reboot,  r->messages.sent_decline,
        r->messages.sent_release,  r->messages.sent_inform,  r->messages.sent_query};
    const uint64_t received_values[] = {r->messages.received_offer, r->messages.received_ack,
                                        r->messages.received_nak, r->messages.received_other,
                                        r->messages.received_malformed};
    const uint64_t fate_values[] = {r->messages.fate_answer,    r->messages.fate_late,
                                    r->messages.fate_duplicate, r->messages.fate_alien,
                                    r->messages.fate_misrouted, r->messages.fate_malformed};
    text_heading(out, "Packets sent (each copy to each server counts)");
    write_counts(out, sent, sent_values, ARRAY_LEN(sent_values));
    text_heading(out, "Packets received, by type and by what became of them");
    write_counts(out, received, received_values, ARRAY_LEN(received_values));
    write_counts(out, fates, fate_values, ARRAY_LEN(fate_values));
    char cell[TEXT_CELL_BYTES];
    (void)fprintf(out, "  from another port than 67: %s\n",
                  text_count(r->messages.wrong_source_port, cell));
}

static void write_accounting(const struct result *r, FILE *out)
{
    text_heading(out, "Accounting (nothing lost, nothing counted twice)");
    for (size_t i = 0; i < r->accounting.check_count; i++) {
        const struct result_check *c = &r->accounting.checks[i];
        char first[96];
        (void)snprintf(first, sizeof(first), "  %-6s %-18s ", c->is_passed ? "ok" : "WRONG",
                       c->name);
        text_wrapped(out, first, c->text);
    }
}

static void write_path(const struct result *r, FILE *out)
{
    static const char *const leaves_out[PLAN_PATH_COUNT] = {
        [PLAN_PATH_ROUTED] =
            "routed: the network routes the block to the agents, renewals come from the clients' "
            "own addresses. Nothing of the clients' traffic is left out.",
        [PLAN_PATH_EGRESS] =
            "egress: a stateless rule on the servers turns their unicast replies towards the "
            "agents. Left out: the routes from the servers to the clients' own networks, and a "
            "source address per client.",
        [PLAN_PATH_RELAYED] =
            "relayed: renewals carry giaddr and are answered through the relay. Exact for DHCP "
            "proxies and RFC 5107; with plain helper addresses real clients renew by unicast, "
            "and that way is left out.",
    };
    text_heading(out, "How answers to renewals came back, and what that leaves out");
    if (!r->path_is_known) {
        (void)fputs("  no path was chosen\n", out);
    } else if (r->path_is_dnat) {
        text_wrapped(out, "  ",
                     "dnat: a DNAT rule on the servers turns their unicast replies towards the "
                     "agents. Connection tracking invents source ports for it and can do so for "
                     "511 addresses per server and timeout at most.");
    } else {
        text_wrapped(out, "  ", leaves_out[r->path]);
    }
}

static bool is_said_in_full(const struct result_preflight_check *c)
{
    bool is_fine = strcmp(c->result, "pass") == 0 && strcmp(c->id, "server-path") != 0;
    return !is_fine && strcmp(c->result, "skipped") != 0;
}

/* One line for all checks of this result that are not said in full. */
static void write_checks_of(const struct result *r, const char *result, FILE *out)
{
    char text[RESULT_LONG_BYTES];
    size_t at = (size_t)snprintf(text, sizeof(text), "%s", result), names = 0;
    for (size_t i = 0; i < r->preflight.check_count; i++) {
        const struct result_preflight_check *c = &r->preflight.checks[i];
        if (strcmp(c->result, result) == 0 && !is_said_in_full(c) && at < sizeof(text)) {
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s %s", names > 0 ? "," : "",
                                   c->id);
            names++;
        }
    }
    if (names > 0) {
        text_wrapped(out, "  ", text);
    }
}

static void write_preflight_checks(const struct result *r, FILE *out)
{
    for (size_t i = 0; i < r->preflight.check_count; i++) {
        const struct result_preflight_check *c = &r->preflight.checks[i];
        char text[3 * RESULT_TEXT_BYTES];
        if (is_said_in_full(c)) {
            (void)snprintf(text, sizeof(text), "%s %s: %s%s%s", c->result, c->id, c->text,
                           c->remedy[0] != '\0' ? ". Remedy: " : "", c->remedy);
            text_wrapped(out, "  ", text);
        }
    }
    write_checks_of(r, "pass", out);
    write_checks_of(r, "skipped", out);
}

static void write_preflight(const struct result *r, FILE *out)
{
    text_heading(out, "Preflight");
    if (!r->preflight.was_run) {
        (void)fputs("  not run\n", out);
    }
    for (size_t i = 0; i < r->preflight.relay_count; i++) {
        const struct result_preflight_relay *p = &r->preflight.relays[i];
        char text[4 * RESULT_TEXT_BYTES];
        size_t at = (size_t)snprintf(
            text, sizeof(text), "relay %s at agent %s: %" PRIu32 " of %" PRIu32 " clients bound",
            p->relay, p->agent, p->bound, p->clients);
        for (uint32_t k = 0; k < p->path_count; k++) {
            at += (size_t)snprintf(text + at, sizeof(text) - at,
                                   "; %s: %" PRIu32 " of %" PRIu32 " renewals answered",
                                   p->path[k].name, p->path[k].renew_acked, p->path[k].renew_sent);
        }
        text_wrapped(out, "  ", text);
    }
    write_preflight_checks(r, out);
}

static void write_unexpected(const struct result *r, FILE *out)
{
    if (r->unexpected_count == 0) {
        return;
    }
    text_heading(out,
                 "Messages no client waited for, by its state (with several servers, mostly the "
                 "second answer)");
    for (size_t i = 0; i < r->unexpected_count; i++) {
        char cell[TEXT_CELL_BYTES];
        (void)fprintf(out, "  %s in %s: %s\n", r->unexpected[i].event, r->unexpected[i].state,
                      text_count(r->unexpected[i].count, cell));
    }
}

static bool is_any_stage_begun(const struct result *r)
{
    for (size_t i = 0; i < r->run.stage_count; i++) {
        if (r->run.stages[i].was_begun) {
            return true;
        }
    }
    return false;
}

/* What only a load can show. */
static void write_load(const struct result *r, FILE *out)
{
    write_leases(r, out);
    write_outage(r, out);
    text_failover(r, out);
    text_latencies(r, out);
    write_rates(r, out);
    text_servers(r, out);
    text_relays(r, out);
    text_agents(r, out);
    text_timeline(r, out);
}

int report_write_text(const struct result *r, FILE *out)
{
    errno = 0;
    write_verdict(r, out);
    write_judgements(r, out);
    write_findings(r, out);
    text_search(r, out);
    write_run(r, out);
    text_start_state(r, out);
    if (is_any_stage_begun(r)) {
        write_load(r, out);
    }
    text_observers(r, out);
    write_messages(r, out);
    write_unexpected(r, out);
    write_accounting(r, out);
    write_preflight(r, out);
    write_path(r, out);
    text_heading(out, "What this load equals at the production lease time");
    text_wrapped(out, "  ", r->compression[0] == '\0' ? "not known" : r->compression);
    if (r->housekeeping[0] != '\0') {
        text_heading(out, "Housekeeping of the servers");
        text_wrapped(out, "  ", r->housekeeping);
    }
    if (r->log_chain[0] != '\0') {
        (void)fprintf(out, "\nLog chain: %s\n", r->log_chain);
    }
    if (fflush(out) != 0 || ferror(out)) {
        return -(errno == 0 ? EIO : errno);
    }
    return 0;
}
