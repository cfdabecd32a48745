/* SPDX-License-Identifier: MIT */
/*
 * The way of results from an agent's ring into the coordinator's ledger, without DHCP and
 * without ZeroMQ: a writer and a keeper with the real ring_file and ledger, a local socket
 * between them, and somebody who kills them. For tests/system/kill9.sh and powercut.sh.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STREAM_EVENTS = 16,        /* of a batch */
    STREAM_WINDOW = 64,        /* batches on their way */
    STREAM_RING_BYTES = 65536, /* small: it goes around all the time */
    STREAM_MESSAGE_BYTES = 4096,
    STREAM_AGENT = 0
};

#define STREAM_EPOCH UINT64_C(0x5eed5eed5eed5eed)

/* Serves one writer after another until it is killed. */
int stream_keep(const char *ledger, const char *socket_path);

/*
 * Delivers what the ring in `state_dir` has, and writes on from there. Ends with 0 when the file
 * STATE_DIR/enough is there and all is acknowledged.
 */
int stream_write(const char *state_dir, const char *socket_path);

/* A new ledger for STREAM_EPOCH, as a coordinator makes one in PREPARE. */
int stream_make_ledger(const char *path);

struct stream_state {
    bool has_ring;
    uint64_t acked, next;     /* of the ring */
    uint64_t committed, rows; /* of the ledger */
};

/* The ring's part of it; false when what is there cannot be read. */
bool stream_look(const char *state_dir, struct stream_state *out);

/* Acknowledged <= committed, no row twice, none missing, the file is sound; else a line on stderr.
 */
bool stream_check(const char *ledger, const char *state_dir, struct stream_state *out);
