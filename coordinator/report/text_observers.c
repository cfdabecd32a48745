/* SPDX-License-Identifier: MIT */
/* The observers' section of report.txt: what each server did meanwhile, and the failover band. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/report/text_parts.h"

enum { BAND_COLUMNS = 60 };

enum row_kind {
    ROW_CPU,   /* of one CPU: time over the time observed */
    ROW_SHARE, /* of `of` */
    ROW_MEAN,  /* per `of`, in ms */
    ROW_GROWTH,
    ROW_PEAK /* of a gauge, with its last value */
};

/* What a reader looks at first; everything is in report.json. Counters that stood still are not
 * shown but for the first rows, whose 0 is news. */
static const struct row {
    const char *label;
    enum row_kind kind;
    enum observer_metric m, of;
    bool is_shown_at_0;
} rows[] = {
    {"CPU, user mode", ROW_CPU, OBSERVER_cpu_user, 0, true},
    {"CPU, in the kernel", ROW_CPU, OBSERVER_cpu_system, 0, true},
    {"CPU, busiest thread", ROW_CPU, OBSERVER_cpu_busiest_thread, 0, true},
    {"waited for a CPU", ROW_CPU, OBSERVER_runqueue_wait, 0, true},
    {"in fsync", ROW_SHARE, OBSERVER_wait_fsync, OBSERVER_wait_samples, true},
    {"in write", ROW_SHARE, OBSERVER_wait_write, OBSERVER_wait_samples, false},
    {"in send", ROW_SHARE, OBSERVER_wait_send, OBSERVER_wait_samples, false},
    {"idle, in poll", ROW_SHARE, OBSERVER_wait_poll, OBSERVER_wait_samples, true},
    {"disk busy", ROW_CPU, OBSERVER_disk_busy, 0, false},
    {"a disk flush", ROW_MEAN, OBSERVER_disk_flush_time, OBSERVER_disk_flushes, false},
    {"an fsync", ROW_MEAN, OBSERVER_bpf_fsync_time, OBSERVER_bpf_fsyncs, false},
    {"a request waited", ROW_MEAN, OBSERVER_bpf_queue_wait, OBSERVER_bpf_messages_read, false},
    {"an answer took", ROW_MEAN, OBSERVER_bpf_service, OBSERVER_bpf_answers, false},
    {"waiting in packet sockets, bytes", ROW_PEAK, OBSERVER_packet_socket_queue, 0, false},
    {"waiting in UDP port 67, bytes", ROW_PEAK, OBSERVER_udp67_queue, 0, false},
    {"dropped by packet sockets", ROW_GROWTH, OBSERVER_packet_socket_drops, 0, false},
    {"dropped by UDP port 67", ROW_GROWTH, OBSERVER_udp67_drops, 0, false},
    {"dropped by interfaces", ROW_GROWTH, OBSERVER_link_drops, 0, false},
    {"sends the kernel refused", ROW_GROWTH, OBSERVER_ip_out_discards, 0, false},
    {"conntrack could not insert", ROW_GROWTH, OBSERVER_ct_insert_failed, 0, false},
    {"conntrack entries", ROW_PEAK, OBSERVER_ct_entries, 0, false},
    {"source ports below 512 in use", ROW_PEAK, OBSERVER_ct_dhcp_low_ports, 0, false},
    {"lease file commits", ROW_GROWTH, OBSERVER_lease_commits, 0, false},
    {"log: ACKs", ROW_GROWTH, OBSERVER_log_acks, 0, false},
    {"log: NAKs", ROW_GROWTH, OBSERVER_log_naks, 0, false},
    {"log: sends refused", ROW_GROWTH, OBSERVER_log_send_refused, 0, false},
    {"log: no free leases", ROW_GROWTH, OBSERVER_log_no_free_leases, 0, false},
    {"log: partner holds all free", ROW_GROWTH, OBSERVER_log_peer_holds, 0, false},
    {"log: abandoned", ROW_GROWTH, OBSERVER_log_abandoned, 0, false},
    {"log: other errors", ROW_GROWTH, OBSERVER_log_other_errors, 0, false},
    {"Kea: allocations failed", ROW_GROWTH, OBSERVER_kea_allocation_failures, 0, false},
    {"free addresses", ROW_PEAK, OBSERVER_pool_free, 0, true},
    {"free addresses of its partner", ROW_PEAK, OBSERVER_pool_backup, 0, true},
};

static void write_row(const struct result_observer *o, const struct row *row, FILE *out)
{
    const struct result_observer_metric *m = &o->metric[row->m], *of = &o->metric[row->of];
    double growth = row->kind == ROW_PEAK ? m->max : m->difference;
    char cell[2][TEXT_CELL_BYTES], text[2 * TEXT_CELL_BYTES + 16];
    if (!isfinite(growth) || (growth <= 0 && !row->is_shown_at_0)) {
        return;
    }
    if (row->kind == ROW_CPU) {
        (void)snprintf(text, sizeof(text), "%.1f %%", growth / (o->last_s - o->first_s) / 1e4);
    } else if (row->kind == ROW_GROWTH) {
        (void)snprintf(text, sizeof(text), "%s", text_count((uint64_t)growth, cell[0]));
    } else if (row->kind == ROW_PEAK) {
        (void)snprintf(text, sizeof(text), "%s at most, %s at last",
                       text_count((uint64_t)growth, cell[0]),
                       text_count((uint64_t)m->last, cell[1]));
    } else if (!(of->difference > 0)) {
        return;
    } else if (row->kind == ROW_SHARE) {
        (void)snprintf(text, sizeof(text), "%.1f %% of %s looks", 100 * growth / of->difference,
                       text_count((uint64_t)of->difference, cell[0]));
    } else {
        (void)snprintf(text, sizeof(text), "%.3f ms, of %s", growth / of->difference / 1e3,
                       text_count((uint64_t)of->difference, cell[0]));
    }
    (void)fprintf(out, "    %-34s %s\n", row->label, text);
}

/* Names of the metrics that something stands in the way of. */
static void write_lacks(const struct result_observer *o, enum availability why, FILE *out)
{
    static const char kernel_program[] = "bpf_"; /* dozens, and all or none of them */
    char names[OBSERVER_METRIC_COUNT * 32], first[48];
    size_t at = 0, of_program = 0;
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        const char *name = observer_metric_name((enum observer_metric)m);
        if (o->metric[m].availability != why) {
            continue;
        }
        if (strncmp(name, kernel_program, strlen(kernel_program)) == 0) {
            of_program++;
            continue;
        }
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at == 0 ? "" : " ", name);
    }
    if (of_program > 0) {
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s* (%zu)", at == 0 ? "" : " ",
                               kernel_program, of_program);
    }
    if (at > 0) {
        (void)snprintf(first, sizeof(first), "    not to be had (%s): ", availability_name(why));
        text_wrapped(out, first, names);
    }
}

/* --- the band --- */

static char letter_of(const struct result_failover_span *s)
{
    if (!s->is_running) {
        return 'x';
    }
    if (!s->is_own_known) {
        return ' ';
    }
    switch ((int)s->own) {
    case FAILOVER_NORMAL:
    case FAILOVER_LOAD_BALANCING:
    case FAILOVER_HOT_STANDBY:
    case FAILOVER_PASSIVE_BACKUP:
    case FAILOVER_BACKUP:
        return '=';
    case FAILOVER_COMMUNICATIONS_INTERRUPTED:
    case FAILOVER_COMMUNICATION_RECOVERY:
        return 'c';
    case FAILOVER_PARTNER_DOWN:
        return 'P';
    case FAILOVER_POTENTIAL_CONFLICT:
    case FAILOVER_CONFLICT_DONE:
    case FAILOVER_RESOLUTION_INTERRUPTED:
    case FAILOVER_TERMINATED:
        return '!';
    case FAILOVER_UNKNOWN:
        return '?';
    default:
        return 'r';
    }
}

/* A span that is shorter than a column is still seen: later spans are drawn over earlier ones. */
static void write_band_line(const struct result_observer *o, double until_s, FILE *out)
{
    char line[BAND_COLUMNS + 1];
    memset(line, ' ', BAND_COLUMNS);
    line[BAND_COLUMNS] = '\0';
    for (size_t i = 0; i < o->band_count; i++) {
        const struct result_failover_span *s = &o->band[i];
        double from = fmax(s->from_s, 0) / until_s * BAND_COLUMNS;
        double until = s->until_s / until_s * BAND_COLUMNS;
        for (size_t c = (size_t)from; until >= 0 && c < BAND_COLUMNS && (double)c <= until; c++) {
            line[c] = letter_of(s);
        }
    }
    (void)fprintf(out, "    |%s| 0 - %.0f s\n", line, until_s);
}

static void write_band(const struct result *r, const struct result_observer *o, FILE *out)
{
    bool is_any = false;
    for (size_t i = 0; i < o->band_count; i++) {
        is_any = is_any || o->band[i].is_own_known || !o->band[i].is_running;
    }
    double until_s = (double)r->timeline.count * r->timeline.interval_s;
    if (!is_any) {
        return;
    }
    (void)fputs("    failover, on the time axis of the run:\n", out);
    if (until_s > 0) {
        write_band_line(o, until_s, out);
    }
    for (size_t i = 0; i < o->band_count; i++) {
        const struct result_failover_span *s = &o->band[i];
        const char *own = s->is_own_known ? failover_state_name(s->own) : "not known";
        (void)fprintf(out, "    %.1f s to %.1f s: %s", s->from_s, s->until_s,
                      s->is_running ? own : "not running");
        (void)fprintf(out, s->is_partner_known ? ", its partner %s\n" : "\n",
                      failover_state_name(s->partner));
    }
    if (o->band_left_out > 0) {
        (void)fputs("    ... and more changes than are kept\n", out);
    }
}

static void write_one(const struct result *r, const struct result_observer *o, FILE *out)
{
    char cell[TEXT_CELL_BYTES], cpu[TEXT_CELL_BYTES];
    (void)fprintf(out, "  %s: %s on host %s, %s%s%s\n", o->name, o->program, o->host,
                  o->server[0] == '\0' ? "no server of this scenario" : "server ", o->server,
                  o->is_lost ? ", LOST" : "");
    if (o->frames == 0) {
        (void)fputs("    it sent no figures that could be dated\n", out);
        return;
    }
    (void)fprintf(out,
                  "    seconds %.1f to %.1f, dated within %s ms; it used %s %% of a CPU itself\n",
                  o->first_s, o->last_s, text_ms(o->clock_uncertainty_us, cell),
                  text_number(o->self_cpu_percent, cpu));
    if (o->restarts > 0) {
        (void)fprintf(out, "    restarts of its server: %s\n", text_count(o->restarts, cell));
    }
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        char first[32];
        (void)snprintf(first, sizeof(first),
                       "    %s: ", observer_note_name((enum observer_note_kind)k));
        if (o->note[k][0] != '\0') {
            text_wrapped(out, first, o->note[k]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_row(o, &rows[i], out);
    }
    write_lacks(o, AVAILABLE_NO_PERMISSION, out);
    write_lacks(o, AVAILABLE_NO_KERNEL, out);
    write_band(r, o, out);
}

void text_observers(const struct result *r, FILE *out)
{
    if (r->observer_count == 0) {
        return;
    }
    text_heading(out, "Servers as seen from their own hosts (bands: = at work with its partner,\n"
                      "c no contact, P partner down, r coming back, ! conflict, x not running)");
    for (size_t i = 0; i < r->observer_count; i++) {
        write_one(r, &r->observers[i], out);
    }
}
