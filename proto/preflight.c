/* SPDX-License-Identifier: MIT */
#include "proto/preflight.h"

#include <string.h>

static const uint8_t unmarked_prefix[] = {0x00, 0x00, 0x5e, 0x00, 0x53};

struct mac preflight_unmarked_mac(uint32_t relay)
{
    struct mac mac;

    memcpy(mac.byte, unmarked_prefix, sizeof(unmarked_prefix));
    mac.byte[sizeof(unmarked_prefix)] = (uint8_t)relay;
    return mac;
}

bool preflight_is_unmarked(struct mac mac)
{
    return memcmp(mac.byte, unmarked_prefix, sizeof(unmarked_prefix)) == 0;
}
