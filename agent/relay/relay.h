/* SPDX-License-Identifier: MIT */
/*
 * What one relay sends: templates per intent, made once, patched per packet.
 * Thousands of relays share them but for their giaddr; only a relay with option
 * 82 has its own.
 * DISCOVER, REQUEST (SELECTING, INIT-REBOOT, REBINDING) and DECLINE go out as
 * a router's helper address would forward them: giaddr set, hops 1, option 82
 * where configured, port 67 to port 67, one copy per server. RENEW, RELEASE and
 * INFORM are what the client sends itself: giaddr 0, from port 68; on the path
 * `relayed` a RENEW carries giaddr instead. DESIGN section 3. A DHCPLEASEQUERY is
 * the relay's own: giaddr set, port 67 to port 67, to the server that granted the lease.
 *
 * Pure. The plan must outlive it. Allocates in relay_init() only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/dhcp4.h"
#include "proto/plan.h"

/* What a relay forwards. */
struct relay_templates {
    struct dhcp4_template discover, request, rebind, reboot, decline, renew_relayed;
};

/* What clients say themselves, and what relays without option 82 forward: giaddr is patched. */
struct relay_common {
    struct dhcp4_template renew, release, inform, query;
    struct relay_templates forwarded;
};

struct relay {
    const struct plan_relay *plan;
    size_t carrier;   /* index of `via` among the lane's carrying addresses */
    struct ipv4 mask; /* option 1 of the first ACK, to compare later ones with; zero: none yet */
    struct relay_templates *own; /* with its option 82; NULL: it has none, the common ones serve */
};

/* False when the options do not fit into a datagram. */
NODISCARD bool relay_common_init(struct relay_common *common, const struct dhcp4_profile *profile);
/* False also when out of memory. A zeroed relay may be given to relay_fini(). */
NODISCARD bool relay_init(struct relay *relay, const struct plan_relay *plan, size_t carrier,
                          const struct dhcp4_profile *profile);
void relay_fini(struct relay *relay);

/* The profile of a plan: dhclient's options, option 60 the run's mark or the scenario's. */
void relay_profile(const struct plan *plan, struct dhcp4_profile *out);

/* Does the relay send this message (port 67, giaddr) rather than the client? */
bool relay_forwards(enum dhcp4_intent intent, enum plan_path path);
/* Does it go to every server of the relay? Otherwise to the one that granted the lease. */
bool relay_copies(enum dhcp4_intent intent);

/* Writes the message; returns its size, at most DHCP4_MAX_BYTES. */
uint16_t relay_write(const struct relay *relay, const struct relay_common *common,
                     enum dhcp4_intent intent, enum plan_path path, const struct dhcp4_fill *fill,
                     uint8_t *out);
