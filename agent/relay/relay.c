/* SPDX-License-Identifier: MIT */
#include "agent/relay/relay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GIADDR_AT = 24 };

static bool make_forwarded(struct relay_templates *t, const struct dhcp4_profile *profile,
                           const struct dhcp4_relay_part *part)
{
    return dhcp4_template_make(DHCP4_DISCOVER, profile, part, &t->discover) &&
           dhcp4_template_make(DHCP4_REQUEST, profile, part, &t->request) &&
           dhcp4_template_make(DHCP4_REBIND, profile, part, &t->rebind) &&
           dhcp4_template_make(DHCP4_REBOOT, profile, part, &t->reboot) &&
           dhcp4_template_make(DHCP4_DECLINE, profile, part, &t->decline) &&
           dhcp4_template_make(DHCP4_RENEW, profile, part, &t->renew_relayed);
}

bool relay_common_init(struct relay_common *common, const struct dhcp4_profile *profile)
{
    static const struct dhcp4_relay_part none;
    /* Some address, for the sake of `hops`; each packet gets its relay's. */
    const struct dhcp4_relay_part any = {.giaddr = inet_from_host(1)};
    return dhcp4_template_make(DHCP4_RENEW, profile, &none, &common->renew) &&
           dhcp4_template_make(DHCP4_RELEASE, profile, &none, &common->release) &&
           dhcp4_template_make(DHCP4_INFORM, profile, &none, &common->inform) &&
           dhcp4_template_make(DHCP4_QUERY, profile, &any, &common->query) &&
           make_forwarded(&common->forwarded, profile, &any);
}

bool relay_init(struct relay *relay, const struct plan_relay *plan, size_t carrier,
                const struct dhcp4_profile *profile)
{
    const struct dhcp4_relay_part part = {
        .giaddr = plan->giaddr,
        .circuit_id = plan->circuit_id,
        .circuit_id_bytes = plan->circuit_id_bytes,
        .remote_id = plan->remote_id,
        .remote_id_bytes = plan->remote_id_bytes,
    };
    *relay = (struct relay){.plan = plan, .carrier = carrier};
    if (plan->circuit_id_bytes == 0 && plan->remote_id_bytes == 0) {
        return true;
    }
    relay->own = calloc(1, sizeof(*relay->own));
    if (relay->own == NULL || !make_forwarded(relay->own, profile, &part)) {
        relay_fini(relay);
        return false;
    }
    return true;
}

void relay_fini(struct relay *relay)
{
    free(relay->own);
    relay->own = NULL;
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
    return intent == DHCP4_QUERY || relay_copies(intent);
}

bool relay_copies(enum dhcp4_intent intent)
{
    return intent == DHCP4_DISCOVER || intent == DHCP4_REQUEST || intent == DHCP4_REBIND ||
           intent == DHCP4_REBOOT || intent == DHCP4_DECLINE;
}

static const struct dhcp4_template *template_of(const struct relay *relay,
                                                const struct relay_common *common,
                                                enum dhcp4_intent intent, enum plan_path path)
{
    const struct relay_templates *t = relay->own != NULL ? relay->own : &common->forwarded;
    switch (intent) {
    case DHCP4_DISCOVER:
        return &t->discover;
    case DHCP4_REQUEST:
        return &t->request;
    case DHCP4_RENEW:
        return path == PLAN_PATH_RELAYED ? &t->renew_relayed : &common->renew;
    case DHCP4_REBIND:
        return &t->rebind;
    case DHCP4_REBOOT:
        return &t->reboot;
    case DHCP4_DECLINE:
        return &t->decline;
    case DHCP4_RELEASE:
        return &common->release;
    case DHCP4_INFORM:
        return &common->inform;
    case DHCP4_QUERY:
        return &common->query;
    case DHCP4_INTENT_COUNT:
        break;
    }
    assert(false);
    return NULL;
}

uint16_t relay_write(const struct relay *relay, const struct relay_common *common,
                     enum dhcp4_intent intent, enum plan_path path, const struct dhcp4_fill *fill,
                     uint8_t *out)
{
    const struct dhcp4_template *t = template_of(relay, common, intent, path);
    dhcp4_template_fill(t, fill, out);
    if (relay_forwards(intent, path)) {
        memcpy(out + GIADDR_AT, &relay->plan->giaddr.be, sizeof(relay->plan->giaddr.be));
    }
    return t->size;
}
