/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/evidence_silence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    LULL_US = 1000000,
    QUIET_US = 1000000,  /* without an ACK while others gave some: a DISCOVER may be lost on it */
    SILENT_US = 5000000, /* a silence worth counting */
    OTHERS_QUIET = 5,
    OTHERS_SILENT = 20,
    RETRIED_US = 3000000,       /* RFC 2131 4.1: the first retry comes after 4 s +- 1 s, */
    RETRIED_TWICE_US = 11000000 /* the second 8 s +- 1 s later */
};

bool evidence_silence_init(struct evidence_silence *s, size_t agent_count, size_t server_count)
{
    *s = (struct evidence_silence){.agent_count = agent_count, .server_count = server_count};
    s->links = calloc(agent_count * server_count + 1, sizeof(*s->links));
    s->listeners = calloc(agent_count + 1, sizeof(*s->listeners));
    if (s->links == NULL || s->listeners == NULL) {
        evidence_silence_fini(s);
        return false;
    }
    return true;
}

void evidence_silence_fini(struct evidence_silence *s)
{
    free(s->links);
    free(s->listeners);
    *s = (struct evidence_silence){0};
}

struct evidence_link *evidence_link_of(const struct evidence_silence *s, size_t agent,
                                       size_t server)
{
    assert(agent < s->agent_count && server < s->server_count);
    return &s->links[agent * s->server_count + server];
}

/* Since when a server has said nothing to an agent. */
static int64_t silent_since(const struct evidence_silence *s, size_t agent,
                            const struct evidence_link *link)
{
    return link->has_ack ? link->last_ack_us : s->listeners[agent].began_us;
}

/* Time in which others were heard: when nobody has anything to say nobody is silent. */
static int64_t time_of(struct evidence_listener *l, int64_t run_us)
{
    int64_t since_us = l->has_ack && run_us > l->latest_us ? run_us - l->latest_us : 0;
    l->began_us = l->has_ack ? l->began_us : run_us;
    l->latest_us = l->has_ack && l->latest_us > run_us ? l->latest_us : run_us;
    l->has_ack = true;
    return since_us < LULL_US ? since_us : LULL_US;
}

static bool is_silent(const struct evidence_link *link)
{
    return link->busy_us >= SILENT_US && link->others >= OTHERS_SILENT;
}

void evidence_silence_ack(struct evidence_silence *s, size_t agent, size_t server, int64_t run_us)
{
    int64_t time_us = time_of(&s->listeners[agent], run_us);
    for (size_t i = 0; i < s->server_count; i++) {
        struct evidence_link *link = evidence_link_of(s, agent, i);
        link->others += i != server;
        link->busy_us += i != server ? time_us : 0;
    }
    struct evidence_link *link = evidence_link_of(s, agent, server);
    if (is_silent(link)) {
        int64_t quiet_us = run_us - silent_since(s, agent, link);
        link->ended++;
        link->has_returned = true;
        link->longest_us =
            quiet_us > (int64_t)link->longest_us ? (uint64_t)quiet_us : link->longest_us;
    }
    link->others = 0;
    link->busy_us = 0;
    link->last_ack_us = link->has_ack && link->last_ack_us > run_us ? link->last_ack_us : run_us;
    link->has_ack = true;
}

/* The one server of those asked that has said nothing for a while; SIZE_MAX: none, or several. */
static size_t the_silent_one(const struct evidence_silence *s, const struct evidence_discover *d)
{
    size_t found = SIZE_MAX;
    for (uint8_t i = 0; i < d->to_count; i++) {
        if (d->to[i] >= s->server_count) {
            continue;
        }
        const struct evidence_link *link = evidence_link_of(s, d->agent, d->to[i]);
        bool is_quiet = link->others >= OTHERS_QUIET && link->busy_us >= QUIET_US &&
                        (!link->has_ack || d->begin_us > link->last_ack_us);
        if (is_quiet && found != SIZE_MAX) {
            return SIZE_MAX;
        }
        found = is_quiet ? d->to[i] : found;
    }
    return d->to_count > 1 ? found : SIZE_MAX;
}

void evidence_silence_discover(struct evidence_silence *s, const struct evidence_discover *d)
{
    size_t server = the_silent_one(s, d);
    if (server == SIZE_MAX) {
        return;
    }
    struct evidence_half *h = &s->half[server];
    bool is_first = d->offer_us >= 0 && d->offer_us < RETRIED_US;
    h->first += is_first;
    h->retry += d->offer_us >= RETRIED_US && d->offer_us < RETRIED_TWICE_US;
    h->later += d->offer_us >= RETRIED_TWICE_US;
    h->gave_up += d->offer_us < 0;
    uint64_t *bits = is_first ? h->answered : h->lost;
    bits[d->bucket / 64] |= UINT64_C(1) << (d->bucket % 64);
}

static void count_buckets(const struct evidence_half *h, struct wire_server *out)
{
    for (size_t i = 0; i < ARRAY_LEN(h->answered); i++) {
        uint64_t both = h->answered[i] & h->lost[i];
        out->buckets_mixed += (uint64_t)__builtin_popcountll(both);
        out->buckets_answered += (uint64_t)__builtin_popcountll(h->answered[i] & ~both);
        out->buckets_lost += (uint64_t)__builtin_popcountll(h->lost[i] & ~both);
    }
}

void evidence_silence_figures(const struct evidence_silence *s, size_t server,
                              struct wire_server *out)
{
    uint64_t longest_us = 0;
    for (size_t agent = 0; agent < s->agent_count; agent++) {
        const struct evidence_link *link = evidence_link_of(s, agent, server);
        out->silences += link->ended;
        longest_us = link->longest_us > longest_us ? link->longest_us : longest_us;
        int64_t lasts_us = s->listeners[agent].latest_us - silent_since(s, agent, link);
        if (is_silent(link)) {
            out->is_silent_at_end = true;
            longest_us = lasts_us > (int64_t)longest_us ? (uint64_t)lasts_us : longest_us;
        }
    }
    const struct evidence_half *h = &s->half[server];
    out->longest_silence_s = (double)longest_us / 1e6;
    out->silent_first = h->first;
    out->silent_retry = h->retry;
    out->silent_later = h->later;
    out->silent_gave_up = h->gave_up;
    count_buckets(h, out);
}

/* --- RFC 3074 --- */

/* The "mixing table" of section 6. */
static const uint8_t mixing[WIRE_BUCKETS] = {
    251, 175, 119, 215, 81,  14,  79,  191, 103, 49,  181, 143, 186, 157, 0,   232, 31,  32,  55,
    60,  152, 58,  17,  237, 174, 70,  160, 144, 220, 90,  57,  223, 59,  3,   18,  140, 111, 166,
    203, 196, 134, 243, 124, 95,  222, 179, 197, 65,  180, 48,  36,  15,  107, 46,  233, 130, 165,
    30,  123, 161, 209, 23,  97,  16,  40,  91,  219, 61,  100, 10,  210, 109, 250, 127, 22,  138,
    29,  108, 244, 67,  207, 9,   178, 204, 74,  98,  126, 249, 167, 116, 34,  77,  193, 200, 121,
    5,   20,  113, 71,  35,  128, 13,  182, 94,  25,  226, 227, 199, 75,  27,  41,  245, 230, 224,
    43,  225, 177, 26,  155, 150, 212, 142, 218, 115, 241, 73,  88,  105, 39,  114, 62,  255, 192,
    201, 145, 214, 168, 158, 221, 148, 154, 122, 12,  84,  82,  163, 44,  139, 228, 236, 205, 242,
    217, 11,  187, 146, 159, 64,  86,  239, 195, 42,  106, 198, 118, 112, 184, 172, 87,  2,   173,
    117, 176, 229, 247, 253, 137, 185, 99,  164, 102, 147, 45,  66,  231, 52,  141, 211, 194, 206,
    246, 238, 56,  110, 78,  248, 63,  240, 189, 93,  92,  51,  53,  183, 19,  171, 72,  50,  33,
    104, 101, 69,  8,   252, 83,  120, 76,  135, 85,  54,  202, 125, 188, 213, 96,  235, 136, 208,
    162, 129, 190, 132, 156, 38,  47,  1,   7,   254, 24,  4,   216, 131, 89,  21,  28,  133, 37,
    153, 149, 80,  170, 68,  6,   169, 234, 151};

uint8_t evidence_bucket(const uint8_t *id, size_t size)
{
    uint8_t hash = (uint8_t)size;
    for (size_t i = size; i > 0; i--) {
        hash = mixing[hash ^ id[i - 1]];
    }
    return hash;
}

uint8_t evidence_bucket_of_client(struct mac mac, bool sends_client_id)
{
    uint8_t id[1 + sizeof(mac.byte)] = {1}; /* type 1: Ethernet */
    memcpy(id + 1, mac.byte, sizeof(mac.byte));
    return sends_client_id ? evidence_bucket(id, sizeof(id))
                           : evidence_bucket(mac.byte, sizeof(mac.byte));
}
