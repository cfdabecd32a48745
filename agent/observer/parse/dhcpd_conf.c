/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/dhcpd_conf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/inet.h"

enum { WORDS_MAX = 4 }; /* range dynamic-bootp LOW HIGH */

struct word {
    const char *at;
    size_t size;
    bool is_quoted;
};

/* The statement that is being read. */
struct statement {
    struct word word[WORDS_MAX];
    size_t count; /* may be more than have room */
};

static const char *const settings[DHCPD_CONF_SETTINGS] = {
    "ping-check",           "delayed-ack",        "max-ack-delay",  "dont-use-fsync",
    "dhcp-cache-threshold", "default-lease-time", "min-lease-time", "max-lease-time"};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == '\0';
}

static bool is_mark(char c)
{
    return c == ';' || c == '{' || c == '}' || c == ',' || c == '=' || c == '(' || c == ')';
}

/* Behind blanks and comments. */
static const char *skip(const char *at, const char *end)
{
    while (at < end && (is_blank(*at) || *at == '#')) {
        if (*at == '#') {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            at = stop == NULL ? end : stop;
        } else {
            at++;
        }
    }
    return at;
}

/* Behind the string that begins at `at`; one that does not end goes to the end. */
static const char *take_string(const char *at, const char *end, struct word *out)
{
    const char *stop = ++at;
    while (stop < end && *stop != '"') {
        stop += *stop == '\\' && stop + 1 < end ? 2 : 1;
    }
    *out = (struct word){.at = at, .size = (size_t)(stop - at), .is_quoted = true};
    return stop < end ? stop + 1 : end;
}

static const char *take_word(const char *at, const char *end, struct word *out)
{
    const char *stop = at;
    while (stop < end && !is_blank(*stop) && !is_mark(*stop) && *stop != '"' && *stop != '#') {
        stop++;
    }
    *out = (struct word){.at = at, .size = (size_t)(stop - at)};
    return stop;
}

/* Names of statements, which dhcpd reads in any case. */
static bool is_word(const struct word *w, const char *name)
{
    return !w->is_quoted && w->size == strlen(name) && strncasecmp(w->at, name, w->size) == 0;
}

static bool take_address(const struct word *w, uint32_t *out)
{
    char text[IPV4_TEXT_BYTES];
    struct ipv4 address;
    if (w->is_quoted || w->size >= sizeof(text)) {
        return false;
    }
    memcpy(text, w->at, w->size);
    text[w->size] = '\0';
    if (!inet_parse(text, &address)) {
        return false;
    }
    *out = inet_host(address);
    return true;
}

/* `range LOW HIGH;`, either way round, or one address alone. */
static void take_range(struct dhcpd_conf *c, const struct statement *s)
{
    size_t first = s->count > 1 && is_word(&s->word[1], "dynamic-bootp") ? 2 : 1;
    size_t given = s->count - first;
    uint32_t low, high;
    if (given < 1 || given > 2 || !take_address(&s->word[first], &low)) {
        return;
    }
    high = low;
    if (given == 2 && !take_address(&s->word[first + 1], &high)) {
        return;
    }
    c->addresses += (low < high ? (uint64_t)high - low : (uint64_t)low - high) + 1;
    c->ranges++;
}

static void take_include(struct dhcpd_conf *c, const struct word *path)
{
    bool is_usable = path->is_quoted && path->size > 0 && path->size < DHCPD_CONF_PATH_BYTES &&
                     path->at[0] == '/' && memchr(path->at, '\\', path->size) == NULL &&
                     memchr(path->at, '\0', path->size) == NULL;
    if (!is_usable || c->include_count == DHCPD_CONF_INCLUDES_MAX) {
        c->is_incomplete = true;
        return;
    }
    memcpy(c->include[c->include_count], path->at, path->size);
    c->include[c->include_count++][path->size] = '\0';
}

static void take_setting(struct dhcpd_conf *c, size_t which, const struct word *w)
{
    char value[DHCPD_CONF_VALUE_BYTES];
    if (w->size == 0 || w->size >= sizeof(value)) {
        return;
    }
    for (size_t i = 0; i < w->size; i++) {
        value[i] = w->at[i] > ' ' && w->at[i] <= '~' ? w->at[i] : '?';
    }
    value[w->size] = '\0';
    bool is_other = c->value[which][0] != '\0' && strcmp(c->value[which], value) != 0;
    c->is_varied[which] = c->is_varied[which] || is_other;
    memcpy(c->value[which], value, w->size + 1);
}

static void take_statement(struct dhcpd_conf *c, const struct statement *s)
{
    if (s->count < 2 || s->count > WORDS_MAX) {
        return;
    }
    if (is_word(&s->word[0], "range")) {
        take_range(c, s);
    } else if (is_word(&s->word[0], "include") && s->count == 2) {
        take_include(c, &s->word[1]);
    }
    for (size_t i = 0; i < DHCPD_CONF_SETTINGS && s->count == 2; i++) {
        if (is_word(&s->word[0], settings[i])) {
            take_setting(c, i, &s->word[1]);
        }
    }
}

void dhcpd_conf_take(struct dhcpd_conf *c, const char *text, size_t size)
{
    struct statement s = {.count = 0};
    const char *end = text + size;
    for (const char *at = skip(text, end); at < end; at = skip(at, end)) {
        struct word word;
        if (*at == ';') {
            take_statement(c, &s);
        }
        if (*at == ';' || *at == '{' || *at == '}') {
            s.count = 0;
            at++;
            continue;
        }
        if (*at == '"') {
            at = take_string(at, end, &word);
        } else if (is_mark(*at)) {
            word = (struct word){.at = at++, .size = 1};
        } else {
            at = take_word(at, end, &word);
        }
        if (s.count < WORDS_MAX) {
            s.word[s.count] = word;
        }
        s.count += s.count <= WORDS_MAX;
    }
}

void dhcpd_conf_tell(const struct dhcpd_conf *c, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < DHCPD_CONF_SETTINGS; i++) {
        bool is_set = c->value[i][0] != '\0';
        int wrote =
            snprintf(out + used, size - used, "%s%s %s%s", i == 0 ? "" : ", ", settings[i],
                     is_set ? c->value[i] : "not set", c->is_varied[i] ? " (and others)" : "");
        if (wrote < 0 || (size_t)wrote >= size - used) {
            out[used] = '\0';
            return;
        }
        used += (size_t)wrote;
    }
}
