/* SPDX-License-Identifier: MIT */
/* What the readers of lease_book.h share; nobody else includes it. Pure. */
#pragma once

#include "coordinator/truth/lease_book.h"

/* The state an address is in from here on; later calls win. Active without a MAC is unclear. */
void lease_book_put(struct lease_book *book, struct ipv4 addr, struct mac mac,
                    enum book_state state);
/* Decimal digits and nothing else. */
NODISCARD bool lease_book_number(const char *text, uint64_t *out);
/* "02:00:5e:10:00:01", not terminated. */
NODISCARD bool lease_book_mac(const char *text, size_t bytes, struct mac *out);
/* As Kea writes it: any length, also none; `out` is zero where it is no Ethernet address. */
NODISCARD bool lease_book_hwaddr(const char *text, size_t bytes, struct mac *out);
/* A NUL in a line is damage, and must not look like the line's end. */
void lease_book_show_nul(char *text, size_t bytes);
/* What Kea's numbers mean at `now_s`, in its file and in its answers. */
enum book_state lease_book_kea_state(uint64_t state, uint64_t lifetime_s, uint64_t expire_s,
                                     uint64_t now_s);
