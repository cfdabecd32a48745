/* SPDX-License-Identifier: MIT */
/*
 * When a server of known capacity would answer: one worker, first in first out, a bounded
 * queue before it, commits that leave in groups, a time in which it stands still. It knows
 * nothing about DHCP; leaseherd-reflector asks it about every message.
 *
 * The work is counted in commits: a message of cost 1 keeps the worker busy for
 * 1 / capacity seconds, one of cost 0 for no time (but waits for its turn). Capacity is exact
 * by construction: while anything is queued the worker never rests, what is not a whole
 * nanosecond is carried on, and jitter gives back what it takes.
 *
 * Pure; instants are arguments, in nanoseconds of any clock that never goes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/prng.h"

struct paced_options {
    double per_s;          /* commits per second; 0: work takes no time */
    double jitter;         /* 0..1: service times spread by this share around their mean */
    uint64_t commit_ns;    /* answers leave together, this often; 0: when the work is done */
    size_t queue;          /* messages that may wait, the one in work included; > 0 */
    bool loses_in_a_stall; /* what comes then is lost; else it waits as far as there is room */
    uint64_t seed;
};

enum paced_fate { PACED_ANSWERED, PACED_QUEUE_FULL, PACED_LOST_IN_STALL, PACED_FATE_COUNT };

struct paced_server {
    struct paced_options options;
    struct prng prng;
    double debt; /* by which share the last one was slower, when the next is to be faster */
    bool has_debt;
    double free_at_ns;                       /* when the worker has nothing left to do */
    uint64_t stalled_from_ns, stalled_to_ns; /* the last stall */
    uint64_t *done_at_ns;                    /* ring of `queue`: the messages not yet done */
    size_t first, waiting;
    uint64_t fates[PACED_FATE_COUNT];
    double work; /* sum of the costs admitted */
};

/* False when out of memory. */
NODISCARD bool paced_server_init(struct paced_server *s, const struct paced_options *o);
void paced_server_fini(struct paced_server *s);

/*
 * A message came. Answered: it may leave at *out_leave_at_ns, never earlier than the one
 * before it. Arrivals in order; one earlier than its predecessor counts as simultaneous.
 */
enum paced_fate paced_server_take(struct paced_server *s, uint64_t at_ns, double cost,
                                  uint64_t *out_leave_at_ns);

/* From now on it stands still that long; what it was to do is done that much later. */
void paced_server_stall(struct paced_server *s, uint64_t now_ns, uint64_t for_ns);
