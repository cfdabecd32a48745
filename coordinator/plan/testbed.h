/* SPDX-License-Identifier: MIT */
/*
 * The ways by which replies reach the agents, as one POSIX shell script per
 * scenario and path: what `leaseherd testbed` prints, and what it runs on
 * servers, routers and agents' hosts. It follows from the scenario alone, before
 * any agent exists: DESIGN section 3.
 *
 * The script finds by a host's addresses what that host is (one of `servers`: a
 * server; one of the carrying addresses: an agent's host), unless told. Exit
 * codes of the script: 0 done, or works; 2 not for this host; 5 does not work;
 * 6 something failed, and is undone.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/plan_text.h"
#include "coordinator/plan/scenario.h"

enum testbed_path { TESTBED_EGRESS, TESTBED_ROUTED, TESTBED_DNAT, TESTBED_RELAYED };
enum testbed_role { TESTBED_BY_ADDRESS, TESTBED_SERVER, TESTBED_ROUTER, TESTBED_AGENT };
enum testbed_verb { TESTBED_SHOW, TESTBED_APPLY, TESTBED_CHECK, TESTBED_UNDO };
/* Of dnat: what is exempt from connection tracking. Bits. */
enum testbed_notrack { TESTBED_TRACK_ALL, TESTBED_NOTRACK_REQUESTS, TESTBED_NOTRACK_REPLIES };

enum { TESTBED_DEVICES_MAX = 16, TESTBED_WHY_BYTES = 400, TESTBED_PROTOCOL = 67 };

struct testbed_options {
    enum testbed_path path;
    enum testbed_role role;
    bool is_route_hook;                       /* the form for kernels before 5.16 */
    unsigned notrack;                         /* enum testbed_notrack */
    const char *devices[TESTBED_DEVICES_MAX]; /* none: where the server's routes lead */
    size_t device_count;
    struct ipv4 next_hop; /* routers; zero: each router's own way to the carrying address */
};

/* What `client_path` is prepared by; egress for auto. */
enum testbed_path testbed_path_of(const struct scenario *s);
const char *testbed_path_name(enum testbed_path path);

/*
 * The script (malloc'd), its last line being the verb's; that of TESTBED_SHOW is
 * TESTBED_APPLY's. NULL with one sentence in `why` where the scenario cannot be
 * brought on this path (`*out_is_usage`), or memory is out.
 */
NODISCARD char *testbed_script(const struct scenario *s, const struct testbed_options *o,
                               enum testbed_verb verb, bool *out_is_usage,
                               char why[TESTBED_WHY_BYTES]);

/* Does a router have to be asked for relays whose giaddr is not at the agent? */
bool testbed_has_carried(const struct scenario *s);

/*
 * The statements of the chain that rewrites replies, each on a line of its own that begins with
 * `indent`: those of renewals when `has_renewals`, and those to giaddrs of others. `and_then` goes
 * in front of what is done ("notrack "). Returns their number.
 */
unsigned testbed_say_rewrites(const struct scenario *s, bool has_renewals, const char *indent,
                              const char *and_then, struct plan_text *t);
