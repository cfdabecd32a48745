/* SPDX-License-Identifier: MIT */
/* Kea's control socket: answers as Kea 2.2.0 gives them, and a server that gives others or none. */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/observer/kea.h"
#include "common/attrs.h"

enum { SAMPLE_BYTES_MAX = 1 << 14 };

static char sample[SAMPLE_BYTES_MAX];

static const char *sample_of(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/support/observer/%s", SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(sample, 1, sizeof(sample) - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 0);
    sample[size] = '\0';
    return sample;
}

/* ---- answers ---- */

static void statistics_are_read(void **state)
{
    (void)state;
    struct kea_statistics s;
    const char *json = sample_of("kea-statistics.json");
    assert_int_equal(kea_answer_statistics(json, strlen(json), &s), KEA_ANSWER_OK);
    assert_true(s.has[OBSERVER_kea_received] && s.has[OBSERVER_kea_acks]);
    assert_true(s.has[OBSERVER_kea_allocation_failures]);
    assert_int_equal(s.value[OBSERVER_pool_total], 24574);
    assert_int_equal(s.value[OBSERVER_kea_assigned], 0);
    static const char two[] =
        "{\"arguments\": {\"subnet[1].total-addresses\": [[10, \"x\"], [9, \"y\"]], "
        "\"subnet[22].total-addresses\": [[5, \"x\"]], \"subnet[1].pool[0].total-addresses\": "
        "[[100, \"x\"]], \"subnet[x].total-addresses\": [[100, \"x\"]], \"pkt4-ack-sent\": "
        "[[7, \"x\"]]}, \"result\": 0}";
    assert_int_equal(kea_answer_statistics(two, strlen(two), &s), KEA_ANSWER_OK);
    assert_int_equal(s.value[OBSERVER_pool_total], 15);
    assert_int_equal(s.value[OBSERVER_kea_acks], 7);
    assert_false(s.has[OBSERVER_kea_allocation_failures]); /* older ones have none */
}

static void states_are_read(void **state)
{
    (void)state;
    struct failover f;
    enum failover_state own = FAILOVER_UNKNOWN, partner = FAILOVER_UNKNOWN;
    const char *json = sample_of("kea-status.json");
    memset(&f, 0, sizeof(f));
    assert_int_equal(kea_answer_status(json, strlen(json), &f), KEA_ANSWER_OK);
    assert_true(failover_tell(&f, &own, &partner));
    assert_int_equal(own, FAILOVER_LOAD_BALANCING);
    assert_int_equal(partner, FAILOVER_LOAD_BALANCING);
    memset(&f, 0, sizeof(f));
    static const char alone[] = "{\"arguments\": {\"pid\": 7}, \"result\": 0}";
    assert_int_equal(kea_answer_status(alone, strlen(alone), &f), KEA_ANSWER_OK);
    assert_false(failover_tell(&f, &own, &partner));
}

static void what_kea_would_not_say_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum kea_answer answer;
    } rows[] = {
        {"{\"result\": 2, \"text\": \"'x' command not supported.\"}", KEA_ANSWER_REFUSED},
        {"{\"result\": 0}", KEA_ANSWER_MALFORMED},
        {"{\"result\": \"0\", \"arguments\": {}}", KEA_ANSWER_MALFORMED},
        {"{\"arguments\": {}}", KEA_ANSWER_MALFORMED},
        {"{\"result\": 0, \"arguments\": [1]}", KEA_ANSWER_MALFORMED},
        {"[]", KEA_ANSWER_MALFORMED},
        {"", KEA_ANSWER_MALFORMED},
        {"{\"result\": 0, \"arguments\": {}} x", KEA_ANSWER_MALFORMED},
        {"HTTP/1.1 200 OK", KEA_ANSWER_MALFORMED},
    };
    struct kea_statistics s;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (kea_answer_statistics(rows[i].json, strlen(rows[i].json), &s) != rows[i].answer) {
            fail_msg("%s", rows[i].json);
        }
    }
    static const char odd[] = "{\"result\": 0, \"arguments\": {\"pkt4-received\": [[-1, \"x\"]], "
                              "\"pkt4-ack-sent\": [[\"7\"]], \"pkt4-nak-sent\": 7, "
                              "\"pkt4-offer-sent\": [], \"v4-allocation-fail\": [[]]}}";
    assert_int_equal(kea_answer_statistics(odd, strlen(odd), &s), KEA_ANSWER_OK);
    for (size_t i = 0; i < OBSERVER_METRIC_COUNT; i++) {
        assert_false(s.has[i]);
    }
}

/* ---- the socket ---- */

static char dir[] = "/tmp/test_observer_kea_XXXXXX";
static char path[64];
static int listener;

static int begin(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/control", dir);
    memcpy(address.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
                   listen(listener, 1) < 0
               ? -1
               : 0;
}

static int end(void **state)
{
    (void)state;
    (void)close(listener);
    (void)unlink(path);
    return rmdir(dir);
}

static const struct observer_target target = {.pid = 1, .instance = 1, .program = TARGET_KEA};

static const char some[] = "{\"arguments\": {\"pkt4-ack-sent\": [[7, \"x\"]], "
                           "\"subnet[1].total-addresses\": [[9, \"x\"]], "
                           "\"subnet[1].assigned-addresses\": [[4, \"x\"]]}, \"result\": 0}";

/* Takes the question that is under way, and gives `answer` in two parts. */
static void answer_one(struct kea *k, const char *word, const char *answer, uint64_t now_ns)
{
    char question[256] = "";
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(recv(fd, question, sizeof(question) - 1, 0) > 0);
    assert_non_null(strstr(question, word));
    size_t half = strlen(answer) / 2;
    assert_int_equal(send(fd, answer, half, 0), half);
    kea_look(k, &target, path, now_ns);
    assert_true(k->fd >= 0);
    assert_int_equal(send(fd, answer + half, strlen(answer) - half, 0), strlen(answer) - half);
    assert_int_equal(close(fd), 0);
    kea_look(k, &target, path, now_ns);
}

static void both_questions_are_asked_and_told(void **state)
{
    (void)state;
    struct failover f;
    struct kea k;
    struct observation o;
    memset(&f, 0, sizeof(f));
    memset(&o, 0, sizeof(o));
    kea_open(&k, &f);
    kea_observe(&k, &target, 1, &o);
    assert_int_equal(o.availability[OBSERVER_kea_acks], AVAILABLE_NOT_APPLICABLE);
    kea_look(&k, &target, path, NS_PER_S);
    answer_one(&k, "statistic-get-all", some, NS_PER_S);
    kea_look(&k, &target, path, NS_PER_S);
    answer_one(&k, "status-get", sample_of("kea-status.json"), NS_PER_S);
    kea_look(&k, &target, path, NS_PER_S);
    assert_int_equal(k.fd, -1);
    kea_observe(&k, &target, 2 * NS_PER_S, &o);
    assert_int_equal(o.value[OBSERVER_kea_acks], 7);
    assert_int_equal(o.value[OBSERVER_pool_total], 9);
    assert_int_equal(f.peer[0].own, FAILOVER_LOAD_BALANCING);
    /* Each of the two gives from its own pools: what is left of all is nobody's figure. */
    assert_int_equal(o.availability[OBSERVER_pool_free], AVAILABLE_NOT_APPLICABLE);
    memset(&f, 0, sizeof(f));
    kea_observe(&k, &target, 2 * NS_PER_S, &o);
    assert_int_equal(o.value[OBSERVER_pool_free], 5);
    kea_observe(&k, &target, 60 * NS_PER_S, &o);
    assert_int_equal(o.availability[OBSERVER_kea_acks], AVAILABLE_NOT_APPLICABLE);
    kea_close(&k);
}

static void a_server_that_is_silent_is_given_up(void **state)
{
    (void)state;
    struct failover f;
    struct kea k;
    struct observation o;
    memset(&f, 0, sizeof(f));
    memset(&o, 0, sizeof(o));
    kea_open(&k, &f);
    kea_look(&k, &target, path, NS_PER_S);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    kea_look(&k, &target, path, NS_PER_S + NS_PER_S / 2);
    assert_true(k.fd >= 0);
    kea_look(&k, &target, path, 2 * NS_PER_S);
    assert_int_equal(k.fd, -1);
    assert_int_equal(k.error, -ETIMEDOUT);
    kea_observe(&k, &target, 2 * NS_PER_S, &o);
    assert_int_equal(o.availability[OBSERVER_kea_acks], AVAILABLE_NOT_APPLICABLE);
    assert_non_null(strstr(o.note[NOTE_OBSERVER], "does not answer"));
    assert_int_equal(close(fd), 0);
    kea_close(&k);
}

static void an_endless_answer_is_cut(void **state)
{
    (void)state;
    static char much[1 << 16];
    struct failover f;
    struct kea k;
    memset(&f, 0, sizeof(f));
    memset(much, 'x', sizeof(much));
    kea_open(&k, &f);
    kea_look(&k, &target, path, NS_PER_S);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd >= 0);
    for (int i = 0; i < 100000 && k.fd >= 0; i++) {
        (void)!send(fd, much, sizeof(much), MSG_NOSIGNAL);
        kea_look(&k, &target, path, NS_PER_S);
    }
    assert_int_equal(k.fd, -1);
    assert_int_equal(k.error, -EFBIG);
    assert_int_equal(close(fd), 0);
    kea_close(&k);
}

static void a_backlog_that_is_full_is_tried_again(void **state)
{
    (void)state;
    struct failover f;
    static struct kea k[4];
    memset(&f, 0, sizeof(f));
    for (size_t i = 0; i < ARRAY_LEN(k); i++) { /* a backlog of one takes two */
        kea_open(&k[i], &f);
        kea_look(&k[i], &target, path, NS_PER_S);
    }
    assert_true(k[0].fd >= 0);
    assert_int_equal(k[3].fd, -1);
    assert_int_equal(k[3].question, KEA_ASKS_STATISTICS);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    kea_look(&k[3], &target, path, NS_PER_S);
    assert_true(k[3].fd >= 0);
    assert_int_equal(close(fd), 0);
    for (size_t i = 0; i < ARRAY_LEN(k); i++) {
        kea_close(&k[i]);
    }
}

static void no_socket_is_no_statistics(void **state)
{
    (void)state;
    struct failover f;
    struct kea k;
    char longer[200];
    memset(&f, 0, sizeof(f));
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    kea_open(&k, &f);
    kea_look(&k, &target, "/nowhere/at/all", NS_PER_S);
    assert_int_equal(k.error, -ENOENT);
    kea_look(&k, &target, longer, 3 * NS_PER_S);
    assert_int_equal(k.error, -ENAMETOOLONG);
    kea_look(&k, &target, "", 5 * NS_PER_S);
    assert_int_equal(k.fd, -1);
    kea_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_read),
        cmocka_unit_test(states_are_read),
        cmocka_unit_test(what_kea_would_not_say_is_refused),
        cmocka_unit_test_setup_teardown(both_questions_are_asked_and_told, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_is_silent_is_given_up, begin, end),
        cmocka_unit_test_setup_teardown(an_endless_answer_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_backlog_that_is_full_is_tried_again, begin, end),
        cmocka_unit_test(no_socket_is_no_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
