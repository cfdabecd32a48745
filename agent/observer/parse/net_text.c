/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/net_text.h"

#include <stddef.h>
#include <string.h>

#include "agent/observer/parse/text.h"

/* Which word of the line this name is, from 0; -1: none. */
static int column_of(const char *line, const char *name)
{
    size_t size = strlen(name);
    for (int column = 0;; column++) {
        line += strspn(line, " \t");
        if (strncmp(line, name, size) == 0 && strchr(" \t\n", line[size]) != NULL) {
            return column;
        }
        if (!text_skip_word(&line)) {
            return -1;
        }
    }
}

static bool number_in_column(const char *line, int column, unsigned base, uint64_t *out)
{
    for (; column > 0; column--) {
        if (!text_skip_word(&line)) {
            return false;
        }
    }
    return text_take_number(&line, base, out);
}

/* Behind "GROUP:" at the begin of a line; NULL: another group's. */
static const char *behind_group(const char *line, const char *group)
{
    size_t size = strlen(group);
    return strncmp(line, group, size) == 0 && line[size] == ':' ? line + size + 1 : NULL;
}

/* Each group has two lines: its names, then their numbers. */
bool net_snmp_number(const char *text, const char *group, const char *name, uint64_t *out)
{
    for (const char *line = text; line != NULL; line = text_next_line(line)) {
        const char *names = behind_group(line, group);
        const char *next = names == NULL ? NULL : text_next_line(line);
        const char *numbers = next == NULL ? NULL : behind_group(next, group);
        if (numbers != NULL) {
            int column = column_of(names, name);
            return column >= 0 && number_in_column(numbers, column, 10, out);
        }
    }
    return false;
}

/* "  eth0: 1 2 3 ...": received bytes packets errs drop fifo frame compressed multicast, then sent
 * bytes packets errs drop. */
bool net_dev_drops(const char *text, uint64_t *out)
{
    enum { RECEIVED_DROPS = 3, SENT_DROPS = 11, HEADING_LINES = 2 };
    uint64_t sum = 0;
    unsigned number = 0;
    for (const char *line = text; line != NULL; line = text_next_line(line), number++) {
        const char *name = line + strspn(line, " ");
        size_t size = strcspn(name, ":\n");
        bool is_loopback = size == 2 && strncmp(name, "lo", size) == 0;
        if (number < HEADING_LINES || is_loopback) {
            continue;
        }
        uint64_t received = 0, sent = 0;
        if (name[size] != ':' ||
            !number_in_column(name + size + 1, RECEIVED_DROPS, 10, &received) ||
            !number_in_column(name + size + 1, SENT_DROPS, 10, &sent)) {
            return false;
        }
        sum += received + sent;
    }
    *out = sum;
    return number >= HEADING_LINES;
}

static bool sum_column(const char *line, int column, uint64_t *out)
{
    uint64_t sum = 0, of_cpu = 0;
    for (; line != NULL; line = text_next_line(line)) {
        if (!number_in_column(line, column, 16, &of_cpu)) {
            return false;
        }
        sum += of_cpu;
    }
    *out = sum;
    return true;
}

bool net_softnet_drops(const char *text, uint64_t *out)
{
    enum { COLUMN_DROPPED = 1 };
    return sum_column(text, COLUMN_DROPPED, out);
}

bool net_conntrack_sum(const char *text, const char *column, uint64_t *out)
{
    const char *rows = text_next_line(text);
    int at = column_of(text, column);
    return rows != NULL && at >= 0 && sum_column(rows, at, out);
}

bool net_conntrack_first(const char *text, const char *column, uint64_t *out)
{
    const char *rows = text_next_line(text);
    int at = column_of(text, column);
    return rows != NULL && at >= 0 && number_in_column(rows, at, 16, out);
}
