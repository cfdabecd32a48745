/* SPDX-License-Identifier: MIT */
#include "coordinator/report/terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/attrs.h"
#include "common/clock.h"

enum { AGENT_LINES_MAX = 12, PHASE_BYTES = 64, ROW_BYTES = 256, CELL_BYTES = 24 };
#define DRAW_EVERY_NS (250 * NS_PER_MS)
#define LINE_EVERY_NS (5 * NS_PER_S)

struct terminal {
    FILE *out;
    bool is_tty, has_drawn;
    unsigned lines; /* of the block on the screen */
    unsigned columns;
    uint64_t drawn_at_ns;
    char phase[PHASE_BYTES];
};

struct terminal *terminal_new(FILE *out, bool is_tty)
{
    struct terminal *t = calloc(1, sizeof(*t));
    if (t != NULL) {
        t->out = out;
        t->is_tty = is_tty;
    }
    return t;
}

/* A value of a key=value line: quoted where it would otherwise break the line apart. */
static void put_value(FILE *out, const char *value)
{
    bool is_plain = value[0] != '\0' && strpbrk(value, " \t\"=\\") == NULL;
    if (is_plain) {
        (void)fputs(value, out);
        return;
    }
    (void)fputc('"', out);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*at, out);
    }
    (void)fputc('"', out);
}

/* UINT64_MAX, too few samples: "-". */
static const char *ms_cell(uint64_t us, char cell[CELL_BYTES])
{
    if (us == UINT64_MAX) {
        (void)snprintf(cell, CELL_BYTES, "-");
    } else {
        (void)snprintf(cell, CELL_BYTES, "%.2f", (double)us / 1e3);
    }
    return cell;
}

static void put_line(struct terminal *t, const struct truth_now *now, const char *phase,
                     double run_s)
{
    (void)fputs("what=progress phase=", t->out);
    put_value(t->out, phase);
    (void)fprintf(t->out,
                  " run_s=%.1f bound=%" PRIu64 " open=%" PRIu64 " acquired=%" PRIu64
                  " acquired_per_s=%.0f renewed=%" PRIu64 " renewed_per_s=%.0f rebound=%" PRIu64
                  " expired=%" PRIu64 " failed=%" PRIu64 " sent=%" PRIu64 " received=%" PRIu64
                  " events=%" PRIu64,
                  run_s, now->bound, now->open, now->acquired, now->acquired_per_s, now->renewed,
                  now->renewed_per_s, now->rebound, now->expired, now->failed, now->sent,
                  now->received, now->events);
    if (now->latency != NULL) {
        char p50[CELL_BYTES], p99[CELL_BYTES];
        (void)fprintf(t->out, " latency=%s p50_ms=%s p99_ms=%s", now->latency,
                      ms_cell(now->p50_us, p50), ms_cell(now->p99_us, p99));
    }
    (void)fputc('\n', t->out);
    (void)fflush(t->out);
}

static unsigned columns_of(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void put_row(struct terminal *t, const char *format, ...) PRINTF_LIKE(2, 3);

/* One row of the screen: a wrapped one would spoil the way back up. */
static void put_row(struct terminal *t, const char *format, ...)
{
    char row[ROW_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(row, sizeof(row), format, arguments);
    va_end(arguments);
    /* Cleared to its end, so that a shorter row leaves no rest of its predecessor. */
    (void)fprintf(t->out, "%.*s\033[K\n", (int)t->columns - 1, row);
    t->lines++;
}

static void go_back(struct terminal *t)
{
    if (t->lines > 0) {
        (void)fprintf(t->out, "\033[%uA\r", t->lines);
    }
    t->lines = 0;
}

static void put_latency(struct terminal *t, const struct truth_now *now)
{
    char latency[96] = "";
    if (now->latency != NULL) {
        char p50[CELL_BYTES], p99[CELL_BYTES];
        (void)snprintf(latency, sizeof(latency), "%s p50 %s ms  p99 %s ms  ", now->latency,
                       ms_cell(now->p50_us, p50), ms_cell(now->p99_us, p99));
    }
    put_row(t, "%ssent %" PRIu64 "  received %" PRIu64, latency, now->sent, now->received);
}

static void put_block(struct terminal *t, const struct truth_now *now, const char *phase,
                      const struct terminal_agent *agents, size_t agent_count, double run_s)
{
    go_back(t);
    t->columns = columns_of(t->out);
    put_row(t,
            "%s  %.1f s  bound %" PRIu64 "  open %" PRIu64 "  failed %" PRIu64 "  expired %" PRIu64,
            phase, run_s, now->bound, now->open, now->failed, now->expired);
    put_row(t, "acquired %" PRIu64 " (%.0f/s)  renewed %" PRIu64 " (%.0f/s)  rebound %" PRIu64,
            now->acquired, now->acquired_per_s, now->renewed, now->renewed_per_s, now->rebound);
    put_latency(t, now);
    size_t shown = agent_count < AGENT_LINES_MAX ? agent_count : AGENT_LINES_MAX;
    for (size_t i = 0; i < shown; i++) {
        put_row(t, "  %-12s %-8s bound %" PRIu64 "/%" PRIu64 "  received %" PRIu64, agents[i].name,
                agents[i].state, agents[i].bound, agents[i].clients, agents[i].received);
    }
    if (shown < agent_count) {
        put_row(t, "  ... and %zu more agents", agent_count - shown);
    }
    /* Rows an earlier, longer block has left below. */
    (void)fputs("\033[J", t->out);
    (void)fflush(t->out);
}

bool terminal_is_due(const struct terminal *t, const char *phase)
{
    if (strcmp(phase, "over") == 0) {
        return false; /* the report, or the refusal, has the last word */
    }
    bool is_new_phase = !t->has_drawn || strncmp(t->phase, phase, PHASE_BYTES - 1) != 0;
    uint64_t every_ns = t->is_tty ? DRAW_EVERY_NS : LINE_EVERY_NS;
    return is_new_phase || clock_monotonic_ns() - t->drawn_at_ns >= every_ns;
}

void terminal_update(struct terminal *t, const struct truth_now *now, const char *phase,
                     const struct terminal_agent *agents, size_t agent_count, double run_s)
{
    if (!terminal_is_due(t, phase)) {
        return;
    }
    t->drawn_at_ns = clock_monotonic_ns();
    t->has_drawn = true;
    (void)snprintf(t->phase, sizeof(t->phase), "%s", phase);
    if (t->is_tty) {
        put_block(t, now, phase, agents, agent_count, run_s);
    } else {
        put_line(t, now, phase, run_s);
    }
}

void terminal_clear(struct terminal *t)
{
    if (t == NULL || t->lines == 0) {
        return;
    }
    go_back(t);
    (void)fputs("\033[J", t->out);
    (void)fflush(t->out);
    t->has_drawn = false; /* what was printed may be long: the block returns at once */
}

void terminal_done(struct terminal *t)
{
    if (t == NULL) {
        return;
    }
    (void)fflush(t->out);
    free(t);
}
