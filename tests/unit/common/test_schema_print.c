/* SPDX-License-Identifier: MIT */
/* schema_print parses to an equal struct; schema_reference names every key. */
#include "common/schema.h"

#include "tests/support/sample_schema.h"
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#define HEAD                                                                                       \
    "leaseherd: 1\n"                                                                               \
    "servers: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2, weight: 0}}\n"

static struct diag why;

static void parse(const char *text, struct sample *out)
{
    static char complaints[8192];
    memset(out, 0, sizeof(*out));
    diag_init(&why, "f");
    if (!schema_parse(sample_rows, text, strlen(text), out, &why)) {
        (void)diag_print(&why, complaints, sizeof(complaints));
        fail_msg("%s\nin:\n%s", complaints, text);
    }
}

static void assert_net_equal(struct ipv4_net a, struct ipv4_net b)
{
    assert_int_equal(a.base.be, b.base.be);
    assert_int_equal(a.prefix_bits, b.prefix_bits);
}

/* Everything but lines and the arrays' own addresses. */
static void assert_equal(struct sample a, struct sample b)
{
    assert_int_equal(a.relays.count, b.relays.count);
    const struct sample_relay *left = a.relays.items;
    const struct sample_relay *right = b.relays.items;
    for (size_t i = 0; i < a.relays.count; i++) {
        assert_string_equal(left[i].name, right[i].name);
        assert_int_equal(left[i].giaddr.be, right[i].giaddr.be);
        assert_net_equal(left[i].subnet, right[i].subnet);
        assert_int_equal(left[i].clients, right[i].clients);
        assert_int_equal(left[i].to.count, right[i].to.count);
        assert_int_equal(left[i].helpers.count, right[i].helpers.count);
        assert_true(left[i].to.count == 0 ||
                    memcmp(left[i].to.items, right[i].to.items, 16 * left[i].to.count) == 0);
    }
    assert_int_equal(a.stages.count, b.stages.count);
    assert_true(a.stages.count == 0 || memcmp(a.stages.items, b.stages.items,
                                              a.stages.count * sizeof(struct sample_stage)) == 0);
    assert_int_equal(a.servers.count, b.servers.count);
    assert_memory_equal(a.servers.items, b.servers.items,
                        a.servers.count * sizeof(struct sample_server));
    assert_int_equal(a.judgements.count, b.judgements.count);
    for (size_t i = 0; i < a.judgements.count; i++) {
        assert_string_equal(((const struct sample_judgement *)a.judgements.items)[i].text,
                            ((const struct sample_judgement *)b.judgements.items)[i].text);
    }
    assert_int_equal(a.prefixes.count, b.prefixes.count);
    assert_net_equal(a.block, b.block);
    memset(&a.block, 0, sizeof(a.block)); /* has padding */
    memset(&b.block, 0, sizeof(b.block));
    a.servers = a.relays = a.stages = a.judgements = a.prefixes = (struct schema_array){0};
    b.servers = b.relays = b.stages = b.judgements = b.prefixes = (struct schema_array){0};
    assert_memory_equal(&a, &b, sizeof(a));
}

static void every_file_survives_printing(void **state)
{
    (void)state;
    static const char *const files[] = {
        HEAD "network: {block: 10.0.0.0/8, relays: [{name: r, giaddr: 10.0.0.1}]}\n",
        HEAD "network: {block: 0.0.0.0/0, relays: [{name: r, giaddr: 0.0.0.0, helpers: []}]}\n"
             "title: \"\"\non: []\nverbose: false\njudge: []\n",
        HEAD "network: {block: 10.0.0.0/8, client_path: auto, prefixes: [10.0.0.0/9, 1.2.3.4],\n"
             "  relays: [{name: r, giaddr: 10.0.0.1, to: [\"\", \" a: b # c\", \"- x\"]},\n"
             "    {name: 0.x, giaddr: 10.0.0.1, subnet: 10.0.0.0/24, helpers: [1.1.1.1]}]}\n"
             "title: 'quote \" back \\ \xc3\xa4'\n"
             "limits: {packets: 12.345/s, time: 90s, fuzz: 33.333333%, lease: 1.5s}\n"
             "run: [{name: a}, {name: b, acquire: {}}, {name: c, hold: 0},\n"
             "  {name: d, acquire: {batch: 7, rate: 0.25/s, poisson: true}, hold: 7ns}]\n"
             "judge: [\"- a\", 'it''s', \"{}\", \"\"]\non: [stop]\nverbose: true\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct sample first, second;
        parse(files[i], &first);
        char *text = schema_print(sample_rows, &first);
        assert_non_null(text);
        parse(text, &second);
        assert_equal(first, second);
        char *again = schema_print(sample_rows, &second);
        assert_non_null(again);
        assert_string_equal(text, again);
        free(text);
        free(again);
        schema_free(sample_rows, &first);
        schema_free(sample_rows, &second);
    }
}

static void defaults_are_shown_and_what_was_not_given_is_not(void **state)
{
    (void)state;
    struct sample s;
    parse(HEAD "network: {block: 10.0.0.0/8, relays: [{name: r, giaddr: 10.0.0.1}]}\n"
               "run: [{name: a, acquire: {batch: 300}}]\n",
          &s);
    char *text = schema_print(sample_rows, &s);
    assert_non_null(text);
    assert_string_equal(text, "leaseherd: 1\n"
                              "title: \"untitled\"\n"
                              "servers:\n"
                              "  a:\n"
                              "    address: 192.0.2.1\n"
                              "    weight: 1\n"
                              "  b:\n"
                              "    address: 192.0.2.2\n"
                              "    weight: 0\n"
                              "network:\n"
                              "  block: 10.0.0.0/8\n"
                              "  client_path: egress\n"
                              "  relays:\n"
                              "    - name: r\n"
                              "      giaddr: 10.0.0.1\n"
                              "      clients: 100\n"
                              "      helpers:\n"
                              "        - 192.0.2.1\n"
                              "        - 192.0.2.2\n"
                              "limits:\n"
                              "  packets: 20000/s\n"
                              "  fuzz: 5%\n"
                              "run:\n"
                              "  - name: a\n"
                              "    acquire:\n"
                              "      batch: 300\n"
                              "      poisson: false\n"
                              "on: [end, stop]\n"
                              "verbose: false\n");
    free(text);
    schema_free(sample_rows, &s);
}

static void the_reference_names_every_key_with_range_and_default(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "leaseherd: a whole number, exactly 1 (required)\n    Version of the format.\n",
        "servers.NAME.address: an IPv4 address (required)\n    Where it listens.\n",
        "network.client_path: one of auto, routed, egress (default egress)\n",
        "network.relays[].clients: a whole number, 1 to 100000 clients (default 100)\n",
        "limits.lease: a time with its unit, 1s to 24h (optional)\n",
        "on: a list out of end, stop, fail (default [end, stop])\n",
        "run[].acquire.rate: a rate with its unit (optional)\n",
        "run: a list of maps, at most 4 elements (optional)\n",
    };
    char *text = schema_reference(sample_rows);
    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strstr(text, lines[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", lines[i], text);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_survives_printing),
        cmocka_unit_test(defaults_are_shown_and_what_was_not_given_is_not),
        cmocka_unit_test(the_reference_names_every_key_with_range_and_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
