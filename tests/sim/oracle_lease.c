/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "proto/dhcp_names.h"
#include "tests/sim/oracle.h"
#include "tests/support/model_server.h"

enum {
    HOLDERS_MAX = 4096,
    ASKED_MAX = 16,
    LEASES_MAX = 4,
    SPANS_MAX = 65536,
    OP_REPLY = 2,
    XID_AT = 4,
    YIADDR_AT = 16,
    CHADDR_AT = 28
};

/* A tick of the wheel, a scheduler that comes late, and a clock that goes slow. */
#define LATE_NS(lease_ns) (20 * NS_PER_MS + (lease_ns) / 2000)

/* How a REQUEST asks: an answer counts from the first packet of its kind with its xid. */
enum asked_as { ASKED_SELECTING, ASKED_RENEWING, ASKED_REBINDING, ASKED_REBOOTING };

struct asked {
    uint32_t xid;
    enum asked_as as;
    uint64_t lane; /* numbers begin anew in each run */
    uint64_t first_ns;
};

struct lease {
    struct ipv4 address;
    uint64_t until_ns, lease_ns;
    size_t span; /* its line in the book of spans; SIZE_MAX: none */
};

struct holder {
    struct mac mac;
    bool has_moved; /* to another address, without giving the former one back */
    struct asked asked[ASKED_MAX];
    size_t asked_at;
    struct lease lease[LEASES_MAX];
    size_t lease_at;
};

/* Somebody held an address from then until then. */
struct span {
    struct ipv4 address;
    size_t holder;
    uint64_t from_ns, until_ns;
};

static struct holder holders[HOLDERS_MAX];
static size_t holder_count;
static struct span spans[SPANS_MAX];
static size_t span_count;
static bool is_cleaning_up;

void oracle_cleanup_begins(void)
{
    is_cleaning_up = true;
}

static struct holder *holder_of(struct mac mac, bool makes)
{
    for (size_t i = 0; i < holder_count; i++) {
        if (memcmp(&holders[i].mac, &mac, sizeof(mac)) == 0) {
            return &holders[i];
        }
    }
    if (!makes) {
        return NULL;
    }
    assert(holder_count < HOLDERS_MAX);
    holders[holder_count].mac = mac;
    return &holders[holder_count++];
}

static enum asked_as asked_as(const struct model_query *q)
{
    if (q->has_server_id) {
        return ASKED_SELECTING;
    }
    if (q->has_requested) {
        return ASKED_REBOOTING;
    }
    return inet_is_zero(q->giaddr) ? ASKED_RENEWING : ASKED_REBINDING;
}

void oracle_lease_asked(const struct model_query *q, uint64_t lane)
{
    struct holder *h = holder_of(q->chaddr, true);
    enum asked_as as = asked_as(q);
    for (size_t i = 0; i < ASKED_MAX; i++) {
        const struct asked *a = &h->asked[i];
        if (a->first_ns != 0 && a->xid == q->xid && a->as == as && a->lane == lane) {
            return; /* a repetition */
        }
    }
    h->asked[h->asked_at++ % ASKED_MAX] = (struct asked){q->xid, as, lane, sim_now()};
}

static struct lease *lease_of(struct holder *h, struct ipv4 address)
{
    for (size_t i = 0; i < LEASES_MAX; i++) {
        if (inet_equal(h->lease[i].address, address) && h->lease[i].until_ns != 0) {
            return &h->lease[i];
        }
    }
    return NULL;
}

void oracle_lease_used(const struct model_query *q, struct ipv4 address)
{
    struct holder *h = holder_of(q->chaddr, false);
    struct lease *lease = h == NULL ? NULL : lease_of(h, address);
    char text[IPV4_TEXT_BYTES];
    if (is_cleaning_up) {
        return;
    }
    if (lease == NULL) {
        oracle_violation(PROMISE_NO_EXPIRED_LEASE, "%s is used, which the client was never given",
                         inet_text(address, text));
    } else if (sim_now() > lease->until_ns + LATE_NS(lease->lease_ns)) {
        oracle_violation(PROMISE_NO_EXPIRED_LEASE, "%s is used %.3f s after its lease",
                         inet_text(address, text), (double)(sim_now() - lease->until_ns) / 1e9);
    }
}

static void end_span(struct lease *lease)
{
    if (lease->span != SIZE_MAX && spans[lease->span].until_ns > sim_now()) {
        spans[lease->span].until_ns = sim_now();
    }
}

void oracle_lease_ended(const struct model_query *q)
{
    struct holder *h = holder_of(q->chaddr, false);
    struct lease *lease =
        h == NULL ? NULL : lease_of(h, q->has_requested ? q->requested : q->ciaddr);
    if (lease != NULL) {
        end_span(lease);
    }
}

/* --- answers --- */

struct reply {
    uint8_t type;
    uint32_t xid, lease_s;
    bool has_lease_s;
    struct mac mac;
    struct ipv4 address;
};

static bool parse(const struct lane_packet *p, struct reply *out)
{
    memset(out, 0, sizeof(*out));
    if (p->size < DHCP4_HEADER_BYTES || p->bytes[0] != OP_REPLY) {
        return false;
    }
    out->xid = bytes_get_u32(p->bytes + XID_AT);
    memcpy(&out->address, p->bytes + YIADDR_AT, 4);
    memcpy(&out->mac, p->bytes + CHADDR_AT, MAC_BYTES);
    size_t at = DHCP4_HEADER_BYTES;
    while (at + 2 <= p->size && p->bytes[at] != DHCP_OPTION_END) {
        if (p->bytes[at] == DHCP_OPTION_PAD) {
            at++;
            continue;
        }
        uint8_t size = p->bytes[at + 1];
        if (at + 2U + size > p->size) {
            return false;
        }
        if (p->bytes[at] == DHCP_OPTION_MESSAGE_TYPE && size == 1) {
            out->type = p->bytes[at + 2];
        } else if (p->bytes[at] == DHCP_OPTION_LEASE_TIME && size == 4) {
            out->lease_s = bytes_get_u32(p->bytes + at + 2);
            out->has_lease_s = true;
        }
        at += 2U + size;
    }
    return true;
}

/* The latest way in which this xid was used to ask. */
static const struct asked *asked_of(const struct holder *h, uint32_t xid, uint64_t lane)
{
    const struct asked *found = NULL;
    for (size_t i = 0; i < ASKED_MAX; i++) {
        const struct asked *a = &h->asked[i];
        if (a->first_ns != 0 && a->xid == xid && a->lane == lane &&
            (found == NULL || a->first_ns > found->first_ns)) {
            found = a;
        }
    }
    return found;
}

static void note_span(struct holder *h, struct lease *lease, uint64_t from_ns)
{
    if (lease->span == SIZE_MAX && span_count < SPANS_MAX) {
        lease->span = span_count++;
        spans[lease->span] = (struct span){lease->address, (size_t)(h - holders), from_ns, 0};
    }
    if (lease->span != SIZE_MAX) {
        spans[lease->span].until_ns = lease->until_ns;
    }
}

/* A client has one address: another one takes its place. */
static void end_others(struct holder *h, struct ipv4 address)
{
    for (size_t i = 0; i < LEASES_MAX; i++) {
        struct lease *lease = &h->lease[i];
        if (lease->until_ns != 0 && !inet_equal(lease->address, address)) {
            bool is_held = lease->span != SIZE_MAX && spans[lease->span].until_ns > sim_now();
            h->has_moved = h->has_moved || is_held;
            end_span(lease);
        }
    }
}

static void granted(struct holder *h, const struct reply *r, const struct asked *asked)
{
    uint64_t lease_s = r->lease_s < ORACLE_LONGEST_LEASE_S ? r->lease_s : ORACLE_LONGEST_LEASE_S;
    uint64_t lease_ns = (lease_s > 0 ? lease_s : ORACLE_SHORTEST_LEASE_S) * NS_PER_S;
    struct lease *lease = lease_of(h, r->address);
    end_others(h, r->address);
    if (lease == NULL) {
        lease = &h->lease[h->lease_at++ % LEASES_MAX];
        *lease = (struct lease){.address = r->address, .span = SIZE_MAX};
    } else if (lease->until_ns < sim_now() ||
               (lease->span != SIZE_MAX && spans[lease->span].until_ns <= sim_now())) {
        lease->span = SIZE_MAX; /* it was over: this is another one */
    }
    uint64_t until_ns = asked->first_ns + lease_ns;
    if (until_ns > lease->until_ns) {
        lease->until_ns = until_ns;
        lease->lease_ns = lease_ns;
    }
    note_span(h, lease, sim_now());
}

void oracle_lease_answered(const struct lane_packet *packet, uint64_t lane)
{
    struct reply r;
    struct holder *h = parse(packet, &r) ? holder_of(r.mac, false) : NULL;
    const struct asked *asked = h == NULL ? NULL : asked_of(h, r.xid, lane);
    if (asked == NULL) {
        return;
    }
    if (r.type == DHCP4_TYPE_ACK && r.has_lease_s && !inet_is_zero(r.address)) {
        granted(h, &r, asked);
    } else if (r.type == DHCP4_TYPE_NAK) {
        for (size_t i = 0; i < LEASES_MAX; i++) {
            if (h->lease[i].until_ns != 0) {
                end_span(&h->lease[i]);
            }
        }
    }
}

uint64_t oracle_duplicates(uint64_t span_ns, uint64_t since_ns)
{
    uint64_t found = 0;
    for (size_t i = 0; i < span_count; i++) {
        for (size_t k = i + 1; k < span_count; k++) {
            const struct span *a = &spans[i], *b = &spans[k];
            if (a->from_ns < since_ns || b->from_ns < since_ns || a->holder == b->holder ||
                !inet_equal(a->address, b->address)) {
                continue;
            }
            /* Of who has moved nobody can be sure: the product says so, and does not count it. */
            bool is_unsure = holders[a->holder].has_moved || holders[b->holder].has_moved;
            if (span_ns > 0 && is_unsure) {
                continue;
            }
            uint64_t from_ns = a->from_ns > b->from_ns ? a->from_ns : b->from_ns;
            uint64_t until_ns = a->until_ns < b->until_ns ? a->until_ns : b->until_ns;
            bool is_together = until_ns > from_ns && until_ns - from_ns > span_ns;
            if (is_together && found++ == 0) {
                char text[IPV4_TEXT_BYTES];
                log_info("*** %s at two clients from %.3f to %.3f s", inet_text(a->address, text),
                         (double)from_ns / 1e9, (double)until_ns / 1e9);
            }
        }
    }
    return found;
}
