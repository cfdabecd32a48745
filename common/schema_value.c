/* SPDX-License-Identifier: MIT */
/* Scalars of a schema table in text and in words; the reverse of schema_scan.c. */
#include "common/schema_value.h"

#include "common/inet.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void schema_text_add(struct schema_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t needed = text->length + (wanted < 0 ? 0 : (size_t)wanted) + 1;
    if (!text->has_failed && needed > text->capacity) {
        size_t capacity = needed < 512 ? 1024 : 2 * needed;
        char *grown = realloc(text->bytes, capacity);
        text->has_failed = grown == NULL;
        if (grown != NULL) {
            text->bytes = grown;
            text->capacity = capacity;
        }
    }
    if (!text->has_failed) {
        (void)vsnprintf(text->bytes + text->length, text->capacity - text->length, format, again);
        text->length = needed - 1;
    }
    va_end(again);
}

bool schema_is_scalar(enum schema_type type)
{
    return type <= SCHEMA_ENUM;
}

bool schema_is_scalar_list(enum schema_type type)
{
    return type >= SCHEMA_IPV4_LIST && type <= SCHEMA_TEXT_LIST;
}

enum schema_type schema_element_type(enum schema_type type)
{
    if (type == SCHEMA_IPV4_LIST) {
        return SCHEMA_IPV4;
    }
    return type == SCHEMA_IPV4_NET_LIST ? SCHEMA_IPV4_NET : SCHEMA_TEXT;
}

void *schema_field(const struct schema_row *row, void *base)
{
    return (char *)base + row->offset;
}

const void *schema_field_const(const struct schema_row *row, const void *base)
{
    return (const char *)base + row->offset;
}

bool schema_is_present(const struct schema_row *row, const void *base)
{
    bool is_present = true;
    if (row->present_offset_plus_1 > 0) {
        const char *flag = (const char *)base + row->present_offset_plus_1 - 1;
        memcpy(&is_present, flag, sizeof(is_present));
    }
    return is_present;
}

size_t schema_element_bytes(const struct schema_row *row)
{
    if (row->type == SCHEMA_IPV4_LIST) {
        return sizeof(struct ipv4);
    }
    return row->type == SCHEMA_IPV4_NET_LIST ? sizeof(struct ipv4_net) : row->size;
}

static uint64_t number_in(const void *field)
{
    uint64_t value;
    memcpy(&value, field, sizeof(value));
    return value;
}

static void print_duration(uint64_t ns, struct schema_text *out)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {
        {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S},
        {"ms", NS_PER_MS},      {"us", NS_PER_US},    {"ns", 1},
    };
    size_t i = ns == 0 ? 2 : 0;
    while (ns % units[i].ns != 0) {
        i++;
    }
    schema_text_add(out, "%llu%s", (unsigned long long)(ns / units[i].ns), units[i].unit);
}

static void print_rate(uint64_t milli_per_s, struct schema_text *out)
{
    unsigned long long whole = milli_per_s / 1000;
    unsigned milli = (unsigned)(milli_per_s % 1000);
    if (milli == 0) {
        schema_text_add(out, "%llu/s", whole);
    } else if (milli % 100 == 0) {
        schema_text_add(out, "%llu.%u/s", whole, milli / 100);
    } else {
        schema_text_add(out, "%llu.%03u/s", whole, milli);
    }
}

static void print_percent(double percent, struct schema_text *out)
{
    char digits[64];
    int decimals = 0;
    do {
        (void)snprintf(digits, sizeof(digits), "%.*f", decimals, percent);
    } while (strtod(digits, NULL) != percent && ++decimals <= 6);
    schema_text_add(out, "%s%%", digits);
}

/* Double quotes keep what a plain scalar would change: blanks, `#`, `: `, an empty text. */
static void print_text(const char *text, struct schema_text *out)
{
    schema_text_add(out, "\"");
    for (; *text != '\0'; text++) {
        bool is_special = *text == '"' || *text == '\\';
        schema_text_add(out, is_special ? "\\%c" : "%c", *text);
    }
    schema_text_add(out, "\"");
}

void schema_value_print(const struct schema_row *row, enum schema_type type, const void *field,
                        struct schema_text *out)
{
    char address[IPV4_NET_TEXT_BYTES];
    struct ipv4 ipv4;
    struct ipv4_net net;
    bool truth;
    int word;
    double percent;
    assert(schema_is_scalar(type));
    switch (type) {
    case SCHEMA_BOOL:
        memcpy(&truth, field, sizeof(truth));
        schema_text_add(out, "%s", truth ? "true" : "false");
        return;
    case SCHEMA_UINT:
        schema_text_add(out, "%llu", (unsigned long long)number_in(field));
        return;
    case SCHEMA_DURATION:
        print_duration(number_in(field), out);
        return;
    case SCHEMA_RATE:
        print_rate(number_in(field), out);
        return;
    case SCHEMA_PERCENT:
        memcpy(&percent, field, sizeof(percent));
        print_percent(percent, out);
        return;
    case SCHEMA_TEXT:
        print_text(field, out);
        return;
    case SCHEMA_NAME:
        schema_text_add(out, "%s", (const char *)field);
        return;
    case SCHEMA_IPV4:
        memcpy(&ipv4, field, sizeof(ipv4));
        schema_text_add(out, "%s", inet_text(ipv4, address));
        return;
    case SCHEMA_IPV4_NET:
        memcpy(&net, field, sizeof(net));
        schema_text_add(out, "%s", inet_net_text(net, address));
        return;
    case SCHEMA_ENUM:
        memcpy(&word, field, sizeof(word));
        schema_text_add(out, "%s", row->words[word]);
        return;
    case SCHEMA_FLAGS:
    case SCHEMA_BLOCK:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    case SCHEMA_IPV4_LIST:
    case SCHEMA_IPV4_NET_LIST:
    case SCHEMA_TEXT_LIST:
        break;
    }
}

bool schema_value_is_unset(enum schema_type type, const void *field)
{
    struct ipv4 address;
    double percent;
    struct schema_array array;
    unsigned flags;
    switch (type) {
    case SCHEMA_UINT:
    case SCHEMA_DURATION:
    case SCHEMA_RATE:
        return number_in(field) == 0;
    case SCHEMA_PERCENT:
        memcpy(&percent, field, sizeof(percent));
        return !(percent > 0);
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
        return *(const char *)field == '\0';
    case SCHEMA_IPV4:
        memcpy(&address, field, sizeof(address));
        return inet_is_zero(address);
    case SCHEMA_IPV4_NET: {
        struct ipv4_net net;
        memcpy(&net, field, sizeof(net));
        return inet_is_zero(net.base) && net.prefix_bits == 0;
    }
    case SCHEMA_FLAGS:
        memcpy(&flags, field, sizeof(flags));
        return flags == 0;
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    case SCHEMA_IPV4_LIST:
    case SCHEMA_IPV4_NET_LIST:
    case SCHEMA_TEXT_LIST:
        memcpy(&array, field, sizeof(array));
        return array.count == 0;
    case SCHEMA_BOOL:
    case SCHEMA_ENUM:
    case SCHEMA_BLOCK:
        break;
    }
    return false;
}
