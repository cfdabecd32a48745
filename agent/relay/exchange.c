/* SPDX-License-Identifier: MIT */
#include "agent/relay/exchange.h"

enum snapshot_counter exchange_type_bin(enum dhcp4_error error, uint8_t type)
{
    if (error != DHCP4_OK) {
        return COUNTER_received_malformed;
    }
    switch (type) {
    case DHCP4_TYPE_OFFER:
        return COUNTER_received_offer;
    case DHCP4_TYPE_ACK:
        return COUNTER_received_ack;
    case DHCP4_TYPE_NAK:
        return COUNTER_received_nak;
    default:
        return COUNTER_received_other;
    }
}

bool exchange_event_of(const struct dhcp4_reply *r, enum lease_event *out)
{
    switch (r->type) {
    case DHCP4_TYPE_OFFER:
        *out = LEASE_OFFER;
        return true;
    case DHCP4_TYPE_ACK:
        *out = LEASE_ACK;
        return true;
    case DHCP4_TYPE_NAK:
        *out = LEASE_NAK;
        return true;
    default:
        return false;
    }
}

/* Does the open exchange wait for a message of this type? */
static bool waits_for(const struct client *c, const struct dhcp4_reply *r)
{
    switch ((enum lease_state)c->state) {
    case LEASE_SELECTING:
        return r->type == DHCP4_TYPE_OFFER;
    case LEASE_REQUESTING:
    case LEASE_RENEWING:
    case LEASE_REBINDING:
    case LEASE_REBOOTING:
        /* An ACK to a REQUEST names the lease; one without is an INFORM's. */
        return (r->type == DHCP4_TYPE_ACK && r->has_lease && !inet_is_zero(r->yiaddr)) ||
               r->type == DHCP4_TYPE_NAK;
    case LEASE_BOUND:
        return client_has(c, CLIENT_INFORMING) && r->type == DHCP4_TYPE_ACK;
    case LEASE_INIT:
    case LEASE_INIT_REBOOT:
    case LEASE_EXPIRED:
    case LEASE_RELEASED:
    case LEASE_FAILED:
    case LEASE_DECLINED:
    case LEASE_STATE_COUNT:
        break;
    }
    return false;
}

enum exchange_fate exchange_fate_of(const struct client *c, const struct dhcp4_reply *r)
{
    if (r->xid != c->xid || c->xid == 0) {
        return EXCHANGE_LATE;
    }
    if (client_has(c, CLIENT_WAITING)) {
        if (waits_for(c, r)) {
            return EXCHANGE_ANSWER;
        }
        /* A partner's OFFER after the one that was taken. */
        return r->type == DHCP4_TYPE_OFFER && client_has(c, CLIENT_OFFER_SEEN)
                   ? EXCHANGE_DUPLICATE
                   : EXCHANGE_UNEXPECTED;
    }
    return client_has(c, CLIENT_ANSWERED) ? EXCHANGE_DUPLICATE : EXCHANGE_LATE;
}
