/* SPDX-License-Identifier: MIT */
/* The sources put together, with this very process in the place of a server. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/observer/remark.h"
#include "agent/observer/stage1.h"
#include "common/attrs.h"
#include "common/clock.h"

static char dir[] = "/tmp/test_observer_stage1_XXXXXX";
static char leases[64], log_file[64], conf[64], pools[64];
static struct observer_target target;
static struct stage1 s;

static int begin(void **state)
{
    (void)state;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    memset(&target, 0, sizeof(target));
    target.pid = getpid();
    target.instance = 1;
    target.program = TARGET_DHCPD;
    target.thread[0] = getpid();
    target.thread_count = 1;
    target.is_same_network = true;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(leases, sizeof(leases), "%s/dhcpd.leases", dir);
    (void)snprintf(log_file, sizeof(log_file), "%s/log", dir);
    (void)snprintf(conf, sizeof(conf), "%s/dhcpd.conf", dir);
    (void)snprintf(pools, sizeof(pools), "%s/pools.conf", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(leases);
    (void)unlink(log_file);
    (void)unlink(conf);
    (void)unlink(pools);
    return rmdir(dir);
}

static int open_to_append(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void what_a_server_writes_to_is_found_and_followed(void **state)
{
    (void)state;
    struct observation o;
    memset(&o, 0, sizeof(o));
    int to_leases = open_to_append(leases), to_log = open_to_append(log_file);
    stage1_open(&s);
    stage1_observe(&s, &target, NS_PER_S, &o);
    assert_string_equal(s.files.leases, leases);
    assert_string_equal(s.files.log, log_file);
    assert_int_equal(o.availability[OBSERVER_failover_own], AVAILABLE_NOT_APPLICABLE);
    say(to_leases, "lease 10.0.0.1 {\n}\n");
    say(to_log, "DHCPACK on 10.0.0.1 to x\nfailover peer a: I move from normal to partner-down\n");
    stage1_look(&s, &target, NS_PER_S);
    memset(&o, 0, sizeof(o));
    stage1_observe(&s, &target, 2 * NS_PER_S, &o);
    assert_int_equal(o.value[OBSERVER_lease_commits], 1);
    assert_int_equal(o.value[OBSERVER_log_acks], 1);
    assert_int_equal(o.value[OBSERVER_failover_own], FAILOVER_PARTNER_DOWN);
    assert_int_equal(o.value[OBSERVER_wait_samples], 1);
    assert_int_equal(o.value[OBSERVER_wait_other], 1); /* it was reading this */
    assert_int_equal(o.availability[OBSERVER_kea_acks], AVAILABLE_NOT_APPLICABLE);
    target.pid = 0; /* it has ended */
    stage1_look(&s, &target, 2 * NS_PER_S);
    memset(&o, 0, sizeof(o));
    stage1_observe(&s, &target, 3 * NS_PER_S, &o);
    assert_int_equal(o.availability[OBSERVER_wait_samples], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(o.availability[OBSERVER_failover_own], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(o.value[OBSERVER_log_acks], 1);
    assert_true(observation_is_valid(&o) || o.at_ns == 0);
    stage1_close(&s);
    assert_int_equal(close(to_leases), 0);
    assert_int_equal(close(to_log), 0);
}

/* Standard streams may lead to any file, even to one that is called a log; locks are no logs. */
static void what_a_server_opened_itself_comes_before_its_standard_streams(void **state)
{
    (void)state;
    struct server_files f;
    char other[80], lock[80];
    (void)snprintf(other, sizeof(other), "%s/other.log", dir);
    (void)snprintf(lock, sizeof(lock), "%s/logger_lockfile", dir);
    int to_other = open_to_append(other), to_lock = open_to_append(lock);
    int to_log = open_to_append(log_file), ready[2];
    assert_int_equal(pipe(ready), 0);
    (void)fflush(NULL);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        bool is_led = dup2(to_other, STDOUT_FILENO) >= 0 && close(to_other) == 0;
        if (is_led && write(ready[1], "x", 1) == 1) {
            (void)pause();
        }
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    target.pid = server;
    server_files_open(&f);
    server_files_look(&f, &target);
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    for (size_t i = 0; i < 2; i++) {
        (void)close(ready[i]);
    }
    (void)close(to_other);
    (void)close(to_log);
    (void)close(to_lock);
    (void)unlink(other);
    (void)unlink(lock);
    assert_string_equal(f.log, log_file);
}

static struct observation observe_once(uint64_t now_ns)
{
    struct observation o;
    memset(&o, 0, sizeof(o));
    stage1_observe(&s, &target, now_ns, &o);
    return o;
}

static void pools_outside_failover_are_those_of_the_configuration(void **state)
{
    (void)state;
    char text[160];
    int to_conf = open_to_append(conf), to_pools = open_to_append(pools);
    (void)snprintf(text, sizeof(text), "ping-check false; include \"%s\";\n", pools);
    say(to_conf, text);
    say(to_pools, "subnet 10.10.0.0 netmask 255.255.0.0 { range 10.10.0.1 10.10.255.254; }\n");
    target.files.config = conf;
    target.files.log = log_file; /* there is none */
    stage1_open(&s);
    struct observation o = observe_once(NS_PER_S);
    assert_int_equal(o.availability[OBSERVER_pool_total], AVAILABLE_OK);
    assert_int_equal(o.value[OBSERVER_pool_total], 65534);
    assert_int_equal(o.availability[OBSERVER_pool_free], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(strncmp(o.note[NOTE_CONFIGURATION], "ping-check false, delayed-ack not", 33),
                     0);
    say(to_pools, "range 10.11.0.1;"); /* the server runs with what it read */
    assert_int_equal(observe_once(2 * NS_PER_S).value[OBSERVER_pool_total], 65534);
    target.instance++;
    assert_int_equal(observe_once(3 * NS_PER_S).value[OBSERVER_pool_total], 65535);
    target.instance++;
    assert_int_equal(unlink(pools), 0);
    o = observe_once(4 * NS_PER_S);
    assert_int_equal(o.availability[OBSERVER_pool_total], AVAILABLE_NOT_APPLICABLE);
    assert_non_null(strstr(o.note[NOTE_OBSERVER], "could not be read as a whole"));
    stage1_close(&s);
    (void)close(to_conf);
    (void)close(to_pools);
}

/* A pipe would hold the observer until somebody writes, a device may be changed by being opened. */
static void what_is_no_file_is_no_configuration(void **state)
{
    (void)state;
    char text[160];
    int to_conf = open_to_append(conf);
    (void)snprintf(text, sizeof(text), "range 10.10.0.1 10.10.0.9; include \"%s\";\n", pools);
    say(to_conf, text);
    assert_int_equal(mkfifo(pools, 0600), 0);
    target.files.config = conf;
    target.files.log = log_file;
    stage1_open(&s);
    (void)alarm(10); /* ends a test that is held */
    struct observation o = observe_once(NS_PER_S);
    (void)alarm(0);
    assert_int_equal(o.availability[OBSERVER_pool_total], AVAILABLE_NOT_APPLICABLE);
    assert_non_null(strstr(o.note[NOTE_OBSERVER], "could not be read as a whole"));
    target.instance++;
    target.files.config = "/dev/zero";
    o = observe_once(2 * NS_PER_S);
    assert_non_null(strstr(o.note[NOTE_OBSERVER], "could not be read as a whole"));
    stage1_close(&s);
    (void)close(to_conf);
}

static bool has_ended(pid_t pid)
{
    enum { TRIES = 500, TRY_MS = 20 };
    for (int i = 0; i < TRIES; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            return true;
        }
        (void)poll(NULL, 0, TRY_MS);
    }
    return false;
}

/* Whoever runs this test, root or not: there is an answer, and it says what it lacks. */
static void the_helper_answers_once_an_order_and_ends_with_us(void **state)
{
    (void)state;
    enum { TRIES = 1500, TRY_MS = 20 };
    struct firewall_helper h;
    struct firewall_report report;
    firewall_helper_start(&h);
    assert_true(h.pid > 0);
    assert_false(firewall_helper_answer(&h, &report));
    for (int order = 0; order < 2; order++) {
        assert_true(firewall_helper_ask(&h));
        bool has_answered = false;
        for (int i = 0; i < TRIES && !has_answered; i++) {
            has_answered = firewall_helper_answer(&h, &report);
            (void)poll(NULL, 0, TRY_MS);
        }
        assert_true(has_answered);
        assert_true(report.available == AVAILABLE_OK || report.why[0] != '\0');
        assert_false(firewall_helper_answer(&h, &report));
    }
    pid_t pid = h.pid;
    firewall_helper_end(&h);
    assert_true(has_ended(pid));
    assert_false(firewall_helper_ask(&h));
}

static void a_helper_that_has_died_is_missed(void **state)
{
    (void)state;
    static struct firewall f;
    struct observation o;
    memset(&o, 0, sizeof(o));
    firewall_open(&f);
    pid_t pid = f.helper.pid;
    assert_true(pid > 0);
    firewall_observe(&f, &target, &o);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (uint64_t now_ns = NS_PER_S; now_ns < 9 * NS_PER_S; now_ns += NS_PER_S) {
        firewall_look(&f, now_ns);
    }
    memset(&o, 0, sizeof(o));
    firewall_observe(&f, &target, &o);
    assert_int_equal(o.availability[OBSERVER_fw_nat_output], AVAILABLE_NOT_APPLICABLE);
    assert_non_null(strstr(o.note[NOTE_OBSERVER], "helper"));
    firewall_close(&f);
}

static void remarks_are_put_behind_each_other_while_there_is_room(void **state)
{
    (void)state;
    struct observation o;
    char longer[NOTE_BYTES];
    memset(&o, 0, sizeof(o));
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    remark(&o, "one");
    remark(&o, longer);
    remark(&o, "two");
    assert_string_equal(o.note[NOTE_OBSERVER], "one; two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_server_writes_to_is_found_and_followed, begin, end),
        cmocka_unit_test_setup_teardown(
            what_a_server_opened_itself_comes_before_its_standard_streams, begin, end),
        cmocka_unit_test_setup_teardown(pools_outside_failover_are_those_of_the_configuration,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_no_configuration, begin, end),
        cmocka_unit_test_setup_teardown(the_helper_answers_once_an_order_and_ends_with_us, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_helper_that_has_died_is_missed, begin, end),
        cmocka_unit_test(remarks_are_put_behind_each_other_while_there_is_room),
    };
    closefrom(3); /* files of who started us would be taken for the server's */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
