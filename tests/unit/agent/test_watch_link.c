/* SPDX-License-Identifier: MIT */
/* An observer whose coordinator went away without a word: it waits for the run to be resumed, then
 * gives it up. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/observer/watch_link.h"
#include "common/attrs.h"
#include "common/log.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/own_network.h"

static struct fake_coordinator fake;
static struct watch_setup setup;
static struct watch_link watch;
static int log_fd;

static void rest(int ms)
{
    (void)poll(NULL, 0, ms);
}

static bool log_has(const char *text)
{
    char log[65536];
    ssize_t size = pread(log_fd, log, sizeof(log) - 1, 0);
    log[size < 0 ? 0 : size] = '\0';
    return strstr(log, text) != NULL;
}

static void turn_until(enum watch_state state)
{
    for (unsigned i = 0; i < 2000 && watch.state != state; i++) {
        watch_link_turn(&watch, clock_monotonic_ns());
        rest(5);
    }
    assert_int_equal(watch.state, state);
}

static void welcome(uint64_t session)
{
    for (unsigned i = 0; i < 2000 && !watch.is_connected; i++) {
        watch_link_turn(&watch, clock_monotonic_ns());
        rest(5);
    }
    watch_link_turn(&watch, clock_monotonic_ns()); /* says hello */
    fake.session = CONTROL_SESSION_UNKNOWN;
    (void)fake_await(&fake, CONTROL_OBSERVER_HELLO);
    fake_welcome(&fake, session, 0xa1);
    turn_until(WATCH_ON);
}

static int begin(void **state)
{
    (void)state;
    fake_open(&fake);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    log_set_fd(log_fd);
    setup = (struct watch_setup){.host = "127.0.0.1", .port = fake.port[0], .own = &fake.agent};
    memcpy(setup.server_key, fake.own.public_key, KEY_BYTES);
    assert_int_equal(link_context_new(&setup.context), 0);
    assert_true(watch_link_init(&watch, &setup, clock_monotonic_ns()));
    welcome(11);
    return 0;
}

static int end(void **state)
{
    (void)state;
    watch_link_fini(&watch);
    link_context_free(setup.context);
    fake_close(&fake);
    log_set_fd(-1);
    (void)close(log_fd);
    return 0;
}

static void a_coordinator_that_stays_away_ends_the_run(void **state)
{
    (void)state;
    fake_close_sockets(&fake);
    turn_until(WATCH_CALLING);
    uint64_t lost_ns = clock_monotonic_ns();
    bool is_said = log_has("what=coordinator_lost");
    watch_link_turn(&watch, lost_ns + 20 * NS_PER_S);
    bool is_early = watch.is_over;
    watch_link_turn(&watch, lost_ns + 31 * NS_PER_S);
    bool is_over = watch.is_over;
    watch.is_over = false;
    watch_link_turn(&watch, lost_ns + 62 * NS_PER_S);
    fake_open_sockets(&fake);
    assert_true(is_said && !is_early && is_over);
    assert_true(log_has("what=coordinator_gone"));
    assert_false(watch.is_over); /* once */
}

static void one_that_comes_back_goes_on(void **state)
{
    (void)state;
    fake_close_sockets(&fake);
    turn_until(WATCH_CALLING);
    uint64_t lost_ns = clock_monotonic_ns();
    fake_open_sockets(&fake);
    welcome(12);
    watch_link_turn(&watch, lost_ns + 31 * NS_PER_S);
    assert_false(watch.is_over);
    assert_false(log_has("what=coordinator_gone"));
}

/* What a server or a kernel says is told as it is, or not at all; it ends no observer. */
static void a_figure_that_cannot_be_is_left_out(void **state)
{
    (void)state;
    static const double wild[] = {1.1e18, 1e300, -1, INFINITY, NAN};
    struct observation o = {.seq = 1, .at_ns = 1, .instance = 1, .process_id = 1};
    for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
        observation_set(&o, OBSERVER_kea_acks, wild[i]);
        observation_set(&o, OBSERVER_failover_own, FAILOVER_STATE_COUNT);
        observation_set(&o, OBSERVER_rss, 5);
        watch_link_tell(&watch, &o);
        const struct observation *told = fake_await(&fake, CONTROL_OBSERVATION).u.observation;
        assert_int_equal(told->availability[OBSERVER_kea_acks], AVAILABLE_NOT_APPLICABLE);
        assert_int_equal(told->availability[OBSERVER_failover_own], AVAILABLE_NOT_APPLICABLE);
        assert_true(told->availability[OBSERVER_rss] == AVAILABLE_OK &&
                    told->value[OBSERVER_rss] == 5);
        o.seq++;
    }
}

/* Of class E, which Linux allows, and the wire does not. */
static bool add_odd_address(void)
{
    struct ifreq request;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xf0000001)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&request, 0, sizeof(request));
    memcpy(request.ifr_name, "lo:1", sizeof("lo:1"));
    memcpy(&request.ifr_addr, &in, sizeof(in));
    bool is_there = fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0;
    (void)close(fd);
    return is_there;
}

static void an_odd_address_of_the_host_is_not_told(void **state)
{
    (void)state;
    assert_true(add_odd_address());
    fake_close_sockets(&fake);
    turn_until(WATCH_CALLING);
    fake_open_sockets(&fake);
    fake.session = CONTROL_SESSION_UNKNOWN;
    for (unsigned i = 0; i < 2000 && !watch.is_connected; i++) {
        watch_link_turn(&watch, clock_monotonic_ns());
        rest(5);
    }
    watch_link_turn(&watch, clock_monotonic_ns());
    assert_int_equal(fake_await(&fake, CONTROL_OBSERVER_HELLO).u.observer_hello.address_count, 0);
}

int main(void)
{
    if (!own_network_enter()) {
        (void)fprintf(stderr, "needs root, for a network of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_coordinator_that_stays_away_ends_the_run, begin, end),
        cmocka_unit_test_setup_teardown(one_that_comes_back_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_figure_that_cannot_be_is_left_out, begin, end),
        cmocka_unit_test_setup_teardown(an_odd_address_of_the_host_is_not_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
