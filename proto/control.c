/* SPDX-License-Identifier: MIT */
#include "proto/control.h"

#include <assert.h>
#include <string.h>

static const struct kind_facts {
    const char *name;
    bool is_from_agent, is_from_coordinator, is_data;
} kinds[CONTROL_KIND_COUNT] = {
    [CONTROL_NONE] = {"none", false, false, false},
    [CONTROL_HELLO] = {"hello", true, false, false},
    [CONTROL_CLOCK_REPLY] = {"clock_reply", true, false, false},
    [CONTROL_BEAT] = {"beat", true, false, false},
    [CONTROL_READY] = {"ready", true, false, false},
    [CONTROL_PREFLIGHT_REPORT] = {"preflight_report", true, false, false},
    [CONTROL_ARMED] = {"armed", true, false, false},
    [CONTROL_PROGRESS] = {"progress", true, false, false},
    [CONTROL_DONE] = {"done", true, false, false},
    [CONTROL_OBSERVER_HELLO] = {"observer_hello", true, false, false},
    [CONTROL_OBSERVATION] = {"observation", true, false, false},
    [CONTROL_WELCOME] = {"welcome", false, true, false},
    [CONTROL_CLOCK_REQUEST] = {"clock_request", false, true, false},
    [CONTROL_GRANT] = {"grant", false, true, false},
    [CONTROL_PREPARE] = {"prepare", false, true, false},
    [CONTROL_PREFLIGHT] = {"preflight", false, true, false},
    [CONTROL_ARM] = {"arm", false, true, false},
    [CONTROL_GO] = {"go", false, true, false},
    [CONTROL_DRAIN] = {"drain", false, true, false},
    [CONTROL_ADOPT] = {"adopt", false, true, false},
    [CONTROL_TAKE] = {"take", false, true, false},
    [CONTROL_BYE] = {"bye", false, true, false},
    [CONTROL_REFUSE] = {"refuse", true, true, false},
    [CONTROL_DATA_HELLO] = {"data_hello", true, false, true},
    [CONTROL_BATCH] = {"batch", true, false, true},
    [CONTROL_SNAPSHOT] = {"snapshot", true, false, true},
    [CONTROL_HISTOGRAM] = {"histogram", true, false, true},
    [CONTROL_ACK] = {"ack", false, true, true},
};

static const char *const refusal_names[REFUSAL_COUNT] = {
    [REFUSAL_UNSPECIFIED] = "unspecified",
    [REFUSAL_VERSION] = "version",
    [REFUSAL_DUPLICATE_AGENT] = "duplicate_agent",
    [REFUSAL_BUSY] = "busy",
    [REFUSAL_POLICY] = "policy",
    [REFUSAL_ADDRESS] = "address",
    [REFUSAL_RESOURCES] = "resources",
    [REFUSAL_PLAN] = "plan",
    [REFUSAL_NO_RELAY] = "no_relay",
    [REFUSAL_KEY] = "key",
    [REFUSAL_TOTAL] = "total",
    [REFUSAL_SENDS] = "sends",
    [REFUSAL_PROHIBITED] = "prohibited",
};

const char *control_kind_name(enum control_kind kind)
{
    assert((unsigned)kind < CONTROL_KIND_COUNT);
    return kinds[kind].name;
}

const char *control_refusal_name(enum control_refusal code)
{
    assert((unsigned)code < REFUSAL_COUNT);
    return refusal_names[code];
}

bool control_kind_is_from_agent(enum control_kind kind)
{
    assert((unsigned)kind < CONTROL_KIND_COUNT);
    return kinds[kind].is_from_agent;
}

bool control_kind_is_data(enum control_kind kind)
{
    assert((unsigned)kind < CONTROL_KIND_COUNT);
    return kinds[kind].is_data;
}

bool control_kind_is_allowed(enum control_kind kind, bool is_from_agent, bool is_data)
{
    assert((unsigned)kind < CONTROL_KIND_COUNT);
    const struct kind_facts *facts = &kinds[kind];

    return facts->is_data == is_data &&
           (is_from_agent ? facts->is_from_agent : facts->is_from_coordinator);
}

void control_set_text(char out[CONTROL_TEXT_BYTES], const char *text)
{
    size_t length = strnlen(text, CONTROL_TEXT_BYTES - 1);

    for (size_t i = 0; i < length; i++) {
        out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    }
    memset(out + length, 0, CONTROL_TEXT_BYTES - length);
}
