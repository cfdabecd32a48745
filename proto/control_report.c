/* SPDX-License-Identifier: MIT */
/* PREFLIGHT_REPORT: rows per relay, and rows per path that belong to them in order. */
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
}

static bool shape_is_good(const Leaseherd__PreflightReport *from, char *why)
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

bool control_take_report(struct control_arena *arena, const Leaseherd__PreflightReport *from,
                         struct control_preflight_report *out, char *why)
{
    size_t path_row = 0;

    if (!shape_is_good(from, why)) {
        return false;
    }
    struct control_preflight_relay *relays =
        control_arena_take(arena, from->n_relay, sizeof(*relays));
    if (relays == NULL) {
        return control_no_memory("preflight_report", why);
    }
    for (size_t i = 0; i < from->n_relay; i++) {
        take_relay(from, i, &relays[i]);
        for (uint32_t k = 0; k < relays[i].path_count; k++) {
            if (!take_path(from, path_row, &relays[i].path[k], why)) {
                return false;
            }
            path_row++;
        }
    }
    *out = (struct control_preflight_report){
        .relays = relays, .relay_count = from->n_relay, .is_last = from->is_last};
    return true;
}
