/* SPDX-License-Identifier: MIT */
/*
 * Clients of an agent that is lost go on here: who they are stays, the relay that carries them
 * is one of ours. Who has a lease asks for its old address (RFC 2131 section 3.2), what ends
 * first comes first, at the rate the plan itself calls for; who had one acquires anew; who had
 * not started waits for a stage.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/client/lease_timing.h"
#include "agent/lane/lane_internal.h"

enum { MILLI = 1000, MS_PER_S = 1000 };

/* --- memory, before anything changes --- */

static bool grow_relays(struct lane *lane, size_t more)
{
    size_t count = lane->population.share_count + more;
    struct relay *relays = realloc(lane->relays, (count + 1) * sizeof(*relays));
    if (relays == NULL) {
        return false;
    }
    lane->relays = relays;
    return true;
}

/* The lists of stages by arrivals are made anew when the next of them begins. */
static bool grow_ready(struct lane *lane, uint32_t count)
{
    struct ready grown;
    uint32_t before = lane->ready.client_count;
    if (lane->ready.where == NULL || count <= before) {
        return true;
    }
    /* Half as much again: a loss that comes in many pieces does not make them anew each time. */
    uint32_t generous = before + before / 2;
    if (!ready_init(&grown, generous > count ? generous : count)) {
        return false;
    }
    ready_fini(&lane->ready);
    lane->ready = grown;
    return true;
}

static bool grow_comeback(struct lane *lane, size_t more)
{
    struct comeback *b = &lane->comeback;
    if (b->cursor > 0) {
        memmove(b->local, b->local + b->cursor, (b->count - b->cursor) * sizeof(*b->local));
        b->count -= b->cursor;
        b->cursor = 0;
    }
    uint32_t *local = realloc(b->local, (b->count + more + 1) * sizeof(*local));
    b->local = local != NULL ? local : b->local;
    return local != NULL;
}

/* --- the relays that carry them --- */

/* SIZE_MAX: no address of ours. */
static size_t carrier_of(const struct lane *lane, struct ipv4 via)
{
    for (size_t i = 0; i < lane->carrier_count; i++) {
        if (inet_equal(lane->carriers[i], via)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool init_relays(struct lane *lane, const struct control_take *take)
{
    struct dhcp4_profile profile;
    relay_profile(lane->plan, &profile);
    size_t first = lane->population.share_count;
    for (size_t i = 0; i < take->share_count; i++) {
        const struct plan_relay *via = &lane->plan->relays[take->shares[i].via_relay];
        size_t carrier = carrier_of(lane, via->via);
        if (carrier == SIZE_MAX || !relay_init(&lane->relays[first + i], via, carrier, &profile)) {
            while (i-- > 0) {
                relay_fini(&lane->relays[first + i]);
            }
            return false;
        }
    }
    return true;
}

static bool relays_exist(const struct lane *lane, const struct control_take *take)
{
    for (size_t i = 0; i < take->share_count; i++) {
        if (take->shares[i].via_relay >= lane->plan->relay_count) {
            return false;
        }
    }
    return true;
}

static bool grow(struct lane *lane, const struct control_take *take, uint64_t clients)
{
    size_t first = lane->population.share_count;
    uint64_t count = lane->population.count + clients;
    if (!relays_exist(lane, take) || count > PLAN_CLIENTS_MAX ||
        !grow_ready(lane, (uint32_t)count) || !grow_relays(lane, take->share_count) ||
        !grow_comeback(lane, take->client_count) || !init_relays(lane, take)) {
        return false;
    }
    if (!population_grow(&lane->population, take->shares, take->share_count)) {
        for (size_t i = 0; i < take->share_count; i++) {
            relay_fini(&lane->relays[first + i]);
        }
        return false;
    }
    timer_wheel_moved(lane->wheel, lane->population.clients);
    return true;
}

/* --- what they are --- */

static void set_lease(struct lane *lane, uint32_t local, const struct control_taken *taken,
                      uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    c->addr = taken->addr;
    lane_set_server(lane, c, taken->server);
    c->lease_ns = at_ns;
    c->lease_count = 1;
    c->expiry_ms = taken->lease_ms;
    bool is_endless = taken->lease_ms == UINT32_MAX;
    /* When the server wanted it renewed is not known: as a lease of what is left. */
    c->t1_ms = is_endless ? UINT32_MAX : taken->lease_ms / 2;
    c->t2_ms = is_endless ? UINT32_MAX : taken->lease_ms - taken->lease_ms / 8;
    enum lease_action adopted = lane_step(c, LEASE_ADOPT);
    enum lease_action remembered = lane_step(c, LEASE_REBOOT_DUE);
    assert(adopted == LEASE_BIND && remembered == LEASE_KEEP);
    (void)adopted;
    (void)remembered;
    lane_arm_timer(lane, local);
}

static void take_client(struct lane *lane, const struct control_taken *taken, uint64_t at_ns)
{
    uint32_t local = 0;
    if (!population_local(&lane->population, taken->client, &local)) {
        return; /* cannot happen: the message was checked */
    }
    struct client *c = lane_client(lane, local);
    if (c->state != LEASE_INIT || client_has(c, CLIENT_STARTED)) {
        return;
    }
    lane_new_xid(lane, local);
    client_set(c, CLIENT_STARTED);
    c->intended_ns = lane->now_ns;
    if ((taken->flags & TAKEN_HAD_LEASE) != 0) {
        client_set(c, CLIENT_HAD_LEASE);
    }
    if ((taken->flags & TAKEN_FAILED) != 0) {
        client_set(c, CLIENT_FAILED_COUNTED);
    }
    if (taken->lease_ms > 0) {
        set_lease(lane, local, taken, at_ns);
        client_set(c, CLIENT_PAUSED); /* what ends before it may ask ends for want of an agent */
        lane->comeback.local[lane->comeback.count++] = local;
    } else if ((taken->flags & TAKEN_RELEASED) != 0) {
        (void)lane_step(c, LEASE_ADOPT);
        (void)lane_step(c, LEASE_RELEASE_DUE);
    } else if ((taken->flags & TAKEN_HAD_LEASE) != 0) {
        lane->comeback.local[lane->comeback.count++] = local;
    } else {
        (void)lane_step(c, LEASE_GIVE_UP);
        lane_arm_timer(lane, local);
    }
    lane_recount(lane, CLASS_NEVER_STARTED, false, c);
}

/* Who has no lease to lose can wait. */
static uint64_t end_ns(const struct client *c)
{
    return client_is_bound(c) ? client_lease_at_ns(c, c->expiry_ms) : UINT64_MAX;
}

static int by_end(const void *a, const void *b, void *context)
{
    const struct client *clients = context;
    const struct client *x = &clients[*(const uint32_t *)a], *y = &clients[*(const uint32_t *)b];
    uint64_t x_ns = end_ns(x), y_ns = end_ns(y);
    if (x_ns != y_ns) {
        return x_ns < y_ns ? -1 : 1;
    }
    return (x > y) - (x < y);
}

/* A T1 to go by until a lease of our own says it. */
static uint32_t guess_t1_ms(const struct lane *lane, const struct control_take *take)
{
    uint64_t longest_ms = (uint64_t)lane->plan->expect_lease_s * MS_PER_S;
    for (size_t i = 0; lane->plan->expect_lease_s == 0 && i < take->client_count; i++) {
        uint32_t left_ms = take->clients[i].lease_ms;
        longest_ms = left_ms != UINT32_MAX && left_ms > longest_ms ? left_ms : longest_ms;
    }
    uint64_t t1_ms = longest_ms / 2;
    return t1_ms < UINT32_MAX ? (uint32_t)t1_ms : UINT32_MAX;
}

static void queue_comebacks(struct lane *lane, const struct control_take *take)
{
    struct comeback *b = &lane->comeback;
    bool doubles = false;
    qsort_r(b->local, b->count, sizeof(*b->local), by_end, lane->population.clients);
    if (lane->typical_t1_ms == 0) {
        lane->typical_t1_ms = guess_t1_ms(lane, take);
    }
    double per_s = lane_planned_per_s(lane, &doubles);
    uint64_t milli_per_s = per_s > 1 ? (uint64_t)(per_s * MILLI) : MILLI;
    pacer_begin(&b->pacer, 0, milli_per_s, false, 0, lane->now_ns);
}

bool lane_take(struct lane *lane, const struct control_take *take, uint64_t now_ns)
{
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    if (take->assignment_epoch != lane->assignment_epoch + 1 || lane_is_ending(lane)) {
        return true;
    }
    uint64_t clients = 0;
    for (size_t i = 0; i < take->share_count; i++) {
        clients += take->shares[i].client_count;
    }
    if (!grow(lane, take, clients)) {
        return false;
    }
    lane->assignment_epoch = take->assignment_epoch;
    uint64_t *counter = lane->results.counter;
    counter[COUNTER_clients_assigned] += clients;
    counter[COUNTER_clients_taken] += clients;
    counter[COUNTER_clients_never_started] += clients;
    /* A lease is never longer than it was: an instant to come is none that can be known. */
    uint64_t at_ns = take->at_ns < lane->now_ns ? take->at_ns : lane->now_ns;
    for (size_t i = 0; i < take->client_count; i++) {
        take_client(lane, &take->clients[i], at_ns);
    }
    queue_comebacks(lane, take);
    tx_gate_limit(&lane->gate, take->packets_per_s_max, lane->now_ns);
    lane_stage_widen(lane, take->has_go ? &take->go : NULL);
    lane->memory_bytes = lane_memory_of(lane);
    return true;
}

/* --- their turn --- */

/* True when it began something. */
static bool come_back(struct lane *lane, uint32_t local, uint64_t intended_ns)
{
    struct client *c = lane_client(lane, local);
    if (client_has(c, CLIENT_WAITING) || client_has(c, CLIENT_QUEUED)) {
        return false; /* it acquires already: its lease is over, or a stage was faster */
    }
    if (c->state == LEASE_INIT && client_has(c, CLIENT_HAD_LEASE)) {
        lane_start_acquire(lane, local, intended_ns, 0);
        return true;
    }
    if (c->state != LEASE_INIT_REBOOT) {
        return false;
    }
    enum client_class before = lane_class_of(c);
    enum lease_action action = lane_step(c, LEASE_START);
    assert(action == LEASE_REBOOT);
    (void)action;
    lane_open_exchange(lane, local, intended_ns);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, false, c);
    return true;
}

static bool may_come_back(const struct lane *lane)
{
    return lane->comeback.cursor < lane->comeback.count && lane_may_start(lane) &&
           !lane_is_ending(lane) && lane->results.pressure_permille < 1000;
}

void lane_comeback_turn(struct lane *lane)
{
    struct comeback *b = &lane->comeback;
    uint64_t intended_ns;
    while (may_come_back(lane) && lane->due.count < LANE_OUTBOX_MAX &&
           pacer_may_start(&b->pacer, 0, lane->now_ns, &intended_ns)) {
        if (come_back(lane, b->local[b->cursor++], intended_ns)) {
            pacer_started(&b->pacer);
        }
    }
}

uint64_t lane_comeback_next_ns(const struct lane *lane)
{
    if (!may_come_back(lane)) {
        return UINT64_MAX;
    }
    uint64_t at_ns = pacer_next_ns(&lane->comeback.pacer, 0, lane->now_ns);
    /* Room in the outbox is looked for a little later. */
    return at_ns > lane->now_ns ? at_ns : lane->now_ns + NS_PER_MS;
}
