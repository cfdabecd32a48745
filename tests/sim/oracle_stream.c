/* SPDX-License-Identifier: MIT */
#include "tests/sim/oracle_stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle.h"

enum { STREAMS_MAX = 256, BEATS_MAX = 64, ARENA_BYTES = 16 * 1024 * 1024 };

static struct oracle_stream streams[STREAMS_MAX];
static size_t stream_count;
static uint8_t run_id[PLAN_RUN_ID_BYTES]; /* the coordinator's */
static uint64_t load_began_ns = UINT64_MAX;
static struct {
    unsigned life;
    uint64_t beat[BEATS_MAX], beats;
    uint64_t granted_until_ns;
    uint8_t run_id[PLAN_RUN_ID_BYTES];
} book[WORLD_AGENTS_MAX];

size_t oracle_stream_count(void)
{
    return stream_count;
}

const struct oracle_stream *oracle_stream(size_t index)
{
    return &streams[index];
}

const uint8_t *oracle_run_id(void)
{
    return run_id;
}

uint64_t oracle_load_began_ns(void)
{
    return load_began_ns;
}

void oracle_run_begins(void)
{
    load_began_ns = UINT64_MAX;
    memset(run_id, 0, sizeof(run_id));
}

static size_t index_of(const struct world_agent *agent)
{
    size_t i = (size_t)(agent - world.agents);
    if (book[i].life != agent->lives) {
        memset(&book[i], 0, sizeof(book[i]));
        book[i].life = agent->lives;
    }
    return i;
}

static bool decode(const uint8_t *bytes, size_t size, struct control_message *out)
{
    static struct control_arena *arena;
    char why[CONTROL_WHY_BYTES];
    if (arena == NULL) {
        arena = control_arena_new(ARENA_BYTES);
        assert(arena != NULL);
    }
    return control_decode(arena, bytes, size, out, why);
}

/* --- the run lease --- */

static void beat(size_t i, const struct control_beat *b)
{
    book[i].beat[book[i].beats++ % BEATS_MAX] = b->boottime_ns;
}

/* What can be granted at most: five seconds from a beat that was really sent. */
static void granted(size_t i, const struct control_grant *g)
{
    uint64_t span_ns = g->duration_ns < RUN_LEASE_NS ? g->duration_ns : RUN_LEASE_NS;
    for (size_t k = 0; k < BEATS_MAX; k++) {
        if (book[i].beat[k] != 0 && book[i].beat[k] == g->boottime_ns &&
            g->boottime_ns + span_ns > book[i].granted_until_ns) {
            book[i].granted_until_ns = g->boottime_ns + span_ns;
        }
    }
}

static void welcomed(size_t i, const struct control_welcome *w)
{
    if (memcmp(book[i].run_id, w->run_id, sizeof(book[i].run_id)) != 0) {
        memcpy(book[i].run_id, w->run_id, sizeof(book[i].run_id));
        book[i].granted_until_ns = 0;
    }
}

uint64_t oracle_run_of(const struct world_agent *agent)
{
    uint64_t number;
    memcpy(&number, book[index_of(agent)].run_id, sizeof(number));
    return number;
}

uint64_t oracle_granted_until_ns(const struct world_agent *agent)
{
    return book[index_of(agent)].granted_until_ns;
}

/* --- result streams --- */

static struct oracle_stream *stream_of(const struct world_agent *agent, uint64_t epoch,
                                       const uint8_t *run, bool makes)
{
    for (size_t i = 0; i < stream_count; i++) {
        if (streams[i].agent == agent && streams[i].epoch == epoch &&
            memcmp(streams[i].run_id, run, PLAN_RUN_ID_BYTES) == 0) {
            return &streams[i];
        }
    }
    if (!makes) {
        return NULL;
    }
    assert(stream_count < STREAMS_MAX);
    struct oracle_stream *s = &streams[stream_count++];
    s->agent = agent;
    s->epoch = epoch;
    memcpy(s->run_id, run, PLAN_RUN_ID_BYTES);
    return s;
}

static void keep(struct oracle_stream *s, const struct control_batch *batch)
{
    if (s->known == s->room) {
        s->room = s->room == 0 ? 64 : 2 * s->room;
        s->batches = realloc(s->batches, s->room * sizeof(*s->batches));
        assert(s->batches != NULL);
    }
    struct oracle_batch *b = &s->batches[s->known++];
    b->count = batch->event_count;
    b->events = calloc(b->count + 1, sizeof(*b->events));
    assert(b->events != NULL);
    memcpy(b->events, batch->events, b->count * sizeof(*b->events));
}

/* Without the padding at its end. */
bool oracle_same_events(const struct event *a, const struct event *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&a[i], &b[i], offsetof(struct event, stage) + sizeof(a[i].stage)) != 0) {
            return false;
        }
    }
    return true;
}

static void batch_sent(struct world_agent *agent, const struct control_batch *batch)
{
    const uint8_t *run = book[index_of(agent)].run_id;
    struct oracle_stream *s = stream_of(agent, batch->epoch, run, true);
    if (batch->seq == s->known + 1) {
        keep(s, batch);
        return;
    }
    if (batch->seq > s->known || batch->seq == 0) {
        oracle_violation(PROMISE_NOTHING_TWICE, "%s sends batch %llu after %llu", agent->name,
                         (unsigned long long)batch->seq, (unsigned long long)s->known);
        return;
    }
    const struct oracle_batch *before = &s->batches[batch->seq - 1];
    if (before->count != batch->event_count ||
        !oracle_same_events(before->events, batch->events, before->count)) {
        oracle_violation(PROMISE_NOTHING_TWICE, "%s sends batch %llu again with other events",
                         agent->name, (unsigned long long)batch->seq);
    }
}

static void acknowledged(struct world_agent *agent, const struct control_ack *ack)
{
    struct oracle_stream *s = stream_of(agent, ack->epoch, run_id, false);
    if (s == NULL ? ack->committed_seq > 0 : ack->committed_seq > s->known) {
        oracle_violation(PROMISE_ACKED_IS_KEPT, "batch %llu of %s is acknowledged, never sent",
                         (unsigned long long)ack->committed_seq, agent->name);
    } else if (s != NULL && ack->committed_seq > s->acked) {
        s->acked = ack->committed_seq;
    }
}

/* --- counters --- */

static uint64_t sum(const struct snapshot *s, enum snapshot_counter from, enum snapshot_counter to)
{
    uint64_t total = 0;
    for (unsigned i = from; i <= (unsigned)to; i++) {
        total += s->counter[i];
    }
    return total;
}

/* What an agent says it has sent and received, against what went over its wire. */
static void counted(struct world_agent *agent, const struct snapshot *s)
{
    struct oracle_count seen = oracle_count_at(agent, s->at_ns);
    uint64_t types = sum(s, COUNTER_received_offer, COUNTER_received_malformed);
    uint64_t fates = sum(s, COUNTER_fate_answer, COUNTER_fate_malformed);
    uint64_t sent =
        sum(s, COUNTER_sent_discover, COUNTER_sent_inform) + s->counter[COUNTER_sent_query];
    if (types != seen.read || fates != seen.read) {
        oracle_violation(PROMISE_ONE_BIN, "%s read %llu packets: %llu types, %llu fates",
                         agent->name, (unsigned long long)seen.read, (unsigned long long)types,
                         (unsigned long long)fates);
    }
    uint64_t refused = s->counter[COUNTER_send_errors];
    if (sent != seen.sent || refused < seen.refused ||
        refused > seen.refused + seen.maybe_refused) {
        oracle_violation(PROMISE_ACCOUNTING_CLOSES,
                         "%s sent %llu packets and says %llu; %llu were refused, it says %llu",
                         agent->name, (unsigned long long)seen.sent, (unsigned long long)sent,
                         (unsigned long long)seen.refused, (unsigned long long)refused);
    }
}

static void snapshot_sent(struct world_agent *agent, const struct snapshot *s)
{
    counted(agent, s);
    if (!s->is_final) {
        return;
    }
    /* Its epoch does not stand in a snapshot: it is that of the agent's newest stream. */
    const uint8_t *run = book[index_of(agent)].run_id;
    for (size_t i = stream_count; i > 0; i--) {
        struct oracle_stream *stream = &streams[i - 1];
        if (stream->agent == agent && memcmp(stream->run_id, run, PLAN_RUN_ID_BYTES) == 0) {
            stream->has_final = true;
            stream->final = *s;
            return;
        }
    }
}

/* --- the way in --- */

void oracle_link_sent(struct world_agent *agent, bool is_down, const uint8_t *bytes, size_t size)
{
    struct control_message m;
    size_t i = index_of(agent);
    if (!decode(bytes, size, &m)) {
        oracle_violation(PROMISE_VERDICT, "a message was sent that cannot be decoded");
    } else if (!is_down && m.kind == CONTROL_BEAT) {
        beat(i, &m.u.beat);
    } else if (!is_down && m.kind == CONTROL_BATCH) {
        batch_sent(agent, &m.u.batch);
    } else if (!is_down && m.kind == CONTROL_SNAPSHOT) {
        snapshot_sent(agent, m.u.snapshot);
    } else if (is_down && m.kind == CONTROL_WELCOME) {
        memcpy(run_id, m.u.welcome.run_id, sizeof(run_id));
    } else if (is_down && m.kind == CONTROL_GO && load_began_ns == UINT64_MAX) {
        load_began_ns = sim_now();
    } else if (is_down && m.kind == CONTROL_ACK) {
        acknowledged(agent, &m.u.ack);
    }
}

void oracle_link_received(struct world_agent *agent, bool is_up, const uint8_t *bytes, size_t size)
{
    struct control_message m;
    size_t i = index_of(agent);
    if (is_up || !decode(bytes, size, &m)) {
        return;
    }
    if (m.kind == CONTROL_GRANT) {
        granted(i, &m.u.grant);
    } else if (m.kind == CONTROL_WELCOME) {
        welcomed(i, &m.u.welcome);
    }
}
