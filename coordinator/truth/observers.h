/* SPDX-License-Identifier: MIT */
/*
 * What the observers on the servers' hosts have seen, on the run's time axis: per observer and
 * metric a series of at most OBSERVERS_ROWS rows (neighbours are joined when a run outgrows them),
 * the failover band, the latest notes, restarts of the server's process.
 *
 * An observer belongs to the server of the plan that has one of its host's addresses. All questions
 * are about a server. Where two observers on one host watch one process, the first that came
 * answers; where they tell of two processes, neither does: whose word is true cannot be known.
 *
 * Pure. Owns its memory: observers_free(). Times are run time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/control.h"
#include "proto/observation.h"
#include "proto/plan.h"

enum {
    OBSERVERS_MAX = PLAN_SERVERS_MAX,
    OBSERVERS_ROWS = 4096,
    OBSERVERS_SPANS = 256, /* of a failover band; what is beyond is left out and counted */
    OBSERVERS_NO_SERVER = PLAN_SERVERS_MAX
};

struct observers;
struct result; /* coordinator/report/result.h */

/* `plan` names the servers and must outlive it. NULL when out of memory. */
NODISCARD struct observers *observers_new(const struct plan *plan);
void observers_free(struct observers *o); /* NULL is fine */

/* The next observer: its index is how many there were. False: there are OBSERVERS_MAX. */
NODISCARD bool observers_join(struct observers *o, const char *name,
                              const struct control_observer_hello *hello);
size_t observers_count(const struct observers *o);
/* Of the plan; OBSERVERS_NO_SERVER: none has an address of its host. */
size_t observers_server_of(const struct observers *o, size_t index);

enum { OBSERVERS_NEWS_BYTES = 320 };
/*
 * One frame; `index` is below observers_count(). One that is not later than the one before is
 * passed over. `out_news` for the time axis: the server's process has ended, another one is there,
 * its failover state is another, two observers claim one server; "": nothing new. False when out of
 * memory.
 */
NODISCARD bool observers_add(struct observers *o, size_t index, int64_t run_us,
                             uint64_t uncertainty_us, const struct observation *frame,
                             char out_news[OBSERVERS_NEWS_BYTES]);

/* An observer of this server has sent frames. */
bool observers_has(const struct observers *o, size_t server);
/* Its first and last frame; false: there are none. */
bool observers_span(const struct observers *o, size_t server, double *out_from_s,
                    double *out_until_s);
/*
 * COUNTER: growth from the latest figure at `from_s` (or the first one after) to the latest at
 * `until_s`, over restarts of the server, never negative. AVAILABLE_OK, or why there is none;
 * AVAILABLE_NOT_APPLICABLE with fewer than two figures.
 */
enum availability observers_delta(const struct observers *o, size_t server, enum observer_metric m,
                                  double from_s, double until_s, double *out);
/* GAUGE and STATE: the largest of the window, and the latest of it. */
enum availability observers_max(const struct observers *o, size_t server, enum observer_metric m,
                                double from_s, double until_s, double *out);
enum availability observers_last(const struct observers *o, size_t server, enum observer_metric m,
                                 double from_s, double until_s, double *out);
/* The latest of that kind; "": none. */
const char *observers_note(const struct observers *o, size_t server, enum observer_note_kind k);

/* observers[] and their series in the timeline, which has been filled. False: out of memory. */
NODISCARD bool observers_fill(const struct observers *o, double run_end_s, struct result *out);
