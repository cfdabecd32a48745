/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_capture.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address that agents are reached at; agent == agent_count: of more than one. */
struct audit_address {
    uint32_t host_order;
    size_t agent;
};

static int by_address(const void *a, const void *b)
{
    uint32_t x = ((const struct audit_address *)a)->host_order;
    uint32_t y = ((const struct audit_address *)b)->host_order;
    return x == y ? 0 : x < y ? -1 : 1;
}

/* Each once; one that two agents have is nobody's. */
static void merge_addresses(struct audit_capture *c)
{
    size_t kept = 0;
    qsort(c->addresses, c->address_count, sizeof(*c->addresses), by_address);
    for (size_t i = 0; i < c->address_count; i++) {
        const struct audit_address *a = &c->addresses[i];
        if (kept > 0 && c->addresses[kept - 1].host_order == a->host_order) {
            bool is_same = c->addresses[kept - 1].agent == a->agent;
            c->addresses[kept - 1].agent = is_same ? a->agent : c->agent_count;
        } else {
            c->addresses[kept++] = *a;
        }
    }
    c->address_count = kept;
}

bool audit_capture_init(struct audit_capture *c, const struct plan *plan, struct audit_rows *rows,
                        const struct audit_agent *agents, const struct ledger_share *shares,
                        size_t share_count)
{
    size_t agent_count = rows->agent_count;
    *c = (struct audit_capture){.plan = plan,
                                .rows = rows,
                                .told = agents,
                                .shares = shares,
                                .share_count = share_count,
                                .agent_count = agent_count,
                                .first_at_ns = UINT64_MAX};
    c->agents = calloc(agent_count + 1, sizeof(*c->agents));
    c->addresses = calloc(share_count + plan->relay_count + 1, sizeof(*c->addresses));
    if (c->agents == NULL || c->addresses == NULL) {
        audit_capture_fini(c);
        return false;
    }
    for (size_t i = 0; i < share_count; i++) {
        bool is_known = shares[i].via < plan->relay_count && shares[i].agent < agent_count;
        if (is_known) {
            c->addresses[c->address_count++] =
                (struct audit_address){inet_host(plan->relays[shares[i].via].via), shares[i].agent};
        }
    }
    merge_addresses(c);
    /* Relays that nobody was dealt, as far as the ledger knows: still addresses of the run. */
    for (uint32_t i = 0; c->address_count == 0 && i < plan->relay_count; i++) {
        c->addresses[i] = (struct audit_address){inet_host(plan->relays[i].via), agent_count};
        c->address_count = i + 1 == plan->relay_count ? plan->relay_count : 0;
    }
    merge_addresses(c);
    return true;
}

void audit_capture_fini(struct audit_capture *c)
{
    free(c->agents);
    free(c->addresses);
    audit_once_fini(&c->once);
    *c = (struct audit_capture){0};
}

/* --- whose a packet is --- */

static const struct audit_address *address_of(const struct audit_capture *c, struct ipv4 address)
{
    const struct audit_address key = {.host_order = inet_host(address)};
    return c->address_count == 0
               ? NULL
               : bsearch(&key, c->addresses, c->address_count, sizeof(key), by_address);
}

/* The latest share counts: clients of a lost agent go on elsewhere. */
static size_t player_of(const struct audit_capture *c, uint32_t client)
{
    for (size_t i = c->share_count; i > 0; i--) {
        const struct ledger_share *s = &c->shares[i - 1];
        if (client >= s->first_client && client - s->first_client < s->clients &&
            s->agent < c->agent_count) {
            return s->agent;
        }
    }
    return c->agent_count;
}

static struct audit_row *next_row(const struct audit_capture *c, uint32_t client, uint32_t xid,
                                  size_t *at)
{
    struct audit_row *row;
    do {
        row = audit_rows_next(c->rows, client, xid, at);
    } while (row != NULL && row->kind == EVENT_EXPIRE);
    return row;
}

static struct audit_wire *wire_of(const struct audit_capture *c, struct ipv4 here, uint32_t client,
                                  uint32_t xid)
{
    const struct audit_address *a = address_of(c, here);
    if (a != NULL && a->agent < c->agent_count) {
        return &c->agents[a->agent];
    }
    size_t at = SIZE_MAX;
    const struct audit_row *row = next_row(c, client, xid, &at);
    return &c->agents[row != NULL ? row->agent : player_of(c, client)];
}

static void note_time(struct audit_capture *c, uint64_t at_ns)
{
    c->first_at_ns = at_ns < c->first_at_ns ? at_ns : c->first_at_ns;
    c->last_at_ns = at_ns > c->last_at_ns ? at_ns : c->last_at_ns;
}

/* --- requests --- */

/* Through a relay, RENEW (client path `relayed`) and REBIND look alike: the ledger knows. */
static void count_extension(struct audit_capture *c, struct audit_wire *wire,
                            const struct audit_request *q, uint32_t client)
{
    size_t at = SIZE_MAX;
    const struct audit_row *row = next_row(c, client, q->xid, &at);
    if (inet_is_zero(q->giaddr)) {
        wire->sent[DHCP4_RENEW]++;
    } else if (row == NULL) {
        wire->renew_or_rebind++;
    } else {
        wire->sent[row->kind == EVENT_RENEW ? DHCP4_RENEW : DHCP4_REBIND]++;
    }
}

/* RFC 2131 4.3.2: how a server tells one REQUEST from another. */
static void count_request(struct audit_capture *c, struct audit_wire *wire,
                          const struct audit_request *q, uint32_t client)
{
    static const enum dhcp4_intent intents[] = {
        [DHCP4_TYPE_DISCOVER] = DHCP4_DISCOVER, [DHCP4_TYPE_DECLINE] = DHCP4_DECLINE,
        [DHCP4_TYPE_RELEASE] = DHCP4_RELEASE,   [DHCP4_TYPE_INFORM] = DHCP4_INFORM,
        [DHCP4_TYPE_LEASEQUERY] = DHCP4_QUERY,
    };
    if (q->type == DHCP4_TYPE_REQUEST && q->has_server_id) {
        wire->sent[DHCP4_REQUEST]++;
    } else if (q->type == DHCP4_TYPE_REQUEST && inet_is_zero(q->ciaddr)) {
        wire->sent[DHCP4_REBOOT]++;
    } else if (q->type == DHCP4_TYPE_REQUEST) {
        count_extension(c, wire, q, client);
    } else if (q->type < ARRAY_LEN(intents) &&
               (q->type == DHCP4_TYPE_DISCOVER || intents[q->type] != DHCP4_DISCOVER)) {
        wire->sent[intents[q->type]]++;
    }
}

static bool is_server(const struct plan *plan, struct ipv4 address)
{
    for (uint32_t i = 0; i < plan->server_count; i++) {
        if (inet_equal(plan->servers[i].address, address)) {
            return true;
        }
    }
    return false;
}

/* A busy server answers even when the agent has said its last: that nobody counts. */
static void note_afterwards(const struct audit_capture *c, struct audit_wire *wire,
                            enum audit_type type, uint64_t at_ns)
{
    size_t agent = (size_t)(wire - c->agents);
    const struct ledger_final *final = agent < c->agent_count ? &c->told[agent].final : NULL;
    wire->afterwards[type] += final != NULL && final->has_instant && at_ns > wire->last_sent_ns &&
                              at_ns / NS_PER_S >= final->at.wall_s;
}

static void note_sent(struct audit_wire *wire, uint64_t at_ns)
{
    if (at_ns > wire->last_sent_ns) {
        wire->last_sent_ns = at_ns;
        memset(wire->afterwards, 0, sizeof(wire->afterwards));
    }
}

static void take_request(struct audit_capture *c, const struct audit_datagram *d,
                         const struct audit_request *q, uint32_t client, uint64_t at_ns)
{
    char who[AUDIT_WHO_BYTES], to[IPV4_TEXT_BYTES];
    struct audit_row *row;
    struct audit_wire *wire = wire_of(c, d->source, client, q->xid);
    count_request(c, wire, q, client);
    note_sent(wire, at_ns);
    note_time(c, at_ns);
    for (size_t at = SIZE_MAX; (row = next_row(c, client, q->xid, &at)) != NULL;) {
        row->is_asked = 1;
    }
    if (!is_server(c->plan, d->destination) && c->astray++ == 0) {
        (void)snprintf(c->first_astray, sizeof(c->first_astray), "to %s, %s",
                       inet_text(d->destination, to),
                       audit_who(c->plan, client, q->xid, q->ciaddr, who));
    }
}

/* --- replies --- */

static enum audit_type type_of(enum dhcp4_error error, uint8_t type)
{
    return error != DHCP4_OK          ? AUDIT_MALFORMED
           : type == DHCP4_TYPE_OFFER ? AUDIT_OFFER
           : type == DHCP4_TYPE_ACK   ? AUDIT_ACK
           : type == DHCP4_TYPE_NAK   ? AUDIT_NAK
                                      : AUDIT_OTHER;
}

static bool is_answer_to(const struct audit_row *row, const struct dhcp4_reply *r,
                         const struct plan *plan)
{
    /* Only of an ACK or NAK that moved a lease the event names who sent it. */
    bool is_from = row->server >= plan->server_count || row->kind == EVENT_INFORM ||
                   row->is_preflight ||
                   inet_equal(plan->servers[row->server].address, r->server_id);
    if (r->type == DHCP4_TYPE_NAK) {
        return row->result == EVENT_NAK && is_from;
    }
    /* The ACK to an INFORM names no address: the client has it already. */
    return audit_row_is_ack(row) && is_from && row->kind != EVENT_QUERY &&
           (row->kind == EVENT_INFORM || inet_equal(row->addr, r->yiaddr));
}

/* The first answer is the event's; what comes again, or late, has an event that says otherwise. */
static void match_answer(struct audit_capture *c, struct audit_wire *wire,
                         const struct dhcp4_reply *r, uint32_t client)
{
    struct audit_row *row;
    char who[AUDIT_WHO_BYTES];
    bool has_any = false;
    for (size_t at = SIZE_MAX; (row = next_row(c, client, r->xid, &at)) != NULL;) {
        has_any = true;
        if (row->is_answered == 0 && is_answer_to(row, r, c->plan)) {
            row->is_answered = 1;
            return;
        }
    }
    if (!has_any && wire->without_event++ == 0) {
        (void)snprintf(wire->first_without_event, sizeof(wire->first_without_event), "%s, %s",
                       r->type == DHCP4_TYPE_NAK ? "NAK" : "ACK",
                       audit_who(c->plan, client, r->xid, r->yiaddr, who));
    }
}

static void take_reply(struct audit_capture *c, const struct audit_datagram *d,
                       const struct dhcp4_reply *r, enum audit_type type, uint32_t client,
                       uint64_t at_ns)
{
    struct audit_wire *wire = wire_of(c, d->destination, client, r->xid);
    struct audit_row *row;
    wire->received[type]++;
    note_afterwards(c, wire, type, at_ns);
    note_time(c, at_ns);
    for (uint32_t i = 0; i < c->plan->server_count; i++) {
        c->of_server[i] += inet_equal(c->plan->servers[i].address, r->server_id);
    }
    if (type == AUDIT_ACK || type == AUDIT_NAK) {
        match_answer(c, wire, r, client);
    }
    for (size_t at = SIZE_MAX;
         type == AUDIT_OFFER && (row = next_row(c, client, r->xid, &at)) != NULL;) {
        row->is_offered = 1;
    }
}

/* True: it is of the run, and seen for the first time. */
static bool is_news(struct audit_capture *c, uint32_t file, const struct audit_datagram *d,
                    struct ipv4 server, bool *out_good)
{
    enum audit_news news = audit_once(&c->once, file, d, server);
    *out_good = news != AUDIT_NO_MEMORY;
    c->datagrams += news == AUDIT_NEW;
    c->seen_again += news == AUDIT_SEEN;
    return news == AUDIT_NEW;
}

/* A DISCOVER of preflight's that is no client's; what answers it counts with the strangers'. */
static bool take_stranger(struct audit_capture *c, uint32_t file, const struct audit_datagram *d,
                          const struct audit_request *q, uint64_t at_ns)
{
    bool is_good = true;
    if (is_news(c, file, d, d->destination, &is_good)) {
        struct audit_wire *wire = wire_of(c, d->source, 0, q->xid);
        count_request(c, wire, q, 0);
        note_sent(wire, at_ns);
        note_time(c, at_ns);
    }
    return is_good;
}

static bool take_datagram(struct audit_capture *c, uint32_t file, const struct audit_datagram *d,
                          uint64_t at_ns)
{
    struct audit_request q = {0};
    struct dhcp4_reply r = {0};
    uint32_t client = 0;
    bool is_good = true;
    const struct audit_address *here = address_of(c, d->destination);
    if (d->destination_port == DHCP4_SERVER_PORT && here == NULL &&
        audit_request_read(d->payload, d->payload_size, &q)) {
        if (preflight_is_unmarked(q.chaddr) && address_of(c, d->source) != NULL) {
            return take_stranger(c, file, d, &q, at_ns);
        }
        bool is_query = q.type == DHCP4_TYPE_LEASEQUERY && address_of(c, d->source) != NULL;
        if ((plan_client_of(c->plan, q.chaddr, &client) || is_query) &&
            is_news(c, file, d, d->destination, &is_good)) {
            take_request(c, d, &q, client, at_ns);
        }
        return is_good;
    }
    if (d->destination_port != DHCP4_SERVER_PORT && d->destination_port != DHCP4_CLIENT_PORT) {
        return true; /* no socket of an agent, nor of a client */
    }
    enum dhcp4_error error = dhcp4_decode_reply(d->payload, d->payload_size, &r);
    enum audit_type type = type_of(error, r.type);
    bool is_query = here != NULL && error == DHCP4_OK && r.type >= DHCP4_TYPE_LEASEUNASSIGNED &&
                    r.type <= DHCP4_TYPE_LEASEACTIVE;
    bool is_ours = error != DHCP4_NOT_A_REPLY && plan_client_of(c->plan, r.chaddr, &client);
    if (is_ours || is_query) {
        if (is_news(c, file, d, d->source, &is_good)) {
            take_reply(c, d, &r, type, client, at_ns);
        }
    } else if (here != NULL && is_news(c, file, d, d->source, &is_good)) {
        c->agents[here->agent].strangers[type]++;
    }
    return is_good;
}

bool audit_capture_frame(struct audit_capture *c, uint32_t file, const struct audit_frame *frame,
                         uint64_t at_ns)
{
    struct audit_datagram d;
    c->frames++;
    switch (audit_frame_open(frame, &d)) {
    case AUDIT_FRAME_OTHER:
        return true;
    case AUDIT_FRAME_CUT:
        c->cut++;
        return true;
    case AUDIT_FRAME_FRAGMENT:
        c->fragments++;
        return true;
    case AUDIT_FRAME_DHCP:
        break;
    }
    return take_datagram(c, file, &d, at_ns);
}

bool audit_capture_is_of_run(const struct audit_capture *c)
{
    return c->last_at_ns != 0 || c->first_at_ns != UINT64_MAX;
}
