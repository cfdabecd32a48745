/* SPDX-License-Identifier: MIT */
#include "coordinator/run/cleanup_books.h"

#include "common/clock.h"
#include "coordinator/run/lease_source.h"

void cleanup_books_read(struct cleanup_books *books, const struct scenario *scenario,
                        FILE *complain)
{
    const struct scenario_server *servers = scenario->servers.items;
    uint64_t now_s = clock_realtime_ns() / NS_PER_S;
    *books = (struct cleanup_books){.count = scenario->servers.count};
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
        books->view[i].book = &books->book[i];
    }
}

void cleanup_books_free(struct cleanup_books *books)
{
    for (size_t i = 0; i < books->count; i++) {
        lease_book_fini(&books->book[i]);
    }
    *books = (struct cleanup_books){0};
}
