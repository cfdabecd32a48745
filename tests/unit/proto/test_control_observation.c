/* SPDX-License-Identifier: MIT */
/* What observers send, each rule broken once on the wire, and frames of other builds. */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control.pb-c.h"
#include "tests/support/control_samples.h"

static uint8_t bytes[65536], bad_bytes[65536];
static uint32_t many_words[CONTROL_OBSERVATION_ROWS_MAX + 1];
static double many_values[CONTROL_OBSERVATION_ROWS_MAX + 1];
static Leaseherd__Availability many_codes[CONTROL_OBSERVATION_ROWS_MAX + 1];
static ProtobufCBinaryData many_notes[CONTROL_OBSERVATION_ROWS_MAX + 1];
static uint8_t with_escape[] = "a\x1b[2J", with_blank[] = "a b", too_long[NOTE_BYTES + 1];

/* The generated code allocates here, so that spoiled messages need no freeing. */
static uint8_t heap[1 << 16];
static size_t heap_used;

static void *heap_alloc(void *data, size_t size)
{
    (void)data;
    void *taken = heap + heap_used;

    heap_used += (size + 15) / 16 * 16;
    assert_true(heap_used <= sizeof(heap));
    return taken;
}

static void heap_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static ProtobufCAllocator heap_allocator = {.alloc = heap_alloc, .free = heap_free};

static Leaseherd__Envelope *unpacked_sample(enum control_kind kind)
{
    struct control_message m;

    sample_message(kind, &m);
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    assert_in_range(size, 1, sizeof(bytes));
    heap_used = 0;
    Leaseherd__Envelope *e = leaseherd__envelope__unpack(&heap_allocator, size, bytes);
    assert_non_null(e);
    return e;
}

static bool decodes(struct control_arena *arena, const Leaseherd__Envelope *e,
                    struct control_message *m, char *why)
{
    size_t size = leaseherd__envelope__get_packed_size(e);

    assert_in_range(size, 1, sizeof(bad_bytes));
    (void)leaseherd__envelope__pack(e, bad_bytes);
    return control_decode(arena, bad_bytes, size, m, why);
}

/* X(row, kind, what breaks it, a piece of the sentence) */
#define BREAKS(X)                                                                                  \
    X(1, OBSERVER_HELLO, e->observer_hello->proto_min = 0, "versions 0 to 3")                      \
    X(2, OBSERVER_HELLO, e->observer_hello->proto_max = 1, "versions 2 to 1")                      \
    X(3, OBSERVER_HELLO, e->observer_hello->proto_max = 65536, "versions 2 to 65536")              \
    X(4, OBSERVER_HELLO, e->observer_hello->build.len = 0, "build is empty")                       \
    X(5, OBSERVER_HELLO,                                                                           \
      (e->observer_hello->build.data = with_escape, e->observer_hello->build.len = 5),             \
      "build holds the byte")                                                                      \
    X(6, OBSERVER_HELLO, e->observer_hello->host.len = 0, "host is empty")                         \
    X(7, OBSERVER_HELLO,                                                                           \
      (e->observer_hello->host.data = with_blank, e->observer_hello->host.len = 3),                \
      "host may hold")                                                                             \
    X(8, OBSERVER_HELLO, e->observer_hello->program.len = 0, "program is empty")                   \
    X(9, OBSERVER_HELLO,                                                                           \
      (e->observer_hello->program.data = with_blank, e->observer_hello->program.len = 3),          \
      "program may hold")                                                                          \
    X(10, OBSERVER_HELLO,                                                                          \
      (e->observer_hello->program.data = too_long, e->observer_hello->program.len = 64),           \
      "program has 64")                                                                            \
    X(11, OBSERVER_HELLO, e->observer_hello->epoch = 0, "epoch is 0")                              \
    X(12, OBSERVER_HELLO, e->observer_hello->address[1] = 0xe0000001,                              \
      "address 1 is not a unicast")                                                                \
    X(13, OBSERVER_HELLO,                                                                          \
      (e->observer_hello->address = many_words, e->observer_hello->n_address = 257),               \
      "257 addresses")                                                                             \
    X(14, OBSERVATION, e->observation->seq = 0, "0 is not a sequence number")                      \
    X(15, OBSERVATION, e->observation->seq = UINT64_MAX, "is not a sequence number")               \
    X(16, OBSERVATION, e->observation->at_ns = 0, "0 ns is not a time")                            \
    X(17, OBSERVATION, e->observation->at_ns = UINT64_MAX, "ns is not a time")                     \
    X(18, OBSERVATION, e->observation->n_availability = 7, "columns of 8 and 7 rows")              \
    X(19, OBSERVATION, e->observation->n_note = 1, "columns of 2 and 1 rows")                      \
    X(20, OBSERVATION, e->observation->availability[0] = (Leaseherd__Availability)4,               \
      "4 is not an availability")                                                                  \
    X(21, OBSERVATION, e->observation->availability[0] = (Leaseherd__Availability)(-1),            \
      "-1 is not an avail")                                                                        \
    X(22, OBSERVATION, e->observation->value[0] = NAN, "a value, state or note")                   \
    X(23, OBSERVATION, e->observation->value[0] = -1, "a value, state or note")                    \
    X(24, OBSERVATION, e->observation->value[0] = INFINITY, "a value, state or note")              \
    X(25, OBSERVATION, e->observation->value[2] = 1, "a value, state or note")                     \
    X(26, OBSERVATION,                                                                             \
      (e->observation->note[0].data = with_escape, e->observation->note[0].len = 5),               \
      "note holds the byte")                                                                       \
    X(27, OBSERVATION,                                                                             \
      (e->observation->note[0].data = too_long, e->observation->note[0].len = 257),                \
      "note has 257")                                                                              \
    X(28, OBSERVATION,                                                                             \
      (e->observation->value = many_values, e->observation->n_value = 513,                         \
       e->observation->availability = many_codes, e->observation->n_availability = 513),           \
      "too many rows")                                                                             \
    X(29, OBSERVATION,                                                                             \
      (e->observation->note = many_notes, e->observation->n_note = 513,                            \
       e->observation->note_kind = many_words, e->observation->n_note_kind = 513),                 \
      "too many rows")

#define X(row, KIND, how, phrase)                                                                  \
    static void break_##row(Leaseherd__Envelope *e)                                                \
    {                                                                                              \
        how;                                                                                       \
    }
BREAKS(X)
#undef X

static const struct {
    enum control_kind kind;
    const char *how, *phrase;
    void (*break_it)(Leaseherd__Envelope *e);
} rows[] = {
#define X(row, KIND, how, phrase) {CONTROL_##KIND, #how, phrase, break_##row},
    BREAKS(X)
#undef X
};

static void every_broken_rule_is_named(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Leaseherd__Envelope *e = unpacked_sample(rows[i].kind);
        struct control_message m;
        char why[CONTROL_WHY_BYTES] = "";

        rows[i].break_it(e);
        if (decodes(*state, e, &m, why) || strstr(why, rows[i].phrase) == NULL) {
            fail_msg("%s: why='%s', expected '%s'", rows[i].how, why, rows[i].phrase);
        }
    }
}

/* What it does not know of, it cannot tell: not a 0. */
static void a_frame_of_an_older_observer_lacks_the_later_metrics(void **state)
{
    Leaseherd__Envelope *e = unpacked_sample(CONTROL_OBSERVATION);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    e->observation->n_value = e->observation->n_availability = 1;
    assert_true(decodes(*state, e, &m, why));
    assert_int_equal(m.u.observation->availability[0], AVAILABLE_OK);
    assert_int_equal(m.u.observation->availability[1], AVAILABLE_NOT_APPLICABLE);
    assert_true(m.u.observation->value[1] == 0);
}

static void metrics_and_notes_of_a_later_observer_are_passed_over(void **state)
{
    Leaseherd__Envelope *e = unpacked_sample(CONTROL_OBSERVATION);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    for (size_t i = 0; i < CONTROL_OBSERVATION_ROWS_MAX; i++) {
        many_codes[i] = LEASEHERD__AVAILABILITY__AVAILABILITY_OK;
        many_values[i] = i < OBSERVER_METRIC_COUNT ? 1 : NAN;
    }
    e->observation->value = many_values;
    e->observation->availability = many_codes;
    e->observation->n_value = e->observation->n_availability = CONTROL_OBSERVATION_ROWS_MAX;
    e->observation->note_kind[1] = 4711;
    assert_true(decodes(*state, e, &m, why));
    assert_true(m.u.observation->value[OBSERVER_METRIC_COUNT - 1] == 1);
    assert_string_equal(m.u.observation->note[NOTE_OBSERVER], "");
    assert_string_equal(m.u.observation->note[NOTE_PROGRAM], "dhcpd 4.4.3-P1");
}

static void the_largest_frame_is_small(void **state)
{
    static struct observation o;
    struct control_message m = {.kind = CONTROL_OBSERVATION, .session = UINT64_MAX};
    struct control_message back;
    char why[CONTROL_WHY_BYTES], text[NOTE_BYTES + 1];

    memset(text, 'n', NOTE_BYTES);
    text[NOTE_BYTES] = '\0';
    o = (struct observation){.seq = INT64_MAX / 2, .at_ns = INT64_MAX, .instance = 1};
    for (int i = 0; i < OBSERVER_METRIC_COUNT; i++) {
        bool is_state = observer_metric_kind((enum observer_metric)i) == OBSERVER_STATE;
        observation_set(&o, (enum observer_metric)i, is_state ? FAILOVER_STATE_COUNT - 1 : 1e18);
    }
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        observation_set_note(&o, (enum observer_note_kind)k, text);
    }
    m.u.observation = &o;
    size_t size = control_encode(&m, bytes, sizeof(bytes));
    assert_in_range(size, NOTE_KIND_COUNT * NOTE_BYTES, 16384);
    assert_true(control_decode(*state, bytes, size, &back, why));
    assert_memory_equal(back.u.observation, &o, sizeof(o));
}

static int make_arena(void **state)
{
    memset(too_long, 'x', sizeof(too_long));
    *state = control_arena_new(CONTROL_ARENA_UP_BYTES);
    return *state != NULL ? 0 : -1;
}

static int free_arena(void **state)
{
    control_arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_rule_is_named),
        cmocka_unit_test(a_frame_of_an_older_observer_lacks_the_later_metrics),
        cmocka_unit_test(metrics_and_notes_of_a_later_observer_are_passed_over),
        cmocka_unit_test(the_largest_frame_is_small),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
