/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_reassign.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "coordinator/run/run_journal.h"

#define TELL_AGAIN_NS NS_PER_S

static bool is_asked_for(const struct run *run)
{
    return run->scenario->on_agent_loss == AGENT_LOSS_REASSIGN && run->truth != NULL;
}

void run_reassign_fini(struct run_reassign *r)
{
    free(r->owner);
    free(r->moves);
    *r = (struct run_reassign){0};
}

/* Who carries which relay: as dealt at PREPARE, and that never changes. */
static bool note_owners(struct run *run)
{
    struct run_reassign *r = &run->reassign;
    if (r->owner != NULL) {
        return true;
    }
    r->owner = malloc(((size_t)run->plan.relay_count + 1) * sizeof(*r->owner));
    if (r->owner == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < run->plan.relay_count; i++) {
        r->owner[i] = DEAL_NOBODY;
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct deal_hand *hand = &run->roster.agents[i].hand;
        for (size_t k = 0; k < hand->share_count; k++) {
            r->owner[hand->shares[k].relay] = (uint32_t)i;
        }
    }
    return true;
}

static void out_of_memory(struct run *run)
{
    run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL,
             "out of memory while reassigning the clients of a lost agent");
}

void run_reassign_lost(struct run *run, struct roster_agent *a)
{
    if (!is_asked_for(run)) {
        return;
    }
    if (!note_owners(run)) {
        out_of_memory(run);
        return;
    }
    /* What a coordinator before us has granted last is not known. */
    bool is_unknown = a->last_grant_ns == 0 && run->is_resumed;
    a->fence_ns = (is_unknown ? run->now_ns : a->last_grant_ns) + RUN_LEASE_ENDED_NS;
}

bool run_reassign_is_open(const struct run *run)
{
    if (!is_asked_for(run)) {
        return false;
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (a->is_lost ? !a->is_dealt_on : a->dealt_epoch > a->assignment_epoch) {
            return true;
        }
    }
    return false;
}

/* --- the moves --- */

static bool add_move(struct run *run, const struct run_move *move)
{
    struct run_reassign *r = &run->reassign;
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 64 : 2 * r->room;
        struct run_move *grown = realloc(r->moves, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        r->moves = grown;
        r->room = room;
    }
    const struct control_take_share *s = &move->deal.share;
    const struct control_share share = {
        .relay = s->relay, .first_client = s->first_client, .client_count = s->client_count};
    struct roster_agent *to = &run->roster.agents[move->deal.to];
    if (!roster_give(to, &share)) {
        return false;
    }
    to->dealt_epoch = move->epoch > to->dealt_epoch ? move->epoch : to->dealt_epoch;
    to->assignment_epoch = to->assignment_epoch == 0 ? 1 : to->assignment_epoch;
    r->moves[r->count++] = *move;
    return true;
}

/* On its way to this agent, and not there yet. */
static bool is_on_its_way(const struct run_move *move, size_t agent)
{
    return move->deal.to == agent && !move->is_taken && !move->is_undone;
}

/* Which agent counts the share's clients now. */
static uint32_t account_of(const struct run *run, size_t agent, const struct control_share *share)
{
    for (size_t i = run->reassign.count; i-- > 0;) {
        const struct run_move *move = &run->reassign.moves[i];
        if (is_on_its_way(move, agent) && move->deal.share.first_client == share->first_client) {
            return move->deal.from;
        }
    }
    return (uint32_t)agent;
}

/* --- into the ledger and back --- */

static struct journal_entry entry_of(const struct run *run, const struct run_move *move)
{
    const struct control_take_share *s = &move->deal.share;
    return (struct journal_entry){
        .kind = JOURNAL_MOVE,
        .run_us = run_time_us(run, run->now_ns),
        .a = move->deal.to,
        .b = move->epoch,
        .c = s->first_client | (uint64_t)s->client_count << 32,
        .d = s->relay | (uint64_t)s->via_relay << 16 | (uint64_t)move->deal.from << 32,
    };
}

static struct run_move move_of(const struct journal_entry *e)
{
    return (struct run_move){
        .epoch = e->b,
        .deal = {.to = (uint32_t)e->a,
                 .from = (uint32_t)(e->d >> 32),
                 .share = {.first_client = (uint32_t)e->c,
                           .client_count = (uint32_t)(e->c >> 32),
                           .relay = (uint32_t)(e->d & UINT16_MAX),
                           .via_relay = (uint32_t)(e->d >> 16 & UINT16_MAX)}},
    };
}

bool run_reassign_is_possible(const struct run *run, const struct journal_entry *entry)
{
    if (entry->a >= run->roster.count || run->scenario->on_agent_loss != AGENT_LOSS_REASSIGN) {
        return false;
    }
    if (entry->kind != JOURNAL_MOVE) {
        return true;
    }
    const struct run_move move = move_of(entry);
    const struct control_take_share *s = &move.deal.share;
    return move.deal.from < run->roster.count && s->relay < run->plan.relay_count &&
           s->via_relay < run->plan.relay_count && s->client_count > 0 &&
           s->client_count <= CONTROL_TAKE_CLIENTS_MAX &&
           s->first_client < run->plan.client_count &&
           s->client_count <= run->plan.client_count - s->first_client && move.epoch > 1;
}

void run_reassign_tell(struct run *run, const struct journal_entry *entry)
{
    if (entry->kind == JOURNAL_MOVE) {
        const struct run_move move = move_of(entry);
        truth_moved(run->truth, move.deal.to, move.deal.share.first_client,
                    move.deal.share.client_count);
    }
}

static void mark_taken(struct run *run, size_t agent, uint64_t epoch)
{
    for (size_t i = 0; i < run->reassign.count; i++) {
        struct run_move *move = &run->reassign.moves[i];
        if (is_on_its_way(move, agent) && move->epoch == epoch) {
            move->is_taken = true;
            truth_taken(run->truth, move->deal.from, agent, move->deal.share.client_count);
        }
    }
    struct roster_agent *a = &run->roster.agents[agent];
    a->assignment_epoch = epoch > a->assignment_epoch ? epoch : a->assignment_epoch;
    a->take_sent_ns = 0;
}

static void mark_refused(struct run *run, size_t agent)
{
    struct roster_agent *a = &run->roster.agents[agent];
    a->takes_none = true;
    a->dealt_epoch = a->assignment_epoch;
    for (size_t i = 0; i < run->reassign.count; i++) {
        struct run_move *move = &run->reassign.moves[i];
        if (is_on_its_way(move, agent)) {
            move->is_undone = true;
            roster_take_back(a, move->deal.share.first_client);
        }
    }
}

/* --- dealing --- */

/* What was on its way to a lost agent: it will not say any more whether it came. */
static void forget_moves_to(struct run *run, size_t agent)
{
    for (size_t i = 0; i < run->reassign.count; i++) {
        struct run_move *move = &run->reassign.moves[i];
        move->is_undone = move->is_undone || is_on_its_way(move, agent);
    }
}

static struct deal_home *list_homes(const struct run *run)
{
    struct deal_home *homes = calloc(run->roster.count + 1, sizeof(*homes));
    for (size_t i = 0; homes != NULL && i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        homes[i] = (struct deal_home){.name = a->name,
                                      .cores = a->cores,
                                      .clients = a->hand.clients,
                                      .can_take = !a->is_lost && !a->takes_none && !a->is_done};
    }
    return homes;
}

static void say_homeless(struct run *run, const char *agent, const struct deal_move *moves,
                         size_t count)
{
    uint64_t clients = 0;
    char evidence[RESULT_TEXT_BYTES] = "", summary[RESULT_TEXT_BYTES];
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct plan_relay *relay = &run->plan.relays[moves[i].share.relay];
        char net[IPV4_NET_TEXT_BYTES];
        if (moves[i].to != DEAL_NOBODY) {
            continue;
        }
        clients += moves[i].share.client_count;
        if (at + PLAN_NAME_BYTES + 2 * IPV4_NET_TEXT_BYTES < sizeof(evidence)) {
            at += (size_t)snprintf(evidence + at, sizeof(evidence) - at,
                                   "%srelay %s, subnet %s: %" PRIu32 " clients",
                                   at == 0 ? "" : "; ", relay->name,
                                   inet_net_text(relay->subnet, net), moves[i].share.client_count);
        }
    }
    if (clients > 0) {
        (void)snprintf(summary, sizeof(summary),
                       "%" PRIu64 " clients of agent %s could not go on: no other agent carries a "
                       "relay of their subnet",
                       clients, agent);
        run_finding(run, "no-second-home", "warning", summary, evidence,
                    "give each subnet relays at two agents or more");
    }
}

static uint64_t latest_epoch(const struct roster_agent *a)
{
    return a->dealt_epoch > 1 ? a->dealt_epoch : 1;
}

/* One TAKE holds pieces of one account, as many clients as fit. */
static uint64_t epoch_for(const struct run *run, const struct deal_move *deal, size_t since)
{
    uint64_t latest = latest_epoch(&run->roster.agents[deal->to]);
    uint64_t clients = deal->share.client_count;
    size_t shares = 1;
    for (size_t i = since; i < run->reassign.count; i++) {
        const struct run_move *move = &run->reassign.moves[i];
        if (move->deal.to == deal->to && move->epoch == latest) {
            clients += move->deal.from == deal->from ? move->deal.share.client_count
                                                     : CONTROL_TAKE_CLIENTS_MAX;
            shares++;
        }
    }
    bool has_room =
        shares > 1 && shares <= CONTROL_TAKE_SHARES_MAX && clients <= CONTROL_TAKE_CLIENTS_MAX;
    return has_room ? latest : latest + 1;
}

/* For who reads the ledger later: the latest share of a client says who plays it. */
static void write_share(struct run *run, const struct run_move *move)
{
    const struct control_take_share *s = &move->deal.share;
    const struct ledger_share share = {.agent = move->deal.to,
                                       .epoch = move->epoch,
                                       .relay = s->relay,
                                       .via = s->via_relay,
                                       .first_client = s->first_client,
                                       .clients = s->client_count};
    bool is_written = run->ledger != NULL && !run->is_ledger_broken;
    if (is_written && ledger_add_share(run->ledger, &share) < 0) {
        run_ledger_failed(run);
    }
}

static bool carry_out(struct run *run, const struct deal_move *moves, size_t count)
{
    size_t since = run->reassign.count;
    for (size_t i = 0; i < count; i++) {
        if (moves[i].to == DEAL_NOBODY) {
            continue;
        }
        const struct run_move move = {.deal = moves[i], .epoch = epoch_for(run, &moves[i], since)};
        if (!add_move(run, &move)) {
            return false;
        }
        const struct journal_entry entry = entry_of(run, &move);
        run_note(run, &entry);
        write_share(run, &move);
    }
    return true;
}

static uint64_t moved_clients(const struct deal_move *moves, size_t count)
{
    uint64_t clients = 0;
    for (size_t i = 0; i < count; i++) {
        clients += moves[i].to == DEAL_NOBODY ? 0 : moves[i].share.client_count;
    }
    return clients;
}

/* What `agent` had, to others; `what` for the time axis. */
static void deal_on(struct run *run, size_t agent, const struct deal_lost *lost, size_t lost_count)
{
    struct deal_home *homes = list_homes(run);
    struct deal_move *moves = NULL;
    size_t count = 0;
    bool is_good =
        homes != NULL && deal_reassign(&run->plan, run->reassign.owner, homes, run->roster.count,
                                       lost, lost_count, &moves, &count);
    is_good = is_good && carry_out(run, moves, count);
    const char *name = run->roster.agents[agent].name;
    if (is_good) {
        uint64_t clients = moved_clients(moves, count);
        char text[PLAN_NAME_BYTES + 64];
        (void)snprintf(text, sizeof(text), "%" PRIu64 " clients of %s go on elsewhere", clients,
                       name);
        say_homeless(run, name, moves, count);
        if (clients > 0) {
            run_mark(run, run_time_us(run, run->now_ns), text);
        }
        log_warn("what=reassigned agent=%s clients=%" PRIu64 " pieces=%zu", name, clients, count);
    } else {
        out_of_memory(run);
    }
    free(homes);
    free(moves);
}

static void deal_hand_on(struct run *run, struct roster_agent *a)
{
    size_t index = roster_index(&run->roster, a), count = a->hand.share_count;
    struct deal_lost *lost = calloc(count + 1, sizeof(*lost));
    if (lost == NULL) {
        out_of_memory(run);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        lost[i] = (struct deal_lost){.share = a->hand.shares[i],
                                     .from = account_of(run, index, &a->hand.shares[i])};
    }
    forget_moves_to(run, index);
    a->is_dealt_on = true;
    deal_on(run, index, lost, count);
    run_note_now(run, &(struct journal_entry){.kind = JOURNAL_DEALT_ON,
                                              .run_us = run_time_us(run, run->now_ns),
                                              .a = index});
    free(lost);
}

bool run_reassign_refused(struct run *run, struct roster_agent *a, const struct control_refuse *r)
{
    size_t index = roster_index(&run->roster, a), count = 0;
    if (r->assignment_epoch == 0) {
        return false;
    }
    if (!is_asked_for(run) || r->assignment_epoch != a->assignment_epoch + 1 ||
        a->dealt_epoch <= a->assignment_epoch) {
        return true; /* said again */
    }
    struct deal_lost *lost = calloc(run->reassign.count + 1, sizeof(*lost));
    if (lost == NULL) {
        out_of_memory(run);
        return true;
    }
    for (size_t i = 0; i < run->reassign.count; i++) {
        const struct run_move *move = &run->reassign.moves[i];
        const struct control_take_share *s = &move->deal.share;
        if (is_on_its_way(move, index)) {
            lost[count++] = (struct deal_lost){
                .from = move->deal.from,
                .share = {.relay = s->relay,
                          .first_client = s->first_client,
                          .client_count = s->client_count},
            };
        }
    }
    log_warn("what=take_refused agent=%s code=%s why=\"%s\"", a->name,
             control_refusal_name(r->code), r->text);
    run_finding(run, "take-refused", "warning",
                "an agent refused to go on with the clients of a lost one", r->text,
                "see the agent's policy, or use more agents");
    mark_refused(run, index);
    run_note(run, &(struct journal_entry){.kind = JOURNAL_NOT_TAKEN, .a = index});
    deal_on(run, index, lost, count);
    run_commit(run, true);
    free(lost);
    return true;
}

/* --- after a resume --- */

/* As carry_out() deals: one TAKE after the other, each with room for its pieces. */
static bool is_as_dealt(const struct run *run, const struct run_move *move)
{
    return move->epoch == epoch_for(run, &move->deal, 0) ||
           move->epoch == latest_epoch(&run->roster.agents[move->deal.to]) + 1;
}

/* How many of its clients are this agent's, in the one share that has most of them. */
static uint32_t most_common(const struct roster_agent *a, const struct control_take_share *s)
{
    uint64_t most = 0, end = (uint64_t)s->first_client + s->client_count;
    for (size_t i = 0; i < a->hand.share_count; i++) {
        const struct control_share *own = &a->hand.shares[i];
        uint64_t own_end = (uint64_t)own->first_client + own->client_count;
        uint64_t from = own->first_client > s->first_client ? own->first_client : s->first_client;
        uint64_t to = own_end < end ? own_end : end;
        most = to > from && to - from > most ? to - from : most;
    }
    return (uint32_t)most;
}

/* A lost agent's, and nobody's who is there: else a client would be played twice. */
static bool is_free_to_go(const struct run *run, const struct run_move *move)
{
    const struct control_take_share *s = &move->deal.share;
    const struct roster_agent *from = &run->roster.agents[move->deal.from];
    bool is_free = from->is_lost && most_common(from, s) == s->client_count &&
                   !run->roster.agents[move->deal.to].is_lost;
    for (size_t i = 0; is_free && i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        is_free = a->is_lost || most_common(a, s) == 0;
    }
    return is_free;
}

/* As run_reassign_progress() notes: one after the other, of what was dealt. */
static bool is_as_told(const struct roster_agent *a, uint64_t epoch)
{
    return epoch == a->assignment_epoch + 1 && epoch <= a->dealt_epoch;
}

bool run_reassign_replay(struct run *run, const struct journal_entry *e)
{
    if (!note_owners(run)) {
        return false;
    }
    if (e->kind == JOURNAL_MOVE) {
        const struct run_move move = move_of(e);
        return is_as_dealt(run, &move) && is_free_to_go(run, &move) && add_move(run, &move);
    }
    if (e->kind == JOURNAL_TAKEN) {
        if (!is_as_told(&run->roster.agents[e->a], e->b)) {
            return false;
        }
        mark_taken(run, (size_t)e->a, e->b);
    } else if (e->kind == JOURNAL_NOT_TAKEN) {
        mark_refused(run, (size_t)e->a);
    } else if (e->kind == JOURNAL_DEALT_ON) {
        forget_moves_to(run, (size_t)e->a);
        run->roster.agents[e->a].is_dealt_on = true;
    }
    return true;
}

/* --- telling --- */

static int by_first_client(const void *a, const void *b)
{
    const struct control_take_share *x = a, *y = b;
    return (x->first_client > y->first_client) - (x->first_client < y->first_client);
}

/* What the TAKE of this epoch holds, ascending: epoch_for() and is_as_dealt() keep its limits. */
static size_t list_shares(const struct run *run, size_t agent, uint64_t epoch,
                          struct control_take_share shares[CONTROL_TAKE_SHARES_MAX])
{
    size_t count = 0;
    uint64_t clients = 0;
    for (size_t i = 0; i < run->reassign.count; i++) {
        const struct run_move *move = &run->reassign.moves[i];
        if (is_on_its_way(move, agent) && move->epoch == epoch) {
            clients += move->deal.share.client_count;
            assert(count < CONTROL_TAKE_SHARES_MAX && clients <= CONTROL_TAKE_CLIENTS_MAX);
            shares[count++] = move->deal.share;
        }
    }
    qsort(shares, count, sizeof(*shares), by_first_client);
    return count;
}

/* This agent's share of the fleet's packets per second, as the hands are now. */
static uint64_t packets_of(const struct run *run, size_t agent)
{
    uint64_t packets[ROSTER_AGENTS_MAX];
    run_split_by_clients(run, run->plan.packets_per_s_max, packets);
    return packets[agent] > 0 ? packets[agent] : 1;
}

static void send_take(struct run *run, struct roster_agent *a)
{
    size_t index = roster_index(&run->roster, a);
    struct control_take_share *shares = calloc(CONTROL_TAKE_SHARES_MAX, sizeof(*shares));
    struct control_taken *clients = calloc(CONTROL_TAKE_CLIENTS_MAX, sizeof(*clients));
    struct control_message m = {.kind = CONTROL_TAKE};
    struct control_take *take = &m.u.take;
    take->assignment_epoch = a->assignment_epoch + 1;
    take->shares = shares;
    take->clients = clients;
    take->packets_per_s_max = packets_of(run, index);
    take->at_ns = clock_map_to_agent_ns(&a->clock, run->now_ns);
    if (shares != NULL) {
        take->share_count = list_shares(run, index, take->assignment_epoch, shares);
    }
    if (shares != NULL && clients != NULL && take->share_count > 0) {
        take->client_count = truth_past(run->truth, shares, take->share_count,
                                        run_time_us(run, run->now_ns), clients);
        take->has_go = run_go_for(run, a, &take->go);
        if (take->has_go) {
            roster_ask(a, &take->go);
        }
        run_send(run, a, &m);
    }
    free(shares);
    free(clients);
}

void run_reassign_progress(struct run *run, struct roster_agent *a,
                           const struct control_progress *progress)
{
    if (!is_asked_for(run)) {
        return;
    }
    size_t index = roster_index(&run->roster, a);
    while (a->assignment_epoch < progress->assignment_epoch &&
           a->assignment_epoch < a->dealt_epoch) {
        uint64_t epoch = a->assignment_epoch + 1;
        run_note(run, &(struct journal_entry){.kind = JOURNAL_TAKEN,
                                              .run_us = run_time_us(run, run->now_ns),
                                              .a = index,
                                              .b = epoch});
        mark_taken(run, index, epoch);
        log_info("what=taken agent=%s epoch=%" PRIu64 " clients=%" PRIu64, a->name, epoch,
                 a->hand.clients);
    }
}

void run_reassign_tick(struct run *run)
{
    if (!is_asked_for(run) || run->phase != RUN_STAGE || run->start_ns == 0 ||
        roster_live_count(&run->roster) == 0) {
        return;
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        if (a->is_lost && a->fence_ns == 0) {
            a->fence_ns = run->now_ns + RUN_LEASE_ENDED_NS; /* lost before we took over */
        }
        if (a->is_lost && !a->is_dealt_on && run->now_ns >= a->fence_ns && note_owners(run)) {
            deal_hand_on(run, a);
        }
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost && a->dealt_epoch > a->assignment_epoch && roster_has_clock(a) &&
            (a->take_sent_ns == 0 || run->now_ns - a->take_sent_ns >= TELL_AGAIN_NS)) {
            a->take_sent_ns = run->now_ns;
            send_take(run, a);
        }
    }
}
