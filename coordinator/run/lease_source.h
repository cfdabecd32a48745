/* SPDX-License-Identifier: MIT */
/*
 * Reads a server's own book of leases where the scenario says it is
 * (`servers.X.leases`): files, or Kea's control socket. Edge.
 */
#pragma once

#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/truth/lease_book.h"

enum { LEASE_SOURCE_WHY_BYTES = 600 };

/* "dhcpd's lease file /var/lib/dhcp/dhcpd.leases", for reports. */
enum { LEASE_SOURCE_NAME_BYTES = SCENARIO_PATH_BYTES + 64 };
const char *lease_source_name(const struct scenario_server *server,
                              char out[LEASE_SOURCE_NAME_BYTES]);

/* True for what lease_source_read() can read: a file or a socket is named. */
bool lease_source_is_readable(const struct scenario_server *server);

/*
 * Fills `out`, a valid book whose contents are dropped (lease_book_fini() it, also after an
 * error). `now_s`: UTC seconds. Blocks: files of which not all was understood are read once
 * more, as the server may be writing; Kea's while its clean-up moves them up to five times; a
 * socket may take a minute. 0 or -errno with one sentence in `why`.
 */
NODISCARD int lease_source_read(const struct scenario_server *server, uint64_t now_s,
                                struct lease_book *out, char why[LEASE_SOURCE_WHY_BYTES]);
