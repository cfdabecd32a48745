/* SPDX-License-Identifier: MIT */
#include "agent/edge/replay_ring.h"

#include <assert.h>
#include <string.h>

#include "common/crc32c.h"

struct header {
    uint32_t length; /* of the payload, or REPLAY_SKIP */
    uint32_t crc;
    uint64_t seq;
};

#define REPLAY_SKIP UINT32_MAX

enum { ALIGNMENT = 8 };

static uint32_t record_crc(const struct replay_ring *ring, const struct header *h,
                           const uint8_t *payload)
{
    uint32_t crc = crc32c(0, &ring->salt, sizeof(ring->salt));
    crc = crc32c(crc, &h->seq, sizeof(h->seq));
    crc = crc32c(crc, &h->length, sizeof(h->length));
    return crc32c(crc, payload, h->length);
}

static size_t record_bytes(size_t payload)
{
    return sizeof(struct header) + (payload + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct header header_at(const struct replay_ring *ring, size_t at)
{
    struct header h;
    memcpy(&h, ring->region + at, sizeof(h));
    return h;
}

/* Too short an end for a header is skipped like a marked one. */
static bool is_skip(const struct replay_ring *ring, size_t at)
{
    return ring->bytes - at < sizeof(struct header) || header_at(ring, at).length == REPLAY_SKIP;
}

static uint64_t oldest_seq(const struct replay_ring *ring)
{
    return ring->acked_seq + 1;
}

void replay_ring_init(struct replay_ring *ring, void *region, size_t bytes, uint64_t salt,
                      uint64_t committed_seq)
{
    assert(bytes >= 2 * sizeof(struct header) && bytes % ALIGNMENT == 0);
    memset(ring, 0, sizeof(*ring));
    ring->region = region;
    ring->bytes = bytes;
    ring->salt = salt;
    ring->acked_seq = committed_seq;
    ring->next_seq = committed_seq + 1;
}

/* Room at `end`, or at the start after skipping the rest; false when neither is free. */
static bool make_room(struct replay_ring *ring, size_t needed)
{
    size_t rest = ring->bytes - ring->end;
    if (needed <= rest) {
        return ring->used + needed <= ring->bytes;
    }
    if (ring->used + rest + needed > ring->bytes) {
        return false;
    }
    if (rest >= sizeof(struct header)) {
        struct header skip = {.length = REPLAY_SKIP};
        memcpy(ring->region + ring->end, &skip, sizeof(skip));
    }
    ring->used += rest;
    ring->end = 0;
    return true;
}

bool replay_ring_append(struct replay_ring *ring, const void *payload, size_t size)
{
    assert(size > 0 && size <= REPLAY_RECORD_BYTES_MAX);
    size_t needed = record_bytes(size);
    if (needed > ring->bytes || !make_room(ring, needed)) {
        return false;
    }
    struct header h = {.length = (uint32_t)size, .seq = ring->next_seq};
    h.crc = record_crc(ring, &h, payload);
    memcpy(ring->region + ring->end + sizeof(h), payload, size);
    memcpy(ring->region + ring->end, &h, sizeof(h));
    ring->end += needed;
    ring->used += needed;
    ring->next_seq++;
    return true;
}

static void free_oldest(struct replay_ring *ring)
{
    if (is_skip(ring, ring->oldest)) {
        ring->used -= ring->bytes - ring->oldest;
        ring->oldest = 0;
    }
    size_t size = record_bytes(header_at(ring, ring->oldest).length);
    ring->oldest += size;
    ring->used -= size;
    ring->acked_seq++;
}

void replay_ring_ack(struct replay_ring *ring, uint64_t committed_seq)
{
    while (oldest_seq(ring) <= committed_seq && oldest_seq(ring) < ring->next_seq) {
        free_oldest(ring);
    }
    if (oldest_seq(ring) == ring->next_seq) {
        /* Empty: begin at the start again, so that a calm run touches few pages. */
        ring->oldest = 0;
        ring->end = 0;
        ring->used = 0;
    }
}

struct replay_cursor replay_ring_rewind(const struct replay_ring *ring)
{
    return (struct replay_cursor){.at = ring->oldest, .seq = oldest_seq(ring)};
}

/* A record whose header cannot be true is not read beyond the region. */
static bool record_is_whole(const struct replay_ring *ring, size_t at, uint64_t seq)
{
    struct header h = header_at(ring, at);
    return h.seq == seq && h.length > 0 && h.length <= REPLAY_RECORD_BYTES_MAX &&
           record_bytes(h.length) <= ring->bytes - at &&
           record_crc(ring, &h, ring->region + at + sizeof(h)) == h.crc;
}

enum replay_read replay_ring_read(const struct replay_ring *ring, struct replay_cursor *cursor,
                                  uint64_t *out_seq, const uint8_t **out_payload, size_t *out_size)
{
    if (cursor->seq <= oldest_seq(ring)) {
        /* Also after an acknowledgement emptied the ring and moved its start. */
        *cursor = replay_ring_rewind(ring);
    }
    if (cursor->seq >= ring->next_seq) {
        return REPLAY_END;
    }
    size_t at = is_skip(ring, cursor->at) ? 0 : cursor->at;
    if (!record_is_whole(ring, at, cursor->seq)) {
        return REPLAY_CORRUPT;
    }
    *out_seq = cursor->seq;
    *out_payload = ring->region + at + sizeof(struct header);
    *out_size = header_at(ring, at).length;
    cursor->at = at + record_bytes(*out_size);
    cursor->seq++;
    return REPLAY_RECORD;
}

bool replay_ring_recover(struct replay_ring *ring, void *region, size_t bytes, uint64_t salt,
                         uint64_t oldest, uint64_t acked_seq)
{
    replay_ring_init(ring, region, bytes, salt, 0);
    if (oldest > bytes || oldest % ALIGNMENT != 0 || acked_seq == UINT64_MAX) {
        return false;
    }
    ring->acked_seq = acked_seq;
    ring->next_seq = acked_seq + 1;
    ring->oldest = (size_t)oldest;
    ring->end = (size_t)oldest;
    for (;;) {
        bool is_skipped = is_skip(ring, ring->end);
        size_t skipped = is_skipped ? ring->bytes - ring->end : 0;
        size_t at = is_skipped ? 0 : ring->end;
        if (!record_is_whole(ring, at, ring->next_seq)) {
            return true; /* a skip without a record behind it was the process's last word */
        }
        size_t size = skipped + record_bytes(header_at(ring, at).length);
        if (ring->used + size > ring->bytes) {
            return true; /* more than once around: what was acknowledged begins here */
        }
        ring->used += size;
        ring->end = at + record_bytes(header_at(ring, at).length);
        ring->next_seq++;
    }
}

uint32_t replay_ring_used_permille(const struct replay_ring *ring)
{
    return (uint32_t)((uint64_t)ring->used * 1000 / ring->bytes);
}
