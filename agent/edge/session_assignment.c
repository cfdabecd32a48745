/* SPDX-License-Identifier: MIT */
#include "agent/edge/session_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/run_record.h"
#include "agent/permit.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/plan_seal.h"

enum { REPORT_RELAYS_MAX = 256 };

/*
 * How long may be sent: for preflight before the first GO, then as long as the
 * plan's run time, which the policy bounds, then for the clean-up. The coordinator ends a
 * run well within these; one that has gone mad does not.
 */
#define BEFORE_RUN_NS (150 * NS_PER_S)
#define OVER_TIME_NS  (10 * NS_PER_S)
#define CLEAN_UP_NS   (3600 * NS_PER_S)

/* --- PREPARE --- */

static void send_refusal(struct session *s, enum control_refusal code, const char *why)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = code;
    (void)snprintf(m.u.refuse.text, sizeof(m.u.refuse.text), "%s", why);
    if (session_may_tell(s, NEWS_PLAN_REFUSED)) {
        log_error("what=plan_refused code=%s why=\"%s\" continuing", control_refusal_name(code),
                  why);
    }
    (void)session_send(s, &m); /* lost: the coordinator hears no READY, and says so */
}

static void assignment_free(struct assignment *a)
{
    if (a == NULL) {
        return;
    }
    lane_thread_free(a->lane); /* first: the lane reads the plan */
    plan_free(&a->plan);
    ring_file_close(&a->results.file, true);
    free(a->shares);
    free(a->batch);
    free(a);
}

static uint64_t wall_s(void)
{
    return clock_realtime_ns() / NS_PER_S;
}

/* Made for this agent, for now, and not played before. */
static enum control_refusal check_seal(const struct session *s, struct assignment *a,
                                       const uint8_t hash[PLAN_HASH_BYTES],
                                       char why[CONTROL_TEXT_BYTES])
{
    char reason[RUN_RECORD_WHY_BYTES] = "";
    const struct plan *plan = &a->plan;
    if (!permit_seal(plan, s->setup->own->public_key, wall_s(), why)) {
        return REFUSAL_POLICY;
    }
    if (!run_record_allows(s->setup->records, plan->run_id, hash, plan->not_after_s, reason)) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "%.*s", CONTROL_TEXT_BYTES - 1, reason);
        return REFUSAL_POLICY;
    }
    uint64_t left_s = plan->not_after_s + PLAN_CLOCK_TOLERANCE_S - wall_s();
    a->valid_until_ns = clock_boottime_ns() + left_s * NS_PER_S;
    return REFUSAL_UNSPECIFIED;
}

static enum control_refusal check_plan(struct session *s, struct assignment *a,
                                       const struct control_prepare *prepare,
                                       char why[CONTROL_TEXT_BYTES])
{
    uint8_t hash[PLAN_HASH_BYTES];
    plan_hash(prepare->plan, prepare->plan_bytes, hash);
    if (memcmp(hash, prepare->plan_hash, sizeof(hash)) != 0) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "the plan's bytes do not have the hash sent along");
        return REFUSAL_PLAN;
    }
    if (!permit_signature(s->setup->policy, prepare, &a->operator_name, why)) {
        return REFUSAL_POLICY;
    }
    static_assert((int)PLAN_WHY_BYTES <= (int)CONTROL_TEXT_BYTES, "reasons fit");
    if (!plan_decode(prepare->plan, prepare->plan_bytes, &a->plan, why)) {
        return REFUSAL_PLAN;
    }
    if (memcmp(a->plan.run_id, s->run_id, sizeof(s->run_id)) != 0) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "the plan is another run's than the one joined");
        return REFUSAL_PLAN;
    }
    if (!assignment_is_inside(&a->plan, prepare, why)) {
        return REFUSAL_PLAN;
    }
    if (!policy_check_plan(s->setup->policy, &a->plan, prepare, why)) {
        return REFUSAL_POLICY;
    }
    return check_seal(s, a, hash, why);
}

static enum control_refusal make_ring(struct session *s, struct assignment *a,
                                      const struct control_prepare *prepare,
                                      char why[CONTROL_TEXT_BYTES])
{
    static_assert((int)RING_FILE_WHY_BYTES <= (int)CONTROL_TEXT_BYTES, "reasons fit");
    a->batch = malloc(LINK_DATA_UP_BYTES);
    if (a->batch == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for a batch of results");
        return REFUSAL_RESOURCES;
    }
    session_kept_forget(s, "another run begins, and its results take their place");
    struct ring_owner owner = {.assignment_epoch = prepare->assignment_epoch, .epoch = s->epoch};
    memcpy(owner.run_id, a->plan.run_id, sizeof(owner.run_id));
    memcpy(owner.plan_hash, prepare->plan_hash, sizeof(owner.plan_hash));
    memcpy(owner.run_name, a->plan.run_name, sizeof(owner.run_name));
    /* One that serves a single run has no successor: it reserves no room on a disk. */
    bool has_file = s->setup->state_dir != NULL && !s->setup->is_once;
    int dir_fd = has_file ? s->setup->state_dir->dir_fd : -1;
    struct result_stream *r = &a->results;
    if (ring_file_make(dir_fd, &owner, REPLAY_RING_BYTES, s->committed_batch, &r->file, &r->ring,
                       why) < 0) {
        return REFUSAL_RESOURCES;
    }
    r->cursor = replay_ring_rewind(&r->ring);
    r->limit_seq = s->committed_batch + LINK_WINDOW_BATCHES;
    return REFUSAL_UNSPECIFIED;
}

static enum control_refusal keep_shares(struct assignment *a, const struct control_prepare *prepare,
                                        char why[CONTROL_TEXT_BYTES])
{
    a->shares = calloc(prepare->share_count + 1, sizeof(*a->shares));
    if (a->shares == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for %zu shares", prepare->share_count);
        return REFUSAL_RESOURCES;
    }
    memcpy(a->shares, prepare->shares, prepare->share_count * sizeof(*a->shares));
    a->share_count = a->dealt_count = prepare->share_count;
    return REFUSAL_UNSPECIFIED;
}

static int open_sockets(struct assignment *a, const struct lane *lane, struct udp **out,
                        char why[CONTROL_TEXT_BYTES])
{
    size_t count = lane_carrier_count(lane);
    struct ipv4 *carriers = calloc(count + 1, sizeof(*carriers));
    if (carriers == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "out of memory for %zu addresses", count);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        carriers[i] = lane_carrier_address(lane, i);
    }
    session_host_look(a, carriers, count);
    int rc = udp_open(carriers, count, udp_dhcp_ports, out, why);
    free(carriers);
    if (rc == 0 && a->plan.server_count == 1) {
        udp_connect(*out, a->plan.servers[0].address);
    }
    return rc;
}

static bool is_shortage(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS;
}

static enum control_refusal start_lane(struct session *s, struct assignment *a,
                                       const struct control_prepare *prepare,
                                       char why[CONTROL_TEXT_BYTES])
{
    uint64_t packets_max =
        policy_packets_per_s(s->setup->policy, &a->plan, prepare->shares, prepare->share_count);
    if (prepare->packets_per_s_max != 0 && prepare->packets_per_s_max < packets_max) {
        packets_max = prepare->packets_per_s_max;
    }
    struct lane_setup setup = {.plan = &a->plan,
                               .shares = prepare->shares,
                               .share_count = prepare->share_count,
                               .packets_per_s_max = packets_max,
                               .total_packets = s->setup->policy->total_packets,
                               .now_ns = s->now_ns};
    struct lane *lane = lane_new(&setup);
    if (lane == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for the clients; use more agents");
        return REFUSAL_RESOURCES;
    }
    a->memory_bytes = lane_memory_bytes(lane) + REPLAY_RING_BYTES;
    struct udp *udp = NULL;
    int rc = open_sockets(a, lane, &udp, why);
    if (rc < 0) {
        lane_free(lane);
        return is_shortage(rc) ? REFUSAL_RESOURCES : REFUSAL_ADDRESS;
    }
    session_host_buffers(s, a, udp);
    bool may_spin = !a->plan.is_spin_off && s->setup->policy->spin != POLICY_SPIN_OFF;
    rc = lane_thread_start(lane, udp, prepare->share_count, may_spin, &a->lane);
    if (rc < 0) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "cannot start the packet thread: %s",
                       strerror(-rc));
        return REFUSAL_RESOURCES;
    }
    return REFUSAL_UNSPECIFIED;
}

/* From here on the plan counts as played; the lane has not been told to do anything yet. */
static enum control_refusal note_played(struct session *s, const struct assignment *a,
                                        const uint8_t hash[PLAN_HASH_BYTES],
                                        char why[CONTROL_TEXT_BYTES])
{
    char reason[RUN_RECORD_WHY_BYTES] = "";
    if (run_record_open(s->setup->records, a->plan.run_id, hash, a->plan.not_after_s, wall_s(),
                        reason) < 0) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "%.*s", CONTROL_TEXT_BYTES - 1, reason);
        return REFUSAL_RESOURCES;
    }
    return REFUSAL_UNSPECIFIED;
}

/* The operator's signature ends every span. */
static void may_send_for(struct assignment *a, uint64_t span_ns)
{
    uint64_t until_ns = clock_boottime_ns() + span_ns;
    a->send_until_ns = until_ns < a->valid_until_ns ? until_ns : a->valid_until_ns;
}

static void make_assignment(struct session *s, const struct control_prepare *prepare)
{
    char why[CONTROL_TEXT_BYTES] = "no memory for the run";
    enum control_refusal refusal = REFUSAL_RESOURCES;
    struct assignment *a = calloc(1, sizeof(*a));
    if (a != NULL) {
        a->results.file.fd = -1;
        refusal = check_plan(s, a, prepare, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = keep_shares(a, prepare, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = start_lane(s, a, prepare, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = note_played(s, a, prepare->plan_hash, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = make_ring(s, a, prepare, why);
    }
    if (refusal != REFUSAL_UNSPECIFIED) {
        if (a != NULL) {
            (void)session_host_tell(s, a); /* lost: the refusal says what stopped us */
        }
        send_refusal(s, refusal, why);
        assignment_free(a);
        return;
    }
    memcpy(a->plan_hash, prepare->plan_hash, sizeof(a->plan_hash));
    a->assignment_epoch = prepare->assignment_epoch;
    host_snmp_read(&a->snmp_at_ready);
    a->phase = PHASE_READY;
    a->owes = OWES_READY;
    a->needs_all_histograms = true;
    may_send_for(a, BEFORE_RUN_NS);
    s->assignment = a;
    session_renew_lease(s);
    if (session_may_tell(s, NEWS_PREPARED)) {
        log_info("what=prepared run=%s scenario=%s shares=%zu operator=%s", a->plan.run_name,
                 a->plan.scenario, prepare->share_count, a->operator_name);
    }
}

void session_prepare(struct session *s, const struct control_prepare *prepare)
{
    struct assignment *a = s->assignment;
    if (a == NULL) {
        make_assignment(s, prepare);
    } else if (memcmp(a->plan_hash, prepare->plan_hash, sizeof(a->plan_hash)) == 0 &&
               a->assignment_epoch == prepare->assignment_epoch) {
        a->owes |= OWES_READY; /* the same again: its answer was lost */
    } else {
        send_refusal(s, REFUSAL_PLAN, "another plan of this run is already prepared here");
    }
}

void session_renew_lease(struct session *s)
{
    struct assignment *a = s->assignment;
    if (a == NULL) {
        return;
    }
    bool is_cut = a->send_until_ns < s->lease_until_ns;
    if (is_cut && !a->is_over_time) {
        a->is_over_time = true;
        log_error("what=over_time run=%s why=\"the plan's run time is over, but the coordinator "
                  "goes on; nothing more is sent after it\"",
                  a->plan.run_name);
    }
    uint64_t until_ns = is_cut ? a->send_until_ns : s->lease_until_ns;
    uint64_t alone_until_ns = until_ns;
    if (a->phase == PHASE_RUNNING && s->lease_until_ns != 0) {
        /* Without a word of the coordinator leases are kept, inside what was signed and allowed. */
        alone_until_ns = s->lease_until_ns + a->plan.renewals_alone_ns;
        alone_until_ns = alone_until_ns < a->send_until_ns ? alone_until_ns : a->send_until_ns;
    }
    lane_thread_set_lease(a->lane, until_ns, alone_until_ns);
}

void session_discard(struct session *s, const char *why)
{
    if (s->assignment == NULL) {
        return;
    }
    if (why != NULL && session_may_tell(s, NEWS_DISCARDED)) {
        log_warn("what=run_discarded run=%s why=\"%s\"", s->assignment->plan.run_name, why);
    }
    if (why != NULL) {
        session_close_run(s);
    }
    session_kept_take(s);
}

void session_assignment_free(struct session *s)
{
    assignment_free(s->assignment);
    s->assignment = NULL;
}

void session_close_run(struct session *s)
{
    char why[RUN_RECORD_WHY_BYTES] = "";
    const uint8_t *run_id = s->assignment != NULL ? s->assignment->plan.run_id : s->run_id;
    if (s->setup->records != NULL && run_record_close(s->setup->records, run_id, why) < 0) {
        log_error("what=run_record_not_written why=\"%s\" continuing", why);
    }
}

/* --- commands --- */

void session_refuse_run(struct session *s, enum control_refusal code, const char *why)
{
    send_refusal(s, code, why);
    session_discard(s, why);
}

static bool tell_lane(struct session *s, const struct lane_command *command, const char *kind)
{
    if (!lane_thread_command(s->assignment->lane, command)) {
        session_complain(s, kind, "the packet thread has not taken the ones before it");
        return false;
    }
    return true;
}

static void obey_preflight(struct session *s, const struct control_preflight *preflight)
{
    struct assignment *a = s->assignment;
    struct lane_command command = {.kind = LANE_DO_PREFLIGHT, .u.preflight = *preflight};
    if (a->has_adopted) {
        session_refuse_run(s, REFUSAL_PLAN,
                           "preflight was asked for with leases of an earlier run adopted");
        return;
    }
    if (a->phase == PHASE_READY && tell_lane(s, &command, "preflight")) {
        a->phase = PHASE_PREFLIGHT;
    } else if (a->phase == PHASE_PREFLIGHT && a->preflight != NULL) {
        a->owes |= OWES_REPORT; /* asked again: the report was lost */
        a->preflight_at = 0;
    }
}

/* Before GO, which is in a hurry: from now on no other process plays this run. */
static bool note_begun(struct session *s, const struct assignment *a)
{
    char why[RUN_RECORD_WHY_BYTES] = "";
    if (run_record_begin(s->setup->records, a->plan.run_id, why) < 0) {
        session_refuse_run(s, REFUSAL_RESOURCES, why);
        return false;
    }
    return true;
}

static void obey_arm(struct session *s, const struct control_arm *arm)
{
    struct assignment *a = s->assignment;
    struct lane_command command = {.kind = LANE_DO_ARM, .u.path = (enum plan_path)arm->path};
    if (a->phase > PHASE_ARMED) {
        session_complain(s, "arm", "the run has begun");
        return;
    }
    if (a->phase == PHASE_PREFLIGHT && a->preflight == NULL) {
        session_complain(s, "arm", "preflight is still running");
        return;
    }
    bool is_new = a->phase != PHASE_ARMED || a->arm_generation != arm->generation;
    if (a->phase != PHASE_ARMED && !note_begun(s, a)) {
        return;
    }
    if (is_new && !tell_lane(s, &command, "arm")) {
        return;
    }
    a->phase = PHASE_ARMED;
    a->arm_generation = arm->generation;
    a->owes |= OWES_ARMED;
}

static void obey_go(struct session *s, const struct control_go *go)
{
    struct assignment *a = s->assignment;
    struct lane_command command = {.kind = LANE_DO_GO, .u.go = *go};
    char why[POLICY_WHY_BYTES] = "this agent is not armed for it";
    bool is_armed = a->phase == PHASE_ARMED || a->phase == PHASE_RUNNING;
    if (!is_armed || !permit_go(&a->plan, &command.u.go, why)) {
        session_complain(s, "go", why);
        return;
    }
    if (tell_lane(s, &command, "go")) {
        bool has_begun = a->phase == PHASE_RUNNING;
        a->phase = PHASE_RUNNING;
        if (!has_begun) {
            may_send_for(a, a->plan.run_time_max_ns + OVER_TIME_NS);
            session_renew_lease(s);
        }
    }
}

static void obey_drain(struct session *s, const struct control_drain *drain)
{
    struct assignment *a = s->assignment;
    struct lane_command command = {.kind = LANE_DO_DRAIN, .u.drain = *drain};
    if (a->halt_code != REFUSAL_UNSPECIFIED) {
        command.u.drain.mode = DRAIN_NOW; /* nothing can be released */
    }
    if (a->phase <= PHASE_DRAINING && tell_lane(s, &command, "drain")) {
        bool is_first = a->phase < PHASE_DRAINING;
        a->phase = PHASE_DRAINING; /* a second one may say NOW */
        if (is_first && !a->is_over_time) {
            may_send_for(a, CLEAN_UP_NS);
        }
        session_renew_lease(s);
        if (is_first || drain->mode == DRAIN_NOW) {
            session_close_run(s); /* whatever comes now, it is not begun again */
        }
    }
}

void session_obey(struct session *s, const struct control_message *m)
{
    if (m->kind == CONTROL_PREFLIGHT) {
        obey_preflight(s, &m->u.preflight);
    } else if (m->kind == CONTROL_ARM) {
        obey_arm(s, &m->u.arm);
    } else if (m->kind == CONTROL_GO) {
        obey_go(s, &m->u.go);
    } else if (m->kind == CONTROL_ADOPT) {
        session_adopt(s, &m->u.adopt);
    } else if (m->kind == CONTROL_TAKE) {
        session_take(s, &m->u.take);
    } else {
        assert(m->kind == CONTROL_DRAIN);
        obey_drain(s, &m->u.drain);
    }
}

/* --- answers --- */

void session_resume(struct session *s)
{
    struct assignment *a = s->assignment;
    if (a == NULL) {
        return;
    }
    if (s->committed_batch < a->results.ring.acked_seq) {
        session_refuse_run(s, REFUSAL_PLAN,
                           "results that were acknowledged are not in the coordinator's ledger any "
                           "more; was the run directory put back from a copy?");
        return;
    }
    ring_file_ack(&a->results.file, &a->results.ring, s->committed_batch);
    session_halt_again(a);
    static const unsigned answer_of[] = {
        [PHASE_READY] = OWES_READY, [PHASE_ARMED] = OWES_ARMED, [PHASE_DONE] = OWES_DONE};
    if (a->phase == PHASE_PREFLIGHT) {
        a->owes |= a->preflight != NULL ? OWES_REPORT : 0;
        a->preflight_at = 0;
    } else if ((size_t)a->phase < ARRAY_LEN(answer_of)) {
        a->owes |= answer_of[a->phase];
    }
}

static bool send_ready(struct session *s, const struct assignment *a)
{
    struct control_message m = {.kind = CONTROL_READY};
    memcpy(m.u.ready.plan_hash, a->plan_hash, sizeof(a->plan_hash));
    m.u.ready.memory_bytes = a->memory_bytes;
    return session_host_tell(s, a) && session_send(s, &m) == 0;
}

static bool send_report(struct session *s, struct assignment *a)
{
    bool is_last = false;
    while (!is_last) {
        size_t left = a->preflight_count - a->preflight_at;
        size_t count = left < REPORT_RELAYS_MAX ? left : REPORT_RELAYS_MAX;
        is_last = count == left;
        struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT};
        m.u.preflight_report = (struct control_preflight_report){
            .relays = a->preflight + a->preflight_at, .relay_count = count, .is_last = is_last};
        if (session_send(s, &m) < 0) {
            return false; /* goes on there */
        }
        a->preflight_at += count;
    }
    return true;
}

static bool send_armed(struct session *s, const struct assignment *a)
{
    struct control_message m = {.kind = CONTROL_ARMED};
    m.u.armed.generation = a->arm_generation;
    return session_send(s, &m) == 0;
}

static bool send_done(struct session *s, const struct assignment *a)
{
    struct control_message m = {.kind = CONTROL_DONE};
    m.u.done.last_batch_seq = a->results.ring.next_seq - 1;
    m.u.done.event_count = a->event_count;
    return session_send(s, &m) == 0;
}

static void pay(struct session *s, struct assignment *a)
{
    if ((a->owes & OWES_READY) != 0 && send_ready(s, a)) {
        a->owes &= ~(unsigned)OWES_READY;
    }
    if ((a->owes & OWES_REPORT) != 0 && send_report(s, a)) {
        a->owes &= ~(unsigned)OWES_REPORT;
    }
    if ((a->owes & OWES_ARMED) != 0 && send_armed(s, a)) {
        a->owes &= ~(unsigned)OWES_ARMED;
    }
    if ((a->owes & OWES_DONE) != 0 && send_done(s, a)) {
        a->owes &= ~(unsigned)OWES_DONE;
        log_info("what=done run=%s events=%llu", a->plan.run_name,
                 (unsigned long long)a->event_count);
    }
}

void session_collect(struct session *s)
{
    struct assignment *a = s->assignment;
    if (a == NULL) {
        return;
    }
    struct control_message m = {.kind = CONTROL_PROGRESS};
    bool has_progress = lane_thread_take_progress(a->lane, &m.u.progress);
    session_take_tick(s);
    if (a->preflight == NULL &&
        lane_thread_take_preflight(a->lane, &a->preflight, &a->preflight_count)) {
        a->owes |= OWES_REPORT;
    }
    session_halt_tick(s);
    if (s->state != SESSION_WELCOMED) {
        return;
    }
    if (has_progress) {
        (void)session_send(s, &m); /* the next one comes in a second at the latest */
    }
    pay(s, a);
}
