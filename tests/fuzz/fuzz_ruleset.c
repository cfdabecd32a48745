/* SPDX-License-Identifier: MIT */
/* Packet rules: 'i' and what iptables-save prints, or another byte and nft's JSON, with its text
 * behind a NUL. */
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/ruleset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ruleset *r = size == 0 ? NULL : ruleset_new();
    if (r == NULL) {
        return 0;
    }
    struct ruleset_verdict verdict;
    char *text = malloc(size); /* as long as it is, so that a sanitizer sees its end */
    if (text == NULL) {
        abort();
    }
    size_t left = size - 1;
    memcpy(text, data + 1, left);
    if (data[0] == 'i') {
        (void)!ruleset_read_iptables(r, text, left, true);
    } else {
        char *second = memchr(text, '\0', left);
        size_t first = second == NULL ? left : (size_t)(second - text);
        (void)!ruleset_read_nft(r, text, first, second, second == NULL ? 0 : left - first);
    }
    ruleset_judge(r, &verdict);
    ruleset_free(r);
    free(text);
    return 0;
}
