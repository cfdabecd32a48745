/* SPDX-License-Identifier: MIT */
/*
 * Servers that fall silent while others answer, as each agent sees it, and what becomes
 * of DISCOVERs meanwhile: with failover exactly the silent server's half of all clients
 * (RFC 3074) waits for its first retry. Each agent's events are its own order in time, so
 * the figures do not depend on how the streams of several are mixed.
 *
 * Run time in microseconds. Pure; 64 bytes per agent and server. evidence_silence_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "coordinator/truth/evidence_wire.h"

/* One server as one agent knows it. */
struct evidence_link {
    bool has_ack, is_natted, has_returned;
    int64_t last_ack_us;
    uint64_t others; /* ACKs by other servers since then */
    int64_t busy_us; /* and the time they came in: of a lull of everybody at most a second */
    uint32_t longest_lease_s;
    uint64_t ended, longest_us; /* silences */
};

struct evidence_half {
    uint64_t first, retry, later, gave_up;
    uint64_t answered[WIRE_BUCKETS / 64], lost[WIRE_BUCKETS / 64];
};

struct evidence_silence {
    size_t agent_count, server_count;
    struct evidence_link *links; /* agent_count x server_count */
    struct evidence_listener {
        bool has_ack;
        int64_t began_us, latest_us; /* of ACKs by any server */
    } * listeners;                   /* per agent */
    struct evidence_half half[PLAN_SERVERS_MAX];
};

NODISCARD bool evidence_silence_init(struct evidence_silence *s, size_t agent_count,
                                     size_t server_count);
void evidence_silence_fini(struct evidence_silence *s);

struct evidence_link *evidence_link_of(const struct evidence_silence *s, size_t agent,
                                       size_t server);
void evidence_silence_ack(struct evidence_silence *s, size_t agent, size_t server, int64_t run_us);

/* How a first DISCOVER fared; `offer_us` -1: no OFFER at all. */
struct evidence_discover {
    size_t agent;
    uint8_t bucket;
    int64_t begin_us, offer_us;
    const uint8_t *to; /* servers it was sent to */
    uint8_t to_count;
};
void evidence_silence_discover(struct evidence_silence *s, const struct evidence_discover *d);

void evidence_silence_figures(const struct evidence_silence *s, size_t server,
                              struct wire_server *out);

/* RFC 3074 section 6: Pearson's hash of a client identifier, or of a hardware address. */
uint8_t evidence_bucket(const uint8_t *id, size_t size);
uint8_t evidence_bucket_of_client(struct mac mac, bool sends_client_id);
