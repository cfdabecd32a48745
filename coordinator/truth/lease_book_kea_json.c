/* SPDX-License-Identifier: MIT */
/*
 * The answer of Kea's control socket to lease4-get-all. The leases are cut out of the
 * text and read one by one: a tree of all of them, or of what only looks like an
 * answer, would take more than ten times the memory of the text.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/lease_book_put.h"

/* Kea's user context and a client's names are in a lease: a few kilobytes at the most. */
enum { LEASE_BYTES_MAX = 64 * 1024, FRAME_BYTES_MAX = 64 * 1024, SAID_BYTES = 100 };

/* --- the text --- */

/* Behind the string that begins at `at`; `end` where it is cut. */
static const char *behind_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"') {
            return at + 1;
        }
        at += *at == '\\';
    }
    return end;
}

/* Behind the object or array that begins at `at`; NULL where it is cut. */
static const char *behind_brackets(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = behind_string(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
        if (depth == 0) {
            return at;
        }
    }
    return NULL;
}

static const char *behind_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at;
}

/* The bracket of the first `"leases": [`; NULL: there is none. */
static const char *find_leases(const char *at, const char *end)
{
    static const char key[] = "\"leases\"";
    while (at < end) {
        if (*at != '"') {
            at++;
            continue;
        }
        const char *behind = behind_string(at, end);
        bool is_key =
            (size_t)(behind - at) == sizeof(key) - 1 && memcmp(at, key, sizeof(key) - 1) == 0;
        at = behind_blanks(behind, end);
        if (is_key && at < end && *at == ':') {
            at = behind_blanks(at + 1, end);
            if (at < end && *at == '[') {
                return at;
            }
        }
    }
    return NULL;
}

/* --- leases --- */

static bool number_of(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

/* False: not understood; where at least the address was, it is BOOK_UNCLEAR. */
static bool take_lease(struct lease_book *book, const json_t *lease, uint64_t now_s)
{
    const char *address = json_string_value(json_object_get(lease, "ip-address"));
    const char *hwaddr = json_string_value(json_object_get(lease, "hw-address"));
    struct ipv4 addr;
    struct mac mac = {0};
    uint64_t begun_s = 0, lifetime_s = 0, state = 0;
    if (address == NULL || !inet_parse(address, &addr)) {
        return false;
    }
    bool is_good = number_of(lease, "cltt", &begun_s) &&
                   number_of(lease, "valid-lft", &lifetime_s) &&
                   number_of(lease, "state", &state) &&
                   (hwaddr == NULL || lease_book_hwaddr(hwaddr, strlen(hwaddr), &mac));
    uint64_t end_s = lifetime_s > UINT64_MAX - begun_s ? UINT64_MAX : begun_s + lifetime_s;
    lease_book_put(book, addr, mac,
                   is_good ? lease_book_kea_state(state, lifetime_s, end_s, now_s) : BOOK_UNCLEAR);
    return is_good;
}

static bool read_lease(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s)
{
    json_error_t error;
    bool is_object = *text == '{' && bytes <= LEASE_BYTES_MAX;
    json_t *lease = is_object ? json_loadb(text, bytes, 0, &error) : NULL;
    bool is_good = lease != NULL && take_lease(book, lease, now_s);
    json_decref(lease);
    return is_good;
}

/* `at`: behind the list's bracket; `end`: at the one that closes it. */
static void read_leases(struct lease_book *book, const char *at, const char *end, uint64_t now_s)
{
    for (at = behind_blanks(at, end); at < end; at = behind_blanks(at, end)) {
        if (*at == ',') {
            at++;
            continue;
        }
        const char *behind = *at == '"'                 ? behind_string(at, end)
                             : *at == '{' || *at == '[' ? behind_brackets(at, end)
                                                        : at + 1;
        behind = behind == NULL ? end : behind;
        book->strange += !read_lease(book, at, (size_t)(behind - at), now_s);
        at = behind;
    }
}

/* --- the answer --- */

/* In the place of the list: whether it was the answer's own is seen by it. */
static const char list_mark[] = "true";

/*
 * The answer with the mark for what stands between `open` and `close`, the list's brackets.
 * NULL: no JSON, a key given twice, or too long.
 */
static json_t *read_frame(const char *text, size_t bytes, const char *open, const char *close)
{
    size_t mark = open == NULL ? 0 : sizeof(list_mark) - 1;
    size_t head = open == NULL ? bytes : (size_t)(open + 1 - text);
    size_t tail = open == NULL ? 0 : (size_t)(text + bytes - close);
    if (head > FRAME_BYTES_MAX || tail > FRAME_BYTES_MAX) {
        return NULL;
    }
    char *frame = malloc(head + mark + tail + 1);
    if (frame == NULL) {
        return NULL;
    }
    memcpy(frame, text, head);
    memcpy(frame + head, list_mark, mark);
    memcpy(frame + head + mark, close, tail);
    json_error_t error;
    json_t *root = json_loadb(frame, head + mark + tail, JSON_REJECT_DUPLICATES, &error);
    free(frame);
    return root;
}

/* Kea's own words, as far as they can be shown to anybody. */
static void say_why_not(json_int_t code, const char *said, char why[LEASE_BOOK_WHY_BYTES])
{
    char shown[SAID_BYTES];
    (void)snprintf(shown, sizeof(shown), "%s", said != NULL ? said : "no reason given");
    for (char *at = shown; *at != '\0'; at++) {
        *at = *at >= ' ' && *at <= '~' ? *at : '?';
    }
    (void)snprintf(why, LEASE_BOOK_WHY_BYTES,
                   "Kea answers lease4-get-all with result %" JSON_INTEGER_FORMAT ": %s; "
                   "is the lease_cmds hook loaded?",
                   code, shown);
}

/* The list that was left out of the frame is this answer's. */
static bool has_list(const json_t *answer)
{
    const json_t *list = json_object_get(json_object_get(answer, "arguments"), "leases");
    return json_array_size(list) == 1 && json_is_true(json_array_get(list, 0));
}

/*
 * True: an answer whose list, or lack of one, tells all leases. A success without a list is
 * some other daemon's, and of several answers only one would be read: neither frees anything.
 */
static bool is_whole(const json_t *root, bool is_list_seen, char why[LEASE_BOOK_WHY_BYTES])
{
    enum { RESULT_SUCCESS = 0, RESULT_EMPTY = 3 };
    const json_t *answer = json_is_array(root) ? json_array_get(root, 0) : root;
    const json_t *result = json_object_get(answer, "result");
    if (!json_is_integer(result)) {
        (void)snprintf(why, LEASE_BOOK_WHY_BYTES, "that is no answer of Kea's control socket");
        return false;
    }
    if (json_is_array(root) && json_array_size(root) != 1) {
        (void)snprintf(why, LEASE_BOOK_WHY_BYTES,
                       "%zu answers came to one lease4-get-all; give the control socket of the "
                       "DHCPv4 server itself",
                       json_array_size(root));
        return false;
    }
    json_int_t code = json_integer_value(result);
    if (code != RESULT_SUCCESS && code != RESULT_EMPTY) {
        say_why_not(code, json_string_value(json_object_get(answer, "text")), why);
        return false;
    }
    if (!has_list(answer) && (code == RESULT_SUCCESS || is_list_seen)) {
        (void)snprintf(why, LEASE_BOOK_WHY_BYTES,
                       "the answer to lease4-get-all has no list of leases; is that the control "
                       "socket of Kea's DHCPv4 server?");
        return false;
    }
    return true;
}

bool lease_book_kea_json(struct lease_book *book, const char *text, size_t bytes, uint64_t now_s,
                         char why[LEASE_BOOK_WHY_BYTES])
{
    const char *end = text + bytes, *open = find_leases(text, end);
    const char *behind = open != NULL ? behind_brackets(open, end) : end;
    json_t *root = behind != NULL ? read_frame(text, bytes, open, behind - (open != NULL)) : NULL;
    bool is_good = is_whole(root, open != NULL, why);
    if (is_good && open != NULL) {
        read_leases(book, open + 1, behind - 1, now_s);
    }
    json_decref(root);
    return is_good;
}
