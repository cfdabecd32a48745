/* SPDX-License-Identifier: MIT */
/*
 * Between the envelope and what observers send, as control_wire.h for the rest.
 *
 * Internal to proto/. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.pb-c.h"
#include "proto/control.h"
#include "proto/control_arena.h"

struct control_observer_hello_scratch {
    Leaseherd__ObserverHello body;
    uint32_t address[CONTROL_OBSERVER_ADDRESSES_MAX];
};

struct control_observation_scratch {
    Leaseherd__Observation body;
    Leaseherd__Availability availability[OBSERVER_METRIC_COUNT];
    double value[OBSERVER_METRIC_COUNT];
    uint32_t note_kind[NOTE_KIND_COUNT];
    ProtobufCBinaryData note[NOTE_KIND_COUNT];
};

void control_put_observer_hello(const struct control_observer_hello *from,
                                struct control_observer_hello_scratch *to);
void control_put_observation(const struct observation *from,
                             struct control_observation_scratch *to);

NODISCARD bool control_take_observer_hello(struct control_arena *arena,
                                           const Leaseherd__ObserverHello *from,
                                           struct control_observer_hello *out, char *why);
/* The result is in the arena; NULL on failure. */
NODISCARD const struct observation *control_take_observation(struct control_arena *arena,
                                                             const Leaseherd__Observation *from,
                                                             char *why);

/* The rules, for control_is_valid(). */
NODISCARD bool control_observer_hello_is_valid(const struct control_observer_hello *h, char *why);
NODISCARD bool control_observation_is_valid(const struct observation *o, char *why);
/* Words a log line can hold as they are: letters, digits, '.', '_' and '-'. */
NODISCARD bool control_word_is_valid(const char *word, size_t size, const char *field, char *why);
