/* SPDX-License-Identifier: MIT */
/* Which files an agent that enrols has on its disk, and when. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/enrol.h"
#include "common/clock.h"
#include "common/link.h"
#include "proto/enrol.h"

enum { PATIENCE_MS = 8000, PATH_BYTES = 128 };

struct bed {
    char dir[64], key[PATH_BYTES], server_key[PATH_BYTES], token[PATH_BYTES];
    struct key_pair own;
    struct link_context *context;
    struct link_socket *door;
    pthread_t thread;
    enum agent_exit code;
};

static void write_token(const struct bed *bed, uint16_t port)
{
    struct enrol_token token = {.host = "127.0.0.1", .port = port};
    char text[ENROL_TOKEN_BYTES];
    memcpy(token.server_key, bed->own.public_key, KEY_BYTES);
    memset(token.secret, 7, sizeof(token.secret));
    enrol_token_print(&token, text);
    int fd = open(bed->token, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    char why[LINK_WHY_BYTES] = "";
    uint16_t port = 0;
    (void)strcpy(bed->dir, "/tmp/leaseherd-test-enrol-XXXXXX");
    assert_non_null(mkdtemp(bed->dir));
    (void)snprintf(bed->key, PATH_BYTES, "%s/key", bed->dir);
    (void)snprintf(bed->server_key, PATH_BYTES, "%s/server.pub", bed->dir);
    (void)snprintf(bed->token, PATH_BYTES, "%s/token", bed->dir);
    key_pair_make(&bed->own);
    assert_int_equal(link_context_new(&bed->context), 0);
    assert_int_equal(link_allow_anybody(bed->context), 0);
    if (link_server_open(bed->context, LINK_ENROL, "127.0.0.1", 0, &bed->own, &bed->door, &port,
                         why) != 0) {
        fail_msg("%s", why);
    }
    write_token(bed, port);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    link_close(bed->door);
    link_context_free(bed->context);
    (void)unlink(bed->key);
    (void)unlink(bed->server_key);
    (void)unlink(bed->token);
    (void)rmdir(bed->dir);
    free(bed);
    return 0;
}

static void *enrol(void *bed_)
{
    struct bed *bed = bed_;
    char *argv[] = {(char[]){"enrol"}, (char[]){"--key"},   bed->key,   (char[]){"--server-key"},
                    bed->server_key,   (char[]){"--token"}, bed->token, NULL};
    bed->code = agent_enrol(7, argv);
    return NULL;
}

/* Until the agent has told its secret, after which its key may be listed. */
static void await_secret(struct bed *bed, struct link_peer *from)
{
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_MS * NS_PER_MS;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(pthread_create(&bed->thread, NULL, enrol, bed), 0);
    while (link_receive(bed->door, from, &bytes, &size) != 1) {
        assert_true(clock_monotonic_ns() < until_ns);
        assert_true(link_poll(&bed->door, 1, NULL, 0, 100) >= 0);
    }
}

static enum agent_exit answer(struct bed *bed, const struct link_peer *to, enum enrol_answer what)
{
    uint8_t bytes[ENROL_MESSAGE_BYTES];
    size_t size = enrol_put_answer(what, "a1", bytes);
    assert_int_equal(link_send(bed->door, to, bytes, size), 0);
    assert_int_equal(pthread_join(bed->thread, NULL), 0);
    return bed->code;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The answer may get lost, and the key be listed nevertheless. */
static void both_keys_are_there_before_the_answer(void **state)
{
    struct bed *bed = *state;
    struct link_peer from;
    uint8_t key[KEY_BYTES];
    char why[KEY_WHY_BYTES];
    await_secret(bed, &from);
    bool has_key = is_there(bed->key);
    int rc = key_public_read(bed->server_key, key, why);
    assert_int_equal(answer(bed, &from, ENROL_WELCOME), AGENT_STOPPED);
    assert_true(has_key);
    assert_int_equal(rc, 0);
    assert_memory_equal(key, bed->own.public_key, KEY_BYTES);
    assert_true(is_there(bed->server_key));
}

static void who_is_refused_keeps_neither(void **state)
{
    struct bed *bed = *state;
    struct link_peer from;
    await_secret(bed, &from);
    assert_int_equal(answer(bed, &from, ENROL_WRONG_SECRET), AGENT_REFUSED);
    assert_false(is_there(bed->key));
    assert_false(is_there(bed->server_key));
}

static void a_server_key_that_was_there_stays(void **state)
{
    struct bed *bed = *state;
    struct link_peer from;
    char why[KEY_WHY_BYTES];
    assert_int_equal(key_public_write(bed->server_key, bed->own.public_key, why), 0);
    await_secret(bed, &from);
    assert_int_equal(answer(bed, &from, ENROL_TAKEN), AGENT_REFUSED);
    assert_false(is_there(bed->key));
    assert_true(is_there(bed->server_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_keys_are_there_before_the_answer, open_bed, close_bed),
        cmocka_unit_test_setup_teardown(who_is_refused_keeps_neither, open_bed, close_bed),
        cmocka_unit_test_setup_teardown(a_server_key_that_was_there_stays, open_bed, close_bed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
