/* SPDX-License-Identifier: MIT */
/* A table with every type and every nesting, for the unit tests and the fuzzer of schema_*. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "common/schema.h"

enum sample_path { SAMPLE_AUTO, SAMPLE_ROUTED, SAMPLE_EGRESS };

struct sample_server {
    char name[SCHEMA_MAP_NAME_BYTES];
    struct ipv4 address;
    uint64_t weight;
};

struct sample_relay {
    char name[16];
    struct ipv4 giaddr;
    struct ipv4_net subnet;
    uint64_t clients;
    unsigned clients_line;
    struct schema_array to;      /* char[16] */
    struct schema_array helpers; /* struct ipv4 */
};

struct sample_stage {
    char name[16];
    bool has_acquire, has_hold, is_poisson;
    uint64_t batch, rate_milli_per_s, hold_ns;
};

struct sample_judgement {
    unsigned line;
    char text[32];
};

struct sample {
    uint64_t version;
    char title[24];
    struct schema_array servers;    /* struct sample_server */
    struct schema_array relays;     /* struct sample_relay */
    struct schema_array stages;     /* struct sample_stage */
    struct schema_array judgements; /* struct sample_judgement */
    struct schema_array prefixes;   /* struct ipv4_net */
    enum sample_path path;
    struct ipv4_net block;
    double fuzz_percent;
    uint64_t lease_ns, packets_milli_per_s;
    bool has_time, is_verbose;
    uint64_t time_ns;
    unsigned cleanup_on;
};

static const char *const sample_path_words[] = {"auto", "routed", "egress", NULL};
static const char *const sample_cleanup_words[] = {"end", "stop", "fail", NULL};

/* clang-format off */
static const struct schema_row sample_server_rows[] = {
    {.key = "address", .type = SCHEMA_IPV4, .offset = offsetof(struct sample_server, address),
     .is_required = true, .help = "Where it listens."},
    {.key = "weight", .type = SCHEMA_UINT, .offset = offsetof(struct sample_server, weight),
     .preset = "1", .max = 10},
    {0},
};

static const struct schema_row sample_relay_rows[] = {
    {.key = "name", .type = SCHEMA_NAME, .offset = offsetof(struct sample_relay, name), .size = 16,
     .is_required = true},
    {.key = "giaddr", .type = SCHEMA_IPV4, .offset = offsetof(struct sample_relay, giaddr),
     .is_required = true},
    {.key = "subnet", .type = SCHEMA_IPV4_NET, .offset = offsetof(struct sample_relay, subnet)},
    {.key = "clients", .type = SCHEMA_UINT, .offset = offsetof(struct sample_relay, clients),
     .unit = "clients", .min = 1, .max = 100000, .preset = "100",
     .line_offset_plus_1 = 1 + offsetof(struct sample_relay, clients_line)},
    {.key = "to", .type = SCHEMA_TEXT_LIST, .offset = offsetof(struct sample_relay, to), .size = 16},
    {.key = "helpers", .type = SCHEMA_IPV4_LIST, .offset = offsetof(struct sample_relay, helpers),
     .preset = "[192.0.2.1, 192.0.2.2]"},
    {0},
};

static const struct schema_row sample_acquire_rows[] = {
    {.key = "batch", .type = SCHEMA_UINT, .offset = offsetof(struct sample_stage, batch), .max = 100000},
    {.key = "rate", .type = SCHEMA_RATE, .offset = offsetof(struct sample_stage, rate_milli_per_s)},
    {.key = "poisson", .type = SCHEMA_BOOL, .offset = offsetof(struct sample_stage, is_poisson)},
    {0},
};

static const struct schema_row sample_stage_rows[] = {
    {.key = "name", .type = SCHEMA_NAME, .offset = offsetof(struct sample_stage, name), .size = 16,
     .is_required = true},
    {.key = "acquire", .type = SCHEMA_BLOCK, .rows = sample_acquire_rows,
     .present_offset_plus_1 = 1 + offsetof(struct sample_stage, has_acquire)},
    {.key = "hold", .type = SCHEMA_DURATION, .offset = offsetof(struct sample_stage, hold_ns),
     .present_offset_plus_1 = 1 + offsetof(struct sample_stage, has_hold)},
    {0},
};

static const struct schema_row sample_network_rows[] = {
    {.key = "block", .type = SCHEMA_IPV4_NET, .offset = offsetof(struct sample, block),
     .is_required = true, .help = "No client accepts an address outside."},
    {.key = "client_path", .type = SCHEMA_ENUM, .offset = offsetof(struct sample, path),
     .words = sample_path_words, .preset = "egress"},
    {.key = "relays", .type = SCHEMA_LIST, .offset = offsetof(struct sample, relays),
     .size = sizeof(struct sample_relay), .rows = sample_relay_rows, .is_required = true},
    {.key = "prefixes", .type = SCHEMA_IPV4_NET_LIST, .offset = offsetof(struct sample, prefixes)},
    {0},
};

static const struct schema_row sample_limit_rows[] = {
    {.key = "packets", .type = SCHEMA_RATE, .offset = offsetof(struct sample, packets_milli_per_s),
     .min = 1000, .max = 100000000, .preset = "20000/s"},
    {.key = "time", .type = SCHEMA_DURATION, .offset = offsetof(struct sample, time_ns),
     .min = 1000000000, .present_offset_plus_1 = 1 + offsetof(struct sample, has_time)},
    {.key = "fuzz", .type = SCHEMA_PERCENT, .offset = offsetof(struct sample, fuzz_percent),
     .max = 50, .preset = "5%"},
    {.key = "lease", .type = SCHEMA_DURATION, .offset = offsetof(struct sample, lease_ns),
     .min = 1000000000, .max = UINT64_C(86400000000000)},
    {0},
};

static const struct schema_row sample_judgement_rows[] = {
    {.key = "text", .type = SCHEMA_TEXT, .offset = offsetof(struct sample_judgement, text),
     .size = 32, .line_offset_plus_1 = 1 + offsetof(struct sample_judgement, line)},
    {0},
};

static const struct schema_row sample_rows[] = {
    {.key = "leaseherd", .type = SCHEMA_UINT, .offset = offsetof(struct sample, version),
     .is_required = true, .min = 1, .max = 1, .help = "Version of the format."},
    {.key = "title", .type = SCHEMA_TEXT, .offset = offsetof(struct sample, title), .size = 24,
     .preset = "untitled"},
    {.key = "servers", .type = SCHEMA_MAP, .offset = offsetof(struct sample, servers),
     .size = sizeof(struct sample_server), .rows = sample_server_rows, .is_required = true},
    {.key = "network", .type = SCHEMA_BLOCK, .rows = sample_network_rows, .is_required = true},
    {.key = "limits", .type = SCHEMA_BLOCK, .rows = sample_limit_rows},
    {.key = "run", .type = SCHEMA_LIST, .offset = offsetof(struct sample, stages), .max = 4,
     .size = sizeof(struct sample_stage), .rows = sample_stage_rows},
    {.key = "judge", .type = SCHEMA_TEXT_LIST, .offset = offsetof(struct sample, judgements),
     .size = sizeof(struct sample_judgement), .rows = sample_judgement_rows},
    {.key = "on", .type = SCHEMA_FLAGS, .offset = offsetof(struct sample, cleanup_on),
     .words = sample_cleanup_words, .preset = "[end, stop]"},
    {.key = "verbose", .type = SCHEMA_BOOL, .offset = offsetof(struct sample, is_verbose)},
    {0},
};
/* clang-format on */
