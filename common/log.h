/* SPDX-License-Identifier: MIT */
/*
 * One line per fact to stderr (or a file), with the time (UTC) before it:
 * "time=2026-01-02T03:04:05.678Z level=warn what=agent_lost agent=a1 ...".
 * Values with spaces are quoted by the caller's format; control characters
 * become '?', a line ends after 1 KiB. Edge. Thread-safe: one write(2) per line.
 * Nothing per packet is ever logged.
 */
#pragma once

#include <stddef.h>

#include "common/attrs.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* `fd` replaces stderr as the destination; -1 goes back to stderr. */
void log_set_fd(int fd);
/* Takes every line (no newline at its end) in place of stderr or the descriptor; NULL: none. Called
 * by the thread that logs; it must outlive every thread that does. */
typedef void log_sink(const char *line, size_t size);
void log_set_sink(log_sink *sink);
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
