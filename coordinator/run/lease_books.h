/* SPDX-License-Identifier: MIT */
/* The books of all servers of a scenario, read together. Edge; lease_books_free() it. */
#pragma once

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

struct truth;
/* Tells truth how the servers stood before the run: of the block's addresses, by their books. */
void lease_books_tell(const struct lease_books *books, const struct scenario *scenario,
                      struct truth *truth);
