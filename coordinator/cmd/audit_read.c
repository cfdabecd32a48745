/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/audit_read.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_pcap.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/run/returning.h"
#include "coordinator/run/run_dir.h"

static int no_memory(void)
{
    (void)fputs("leaseherd audit: out of memory\n", stderr);
    return CMD_INTERNAL;
}

void audit_free(struct audit *a)
{
    audit_capture_fini(&a->capture);
    audit_leases_fini(&a->leases);
    audit_rows_fini(&a->rows);
    audit_notes_fini(&a->notes);
    free(a->agents);
    free(a->shares);
    plan_free(&a->plan);
}

/* --- the ledger --- */

static int ledger_failed(const char *path, int error, const struct ledger *ledger)
{
    const char *why = ledger_why(ledger);
    switch (error) {
    case -ENOMEM:
        return no_memory();
    case -EBADMSG:
        return cmd_usage_error("audit", "%s is not a ledger of Leaseherd, or is damaged%s%s", path,
                               why[0] == '\0' ? "" : ": ", why);
    case -EPROTONOSUPPORT:
        return cmd_usage_error("audit",
                               "%s was written by another version of Leaseherd; use that version "
                               "to audit it",
                               path);
    case -EIO:
        (void)fprintf(stderr, "leaseherd audit: cannot read %s: %s\n", path, why);
        return CMD_INTERNAL;
    default:
        return cmd_usage_error("audit",
                               "cannot read %s: %s; give the directory that `leaseherd run` named",
                               path, strerror(-error));
    }
}

static bool take_event(void *context, uint32_t agent, const struct event *e, int64_t run_us,
                       uint64_t uncertainty_us)
{
    struct audit *a = context;
    (void)uncertainty_us;
    bool is_history = audit_rows_is_history(&a->rows, agent, e->client);
    return audit_rows_add(&a->rows, agent, e, run_us) &&
           (is_history || audit_leases_event(&a->leases, e, run_us));
}

static bool take_entry(void *context, const struct journal_entry *entry)
{
    struct audit *a = context;
    if (entry->kind == JOURNAL_AGENT_LOST && entry->a < a->agent_count) {
        a->agents[entry->a].is_lost = true;
    }
    a->resumed += entry->kind == JOURNAL_RESUMED;
    /* See run_reassign.h: the agent they go to, first client and how many. */
    return entry->kind != JOURNAL_MOVE ||
           audit_rows_move(&a->rows, (uint32_t)entry->c, (uint32_t)(entry->c >> 32), entry->a);
}

static int name_agents(struct audit *a, struct ledger *ledger)
{
    struct ledger_agent *list = NULL;
    int error = ledger_read_agents(ledger, &list, &a->agent_count);
    if (error < 0) {
        return error;
    }
    struct ledger_final *finals = calloc(a->agent_count + 1, sizeof(*finals));
    a->agents = calloc(a->agent_count + 1, sizeof(*a->agents));
    error = finals == NULL || a->agents == NULL
                ? -ENOMEM
                : ledger_read_finals(ledger, finals, a->agent_count);
    for (size_t i = 0; error == 0 && i < a->agent_count; i++) {
        (void)snprintf(a->agents[i].name, sizeof(a->agents[i].name), "%s", list[i].name);
        a->agents[i].final = finals[i];
        a->agents[i].stream_seq = ledger_committed(ledger, (uint32_t)i);
        a->agents[i].stream_events = ledger_totals(ledger, (uint32_t)i).events;
    }
    free(finals);
    free(list);
    return error;
}

static int read_ledger(struct audit *a, struct ledger *ledger)
{
    int error = name_agents(a, ledger);
    if (error == 0) {
        error = ledger_read_shares(ledger, &a->shares, &a->share_count);
    }
    if (error == 0) {
        uint64_t salt = 0;
        randombytes_buf(&salt, sizeof(salt));
        error = audit_rows_init(&a->rows, &a->plan, a->agent_count, salt) ? 0 : -ENOMEM;
    }
    const struct ledger_replay replay = {a, take_event, take_entry};
    if (error == 0) {
        error = ledger_replay(ledger, &replay);
    }
    return error == -ECANCELED ? -ENOMEM : error;
}

/* Another run's ledger beside this plan: nothing would fit, and the reason is this one. */
static bool is_of_plan(struct ledger *ledger, const struct plan *plan)
{
    char name[LEDGER_FACT_BYTES];
    return ledger_fact(ledger, "run", name) && strcmp(name, plan->run_name) == 0;
}

int audit_read_run(const char *run_dir, struct audit *out)
{
    char why[RETURNING_WHY_BYTES], path[RUN_DIR_PATH_BYTES];
    struct ledger *ledger = NULL;
    out->run_dir = run_dir;
    if (!returning_read(run_dir, &out->plan, why)) {
        return cmd_usage_error("audit", "%s", why);
    }
    int error = ledger_open(run_dir_path(run_dir, "ledger.db", path), &ledger);
    if (error == 0 && !is_of_plan(ledger, &out->plan)) {
        ledger_close(ledger);
        return cmd_usage_error("audit", "ledger.db and plan.bin in %s are not of one run", run_dir);
    }
    if (error == 0) {
        error = read_ledger(out, ledger);
    }
    int code = error == 0 ? CMD_PASS : ledger_failed(path, error, ledger);
    ledger_close(ledger);
    return code;
}

/* --- captures --- */

struct reading {
    struct audit_capture *capture;
    uint32_t file;
};

static bool take_frame(void *context, const struct audit_frame *frame, uint64_t at_ns)
{
    const struct reading *r = context;
    return audit_capture_frame(r->capture, r->file, frame, at_ns);
}

int audit_read_captures(struct audit *a, const char *const *paths, size_t count)
{
    char why[AUDIT_PCAP_WHY_BYTES];
    a->capture_count = count;
    if (!audit_capture_init(&a->capture, &a->plan, &a->rows, a->agents, a->shares,
                            a->share_count)) {
        return no_memory();
    }
    for (size_t i = 0; i < count; i++) {
        struct reading r = {.capture = &a->capture, .file = (uint32_t)i};
        struct audit_pcap file;
        int rc = audit_pcap_read(paths[i], take_frame, &r, &file, why);
        if (rc == -ECANCELED || rc == -ENOMEM) {
            return no_memory();
        }
        if (rc < 0) {
            return cmd_usage_error("audit", "%s", why);
        }
        if (file.is_cut) {
            audit_differs(&a->notes,
                          "capture %.200s ends within a packet, after %" PRIu64
                          ": what came then is not in it",
                          paths[i], file.frames);
        }
    }
    if (count > 0 && !audit_capture_is_of_run(&a->capture)) {
        return cmd_usage_error("audit",
                               "not one of the %" PRIu64 " packets in the captures is of a client "
                               "of this run; give captures that were taken while it went on",
                               a->capture.frames);
    }
    if (count > 0) {
        audit_capture_compare(&a->capture, &a->notes);
    }
    return CMD_PASS;
}
