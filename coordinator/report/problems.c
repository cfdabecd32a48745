/* SPDX-License-Identifier: MIT */
#include "coordinator/report/problems.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "common/attrs.h"
#include "coordinator/truth/accounting.h"
#include "proto/lease_names.h"

struct line {
    char *out;
    size_t size, at;
};

static void say(struct line *l, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct line *l, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(l->out + l->at, l->size - l->at, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t room = l->size - l->at - 1;
        l->at += (size_t)length < room ? (size_t)length : room;
    }
}

static bool is_problem(const struct plan *plan, const struct event *e)
{
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        /* It tries paths to find out which work: only an address it could not get is trouble. */
        return e->kind == EVENT_ACQUIRE && (e->result == EVENT_NAK || e->result == EVENT_GAVE_UP);
    }
    unsigned bad_flags = EVENT_LATE_BOUND | EVENT_DEADLINE | EVENT_IN_PAUSE | EVENT_OUTSIDE_SUBNET |
                         EVENT_ADDRESS_CHANGED | EVENT_MASK_CHANGED;
    switch ((enum event_result)e->result) {
    case EVENT_NAK:
    case EVENT_GAVE_UP:
    case EVENT_CHANGED:
    case EVENT_ENDED:
        return true;
    case EVENT_SENT:
        return e->tries == 0;
    case EVENT_ACK:
    case EVENT_LEASED:
    case EVENT_UNASSIGNED:
    case EVENT_UNKNOWN:
    case EVENT_RESULT_COUNT:
        break;
    }
    return (e->flags & bad_flags) != 0 || accounting_lease_is_off(plan, e);
}

static enum lease_state state_of(const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EVENT_ACQUIRE:
        return (e->flags & EVENT_OFFER_SEEN) != 0 ? LEASE_REQUESTING : LEASE_SELECTING;
    case EVENT_RENEW:
        return LEASE_RENEWING;
    case EVENT_REBIND:
        return LEASE_REBINDING;
    case EVENT_REBOOT:
        return LEASE_REBOOTING;
    case EVENT_INFORM:
    case EVENT_RELEASE:
    case EVENT_DECLINE:
    case EVENT_QUERY:
        return LEASE_BOUND;
    case EVENT_EXPIRE:
    case EVENT_KIND_COUNT:
        break;
    }
    return LEASE_EXPIRED;
}

static void say_time(struct line *l, const struct problems_context *c)
{
    int64_t us = c->run_us, second = us / 1000000, rest = us % 1000000;
    if (rest < 0) {
        rest += 1000000;
        second -= 1;
    }
    if (c->started_at_s != 0) {
        time_t at = (time_t)((int64_t)c->started_at_s + second);
        struct tm parts;
        char text[32];
        if (gmtime_r(&at, &parts) != NULL &&
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) != 0) {
            say(l, "%s.%03dZ ", text, (int)(rest / 1000));
        }
    }
    say(l, "%+.3fs", (double)us / 1e6);
}

static void say_client(struct line *l, const struct problems_context *c, const struct event *e)
{
    char mac[MAC_TEXT_BYTES];
    bool is_known = e->client < c->plan->client_count;
    say(l, " agent=%s relay=%s client=%" PRIu32 " mac=%s xid=0x%08" PRIx32 " state=%s", c->agent,
        is_known ? c->plan->relays[plan_relay_of(c->plan, e->client)].name : "?", e->client,
        is_known ? mac_text(plan_client_mac(c->plan, e->client), mac) : "?", e->xid,
        lease_state_name(state_of(e)));
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        say(l, " stage=preflight");
    } else if (e->stage < c->plan->stage_count) {
        say(l, " stage=%s", c->plan->stages[e->stage].name);
    }
}

static void say_sent(struct line *l, const struct event *e)
{
    char server[IPV4_TEXT_BYTES], addr[IPV4_TEXT_BYTES];
    if (!inet_is_zero(e->addr)) {
        say(l, " addr=%s", inet_text(e->addr, addr));
    }
    if (!inet_is_zero(e->server)) {
        say(l, " server=%s", inet_text(e->server, server));
    }
    if (e->kind != EVENT_EXPIRE) {
        say(l, " sent=%u", e->tries);
    }
    if (e->took_us != EVENT_SPAN_NONE && e->kind != EVENT_EXPIRE) {
        say(l, " first_sent=%.3fs_ago", (double)e->took_us / 1e6);
    }
    if (e->wait_us != EVENT_SPAN_NONE && e->kind != EVENT_EXPIRE) {
        say(l, " due=%.3fs_ago", (double)e->wait_us / 1e6);
    }
}

static const char *came_back(const struct event *e)
{
    switch ((enum event_result)e->result) {
    case EVENT_ACK:
        return "ACK";
    case EVENT_NAK:
        return "NAK";
    case EVENT_CHANGED:
        return "ACK for another address";
    case EVENT_GAVE_UP:
        return (e->flags & EVENT_OFFER_SEEN) != 0      ? "OFFER, but no ACK"
               : (e->flags & EVENT_FOREIGN_OFFER) != 0 ? "only a foreign OFFER"
                                                       : "nothing";
    case EVENT_SENT:
        return "could not be sent";
    case EVENT_ENDED:
        return "the lease ran out";
    case EVENT_LEASED:
        return "LEASEACTIVE";
    case EVENT_UNASSIGNED:
        return "LEASEUNASSIGNED";
    case EVENT_UNKNOWN:
        return "LEASEUNKNOWN";
    case EVENT_RESULT_COUNT:
        break;
    }
    return "?";
}

static void say_flags(struct line *l, const struct event *e)
{
    static const struct {
        unsigned flag;
        const char *text;
    } texts[] = {
        {EVENT_DEADLINE, "deadline passed, counted as failed"},
        {EVENT_LATE_BOUND, "after its deadline"},
        {EVENT_IN_PAUSE, "while sending was not allowed"},
        {EVENT_OUTSIDE_SUBNET, "address outside the relay's subnet"},
        {EVENT_SHORT_LEASE, "unexpected lease time"},
        {EVENT_ADDRESS_CHANGED, "address changed"},
        {EVENT_WRONG_PORT, "source port not 67"},
        {EVENT_MASK_CHANGED, "subnet mask changed"},
        {EVENT_FOREIGN_OFFER, "foreign OFFER seen"},
        {EVENT_CLEANUP, "in the clean-up"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if ((e->flags & texts[i].flag) != 0) {
            say(l, "; %s", texts[i].text);
        }
    }
}

size_t problems_format(const struct problems_context *context, const struct event *e, char *out,
                       size_t size)
{
    if (size < 2 || e->kind >= EVENT_KIND_COUNT || e->result >= EVENT_RESULT_COUNT ||
        !is_problem(context->plan, e)) {
        return 0;
    }
    struct line l = {.out = out, .size = size - 1}; /* the newline always fits */
    say_time(&l, context);
    say_client(&l, context, e);
    say(&l, " missed=%s", event_kind_name((enum event_kind)e->kind));
    say_sent(&l, e);
    say(&l, " back=\"%s", came_back(e));
    if (e->lease_s > 0) {
        say(&l, ", lease %" PRIu32 " s", e->lease_s);
    }
    say_flags(&l, e);
    say(&l, "\"");
    out[l.at++] = '\n';
    out[l.at] = '\0';
    return l.at;
}

size_t problems_format_rest(uint64_t not_written, char *out, size_t size)
{
    if (not_written == 0 || size == 0) {
        return 0;
    }
    int length = snprintf(out, size,
                          "... and %" PRIu64 " more; all are in the ledger: leaseherd export RUN\n",
                          not_written);
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}
