/* SPDX-License-Identifier: MIT */
/*
 * Enrolment: what is accepted as a token prints as the same token; messages are of one
 * kind at most, and come back as they were.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/enrol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_token(const uint8_t *data, size_t size)
{
    char text[ENROL_TOKEN_BYTES] = "";
    char again[ENROL_TOKEN_BYTES];
    char why[ENROL_WHY_BYTES];
    struct enrol_token token;

    memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
    if (!enrol_token_parse(text, &token, why)) {
        return;
    }
    enrol_token_print(&token, again);
    if (token.port == 0 || token.host[0] == '\0' || strstr(text, again) == NULL) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t secret[ENROL_SECRET_BYTES], bytes[ENROL_MESSAGE_BYTES];
    enum enrol_answer answer;
    char name[KEY_NAME_BYTES];

    check_token(data, size);
    bool is_request = enrol_take_request(data, size, secret);
    bool is_answer = enrol_take_answer(data, size, &answer, name);
    if (is_request &&
        (is_answer || enrol_put_request(secret, bytes) != size || memcmp(bytes, data, size) != 0)) {
        abort();
    }
    if (is_answer &&
        (enrol_put_answer(answer, name, bytes) != size || memcmp(bytes, data, size) != 0 ||
         (answer == ENROL_WELCOME) != key_name_is_valid(name))) {
        abort();
    }
    return 0;
}
