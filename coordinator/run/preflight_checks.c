/* SPDX-License-Identifier: MIT */
#include "coordinator/run/preflight_checks.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/schema.h"

static const char *const names[CHECK_ID_COUNT + 2] = {
    [CHECK_SOCKETS] = "sockets",
    [CHECK_LISTENERS] = "listeners",
    [CHECK_ADDRESSES] = "addresses",
    [CHECK_ROUTES] = "routes",
    [CHECK_RP_FILTER] = "rp-filter",
    [CHECK_RECEIVE_BUFFER] = "receive-buffer",
    [CHECK_OPEN_FILES] = "open-files",
    [CHECK_CLOCK] = "clock",
    [CHECK_CPUS] = "cpus",
    [CHECK_PING] = "ping-answers",
    [CHECK_ANSWERS] = "answers",
    [CHECK_CLIENT_PATH] = "client-path",
    [CHECK_SERVER_PATH] = "server-path",
    [CHECK_POOL_SIZE] = "pool-size",
    [CHECK_LEASE_TIME] = "lease-time",
    [CHECK_SUBNET] = "mask-router",
    [CHECK_UNMARKED] = "unmarked-offer",
    [CHECK_ID_COUNT] = "all",
};

const char *preflight_check_name(enum preflight_check_id id)
{
    assert(id < CHECK_ID_COUNT);
    return names[id];
}

const char *preflight_result_name(enum preflight_check_result result)
{
    static const char *const words[CHECK_RESULT_COUNT] = {[CHECK_PASSED] = "pass",
                                                          [CHECK_WARNED] = "warning",
                                                          [CHECK_FAILED] = "fail",
                                                          [CHECK_NOT_KNOWN] = "unknown",
                                                          [CHECK_SKIPPED] = "skipped"};
    assert(result < CHECK_RESULT_COUNT);
    return words[result];
}

/* Without these there is no address to lease and no path to take. */
static bool is_needed(enum preflight_check_id id)
{
    return id == CHECK_SOCKETS || id == CHECK_ANSWERS || id == CHECK_CLIENT_PATH;
}

static bool skip_word(const char *word, uint32_t *skip, char why[PREFLIGHT_SKIP_WHY_BYTES])
{
    enum preflight_check_id id = 0;
    while (id < CHECK_ID_COUNT && strcmp(names[id], word) != 0) {
        id++;
    }
    if (id == CHECK_ID_COUNT && strcmp(word, names[CHECK_ID_COUNT]) == 0) {
        *skip = PREFLIGHT_SKIP_ALL;
        return true;
    }
    if (id == CHECK_ID_COUNT) {
        const char *near = schema_nearest(word, names);
        (void)snprintf(
            why, PREFLIGHT_SKIP_WHY_BYTES,
            "--no-preflight: there is no check '%.40s'%s%s; leaseherd(1) lists them, and "
            "all is all of them",
            word, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
        return false;
    }
    if (is_needed(id)) {
        (void)snprintf(
            why, PREFLIGHT_SKIP_WHY_BYTES,
            "--no-preflight: '%s' decides how the run is played; only --no-preflight all "
            "does without it",
            word);
        return false;
    }
    *skip |= UINT32_C(1) << id;
    return true;
}

bool preflight_skip_parse(const char *text, uint32_t *skip, char why[PREFLIGHT_SKIP_WHY_BYTES])
{
    enum { WORD_BYTES = 32 };
    for (const char *at = text;;) {
        char word[WORD_BYTES];
        size_t length = strcspn(at, ",");
        (void)snprintf(word, sizeof(word), "%.*s",
                       (int)(length < WORD_BYTES ? length : WORD_BYTES - 1), at);
        if (!skip_word(word, skip, why)) {
            return false;
        }
        if (at[length] == '\0') {
            return true;
        }
        at += length + 1;
    }
}

static unsigned rank_of(enum preflight_check_result result)
{
    return result == CHECK_FAILED ? 2 : result == CHECK_WARNED ? 1 : 0;
}

/* A row of its own; or, when the check has had all of its rows, that of something less bad. */
static struct preflight_check *row_for(struct preflight_checks *out, enum preflight_check_id id,
                                       enum preflight_check_result result)
{
    struct preflight_check *mildest = NULL;
    if (out->of_id[id]++ < PREFLIGHT_EACH_MAX && out->count < PREFLIGHT_CHECKS_MAX) {
        return &out->item[out->count++];
    }
    for (size_t i = 0; i < out->count; i++) {
        struct preflight_check *c = &out->item[i];
        bool is_milder = c->id == id && c->result != CHECK_SKIPPED &&
                         rank_of(c->result) < rank_of(result) &&
                         (mildest == NULL || rank_of(c->result) < rank_of(mildest->result));
        mildest = is_milder ? c : mildest;
    }
    return mildest;
}

struct preflight_check *preflight_say(struct preflight_checks *out, enum preflight_check_id id,
                                      enum preflight_check_result result, const char *where,
                                      const char *remedy, const char *format, ...)
{
    assert(id < CHECK_ID_COUNT);
    struct preflight_check *check = row_for(out, id, result);
    if (check == NULL) {
        return NULL;
    }
    bool is_skipped = (out->skip & UINT32_C(1) << id) != 0;
    *check = (struct preflight_check){
        .id = id, .finding = names[id], .result = is_skipped ? CHECK_SKIPPED : result};
    (void)snprintf(check->where, sizeof(check->where), "%s", is_skipped ? "" : where);
    if (is_skipped) {
        out->of_id[id] = PREFLIGHT_EACH_MAX; /* once is enough */
        (void)snprintf(check->text, sizeof(check->text), "skipped by --no-preflight");
        return check;
    }
    (void)snprintf(check->remedy, sizeof(check->remedy), "%s", remedy);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(check->text, sizeof(check->text), format, args);
    va_end(args);
    return check;
}

bool preflight_is_silent(const struct preflight_checks *out, enum preflight_check_id id)
{
    return out->of_id[id] == 0;
}
