/* SPDX-License-Identifier: MIT */
/* Facts from what truth has gathered and what the result says. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/facts.h"
#include "coordinator/truth/truth_state.h"

static void count_leases(const struct truth *t, const struct result *r, struct facts *f)
{
    uint64_t gave_up = r->renew_gave_up, ended = gave_up + r->leases.renewed;
    facts_count(f, FACT_clients, r->accounting.assigned);
    facts_count(f, FACT_acquired, r->leases.acquired);
    facts_count(f, FACT_reacquired, r->leases.reacquired);
    facts_count(f, FACT_renewed, r->leases.renewed);
    facts_count(f, FACT_rebound, r->leases.rebound);
    facts_count(f, FACT_kept, r->leases.renewed + r->leases.rebound);
    facts_count(f, FACT_expired, r->leases.expired);
    facts_count(f, FACT_failed, r->leases.failed);
    facts_count(f, FACT_renew_gave_up, gave_up);
    facts_count(f, FACT_renew_ended, ended);
    facts_set(f, FACT_renew_gave_up_share,
              ended == 0 ? NAN : 100 * (double)gave_up / (double)ended);
    facts_count(f, FACT_renew_retried, r->renew_retried);
    facts_count(f, FACT_rebind_gave_up, t->evidence.rebind_gave_up);
    facts_count(f, FACT_unanswered_at_end,
                t->unanswered.is_known ? t->unanswered.total : UINT64_MAX);
    facts_count(f, FACT_distinct, r->addresses.distinct);
    facts_count(f, FACT_outside_subnet, r->addresses.outside_subnet);
    facts_count(f, FACT_changed_on_renew, r->addresses.changed_on_renew);
}

static void tell_duplicates(const struct truth *t, struct facts *f)
{
    struct live_figures figures = live_addresses_figures(t->live);
    facts_count(f, FACT_duplicates, figures.duplicates);
    facts_count(f, FACT_overlaps_undecided, figures.undecided);
    if (figures.example_count > 0) {
        const struct live_duplicate *d = &figures.examples[0];
        char address[IPV4_TEXT_BYTES];
        facts_say(f, WORD_duplicate_example,
                  "%s: client %" PRIu32 " still held it when client %" PRIu32
                  " got it at %.3f s (overlap %.3f s, clock uncertainty taken off)",
                  inet_text(d->address, address), d->first_client, d->second_client,
                  (double)d->at_us / 1e6, (double)d->overlap_us / 1e6);
    }
}

static void count_refusals(const struct truth *t, const struct result *r, struct facts *f)
{
    const struct truth_evidence *v = &t->evidence;
    uint64_t last = v->starved - v->starved_overtaken;
    facts_count(f, FACT_held_naks, v->held_naks);
    facts_count(f, FACT_acquire_naks, v->acquire_naks);
    facts_count(f, FACT_acquire_acks, v->acquire_acks);
    facts_count(f, FACT_starved, v->starved);
    facts_count(f, FACT_starved_last, last);
    if (v->starved > 0) {
        facts_set(f, FACT_starved_last_share, 100 * (double)last / (double)v->starved);
    }
    if (last > 0 && v->acquire_acks > 0) {
        facts_set(f, FACT_answers_after_starving,
                  (double)(v->last_answer_us - v->first_starved_begin_us) / 1e6);
    }
    facts_count(f, FACT_gave_up_with_offer, v->gave_up_with_offer);
    facts_count(f, FACT_other_losses,
                v->gave_up_with_offer + v->renew_gave_up + v->rebind_gave_up + r->leases.expired);
}

/* The start of the ramp, when the whole window opens at once. */
static void tell_burst(const struct truth *t, struct facts *f)
{
    struct ramp_burst burst;
    if (!truth_burst(t, &burst)) {
        return;
    }
    facts_count(f, FACT_burst_begun, burst.begun);
    facts_count(f, FACT_burst_repeated, burst.repeated);
    facts_set(f, FACT_burst_begin, (double)burst.begin_us / 1e6);
    facts_count(f, FACT_burst_later, burst.later);
    facts_count(f, FACT_burst_later_repeated, burst.later_repeated);
}

static void tell_lease_times(const struct truth *t, struct facts *f)
{
    const struct truth_evidence *v = &t->evidence;
    facts_count(f, FACT_lease_off, v->off_lease);
    if (t->plan->expect_lease_s > 0) {
        facts_set(f, FACT_lease_expected, t->plan->expect_lease_s);
    }
    if (t->plan->expect_mclt_s > 0) {
        facts_set(f, FACT_mclt_expected, t->plan->expect_mclt_s);
    }
    char times[FACT_WORD_BYTES] = "";
    uint64_t listed = 0, longer = 0;
    size_t at = 0;
    for (size_t i = 0; i < TRUTH_LEASE_TIMES && v->off_times[i].acks > 0; i++) {
        at +=
            (size_t)snprintf(times + at, sizeof(times) - at, "%s%" PRIu32 " s at %" PRIu64 " ACKs",
                             i == 0 ? "" : ", ", v->off_times[i].lease_s, v->off_times[i].acks);
        listed += v->off_times[i].acks;
        longer += v->off_times[i].lease_s > t->plan->expect_lease_s ? v->off_times[i].acks : 0;
    }
    facts_count(f, FACT_lease_off_longer, longer);
    if (listed < v->off_lease) {
        (void)snprintf(times + at, sizeof(times) - at, ", other times at %" PRIu64 " ACKs",
                       v->off_lease - listed);
    }
    facts_say(f, WORD_lease_times_off, "%s", times);
}

static void count_bed(const struct truth *t, const struct result *r, struct facts *f)
{
    facts_count(f, FACT_foreign_offers, merge_total(t->merge, COUNTER_foreign_offers));
    uint64_t preflight = 0, timed_out = 0;
    for (size_t i = 0; i < t->preflight_count; i++) {
        for (uint32_t k = 0; k < t->preflight[i].path_count; k++) {
            preflight += t->preflight[i].path[k].wrong_port;
        }
    }
    facts_count(f, FACT_wrong_port_preflight, preflight);
    if (r->messages.is_known) {
        facts_count(f, FACT_sent_renew, r->messages.sent_renew);
        facts_count(f, FACT_sent_discover, r->messages.sent_discover);
        facts_count(f, FACT_offers_all, r->messages.received_offer);
        facts_count(f, FACT_wrong_port_packets, r->messages.wrong_source_port);
        facts_count(f, FACT_misrouted, r->messages.fate_misrouted);
        facts_count(f, FACT_alien, r->messages.fate_alien);
        facts_count(f, FACT_late_answers, r->messages.fate_late);
        facts_count(f, FACT_duplicate_answers, r->messages.fate_duplicate);
        facts_count(f, FACT_malformed, r->messages.received_malformed);
    }
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (t->stages[i].timed_out && timed_out++ == 0) {
            facts_say(f, WORD_stage_timed_out, "%s", t->stages[i].name);
            facts_set(f, FACT_stage_timeout, t->stages[i].end_s - t->stages[i].begin_s);
        }
    }
    facts_count(f, FACT_stages_timed_out, timed_out);
}

static void count_server(const struct truth *t, const struct result *r, size_t i, uint64_t total,
                         struct facts *f)
{
    const struct truth_server *s = &t->servers[i];
    facts_count_of(f, i, FACT_acks, s->acks);
    facts_count_of(f, i, FACT_acks_total, total);
    facts_set_of(f, i, FACT_acks_share, r->servers[i].share_percent);
    facts_count_of(f, i, FACT_renewals_answered, s->renewed);
    facts_count_of(f, i, FACT_renewals_lost, s->renew_gave_up);
    facts_count_of(f, i, FACT_renewals_ignored, s->renew_ignored);
    if (s->last_ack_us == INT64_MIN) {
        facts_say_of(f, i, WORD_last_ack_words, "it sent no ACK at all");
    } else {
        facts_set_of(f, i, FACT_last_ack, (double)s->last_ack_us / 1e6);
        facts_say_of(f, i, WORD_last_ack_words, "its last ACK at %.1f s",
                     (double)s->last_ack_us / 1e6);
    }
    if (t->unanswered.is_known) {
        facts_count_of(f, i, FACT_open_at_end, t->unanswered.by_server[i]);
    }
}

static void count_servers(const struct truth *t, const struct result *r, struct facts *f)
{
    uint64_t total = 0, open = 0;
    f->server_count = t->plan->server_count;
    for (size_t i = 0; i < f->server_count; i++) {
        (void)snprintf(f->server[i].name, sizeof(f->server[i].name), "%s",
                       t->plan->servers[i].name);
        total += t->servers[i].acks;
        open += t->unanswered.by_server[i];
    }
    for (size_t i = 0; i < f->server_count && i < r->server_count; i++) {
        count_server(t, r, i, total, f);
    }
    if (t->unanswered.is_known && t->unanswered.total > 0 && open == 0) {
        facts_say(f, WORD_open_without_lease, "their clients held no lease");
    }
}

static void tell_stages(const struct truth *t, const struct result *r, struct facts *f)
{
    double begin_s = NAN, end_s = NAN;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (t->stages[i].was_begun && isnan(begin_s)) {
            begin_s = t->stages[i].begin_s;
        }
        end_s = t->stages[i].has_ended ? t->stages[i].end_s : end_s;
    }
    facts_set(f, FACT_loaded, end_s - begin_s);
    facts_gather_observers(t->observers, begin_s, end_s, f);
    uint64_t missed = 0;
    for (size_t i = 0; i < r->judgement_count; i++) {
        missed += r->judgements[i].result == JUDGEMENT_MISS;
    }
    facts_count(f, FACT_judgements_missed, missed);
    facts_count(f, FACT_search_at_tester,
                r->search.was_run && r->search.limit == SEARCH_LIMIT_TESTER);
}

bool facts_gather(const struct truth *t, const struct result *r, struct facts *out)
{
    count_servers(t, r, out);
    count_leases(t, r, out);
    tell_duplicates(t, out);
    count_refusals(t, r, out);
    tell_burst(t, out);
    tell_lease_times(t, out);
    count_bed(t, r, out);
    facts_gather_failover(t, r, out);
    facts_gather_tester(t, r, out);
    bool is_good = facts_gather_wire(t, out);
    tell_stages(t, r, out); /* observers' figures are put beside those of the wire */
    return is_good;
}
