/* SPDX-License-Identifier: MIT */
/* One writer per server's language, in setup_DIALECT.c. Private to setup*.c. Pure. */
#pragma once

#include "coordinator/plan/plan_text.h"
#include "coordinator/plan/setup.h"

void setup_print_dhcpd(const struct setup *setup, struct plan_text *t);
void setup_print_kea(const struct setup *setup, struct plan_text *t);
void setup_print_ios(const struct setup *setup, struct plan_text *t);
void setup_print_nft(const struct setup *setup, struct plan_text *t);

/*
 * A pool as several of at most this many addresses: dhcpd walks a pool's leases one by one for each
 * it gives, and 20,000 in one take twice the time that 20 pools of a thousand do (measured).
 */
enum { SETUP_POOL_ADDRESSES = 1024 };
/* The text inside a quoted string: what would end it is escaped. ASCII only comes here. */
void setup_say_quoted(struct plan_text *t, const char *text);
