/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/agent_self.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* From here on it is worth a sentence. */
#define CPU_FULL_PERCENT 90.0
#define STARVED_PERCENT  10.0
#define STOOD_STILL_S    0.1

static void take_lanes(const uint64_t *counter, struct result_self *out)
{
    double lanes = (double)counter[COUNTER_lanes];
    double elapsed_ns = (double)counter[COUNTER_elapsed_ns] * lanes;
    out->is_known = true;
    out->knows_waited = counter[COUNTER_lane_waited_known] == counter[COUNTER_lanes];
    out->lanes = counter[COUNTER_lanes];
    out->turns = counter[COUNTER_lane_turns];
    out->switches = counter[COUNTER_lane_switches];
    out->cpu_peak_percent = (double)counter[COUNTER_lane_work_peak] / 10;
    out->absence_s = (double)counter[COUNTER_lane_absence_longest_ns] / 1e9;
    if (elapsed_ns > 0) {
        double work_ns = (double)counter[COUNTER_lane_work_ns];
        double cpu_ns = (double)counter[COUNTER_lane_cpu_ns];
        out->cpu_percent = 100 * work_ns / elapsed_ns;
        out->spin_percent = 100 * fmax(0, cpu_ns - work_ns) / elapsed_ns;
    }
    if (out->knows_waited) {
        out->waited_s = (double)counter[COUNTER_lane_waited_ns] / 1e9;
        out->waited_peak_percent = (double)counter[COUNTER_lane_waited_peak] / 10;
    }
}

void agent_self_fill(const struct snapshot *s, struct result_self *out)
{
    *out = (struct result_self){.cpu_percent = NAN,
                                .spin_percent = NAN,
                                .cpu_peak_percent = NAN,
                                .waited_s = NAN,
                                .waited_peak_percent = NAN,
                                .absence_s = NAN,
                                .rcvbuf_errors = RESULT_UNKNOWN,
                                .rx_truncated = RESULT_UNKNOWN,
                                .rx_buffer_bytes = RESULT_UNKNOWN,
                                .rx_buffer_wanted_bytes = RESULT_UNKNOWN};
    if (s == NULL) {
        return;
    }
    out->rx_truncated = s->counter[COUNTER_rx_truncated];
    if (s->counter[COUNTER_rcvbuf_known] != 0) {
        out->rcvbuf_errors = s->counter[COUNTER_rcvbuf_errors];
    }
    if (s->counter[COUNTER_rx_buffer_bytes] != 0) {
        out->rx_buffer_bytes = s->counter[COUNTER_rx_buffer_bytes];
        out->rx_buffer_wanted_bytes = s->counter[COUNTER_rx_buffer_wanted];
    }
    if (s->counter[COUNTER_lanes] != 0) {
        take_lanes(s->counter, out);
    }
}

/* --- sentences --- */

/* Parts of a sentence, "; " between them. */
struct writer {
    char *text;
    size_t parts;
};

static void add(struct writer *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct writer *w, const char *format, ...)
{
    size_t at = strlen(w->text), room = AGENT_SELF_TEXT_BYTES - at;
    const char *before = w->parts == 0 ? "" : w->parts == 1 ? " " : "; ";
    int length = snprintf(w->text + at, room, "%s", before);
    va_list arguments;
    va_start(arguments, format);
    if (length >= 0 && (size_t)length < room) {
        (void)vsnprintf(w->text + at + length, room - (size_t)length, format, arguments);
    }
    va_end(arguments);
    w->parts++;
}

enum { SIZE_BYTES = 24 };

static const char *size_text(uint64_t bytes, char text[SIZE_BYTES])
{
    enum { KIB = 1024, MIB = 1024 * 1024 };
    if (bytes >= MIB) {
        (void)snprintf(text, SIZE_BYTES, "%.*f MiB", bytes % MIB == 0 ? 0 : 1,
                       (double)bytes / (double)MIB);
    } else {
        (void)snprintf(text, SIZE_BYTES, "%.0f KiB", (double)bytes / (double)KIB);
    }
    return text;
}

static const char *lane_of(const struct result_self *self)
{
    return self->lanes > 1 ? "a lane of it" : "its lane";
}

static void say_buffer(const struct result_self *self, struct writer *w)
{
    char got[SIZE_BYTES], wanted[SIZE_BYTES];
    if (self->rx_buffer_bytes != RESULT_UNKNOWN &&
        self->rx_buffer_bytes < self->rx_buffer_wanted_bytes) {
        add(w, "its receive buffer is %s of %s, set net.core.rmem_max",
            size_text(self->rx_buffer_bytes, got), size_text(self->rx_buffer_wanted_bytes, wanted));
    }
}

static void say_lane(const struct result_self *self, struct writer *w)
{
    bool is_full = self->cpu_peak_percent >= CPU_FULL_PERCENT;
    bool was_absent = self->absence_s >= STOOD_STILL_S;
    bool is_starved = self->knows_waited ? self->waited_peak_percent >= STARVED_PERCENT
                                         : was_absent && !is_full && self->switches > 0;
    if (is_starved) {
        char share[40] = "";
        if (self->knows_waited) {
            (void)snprintf(share, sizeof(share), ", for %.0f %% of the worst second",
                           self->waited_peak_percent);
        }
        add(w,
            "%s was taken off its CPU %" PRIu64 " times by others (involuntary context switches)%s",
            lane_of(self), self->switches, share);
    }
    if (is_full) {
        add(w, "%s was at %.0f %% of its CPU", lane_of(self), self->cpu_peak_percent);
    }
    if (was_absent) {
        bool is_explained = is_full || is_starved;
        add(w, "it left its sockets alone for %.2f s%s", self->absence_s,
            is_explained ? ""
                         : ", though it had a CPU: it was stopped, or waited for memory or a disk");
    }
}

const char *agent_self_cause(const struct result_agent *a, bool is_drop,
                             char text[AGENT_SELF_TEXT_BYTES])
{
    struct writer w = {.text = text};
    text[0] = '\0';
    add(&w, "agent %s:", a->name);
    if (is_drop) {
        say_buffer(&a->self, &w);
    }
    if (a->self.is_known) {
        say_lane(&a->self, &w);
    }
    if (w.parts == 1 && a->self.is_known) {
        add(&w, "%s had CPU to spare, it used %.0f %% of it in its busiest second",
            lane_of(&a->self), a->self.cpu_peak_percent);
    }
    if (w.parts == 1) {
        text[0] = '\0';
    }
    return text;
}

/* The kernel counts drops at a socket for other reasons, too: a wrong checksum, no memory. */
static void figures_of_drops(const struct result_agent *a, struct writer *w)
{
    add(w, "%" PRIu64 " answers dropped at its sockets", a->rx_drops);
    if (a->self.rcvbuf_errors == RESULT_UNKNOWN) {
        return;
    }
    add(w, "RcvbufErrors of its network namespace grew by %" PRIu64, a->self.rcvbuf_errors);
    if (a->self.rcvbuf_errors < a->rx_drops) {
        add(w,
            "%" PRIu64 " were dropped for something else than room (nstat UdpInCsumErrors "
            "UdpMemErrors)",
            a->rx_drops - a->self.rcvbuf_errors);
    }
}

const char *agent_self_figures(const struct result_agent *a, char text[AGENT_SELF_TEXT_BYTES])
{
    const struct result_self *self = &a->self;
    struct writer w = {.text = text};
    text[0] = '\0';
    if (!self->is_known) {
        return text;
    }
    add(&w, "agent %s:", a->name);
    if (a->rx_drops > 0) {
        figures_of_drops(a, &w);
    }
    add(&w, "%s used at most %.0f %% of its CPU in a second", lane_of(self),
        self->cpu_peak_percent);
    if (self->knows_waited) {
        add(&w, "waited %.2f s for a CPU, at most %.0f %% of a second", self->waited_s,
            self->waited_peak_percent);
    }
    add(&w, "%" PRIu64 " involuntary context switches", self->switches);
    add(&w, "it left its sockets alone for %.3f s at most", self->absence_s);
    return text;
}
