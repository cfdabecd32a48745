/* SPDX-License-Identifier: MIT */
/* What all subcommands share: complaints, reading files and scenarios. */
#include "coordinator/cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/diag.h"

/* A scenario of 16,384 relays has about 2 MB. */
enum { SCENARIO_BYTES_MAX = 16 * 1024 * 1024 };

int cmd_usage_error(const char *command, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fprintf(stderr, "leaseherd %s: %s\n", command, text);
    return CMD_USAGE;
}

int cmd_no_run(const char *command, const char *run_dir)
{
    return cmd_usage_error(
        command, "%s is not a run directory; give the directory that `leaseherd run` named",
        run_dir);
}

FILE *cmd_open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    /* Only the opening must not wait: what a pipe's other side still writes is read. */
    FILE *file = flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? NULL : fdopen(fd, "rb");
    if (file == NULL && fd >= 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
    }
    return file;
}

int cmd_read_file(const char *path, size_t most, char **out, size_t *out_bytes)
{
    FILE *file = cmd_open_file(path);
    if (file == NULL) {
        return -errno;
    }
    char *text = NULL;
    size_t bytes = 0, room = 0;
    int error = 0;
    while (error == 0 && feof(file) == 0) {
        if (bytes == room) {
            room = room == 0 ? 65536 : room * 2;
            char *grown = realloc(text, room);
            if (grown == NULL) {
                error = -ENOMEM;
                break;
            }
            text = grown;
        }
        errno = 0;
        bytes += fread(text + bytes, 1, room - bytes, file);
        if (ferror(file) != 0) {
            error = errno != 0 ? -errno : -EIO;
        } else if (bytes > most) {
            error = -EFBIG;
        }
    }
    (void)fclose(file);
    if (error != 0) {
        free(text);
        return error;
    }
    *out = text;
    *out_bytes = bytes;
    return 0;
}

static void print_diag(const char *path, const struct diag *why)
{
    enum { TEXT_BYTES = DIAG_ITEMS_MAX * (DIAG_TEXT_BYTES + DIAG_FILE_BYTES + 16) };
    char *text = malloc(TEXT_BYTES);
    if (text == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, why->item[0].text);
        return;
    }
    (void)diag_print(why, text, TEXT_BYTES);
    (void)fputs(text, stderr);
    free(text);
    (void)fprintf(stderr, "%s: %zu problem%s, nothing was sent\n", path, why->count,
                  why->count == 1 ? "" : "s");
}

int cmd_load_scenario(const char *command, const char *path, struct scenario *out)
{
    char *text = NULL;
    size_t bytes = 0;
    int error = cmd_read_file(path, SCENARIO_BYTES_MAX, &text, &bytes);
    if (error == -ENOMEM) {
        (void)fprintf(stderr, "leaseherd %s: out of memory while reading %s\n", command, path);
        return CMD_INTERNAL;
    }
    if (error != 0) {
        return cmd_usage_error(command,
                               "cannot read scenario %s: %s; give the path of a scenario "
                               "file",
                               path, strerror(-error));
    }
    struct diag *why = malloc(sizeof(*why));
    if (why == NULL) {
        free(text);
        (void)fprintf(stderr, "leaseherd %s: out of memory while reading %s\n", command, path);
        return CMD_INTERNAL;
    }
    diag_init(why, path);
    bool is_good = scenario_parse(text, bytes, out, why);
    if (!is_good) {
        print_diag(path, why);
    }
    free(why);
    free(text);
    return is_good ? CMD_PASS : CMD_USAGE;
}
