/* SPDX-License-Identifier: MIT */
/* Facts from what packets show: struct truth_wire, with shares made of its counts. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/truth/evidence_wire.h"
#include "coordinator/truth/facts.h"

/* NAN, which says "no data", where nothing was counted. */
static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : 100 * (double)part / (double)whole;
}

static double times_ms(const struct wire_times *t)
{
    return t->samples == 0 ? NAN : t->p50_us / 1e3;
}

static void put_packets(const struct wire_server *w, size_t i, struct facts *f)
{
    uint64_t sent = w->sent[DHCP4_RENEW];
    facts_count_of(f, i, FACT_offers, w->offers);
    facts_count_of(f, i, FACT_ack_packets, w->acks);
    facts_count_of(f, i, FACT_renew_packets, sent);
    facts_count_of(f, i, FACT_renew_unanswered, w->renew_unanswered);
    facts_set_of(f, i, FACT_renew_unanswered_share, percent(w->renew_unanswered, sent));
    facts_count_of(f, i, FACT_unicast_replies, w->unicast_replies);
    facts_count_of(f, i, FACT_rewritten_replies, w->ports_low + w->ports_high + w->ports_other);
    facts_count_of(f, i, FACT_rewritten_low, w->ports_low);
    facts_count_of(f, i, FACT_rewritten_high, w->ports_high);
    facts_count_of(f, i, FACT_low_ports, w->low_ports);
    facts_count_of(f, i, FACT_relayed_wrong_port, w->relayed_wrong_port);
    facts_count_of(f, i, FACT_wrong_source, w->wrong_source);
    if (w->wrong_source_example != 0) {
        char text[IPV4_TEXT_BYTES];
        facts_say_of(f, i, WORD_wrong_source_address, "%s",
                     inet_text(inet_from_host(w->wrong_source_example), text));
    }
    facts_count_of(f, i, FACT_timers_crossed, w->t1_not_below_t2 + w->t2_not_below_lease);
    facts_count_of(f, i, FACT_timers_zero, w->timer_zero);
    facts_count_of(f, i, FACT_timers_early, w->t1_early);
}

static void put_renewals(const struct wire_server *w, size_t i, struct facts *f)
{
    uint64_t tries = w->renew_first_acked + w->renew_lost_first;
    uint64_t shortened = w->rebind_short_by_wait + w->rebind_short_less;
    facts_count_of(f, i, FACT_renew_tries, tries);
    facts_count_of(f, i, FACT_renew_lost, w->renew_lost_first);
    facts_set_of(f, i, FACT_renew_lost_share, percent(w->renew_lost_first, tries));
    facts_count_of(f, i, FACT_renew_retries, w->renew_retries);
    facts_count_of(f, i, FACT_renew_mended, w->renew_retry_acked);
    facts_set_of(f, i, FACT_retry_success, percent(w->renew_retry_acked, w->renew_retries));
    facts_count_of(f, i, FACT_losers, w->losers);
    facts_count_of(f, i, FACT_losers_tries, w->after_loss);
    facts_set_of(f, i, FACT_losers_again, percent(w->lost_again, w->after_loss));
    facts_count_of(f, i, FACT_winners_tries, w->after_win);
    facts_set_of(f, i, FACT_winners_lost, percent(w->lost_newly, w->after_win));
    facts_count_of(f, i, FACT_rebinds_after_loss, w->rebind_acked);
    facts_count_of(f, i, FACT_rebinds_failed, w->rebind_gave_up);
    facts_count_of(f, i, FACT_rebinds_shortened, shortened);
    facts_count_of(f, i, FACT_rebinds_full, w->rebind_full);
    facts_count_of(f, i, FACT_retries_shortened, w->retry_short);
    facts_count_of(f, i, FACT_retries_full, w->retry_full);
    facts_count_of(f, i, FACT_proofs_reply, shortened + w->retry_short);
    facts_count_of(f, i, FACT_proofs_request, w->rebind_full + w->retry_full);
    facts_count_of(f, i, FACT_query_ahead, w->query_ahead);
    facts_count_of(f, i, FACT_query_same, w->query_same);
    facts_count_of(f, i, FACT_renewals_timed, w->renewals_timed);
    facts_count_of(f, i, FACT_renewals_cached, w->renewals_cached);
    facts_set_of(f, i, FACT_cached_share, percent(w->renewals_cached, w->renewals_timed));
    facts_set_of(f, i, FACT_cached_age, w->renewals_cached == 0 ? NAN : 100 * w->cached_age);
}

static void put_windows(const struct wire_server *w, size_t i, struct facts *f)
{
    static const struct {
        uint32_t window_s;
        enum fact_id ceiling, above, most;
    } rows[WIRE_WINDOWS] = {{1, FACT_ceiling_1s, FACT_above_1s, FACT_most_1s},
                            {30, FACT_ceiling_30s, FACT_above_30s, FACT_most_30s},
                            {120, FACT_ceiling_120s, FACT_above_120s, FACT_most_120s}};
    for (size_t k = 0; k < WIRE_WINDOWS; k++) {
        for (size_t n = 0; n < WIRE_WINDOWS; n++) {
            if (w->window[n].window_s == rows[k].window_s && w->window[n].windows > 0) {
                facts_count_of(f, i, rows[k].ceiling, w->window[n].at_ceiling);
                facts_count_of(f, i, rows[k].above, w->window[n].above);
                facts_count_of(f, i, rows[k].most, w->window[n].most);
            }
        }
    }
}

static void put_losses(const struct wire_server *w, size_t i, struct facts *f)
{
    uint64_t tries = w->burst_tries + w->calm_tries;
    facts_count_of(f, i, FACT_losing_seconds, w->losing.seconds);
    if (w->losing.seconds > 0) {
        facts_set_of(f, i, FACT_losing_answered, w->losing.mean_per_s);
        facts_set_of(f, i, FACT_losing_deviation, w->losing.deviation_per_s);
    }
    facts_count_of(f, i, FACT_slots_lost, w->burst_lost);
    facts_set_of(f, i, FACT_slots_mended, percent(w->burst_mended, w->burst_lost));
    facts_count_of(f, i, FACT_calm_tries, w->calm_tries);
    facts_count_of(f, i, FACT_calm_lost, w->calm_lost);
    facts_set_of(f, i, FACT_calm_lost_share, percent(w->calm_lost, w->calm_tries));
    facts_count_of(f, i, FACT_tries, tries);
    facts_count_of(f, i, FACT_lost, w->burst_lost + w->calm_lost);
    facts_set_of(f, i, FACT_lost_share, percent(w->burst_lost + w->calm_lost, tries));
    facts_count_of(f, i, FACT_silences, w->silences);
    facts_set_of(f, i, FACT_longest_silence, w->longest_silence_s);
    facts_count_of(f, i, FACT_silent_at_end, w->is_silent_at_end);
    facts_count_of(f, i, FACT_silent_later, w->silent_later + w->silent_gave_up);
    facts_count_of(f, i, FACT_handed_back, w->handed_back);
}

static void put_times(const struct wire_server *w, size_t i, struct facts *f)
{
    double gap_ms = times_ms(&w->alone_gap);
    facts_count_of(f, i, FACT_alone_acks, w->alone_gap.samples);
    facts_set_of(f, i, FACT_alone_offer, times_ms(&w->alone_offer));
    facts_set_of(f, i, FACT_alone_ack, times_ms(&w->alone_ack));
    facts_set_of(f, i, FACT_alone_gap, gap_ms);
    facts_set_of(f, i, FACT_commit_ceiling, gap_ms > 0 ? 1e3 / gap_ms : NAN);
    facts_set_of(f, i, FACT_loaded_ack, times_ms(&w->loaded_ack));
    facts_count_of(f, i, FACT_spacing_samples, w->ack_spacing.samples);
    if (w->ack_spacing.samples > 0) {
        facts_set_of(f, i, FACT_spacing, w->ack_spacing.value_us / 1e3);
        facts_set_of(f, i, FACT_spacing_share,
                     percent(w->ack_spacing.near, w->ack_spacing.samples));
    }
    facts_count_of(f, i, FACT_busy_seconds, w->busy.seconds);
    if (w->busy.seconds > 0) {
        facts_set_of(f, i, FACT_busy_acks, w->busy.mean_per_s);
        facts_set_of(f, i, FACT_busy_time,
                     w->ack_spacing.samples == 0
                         ? NAN
                         : 100 * w->busy.mean_per_s * w->ack_spacing.value_us / 1e6);
        facts_set_of(f, i, FACT_busy_deviation, w->busy.deviation_per_s);
    }
    facts_count_of(f, i, FACT_offers_timed, w->offers_timed);
    facts_set_of(f, i, FACT_offers_1s, percent(w->offers_about_1s, w->offers_timed));
}

static void put_run(const struct truth_wire *w, struct facts *f)
{
    const struct wire_option82 *with = &w->with82, *without = &w->without82;
    facts_count(f, FACT_with82_renewed, with->renew_acked);
    facts_count(f, FACT_with82_naks, with->renew_nak);
    facts_count(f, FACT_with82_moved, with->renew_moved);
    facts_count(f, FACT_with82_rebound, with->rebind_acked);
    facts_count(f, FACT_with82_failing, with->relays_failing);
    facts_count(f, FACT_without82_renewed, without->renew_acked);
    facts_count(f, FACT_without82_naks, without->renew_nak);
    facts_count(f, FACT_without82_moved, without->renew_moved);
    facts_count(f, FACT_without82_failing, without->relays_failing);
    if (w->icmp_agents > 0) {
        facts_count(f, FACT_echo_answers, w->icmp_echo_out);
    }
    uint64_t explained = 0;
    for (uint32_t i = 0; i < w->server_count; i++) {
        const struct wire_server *s = &w->server[i];
        explained += s->rebind_short_by_wait + s->rebind_short_less + s->renewals_cached +
                     s->renew_retry_acked;
    }
    facts_count(f, FACT_lease_off_explained, explained);
}

bool facts_gather_wire(const struct truth *t, struct facts *out)
{
    struct truth_wire *wire = calloc(1, sizeof(*wire));
    if (wire == NULL) {
        return false;
    }
    truth_wire_figures(t, wire);
    put_run(wire, out);
    for (size_t i = 0; i < wire->server_count && i < out->server_count; i++) {
        const struct wire_server *w = &wire->server[i];
        if (wire->has_packets) {
            put_packets(w, i, out);
        }
        put_renewals(w, i, out);
        put_windows(w, i, out);
        put_losses(w, i, out);
        put_times(w, i, out);
    }
    free(wire);
    return true;
}
