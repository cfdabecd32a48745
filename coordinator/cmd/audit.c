/* SPDX-License-Identifier: MIT */
/* leaseherd audit RUN: what a run has written, against itself, captures and lease files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cmd/audit_read.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_lock.h"

enum { OPT_PCAP, OPT_LEASES, OPT_COUNT, FILES_MAX = 64 };

static void help(const struct option_row *rows)
{
    (void)printf(
        "usage: leaseherd audit RUN [--pcap FILE]... [--leases FILE]...\n\n"
        "Compares what a run has written: every agent's final counters with the ledger, per kind\n"
        "and server; both with captures, packet by packet; what the ledger says is leased at the\n"
        "end with the servers' lease files; and coordinator.log with its own chain, the report\n"
        "and the plan. Prints a line for each difference.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    (void)printf("\nExit code: 0 nothing differs; 1 something does, or is missing; 2 usage, a "
                 "file that cannot be\nread as what it should be, or a run that ended before any "
                 "load; 6 internal or resource.\n");
}

static int refuse_running(const char *run_dir)
{
    char why[RUN_LOCK_WHY_BYTES];
    struct run_owner owner;
    int rc = run_owner_find(run_dir, &owner, why);
    if (rc == 0) {
        long pid = (long)owner.pid;
        run_owner_fini(&owner);
        return cmd_usage_error("audit", "the run is still going on (process %ld); wait for its end",
                               pid);
    }
    return rc == -EREMOTE ? cmd_usage_error("audit", "%s", why) : CMD_PASS;
}

/* What never had any load has no final counters either, and nothing is wrong with that. */
static int refuse_unbegun(const char *run_dir)
{
    enum run_found found = run_found(run_dir);
    if (found == RUN_FOUND_NONE) {
        return cmd_no_run("audit", run_dir);
    }
    return found == RUN_FOUND_UNBEGUN
               ? cmd_usage_error("audit",
                                 "the run in %s ended before any load; there is nothing to compare",
                                 run_dir)
               : CMD_PASS;
}

static void print_notes(const struct audit_notes *notes)
{
    static const char *const words[] = {[AUDIT_DIFFERS] = "differs",
                                        [AUDIT_NOT_COMPARED] = "not compared",
                                        [AUDIT_REMARK] = "note"};
    for (size_t i = 0; i < notes->count; i++) {
        (void)printf("%s: %s\n", words[notes->note[i].kind], notes->note[i].text);
    }
}

/* What was compared, and what there was nothing to compare with. */
static void print_closing(const struct audit *a)
{
    size_t finals = 0;
    for (size_t i = 0; i < a->agent_count; i++) {
        finals += a->agents[i].final.is_known;
    }
    (void)printf("compared: %" PRIu64 " events of %zu agents with the final counters of %zu; "
                 "coordinator.log, %" PRIu64 " lines",
                 a->rows.total, a->agent_count, finals, a->log_lines);
    if (a->resumed > 0) {
        (void)printf(", the run resumed %" PRIu64 " time%s", a->resumed,
                     a->resumed == 1 ? "" : "s");
    }
    if (a->capture_count > 0) {
        (void)printf("; %" PRIu64 " packets of the run in %zu captures (%" PRIu64
                     " of them seen again elsewhere)",
                     a->capture.datagrams, a->capture_count, a->capture.seen_again);
    }
    if (a->lease_file_count > 0) {
        (void)printf("; %" PRIu64 " leases held at the end with %zu lease files",
                     a->leases_compared, a->lease_file_count);
    }
    (void)puts("");
    if (a->capture_count == 0 || a->lease_file_count == 0) {
        (void)printf("not compared: %s%s%s\n", a->capture_count == 0 ? "captures (none given)" : "",
                     a->capture_count == 0 && a->lease_file_count == 0 ? ", " : "",
                     a->lease_file_count == 0 ? "lease files (none given)" : "");
    }
    (void)printf(a->notes.differences == 0 ? "nothing differs\n" : "%" PRIu64 " differences\n",
                 a->notes.differences);
}

static int audit_run(const char *run_dir, const struct option_row *rows)
{
    struct audit a = {0};
    int code = audit_read_run(run_dir, &a);
    if (code == CMD_PASS) {
        audit_books(&a.plan, &a.rows, a.agents, a.agent_count, &a.notes);
        code = audit_read_log(&a);
    }
    if (code == CMD_PASS && rows[OPT_PCAP].is_given) {
        code = audit_read_captures(&a, rows[OPT_PCAP].list, rows[OPT_PCAP].list_count);
    }
    if (code == CMD_PASS && rows[OPT_LEASES].is_given) {
        code = audit_read_leases(&a, rows[OPT_LEASES].list, rows[OPT_LEASES].list_count);
    }
    if (code == CMD_PASS && a.notes.is_out_of_memory) {
        (void)fputs("leaseherd audit: out of memory\n", stderr);
        code = CMD_INTERNAL;
    }
    if (code == CMD_PASS) {
        print_notes(&a.notes);
        print_closing(&a);
        code = a.notes.differences == 0 ? CMD_PASS : CMD_FAIL;
    }
    audit_free(&a);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "leaseherd audit: cannot write: %s\n", strerror(errno));
        code = CMD_INTERNAL;
    }
    return code;
}

int cmd_audit(int argc, char **argv)
{
    const char *pcaps[FILES_MAX], *leases[FILES_MAX], *run_dir = NULL;
    struct option_row rows[OPT_COUNT] = {
        [OPT_PCAP] = {.name = "--pcap",
                      .value = "FILE",
                      .help = "a capture of the run, pcap or pcapng; may be given more than once",
                      .list = pcaps,
                      .list_max = FILES_MAX},
        [OPT_LEASES] = {.name = "--leases",
                        .value = "FILE",
                        .help = "dhcpd.leases or kea-leases4.csv of a server, as of the run's end; "
                                "likewise",
                        .list = leases,
                        .list_max = FILES_MAX},
    };
    char why[OPTIONS_WHY_BYTES];
    size_t count = 0;
    if (options_want_help(argc, argv)) {
        help(rows);
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, OPT_COUNT, &run_dir, 1, &count, why)) {
        return cmd_usage_error("audit", "%s", why);
    }
    if (count != 1) {
        return cmd_usage_error("audit", "which run? leaseherd audit RUN [--pcap FILE]...");
    }
    if (strlen(run_dir) >= RUN_DIR_PATH_BYTES - 32) {
        return cmd_usage_error("audit", "the path of the run directory is too long");
    }
    int code = refuse_running(run_dir);
    code = code == CMD_PASS ? refuse_unbegun(run_dir) : code;
    return code == CMD_PASS ? audit_run(run_dir, rows) : code;
}
