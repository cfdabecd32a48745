/* SPDX-License-Identifier: MIT */
/*
 * Asks what listens at an address which security it speaks, by exchanging the
 * 64 bytes of ZMTP 3's greeting. libzmq breaks off a handshake in the same way
 * for a wrong server key and, most of the time, for a peer without CURVE; the
 * greeting tells them apart. Edge; blocks for `timeout_ms` at most (and for
 * the resolver).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum greeting {
    GREETING_CURVE,
    GREETING_NOT_CURVE, /* ZMTP with another mechanism, or no ZMTP at all */
    GREETING_NOBODY,    /* nobody listens */
    GREETING_UNKNOWN    /* it said too little in time */
};

enum greeting greeting_ask(const char *host, uint16_t port, int timeout_ms);

/* Whether an address can be found for it now. Blocks for the resolver, not for an address. */
bool greeting_is_name_known(const char *host);
