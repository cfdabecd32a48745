/* SPDX-License-Identifier: MIT */
/* What an audit reads besides ledger and captures: log, report, the servers' lease files. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/cmd/audit_read.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/run/lease_source.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_log.h"

#define LOG_BYTES_MAX    ((size_t)1 << 30)
#define REPORT_BYTES_MAX ((size_t)256 << 20)
enum { HEADING_BYTES = 64 };

static int failed(const char *path, int error)
{
    if (error == -ENOMEM) {
        (void)fprintf(stderr, "leaseherd audit: out of memory while reading %s\n", path);
        return CMD_INTERNAL;
    }
    return cmd_usage_error("audit", "cannot read %s: %s", path, strerror(-error));
}

/* --- the report --- */

static void compare_count(struct audit *a, const json_t *parent, const char *key, uint64_t seen)
{
    const json_t *value = json_object_get(parent, key);
    if (!json_is_integer(value)) {
        audit_differs(&a->notes, "report.json: it has no %s", key);
        return;
    }
    (void)audit_equal(&a->notes, (uint64_t)json_integer_value(value), seen, "in the report",
                      "in the ledger", "report.json: %s", key);
}

static void compare_report(struct audit *a, const json_t *report)
{
    const struct result_leases all = a->rows.leases;
    const json_t *leases = json_object_get(report, "leases");
    compare_count(a, json_object_get(report, "accounting"), "ledger_events", a->rows.total);
    compare_count(a, leases, "acquired", all.acquired);
    compare_count(a, leases, "reacquired", all.reacquired);
    compare_count(a, leases, "renewed", all.renewed);
    compare_count(a, leases, "rebound", all.rebound);
    compare_count(a, leases, "expired", all.expired);
    compare_count(a, leases, "released", all.released);
    compare_count(a, leases, "failed", all.failed);
}

/* Its value of the log's chain into `chain`, empty where there is none. */
static int read_report(struct audit *a, char chain[LOG_CHAIN_TEXT_BYTES])
{
    char path[RUN_DIR_PATH_BYTES], *text = NULL;
    size_t size = 0;
    json_error_t why;
    chain[0] = '\0';
    int error = cmd_read_file(run_dir_path(a->run_dir, "report.json", path), REPORT_BYTES_MAX,
                              &text, &size);
    if (error == -ENOENT) {
        audit_differs(&a->notes, "report.json is not there: the run has not come to its end "
                                 "(leaseherd resume goes on with it)");
        return CMD_PASS;
    }
    if (error < 0) {
        return failed(path, error);
    }
    json_t *report = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (report == NULL) {
        return cmd_usage_error("audit", "%s is damaged (%.80s)", path, why.text);
    }
    a->has_report = true;
    const char *value = json_string_value(json_object_get(report, "log_chain"));
    (void)snprintf(chain, LOG_CHAIN_TEXT_BYTES, "%s", value == NULL ? "" : value);
    if (value == NULL) {
        audit_differs(&a->notes, "report.json: it names no value of the log's chain");
    }
    compare_report(a, report);
    json_decref(report);
    return CMD_PASS;
}

/* --- the log --- */

static int hash_file(const struct audit *a, const char *name, char out[RUN_LOG_HASH_TEXT_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    return run_log_hash_file(run_dir_path(a->run_dir, name, path), out);
}

int audit_read_log(struct audit *a)
{
    char path[RUN_DIR_PATH_BYTES], chain[LOG_CHAIN_TEXT_BYTES];
    char plan[RUN_LOG_HASH_TEXT_BYTES], scenario[RUN_LOG_HASH_TEXT_BYTES];
    char ledger[RUN_LOG_HASH_TEXT_BYTES];
    struct audit_log_facts facts = {0};
    char *text = NULL;
    int code = read_report(a, chain);
    if (code != CMD_PASS) {
        return code;
    }
    int error = hash_file(a, "plan.bin", plan);
    bool has_scenario = hash_file(a, "scenario.yaml", scenario) == 0;
    bool has_ledger = hash_file(a, "ledger.db", ledger) == 0;
    if (error == 0) {
        error = cmd_read_file(run_dir_path(a->run_dir, "coordinator.log", path), LOG_BYTES_MAX,
                              &text, &facts.size);
    }
    if (error == -ENOENT) {
        audit_differs(&a->notes, "coordinator.log is not there");
        return CMD_PASS;
    }
    if (error < 0) {
        return failed(path, error);
    }
    facts.text = text;
    facts.chain = chain[0] == '\0' ? NULL : chain;
    facts.plan_hash = plan;
    facts.ledger_hash = has_ledger ? ledger : NULL;
    facts.scenario_hash = has_scenario ? scenario : NULL;
    a->log_lines = audit_log(&facts, &a->notes);
    free(text);
    return CMD_PASS;
}

/* --- lease files --- */

/* The run's end, on both clocks; false: no agent's final counters tell it. */
static bool end_of_run(const struct audit *a, struct ledger_instant *out)
{
    bool is_known = false;
    for (size_t i = 0; i < a->agent_count; i++) {
        const struct ledger_final *f = &a->agents[i].final;
        if (f->has_instant && (!is_known || f->at.wall_s >= out->wall_s)) {
            *out = f->at;
            is_known = true;
        }
    }
    return is_known;
}

/* Kea's begins with the names of its columns; all else must read as dhcpd's. */
static int read_book(const char *path, uint64_t at_s, struct lease_book *out)
{
    static const char kea[] = "address,";
    char heading[HEADING_BYTES] = "", why[LEASE_SOURCE_WHY_BYTES];
    struct scenario_server server = {.lease_source = LEASES_DHCPD_FILE};
    if (strlen(path) >= sizeof(server.lease_path)) {
        return cmd_usage_error("audit",
                               "the path of a lease file has more than %zu bytes; go to its "
                               "directory and name it from there",
                               sizeof(server.lease_path) - 1);
    }
    (void)snprintf(server.name, sizeof(server.name), "of the file");
    (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
    FILE *file = cmd_open_file(path);
    if (file == NULL) {
        return cmd_usage_error("audit", "cannot read the lease file %s: %s", path, strerror(errno));
    }
    size_t got = fread(heading, 1, sizeof(heading) - 1, file); /* less: another kind */
    heading[got] = '\0';
    (void)fclose(file);
    if (strncmp(heading, kea, sizeof(kea) - 1) == 0) {
        server.lease_source = LEASES_KEA_FILE;
    }
    int error = lease_source_read(&server, at_s, out, why);
    if (error == -ENOMEM) {
        return failed(path, error);
    }
    return error < 0 ? cmd_usage_error("audit", "%s", why) : CMD_PASS;
}

int audit_read_leases(struct audit *a, const char *const *paths, size_t count)
{
    struct ledger_instant end = {0};
    struct lease_book *books = calloc(count + 1, sizeof(*books));
    if (books == NULL) {
        return failed("lease files", -ENOMEM);
    }
    if (!end_of_run(a, &end)) {
        end = (struct ledger_instant){.run_us = (int64_t)a->rows.last_ms * 1000,
                                      .wall_s = clock_realtime_ns() / NS_PER_S};
        audit_differs(&a->notes, "lease files: when the run ended is not known, they are read as "
                                 "of now");
    }
    int code = CMD_PASS;
    for (size_t i = 0; i < count && code == CMD_PASS; i++) {
        code = read_book(paths[i], end.wall_s, &books[i]);
    }
    if (code == CMD_PASS) {
        bool is_good = true;
        a->lease_file_count = count;
        a->leases_compared = audit_leases_compare(&a->leases, &a->plan, end.run_us, books, count,
                                                  &a->notes, &is_good);
        code = is_good ? CMD_PASS : failed("lease files", -ENOMEM);
    }
    for (size_t i = 0; i < count; i++) {
        lease_book_fini(&books[i]);
    }
    free(books);
    return code;
}
