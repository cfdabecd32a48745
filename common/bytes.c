/* SPDX-License-Identifier: MIT */
#include "common/bytes.h"

#include <string.h>

struct byte_reader byte_reader_over(const void *data, size_t size)
{
    return (struct byte_reader){.data = data, .size = size, .ok = true};
}

size_t byte_reader_left(const struct byte_reader *r)
{
    return r->ok ? r->size - r->at : 0;
}

const uint8_t *byte_read_view(struct byte_reader *r, size_t size)
{
    if (!r->ok || size > r->size - r->at) {
        r->ok = false;
        return NULL;
    }
    if (r->at == r->size) {
        return NULL; /* nothing is left to point at; not an overrun */
    }
    const uint8_t *view = r->data + r->at;
    r->at += size;
    return view;
}

uint8_t byte_read_u8(struct byte_reader *r)
{
    const uint8_t *at = byte_read_view(r, 1);
    return at == NULL ? 0 : at[0];
}

uint16_t byte_read_u16(struct byte_reader *r)
{
    const uint8_t *at = byte_read_view(r, 2);
    return at == NULL ? 0 : bytes_get_u16(at);
}

uint32_t byte_read_u32(struct byte_reader *r)
{
    const uint8_t *at = byte_read_view(r, 4);
    return at == NULL ? 0 : bytes_get_u32(at);
}

struct ipv4 byte_read_ipv4(struct byte_reader *r)
{
    return inet_from_host(byte_read_u32(r));
}

void byte_read_copy(struct byte_reader *r, void *out, size_t size)
{
    if (size == 0) {
        return;
    }
    const uint8_t *at = byte_read_view(r, size);
    if (at == NULL) {
        memset(out, 0, size);
    } else {
        memcpy(out, at, size);
    }
}

struct byte_writer byte_writer_over(void *data, size_t size)
{
    return (struct byte_writer){.data = data, .size = size, .ok = true};
}

/* Where the next `size` bytes go, NULL when they do not fit. size > 0. */
static uint8_t *claim(struct byte_writer *w, size_t size)
{
    if (!w->ok || size > w->size - w->at) {
        w->ok = false;
        return NULL;
    }
    uint8_t *at = w->data + w->at;
    w->at += size;
    return at;
}

void byte_write_u8(struct byte_writer *w, uint8_t value)
{
    byte_write_copy(w, &value, 1);
}

void byte_write_u16(struct byte_writer *w, uint16_t value)
{
    uint8_t *at = claim(w, 2);
    if (at != NULL) {
        bytes_put_u16(at, value);
    }
}

void byte_write_u32(struct byte_writer *w, uint32_t value)
{
    uint8_t *at = claim(w, 4);
    if (at != NULL) {
        bytes_put_u32(at, value);
    }
}

void byte_write_ipv4(struct byte_writer *w, struct ipv4 value)
{
    byte_write_u32(w, inet_host(value));
}

void byte_write_copy(struct byte_writer *w, const void *data, size_t size)
{
    uint8_t *at = size > 0 ? claim(w, size) : NULL;
    if (at != NULL) {
        memcpy(at, data, size);
    }
}

void byte_write_fill(struct byte_writer *w, uint8_t value, size_t count)
{
    uint8_t *at = count > 0 ? claim(w, count) : NULL;
    if (at != NULL) {
        memset(at, value, count);
    }
}

void bytes_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void bytes_put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

uint16_t bytes_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t bytes_get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
