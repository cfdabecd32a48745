/* SPDX-License-Identifier: MIT */
#include "coordinator/report/text_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"

enum { GRAPH_COLUMNS = 60, SHARE_SLOTS = 11, RELAYS_SHOWN_MAX = 50 };

/* "4.51 (4.49 - 4.60)", "> give-up", "n too small". */
static const char *percentile_cell(const struct result_latency *l, unsigned i,
                                   char cell[TEXT_CELL_BYTES])
{
    char value[TEXT_CELL_BYTES], low[TEXT_CELL_BYTES], high[TEXT_CELL_BYTES];
    if (l->is_infinite[i]) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "> give-up");
    } else if (l->percentile_us[i] == RESULT_UNKNOWN) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%s", l->count == 0 ? "-" : "n too small");
    } else {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.12s (%.10s - %.10s)",
                       text_ms(l->percentile_us[i], value), text_ms(l->low_us[i], low),
                       l->high_us[i] == RESULT_UNKNOWN ? "give-up" : text_ms(l->high_us[i], high));
    }
    return cell;
}

static const char *const names[RESULT_PERCENTILES] = {"p50", "p90", "p99", "p99.9"};

/* Under the columns of a metric. */
static const char under[] = "                   ";

/* "p50 4.01, p90 ...", behind what `text` holds already. */
static void say_percentiles(const uint64_t us[RESULT_PERCENTILES], char *text, size_t size)
{
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        char cell[TEXT_CELL_BYTES];
        size_t at = strlen(text);
        (void)snprintf(text + at, size - at, "%s%s %s", i == 0 ? " " : ", ", names[i],
                       us[i] == RESULT_UNKNOWN ? "n too small" : text_ms(us[i], cell));
    }
}

/* Only where it differs from the left column. */
static void write_success(const struct result *r, enum latency_metric metric, FILE *out)
{
    const struct result_latency *all = &r->latency[LATENCY_INTENDED][metric];
    const struct result_latency *l = &r->latency_success[metric];
    char cell[TEXT_CELL_BYTES], text[RESULT_TEXT_BYTES];
    if (all->unfinished == 0) {
        return;
    }
    (void)snprintf(text, sizeof(text), "unanswered: %s; on the left they count as infinite",
                   text_count(all->unfinished, cell));
    text_wrapped(out, under, text);
    (void)snprintf(text, sizeof(text), "answered only: max %s,", text_ms(l->max_us, cell));
    say_percentiles(l->percentile_us, text, sizeof(text));
    text_wrapped(out, under, text);
}

static void write_paced(const struct result *r, enum latency_metric metric, FILE *out)
{
    char text[RESULT_TEXT_BYTES] = "at an even pace:";
    if (r->is_any_paced[metric]) {
        say_percentiles(r->paced_us[metric], text, sizeof(text));
        text_wrapped(out, under, text);
    }
}

static void write_tries(const struct result *r, enum latency_metric metric, FILE *out)
{
    const struct result_tries *t = &r->tries[metric];
    char cell[RESULT_TRIES + 1][TEXT_CELL_BYTES], text[RESULT_TEXT_BYTES];
    double percent = result_first_try_percent(t);
    if (!isfinite(percent)) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "sent once %s, twice %s, 3 times %s, more often %s, without an answer %s; "
                   "answered before the first retransmission: %.2f %%",
                   text_count(t->answered[0], cell[0]), text_count(t->answered[1], cell[1]),
                   text_count(t->answered[2], cell[2]), text_count(t->answered[3], cell[3]),
                   text_count(t->gave_up, cell[4]), percent);
    text_wrapped(out, under, text);
}

static void write_latency(const struct result *r, enum latency_metric metric, FILE *out)
{
    const struct result_latency *intended = &r->latency[LATENCY_INTENDED][metric];
    const struct result_latency *from_send = &r->latency[LATENCY_FROM_SEND][metric];
    if (intended->count == 0 && intended->unfinished == 0) {
        return;
    }
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES];
    (void)fprintf(out, "  %-16s n       %-30s %s\n", latency_metric_name(metric),
                  text_count(intended->count, a), text_count(from_send->count, b));
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        (void)fprintf(out, "  %-16s %-7s %-30s %s\n", "", names[i], percentile_cell(intended, i, a),
                      percentile_cell(from_send, i, b));
    }
    (void)fprintf(out, "  %-16s max     %-30s %s\n", "", text_ms(intended->max_us, a),
                  text_ms(from_send->max_us, b));
    (void)fprintf(out, "  %-16s mean    %-30s %s\n", "", text_ms(intended->mean_us, a),
                  text_ms(from_send->mean_us, b));
    write_success(r, metric, out);
    write_paced(r, metric, out);
    write_tries(r, metric, out);
}

void text_latencies(const struct result *r, FILE *out)
{
    bool is_any = false;
    for (int metric = LATENCY_DISCOVER_OFFER; metric <= LATENCY_INFORM; metric++) {
        const struct result_latency *l = &r->latency[LATENCY_INTENDED][metric];
        is_any = is_any || l->count > 0 || l->unfinished > 0;
    }
    text_heading(out, "Latencies in ms, with their 95 % interval");
    if (!is_any) {
        (void)fputs("  none measured\n", out);
        return;
    }
    (void)fprintf(out, "  %-24s %-30s %s\n", "", "from the intended instant", "from the send");
    for (int metric = LATENCY_DISCOVER_OFFER; metric <= LATENCY_INFORM; metric++) {
        write_latency(r, (enum latency_metric)metric, out);
    }
}

static const struct result_series *series_of(const struct result *r, const char *name)
{
    for (size_t i = 0; i < r->timeline.series_count; i++) {
        if (strcmp(r->timeline.series[i].name, name) == 0) {
            return &r->timeline.series[i];
        }
    }
    return NULL;
}

static double mean_between(const struct result_series *s, size_t begin, size_t end)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = begin; i < end; i++) {
        if (isfinite(s->values[i])) {
            sum += s->values[i];
            count++;
        }
    }
    return count == 0 ? NAN : sum / (double)count;
}

/* ACKs of a server between two points of the timeline. */
static double acks_between(const struct result *r, size_t server, size_t begin, size_t end)
{
    char name[PLAN_NAME_BYTES + 16];
    (void)snprintf(name, sizeof(name), "acks_%s", r->servers[server].name);
    const struct result_series *s = series_of(r, name);
    double sum = 0;
    for (size_t i = begin; s != NULL && i < end; i++) {
        sum += isfinite(s->values[i]) ? s->values[i] * r->timeline.interval_s : 0;
    }
    return sum;
}

struct share_slot {
    size_t begin, end;
    double acks; /* of all servers */
};

static void write_share_row(const struct result *r, size_t server, const struct share_slot *slots,
                            size_t count, FILE *out)
{
    enum { ACKS_MIN = 20 }; /* below, a share says nothing */
    (void)fprintf(out, "  %-16s", r->servers[server].name);
    for (size_t i = 0; i < count; i++) {
        if (slots[i].acks < ACKS_MIN) {
            (void)fprintf(out, " %6s", "-");
            continue;
        }
        double own = acks_between(r, server, slots[i].begin, slots[i].end);
        (void)fprintf(out, " %6.0f", 100 * own / slots[i].acks);
    }
    (void)fputc('\n', out);
}

/* Who answered when: the picture of a failover. */
static void write_shares(const struct result *r, FILE *out)
{
    struct share_slot slots[SHARE_SLOTS];
    size_t count = r->timeline.count < SHARE_SLOTS ? r->timeline.count : SHARE_SLOTS;
    if (r->server_count < 2 || count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        slots[i] = (struct share_slot){.begin = i * r->timeline.count / count,
                                       .end = (i + 1) * r->timeline.count / count};
        for (size_t k = 0; k < r->server_count; k++) {
            slots[i].acks += acks_between(r, k, slots[i].begin, slots[i].end);
        }
    }
    double slot_s = (double)r->timeline.count * r->timeline.interval_s / (double)count;
    (void)fprintf(out, "  share of the ACKs in %% over time, %.1f s each, from the start:\n",
                  slot_s);
    for (size_t i = 0; i < r->server_count; i++) {
        write_share_row(r, i, slots, count, out);
    }
    (void)fprintf(out, "  %-16s", "ACKs of all");
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, " %6.0f", slots[i].acks);
    }
    (void)fputc('\n', out);
}

void text_servers(const struct result *r, FILE *out)
{
    text_heading(out, "Servers (share: of the exchanges answered with ACK)");
    (void)fprintf(out, "  %-16s %-15s %12s %12s %12s %9s\n", "name", "server id", "offers", "acks",
                  "naks", "share");
    for (size_t i = 0; i < r->server_count; i++) {
        const struct result_server *s = &r->servers[i];
        bool known = r->messages.is_known;
        char id[IPV4_TEXT_BYTES], a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES],
            share[TEXT_CELL_BYTES];
        (void)fprintf(
            out, "  %-16s %-15s %12s %12s %12s %7s %%\n", s->name, inet_text(s->server_id, id),
            text_count(known ? s->offers : RESULT_UNKNOWN, a),
            text_count(known ? s->acks : RESULT_UNKNOWN, b),
            text_count(known ? s->naks : RESULT_UNKNOWN, c), text_number(s->share_percent, share));
    }
    write_shares(r, out);
}

void text_relays(const struct result *r, FILE *out)
{
    text_heading(out, "Relays");
    (void)fprintf(out, "  %-16s %-15s %-10s %8s %9s %9s %8s %8s %7s\n", "name", "giaddr", "agent",
                  "clients", "acquired", "renewed", "rebound", "expired", "failed");
    for (size_t i = 0; i < r->relay_count && i < RELAYS_SHOWN_MAX; i++) {
        const struct result_relay *relay = &r->relays[i];
        char giaddr[IPV4_TEXT_BYTES], a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], c[TEXT_CELL_BYTES],
            d[TEXT_CELL_BYTES], e[TEXT_CELL_BYTES], f[TEXT_CELL_BYTES];
        (void)fprintf(out, "  %-16s %-15s %-10s %8s %9s %9s %8s %8s %7s\n", relay->name,
                      inet_text(relay->giaddr, giaddr),
                      relay->agent[0] == '\0' ? "-" : relay->agent, text_count(relay->clients, a),
                      text_count(relay->acquired, b), text_count(relay->renewed, c),
                      text_count(relay->rebound, d), text_count(relay->expired, e),
                      text_count(relay->failed, f));
    }
    if (r->relay_count > RELAYS_SHOWN_MAX) {
        (void)fprintf(out, "  ... and %zu more, see report.json\n",
                      r->relay_count - RELAYS_SHOWN_MAX);
    }
}

/* What a table of figures would hide: who could not send, who went on elsewhere. */
static void write_absences(const struct result *r, FILE *out)
{
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct result_agent *a = &r->agents[i];
        char cell[2][TEXT_CELL_BYTES];
        if (a->clients_moved > 0) {
            (void)fprintf(out, "  %s was lost: %s clients went on at other agents\n", a->name,
                          text_count(a->clients_moved, cell[0]));
        }
        if (a->clients_taken > 0) {
            (void)fprintf(out, "  %s: %s of its clients were a lost agent's\n", a->name,
                          text_count(a->clients_taken, cell[0]));
        }
        if (a->pauses > 0) {
            (void)fprintf(out, "  %s paused %s times, %.1f s in all: it had no run lease\n",
                          a->name, text_count(a->pauses, cell[0]), a->paused_s);
        }
        if (a->alone_s > 0) {
            (void)fprintf(out, "  %s only kept its leases for %.1f s, without the coordinator\n",
                          a->name, a->alone_s);
        }
    }
}

static const char *text_mib(uint64_t bytes, char cell[TEXT_CELL_BYTES])
{
    return text_number(bytes == RESULT_UNKNOWN ? NAN : (double)bytes / (1024.0 * 1024.0), cell);
}

/* Whether they were the limit. */
static void write_self(const struct result *r, FILE *out)
{
    (void)fprintf(out,
                  "\n  Of themselves (cpu: of a lane's, without spinning; peak: of its busiest "
                  "second; waited: for\n  a CPU; away: longest time without a look at the sockets; "
                  "host drops: of any program)\n");
    (void)fprintf(out, "  %-10s %5s %6s %6s %6s %8s %8s %8s %10s %10s\n", "name", "lanes", "cpu %",
                  "peak %", "spin %", "waited s", "switches", "away ms", "buffer MiB",
                  "host drops");
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct result_self *s = &r->agents[i].self;
        uint64_t hide = s->is_known ? 0 : RESULT_UNKNOWN; /* all bits set */
        char cell[9][TEXT_CELL_BYTES];
        (void)fprintf(out, "  %-10s %5s %6s %6s %6s %8s %8s %8s %10s %10s\n", r->agents[i].name,
                      text_count(s->lanes | hide, cell[0]), text_number(s->cpu_percent, cell[1]),
                      text_number(s->cpu_peak_percent, cell[2]),
                      text_number(s->spin_percent, cell[3]), text_number(s->waited_s, cell[4]),
                      text_count(s->switches | hide, cell[5]),
                      text_number(1000 * s->absence_s, cell[6]),
                      text_mib(s->rx_buffer_bytes, cell[7]), text_count(s->rcvbuf_errors, cell[8]));
    }
}

void text_agents(const struct result *r, FILE *out)
{
    text_heading(out,
                 "Agents (lag: p99 of how late packets left; lateness: of stage starts;\n"
                 "clock: how wrong the times of its events can be; ppm: how much faster its "
                 "clock runs\nthan the coordinator's, and so much higher are the rates it offers)");
    (void)fprintf(out, "  %-10s %8s %10s %10s %6s %6s %6s %7s %9s %6s %5s\n", "name", "clients",
                  "sent", "received", "errors", "drops", "lag ms", "late ms", "clock+-ms", "ppm",
                  "cpu %");
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct result_agent *a = &r->agents[i];
        uint64_t hide = a->has_snapshot ? 0 : RESULT_UNKNOWN; /* all bits set */
        char cell[10][TEXT_CELL_BYTES];
        (void)fprintf(out, "  %-10s %8s %10s %10s %6s %6s %6s %7s %9s %6s %5s%s\n", a->name,
                      text_count(a->clients, cell[0]), text_count(a->sent | hide, cell[1]),
                      text_count(a->received | hide, cell[2]),
                      text_count(a->send_errors | hide, cell[3]),
                      text_count(a->rx_drops | hide, cell[4]), text_ms(a->send_lag_us, cell[5]),
                      text_ms(a->start_lateness_us, cell[6]),
                      text_ms(a->has_clock ? a->clock_uncertainty_us : RESULT_UNKNOWN, cell[7]),
                      text_number(a->clock_rate_ppm, cell[9]), text_number(a->cpu_percent, cell[8]),
                      a->is_lost ? " LOST" : "");
    }
    if (r->run.is_spin_off) {
        (void)fputs("  limits.spin is off: packets left, and answers that a REQUEST follows were "
                    "taken, up to 0.25 ms\n  late; acquisitions seem longer by as much\n",
                    out);
    }
    write_self(r, out);
    write_absences(r, out);
}

static void write_graph(const struct result *r, const struct result_series *s, FILE *out)
{
    static const char levels[] = "_.:-=+*#%@";
    size_t columns = r->timeline.count < GRAPH_COLUMNS ? r->timeline.count : GRAPH_COLUMNS;
    char line[GRAPH_COLUMNS + 1];
    double peak = 0;
    for (size_t i = 0; i < r->timeline.count; i++) {
        peak = isfinite(s->values[i]) ? fmax(peak, s->values[i]) : peak;
    }
    for (size_t i = 0; i < columns; i++) {
        double mean =
            mean_between(s, i * r->timeline.count / columns, (i + 1) * r->timeline.count / columns);
        size_t level = 0;
        if (isfinite(mean) && peak > 0 && mean > 0) {
            level = 1 + (size_t)(mean / peak * (double)(sizeof(levels) - 3));
            level = level > sizeof(levels) - 2 ? sizeof(levels) - 2 : level;
        }
        line[i] = isfinite(mean) ? levels[level] : ' ';
    }
    line[columns] = '\0';
    (void)fprintf(out, "  %-16s |%-*s| max %.0f %s\n", s->name, GRAPH_COLUMNS, line, peak, s->unit);
}

enum { EVENTS_NUMBERED = 9 };

/* The scenario's events under the graphs, numbered as in the list that follows. */
static void write_event_row(const struct result *r, FILE *out)
{
    size_t columns = r->timeline.count < GRAPH_COLUMNS ? r->timeline.count : GRAPH_COLUMNS;
    double width_s = (double)r->timeline.count * r->timeline.interval_s / (double)columns;
    char line[GRAPH_COLUMNS + 1];
    unsigned number = 0;
    memset(line, ' ', sizeof(line) - 1);
    line[columns] = '\0';
    for (size_t i = 0; i < r->timeline.mark_count; i++) {
        const struct result_mark *m = &r->timeline.marks[i];
        if (m->kind != MARK_EVENT || ++number > EVENTS_NUMBERED || m->at_s < 0) {
            continue;
        }
        size_t at = (size_t)(m->at_s / width_s);
        line[at < columns ? at : columns - 1] = (char)('0' + number);
    }
    if (number > 0) {
        (void)fprintf(out, "  %-16s |%-*s|\n", "events", GRAPH_COLUMNS, line);
    }
}

static void write_marks(const struct result *r, FILE *out)
{
    unsigned number = 0;
    for (size_t i = 0; i < r->timeline.mark_count; i++) {
        const struct result_mark *m = &r->timeline.marks[i];
        char label[16] = "";
        if (m->kind == MARK_EVENT && ++number <= EVENTS_NUMBERED) {
            (void)snprintf(label, sizeof(label), "event %u, ", number);
        }
        (void)fprintf(out, "  %.1f s: %s%s\n", m->at_s, label, m->text);
    }
}

void text_timeline(const struct result *r, FILE *out)
{
    static const char *const shown[] = {
        "bound",         "acquired",       "renewed",          "retried", "rebound",
        "renew_started", "renew_forecast", "acks_short_lease", "expired", "failed",
        "nak",           "sent",           "received"};
    if (r->timeline.count == 0) {
        return;
    }
    char title[96];
    (void)snprintf(title, sizeof(title), "Over time (0 - %.0f s; the height is relative to max)",
                   (double)r->timeline.count * r->timeline.interval_s);
    text_heading(out, title);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        const struct result_series *s = series_of(r, shown[i]);
        if (s != NULL) {
            write_graph(r, s, out);
        }
    }
    write_event_row(r, out);
    write_marks(r, out);
}
