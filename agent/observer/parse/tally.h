/* SPDX-License-Identifier: MIT */
/*
 * Growing counters of parts that come and go (threads, sockets, interfaces): what each has grown
 * by since it was last seen. What a part that is gone had counted stays counted. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TALLY_PARTS_MAX = 512 };

struct tally {
    struct tally_part {
        uint64_t key, last;
        bool is_seen; /* in this round */
    } part[TALLY_PARTS_MAX];
    size_t count;
    uint64_t total;   /* of all parts, since the beginning; never falls */
    uint64_t largest; /* the sum of each round's largest growth of a part */
    uint64_t growth;  /* of this round: its largest so far */
};

void tally_init(struct tally *t);
/* A round: begin, one add for each part that is there, end. Parts beyond the room are left out. */
void tally_begin(struct tally *t);
void tally_add(struct tally *t, uint64_t key, uint64_t now);
void tally_end(struct tally *t);
