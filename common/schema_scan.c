/* SPDX-License-Identifier: MIT */
/* The grammars of scalars: from text to value. */
#include "common/schema_value.h"

#include "common/inet.h"
#include "common/schema_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DECIMALS_MAX = 6, NEAR_WORD_BYTES = 48 };

/* whole + fraction / scale; scale is 10^decimals. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits, single underscores between them; no leading zero, which others read as octal. */
static const char *scan_whole(const char *text, uint64_t *out)
{
    if (!is_digit(text[0]) || (text[0] == '0' && (is_digit(text[1]) || text[1] == '_'))) {
        return NULL;
    }
    uint64_t value = 0;
    for (; is_digit(*text) || (*text == '_' && is_digit(text[1])); text++) {
        if (*text == '_') {
            continue;
        }
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return NULL;
        }
    }
    *out = value;
    return text;
}

/* Returns what follows the number, NULL when there is none. */
static const char *scan_decimal(const char *text, struct decimal *out)
{
    struct decimal d = {.scale = 1};
    text = scan_whole(text, &d.whole);
    if (text == NULL || *text != '.') {
        *out = d;
        return text;
    }
    text++;
    unsigned decimals = 0;
    for (; is_digit(*text); text++, decimals++) {
        if (decimals == DECIMALS_MAX) {
            return NULL;
        }
        d.fraction = d.fraction * 10 + (uint64_t)(*text - '0');
        d.scale *= 10;
    }
    *out = d;
    return decimals == 0 ? NULL : text;
}

/* d * factor where that is a whole number that fits; factor < 2^43. */
static bool multiply(struct decimal d, uint64_t factor, uint64_t *out)
{
    uint64_t part = d.fraction * factor;
    uint64_t product;
    if (part % d.scale != 0 || __builtin_mul_overflow(d.whole, factor, &product) ||
        __builtin_add_overflow(product, part / d.scale, &product)) {
        return false;
    }
    *out = product;
    return true;
}

bool schema_scan_duration(const char *text, uint64_t *out_ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {
        {"ns", 1},       {"us", NS_PER_US},    {"ms", NS_PER_MS},
        {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
    };
    struct decimal d;
    const char *unit = scan_decimal(text, &d);
    if (unit == NULL) {
        return false;
    }
    if (strcmp(text, "0") == 0) {
        *out_ns = 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            return multiply(d, units[i].ns, out_ns);
        }
    }
    return false;
}

bool schema_scan_rate(const char *text, uint64_t *out_milli_per_s)
{
    struct decimal d;
    const char *unit = scan_decimal(text, &d);
    if (unit == NULL || (strcmp(unit, "/s") != 0 && strcmp(text, "0") != 0)) {
        return false;
    }
    return multiply(d, 1000, out_milli_per_s);
}

static bool scan_percent(const char *text, double *out)
{
    struct decimal d;
    const char *unit = scan_decimal(text, &d);
    /* Below 10^9 every value of six decimals is told apart by a double. */
    if (unit == NULL || d.whole >= 1000000000) {
        return false;
    }
    if (strcmp(unit, "%") != 0 && strcmp(text, "0") != 0) {
        return false;
    }
    *out = (double)(d.whole * d.scale + d.fraction) / (double)d.scale;
    return true;
}

static bool scan_bool(const char *text, bool *out)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0) {
        return false;
    }
    *out = is_true;
    return true;
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_name(const char *text)
{
    if (!is_alphanumeric(text[0])) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!is_alphanumeric(*text) && strchr("._-", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static bool scan_word(const char *text, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum schema_scan_result keep_percent(const struct schema_row *row, const char *text,
                                            void *field)
{
    double percent;
    if (!scan_percent(text, &percent)) {
        return SCHEMA_NOT_OF_TYPE;
    }
    if (percent < (double)row->min || (row->max != 0 && percent > (double)row->max)) {
        return SCHEMA_OUT_OF_RANGE;
    }
    memcpy(field, &percent, sizeof(percent));
    return SCHEMA_SCANNED;
}

static enum schema_scan_result keep_text(size_t size, bool is_good, const char *text, void *field)
{
    size_t length = strlen(text);
    if (!is_good || length >= size) {
        return SCHEMA_NOT_OF_TYPE;
    }
    memset(field, 0, size);
    memcpy(field, text, length);
    return SCHEMA_SCANNED;
}

static enum schema_scan_result keep(bool is_of_type, const void *value, size_t bytes, void *field)
{
    if (!is_of_type) {
        return SCHEMA_NOT_OF_TYPE;
    }
    memcpy(field, value, bytes);
    return SCHEMA_SCANNED;
}

static enum schema_scan_result scan_number(const struct schema_row *row, enum schema_type type,
                                           const char *text, void *field)
{
    uint64_t value = 0;
    bool is_of_type;
    if (type == SCHEMA_DURATION) {
        is_of_type = schema_scan_duration(text, &value);
    } else if (type == SCHEMA_RATE) {
        is_of_type = schema_scan_rate(text, &value);
    } else {
        const char *rest = scan_whole(text, &value);
        is_of_type = rest != NULL && *rest == '\0';
    }
    if (!is_of_type) {
        return SCHEMA_NOT_OF_TYPE;
    }
    if (value < row->min || (row->max != 0 && value > row->max)) {
        return SCHEMA_OUT_OF_RANGE;
    }
    memcpy(field, &value, sizeof(value));
    return SCHEMA_SCANNED;
}

enum schema_scan_result schema_value_scan(const struct schema_row *row, enum schema_type type,
                                          const char *text, void *field)
{
    bool truth, is_good;
    int word;
    struct ipv4 address;
    struct ipv4_net net;
    assert(schema_is_scalar(type));
    switch (type) {
    case SCHEMA_BOOL:
        is_good = scan_bool(text, &truth);
        return keep(is_good, &truth, sizeof(truth), field);
    case SCHEMA_UINT:
    case SCHEMA_DURATION:
    case SCHEMA_RATE:
        return scan_number(row, type, text, field);
    case SCHEMA_PERCENT:
        return keep_percent(row, text, field);
    case SCHEMA_TEXT:
        return keep_text(row->size, tree_is_printable(text), text, field);
    case SCHEMA_NAME:
        return keep_text(row->size, is_name(text), text, field);
    case SCHEMA_IPV4:
        is_good = inet_parse(text, &address);
        return keep(is_good, &address, sizeof(address), field);
    case SCHEMA_IPV4_NET:
        is_good = inet_parse_net(text, &net);
        return keep(is_good, &net, sizeof(net), field);
    case SCHEMA_ENUM:
        is_good = scan_word(text, row->words, &word);
        return keep(is_good, &word, sizeof(word), field);
    case SCHEMA_FLAGS:
    case SCHEMA_BLOCK:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    case SCHEMA_IPV4_LIST:
    case SCHEMA_IPV4_NET_LIST:
    case SCHEMA_TEXT_LIST:
        break;
    }
    return SCHEMA_NOT_OF_TYPE;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * How many letters must be changed, added, removed or swapped with their
 * neighbour to make `a` out of `b` (optimal string alignment).
 */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    unsigned rows[3][NEAR_WORD_BYTES + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b_size; j++) {
        above[j] = j;
    }
    for (unsigned i = 1; i <= a_size; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(change, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_size];
}

const char *schema_nearest(const char *text, const char *const *words)
{
    size_t size = strlen(text);
    const char *nearest = NULL;
    /* A third of the letters wrong is a typing error, more is another word. */
    unsigned best = size < 6 ? 2 : size < 9 ? 3 : 4; /* one more than allowed */
    if (size > NEAR_WORD_BYTES) {
        return NULL;
    }
    for (; *words != NULL; words++) {
        if (strlen(*words) > NEAR_WORD_BYTES) {
            continue;
        }
        unsigned distance = edit_distance(text, *words);
        if (distance < best && distance < size) {
            nearest = *words;
            best = distance;
        }
    }
    return nearest;
}
