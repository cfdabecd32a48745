/* SPDX-License-Identifier: MIT */
/*
 * PREFLIGHT_REPORT: rows per relay, rows per path and per way that belong to them in order, and
 * rows about the agent's host.
 */
#include "proto/control_wire.h"
#include "proto/wire.h"

_Static_assert((int)LEASEHERD__PATH__PATH_RELAYED == PLAN_PATH_COUNT &&
                   (int)LEASEHERD__PATH__PATH_ROUTED == PLAN_PATH_ROUTED + 1,
               "wire paths are plan paths plus one");

static void put_path(const struct control_preflight_path *from, struct control_report_scratch *to,
                     size_t row)
{
    to->path[row] = (Leaseherd__Path)(from->path + 1);
    to->renew_sent[row] = from->renew_sent;
    to->renew_acked[row] = from->renew_acked;
    to->wrong_port[row] = from->wrong_port;
    to->last_wrong_port[row] = from->last_wrong_port;
    to->path_send_errno[row] = from->send_errno;
}

static void put_relay(const struct control_preflight_relay *from, struct control_report_scratch *to,
                      size_t row)
{
    to->relay[row] = from->relay;
    to->clients[row] = from->clients;
    to->offered[row] = from->offered;
    to->bound[row] = from->bound;
    to->foreign_offers[row] = from->foreign_offers;
    to->naks[row] = from->naks;
    to->servers_answered[row] = from->servers_answered;
    to->send_errno[row] = from->send_errno;
    to->path_count[row] = from->path_count;
    to->lease_least_s[row] = from->lease_least_s;
    to->lease_most_s[row] = from->lease_most_s;
    to->t1_s[row] = from->t1_s;
    to->t2_s[row] = from->t2_s;
    to->mask[row] = inet_host(from->mask);
    to->router[row] = inet_host(from->router);
    to->unmarked_offers[row] = from->unmarked_offers;
    to->unmarked_addr[row] = inet_host(from->unmarked_addr);
    to->was_unmarked_asked[row] = from->was_unmarked_asked;
    to->outside_addr[row] = inet_host(from->outside_addr);
    to->way_count[row] = from->way_count;
}

static void put_way(const struct control_preflight_way *from, struct control_report_scratch *to,
                    size_t row)
{
    to->way_server[row] = from->server;
    to->way_path[row] = (Leaseherd__Path)(from->path + 1);
    to->way_sent[row] = from->sent;
    to->way_acked[row] = from->acked;
    to->way_low_ports[row] = from->low_ports;
    to->way_other_ports[row] = from->other_ports;
}

static void put_facts(const struct control_preflight_report *from,
                      struct control_report_scratch *to)
{
    Leaseherd__PreflightReport *body = &to->body;
    size_t rows = from->fact_count;
    for (size_t i = 0; i < rows; i++) {
        to->fact[i] = from->facts[i].kind;
        to->fact_addr[i] = inet_host(from->facts[i].addr);
        to->fact_peer[i] = inet_host(from->facts[i].peer);
        to->fact_value[i] = from->facts[i].value;
        to->fact_limit[i] = from->facts[i].limit;
    }
    CONTROL_COLUMN(fact, rows, to->fact);
    CONTROL_COLUMN(fact_addr, rows, to->fact_addr);
    CONTROL_COLUMN(fact_peer, rows, to->fact_peer);
    CONTROL_COLUMN(fact_value, rows, to->fact_value);
    CONTROL_COLUMN(fact_limit, rows, to->fact_limit);
}

static void put_ways(const struct control_preflight_report *from, struct control_report_scratch *to)
{
    Leaseherd__PreflightReport *body = &to->body;
    size_t rows = 0;
    for (size_t i = 0; i < from->relay_count; i++) {
        for (uint32_t k = 0; k < from->relays[i].way_count; k++) {
            put_way(&from->relays[i].way[k], to, rows++);
        }
    }
    CONTROL_COLUMN(way_server, rows, to->way_server);
    CONTROL_COLUMN(way_path, rows, to->way_path);
    CONTROL_COLUMN(way_sent, rows, to->way_sent);
    CONTROL_COLUMN(way_acked, rows, to->way_acked);
    CONTROL_COLUMN(way_low_ports, rows, to->way_low_ports);
    CONTROL_COLUMN(way_other_ports, rows, to->way_other_ports);
}

/* What version 2 of the protocol added per relay. */
static void put_terms(size_t rows, struct control_report_scratch *to)
{
    Leaseherd__PreflightReport *body = &to->body;
    CONTROL_COLUMN(lease_least_s, rows, to->lease_least_s);
    CONTROL_COLUMN(lease_most_s, rows, to->lease_most_s);
    CONTROL_COLUMN(t1_s, rows, to->t1_s);
    CONTROL_COLUMN(t2_s, rows, to->t2_s);
    CONTROL_COLUMN(mask, rows, to->mask);
    CONTROL_COLUMN(router, rows, to->router);
    CONTROL_COLUMN(unmarked_offers, rows, to->unmarked_offers);
    CONTROL_COLUMN(unmarked_addr, rows, to->unmarked_addr);
    CONTROL_COLUMN(was_unmarked_asked, rows, to->was_unmarked_asked);
    CONTROL_COLUMN(way_count, rows, to->way_count);
    CONTROL_COLUMN(outside_addr, rows, to->outside_addr);
}

void control_put_report(const struct control_preflight_report *from,
                        struct control_report_scratch *to)
{
    Leaseherd__PreflightReport *body = &to->body;
    size_t rows = from->relay_count;
    size_t paths = 0;

    leaseherd__preflight_report__init(body);
    body->is_last = from->is_last;
    for (size_t i = 0; i < rows; i++) {
        put_relay(&from->relays[i], to, i);
        for (uint32_t k = 0; k < from->relays[i].path_count; k++) {
            put_path(&from->relays[i].path[k], to, paths);
            paths++;
        }
    }
    CONTROL_COLUMN(relay, rows, to->relay);
    CONTROL_COLUMN(clients, rows, to->clients);
    CONTROL_COLUMN(offered, rows, to->offered);
    CONTROL_COLUMN(bound, rows, to->bound);
    CONTROL_COLUMN(foreign_offers, rows, to->foreign_offers);
    CONTROL_COLUMN(naks, rows, to->naks);
    CONTROL_COLUMN(servers_answered, rows, to->servers_answered);
    CONTROL_COLUMN(send_errno, rows, to->send_errno);
    CONTROL_COLUMN(path_count, rows, to->path_count);
    CONTROL_COLUMN(path, paths, to->path);
    CONTROL_COLUMN(path_renew_sent, paths, to->renew_sent);
    CONTROL_COLUMN(path_renew_acked, paths, to->renew_acked);
    CONTROL_COLUMN(path_wrong_port, paths, to->wrong_port);
    CONTROL_COLUMN(path_last_wrong_port, paths, to->last_wrong_port);
    CONTROL_COLUMN(path_send_errno, paths, to->path_send_errno);
    put_terms(rows, to);
    put_ways(from, to);
    put_facts(from, to);
}

static bool relays_are_good(const Leaseherd__PreflightReport *from, char *why)
{
    const size_t relay_lengths[] = {
        from->n_clients, from->n_offered,          from->n_bound,      from->n_foreign_offers,
        from->n_naks,    from->n_servers_answered, from->n_send_errno, from->n_path_count,
    };
    const size_t path_lengths[] = {
        from->n_path_renew_sent,      from->n_path_renew_acked, from->n_path_wrong_port,
        from->n_path_last_wrong_port, from->n_path_send_errno,
    };
    uint64_t paths = 0;

    if (from->n_relay > CONTROL_PREFLIGHT_RELAYS_MAX) {
        return wire_refuse(why, "preflight_report: %zu relays; at most %d are possible",
                           from->n_relay, CONTROL_PREFLIGHT_RELAYS_MAX);
    }
    if (!control_columns_match(relay_lengths, ARRAY_LEN(relay_lengths), from->n_relay,
                               "preflight_report", why) ||
        !control_columns_match(path_lengths, ARRAY_LEN(path_lengths), from->n_path,
                               "preflight_report", why)) {
        return false;
    }
    for (size_t i = 0; i < from->n_path_count; i++) {
        if (from->path_count[i] > PLAN_PATH_COUNT) {
            return wire_refuse(why, "preflight_report: %u paths; at most %d are possible",
                               from->path_count[i], PLAN_PATH_COUNT);
        }
        paths += from->path_count[i];
    }
    return paths == from->n_path ||
           wire_refuse(why, "preflight_report: the relays tell of other paths than there are");
}

/* All of version 2's columns, or none. */
static bool terms_are_good(const Leaseherd__PreflightReport *from, char *why)
{
    const size_t lengths[] = {
        from->n_lease_most_s,  from->n_t1_s,
        from->n_t2_s,          from->n_mask,
        from->n_router,        from->n_unmarked_offers,
        from->n_unmarked_addr, from->n_way_count,
        from->n_lease_least_s, from->n_was_unmarked_asked,
    };
    const size_t way_lengths[] = {from->n_way_path, from->n_way_sent, from->n_way_acked,
                                  from->n_way_low_ports, from->n_way_other_ports};
    size_t rows = from->n_lease_least_s == 0 ? 0 : from->n_relay;
    /* Journals of runs that were before this column have none of it. */
    size_t outside_rows = from->n_outside_addr == 0 ? 0 : rows;
    uint64_t ways = 0;
    if (!control_columns_match(&from->n_outside_addr, 1, outside_rows, "preflight_report", why) ||
        !control_columns_match(lengths, ARRAY_LEN(lengths), rows, "preflight_report", why) ||
        !control_columns_match(way_lengths, ARRAY_LEN(way_lengths), from->n_way_server,
                               "preflight_report", why)) {
        return false;
    }
    for (size_t i = 0; i < rows; i++) {
        if (from->way_count[i] > CONTROL_PREFLIGHT_WAYS_MAX) {
            return wire_refuse(why, "preflight_report: %u ways; at most %d are possible",
                               from->way_count[i], CONTROL_PREFLIGHT_WAYS_MAX);
        }
        ways += from->way_count[i];
    }
    return ways == from->n_way_server ||
           wire_refuse(why, "preflight_report: the relays tell of other ways than there are");
}

static bool facts_are_good(const Leaseherd__PreflightReport *from, char *why)
{
    const size_t lengths[] = {from->n_fact_addr, from->n_fact_peer, from->n_fact_value,
                              from->n_fact_limit};
    if (from->n_fact > CONTROL_FACTS_MAX) {
        return wire_refuse(why, "preflight_report: %zu facts; at most %d are possible",
                           from->n_fact, CONTROL_FACTS_MAX);
    }
    return control_columns_match(lengths, ARRAY_LEN(lengths), from->n_fact, "preflight_report",
                                 why);
}

static bool take_path(const Leaseherd__PreflightReport *from, size_t row,
                      struct control_preflight_path *out, char *why)
{
    if ((int)from->path[row] < 1 || (int)from->path[row] > PLAN_PATH_COUNT) {
        return wire_refuse(why, "preflight_report: %d is not a path", (int)from->path[row]);
    }
    out->path = (uint32_t)from->path[row] - 1;
    out->renew_sent = from->path_renew_sent[row];
    out->renew_acked = from->path_renew_acked[row];
    out->wrong_port = from->path_wrong_port[row];
    out->last_wrong_port = from->path_last_wrong_port[row];
    out->send_errno = from->path_send_errno[row];
    return true;
}

static void take_relay(const Leaseherd__PreflightReport *from, size_t row,
                       struct control_preflight_relay *out)
{
    out->relay = from->relay[row];
    out->clients = from->clients[row];
    out->offered = from->offered[row];
    out->bound = from->bound[row];
    out->foreign_offers = from->foreign_offers[row];
    out->naks = from->naks[row];
    out->servers_answered = from->servers_answered[row];
    out->send_errno = from->send_errno[row];
    out->path_count = from->path_count[row];
}

static void take_terms(const Leaseherd__PreflightReport *from, size_t row,
                       struct control_preflight_relay *out)
{
    out->lease_least_s = from->lease_least_s[row];
    out->lease_most_s = from->lease_most_s[row];
    out->t1_s = from->t1_s[row];
    out->t2_s = from->t2_s[row];
    out->mask = inet_from_host(from->mask[row]);
    out->router = inet_from_host(from->router[row]);
    out->unmarked_offers = from->unmarked_offers[row];
    out->unmarked_addr = inet_from_host(from->unmarked_addr[row]);
    out->was_unmarked_asked = from->was_unmarked_asked[row];
    out->way_count = from->way_count[row];
    out->outside_addr =
        from->n_outside_addr > 0 ? inet_from_host(from->outside_addr[row]) : (struct ipv4){0};
}

static bool take_way(const Leaseherd__PreflightReport *from, size_t row,
                     struct control_preflight_way *out, char *why)
{
    if ((int)from->way_path[row] < 1 || (int)from->way_path[row] > PLAN_PATH_COUNT) {
        return wire_refuse(why, "preflight_report: %d is not a path", (int)from->way_path[row]);
    }
    *out = (struct control_preflight_way){.server = from->way_server[row],
                                          .path = (uint32_t)from->way_path[row] - 1,
                                          .sent = from->way_sent[row],
                                          .acked = from->way_acked[row],
                                          .low_ports = from->way_low_ports[row],
                                          .other_ports = from->way_other_ports[row]};
    return true;
}

static bool take_facts(struct control_arena *arena, const Leaseherd__PreflightReport *from,
                       struct control_preflight_report *out, char *why)
{
    struct control_fact *facts = control_arena_take(arena, from->n_fact, sizeof(*facts));
    if (facts == NULL) {
        return control_no_memory("preflight_report", why);
    }
    for (size_t i = 0; i < from->n_fact; i++) {
        facts[i] = (struct control_fact){.kind = from->fact[i],
                                         .addr = inet_from_host(from->fact_addr[i]),
                                         .peer = inet_from_host(from->fact_peer[i]),
                                         .value = from->fact_value[i],
                                         .limit = from->fact_limit[i]};
    }
    out->facts = facts;
    out->fact_count = from->n_fact;
    return true;
}

bool control_take_report(struct control_arena *arena, const Leaseherd__PreflightReport *from,
                         struct control_preflight_report *out, char *why)
{
    size_t path_row = 0, way_row = 0;

    if (!relays_are_good(from, why) || !terms_are_good(from, why) || !facts_are_good(from, why)) {
        return false;
    }
    struct control_preflight_relay *relays =
        control_arena_take(arena, from->n_relay, sizeof(*relays));
    if (relays == NULL) {
        return control_no_memory("preflight_report", why);
    }
    for (size_t i = 0; i < from->n_relay; i++) {
        take_relay(from, i, &relays[i]);
        if (from->n_lease_least_s > 0) {
            take_terms(from, i, &relays[i]);
        }
        for (uint32_t k = 0; k < relays[i].path_count; k++) {
            if (!take_path(from, path_row++, &relays[i].path[k], why)) {
                return false;
            }
        }
        for (uint32_t k = 0; k < relays[i].way_count; k++) {
            if (!take_way(from, way_row++, &relays[i].way[k], why)) {
                return false;
            }
        }
    }
    *out = (struct control_preflight_report){
        .relays = relays, .relay_count = from->n_relay, .is_last = from->is_last};
    return take_facts(arena, from, out, why);
}
