/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/log_line.h"

#include <string.h>

#include "common/attrs.h"

/*
 * A message of this beginning that holds these words somewhere behind it; the
 * first row that fits counts. For Kea `begins` is the message's name, whole
 * unless it ends with '_'. What a server says only when it is told to debug is
 * not known to be 0 while nothing is said.
 */
static const struct pattern {
    enum log_program program;
    enum log_event event;
    const char *begins, *holds;
    bool is_debug;
} patterns[] = {
    {LOG_DHCPD, LOG_ACK, "DHCPACK on ", "", false},
    {LOG_DHCPD, LOG_LOAD_BALANCED, "DHCP", ": load balance to peer ", false},
    {LOG_DHCPD, LOG_NO_FREE_LEASES, "DHCP", ": no free leases", false},
    {LOG_DHCPD, LOG_PEER_HOLDS, "DHCP", ": peer holds all free leases", false},
    {LOG_DHCPD, LOG_NAK, "DHCPNAK on ", "", false},
    {LOG_DHCPD, LOG_SEND_REFUSED, "send_packet: ", "", false},
    {LOG_DHCPD, LOG_REUSED, "reuse_lease: ", "", false},
    {LOG_DHCPD, LOG_ABANDONED, "Abandoning IP address ", "", false},
    {LOG_DHCPD, LOG_FAILOVER, "failover peer ", ": I move from ", false},
    {LOG_DHCPD, LOG_FAILOVER, "failover peer ", ": peer moves from ", false},
    {LOG_DHCPD, LOG_POOL, "balancing pool ", "", false},
    {LOG_DHCPD, LOG_POOL, "balanced pool ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "commit_leases: unable ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "write_lease: unable ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "write_failover_state: unable ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "receive_packet failed", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "Can't ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "Unable to ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "unable to ", "", false},
    {LOG_DHCPD, LOG_OTHER_ERROR, "No memory ", "", false},
    {LOG_KEA, LOG_ACK, "DHCP4_LEASE_ALLOC", "", false},
    {LOG_KEA, LOG_REUSED, "DHCP4_LEASE_REUSE", "", false},
    {LOG_KEA, LOG_SEND_REFUSED, "DHCP4_PACKET_SEND_FAIL", "", false},
    /* One failure has up to three lines; one of these two is always the first
       of them. */
    {LOG_KEA, LOG_NO_FREE_LEASES, "ALLOC_ENGINE_V4_ALLOC_FAIL_SUBNET", "", false},
    {LOG_KEA, LOG_NO_FREE_LEASES, "ALLOC_ENGINE_V4_ALLOC_FAIL_SHARED_NETWORK", "", false},
    {LOG_KEA, LOG_ABANDONED, "DHCP4_DECLINE_LEASE", "", false},
    {LOG_KEA, LOG_NAK, "DHCP4_PACKET_NAK_", "", true},
    {LOG_KEA, LOG_LOAD_BALANCED, "HA_BUFFER4_RECEIVE_NOT_FOR_US", "", true},
    {LOG_KEA, LOG_FAILOVER, "HA_STATE_TRANSITION", " state, partner state is ", false},
};

struct span {
    const char *at;
    size_t size;
};

static struct span from(struct span s, size_t skip)
{
    return (struct span){s.at + skip, s.size - skip};
}

static bool begins_with(struct span s, const char *word)
{
    size_t size = strlen(word);
    return s.size >= size && memcmp(s.at, word, size) == 0;
}

/* Where `word` begins in `s`; false: nowhere. */
static bool find(struct span s, const char *word, size_t *out_at)
{
    const char *found = memmem(s.at, s.size, word, strlen(word));
    if (found != NULL) {
        *out_at = (size_t)(found - s.at);
    }
    return found != NULL;
}

static struct span up_to(struct span s, char end)
{
    const char *found = memchr(s.at, end, s.size);
    return (struct span){s.at, found == NULL ? s.size : (size_t)(found - s.at)};
}

/* "22:00:01", and not the middle of a hardware address. */
static bool is_time_at(struct span s, size_t at)
{
    static const char form[] = "00:00:00";
    enum { FORM_BYTES = sizeof(form) - 1 };
    if (at + FORM_BYTES > s.size) {
        return false;
    }
    for (size_t i = 0; i < FORM_BYTES; i++) {
        bool is_digit = s.at[at + i] >= '0' && s.at[at + i] <= '9';
        if (form[i] == '0' ? !is_digit : s.at[at + i] != form[i]) {
            return false;
        }
    }
    return at + FORM_BYTES == s.size || s.at[at + FORM_BYTES] != ':';
}

/*
 * What may stand before "dhcpd[123]: ": nothing, a number or mark first, or words of which an early
 * one tells a time. Where a log has no headings, the words are a client's name, which dhcpd puts
 * into parentheses or far behind what it says itself, and that begins with a letter.
 */
static bool is_heading(struct span s)
{
    enum { TIME_LATEST = 20 };
    bool has_time = s.size == 0 || memchr("0123456789<[", s.at[0], 12) != NULL;
    for (size_t at = 0; at <= TIME_LATEST; at++) {
        has_time = has_time || is_time_at(s, at);
    }
    return has_time && (s.size == 0 || memchr(s.at, '(', s.size) == NULL);
}

/* Behind "Nov 23 22:00:01 host dhcpd[123]: ", if that is there. */
static struct span without_heading(struct span line)
{
    enum { HEADING_BYTES = 160 };
    struct span head = {line.at, line.size < HEADING_BYTES ? line.size : HEADING_BYTES};
    size_t at = 0;
    if (!find(head, "dhcpd[", &at) || !is_heading((struct span){line.at, at})) {
        return line;
    }
    size_t digits = at + strlen("dhcpd[");
    while (digits < head.size && head.at[digits] >= '0' && head.at[digits] <= '9') {
        digits++;
    }
    return begins_with(from(head, digits), "]: ") ? from(line, digits + strlen("]: ")) : line;
}

/* "DATE ERROR  [kea-dhcp4.dhcp4/12.34] NAME TEXT" */
static bool split_kea(struct span line, struct span *out_severity, struct span *out_message)
{
    size_t at = 0, end = 0;
    if (!find(line, " [kea-", &at) || !find(from(line, at), "] ", &end)) {
        return false;
    }
    size_t word_end = at;
    while (word_end > 0 && line.at[word_end - 1] == ' ') {
        word_end--;
    }
    size_t word = word_end;
    while (word > 0 && line.at[word - 1] != ' ') {
        word--;
    }
    *out_severity = (struct span){line.at + word, word_end - word};
    *out_message = from(line, at + end + strlen("] "));
    return true;
}

static bool is_word(struct span s, const char *word)
{
    return s.size == strlen(word) && memcmp(s.at, word, s.size) == 0;
}

/* "DHCPDISCOVER from MAC (NAME) via RELAY: ...": the name, which is the client's, is behind us. */
static struct span behind_client(struct span message)
{
    static const char via[] = " via ";
    for (size_t at = 0; find(message, via, &at);) {
        message = from(message, at + sizeof(via) - 1);
    }
    return message;
}

static bool fits(const struct pattern *p, struct span message, struct span name)
{
    size_t size = strlen(p->begins);
    bool is_whole = p->program == LOG_KEA && p->begins[size - 1] != '_';
    bool is_of_client = p->program == LOG_DHCPD && strcmp(p->begins, "DHCP") == 0;
    size_t at = 0;
    if (is_whole ? !is_word(name, p->begins) : !begins_with(message, p->begins)) {
        return false;
    }
    return find(is_of_client ? behind_client(message) : from(message, size), p->holds, &at);
}

enum log_event log_line_event(enum log_program program, const char *line, size_t size)
{
    struct span message = {line, size}, severity = {line, 0};
    if (program == LOG_UNKNOWN || size == 0) {
        return LOG_NOTHING;
    }
    if (program == LOG_DHCPD) {
        message = without_heading(message);
    } else if (!split_kea(message, &severity, &message)) {
        return LOG_NOTHING;
    }
    struct span name = up_to(message, ' ');
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        if (patterns[i].program == program && fits(&patterns[i], message, name)) {
            return patterns[i].event;
        }
    }
    return is_word(severity, "ERROR") || is_word(severity, "FATAL") ? LOG_OTHER_ERROR : LOG_NOTHING;
}

bool log_line_can_tell(enum log_program program, enum log_event event)
{
    if (program == LOG_KEA && event == LOG_OTHER_ERROR) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        if (patterns[i].program == program && patterns[i].event == event && !patterns[i].is_debug) {
            return true;
        }
    }
    return false;
}

static void keep(const char *line, size_t size, char out[NOTE_BYTES + 1])
{
    size = size < NOTE_BYTES ? size : NOTE_BYTES;
    memcpy(out, line, size);
    out[size] = '\0'; /* observation_set_note() makes it printable */
}

enum log_event log_counts_take(struct log_counts *c, enum log_program program, const char *line,
                               size_t size)
{
    enum log_event event = log_line_event(program, line, size);
    c->of[event]++;
    if (event == LOG_SEND_REFUSED) {
        keep(line, size, c->last_refused);
    } else if (event == LOG_NO_FREE_LEASES || event == LOG_PEER_HOLDS) {
        keep(line, size, c->last_starved);
    } else if (event == LOG_REUSED && program == LOG_KEA) {
        c->of[LOG_ACK]++; /* dhcpd has a line for each of the two */
    }
    return event;
}
