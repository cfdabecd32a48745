/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/kea_answer.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"

static enum kea_answer parse(const char *json, size_t size, json_t **out)
{
    json_t *root = size > KEA_ANSWER_BYTES_MAX ? NULL : json_loadb(json, size, 0, NULL);
    const json_t *result = json_object_get(root, "result");
    enum kea_answer answer = !json_is_integer(result)          ? KEA_ANSWER_MALFORMED
                             : json_integer_value(result) != 0 ? KEA_ANSWER_REFUSED
                                                               : KEA_ANSWER_OK;
    if (answer != KEA_ANSWER_OK) {
        json_decref(root);
        return answer;
    }
    *out = root;
    return answer;
}

/* "name": [[17, "2026-11-23 22:32:14.988"], ...], the newest first. */
static bool figure(const json_t *statistic, double *out)
{
    const json_t *value = json_array_get(json_array_get(statistic, 0), 0);
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < 0) {
        return false;
    }
    *out = number;
    return true;
}

static void take(struct kea_statistics *s, enum observer_metric metric, const json_t *statistic)
{
    double value = 0;
    if (figure(statistic, &value)) {
        s->has[metric] = true;
        s->value[metric] += value;
    }
}

/* "subnet[17].total-addresses", and not those of its pools
 * ("subnet[1].pool[0]...."). */
static bool is_of_subnet(const char *name, const char *what)
{
    static const char lead[] = "subnet[";
    if (strncmp(name, lead, sizeof(lead) - 1) != 0) {
        return false;
    }
    const char *at = name + sizeof(lead) - 1;
    at += strspn(at, "0123456789");
    return at[0] == ']' && at[1] == '.' && strcmp(at + 2, what) == 0;
}

static void take_all(struct kea_statistics *s, json_t *arguments)
{
    static const struct {
        const char *name;
        enum observer_metric metric;
    } global[] = {
        {"pkt4-received", OBSERVER_kea_received},
        {"pkt4-offer-sent", OBSERVER_kea_offers},
        {"pkt4-ack-sent", OBSERVER_kea_acks},
        {"pkt4-nak-sent", OBSERVER_kea_naks},
        {"v4-allocation-fail", OBSERVER_kea_allocation_failures},
    };
    for (size_t i = 0; i < ARRAY_LEN(global); i++) {
        take(s, global[i].metric, json_object_get(arguments, global[i].name));
    }
    for (void *at = json_object_iter(arguments); at != NULL;
         at = json_object_iter_next(arguments, at)) {
        const char *name = json_object_iter_key(at);
        if (is_of_subnet(name, "assigned-addresses")) {
            take(s, OBSERVER_kea_assigned, json_object_iter_value(at));
        } else if (is_of_subnet(name, "total-addresses")) {
            take(s, OBSERVER_pool_total, json_object_iter_value(at));
        }
    }
}

enum kea_answer kea_answer_statistics(const char *json, size_t size, struct kea_statistics *out)
{
    json_t *root = NULL;
    enum kea_answer answer = parse(json, size, &root);
    if (answer != KEA_ANSWER_OK) {
        return answer;
    }
    struct kea_statistics s = {0};
    json_t *arguments = json_object_get(root, "arguments");
    if (json_is_object(arguments)) {
        take_all(&s, arguments);
        *out = s;
    } else {
        answer = KEA_ANSWER_MALFORMED;
    }
    json_decref(root);
    return answer;
}

static void take_state(struct failover *out, const char *relation, bool is_own, const json_t *state)
{
    if (json_is_string(state) && json_string_length(state) > 0) {
        failover_note(out, relation, strlen(relation), is_own,
                      failover_state_of(json_string_value(state)));
    }
}

enum kea_answer kea_answer_status(const char *json, size_t size, struct failover *out)
{
    json_t *root = NULL;
    enum kea_answer answer = parse(json, size, &root);
    if (answer != KEA_ANSWER_OK) {
        return answer;
    }
    const json_t *relations =
        json_object_get(json_object_get(root, "arguments"), "high-availability");
    size_t count = json_array_size(relations);
    for (size_t i = 0; i < count && i < FAILOVER_PEERS_MAX; i++) {
        const json_t *servers = json_object_get(json_array_get(relations, i), "ha-servers");
        char name[FAILOVER_NAME_BYTES] = KEA_RELATION; /* as the log's lines are filed */
        if (i > 0) {
            (void)snprintf(name, sizeof(name), "%s %zu", KEA_RELATION, i + 1);
        }
        take_state(out, name, true, json_object_get(json_object_get(servers, "local"), "state"));
        take_state(out, name, false,
                   json_object_get(json_object_get(servers, "remote"), "last-state"));
    }
    json_decref(root);
    return KEA_ANSWER_OK;
}
