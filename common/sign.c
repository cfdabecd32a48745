/* SPDX-License-Identifier: MIT */
#include "common/sign.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/key_file.h"
#include "common/key_list.h"
#include "common/secrets.h"

enum { SIGN_FILE_BYTES_MAX = 512, BASE64 = sodium_base64_VARIANT_ORIGINAL };

static_assert(SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
static_assert(SIGN_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");
static_assert((int)SIGN_PUBLIC_TEXT_BYTES ==
                  sodium_base64_ENCODED_LEN(SIGN_PUBLIC_BYTES, sodium_base64_VARIANT_ORIGINAL),
              "base64");
static_assert((int)SIGN_SIGNATURE_TEXT_BYTES ==
                  sodium_base64_ENCODED_LEN(SIGN_SIGNATURE_BYTES, sodium_base64_VARIANT_ORIGINAL),
              "base64");

static const char secret_heading[] = "leaseherd-sign-secret 1";
static const char public_heading[] = "leaseherd-sign-public 1";

struct sign_key {
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    bool is_forgotten;
};

static struct sign_key *sign_key_new(void)
{
    if (sodium_init() < 0) {
        abort(); /* no randomness: no key may come of it */
    }
    return secrets_new(sizeof(struct sign_key));
}

static void derive(struct sign_key *key)
{
    (void)crypto_sign_seed_keypair(key->public_key, key->secret, key->seed); /* always 0 */
    key->is_forgotten = false;
}

struct sign_key *sign_key_make(void)
{
    struct sign_key *key = sign_key_new();
    if (key != NULL) {
        randombytes_buf(key->seed, sizeof(key->seed));
        derive(key);
    }
    return key;
}

void sign_key_forget(struct sign_key *key)
{
    sodium_memzero(key->seed, sizeof(key->seed));
    sodium_memzero(key->secret, sizeof(key->secret));
    key->is_forgotten = true;
}

void sign_key_free(struct sign_key *key)
{
    secrets_free(key);
}

const uint8_t *sign_key_public(const struct sign_key *key)
{
    return key->public_key;
}

/* --- text --- */

static bool from_text(const char *text, uint8_t *out, size_t size)
{
    uint8_t bytes[SIGN_SIGNATURE_BYTES];
    char again[SIGN_SIGNATURE_TEXT_BYTES];
    size_t got = 0;
    bool is_good =
        sodium_base642bin(bytes, size, text, strlen(text), NULL, &got, NULL, BASE64) == 0 &&
        got == size;
    /* The decoder takes some bytes beyond ASCII for letters: one text only stands for a key. */
    is_good =
        is_good && strcmp(sodium_bin2base64(again, sizeof(again), bytes, size, BASE64), text) == 0;
    if (is_good) {
        memcpy(out, bytes, size);
    }
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(again, sizeof(again));
    return is_good;
}

void sign_public_to_text(const uint8_t key[SIGN_PUBLIC_BYTES], char out[SIGN_PUBLIC_TEXT_BYTES])
{
    (void)sodium_bin2base64(out, SIGN_PUBLIC_TEXT_BYTES, key, SIGN_PUBLIC_BYTES, BASE64);
}

bool sign_public_from_text(const char *text, uint8_t out[SIGN_PUBLIC_BYTES])
{
    return from_text(text, out, SIGN_PUBLIC_BYTES);
}

void sign_signature_to_text(const uint8_t signature[SIGN_SIGNATURE_BYTES],
                            char out[SIGN_SIGNATURE_TEXT_BYTES])
{
    (void)sodium_bin2base64(out, SIGN_SIGNATURE_TEXT_BYTES, signature, SIGN_SIGNATURE_BYTES,
                            BASE64);
}

bool sign_signature_from_text(const char *text, uint8_t out[SIGN_SIGNATURE_BYTES])
{
    return from_text(text, out, SIGN_SIGNATURE_BYTES);
}

/* --- files --- */

int sign_key_write(const char *path, const struct sign_key *key, char why[SIGN_WHY_BYTES])
{
    char public_text[SIGN_PUBLIC_TEXT_BYTES], secret_text[SIGN_PUBLIC_TEXT_BYTES];
    char text[SIGN_FILE_BYTES_MAX];
    sign_public_to_text(key->public_key, public_text);
    (void)sodium_bin2base64(secret_text, sizeof(secret_text), key->seed, sizeof(key->seed), BASE64);
    (void)snprintf(text, sizeof(text), "%s\npublic %s\nsecret %s\n", secret_heading, public_text,
                   secret_text);
    int rc = key->is_forgotten ? key_refuse(why, -ENOKEY, "the key for %s was wiped already", path)
                               : key_file_write_new(path, 0600, text, why);
    sodium_memzero(secret_text, sizeof(secret_text));
    sodium_memzero(text, sizeof(text));
    return rc;
}

int sign_public_write(const char *path, const uint8_t key[SIGN_PUBLIC_BYTES],
                      char why[SIGN_WHY_BYTES])
{
    char public_text[SIGN_PUBLIC_TEXT_BYTES], text[SIGN_FILE_BYTES_MAX];
    sign_public_to_text(key, public_text);
    (void)snprintf(text, sizeof(text), "%s\npublic %s\n", public_heading, public_text);
    return key_file_write_new(path, 0644, text, why);
}

/* Takes "word BASE64" off the front of the text. */
static bool take_line(char **text, const char *word, uint8_t out[SIGN_PUBLIC_BYTES])
{
    const char *line = strsep(text, "\n");
    size_t length = strlen(word);
    return line != NULL && strncmp(line, word, length) == 0 && line[length] == ' ' &&
           from_text(line + length + 1, out, SIGN_PUBLIC_BYTES);
}

static int parse_secret(char *text, const char *path, struct sign_key *key,
                        char why[SIGN_WHY_BYTES])
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    const char *heading = strsep(&text, "\n");
    if (heading == NULL || strcmp(heading, secret_heading) != 0) {
        return key_refuse(why, -EBADMSG,
                          "%s:1: expected '%s'; name the operator-NAME.key that `leaseherd keys "
                          "operator` made",
                          path, secret_heading);
    }
    if (!take_line(&text, "public", public_key)) {
        return key_refuse(why, -EBADMSG, "%s:2: expected 'public' and 44 characters of base64",
                          path);
    }
    if (!take_line(&text, "secret", key->seed)) {
        return key_refuse(why, -EBADMSG, "%s:3: expected 'secret' and 44 characters of base64",
                          path);
    }
    if (text != NULL && *text != '\0') {
        return key_refuse(why, -EBADMSG, "%s:4: nothing may follow the secret key", path);
    }
    derive(key);
    if (sodium_memcmp(public_key, key->public_key, sizeof(public_key)) != 0) {
        return key_refuse(why, -EBADMSG, "%s: the two keys do not belong together; make a new pair",
                          path);
    }
    return 0;
}

int sign_key_read(const char *path, struct sign_key **out, char why[SIGN_WHY_BYTES])
{
    char text[SIGN_FILE_BYTES_MAX];
    struct sign_key *key = sign_key_new();
    if (key == NULL) {
        return key_refuse(why, -ENOMEM, "no memory for the key in %s", path);
    }
    int rc = key_file_read(path, KEY_FILE_SECRET, text, sizeof(text), why);
    if (rc == 0) {
        rc = parse_secret(text, path, key, why);
    }
    sodium_memzero(text, sizeof(text));
    if (rc == 0) {
        *out = key;
    } else {
        sign_key_free(key);
    }
    return rc;
}

/* --- signatures --- */

/* The domain with its NUL, then the bytes; the caller frees it. NULL: out of memory. */
static uint8_t *join(const char *domain, const uint8_t *bytes, size_t size, size_t *out_size)
{
    size_t domain_size = strlen(domain) + 1;
    uint8_t *joined = size > SIZE_MAX - domain_size ? NULL : malloc(domain_size + size);
    if (joined != NULL) {
        memcpy(joined, domain, domain_size);
        memcpy(joined + domain_size, bytes, size);
        *out_size = domain_size + size;
    }
    return joined;
}

int sign_make(const struct sign_key *key, const char *domain, const uint8_t *bytes, size_t size,
              uint8_t out[SIGN_SIGNATURE_BYTES])
{
    size_t joined_size = 0;
    if (key->is_forgotten) {
        return -ENOKEY;
    }
    uint8_t *joined = join(domain, bytes, size, &joined_size);
    if (joined == NULL) {
        return -ENOMEM;
    }
    (void)crypto_sign_detached(out, NULL, joined, joined_size, key->secret); /* always 0 */
    free(joined);
    return 0;
}

bool sign_is_good(const uint8_t key[SIGN_PUBLIC_BYTES], const char *domain, const uint8_t *bytes,
                  size_t size, const uint8_t signature[SIGN_SIGNATURE_BYTES])
{
    size_t joined_size = 0;
    uint8_t *joined = join(domain, bytes, size, &joined_size);
    bool is_good =
        joined != NULL && crypto_sign_verify_detached(signature, joined, joined_size, key) == 0;
    free(joined);
    return is_good;
}
