/* SPDX-License-Identifier: MIT */
/*
 * What one relay sends: templates per intent, made once, patched per packet.
 * DISCOVER, REQUEST (SELECTING, INIT-REBOOT, REBINDING) and DECLINE go out as
 * a router's helper address would forward them: giaddr set, hops 1, option 82
 * where configured, port 67 to port 67, one copy per server. RENEW, RELEASE and
 * INFORM are what the client sends itself: giaddr 0, from port 68; on the path
 * `relayed` a RENEW carries giaddr instead. DESIGN section 3.
 *
 * Pure. The plan must outlive it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/dhcp4.h"
#include "proto/plan.h"

/* Templates of what clients say themselves; they do not depend on the relay. */
struct relay_common {
    struct dhcp4_template renew, release, inform;
};

struct relay {
    const struct plan_relay *plan;
    size_t carrier;   /* index of `via` among the lane's carrying addresses */
    struct ipv4 mask; /* option 1 of the first ACK, to compare later ones with; zero: none yet */
    struct dhcp4_template discover, request, rebind, reboot, decline, renew_relayed;
};

/* False when the options do not fit into a datagram. */
NODISCARD bool relay_common_init(struct relay_common *common, const struct dhcp4_profile *profile);
NODISCARD bool relay_init(struct relay *relay, const struct plan_relay *plan, size_t carrier,
                          const struct dhcp4_profile *profile);

/* The profile of a plan: dhclient's options, option 60 the run's mark or the scenario's. */
void relay_profile(const struct plan *plan, struct dhcp4_profile *out);

/* Is this message forwarded by the relay (port 67, giaddr) rather than sent by the client? */
bool relay_forwards(enum dhcp4_intent intent, enum plan_path path);
/* Does it go to every server of the relay? Otherwise to the one that granted the lease. */
bool relay_copies(enum dhcp4_intent intent);

const struct dhcp4_template *relay_template(const struct relay *relay,
                                            const struct relay_common *common,
                                            enum dhcp4_intent intent, enum plan_path path);
