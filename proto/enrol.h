/* SPDX-License-Identifier: MIT */
/*
 * What enrolment by a one-time token says: the token, a line of text that an
 * operator carries to the agent's host, and the two messages of the enrolment socket.
 * A layout of its own rather than control.proto's: whoever has any key may speak there.
 *
 *   token    "leaseherd-token-1-" and base64url of: port (2 bytes), server key (32), secret
 *            (16), host (text, 1..255), and the first 8 bytes of BLAKE2b of all that
 *   request  "LHE1" 1 secret(16)
 *   answer   "LHE1" 2 answer(1) name, 0..31 bytes of text
 *
 * Pure. The token is a secret: the caller keeps it in common/secrets.h and wipes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"

enum {
    ENROL_SECRET_BYTES = 16,
    ENROL_HASH_BYTES = 32,
    ENROL_HOST_BYTES = 256,
    ENROL_TOKEN_BYTES = 512, /* text, with its terminator */
    ENROL_MESSAGE_BYTES = 64,
    ENROL_WHY_BYTES = 200
};

struct enrol_token {
    char host[ENROL_HOST_BYTES]; /* where the coordinator waits */
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    uint8_t secret[ENROL_SECRET_BYTES];
};

/* The line without its end; the host must not be empty. */
void enrol_token_print(const struct enrol_token *token, char out[ENROL_TOKEN_BYTES]);

/* Blanks and line ends around it do not matter. `out` is untouched on failure; `why`: one sentence.
 */
NODISCARD bool enrol_token_parse(const char *text, struct enrol_token *out,
                                 char why[ENROL_WHY_BYTES]);

/* What the coordinator keeps instead of the secret. */
void enrol_hash(const uint8_t secret[ENROL_SECRET_BYTES], uint8_t out[ENROL_HASH_BYTES]);
/* In constant time. */
bool enrol_hash_is(const uint8_t secret[ENROL_SECRET_BYTES], const uint8_t hash[ENROL_HASH_BYTES]);

enum enrol_answer {
    ENROL_WELCOME = 1,  /* the key is on the list now, under the name told */
    ENROL_WRONG_SECRET, /* not the secret of the token that is open */
    ENROL_TAKEN,        /* another agent has used the token */
    ENROL_KEY_KNOWN,    /* the key is on the list under another name */
    ENROL_FAILED,       /* the coordinator could not write its list */
    ENROL_ANSWER_COUNT
};

/* Number of bytes written. */
size_t enrol_put_request(const uint8_t secret[ENROL_SECRET_BYTES],
                         uint8_t out[ENROL_MESSAGE_BYTES]);
NODISCARD bool enrol_take_request(const uint8_t *bytes, size_t size,
                                  uint8_t out_secret[ENROL_SECRET_BYTES]);

/* The name is told with ENROL_WELCOME only. */
size_t enrol_put_answer(enum enrol_answer answer, const char *name,
                        uint8_t out[ENROL_MESSAGE_BYTES]);
NODISCARD bool enrol_take_answer(const uint8_t *bytes, size_t size, enum enrol_answer *out,
                                 char out_name[KEY_NAME_BYTES]);
