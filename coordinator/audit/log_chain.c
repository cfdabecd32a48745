/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/log_chain.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static const char mark[] = " chain=";
enum { MARK_BYTES = sizeof(mark) - 1 };

static_assert((int)LOG_CHAIN_BYTES >= (int)crypto_generichash_BYTES_MIN, "as short as it may be");

void log_chain_add(struct log_chain *chain, const char *line, size_t size)
{
    crypto_generichash_state state;
    int rc = crypto_generichash_init(&state, NULL, 0, LOG_CHAIN_BYTES);
    rc |= crypto_generichash_update(&state, chain->value, LOG_CHAIN_BYTES);
    rc |= crypto_generichash_update(&state, (const uint8_t *)line, size);
    rc |= crypto_generichash_final(&state, chain->value, LOG_CHAIN_BYTES);
    assert(rc == 0);
    (void)rc;
}

const char *log_chain_text(const struct log_chain *chain, char out[LOG_CHAIN_TEXT_BYTES])
{
    return sodium_bin2hex(out, LOG_CHAIN_TEXT_BYTES, chain->value, LOG_CHAIN_BYTES);
}

bool log_chain_of_line(const char *line, size_t size, struct log_chain *out)
{
    struct log_chain found;
    size_t bytes = 0;
    if (size < LOG_CHAIN_TAIL_BYTES) {
        return false;
    }
    const char *tail = line + size - LOG_CHAIN_TAIL_BYTES;
    if (memcmp(tail, mark, MARK_BYTES) != 0 ||
        sodium_hex2bin(found.value, sizeof(found.value), tail + MARK_BYTES,
                       LOG_CHAIN_TAIL_BYTES - MARK_BYTES, NULL, &bytes, NULL) != 0 ||
        bytes != LOG_CHAIN_BYTES) {
        return false;
    }
    *out = found;
    return true;
}

static void verify_line(const char *line, size_t size, const char *expected,
                        struct log_chain_verdict *v)
{
    struct log_chain said = {{0}}, computed = v->last;
    char text[LOG_CHAIN_TEXT_BYTES];
    v->lines++;
    bool has_value = log_chain_of_line(line, size, &said);
    if (has_value) {
        log_chain_add(&computed, line, size - LOG_CHAIN_TAIL_BYTES);
    }
    if ((!has_value || memcmp(&said, &computed, sizeof(said)) != 0) && v->bad_line == 0) {
        v->bad_line = v->lines;
    }
    v->last = has_value ? said : v->last;
    if (has_value && expected != NULL && strcmp(log_chain_text(&said, text), expected) == 0) {
        v->expected_line = v->lines;
    }
}

void log_chain_verify(const char *text, size_t size, const char *expected,
                      struct log_chain_verdict *out)
{
    *out = (struct log_chain_verdict){0};
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;
        out->is_cut = end == NULL;
        verify_line(text + at, length, expected, out);
        at += length + 1;
    }
}
