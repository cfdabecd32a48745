/* SPDX-License-Identifier: MIT */
/* leaseherd export RUN [--csv]: every event of the ledger, one line each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/truth/ledger.h"
#include "proto/plan.h"

enum { PATH_BYTES = 4096 };

static const char header[] =
    "run_us,agent,client,mac,relay,stage,kind,result,tries,xid,addr,"
    "server,lease_s,offer_us,took_us,wait_us,first_lease,late_bound,"
    "deadline,offer_seen,foreign_offer,in_pause,outside_subnet,short_lease,"
    "address_changed,wrong_port,preflight,cleanup,mask_changed,early,void\n";

struct export
{
    const struct plan *plan;
    int error;
};

static void put_span(uint32_t us)
{
    if (us == EVENT_SPAN_NONE) {
        (void)fputc(',', stdout);
    } else {
        (void)printf(",%" PRIu32, us);
    }
}

static void put_address(struct ipv4 address)
{
    char text[IPV4_TEXT_BYTES];
    (void)printf(",%s", inet_is_zero(address) ? "" : inet_text(address, text));
}

static void put_client(const struct plan *plan, const struct event *e)
{
    char mac[MAC_TEXT_BYTES];
    if (e->client >= plan->client_count) {
        (void)printf(",%" PRIu32 ",,", e->client);
        return;
    }
    (void)printf(",%" PRIu32 ",%s,%s", e->client, mac_text(plan_client_mac(plan, e->client), mac),
                 plan->relays[plan_relay_of(plan, e->client)].name);
}

static const char *stage_name(const struct plan *plan, const struct event *e)
{
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        return "preflight";
    }
    return e->stage < plan->stage_count ? plan->stages[e->stage].name : "";
}

/* Names hold no comma, quote or space (schema type NAME), so nothing needs quoting. */
static bool put_event(void *context, const char *agent, const struct event *e, int64_t run_us)
{
    struct export *x = context;
    if (!event_is_valid(e)) {
        x->error = -EBADMSG;
        return false;
    }
    (void)printf("%" PRId64 ",%s", run_us, agent);
    put_client(x->plan, e);
    (void)printf(",%s,%s,%s,%u,0x%08" PRIx32, stage_name(x->plan, e),
                 event_kind_name((enum event_kind)e->kind),
                 event_result_name((enum event_result)e->result), e->tries, e->xid);
    put_address(e->addr);
    put_address(e->server);
    (void)printf(",%" PRIu32, e->lease_s);
    put_span(e->offer_us);
    put_span(e->took_us);
    put_span(e->wait_us);
    for (unsigned flag = 1; flag <= EVENT_FLAGS_ALL; flag <<= 1) {
        (void)printf(",%d", (e->flags & flag) != 0);
    }
    if (putchar('\n') == EOF) {
        x->error = -(errno == 0 ? EIO : errno);
        return false;
    }
    return true;
}

static int load_plan(const char *run, struct plan *out)
{
    char path[PATH_BYTES + 16], why[PLAN_WHY_BYTES];
    char *bytes = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof(path), "%s/plan.bin", run);
    int error = cmd_read_file(path, PLAN_BYTES_MAX, &bytes, &size);
    if (error < 0) {
        return cmd_usage_error("export",
                               "cannot read %s: %s; give the directory that `leaseherd "
                               "run` named",
                               path, strerror(-error));
    }
    bool is_good = plan_decode((const uint8_t *)bytes, size, out, why);
    free(bytes);
    return is_good ? CMD_PASS : cmd_usage_error("export", "%s is damaged: %s", path, why);
}

static int open_ledger(const char *run, struct ledger **out)
{
    char path[PATH_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/ledger.db", run);
    int error = ledger_open(path, out);
    switch (error) {
    case 0:
        return CMD_PASS;
    case -EBADMSG:
        return cmd_usage_error("export", "%s is not a ledger of Leaseherd, or is damaged", path);
    case -EPROTONOSUPPORT:
        return cmd_usage_error("export",
                               "%s was written by another version of Leaseherd; use that "
                               "version to export it",
                               path);
    default:
        return cmd_usage_error("export", "cannot read %s: %s", path, strerror(-error));
    }
}

static int export_run(const char *run)
{
    struct plan plan = {0};
    struct ledger *ledger = NULL;
    int code = load_plan(run, &plan);
    if (code != CMD_PASS) {
        return code;
    }
    code = open_ledger(run, &ledger);
    if (code != CMD_PASS) {
        plan_free(&plan);
        return code;
    }
    struct export x = {.plan = &plan};
    (void)fputs(header, stdout);
    int error = ledger_walk(ledger, put_event, &x);
    error = x.error < 0 ? x.error : error;
    if (error == 0 && fflush(stdout) != 0) {
        error = -errno;
    }
    if (error < 0) {
        (void)fprintf(stderr, "leaseherd export: stopped: %s %s\n", strerror(-error),
                      ledger_why(ledger));
        code = CMD_INTERNAL;
    }
    ledger_close(ledger);
    plan_free(&plan);
    return code;
}

int cmd_export(int argc, char **argv)
{
    struct option_row rows[] = {{.name = "--csv", .help = "comma-separated values (the default)"}};
    const char *args[1] = {NULL};
    size_t arg_count = 0;
    char why[OPTIONS_WHY_BYTES];
    if (options_want_help(argc, argv)) {
        (void)printf("usage: leaseherd export RUN [--csv]\n"
                     "Prints every event of a run's ledger; RUN is its run directory.\n\n");
        options_print(stdout, rows, ARRAY_LEN(rows));
        (void)printf("\nExit code: 0 done, 2 usage or a file that is not what it should be, 6 "
                     "internal.\n");
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, ARRAY_LEN(rows), args, 1, &arg_count, why)) {
        return cmd_usage_error("export", "%s", why);
    }
    if (arg_count == 0) {
        return cmd_usage_error("export", "which run? give its run directory");
    }
    if (strlen(args[0]) > PATH_BYTES - 32) {
        return cmd_usage_error("export", "the path of the run directory is too long");
    }
    return export_run(args[0]);
}
