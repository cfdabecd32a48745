/* SPDX-License-Identifier: MIT */
/*
 * dhcpd's configuration file, as its process began with it: how large its pools are where its log
 * does not say (it does in failover), and the settings that decide findings. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/parse/dhcpd_conf.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct server_conf {
    uint64_t instance; /* whose it is; 0: none was read */
    int error;         /* 0 or -errno; of the first file that could not be read */
    bool is_cut;       /* something of it was not read */
    struct dhcpd_conf conf;
};

void server_conf_open(struct server_conf *c);
/* After server_log_observe(), whose pools are what the server itself counts. */
void server_conf_observe(struct server_conf *c, const struct observer_target *target,
                         const char *path, struct observation *out);
