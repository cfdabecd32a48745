/* SPDX-License-Identifier: MIT */
/* The way back: the effective scenario in the shape of the file. */
#include "coordinator/plan/scenario.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/scenario_rows.h"

#define COPY_TEXT(to, from)                                                                        \
    do {                                                                                           \
        static_assert(sizeof(to) >= sizeof(from), "text would be cut");                            \
        memcpy((to), (from), sizeof(from));                                                        \
    } while (0)

/* The coarsest unit that loses nothing. */
static void print_duration(uint64_t ns, char out[RAW_WORD_BYTES])
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {
        {3600 * NS_PER_S, "h"}, {60 * NS_PER_S, "m"}, {NS_PER_S, "s"},
        {NS_PER_MS, "ms"},      {NS_PER_US, "us"},
    };
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && ns % units[i].ns != 0) {
        i++;
    }
    (void)snprintf(out, RAW_WORD_BYTES, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
}

static void put_leases(const struct scenario_server *from, struct raw_server *to)
{
    struct raw_leases *leases = &to->leases;
    to->has_leases = from->lease_source != LEASES_UNKNOWN;
    switch (from->lease_source) {
    case LEASES_UNKNOWN:
        return;
    case LEASES_DHCPD_FILE:
        COPY_TEXT(leases->dhcpd, from->lease_path);
        return;
    case LEASES_KEA_FILE:
        COPY_TEXT(leases->kea, from->lease_path);
        return;
    case LEASES_KEA_SOCKET:
        COPY_TEXT(leases->kea_socket, from->lease_path);
        return;
    case LEASES_QUERY:
        leases->query = leases->has_query = true;
        return;
    }
}

static void put_servers(const struct scenario *s, struct raw_server *to)
{
    const struct scenario_server *from = s->servers.items;
    for (size_t i = 0; i < s->servers.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        to[i].address = from[i].address;
        put_leases(&from[i], &to[i]);
    }
}

/* Borrows the lists of server names. */
static void put_relays(const struct scenario *s, struct raw_relay *to)
{
    const struct scenario_relay *from = s->relays.items;
    for (size_t i = 0; i < s->relays.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        COPY_TEXT(to[i].agent, from[i].agent);
        COPY_TEXT(to[i].option82.circuit_id, from[i].circuit_id);
        COPY_TEXT(to[i].option82.remote_id, from[i].remote_id);
        to[i].has_option82 = from[i].circuit_id[0] != '\0' || from[i].remote_id[0] != '\0';
        to[i].giaddr = from[i].giaddr;
        to[i].via = from[i].via;
        to[i].has_via = true;
        to[i].subnet = from[i].subnet;
        to[i].clients = from[i].clients;
        to[i].to = from[i].to;
    }
}

/* False when out of memory. */
static bool put_stages(const struct scenario *s, struct raw_stage *to)
{
    const struct scenario_stage *from = s->stages.items;
    for (size_t i = 0; i < s->stages.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        to[i].is_given[from[i].kind] = true;
        if (from[i].kind == PLAN_HOLD && from[i].is_until_steady) {
            (void)snprintf(to[i].hold, sizeof(to[i].hold), "until-steady");
        } else if (from[i].kind == PLAN_HOLD) {
            print_duration(from[i].duration_ns, to[i].hold);
        }
        to[i].pace[from[i].kind] = (struct raw_pace){
            .batch = from[i].batch,
            .rate_milli_per_s = from[i].rate_milli_per_s,
            .arrivals = from[i].is_poisson ? 1 : 0,
            .tries = from[i].tries,
            .deadline_ns = from[i].deadline_ns,
        };
        to[i].warmup_ns = from[i].warmup_ns;
        to[i].has_warmup = from[i].warmup_ns > 0 || from[i].kind == PLAN_LOAD;
        if (from[i].kind != PLAN_LOAD) {
            to[i].timeout_ns = from[i].timeout_ns; /* a search has its own end */
        } else if (!scenario_put_search(s, &to[i].search)) {
            return false;
        }
    }
    return true;
}

static void put_identity(const struct scenario *s, struct raw_clients *to)
{
    static const char *const words[] = {"fresh", "fixed", "returning "};
    (void)snprintf(to->identity, sizeof(to->identity), "%s%s", words[s->identity], s->returning);
}

static void put_scalars(const struct scenario *s, struct raw_scenario *raw)
{
    raw->version = s->version;
    COPY_TEXT(raw->name, s->name);
    raw->network.block = s->block;
    raw->network.client_path = (int)s->client_path;
    raw->clients.seed = s->seed;
    put_identity(s, &raw->clients);
    COPY_TEXT(raw->clients.profile, s->profile);
    COPY_TEXT(raw->clients.vendor_class, s->vendor_class);
    raw->clients.renew_retry_ns = s->renew_retry_ns;
    raw->clients.fuzz_percent = s->fuzz_percent;
    raw->expect = (struct raw_expect){.lease_ns = s->lease_ns,
                                      .production_lease_ns = s->production_lease_ns,
                                      .mclt_ns = s->mclt_ns,
                                      .detection_ns = s->detection_ns,
                                      .pool = s->pool_addresses,
                                      .is_guarded = s->is_pool_guarded};
    raw->limits = (struct raw_limits){.packets_milli_per_s = s->packets_milli_per_s,
                                      .time_ns = s->time_ns,
                                      .spin = s->is_spin_off ? SPIN_OFF : SPIN_ON};
    raw->has_cleanup = s->release_milli_per_s > 0;
    raw->cleanup =
        (struct raw_cleanup){.release_milli_per_s = s->release_milli_per_s, .on = s->cleanup_on};
    (void)snprintf(raw->on_agent_loss, sizeof(raw->on_agent_loss), "%s",
                   scenario_loss_words[s->on_agent_loss]);
    raw->has_coordinator_loss = s->renewals_alone_ns > 0;
    raw->coordinator_loss.renewals_ns = s->renewals_alone_ns;
}

/* calloc() of nothing may be NULL; one item too many never is. */
static bool room_for(struct schema_array *array, size_t count, size_t item_bytes)
{
    array->items = calloc(count + 1, item_bytes);
    array->count = count;
    return array->items != NULL;
}

static void free_raw(struct raw_scenario *raw)
{
    struct raw_stage *stages = raw->stages.items;
    for (size_t i = 0; stages != NULL && i < raw->stages.count; i++) {
        free(stages[i].search.rates.items);
        free(stages[i].search.between.items);
    }
    free(raw->servers.items);
    free(raw->network.relays.items);
    free(raw->events.items);
    free(raw->stages.items);
}

char *scenario_print(const struct scenario *s)
{
    struct raw_scenario raw = {0};
    char *text = NULL;
    put_scalars(s, &raw);
    if (room_for(&raw.servers, s->servers.count, sizeof(struct raw_server)) &&
        room_for(&raw.network.relays, s->relays.count, sizeof(struct raw_relay)) &&
        room_for(&raw.events, s->events.count, sizeof(struct raw_event)) &&
        room_for(&raw.stages, s->stages.count, sizeof(struct raw_stage)) &&
        put_stages(s, raw.stages.items)) {
        put_servers(s, raw.servers.items);
        put_relays(s, raw.network.relays.items);
        scenario_put_events(s, raw.events.items);
        raw.judgements = s->judgements; /* borrowed */
        text = schema_print(scenario_rows, &raw);
    }
    free_raw(&raw);
    return text;
}
