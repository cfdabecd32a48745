/* SPDX-License-Identifier: MIT */
/* schema_parse: what it refuses and in which words, then what it fills in. */
#include "common/schema.h"

#include "tests/support/sample_schema.h"
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct diag why;
static char complaints[DIAG_ITEMS_MAX * DIAG_TEXT_BYTES];
static struct sample parsed;

static bool parse_bytes(const char *text, size_t bytes)
{
    memset(&parsed, 0, sizeof(parsed));
    diag_init(&why, "f");
    bool is_good = schema_parse(sample_rows, text, bytes, &parsed, &why);
    (void)diag_print(&why, complaints, sizeof(complaints));
    return is_good;
}

static bool parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* Three lines with all that is required; what is tested begins in line 4. */
#define HEAD                                                                                       \
    "leaseherd: 1\n"                                                                               \
    "servers: {a: {address: 192.0.2.1}}\n"                                                         \
    "network: {block: 10.0.0.0/8, relays: [{name: r, giaddr: 10.0.0.1}]}\n"

struct refusal {
    const char *text;
    const char *complaint; /* all of it */
};

static void assert_refused(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parse(rows[i].text)) {
            fail_msg("accepted:\n%s", rows[i].text);
        }
        if (strcmp(complaints, rows[i].complaint) != 0) {
            fail_msg("file:\n%s\nsays:\n%swanted:\n%s", rows[i].text, complaints,
                     rows[i].complaint);
        }
        assert_null(parsed.servers.items); /* nothing is left to free */
        assert_null(parsed.relays.items);
    }
}

static void what_is_no_yaml_is_refused_in_one_sentence(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"", "f: the file is empty; begin it with the key `leaseherd`\n"},
        {"# only a comment\n", "f: the file is empty; begin it with the key `leaseherd`\n"},
        {"---\n", "f: the file is empty; begin it with the key `leaseherd`\n"},
        {"- a\n", "f:1: the file must be a map of keys; begin it with the key `leaseherd`\n"},
        {"text\n", "f:1: the file must be a map of keys; begin it with the key `leaseherd`\n"},
        {"a: 1\nb\xff: 2\n", "f:2: byte 0xff is not text; the file must be plain UTF-8\n"},
        {"\x7f"
         "ELF",
         "f:1: byte 0x7f is not text; the file must be plain UTF-8\n"},
        {"a: 1\n\n\tb: 2\n", "f:3: a tab indents this line; indent with spaces\n"},
        {"a:\n  \tb: 2\n", "f:2: a tab indents this line; indent with spaces\n"},
        {"a: b: c\n", "f:1: a `: ` stands where none can be; mend the indentation, or put the "
                      "value in quotes\n"},
        {"a: 1\nb\n", "f:3: this is not `key: value`; add the colon and a blank after it\n"},
        {"a: 1\nb: \"x\n\n\n", "f:2: this quote is never closed; close it\n"},
        {"a: [1,\n2\n", "f:1: this `[` is not closed; add the `]` or a comma\n"},
        {"a: {b: c\nd: e\n", "f:1: this `{` is not closed; add the `}` or a comma\n"},
        {"a:\n  - b\n c: d\n",
         "f:3: this does not line up with the keys above; mend the indentation\n"},
        {"a: @x\n", "f:1: a value cannot begin with `@`, `%` or a backtick; put it in quotes\n"},
        {"a: 1\n---\nb: 2\n", "f:2: a second document begins here; keep one per file\n"},
        {"? [a]\n: b\n", "f:1: a list or map stands where a key is due; write `key: value`\n"},
        {"a: [[[[[[[[[[[[[[[[[[[[\n", "f:1: nested deeper than 16 levels; flatten the file\n"},
        {"%YAML 9.9\n---\na: 1\n", "f:1: not valid YAML: found incompatible YAML document; check "
                                   "indentation, brackets and quotes here and above\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void bytes_are_looked_at_to_the_last(void **state)
{
    (void)state;
    static const char with_nul[] = HEAD "\0";
    assert_false(parse_bytes(with_nul, sizeof(with_nul) - 1));
    assert_string_equal(complaints, "f:4: byte 0x00 is not text; the file must be plain UTF-8\n");
    char *huge = calloc(1, SCHEMA_FILE_BYTES_MAX + 1);
    assert_non_null(huge);
    memset(huge, '\n', SCHEMA_FILE_BYTES_MAX + 1);
    assert_false(parse_bytes(huge, SCHEMA_FILE_BYTES_MAX + 1));
    assert_string_equal(complaints, "f: the file has more than 4 MiB; split the run into smaller "
                                    "ones\n");
    free(huge);
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "title: &x abc\n", "f:4: the anchor `&x` is not allowed here; remove it\n"},
        {HEAD "limits: &y {time: 4s}\n", "f:4: the anchor `&y` is not allowed here; remove it\n"},
        {HEAD "run: &z []\n", "f:4: the anchor `&z` is not allowed here; remove it\n"},
        {HEAD "title: *x\n", "f:4: the alias `*x` is not allowed here; write the value out\n"},
        {HEAD "*x : 1\n", "f:4: the alias `*x` is not allowed here; write the value out\n"},
        {HEAD "title: !!str abc\n", "f:4: the tag `!!str` is not allowed here; remove it\n"},
        {HEAD "title: !own abc\n", "f:4: the tag `!own` is not allowed here; remove it\n"},
        {HEAD "judge: !!seq []\n", "f:4: the tag `!!seq` is not allowed here; remove it\n"},
        {HEAD "title: \"a\\0b\"\n", "f:4: a text holds a NUL character; remove it\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void unknown_keys_name_the_nearest_known_one(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "limitz: {}\n", "f:4: unknown key `limitz`; did you mean `limits`?\n"},
        {HEAD "limits:\n  tiem: 4s\n", "f:5: unknown key `tiem` in `limits`; did you mean "
                                       "`time`?\n"},
        {HEAD "limits: {quux: 4s}\n", "f:4: unknown key `quux` in `limits`; the keys here are "
                                      "packets, time, fuzz, lease\n"},
        {HEAD "run: [{name: a, acquire: {bacth: 1}}]\n",
         "f:4: unknown key `bacth` in `run.acquire`; did you mean `batch`?\n"},
        {HEAD "limits: {\"a\\nb\": 1}\n", "f:4: unknown key `a?b` in `limits`; the keys here are "
                                          "packets, time, fuzz, lease\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void a_wrong_kind_of_value_says_what_is_expected(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "limits: 5\n", "f:4: `limits` must be a map of keys, not a single value; indent its "
                             "keys below it, each as `key: value`\n"},
        {HEAD "limits: [a]\n", "f:4: `limits` must be a map of keys, not a list; indent its keys "
                               "below it, each as `key: value`\n"},
        {HEAD "limits:\n", "f:4: `limits` has no value; give it a map of keys, or remove it\n"},
        {HEAD "run: {name: a}\n", "f:4: `run` must be a list of maps, not a map; begin each "
                                  "element with `- `, or write [a, b]\n"},
        {HEAD "run: [a]\n", "f:4: an element of `run` must be a map of keys, not a single value; "
                            "indent its keys below it, each as `key: value`\n"},
        {HEAD "run:\n  - {name: a}\n  -\n",
         "f:6: an element of `run` has no value; give it a map of keys, or remove it\n"},
        {HEAD "title: [a]\n", "f:4: `title` must be a text of at most 23 bytes, not a list; put "
                              "the text in quotes\n"},
        {HEAD "verbose: {a: b}\n", "f:4: `verbose` must be true or false, not a map; write true or "
                                   "false\n"},
        {HEAD "verbose:\n", "f:4: `verbose` has no value; give it true or false, or remove it\n"},
        {HEAD "judge: a\n", "f:4: `judge` must be a list of texts, not a single value; begin each "
                            "element with `- `, or write [a, b]\n"},
        {HEAD "judge:\n  - a: b\n", "f:5: an element of `judge` must be a text of at most 31 "
                                    "bytes, not a map; put the text in quotes\n"},
        {HEAD "on: end\n", "f:4: `on` must be a list out of end, stop, fail, not a single value; "
                           "begin each element with `- `, or write [a, b]\n"},
        {"leaseherd: 1\nservers: [a]\nnetwork: {block: 10.0.0.0/8, relays: [{name: r, giaddr: "
         "1.1.1.1}]}\n",
         "f:2: `servers` must be a map of names to maps, not a list; indent its keys below it, "
         "each as `key: value`\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void a_bad_value_shows_how_to_write_it(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "limits: {time: 60}\n", "f:4: `limits.time` is `60`, but must be a time with its "
                                      "unit; add the unit: 60s, if seconds are meant\n"},
        {HEAD "limits: {time: soon}\n", "f:4: `limits.time` is `soon`, but must be a time with its "
                                        "unit; write it like 500us, 100ms, 4s, 30m or 8h\n"},
        {HEAD "limits: {packets: 2000}\n", "f:4: `limits.packets` is `2000`, but must be a rate "
                                           "with its unit; add the unit: 2000/s\n"},
        {HEAD "limits: {fuzz: 5}\n", "f:4: `limits.fuzz` is `5`, but must be a percentage with its "
                                     "sign; add the sign: 5%\n"},
        {HEAD "verbose: yes\n", "f:4: `verbose` is `yes`, but must be true or false; write true or "
                                "false\n"},
        {HEAD "run: [{name: a, acquire: {batch: many}}]\n",
         "f:4: `run.acquire.batch` is `many`, but must be a whole number; write it like 300 or "
         "20_000\n"},
        {HEAD "run: [{name: a b}]\n",
         "f:4: `run.name` is `a b`, but must be a name of at most 15 letters, digits, `.`, `_` and "
         "`-`; use only those, a letter or digit first\n"},
        {HEAD "run: [{name: abcdefghijklmnop}]\n",
         "f:4: `run.name` is `abcdefghijklmnop`, but must be a name of at most 15 letters, digits, "
         "`.`, `_` and `-`; use only those, a letter or digit first\n"},
        {HEAD "title: 123456789012345678901234\n",
         "f:4: `title` is `123456789012345678901234`, but must be a text of at most 23 bytes; "
         "shorten it, and leave out control characters\n"},
        {HEAD "title: \"a\\tb\"\n", "f:4: `title` is `a?b`, but must be a text of at most 23 "
                                    "bytes; shorten it, and leave out control characters\n"},
        {HEAD "on: [end, fial]\n", "f:4: `on` is `fial`, but must be one of end, stop, fail; did "
                                   "you mean `fail`?\n"},
        {HEAD "on: [end, end]\n", "f:4: `on` names `end` twice; keep one\n"},
        {HEAD "on: [end, {}]\n", "f:4: an element of `on` must be one of end, stop, fail, not a "
                                 "map; choose one of them\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void addresses_are_checked_where_they_stand(void **state)
{
    (void)state;
#define WITH_NETWORK(network) "leaseherd: 1\nservers: {a: {address: 192.0.2.1}}\nnetwork:\n" network
    static const struct refusal rows[] = {
        {WITH_NETWORK("  block: 10.0.0.1/8\n  relays: [{name: r, giaddr: 10.0.0.1}]\n"),
         "f:4: `network.block` is `10.0.0.1/8`, but must be an address block; write it like "
         "10.10.0.0/16, no bit set behind the prefix\n"},
        {WITH_NETWORK("  block: 10.0.0.0/8\n  relays:\n  - {name: r, giaddr: 10.0.0}\n"),
         "f:6: `network.relays.giaddr` is `10.0.0`, but must be an IPv4 address; write it like "
         "192.0.2.1\n"},
        {WITH_NETWORK("  block: 10.0.0.0/8\n  relays: [{name: r, giaddr: 10.0.0.1}]\n"
                      "  prefixes: [10.0.0.0/8, x]\n"),
         "f:6: `network.prefixes` is `x`, but must be an address block; write it like "
         "10.10.0.0/16, no bit set behind the prefix\n"},
        {WITH_NETWORK("  block: 10.0.0.0/8\n  relays: [{name: r, giaddr: 10.0.0.1}]\n"
                      "  client_path: egres\n"),
         "f:6: `network.client_path` is `egres`, but must be one of auto, routed, egress; did you "
         "mean `egress`?\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void ranges_are_told_with_their_units(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "limits: {packets: 0.5/s}\n", "f:4: `limits.packets` is `0.5/s`, but must be 1/s to "
                                            "100000/s; choose a value in that range\n"},
        {HEAD "limits: {lease: 25h}\n", "f:4: `limits.lease` is `25h`, but must be 1s to 24h; "
                                        "choose a value in that range\n"},
        {HEAD "limits: {time: 999ms}\n", "f:4: `limits.time` is `999ms`, but must be at least 1s; "
                                         "choose a value in that range\n"},
        {HEAD "limits: {fuzz: 50.5%}\n", "f:4: `limits.fuzz` is `50.5%`, but must be at most 50%; "
                                         "choose a value in that range\n"},
        {HEAD "run: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n",
         "f:4: `run` has 5 elements, but must have at most 4 elements; remove some\n"},
        {"leaseherd: 2\nservers: {}\n"
         "network: {block: 10.0.0.0/8, relays: [{name: r, giaddr: 1.1.1.1, clients: 0}]}\n",
         "f:1: `leaseherd` is `2`, but must be exactly 1; choose a value in that range\n"
         "f:2: `servers` has 0 elements, but must have at least 1; add some\n"
         "f:3: `network.relays.clients` is `0`, but must be 1 to 100000 clients; choose a value in "
         "that range\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void what_stands_twice_or_is_missing_is_refused(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {HEAD "title: a\ntitle: b\n", "f:5: `title` stands here again after line 4; keep one\n"},
        {HEAD "limits:\n  time: 4s\n  fuzz: 1%\n  time: 4s\n",
         "f:7: `limits.time` stands here again after line 5; keep one\n"},
        {HEAD "run:\n  - name: a\n  - acquire: {}\n",
         "f:6: `run` lacks the key `name`; add it: a name of at most 15 letters, digits, `.`, `_` "
         "and `-`\n"},
        {"leaseherd: 1\nservers:\n  a:\n    weight: 1\nnetwork:\n  block: 10.0.0.0/8\n",
         "f:3: `servers.a` lacks the key `address`; add it: an IPv4 address\n"
         "f:5: `network` lacks the key `relays`; add it: a list of maps\n"},
        {"\n\ntitle: a\n", "f:3: the key `leaseherd` is missing; add it: a whole number\n"
                           "f:3: the key `servers` is missing; add it: a map of names to maps\n"
                           "f:3: the key `network` is missing; add it: a map of keys\n"},
        {"leaseherd: 1\nservers:\n  a: {address: 192.0.2.1}\n  a: {address: 192.0.2.2}\n"
         "  b c: {address: 192.0.2.3}\n"
         "network: {block: 10.0.0.0/8, relays: [{name: r, giaddr: 1.1.1.1}]}\n",
         "f:4: `servers` has the name `a` twice; choose another\n"
         "f:5: `b c` in `servers` is not a name; write at most 63 letters, digits, `.`, `_` and "
         "`-`, a letter or digit first\n"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void all_errors_are_told_at_once(void **state)
{
    (void)state;
    assert_false(parse("leaseherd: x\nservers:\n  a: {adress: 1.2.3.4}\nfoo: 1\nlimits: 5\n"));
    assert_int_equal(why.count, 6);
    static const char *const lines[] = {
        "f:1: `leaseherd` is",       "f:1: the key `network` is missing",
        "f:3: unknown key `adress`", "f:3: `servers.a` lacks",
        "f:4: unknown key `foo`",    "f:5: `limits` must be"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strstr(complaints, lines[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", lines[i], complaints);
        }
    }
}

static void thousands_of_errors_are_counted_in_time(void **state)
{
    (void)state;
    enum { KEYS = 100000, BYTES = 16 };
    char *text = calloc(KEYS, BYTES);
    assert_non_null(text);
    size_t at = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        at += (size_t)snprintf(text + at, BYTES, "k%07u: 1\n", i);
    }
    assert_false(parse_bytes(text, at));
    assert_int_equal(why.count, KEYS + 3);
    free(text);
}

static const char every_type[] = "leaseherd: 1\r\n"
                                 "title: 'a: b # c'\n"
                                 "servers:\n"
                                 "  a: {address: 192.0.2.1}\n"
                                 "  b: {address: 192.0.2.2, weight: 3}\n"
                                 "network:\n"
                                 "  block: 10.10.0.0/16   # comment\n"
                                 "  client_path: routed\n"
                                 "  prefixes: [10.0.0.0/8, 10.1.0.0/16]\n"
                                 "  relays:\n"
                                 "    - name: r1\n"
                                 "      giaddr: 172.16.8.3\n"
                                 "      clients: 12_000\n"
                                 "      to: [a, b]\n"
                                 "    - {name: r2, giaddr: 172.16.9.3, helpers: []}\n"
                                 "limits: {packets: 2000/s, time: 30m, fuzz: 2.5%, lease: 60s}\n"
                                 "run:\n"
                                 "  - {name: peak, acquire: {batch: 300}}\n"
                                 "  - {name: keep, hold: 10m}\n"
                                 "judge:\n"
                                 "  - leases.failed == 0\n"
                                 "  - p99(renew) < 500ms in keep\n"
                                 "on: [fail, end]\n"
                                 "verbose: true\n";

static void a_file_of_every_type_fills_the_struct(void **state)
{
    (void)state;
    assert_true(parse(every_type));
    const struct sample_server *server = parsed.servers.items;
    const struct sample_relay *relay = parsed.relays.items;
    const struct sample_stage *stage = parsed.stages.items;
    const struct sample_judgement *judgement = parsed.judgements.items;
    assert_int_equal(parsed.version, 1);
    assert_string_equal(parsed.title, "a: b # c");
    assert_int_equal(parsed.servers.count, 2);
    assert_string_equal(server[1].name, "b");
    assert_int_equal(inet_host(server[1].address), 0xc0000202);
    assert_int_equal(server[0].weight, 1); /* preset */
    assert_int_equal(server[1].weight, 3);
    assert_int_equal(parsed.path, SAMPLE_ROUTED);
    assert_int_equal(parsed.block.prefix_bits, 16);
    assert_int_equal(parsed.prefixes.count, 2);
    assert_int_equal(parsed.relays.count, 2);
    assert_int_equal(relay[0].clients, 12000);
    assert_int_equal(relay[0].clients_line, 13);
    assert_string_equal((const char *)relay[0].to.items + 16, "b");
    assert_int_equal(relay[0].helpers.count, 2); /* preset */
    assert_int_equal(relay[1].helpers.count, 0); /* said so */
    assert_int_equal(relay[1].clients, 100);
    assert_int_equal(parsed.packets_milli_per_s, 2000000);
    assert_true(parsed.has_time);
    assert_true(parsed.time_ns == 1800 * NS_PER_S);
    assert_true(parsed.fuzz_percent > 2.49 && parsed.fuzz_percent < 2.51);
    assert_true(stage[0].has_acquire && !stage[0].has_hold && stage[0].batch == 300);
    assert_true(!stage[1].has_acquire && stage[1].has_hold);
    assert_int_equal(judgement[1].line, 22);
    assert_string_equal(judgement[1].text, "p99(renew) < 500ms in keep");
    assert_int_equal(parsed.cleanup_on, 1 << 0 | 1 << 2);
    assert_true(parsed.is_verbose);
    schema_free(sample_rows, &parsed);
    assert_null(parsed.servers.items);
    schema_free(sample_rows, &parsed); /* twice is harmless */
}

static void absent_keys_take_their_presets_also_in_absent_blocks(void **state)
{
    (void)state;
    assert_true(parse(HEAD));
    assert_string_equal(parsed.title, "untitled");
    assert_int_equal(parsed.path, SAMPLE_EGRESS);
    assert_int_equal(parsed.packets_milli_per_s, 20000000);
    assert_true(parsed.fuzz_percent > 4.99 && parsed.fuzz_percent < 5.01);
    assert_false(parsed.has_time);
    assert_int_equal(parsed.cleanup_on, 1 << 0 | 1 << 1);
    assert_int_equal(parsed.stages.count, 0);
    schema_free(sample_rows, &parsed);
}

static void a_plain_zero_needs_no_unit_and_quotes_are_no_type(void **state)
{
    (void)state;
    assert_true(parse("\xef\xbb\xbf" HEAD "limits: {fuzz: 0, packets: \"5/s\"}\ntitle: \"\"\n"));
    assert_true(parsed.fuzz_percent < 0.001);
    assert_int_equal(parsed.packets_milli_per_s, 5000);
    assert_string_equal(parsed.title, "");
    schema_free(sample_rows, &parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_yaml_is_refused_in_one_sentence),
        cmocka_unit_test(bytes_are_looked_at_to_the_last),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused),
        cmocka_unit_test(unknown_keys_name_the_nearest_known_one),
        cmocka_unit_test(a_wrong_kind_of_value_says_what_is_expected),
        cmocka_unit_test(a_bad_value_shows_how_to_write_it),
        cmocka_unit_test(addresses_are_checked_where_they_stand),
        cmocka_unit_test(ranges_are_told_with_their_units),
        cmocka_unit_test(what_stands_twice_or_is_missing_is_refused),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(thousands_of_errors_are_counted_in_time),
        cmocka_unit_test(a_file_of_every_type_fills_the_struct),
        cmocka_unit_test(absent_keys_take_their_presets_also_in_absent_blocks),
        cmocka_unit_test(a_plain_zero_needs_no_unit_and_quotes_are_no_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
