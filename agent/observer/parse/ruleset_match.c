/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/ruleset_match.h"

#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"

enum { VALUES_MAX = 2, PORT_SERVER = 67, PORT_CLIENT = 68, PROTOCOL_UDP = 17 };
enum { NFPROTO_OF_IPV4 = 2, ETHERTYPE_OF_IPV4 = 0x0800 };
enum { DEPTH_MAX = 16, ADDRESS_OFFSET_BITS = 128 };

/* What a field of our packets can be: one of `count` numbers. */
struct field {
    size_t count;
    json_int_t number[VALUES_MAX];
    const char *word; /* another way to write the only one; may be NULL */
};

static const struct field udp = {1, {PROTOCOL_UDP, 0}, "udp"};
static const struct field ipv4 = {1, {NFPROTO_OF_IPV4, 0}, "ipv4"};
static const struct field ip = {1, {ETHERTYPE_OF_IPV4, 0}, "ip"};
static const struct field server = {1, {PORT_SERVER, 0}, "bootps"};
static const struct field either = {2, {PORT_SERVER, PORT_CLIENT}, NULL};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static void narrow(struct rule *rule, enum packet_kind kind, enum holds by)
{
    rule->holds[kind] = by < rule->holds[kind] ? by : rule->holds[kind];
}

void ruleset_narrow(struct rule *rule, enum holds by)
{
    narrow(rule, PACKET_REQUEST, by);
    narrow(rule, PACKET_REPLY, by);
}

bool ruleset_is_target_address(const json_t *expression)
{
    const json_t *payload = json_object_get(expression, "payload");
    bool is_named = strcmp(text_of(payload, "protocol"), "ip") == 0 &&
                    strcmp(text_of(payload, "field"), "daddr") == 0;
    bool is_raw = strcmp(text_of(payload, "base"), "nh") == 0 &&
                  json_integer_value(json_object_get(payload, "offset")) == ADDRESS_OFFSET_BITS;
    return is_named || is_raw;
}

static bool contains(const json_t *right, json_int_t number, const char *word, bool *out_is_unknown,
                     unsigned depth);

static bool any_contains(const json_t *list, json_int_t number, const char *word,
                         bool *out_is_unknown, unsigned depth)
{
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        if (contains(json_array_get(list, i), number, word, out_is_unknown, depth + 1)) {
            return true;
        }
    }
    return false;
}

/* Is it this value, or a set or range that has it? */
static bool contains(const json_t *right, json_int_t number, const char *word, bool *out_is_unknown,
                     unsigned depth)
{
    const json_t *range = json_object_get(right, "range"), *set = json_object_get(right, "set");
    const json_t *low = json_array_get(range, 0), *high = json_array_get(range, 1);
    const json_t *value = json_object_get(json_object_get(right, "elem"), "val");
    const json_t *list = json_is_array(right) ? right : set;
    if (json_is_integer(right)) {
        return json_integer_value(right) == number;
    }
    if (json_is_string(right) && word != NULL && json_string_value(right)[0] != '@') {
        return strcmp(json_string_value(right), word) == 0;
    }
    if (json_is_integer(low) && json_is_integer(high)) {
        return json_integer_value(low) <= number && number <= json_integer_value(high);
    }
    if (depth < DEPTH_MAX && json_is_array(list)) {
        return any_contains(list, number, word, out_is_unknown, depth);
    }
    if (depth < DEPTH_MAX && value != NULL) {
        return contains(value, number, word, out_is_unknown, depth + 1);
    }
    *out_is_unknown = true; /* a named set, a word we do not know */
    return false;
}

static bool compares(const char *op, json_int_t value, const struct field *f, const json_t *right,
                     bool *out_is_unknown)
{
    bool is_order = op[0] == '<' || op[0] == '>';
    json_int_t bound = json_integer_value(right);
    if (is_order && !json_is_integer(right)) {
        *out_is_unknown = true;
        return false;
    }
    if (op[0] == '<') {
        return op[1] == '=' ? value <= bound : value < bound;
    }
    if (op[0] == '>') {
        return op[1] == '=' ? value >= bound : value > bound;
    }
    return contains(right, value, f->word, out_is_unknown, 0);
}

static enum holds holds_for(const struct field *f, const char *op, const json_t *right)
{
    bool is_not = strcmp(op, "!=") == 0;
    size_t yes = 0;
    for (size_t i = 0; i < f->count; i++) {
        bool is_unknown = false;
        bool is_so = compares(op, f->number[i], f, right, &is_unknown);
        if (is_unknown && !is_so) {
            return HOLDS_FOR_SOME;
        }
        yes += is_so != is_not;
    }
    return yes == f->count ? HOLDS_FOR_ALL : yes == 0 ? HOLDS_FOR_NONE : HOLDS_FOR_SOME;
}

/* A request goes to 67 and a reply comes from there; the other end has 67
 * or 68. */
static void match_port(struct rule *rule, bool is_source, const char *op, const json_t *right)
{
    enum holds there = holds_for(&either, op, right), here = holds_for(&server, op, right);
    narrow(rule, PACKET_REQUEST, is_source ? there : here);
    narrow(rule, PACKET_REPLY, is_source ? here : there);
    rule->has_port = rule->has_port || (there != HOLDS_FOR_NONE && strcmp(op, "!=") != 0);
}

/* An address, or the beginning of a prefix, that no client or relay has:
 * loopback, multicast. */
static bool is_beside(const json_t *right)
{
    const char *address = json_is_string(right) ? json_string_value(right)
                                                : text_of(json_object_get(right, "prefix"), "addr");
    unsigned long first = strtoul(address, NULL, 10);
    return first == 127 || (first >= 224 && first <= 255);
}

static void match_address(struct rule *rule, bool is_source, const char *op, const json_t *right)
{
    bool is_equal = strcmp(op, "!=") != 0;
    ruleset_narrow(rule, is_equal && is_beside(right) ? HOLDS_FOR_NONE : HOLDS_FOR_SOME);
    rule->has_source = rule->has_source || (is_source && is_equal);
}

static void match_payload(struct rule *rule, const json_t *payload, const char *op,
                          const json_t *right)
{
    static const char *const lower[] = {"ip", "ether", "vlan"};
    const char *protocol = text_of(payload, "protocol"), *what = text_of(payload, "field");
    bool is_udp = strcmp(protocol, "udp") == 0 || strcmp(protocol, "th") == 0;
    bool is_ip = strcmp(protocol, "ip") == 0;
    bool is_lower = json_object_get(payload, "base") != NULL;
    for (size_t i = 0; i < ARRAY_LEN(lower); i++) {
        is_lower = is_lower || strcmp(protocol, lower[i]) == 0;
    }
    if (is_udp && (strcmp(what, "sport") == 0 || strcmp(what, "dport") == 0)) {
        match_port(rule, what[0] == 's', op, right);
    } else if (is_ip && strcmp(what, "protocol") == 0) {
        ruleset_narrow(rule, holds_for(&udp, op, right));
    } else if (is_ip && (strcmp(what, "saddr") == 0 || strcmp(what, "daddr") == 0)) {
        match_address(rule, what[0] == 's', op, right);
    } else {
        /* A field of another protocol is in none of our packets, whatever is asked
         * of it. */
        ruleset_narrow(rule, is_udp || is_lower ? HOLDS_FOR_SOME : HOLDS_FOR_NONE);
    }
}

static void match_meta(struct rule *rule, const char *key, const char *op, const json_t *right)
{
    static const char *const names[] = {"iifname", "oifname", "iif", "oif"};
    const char *word = json_string_value(right);
    bool is_loopback = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        is_loopback =
            is_loopback || (strcmp(key, names[i]) == 0 && word != NULL && strcmp(word, "lo") == 0);
    }
    if (strcmp(key, "l4proto") == 0) {
        ruleset_narrow(rule, holds_for(&udp, op, right));
    } else if (strcmp(key, "nfproto") == 0) {
        ruleset_narrow(rule, holds_for(&ipv4, op, right));
    } else if (strcmp(key, "protocol") == 0) {
        ruleset_narrow(rule, holds_for(&ip, op, right));
    } else if (is_loopback) {
        ruleset_narrow(rule, strcmp(op, "!=") == 0 ? HOLDS_FOR_ALL : HOLDS_FOR_NONE);
    } else {
        ruleset_narrow(rule, HOLDS_FOR_SOME);
    }
}

void ruleset_match(struct rule *rule, const json_t *left, const char *op, const json_t *right)
{
    const json_t *payload = json_object_get(left, "payload"), *meta = json_object_get(left, "meta");
    if (payload != NULL) {
        match_payload(rule, payload, op, right);
    } else if (meta != NULL) {
        match_meta(rule, text_of(meta, "key"), op, right);
    } else {
        ruleset_narrow(rule, HOLDS_FOR_SOME);
    }
}
