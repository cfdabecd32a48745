/* SPDX-License-Identifier: MIT */
#include "agent/relay/relay.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool relay_common_init(struct relay_common *common, const struct dhcp4_profile *profile)
{
    static const struct dhcp4_relay_part none;
    return dhcp4_template_make(DHCP4_RENEW, profile, &none, &common->renew) &&
           dhcp4_template_make(DHCP4_RELEASE, profile, &none, &common->release) &&
           dhcp4_template_make(DHCP4_INFORM, profile, &none, &common->inform);
}

bool relay_init(struct relay *relay, const struct plan_relay *plan, size_t carrier,
                const struct dhcp4_profile *profile)
{
    struct dhcp4_relay_part part = {
        .giaddr = plan->giaddr,
        .circuit_id = plan->circuit_id,
        .circuit_id_bytes = plan->circuit_id_bytes,
        .remote_id = plan->remote_id,
        .remote_id_bytes = plan->remote_id_bytes,
    };
    memset(relay, 0, sizeof(*relay));
    relay->plan = plan;
    relay->carrier = carrier;
    return dhcp4_template_make(DHCP4_DISCOVER, profile, &part, &relay->discover) &&
           dhcp4_template_make(DHCP4_REQUEST, profile, &part, &relay->request) &&
           dhcp4_template_make(DHCP4_REBIND, profile, &part, &relay->rebind) &&
           dhcp4_template_make(DHCP4_REBOOT, profile, &part, &relay->reboot) &&
           dhcp4_template_make(DHCP4_DECLINE, profile, &part, &relay->decline) &&
           dhcp4_template_make(DHCP4_RENEW, profile, &part, &relay->renew_relayed);
}

void relay_profile(const struct plan *plan, struct dhcp4_profile *out)
{
    *out = dhcp4_profile_dhclient;
    const char *mark = plan->vendor_class[0] != '\0' ? plan->vendor_class : plan->run_name;
    const char *prefix = plan->vendor_class[0] != '\0' ? "" : "leaseherd/";
    /* A longer text than option 60 holds is cut: it marks packets, it carries no meaning. */
    (void)snprintf(out->vendor_class, sizeof(out->vendor_class), "%s%.*s", prefix,
                   (int)(sizeof(out->vendor_class) - sizeof("leaseherd/")), mark);
}

bool relay_forwards(enum dhcp4_intent intent, enum plan_path path)
{
    if (intent == DHCP4_RENEW) {
        return path == PLAN_PATH_RELAYED;
    }
    return relay_copies(intent);
}

bool relay_copies(enum dhcp4_intent intent)
{
    return intent == DHCP4_DISCOVER || intent == DHCP4_REQUEST || intent == DHCP4_REBIND ||
           intent == DHCP4_REBOOT || intent == DHCP4_DECLINE;
}

const struct dhcp4_template *relay_template(const struct relay *relay,
                                            const struct relay_common *common,
                                            enum dhcp4_intent intent, enum plan_path path)
{
    switch (intent) {
    case DHCP4_DISCOVER:
        return &relay->discover;
    case DHCP4_REQUEST:
        return &relay->request;
    case DHCP4_RENEW:
        return path == PLAN_PATH_RELAYED ? &relay->renew_relayed : &common->renew;
    case DHCP4_REBIND:
        return &relay->rebind;
    case DHCP4_REBOOT:
        return &relay->reboot;
    case DHCP4_DECLINE:
        return &relay->decline;
    case DHCP4_RELEASE:
        return &common->release;
    case DHCP4_INFORM:
        return &common->inform;
    case DHCP4_INTENT_COUNT:
        break;
    }
    assert(false);
    return NULL;
}
