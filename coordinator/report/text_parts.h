/* SPDX-License-Identifier: MIT */
/* Pieces of report.txt, between the text_*.c files only. Errors stick to the stream. Pure. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "coordinator/report/result.h"

enum { TEXT_CELL_BYTES = 40, TEXT_COLUMNS = 100 };

/* 20000 as "20,000"; RESULT_UNKNOWN as "-". */
const char *text_count(uint64_t value, char cell[TEXT_CELL_BYTES]);
/* Microseconds as milliseconds with three significant digits or more: "0.412", "4.51", "13,201". */
const char *text_ms(uint64_t us, char cell[TEXT_CELL_BYTES]);
/* "12.3" with one decimal; "-" for NAN. */
const char *text_number(double value, char cell[TEXT_CELL_BYTES]);

void text_heading(FILE *out, const char *title);
/* `text` broken at spaces; the first line begins with `first`, the others with as many blanks. */
void text_wrapped(FILE *out, const char *first, const char *text);

void text_failover(const struct result *r, FILE *out);
void text_latencies(const struct result *r, FILE *out);
void text_servers(const struct result *r, FILE *out);
void text_relays(const struct result *r, FILE *out);
void text_agents(const struct result *r, FILE *out);
void text_observers(const struct result *r, FILE *out);
void text_search(const struct result *r, FILE *out);
void text_start_state(const struct result *r, FILE *out);
void text_timeline(const struct result *r, FILE *out);
