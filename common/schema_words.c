/* SPDX-License-Identifier: MIT */
/* What a row wants, in words: for complaints and for the reference. */
#include "common/schema_value.h"

#include "common/schema_tree.h"

#include <string.h>

static void add_words(const char *const *words, struct schema_text *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        schema_text_add(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
}

void schema_value_describe(const struct schema_row *row, enum schema_type type,
                           struct schema_text *out)
{
    static const char *const plain[] = {
        [SCHEMA_BOOL] = "true or false",
        [SCHEMA_UINT] = "a whole number",
        [SCHEMA_DURATION] = "a time with its unit",
        [SCHEMA_RATE] = "a rate with its unit",
        [SCHEMA_PERCENT] = "a percentage with its sign",
        [SCHEMA_IPV4] = "an IPv4 address",
        [SCHEMA_IPV4_NET] = "an address block",
        [SCHEMA_BLOCK] = "a map of keys",
        [SCHEMA_LIST] = "a list of maps",
        [SCHEMA_MAP] = "a map of names to maps",
        [SCHEMA_IPV4_LIST] = "a list of IPv4 addresses",
        [SCHEMA_IPV4_NET_LIST] = "a list of address blocks",
        [SCHEMA_TEXT_LIST] = "a list of texts",
    };
    switch (type) {
    case SCHEMA_TEXT:
        schema_text_add(out, "a text of at most %zu bytes", row->size - 1);
        return;
    case SCHEMA_NAME:
        schema_text_add(out, "a name of at most %zu letters, digits, `.`, `_` and `-`",
                        row->size - 1);
        return;
    case SCHEMA_ENUM:
        schema_text_add(out, "one of ");
        add_words(row->words, out);
        return;
    case SCHEMA_FLAGS:
        schema_text_add(out, "a list out of ");
        add_words(row->words, out);
        return;
    case SCHEMA_BOOL:
    case SCHEMA_UINT:
    case SCHEMA_DURATION:
    case SCHEMA_RATE:
    case SCHEMA_PERCENT:
    case SCHEMA_IPV4:
    case SCHEMA_IPV4_NET:
    case SCHEMA_BLOCK:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    case SCHEMA_IPV4_LIST:
    case SCHEMA_IPV4_NET_LIST:
    case SCHEMA_TEXT_LIST:
        schema_text_add(out, "%s", plain[type]);
    }
}

/* A number whose unit was forgotten is the commonest slip: show it with its unit. */
static bool advise_unit(enum schema_type type, const char *text, struct schema_text *out)
{
    bool is_number = text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
    if (!is_number || strlen(text) > 15) {
        return false;
    }
    if (type == SCHEMA_DURATION) {
        schema_text_add(out, "add the unit: %ss, if seconds are meant", text);
    } else if (type == SCHEMA_RATE) {
        schema_text_add(out, "add the unit: %s/s", text);
    } else if (type == SCHEMA_PERCENT) {
        schema_text_add(out, "add the sign: %s%%", text);
    } else {
        return false;
    }
    return true;
}

void schema_value_advise(const struct schema_row *row, enum schema_type type, const char *text,
                         struct schema_text *out)
{
    static const char *const advice[] = {
        [SCHEMA_BOOL] = "write true or false",
        [SCHEMA_UINT] = "write it like 300 or 20_000",
        [SCHEMA_DURATION] = "write it like 500us, 100ms, 4s, 30m or 8h",
        [SCHEMA_RATE] = "write it like 2000/s or 0.5/s",
        [SCHEMA_PERCENT] = "write it like 5%",
        [SCHEMA_TEXT] = "shorten it, and leave out control characters",
        [SCHEMA_NAME] = "use only those, a letter or digit first",
        [SCHEMA_IPV4] = "write it like 192.0.2.1",
        [SCHEMA_IPV4_NET] = "write it like 10.10.0.0/16, no bit set behind the prefix",
    };
    if (advise_unit(type, text, out)) {
        return;
    }
    const char *nearest = type == SCHEMA_ENUM ? schema_nearest(text, row->words) : NULL;
    if (nearest != NULL) {
        schema_text_add(out, "did you mean `%s`?", nearest);
    } else if (type == SCHEMA_ENUM) {
        schema_text_add(out, "choose one of them");
    } else {
        schema_text_add(out, "%s", advice[type]);
    }
}

static void add_limit(const struct schema_row *row, enum schema_type type, uint64_t limit,
                      struct schema_text *out)
{
    double percent = (double)limit;
    const void *value = type == SCHEMA_PERCENT ? (const void *)&percent : (const void *)&limit;
    schema_value_print(row, type, value, out);
}

void schema_range_describe(const struct schema_row *row, enum schema_type type,
                           struct schema_text *out)
{
    bool is_list = !schema_is_scalar(type);
    bool has_range = type == SCHEMA_UINT || type == SCHEMA_DURATION || type == SCHEMA_RATE ||
                     type == SCHEMA_PERCENT || (is_list && type != SCHEMA_MAP);
    if (!has_range || (row->min == 0 && row->max == 0)) {
        return;
    }
    enum schema_type number = is_list ? SCHEMA_UINT : type;
    if (row->min == row->max) {
        schema_text_add(out, "exactly ");
        add_limit(row, number, row->min, out);
    } else if (row->min == 0 || row->max == 0) {
        schema_text_add(out, row->max == 0 ? "at least " : "at most ");
        add_limit(row, number, row->max == 0 ? row->min : row->max, out);
    } else {
        add_limit(row, number, row->min, out);
        schema_text_add(out, " to ");
        add_limit(row, number, row->max, out);
    }
    if (is_list) {
        schema_text_add(out, " elements");
    } else if (type == SCHEMA_UINT && row->unit != NULL) {
        schema_text_add(out, " %s", row->unit);
    }
}
