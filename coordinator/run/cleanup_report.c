/* SPDX-License-Identifier: MIT */
#include "coordinator/run/cleanup_report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "coordinator/run/lease_source.h"
#include "coordinator/run/run_dir.h"

enum { LIST_MAX = 10000, LIST_TEXT_MAX = 20 };

void cleanup_report_before(FILE *to, const struct leases_left *left,
                           const struct left_tally *before)
{
    (void)fprintf(to,
                  "left behind: %" PRIu64 " leases held, %" PRIu64
                  " released without any server having confirmed it, %" PRIu64
                  " only the servers know of; %zu addresses declined\n"
                  "the servers' books say: %" PRIu64 " active, %" PRIu64 " free, %" PRIu64
                  " unknown\n",
                  before->held, before->released, before->found, left->declined.count,
                  before->active, before->confirmed, before->unconfirmed);
}

/* --- text --- */

static void print_sources(FILE *to, const struct scenario *scenario)
{
    const struct scenario_server *servers = scenario->servers.items;
    for (size_t i = 0; i < scenario->servers.count; i++) {
        char name[LEASE_SOURCE_NAME_BYTES];
        if (servers[i].lease_source == LEASES_UNKNOWN) {
            (void)fprintf(to,
                          "server %s: its book is not known; give `leases:` in the scenario's "
                          "servers (leaseherd-scenario(5))\n",
                          servers[i].name);
        } else {
            (void)fprintf(to, "server %s: confirmed by %s\n", servers[i].name,
                          lease_source_name(&servers[i], name));
        }
    }
}

static void print_list(FILE *to, const struct leases_left *left, enum left_proof proof,
                       const char *what)
{
    size_t shown = 0, all = 0;
    for (size_t i = 0; i < left->count; i++) {
        char addr[IPV4_TEXT_BYTES], server[IPV4_TEXT_BYTES];
        const struct left_lease *lease = &left->list[i];
        struct ipv4 at = proof == LEFT_ACTIVE ? lease->active_at : lease->server;
        if (lease->proof != proof || all++ >= LIST_TEXT_MAX) {
            continue;
        }
        shown++;
        (void)fprintf(to, "  %s  client %" PRIu32 "  %s at %s\n", inet_text(lease->addr, addr),
                      lease->client, what, inet_text(at, server));
    }
    if (all > shown) {
        (void)fprintf(to, "  and %zu more in cleanup.json\n", all - shown);
    }
}

/* A declined address stays out of use until the server's own term is over, or somebody says so. */
static void print_declined(FILE *to, const struct cleanup_told *told)
{
    const struct scenario_server *servers = told->scenario->servers.items;
    size_t shown = 0;
    if (told->left->declined.count == 0) {
        return;
    }
    (void)fprintf(to,
                  "%zu addresses were declined; the servers keep them out of use (dhcpd: "
                  "abandon-lease-time,\nKea: decline-probation-period; a day by default). To free "
                  "one now, on its server:\n",
                  told->left->declined.count);
    (void)fprintf(to,
                  "  dhcpd, with `omapi-port 7911`: printf 'connect\\nnew lease\\nset ip-address = "
                  "ADDRESS\\nopen\\nset state = 1\\nupdate\\n' | omshell\n");
    for (size_t i = 0; i < told->scenario->servers.count; i++) {
        if (servers[i].lease_source == LEASES_KEA_SOCKET) {
            (void)fprintf(to,
                          "  Kea %s: echo '{\"command\": \"lease4-del\", \"arguments\": "
                          "{\"ip-address\": \"ADDRESS\"}}' | socat UNIX:%s -\n",
                          servers[i].name, servers[i].lease_path);
            shown++;
        }
    }
    if (shown == 0) {
        (void)fprintf(to, "  Kea: echo '{\"command\": \"lease4-del\", \"arguments\": "
                          "{\"ip-address\": \"ADDRESS\"}}' | socat UNIX:SOCKET -\n");
    }
    shown = 0;
    const struct table_entry *entry;
    for (size_t cursor = 0;
         shown < LIST_TEXT_MAX && (entry = table_next(&told->left->declined, &cursor)) != NULL;
         shown++) {
        char addr[IPV4_TEXT_BYTES];
        (void)fprintf(to, "  %s\n", inet_text(inet_from_host(entry->key), addr));
    }
    if (told->left->declined.count > shown) {
        (void)fprintf(to, "  and %zu more in cleanup.json\n", told->left->declined.count - shown);
    }
}

static int print_text(const void *what, FILE *to)
{
    const struct cleanup_told *told = what;
    const struct left_tally after = leases_left_tally(told->left);
    (void)fprintf(to,
                  "confirmed free %" PRIu64 ", still active %" PRIu64 ", unconfirmed %" PRIu64
                  ", of %zu\n",
                  after.confirmed, after.active, after.unconfirmed, told->left->count);
    print_sources(to, told->scenario);
    if (told->is_more_possible) {
        (void)fputs(
            "the run was killed: its ledger may lack leases of its last moments, and only a "
            "lease file or\nKea's control socket of every server would show them\n",
            to);
    }
    print_list(to, told->left, LEFT_ACTIVE, "still active");
    print_list(to, told->left, LEFT_UNCONFIRMED, "unconfirmed");
    print_declined(to, told);
    return ferror(to) ? -EIO : 0;
}

/* --- JSON --- */

static json_t *tally_of(const struct left_tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "held", (json_int_t)t->held, "released",
                     (json_int_t)t->released, "found", (json_int_t)t->found, "confirmed",
                     (json_int_t)t->confirmed, "unconfirmed", (json_int_t)t->unconfirmed, "active",
                     (json_int_t)t->active);
}

static json_t *list_of(const struct leases_left *left, enum left_proof proof)
{
    json_t *list = json_array();
    for (size_t i = 0; i < left->count && json_array_size(list) < LIST_MAX; i++) {
        char addr[IPV4_TEXT_BYTES], server[IPV4_TEXT_BYTES];
        const struct left_lease *lease = &left->list[i];
        if (lease->proof == proof) {
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "address",
                                                        inet_text(lease->addr, addr), "server",
                                                        inet_text(lease->server, server), "client",
                                                        (json_int_t)lease->client));
        }
    }
    return list;
}

static json_t *declined_of(const struct leases_left *left)
{
    json_t *list = json_array();
    const struct table_entry *entry;
    for (size_t cursor = 0; json_array_size(list) < LIST_MAX &&
                            (entry = table_next(&left->declined, &cursor)) != NULL;) {
        char addr[IPV4_TEXT_BYTES];
        (void)json_array_append_new(list, json_string(inet_text(inet_from_host(entry->key), addr)));
    }
    return list;
}

static int print_json(const void *what, FILE *to)
{
    const struct cleanup_told *told = what;
    const struct left_tally after = leases_left_tally(told->left);
    json_t *root = json_pack(
        "{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "schema", "leaseherd.cleanup/1", "more_possible",
        told->is_more_possible, "before", tally_of(told->before), "after", tally_of(&after),
        "active", list_of(told->left, LEFT_ACTIVE), "unconfirmed",
        list_of(told->left, LEFT_UNCONFIRMED), "declined", declined_of(told->left));
    int rc = root != NULL && json_dumpf(root, to, JSON_INDENT(2)) == 0 ? 0 : -ENOMEM;
    json_decref(root);
    (void)fputc('\n', to);
    return ferror(to) ? -EIO : rc;
}

int cleanup_report_write(const char *run_dir, const struct cleanup_told *told)
{
    char why[RUN_DIR_WHY_BYTES];
    (void)print_text(told, stdout);
    int rc = run_dir_print(run_dir, "cleanup.txt", print_text, told, why);
    return rc < 0 ? rc : run_dir_print(run_dir, "cleanup.json", print_json, told, why);
}
