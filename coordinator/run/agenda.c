/* SPDX-License-Identifier: MIT */
#include "coordinator/run/agenda.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void agenda_init(struct agenda *a, const struct scenario *scenario)
{
    assert(scenario->events.count <= SCENARIO_EVENTS_MAX);
    *a = (struct agenda){.scenario = scenario};
}

size_t agenda_count(const struct agenda *a)
{
    return a->scenario == NULL ? 0 : a->scenario->events.count;
}

const struct scenario_event *agenda_event(const struct agenda *a, size_t index)
{
    const struct scenario_event *events = a->scenario->events.items;
    assert(index < a->scenario->events.count);
    return &events[index];
}

/* Modulo 2^64: after a resume an instant may be of before this boot. */
static bool is_later(uint64_t a_ns, uint64_t b_ns)
{
    return (int64_t)(a_ns - b_ns) > 0;
}

/* Sets the time of those that count from here; `stage` empty: from the start of the run. */
static void set_due(struct agenda *a, const char *stage, uint64_t at_ns)
{
    for (size_t i = 0; i < agenda_count(a); i++) {
        const struct scenario_event *event = agenda_event(a, i);
        struct agenda_item *item = &a->item[i];
        if (item->state == AGENDA_WAITING && item->due_ns == 0 &&
            strcmp(event->stage, stage) == 0) {
            item->due_ns = at_ns + event->at_ns;
        }
    }
}

void agenda_run_begins(struct agenda *a, uint64_t at_ns)
{
    set_due(a, "", at_ns);
}

void agenda_stage_begins(struct agenda *a, const char *stage, uint64_t at_ns)
{
    assert(stage[0] != '\0');
    set_due(a, stage, at_ns);
}

void agenda_stage_ended(struct agenda *a, const char *stage, uint64_t at_ns)
{
    for (size_t i = 0; i < agenda_count(a); i++) {
        struct agenda_item *item = &a->item[i];
        /* What was due at the very end is still to be taken: the loop turns every few ms. */
        if (item->state == AGENDA_WAITING && strcmp(agenda_event(a, i)->stage, stage) == 0 &&
            is_later(item->due_ns, at_ns)) {
            item->state = AGENDA_MISSED;
        }
    }
}

void agenda_move(struct agenda *a, uint64_t by_ns)
{
    for (size_t i = 0; i < agenda_count(a); i++) {
        a->item[i].due_ns += a->item[i].due_ns == 0 ? 0 : by_ns;
    }
}

void agenda_stages_over(struct agenda *a)
{
    for (size_t i = 0; i < agenda_count(a); i++) {
        if (a->item[i].state == AGENDA_WAITING) {
            a->item[i].state = AGENDA_MISSED;
        }
    }
}

bool agenda_take(struct agenda *a, uint64_t now_ns, size_t *out_index)
{
    size_t earliest = SIZE_MAX;
    for (size_t i = 0; i < agenda_count(a); i++) {
        const struct agenda_item *item = &a->item[i];
        if (item->state == AGENDA_WAITING && item->due_ns != 0 && !is_later(item->due_ns, now_ns) &&
            (earliest == SIZE_MAX || is_later(a->item[earliest].due_ns, item->due_ns))) {
            earliest = i;
        }
    }
    if (earliest == SIZE_MAX) {
        return false;
    }
    bool is_mark = agenda_event(a, earliest)->run[0] == '\0';
    a->item[earliest].state = is_mark ? AGENDA_ENDED : AGENDA_BEGUN;
    *out_index = earliest;
    return true;
}

bool agenda_end(struct agenda *a, size_t index)
{
    if (index >= agenda_count(a) || a->item[index].state != AGENDA_BEGUN) {
        return false;
    }
    a->item[index].state = AGENDA_ENDED;
    return true;
}

static void list_one(char out[AGENDA_LIST_BYTES], size_t count, const char *before,
                     const char *name, const char *after)
{
    static const char more[] = ", ...";
    size_t at = strlen(out);
    char item[AGENDA_LIST_BYTES];
    int size =
        snprintf(item, sizeof(item), "%s%s%s%s", count == 0 ? "" : ", ", before, name, after);
    if (size < 0 || at + (size_t)size + sizeof(more) > AGENDA_LIST_BYTES) {
        if (strstr(out, more) == NULL) {
            memcpy(out + at, more, sizeof(more));
        }
        return;
    }
    memcpy(out + at, item, (size_t)size + 1);
}

size_t agenda_list_commands(const struct scenario *scenario, char out[AGENDA_LIST_BYTES])
{
    const struct scenario_event *events = scenario->events.items;
    size_t count = 0;
    out[0] = '\0';
    for (size_t i = 0; i < scenario->events.count; i++) {
        if (events[i].run[0] != '\0') {
            list_one(out, count++, "\"", events[i].name, "\"");
        }
    }
    if (scenario->has_search && scenario->search.reset[0] != '\0') {
        list_one(out, count++, "", "the search's reset", "");
    }
    return count;
}
