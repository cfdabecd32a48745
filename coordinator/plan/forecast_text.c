/* SPDX-License-Identifier: MIT */
/* Housekeeping of the servers and the plan of a search, in sentences: forecast_wave.h. */
#include "coordinator/plan/forecast_wave.h"

#include <inttypes.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_search.h"
#include "coordinator/plan/plan_text.h"

/* What servers do now and then, whoever asks; as they are delivered. */
static const struct job {
    const char *what;
    uint64_t every_ns;
} jobs[] = {
    {"Kea reclaims expired leases (reclaim-timer-wait-time)", 10 * NS_PER_S},
    {"Kea deletes reclaimed leases (flush-reclaimed-timer-wait-time)", 25 * NS_PER_S},
    {"Kea rewrites its lease file (lfc-interval)", 3600 * NS_PER_S},
    {"dhcpd rewrites its lease file, when leases are written", 3600 * NS_PER_S},
    {"dhcpd balances the pools of a pair (max-balance)", 3600 * NS_PER_S},
};

/* The longest part of the run that is judged at one piece. */
static uint64_t longest_window_ns(const struct scenario *s, const char **out_stage)
{
    const struct scenario_stage *stages = s->stages.items;
    uint64_t longest_ns = 0;
    for (size_t i = 0; i < s->stages.count; i++) {
        uint64_t whole_ns = stages[i].kind == PLAN_LOAD ? s->search.step_ns
                                                        : forecast_stage_minimum_ns(s, &stages[i]);
        uint64_t window_ns = whole_ns > stages[i].warmup_ns ? whole_ns - stages[i].warmup_ns : 0;
        if (window_ns > longest_ns) {
            longest_ns = window_ns;
            *out_stage = stages[i].name;
        }
    }
    return longest_ns;
}

void forecast_housekeeping(const struct scenario *s, char *out, size_t size)
{
    struct plan_text t = plan_text_in(out, size);
    const char *stage = "";
    char window[SPAN_TEXT_BYTES], every[SPAN_TEXT_BYTES];
    uint64_t window_ns = longest_window_ns(s, &stage);

    (void)plan_span_text(window_ns / NS_PER_S * NS_PER_S, window);
    plan_text_say(&t,
                  "The longest measured window is %s (stage %s). With the servers' defaults "
                  "(theirs may be set otherwise; ask):\n",
                  window, stage);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        (void)plan_span_text(jobs[i].every_ns, every);
        if (window_ns >= jobs[i].every_ns) {
            plan_text_say(&t, "- %s: every %s; within the window.\n", jobs[i].what, every);
        } else {
            plan_text_say(&t,
                          "- %s: every %s; within the window in %.0f of 100 runs, so what it costs "
                          "may be missing from the percentiles.\n",
                          jobs[i].what, every, 100 * (double)window_ns / (double)jobs[i].every_ns);
        }
    }
    plan_text_say(&t,
                  "- updates of DNS: none are asked for by these clients (no host name, no FQDN); "
                  "a server that makes its own does more work per lease in production.\n");
    plan_text_say(&t, "A percentile of this run is one of these windows, not of a day.\n");
}

static void say_rates(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_search *search = &s->search;
    if (search->rate_count > 0) {
        plan_text_say(t, "Up to %zu rates, %g/s to %g/s, until one is bad; ", search->rate_count,
                      (double)forecast_search_lowest(s) / 1000,
                      (double)forecast_search_highest(s) / 1000);
    } else {
        plan_text_say(t,
                      "From %g/s, doubling up to %g/s until a step is bad, then halving the "
                      "distance to the last good one until they differ by %g %%; ",
                      (double)search->low_milli_per_s / 1000,
                      (double)search->high_milli_per_s / 1000, search->resolution_percent);
    }
    plan_text_say(t, "a bad step is tried once more before it counts.\n");
}

void forecast_search_text(const struct scenario *s, char *out, size_t size)
{
    struct plan_text t = plan_text_in(out, size);
    const struct scenario_search *search = &s->search;
    char step[SPAN_TEXT_BYTES], warmup[SPAN_TEXT_BYTES], within[SPAN_TEXT_BYTES];
    char packets[COUNT_TEXT_BYTES], leases[COUNT_TEXT_BYTES], bound[COUNT_TEXT_BYTES];
    if (!s->has_search) {
        return;
    }
    say_rates(s, &t);
    plan_text_say(&t,
                  "A step is %s of the open model (the first %s are not measured), acquisitions "
                  "to renewals %" PRIu32 ":%" PRIu32 ", one transmission each. It is bad when less "
                  "than %g %% of the planned exchanges are answered within %s of their intended "
                  "instant.\n",
                  plan_span_text(search->step_ns, step), plan_span_text(search->warmup_ns, warmup),
                  search->acquire_weight, search->renew_weight, search->answered_percent,
                  plan_span_text(search->within_ns, within));
    plan_text_say(&t,
                  "At most %" PRIu64 " steps, %" PRIu64 " time%s: %" PRIu64 " s, %s packets, %.0f "
                  "packets/s at the highest rate; leases held at once: %s, of them %s for "
                  "renewals. What a step acquired is released before the next.\n",
                  forecast_search_steps_max(s), search->repeat, search->repeat == 1 ? "" : "s",
                  forecast_search_time_max_ns(s) / NS_PER_S,
                  plan_count_text((double)forecast_search_packets_max(s), packets),
                  forecast_search_packets_per_s(s),
                  plan_count_text((double)forecast_search_clients(s), leases),
                  plan_count_text((double)search->bound, bound));
    if (search->repeat < 6) {
        plan_text_say(&t,
                      "An interval of the result needs `repeat: 3` or more, one of 95 %% six.\n");
    }
    if (search->repeat > 1 && search->reset[0] == '\0') {
        plan_text_say(&t, "No `reset` is given: each search begins with what the one before it "
                          "left in the servers.\n");
    }
}
