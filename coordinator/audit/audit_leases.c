/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_leases.h"

#include <inttypes.h>
#include <stdio.h>

#include "coordinator/audit/audit_rows.h"

/* Two clocks and a server's rounding: what ends so close to the run's end proves nothing. */
enum { EDGE_S = 3, FILES_MAX = 64 };

bool audit_leases_event(struct audit_leases *leases, const struct event *e, int64_t run_us)
{
    bool is_ack = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    leases_left_event(&leases->left, e);
    if (is_ack && e->lease_s > 0 && e->client < PLAN_CLIENTS_MAX) {
        struct table_entry *end = table_put(&leases->end_by_client, e->client + 1);
        if (end == NULL) {
            return false;
        }
        end->word = (uint64_t)run_us + (uint64_t)e->lease_s * 1000000;
    }
    return !leases->left.is_out_of_memory;
}

void audit_leases_fini(struct audit_leases *leases)
{
    leases_left_fini(&leases->left);
    table_fini(&leases->end_by_client);
}

struct verdict_of {
    uint64_t count;
    const struct left_lease *first;
};

static void add(struct verdict_of *v, const struct left_lease *lease)
{
    v->first = v->count++ == 0 ? lease : v->first;
}

struct comparison {
    const struct plan *plan;
    struct audit_notes *notes;
    uint64_t held, over_by_then;
    struct verdict_of not_active[PLAN_SERVERS_MAX + 1]; /* the last: of a server not in the plan */
    uint64_t active[PLAN_SERVERS_MAX + 1];
    struct verdict_of still_active, found;
};

static size_t server_of(const struct plan *plan, struct ipv4 server)
{
    for (uint32_t i = 0; i < plan->server_count; i++) {
        if (inet_equal(plan->servers[i].address, server)) {
            return i;
        }
    }
    return PLAN_SERVERS_MAX;
}

static bool is_over(const struct audit_leases *leases, const struct left_lease *lease,
                    int64_t end_us)
{
    const struct table_entry *end = table_find(&leases->end_by_client, lease->client + 1);
    return end != NULL && (int64_t)end->word < end_us + INT64_C(1000000) * EDGE_S;
}

static void take(struct comparison *c, const struct audit_leases *leases,
                 const struct left_lease *lease, int64_t end_us)
{
    size_t server = server_of(c->plan, lease->server);
    if (lease->state == LEFT_FOUND) {
        add(&c->found, lease);
    } else if (lease->state == LEFT_RELEASED) {
        if (lease->proof == LEFT_ACTIVE) {
            add(&c->still_active, lease);
        }
    } else if (is_over(leases, lease, end_us)) {
        c->over_by_then++;
    } else {
        c->held++;
        if (lease->proof == LEFT_ACTIVE) {
            c->active[server]++;
        } else {
            add(&c->not_active[server], lease);
        }
    }
}

static const char *whose(const struct comparison *c, const struct left_lease *lease, char *out,
                         size_t size)
{
    char mac[MAC_TEXT_BYTES] = "-", ip[IPV4_TEXT_BYTES];
    if (lease->client < c->plan->client_count) {
        (void)mac_text(plan_client_mac(c->plan, lease->client), mac);
    }
    (void)snprintf(out, size, "client %" PRIu32 " (%s), %s", lease->client, mac,
                   inet_text(lease->addr, ip));
    return out;
}

static void tell(const struct comparison *c)
{
    char who[AUDIT_WHO_BYTES];
    for (size_t i = 0; i <= PLAN_SERVERS_MAX; i++) {
        const struct verdict_of *v = &c->not_active[i];
        const char *name =
            i < c->plan->server_count ? c->plan->servers[i].name : "(not of the plan)";
        if (v->count == 0) {
            continue;
        }
        audit_differs(c->notes,
                      "lease files: server %s: %" PRIu64 " leases of the ledger are held at the "
                      "run's end, %" PRIu64 " of them are active in the files%s; first missing: %s",
                      name, v->count + c->active[i], c->active[i],
                      c->active[i] == 0 ? ": is that server's own file among them, as of then?"
                                        : "",
                      whose(c, v->first, who, sizeof(who)));
    }
    if (c->found.count > 0) {
        audit_differs(c->notes,
                      "lease files: %" PRIu64
                      " leases of the run's clients are active in them that "
                      "the ledger does not have (events are missing, or an ACK was lost on its "
                      "way); first: %s",
                      c->found.count, whose(c, c->found.first, who, sizeof(who)));
    }
    if (c->still_active.count > 0) {
        audit_note(c->notes, AUDIT_REMARK,
                   "lease files: %" PRIu64 " leases are active in them for which a RELEASE was "
                   "sent; leaseherd cleanup gives them back; first: %s",
                   c->still_active.count, whose(c, c->still_active.first, who, sizeof(who)));
    }
    if (c->over_by_then > 0) {
        audit_note(c->notes, AUDIT_NOT_COMPARED,
                   "%" PRIu64 " leases that had ended, or were within %d s of it, at the run's end",
                   c->over_by_then, (int)EDGE_S);
    }
}

uint64_t audit_leases_compare(struct audit_leases *leases, const struct plan *plan, int64_t end_us,
                              const struct lease_book *books, size_t book_count,
                              struct audit_notes *notes, bool *out_good)
{
    struct left_book view[FILES_MAX] = {{{0}, NULL}};
    struct comparison c = {.plan = plan, .notes = notes};
    book_count = book_count < FILES_MAX ? book_count : FILES_MAX;
    for (size_t i = 0; i < book_count; i++) {
        view[i].book = &books[i];
        if (books[i].strange > 0) {
            audit_differs(notes,
                          "lease file %zu: %" PRIu64 " entries in it are not understood: what they "
                          "say cannot be compared",
                          i + 1, books[i].strange);
        }
    }
    *out_good = leases_left_close(&leases->left) &&
                leases_left_check(&leases->left, plan, view, book_count);
    for (size_t i = 0; *out_good && i < leases->left.count; i++) {
        take(&c, leases, &leases->left.list[i], end_us);
    }
    if (*out_good) {
        tell(&c);
    }
    return c.held;
}
