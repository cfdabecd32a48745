/* SPDX-License-Identifier: MIT */
/*
 * ZeroMQ authentication (RFC 27): a thread that answers, for each connection
 * attempt on the context, whether its public key is on the allow-list. A listed
 * key gets 200, User-Id = enrolled name and the key itself as the property
 * ZAP_KEY_PROPERTY; everything else gets 400. For enrolment the handler admits
 * every key instead, in a domain of its own, without a name.
 *
 * libzmq asks nobody, and lets everybody in, when no handler is bound: hence
 * zap_start() binds before it returns, and common/link*.c enforce the domain. A
 * handler that ends, answers wrongly or not at all within ZAP_DEADLINE_MS ends the
 * process (common/zap_watchdog.h).
 *
 * Edge. Internal to common/link.c. Thread-safe but for start and join.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"

#define ZAP_DOMAIN       "leaseherd"
#define ZAP_ENROL_DOMAIN "leaseherd-enrol"
#define ZAP_KEY_PROPERTY "X-Leaseherd-Key"

enum { ZAP_ADDRESS_BYTES = 64, ZAP_DEADLINE_MS = 2000 };

enum zap_admits { ZAP_ADMITS_LISTED, ZAP_ADMITS_ANY_KEY };

struct zap;

struct zap_refusal {
    uint64_t count; /* since zap_start */
    char address[ZAP_ADDRESS_BYTES];
    char key_z85[KEY_Z85_BYTES];
    char expired_name[KEY_NAME_BYTES]; /* whose key it is when it is only out of date, else "" */
};

const char *zap_domain(enum zap_admits admits);

/* `zmq_context` is a void * of zmq_ctx_new(). 0 or -errno. Any key: the list is not looked at. */
NODISCARD int zap_start(void *zmq_context, enum zap_admits admits, const struct key_list *list,
                        struct zap **out);

/* Replaces the list by a copy of `list`. 0 or -ENOMEM, then the old one stays. */
NODISCARD int zap_replace(struct zap *zap, const struct key_list *list);

/* After zmq_ctx_shutdown(): waits for the thread and frees. NULL is fine. */
void zap_join(struct zap *zap);

/* The entry of a key as of now; false when it is not listed (any more) or out of date. */
bool zap_find(struct zap *zap, const uint8_t public_key[KEY_BYTES], struct key_entry *out);

/* The last refusal; false when none came since the last call. */
bool zap_take_refusal(struct zap *zap, struct zap_refusal *out);

/* Takes back the refusal the self-test provoked. */
void zap_forget_refusal(struct zap *zap);

/* The watchdog's next question is about this key: its refusal is told to nobody. */
void zap_expect_probe(struct zap *zap, const uint8_t key[KEY_BYTES]);

/* Says on stderr and in the log that nobody guards the door any more, and ends the process. */
_Noreturn void zap_fail_closed(const char *why);
