/* SPDX-License-Identifier: MIT */
/* Who must not get in, and what each side is told about it. */
#include "tests/support/testing.h"

#include "tests/support/link_lab.h"

static void an_unlisted_key_is_refused_and_told(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->strange_key);
    struct link_refusal refusal;
    char z85[KEY_Z85_BYTES];

    unsigned seen = await_trouble(client, LINK_KEY_REFUSED);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_WRONG_SERVER_KEY | LINK_NOT_CURVE), 0);
    assert_int_equal(await_trouble(lab->server, LINK_PEER_REFUSED), LINK_PEER_REFUSED);
    assert_true(link_last_refusal(lab->server_context, &refusal));
    key_to_z85(lab->strange_key.public_key, z85);
    assert_string_equal(refusal.key_z85, z85);
    assert_string_equal(refusal.address, "127.0.0.1");
    assert_string_equal(refusal.expired_name, "");
    assert_int_equal(refusal.count, 1); /* the self-test's own is not told */
    assert_false(link_last_refusal(lab->server_context, &refusal));
    assert_int_equal(link_send(client, NULL, "x", 1), -EAGAIN);
    expect_silence(lab->server);
}

static void an_expired_key_is_refused_and_named(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->expired_key);
    struct link_refusal refusal;

    (void)await_trouble(client, LINK_KEY_REFUSED);
    assert_true(link_last_refusal(lab->server_context, &refusal));
    assert_string_equal(refusal.expired_name, "old");
}

static void a_wrong_server_key_is_told(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->strange_key.public_key, lab->port);

    unsigned seen = await_trouble(client, LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_KEY_REFUSED | LINK_NO_LISTENER), 0);
    (void)await_trouble(lab->server, LINK_PEER_REFUSED);
}

static void a_plaintext_peer_is_refused(void **state)
{
    struct lab *lab = *state;

    raw_connect(lab, false, NULL);
    (void)zmq_send(lab->raw_socket, "hello", 5, 0);
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    (void)await_trouble(lab->server, LINK_PEER_REFUSED);
    expect_silence(lab->server);
}

/* A peer that says nothing of CURVE: our client must not talk to it. */
static void a_plaintext_server_is_told(void **state)
{
    struct lab *lab = *state;
    char endpoint[64];
    size_t size = sizeof(endpoint);

    raw_open(lab, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(lab->raw_socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(lab->raw_socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    uint16_t port = (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->server_key.public_key, port);
    /* Both ends object to the other's greeting; who hangs up first is a race. */
    unsigned seen = await_trouble(client, LINK_NOT_CURVE | LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_KEY_REFUSED), 0);
}

static void a_peer_that_chose_its_routing_id_is_not_heard(void **state)
{
    struct lab *lab = *state;

    struct link_socket *good = connect_as(lab, &lab->agent_key[1]);

    raw_connect(lab, true, "a2");
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    raw_send(lab, "forged", 0);
    uint64_t end_ns = deadline_ns();
    while (link_dropped_count(lab->server) == 0 && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        expect_silence(lab->server);
    }
    assert_int_equal(link_dropped_count(lab->server), 1);
    expect_only(lab, good, "after");
}

static void a_revoked_key_is_heard_no_more_and_cannot_come_back(void **state)
{
    struct lab *lab = *state;
    struct link_socket *revoked = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *good = connect_as(lab, &lab->agent_key[1]);

    expect_only(lab, revoked, "before");
    (void)link_trouble(revoked);
    lab->list.entries[0] = lab->list.entries[--lab->list.count];
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    send_now(revoked, NULL, "after", 5);
    uint64_t end_ns = deadline_ns();
    while (link_dropped_count(lab->server) == 0 && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        expect_silence(lab->server);
    }
    assert_int_equal(link_dropped_count(lab->server), 1);
    /* Its connection is cut, and libzmq's own way back ends at the door; the others are left alone.
     */
    unsigned seen = await_trouble(revoked, LINK_KEY_REFUSED);
    assert_int_equal(seen & LINK_CONNECTED, 0);
    expect_only(lab, good, "still here");
    assert_int_equal(link_trouble(good) & LINK_DISCONNECTED, 0);
    close_kept(lab, revoked);
    revoked = connect_as(lab, &lab->agent_key[0]);
    (void)await_trouble(revoked, LINK_KEY_REFUSED);
}

/* Several connections of several keys from one address: the one that speaks is the one that ends.
 */
static void only_the_revoked_one_of_a_host_is_cut(void **state)
{
    struct lab *lab = *state;
    struct link_socket *first = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *second = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *good = connect_as(lab, &lab->agent_key[1]);
    struct link_socket *eye = connect_as(lab, &lab->observer_key);

    expect_only(lab, first, "1");
    expect_only(lab, second, "2");
    expect_only(lab, good, "3");
    expect_only(lab, eye, "4");
    lab->list.entries[0] = lab->list.entries[--lab->list.count];
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    send_now(first, NULL, "after", 5);
    send_now(second, NULL, "after", 5);
    expect_only(lab, good, "5"); /* what the revoked say is passed over on the way */
    uint64_t end_ns = deadline_ns();
    while (link_dropped_count(lab->server) < 2 && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        expect_silence(lab->server);
    }
    (void)await_trouble(first, LINK_KEY_REFUSED);
    (void)await_trouble(second, LINK_KEY_REFUSED);
    expect_only(lab, good, "6");
    expect_only(lab, eye, "7");
    assert_int_equal((link_trouble(good) | link_trouble(eye)) & LINK_DISCONNECTED, 0);
}

/* libzmq does not try again after a 400; the caller opens anew, as link.h says. */
static void a_key_listed_later_gets_in_with_a_new_socket(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->strange_key);

    (void)await_trouble(client, LINK_KEY_REFUSED);
    list_key(lab, "a3", KEY_ROLE_AGENT, &lab->strange_key, "-");
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    close_kept(lab, client);
    client = connect_as(lab, &lab->strange_key);
    (void)await_trouble(client, LINK_CONNECTED);
}

static void a_server_without_an_allow_list_does_not_start(void **state)
{
    struct lab *lab = *state;
    struct link_socket *server = NULL;
    uint16_t port = 0;
    char why[LINK_WHY_BYTES] = "";

    assert_int_equal(link_server_open(lab->client_context, LINK_CTRL, "127.0.0.1", 0,
                                      &lab->server_key, &server, &port, why),
                     -EINVAL);
    assert_non_null(strstr(why, "allow-list"));
    assert_null(server);
}

int main(void)
{
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB_TEST(a_server_without_an_allow_list_does_not_start),
        LAB_TEST(an_unlisted_key_is_refused_and_told),
        LAB_TEST(an_expired_key_is_refused_and_named),
        LAB_TEST(a_wrong_server_key_is_told),
        LAB_TEST(a_plaintext_peer_is_refused),
        LAB_TEST(a_plaintext_server_is_told),
        LAB_TEST(a_peer_that_chose_its_routing_id_is_not_heard),
        LAB_TEST(a_revoked_key_is_heard_no_more_and_cannot_come_back),
        LAB_TEST(only_the_revoked_one_of_a_host_is_cut),
        LAB_TEST(a_key_listed_later_gets_in_with_a_new_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
