/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/disk_text.h"

#include <stdio.h>
#include <string.h>

#include "agent/observer/parse/text.h"

enum { WORD_BYTES = 256 };

bool disk_parse_stat(const char *text, struct disk_stat *out)
{
    enum { WRITES = 4, BUSY = 9, FLUSHES = 15, FLUSH_TIME = 16, FIELDS = 17, FIELDS_ONCE = 11 };
    uint64_t field[FIELDS] = {0};
    const char *at = text;
    unsigned count = 0;
    while (count < FIELDS && text_take_number(&at, 10, &field[count])) {
        count++;
    }
    if (count < FIELDS_ONCE) {
        return false;
    }
    *out = (struct disk_stat){.writes = field[WRITES],
                              .busy_ms = field[BUSY],
                              .has_flushes = count == FIELDS,
                              .flushes = field[FLUSHES],
                              .flush_ms = field[FLUSH_TIME]};
    return true;
}

bool disk_parse_pressure(const char *text, uint64_t *out_us)
{
    static const char key[] = "total=";
    if (strncmp(text, "some ", 5) != 0) {
        return false;
    }
    const char *end = strchr(text, '\n');
    const char *at = strstr(text, key);
    if (at == NULL || (end != NULL && at > end)) {
        return false;
    }
    at += sizeof(key) - 1;
    return text_take_number(&at, 10, out_us);
}

/* A word of the line into `out`; the line goes on behind it. */
static bool take_word(const char **at, char *out, size_t size)
{
    const char *word = *at + strspn(*at, " \t");
    size_t count = strcspn(word, " \t\n");
    if (count == 0 || count >= size) {
        return false;
    }
    memcpy(out, word, count);
    out[count] = '\0';
    *at = word + count;
    return true;
}

/* "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw,errors=continue" */
static bool take_mount(const char *line, const char *device, char *out_type, char *out_source,
                       size_t size)
{
    char word[32], type[WORD_BYTES], source[WORD_BYTES];
    const char *at = line;
    const char *end = strchr(line, '\n');
    const char *dash = strstr(line, " - ");
    if (!text_skip_word(&at) || !text_skip_word(&at) || !take_word(&at, word, sizeof(word)) ||
        strcmp(word, device) != 0 || dash == NULL || (end != NULL && dash > end)) {
        return false;
    }
    at = dash + 3;
    size_t room = size < WORD_BYTES ? size : WORD_BYTES;
    if (!take_word(&at, type, room) || !take_word(&at, source, room)) {
        return false;
    }
    (void)snprintf(out_type, size, "%s", type);
    (void)snprintf(out_source, size, "%s", source);
    return true;
}

bool disk_parse_mount(const char *text, unsigned major, unsigned minor, char *out_type,
                      char *out_source, size_t size)
{
    char device[32];
    (void)snprintf(device, sizeof(device), "%u:%u", major, minor);
    bool is_found = false;
    for (const char *line = text; line != NULL; line = text_next_line(line)) {
        is_found = take_mount(line, device, out_type, out_source, size) || is_found;
    }
    return is_found;
}
