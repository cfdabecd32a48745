/* SPDX-License-Identifier: MIT */
#include "agent/edge/lane_thread_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/edge/lane_usage.h"
#include "agent/lane/lane_leave.h"
#include "agent/lane/lane_sleep.h"
#include "agent/lane/wake.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    TIMER_SLACK_NS = 1,
    /* Beyond that their answers have their turn first: about as many as then go out. */
    RECEIVE_PER_TURN = 2 * UDP_BATCH
};

#define WAIT_LONGEST_NS (50 * NS_PER_MS)
#define WAIT_SHORT_NS   NS_PER_MS /* something is kept back that time alone sets free */
#define RETRY_AFTER_NS  NS_PER_MS
#define SLEEP_LEAST_NS  INT64_C(1000000)
/* A full send queue empties by itself; ENOBUFS may also be a filter that drops for ever. */
#define PATIENCE_AGAIN_NS  (20 * NS_PER_MS)
#define PATIENCE_NOBUFS_NS (2 * NS_PER_MS)

static uint64_t usage_ns(const struct rusage *usage)
{
    uint64_t s = (uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec;
    uint64_t us = (uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec;
    return s * NS_PER_S + us * NS_PER_US;
}

uint64_t lane_loop_cpu_ns(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : usage_ns(&usage);
}

static enum lane_right right_at(const struct lane_thread *t, uint64_t boottime_ns)
{
    if (t->is_halted) {
        return LANE_MAY_NOTHING;
    }
    if (boottime_ns < atomic_load_explicit(&t->lease_until_ns, memory_order_acquire)) {
        return LANE_MAY_SEND;
    }
    return boottime_ns < atomic_load_explicit(&t->alone_until_ns, memory_order_acquire)
               ? LANE_MAY_RENEW
               : LANE_MAY_NOTHING;
}

/* When the right that is held ends (CLOCK_BOOTTIME); 0: there is none. */
static uint64_t right_until_ns(const struct lane_thread *t)
{
    if (t->right == LANE_MAY_SEND) {
        return atomic_load_explicit(&t->lease_until_ns, memory_order_acquire);
    }
    return t->right == LANE_MAY_RENEW
               ? atomic_load_explicit(&t->alone_until_ns, memory_order_acquire)
               : 0;
}

/* --- receive --- */

static void receive(struct lane_thread *t)
{
    struct lane_packet packets[UDP_BATCH];
    size_t count = 1;
    t->received = 0;
    while (t->received < RECEIVE_PER_TURN && count > 0) {
        count = udp_receive(t->udp, packets);
        t->received += count;
        for (size_t k = 0; k < count; k++) {
            lane_receive(t->lane, &packets[k]);
        }
    }
    struct udp_rx_facts facts = udp_take_rx_facts(t->udp);
    if ((facts.drops | facts.stamps_replaced | facts.truncated) != 0) {
        lane_count_rx(t->lane, facts.drops, facts.stamps_replaced, facts.truncated);
    }
}

/* --- commands --- */

static void use_path(struct lane_thread *t, bool is_routed)
{
    int rc = udp_use_wildcard(t->udp, is_routed);
    if (rc < 0) {
        log_warn("what=bind_failed path=%s errno=%d why=\"%s\" "
                 "hint=\"find the program on port 68 with ss -ulpn\" continuing",
                 is_routed ? "routed" : "carrier", -rc, strerror(-rc));
    }
}

static void obey_preflight(struct lane_thread *t, const struct control_preflight *preflight)
{
    bool tries_routed = false;
    for (uint32_t i = 0; i < preflight->path_count; i++) {
        tries_routed = tries_routed || preflight->path[i] == PLAN_PATH_ROUTED;
    }
    use_path(t, tries_routed);
    lane_preflight(t->lane, preflight, t->now_ns);
}

/* Step 0 is the first of every stage; later ones only widen it. */
static void obey_go(struct lane_thread *t, const struct control_go *go)
{
    bool is_known = t->has_started && t->start_round == go->round && t->start_stage == go->stage;
    if (go->step == 0 && !is_known) {
        t->has_started = true;
        t->is_start_awaited = true;
        t->start_stage = go->stage;
        t->start_round = go->round;
        t->start_at_ns = go->start_at_ns;
    }
    lane_go(t->lane, go, t->now_ns);
}

static void obey_adopt(struct lane_thread *t, const struct lane_adoption *adoption)
{
    const struct control_adopt adopt = {adoption->leases, adoption->lease_count};
    size_t adopted = lane_adopt(t->lane, &adopt, t->now_ns);
    if (adopted < adopt.lease_count) {
        log_warn(
            "what=leases_not_adopted count=%zu why=\"their clients hold another lease already; "
            "release that first\" continuing",
            adopt.lease_count - adopted);
    }
    free(adoption->leases);
}

static void obey_take(struct lane_thread *t, struct control_take *take)
{
    bool is_taken = lane_take(t->lane, take, t->now_ns);
    free(take);
    atomic_store_explicit(&t->take_state, is_taken ? TAKE_DONE : TAKE_FAILED, memory_order_release);
}

static void obey(struct lane_thread *t, const struct lane_command *command)
{
    switch (command->kind) {
    case LANE_DO_PREFLIGHT:
        obey_preflight(t, &command->u.preflight);
        break;
    case LANE_DO_ARM:
        use_path(t, command->u.path == PLAN_PATH_ROUTED);
        lane_arm(t->lane, command->u.path);
        break;
    case LANE_DO_GO:
        obey_go(t, &command->u.go);
        break;
    case LANE_DO_DRAIN:
        lane_drain(t->lane, &command->u.drain, t->now_ns);
        t->is_drain_asked = true;
        if (command->u.drain.mode == DRAIN_NOW) {
            lane_outbox_clear(t->lane); /* nor is sent what the kernel had kept back */
            t->outbox_at = 0;
            t->retry_at_ns = 0;
        }
        break;
    case LANE_DO_ADOPT:
        obey_adopt(t, &command->u.adopt);
        break;
    case LANE_DO_TAKE:
        obey_take(t, command->u.take);
        break;
    case LANE_DO_SNAPSHOT:
        t->request = command->u.snapshot;
        t->is_snapshot_asked = true;
        t->histogram_at = 0;
        break;
    }
}

/* A right that ended while nobody looked (SIGSTOP, suspend) ended when it ended. */
static void use_right(struct lane_thread *t)
{
    uint64_t since_ns = t->now_ns;
    enum lane_right right = right_at(t, t->boot_ns);
    if (right == t->right) {
        return;
    }
    uint64_t until_ns = right_until_ns(t);
    if (right < t->right && until_ns != 0 && t->boot_ns > until_ns) {
        uint64_t ago_ns = t->boot_ns - until_ns;
        since_ns = ago_ns < t->now_ns ? t->now_ns - ago_ns : 1;
    }
    t->right = right;
    lane_set_right(t->lane, right, since_ns, t->now_ns);
    if (right == LANE_MAY_RENEW) {
        lane_outbox_withdraw(t->lane, t->outbox_at); /* renewals must not wait behind them */
        t->outbox_at = 0;
        t->retry_at_ns = 0;
    }
}

static void take_commands(struct lane_thread *t)
{
    struct lane_command command;
    while (spsc_pop(&t->commands, &command)) {
        obey(t, &command);
    }
    use_right(t);
    uint32_t permille = atomic_load_explicit(&t->pressure_permille, memory_order_relaxed);
    uint32_t own = (uint32_t)(spsc_used(&t->events) * 1000 / LANE_THREAD_EVENTS);
    lane_set_pressure(t->lane, permille > own ? permille : own);
}

/* --- send --- */

/* True when this packet is to be tried again: then nothing is told about it. */
static bool keeps_back(struct lane_thread *t, const struct udp_sent *sent)
{
    bool is_again = sent->error == EAGAIN || sent->error == EWOULDBLOCK;
    if (!is_again && sent->error != ENOBUFS) {
        t->patience_until_ns = sent->error == 0 ? 0 : t->patience_until_ns;
        return false;
    }
    if (t->patience_until_ns == 0) {
        t->patience_until_ns = sent->at_ns + (is_again ? PATIENCE_AGAIN_NS : PATIENCE_NOBUFS_NS);
    }
    if (sent->at_ns >= t->patience_until_ns) {
        return false; /* and so are all that follow, until one gets through */
    }
    t->retry_at_ns = sent->at_ns + RETRY_AFTER_NS;
    return true;
}

static void tell_sent(struct lane_thread *t, const struct udp_sent *sent)
{
    for (size_t i = 0; i < sent->done; i++) {
        bool is_refused = sent->error != 0 && i + 1 == sent->done;
        lane_sent(t->lane, t->outbox_at + i, is_refused ? sent->error : 0, sent->at_ns);
        if (is_refused) {
            const struct lane_out *out = NULL;
            (void)lane_outbox(t->lane, &out);
            send_health_refused(&t->health, sent->error, out[t->outbox_at + i].destination,
                                sent->at_ns);
        }
    }
    send_health_sent(&t->health, sent->error != 0 ? sent->done - 1 : sent->done, sent->at_ns);
    t->outbox_at += sent->done;
    t->sent += sent->done;
}

/* For good: what is on its way to the kernel stays here, and nothing is made any more. */
static void look_at_health(struct lane_thread *t)
{
    struct udp_icmp icmp[UDP_ICMP_MAX];
    size_t count = udp_take_icmp(t->udp, icmp);
    lane_count_icmp(t->lane, count);
    for (size_t i = 0; i < count; i++) {
        send_health_icmp(&t->health, icmp[i].type, icmp[i].code, icmp[i].destination, t->now_ns);
    }
    if (lane_is_spent(t->lane)) {
        send_health_spent(&t->health, 0);
    }
    if (t->is_halted || t->health.halt.kind == SEND_GOES_ON) {
        return;
    }
    t->is_halted = true;
    t->halt = t->health.halt;
    lane_outbox_withdraw(t->lane, t->outbox_at);
    t->outbox_at = 0;
    t->retry_at_ns = 0;
    use_right(t);
    atomic_store_explicit(&t->halt_is_full, true, memory_order_release);
    lane_tell_link(t);
}

/* Before every send call: what was made a moment ago may be too late now. */
static size_t may_leave(const struct lane_thread *t, const struct lane_out *out, size_t count)
{
    enum lane_right right = right_at(t, clock_boottime_ns());
    return t->health.halt.kind != SEND_GOES_ON ? 0 : lane_may_leave(right, out, count);
}

static void send_outbox(struct lane_thread *t)
{
    const struct lane_out *out = NULL;
    size_t count = lane_outbox(t->lane, &out);
    size_t may = 0;
    t->retry_at_ns = 0;
    t->sent = 0;
    while (t->outbox_at < count &&
           (may = may_leave(t, out + t->outbox_at, count - t->outbox_at)) > 0) {
        struct udp_sent sent = udp_send(t->udp, out + t->outbox_at, may);
        if (keeps_back(t, &sent)) {
            return;
        }
        tell_sent(t, &sent);
    }
    if (t->outbox_at == count && count > 0) {
        lane_outbox_clear(t->lane);
        t->outbox_at = 0;
    }
}

/* How late the stage's first packets were on their way; one sample per stage. */
static void record_start(struct lane_thread *t)
{
    if (t->is_start_awaited && t->right == LANE_MAY_SEND && t->now_ns >= t->start_at_ns) {
        t->is_start_awaited = false;
        lane_record_lateness(t->lane, t->start_stage, clock_monotonic_ns() - t->start_at_ns);
    }
}

/* --- the loop --- */

/* Something is to be sent or told that cannot be now: what the lane has due does not go on either.
 */
static bool is_blocked(const struct lane_thread *t)
{
    const struct event *events = NULL;
    return t->right == LANE_MAY_NOTHING || t->retry_at_ns != 0 || lane_events(t->lane, &events) > 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the lane has something to do next. */
static uint64_t due_ns(const struct lane_thread *t, uint64_t now_ns)
{
    uint64_t due = lane_next_ns(t->lane);
    if (is_blocked(t) && due < now_ns + WAIT_SHORT_NS) {
        due = now_ns + WAIT_SHORT_NS;
    }
    if (t->is_snapshot_asked) {
        due = earlier(due, now_ns + WAIT_SHORT_NS);
    }
    if (t->is_start_awaited && t->start_at_ns > now_ns) {
        due = earlier(due, t->start_at_ns); /* also a stage that sends nothing at once */
    }
    if (t->retry_at_ns != 0) {
        due = t->retry_at_ns;
    }
    if (t->right != LANE_MAY_NOTHING) {
        /* The end of the lease is noticed when it comes, not with the next packet. */
        uint64_t until_ns = right_until_ns(t);
        uint64_t boot_ns = now_ns + (uint64_t)t->asleep_ns;
        due = earlier(due, now_ns + (until_ns > boot_ns ? until_ns - boot_ns : 0));
    }
    return earlier(due, now_ns + WAIT_LONGEST_NS);
}

static int wait_for_next(struct lane_thread *t)
{
    uint64_t now_ns = clock_monotonic_ns();
    bool may_spin = t->may_spin && !is_blocked(t);
    const struct wake_facts facts = {
        .may_spin = may_spin,
        .is_behind = t->received >= UDP_BATCH || t->sent >= UDP_BATCH,
        .begins_per_s = lane_begins_per_s(t->lane),
        .turned_at_ns = t->turned_at_ns,
        .due_ns = due_ns(t, now_ns),
    };
    const struct wake w = wake_after(&facts);
    lane_watch_wait(&t->watch, now_ns,
                    w.rest_until_ns > facts.due_ns ? w.rest_until_ns : facts.due_ns);
    if (w.rest_until_ns > now_ns) {
        clock_wait_until_ns(w.rest_until_ns, may_spin);
        now_ns = w.rest_until_ns;
    }
    int rc = udp_wait(t->udp, w.sleep_until_ns > now_ns ? w.sleep_until_ns - now_ns : 0);
    return rc < 0 || w.spin_until_ns == 0 ? rc : udp_spin(t->udp, w.spin_until_ns);
}

/* In this order a delay between the two readings only makes their difference smaller. */
static void read_clocks(struct lane_thread *t)
{
    t->boot_ns = clock_boottime_ns();
    t->now_ns = clock_monotonic_ns();
}

/* A suspended host: the clients' leases ran on. */
static void notice_sleep(struct lane_thread *t)
{
    int64_t asleep_ns = (int64_t)(t->boot_ns - t->now_ns);
    if (asleep_ns - t->asleep_ns > SLEEP_LEAST_NS) {
        log_warn("what=host_slept span_s=%.3f continuing",
                 (double)(asleep_ns - t->asleep_ns) / (double)NS_PER_S);
        lane_slept(t->lane, (uint64_t)(asleep_ns - t->asleep_ns));
        t->asleep_ns = asleep_ns;
    }
}

static void turn(struct lane_thread *t)
{
    read_clocks(t);
    t->turned_at_ns = t->now_ns;
    lane_watch_turn(&t->watch, t->now_ns);
    notice_sleep(t);
    receive(t);
    read_clocks(t);
    take_commands(t);
    lane_turn(t->lane, t->now_ns);
    send_outbox(t);
    look_at_health(t);
    record_start(t);
    lane_report(t);
}

static void say_usage(const struct lane_thread *t)
{
    struct rusage usage;
    uint64_t elapsed_ns = clock_monotonic_ns() - t->ready_ns;
    /* A run that was prepared and at once discarded has used nothing worth a line. */
    if (getrusage(RUSAGE_THREAD, &usage) == 0 && elapsed_ns > NS_PER_S) {
        log_info("what=lane_ended spin=%s cpu_percent=%.1f elapsed_s=%.1f",
                 t->may_spin ? "on" : "off", 100.0 * (double)usage_ns(&usage) / (double)elapsed_ns,
                 (double)elapsed_ns / (double)NS_PER_S);
    }
}

static void watch_begin(struct lane_thread *t)
{
    struct lane_usage usage;
    t->usage_fd = lane_usage_open();
    lane_usage_read(t->usage_fd, &usage);
    lane_watch_begin(&t->watch, &usage, clock_monotonic_ns());
}

void *lane_loop(void *lane_thread)
{
    struct lane_thread *t = lane_thread;
    /* Sleeps end as soon as they can: the default slack is 50 us. */
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    read_clocks(t);
    t->asleep_ns = (int64_t)(t->boot_ns - t->now_ns);
    watch_begin(t);
    t->right = LANE_MAY_NOTHING;
    lane_set_may_send(t->lane, false, t->now_ns);
    while (!atomic_load_explicit(&t->is_stopping, memory_order_acquire)) {
        int rc = wait_for_next(t);
        if (rc < 0) {
            log_error("what=wait_failed errno=%d why=\"%s\" continuing", -rc, strerror(-rc));
        }
        turn(t);
    }
    say_usage(t);
    if (t->usage_fd >= 0) {
        (void)close(t->usage_fd); /* only read from */
    }
    return NULL;
}
