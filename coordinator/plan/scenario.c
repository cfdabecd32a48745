/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/scenario.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_search.h"
#include "coordinator/plan/scenario_rows.h"

#define COPY_TEXT(to, from)                                                                        \
    do {                                                                                           \
        static_assert(sizeof(to) >= sizeof(from), "text would be cut");                            \
        memcpy((to), (from), sizeof(from));                                                        \
    } while (0)

enum { STEADY_T1_MAX = 3 }; /* `hold: until-steady` takes so many T1 at most */

/* False when out of memory; an empty array needs none. */
static bool array_new(struct schema_array *array, size_t count, size_t item_bytes)
{
    *array = (struct schema_array){0};
    if (count == 0) {
        return true;
    }
    array->items = calloc(count, item_bytes);
    array->count = array->items != NULL ? count : 0;
    return array->items != NULL;
}

/* --- from the file's shape to the program's --- */

static void take_leases(const struct raw_leases *raw, struct scenario_server *to)
{
    const struct {
        enum scenario_lease_source source;
        const char *path;
    } paths[] = {
        {LEASES_DHCPD_FILE, raw->dhcpd},
        {LEASES_KEA_FILE, raw->kea},
        {LEASES_KEA_SOCKET, raw->kea_socket},
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (paths[i].path[0] != '\0') {
            to->lease_source = paths[i].source;
            (void)snprintf(to->lease_path, sizeof(to->lease_path), "%s", paths[i].path);
        }
    }
    if (raw->query) {
        to->lease_source = LEASES_QUERY;
    }
}

static bool take_servers(const struct raw_scenario *raw, struct scenario *s)
{
    if (!array_new(&s->servers, raw->servers.count, sizeof(struct scenario_server))) {
        return false;
    }
    const struct raw_server *from = raw->servers.items;
    struct scenario_server *to = s->servers.items;
    for (size_t i = 0; i < raw->servers.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        to[i].line = from[i].line;
        to[i].address = from[i].address;
        take_leases(&from[i].leases, &to[i]);
    }
    return true;
}

/* The lists of server names change their owner. */
static bool take_relays(struct raw_scenario *raw, struct scenario *s)
{
    if (!array_new(&s->relays, raw->network.relays.count, sizeof(struct scenario_relay))) {
        return false;
    }
    struct raw_relay *from = raw->network.relays.items;
    struct scenario_relay *to = s->relays.items;
    for (size_t i = 0; i < raw->network.relays.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        COPY_TEXT(to[i].agent, from[i].agent);
        COPY_TEXT(to[i].circuit_id, from[i].option82.circuit_id);
        COPY_TEXT(to[i].remote_id, from[i].option82.remote_id);
        to[i].line = from[i].line;
        to[i].giaddr = from[i].giaddr;
        to[i].via = from[i].has_via ? from[i].via : from[i].giaddr;
        to[i].subnet = from[i].subnet;
        to[i].clients = from[i].clients;
        to[i].to = from[i].to;
        from[i].to = (struct schema_array){0};
    }
    return true;
}

static enum plan_stage_kind kind_of(const struct raw_stage *stage)
{
    for (size_t kind = 0; kind < PLAN_STAGE_KIND_COUNT; kind++) {
        if (stage->is_given[kind]) {
            return (enum plan_stage_kind)kind;
        }
    }
    return PLAN_ACQUIRE;
}

static void take_hold(const struct raw_stage *raw, const struct scenario *s,
                      struct scenario_stage *to)
{
    if (strcmp(raw->hold, "until-steady") == 0) {
        to->is_until_steady = true;
        to->duration_ns = STEADY_T1_MAX * (s->lease_ns / 2);
    } else if (!schema_scan_duration(raw->hold, &to->duration_ns)) {
        to->duration_ns = 0; /* scenario_check() says so */
    }
}

/* The first one; that there is no other is for scenario_check_search(). */
static void take_load(const struct raw_stage *raw, struct scenario *s, struct scenario_stage *to)
{
    if (!s->has_search) {
        scenario_take_search(raw, s);
    }
    to->rate_milli_per_s = forecast_search_highest(s);
    to->warmup_ns = s->search.warmup_ns;
}

static bool take_stages(const struct raw_scenario *raw, struct scenario *s)
{
    if (!array_new(&s->stages, raw->stages.count, sizeof(struct scenario_stage))) {
        return false;
    }
    const struct raw_stage *from = raw->stages.items;
    struct scenario_stage *to = s->stages.items;
    for (size_t i = 0; i < raw->stages.count; i++) {
        COPY_TEXT(to[i].name, from[i].name);
        to[i].line = from[i].line;
        to[i].kind = kind_of(&from[i]);
        const struct raw_pace *pace = &from[i].pace[to[i].kind];
        to[i].batch = pace->batch;
        to[i].rate_milli_per_s = pace->rate_milli_per_s;
        to[i].is_poisson = pace->arrivals == 1;
        to[i].tries = pace->tries;
        to[i].deadline_ns = pace->deadline_ns;
        to[i].warmup_ns = from[i].warmup_ns;
        if (to[i].kind == PLAN_HOLD) {
            take_hold(&from[i], s, &to[i]);
        } else if (to[i].kind == PLAN_LOAD) {
            take_load(&from[i], s, &to[i]);
        }
        to[i].timeout_ns = from[i].timeout_ns;
        if (to[i].timeout_ns == 0) {
            to[i].timeout_ns = forecast_default_timeout_ns(s, &to[i]);
        }
    }
    return true;
}

static void take_identity(const char *word, struct scenario *s)
{
    size_t prefix = strlen("returning "), bytes = strlen(word) + 1;
    s->identity = strcmp(word, "fixed") == 0 ? IDENTITY_FIXED : IDENTITY_FRESH;
    if (strncmp(word, "returning ", prefix) == 0 && bytes - prefix <= sizeof(s->returning)) {
        s->identity = IDENTITY_RETURNING;
        memcpy(s->returning, word + prefix, bytes - prefix);
    }
}

static void take_scalars(const struct raw_scenario *raw, struct scenario *s)
{
    s->version = raw->version;
    COPY_TEXT(s->name, raw->name);
    s->block = raw->network.block;
    s->client_path = (enum scenario_path)raw->network.client_path;
    s->seed = raw->clients.seed;
    take_identity(raw->clients.identity, s);
    COPY_TEXT(s->profile, raw->clients.profile);
    COPY_TEXT(s->vendor_class, raw->clients.vendor_class);
    s->renew_retry_ns = raw->clients.renew_retry_ns;
    s->fuzz_percent = raw->clients.fuzz_percent;
    s->lease_ns = raw->expect.lease_ns;
    s->production_lease_ns = raw->expect.production_lease_ns;
    s->mclt_ns = raw->expect.mclt_ns;
    s->detection_ns = raw->expect.detection_ns;
    s->pool_addresses = raw->expect.pool;
    s->is_pool_guarded = raw->expect.is_guarded;
    s->packets_milli_per_s = raw->limits.packets_milli_per_s;
    s->time_ns = raw->limits.time_ns;
    s->is_spin_off = raw->limits.spin == SPIN_OFF;
    s->release_milli_per_s = raw->cleanup.release_milli_per_s;
    s->cleanup_on = raw->has_cleanup ? raw->cleanup.on : 0;
    s->on_agent_loss = AGENT_LOSS_FAIL;
    for (int i = 0; scenario_loss_words[i] != NULL; i++) {
        if (strcmp(raw->on_agent_loss, scenario_loss_words[i]) == 0) {
            s->on_agent_loss = (enum scenario_agent_loss)i;
        }
    }
    s->renewals_alone_ns = raw->coordinator_loss.renewals_ns;
}

bool scenario_parse(const char *text, size_t bytes, struct scenario *out, struct diag *why)
{
    struct raw_scenario raw = {0};
    struct scenario s = {0};

    bool is_good = schema_parse_partial(scenario_rows, text, bytes, &raw, why);
    take_scalars(&raw, &s);
    /* Stages come last: their default timeouts depend on the clients. */
    if (take_servers(&raw, &s) && take_relays(&raw, &s) && scenario_take_events(&raw, &s) &&
        take_stages(&raw, &s)) {
        s.judgements = raw.judgements;
        raw.judgements = (struct schema_array){0};
        scenario_check(&raw, &s, why);
    } else {
        diag_add(why, 0, "out of memory while reading the scenario; make it smaller");
    }
    is_good = is_good && diag_is_clean(why);
    schema_free(scenario_rows, &raw);
    if (!is_good) {
        scenario_free(&s);
        return false;
    }
    *out = s;
    return true;
}

void scenario_free(struct scenario *s)
{
    struct scenario_relay *relays = s->relays.items;
    for (size_t i = 0; i < s->relays.count; i++) {
        free(relays[i].to.items);
    }
    free(s->servers.items);
    free(s->relays.items);
    free(s->events.items);
    free(s->stages.items);
    free(s->judgements.items);
    *s = (struct scenario){0};
}

uint64_t scenario_client_count(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    uint64_t sum = 0;
    for (size_t i = 0; i < s->relays.count; i++) {
        sum += relays[i].clients;
    }
    return sum;
}

bool scenario_cleans_up(const struct scenario *s, enum scenario_cleanup_on reason)
{
    return s->release_milli_per_s > 0 && (s->cleanup_on & (unsigned)reason) != 0;
}

char *scenario_reference(void)
{
    return schema_reference(scenario_offered_rows);
}
