/* SPDX-License-Identifier: MIT */
#include "tests/support/model_server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/prng.h"
#include "proto/dhcp_names.h"

enum { OP_REQUEST = 1, OP_REPLY = 2, CLIENT_PORT = 68, SERVER_PORT = 67 };

/* --- pools --- */

bool model_pool_init(struct model_pool *p, struct ipv4_net subnet, struct ipv4 giaddr,
                     struct ipv4 first, uint32_t count)
{
    uint32_t size = 16;
    while (size < 2 * count) {
        size *= 2;
    }
    *p = (struct model_pool){
        .subnet = subnet, .giaddr = giaddr, .first = first, .count = count, .mask = size - 1};
    p->leases = calloc(count, sizeof(*p->leases));
    p->by_mac = calloc(size, sizeof(*p->by_mac));
    if (p->leases == NULL || p->by_mac == NULL) {
        model_pool_fini(p);
        return false;
    }
    return true;
}

void model_pool_fini(struct model_pool *p)
{
    free(p->leases);
    free(p->by_mac);
    *p = (struct model_pool){0};
}

uint32_t model_pool_live(const struct model_pool *p, uint64_t now_ns)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < p->used; i++) {
        live += p->leases[i].until_ns > now_ns;
    }
    return live;
}

static uint32_t *place_of(struct model_pool *p, struct mac mac)
{
    uint64_t key = 0;
    memcpy(&key, mac.byte, MAC_BYTES);
    for (uint32_t at = (uint32_t)prng_mix(1, key, 2) & p->mask;; at = (at + 1) & p->mask) {
        uint32_t place = p->by_mac[at];
        if (place == 0 || memcmp(&p->leases[place - 1].mac, &mac, sizeof(mac)) == 0) {
            return &p->by_mac[at];
        }
    }
}

/* The client's lease; a new one when `makes`. NULL: there is none, or the pool is empty. */
static struct model_lease *lease_of(struct model_pool *p, struct mac mac, bool makes)
{
    uint32_t *place = place_of(p, mac);
    if (*place == 0) {
        if (!makes || p->used == p->count) {
            return NULL;
        }
        p->leases[p->used].mac = mac;
        *place = ++p->used;
    }
    return &p->leases[*place - 1];
}

static struct ipv4 address_of(const struct model_pool *p, const struct model_lease *lease)
{
    return inet_from_host(inet_host(p->first) + (uint32_t)(lease - p->leases));
}

struct ipv4 model_pool_grant(struct model_pool *p, struct mac mac, uint64_t until_ns)
{
    struct model_lease *lease = lease_of(p, mac, true);
    assert(lease != NULL);
    lease->until_ns = until_ns;
    return address_of(p, lease);
}

static struct model_pool *pool_for(struct model_server *s, const struct model_query *q)
{
    for (size_t i = 0; i < s->pool_count; i++) {
        struct model_pool *p = &s->pools[i];
        bool is_relayed = !inet_is_zero(q->giaddr);
        if (is_relayed ? inet_equal(p->giaddr, q->giaddr)
                       : inet_net_contains(p->subnet, q->ciaddr)) {
            return p;
        }
    }
    return NULL;
}

/* --- messages in --- */

static void take_option(struct model_query *q, uint8_t code, const uint8_t *value, uint8_t size)
{
    switch (code) {
    case DHCP_OPTION_MESSAGE_TYPE:
        q->type = size == 1 ? value[0] : 0;
        break;
    case DHCP_OPTION_REQUESTED_IP:
        q->has_requested = size == 4;
        memcpy(&q->requested, value, q->has_requested ? 4 : 0);
        break;
    case DHCP_OPTION_SERVER_ID:
        q->has_server_id = size == 4;
        memcpy(&q->server_id, value, q->has_server_id ? 4 : 0);
        break;
    case DHCP_OPTION_CLIENT_ID:
        q->has_client_id = size <= sizeof(q->client_id);
        memcpy(q->client_id, value, q->has_client_id ? size : 0);
        break;
    case DHCP_OPTION_PARAMETERS:
        q->has_parameters = true;
        break;
    case DHCP_OPTION_VENDOR_CLASS:
        q->has_vendor_class = true;
        break;
    case DHCP_OPTION_RELAY_INFO:
        q->relay_info = value - 2;
        q->relay_info_bytes = 2U + size;
        break;
    default:
        break;
    }
}

bool model_query_parse(const uint8_t *bytes, size_t size, struct model_query *out)
{
    *out = (struct model_query){0};
    if (size < DHCP4_HEADER_BYTES || bytes[0] != OP_REQUEST ||
        bytes_get_u32(bytes + 236) != 0x63825363) {
        return false;
    }
    out->hops = bytes[3];
    out->xid = bytes_get_u32(bytes + 4);
    out->secs = bytes_get_u16(bytes + 8);
    out->flags = bytes_get_u16(bytes + 10);
    memcpy(&out->ciaddr, bytes + 12, 4);
    memcpy(&out->giaddr, bytes + 24, 4);
    memcpy(&out->chaddr, bytes + 28, MAC_BYTES);
    size_t at = DHCP4_HEADER_BYTES;
    while (at < size && bytes[at] != DHCP_OPTION_END) {
        if (bytes[at] == DHCP_OPTION_PAD) {
            at++;
            continue;
        }
        if (at + 2 > size || at + 2U + bytes[at + 1] > size) {
            return false;
        }
        take_option(out, bytes[at], bytes + at + 2, bytes[at + 1]);
        at += 2U + bytes[at + 1];
    }
    return at < size && out->type != 0;
}

/* --- messages out --- */

static void put_option(struct model_reply *r, uint8_t code, const void *value, uint8_t size)
{
    r->bytes[r->size] = code;
    r->bytes[r->size + 1] = size;
    memcpy(r->bytes + r->size + 2, value, size);
    r->size += 2U + size;
}

static void put_u32(struct model_reply *r, uint8_t code, uint32_t value)
{
    uint8_t word[4];
    bytes_put_u32(word, value);
    put_option(r, code, word, sizeof(word));
}

struct answer {
    uint8_t type;
    struct ipv4 yiaddr;       /* zero: none, the answer to an INFORM or a NAK */
    const struct mac *holder; /* of the address a query is about; NULL: nobody */
};

static void put_lease_options(const struct model_server *s, const struct model_query *q,
                              struct answer a, struct model_reply *r)
{
    if (a.type != DHCP4_TYPE_NAK) {
        bool is_odd = s->changes_mask && (q->xid & 1) != 0;
        put_u32(r, DHCP_OPTION_SUBNET_MASK, is_odd ? 0xffffff00 : 0xffff0000);
    }
    if (inet_is_zero(a.yiaddr)) {
        return;
    }
    put_u32(r, DHCP_OPTION_LEASE_TIME, s->lease_s);
    if (s->has_t1) {
        put_u32(r, DHCP_OPTION_RENEWAL_TIME, s->t1_s);
    }
    if (s->has_t2) {
        put_u32(r, DHCP_OPTION_REBINDING_TIME, s->t2_s);
    }
}

void model_server_write(const struct model_server *s, const struct model_query *q, uint8_t type,
                        struct ipv4 yiaddr, struct model_reply *r)
{
    struct answer a = {.type = type, .yiaddr = yiaddr};
    memset(r, 0, sizeof(*r));
    bool is_relayed = !inet_is_zero(q->giaddr);
    struct ipv4 id = inet_is_zero(s->foreign_server_id) ? s->address : s->foreign_server_id;
    r->bytes[0] = OP_REPLY;
    r->bytes[1] = 1;
    r->bytes[2] = MAC_BYTES;
    bytes_put_u32(r->bytes + 4, q->xid);
    if (a.type == DHCP4_TYPE_ACK) {
        memcpy(r->bytes + 12, &q->ciaddr, 4);
    }
    memcpy(r->bytes + 16, &a.yiaddr, 4);
    memcpy(r->bytes + 24, &q->giaddr, 4);
    memcpy(r->bytes + 28, &q->chaddr, MAC_BYTES);
    bytes_put_u32(r->bytes + 236, 0x63825363);
    r->size = DHCP4_HEADER_BYTES;
    put_option(r, DHCP_OPTION_MESSAGE_TYPE, &a.type, 1);
    put_option(r, DHCP_OPTION_SERVER_ID, &id, 4);
    put_lease_options(s, q, a, r);
    if (q->relay_info != NULL) {
        memcpy(r->bytes + r->size, q->relay_info, q->relay_info_bytes);
        r->size += q->relay_info_bytes;
    }
    r->bytes[r->size++] = DHCP_OPTION_END;
    r->size = r->size < DHCP4_MIN_BYTES ? DHCP4_MIN_BYTES : r->size;
    r->destination = is_relayed ? q->giaddr : q->ciaddr;
    r->destination_port = is_relayed ? SERVER_PORT : CLIENT_PORT;
    r->source_port = s->answers_from_port != 0 ? s->answers_from_port : SERVER_PORT;
}

/* The hardware in the header is the holder's, or none. */
static void write_holder(const struct model_query *q, struct answer a, struct model_reply *r)
{
    bool is_held = a.holder != NULL;
    r->bytes[1] = is_held ? 1 : 0;
    r->bytes[2] = is_held ? MAC_BYTES : 0;
    memcpy(r->bytes + 12, &q->ciaddr, 4);
    if (is_held) {
        memcpy(r->bytes + 28, a.holder, MAC_BYTES);
    }
}

/* --- what it does --- */

static bool discovered(struct model_server *s, struct model_pool *p, const struct model_query *q,
                       struct answer *out)
{
    s->discovers++;
    out->type = DHCP4_TYPE_OFFER;
    if (!inet_is_zero(s->foreign_address)) {
        out->yiaddr = s->foreign_address;
        return true;
    }
    struct model_lease *lease = s->offers_nothing ? NULL : lease_of(p, q->chaddr, true);
    if (lease == NULL) {
        return false;
    }
    out->yiaddr = address_of(p, lease);
    return true;
}

static bool refused(bool is_refused, struct answer *out)
{
    out->type = DHCP4_TYPE_NAK;
    out->yiaddr = (struct ipv4){0};
    return is_refused;
}

static bool granted(struct model_server *s, struct model_pool *p, struct model_lease *lease,
                    uint64_t now_ns, struct answer *out)
{
    lease->until_ns = s->lease_s == UINT32_MAX ? UINT64_MAX : now_ns + s->lease_s * NS_PER_S;
    out->type = DHCP4_TYPE_ACK;
    out->yiaddr = address_of(p, lease);
    return true;
}

static bool requested(struct model_server *s, struct model_pool *p, const struct model_query *q,
                      uint64_t now_ns, struct answer *out)
{
    s->requests++;
    s->requests_of_foreign +=
        !inet_is_zero(s->foreign_address) && inet_equal(q->requested, s->foreign_address);
    if (s->ignores_requests || (!inet_equal(q->server_id, s->address) && !s->answers_for_partner)) {
        return false;
    }
    if (s->naks_requests) {
        return refused(true, out);
    }
    struct model_lease *lease = lease_of(p, q->chaddr, false);
    if (lease == NULL || !inet_equal(address_of(p, lease), q->requested)) {
        return refused(true, out);
    }
    return granted(s, p, lease, now_ns, out);
}

/* RENEWING, REBINDING (ciaddr) and INIT-REBOOT (option 50). */
static bool extended(struct model_server *s, struct model_pool *p, const struct model_query *q,
                     uint64_t now_ns, struct answer *out)
{
    bool is_reboot = q->has_requested;
    struct ipv4 wanted = is_reboot ? q->requested : q->ciaddr;
    s->renewals += !is_reboot;
    s->reboots += is_reboot;
    if (s->is_silent_to_renewals && inet_is_zero(q->giaddr)) {
        return false;
    }
    struct model_lease *lease = lease_of(p, q->chaddr, false);
    if (s->naks_renewals || lease == NULL || !inet_equal(address_of(p, lease), wanted)) {
        return refused(true, out);
    }
    (void)granted(s, p, lease, now_ns, out);
    if (s->changes_address) {
        out->yiaddr = inet_from_host(inet_host(out->yiaddr) + 1);
    }
    return true;
}

static bool ended(struct model_pool *p, const struct model_query *q)
{
    struct model_lease *lease = lease_of(p, q->chaddr, false);
    if (lease != NULL) {
        lease->until_ns = 0;
    }
    return false;
}

/* RFC 4388 6.4: of an address that is not the pool's it knows nothing. */
static bool queried(struct model_server *s, const struct model_pool *p, const struct model_query *q,
                    uint64_t now_ns, struct answer *out)
{
    uint32_t place = inet_host(q->ciaddr) - inet_host(p->first);
    s->queries++;
    if (s->ignores_queries || inet_is_zero(q->giaddr)) {
        return false;
    }
    out->type = DHCP4_TYPE_LEASEUNKNOWN;
    if (place < p->count) {
        bool is_held = place < p->used && p->leases[place].until_ns > now_ns;
        out->type = is_held ? DHCP4_TYPE_LEASEACTIVE : DHCP4_TYPE_LEASEUNASSIGNED;
        out->holder = is_held ? &p->leases[place].mac : NULL;
    }
    return true;
}

static bool answer(struct model_server *s, struct model_pool *p, const struct model_query *q,
                   uint64_t now_ns, struct answer *out)
{
    switch (q->type) {
    case DHCP4_TYPE_DISCOVER:
        return discovered(s, p, q, out);
    case DHCP4_TYPE_REQUEST:
        return q->has_server_id ? requested(s, p, q, now_ns, out) : extended(s, p, q, now_ns, out);
    case DHCP4_TYPE_DECLINE:
        s->declines++;
        return ended(p, q);
    case DHCP4_TYPE_RELEASE:
        s->releases++;
        return !s->loses_releases && ended(p, q);
    case DHCP4_TYPE_INFORM:
        s->informs++;
        *out = (struct answer){.type = DHCP4_TYPE_ACK};
        return true;
    case DHCP4_TYPE_LEASEQUERY:
        return queried(s, p, q, now_ns, out);
    default:
        return false;
    }
}

size_t model_server_take(struct model_server *s, const uint8_t *bytes, size_t size, uint64_t now_ns,
                         struct model_reply out[MODEL_REPLIES_MAX])
{
    struct model_query q;
    struct answer a = {0};
    s->messages++;
    bool is_dropped = s->drops_every > 0 && s->messages % s->drops_every == 0;
    s->dropped += is_dropped;
    if (s->is_silent || is_dropped || !model_query_parse(bytes, size, &q)) {
        return 0;
    }
    struct model_pool *pool = pool_for(s, &q);
    if (pool == NULL || !answer(s, pool, &q, now_ns, &a)) {
        return 0;
    }
    model_server_write(s, &q, a.type, a.yiaddr, &out[0]);
    if (q.type == DHCP4_TYPE_LEASEQUERY) {
        write_holder(&q, a, &out[0]);
    }
    if (s->garbles_every > 0 && s->messages % s->garbles_every == 0) {
        out[0].size = DHCP4_HEADER_BYTES + 1;
    }
    if (!s->answers_twice) {
        return 1;
    }
    out[1] = out[0];
    return 2;
}
