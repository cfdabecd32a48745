/* SPDX-License-Identifier: MIT */
/* Two long sections of a change request, apart for their length. Private to change_request*.c. */
#pragma once

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/plan_text.h"
#include "coordinator/plan/scenario.h"

/* 6: what is changed on servers and routers, and how that is undone. */
void change_request_say_changes(const struct scenario *s, const char *path, struct plan_text *t);
/* 9 and 10: what stays behind, and log volume. */
void change_request_say_leftovers(const struct scenario *s, const struct forecast *f,
                                  struct plan_text *t);
