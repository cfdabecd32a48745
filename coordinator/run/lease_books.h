/* SPDX-License-Identifier: MIT */
/* The books of all servers of a scenario, read together. Edge; lease_books_free() it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/truth/leases_left.h"

struct lease_books {
    struct lease_book book[PLAN_SERVERS_MAX];
    struct left_book view[PLAN_SERVERS_MAX]; /* one per server; book NULL where none is readable */
    size_t count;
};

/*
 * Reads every book the scenario names. What cannot be read is said on `complain`
 * and counts as unknown.
 */
void lease_books_read(struct lease_books *books, const struct scenario *scenario, FILE *complain);
void lease_books_free(struct lease_books *books);

/* How the servers stand: addresses of the scenario's block, by their books. A zeroed one is empty.
 */
struct lease_counts {
    struct {
        bool is_known;
        uint64_t in_state[BOOK_STATES];
    } server[PLAN_SERVERS_MAX];
    size_t count;
};

/*
 * Reads the books as lease_books_read() does, and keeps the counts alone. It may take minutes:
 * before anything runs that must not wait.
 */
void lease_books_count(struct lease_counts *out, const struct scenario *scenario, FILE *complain);
