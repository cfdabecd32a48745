/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/truth_observers.h"

#include "coordinator/truth/truth_state.h"

bool truth_observer(struct truth *t, const char *name, const struct control_observer_hello *hello)
{
    if (t->observers == NULL) {
        t->observers = observers_new(t->plan);
    }
    return t->observers != NULL && observers_join(t->observers, name, hello);
}

bool truth_observation(struct truth *t, size_t observer, int64_t run_us, uint64_t uncertainty_us,
                       const struct observation *frame)
{
    char news[OBSERVERS_NEWS_BYTES];
    if (t->observers == NULL || observer >= observers_count(t->observers)) {
        return false;
    }
    /* Without memory for its figures there is a gap in them, and no other harm. */
    if (observers_add(t->observers, observer, run_us, uncertainty_us, frame, news) &&
        news[0] != '\0') {
        truth_mark(t, run_us, news);
    }
    return true;
}
