/* SPDX-License-Identifier: MIT */
/*
 * Preflight: the first three clients of each relay lease, renew on each path,
 * release; before any load, under plan and run lease. Its packets count in
 * messages and preflight, never in leases. DESIGN sections 3 and 6.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lane/lane_internal.h"
#include "agent/lane/lane_stranger.h"

enum { ACQUIRE_TRIES = 3, RENEW_TRIES = 2 };
#define RETRY_NS NS_PER_S
/* Probes begin one after the other: a thousand relays must not be a burst of their own. */
#define STAGGER_LONGEST_NS (2 * NS_PER_MS)
#define STAGGER_ALL_NS     (2 * NS_PER_S)

static size_t slot_count(const struct lane *lane)
{
    return lane->preflight.share_count * LANE_PREFLIGHT_CLIENTS;
}

bool lane_preflight_init(struct lane *lane)
{
    struct preflight *p = &lane->preflight;
    p->share_count = lane->population.share_count;
    p->probes = calloc(slot_count(lane) + 1, sizeof(*p->probes));
    p->reports = calloc(p->share_count + 1, sizeof(*p->reports));
    p->strangers = calloc(p->share_count + 1, sizeof(*p->strangers));
    return p->probes != NULL && p->reports != NULL && p->strangers != NULL;
}

void lane_preflight_fini(struct lane *lane)
{
    free(lane->preflight.probes);
    free(lane->preflight.reports);
    free(lane->preflight.strangers);
}

static void begin_share(struct lane *lane, size_t share_index, uint64_t stagger_ns)
{
    struct preflight *p = &lane->preflight;
    const struct population_share *share = &lane->population.shares[share_index];
    struct control_preflight_relay *report = &p->reports[share_index];
    report->relay = share->relay;
    report->path_count = p->command.path_count;
    for (uint32_t i = 0; i < p->command.path_count; i++) {
        report->path[i].path = p->command.path[i];
    }
    for (uint32_t i = 0; i < LANE_PREFLIGHT_CLIENTS; i++) {
        struct probe *probe = &p->probes[share_index * LANE_PREFLIGHT_CLIENTS + i];
        if (i >= share->count) {
            probe->phase = PROBE_OVER;
            continue;
        }
        report->clients++;
        *probe = (struct probe){
            .local = share->first_local + i,
            .report = (uint32_t)share_index,
            .due_ns = lane->now_ns + p->probe_count * stagger_ns,
        };
        client_set(lane_client(lane, probe->local), CLIENT_PREFLIGHT);
        p->probe_count++;
    }
    if (p->command.asks_unmarked && report->clients > 0) {
        lane_stranger_begin(lane, share_index, lane->now_ns + p->probe_count * stagger_ns);
    }
}

void lane_preflight(struct lane *lane, const struct control_preflight *command, uint64_t now_ns)
{
    struct preflight *p = &lane->preflight;
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    bool has_adopted = lane->results.counter[COUNTER_leases_adopted] > 0;
    if (p->probe_count > 0 || lane->stage.is_begun || lane_is_ending(lane) || has_adopted) {
        return; /* once per run, before its first stage, and with clients that have no lease */
    }
    p->command = *command;
    uint64_t stagger_ns = STAGGER_ALL_NS / (slot_count(lane) + 1);
    stagger_ns = stagger_ns < STAGGER_LONGEST_NS ? stagger_ns : STAGGER_LONGEST_NS;
    for (size_t i = 0; i < p->share_count; i++) {
        begin_share(lane, i, stagger_ns);
    }
    p->is_running = p->probe_count > 0;
}

static struct control_preflight_path *path_of(struct lane *lane, const struct probe *probe)
{
    return &lane->preflight.reports[probe->report].path[probe->path_index];
}

static void record(struct lane *lane, const struct probe *probe, enum event_kind kind,
                   enum event_result result, uint64_t at_ns, uint32_t lease_s)
{
    struct event e = lane_event(lane, probe->local, kind, result, at_ns);
    e.flags |= EVENT_PREFLIGHT;
    e.stage = SNAPSHOT_STAGE_PREFLIGHT;
    e.lease_s = lease_s;
    results_event(&lane->results, &e);
}

/* The client is what it was before, but for its xid: the run begins with it untouched. */
static void finish(struct lane *lane, struct probe *probe)
{
    struct client *c = lane_client(lane, probe->local);
    *c = (struct client){.xid = c->xid, .timer = c->timer};
    lane_new_xid(lane, probe->local);
    probe->phase = PROBE_OVER;
    probe->is_waiting = false;
    lane->preflight.over_count++;
}

/* The row of the server that leased to this probe, on the path it tries; NULL: no room. */
static struct control_preflight_way *way_of(struct lane *lane, const struct probe *probe)
{
    struct control_preflight_relay *report = &lane->preflight.reports[probe->report];
    uint8_t of_client = lane_client(lane, probe->local)->server;
    uint8_t server = of_client == 0 ? SNAPSHOT_NO_SERVER : (uint8_t)(of_client - 1);
    uint32_t path = report->path[probe->path_index].path;
    for (uint32_t i = 0; i < report->way_count; i++) {
        if (report->way[i].server == server && report->way[i].path == path) {
            return &report->way[i];
        }
    }
    if (server == SNAPSHOT_NO_SERVER || report->way_count == CONTROL_PREFLIGHT_WAYS_MAX) {
        return NULL;
    }
    struct control_preflight_way *way = &report->way[report->way_count++];
    *way = (struct control_preflight_way){.server = server, .path = path};
    return way;
}

static void note_way(struct lane *lane, const struct probe *probe, const uint16_t *source_port)
{
    enum { LOW_PORTS = 512 }; /* where connection tracking looks for a port instead of 67 */
    struct control_preflight_way *way = way_of(lane, probe);
    if (way == NULL) {
        return;
    }
    if (source_port == NULL) {
        way->sent++;
        return;
    }
    way->acked++;
    if (*source_port != DHCP4_SERVER_PORT) {
        way->low_ports += *source_port < LOW_PORTS;
        way->other_ports += *source_port >= LOW_PORTS;
    }
}

static void next_phase(struct lane *lane, struct probe *probe, enum probe_phase phase)
{
    probe->phase = phase;
    probe->tries = 0;
    probe->is_waiting = false;
    probe->due_ns = lane->now_ns;
}

static enum dhcp4_intent intent_of(const struct probe *probe)
{
    static const enum dhcp4_intent intents[] = {
        [PROBE_DISCOVER] = DHCP4_DISCOVER,
        [PROBE_REQUEST] = DHCP4_REQUEST,
        [PROBE_RENEW] = DHCP4_RENEW,
        [PROBE_RELEASE] = DHCP4_RELEASE,
    };
    return intents[probe->phase];
}

/* The step had all its tries: the report keeps what was reached, and the probe goes on. */
static void step_failed(struct lane *lane, struct probe *probe)
{
    if (probe->phase == PROBE_RENEW) {
        record(lane, probe, EVENT_RENEW, EVENT_GAVE_UP, lane->now_ns, 0);
        probe->path_index++;
        next_phase(lane, probe,
                   probe->path_index < lane->preflight.command.path_count ? PROBE_RENEW
                                                                          : PROBE_RELEASE);
    } else {
        record(lane, probe, EVENT_ACQUIRE, EVENT_GAVE_UP, lane->now_ns, 0);
        finish(lane, probe);
    }
}

static void send_step(struct lane *lane, struct probe *probe)
{
    struct client *c = lane_client(lane, probe->local);
    enum plan_path path =
        probe->phase == PROBE_RENEW ? (enum plan_path)path_of(lane, probe)->path : lane->path;
    if (probe->tries == 0 && probe->phase != PROBE_REQUEST) {
        lane_new_xid(lane, probe->local); /* DISCOVER and REQUEST share theirs */
        c->intended_ns = lane->now_ns;
        c->tries = 0;
    }
    if (probe->phase == PROBE_RENEW && probe->tries == 0) {
        path_of(lane, probe)->renew_sent++;
        note_way(lane, probe, NULL);
    }
    c->tries++;
    c->attempt = 1;
    c->secs = probe->phase == PROBE_RELEASE ? 0 : (uint16_t)probe->tries;
    lane_put(lane, probe->local, intent_of(probe), path);
    probe->tries++;
    probe->is_waiting = true;
    probe->due_ns = lane->now_ns + RETRY_NS;
    if (probe->phase == PROBE_RELEASE) {
        record(lane, probe, EVENT_RELEASE, EVENT_SENT, lane->now_ns, 0);
    }
}

/* A path that does not work, or a pause, can take longer than a short lease. */
static bool lease_is_over(struct lane *lane, const struct probe *probe)
{
    const struct client *c = lane_client(lane, probe->local);
    bool holds_one = probe->phase == PROBE_RENEW || probe->phase == PROBE_RELEASE;
    return holds_one && client_lease_at_ns(c, c->expiry_ms) <= lane->now_ns;
}

static void probe_turn(struct lane *lane, struct probe *probe)
{
    uint32_t tries = probe->phase == PROBE_RENEW ? RENEW_TRIES : ACQUIRE_TRIES;
    const struct relay *relay = lane_relay_of(lane, probe->local);
    if (probe->phase == PROBE_OVER || probe->due_ns > lane->now_ns) {
        return;
    }
    if (probe->phase == PROBE_RELEASE && probe->tries == 1) {
        finish(lane, probe); /* the packet was sent in an earlier turn */
        return;
    }
    if (lease_is_over(lane, probe)) {
        finish(lane, probe);
        return;
    }
    if (probe->tries == tries) {
        step_failed(lane, probe);
        return;
    }
    if (lane_has_room(lane, relay) &&
        tx_gate_pass(&lane->gate, relay->plan->to_count, lane->now_ns)) {
        send_step(lane, probe);
        if (probe->phase == PROBE_RELEASE) {
            probe->due_ns = lane->now_ns + NS_PER_MS;
        }
    }
}

void lane_preflight_turn(struct lane *lane)
{
    struct preflight *p = &lane->preflight;
    size_t count = slot_count(lane);
    for (size_t i = 0; p->is_running && i < count; i++) {
        probe_turn(lane, &p->probes[i]);
    }
    if (p->is_running) {
        lane_stranger_turn(lane);
        p->is_running = !lane_preflight_is_done(lane);
    }
}

void lane_preflight_stop(struct lane *lane, bool at_once)
{
    struct preflight *p = &lane->preflight;
    size_t count = slot_count(lane);
    for (size_t i = 0; p->is_running && i < count; i++) {
        struct probe *probe = &p->probes[i];
        if (probe->phase == PROBE_OVER || (probe->phase == PROBE_RELEASE && !at_once)) {
            continue;
        }
        if (probe->phase == PROBE_RENEW && !at_once) {
            next_phase(lane, probe, PROBE_RELEASE);
        } else {
            finish(lane, probe);
        }
    }
    lane_stranger_stop(lane);
    p->is_running = p->is_running && !lane_preflight_is_done(lane);
}

uint64_t lane_preflight_next_ns(const struct lane *lane)
{
    const struct preflight *p = &lane->preflight;
    if (!p->is_running || !lane->gate.may_send) {
        return UINT64_MAX;
    }
    uint64_t next_ns = lane_stranger_next_ns(lane);
    size_t count = slot_count(lane);
    for (size_t i = 0; i < count; i++) {
        if (p->probes[i].phase != PROBE_OVER && p->probes[i].due_ns < next_ns) {
            next_ns = p->probes[i].due_ns;
        }
    }
    return next_ns > lane->now_ns ? next_ns : lane->now_ns + NS_PER_MS;
}

/* --- answers --- */

/* Of a client that has CLIENT_PREFLIGHT. */
static struct probe *probe_of(struct lane *lane, uint32_t local)
{
    size_t share = population_share_of(&lane->population, local);
    uint32_t place = local - lane->population.shares[share].first_local;
    assert(place < LANE_PREFLIGHT_CLIENTS);
    return &lane->preflight.probes[share * LANE_PREFLIGHT_CLIENTS + place];
}

void lane_preflight_sent(struct lane *lane, const struct lane_out *out, int error)
{
    const struct probe *probe = probe_of(lane, out->client);
    if (error == 0) {
        return;
    }
    if (out->intent == DHCP4_RENEW && probe->phase == PROBE_RENEW) {
        path_of(lane, probe)->send_errno = (uint32_t)error;
    } else if (out->intent == DHCP4_DISCOVER) {
        lane->preflight.reports[probe->report].send_errno = (uint32_t)error;
    }
}

static void note_server(struct lane *lane, struct control_preflight_relay *report,
                        const struct dhcp4_reply *r)
{
    uint8_t index = lane_server_index(lane, r->server_id);
    if (index != SNAPSHOT_NO_SERVER) {
        report->servers_answered |= UINT32_C(1) << index;
    }
}

/* Another subnet than the scenario's: the rules that bring its ACKs back do not know it. */
static void note_address(struct lane *lane, const struct probe *probe,
                         struct control_preflight_relay *report, struct ipv4 addr)
{
    const struct relay *relay = lane_relay_of(lane, probe->local);
    if (!inet_net_contains(relay->plan->subnet, addr)) {
        report->outside_addr = addr;
    }
}

static void offered(struct lane *lane, struct probe *probe, const struct dhcp4_reply *r)
{
    struct client *c = lane_client(lane, probe->local);
    lane->preflight.reports[probe->report].offered++;
    c->addr = r->yiaddr;
    lane_set_server(lane, c, r->server_id);
    next_phase(lane, probe, PROBE_REQUEST);
}

/* From when the exchange began: what is sent about it later than that is not sent at all. */
static void note_lease(struct client *c, const struct dhcp4_reply *r)
{
    c->lease_ns = c->intended_ns;
    c->expiry_ms = r->lease_s < UINT32_MAX / 1000 ? r->lease_s * 1000 : UINT32_MAX;
}

/* What was granted on the first ACK: a renewal soon after it may be given what is left. */
static void note_terms(struct control_preflight_relay *report, const struct dhcp4_reply *r)
{
    bool is_first = report->lease_most_s == 0;
    report->lease_least_s =
        is_first || r->lease_s < report->lease_least_s ? r->lease_s : report->lease_least_s;
    report->lease_most_s = r->lease_s > report->lease_most_s ? r->lease_s : report->lease_most_s;
    report->t1_s = r->has_t1 ? r->t1_s : report->t1_s;
    report->t2_s = r->has_t2 ? r->t2_s : report->t2_s;
    report->mask = r->has_mask ? r->mask : report->mask;
    report->router = r->has_router ? r->router : report->router;
}

static void bound(struct lane *lane, struct probe *probe, const struct dhcp4_reply *r,
                  uint64_t at_ns)
{
    struct client *c = lane_client(lane, probe->local);
    note_lease(c, r);
    lane->preflight.reports[probe->report].bound++;
    note_terms(&lane->preflight.reports[probe->report], r);
    c->addr = r->yiaddr;
    lane_set_server(lane, c, r->server_id);
    record(lane, probe, EVENT_ACQUIRE, EVENT_ACK, at_ns, r->lease_s);
    next_phase(lane, probe, lane->preflight.command.path_count > 0 ? PROBE_RENEW : PROBE_RELEASE);
}

static void renewed(struct lane *lane, struct probe *probe, const struct dhcp4_reply *r,
                    const struct lane_packet *packet)
{
    struct control_preflight_path *path = path_of(lane, probe);
    path->renew_acked++;
    note_way(lane, probe, &packet->source_port);
    note_lease(lane_client(lane, probe->local), r);
    if (packet->source_port != DHCP4_SERVER_PORT) {
        path->wrong_port++;
        path->last_wrong_port = packet->source_port;
    }
    record(lane, probe, EVENT_RENEW, EVENT_ACK, packet->at_ns, r->lease_s);
    probe->path_index++;
    next_phase(lane, probe,
               probe->path_index < lane->preflight.command.path_count ? PROBE_RENEW
                                                                      : PROBE_RELEASE);
}

static void refused(struct lane *lane, struct probe *probe, uint64_t at_ns)
{
    lane->preflight.reports[probe->report].naks++;
    if (probe->phase == PROBE_RENEW) {
        record(lane, probe, EVENT_RENEW, EVENT_NAK, at_ns, 0);
        next_phase(lane, probe, PROBE_RELEASE);
    } else {
        record(lane, probe, EVENT_ACQUIRE, EVENT_NAK, at_ns, 0);
        finish(lane, probe);
    }
}

static bool is_foreign(const struct lane *lane, const struct dhcp4_reply *r)
{
    return !inet_net_contains(lane->plan->block, r->yiaddr) ||
           lane_server_index(lane, r->server_id) == SNAPSHOT_NO_SERVER;
}

bool lane_preflight_receive(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                            const struct lane_packet *packet)
{
    struct probe *probe = probe_of(lane, local);
    if (!probe->is_waiting || probe->phase == PROBE_RELEASE) {
        return false;
    }
    struct control_preflight_relay *report = &lane->preflight.reports[probe->report];
    bool is_ack = r->type == DHCP4_TYPE_ACK && r->has_lease && !inet_is_zero(r->yiaddr);
    bool is_offer = r->type == DHCP4_TYPE_OFFER && probe->phase == PROBE_DISCOVER;
    if (r->type == DHCP4_TYPE_NAK && probe->phase != PROBE_DISCOVER) {
        note_server(lane, report, r);
        refused(lane, probe, packet->at_ns);
        return true;
    }
    if (!is_offer && !(is_ack && probe->phase != PROBE_DISCOVER)) {
        return false;
    }
    if (is_foreign(lane, r)) {
        report->foreign_offers++;
        results_count(&lane->results, COUNTER_foreign_offers);
        lane->foreign_addr = r->yiaddr;
        lane->foreign_server = r->server_id;
        return true;
    }
    note_server(lane, report, r);
    note_address(lane, probe, report, r->yiaddr);
    if (is_offer) {
        offered(lane, probe, r);
    } else if (probe->phase == PROBE_REQUEST) {
        bound(lane, probe, r, packet->at_ns);
    } else {
        renewed(lane, probe, r, packet);
    }
    return true;
}

bool lane_preflight_is_done(const struct lane *lane)
{
    const struct preflight *p = &lane->preflight;
    return p->probe_count > 0 && p->over_count == p->probe_count && lane_stranger_is_done(lane);
}

size_t lane_preflight_relays(const struct lane *lane, const struct control_preflight_relay **out)
{
    *out = lane->preflight.reports;
    return lane->preflight.share_count;
}
