/* SPDX-License-Identifier: MIT */
/* dhcpd.leases(5): blocks of statements, the latest block of an address counts. */
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/lease_book_put.h"

enum { LINE_BYTES = 512 };

/* The block being read. */
struct entry {
    struct ipv4 addr;
    struct mac mac;
    bool is_active, is_expired, is_abandoned, has_end, is_unclear;
    uint64_t end_s;
};

/* The next line, cut where it is too long; false: no more. */
static bool next_line(const char **at, const char *end, char line[LINE_BYTES])
{
    if (*at >= end) {
        return false;
    }
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    const char *stop = newline != NULL ? newline : end;
    size_t size = (size_t)(stop - *at);
    size = size < LINE_BYTES - 1 ? size : LINE_BYTES - 1;
    memcpy(line, *at, size);
    line[size] = '\0';
    *at = newline != NULL ? newline + 1 : end;
    return true;
}

/* The words of a line, without the semicolon at its end. */
static size_t split(char *line, char **words, size_t most)
{
    size_t count = 0;
    char *rest = line, *word;
    while (count < most && (word = strtok_r(rest, " \t\r;", &rest)) != NULL) {
        words[count++] = word;
    }
    return count;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static uint64_t days_of(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    uint64_t era = y / 400, of_era = y % 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

/* "2024/01/07", "00:00:00" (UTC). */
static bool scan_date(const char *date, const char *clock, uint64_t *out_s)
{
    unsigned part[6];
    const char *at = date;
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        char *end;
        if (i == 3) {
            at = clock;
        }
        unsigned long value = strtoul(at, &end, 10);
        if (end == at || value > 9999) {
            return false;
        }
        part[i] = (unsigned)value;
        at = *end != '\0' ? end + 1 : end;
    }
    if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31) {
        return false;
    }
    *out_s = days_of(part[0], part[1], part[2]) * 86400 + part[3] * 3600 + part[4] * 60 + part[5];
    return true;
}

/* "ends 4 2024/01/07 00:00:00", "ends epoch 1704585600", "ends never" */
static bool take_end(char **words, size_t count, struct entry *e)
{
    if (count == 2 && strcmp(words[1], "never") == 0) {
        e->has_end = false;
        return true;
    }
    if (count >= 3 && strcmp(words[1], "epoch") == 0) {
        e->has_end = lease_book_number(words[2], &e->end_s);
        return e->has_end;
    }
    e->has_end = count >= 4 && scan_date(words[2], words[3], &e->end_s);
    return e->has_end;
}

/* False: a statement that matters and is not understood. */
static bool take_statement(char **words, size_t count, struct entry *e)
{
    if (count >= 3 && strcmp(words[0], "binding") == 0 && strcmp(words[1], "state") == 0) {
        e->is_active = strcmp(words[2], "active") == 0;
        e->is_expired = strcmp(words[2], "expired") == 0;
        e->is_abandoned = strcmp(words[2], "abandoned") == 0;
    } else if (count >= 3 && strcmp(words[0], "hardware") == 0) {
        return strcmp(words[1], "ethernet") != 0 ||
               lease_book_mac(words[2], strlen(words[2]), &e->mac);
    } else if (count >= 2 && strcmp(words[0], "ends") == 0) {
        return take_end(words, count, e);
    }
    return true;
}

static void put(struct lease_book *book, const struct entry *e, uint64_t now_s)
{
    bool is_over = e->has_end && e->end_s <= now_s;
    enum book_state state = e->is_unclear                                ? BOOK_UNCLEAR
                            : e->is_abandoned                            ? BOOK_DECLINED
                            : e->is_active && !is_over                   ? BOOK_ACTIVE
                            : e->is_expired || (e->is_active && is_over) ? BOOK_EXPIRED
                                                                         : BOOK_FREE;
    lease_book_put(book, e->addr, e->mac, state);
}

/* What dhcpd writes at the head of every file, whether there are leases or not. */
static bool is_heading(char **words, size_t count)
{
    return count == 2 &&
           (strcmp(words[0], "authoring-byte-order") == 0 || strcmp(words[0], "server-duid") == 0);
}

bool lease_book_dhcpd(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s)
{
    const char *at = text;
    char line[LINE_BYTES];
    bool is_open = false, is_dhcpds = false;
    struct entry e = {0};
    while (next_line(&at, text + bytes, line)) {
        char *words[6] = {0};
        size_t count = split(line, words, ARRAY_LEN(words));
        if (!is_open) {
            if (count == 3 && strcmp(words[0], "lease") == 0 && strcmp(words[2], "{") == 0) {
                e = (struct entry){0};
                is_open = inet_parse(words[1], &e.addr);
                book->strange += !is_open;
            }
            is_dhcpds = is_dhcpds || is_open || is_heading(words, count);
        } else if (count == 1 && strcmp(words[0], "}") == 0) {
            put(book, &e, now_s);
            is_open = false;
        } else if (count > 0 && !take_statement(words, count, &e)) {
            book->strange++;
            e.is_unclear = true;
        }
    }
    book->strange += is_open; /* the file was cut, or is being written */
    return is_dhcpds;
}
