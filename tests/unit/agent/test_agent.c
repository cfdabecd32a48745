/* SPDX-License-Identifier: MIT */
/* Flags, files and privileges: what must be right before an agent says a word. */
#include "tests/support/testing.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/edge/addresses.h"
#include "agent/edge/privileges.h"
#include "agent/edge/state_dir.h"
#include "common/keys.h"
#include "tests/support/own_network.h"

static void a_coordinator_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         ":6767",       "host:",   "host:0",  "host:65536",       "host:67x",
        "host: 67", "2001:db8::1", "[::1",    "[]",      "[]:6767",          "host:+67",
        "a:1:2",    "[::1]6767",   "[::1]:x", "host:-1", "host:99999999999",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct agent_options options = {.port = 1};
        char why[AGENT_WHY_BYTES] = "";
        if (agent_parse_coordinator(bad[i], &options, why)) {
            fail_msg("'%s' was taken for %s:%u", bad[i], options.host, options.port);
        }
        assert_non_null(strstr(why, "--coordinator"));
        assert_int_equal(options.port, 1);
        assert_string_equal(options.host, "");
    }
}

static void a_coordinator_is_a_host_and_perhaps_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"op", "op", AGENT_PORT},
        {"192.0.2.10:6768", "192.0.2.10", 6768},
        {"op.example.net:1", "op.example.net", 1},
        {"[2001:db8::1]", "2001:db8::1", AGENT_PORT},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct agent_options options = {.port = 0};
        char why[AGENT_WHY_BYTES] = "";
        assert_true(agent_parse_coordinator(good[i].text, &options, why));
        assert_string_equal(options.host, good[i].host);
        assert_int_equal(options.port, good[i].port);
    }
}

/* --- files --- */

static void a_state_directory_open_to_others_or_in_use_is_refused(void **state)
{
    (void)state;
    char parent[] = "/tmp/leaseherd-state-XXXXXX";
    char dir[64], lock[96], missing[96], why[STATE_DIR_WHY_BYTES] = "";
    struct state_dir first, second;
    assert_non_null(mkdtemp(parent));
    (void)snprintf(dir, sizeof(dir), "%s/state", parent);
    (void)snprintf(lock, sizeof(lock), "%s/agent.lock", dir);
    (void)snprintf(missing, sizeof(missing), "%s/no/such", parent);

    assert_int_equal(state_dir_open(missing, &first, why), -ENOENT);
    assert_non_null(strstr(why, missing));
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0750), 0);
    assert_int_equal(state_dir_open(dir, &first, why), -EPERM);
    assert_non_null(strstr(why, "chmod it to 0700"));
    assert_int_equal(rmdir(dir), 0);

    assert_int_equal(state_dir_open(dir, &first, why), 0); /* made here */
    assert_int_equal(state_dir_open(dir, &second, why), -EWOULDBLOCK);
    assert_non_null(strstr(why, "another agent"));
    state_dir_close(&first);
    assert_int_equal(state_dir_open(dir, &second, why), 0);
    state_dir_close(&second);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(rmdir(parent), 0);
}

/* Newest last; the oldest goes when there is no room, and what is no such line says nothing. */
static void a_state_directory_remembers_who_was_there(void **state)
{
    (void)state;
    char dir[] = "/tmp/leaseherd-state-XXXXXX", lock[64], why[STATE_DIR_WHY_BYTES];
    struct state_dir found;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(lock, sizeof(lock), "%s/agent.lock", dir);
    for (uint64_t epoch = 1; epoch <= STATE_DIR_FORMER_MAX + 3; epoch++) {
        assert_int_equal(state_dir_open(dir, &found, why), 0);
        size_t expected = epoch - 1 < STATE_DIR_FORMER_MAX ? epoch - 1 : STATE_DIR_FORMER_MAX;
        assert_int_equal(found.former_count, expected);
        for (size_t i = 0; i < expected; i++) {
            assert_int_equal(found.former[expected - 1 - i], UINT64_MAX - (epoch - 1 - i));
        }
        assert_int_equal(state_dir_note_epoch(&found, UINT64_MAX - epoch), 0);
        state_dir_close(&found);
    }
    FILE *spoilt = fopen(lock, "w");
    (void)fprintf(spoilt,
                  "epoch 00000000000000a1\nepoch 00000000000000zz\nepoch 00000000000000a2\n");
    assert_int_equal(fclose(spoilt), 0);
    assert_int_equal(state_dir_open(dir, &found, why), 0);
    assert_int_equal(found.former_count, 1);
    assert_int_equal(found.former[0], 0xa1);
    state_dir_close(&found);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* Ends up with `code` and says `text` on stderr. */
static void expect_exit(const struct agent_options *options, enum agent_exit code, const char *text)
{
    char said[4096];
    FILE *log = tmpfile();
    assert_non_null(log);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fileno(log), STDERR_FILENO);
        _exit((int)agent_run(options));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ssize_t size = pread(fileno(log), said, sizeof(said) - 1, 0);
    said[size > 0 ? size : 0] = '\0';
    (void)fclose(log);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != (int)code || strstr(said, text) == NULL) {
        fail_msg("exit %d, '%s' instead of %d, '%s'", WEXITSTATUS(status), said, (int)code, text);
    }
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_bad_policy_or_key_ends_the_agent_with_usage(void **state)
{
    (void)state;
    char dir[] = "/tmp/leaseherd-agent-XXXXXX";
    char policy[64], key[64], server_key[64], why[KEY_WHY_BYTES];
    struct key_pair pair;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(policy, sizeof(policy), "%s/policy.yaml", dir);
    (void)snprintf(key, sizeof(key), "%s/agent.key", dir);
    (void)snprintf(server_key, sizeof(server_key), "%s/coordinator.pub", dir);
    struct agent_options options = {.host = "127.0.0.1",
                                    .port = 1,
                                    .policy_file = policy,
                                    .key_file = key,
                                    .server_key_file = server_key};

    expect_exit(&options, AGENT_USAGE, policy);
    write_file(policy, "servers: [192.0.2.1]\nprefixes: [10.0.0.0/8]\nbogus: 1\n", 0600);
    expect_exit(&options, AGENT_USAGE, ":3: ");
    write_file(policy, "servers: [192.0.2.1]\nprefixes: [10.0.0.0/8]\n", 0600);
    expect_exit(&options, AGENT_USAGE, server_key);
    key_pair_make(&pair);
    assert_int_equal(key_public_write(server_key, pair.public_key, why), 0);
    expect_exit(&options, AGENT_USAGE, key);
    assert_int_equal(key_pair_write(key, &pair, why), 0);
    assert_int_equal(chmod(key, 0644), 0);
    expect_exit(&options, AGENT_USAGE, key);
    assert_int_equal(chmod(key, 0600), 0);
    options.state_dir = "/dev/null";
    expect_exit(&options, AGENT_USAGE, "/dev/null");
    assert_int_equal(unlink(policy) + unlink(key) + unlink(server_key) + rmdir(dir), 0);
}

/* --- addresses --- */

static void only_addresses_the_policy_owns_are_offered(void **state)
{
    (void)state;
    struct ipv4_net prefix = {{0}, 0};
    struct policy policy = {.prefixes = {.items = &prefix, .count = 1}};
    struct ipv4 found[4];
    size_t count = 99;
    assert_true(inet_parse_net("192.0.2.0/24", &prefix));
    assert_int_equal(addresses_list(&policy, found, ARRAY_LEN(found), &count), 0);
    assert_int_equal(count, 0);
    assert_true(inet_parse_net("127.0.0.0/8", &prefix));
    assert_int_equal(addresses_list(&policy, found, ARRAY_LEN(found), &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(inet_host(found[0]), 0x7f000001);
}

/* --- privileges --- */

static bool has_only_bind(cap_flag_t flag)
{
    cap_t caps = cap_get_proc();
    bool is_right = caps != NULL;
    for (cap_value_t cap = 0; is_right && CAP_IS_SUPPORTED(cap); cap++) {
        cap_flag_value_t value = CAP_CLEAR;
        is_right = cap_get_flag(caps, cap, flag, &value) == 0 &&
                   (value == CAP_SET) == (cap == CAP_NET_BIND_SERVICE);
    }
    if (caps != NULL) {
        (void)cap_free(caps);
    }
    return is_right;
}

static bool bounding_set_is_narrow(void)
{
    bool is_right = true;
    for (cap_value_t cap = 0; is_right && CAP_IS_SUPPORTED(cap); cap++) {
        is_right = (cap_get_bound(cap) == 1) == (cap == CAP_NET_BIND_SERVICE);
    }
    return is_right;
}

static bool can_bind_67(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(67), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(fd, (const struct sockaddr *)&in, sizeof(in)) == 0;
}

/* What is wrong after dropping; 0: nothing. */
static int look_after_dropping(void)
{
    char why[PRIVILEGES_WHY_BYTES] = "";
    struct rlimit core;
    if (privileges_reduce(why) != 0) {
        return 1;
    }
    if (!has_only_bind(CAP_EFFECTIVE) || !has_only_bind(CAP_PERMITTED)) {
        return 2;
    }
    if (!bounding_set_is_narrow()) {
        return 3;
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return 4;
    }
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0) {
        return 5;
    }
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM) {
        return 6;
    }
    return can_bind_67() ? 0 : 7;
}

static int exit_of(int (*in_child)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(in_child());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int look_without_the_right_to_bind(void)
{
    char why[PRIVILEGES_WHY_BYTES] = "";
    if (setgid(65534) != 0 || setuid(65534) != 0) {
        return 1;
    }
    int rc = privileges_reduce(why);
    return rc == -EPERM && strstr(why, "CAP_NET_BIND_SERVICE") != NULL ? 0 : 2;
}

static void exactly_the_right_to_bind_low_ports_is_kept(void **state)
{
    (void)state;
    assert_int_equal(exit_of(look_after_dropping), 0);
}

static void without_the_right_to_bind_low_ports_the_remedy_is_named(void **state)
{
    (void)state;
    assert_int_equal(exit_of(look_without_the_right_to_bind), 0);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_coordinator_is_a_host_and_perhaps_a_port),
        cmocka_unit_test(a_state_directory_open_to_others_or_in_use_is_refused),
        cmocka_unit_test(a_state_directory_remembers_who_was_there),
        cmocka_unit_test(a_bad_policy_or_key_ends_the_agent_with_usage),
        cmocka_unit_test(only_addresses_the_policy_owns_are_offered),
        cmocka_unit_test(exactly_the_right_to_bind_low_ports_is_kept),
        cmocka_unit_test(without_the_right_to_bind_low_ports_the_remedy_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
