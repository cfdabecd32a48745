/* SPDX-License-Identifier: MIT */
/* Who may still take part: revoked and expired keys lose their sessions while the run goes on. */
#include <string.h>

#include "common/key_list.h"
#include "common/log.h"
#include "coordinator/run/run_internal.h"

static const char *const sentences[] = {
    [KEY_STANDING_GOOD] = "",
    [KEY_STANDING_REVOKED] = "was shut out: its key was revoked",
    [KEY_STANDING_REPLACED] = "was shut out: its key was replaced by another",
    [KEY_STANDING_EXPIRED] = "was shut out: its key has expired",
};

/* Tells it, so that it stops sending before its run lease ends, and hears it no more. */
static void shut_out(struct run *run, struct roster_agent *a, enum key_standing standing)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = REFUSAL_KEY;
    snprintf(m.u.refuse.text, sizeof(m.u.refuse.text), "agent %s %s", a->name, sentences[standing]);
    run_send(run, a, &m);
    run_lose_agent(run, a, sentences[standing]);
}

static void look_at_sessions(struct run *run)
{
    char today[KEY_DATE_BYTES];
    key_today(today);
    for (size_t i = 0; i < run->roster.count && run->phase != RUN_OVER; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        if (a->is_lost || a->ctrl.size == 0) {
            continue; /* no session: of a resumed run, it has not called yet */
        }
        enum key_standing standing = key_list_standing(&run->allowed, a->name, a->key, today);
        if (standing != KEY_STANDING_GOOD) {
            shut_out(run, a, standing);
        }
    }
    run_observers_check_keys(run, today);
}

static void take_list(struct run *run, struct key_list *fresh)
{
    if (hub_allow(run->hub, fresh) != 0) {
        key_list_free(fresh);
        run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL,
                 "out of memory for agents.allow, so that a revoked key could not be shut out");
        return;
    }
    key_list_free(&run->allowed);
    run->allowed = *fresh;
    log_info("what=allow_list_read keys=%zu", run->allowed.count);
}

void run_allow_tick(struct run *run)
{
    struct key_list fresh = {0};
    char why[KEY_WHY_BYTES] = "";
    enum allow_news news = allow_watch_look(&run->allow_watch, run->now_ns, &fresh, why);
    if (news == ALLOW_SAME) {
        return;
    }
    if (news == ALLOW_CHANGED) {
        take_list(run, &fresh);
    } else if (news == ALLOW_BROKEN) {
        char text[KEY_WHY_BYTES + 160];
        snprintf(text, sizeof(text),
                 "%s; the list read before holds for %d s, then the run is stopped", why,
                 (int)(ALLOW_GRACE_NS / NS_PER_S));
        log_warn("what=allow_list_broken why=\"%s\"", text);
        run_say(run, text);
    } else if (news == ALLOW_DISTRUSTED && !run->is_stopping) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL,
                 "who may take part is unknown: %s; make agents.allow readable", why);
    }
    look_at_sessions(run);
}
