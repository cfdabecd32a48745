/* SPDX-License-Identifier: MIT */
/*
 * Asks the ZAP handler of a context once a second about a key that nobody has. No
 * answer within ZAP_DEADLINE_MS, or any other than a refusal, and the process is
 * aborted: a door without a guard must not stay open. A process that was stopped
 * and goes on is not aborted: the deadline is counted in turns of this thread.
 *
 * Edge. Internal to common/zap.c. A thread of its own.
 */
#pragma once

#include "common/attrs.h"

struct zap;
struct zap_watchdog;

/* The handler must be bound. 0 or -errno. */
NODISCARD int zap_watchdog_start(void *zmq_context, struct zap *zap, struct zap_watchdog **out);

/* After zmq_ctx_shutdown(). NULL is fine. */
void zap_watchdog_join(struct zap_watchdog *watchdog);
