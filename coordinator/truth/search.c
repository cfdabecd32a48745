/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/search.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { TRIES = 2, MILLI = 1000 };

/* --- one step --- */

/*
 * What is a good step, and why the truth lies between the ends of the bracket.
 *
 * A step offers R exchanges per second, evenly, to a server that sustains C.
 *
 * A server that drops what it cannot queue (a socket buffer) loses R - C of them: asking that
 * 99.9 % of those planned are answered in time finds R > 1.001 C as soon as the queue is full.
 *
 * A server that queues without bound loses nothing; its delay grows by R/C - 1 seconds a second,
 * and a step of 10 s would need R > 1.05 C before anything is later than 500 ms. So the answers
 * must keep the pace of the questions too: R > 1.01 C is bad, whatever the queue.
 *
 * The pace is the slope of the answers counted over the step, by least squares, not their number:
 * a server that answers in batches of F seconds (a group commit) would make the number wrong by
 * F/T, up to 2 % for 200 ms in 10 s, and bad steps out of good ones; the slope only by about
 * (F/T)^2. It is taken from the instant on at which `within` has passed, so that the exchanges
 * still on their way are as many at its begin as at its end.
 *
 * Upper end: R of a step that was bad twice: R > C, or the servers stumbled twice in a row.
 * Lower end: not R, since a good step may have R up to 1.01 C, but the slope less two standard
 * errors, and at most 0.985 R. A server of random service times serves now more, now fewer than C
 * in a step: with n answers and a variation of v by v / sqrt(n), 1.5 % in a step of 1,200. The
 * first bound follows what is seen; the second holds where a lucky step hides it. Against 1,000
 * model servers the truth was never outside with calm service times and n = 10,000, and in 2.5 %
 * with wild ones and n = 1,200; with the slope alone as lower end in 13 % and 24 %.
 */
void search_judge(const struct scenario_search *config, const char *invalid_why,
                  struct result_search_step *step)
{
    step->reason[0] = '\0';
    if (invalid_why[0] != '\0') {
        step->flag = SEARCH_INVALID;
        (void)snprintf(step->reason, sizeof(step->reason), "%s", invalid_why);
        return;
    }
    if (step->in_time_percent < config->answered_percent) {
        step->flag = SEARCH_BAD;
        (void)snprintf(step->reason, sizeof(step->reason),
                       "%.2f %% were answered within %.0f ms, %g %% are asked for: %llu late, "
                       "%llu refused, %llu without an answer",
                       floor(step->in_time_percent * 100) / 100, (double)config->within_ns / 1e6,
                       config->answered_percent, (unsigned long long)step->late,
                       (unsigned long long)step->nak, (unsigned long long)step->lost);
        return;
    }
    if (!(step->answered_per_s >= step->rate_per_s * (1 - SEARCH_SHORT_PERCENT / 100))) {
        step->flag = SEARCH_BAD;
        (void)snprintf(step->reason, sizeof(step->reason),
                       "answers came at %.0f/s only: what waits at the servers grew all the time",
                       step->answered_per_s);
        return;
    }
    step->flag = SEARCH_GOOD;
}

double search_low_per_s(const struct result_search_step *step)
{
    double low_per_s = fmin(step->rate_per_s * (1 - SEARCH_LOW_PERCENT / 100),
                            step->answered_per_s - step->answered_error_per_s);
    return fmax(low_per_s, 0);
}

/* --- the way from step to step --- */

static double per_s(uint64_t milli_per_s)
{
    return milli_per_s == 0 ? NAN : (double)milli_per_s / MILLI;
}

static uint64_t first_rate(const struct scenario_search *config)
{
    return config->rate_count > 0 ? config->rates_milli_per_s[0] : config->low_milli_per_s;
}

static void begin_repeat(struct search *s)
{
    s->is_repeat_done = false;
    s->at = s->steps = 0;
    s->rate_milli_per_s = first_rate(s->config);
    s->good_milli_per_s = s->bad_milli_per_s = 0;
    s->good_low_per_s = NAN;
    s->bad_tries = s->invalid_tries = 0;
    s->repeat = (struct result_search_repeat){
        .limit = SEARCH_LIMIT_CUT_OFF, .low_per_s = NAN, .high_per_s = NAN, .tester_per_s = NAN};
}

void search_init(struct search *s, const struct scenario_search *config)
{
    assert(config->rate_count <= SCENARIO_SEARCH_RATES_MAX && first_rate(config) > 0);
    *s = (struct search){.config = config};
    begin_repeat(s);
}

struct search_order search_next(const struct search *s)
{
    if (s->is_done) {
        return (struct search_order){.kind = SEARCH_ORDER_DONE};
    }
    if (s->is_repeat_done) {
        return (struct search_order){.kind = SEARCH_ORDER_RESET};
    }
    return (struct search_order){.kind = SEARCH_ORDER_STEP,
                                 .rate_milli_per_s = s->rate_milli_per_s};
}

/* The bracket as far as it is known, always: a search that is cut off shows it too. */
static void note_bracket(struct search *s)
{
    s->repeat.low_per_s = s->good_milli_per_s == 0 ? NAN : s->good_low_per_s;
    s->repeat.high_per_s = per_s(s->bad_milli_per_s);
}

static bool end_repeat(struct search *s, enum search_limit limit)
{
    s->repeat.limit = limit;
    s->is_repeat_done = true;
    s->repeats_done++;
    /* A tester that is too slow now will be too slow again. */
    s->is_done = limit == SEARCH_LIMIT_TESTER || s->repeats_done >= s->config->repeat;
    return true;
}

/* Whole exchanges per second, from 100/s on: nobody needs more, and it reads better. */
static uint64_t middle_of(uint64_t good, uint64_t bad)
{
    uint64_t middle = (uint64_t)llround(sqrt((double)good * (double)bad));
    return middle >= 100 * MILLI ? (middle + MILLI / 2) / MILLI * MILLI : middle;
}

/*
 * As narrow as asked, measured end to measured end; or so narrow that the steps could not tell
 * the rates apart (a resolution finer than what a good step may fall short by).
 */
static bool is_narrow(const struct search *s, uint64_t middle)
{
    double low = s->repeat.low_per_s, high = s->repeat.high_per_s;
    double good = per_s(s->good_milli_per_s), wanted = s->config->resolution_percent / 100;
    return (high - low) / low <= wanted || (high - good) / good <= wanted / 4 ||
           middle <= s->good_milli_per_s || middle >= s->bad_milli_per_s;
}

static bool go_on(struct search *s, uint64_t rate_milli_per_s)
{
    s->rate_milli_per_s = rate_milli_per_s;
    s->bad_tries = s->invalid_tries = 0;
    return false;
}

static bool advance(struct search *s)
{
    const struct scenario_search *c = s->config;
    bool is_bad_known = s->bad_milli_per_s > 0;
    if (is_bad_known && s->good_milli_per_s == 0) {
        return end_repeat(s, SEARCH_LIMIT_BELOW_LOW);
    }
    if (c->rate_count > 0) {
        s->at++;
        if (is_bad_known || s->at == c->rate_count) {
            return end_repeat(s, is_bad_known ? SEARCH_LIMIT_SERVER : SEARCH_LIMIT_ABOVE_HIGH);
        }
        return go_on(s, c->rates_milli_per_s[s->at]);
    }
    if (!is_bad_known) {
        uint64_t good = s->good_milli_per_s, high = c->high_milli_per_s;
        return good >= high ? end_repeat(s, SEARCH_LIMIT_ABOVE_HIGH)
                            : go_on(s, good > high / 2 ? high : 2 * good);
    }
    uint64_t middle = middle_of(s->good_milli_per_s, s->bad_milli_per_s);
    return is_narrow(s, middle) ? end_repeat(s, SEARCH_LIMIT_SERVER) : go_on(s, middle);
}

bool search_step_done(struct search *s, const struct result_search_step *step)
{
    enum search_flag flag = step->flag;
    assert(!s->is_done && !s->is_repeat_done);
    s->steps++;
    if (flag == SEARCH_INVALID) {
        s->invalid_tries++;
        if (s->invalid_tries < TRIES) {
            return false;
        }
        s->repeat.tester_per_s = per_s(s->rate_milli_per_s);
        return end_repeat(s, SEARCH_LIMIT_TESTER);
    }
    if (flag == SEARCH_BAD) {
        s->bad_tries++;
        if (s->bad_tries < TRIES) {
            return false;
        }
        s->bad_milli_per_s = s->rate_milli_per_s;
    } else {
        s->good_milli_per_s = s->rate_milli_per_s;
        s->good_low_per_s = search_low_per_s(step);
    }
    note_bracket(s);
    return s->steps < SEARCH_STEPS_MAX ? advance(s) : end_repeat(s, SEARCH_LIMIT_CUT_OFF);
}

void search_reset_done(struct search *s)
{
    assert(!s->is_done && s->is_repeat_done);
    begin_repeat(s);
}
