/* SPDX-License-Identifier: MIT */
/* What a line of a log says of failover and of pools: log_line.h. */
#include "agent/observer/parse/log_line.h"

#include <string.h>

enum { STATE_NAME_BYTES = 40 };

/* The words behind `lead`, up to `end` or the line's end; 0: there are none, or
 * too many. */
static size_t words_behind(const char *line, size_t size, const char *lead, const char *end,
                           char out[STATE_NAME_BYTES])
{
    const char *at = memmem(line, size, lead, strlen(lead));
    if (at == NULL) {
        return 0;
    }
    at += strlen(lead);
    size_t left = size - (size_t)(at - line);
    const char *stop = end == NULL ? NULL : memmem(at, left, end, strlen(end));
    size_t words = stop == NULL ? left : (size_t)(stop - at);
    if (words == 0 || words >= STATE_NAME_BYTES || memchr(at, '\0', words) != NULL) {
        return 0;
    }
    memcpy(out, at, words);
    out[words] = '\0';
    return words;
}

/* "failover peer NAME: I move from A to B", "failover peer NAME: peer moves
 * from A to B" */
static void take_dhcpd(const char *line, size_t size, struct failover *out)
{
    static const char lead[] = "failover peer ";
    const char *name = memmem(line, size, lead, sizeof(lead) - 1);
    if (name == NULL) {
        return;
    }
    name += sizeof(lead) - 1;
    size_t left = size - (size_t)(name - line);
    static const char own[] = ": I move from ", partners[] = ": peer moves from ";
    const char *verb = memmem(name, left, own, sizeof(own) - 1);
    bool is_own = verb != NULL;
    verb = is_own ? verb : memmem(name, left, partners, sizeof(partners) - 1);
    char state[STATE_NAME_BYTES];
    if (verb != NULL && words_behind(verb, left - (size_t)(verb - name), " to ", NULL, state) > 0) {
        failover_note(out, name, (size_t)(verb - name), is_own, failover_state_of(state));
    }
}

/* "... server transitions from A to B state, partner state is C" */
static void take_kea(const char *line, size_t size, struct failover *out)
{
    char state[STATE_NAME_BYTES];
    if (words_behind(line, size, " to ", " state, ", state) > 0) {
        failover_note(out, KEA_RELATION, strlen(KEA_RELATION), true, failover_state_of(state));
    }
    /* UNDEFINED: it has not been asked yet, and what was known of it is still the last word. */
    if (words_behind(line, size, "partner state is ", NULL, state) > 0 &&
        strcmp(state, "UNDEFINED") != 0) {
        failover_note(out, KEA_RELATION, strlen(KEA_RELATION), false, failover_state_of(state));
    }
}

void log_line_failover(enum log_program program, const char *line, size_t size,
                       struct failover *out)
{
    if (program == LOG_DHCPD) {
        take_dhcpd(line, size, out);
    } else if (program == LOG_KEA) {
        take_kea(line, size, out);
    }
}

/* The number behind `lead` and spaces. */
static bool number_behind(const char *line, size_t size, const char *lead, unsigned base,
                          uint64_t *out)
{
    const char *at = memmem(line, size, lead, strlen(lead));
    if (at == NULL) {
        return false;
    }
    const char *end = line + size;
    at += strlen(lead);
    while (at < end && *at == ' ') {
        at++;
    }
    uint64_t number = 0;
    size_t digits = 0;
    for (; at < end && digits < 16; at++, digits++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : 16;
        if (digit >= base) {
            break;
        }
        number = base * number + digit;
    }
    *out = number;
    return digits > 0;
}

static struct log_pool *pool_of(struct log_pools *p, uint64_t id)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->pool[i].id == id) {
            return &p->pool[i];
        }
    }
    if (p->count == LOG_POOLS_MAX) {
        p->is_overfull = true;
        return NULL;
    }
    p->pool[p->count] = (struct log_pool){.id = id};
    return &p->pool[p->count++];
}

/*
 * "balanced pool 55b3f63febb0 lab  total 1024  free 512  backup 512  lts 0
 * max-misbal 154": lts is half of what the server has more than its partner.
 */
static enum log_role role_of(const char *line, size_t size, uint64_t free, uint64_t backup)
{
    uint64_t lts = 0;
    bool is_less = number_behind(line, size, "  lts -", 10, &lts);
    if ((!is_less && !number_behind(line, size, "  lts ", 10, &lts)) || lts == 0 ||
        free == backup) {
        return LOG_ROLE_UNKNOWN;
    }
    return is_less == (free < backup) ? LOG_ROLE_PRIMARY : LOG_ROLE_SECONDARY;
}

void log_pools_take(struct log_pools *p, const char *line, size_t size)
{
    uint64_t id = 0, total = 0, free = 0, backup = 0;
    if (!number_behind(line, size, "balancing pool ", 16, &id) &&
        !number_behind(line, size, "balanced pool ", 16, &id)) {
        return;
    }
    if (!number_behind(line, size, "  total ", 10, &total) ||
        !number_behind(line, size, "  free ", 10, &free) ||
        !number_behind(line, size, "  backup ", 10, &backup) || total > UINT32_MAX ||
        free > total || backup > total - free) {
        return;
    }
    struct log_pool *pool = pool_of(p, id);
    if (pool == NULL) {
        return;
    }
    enum log_role role = role_of(line, size, free, backup);
    p->role = role == LOG_ROLE_UNKNOWN ? p->role : role;
    p->total += total - pool->total;
    p->free += free - pool->free;
    p->backup += backup - pool->backup;
    *pool = (struct log_pool){id, (uint32_t)total, (uint32_t)free, (uint32_t)backup};
}
