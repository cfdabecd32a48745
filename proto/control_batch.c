/* SPDX-License-Identifier: MIT */
/* Events as columns: about 32 bytes each, because neighbours are alike. */
#include "proto/control_wire.h"
#include "proto/wire.h"

_Static_assert((int)LEASEHERD__EVENT_KIND__EVENT_QUERY == EVENT_KIND_COUNT &&
                   (int)LEASEHERD__EVENT_KIND__EVENT_ACQUIRE == EVENT_ACQUIRE + 1,
               "wire kinds are event kinds plus one");
_Static_assert((int)LEASEHERD__EVENT_RESULT__RESULT_UNKNOWN == EVENT_RESULT_COUNT &&
                   (int)LEASEHERD__EVENT_RESULT__RESULT_ACK == EVENT_ACK + 1,
               "wire results are event results plus one");

/* Wraps EVENT_SPAN_NONE to 0, the cheapest varint: most events lack a span. */
static uint32_t span_to_wire(uint32_t span_us)
{
    return span_us + 1U;
}

static uint32_t span_from_wire(uint32_t wire)
{
    return wire - 1U;
}

static uint32_t stage_to_wire(uint8_t stage)
{
    return stage == SNAPSHOT_STAGE_PREFLIGHT ? 0 : stage + 1U;
}

static void put_event(const struct event *e, const struct event *before,
                      struct control_batch_scratch *to, size_t i)
{
    /* Both are valid: times below 2^63, clients below 10^8, so the steps fit. */
    to->t_step_us[i] = before != NULL ? (int64_t)e->t_us - (int64_t)before->t_us : 0;
    to->client_step[i] = (int32_t)e->client - (before != NULL ? (int32_t)before->client : 0);
    to->xid[i] = e->xid;
    to->kind[i] = (Leaseherd__EventKind)(e->kind + 1);
    to->result[i] = (Leaseherd__EventResult)(e->result + 1);
    to->stage[i] = stage_to_wire(e->stage);
    to->tries[i] = e->tries;
    to->flags[i] = e->flags;
    to->lease_s[i] = e->lease_s;
    to->offer_us[i] = span_to_wire(e->offer_us);
    to->took_us[i] = span_to_wire(e->took_us);
    to->wait_us[i] = span_to_wire(e->wait_us);
    to->addr[i] = inet_host(e->addr);
    to->server[i] = inet_host(e->server);
}

void control_put_batch(const struct control_batch *from, struct control_batch_scratch *to)
{
    Leaseherd__Batch *body = &to->body;
    size_t rows = from->event_count;

    leaseherd__batch__init(body);
    body->epoch = from->epoch;
    body->seq = from->seq;
    body->family = LEASEHERD__FAMILY__FAMILY_DHCP4;
    body->base_us = from->events[0].t_us;
    for (size_t i = 0; i < rows; i++) {
        put_event(&from->events[i], i > 0 ? &from->events[i - 1] : NULL, to, i);
    }
    CONTROL_COLUMN(t_step_us, rows, to->t_step_us);
    CONTROL_COLUMN(client_step, rows, to->client_step);
    CONTROL_COLUMN(xid, rows, to->xid);
    CONTROL_COLUMN(kind, rows, to->kind);
    CONTROL_COLUMN(result, rows, to->result);
    CONTROL_COLUMN(stage, rows, to->stage);
    CONTROL_COLUMN(tries, rows, to->tries);
    CONTROL_COLUMN(flags, rows, to->flags);
    CONTROL_COLUMN(lease_s, rows, to->lease_s);
    CONTROL_COLUMN(offer_us, rows, to->offer_us);
    CONTROL_COLUMN(took_us, rows, to->took_us);
    CONTROL_COLUMN(wait_us, rows, to->wait_us);
    CONTROL_COLUMN(addr, rows, to->addr);
    CONTROL_COLUMN(server, rows, to->server);
}

static bool shape_is_good(const Leaseherd__Batch *from, char *why)
{
    const size_t lengths[] = {
        from->n_client_step, from->n_xid,   from->n_kind,    from->n_result,   from->n_stage,
        from->n_tries,       from->n_flags, from->n_lease_s, from->n_offer_us, from->n_took_us,
        from->n_wait_us,     from->n_addr,  from->n_server,
    };
    size_t rows = from->n_t_step_us;

    if (from->family != LEASEHERD__FAMILY__FAMILY_DHCP4) {
        return wire_refuse(why, "batch: the address family is %d; only DHCPv4 (4) is known",
                           (int)from->family);
    }
    if (rows < 1 || rows > CONTROL_BATCH_EVENTS_MAX) {
        return wire_refuse(why, "batch: %zu events; 1 to %d are possible", rows,
                           CONTROL_BATCH_EVENTS_MAX);
    }
    if (from->t_step_us[0] != 0) {
        return wire_refuse(why, "batch: the first event is not at the base time");
    }
    return control_columns_match(lengths, ARRAY_LEN(lengths), rows, "batch", why);
}

static bool narrow_is_good(const Leaseherd__Batch *from, size_t i, char *why)
{
    if ((int)from->kind[i] < 1 || (int)from->kind[i] > EVENT_KIND_COUNT) {
        return wire_refuse(why, "batch: event %zu is of no known kind (%d)", i, (int)from->kind[i]);
    }
    if ((int)from->result[i] < 1 || (int)from->result[i] > EVENT_RESULT_COUNT) {
        return wire_refuse(why, "batch: event %zu has no known result (%d)", i,
                           (int)from->result[i]);
    }
    if (from->stage[i] > PLAN_STAGES_MAX) {
        return wire_refuse(why, "batch: event %zu is of stage %u", i, from->stage[i] - 1U);
    }
    if (from->tries[i] > UINT16_MAX || from->flags[i] > EVENT_FLAGS_ALL) {
        return wire_refuse(why, "batch: event %zu has unknown flags or too many tries", i);
    }
    return true;
}

/* False when time or client leave their range; no arithmetic on the way may overflow. */
static bool step_to(const Leaseherd__Batch *from, size_t i, uint64_t *t_us, int64_t *client)
{
    int64_t t = 0;

    if (__builtin_add_overflow((int64_t)*t_us, from->t_step_us[i], &t) || t < 0) {
        return false;
    }
    *t_us = (uint64_t)t;
    *client += from->client_step[i];
    return *client >= 0 && *client < PLAN_CLIENTS_MAX;
}

static void take_event(const Leaseherd__Batch *from, size_t i, struct event *e)
{
    e->xid = from->xid[i];
    e->lease_s = from->lease_s[i];
    e->offer_us = span_from_wire(from->offer_us[i]);
    e->took_us = span_from_wire(from->took_us[i]);
    e->wait_us = span_from_wire(from->wait_us[i]);
    e->addr = inet_from_host(from->addr[i]);
    e->server = inet_from_host(from->server[i]);
    e->tries = (uint16_t)from->tries[i];
    e->flags = (uint16_t)from->flags[i];
    e->kind = (uint8_t)((int)from->kind[i] - 1);
    e->result = (uint8_t)((int)from->result[i] - 1);
    e->stage =
        from->stage[i] == 0 ? (uint8_t)SNAPSHOT_STAGE_PREFLIGHT : (uint8_t)(from->stage[i] - 1);
}

bool control_take_batch(struct control_arena *arena, const Leaseherd__Batch *from,
                        struct control_batch *out, char *why)
{
    uint64_t t_us = from->base_us;
    int64_t client = 0;

    if (!shape_is_good(from, why)) {
        return false;
    }
    if (t_us > INT64_MAX) {
        return wire_refuse(why, "batch: the base time is above 2^63");
    }
    struct event *events = control_arena_take(arena, from->n_t_step_us, sizeof(*events));
    if (events == NULL) {
        return control_no_memory("batch", why);
    }
    for (size_t i = 0; i < from->n_t_step_us; i++) {
        if (!narrow_is_good(from, i, why)) {
            return false;
        }
        if (!step_to(from, i, &t_us, &client)) {
            return wire_refuse(why, "batch: event %zu has no possible time or client", i);
        }
        take_event(from, i, &events[i]);
        events[i].t_us = t_us;
        events[i].client = (uint32_t)client;
    }
    *out = (struct control_batch){
        .epoch = from->epoch, .seq = from->seq, .events = events, .event_count = from->n_t_step_us};
    return true;
}
