/* SPDX-License-Identifier: MIT */
/* What a test leaves in the servers, for how long, and how much they log. */
#include "coordinator/plan/change_request_parts.h"

#include <inttypes.h>

#include "coordinator/plan/change_request.h"

static bool is_every_book_known(const struct scenario *s)
{
    const struct scenario_server *servers = s->servers.items;
    for (size_t i = 0; i < s->servers.count; i++) {
        if (servers[i].lease_source == LEASES_UNKNOWN) {
            return false;
        }
    }
    return true;
}

static bool has_stage(const struct scenario *s, enum plan_stage_kind kind)
{
    const struct scenario_stage *stages = s->stages.items;
    for (size_t i = 0; i < s->stages.count; i++) {
        if (stages[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void say_leases(const struct scenario *s, const struct forecast *f, struct plan_text *t)
{
    char clients[COUNT_TEXT_BYTES], lease[SPAN_TEXT_BYTES], span[SPAN_TEXT_BYTES];
    const char *until = "the lease time the servers give (expect.lease is not given)";
    if (s->lease_ns > 0) {
        until = plan_span_text(s->lease_ns, lease);
    }
    (void)plan_count_text((double)f->clients, clients);
    if (s->release_milli_per_s == 0) {
        plan_text_wrap(t, "  - ",
                       "No cleanup is planned: up to %s leases stay active, each for at most %s "
                       "after its last renewal. `leaseherd cleanup RUN` releases them sooner.",
                       clients, until);
        return;
    }
    double release_s = (double)f->clients / ((double)s->release_milli_per_s / 1000);
    plan_text_wrap(t, "  - ",
                   "Leases are released at %g/s (%s for all %s), on:%s%s%s. RELEASE has no answer: "
                   "what a server did not read stays active for at most %s. `leaseherd cleanup "
                   "RUN` %s, also after a run that was killed.",
                   (double)s->release_milli_per_s / 1000,
                   plan_span_text((uint64_t)(release_s + 1) * NS_PER_S, span), clients,
                   (s->cleanup_on & CLEANUP_ON_END) != 0 ? " end" : "",
                   (s->cleanup_on & CLEANUP_ON_STOP) != 0 ? " stop" : "",
                   (s->cleanup_on & CLEANUP_ON_FAIL) != 0 ? " fail" : "", until,
                   is_every_book_known(s) ? "finds and repeats it"
                                          : "sends each once more, without confirmation where "
                                            "`leases` of a server is not given");
}

static void say_log(const struct scenario *s, const struct forecast *f, struct plan_text *t)
{
    const struct scenario_server *servers = s->servers.items;
    plan_text_say(t, "\n10. LOG VOLUME (without retransmissions; with the logging as delivered)\n");
    for (size_t i = 0; i < s->servers.count; i++) {
        struct change_log dhcpd = change_request_log(s, f, i, CHANGE_DHCPD);
        struct change_log kea = change_request_log(s, f, i, CHANGE_KEA);
        char lines[COUNT_TEXT_BYTES], kea_lines[COUNT_TEXT_BYTES];
        plan_text_say(t, "  %-15s dhcpd: %s lines, %.1f MB; Kea: %s lines, %.1f MB\n",
                      servers[i].name, plan_count_text(dhcpd.lines, lines), dhcpd.bytes / 1e6,
                      plan_count_text(kea.lines, kea_lines), kea.bytes / 1e6);
    }
    const char *search = s->has_search ? " Of a search: at most." : "";
    plan_text_wrap(t, "  ",
                   "A hold of unknown lease time counts for nothing here. Check the room in /var "
                   "and the limits of the log service before.%s",
                   search);
}

void change_request_say_leftovers(const struct scenario *s, const struct forecast *f,
                                  struct plan_text *t)
{
    char clients[COUNT_TEXT_BYTES];
    plan_text_say(t, "\n9. WHAT STAYS BEHIND, AND FOR HOW LONG\n");
    say_leases(s, f, t);
    if (has_stage(s, PLAN_DECLINE)) {
        plan_text_wrap(t, "  - ",
                       "Up to %s addresses are declined on purpose: Kea keeps them out of use for "
                       "decline-probation-period (24 h by default); dhcpd marks them abandoned and "
                       "takes them again only when nothing else is free. `leaseherd cleanup RUN` "
                       "lists them with the command that frees them.",
                       plan_count_text((double)f->clients, clients));
    }
    plan_text_wrap(
        t, "  - ",
        "The history of the leases in the servers' lease files, until they are rewritten "
        "(every hour by default), and in the statistics of the servers.");
    if (s->identity == IDENTITY_FRESH) {
        plan_text_wrap(t, "  - ",
                       "Expired leases of clients that never come again: every run has new MAC "
                       "addresses.");
    }
    say_log(s, f, t);
}
