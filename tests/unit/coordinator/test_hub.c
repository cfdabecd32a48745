/* SPDX-License-Identifier: MIT */
/* What a listed agent may make the coordinator's sockets do in one call. */
#include "tests/support/testing.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "coordinator/run/hub.h"
#include "tests/support/control_samples.h"

enum { JUNK_MESSAGES = 700, REJECTED_PER_CALL_MAX = 256, PATIENCE_MS = 8000 };

struct bed {
    struct hub *hub;
    struct link_context *context;
    struct link_socket *agent;
};

static int open_bed(void **state)
{
    static struct bed bed;
    struct key_pair own, agent;
    struct key_entry entry = {.name = "a1", .role = KEY_ROLE_AGENT, .added = "-", .expires = "-"};
    const struct key_list list = {&entry, 1};
    char why[LINK_WHY_BYTES] = "";

    key_pair_make(&own);
    key_pair_make(&agent);
    memcpy(entry.public_key, agent.public_key, KEY_BYTES);
    if (hub_open("127.0.0.1", 0, &own, &list, &bed.hub, why) != 0) {
        fail_msg("%s", why);
    }
    assert_int_equal(link_context_new(&bed.context), 0);
    assert_int_equal(link_client_open(bed.context, LINK_CTRL, "127.0.0.1", hub_ctrl_port(bed.hub),
                                      own.public_key, &agent, &bed.agent, why),
                     0);
    *state = &bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;

    link_close(bed->agent);
    link_context_free(bed->context);
    hub_close(bed->hub);
    return 0;
}

static void send_now(struct bed *bed, const void *bytes, size_t size)
{
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_MS * NS_PER_MS;

    while (link_send(bed->agent, NULL, bytes, size) != 0) {
        assert_true(clock_monotonic_ns() < until_ns);
        assert_true(link_poll(&bed->agent, 1, NULL, 0, 1) >= 0);
    }
}

static void rejected_messages_do_not_keep_a_call_from_returning(void **state)
{
    struct bed *bed = *state;
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_MS * NS_PER_MS;
    uint8_t bytes[1024];
    struct control_message m;
    struct link_peer from;

    for (int i = 0; i < JUNK_MESSAGES; i++) {
        send_now(bed, "junk", 4);
    }
    sample_message(CONTROL_BEAT, &m);
    send_now(bed, bytes, control_encode(&m, bytes, sizeof(bytes)));
    struct timespec pause = {0, 500 * 1000 * 1000}; /* so that all of it lies there */
    (void)nanosleep(&pause, NULL);
    int got = 0;
    for (uint64_t before = 0; got == 0; before = hub_rejected_count(bed->hub)) {
        assert_true(clock_monotonic_ns() < until_ns);
        assert_int_equal(hub_wait(bed->hub, NULL, 0, 100), 0);
        got = hub_receive(bed->hub, HUB_CTRL, &from, &m);
        assert_in_range(hub_rejected_count(bed->hub) - before, 0, REJECTED_PER_CALL_MAX);
    }
    assert_int_equal(hub_rejected_count(bed->hub), JUNK_MESSAGES);
    assert_int_equal(m.kind, CONTROL_BEAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rejected_messages_do_not_keep_a_call_from_returning,
                                        open_bed, close_bed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
