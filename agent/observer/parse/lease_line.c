/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/lease_line.h"

#include <arpa/inet.h>
#include <string.h>

static bool begins_with(const char *line, size_t size, const char *word)
{
    size_t n = strlen(word);
    return size >= n && memcmp(line, word, n) == 0;
}

static bool is_ipv4(const char *at, size_t size)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (size >= sizeof(text)) {
        return false;
    }
    memcpy(text, at, size);
    text[size] = '\0';
    return strlen(text) == size && inet_pton(AF_INET, text, &address) == 1;
}

/* `failover peer "lab" state {` */
static void begin_failover(struct lease_lines *s, const char *line, size_t size)
{
    static const char lead[] = "failover peer \"", tail[] = "\" state {";
    const char *name = line + sizeof(lead) - 1;
    size_t left = size - (sizeof(lead) - 1);
    const char *end = memmem(name, left, tail, sizeof(tail) - 1);
    size_t name_size = end == NULL ? 0 : (size_t)(end - name);
    if (name_size == 0 || memchr(name, '\0', name_size) != NULL) {
        return;
    }
    name_size = name_size < FAILOVER_NAME_BYTES ? name_size : FAILOVER_NAME_BYTES - 1;
    memcpy(s->name, name, name_size);
    s->name[name_size] = '\0';
    s->is_in_failover = true;
}

/* "normal at 0 2024/01/07 00:00:00;" */
static void take_state(const struct lease_lines *s, bool is_own, const char *at, size_t size,
                       struct failover *out)
{
    char state[40];
    size_t i = 0;
    for (; i < size && i < sizeof(state) - 1 && at[i] != ' ' && at[i] != ';' && at[i] != '\0';
         i++) {
        state[i] = at[i];
    }
    state[i] = '\0';
    failover_note(out, s->name, strlen(s->name), is_own, failover_state_of(state));
}

bool lease_line_dhcpd(struct lease_lines *s, const char *line, size_t size, struct failover *out)
{
    static const char lease[] = "lease ", own[] = "  my state ", partner[] = "  partner state ";
    if (begins_with(line, size, lease)) {
        const char *address = line + sizeof(lease) - 1, *end = line + size;
        const char *space = memchr(address, ' ', (size_t)(end - address));
        s->is_in_failover = false;
        return space != NULL && is_ipv4(address, (size_t)(space - address)) &&
               begins_with(space, (size_t)(end - space), " {");
    }
    if (begins_with(line, size, "failover peer \"")) {
        begin_failover(s, line, size);
    } else if (begins_with(line, size, "}")) {
        s->is_in_failover = false;
    } else if (s->is_in_failover && begins_with(line, size, own)) {
        take_state(s, true, line + sizeof(own) - 1, size - (sizeof(own) - 1), out);
    } else if (s->is_in_failover && begins_with(line, size, partner)) {
        take_state(s, false, line + sizeof(partner) - 1, size - (sizeof(partner) - 1), out);
    }
    return false;
}

bool lease_line_kea(const char *line, size_t size)
{
    const char *comma = memchr(line, ',', size);
    return comma != NULL && is_ipv4(line, (size_t)(comma - line));
}
