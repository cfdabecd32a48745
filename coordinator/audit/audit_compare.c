/* SPDX-License-Identifier: MIT */
/* What the captures show, held against the agents' final counters and the ledger's events. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/audit/audit_capture.h"

static const enum snapshot_counter sent_counters[DHCP4_INTENT_COUNT] = {
    [DHCP4_DISCOVER] = COUNTER_sent_discover, [DHCP4_REQUEST] = COUNTER_sent_request,
    [DHCP4_RENEW] = COUNTER_sent_renew,       [DHCP4_REBIND] = COUNTER_sent_rebind,
    [DHCP4_REBOOT] = COUNTER_sent_reboot,     [DHCP4_DECLINE] = COUNTER_sent_decline,
    [DHCP4_RELEASE] = COUNTER_sent_release,   [DHCP4_INFORM] = COUNTER_sent_inform,
    [DHCP4_QUERY] = COUNTER_sent_query,
};

static const struct {
    const char *name;
    enum snapshot_counter counter;
} types[AUDIT_TYPES] = {
    [AUDIT_OFFER] = {"OFFER", COUNTER_received_offer},
    [AUDIT_ACK] = {"ACK", COUNTER_received_ack},
    [AUDIT_NAK] = {"NAK", COUNTER_received_nak},
    [AUDIT_OTHER] = {"other", COUNTER_received_other},
    [AUDIT_MALFORMED] = {"malformed", COUNTER_received_malformed},
};

/* Counted by the agent and seen in the captures: the capture may show up to `slack` more. */
static void compare(struct audit_notes *notes, const char *agent, const char *what,
                    uint64_t counted, uint64_t least, uint64_t most)
{
    if (counted >= least && counted <= most) {
        return;
    }
    char range[48] = "";
    if (most != least) {
        (void)snprintf(range, sizeof(range), " to %" PRIu64, most);
    }
    audit_differs(notes,
                  "agent %s: %s: %" PRIu64 " counted by the agent, %" PRIu64 "%s in the captures",
                  agent, what, counted, least, range);
}

static void compare_sent(const struct audit_wire *wire, const struct audit_agent *agent,
                         struct audit_notes *notes)
{
    uint64_t unclear = wire->renew_or_rebind;
    for (unsigned i = 0; i < DHCP4_INTENT_COUNT; i++) {
        char what[32];
        bool is_extension = i == DHCP4_RENEW || i == DHCP4_REBIND;
        (void)snprintf(what, sizeof(what), "sent %s", dhcp4_intent_name((enum dhcp4_intent)i));
        compare(notes, agent->name, what, agent->final.counter[sent_counters[i]], wire->sent[i],
                wire->sent[i] + (is_extension ? unclear : 0));
    }
    uint64_t extended = wire->sent[DHCP4_RENEW] + wire->sent[DHCP4_REBIND] + unclear;
    if (unclear > 0) {
        compare(notes, agent->name, "sent renew and rebind",
                agent->final.counter[COUNTER_sent_renew] +
                    agent->final.counter[COUNTER_sent_rebind],
                extended, extended);
    }
}

/*
 * An agent counts what its sockets gave it: what they dropped was on the wire, and strangers'
 * packets may have come before it listened.
 */
static void compare_received(const struct audit_wire *wire, const struct audit_agent *agent,
                             struct audit_notes *notes)
{
    uint64_t drops = agent->final.counter[COUNTER_rx_drops];
    uint64_t counted = 0, own = 0, strangers = 0, afterwards = 0;
    for (unsigned i = 0; i < AUDIT_TYPES; i++) {
        char what[32];
        uint64_t may_lack = drops + wire->afterwards[i];
        uint64_t least = wire->received[i] > may_lack ? wire->received[i] - may_lack : 0;
        (void)snprintf(what, sizeof(what), "received %s", types[i].name);
        compare(notes, agent->name, what, agent->final.counter[types[i].counter], least,
                wire->received[i] + wire->strangers[i]);
        counted += agent->final.counter[types[i].counter];
        own += wire->received[i];
        strangers += wire->strangers[i];
        afterwards += wire->afterwards[i];
    }
    if (own > counted + drops) {
        audit_note(notes, AUDIT_REMARK,
                   "agent %s: up to %" PRIu64 " packets in the captures came after its final "
                   "counters",
                   agent->name, afterwards);
    }
    if (drops > 0) {
        audit_note(notes, AUDIT_REMARK,
                   "agent %s: its sockets dropped %" PRIu64 " packets, which a capture shows",
                   agent->name, drops);
        compare(notes, agent->name, "received and dropped", counted + drops,
                own > afterwards ? own - afterwards : 0, own + strangers);
    }
}

static bool has_counters(const struct audit_agent *agent)
{
    bool has = agent->final.is_known && agent->final.has_counter[COUNTER_rx_drops];
    for (unsigned i = 0; i < DHCP4_INTENT_COUNT; i++) {
        has = has && agent->final.has_counter[sent_counters[i]];
    }
    for (unsigned i = 0; i < AUDIT_TYPES; i++) {
        has = has && agent->final.has_counter[types[i].counter];
    }
    return has;
}

/*
 * An ACK to an exchange without an event: late, after the last one of its client was given up,
 * or folded, or somebody else's. Where events are missing anyway, it tells which.
 */
static void compare_without_event(const struct audit_capture *c, size_t i,
                                  const struct audit_agent *agent, struct audit_notes *notes)
{
    const struct audit_wire *wire = &c->agents[i];
    const uint64_t *counter = agent->final.counter;
    uint64_t may = counter[COUNTER_results_coalesced];
    if (c->rows->agents[i].rows >= counter[COUNTER_events]) {
        may += counter[COUNTER_fate_late] + counter[COUNTER_fate_misrouted] +
               counter[COUNTER_foreign_offers];
    }
    if (wire->without_event > may) {
        audit_differs(notes,
                      "agent %s: %" PRIu64 " ACKs and NAKs in the captures belong to no event of "
                      "the ledger, %" PRIu64 " may (late, misrouted or folded); first: %s",
                      agent->name, wire->without_event, may, wire->first_without_event);
    }
}

static uint64_t wire_total(const struct audit_wire *wire)
{
    uint64_t total = wire->renew_or_rebind;
    for (unsigned i = 0; i < DHCP4_INTENT_COUNT; i++) {
        total += wire->sent[i];
    }
    for (unsigned i = 0; i < AUDIT_TYPES; i++) {
        total += wire->received[i];
    }
    return total;
}

static void compare_agents(const struct audit_capture *c, struct audit_notes *notes)
{
    const struct audit_agent *agents = c->told;
    for (size_t i = 0; i < c->agent_count; i++) {
        if (has_counters(&agents[i])) {
            compare_sent(&c->agents[i], &agents[i], notes);
            compare_received(&c->agents[i], &agents[i], notes);
            compare_without_event(c, i, &agents[i], notes);
        } else {
            audit_note(notes, AUDIT_NOT_COMPARED,
                       "%" PRIu64 " packets of agent %s in the captures: it has no final counters",
                       wire_total(&c->agents[i]), agents[i].name);
        }
    }
    uint64_t nobodys = wire_total(&c->agents[c->agent_count]);
    if (nobodys > 0) {
        audit_differs(notes,
                      "captures: %" PRIu64 " packets of the run's clients were at no agent's "
                      "address, and no event or share tells whose they are",
                      nobodys);
    }
}

/* --- events without a packet --- */

struct missing {
    uint64_t count;
    uint64_t of_server[PLAN_SERVERS_MAX];
    int32_t first_ms, last_ms;
    const struct audit_row *first;
};

static void miss(struct missing *m, const struct audit_row *row)
{
    if (m->count++ == 0 || row->run_ms < m->first_ms) {
        m->first_ms = row->run_ms;
        m->first = row;
    }
    m->last_ms = m->count == 1 || row->run_ms > m->last_ms ? row->run_ms : m->last_ms;
    if (row->server < PLAN_SERVERS_MAX) {
        m->of_server[row->server]++;
    }
}

struct seen {
    uint64_t count;
    int32_t first_ms, last_ms;
};

/* Why so many may be missing; the empty string where nothing is known. */
static const char *hint(const struct audit_capture *c, const struct missing *m,
                        const struct seen *seen, char out[AUDIT_NOTE_BYTES / 3])
{
    out[0] = '\0';
    for (uint32_t i = 0; i < c->plan->server_count; i++) {
        if (m->of_server[i] == m->count && c->of_server[i] == 0) {
            (void)snprintf(out, AUDIT_NOTE_BYTES / 3,
                           "; no packet from server %s is in the captures: was its side captured?",
                           c->plan->servers[i].name);
            return out;
        }
    }
    if (seen->count == 0) {
        (void)snprintf(out, AUDIT_NOTE_BYTES / 3, "; not one answer is in the captures");
    } else if (m->last_ms <= seen->first_ms) {
        (void)snprintf(out, AUDIT_NOTE_BYTES / 3,
                       "; all before %.3f s, the first answer in them: the captures begin late",
                       (double)seen->first_ms / 1e3);
    } else if (m->first_ms >= seen->last_ms) {
        (void)snprintf(out, AUDIT_NOTE_BYTES / 3,
                       "; all after %.3f s, the last answer in them: the captures end early",
                       (double)seen->last_ms / 1e3);
    } else {
        (void)snprintf(out, AUDIT_NOTE_BYTES / 3,
                       "; did the capture itself drop packets? tcpdump says so when it ends");
    }
    return out;
}

static void report_missing(const struct audit_capture *c, const struct missing *m,
                           const struct seen *seen, const char *what, struct audit_notes *notes)
{
    char why[AUDIT_NOTE_BYTES / 3], who[AUDIT_WHO_BYTES];
    if (m->count == 0) {
        return;
    }
    audit_differs(notes, "captures: %" PRIu64 " %s; first: %s at %.3f s of the run, %s%s", m->count,
                  what, event_kind_name((enum event_kind)m->first->kind),
                  (double)m->first->run_ms / 1e3,
                  audit_who(c->plan, m->first->client_1 - 1, m->first->xid, m->first->addr, who),
                  hint(c, m, seen, why));
}

static void compare_events(const struct audit_capture *c, struct audit_notes *notes)
{
    struct missing ack = {0}, nak = {0}, offer = {0}, question = {0};
    struct seen seen = {0, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < c->rows->capacity; i++) {
        const struct audit_row *row = &c->rows->slots[i];
        bool is_ack = row->client_1 != 0 && audit_row_is_ack(row) && row->kind != EVENT_QUERY;
        if (row->client_1 == 0 || row->kind == EVENT_EXPIRE) {
            continue;
        }
        if (row->is_answered) {
            seen.count++;
            seen.first_ms = row->run_ms < seen.first_ms ? row->run_ms : seen.first_ms;
            seen.last_ms = row->run_ms > seen.last_ms ? row->run_ms : seen.last_ms;
        } else if (is_ack) {
            miss(&ack, row);
        } else if (row->result == EVENT_NAK) {
            miss(&nak, row);
        }
        if (row->has_offer && !row->is_offered) {
            miss(&offer, row);
        }
        if (is_ack && !row->is_asked) {
            miss(&question, row);
        }
    }
    report_missing(c, &ack, &seen,
                   "ACKs of the ledger are not in them (same client, xid, address and server)",
                   notes);
    report_missing(c, &nak, &seen, "NAKs of the ledger are not in them", notes);
    report_missing(c, &offer, &seen, "acquisitions of the ledger have no OFFER in them", notes);
    report_missing(c, &question, &seen, "answered exchanges have no question in them", notes);
}

void audit_capture_compare(const struct audit_capture *c, struct audit_notes *notes)
{
    if (c->cut > 0) {
        audit_differs(notes,
                      "captures: %" PRIu64 " DHCP packets are cut short in them and not compared; "
                      "capture whole packets (tcpdump -s 0)",
                      c->cut);
    }
    if (c->fragments > 0) {
        audit_note(notes, AUDIT_REMARK, "captures: %" PRIu64 " IP fragments were not put together",
                   c->fragments);
    }
    if (c->astray > 0) {
        audit_differs(notes,
                      "captures: %" PRIu64 " packets of the run's clients went to no server of the "
                      "plan; first: %s",
                      c->astray, c->first_astray);
    }
    compare_agents(c, notes);
    compare_events(c, notes);
}
