/* SPDX-License-Identifier: MIT */
/*
 * The bytes of every message kind, and of a plan, as they were when they were
 * first released. They must decode for ever, and what we pack must be them. To
 * accept a deliberate change: LEASEHERD_WRITE_GOLDEN=1 in the environment of this
 * test; the files then show in the diff.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/control_samples.h"

static uint8_t packed[65536], golden[65536];

static size_t read_golden(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/tests/unit/proto/golden/%s.bin", SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing; LEASEHERD_WRITE_GOLDEN=1 writes it", path);
        return 0;
    }
    size_t size = fread(golden, 1, sizeof(golden), file);
    (void)fclose(file);
    return size;
}

static void write_golden(const char *name, size_t size)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/tests/unit/proto/golden/%s.bin", SOURCE_DIR, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (file != NULL) {
        assert_int_equal(fwrite(packed, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
}

static void expect_golden(const char *name, size_t size)
{
    if (getenv("LEASEHERD_WRITE_GOLDEN") != NULL) {
        write_golden(name, size);
    }
    size_t golden_size = read_golden(name);
    if (golden_size != size || memcmp(golden, packed, size) != 0) {
        fail_msg("%s is packed differently from its golden file", name);
    }
}

static void every_kind_is_packed_as_its_golden_file_and_decodes(void **state)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);

    (void)state;
    assert_non_null(arena);
    for (int i = CONTROL_NONE + 1; i < CONTROL_KIND_COUNT; i++) {
        enum control_kind kind = (enum control_kind)i;
        struct control_message m;
        char why[CONTROL_WHY_BYTES];
        sample_message(kind, &m);
        size_t size = control_encode(&m, packed, sizeof(packed));
        assert_in_range(size, 1, sizeof(packed));
        expect_golden(control_kind_name(kind), size);
        assert_true(control_decode(arena, golden, size, &m, why));
        assert_int_equal(m.kind, kind);
    }
    control_arena_free(arena);
}

static void the_plan_is_packed_as_its_golden_file_and_decodes(void **state)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES];

    (void)state;
    sample_plan(&plan);
    size_t size = plan_encode(&plan, packed, sizeof(packed));
    assert_in_range(size, 1, sizeof(packed));
    plan_free(&plan);
    expect_golden("plan", size);
    assert_true(plan_decode(golden, size, &plan, why));
    plan_free(&plan);
}

/* As they were before there were signatures: readable, though no agent plays them any more. */
static void an_unsigned_plan_and_its_prepare_still_decode(void **state)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    struct control_message m;
    struct plan plan;
    char why[PLAN_WHY_BYTES];

    (void)state;
    assert_non_null(arena);
    assert_true(plan_decode(golden, read_golden("plan-unsigned"), &plan, why));
    assert_int_equal(plan.agent_count, 0);
    assert_int_equal(plan.not_after_s, 0);
    plan_free(&plan);
    assert_true(control_decode(arena, golden, read_golden("prepare-unsigned"), &m, why));
    assert_int_equal(m.kind, CONTROL_PREPARE);
    assert_false(m.u.prepare.is_signed);
    control_arena_free(arena);
}

/* As they were before agents kept results over a restart. */
static void a_hello_and_a_welcome_that_keep_nothing_still_decode(void **state)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    (void)state;
    assert_non_null(arena);
    assert_true(control_decode(arena, golden, read_golden("hello-first"), &m, why));
    assert_int_equal(m.kind, CONTROL_HELLO);
    assert_int_equal(m.u.hello.former_count, 0);
    assert_int_equal(m.u.hello.kept_epoch, 0);
    assert_true(control_decode(arena, golden, read_golden("welcome-first"), &m, why));
    assert_int_equal(m.kind, CONTROL_WELCOME);
    assert_int_equal(m.u.welcome.deliver_epoch, 0);
    control_arena_free(arena);
}

/* As it was before it told of the host, of lease times and of each server. */
static void a_report_of_relays_and_paths_alone_still_decodes(void **state)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    (void)state;
    assert_non_null(arena);
    assert_true(control_decode(arena, golden, read_golden("preflight_report-first"), &m, why));
    assert_int_equal(m.kind, CONTROL_PREFLIGHT_REPORT);
    assert_int_equal(m.u.preflight_report.relay_count, 2);
    assert_int_equal(m.u.preflight_report.fact_count, 0);
    assert_int_equal(m.u.preflight_report.relays[1].bound, 2);
    assert_int_equal(m.u.preflight_report.relays[1].way_count, 0);
    assert_int_equal(m.u.preflight_report.relays[1].lease_least_s, 0);
    control_arena_free(arena);
}

/* As it was before it told of packets by server, and with fewer counters. */
static void a_snapshot_without_packets_still_decodes(void **state)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    (void)state;
    assert_non_null(arena);
    assert_true(control_decode(arena, golden, read_golden("snapshot-first"), &m, why));
    assert_int_equal(m.kind, CONTROL_SNAPSHOT);
    assert_int_equal(m.u.snapshot->counter[COUNTER_sent_discover], 100);
    assert_int_equal(m.u.snapshot->counter[COUNTER_icmp_known], 0);
    assert_int_equal(m.u.snapshot->server[1].acks, 51);
    for (unsigned p = 0; p < PACKET_COUNT; p++) {
        assert_int_equal(m.u.snapshot->packets[1].count[p], 0);
    }
    control_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_packed_as_its_golden_file_and_decodes),
        cmocka_unit_test(the_plan_is_packed_as_its_golden_file_and_decodes),
        cmocka_unit_test(an_unsigned_plan_and_its_prepare_still_decode),
        cmocka_unit_test(a_hello_and_a_welcome_that_keep_nothing_still_decode),
        cmocka_unit_test(a_report_of_relays_and_paths_alone_still_decodes),
        cmocka_unit_test(a_snapshot_without_packets_still_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
