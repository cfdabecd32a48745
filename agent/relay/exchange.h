/* SPDX-License-Identifier: MIT */
/*
 * Which question an answer belongs to. Every packet received gets exactly one
 * type bin and one fate bin; both sums equal a capture's. DESIGN section 3.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/client/client.h"
#include "proto/dhcp4.h"
#include "proto/snapshot.h"

/* received_offer .. received_malformed */
enum snapshot_counter exchange_type_bin(enum dhcp4_error error, uint8_t type);

enum exchange_fate {
    EXCHANGE_ANSWER,    /* to the exchange that is open, of a type it waits for */
    EXCHANGE_LATE,      /* its exchange was over, or it is of an older one */
    EXCHANGE_DUPLICATE, /* its exchange has had its answer already */
    EXCHANGE_UNEXPECTED /* of the open exchange, but of a type it does not wait for */
};

/* For a reply whose chaddr is this client's and that came to the right relay. */
enum exchange_fate exchange_fate_of(const struct client *c, const struct dhcp4_reply *r);

/* The event of the state machine a reply means; false for types a client does not know. */
bool exchange_event_of(const struct dhcp4_reply *r, enum lease_event *out);
