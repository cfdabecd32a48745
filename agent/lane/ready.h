/* SPDX-License-Identifier: MIT */
/*
 * Which clients a demand can be put to: those without a lease, and those with one,
 * that have no exchange open. Each in the order in which they came to be so, so that
 * every client has its turn and none is looked for.
 *
 * Kept only while a stage works by arrivals (lane_load.c): an ordinary run pays
 * nothing for it but the memory, 9 bytes per client. Pure. Allocates in ready_init() only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum ready_kind { READY_FREE, READY_BOUND, READY_KIND_COUNT, READY_NOT = READY_KIND_COUNT };

#define READY_NOBODY UINT32_MAX

struct ready {
    uint32_t *next, *before; /* rings through one entry per kind, behind those of the clients */
    uint8_t *where;          /* enum ready_kind */
    uint32_t client_count;
    uint32_t count[READY_KIND_COUNT];
    bool is_kept;
};

/* False when out of memory; a zeroed struct may be given to ready_fini(). */
NODISCARD bool ready_init(struct ready *r, uint32_t client_count);
void ready_fini(struct ready *r);
size_t ready_memory_bytes(const struct ready *r);

/* Nobody is in any list. */
void ready_clear(struct ready *r);
/* Behind all others of that kind; where it stands already it keeps its place. */
void ready_put(struct ready *r, uint32_t client, enum ready_kind kind);
/* Who came first; READY_NOBODY: the list is empty. */
uint32_t ready_first(const struct ready *r, enum ready_kind kind);
/* The first of the list becomes its last. */
void ready_postpone_first(struct ready *r, enum ready_kind kind);
