/* SPDX-License-Identifier: MIT */
/*
 * scenario_parse(): whatever it accepts must print, parse again to the same
 * text, make a plan that an agent's decoder accepts, and have a forecast.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/change_request.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_wave.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/plan/testbed.h"
#include "proto/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void try_plan(const struct scenario *s)
{
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {7};
    struct plan plan, back;
    char why[PLAN_WHY_BYTES];
    demand(scenario_to_plan(s, run_id, "fuzz", &plan));
    size_t bytes = plan_encode(&plan, NULL, 0);
    uint8_t *packed = malloc(bytes);
    demand(packed != NULL && plan_encode(&plan, packed, bytes) == bytes);
    demand(plan_decode(packed, bytes, &back, why));
    free(packed);
    plan_free(&plan);
    plan_free(&back);
}

static void try_print(const struct scenario *s)
{
    static struct diag why;
    struct scenario again;
    char *text = scenario_print(s);
    demand(text != NULL);
    diag_init(&why, "printed");
    demand(scenario_parse(text, strlen(text), &again, &why));
    char *second = scenario_print(&again);
    demand(second != NULL && strcmp(text, second) == 0);
    free(text);
    free(second);
    scenario_free(&again);
}

static void try_testbed(const struct scenario *s)
{
    for (unsigned form = 0; form < 8; form++) {
        const struct testbed_options o = {.path = (enum testbed_path)(form / 2),
                                          .is_route_hook = form % 2 == 1,
                                          .role =
                                              form % 2 == 1 ? TESTBED_ROUTER : TESTBED_BY_ADDRESS};
        bool is_usage = false;
        char why[TESTBED_WHY_BYTES] = "";
        char *script = testbed_script(s, &o, TESTBED_APPLY, &is_usage, why);
        demand(script != NULL || (is_usage && why[0] != '\0'));
        free(script);
    }
}

static void try_forecast(const struct scenario *s)
{
    static void (*const texts[])(const struct scenario *, char *, size_t) = {
        forecast_compression, forecast_waves_text, forecast_housekeeping, forecast_search_text};
    static struct forecast f;
    char sentence[2048];
    forecast_make(s, &f);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        texts[i](s, sentence, sizeof(sentence));
        demand(strlen(sentence) < sizeof(sentence));
    }
    char *page = change_request(s, &f, "fuzz.yaml");
    demand(page != NULL);
    free(page);
    try_testbed(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct diag why;
    struct scenario s;
    diag_init(&why, "fuzz.yaml");
    if (!scenario_parse((const char *)data, size, &s, &why)) {
        demand(why.count > 0);
        return 0;
    }
    try_print(&s);
    try_plan(&s);
    try_forecast(&s);
    scenario_free(&s);
    return 0;
}
