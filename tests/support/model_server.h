/* SPDX-License-Identifier: MIT */
/*
 * A DHCP server for tests: takes the bytes a client or relay sent, returns the
 * bytes a server would answer with. It can also be wrong in the ways servers,
 * and test beds, are wrong.
 *
 * Leases live in a pool, one per subnet; servers that share their pools are a
 * failover pair: each knows what the other leased.
 *
 * Pure: time is an argument. Allocates in model_pool_init() only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "proto/dhcp4.h"

struct model_lease {
    struct mac mac;
    uint64_t until_ns; /* 0: free */
};

struct model_pool {
    struct ipv4_net subnet; /* giaddr or ciaddr inside it, or via the relay listed: this pool */
    struct ipv4 giaddr;
    struct ipv4 first;
    uint32_t count;
    struct model_lease *leases;
    uint32_t *by_mac; /* hash of a MAC to place + 1, open addressing */
    uint32_t mask;
    uint32_t used; /* places ever given away */
};

NODISCARD bool model_pool_init(struct model_pool *p, struct ipv4_net subnet, struct ipv4 giaddr,
                               struct ipv4 first, uint32_t count);
void model_pool_fini(struct model_pool *p);
/* Gives the client a lease until then, as if it had asked; returns its address. */
struct ipv4 model_pool_grant(struct model_pool *p, struct mac mac, uint64_t until_ns);
uint32_t model_pool_live(const struct model_pool *p, uint64_t now_ns);

struct model_server {
    struct ipv4 address; /* also its server identifier */
    struct model_pool *pools;
    size_t pool_count;
    uint32_t lease_s;
    bool has_t1, has_t2;
    uint32_t t1_s, t2_s;

    /* The ways it can be wrong; all off when zero. */
    bool is_silent;
    bool is_silent_to_renewals; /* what clients send themselves */
    bool naks_requests;         /* REQUEST in SELECTING */
    bool ignores_requests;
    bool naks_renewals;       /* in RENEWING, REBINDING, INIT-REBOOT */
    bool offers_nothing;      /* pool exhausted: DISCOVER unanswered, the rest served */
    bool answers_for_partner; /* ACKs a REQUEST that names another server */
    bool answers_twice;
    bool ignores_queries;          /* DHCPLEASEQUERY is not allowed */
    bool loses_releases;           /* too many at once: read by nobody */
    struct ipv4 foreign_address;   /* offered to everybody instead of the pool's */
    struct ipv4 foreign_server_id; /* option 54 of everything it says */
    uint32_t drops_every;          /* n: takes no notice of every n-th message */
    uint16_t answers_from_port;    /* instead of 67 */
    bool changes_address;          /* a renewal names another address */
    bool changes_mask;             /* every other ACK */
    uint32_t garbles_every;        /* n: every n-th answer is cut short */

    /* What it saw. */
    uint64_t messages, dropped;
    uint64_t requests_of_foreign; /* REQUESTs for foreign_address: never, the OFFER rule says */
    uint64_t discovers, requests, renewals, reboots, declines, releases, informs, queries;
};

struct model_reply {
    uint8_t bytes[DHCP4_MAX_BYTES];
    size_t size;
    struct ipv4 destination; /* giaddr, or ciaddr */
    uint16_t destination_port, source_port;
};

enum { MODEL_REPLIES_MAX = 2 };

/* Returns how many of `out` are filled. */
size_t model_server_take(struct model_server *s, const uint8_t *bytes, size_t size, uint64_t now_ns,
                         struct model_reply out[MODEL_REPLIES_MAX]);

struct model_query;

/* An answer of the test's own: to `q`, of enum dhcp4_type; `yiaddr` zero: without a lease. */
void model_server_write(const struct model_server *s, const struct model_query *q, uint8_t type,
                        struct ipv4 yiaddr, struct model_reply *out);

/* The fields of a client's message that tests and the model look at. */
struct model_query {
    uint8_t type; /* enum dhcp4_type */
    uint8_t hops;
    uint32_t xid;
    uint16_t secs, flags;
    struct ipv4 ciaddr, giaddr;
    struct mac chaddr;
    struct ipv4 requested, server_id;
    bool has_requested, has_server_id, has_client_id, has_parameters, has_vendor_class;
    uint8_t client_id[16];
    const uint8_t *relay_info; /* option 82 with code and length, inside the message; or NULL */
    size_t relay_info_bytes;
};

/* False for what is not a whole BOOTREQUEST with option 53. */
NODISCARD bool model_query_parse(const uint8_t *bytes, size_t size, struct model_query *out);
