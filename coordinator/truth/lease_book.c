/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/lease_book.h"

#include <string.h>

#include "coordinator/truth/lease_book_put.h"

void lease_book_put(struct lease_book *book, struct ipv4 addr, struct mac mac,
                    enum book_state state)
{
    if (inet_is_zero(addr)) {
        book->strange++;
        return;
    }
    bool is_nobodys = true;
    for (size_t i = 0; i < MAC_BYTES; i++) {
        is_nobodys = is_nobodys && mac.byte[i] == 0;
    }
    struct table_entry *entry = table_put(&book->leases, inet_host(addr));
    if (entry == NULL) {
        book->is_out_of_memory = true;
        return;
    }
    /* Somebody has it, and whether that is one of ours is not said. */
    entry->value = (uint32_t)(state == BOOK_ACTIVE && is_nobodys ? BOOK_UNCLEAR : state);
    entry->word = 0;
    for (size_t i = 0; i < MAC_BYTES; i++) {
        entry->word = entry->word << 8 | mac.byte[i];
    }
}

bool lease_book_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (at == text || *at != '\0') {
        return false;
    }
    *out = value;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool lease_book_mac(const char *text, size_t bytes, struct mac *out)
{
    enum { TEXT = MAC_TEXT_BYTES - 1, STRIDE = 3 };
    if (bytes != TEXT) {
        return false;
    }
    for (size_t i = 0; i < MAC_BYTES; i++) {
        int high = digit_of(text[i * STRIDE]), low = digit_of(text[i * STRIDE + 1]);
        if (high < 0 || low < 0 || (i + 1 < MAC_BYTES && text[i * STRIDE + 2] != ':')) {
            return false;
        }
        out->byte[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

bool lease_book_hwaddr(const char *text, size_t bytes, struct mac *out)
{
    enum { STRIDE = 3, DIGITS = 2 };
    *out = (struct mac){0};
    if (bytes == MAC_TEXT_BYTES - 1) {
        return lease_book_mac(text, bytes, out);
    }
    for (size_t i = 0; i < bytes; i++) {
        bool is_digit = i % STRIDE < DIGITS;
        if (is_digit ? digit_of(text[i]) < 0 : text[i] != ':') {
            return false;
        }
    }
    return bytes % STRIDE == 0 ? bytes == 0 : bytes % STRIDE == DIGITS;
}

void lease_book_show_nul(char *text, size_t bytes)
{
    for (char *at; (at = memchr(text, '\0', bytes)) != NULL;) {
        *at = '?';
    }
}

static void take(const struct table_entry *entry, struct book_lease *out)
{
    *out = (struct book_lease){.addr = inet_from_host(entry->key),
                               .state = (enum book_state)entry->value};
    for (size_t i = 0; i < MAC_BYTES; i++) {
        out->mac.byte[i] = (uint8_t)(entry->word >> (8 * (MAC_BYTES - 1 - i)));
    }
}

bool lease_book_find(const struct lease_book *book, struct ipv4 addr, struct book_lease *out)
{
    const struct table_entry *entry =
        inet_is_zero(addr) ? NULL : table_find(&book->leases, inet_host(addr));
    if (entry != NULL) {
        take(entry, out);
    }
    return entry != NULL;
}

bool lease_book_next(const struct lease_book *book, size_t *cursor, struct book_lease *out)
{
    const struct table_entry *entry = table_next(&book->leases, cursor);
    if (entry != NULL) {
        take(entry, out);
    }
    return entry != NULL;
}

void lease_book_fini(struct lease_book *book)
{
    table_fini(&book->leases);
    *book = (struct lease_book){0};
}
