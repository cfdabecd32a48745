/* SPDX-License-Identifier: MIT */
#include "common/key_list.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/z85.h"

enum { LIST_ENTRIES_MAX = 16384, LINE_WORDS = 5 };

static const char *const role_names[KEY_ROLE_COUNT] = {
    [KEY_ROLE_AGENT] = "agent",
    [KEY_ROLE_OBSERVER] = "observer",
};

int key_refuse(char why[KEY_WHY_BYTES], int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, KEY_WHY_BYTES, format, arguments); /* a cut sentence still says what */
    va_end(arguments);
    return error;
}

const char *key_role_name(enum key_role role)
{
    return (unsigned)role < KEY_ROLE_COUNT ? role_names[role] : "unknown";
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool key_name_is_valid(const char *name)
{
    size_t length = strnlen(name, KEY_NAME_BYTES);

    if (length == 0 || length == KEY_NAME_BYTES || !is_alphanumeric(name[0])) {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_alphanumeric(name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return true;
}

bool key_date_is_valid(const char *text)
{
    static const int days_of_month[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    for (size_t i = 0; i < 10; i++) {
        bool is_dash = i == 4 || i == 7;
        if (is_dash ? text[i] != '-' : (text[i] < '0' || text[i] > '9')) {
            return false;
        }
    }
    int month = (text[5] - '0') * 10 + text[6] - '0';
    int day = (text[8] - '0') * 10 + text[9] - '0';
    return text[10] == '\0' && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_of_month[month - 1];
}

static bool role_from_name(const char *name, enum key_role *out)
{
    for (int role = 0; role < KEY_ROLE_COUNT; role++) {
        if (strcmp(name, role_names[role]) == 0) {
            *out = (enum key_role)role;
            return true;
        }
    }
    return false;
}

/* Splits at blanks; returns how many words there are, LINE_WORDS + 1 for "more". */
static size_t split_words(char *line, char *words[LINE_WORDS])
{
    size_t count = 0;
    char *rest = NULL;

    for (char *w = strtok_r(line, " \t", &rest); w != NULL; w = strtok_r(NULL, " \t", &rest)) {
        if (count == LINE_WORDS) {
            return LINE_WORDS + 1;
        }
        words[count++] = w;
    }
    return count;
}

/* NULL, or what is wrong with the line. */
static const char *parse_entry(char *words[LINE_WORDS], struct key_entry *out)
{
    if (!key_name_is_valid(words[0])) {
        return "the name may hold letters, digits, '.', '_' and '-', 31 at most";
    }
    if (!role_from_name(words[1], &out->role)) {
        return "the role must be 'agent' or 'observer'";
    }
    if (!z85_decode(words[2], out->public_key, KEY_BYTES)) {
        return "the key must be 40 characters of Z85";
    }
    if (!key_date_is_valid(words[3])) {
        return "the date added must be YYYY-MM-DD";
    }
    if (strcmp(words[4], "-") != 0 && !key_date_is_valid(words[4])) {
        return "the date of expiry must be YYYY-MM-DD, or '-' for never";
    }
    strcpy(out->name, words[0]);
    strcpy(out->added, words[3]);
    strcpy(out->expires, words[4]);
    return NULL;
}

static int add_line(char *line, const char *path, unsigned number, struct key_list *list,
                    char why[KEY_WHY_BYTES])
{
    char *words[LINE_WORDS];
    struct key_entry entry;
    size_t count = split_words(line, words);

    if (count == 0 || words[0][0] == '#') {
        return 0;
    }
    if (count != LINE_WORDS) {
        return key_refuse(why, -EBADMSG, "%s:%u: expected 'NAME ROLE KEY ADDED EXPIRES'", path,
                          number);
    }
    memset(&entry, 0, sizeof(entry));
    const char *wrong = parse_entry(words, &entry);
    if (wrong != NULL) {
        return key_refuse(why, -EBADMSG, "%s:%u: %s", path, number, wrong);
    }
    if (key_list_find(list, entry.public_key) != NULL) {
        return key_refuse(why, -EBADMSG, "%s:%u: this key is listed twice; remove one line", path,
                          number);
    }
    if (list->count == LIST_ENTRIES_MAX) {
        return key_refuse(why, -EFBIG, "%s:%u: more than %d keys", path, number, LIST_ENTRIES_MAX);
    }
    list->entries[list->count++] = entry;
    return 0;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;

    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

int key_list_parse(char *text, const char *path, struct key_list *out, char why[KEY_WHY_BYTES])
{
    struct key_list list = {.entries = calloc(count_lines(text), sizeof(struct key_entry))};
    unsigned number = 1;
    int rc = 0;

    if (list.entries == NULL) {
        return key_refuse(why, -ENOMEM, "no memory for %s", path);
    }
    for (char *line = strsep(&text, "\n"); line != NULL && rc == 0; line = strsep(&text, "\n")) {
        rc = add_line(line, path, number, &list, why);
        number++;
    }
    if (rc != 0) {
        key_list_free(&list);
        return rc;
    }
    *out = list;
    return 0;
}

void key_list_free(struct key_list *list)
{
    free(list->entries);
    *list = (struct key_list){0};
}

const struct key_entry *key_list_find(const struct key_list *list,
                                      const uint8_t public_key[KEY_BYTES])
{
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(list->entries[i].public_key, public_key, KEY_BYTES) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

bool key_entry_is_expired(const struct key_entry *entry, const char *today_yyyy_mm_dd)
{
    return strcmp(entry->expires, "-") != 0 && strcmp(entry->expires, today_yyyy_mm_dd) < 0;
}

enum key_standing key_list_standing(const struct key_list *list, const char *name,
                                    const uint8_t public_key[KEY_BYTES],
                                    const char *today_yyyy_mm_dd)
{
    const struct key_entry *entry = key_list_find(list, public_key);

    if (entry != NULL && strcmp(entry->name, name) == 0) {
        return key_entry_is_expired(entry, today_yyyy_mm_dd) ? KEY_STANDING_EXPIRED
                                                             : KEY_STANDING_GOOD;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0) {
            return KEY_STANDING_REPLACED;
        }
    }
    return KEY_STANDING_REVOKED;
}
