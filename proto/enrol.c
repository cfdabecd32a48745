/* SPDX-License-Identifier: MIT */
#include "proto/enrol.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

enum {
    CHECK_BYTES = 8,
    FIXED_BYTES = 2 + KEY_BYTES + ENROL_SECRET_BYTES,
    PACKED_BYTES_MAX = FIXED_BYTES + ENROL_HOST_BYTES - 1 + CHECK_BYTES,
    KIND_REQUEST = 1,
    KIND_ANSWER = 2
};

static const char token_prefix[] = "leaseherd-token-1-";
static const char message_magic[] = "LHE1";

/* Finds a line that was cut or mistyped on its way; nothing secret hangs on it. */
static void put_check(const uint8_t *bytes, size_t size, uint8_t out[CHECK_BYTES])
{
    uint8_t hash[crypto_generichash_BYTES];

    (void)crypto_generichash(hash, sizeof(hash), bytes, size, NULL, 0); /* always 0 */
    memcpy(out, hash, CHECK_BYTES);
    sodium_memzero(hash, sizeof(hash));
}

void enrol_token_print(const struct enrol_token *token, char out[ENROL_TOKEN_BYTES])
{
    uint8_t packed[PACKED_BYTES_MAX];
    struct byte_writer w = byte_writer_over(packed, sizeof(packed));
    size_t host_bytes = strnlen(token->host, ENROL_HOST_BYTES);

    assert(host_bytes > 0 && host_bytes < ENROL_HOST_BYTES);
    byte_write_u16(&w, token->port);
    byte_write_copy(&w, token->server_key, KEY_BYTES);
    byte_write_copy(&w, token->secret, ENROL_SECRET_BYTES);
    byte_write_copy(&w, token->host, host_bytes);
    put_check(packed, w.at, packed + w.at);
    w.at += CHECK_BYTES;
    (void)snprintf(out, ENROL_TOKEN_BYTES, "%s", token_prefix);
    (void)sodium_bin2base64(out + sizeof(token_prefix) - 1,
                            ENROL_TOKEN_BYTES - sizeof(token_prefix) + 1, packed, w.at,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(packed, sizeof(packed));
}

static bool fail(char why[ENROL_WHY_BYTES], const char *sentence)
{
    (void)snprintf(why, ENROL_WHY_BYTES, "%s", sentence);
    return false;
}

/* What an address or a host name is made of; it is printed and resolved. */
static bool host_is_valid(const uint8_t *host, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool is_word = (host[i] >= '0' && host[i] <= '9') || (host[i] >= 'a' && host[i] <= 'z') ||
                       (host[i] >= 'A' && host[i] <= 'Z');
        if (!is_word && (host[i] == '\0' || strchr(".:-_%", host[i]) == NULL)) {
            return false;
        }
    }
    return size > 0;
}

static bool unpack(const uint8_t *packed, size_t size, struct enrol_token *out,
                   char why[ENROL_WHY_BYTES])
{
    uint8_t check[CHECK_BYTES];
    struct byte_reader r = byte_reader_over(packed, size);

    if (size <= FIXED_BYTES + CHECK_BYTES) {
        return fail(why, "the token is cut; copy the whole line");
    }
    put_check(packed, size - CHECK_BYTES, check);
    if (memcmp(check, packed + size - CHECK_BYTES, CHECK_BYTES) != 0) {
        return fail(why, "the token is damaged; copy the whole line");
    }
    size_t host_bytes = size - FIXED_BYTES - CHECK_BYTES;
    if (!host_is_valid(packed + FIXED_BYTES, host_bytes)) {
        return fail(why, "the token holds no host name or address; have a new one made");
    }
    memset(out, 0, sizeof(*out));
    out->port = byte_read_u16(&r);
    byte_read_copy(&r, out->server_key, KEY_BYTES);
    byte_read_copy(&r, out->secret, ENROL_SECRET_BYTES);
    byte_read_copy(&r, out->host, host_bytes);
    return out->port != 0 ? true : fail(why, "the token holds no port; have a new one made");
}

bool enrol_token_parse(const char *text, struct enrol_token *out, char why[ENROL_WHY_BYTES])
{
    static const char blanks[] = " \t\r\n";
    uint8_t packed[PACKED_BYTES_MAX];
    struct enrol_token token;
    size_t size = 0;

    text += strspn(text, blanks);
    size_t length = strcspn(text, blanks);
    if (text[length + strspn(text + length, blanks)] != '\0') {
        return fail(why, "the token is one word on one line, and nothing else");
    }
    if (strncmp(text, token_prefix, sizeof(token_prefix) - 1) != 0) {
        return fail(why, "that is no token; it begins with leaseherd-token-1-, as `leaseherd keys "
                         "enrol` printed it");
    }
    text += sizeof(token_prefix) - 1;
    length -= sizeof(token_prefix) - 1;
    bool is_good = sodium_base642bin(packed, sizeof(packed), text, length, NULL, &size, NULL,
                                     sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0
                       ? unpack(packed, size, &token, why)
                       : fail(why, "the token is damaged; copy the whole line");
    if (is_good) {
        *out = token;
    }
    sodium_memzero(packed, sizeof(packed));
    sodium_memzero(&token, sizeof(token));
    return is_good;
}

void enrol_hash(const uint8_t secret[ENROL_SECRET_BYTES], uint8_t out[ENROL_HASH_BYTES])
{
    (void)crypto_generichash(out, ENROL_HASH_BYTES, secret, ENROL_SECRET_BYTES, NULL, 0);
}

bool enrol_hash_is(const uint8_t secret[ENROL_SECRET_BYTES], const uint8_t hash[ENROL_HASH_BYTES])
{
    uint8_t theirs[ENROL_HASH_BYTES];

    enrol_hash(secret, theirs);
    return sodium_memcmp(theirs, hash, ENROL_HASH_BYTES) == 0;
}

static struct byte_writer begin(uint8_t out[ENROL_MESSAGE_BYTES], uint8_t kind)
{
    struct byte_writer w = byte_writer_over(out, ENROL_MESSAGE_BYTES);

    byte_write_copy(&w, message_magic, sizeof(message_magic) - 1);
    byte_write_u8(&w, kind);
    return w;
}

/* What follows the heading of such a message; false when it is none. */
static bool take_heading(struct byte_reader *r, uint8_t kind)
{
    char magic[sizeof(message_magic) - 1];

    byte_read_copy(r, magic, sizeof(magic));
    return memcmp(magic, message_magic, sizeof(magic)) == 0 && byte_read_u8(r) == kind && r->ok;
}

size_t enrol_put_request(const uint8_t secret[ENROL_SECRET_BYTES], uint8_t out[ENROL_MESSAGE_BYTES])
{
    struct byte_writer w = begin(out, KIND_REQUEST);

    byte_write_copy(&w, secret, ENROL_SECRET_BYTES);
    return w.at;
}

bool enrol_take_request(const uint8_t *bytes, size_t size, uint8_t out_secret[ENROL_SECRET_BYTES])
{
    struct byte_reader r = byte_reader_over(bytes, size);

    if (!take_heading(&r, KIND_REQUEST) || byte_reader_left(&r) != ENROL_SECRET_BYTES) {
        return false;
    }
    byte_read_copy(&r, out_secret, ENROL_SECRET_BYTES);
    return true;
}

size_t enrol_put_answer(enum enrol_answer answer, const char *name,
                        uint8_t out[ENROL_MESSAGE_BYTES])
{
    struct byte_writer w = begin(out, KIND_ANSWER);

    byte_write_u8(&w, (uint8_t)answer);
    if (answer == ENROL_WELCOME) {
        byte_write_copy(&w, name, strnlen(name, KEY_NAME_BYTES - 1));
    }
    return w.at;
}

bool enrol_take_answer(const uint8_t *bytes, size_t size, enum enrol_answer *out,
                       char out_name[KEY_NAME_BYTES])
{
    struct byte_reader r = byte_reader_over(bytes, size);
    char name[KEY_NAME_BYTES] = "";
    bool is_good = take_heading(&r, KIND_ANSWER);
    uint8_t answer = byte_read_u8(&r);
    size_t left = byte_reader_left(&r);

    if (!is_good || !r.ok || answer < ENROL_WELCOME || answer >= ENROL_ANSWER_COUNT ||
        left >= sizeof(name) || (left > 0) != (answer == ENROL_WELCOME)) {
        return false;
    }
    byte_read_copy(&r, name, left);
    if (answer == ENROL_WELCOME && (strlen(name) != left || !key_name_is_valid(name))) {
        return false;
    }
    *out = (enum enrol_answer)answer;
    memcpy(out_name, name, sizeof(name));
    return true;
}
