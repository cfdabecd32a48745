/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/diag.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/run/returning.h"
#include "coordinator/run/run_dir.h"

static char dir[64], path[128];
static char why[RETURNING_WHY_BYTES];
static struct plan old_plan, new_plan;

static void make_plan(const char *relays, uint8_t run, struct plan *out)
{
    char text[1024];
    struct scenario s = {0};
    struct diag *diag = malloc(sizeof(*diag));
    uint8_t id[PLAN_RUN_ID_BYTES] = {run};
    snprintf(text, sizeof(text),
             "leaseherd: 1\nscenario: s\nservers:\n  a: {address: 192.0.2.1}\nnetwork:\n"
             "  block: 10.0.0.0/8\n  relays:\n%s"
             "expect: {lease: 60s, production_lease: 8h}\n"
             "run:\n  - {name: peak, acquire: {batch: 5}}\n",
             relays);
    diag_init(diag, "s.yaml");
    bool is_good = scenario_parse(text, strlen(text), &s, diag);
    if (!is_good) {
        print_message("%s\n", diag->item[0].text);
    }
    free(diag);
    assert_true(is_good);
    assert_true(scenario_to_plan(&s, id, "r", out));
    scenario_free(&s);
}

#define RELAY_1 "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 100}\n"
#define RELAY_2 "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.2.0.0/16, clients: 50}\n"

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/leaseherd-returning-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/plan.bin", dir);
    make_plan(RELAY_1 RELAY_2, 1, &old_plan);
    size_t size = plan_encode(&old_plan, NULL, 0);
    uint8_t *bytes = malloc(size);
    char reason[RUN_DIR_WHY_BYTES];
    assert_non_null(bytes);
    assert_int_equal(plan_encode(&old_plan, bytes, size), size);
    assert_int_equal(run_dir_write(dir, "plan.bin", bytes, size, reason), 0);
    free(bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_free(&old_plan);
    plan_free(&new_plan);
    (void)unlink(path);
    return rmdir(dir);
}

static void a_client_that_would_be_somebody_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *relays, *word;
    } cases[] = {
        {RELAY_2, "r2"},
        {"    - {name: r1, giaddr: 172.16.8.4, subnet: 10.1.0.0/16, clients: 100}\n", "giaddr"},
        {"    - {name: rx, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 100}\n", "rx"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.9.0.0/16, clients: 100}\n", "subnet"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 101}\n", "r1"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 99}\n" RELAY_2, "r2"},
        {RELAY_1 RELAY_2 "    - {name: r3, giaddr: 172.16.10.3, subnet: 10.3.0.0/16, clients: 1}\n",
         "r3"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_plan(cases[i].relays, 2, &new_plan);
        uint64_t before = new_plan.identity_seed;
        bool is_applied = returning_apply(dir, &new_plan, why);
        if (is_applied || strstr(why, cases[i].word) == NULL) {
            print_message("row %zu: %s\n", i, is_applied ? "accepted" : why);
        }
        assert_false(is_applied);
        assert_non_null(strstr(why, cases[i].word));
        assert_true(new_plan.identity_seed == before);
        plan_free(&new_plan);
        memset(&new_plan, 0, sizeof(new_plan));
    }
}

static void what_is_no_plan_is_refused(void **state)
{
    (void)state;
    make_plan(RELAY_1, 2, &new_plan);
    assert_false(returning_apply("/nonexistent/run", &new_plan, why));
    assert_non_null(strstr(why, "No such file"));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("noise", file);
    fclose(file);
    assert_false(returning_apply(dir, &new_plan, why));
    assert_non_null(strstr(why, "damaged"));
    assert_int_equal(truncate(path, (off_t)PLAN_BYTES_MAX + 1), 0);
    assert_false(returning_apply(dir, &new_plan, why));
    assert_non_null(strstr(why, "too large"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes to it: must not wait */
    assert_false(returning_apply(dir, &new_plan, why));
    assert_non_null(strstr(why, "Invalid argument"));
}

static void the_same_relays_or_the_first_of_them_bring_the_same_clients(void **state)
{
    (void)state;
    static const char *const relays[] = {
        RELAY_1 RELAY_2, RELAY_1,
        "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 40}\n"};
    for (size_t i = 0; i < ARRAY_LEN(relays); i++) {
        make_plan(relays[i], 2, &new_plan);
        struct mac before = plan_client_mac(&new_plan, 7), wanted = plan_client_mac(&old_plan, 7);
        assert_memory_not_equal(&before, &wanted, sizeof(before));
        assert_true(returning_apply(dir, &new_plan, why));
        struct mac now = plan_client_mac(&new_plan, 7);
        assert_memory_equal(&now, &wanted, sizeof(now));
        plan_free(&new_plan);
        memset(&new_plan, 0, sizeof(new_plan));
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_no_plan_is_refused),
        CASE(a_client_that_would_be_somebody_else_is_refused),
        CASE(the_same_relays_or_the_first_of_them_bring_the_same_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
