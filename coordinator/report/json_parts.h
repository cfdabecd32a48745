/* SPDX-License-Identifier: MIT */
/*
 * Pieces of report.json, between json.c and json_parts.c only. Each returns a new
 * reference; `ok` becomes false when memory is out or a text is not UTF-8. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/report/result.h"

void json_put(json_t *object, const char *key, json_t *value, bool *ok);
void json_push(json_t *array, json_t *value, bool *ok);
json_t *json_count(uint64_t value); /* RESULT_UNKNOWN: null */
json_t *json_number(double value);  /* NAN, infinity: null */
json_t *json_seconds(double value);
json_t *json_address(struct ipv4 address);

json_t *json_accounting(const struct result *r, bool *ok);
json_t *json_messages(const struct result *r, bool *ok);
json_t *json_leases(const struct result *r, bool *ok);
json_t *json_outage(const struct result *r, bool *ok);
json_t *json_outage_by_server(const struct result *r, bool *ok);
json_t *json_outage_by_relay(const struct result *r, bool *ok);
json_t *json_lease_times(const struct result *r, bool *ok);
json_t *json_mclt(const struct result *r, bool *ok);
json_t *json_renewals(const struct result *r, bool *ok);
json_t *json_latencies(const struct result *r, enum latency_clock clock, bool *ok);
json_t *json_success_latencies(const struct result *r, bool *ok);
json_t *json_paced(const struct result *r, bool *ok);
json_t *json_tries(const struct result *r, bool *ok);
json_t *json_rates(const struct result *r, bool *ok);
json_t *json_addresses(const struct result *r, bool *ok);
json_t *json_servers(const struct result *r, bool *ok);
json_t *json_relays(const struct result *r, bool *ok);
json_t *json_agents(const struct result *r, bool *ok);
json_t *json_observers(const struct result *r, bool *ok);
json_t *json_timeline(const struct result *r, bool *ok);
json_t *json_search(const struct result *r, bool *ok);
json_t *json_start_state(const struct result *r, bool *ok);
json_t *json_preflight(const struct result *r, bool *ok);
json_t *json_facts(const struct result *r, bool *ok);
json_t *json_not_evaluated(const struct result *r, bool *ok);
json_t *json_finding_servers(const struct result *r, const struct result_finding *f, bool *ok);
