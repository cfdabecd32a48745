/* SPDX-License-Identifier: MIT */
/*
 * plan_decode(): whatever it accepts is valid, encodes to the same bytes, and
 * its clients, MACs and relays lead back to each other.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_client(const struct plan *plan, uint32_t client)
{
    uint32_t found = 0;

    if (!plan_client_of(plan, plan_client_mac(plan, client), &found) || found != client) {
        abort();
    }
    const struct plan_relay *relay = &plan->relays[plan_relay_of(plan, client)];
    if (client < relay->first_client || client - relay->first_client >= relay->client_count) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES];

    if (!plan_decode(data, size, &plan, why)) {
        return 0;
    }
    uint8_t *again = malloc(size);
    if (again == NULL || !plan_is_valid(&plan, why) || plan_encode(&plan, again, size) != size ||
        memcmp(again, data, size) != 0) {
        abort();
    }
    check_client(&plan, 0);
    check_client(&plan, plan.client_count / 2);
    check_client(&plan, plan.client_count - 1);
    free(again);
    plan_free(&plan);
    return 0;
}
