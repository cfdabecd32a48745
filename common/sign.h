/* SPDX-License-Identifier: MIT */
/*
 * Ed25519 signatures (RFC 8032) of the operator over what agents are to do. Edge:
 * reads and writes key files.
 *
 * A secret key file holds "leaseherd-sign-secret 1", "public BASE64", "secret BASE64"
 * (the 32 byte seed), mode 0600 or refused; a public one "leaseherd-sign-public 1" and
 * "public BASE64". Base64, unlike Z85, needs no quotes in a policy file.
 *
 * A signature is over the domain, its terminating NUL, and the bytes: what was signed for
 * one purpose is good for no other. Secrets live in common/secrets.h. Messages in `why` are
 * one sentence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"

enum {
    SIGN_PUBLIC_BYTES = 32,
    SIGN_SIGNATURE_BYTES = 64,
    SIGN_PUBLIC_TEXT_BYTES = 45,    /* base64 with its terminator */
    SIGN_SIGNATURE_TEXT_BYTES = 89, /* likewise */
    SIGN_WHY_BYTES = KEY_WHY_BYTES
};

struct sign_key;

/* NULL: out of memory. */
NODISCARD struct sign_key *sign_key_make(void);
/* Overwrites the secret; the public half stays. sign_make() fails from now on. */
void sign_key_forget(struct sign_key *key);
void sign_key_free(struct sign_key *key); /* NULL is fine */
const uint8_t *sign_key_public(const struct sign_key *key);

/* 0 or -errno. An existing file is never overwritten (-EEXIST). */
NODISCARD int sign_key_write(const char *path, const struct sign_key *key,
                             char why[SIGN_WHY_BYTES]);
NODISCARD int sign_key_read(const char *path, struct sign_key **out, char why[SIGN_WHY_BYTES]);
NODISCARD int sign_public_write(const char *path, const uint8_t key[SIGN_PUBLIC_BYTES],
                                char why[SIGN_WHY_BYTES]);

void sign_public_to_text(const uint8_t key[SIGN_PUBLIC_BYTES], char out[SIGN_PUBLIC_TEXT_BYTES]);
/* False, and `out` untouched, when the text is not exactly one key. */
NODISCARD bool sign_public_from_text(const char *text, uint8_t out[SIGN_PUBLIC_BYTES]);
void sign_signature_to_text(const uint8_t signature[SIGN_SIGNATURE_BYTES],
                            char out[SIGN_SIGNATURE_TEXT_BYTES]);
NODISCARD bool sign_signature_from_text(const char *text, uint8_t out[SIGN_SIGNATURE_BYTES]);

/* 0, -ENOMEM, or -ENOKEY when the secret was forgotten. */
NODISCARD int sign_make(const struct sign_key *key, const char *domain, const uint8_t *bytes,
                        size_t size, uint8_t out[SIGN_SIGNATURE_BYTES]);
/* Also false when memory lacks: what cannot be checked is not good. */
NODISCARD bool sign_is_good(const uint8_t key[SIGN_PUBLIC_BYTES], const char *domain,
                            const uint8_t *bytes, size_t size,
                            const uint8_t signature[SIGN_SIGNATURE_BYTES]);
