/* SPDX-License-Identifier: MIT */
/*
 * Encoded result batches that the coordinator has not committed yet, in one
 * region of memory: what is appended stays until it is acknowledged and can be
 * sent again as often as a connection breaks. The region may be anonymous or a
 * mapped file (ring_file.h): each record carries its length, sequence number and CRC32C.
 *
 * Record: length u32, CRC32C u32 (over the ring's salt, seq, length and payload), seq u64,
 * payload, padding to 8 bytes; host byte order, the region never leaves the
 * host. Records do not wrap: a length of REPLAY_SKIP sends the reader back to
 * the start. The salt keeps what an earlier ring left in the region from being taken for
 * records of this one.
 *
 * Pure; the caller owns the region. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { REPLAY_RING_BYTES = 64 * 1024 * 1024, REPLAY_RECORD_BYTES_MAX = 64 * 1024 };

struct replay_ring {
    uint8_t *region;   /* borrowed, 8-byte aligned */
    size_t bytes;      /* multiple of 8 */
    size_t oldest;     /* offset of the oldest record kept */
    size_t end;        /* offset behind the newest */
    size_t used;       /* bytes taken, skipped ends included */
    uint64_t next_seq; /* of the next append */
    uint64_t acked_seq;
    uint64_t salt;
};

/* Where a reader stands; one made by replay_ring_rewind() stands at the oldest record. */
struct replay_cursor {
    size_t at;
    uint64_t seq; /* of the record that replay_ring_read() gives next */
};

/* Sequence numbers go on after `committed_seq`. */
void replay_ring_init(struct replay_ring *ring, void *region, size_t bytes, uint64_t salt,
                      uint64_t committed_seq);

/*
 * The ring that a process left in this region, by where its oldest record was and how far it was
 * acknowledged then: records are read forward until one is not whole, which is where the process
 * ended. False when these two cannot be of a ring of this size; nothing is trusted, all is checked.
 */
NODISCARD bool replay_ring_recover(struct replay_ring *ring, void *region, size_t bytes,
                                   uint64_t salt, uint64_t oldest, uint64_t acked_seq);

/* Copies the record in; false, and nothing changed, when there is no room. size > 0. */
NODISCARD bool replay_ring_append(struct replay_ring *ring, const void *payload, size_t size);

/* Frees all records up to `committed_seq`; an older or an unknown later number frees nothing more
 * than what exists. */
void replay_ring_ack(struct replay_ring *ring, uint64_t committed_seq);

struct replay_cursor replay_ring_rewind(const struct replay_ring *ring);

enum replay_read { REPLAY_RECORD, REPLAY_END, REPLAY_CORRUPT };

/*
 * The record at the cursor, which moves on; the view lives until the record is
 * acknowledged. A cursor behind an acknowledgement is moved up to the oldest record.
 */
enum replay_read replay_ring_read(const struct replay_ring *ring, struct replay_cursor *cursor,
                                  uint64_t *out_seq, const uint8_t **out_payload, size_t *out_size);

uint32_t replay_ring_used_permille(const struct replay_ring *ring);
