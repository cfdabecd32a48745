/* SPDX-License-Identifier: MIT */
/*
 * coordinator.log as evidence: every line ends with " chain=" and 32 digits, the BLAKE2b-128 of
 * the line before's value and this line's text. A line that is changed, taken out, put in or
 * moved breaks the chain there; what follows the value that the report names can only be added.
 * It shows tampering by who does not rewrite all of log and report; keep the report's value
 * elsewhere to hold against those who do. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_CHAIN_BYTES = 16,
    LOG_CHAIN_TEXT_BYTES = 2 * LOG_CHAIN_BYTES + 1,
    LOG_CHAIN_TAIL_BYTES = 7 + 2 * LOG_CHAIN_BYTES /* " chain=" and the digits */
};

struct log_chain {
    uint8_t value[LOG_CHAIN_BYTES]; /* all zero before the first line */
};

/* Takes a line (without its newline) into the chain. */
void log_chain_add(struct log_chain *chain, const char *line, size_t size);
const char *log_chain_text(const struct log_chain *chain, char out[LOG_CHAIN_TEXT_BYTES]);
/* The value a whole line of the log ends with; false: it carries none. */
bool log_chain_of_line(const char *line, size_t size, struct log_chain *out);

struct log_chain_verdict {
    uint64_t lines;
    uint64_t bad_line; /* 1, 2, ...: the first that does not follow from those before; 0: none */
    bool is_cut;       /* the last line has no end */
    uint64_t expected_line; /* that carries the expected value; 0: none does */
    struct log_chain last;
};

/* `expected`: the report's value; NULL: none is known. */
void log_chain_verify(const char *text, size_t size, const char *expected,
                      struct log_chain_verdict *out);
