/* SPDX-License-Identifier: MIT */
/* dhcpd.leases(5): blocks of statements, the latest block of an address counts. */
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/lease_book_put.h"

/* A client's identifier of 255 bytes is four times that where each is escaped. */
enum { LINE_BYTES = 4096 };

/* The block being read. */
struct entry {
    struct ipv4 addr;
    struct mac mac;
    bool has_state, is_active, is_expired, is_abandoned, has_end, is_unclear;
    uint64_t end_s;
};

struct reader {
    struct lease_book *book;
    uint64_t now_s;
    struct entry entry;
    bool is_open;   /* in a lease's block */
    bool is_dhcpds; /* something was seen that dhcpd writes */
    size_t depth;   /* blocks open in it, or that are no lease's */
};

/* The next line that has its end, cut where it is too long; false: no more. */
static bool next_line(const char **at, const char *end, char line[LINE_BYTES])
{
    const char *newline = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (newline == NULL) {
        return false;
    }
    size_t size = (size_t)(newline - *at);
    size = size < LINE_BYTES - 1 ? size : LINE_BYTES - 1;
    memcpy(line, *at, size);
    line[size] = '\0';
    lease_book_show_nul(line, size);
    *at = newline + 1;
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

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool take_state(const char *state, struct entry *e)
{
    static const char *const states[] = {"free",      "active", "expired", "released",
                                         "abandoned", "reset",  "backup"};
    e->is_active = strcmp(state, "active") == 0;
    e->is_expired = strcmp(state, "expired") == 0;
    e->is_abandoned = strcmp(state, "abandoned") == 0;
    e->has_state = is_one_of(state, states, ARRAY_LEN(states));
    return e->has_state;
}

/* False: a statement that matters and is not understood. */
static bool take_statement(char **words, size_t count, struct entry *e)
{
    if (count >= 3 && strcmp(words[0], "binding") == 0 && strcmp(words[1], "state") == 0) {
        return take_state(words[2], e);
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
    bool is_unclear = e->is_unclear || !e->has_state;
    bool is_over = e->has_end && e->end_s <= now_s;
    enum book_state state = is_unclear                                   ? BOOK_UNCLEAR
                            : e->is_abandoned                            ? BOOK_DECLINED
                            : e->is_active && !is_over                   ? BOOK_ACTIVE
                            : e->is_expired || (e->is_active && is_over) ? BOOK_EXPIRED
                                                                         : BOOK_FREE;
    lease_book_put(book, e->addr, e->mac, state);
}

/* The lease's block ended in the middle: what it would have said is not known. */
static void cut_off(struct reader *r)
{
    if (r->is_open) {
        lease_book_put(r->book, r->entry.addr, (struct mac){0}, BOOK_UNCLEAR);
    }
    r->book->strange += r->is_open || r->depth > 0;
    r->is_open = false;
    r->depth = 0;
}

static void begin_lease(struct reader *r, char **words, size_t count)
{
    cut_off(r); /* dhcpd writes no lease into another block */
    r->entry = (struct entry){0};
    r->is_open = count == 3 && strcmp(words[2], "{") == 0 && inet_parse(words[1], &r->entry.addr);
    r->is_dhcpds = r->is_dhcpds || r->is_open;
    if (!r->is_open) {
        r->book->strange++;
        r->depth = 1; /* what is in it is nobody's */
    }
}

static void in_lease(struct reader *r, char **words, size_t count)
{
    if (strcmp(words[0], "}") == 0) {
        r->book->strange += !r->entry.is_unclear && !r->entry.has_state;
        put(r->book, &r->entry, r->now_s);
        r->is_open = false;
    } else if (!take_statement(words, count, &r->entry)) {
        r->book->strange++;
        r->entry.is_unclear = true;
    }
}

static void outside(struct reader *r, char **words, size_t count)
{
    /* What dhcpd writes at the head of every file, whether there are leases or not. */
    static const char *const heading[] = {"authoring-byte-order", "server-duid"};
    static const char *const others[] = {"failover", "host", "group", "class", "subclass"};
    if (is_one_of(words[0], heading, ARRAY_LEN(heading))) {
        r->is_dhcpds = r->is_dhcpds || count >= 2;
    } else if (!is_one_of(words[0], others, ARRAY_LEN(others))) {
        r->book->strange++;
    }
}

static bool ends_with_brace(const char *line)
{
    size_t size = strlen(line);
    while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL) {
        size--;
    }
    return size > 0 && line[size - 1] == '{';
}

static void take_line(struct reader *r, char *line)
{
    char *words[6] = {0};
    bool is_opening = ends_with_brace(line);
    size_t count = split(line, words, ARRAY_LEN(words));
    if (count == 0 || words[0][0] == '#') {
        return;
    }
    if (is_opening && strcmp(words[0], "lease") == 0) {
        begin_lease(r, words, count);
        return;
    }
    if (r->depth > 0) {
        r->depth -= strcmp(words[0], "}") == 0;
    } else if (!r->is_open) {
        outside(r, words, count);
    } else if (!is_opening) {
        in_lease(r, words, count);
    }
    r->depth += is_opening; /* as "on expiry {" in a lease's block */
}

bool lease_book_dhcpd(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s)
{
    struct reader r = {.book = book, .now_s = now_s};
    const char *at = text, *end = text + bytes;
    char line[LINE_BYTES];
    while (next_line(&at, end, line)) {
        take_line(&r, line);
    }
    /* The file was cut, or is being written. */
    bool is_counted = r.is_open || r.depth > 0;
    cut_off(&r);
    book->strange += !is_counted && at < end;
    return r.is_dhcpds;
}
