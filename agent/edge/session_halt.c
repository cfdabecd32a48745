/* SPDX-License-Identifier: MIT */
/*
 * A lane that sends nothing any more, for good: the coordinator is told why, and the run is
 * not discarded, so that its results are still collected.
 */
#include "agent/edge/session_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

static void say_refused(const struct send_halt *h, const char *to, char out[CONTROL_TEXT_BYTES])
{
    (void)snprintf(out, CONTROL_TEXT_BYTES,
                   "this host refuses what is sent: errno %d (%s) for %" PRIu64 " of %" PRIu64
                   " packets, the last to %s; look at its firewall (nft list ruleset), routes and "
                   "link",
                   h->error, strerror(h->error), h->count, h->of, to);
}

static void say_prohibited(const struct send_halt *h, const char *to, char out[CONTROL_TEXT_BYTES])
{
    (void)snprintf(out, CONTROL_TEXT_BYTES,
                   "the network prohibits what is sent: ICMP 3/%u (administratively prohibited) "
                   "came %" PRIu64 " times, the last about %s; whoever filters there has not "
                   "agreed to this load",
                   (unsigned)h->icmp_code, h->count, to);
}

static enum control_refusal describe(const struct session *s, const struct send_halt *h,
                                     char out[CONTROL_TEXT_BYTES])
{
    char to[IPV4_TEXT_BYTES];
    (void)inet_text(h->destination, to);
    if (h->kind == SEND_HALT_REFUSED) {
        say_refused(h, to, out);
        return REFUSAL_SENDS;
    }
    if (h->kind == SEND_HALT_PROHIBITED) {
        say_prohibited(h, to, out);
        return REFUSAL_PROHIBITED;
    }
    (void)snprintf(out, CONTROL_TEXT_BYTES,
                   "it has sent the %" PRIu64 " packets that its policy allows in one run; raise "
                   "total_packets: there, or ask for less",
                   s->setup->policy->total_packets);
    return REFUSAL_TOTAL;
}

void session_halt_tick(struct session *s)
{
    struct assignment *a = s->assignment;
    struct send_halt halt;
    if (lane_thread_take_halt(a->lane, &halt)) {
        a->halt_code = describe(s, &halt, a->halt_why);
        a->is_halt_owed = true;
        log_error("what=halted run=%s why=\"%s\"", a->plan.run_name, a->halt_why);
    }
    if (!a->is_halt_owed || s->state != SESSION_WELCOMED) {
        return;
    }
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = a->halt_code;
    control_set_text(m.u.refuse.text, a->halt_why);
    a->is_halt_owed = session_send(s, &m) < 0;
}

void session_halt_again(struct assignment *a)
{
    a->is_halt_owed = a->halt_code != REFUSAL_UNSPECIFIED;
}
