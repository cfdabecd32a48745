/* SPDX-License-Identifier: MIT */
/*
 * Kea's control socket, asked once a second: statistics, then states. Kea logs
 * each question (COMMAND_RECEIVED, at its level INFO). Never waits: a question
 * is under way between looks, and given up after 0.9 s. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/parse/kea_answer.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

enum kea_question { KEA_ASKS_STATISTICS, KEA_ASKS_STATUS, KEA_ASKS_NOTHING };

struct kea {
    int fd; /* -1 between questions */
    enum kea_question question;
    uint64_t asked_at_ns, next_at_ns;
    size_t sent, got, room;
    char *bytes; /* of the answer so far */
    int error;   /* of the last attempt: 0 or -errno */
    bool has_statistics;
    struct kea_statistics statistics; /* of the last answer */
    uint64_t answered_at_ns;
    struct failover *failover; /* the caller's */
};

void kea_open(struct kea *k, struct failover *failover);
void kea_close(struct kea *k);
/* `path`: "": there is none. */
void kea_look(struct kea *k, const struct observer_target *target, const char *path,
              uint64_t now_ns);
/* The metrics kea_*, and pool_* of Kea. */
void kea_observe(struct kea *k, const struct observer_target *target, uint64_t now_ns,
                 struct observation *out);
