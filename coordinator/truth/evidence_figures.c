/* SPDX-License-Identifier: MIT */
/* What was gathered, as figures. */
#include "coordinator/truth/evidence.h"
#include "coordinator/truth/evidence_spread.h"
#include "coordinator/truth/truth_state.h"

/* --- from events --- */

static void fill_renewals(const struct evidence_server *s, struct wire_server *out)
{
    out->renew_first_acked = s->renew_first_acked;
    out->renew_lost_first = s->renew_lost_first;
    out->renew_retry_acked = s->renew_retry_acked;
    out->renew_retries = s->renew_retries;
    out->renew_gave_up = s->renew_gave_up;
    out->losers = s->lost.count;
    out->after_loss = s->after_loss;
    out->lost_again = s->lost_again;
    out->after_win = s->after_win;
    out->lost_newly = s->lost_newly;
    out->rebind_acked = s->rebind_acked;
    out->rebind_gave_up = s->rebind_gave_up;
    out->rebind_short_by_wait = s->rebind_short_by_wait;
    out->rebind_short_less = s->rebind_short_less;
    out->rebind_full = s->rebind_full;
    out->rebind_full_late = s->rebind_full_late;
    out->rebind_by_other = s->rebind_by_other;
    out->retry_short = s->retry_short;
    out->retry_full = s->retry_full;
    out->query_ahead = s->query_ahead;
    out->query_same = s->query_same;
    out->query_behind = s->query_behind;
    out->renewals_cached = s->renewals_cached;
    out->renewals_timed = s->renewals_timed;
    out->cached_age = s->renewals_cached > 0 ? s->cached_ages / (double)s->renewals_cached : 0;
    out->clients = s->own.count;
    out->left = s->left.count;
    out->went_back = s->back.count;
    out->handed_back = s->handed_back;
}

static void fill_times(const struct evidence_server *s, struct wire_server *out)
{
    enum { CONSTANT_FROM_US = 300000 };
    out->alone_offer = evidence_times(&s->alone_offer);
    out->alone_ack = evidence_times(&s->alone_ack);
    out->alone_gap = evidence_times(&s->alone_gap);
    out->alone_renew = evidence_times(&s->alone_renew);
    out->loaded_ack = evidence_times(&s->loaded_ack);
    out->ack_spacing = evidence_mode(&s->spacing, 0);
    out->offer_mode = evidence_mode(&s->offer, CONSTANT_FROM_US);
    out->offers_timed = s->offer.count;
    out->offers_about_1s = s->offers_about_1s;
}

static void fill_option82(const struct evidence *v, struct truth_wire *out)
{
    enum { FAILING_FROM = 3 };
    for (uint32_t i = 0; i < v->plan->relay_count; i++) {
        const struct plan_relay *relay = &v->plan->relays[i];
        const struct evidence_relay *r = &v->relays[i];
        bool has_it = relay->circuit_id_bytes > 0 || relay->remote_id_bytes > 0;
        struct wire_option82 *to = has_it ? &out->with82 : &out->without82;
        uint64_t failed = (uint64_t)r->renew_nak + r->renew_gave_up + r->renew_moved;
        to->relays++;
        to->renew_acked += r->renew_acked;
        to->renew_nak += r->renew_nak;
        to->renew_gave_up += r->renew_gave_up;
        to->renew_moved += r->renew_moved;
        to->rebind_acked += r->rebind_acked;
        to->rebind_moved += r->rebind_moved;
        to->relays_failing += r->renew_acked == 0 && failed >= FAILING_FROM;
    }
}

void evidence_figures(const struct evidence *v, struct truth_wire *out)
{
    out->server_count = v->plan->server_count;
    for (uint32_t i = 0; i < v->plan->server_count; i++) {
        const struct evidence_server *s = &v->servers[i];
        struct wire_server *to = &out->server[i];
        fill_renewals(s, to);
        fill_times(s, to);
        evidence_slots_figures(&s->slots, to);
        evidence_windows_figures(&s->windows, to->window);
        evidence_silence_figures(&v->silence, i, to);
        out->late += s->slots.late + s->windows.late;
    }
    fill_option82(v, out);
}

/* --- from snapshots --- */

/* An agent that has sent something but tells no packets is of an older build, or was lost early. */
static bool tells_packets(const struct snapshot *s)
{
    uint64_t sent = 0, told = 0;
    for (unsigned c = COUNTER_sent_discover; c <= COUNTER_sent_inform; c++) {
        sent += s->counter[c];
    }
    for (unsigned i = 0; i < PLAN_SERVERS_MAX; i++) {
        for (unsigned p = PACKET_sent_discover; p <= PACKET_sent_query; p++) {
            told += s->packets[i].count[p];
        }
    }
    return told > 0 || sent <= s->counter[COUNTER_preflight_sent];
}

static void add_packets(const struct snapshot_packets *p, struct wire_server *to,
                        uint64_t low_port[SNAPSHOT_LOW_PORT_WORDS])
{
    const uint64_t *count = p->count;
    for (unsigned i = 0; i < DHCP4_INTENT_COUNT; i++) {
        to->sent[i] += count[PACKET_sent_discover + i];
    }
    to->offers += count[PACKET_offers];
    to->acks += count[PACKET_acks];
    to->naks += count[PACKET_naks];
    to->renew_replies += count[PACKET_renew_replies];
    to->unicast_replies += count[PACKET_unicast_replies];
    to->relayed_wrong_port += count[PACKET_relayed_wrong_port];
    to->ports_low += count[PACKET_ports_low];
    to->ports_high += count[PACKET_ports_high];
    to->ports_other += count[PACKET_ports_other];
    to->wrong_source += count[PACKET_wrong_source];
    to->t1_not_below_t2 += count[PACKET_t1_not_below_t2];
    to->t2_not_below_lease += count[PACKET_t2_not_below_lease];
    to->timer_zero += count[PACKET_timer_zero];
    to->t1_early += count[PACKET_t1_early];
    to->mask_not_subnet += count[PACKET_mask_not_subnet];
    if (!inet_is_zero(p->wrong_source)) {
        to->wrong_source_example = inet_host(p->wrong_source);
    }
    for (unsigned i = 0; i < SNAPSHOT_LOW_PORT_WORDS; i++) {
        low_port[i] |= p->low_port[i];
    }
}

static void fill_packets(const struct truth *t, uint32_t server, struct truth_wire *out)
{
    struct wire_server *to = &out->server[server];
    uint64_t low_port[SNAPSHOT_LOW_PORT_WORDS] = {0};
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        if (s != NULL) {
            add_packets(&s->packets[server], to, low_port);
        }
    }
    for (unsigned i = 0; i < SNAPSHOT_LOW_PORT_WORDS; i++) {
        to->low_ports += (uint64_t)__builtin_popcountll(low_port[i]);
    }
    uint64_t renews = to->sent[DHCP4_RENEW];
    to->renew_unanswered = renews > to->renew_replies ? renews - to->renew_replies : 0;
}

static void fill_icmp(const struct snapshot *s, struct truth_wire *out)
{
    out->icmp_errors += s->counter[COUNTER_icmp_errors];
    if (s->counter[COUNTER_icmp_known] == 0) {
        return;
    }
    out->icmp_agents++;
    if (s->counter[COUNTER_icmp_echo_out] >= out->icmp_echo_out) {
        out->icmp_echo_in = s->counter[COUNTER_icmp_echo_in];
        out->icmp_echo_out = s->counter[COUNTER_icmp_echo_out];
    }
}

void truth_wire_figures(const struct truth *t, struct truth_wire *out)
{
    *out = (struct truth_wire){.has_packets = true};
    evidence_figures(&t->wire, out);
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        out->has_packets = out->has_packets && s != NULL && !t->is_lost[i] && tells_packets(s);
        if (s != NULL) {
            fill_icmp(s, out);
        }
    }
    for (uint32_t i = 0; i < out->server_count; i++) {
        fill_packets(t, i, out);
    }
}
