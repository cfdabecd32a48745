/* SPDX-License-Identifier: MIT */
/* A lease that ends while nobody looks at it is used no more: RELEASE, RENEW, a suspended host. */
#include "tests/support/testing.h"

#include "agent/lane/lane_sleep.h"
#include "tests/support/lane_world.h"

enum { CLIENTS = 20, LEASE_S = 4 };

static struct lane_world w;

static void begin(uint32_t clients)
{
    lane_world_init(&w, 1, clients, 1);
    w.servers[0].lease_s = LEASE_S;
    lane_world_add_stage(&w, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&w, PLAN_HOLD, 3600 * NS_PER_S);
}

static void acquire_all(void)
{
    lane_world_start(&w);
    lane_world_go(&w, 0, CLIENTS, 0);
    assert_true(lane_world_run_step(&w, 10 * NS_PER_S));
}

/* The first transmission of the REQUEST that was answered last, and the lease from there on. */
static uint64_t lease_end_ns(uint32_t client)
{
    const struct lane_world_sent *request = lane_world_nth(&w, client, DHCP4_REQUEST, 0);
    const struct lane_world_sent *renewal = NULL;
    for (size_t n = 0; lane_world_nth(&w, client, DHCP4_RENEW, n) != NULL; n++) {
        renewal = lane_world_nth(&w, client, DHCP4_RENEW, n);
    }
    assert_non_null(request);
    return (renewal != NULL ? renewal : request)->at_ns + LEASE_S * NS_PER_S;
}

static void a_slow_clean_up_releases_only_what_is_still_held(void **state)
{
    (void)state;
    begin(CLIENTS);
    acquire_all();
    lane_world_drain(&w, DRAIN_GRACEFUL, 2000);
    assert_true(lane_world_run_drained(&w, 30 * NS_PER_S));
    size_t released = lane_world_count_sent(&w, DHCP4_RELEASE);
    assert_in_range(released, 1, CLIENTS - 1);
    assert_int_equal(lane_world_count_events(&w, EVENT_EXPIRE, EVENT_ENDED), CLIENTS - released);
    assert_int_equal(lane_world_counter(&w, COUNTER_clients_expired), CLIENTS - released);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const struct lane_world_sent *release = lane_world_nth(&w, client, DHCP4_RELEASE, 0);
        assert_true(release == NULL || release->at_ns <= lease_end_ns(client));
    }
    lane_world_check(&w);
    lane_world_fini(&w);
}

static void a_release_kept_back_by_a_pause_is_forgone(void **state)
{
    (void)state;
    begin(CLIENTS);
    acquire_all();
    lane_world_drain(&w, DRAIN_GRACEFUL, 1000000);
    lane_set_may_send(w.lane, false, w.now_ns);
    lane_world_run(&w, (LEASE_S + 2) * NS_PER_S);
    lane_set_may_send(w.lane, true, w.now_ns);
    assert_true(lane_world_run_drained(&w, 30 * NS_PER_S));
    assert_int_equal(lane_world_count_sent(&w, DHCP4_RELEASE), 0);
    lane_world_check(&w);
    lane_world_fini(&w);
}

static void a_host_that_slept_has_lost_its_leases(void **state)
{
    (void)state;
    begin(CLIENTS);
    acquire_all();
    lane_world_go(&w, 1, 0, 0);
    lane_world_run(&w, NS_PER_S);
    size_t renewals = lane_world_count_sent(&w, DHCP4_RENEW);
    lane_slept(w.lane, 10 * LEASE_S * NS_PER_S);
    lane_world_run(&w, 100 * NS_PER_MS);
    assert_int_equal(lane_world_count_events(&w, EVENT_EXPIRE, EVENT_ENDED), CLIENTS);
    assert_int_equal(lane_world_count_sent(&w, DHCP4_RENEW), renewals);
    assert_int_equal(lane_world_counter(&w, COUNTER_clients_bound), CLIENTS); /* they began anew */
    lane_world_fini(&w);
}

static void a_nap_brings_renewals_forward(void **state)
{
    (void)state;
    begin(CLIENTS);
    acquire_all();
    lane_world_go(&w, 1, 0, 0);
    lane_slept(w.lane, LEASE_S * NS_PER_S * 6 / 10); /* past T1, not yet T2 */
    lane_world_run(&w, 100 * NS_PER_MS);
    assert_int_equal(lane_world_count_sent(&w, DHCP4_RENEW), CLIENTS);
    assert_int_equal(lane_world_count_events(&w, EVENT_EXPIRE, EVENT_ENDED), 0);
    lane_world_fini(&w);
}

static void preflight_lets_go_of_a_lease_that_has_ended(void **state)
{
    (void)state;
    begin(3);
    w.servers[0].lease_s = 1;
    w.servers[0].is_silent_to_renewals = true;
    lane_world_start(&w);
    const struct control_preflight command = {.path = {PLAN_PATH_EGRESS, PLAN_PATH_ROUTED},
                                              .path_count = 2};
    lane_preflight(w.lane, &command, w.now_ns);
    lane_world_run(&w, 10 * NS_PER_S);
    assert_true(lane_preflight_is_done(w.lane));
    for (uint32_t client = 0; client < 3; client++) {
        uint64_t end_ns = lane_world_nth(&w, client, DHCP4_REQUEST, 0)->at_ns + NS_PER_S;
        for (size_t i = 0; i < w.sent_count; i++) {
            bool uses = w.sent[i].intent == DHCP4_RENEW || w.sent[i].intent == DHCP4_RELEASE;
            assert_true(!uses || w.sent[i].client != client || w.sent[i].at_ns <= end_ns);
        }
    }
    lane_world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_clean_up_releases_only_what_is_still_held),
        cmocka_unit_test(a_release_kept_back_by_a_pause_is_forgone),
        cmocka_unit_test(a_host_that_slept_has_lost_its_leases),
        cmocka_unit_test(a_nap_brings_renewals_forward),
        cmocka_unit_test(preflight_lets_go_of_a_lease_that_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
