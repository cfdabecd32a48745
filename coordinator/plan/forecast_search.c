/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/forecast_search.h"

#include <math.h>

#include "coordinator/plan/forecast.h"

uint64_t forecast_search_lowest(const struct scenario *s)
{
    const struct scenario_search *search = &s->search;
    return search->rate_count > 0 ? search->rates_milli_per_s[0] : search->low_milli_per_s;
}

uint64_t forecast_search_highest(const struct scenario *s)
{
    const struct scenario_search *search = &s->search;
    return search->rate_count > 0 ? search->rates_milli_per_s[search->rate_count - 1]
                                  : search->high_milli_per_s;
}

double forecast_search_acquire_share(const struct scenario *s)
{
    double acquires = s->search.acquire_weight;
    double all = acquires + s->search.renew_weight;
    return all > 0 ? acquires / all : 0;
}

static double seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

double forecast_search_exchanges(const struct scenario *s)
{
    return (double)forecast_search_highest(s) / 1000 * seconds(s->search.step_ns);
}

uint64_t forecast_search_clients(const struct scenario *s)
{
    double acquires = forecast_search_acquire_share(s) * forecast_search_exchanges(s);
    return s->search.bound + (uint64_t)ceil(acquires);
}

uint64_t forecast_search_steps_max(const struct scenario *s)
{
    const struct scenario_search *search = &s->search;
    if (search->rate_count > 0) {
        return search->rate_count + 1;
    }
    if (search->low_milli_per_s == 0 || search->high_milli_per_s <= search->low_milli_per_s ||
        search->resolution_percent <= 0) {
        return 1;
    }
    double factor = (double)search->high_milli_per_s / (double)search->low_milli_per_s;
    double doublings = ceil(log2(factor));
    double bisections = ceil(log2(100 / search->resolution_percent)) + 1;
    /* The lowest, the doublings, the bad one again; then each may be bad, and is tried again. */
    return (uint64_t)(1 + doublings + 1 + 2 * bisections);
}

uint64_t forecast_search_time_max_ns(const struct scenario *s)
{
    const struct scenario_search *search = &s->search;
    /* What a step acquires is released at half of its rate, or faster. */
    double step_s = seconds(search->step_ns) * (1 + 2 * forecast_search_acquire_share(s)) +
                    seconds(search->within_ns) + seconds(FORECAST_STEP_GRACE_NS);
    double all_s = step_s * (double)forecast_search_steps_max(s) * (double)search->repeat;
    /* Before the first step of each, all leases beyond `bound` are released. */
    double surplus = (double)scenario_client_count(s) - (double)search->bound;
    uint64_t lowest = forecast_search_lowest(s);
    if (s->stages.count > 1 && lowest > 0 && surplus > 0) {
        all_s += surplus / ((double)lowest / 2000);
    }
    double ns = all_s * (double)NS_PER_S;
    return ns < (double)UINT64_MAX / 4 ? (uint64_t)ns : UINT64_MAX / 4;
}

uint64_t forecast_search_release_timeout_ns(const struct scenario *s)
{
    static const uint64_t grace_ns = 60 * NS_PER_S, most_ns = UINT64_C(30) * 86400 * NS_PER_S;
    uint64_t lowest = forecast_search_lowest(s);
    double all_s = lowest > 0 ? (double)scenario_client_count(s) / ((double)lowest / 2000) : 0;
    double ns = all_s * (double)NS_PER_S + (double)grace_ns;
    return ns < (double)most_ns ? (uint64_t)ns : most_ns;
}

double forecast_search_packets_per_s(const struct scenario *s)
{
    double share = forecast_search_acquire_share(s);
    double acquire = forecast_packets_per_exchange(s, PLAN_ACQUIRE);
    double renew = forecast_packets_per_exchange(s, PLAN_HOLD);
    return (double)forecast_search_highest(s) / 1000 * (share * acquire + (1 - share) * renew);
}

uint64_t forecast_search_packets_max(const struct scenario *s)
{
    const struct scenario_search *search = &s->search;
    double per_exchange = forecast_packets_per_exchange(s, PLAN_LOAD);
    double steps = 0; /* in steps of the highest rate */
    if (search->rate_count > 0) {
        for (size_t i = 0; i < search->rate_count; i++) {
            steps += (double)search->rates_milli_per_s[i] / (double)forecast_search_highest(s);
        }
        steps += 1; /* the bad one again */
    } else {
        /* All doublings before the highest step make one of it. */
        double bisections = ceil(log2(100 / search->resolution_percent)) + 1;
        steps = 1 + 2 + 2 * bisections;
    }
    double packets = steps * forecast_search_exchanges(s) * per_exchange * (double)search->repeat;
    return packets > 0 && packets < 1e18 ? (uint64_t)packets : 0;
}
