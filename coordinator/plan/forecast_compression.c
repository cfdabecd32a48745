/* SPDX-License-Identifier: MIT */
/* The compression statement: DESIGN section 7a.6. */
#include "coordinator/plan/forecast.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { SPAN_TEXT_BYTES = 40, COUNT_TEXT_BYTES = 32 };

struct text {
    char *out;
    size_t size, used;
};

static void PRINTF_LIKE(2, 3) say(struct text *t, const char *format, ...)
{
    if (t->used + 1 >= t->size) {
        return;
    }
    va_list args;
    va_start(args, format);
    int length = vsnprintf(t->out + t->used, t->size - t->used, format, args);
    va_end(args);
    assert(length >= 0);
    t->used += (size_t)length;
    if (t->used >= t->size) {
        t->used = t->size - 1;
    }
}

/* "60 s", "7.5 s", "30 min", "8 h", "4 d": the way a person says it. */
static const char *span_text(uint64_t ns, char out[SPAN_TEXT_BYTES])
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{86400 * NS_PER_S, "d"}, {3600 * NS_PER_S, "h"}, {60 * NS_PER_S, "min"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (ns >= 2 * units[i].ns && ns % units[i].ns == 0) {
            (void)snprintf(out, SPAN_TEXT_BYTES, "%" PRIu64 " %s", ns / units[i].ns, units[i].unit);
            return out;
        }
    }
    (void)snprintf(out, SPAN_TEXT_BYTES, "%.10g s", (double)ns / (double)NS_PER_S);
    return out;
}

/* 9600000 as "9,600,000". */
static const char *count_text(double count, char out[COUNT_TEXT_BYTES])
{
    char digits[COUNT_TEXT_BYTES];
    int length = snprintf(digits, sizeof(digits), "%.0f", count);
    int used = 0;
    for (int i = 0; i < length && used < COUNT_TEXT_BYTES - 2; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static void say_load(const struct scenario *s, struct text *t)
{
    char lease[SPAN_TEXT_BYTES], t1[SPAN_TEXT_BYTES], production[SPAN_TEXT_BYTES];
    char clients[COUNT_TEXT_BYTES], equal[COUNT_TEXT_BYTES];
    double count = (double)scenario_client_count(s);
    double renewals_per_s = count / ((double)s->lease_ns / 2 / (double)NS_PER_S);

    (void)span_text(s->lease_ns, lease);
    (void)span_text(s->lease_ns / 2, t1);
    (void)span_text(s->production_lease_ns, production);
    (void)count_text(count, clients);
    say(t, "In a hold, %s clients with leases of %s renew every %s: %.1f renewals/s.\n", clients,
        lease, t1, renewals_per_s);
    if (s->production_lease_ns == 0) {
        say(t, "What this equals in production cannot be said: expect.production_lease is not "
               "given.\n");
        return;
    }
    double factor = (double)s->production_lease_ns / (double)s->lease_ns;
    say(t, "At the production lease of %s that is the load of %s clients (%.4g times as many).\n",
        production, count_text(count * factor, equal), factor);
}

static void say_detection(const struct scenario *s, struct text *t)
{
    char window[SPAN_TEXT_BYTES], detection[SPAN_TEXT_BYTES], production[SPAN_TEXT_BYTES];
    uint64_t window_ns = forecast_rebind_window_ns(s);
    (void)span_text(window_ns, window);
    (void)span_text(s->detection_ns, detection);
    (void)span_text(s->production_lease_ns / 8, production);

    if (s->detection_ns == 0) {
        say(t,
            "- failover detection: not given (expect.detection). If the pair takes longer than "
            "%s (from T2 to expiry) to notice a dead partner, leases expire before.\n",
            window);
    } else if (window_ns < s->detection_ns) {
        say(t,
            "- failover detection: %s. WARNING: from T2 to expiry there are only %s, so leases "
            "of a dead server's clients expire before its partner takes over (Kea with "
            "max-unacked-clients above 0 waits for that many clients to retry).\n",
            detection, window);
    } else {
        say(t,
            "- failover detection: %s, and %s from T2 to expiry: the partner can take over in "
            "time.\n",
            detection, window);
    }
    if (s->production_lease_ns > 0) {
        say(t, "  With the production lease that window is %s.\n", production);
    }
}

static void say_mclt(const struct scenario *s, struct text *t)
{
    char mclt[SPAN_TEXT_BYTES], lease[SPAN_TEXT_BYTES];
    (void)span_text(s->mclt_ns, mclt);
    (void)span_text(s->lease_ns, lease);
    if (s->mclt_ns == 0) {
        say(t,
            "- MCLT: not given (expect.mclt). A pair that has lost its partner extends leases by "
            "no more than that.\n");
    } else if (s->lease_ns <= s->mclt_ns) {
        say(t,
            "- MCLT: %s. WARNING: the lease of %s is not longer, so the shorter leases and the "
            "extra renewals after the loss of a partner do not show in this test.\n",
            mclt, lease);
    } else {
        say(t,
            "- MCLT: %s. A pair that has lost its partner extends leases by no more than that.\n",
            mclt);
    }
}

void forecast_compression(const struct scenario *s, char *out, size_t size)
{
    assert(size > 0);
    struct text t = {.out = out, .size = size};
    out[0] = '\0';
    if (s->lease_ns == 0) {
        say(&t, "The lease time of the test is not given (expect.lease): neither its renewals nor "
                "what they equal in production can be computed.\n");
        return;
    }
    say_load(s, &t);
    say(&t, "What does not shrink with the lease:\n");
    say_detection(s, &t);
    say_mclt(s, &t);
    say(&t,
        "- lease cache (dhcpd dhcp-cache-threshold, Kea cache-threshold and cache-max-age): who "
        "asks again early is answered without a write; renewals at T1 are written unless the "
        "threshold reaches 50 %%.\n");
    say(&t,
        "- reclaim of expired leases: so many per second whatever the lease (Kea: 100 every 10 s "
        "by default).\n");
}
