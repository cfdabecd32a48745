/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

static struct option_row *row_of(struct option_row *rows, size_t row_count, const char *name,
                                 size_t length)
{
    for (size_t i = 0; i < row_count; i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void explain_unknown(const struct option_row *rows, size_t row_count, const char *flag,
                            char why[OPTIONS_WHY_BYTES])
{
    const char *words[OPTIONS_MAX + 2];
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++) {
        words[count++] = rows[i].name;
    }
    words[count++] = "--help";
    words[count] = NULL;

    const char *near = schema_nearest(flag, words);
    if (near != NULL) {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "unknown flag %.80s; did you mean %s?", flag, near);
    } else {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "unknown flag %.80s; --help lists the flags", flag);
    }
}

/* A value may begin with "--" (a Z85 key can); only a known flag is surely not one. */
static bool is_flag(struct option_row *rows, size_t row_count, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    return row_of(rows, row_count, word, length) != NULL;
}

struct words {
    int argc;
    char **argv;
    int at;
    struct option_row *rows;
    size_t row_count;
};

static bool keep_in_list(struct option_row *row, char why[OPTIONS_WHY_BYTES])
{
    if (row->list == NULL) {
        return true;
    }
    if (row->list_count == row->list_max) {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "%s is given more than %zu times", row->name,
                       row->list_max);
        return false;
    }
    row->list[row->list_count++] = row->text;
    return true;
}

/* Takes the value of `row` from "--x=V" or from the next argument. */
static bool take_value(struct words *w, struct option_row *row, const char *equals,
                       char why[OPTIONS_WHY_BYTES])
{
    const char *flag = w->argv[w->at];
    if (row->is_given && row->list == NULL) {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "%s is given twice; give it once", row->name);
        return false;
    }
    row->is_given = true;
    row->text = NULL;
    if (row->value == NULL) {
        if (equals != NULL) {
            (void)snprintf(why, OPTIONS_WHY_BYTES, "%s takes no value; write it without '%.80s'",
                           row->name, equals);
            return false;
        }
        return true;
    }
    if (equals != NULL) {
        row->text = equals + 1;
    } else if (w->at + 1 < w->argc && !is_flag(w->rows, w->row_count, w->argv[w->at + 1])) {
        w->at += 1;
        row->text = w->argv[w->at];
    }
    if (row->text == NULL || row->text[0] == '\0') {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "%.80s needs a value; write %s %s", flag, row->name,
                       row->value);
        return false;
    }
    return keep_in_list(row, why);
}

bool options_parse(int argc, char **argv, struct option_row *rows, size_t row_count,
                   const char **args, size_t args_max, size_t *out_arg_count,
                   char why[OPTIONS_WHY_BYTES])
{
    assert(row_count <= OPTIONS_MAX);

    struct words w = {.argc = argc, .argv = argv, .rows = rows, .row_count = row_count};
    size_t count = 0;
    bool flags_ended = false;
    for (w.at = 1; w.at < argc; w.at++) {
        const char *word = argv[w.at];
        if (!flags_ended && strcmp(word, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && word[0] == '-' && word[1] != '\0') {
            const char *equals = strchr(word, '=');
            size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
            struct option_row *row = row_of(rows, row_count, word, length);
            if (row == NULL) {
                explain_unknown(rows, row_count, word, why);
                return false;
            }
            if (!take_value(&w, row, equals, why)) {
                return false;
            }
        } else if (count == args_max) {
            (void)snprintf(why, OPTIONS_WHY_BYTES, "'%.80s' is one argument too many; see --help",
                           word);
            return false;
        } else {
            args[count++] = word;
        }
    }
    *out_arg_count = count;
    return true;
}

bool options_number(const struct option_row *row, uint64_t max, uint64_t *out,
                    char why[OPTIONS_WHY_BYTES])
{
    assert(row->text != NULL);

    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(row->text, &end, 10);
    bool is_plain = row->text[0] >= '0' && row->text[0] <= '9' && *end == '\0' && errno == 0;
    if (!is_plain || value == 0 || value > max) {
        (void)snprintf(why, OPTIONS_WHY_BYTES, "%s %.80s is not a number from 1 to %" PRIu64,
                       row->name, row->text, max);
        return false;
    }
    *out = value;
    return true;
}

bool options_want_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return false;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

void options_print(FILE *to, const struct option_row *rows, size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        char flag[64];
        (void)snprintf(flag, sizeof(flag), "%s%s%s", rows[i].name, rows[i].value != NULL ? " " : "",
                       rows[i].value != NULL ? rows[i].value : "");
        (void)fprintf(to, "  %-24s %s\n", flag, rows[i].help);
    }
}
