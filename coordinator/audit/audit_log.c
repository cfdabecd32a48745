/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/audit/log_chain.h"

enum { VALUE_BYTES = 80 };

/* The value of " key=" in a line; false: it has none, or a longer one than any of ours. */
static bool value_of(const char *line, size_t size, const char *key, char out[VALUE_BYTES])
{
    char mark[48];
    int mark_size = snprintf(mark, sizeof(mark), " %s=", key);
    const char *at = memmem(line, size, mark, (size_t)mark_size);
    if (at == NULL) {
        return false;
    }
    at += mark_size;
    size_t length = 0, left = size - (size_t)(at - line);
    while (length < left && at[length] != ' ') {
        length++;
    }
    if (length >= VALUE_BYTES) {
        return false;
    }
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}

struct hashes {
    uint64_t signed_count, ready_count, ready_bad, lines;
    bool is_plan_good, is_scenario_good, has_scenario, has_ledger, is_ledger_good;
    uint64_t first_bad_ready; /* line */
};

static void look(const struct audit_log_facts *f, const char *line, size_t size, struct hashes *h)
{
    char what[VALUE_BYTES], hash[VALUE_BYTES];
    h->lines++;
    if (!value_of(line, size, "what", what)) {
        return;
    }
    if (strcmp(what, "plan_signed") == 0) {
        h->signed_count++;
        h->is_plan_good =
            value_of(line, size, "plan_hash", hash) && strcmp(hash, f->plan_hash) == 0;
    } else if (strcmp(what, "agent_ready") == 0) {
        bool is_good = value_of(line, size, "plan_hash", hash) && strcmp(hash, f->plan_hash) == 0;
        h->first_bad_ready = !is_good && h->ready_bad == 0 ? h->lines : h->first_bad_ready;
        h->ready_count++;
        h->ready_bad += !is_good;
    } else if (strcmp(what, "ledger_closed") == 0 && f->ledger_hash != NULL) {
        h->has_ledger = true;
        h->is_ledger_good =
            value_of(line, size, "ledger_hash", hash) && strcmp(hash, f->ledger_hash) == 0;
    } else if (strcmp(what, "scenario") == 0 && f->scenario_hash != NULL) {
        h->has_scenario = true;
        h->is_scenario_good =
            value_of(line, size, "scenario_hash", hash) && strcmp(hash, f->scenario_hash) == 0;
    }
}

static void compare_hashes(const struct audit_log_facts *f, struct audit_notes *notes)
{
    struct hashes h = {0};
    for (size_t at = 0; at < f->size;) {
        const char *end = memchr(f->text + at, '\n', f->size - at);
        size_t length = end == NULL ? f->size - at : (size_t)(end - f->text) - at;
        look(f, f->text + at, length, &h);
        at += length + 1;
    }
    if (h.signed_count == 0) {
        audit_differs(notes, "coordinator.log: it names no plan that was signed");
    } else if (!h.is_plan_good) {
        audit_differs(notes, "plan.bin is not the plan that coordinator.log says was signed");
    }
    if (h.ready_bad > 0) {
        audit_differs(notes,
                      "coordinator.log: %" PRIu64 " of %" PRIu64 " agents were ready for another "
                      "plan than plan.bin; first in line %" PRIu64,
                      h.ready_bad, h.ready_count, h.first_bad_ready);
    }
    if (h.has_ledger && !h.is_ledger_good) {
        audit_differs(notes, "ledger.db is not as the run closed it: coordinator.log has another "
                             "ledger_hash");
    }
    if (h.has_scenario && !h.is_scenario_good) {
        audit_note(notes, AUDIT_REMARK,
                   "scenario.yaml is not as the run wrote it (for a clean-up `leases:` may have "
                   "been added)");
    }
}

uint64_t audit_log(const struct audit_log_facts *facts, struct audit_notes *notes)
{
    struct log_chain_verdict v;
    log_chain_verify(facts->text, facts->size, facts->chain, &v);
    if (v.lines == 0) {
        audit_differs(notes, "coordinator.log is empty");
        return 0;
    }
    if (v.bad_line > 0) {
        audit_differs(notes,
                      "coordinator.log: line %" PRIu64 " does not follow from those before it: it "
                      "was changed, or lines before it were taken out or put in",
                      v.bad_line);
    }
    if (v.is_cut) {
        audit_differs(notes, "coordinator.log: its last line has no end");
    }
    if (facts->chain != NULL && v.expected_line == 0) {
        audit_differs(notes,
                      "coordinator.log: no line carries the value %.40s that the report names: "
                      "its end is missing, or it was rewritten",
                      facts->chain);
    } else if (facts->chain != NULL && v.expected_line < v.lines) {
        audit_note(notes, AUDIT_REMARK,
                   "coordinator.log: %" PRIu64 " lines came after the report was written",
                   v.lines - v.expected_line);
    }
    compare_hashes(facts, notes);
    return v.lines;
}
