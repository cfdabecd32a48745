/* SPDX-License-Identifier: MIT */
/* The hand-over between lane and link; the lane is a model without DHCP. For ThreadSanitizer, too.
 */
#include "tests/support/testing.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/edge/lane_thread.h"
#include "common/clock.h"
#include "common/log.h"
#include "tests/support/model_lane.h"
#include "tests/support/own_network.h"

#define CARRIER     0x7f00004eU /* 127.0.0.78 */
#define SERVER      0x7f00000dU /* 127.0.0.13 */
#define PATIENCE_NS (20 * NS_PER_S)

enum { CLIENTS = 100000, FEW = SEND_REFUSED_IN_A_ROW / 3 };

/* What the kernel is made to answer: this errno, so many times more. */
static struct {
    _Atomic int error;
    _Atomic int times;
} kernel;

/* In the place of libc's: the linker finds it first. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (atomic_load(&kernel.times) > 0) {
        atomic_fetch_sub(&kernel.times, 1);
        errno = atomic_load(&kernel.error);
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

struct bed {
    struct plan plan;
    struct plan_relay relay;
    struct lane_thread *thread;
};

static int start(void **state)
{
    static struct bed b;
    memset(&b, 0, sizeof(b));
    b.relay.via = inet_from_host(CARRIER);
    b.relay.client_count = CLIENTS;
    b.plan.relays = &b.relay;
    b.plan.relay_count = 1;
    b.plan.server_count = 1;
    b.plan.servers[0].address = inet_from_host(SERVER);
    b.plan.block = (struct ipv4_net){.base = inet_from_host(0x0a0a0000), .prefix_bits = 8};
    atomic_store(&model_lane.sent, 0);
    atomic_store(&model_lane.send_errors, 0);
    atomic_store(&model_lane.late_samples, 0);
    atomic_store(&kernel.times, 0);
    struct control_share share = {.client_count = CLIENTS};
    struct lane_setup setup = {.plan = &b.plan, .shares = &share, .share_count = 1};
    struct ipv4 carrier = b.relay.via;
    struct udp *udp = NULL;
    char why[UDP_WHY_BYTES];
    assert_int_equal(udp_open(&carrier, 1, udp_dhcp_ports, &udp, why), 0);
    assert_int_equal(lane_thread_start(lane_new(&setup), udp, 1, true, &b.thread), 0);
    *state = &b;
    return 0;
}

static int stop(void **state)
{
    struct bed *b = *state;
    lane_thread_free(b->thread);
    b->thread = NULL;
    return atomic_load(&model_lane.lanes) == 0 ? 0 : -1;
}

static void hold_lease(struct bed *b)
{
    uint64_t until_ns = clock_boottime_ns() + 60 * NS_PER_S;
    lane_thread_set_lease(b->thread, until_ns, until_ns);
}

static void go_at(struct bed *b, uint32_t clients, uint64_t start_at_ns)
{
    struct lane_command c = {.kind = LANE_DO_GO,
                             .u.go = {.start_at_ns = start_at_ns, .client_limit = clients}};
    assert_true(lane_thread_command(b->thread, &c));
}

static void wait_for_news(struct bed *b)
{
    struct pollfd fd = {.fd = lane_thread_fd(b->thread), .events = POLLIN};
    if (poll(&fd, 1, 20) > 0) {
        lane_thread_awake(b->thread);
    }
}

static void nothing_is_sent_without_a_lease(void **state)
{
    struct bed *b = *state;
    struct control_progress progress;
    go_at(b, 10, clock_monotonic_ns());
    /* Two reports: the command was obeyed and turns have passed. */
    for (unsigned reports = 0; reports < 2;) {
        wait_for_news(b);
        reports += lane_thread_take_progress(b->thread, &progress);
    }
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    assert_int_equal(progress.started, 0);
}

static void a_full_command_ring_is_told(void **state)
{
    struct bed *b = *state;
    struct lane_command c = {.kind = LANE_DO_ARM, .u.path = PLAN_PATH_EGRESS};
    unsigned taken = 0;
    while (taken < 1000 * LANE_THREAD_COMMANDS && lane_thread_command(b->thread, &c)) {
        taken++;
    }
    /* The lane empties it meanwhile: what matters is that it never blocks and never lies. */
    assert_true(taken >= LANE_THREAD_COMMANDS);
}

/* The lane never comes to the last of them: nothing is left behind, and nothing taken twice. */
static void leases_to_adopt_are_copied_and_freed(void **state)
{
    struct bed *b = *state;
    struct control_adopted leases[3] = {{0}};
    const struct control_adopt adopt = {leases, ARRAY_LEN(leases)};
    unsigned taken = 0;
    while (taken < 100 && lane_thread_adopt(b->thread, &adopt)) {
        taken++;
    }
    assert_true(taken > 0);
    memset(leases, 0xff, sizeof(leases));
    while (atomic_load(&model_lane.adopted) < ARRAY_LEN(leases)) {
        wait_for_news(b);
    }
    while (taken < 1000 * LANE_THREAD_COMMANDS && lane_thread_adopt(b->thread, &adopt)) {
        taken++;
    }
}

static size_t take_events(struct bed *b, uint32_t *next)
{
    struct event events[512];
    size_t count = lane_thread_take_events(b->thread, events, ARRAY_LEN(events));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].client, *next);
        (*next)++;
    }
    return count;
}

static void events_arrive_complete_and_in_order_even_when_the_link_is_slow(void **state)
{
    struct bed *b = *state;
    uint32_t next = 0;
    hold_lease(b);
    go_at(b, CLIENTS, clock_monotonic_ns());
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
    /* More than the ring holds: the lane waits with its events until there is room. */
    while (lane_thread_events_waiting(b->thread) < LANE_THREAD_EVENTS &&
           clock_monotonic_ns() < until_ns) {
        wait_for_news(b);
    }
    assert_int_equal(lane_thread_events_waiting(b->thread), LANE_THREAD_EVENTS);
    while (next < CLIENTS && clock_monotonic_ns() < until_ns) {
        if (take_events(b, &next) == 0) {
            wait_for_news(b);
        }
    }
    assert_int_equal(next, CLIENTS);
    assert_int_equal(atomic_load(&model_lane.sent), CLIENTS);
    assert_int_equal(atomic_load(&model_lane.send_errors), 0);
    assert_int_equal(atomic_load(&model_lane.late_samples), 1);
}

static void histograms_come_before_their_snapshot_and_only_when_changed(void **state)
{
    struct bed *b = *state;
    static struct lane_histogram_copy copy;
    static struct snapshot snapshot;
    uint32_t next = 0;
    static const unsigned expected[] = {MODEL_HISTOGRAMS, 0, MODEL_HISTOGRAMS};
    hold_lease(b);
    go_at(b, 1000, clock_monotonic_ns());
    while (next < 1000) {
        wait_for_news(b);
        (void)take_events(b, &next);
    }
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
        struct lane_command c = {.kind = LANE_DO_SNAPSHOT,
                                 .u.snapshot = {.seq = i + 1, .is_complete = i == 2}};
        assert_true(lane_thread_command(b->thread, &c));
        unsigned histograms = 0;
        while (!lane_thread_take_snapshot(b->thread, &snapshot)) {
            wait_for_news(b);
            while (lane_thread_take_histogram(b->thread, &copy)) {
                assert_int_equal(copy.snapshot_seq, i + 1);
                histograms++;
            }
        }
        while (lane_thread_take_histogram(b->thread, &copy)) {
            histograms++;
        }
        assert_int_equal(histograms, expected[i]);
        assert_int_equal(snapshot.seq, i + 1);
        assert_int_equal(snapshot.counter[COUNTER_events], 1000);
        assert_true(snapshot.counter[COUNTER_cpu_ns] > 0);
        assert_true(snapshot.counter[COUNTER_elapsed_ns] > 0);
    }
}

static void after_drain_no_event_is_missing(void **state)
{
    struct bed *b = *state;
    struct control_progress progress = {0};
    uint32_t next = 0;
    hold_lease(b);
    go_at(b, 5000, clock_monotonic_ns());
    while (progress.started < 5000) {
        wait_for_news(b);
        (void)lane_thread_take_progress(b->thread, &progress);
    }
    assert_false(lane_thread_is_drained(b->thread));
    struct lane_command c = {.kind = LANE_DO_DRAIN};
    assert_true(lane_thread_command(b->thread, &c));
    while (!lane_thread_is_drained(b->thread)) {
        wait_for_news(b);
    }
    while (take_events(b, &next) > 0) {
    }
    assert_int_equal(next, 5000);
}

static void a_preflight_report_comes_once(void **state)
{
    struct bed *b = *state;
    const struct control_preflight_relay *relays = NULL;
    size_t count = 0;
    struct lane_command c = {.kind = LANE_DO_PREFLIGHT,
                             .u.preflight = {.path = {PLAN_PATH_EGRESS}, .path_count = 1}};
    assert_false(lane_thread_take_preflight(b->thread, &relays, &count));
    assert_true(lane_thread_command(b->thread, &c));
    while (!lane_thread_take_preflight(b->thread, &relays, &count)) {
        wait_for_news(b);
    }
    assert_int_equal(count, 1);
    assert_int_equal(relays[0].path[0].path, PLAN_PATH_EGRESS);
    assert_false(lane_thread_take_preflight(b->thread, &relays, &count));
}

static void a_hundred_refused_sends_in_a_row_are_told_and_the_last(void **state)
{
    struct bed *b = *state;
    struct send_halt halt = {.kind = SEND_GOES_ON};
    b->plan.servers[0].address = inet_from_host(0xc0000201); /* 192.0.2.1: no route here */
    hold_lease(b);
    go_at(b, 300, clock_monotonic_ns());
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (!lane_thread_take_halt(b->thread, &halt) && clock_monotonic_ns() < until_ns) {
        wait_for_news(b);
    }
    assert_int_equal(halt.kind, SEND_HALT_REFUSED);
    assert_int_equal(halt.error, ENETUNREACH);
    assert_int_equal(inet_host(halt.destination), 0xc0000201);
    hold_lease(b); /* a new right changes nothing */
    go_at(b, 400, clock_monotonic_ns());
    struct timespec pause = {0, 50 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&model_lane.send_errors), SEND_REFUSED_IN_A_ROW);
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    assert_int_equal(atomic_load(&model_lane.last_send_errno), ENETUNREACH);
    assert_false(lane_thread_take_halt(b->thread, &halt)); /* once */
}

static void run_clients(struct bed *b, uint32_t clients, int error, int times)
{
    atomic_store(&kernel.error, error);
    atomic_store(&kernel.times, times);
    hold_lease(b);
    go_at(b, clients, clock_monotonic_ns());
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (atomic_load(&model_lane.sent) + atomic_load(&model_lane.send_errors) < clients &&
           clock_monotonic_ns() < until_ns) {
        wait_for_news(b);
    }
    /* Twice told would show here. */
    assert_int_equal(atomic_load(&model_lane.sent) + atomic_load(&model_lane.send_errors), clients);
}

static void a_send_queue_that_is_full_for_a_moment_costs_no_packet(void **state)
{
    struct bed *b = *state;
    static const int errors[] = {EAGAIN, ENOBUFS};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        run_clients(b, 1000 * (uint32_t)(i + 1), errors[i], 1);
        assert_int_equal(atomic_load(&model_lane.send_errors), 0);
        assert_int_equal(atomic_load(&kernel.times), 0);
    }
}

static void what_the_kernel_does_not_take_is_told_once_each_and_does_not_stop_the_lane(void **state)
{
    struct bed *b = *state;
    static const int errors[] = {ENOBUFS, EAGAIN, EPERM};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        uint64_t before = atomic_load(&model_lane.send_errors);
        run_clients(b, 1000 * (uint32_t)(i + 1), errors[i], FEW);
        assert_in_range(atomic_load(&model_lane.send_errors) - before, 1, FEW);
        assert_int_equal(atomic_load(&model_lane.last_send_errno), errors[i]);
    }
}

static void stopping_sends_nothing_more(void **state)
{
    struct bed *b = *state;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(67), .sin_addr.s_addr = htonl(SERVER)};
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    hold_lease(b);
    go_at(b, CLIENTS, clock_monotonic_ns());
    while (atomic_load(&model_lane.sent) == 0) {
        wait_for_news(b);
    }
    lane_thread_free(b->thread);
    b->thread = NULL;
    uint8_t bytes[16];
    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    struct pollfd quiet = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&quiet, 1, 50), 0);
    close(fd);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    log_set_level(LOG_LEVEL_WARN);
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        IN_BED(nothing_is_sent_without_a_lease),
        IN_BED(a_full_command_ring_is_told),
        IN_BED(leases_to_adopt_are_copied_and_freed),
        IN_BED(events_arrive_complete_and_in_order_even_when_the_link_is_slow),
        IN_BED(histograms_come_before_their_snapshot_and_only_when_changed),
        IN_BED(after_drain_no_event_is_missing),
        IN_BED(a_preflight_report_comes_once),
        IN_BED(a_hundred_refused_sends_in_a_row_are_told_and_the_last),
        IN_BED(a_send_queue_that_is_full_for_a_moment_costs_no_packet),
        IN_BED(what_the_kernel_does_not_take_is_told_once_each_and_does_not_stop_the_lane),
        IN_BED(stopping_sends_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
