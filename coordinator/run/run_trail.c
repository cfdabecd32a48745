/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_trail.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "common/log.h"
#include "coordinator/run/run_log.h"

enum { EXIT_INTERNAL = 6 };

int run_trail_open(struct run *run, const char *what)
{
    char why[RUN_DIR_WHY_BYTES];
    if (run_log_open(run->dir, why) < 0) {
        (void)fprintf(stderr, "leaseherd run: %s\n", why);
        return EXIT_INTERNAL;
    }
    run_log_process(what, run->plan.run_name);
    return 0;
}

void run_trail_scenario(const struct run *run, const void *text, size_t size)
{
    char hash[RUN_LOG_HASH_TEXT_BYTES];
    log_info("what=scenario name=%s file=\"%.300s\" scenario_hash=%s", run->scenario->name,
             run->options->scenario_path, run_log_hash(text, size, hash));
}

static const char *digits(const uint8_t hash[PLAN_HASH_BYTES], char out[2 * PLAN_HASH_BYTES + 1])
{
    return sodium_bin2hex(out, 2 * PLAN_HASH_BYTES + 1, hash, PLAN_HASH_BYTES);
}

void run_trail_sealed(const struct run *run)
{
    char hash[2 * PLAN_HASH_BYTES + 1];
    char key[sodium_base64_ENCODED_LEN(SIGN_PUBLIC_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    log_info("what=plan_signed plan_hash=%s operator=%s agents=%zu clients=%" PRIu32,
             digits(run->plan_hash, hash),
             sodium_bin2base64(key, sizeof(key), run->plan_sig.operator_key, SIGN_PUBLIC_BYTES,
                               sodium_base64_VARIANT_ORIGINAL),
             run->roster.count, run->plan.client_count);
}

void run_trail_ready(const struct run *run, const struct roster_agent *a, uint64_t memory_bytes)
{
    char hash[2 * PLAN_HASH_BYTES + 1];
    log_info("what=agent_ready agent=%s clients=%" PRIu64 " memory_bytes=%" PRIu64 " plan_hash=%s",
             a->name, a->hand.clients, memory_bytes, digits(run->plan_hash, hash));
}

void run_trail_signal(const struct signalfd_siginfo *info, bool is_at_once)
{
    /* No names: to look them up is no call that a confined coordinator may make. */
    log_warn("what=told_to_stop signal=%" PRIu32 " sender_pid=%" PRIu32 " sender_uid=%" PRIu32
             " at_once=%d",
             info->ssi_signo, info->ssi_pid, info->ssi_uid, is_at_once);
}

void run_trail_ledger(const struct run *run)
{
    char path[RUN_DIR_PATH_BYTES], hash[RUN_LOG_HASH_TEXT_BYTES];
    uint64_t events = 0;
    for (uint32_t i = 0; i < run->roster.count; i++) {
        events += ledger_totals(run->ledger, i).events;
    }
    if (run_log_hash_file(run_dir_path(run->dir, "ledger.db", path), hash) == 0) {
        log_info("what=ledger_closed events=%" PRIu64 " ledger_hash=%s", events, hash);
    }
}

void run_trail_verdict(struct result *result, int exit_code)
{
    log_info("what=verdict result=%s exit_code=%d reason=\"%.200s\"",
             verdict_name(result->verdict.result), exit_code,
             result->verdict.reason_count > 0 ? result->verdict.reasons[0] : "");
    (void)run_log_head(result->log_chain);
}
