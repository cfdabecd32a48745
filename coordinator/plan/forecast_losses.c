/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/forecast_losses.h"

#include <inttypes.h>

#include "common/clock.h"
#include "coordinator/plan/plan_text.h"

void forecast_losses_text(const struct scenario *s, char *out, size_t size)
{
    static const char *const agent[] = {
        [AGENT_LOSS_FAIL] = "the run ends (on_agent_loss: fail)",
        [AGENT_LOSS_CONTINUE] = "the run goes on without its clients (on_agent_loss: continue)",
        [AGENT_LOSS_REASSIGN] = ("its clients go to other agents' relays of the same subnet "
                                 "(on_agent_loss: reassign)"),
    };
    struct plan_text t = plan_text_in(out, size);
    char span[SPAN_TEXT_BYTES];
    plan_text_say(&t, "agent lost: %s\n", agent[s->on_agent_loss]);
    if (s->renewals_alone_ns == 0) {
        plan_text_say(&t, "coordinator lost: every agent has stopped sending within 6 s\n");
        return;
    }
    uint64_t seconds = s->renewals_alone_ns / NS_PER_S;
    bool is_minutes = seconds % 60 == 0;
    plan_text_say(&t,
                  "coordinator lost: renewals for up to %s; needs renewals_without_coordinator: "
                  "%" PRIu64 "%s in every policy\n",
                  plan_span_text(s->renewals_alone_ns, span), is_minutes ? seconds / 60 : seconds,
                  is_minutes ? "m" : "s");
}
