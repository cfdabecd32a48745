/* SPDX-License-Identifier: MIT */
/* Events are inserted many at a time: whatever a batch's size, every field of every row comes back.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/truth/ledger.h"
#include "proto/control.h"

enum { BATCHES = 9 };

static const size_t sizes[BATCHES] = {1, 15, 16, 17, 31, 32, 33, 511, CONTROL_BATCH_EVENTS_MAX};

/* No two fields, and no two rows, alike. */
static struct event event_of(uint32_t i)
{
    return (struct event){.t_us = UINT64_C(35774757653) + i,
                          .client = 1000 + i,
                          .xid = UINT32_C(0xf0000000) + i,
                          .lease_s = 2000 + i,
                          .offer_us = i % 3 == 0 ? EVENT_SPAN_NONE : 3000 + i,
                          .took_us = 4000 + i,
                          .wait_us = 5000 + i,
                          .addr = inet_from_host(UINT32_C(0xc0000000) + i),
                          .server = inet_from_host(UINT32_C(0x0a000000) + i),
                          .tries = (uint16_t)(6000 + i),
                          .flags = (uint16_t)(i % EVENT_FLAGS_ALL),
                          .kind = (uint8_t)(i % EVENT_KIND_COUNT),
                          .result = (uint8_t)(i % EVENT_RESULT_COUNT),
                          .stage = (uint8_t)(i % PLAN_STAGES_MAX)};
}

static bool visit(void *context, const char *agent, const struct event *e, int64_t run_us)
{
    uint32_t *next = context;
    struct event want = event_of((*next)++);
    (void)run_us;
    assert_string_equal(agent, "a7");
    assert_int_equal(e->t_us, want.t_us);
    assert_int_equal(e->client, want.client);
    assert_int_equal(e->xid, want.xid);
    assert_int_equal(e->lease_s, want.lease_s);
    assert_int_equal(e->offer_us, want.offer_us);
    assert_int_equal(e->took_us, want.took_us);
    assert_int_equal(e->wait_us, want.wait_us);
    assert_int_equal(inet_host(e->addr), inet_host(want.addr));
    assert_int_equal(inet_host(e->server), inet_host(want.server));
    assert_int_equal(e->tries, want.tries);
    assert_int_equal(e->flags, want.flags);
    assert_int_equal(e->kind, want.kind);
    assert_int_equal(e->result, want.result);
    assert_int_equal(e->stage, want.stage);
    return true;
}

static void every_field_of_every_row_comes_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_ledger_rows_XXXXXX", path[64];
    struct ledger *ledger = NULL;
    struct event events[CONTROL_BATCH_EVENTS_MAX];
    uint32_t written = 0, read = 0;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    assert_int_equal(ledger_create(path, "rows", &ledger), 0);
    assert_int_equal(ledger_add_agent(ledger, 7, "a7", 99), 0);
    for (size_t batch = 0; batch < BATCHES; batch++) {
        for (size_t i = 0; i < sizes[batch]; i++) {
            events[i] = event_of(written++);
        }
        assert_int_equal(ledger_append(ledger, 7, batch + 1, events, sizes[batch]), 1);
        assert_int_equal(ledger_append(ledger, 7, batch + 1, events, sizes[batch]), 0);
    }
    assert_int_equal(ledger_pending(ledger), written);
    assert_int_equal(ledger_commit(ledger), 0);
    assert_int_equal(ledger_totals(ledger, 7).events, written);
    assert_int_equal(ledger_totals(ledger, 7).duplicates_dropped, written);
    assert_int_equal(ledger_finish(ledger), 0);
    ledger_close(ledger);
    assert_int_equal(ledger_open(path, &ledger), 0);
    assert_int_equal(ledger_walk(ledger, visit, &read), 0);
    assert_int_equal(read, written);
    ledger_close(ledger);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_field_of_every_row_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
