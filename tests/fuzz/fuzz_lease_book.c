/* SPDX-License-Identifier: MIT */
/* Lease books of dhcpd and Kea: whatever the text, only addresses, known states and an end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/lease_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void look_through(const struct lease_book *book, size_t bytes)
{
    struct book_lease lease, found;
    size_t entries = 0;
    for (size_t cursor = 0; lease_book_next(book, &cursor, &lease); entries++) {
        demand(!inet_is_zero(lease.addr) && lease.state < BOOK_STATES);
        demand(lease_book_find(book, lease.addr, &found));
        demand(memcmp(&lease.mac, &found.mac, sizeof(lease.mac)) == 0);
        demand(inet_equal(lease.addr, found.addr) && lease.state == found.state);
    }
    demand(entries == book->leases.count && !book->is_out_of_memory);
    demand(entries <= bytes && book->strange <= bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t now_s = 1704585600; /* 2024-01-07 00:00:00 UTC */
    const char *text = (const char *)data;
    char why[LEASE_BOOK_WHY_BYTES] = "";
    struct lease_book dhcpd = {0}, csv = {0}, json = {0};
    bool is_dhcpds = lease_book_dhcpd(&dhcpd, text, size, now_s);
    demand(is_dhcpds || dhcpd.leases.count == 0);
    look_through(&dhcpd, size);
    bool is_keas = lease_book_kea_csv(&csv, text, size, now_s);
    demand(is_keas || csv.leases.count == 0);
    look_through(&csv, size);
    bool is_answer = lease_book_kea_json(&json, text, size, now_s, why);
    demand(is_answer || (json.leases.count == 0 && why[0] != '\0'));
    for (const char *at = why; *at != '\0'; at++) {
        demand(*at >= ' ' && *at <= '~');
    }
    look_through(&json, size);
    lease_book_fini(&dhcpd);
    lease_book_fini(&csv);
    lease_book_fini(&json);
    return 0;
}
