/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/forecast.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/plan/forecast_search.h"
#include "coordinator/truth/judge.h"

#define SPAN_NS_MAX (UINT64_C(30) * 86400 * NS_PER_S)
/* Beyond the time the work takes: canaries, retransmissions, slow starts. */
#define GRACE_NS      (300 * NS_PER_S)
#define HOLD_GRACE_NS (30 * NS_PER_S)
#define LOAD_GRACE_NS (60 * NS_PER_S)
/* Of one server: seen to be lost in part, silently. */
enum { RELEASES_PER_S_LOST = 2000 };
/* A closed stage is given the time a server needs that commits every lease to a slow disk. */
enum { CLOSED_RATE_PER_S = 40 };

static uint64_t ns_of(double seconds)
{
    double ns = seconds * (double)NS_PER_S;
    return ns >= (double)SPAN_NS_MAX ? SPAN_NS_MAX : (uint64_t)ns;
}

/* How many servers a relayed packet goes to, on average over the clients. */
static double mean_copies(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    double copies = 0, clients = 0;
    for (size_t i = 0; i < s->relays.count; i++) {
        size_t to = relays[i].to.count > 0 ? relays[i].to.count : s->servers.count;
        copies += (double)relays[i].clients * (double)to;
        clients += (double)relays[i].clients;
    }
    return clients > 0 ? copies / clients : 0;
}

double forecast_packets_per_exchange(const struct scenario *s, enum plan_stage_kind kind)
{
    assert(kind < PLAN_STAGE_KIND_COUNT);
    switch (kind) {
    case PLAN_ACQUIRE: /* DISCOVER, REQUEST */
        return 2 * mean_copies(s);
    case PLAN_REBOOT:
    case PLAN_DECLINE:
        return mean_copies(s);
    case PLAN_HOLD: /* RENEW */
    case PLAN_RELEASE:
    case PLAN_INFORM:
    case PLAN_RENEW:
        return 1;
    case PLAN_LOAD: { /* its release between the steps too */
        double acquires = (double)s->search.acquire_weight;
        double all = acquires + (double)s->search.renew_weight;
        return all > 0 ? (acquires * (2 * mean_copies(s) + 1) + (all - acquires)) / all : 0;
    }
    case PLAN_QUERY: /* not a scenario's */
    case PLAN_STAGE_KIND_COUNT:
        break;
    }
    return 0;
}

uint64_t forecast_stage_minimum_ns(const struct scenario *s, const struct scenario_stage *stage)
{
    if (stage->kind == PLAN_HOLD) {
        return stage->is_until_steady ? stage->duration_ns / 3 : stage->duration_ns;
    }
    if (stage->kind == PLAN_LOAD) {
        return s->search.step_ns * s->search.repeat;
    }
    double clients = (double)scenario_client_count(s);
    if (stage->rate_milli_per_s > 0) {
        return ns_of(clients * 1000 / (double)stage->rate_milli_per_s);
    }
    if (s->packets_milli_per_s == 0) {
        return 0;
    }
    double packets = clients * forecast_packets_per_exchange(s, stage->kind);
    return ns_of(packets * 1000 / (double)s->packets_milli_per_s);
}

uint64_t forecast_default_timeout_ns(const struct scenario *s, const struct scenario_stage *stage)
{
    if (stage->kind == PLAN_HOLD) {
        return stage->duration_ns + HOLD_GRACE_NS;
    }
    if (stage->kind == PLAN_LOAD) { /* of one step */
        return s->search.step_ns + s->search.within_ns + LOAD_GRACE_NS;
    }
    double rate_per_s =
        stage->rate_milli_per_s > 0 ? (double)stage->rate_milli_per_s / 1000 : CLOSED_RATE_PER_S;
    double seconds = (double)scenario_client_count(s) / rate_per_s;
    uint64_t whole_s = ns_of(seconds) / NS_PER_S;
    return GRACE_NS + whole_s * NS_PER_S;
}

uint64_t forecast_memory_bytes(uint64_t clients)
{
    return FORECAST_AGENT_BYTES + clients * FORECAST_CLIENT_BYTES;
}

uint64_t forecast_rebind_window_ns(const struct scenario *s)
{
    return s->lease_ns / 8;
}

static void PRINTF_LIKE(2, 3) warn(struct forecast *f, const char *format, ...)
{
    if (f->warning_count == FORECAST_WARNINGS_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(f->warning[f->warning_count++], FORECAST_WARNING_BYTES, format, args);
    va_end(args);
}

static int by_subnet(const void *a, const void *b)
{
    const struct ipv4_net *x = a, *y = b;
    uint32_t left = inet_host(x->base), right = inet_host(y->base);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return (x->prefix_bits > y->prefix_bits) - (x->prefix_bits < y->prefix_bits);
}

/* Usable addresses of all subnets together; 0 when there is no memory to tell. */
static uint64_t count_addresses(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    struct ipv4_net *nets = calloc(s->relays.count + 1, sizeof(*nets));
    if (nets == NULL) {
        return 0;
    }
    for (size_t i = 0; i < s->relays.count; i++) {
        nets[i] = relays[i].subnet;
    }
    qsort(nets, s->relays.count, sizeof(*nets), by_subnet);
    uint64_t sum = 0;
    const struct ipv4_net *widest = NULL;
    for (size_t i = 0; i < s->relays.count; i++) {
        if (widest != NULL && inet_net_covers(*widest, nets[i])) {
            continue;
        }
        widest = &nets[i];
        sum += inet_net_size(nets[i]) - (nets[i].prefix_bits <= 30 ? 2 : 0);
    }
    free(nets);
    return sum;
}

static void make_hold(const struct scenario *s, const struct scenario_stage *stage,
                      struct forecast_stage *out)
{
    if (s->lease_ns == 0) {
        return;
    }
    double t1_s = (double)s->lease_ns / 2 / (double)NS_PER_S;
    out->exchanges_per_s = (double)scenario_client_count(s) / t1_s;
    out->exchanges =
        (uint64_t)(out->exchanges_per_s * (double)stage->duration_ns / (double)NS_PER_S);
    out->packets_sent_per_s = out->exchanges_per_s;
    out->packets_sent = out->exchanges;
}

static void make_load(const struct scenario *s, struct forecast_stage *out)
{
    double per_exchange = forecast_packets_per_exchange(s, PLAN_LOAD);
    out->is_upper_bound = true;
    out->exchanges_per_s = (double)forecast_search_highest(s) / 1000;
    out->packets_sent_per_s = forecast_search_packets_per_s(s);
    out->packets_sent = forecast_search_packets_max(s);
    out->exchanges = per_exchange > 0 ? (uint64_t)((double)out->packets_sent / per_exchange) : 0;
}

static void make_paced(const struct scenario *s, const struct scenario_stage *stage,
                       struct forecast_stage *out)
{
    double per_exchange = forecast_packets_per_exchange(s, stage->kind);
    out->exchanges = scenario_client_count(s);
    out->packets_sent = (uint64_t)((double)out->exchanges * per_exchange);
    if (stage->rate_milli_per_s > 0) {
        out->exchanges_per_s = (double)stage->rate_milli_per_s / 1000;
        out->packets_sent_per_s = out->exchanges_per_s * per_exchange;
    } else {
        out->is_upper_bound = true;
        out->packets_sent_per_s = (double)s->packets_milli_per_s / 1000;
        out->exchanges_per_s = out->packets_sent_per_s / per_exchange;
    }
}

/* What would be counted in a step without being part of its load. */
static void warn_of_search(const struct scenario *s, const struct scenario_stage *stage,
                           struct forecast *f)
{
    const struct scenario_search *search = &s->search;
    double t1_s = (double)s->lease_ns / 2e9 * (1 - s->fuzz_percent / 100);
    double renewals_per_s =
        (1 - forecast_search_acquire_share(s)) * (double)forecast_search_lowest(s) / 1000;
    double round_s = renewals_per_s > 0 ? (double)search->bound / renewals_per_s : 0;
    double step_s = (double)search->step_ns / 1e9;
    if (s->lease_ns == 0) {
        warn(f,
             "stage %s: whether leases come to their T1 during a step cannot be told, since the "
             "lease time is not known; give `expect: {lease: ...}`",
             stage->name);
    } else if (round_s > 0 && t1_s < round_s + step_s) {
        warn(f,
             "stage %s: at the lowest rate each of the %" PRIu64
             " bound clients is renewed every %.0f s, and T1 comes after %.0f s: clients renew by "
             "themselves and steps become invalid; lower `bound`, or take a longer lease",
             stage->name, search->bound, round_s, t1_s);
    } else if (t1_s < 3 * step_s) {
        warn(f,
             "stage %s: leases come to their T1 after %.0f s, and a step with its releases takes "
             "up to %.0f s: clients renew by themselves and steps become invalid; take a longer "
             "lease or shorter steps",
             stage->name, t1_s, 3 * step_s);
    }
}

static void warn_of_stage(const struct scenario *s, size_t index, struct forecast *f)
{
    const struct scenario_stage *stage = (const struct scenario_stage *)s->stages.items + index;
    const struct forecast_stage *made = &f->stage[index];
    double limit_per_s = (double)s->packets_milli_per_s / 1000;

    if (stage->batch > 0 && judge_smallest_latency_ns(s, (uint8_t)index) > 0) {
        warn(f,
             "stage %s is a closed model and its latency is judged: a slow server slows the "
             "question down with it; judge latency with `rate` instead of `batch`",
             stage->name);
    }
    if (stage->kind == PLAN_LOAD && judge_smallest_latency_ns(s, (uint8_t)index) > 0) {
        warn(f,
             "stage %s is a search and its latency is judged: the steps that are too fast for the "
             "servers count too; judge another stage (`in NAME`), or search.low.exchanges_per_s",
             stage->name);
    }
    if (stage->kind == PLAN_LOAD) {
        warn_of_search(s, stage, f);
    }
    if (stage->kind != PLAN_HOLD) {
        return;
    }
    if (s->lease_ns == 0) {
        warn(f,
             "stage %s: its renewals cannot be foreseen, since the lease time is not known; give "
             "`expect: {lease: ...}`",
             stage->name);
        return;
    }
    if (stage->duration_ns < s->lease_ns / 2) {
        warn(f, "stage %s ends before T1 (%.0f s): most clients never renew in it; lengthen it",
             stage->name, (double)s->lease_ns / 2e9);
    }
    if (made->packets_sent_per_s > limit_per_s) {
        warn(f,
             "stage %s needs %.0f renewals/s and limits.packets is %.0f/s: leases will expire; "
             "raise the limit or take fewer clients",
             stage->name, made->packets_sent_per_s, limit_per_s);
    }
}

static void warn_of_compression(const struct scenario *s, struct forecast *f)
{
    if (s->lease_ns == 0) {
        return;
    }
    double lease_s = (double)s->lease_ns / (double)NS_PER_S;
    double window_s = (double)forecast_rebind_window_ns(s) / (double)NS_PER_S;
    if (s->mclt_ns > 0 && s->lease_ns <= s->mclt_ns) {
        warn(f,
             "the lease of %.0f s is not longer than the MCLT of %.0f s: what failover does to "
             "longer leases does not show; take a longer lease or a shorter MCLT",
             lease_s, (double)s->mclt_ns / (double)NS_PER_S);
    }
    if (s->detection_ns > 0 && forecast_rebind_window_ns(s) < s->detection_ns) {
        warn(
            f,
            "from T2 to expiry there are %.1f s and a dead partner is noticed after %.1f s: leases "
            "of its clients expire before the other server answers for it; take a longer lease, "
            "or let the pair notice sooner",
            window_s, (double)s->detection_ns / (double)NS_PER_S);
    }
}

/* While the leases are given back, nobody renews. */
static void warn_of_release(const struct scenario *s, struct forecast *f)
{
    double releases_per_s = (double)s->release_milli_per_s / 1000;
    double take_s = releases_per_s > 0 ? (double)f->clients / releases_per_s : 0;
    double left_s = (double)s->lease_ns / 2e9;
    if (releases_per_s >= RELEASES_PER_S_LOST * (double)s->servers.count) {
        warn(
            f,
            "cleanup releases %g leases/s: RELEASE has no answer, and a server was seen to lose "
            "some of %d/s without a word; lower the rate, or let `leaseherd cleanup` find the rest",
            releases_per_s, RELEASES_PER_S_LOST);
    } else if (left_s > 0 && take_s > left_s) {
        warn(f,
             "cleanup takes %.0f s to release all leases at %g/s, nobody renews meanwhile, and a "
             "lease may have only %.0f s left: some run out and count as expired; raise "
             "cleanup.release",
             take_s, releases_per_s, left_s);
    }
}

void forecast_make(const struct scenario *s, struct forecast *out)
{
    *out = (struct forecast){.clients = scenario_client_count(s), .stage_count = s->stages.count};
    assert(s->stages.count <= PLAN_STAGES_MAX);

    const struct scenario_stage *stages = s->stages.items;
    for (size_t i = 0; i < s->stages.count; i++) {
        struct forecast_stage *stage = &out->stage[i];
        if (stages[i].kind == PLAN_HOLD) {
            make_hold(s, &stages[i], stage);
        } else if (stages[i].kind == PLAN_LOAD) {
            make_load(s, stage);
        } else {
            make_paced(s, &stages[i], stage);
        }
        stage->at_least_ns = forecast_stage_minimum_ns(s, &stages[i]);
        out->packets_sent += stage->packets_sent;
        out->at_least_ns += stage->at_least_ns;
        warn_of_stage(s, i, out);
    }
    if (scenario_cleans_up(s, CLEANUP_ON_END)) {
        out->packets_sent += out->clients;
    }
    out->addresses = count_addresses(s);
    out->memory_bytes = forecast_memory_bytes(out->clients);
    warn_of_compression(s, out);
    warn_of_release(s, out);
}
