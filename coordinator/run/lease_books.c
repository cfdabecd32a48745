/* SPDX-License-Identifier: MIT */
#include "coordinator/run/lease_books.h"

#include <inttypes.h>

#include "common/clock.h"
#include "coordinator/run/lease_source.h"
#include "coordinator/truth/search_steps.h"

void lease_books_read(struct lease_books *books, const struct scenario *scenario, FILE *complain)
{
    const struct scenario_server *servers = scenario->servers.items;
    uint64_t now_s = clock_realtime_ns() / NS_PER_S;
    *books = (struct lease_books){.count = scenario->servers.count};
    for (size_t i = 0; i < books->count; i++) {
        char why[LEASE_SOURCE_WHY_BYTES];
        books->view[i].server = servers[i].address;
        if (!lease_source_is_readable(&servers[i])) {
            continue;
        }
        if (lease_source_read(&servers[i], now_s, &books->book[i], why) < 0) {
            (void)fprintf(complain, "%s\n", why);
            continue;
        }
        if (books->book[i].strange > 0) {
            char name[LEASE_SOURCE_NAME_BYTES];
            (void)fprintf(complain,
                          "server %s: entries of %s that are not understood: %" PRIu64
                          "; nothing in it proves that a lease is free\n",
                          servers[i].name, lease_source_name(&servers[i], name),
                          books->book[i].strange);
        }
        books->view[i].book = &books->book[i];
    }
}

void lease_books_free(struct lease_books *books)
{
    for (size_t i = 0; i < books->count; i++) {
        lease_book_fini(&books->book[i]);
    }
    *books = (struct lease_books){0};
}

void lease_books_count(struct lease_counts *out, const struct scenario *scenario, FILE *complain)
{
    struct lease_books books;
    lease_books_read(&books, scenario, complain);
    *out = (struct lease_counts){.count = books.count};
    for (size_t i = 0; i < books.count; i++) {
        struct book_lease lease;
        out->server[i].is_known = books.view[i].book != NULL;
        for (size_t cursor = 0;
             out->server[i].is_known && lease_book_next(books.view[i].book, &cursor, &lease);) {
            out->server[i].in_state[lease.state] += inet_net_contains(scenario->block, lease.addr);
        }
    }
    lease_books_free(&books);
}
