/* SPDX-License-Identifier: MIT */
/* Kea: the memfile CSV (every change appends a row), and the answer to lease4-get-all. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/lease_book_put.h"

/* Lease4 states of Kea: 0 default, 1 declined, 2 expired and reclaimed. */
enum { KEA_LEASED = 0, KEA_DECLINED = 1, KEA_RECLAIMED = 2, LINE_BYTES = 2048 };

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

static enum book_state state_of(uint64_t state, uint64_t lifetime_s, uint64_t expire_s,
                                uint64_t now_s)
{
    if (state == KEA_DECLINED) {
        return BOOK_DECLINED;
    }
    /* A row without a lifetime says that the lease was deleted: released. */
    if (lifetime_s == 0 || (state != KEA_LEASED && state != KEA_RECLAIMED)) {
        return BOOK_FREE;
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

static bool scan_count(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-';
}

static bool take_row(struct lease_book *book, char **fields, size_t count,
                     const size_t place[COLUMNS], uint64_t now_s)
{
    struct ipv4 addr;
    struct mac mac = {0};
    uint64_t lifetime_s, expire_s, state;
    for (size_t c = 0; c < COLUMNS; c++) {
        if (place[c] >= count) {
            return false;
        }
    }
    if (!inet_parse(fields[place[COLUMN_ADDRESS]], &addr) ||
        !scan_count(fields[place[COLUMN_LIFETIME]], &lifetime_s) ||
        !scan_count(fields[place[COLUMN_EXPIRE]], &expire_s) ||
        !scan_count(fields[place[COLUMN_STATE]], &state)) {
        return false;
    }
    const char *hwaddr = fields[place[COLUMN_HWADDR]];
    /* Empty for a declined lease, which is nobody's. */
    if (hwaddr[0] != '\0' && !lease_book_mac(hwaddr, strlen(hwaddr), &mac)) {
        return false;
    }
    lease_book_put(book, addr, mac, state_of(state, lifetime_s, expire_s, now_s));
    return true;
}

void lease_book_kea_csv(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s)
{
    size_t place[COLUMNS];
    bool has_heading = false;
    for (const char *at = text, *end = text + bytes; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        char line[LINE_BYTES];
        size_t size = (size_t)(stop - at);
        bool is_whole = newline != NULL && size < sizeof(line);
        if (is_whole) {
            memcpy(line, at, size);
            line[size > 0 && at[size - 1] == '\r' ? size - 1 : size] = '\0';
            char *fields[FIELDS_MAX];
            size_t count = split(line, fields, FIELDS_MAX);
            if (!has_heading) {
                has_heading = find_columns(fields, count, place);
                book->strange += !has_heading;
            } else if (size > 0 && !take_row(book, fields, count, place, now_s)) {
                book->strange++;
            }
        } else {
            book->strange++; /* too long, or still being written */
        }
        at = newline != NULL ? newline + 1 : end;
    }
}

/* --- lease4-get-all --- */

static bool number_of(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_lease(struct lease_book *book, const json_t *lease, uint64_t now_s)
{
    const char *address = json_string_value(json_object_get(lease, "ip-address"));
    const char *hwaddr = json_string_value(json_object_get(lease, "hw-address"));
    struct ipv4 addr;
    struct mac mac = {0};
    uint64_t begun_s, lifetime_s, state;
    if (address == NULL || !inet_parse(address, &addr) || !number_of(lease, "cltt", &begun_s) ||
        !number_of(lease, "valid-lft", &lifetime_s) || !number_of(lease, "state", &state)) {
        return false;
    }
    if (hwaddr != NULL && hwaddr[0] != '\0' && !lease_book_mac(hwaddr, strlen(hwaddr), &mac)) {
        return false;
    }
    uint64_t end_s = lifetime_s > UINT64_MAX - begun_s ? UINT64_MAX : begun_s + lifetime_s;
    lease_book_put(book, addr, mac, state_of(state, lifetime_s, end_s, now_s));
    return true;
}

bool lease_book_kea_json(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s,
                         char why[LEASE_BOOK_WHY_BYTES])
{
    enum { RESULT_SUCCESS = 0, RESULT_EMPTY = 3 };
    json_error_t error;
    json_t *root = json_loadb(text, bytes, 0, &error);
    const json_t *answer = json_is_array(root) ? json_array_get(root, 0) : root;
    const json_t *result = json_object_get(answer, "result");
    if (!json_is_integer(result)) {
        (void)snprintf(why, LEASE_BOOK_WHY_BYTES, "that is no answer of Kea's control socket");
        json_decref(root);
        return false;
    }
    json_int_t code = json_integer_value(result);
    bool is_good = code == RESULT_SUCCESS || code == RESULT_EMPTY;
    if (!is_good) {
        const char *said = json_string_value(json_object_get(answer, "text"));
        (void)snprintf(why, LEASE_BOOK_WHY_BYTES,
                       "Kea answers lease4-get-all with result %" JSON_INTEGER_FORMAT ": %.100s; "
                       "is the lease_cmds hook loaded?",
                       code, said != NULL ? said : "no reason given");
    }
    const json_t *leases = json_object_get(json_object_get(answer, "arguments"), "leases");
    for (size_t i = 0; is_good && i < json_array_size(leases); i++) {
        book->strange += !take_lease(book, json_array_get(leases, i), now_s);
    }
    json_decref(root);
    return is_good;
}
