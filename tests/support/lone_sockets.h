/* SPDX-License-Identifier: MIT */
/* The coordinator's sockets, with lone_agents.h behind them. */
#pragma once

#include <sys/stat.h>

#include "coordinator/run/run_dir.h"
#include "tests/support/lone_agents.h"

struct hub {
    int unused;
};

/* Writes the directory of keys: both agents are on the list. */
static void lone_keys(const char *dir)
{
    char path[RUN_DIR_PATH_BYTES], why[KEY_WHY_BYTES];
    struct key_entry entries[LONE_AGENTS] = {{.name = "a1",
                                              .role = KEY_ROLE_AGENT,
                                              .public_key = {1},
                                              .added = "2025-01-01",
                                              .expires = "-"},
                                             {.name = "a2",
                                              .role = KEY_ROLE_AGENT,
                                              .public_key = {2},
                                              .added = "2025-01-01",
                                              .expires = "-"}};
    const struct key_list list = {entries, LONE_AGENTS};
    struct key_pair pair;
    int rc = mkdir(dir, 0700);
    key_pair_make(&pair);
    rc = rc == 0 ? key_pair_write(run_dir_path(dir, "coordinator.key", path), &pair, why) : rc;
    rc = rc == 0 ? key_list_write(run_dir_path(dir, "agents.allow", path), &list, why) : rc;
    assert(rc == 0);
}

int hub_lift_file_limit(size_t agents, char why[LINK_WHY_BYTES])
{
    (void)agents;
    (void)why;
    return 0;
}

int hub_open(const char *host, uint16_t port, const struct key_pair *own,
             const struct key_list *allowed, struct hub **out, char why[LINK_WHY_BYTES])
{
    static struct hub hub;
    (void)host;
    (void)port;
    (void)own;
    (void)allowed;
    (void)why;
    *out = &hub;
    return 0;
}

void hub_close(struct hub *hub)
{
    (void)hub;
}

int hub_allow(struct hub *hub, const struct key_list *allowed)
{
    (void)hub;
    (void)allowed;
    return 0;
}

uint16_t hub_ctrl_port(const struct hub *hub)
{
    (void)hub;
    return 6700;
}

uint16_t hub_data_port(const struct hub *hub)
{
    (void)hub;
    return 6701;
}

int hub_wait(struct hub *hub, struct pollfd *fds, size_t fd_count, int timeout_ms)
{
    (void)hub;
    (void)fds;
    (void)fd_count;
    (void)timeout_ms;
    uint64_t span_ns = LONE_TURN_NS;
    if (lone_time.stops_ns != 0 && lone_time.mono_ns >= lone_time.stops_ns) {
        span_ns += lone_time.stops_for_ns;
        lone_time.stops_ns = 0;
    }
    lone_time.mono_ns += span_ns;
    lone_time.wall_ns += span_ns;
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        lone_turn(&lone.agent[i]);
    }
    return 0;
}

int hub_receive(struct hub *hub, enum hub_socket socket, struct link_peer *from,
                struct control_message *out)
{
    (void)hub;
    for (size_t i = 0; i < lone.queued; i++) {
        if (lone.queue[i].socket != socket) {
            continue;
        }
        struct lone_agent *a = lone.queue[i].from;
        *from = (struct link_peer){.role = KEY_ROLE_AGENT, .route_bytes = 2};
        (void)snprintf(from->name, sizeof(from->name), "%s", a->name);
        from->key[0] = (uint8_t)(1 + (a - lone.agent));
        from->route[0] = (uint8_t)(a - lone.agent);
        from->route[1] = (uint8_t)socket;
        *out = lone.queue[i].m;
        lone.queued--;
        memmove(&lone.queue[i], &lone.queue[i + 1], (lone.queued - i) * sizeof(lone.queue[0]));
        return 1;
    }
    return 0;
}

uint64_t hub_rejected_count(const struct hub *hub)
{
    (void)hub;
    return 0;
}

bool hub_may_say(struct hub *hub, enum hub_topic topic, uint64_t *out_unsaid)
{
    (void)hub;
    (void)topic;
    *out_unsaid = 0;
    return true;
}

int hub_send(struct hub *hub, const struct link_peer *to, const struct control_message *m)
{
    (void)hub;
    lone_hear(&lone.agent[to->route[0]], m);
    return 0;
}
