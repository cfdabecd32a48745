/* SPDX-License-Identifier: MIT */
/*
 * What the ledger says is leased at the run's end, against the servers' lease files.
 *
 * Held at the end: the client's last answer gave the lease, it has not ended by then, and no
 * RELEASE was sent. Each such lease must be active in one of the files, for this client. Every
 * lease that a file has active for a client of the run must be known to the ledger. A RELEASE
 * has no answer: that a file still has such a lease is said, and no difference.
 *
 * The files are read as of the run's end, so a copy made soon after it serves. Pure. Owns its
 * memory: audit_leases_fini(). A zeroed one is valid and empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_notes.h"
#include "coordinator/truth/leases_left.h"

struct audit_leases {
    struct leases_left left;
    struct table end_by_client; /* key: client + 1; word: run time in us at which its lease ends */
};

/* The ledger's events, oldest first. False when out of memory. */
NODISCARD bool audit_leases_event(struct audit_leases *leases, const struct event *e,
                                  int64_t run_us);

/*
 * `end_us`: run time at the end. Returns the number of leases compared. False in *out_good: out
 * of memory.
 */
uint64_t audit_leases_compare(struct audit_leases *leases, const struct plan *plan, int64_t end_us,
                              const struct lease_book *books, size_t book_count,
                              struct audit_notes *notes, bool *out_good);
void audit_leases_fini(struct audit_leases *leases);
