/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/proc_text.h"

#include <string.h>

#include "agent/observer/parse/text.h"

/* Fields of proc_pid_stat(5) by its numbers; the fourth is the first behind the state. */
enum {
    FIELD_AFTER_STATE = 4,
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_START = 22,
    FIELD_RSS = 24
};

static uint64_t *place_of(struct proc_stat *out, unsigned field)
{
    switch (field) {
    case FIELD_UTIME:
        return &out->user_ticks;
    case FIELD_STIME:
        return &out->system_ticks;
    case FIELD_START:
        return &out->start_ticks;
    case FIELD_RSS:
        return &out->resident_pages;
    default:
        return NULL;
    }
}

/* Everything between the first '(' and the last ')': a name may hold either. */
static const char *take_comm(const char *text, struct proc_stat *out)
{
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close < open ||
        (size_t)(close - open) > sizeof(out->comm)) {
        return NULL;
    }
    size_t size = (size_t)(close - open) - 1;
    memcpy(out->comm, open + 1, size);
    out->comm[size] = '\0';
    return close + 1;
}

bool proc_parse_stat(const char *text, struct proc_stat *out)
{
    struct proc_stat found = {0};
    const char *at = text;
    if (!text_take_number(&at, 10, &found.pid) || (at = take_comm(text, &found)) == NULL ||
        at[0] != ' ' || at[1] < 'A' || at[1] > 'z') {
        return false;
    }
    found.state = at[1];
    at += 2;
    for (unsigned field = FIELD_AFTER_STATE; field <= FIELD_RSS; field++) {
        uint64_t *place = place_of(&found, field);
        if (place == NULL ? !text_skip_word(&at) : !text_take_number(&at, 10, place)) {
            return false; /* those passed over may be negative */
        }
    }
    *out = found;
    return true;
}

bool proc_parse_schedstat(const char *text, uint64_t *out_run_ns, uint64_t *out_wait_ns)
{
    const char *at = text;
    uint64_t run_ns = 0;
    if (!text_take_number(&at, 10, &run_ns) || !text_take_number(&at, 10, out_wait_ns)) {
        return false;
    }
    *out_run_ns = run_ns;
    return true;
}

bool proc_parse_socket_link(const char *link, uint64_t *out_inode)
{
    enum { LINK_BYTES = 40 };
    static const char before[] = "socket:[";
    size_t size = strlen(link);
    if (strncmp(link, before, sizeof(before) - 1) != 0 || link[size - 1] != ']' ||
        size > LINK_BYTES) {
        return false;
    }
    char digits[LINK_BYTES];
    size_t count = size - sizeof(before); /* without the bracket */
    memcpy(digits, link + sizeof(before) - 1, count);
    digits[count] = '\0';
    const char *at = digits;
    return text_take_number(&at, 10, out_inode) && *at == '\0';
}
