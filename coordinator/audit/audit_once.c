/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_once.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

enum { CAPACITY_FIRST = 4096, HEAD_BYTES = 20, POINT_BYTES = 14 };

static uint64_t hash_parts(const uint8_t *head, size_t head_size, const uint8_t *rest,
                           size_t rest_size)
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    uint64_t key;
    int rc = crypto_generichash_init(&state, NULL, 0, sizeof(digest));
    rc |= crypto_generichash_update(&state, head, head_size);
    rc |= crypto_generichash_update(&state, rest, rest_size);
    rc |= crypto_generichash_final(&state, digest, sizeof(digest));
    assert(rc == 0);
    (void)rc;
    memcpy(&key, digest, sizeof(key));
    return key == 0 ? 1 : key;
}

static uint64_t key_of(const struct audit_datagram *d, struct ipv4 server)
{
    uint8_t head[HEAD_BYTES];
    struct byte_writer w = byte_writer_over(head, sizeof(head));
    byte_write_u8(&w, inet_equal(d->source, server));
    byte_write_ipv4(&w, server);
    byte_write_u16(&w, d->ip_id);
    assert(w.ok);
    return hash_parts(head, w.at, d->payload, d->payload_size);
}

static uint64_t key_at_point(uint64_t key, uint32_t file, const struct audit_datagram *d)
{
    uint8_t point[POINT_BYTES];
    struct byte_writer w = byte_writer_over(point, sizeof(point));
    byte_write_u32(&w, file);
    byte_write_u32(&w, d->interface);
    byte_write_u8(&w, d->is_outgoing);
    byte_write_u8(&w, d->ttl);
    assert(w.ok);
    return hash_parts(point, w.at, (const uint8_t *)&key, sizeof(key));
}

static struct audit_seen *slot_of(struct audit_seen *slots, size_t capacity, uint64_t key)
{
    size_t at = (size_t)key & (capacity - 1);
    while (slots[at].key != 0 && slots[at].key != key) {
        at = (at + 1) & (capacity - 1);
    }
    return &slots[at];
}

static bool make_room(struct audit_once *once)
{
    if (once->count + 2 <= once->capacity / 4 * 3) {
        return true;
    }
    size_t capacity = once->capacity == 0 ? CAPACITY_FIRST : 2 * once->capacity;
    struct audit_seen *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < once->capacity; i++) {
        if (once->slots[i].key != 0) {
            *slot_of(slots, capacity, once->slots[i].key) = once->slots[i];
        }
    }
    free(once->slots);
    once->slots = slots;
    once->capacity = capacity;
    return true;
}

static struct audit_seen *put(struct audit_once *once, uint64_t key)
{
    struct audit_seen *seen = slot_of(once->slots, once->capacity, key);
    once->count += seen->key == 0;
    seen->key = key;
    return seen;
}

enum audit_news audit_once(struct audit_once *once, uint32_t file, const struct audit_datagram *d,
                           struct ipv4 server)
{
    if (!make_room(once)) {
        return AUDIT_NO_MEMORY;
    }
    uint64_t key = key_of(d, server);
    uint32_t here = ++put(once, key_at_point(key, file, d))->count;
    struct audit_seen *seen = put(once, key);
    bool is_new = here > seen->most;
    seen->most = is_new ? here : seen->most;
    return is_new ? AUDIT_NEW : AUDIT_SEEN;
}

void audit_once_fini(struct audit_once *once)
{
    free(once->slots);
    *once = (struct audit_once){0};
}
