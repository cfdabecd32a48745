/* SPDX-License-Identifier: MIT */
#include "coordinator/run/observer_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One frame a second is what an observer sends; a stall of the network brings some at once. */
#define FRAMES_PER_S   2.0
#define FRAMES_AT_ONCE 10.0
/* How long a frame may have been on its way, and how far the clocks may disagree about now. */
#define LATE_MAX_NS  (30 * NS_PER_S)
#define AHEAD_MAX_NS (NS_PER_S)

void observer_gate_fini(struct observer_gate *gate)
{
    for (size_t i = 0; i < gate->count; i++) {
        free(gate->guest[i]->held);
        free(gate->guest[i]);
    }
    *gate = (struct observer_gate){0};
}

static struct observer_guest *by_name(struct observer_gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->count; i++) {
        if (strcmp(gate->guest[i]->name, name) == 0) {
            return gate->guest[i];
        }
    }
    return NULL;
}

static struct observer_guest *admit(struct observer_gate *gate, const char *name,
                                    const struct control_observer_hello *hello)
{
    struct observer_guest *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        return NULL;
    }
    (void)snprintf(g->name, sizeof(g->name), "%s", name);
    g->hello = *hello;
    if (hello->address_count > 0) {
        memcpy(g->addresses, hello->addresses, hello->address_count * sizeof(g->addresses[0]));
    }
    g->hello.addresses = g->addresses;
    g->budget = FRAMES_AT_ONCE;
    gate->guest[gate->count++] = g;
    return g;
}

static bool has_route(const struct observer_guest *g, const void *route, size_t route_bytes)
{
    return g->route.size == route_bytes && memcmp(g->route.bytes, route, route_bytes) == 0;
}

static void begin_session(struct observer_guest *g, uint64_t epoch, uint64_t session)
{
    if (g->epoch != epoch) {
        memset(&g->clock, 0, sizeof(g->clock)); /* perhaps of another boot of its host */
        g->last_seq = 0;
        g->held_count = 0;
    }
    g->epoch = epoch;
    g->session = session;
    g->clock_id = 0;
}

enum observer_answer observer_gate_hello(struct observer_gate *gate, const char *name,
                                         const struct control_observer_hello *hello,
                                         const void *route, size_t route_bytes,
                                         uint64_t new_session, uint64_t now_ns,
                                         struct observer_guest **out)
{
    struct observer_guest *g = by_name(gate, name);
    if (g == NULL && gate->count == OBSERVER_GATE_MAX) {
        return OBSERVER_FULL;
    }
    bool is_other = g != NULL && g->session != 0 && g->epoch != hello->epoch;
    if (is_other && now_ns - g->last_heard_ns < RUN_LEASE_ENDED_NS) {
        return OBSERVER_DUPLICATE;
    }
    g = g == NULL ? admit(gate, name, hello) : g;
    if (g == NULL) {
        return OBSERVER_NO_MEMORY;
    }
    if (g->session == 0 || g->epoch != hello->epoch || !has_route(g, route, route_bytes)) {
        begin_session(g, hello->epoch, new_session);
        memcpy(g->route.bytes, route, route_bytes);
        g->route.size = route_bytes;
    }
    g->last_heard_ns = now_ns;
    *out = g;
    return OBSERVER_WELCOME;
}

bool observer_gate_recall(struct observer_gate *gate, const char *name,
                          const struct control_observer_hello *hello)
{
    struct observer_guest *g = NULL;
    if (gate->count < OBSERVER_GATE_MAX && by_name(gate, name) == NULL) {
        g = admit(gate, name, hello);
    }
    if (g != NULL) {
        g->is_noted = true;
    }
    return g != NULL;
}

struct observer_guest *observer_gate_find(struct observer_gate *gate, const char *name,
                                          uint64_t session)
{
    struct observer_guest *g = by_name(gate, name);
    return g != NULL && g->session == session && session != CONTROL_SESSION_UNKNOWN ? g : NULL;
}

static bool pays(struct observer_guest *g, uint64_t now_ns)
{
    g->budget += FRAMES_PER_S * (double)(now_ns - g->budget_at_ns) / 1e9;
    g->budget = g->budget > FRAMES_AT_ONCE ? FRAMES_AT_ONCE : g->budget;
    g->budget_at_ns = now_ns;
    if (g->budget < 1) {
        g->turned_away++;
        return false;
    }
    g->budget--;
    return true;
}

/* What was said in words is not said again: the next frame takes it over. */
static void forget_oldest(struct observer_guest *g)
{
    struct observation *next = &g->held[1].frame;
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        if (next->note[k][0] == '\0') {
            memcpy(next->note[k], g->held[0].frame.note[k], sizeof(next->note[k]));
        }
    }
    memmove(&g->held[0], &g->held[1], (g->held_count - 1) * sizeof(g->held[0]));
    g->held_count--;
}

bool observer_guest_hold(struct observer_guest *g, const struct observation *frame, uint64_t now_ns)
{
    if (frame->seq <= g->last_seq || !pays(g, now_ns)) {
        return false;
    }
    if (g->held == NULL) {
        g->held = calloc(OBSERVER_HELD_MAX, sizeof(*g->held));
    }
    if (g->held == NULL) {
        return false;
    }
    if (g->held_count == OBSERVER_HELD_MAX) {
        forget_oldest(g);
    }
    g->last_seq = frame->seq;
    g->held[g->held_count++] = (struct observer_held){.heard_ns = now_ns, .frame = *frame};
    return true;
}

bool observer_guest_date(const struct observer_guest *g, const struct observer_held *held,
                         int64_t *out_ns, uint64_t *out_uncertainty_ns)
{
    if (!clock_map_is_usable(&g->clock)) {
        return false;
    }
    int64_t at_ns = clock_map_to_coordinator_ns(&g->clock, held->frame.at_ns);
    int64_t heard_ns = (int64_t)held->heard_ns;
    if (at_ns > heard_ns + (int64_t)AHEAD_MAX_NS || at_ns < heard_ns - (int64_t)LATE_MAX_NS) {
        return false;
    }
    *out_ns = at_ns;
    *out_uncertainty_ns = clock_map_at(&g->clock, held->frame.at_ns).uncertainty_ns;
    return true;
}
