/* SPDX-License-Identifier: MIT */
#include "agent/edge/host_snmp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SNMP_BYTES = 8192 };

/* The line of a protocol after the one that begins at `text`; NULL: there is none. */
static const char *line_of(const char *text, const char *protocol)
{
    size_t length = strlen(protocol);
    while (text != NULL && strncmp(text, protocol, length) != 0) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return text;
}

/* How many words of the line lie before this one; -1: it has none such. */
static int place_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    int place = 0;
    for (const char *at = line; *at != '\0' && *at != '\n'; place++) {
        size_t size = strcspn(at, " \n");
        if (size == length && strncmp(at, name, length) == 0) {
            return place;
        }
        at += size + (at[size] == ' ');
    }
    return -1;
}

static bool number_at(const char *line, int place, uint64_t *out)
{
    for (; place > 0; place--) {
        line += strcspn(line, " \n");
        if (*line != ' ') {
            return false;
        }
        line++;
    }
    char *end = NULL;
    errno = 0;
    if (*line < '0' || *line > '9') {
        return false;
    }
    uint64_t value = strtoumax(line, &end, 10);
    if (errno != 0 || (*end != ' ' && *end != '\n' && *end != '\0')) {
        return false;
    }
    *out = value;
    return true;
}

/* A protocol has a line of names, and after it one of values. */
static bool figure(const char *text, const char *protocol, const char *name, uint64_t *out)
{
    const char *names = line_of(text, protocol);
    const char *end = names == NULL ? NULL : strchr(names, '\n');
    const char *values = end == NULL ? NULL : line_of(end + 1, protocol);
    int place = values == NULL ? -1 : place_of(names, name);
    return place >= 0 && number_at(values, place, out);
}

void host_snmp_parse(const char *text, struct host_snmp *out)
{
    *out = (struct host_snmp){0};
    struct host_snmp read = {0};
    if (figure(text, "Icmp: ", "InEchos", &read.echo_in) &&
        figure(text, "Icmp: ", "OutEchoReps", &read.echo_out)) {
        out->has_icmp = true;
        out->echo_in = read.echo_in;
        out->echo_out = read.echo_out;
    }
    out->has_udp = figure(text, "Udp: ", "RcvbufErrors", &out->rcvbuf_errors);
}

void host_snmp_read(struct host_snmp *out)
{
    char text[SNMP_BYTES + 1];
    *out = (struct host_snmp){0};
    int fd = open("/proc/self/net/snmp", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    size_t size = 0;
    ssize_t got = 1;
    while (size < SNMP_BYTES && got > 0) {
        got = read(fd, text + size, SNMP_BYTES - size);
        size += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    text[size] = '\0';
    if (got >= 0) {
        host_snmp_parse(text, out);
    }
}
