/* SPDX-License-Identifier: MIT */
/* Facts from what observers saw; for a server without one each says so. */
#include <math.h>
#include <string.h>

#include "coordinator/truth/facts.h"
#include "coordinator/truth/observers.h"

enum { BUSY_S = 5, LOOKS_MAX = 4096, SAMPLES_MIN = 50, NAT_PORTS = 511 };

/* One observed server: `from_s`, `until_s` are the load, `first_s`, `last_s` all frames. */
struct view {
    const struct observers *observers;
    size_t server;
    double from_s, until_s, first_s, last_s;
    struct facts *facts;
};

static enum fact_state state_of(enum availability a)
{
    switch (a) {
    case AVAILABLE_OK:
        return FACT_KNOWN;
    case AVAILABLE_NO_PERMISSION:
        return FACT_NO_PERMISSION;
    case AVAILABLE_NO_KERNEL:
        return FACT_NO_KERNEL;
    case AVAILABLE_NOT_APPLICABLE:
    case AVAILABLE_COUNT:
        break;
    }
    return FACT_NOT_APPLICABLE;
}

static void put(const struct view *v, enum fact_id id, enum availability a, double value)
{
    if (a == AVAILABLE_OK) {
        facts_set_of(v->facts, v->server, id, value);
    } else {
        facts_lack_of(v->facts, v->server, id, state_of(a));
    }
}

static enum availability grown(const struct view *v, enum observer_metric m, double *out)
{
    return observers_delta(v->observers, v->server, m, v->first_s, v->last_s, out);
}

/* Over all frames: what can be compared with packets of the whole run. */
static void put_growth(const struct view *v, enum fact_id id, enum observer_metric m)
{
    double value = 0;
    enum availability a = grown(v, m, &value);
    put(v, id, a, value);
}

static void put_most(const struct view *v, enum fact_id id, enum observer_metric m)
{
    double value = 0;
    enum availability a = observers_max(v->observers, v->server, m, v->first_s, v->last_s, &value);
    put(v, id, a, value);
}

/* A counter of `whole` over the window: samples; OBSERVER_METRIC_COUNT: microseconds of it. */
static enum availability share(const struct view *v, enum observer_metric part,
                               enum observer_metric whole, double from_s, double until_s,
                               double *out_percent)
{
    double some = 0, all = (until_s - from_s) * 1e6, least = 1;
    enum availability a = observers_delta(v->observers, v->server, part, from_s, until_s, &some);
    if (a == AVAILABLE_OK && whole != OBSERVER_METRIC_COUNT) {
        a = observers_delta(v->observers, v->server, whole, from_s, until_s, &all);
        least = SAMPLES_MIN;
    }
    if (a != AVAILABLE_OK) {
        return a;
    }
    *out_percent = all < least ? NAN : fmin(100 * some / all, 100);
    return AVAILABLE_OK;
}

/* The largest (or least) share in any five seconds of the load; the whole of it if shorter. */
static void put_busiest(const struct view *v, enum fact_id id, enum observer_metric part,
                        enum observer_metric whole, bool is_least)
{
    double extreme = NAN, step_s = fmax(1, (v->until_s - v->from_s) / LOOKS_MAX);
    double width_s = fmin(BUSY_S, v->until_s - v->from_s);
    enum availability a = AVAILABLE_NOT_APPLICABLE;
    for (double at_s = v->from_s; at_s + width_s <= v->until_s + 1e-9; at_s += step_s) {
        double percent = NAN;
        a = share(v, part, whole, at_s, at_s + width_s, &percent);
        if (a == AVAILABLE_OK) {
            extreme = is_least ? fmin(extreme, percent) : fmax(extreme, percent);
        }
    }
    put(v, id, isfinite(extreme) ? AVAILABLE_OK : a, extreme);
}

/* NAN where the divisor is 0. */
static void put_ratio(const struct view *v, enum fact_id id, enum observer_metric over,
                      enum observer_metric under, double factor)
{
    double a = 0, b = 0;
    enum availability first = grown(v, over, &a), second = grown(v, under, &b);
    put(v, id, first != AVAILABLE_OK ? first : second, b > 0 ? factor * a / b : NAN);
}

static void put_per_ack(const struct view *v, enum fact_id id, enum observer_metric m)
{
    struct fact acks = facts_get(v->facts, FACT_acks, v->server);
    double value = 0;
    enum availability a = grown(v, m, &value);
    put(v, id, a, acks.state == FACT_KNOWN && acks.value > 0 ? value / acks.value : NAN);
}

static void put_sends(const struct view *v)
{
    put_growth(v, FACT_ip_out_discards, OBSERVER_ip_out_discards);
    put_growth(v, FACT_ip_out_no_routes, OBSERVER_ip_out_no_routes);
    put_growth(v, FACT_ct_insert_failed, OBSERVER_ct_insert_failed);
    put_growth(v, FACT_ct_early_drop, OBSERVER_ct_early_drop);
    double entries = 0, most = 0, timeout_s = 0;
    enum availability a = observers_max(v->observers, v->server, OBSERVER_ct_entries, v->first_s,
                                        v->last_s, &entries);
    enum availability b =
        observers_last(v->observers, v->server, OBSERVER_ct_max, v->first_s, v->last_s, &most);
    put(v, FACT_ct_fill, a != AVAILABLE_OK ? a : b, most > 0 ? 100 * entries / most : NAN);
    a = observers_last(v->observers, v->server, OBSERVER_ct_udp_timeout, v->first_s, v->last_s,
                       &timeout_s);
    put(v, FACT_ct_udp_timeout, a, timeout_s);
    put(v, FACT_nat_ceiling, a, timeout_s > 0 ? NAT_PORTS / timeout_s : NAN);
    put_most(v, FACT_ct_low_ports, OBSERVER_ct_dhcp_low_ports);
    put_most(v, FACT_fw_nat_output, OBSERVER_fw_nat_output);
    put_most(v, FACT_fw_notrack_output, OBSERVER_fw_notrack_output);
    put_most(v, FACT_fw_drop_output, OBSERVER_fw_drop_output);
}

static void put_wanted(const struct view *v)
{
    struct fact ran = facts_get(v->facts, FACT_cpu_busiest, v->server);
    struct fact waited = facts_get(v->facts, FACT_runqueue_busiest, v->server);
    if (ran.state == FACT_KNOWN && waited.state == FACT_KNOWN) {
        facts_set_of(v->facts, v->server, FACT_cpu_wanted, ran.value + waited.value);
    } else {
        facts_lack_of(v->facts, v->server, FACT_cpu_wanted,
                      ran.state != FACT_KNOWN ? (enum fact_state)ran.state
                                              : (enum fact_state)waited.state);
    }
}

static void put_time(const struct view *v)
{
    double percent = NAN;
    enum availability a =
        share(v, OBSERVER_wait_fsync, OBSERVER_wait_samples, v->from_s, v->until_s, &percent);
    put(v, FACT_fsync_share, a, percent);
    put_busiest(v, FACT_fsync_busiest, OBSERVER_wait_fsync, OBSERVER_wait_samples, false);
    put_busiest(v, FACT_disk_wait_busiest, OBSERVER_state_disk, OBSERVER_state_samples, false);
    put_busiest(v, FACT_poll_busiest, OBSERVER_wait_poll, OBSERVER_wait_samples, true);
    put_busiest(v, FACT_cpu_busiest, OBSERVER_cpu_busiest_thread, OBSERVER_METRIC_COUNT, false);
    put_busiest(v, FACT_runqueue_busiest, OBSERVER_runqueue_wait_busiest, OBSERVER_METRIC_COUNT,
                false);
    put_wanted(v);
    put_ratio(v, FACT_flush_mean, OBSERVER_disk_flush_time, OBSERVER_disk_flushes, 1e-3);
    put_ratio(v, FACT_fsync_mean, OBSERVER_bpf_fsync_time, OBSERVER_bpf_fsyncs, 1e-3);
    put_ratio(v, FACT_queue_wait_mean, OBSERVER_bpf_queue_wait, OBSERVER_bpf_messages_read, 1e-3);
    put_per_ack(v, FACT_flushes_per_ack, OBSERVER_disk_flushes);
    put_per_ack(v, FACT_commits_per_ack, OBSERVER_lease_commits);
    put_per_ack(v, FACT_fsyncs_per_ack, OBSERVER_bpf_fsyncs);
}

/*
 * dhcpd, and Kea in its usual mode, read from a packet socket; what their UDP socket drops is then
 * nobody's loss.
 */
static void put_sockets(const struct view *v)
{
    double drops = 0, room = 0;
    enum availability a = grown(v, OBSERVER_packet_socket_drops, &drops);
    enum observer_metric buffer = OBSERVER_packet_socket_buffer;
    if (a == AVAILABLE_NOT_APPLICABLE) {
        a = grown(v, OBSERVER_udp67_drops, &drops);
        buffer = OBSERVER_udp67_buffer;
    }
    put(v, FACT_socket_drops, a, drops);
    a = observers_last(v->observers, v->server, buffer, v->first_s, v->last_s, &room);
    put(v, FACT_socket_buffer, a, room);
}

/* Both together; unavailable only when both are. */
static void put_sum(const struct view *v, enum fact_id id, enum observer_metric first,
                    enum observer_metric second)
{
    double a = 0, b = 0;
    enum availability of_first = grown(v, first, &a), of_second = grown(v, second, &b);
    a = of_first == AVAILABLE_OK ? a : 0;
    b = of_second == AVAILABLE_OK ? b : 0;
    bool is_any = of_first == AVAILABLE_OK || of_second == AVAILABLE_OK;
    put(v, id, is_any ? AVAILABLE_OK : of_first, a + b);
}

/* The first where it is to be had; it is the better figure. */
static void put_either(const struct view *v, enum fact_id id, enum observer_metric first,
                       enum observer_metric second)
{
    double value = 0;
    enum availability a = grown(v, first, &value);
    if (a != AVAILABLE_OK) {
        a = grown(v, second, &value);
    }
    put(v, id, a, value);
}

static enum availability since_load(const struct view *v, enum observer_metric m, double *out)
{
    return observers_delta(v->observers, v->server, m, v->from_s, v->last_s, out);
}

/*
 * ACKs that left the server and did not arrive; where it was watched from the beginning.
 * Preflight's are in the server's log and not among those that arrived: both count from the load
 * on.
 */
static void put_missing(const struct view *v)
{
    double logged = 0, counted = 0, refused = 0;
    put_either(v, FACT_server_acks, OBSERVER_kea_acks, OBSERVER_log_acks);
    bool is_logged = since_load(v, OBSERVER_log_acks, &logged) == AVAILABLE_OK;
    bool is_counted = since_load(v, OBSERVER_kea_acks, &counted) == AVAILABLE_OK;
    bool is_refused = since_load(v, OBSERVER_ip_out_discards, &refused) == AVAILABLE_OK;
    struct fact told = facts_get(v->facts, FACT_server_acks, v->server);
    struct fact arrived = facts_get(v->facts, FACT_ack_packets, v->server);
    bool is_known = (is_logged || is_counted) && is_refused && arrived.state == FACT_KNOWN &&
                    v->first_s <= v->from_s;
    if (is_known) {
        facts_set_of(v->facts, v->server, FACT_replies_missing,
                     fmax(0, (is_counted ? counted : logged) - refused - arrived.value));
    } else {
        facts_lack_of(v->facts, v->server, FACT_replies_missing,
                      told.state != FACT_KNOWN ? (enum fact_state)told.state : FACT_NO_DATA);
    }
}

static void put_pool(const struct view *v)
{
    put_most(v, FACT_pool_total, OBSERVER_pool_total);
    double least = NAN, step_s = fmax(1, (v->last_s - v->first_s) / LOOKS_MAX);
    enum availability a = AVAILABLE_NOT_APPLICABLE;
    for (double at_s = v->first_s; at_s <= v->last_s; at_s += step_s) {
        double value = NAN;
        a = observers_last(v->observers, v->server, OBSERVER_pool_free, at_s, at_s + step_s,
                           &value);
        least = a == AVAILABLE_OK ? fmin(least, value) : least;
    }
    put(v, FACT_pool_free_least, isfinite(least) ? AVAILABLE_OK : a, least);
}

static void put_server(const struct view *v)
{
    put_growth(v, FACT_log_send_refused, OBSERVER_log_send_refused);
    put_sum(v, FACT_log_no_free, OBSERVER_log_no_free_leases, OBSERVER_kea_allocation_failures);
    put_growth(v, FACT_log_peer_holds, OBSERVER_log_peer_holds);
    put_growth(v, FACT_log_abandoned, OBSERVER_log_abandoned);
    put_growth(v, FACT_log_load_balanced, OBSERVER_log_load_balanced);
    put_growth(v, FACT_echo_replies_in, OBSERVER_icmp_in_echo_replies);
    put_missing(v);
    put_pool(v);
}

static void put_notes(const struct view *v)
{
    static const struct {
        enum word_id word;
        enum observer_note_kind note;
    } rows[] = {{WORD_nat_rule, NOTE_NAT_RULE},          {WORD_notrack_rule, NOTE_NOTRACK_RULE},
                {WORD_drop_rule, NOTE_DROP_RULE},        {WORD_refused_line, NOTE_LAST_REFUSED},
                {WORD_starved_line, NOTE_LAST_STARVED},  {WORD_lease_file, NOTE_LEASE_FILE},
                {WORD_configuration, NOTE_CONFIGURATION}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        facts_say_of(v->facts, v->server, rows[i].word, "%s",
                     observers_note(v->observers, v->server, rows[i].note));
    }
}

static void lack_all(struct facts *f, size_t server)
{
#define X(name, unit, help) facts_lack_of(f, server, FACT_##name, FACT_NO_OBSERVER);
    FACTS_SERVER_OBSERVED(X)
#undef X
}

void facts_gather_observers(const struct observers *o, double from_s, double until_s,
                            struct facts *out)
{
    for (size_t i = 0; i < out->server_count; i++) {
        struct view v = {.observers = o, .server = i, .facts = out};
        if (o == NULL || !observers_has(o, i) || !observers_span(o, i, &v.first_s, &v.last_s)) {
            lack_all(out, i);
            continue;
        }
        v.from_s = isfinite(from_s) ? fmax(from_s, v.first_s) : v.first_s;
        v.until_s = isfinite(until_s) ? fmin(until_s, v.last_s) : v.last_s;
        facts_set_of(out, i, FACT_observed, v.last_s - v.first_s);
        put_sends(&v);
        put_time(&v);
        put_sockets(&v);
        put_server(&v);
        put_notes(&v);
    }
}
