/* SPDX-License-Identifier: MIT */
#include "agent/edge/session_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/log.h"

enum { REPORT_RELAYS_MAX = 256 };

#define MILLI UINT64_C(1000)
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
    if (a->region != NULL) {
        (void)munmap(a->region, REPLAY_RING_BYTES); /* ours and whole */
    }
    free(a->shares);
    free(a->batch);
    free(a);
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
    return REFUSAL_UNSPECIFIED;
}

static enum control_refusal make_ring(const struct session *s, struct assignment *a,
                                      char why[CONTROL_TEXT_BYTES])
{
    a->batch = malloc(LINK_DATA_UP_BYTES);
    void *region = mmap(NULL, REPLAY_RING_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED || a->batch == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for 64 MiB of results");
        return REFUSAL_RESOURCES;
    }
    a->region = region;
    replay_ring_init(&a->ring, region, REPLAY_RING_BYTES, s->committed_batch);
    a->cursor = replay_ring_rewind(&a->ring);
    a->limit_seq = s->committed_batch + LINK_WINDOW_BATCHES;
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
    a->share_count = prepare->share_count;
    return REFUSAL_UNSPECIFIED;
}

static int open_sockets(const struct lane *lane, struct udp **out, char why[CONTROL_TEXT_BYTES])
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
    int rc = udp_open(carriers, count, udp_dhcp_ports, out, why);
    free(carriers);
    return rc;
}

static bool is_shortage(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS;
}

static void warn_small_buffers(struct session *s, const struct udp *udp)
{
    size_t got = udp_receive_buffer_bytes(udp);
    if (got < UDP_RECEIVE_BUFFER_BYTES && session_may_tell(s, NEWS_SMALL_BUFFERS)) {
        log_warn("what=small_receive_buffer bytes=%zu hint=\"sysctl -w net.core.rmem_max=%d lets "
                 "this agent keep bursts of answers\" continuing",
                 got, UDP_RECEIVE_BUFFER_BYTES);
    }
}

static enum control_refusal start_lane(struct session *s, struct assignment *a,
                                       const struct control_prepare *prepare,
                                       char why[CONTROL_TEXT_BYTES])
{
    uint64_t packets_max = s->setup->policy->packets_milli_per_s / MILLI;
    if (prepare->packets_per_s_max != 0 && prepare->packets_per_s_max < packets_max) {
        packets_max = prepare->packets_per_s_max;
    }
    struct lane_setup setup = {.plan = &a->plan,
                               .shares = prepare->shares,
                               .share_count = prepare->share_count,
                               .packets_per_s_max = packets_max,
                               .now_ns = s->now_ns};
    struct lane *lane = lane_new(&setup);
    if (lane == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for the clients; use more agents");
        return REFUSAL_RESOURCES;
    }
    a->memory_bytes = lane_memory_bytes(lane) + REPLAY_RING_BYTES;
    struct udp *udp = NULL;
    int rc = open_sockets(lane, &udp, why);
    if (rc < 0) {
        lane_free(lane);
        return is_shortage(rc) ? REFUSAL_RESOURCES : REFUSAL_ADDRESS;
    }
    warn_small_buffers(s, udp);
    rc = lane_thread_start(lane, udp, prepare->share_count, &a->lane);
    if (rc < 0) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "cannot start the packet thread: %s",
                       strerror(-rc));
        return REFUSAL_RESOURCES;
    }
    return REFUSAL_UNSPECIFIED;
}

static void make_assignment(struct session *s, const struct control_prepare *prepare)
{
    char why[CONTROL_TEXT_BYTES] = "no memory for the run";
    enum control_refusal refusal = REFUSAL_RESOURCES;
    struct assignment *a = calloc(1, sizeof(*a));
    if (a != NULL) {
        refusal = check_plan(s, a, prepare, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = make_ring(s, a, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = keep_shares(a, prepare, why);
    }
    if (refusal == REFUSAL_UNSPECIFIED) {
        refusal = start_lane(s, a, prepare, why);
    }
    if (refusal != REFUSAL_UNSPECIFIED) {
        send_refusal(s, refusal, why);
        assignment_free(a);
        return;
    }
    memcpy(a->plan_hash, prepare->plan_hash, sizeof(a->plan_hash));
    a->assignment_epoch = prepare->assignment_epoch;
    a->phase = PHASE_READY;
    a->owes = OWES_READY;
    a->needs_all_histograms = true;
    a->send_until_ns = clock_boottime_ns() + BEFORE_RUN_NS;
    s->assignment = a;
    session_renew_lease(s);
    if (session_may_tell(s, NEWS_PREPARED)) {
        log_info("what=prepared run=%s scenario=%s shares=%zu", a->plan.run_name, a->plan.scenario,
                 prepare->share_count);
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
    lane_thread_set_lease(a->lane, is_cut ? a->send_until_ns : s->lease_until_ns);
}

void session_discard(struct session *s, const char *why)
{
    if (s->assignment == NULL) {
        return;
    }
    if (why != NULL && session_may_tell(s, NEWS_DISCARDED)) {
        log_warn("what=run_discarded run=%s why=\"%s\"", s->assignment->plan.run_name, why);
    }
    assignment_free(s->assignment);
    s->assignment = NULL;
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
    if ((a->phase != PHASE_ARMED && a->phase != PHASE_RUNNING) ||
        go->stage >= a->plan.stage_count) {
        session_complain(s, "go", "this agent is not armed for it");
        return;
    }
    if (tell_lane(s, &command, "go")) {
        if (a->phase == PHASE_ARMED) {
            a->send_until_ns = clock_boottime_ns() + a->plan.run_time_max_ns + OVER_TIME_NS;
            session_renew_lease(s);
        }
        a->phase = PHASE_RUNNING;
    }
}

static void obey_drain(struct session *s, const struct control_drain *drain)
{
    struct assignment *a = s->assignment;
    struct lane_command command = {.kind = LANE_DO_DRAIN, .u.drain = *drain};
    if (a->phase <= PHASE_DRAINING && tell_lane(s, &command, "drain")) {
        if (a->phase < PHASE_DRAINING && !a->is_over_time) {
            a->send_until_ns = clock_boottime_ns() + CLEAN_UP_NS;
            session_renew_lease(s);
        }
        a->phase = PHASE_DRAINING; /* a second one may say NOW */
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
    replay_ring_ack(&a->ring, s->committed_batch);
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
    return session_send(s, &m) == 0;
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
    m.u.done.last_batch_seq = a->ring.next_seq - 1;
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
    if (a->preflight == NULL &&
        lane_thread_take_preflight(a->lane, &a->preflight, &a->preflight_count)) {
        a->owes |= OWES_REPORT;
    }
    if (s->state != SESSION_WELCOMED) {
        return;
    }
    if (has_progress) {
        (void)session_send(s, &m); /* the next one comes in a second at the latest */
    }
    pay(s, a);
}
