/* SPDX-License-Identifier: MIT */
/*
 * Where a replay ring lives: results.ring in the state directory, one shared mapping, so that what
 * a killed agent had not delivered is there for its successor; or anonymous memory where there is
 * no state directory.
 *
 * The file survives kill -9 of the agent at any store, not a power cut of its host: it is not
 * synced, for the ring takes every result and a disk would slow it down. What an earlier boot of
 * the host left is recognised and not delivered: the clock it is dated by is gone, too.
 *
 * In the process's memory is what is not acknowledged, and about a chunk.
 *
 * Page 0: who it belongs to (head), and two slots written in turn with the oldest record's place
 * and how far the coordinator has acknowledged; the newest slot that is whole counts. Then the
 * region of replay_ring.h. Host byte order: the file never leaves the host.
 *
 * Edge. One thread owns it. Results are -errno with one sentence in `why`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/edge/replay_ring.h"
#include "common/attrs.h"
#include "proto/plan.h"

enum { RING_FILE_HEAD_BYTES = 4096, RING_FILE_CHUNK_BYTES = 1 << 20, RING_FILE_WHY_BYTES = 240 };

#define RING_FILE_NAME "results.ring"

/* Whose results they are; `epoch` names the stream at the coordinator. */
struct ring_owner {
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    uint8_t plan_hash[PLAN_HASH_BYTES];
    char run_name[PLAN_NAME_BYTES];
    uint64_t assignment_epoch, epoch;
};

/* `map` NULL: closed. */
struct ring_file {
    uint8_t *map;
    size_t map_bytes;
    int fd; /* -1: anonymous memory */
    uint64_t generation;
    uint64_t noted_oldest, noted_acked; /* as the newest slot says */
    struct ring_owner owner;
};

/*
 * A new ring of `bytes`, whose numbers go on after `committed_seq`; what the file held is gone.
 * With `dir_fd` >= 0 all of the file is reserved on its disk now, so that no store can fail later:
 * -ENOSPC says how many bytes are missing. -1: anonymous memory.
 */
NODISCARD int ring_file_make(int dir_fd, const struct ring_owner *owner, size_t bytes,
                             uint64_t committed_seq, struct ring_file *out,
                             struct replay_ring *out_ring, char why[RING_FILE_WHY_BYTES]);

/*
 * The ring that an earlier process left open. 1: found; 0: there is none; -errno: there is
 * something that cannot be read, or is not a ring of ours (-EBADMSG), and is left as it is.
 */
NODISCARD int ring_file_find(int dir_fd, struct ring_file *out, struct replay_ring *out_ring,
                             char why[RING_FILE_WHY_BYTES]);

/* replay_ring_ack(), noted in the file before the freed room is used again. Whole chunks of it
 * leave the process's memory, not the file. */
void ring_file_ack(struct ring_file *file, struct replay_ring *ring, uint64_t committed_seq);

/*
 * Unmaps it. `is_over`: nobody wants it any more; its room on the disk is given back. Otherwise it
 * waits for ring_file_find(). A closed one is fine.
 */
void ring_file_close(struct ring_file *file, bool is_over);
