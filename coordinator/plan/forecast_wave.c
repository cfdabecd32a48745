/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/forecast_wave.h"

#include <inttypes.h>
#include <math.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/plan_text.h"

static double seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static const struct scenario_stage *first_acquire(const struct scenario *s)
{
    const struct scenario_stage *stages = s->stages.items;
    for (size_t i = 0; i < s->stages.count; i++) {
        if (stages[i].kind == PLAN_ACQUIRE) {
            return &stages[i];
        }
    }
    return NULL;
}

/*
 * Of one burst of `clients` over `acquire_s`, each after `after_s` with its fuzz, but `limit_s` at
 * the latest: clients whose fuzz would carry them beyond all come then.
 */
static struct forecast_wave wave_of(double clients, double acquire_s, double after_s,
                                    double limit_s, double fuzz)
{
    double spread_s = 2 * fuzz * after_s, latest_s = after_s * (1 + fuzz);
    double late = latest_s > limit_s ? (latest_s - limit_s) / spread_s : 0;
    /* What is counted per second is no higher. */
    double burst_s = acquire_s > 1 ? acquire_s : 1;
    /* Two even spreads laid over each other are as high as the wider one alone. */
    double widest_s = burst_s > spread_s ? burst_s : spread_s;
    return (struct forecast_wave){
        .first_s = after_s * (1 - fuzz),
        .last_s = acquire_s + (late > 0 ? limit_s : latest_s),
        .peak_per_s = clients / widest_s + (burst_s < spread_s ? clients * late / burst_s : 0),
    };
}

void forecast_waves_make(const struct scenario *s, struct forecast_waves *out)
{
    const struct scenario_stage *acquire = first_acquire(s);
    double clients = (double)scenario_client_count(s), fuzz = s->fuzz_percent / 100;
    double t1_s = seconds(s->lease_ns) / 2, t2_s = seconds(s->lease_ns) * 7 / 8;

    *out = (struct forecast_waves){0};
    if (acquire == NULL || s->lease_ns == 0) {
        return;
    }
    out->is_known = true;
    out->is_upper_bound = acquire->rate_milli_per_s == 0;
    out->acquire_s = seconds(forecast_stage_minimum_ns(s, acquire));
    out->steady_per_s = clients / t1_s;
    out->t1 = wave_of(clients, out->acquire_s, t1_s, t2_s, fuzz);
    if (out->acquire_s > t1_s) {
        /* The first ones renew again while others renew first. */
        out->t1.peak_per_s *= ceil(out->acquire_s / t1_s);
    }
    out->has_partner = s->servers.count > 1;
    if (out->has_partner) {
        out->orphans = clients / (double)s->servers.count;
        out->t2 = wave_of(out->orphans, out->acquire_s, t2_s, seconds(s->lease_ns), fuzz);
        /* Relayed like a reboot: once to every server of the relay. */
        out->t2_packets_per_s = out->t2.peak_per_s * forecast_packets_per_exchange(s, PLAN_REBOOT);
    }
}

void forecast_waves_text(const struct scenario *s, char *out, size_t size)
{
    struct plan_text t = plan_text_in(out, size);
    struct forecast_waves w;
    char clients[COUNT_TEXT_BYTES], orphans[COUNT_TEXT_BYTES];

    forecast_waves_make(s, &w);
    if (!w.is_known) {
        plan_text_say(&t, "Cannot be foreseen: %s.\n",
                      s->lease_ns == 0 ? "the lease time is not given (expect.lease)"
                                       : "no stage acquires leases");
        return;
    }
    (void)plan_count_text((double)scenario_client_count(s), clients);
    (void)plan_count_text(w.orphans, orphans);
    if (w.is_upper_bound) {
        plan_text_say(&t,
                      "A batch has no pace of its own: %s leases are acquired in %.1f s or more, "
                      "and the heights below are the most there can be.\n",
                      clients, w.acquire_s);
    } else {
        plan_text_say(&t, "%s leases are acquired in %.1f s.\n", clients, w.acquire_s);
    }
    plan_text_say(&t,
                  "First RENEWs: from %.1f s after the begin of the acquisition to %.1f s, up to "
                  "%.1f/s; in the long run %.1f/s.\n",
                  w.t1.first_s, w.t1.last_s, w.t1.peak_per_s, w.steady_per_s);
    if (w.has_partner) {
        plan_text_say(&t,
                      "If one of %zu servers is dead by then and had its even share (%s clients; "
                      "of a hot standby's partner: all), these repeat their RENEW in vain and "
                      "REBIND from %.1f s to %.1f s, up to %.1f/s (%.1f packets/s).\n",
                      s->servers.count, orphans, w.t2.first_s, w.t2.last_s, w.t2.peak_per_s,
                      w.t2_packets_per_s);
    }
}
