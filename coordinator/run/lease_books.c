/* SPDX-License-Identifier: MIT */
#include "coordinator/run/lease_books.h"

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

void lease_books_tell(const struct lease_books *books, const struct scenario *scenario,
                      struct truth *truth)
{
    const struct scenario_server *servers = scenario->servers.items;
    for (size_t i = 0; i < books->count; i++) {
        uint64_t count[BOOK_STATES] = {0};
        char how[LEASE_SOURCE_NAME_BYTES];
        struct book_lease lease;
        if (books->view[i].book == NULL) {
            continue;
        }
        for (size_t cursor = 0; lease_book_next(books->view[i].book, &cursor, &lease);) {
            count[lease.state] += inet_net_contains(scenario->block, lease.addr);
        }
        truth_start_state(truth, (uint32_t)i, count[BOOK_ACTIVE], count[BOOK_EXPIRED],
                          count[BOOK_FREE], lease_source_name(&servers[i], how));
    }
}
