/* SPDX-License-Identifier: MIT */
/* Kea's memfile CSV: every change appends a row. */
#include <string.h>

#include "coordinator/truth/lease_book_put.h"

enum { LINE_BYTES = 2048 };

enum column {
    COLUMN_ADDRESS,
    COLUMN_HWADDR,
    COLUMN_LIFETIME,
    COLUMN_EXPIRE,
    COLUMN_STATE,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {"address", "hwaddr", "valid_lifetime", "expire",
                                                  "state"};

/* Lease4 states of Kea: 0 default, 1 declined, 2 expired and reclaimed, 3 released. */
enum { KEA_LEASED = 0, KEA_DECLINED = 1, KEA_RECLAIMED = 2, KEA_RELEASED = 3 };

enum book_state lease_book_kea_state(uint64_t state, uint64_t lifetime_s, uint64_t expire_s,
                                     uint64_t now_s)
{
    if (state == KEA_DECLINED) {
        return BOOK_DECLINED;
    }
    /* A row without a lifetime says that the lease was deleted: released. */
    if (lifetime_s == 0 || state == KEA_RELEASED) {
        return BOOK_FREE;
    }
    if (state != KEA_LEASED && state != KEA_RECLAIMED) {
        return BOOK_UNCLEAR;
    }
    return state == KEA_LEASED && expire_s > now_s ? BOOK_ACTIVE : BOOK_EXPIRED;
}

/* Cuts a line at its commas in place; Kea writes a comma inside a field as "&#x2c". */
static size_t split(char *line, char **fields, size_t most)
{
    size_t count = 0;
    for (char *at = line; count < most;) {
        fields[count++] = at;
        at = strchr(at, ',');
        if (at == NULL) {
            break;
        }
        *at++ = '\0';
    }
    return count;
}

enum { FIELDS_MAX = 16 };

static bool find_columns(char **fields, size_t count, size_t place[COLUMNS])
{
    for (size_t c = 0; c < COLUMNS; c++) {
        place[c] = SIZE_MAX;
        for (size_t i = 0; i < count; i++) {
            place[c] = strcmp(fields[i], column_names[c]) == 0 ? i : place[c];
        }
        if (place[c] == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

/* False: not understood; where at least the address was, it is BOOK_UNCLEAR. */
static bool take_row(struct lease_book *book, char **fields, size_t count,
                     const size_t place[COLUMNS], uint64_t now_s)
{
    struct ipv4 addr;
    struct mac mac = {0};
    uint64_t lifetime_s = 0, expire_s = 0, state = 0;
    if (place[COLUMN_ADDRESS] >= count || !inet_parse(fields[place[COLUMN_ADDRESS]], &addr)) {
        return false;
    }
    bool is_good = true;
    for (size_t c = 0; c < COLUMNS; c++) {
        is_good = is_good && place[c] < count;
    }
    is_good = is_good && lease_book_number(fields[place[COLUMN_LIFETIME]], &lifetime_s) &&
              lease_book_number(fields[place[COLUMN_EXPIRE]], &expire_s) &&
              lease_book_number(fields[place[COLUMN_STATE]], &state);
    if (is_good) {
        /* Empty for a declined lease, which is nobody's. */
        const char *hwaddr = fields[place[COLUMN_HWADDR]];
        is_good = lease_book_hwaddr(hwaddr, strlen(hwaddr), &mac);
    }
    lease_book_put(book, addr, mac,
                   is_good ? lease_book_kea_state(state, lifetime_s, expire_s, now_s)
                           : BOOK_UNCLEAR);
    return is_good;
}

/* A line without its end: too long ones are cut. */
static void take_line(struct lease_book *book, char *line, bool *has_heading, size_t place[COLUMNS],
                      uint64_t now_s)
{
    char *fields[FIELDS_MAX];
    bool is_empty = line[0] == '\0';
    size_t count = split(line, fields, FIELDS_MAX);
    if (!*has_heading) {
        *has_heading = find_columns(fields, count, place);
        book->strange += !*has_heading;
    } else if (!is_empty && !take_row(book, fields, count, place, now_s)) {
        book->strange++;
    }
}

bool lease_book_kea_csv(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s)
{
    size_t place[COLUMNS];
    bool has_heading = false;
    for (const char *at = text, *end = text + bytes; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            book->strange++; /* still being written */
            break;
        }
        char line[LINE_BYTES];
        size_t size = (size_t)(newline - at);
        size = size > 0 && at[size - 1] == '\r' ? size - 1 : size;
        size = size < sizeof(line) ? size : sizeof(line) - 1;
        memcpy(line, at, size);
        line[size] = '\0';
        lease_book_show_nul(line, size);
        take_line(book, line, &has_heading, place, now_s);
        at = newline + 1;
    }
    return has_heading;
}
