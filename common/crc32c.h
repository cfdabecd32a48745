/* SPDX-License-Identifier: MIT */
/*
 * CRC32C (Castagnoli), as in iSCSI and ext4: finds what a torn write or a bad disk
 * leaves, never what somebody wants to hide. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 at first: crc32c(crc32c(0, a), b) is that of a and b in a row. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);
