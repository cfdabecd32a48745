/* SPDX-License-Identifier: MIT */
/*
 * Bounded reader and writer over bytes that belong to the caller.
 *
 * Both carry a sticky error: read or write straight through and look at `ok`
 * once at the end. After the first overrun a reader yields zeros and a writer
 * writes nothing. Integers are big-endian (network order).
 *
 * Pure. Nothing to free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"

struct byte_reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool ok;
};

struct byte_writer {
    uint8_t *data;
    size_t size;
    size_t at;
    bool ok;
};

struct byte_reader byte_reader_over(const void *data, size_t size);
size_t byte_reader_left(const struct byte_reader *r);
uint8_t byte_read_u8(struct byte_reader *r);
uint16_t byte_read_u16(struct byte_reader *r);
uint32_t byte_read_u32(struct byte_reader *r);
struct ipv4 byte_read_ipv4(struct byte_reader *r);
void byte_read_copy(struct byte_reader *r, void *out, size_t size); /* zero-fills on overrun */
/* Borrowed view of the next `size` bytes; NULL on overrun (also when size is 0 and at the end). */
const uint8_t *byte_read_view(struct byte_reader *r, size_t size);

struct byte_writer byte_writer_over(void *data, size_t size);
void byte_write_u8(struct byte_writer *w, uint8_t value);
void byte_write_u16(struct byte_writer *w, uint16_t value);
void byte_write_u32(struct byte_writer *w, uint32_t value);
void byte_write_ipv4(struct byte_writer *w, struct ipv4 value);
void byte_write_copy(struct byte_writer *w, const void *data, size_t size);
void byte_write_fill(struct byte_writer *w, uint8_t value, size_t count);

/* Direct patching of template bytes, unaligned. */
void bytes_put_u16(uint8_t *at, uint16_t value);
void bytes_put_u32(uint8_t *at, uint32_t value);
uint16_t bytes_get_u16(const uint8_t *at);
uint32_t bytes_get_u32(const uint8_t *at);
