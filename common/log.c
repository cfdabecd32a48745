/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/utf8.h"

enum { LINE_BYTES = 1024 };

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic int current_fd = -1;
static log_sink *_Atomic current_sink;

void log_set_level(enum log_level level)
{
    current_level = (int)level;
}

void log_set_fd(int fd)
{
    current_fd = fd;
}

void log_set_sink(log_sink *sink)
{
    current_sink = sink;
}

/* "time=2026-01-02T03:04:05.678Z level=warn " */
static size_t put_head(char *line, enum log_level level)
{
    uint64_t now_ns = clock_realtime_ns();
    time_t seconds = (time_t)(now_ns / NS_PER_S);
    struct tm utc;
    char date[32];

    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        date[0] = '\0';
    }
    int written = snprintf(line, LINE_BYTES, "time=%s.%03uZ level=%s ", date,
                           (unsigned)(now_ns / NS_PER_MS % 1000), level_names[level]);
    return written > 0 ? (size_t)written : 0;
}

/* A value from outside must not forge a second line or steer a terminal. */
static void make_harmless(char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, size - i, &code);
        bool can_show = length > 0 && utf8_is_printable(code);
        length = length > 0 ? length : 1;
        if (!can_show) {
            memset(text + i, '?', length);
        }
        i += length;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    if ((int)level > current_level) {
        return;
    }
    size_t size = put_head(line, level);
    va_start(arguments, format);
    int written = vsnprintf(line + size, sizeof(line) - size, format, arguments);
    va_end(arguments);
    if (written > 0) {
        size += (size_t)written;
    }
    if (size > sizeof(line) - 1) {
        size = sizeof(line) - 1;
        memcpy(line + size - 3, "...", 3);
    }
    make_harmless(line, size);
    log_sink *sink = current_sink;
    if (sink != NULL) {
        sink(line, size);
        return;
    }
    line[size] = '\n';
    int fd = current_fd;
    /* There is nowhere to report a log that cannot be written. */
    ssize_t rc = write(fd >= 0 ? fd : STDERR_FILENO, line, size + 1);
    (void)rc;
}
