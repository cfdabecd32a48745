/* SPDX-License-Identifier: MIT */
/* What an observer sends: who it is, and a frame of metrics as columns. */
#include <inttypes.h>
#include <string.h>

#include "proto/control_observation.h"
#include "proto/control_wire.h"
#include "proto/wire.h"

_Static_assert((int)LEASEHERD__AVAILABILITY__AVAILABILITY_NO_KERNEL == AVAILABLE_COUNT - 1,
               "wire availabilities are those of observation.h");
_Static_assert((int)OBSERVER_METRIC_COUNT <= (int)CONTROL_OBSERVATION_ROWS_MAX,
               "our own frames are taken");

#define OBSERVATION_SEQ_MAX ((uint64_t)INT64_MAX - 65536)
enum { OBSERVER_PROTO_MAX = 65535 };

void control_put_observer_hello(const struct control_observer_hello *from,
                                struct control_observer_hello_scratch *to)
{
    Leaseherd__ObserverHello *body = &to->body;

    leaseherd__observer_hello__init(body);
    body->proto_min = from->proto_min;
    body->proto_max = from->proto_max;
    body->build = control_text_field(from->build);
    body->host = control_text_field(from->host);
    body->program = control_text_field(from->program);
    body->epoch = from->epoch;
    for (size_t i = 0; i < from->address_count; i++) {
        to->address[i] = inet_host(from->addresses[i]);
    }
    CONTROL_COLUMN(address, from->address_count, to->address);
}

static size_t used_metrics(const struct observation *o)
{
    size_t rows = OBSERVER_METRIC_COUNT;

    while (rows > 0 && o->availability[rows - 1] == AVAILABLE_NOT_APPLICABLE) {
        rows--;
    }
    return rows;
}

void control_put_observation(const struct observation *from, struct control_observation_scratch *to)
{
    Leaseherd__Observation *body = &to->body;
    size_t rows = used_metrics(from);
    size_t notes = 0;

    leaseherd__observation__init(body);
    body->seq = from->seq;
    body->at_ns = from->at_ns;
    body->instance = from->instance;
    body->process_id = from->process_id;
    for (size_t i = 0; i < rows; i++) {
        to->availability[i] = (Leaseherd__Availability)from->availability[i];
        to->value[i] = from->value[i];
    }
    CONTROL_COLUMN(availability, rows, to->availability);
    CONTROL_COLUMN(value, rows, to->value);
    for (uint32_t k = 0; k < NOTE_KIND_COUNT; k++) {
        if (from->note[k][0] != '\0') {
            to->note_kind[notes] = k + 1;
            to->note[notes++] = control_text_field(from->note[k]);
        }
    }
    CONTROL_COLUMN(note_kind, notes, to->note_kind);
    CONTROL_COLUMN(note, notes, to->note);
}

static bool take_words(const Leaseherd__ObserverHello *from, struct control_observer_hello *to,
                       char *why)
{
    if (!wire_take_text(from->build.data, from->build.len, to->build, sizeof(to->build),
                        "observer_hello: build", why)) {
        return false;
    }
    for (char *quote = to->build; (quote = strchr(quote, '"')) != NULL;) {
        *quote = '\'';
    }
    return wire_take_text(from->host.data, from->host.len, to->host, sizeof(to->host),
                          "observer_hello: host", why) &&
           wire_take_text(from->program.data, from->program.len, to->program, sizeof(to->program),
                          "observer_hello: program", why);
}

bool control_take_observer_hello(struct control_arena *arena, const Leaseherd__ObserverHello *from,
                                 struct control_observer_hello *to, char *why)
{
    if (from->n_address > CONTROL_OBSERVER_ADDRESSES_MAX) {
        return wire_refuse(why, "observer_hello: %zu addresses; at most %d are possible",
                           from->n_address, CONTROL_OBSERVER_ADDRESSES_MAX);
    }
    struct ipv4 *addresses = control_arena_take(arena, from->n_address, sizeof(*addresses));
    if (addresses == NULL) {
        return control_no_memory("observer_hello", why);
    }
    for (size_t i = 0; i < from->n_address; i++) {
        addresses[i] = inet_from_host(from->address[i]);
    }
    to->addresses = addresses;
    to->address_count = from->n_address;
    to->proto_min = from->proto_min;
    to->proto_max = from->proto_max;
    to->epoch = from->epoch;
    return take_words(from, to, why);
}

static bool observation_shape_is_good(const Leaseherd__Observation *from, char *why)
{
    if (from->n_value > CONTROL_OBSERVATION_ROWS_MAX ||
        from->n_note_kind > CONTROL_OBSERVATION_ROWS_MAX) {
        return wire_refuse(why, "observation: too many rows; at most %d are possible",
                           CONTROL_OBSERVATION_ROWS_MAX);
    }
    return control_columns_match(&from->n_availability, 1, from->n_value, "observation", why) &&
           control_columns_match(&from->n_note, 1, from->n_note_kind, "observation", why);
}

static bool take_metrics(const Leaseherd__Observation *from, struct observation *to, char *why)
{
    for (size_t i = 0; i < from->n_value && i < OBSERVER_METRIC_COUNT; i++) {
        if ((int)from->availability[i] < 0 || (int)from->availability[i] >= AVAILABLE_COUNT) {
            return wire_refuse(why, "observation: %d is not an availability",
                               (int)from->availability[i]);
        }
        to->availability[i] = (uint8_t)from->availability[i];
        to->value[i] = from->value[i];
    }
    return true;
}

static bool take_notes(const Leaseherd__Observation *from, struct observation *to, char *why)
{
    for (size_t i = 0; i < from->n_note; i++) {
        uint32_t kind = from->note_kind[i];
        if (kind >= 1 && kind <= NOTE_KIND_COUNT &&
            !wire_take_text(from->note[i].data, from->note[i].len, to->note[kind - 1],
                            sizeof(to->note[kind - 1]), "observation: note", why)) {
            return false;
        }
    }
    return true;
}

const struct observation *control_take_observation(struct control_arena *arena,
                                                   const Leaseherd__Observation *from, char *why)
{
    if (!observation_shape_is_good(from, why)) {
        return NULL;
    }
    struct observation *o = control_arena_take(arena, 1, sizeof(*o));
    if (o == NULL) {
        (void)control_no_memory("observation", why);
        return NULL;
    }
    o->seq = from->seq;
    o->at_ns = from->at_ns;
    o->instance = from->instance;
    o->process_id = from->process_id;
    return take_metrics(from, o, why) && take_notes(from, o, why) ? o : NULL;
}

bool control_word_is_valid(const char *word, size_t size, const char *field, char *why)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._-";

    if (word[0] == '\0' || !wire_text_is_printable(word, size)) {
        return wire_refuse(why, "%s is empty or not printable", field);
    }
    return word[strspn(word, allowed)] == '\0' ||
           wire_refuse(why, "%s may hold letters, digits, '.', '_' and '-' only", field);
}

bool control_observer_hello_is_valid(const struct control_observer_hello *h, char *why)
{
    if (h->proto_min < 1 || h->proto_min > h->proto_max || h->proto_max > OBSERVER_PROTO_MAX) {
        return wire_refuse(why,
                           "observer_hello: versions %" PRIu32 " to %" PRIu32 " are not a range",
                           h->proto_min, h->proto_max);
    }
    if (h->build[0] == '\0' || !wire_text_is_printable(h->build, sizeof(h->build))) {
        return wire_refuse(why, "observer_hello: build is empty or not printable");
    }
    if (!control_word_is_valid(h->host, sizeof(h->host), "observer_hello: host", why) ||
        !control_word_is_valid(h->program, sizeof(h->program), "observer_hello: program", why)) {
        return false;
    }
    if (h->epoch == 0) {
        return wire_refuse(why, "observer_hello: the epoch is 0");
    }
    if (h->address_count > CONTROL_OBSERVER_ADDRESSES_MAX) {
        return wire_refuse(why, "observer_hello: %zu addresses; at most %d are possible",
                           h->address_count, CONTROL_OBSERVER_ADDRESSES_MAX);
    }
    for (size_t i = 0; i < h->address_count; i++) {
        if (!wire_is_unicast(h->addresses[i])) {
            return wire_refuse(why, "observer_hello: address %zu is not a unicast address", i);
        }
    }
    return true;
}

bool control_observation_is_valid(const struct observation *o, char *why)
{
    if (o->seq == 0 || o->seq > OBSERVATION_SEQ_MAX) {
        return wire_refuse(why, "observation: %" PRIu64 " is not a sequence number", o->seq);
    }
    if (o->at_ns == 0 || o->at_ns > (uint64_t)INT64_MAX) {
        return wire_refuse(why, "observation: %" PRIu64 " ns is not a time", o->at_ns);
    }
    return observation_is_valid(o) ||
           wire_refuse(why, "observation: a value, state or note is not possible");
}
