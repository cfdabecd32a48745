/* SPDX-License-Identifier: MIT */
#include "tests/sim/pair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/bytes.h"
#include "common/log.h"
#include "proto/dhcp_names.h"
#include "tests/sim/net_udp.h"
#include "tests/sim/plot.h"
#include "tests/support/model_server.h"

enum { BINDINGS_MAX = 512, SPARE_ADDRESSES = 6, FIRST_HOST = 10, XID_AT = 4, CLIENT_PORT = 68 };

#define OFFER_HELD_NS   (10 * NS_PER_S)
#define DECLINED_NS     (60 * NS_PER_S)
#define SERVICE_MOST_NS (2 * NS_PER_MS)

enum binding_state { BINDING_FREE, BINDING_OFFERED, BINDING_LEASED, BINDING_DECLINED };

/* One address. What is over is free, but remembers whose it was. */
struct binding {
    struct ipv4 address;
    struct mac mac;
    bool has_owner;
    enum binding_state state;
    uint64_t until_ns;
};

static struct {
    struct binding book[BINDINGS_MAX];
    size_t count;
    struct model_server server[WORLD_SERVERS_MAX];
    bool is_down[WORLD_SERVERS_MAX];
    enum pair_lie lie[WORLD_SERVERS_MAX];
    uint64_t busy_until_ns[WORLD_SERVERS_MAX];
    struct prng prng;
    struct pair_counts counts;
} pair;

const struct pair_counts *pair_counts(void)
{
    return &pair.counts;
}

const char *pair_lie_name(enum pair_lie lie)
{
    static const char *const names[LIE_COUNT] = {
        "none",    "foreign offer", "foreign id",    "same address",  "T1 after T2",
        "lease 0", "NAK storm",     "wrong xid",     "other address", "twice",
        "garbled", "wrong port",    "lease for ever"};
    return names[lie];
}

void pair_set_down(size_t server, bool is_down)
{
    pair.is_down[server] = is_down;
}

void pair_set_lie(size_t server, enum pair_lie lie)
{
    pair.lie[server] = lie;
    log_info("*** server %zu: %s", server + 1, pair_lie_name(lie));
}

/* The pool is small: addresses that were let go are soon somebody else's. */
void pair_init(struct prng p, uint32_t lease_s)
{
    memset(&pair, 0, sizeof(pair));
    pair.prng = p;
    size_t subnets = plot.shares_subnets ? 1 : plot.relay_count;
    for (size_t i = 0; i < subnets; i++) {
        uint32_t clients = plot.shares_subnets ? plot.clients : plot.relays[i].clients;
        for (uint32_t k = 0; k < clients + SPARE_ADDRESSES; k++) {
            assert(pair.count < BINDINGS_MAX);
            pair.book[pair.count++].address =
                inet_from_host(inet_host(plot.relays[i].subnet.base) + FIRST_HOST + k);
        }
    }
    for (size_t i = 0; i < plot.server_count; i++) {
        struct model_server *s = &pair.server[i];
        s->address = plot.servers[i];
        s->lease_s = lease_s;
        s->has_t1 = s->has_t2 = prng_below(&pair.prng, 2) == 0;
        s->t1_s = lease_s / 2;
        s->t2_s = lease_s * 7 / 8;
    }
}

/* --- the book --- */

static bool is_same_mac(struct mac a, struct mac b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool is_live(const struct binding *b)
{
    return b->state != BINDING_FREE && b->until_ns > sim_now();
}

static bool is_of(const struct binding *b, struct mac mac)
{
    return b->has_owner && is_same_mac(b->mac, mac);
}

static struct binding *binding_at(struct ipv4 address)
{
    for (size_t i = 0; i < pair.count; i++) {
        if (inet_equal(pair.book[i].address, address)) {
            return &pair.book[i];
        }
    }
    return NULL;
}

/* The subnet of a relayed message is its giaddr's. */
static const struct ipv4_net *subnet_of(const struct model_query *q)
{
    for (size_t i = 0; i < plot.relay_count; i++) {
        const struct plot_relay *r = &plot.relays[i];
        bool is_it = inet_is_zero(q->giaddr) ? inet_net_contains(r->subnet, q->ciaddr)
                                             : inet_equal(r->giaddr, q->giaddr);
        if (is_it) {
            return &r->subnet;
        }
    }
    return NULL;
}

/* Its own, one nobody ever had, one that was let go: in this order (RFC 2131 4.3.1). */
static struct binding *choose(const struct ipv4_net *subnet, struct mac mac)
{
    struct binding *best = NULL;
    int best_rank = 0;
    for (size_t i = 0; i < pair.count; i++) {
        struct binding *b = &pair.book[i];
        if (!inet_net_contains(*subnet, b->address) || b->state == BINDING_DECLINED) {
            continue;
        }
        int rank = is_of(b, mac) ? 3 : is_live(b) ? 0 : !b->has_owner ? 2 : 1;
        bool is_older = rank == best_rank && rank == 1 && b->until_ns < best->until_ns;
        if (rank > best_rank || is_older) {
            best = b;
            best_rank = rank;
        }
    }
    return best;
}

static void bind(struct binding *b, struct mac mac, enum binding_state state, uint64_t until_ns)
{
    pair.counts.expired_reused += b->has_owner && !is_same_mac(b->mac, mac);
    b->mac = mac;
    b->has_owner = true;
    b->state = state;
    b->until_ns = until_ns;
}

/* --- what a server does --- */

struct answer {
    uint8_t type; /* 0: none */
    struct ipv4 address;
    const struct mac *holder;
};

static uint64_t lease_ns(const struct model_server *s)
{
    return s->lease_s == UINT32_MAX ? UINT64_MAX / 4 : s->lease_s * NS_PER_S;
}

static struct answer discovered(const struct model_query *q, const struct ipv4_net *subnet)
{
    struct binding *b = choose(subnet, q->chaddr);
    if (b == NULL) {
        return (struct answer){0};
    }
    if (!is_live(b)) {
        bind(b, q->chaddr, BINDING_OFFERED, sim_now() + OFFER_HELD_NS);
    }
    return (struct answer){.type = DHCP4_TYPE_OFFER, .address = b->address};
}

static struct answer granted(struct model_server *s, struct binding *b, struct mac mac)
{
    bind(b, mac, BINDING_LEASED, sim_now() + lease_ns(s));
    return (struct answer){.type = DHCP4_TYPE_ACK, .address = b->address};
}

static struct answer requested(struct model_server *s, const struct model_query *q)
{
    bool is_selecting = q->has_server_id;
    struct binding *b = binding_at(q->has_requested ? q->requested : q->ciaddr);
    if (is_selecting && !inet_equal(q->server_id, s->address)) {
        return (struct answer){0}; /* the partner's; its offer is in the book of both */
    }
    bool is_taken = b != NULL && is_live(b) && !is_of(b, q->chaddr);
    if (b == NULL || is_taken || b->state == BINDING_DECLINED ||
        (is_selecting && !is_of(b, q->chaddr))) {
        return (struct answer){.type = DHCP4_TYPE_NAK};
    }
    return granted(s, b, q->chaddr);
}

static void given_up(const struct model_query *q, enum binding_state state)
{
    struct binding *b = binding_at(q->has_requested ? q->requested : q->ciaddr);
    if (b != NULL && is_of(b, q->chaddr)) {
        b->state = state;
        b->until_ns = state == BINDING_DECLINED ? sim_now() + DECLINED_NS : sim_now();
    }
}

static struct answer queried(const struct model_query *q)
{
    struct binding *b = binding_at(q->ciaddr);
    if (b == NULL) {
        return (struct answer){.type = DHCP4_TYPE_LEASEUNKNOWN};
    }
    bool is_held = b->state == BINDING_LEASED && is_live(b);
    return (struct answer){.type = is_held ? DHCP4_TYPE_LEASEACTIVE : DHCP4_TYPE_LEASEUNASSIGNED,
                           .holder = is_held ? &b->mac : NULL};
}

static struct answer answer_to(struct model_server *s, const struct model_query *q)
{
    const struct ipv4_net *subnet = subnet_of(q);
    if (subnet == NULL) {
        return (struct answer){0};
    }
    switch (q->type) {
    case DHCP4_TYPE_DISCOVER:
        return discovered(q, subnet);
    case DHCP4_TYPE_REQUEST:
        return requested(s, q);
    case DHCP4_TYPE_DECLINE:
        given_up(q, BINDING_DECLINED);
        return (struct answer){0};
    case DHCP4_TYPE_RELEASE:
        given_up(q, BINDING_FREE);
        return (struct answer){0};
    case DHCP4_TYPE_INFORM:
        return (struct answer){.type = DHCP4_TYPE_ACK};
    case DHCP4_TYPE_LEASEQUERY:
        return queried(q);
    default:
        return (struct answer){0};
    }
}

/* --- the ways it lies --- */

static struct ipv4 somebody_elses(struct mac mac)
{
    for (size_t i = 0; i < pair.count; i++) {
        const struct binding *b = &pair.book[i];
        if (b->state == BINDING_LEASED && is_live(b) && !is_same_mac(b->mac, mac)) {
            return b->address;
        }
    }
    return (struct ipv4){0};
}

/* Consistently: whoever asks for what was offered gets it. */
static bool twist_same_address(const struct model_query *q, struct answer *a, bool has_address)
{
    bool is_offer = a->type == DHCP4_TYPE_OFFER;
    struct ipv4 other = somebody_elses(q->chaddr);
    bool is_refusal = a->type == DHCP4_TYPE_NAK && q->has_requested;
    if ((!has_address && !is_refusal) || (inet_is_zero(other) && !is_refusal)) {
        return false;
    }
    a->address = is_offer ? other : q->has_requested ? q->requested : q->ciaddr;
    a->type = is_offer ? DHCP4_TYPE_OFFER : DHCP4_TYPE_ACK;
    return true;
}

/* Before the answer is made: what it says, and whether this server lies now. */
static bool twist_answer(enum pair_lie lie, const struct model_query *q, struct answer *a)
{
    bool is_lease = a->type == DHCP4_TYPE_OFFER || a->type == DHCP4_TYPE_ACK;
    bool has_address = is_lease && !inet_is_zero(a->address);
    if (lie == LIE_FOREIGN_OFFER && has_address) {
        a->address = inet_from_host(0xc6336401);
    } else if (lie == LIE_SAME_ADDRESS) {
        return twist_same_address(q, a, has_address);
    } else if (lie == LIE_NAK_STORM) {
        if (q->type != DHCP4_TYPE_REQUEST) {
            return false;
        }
        *a = (struct answer){.type = DHCP4_TYPE_NAK};
        return true;
    } else if (lie == LIE_OTHER_ADDRESS) {
        if (!has_address || a->type != DHCP4_TYPE_ACK || q->has_requested) {
            return false;
        }
        a->address = inet_from_host(inet_host(a->address) ^ 1);
    }
    return has_address;
}

static struct model_server twisted_server(const struct model_server *s, enum pair_lie lie)
{
    struct model_server t = *s;
    if (lie == LIE_FOREIGN_ID) {
        t.foreign_server_id = inet_from_host(0xcb007109);
    } else if (lie == LIE_LEASE_ZERO) {
        t.lease_s = 0;
    } else if (lie == LIE_LEASE_FOR_EVER) {
        t.lease_s = UINT32_MAX;
    } else if (lie == LIE_WRONG_PORT) {
        t.answers_from_port = 1067;
    } else if (lie == LIE_T1_AFTER_T2) {
        t.has_t1 = t.has_t2 = true;
        t.t1_s = 3 * s->lease_s;
        t.t2_s = 2 * s->lease_s;
    }
    return t;
}

/* After it is made: the bytes. */
static void twist_bytes(enum pair_lie lie, struct model_reply *r)
{
    if (lie == LIE_WRONG_XID) {
        bytes_put_u32(r->bytes + XID_AT, (uint32_t)prng_next(&pair.prng));
    } else if (lie == LIE_GARBLED) {
        r->size = prng_below(&pair.prng, r->size);
        if (r->size > 0) {
            r->bytes[prng_below(&pair.prng, r->size)] ^= (uint8_t)(1 + prng_below(&pair.prng, 255));
        }
    }
}

/* --- the way in and out --- */

struct outgoing {
    struct ipv4 source;
    struct model_reply reply;
};

static void reply_leaves(void *context, uint64_t server)
{
    struct outgoing *o = context;
    if (!pair.is_down[server]) {
        net_way_to_agent(o->source, &o->reply);
    }
    free(o);
}

static void write_holder(const struct model_query *q, const struct answer *a, struct model_reply *r)
{
    bool is_held = a->holder != NULL;
    r->bytes[1] = is_held;
    r->bytes[2] = is_held ? MAC_BYTES : 0;
    memcpy(r->bytes + 12, &q->ciaddr, 4);
    if (is_held) {
        memcpy(r->bytes + 28, a->holder, MAC_BYTES);
    }
}

void pair_take(size_t server, struct ipv4 source, const uint8_t *bytes, size_t size)
{
    struct model_query q;
    (void)source;
    pair.counts.while_down += pair.is_down[server];
    if (pair.is_down[server] || !model_query_parse(bytes, size, &q)) {
        return;
    }
    enum pair_lie lie = pair.lie[server];
    pair.counts.taken++;
    struct model_server s = twisted_server(&pair.server[server], lie);
    struct answer a = answer_to(&s, &q);
    if (a.type == 0) {
        return;
    }
    pair.counts.lies += lie != LIE_NONE && twist_answer(lie, &q, &a);
    pair.counts.answered++;
    pair.counts.acks += a.type == DHCP4_TYPE_ACK;
    pair.counts.naks += a.type == DHCP4_TYPE_NAK;
    uint64_t *busy_ns = &pair.busy_until_ns[server];
    *busy_ns = (*busy_ns > sim_now() ? *busy_ns : sim_now()) + 20 * NS_PER_US +
               prng_below(&pair.prng, SERVICE_MOST_NS);
    for (int i = 0; i < (lie == LIE_TWICE ? 2 : 1); i++) {
        struct outgoing *o = calloc(1, sizeof(*o));
        assert(o != NULL);
        o->source = s.address;
        model_server_write(&s, &q, a.type, a.address, &o->reply);
        if (q.type == DHCP4_TYPE_LEASEQUERY) {
            write_holder(&q, &a, &o->reply);
        }
        twist_bytes(lie, &o->reply);
        sim_at(*busy_ns, reply_leaves, o, server);
    }
}
