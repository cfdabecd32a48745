/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/enrol.h"

static struct enrol_token sample_token(void)
{
    struct enrol_token token = {.host = "192.0.2.7", .port = 4711};

    memset(token.server_key, 0xc3, sizeof(token.server_key));
    for (size_t i = 0; i < sizeof(token.secret); i++) {
        token.secret[i] = (uint8_t)(i * 17);
    }
    return token;
}

static void expect_refused(const char *text, const char *phrase)
{
    struct enrol_token token;
    char why[ENROL_WHY_BYTES] = "";

    memset(&token, 0x77, sizeof(token));
    if (enrol_token_parse(text, &token, why)) {
        fail_msg("accepted: %s", text);
    }
    if (strstr(why, phrase) == NULL) {
        fail_msg("'%s': why='%s', expected '%s'", text, why, phrase);
    }
    assert_int_equal(token.port, 0x7777); /* untouched */
}

static void what_is_no_token_is_told(void **state)
{
    (void)state;
    char text[ENROL_TOKEN_BYTES];
    char two[2 * ENROL_TOKEN_BYTES + 2];
    struct enrol_token token = sample_token();

    expect_refused("", "begins with leaseherd-token-1-");
    expect_refused("hello", "begins with leaseherd-token-1-");
    expect_refused("leaseherd-token-2-AAAA", "begins with leaseherd-token-1-");
    expect_refused("leaseherd-token-1-", "cut");
    expect_refused("leaseherd-token-1-AAAA", "cut");
    expect_refused("leaseherd-token-1-A*AA", "damaged");
    enrol_token_print(&token, text);
    (void)snprintf(two, sizeof(two), "%s\n%s\n", text, text);
    expect_refused(two, "one word on one line");
    strcpy(token.host, "a b");
    enrol_token_print(&token, text);
    expect_refused(text, "no host name");
    strcpy(token.host, "a;b");
    enrol_token_print(&token, text);
    expect_refused(text, "no host name");
    token = sample_token();
    token.port = 0;
    enrol_token_print(&token, text);
    expect_refused(text, "no port");
}

/* No character of it can be changed or left out unnoticed. */
static void every_damage_is_noticed(void **state)
{
    (void)state;
    char text[ENROL_TOKEN_BYTES];
    const struct enrol_token token = sample_token();

    enrol_token_print(&token, text);
    for (size_t i = strlen("leaseherd-token-1-"); i < strlen(text); i++) {
        char damaged[ENROL_TOKEN_BYTES];
        strcpy(damaged, text);
        damaged[i] = text[i] == 'A' ? 'B' : 'A';
        expect_refused(damaged, "the token");
        damaged[i] = '\0';
        expect_refused(damaged, "the token");
    }
}

static void a_token_comes_back(void **state)
{
    (void)state;
    static const char *const hosts[] = {"192.0.2.7", "2001:db8::1", "fe80::1%eth0",
                                        "coordinator.example"};
    for (size_t i = 0; i <= ARRAY_LEN(hosts); i++) {
        char text[ENROL_TOKEN_BYTES];
        char line[ENROL_TOKEN_BYTES + 8];
        char why[ENROL_WHY_BYTES] = "";
        struct enrol_token out;
        struct enrol_token token = sample_token();
        if (i < ARRAY_LEN(hosts)) {
            strcpy(token.host, hosts[i]);
        } else {
            memset(token.host, 'h', ENROL_HOST_BYTES - 1); /* the longest */
        }
        enrol_token_print(&token, text);
        assert_int_equal(strcspn(text, " '\"\\$`!#&*;<>|()~"),
                         strlen(text)); /* none a shell eats */
        (void)snprintf(line, sizeof(line), " \t%s\r\n", text);
        if (!enrol_token_parse(line, &out, why)) {
            fail_msg("%s: %s", token.host, why);
        }
        assert_string_equal(out.host, token.host);
        assert_int_equal(out.port, token.port);
        assert_memory_equal(out.server_key, token.server_key, KEY_BYTES);
        assert_memory_equal(out.secret, token.secret, ENROL_SECRET_BYTES);
    }
}

/* Made by other code than ours: a token that was printed once must be read for ever. */
static void the_layout_is_that_of_version_1(void **state)
{
    (void)state;
    static const char text[] =
        "leaseherd-token-1-EmcAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHwABAgMEBQYHCAkKCwwNDg8xOTI"
        "uMC4yLjdcsQV1IvmHIQ";
    static const uint8_t request[] = "LHE1\1ABCDEFGHIJKLMNOP";
    char why[ENROL_WHY_BYTES] = "";
    char again[ENROL_TOKEN_BYTES];
    uint8_t bytes[ENROL_MESSAGE_BYTES];
    struct enrol_token token;

    assert_true(enrol_token_parse(text, &token, why));
    assert_string_equal(token.host, "192.0.2.7");
    assert_int_equal(token.port, 4711);
    for (size_t i = 0; i < KEY_BYTES; i++) {
        assert_int_equal(token.server_key[i], i);
        assert_int_equal(token.secret[i % ENROL_SECRET_BYTES], i % ENROL_SECRET_BYTES);
    }
    enrol_token_print(&token, again);
    assert_string_equal(again, text);
    assert_int_equal(enrol_put_request((const uint8_t *)"ABCDEFGHIJKLMNOP", bytes), 21);
    assert_memory_equal(bytes, request, 21);
    assert_int_equal(enrol_put_answer(ENROL_WELCOME, "a1", bytes), 8);
    assert_memory_equal(bytes, "LHE1\2\1a1", 8);
}

static void a_secret_is_known_by_its_hash_alone(void **state)
{
    (void)state;
    struct enrol_token token = sample_token();
    uint8_t hash[ENROL_HASH_BYTES];

    enrol_hash(token.secret, hash);
    assert_true(enrol_hash_is(token.secret, hash));
    for (size_t i = 0; i < ENROL_SECRET_BYTES * 8; i++) {
        token.secret[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(enrol_hash_is(token.secret, hash));
        token.secret[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

static void messages_of_any_other_shape_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[ENROL_MESSAGE_BYTES + 1] = {0};
    uint8_t secret[ENROL_SECRET_BYTES];
    char name[KEY_NAME_BYTES];
    enum enrol_answer answer = ENROL_FAILED;
    const struct enrol_token token = sample_token();

    size_t size = enrol_put_request(token.secret, bytes);
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        assert_int_equal(enrol_take_request(bytes, cut, secret), cut == size);
        assert_false(enrol_take_answer(bytes, cut, &answer, name));
    }
    assert_memory_equal(secret, token.secret, ENROL_SECRET_BYTES);
    for (size_t i = 0; i < 5; i++) { /* the heading */
        bytes[i] ^= 1;
        assert_false(enrol_take_request(bytes, size, secret));
        bytes[i] ^= 1;
    }
    size = enrol_put_answer(ENROL_WELCOME, "a1", bytes);
    assert_true(enrol_take_answer(bytes, size, &answer, name));
    assert_int_equal(answer, ENROL_WELCOME);
    assert_string_equal(name, "a1");
    assert_false(enrol_take_request(bytes, size, secret));
    assert_false(enrol_take_answer(bytes, size - 2, &answer, name)); /* welcome, but as whom? */
    bytes[5] = ENROL_WRONG_SECRET;                                   /* a refusal names nobody */
    assert_false(enrol_take_answer(bytes, size, &answer, name));
    bytes[5] = ENROL_ANSWER_COUNT;
    assert_false(enrol_take_answer(bytes, size, &answer, name));
    bytes[5] = 0;
    assert_false(enrol_take_answer(bytes, size, &answer, name));
    bytes[5] = ENROL_WELCOME;
    bytes[6] = '/';
    assert_false(enrol_take_answer(bytes, size, &answer, name));
    bytes[6] = 'a';
    bytes[7] = '\0';
    assert_false(enrol_take_answer(bytes, size, &answer, name));
}

static void every_answer_comes_back(void **state)
{
    (void)state;
    for (int i = ENROL_WELCOME; i < ENROL_ANSWER_COUNT; i++) {
        uint8_t bytes[ENROL_MESSAGE_BYTES];
        char name[KEY_NAME_BYTES] = "?";
        enum enrol_answer answer = ENROL_ANSWER_COUNT;
        size_t size =
            enrol_put_answer((enum enrol_answer)i, "agent-1.of_31-characters-at.most", bytes);
        assert_true(enrol_take_answer(bytes, size, &answer, name));
        assert_int_equal(answer, i);
        assert_string_equal(name, i == ENROL_WELCOME ? "agent-1.of_31-characters-at.mos" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_token_is_told),
        cmocka_unit_test(every_damage_is_noticed),
        cmocka_unit_test(messages_of_any_other_shape_are_refused),
        cmocka_unit_test(the_layout_is_that_of_version_1),
        cmocka_unit_test(a_token_comes_back),
        cmocka_unit_test(a_secret_is_known_by_its_hash_alone),
        cmocka_unit_test(every_answer_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
