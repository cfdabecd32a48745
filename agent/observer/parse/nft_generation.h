/* SPDX-License-Identifier: MIT */
/* The kernel's answer to NFT_MSG_GETGEN: a number that changes when packet
 * rules do. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One datagram; false: it does not tell. */
bool nft_generation_of(const void *bytes, size_t size, uint32_t *out);
