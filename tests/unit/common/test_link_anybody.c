/* SPDX-License-Identifier: MIT */
/* The enrolment socket: whoever has a key is heard, known by that key, and says little. */
#include "tests/support/testing.h"

#include "common/link_socket.h"
#include "tests/support/link_lab.h"

/* A lab whose server hears anybody instead. */
static int open_any_lab(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    char why[LINK_WHY_BYTES] = "";

    assert_non_null(lab);
    key_pair_make(&lab->server_key);
    key_pair_make(&lab->agent_key[0]);
    key_pair_make(&lab->agent_key[1]);
    assert_int_equal(link_context_new(&lab->server_context), 0);
    assert_int_equal(link_context_new(&lab->client_context), 0);
    assert_int_equal(link_allow_anybody(lab->server_context), 0);
    if (link_server_open(lab->server_context, LINK_ENROL, "127.0.0.1", 0, &lab->server_key,
                         &lab->server, &lab->port, why) != 0) {
        fail_msg("%s", why);
    }
    *state = lab;
    return 0;
}

static void a_plaintext_peer_is_not_heard(void **state)
{
    struct lab *lab = *state;

    raw_connect(lab, false, NULL);
    (void)zmq_send(lab->raw_socket, "hello", 5, 0);
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    (void)await_trouble(lab->server, LINK_PEER_REFUSED);
    expect_silence(lab->server);
}

static void a_peer_with_another_server_key_is_not_heard(void **state)
{
    struct lab *lab = *state;
    struct key_pair other;

    key_pair_make(&other);
    struct link_socket *client = connect_to(lab, &lab->agent_key[0], other.public_key, lab->port);
    unsigned seen = await_trouble(client, LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen & LINK_CONNECTED, 0);
    assert_int_equal(link_send(client, NULL, "secret", 6), -EAGAIN); /* nothing was told */
    expect_silence(lab->server);
}

static void what_is_longer_than_a_request_ends_the_connection(void **state)
{
    static uint8_t large[LINK_ENROL_BYTES + 1];
    static char out[LINK_ENROL_BYTES + 1];
    struct lab *lab = *state;
    struct link_peer from;
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);

    send_now(client, NULL, large, LINK_ENROL_BYTES);
    assert_int_equal(receive_now(lab->server, &from, out, sizeof(out)), LINK_ENROL_BYTES);
    (void)link_trouble(client);
    send_now(client, NULL, large, LINK_ENROL_BYTES + 1);
    (void)await_trouble(client, LINK_DISCONNECTED);
    expect_silence(lab->server);
}

static void everybody_is_known_by_the_key_he_proved_and_by_nothing_else(void **state)
{
    struct lab *lab = *state;

    for (size_t i = 0; i < AGENTS; i++) {
        struct link_peer from;
        char out[64];
        struct link_socket *client = connect_as(lab, &lab->agent_key[i]);
        send_now(client, NULL, "it is me", 8);
        (void)receive_now(lab->server, &from, out, sizeof(out));
        assert_memory_equal(from.key, lab->agent_key[i].public_key, KEY_BYTES);
        assert_string_equal(from.name, "");
        send_now(lab->server, &from, "welcome", 7);
        (void)receive_now(client, NULL, out, sizeof(out));
        assert_string_equal(out, "welcome");
    }
}

/* One context is one door: a list cannot be had where anybody may come in, nor the reverse. */
static void a_context_is_for_anybody_or_for_a_list(void **state)
{
    struct lab *lab = *state;
    const struct key_list nobody = {0};

    assert_int_equal(link_allow(lab->server_context, &nobody), -EINVAL);
    assert_int_equal(link_allow_anybody(lab->server_context), -EINVAL);
    assert_int_equal(link_allow(lab->client_context, &nobody), 0);
    assert_int_equal(link_allow_anybody(lab->client_context), -EINVAL);
}

/* The receiver multiplies it in 16 bits of milliseconds: more than 60 s comes out as something
 * else. */
static void heartbeats_say_what_a_peer_can_understand(void **state)
{
    struct lab *lab = *state;
    const struct link_socket *client = connect_as(lab, &lab->agent_key[0]);
    int ttl_ms = 0;
    int timeout_ms = 0;
    int every_ms = 0;
    int high_water = 0;
    size_t size = sizeof(int);

    assert_int_equal(zmq_getsockopt(client->zmq, ZMQ_HEARTBEAT_TTL, &ttl_ms, &size), 0);
    assert_int_equal(zmq_getsockopt(client->zmq, ZMQ_HEARTBEAT_TIMEOUT, &timeout_ms, &size), 0);
    assert_int_equal(zmq_getsockopt(client->zmq, ZMQ_HEARTBEAT_IVL, &every_ms, &size), 0);
    assert_int_equal(zmq_getsockopt(client->zmq, ZMQ_SNDHWM, &high_water, &size), 0);
    assert_true(every_ms > 0 && timeout_ms >= 3 * every_ms);
    assert_true(ttl_ms > timeout_ms && ttl_ms <= 60000);
    /* A window that can fill a queue makes heartbeats end connections. */
    assert_true(2 * LINK_WINDOW_BATCHES <= high_water);
}

int main(void)
{
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, open_any_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB_TEST(a_plaintext_peer_is_not_heard),
        LAB_TEST(a_peer_with_another_server_key_is_not_heard),
        LAB_TEST(what_is_longer_than_a_request_ends_the_connection),
        LAB_TEST(a_context_is_for_anybody_or_for_a_list),
        LAB_TEST(heartbeats_say_what_a_peer_can_understand),
        LAB_TEST(everybody_is_known_by_the_key_he_proved_and_by_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
