/* SPDX-License-Identifier: MIT */
/*
 * Where a server keeps its log, lease file, configuration and control socket: as the operator
 * says, or as its open descriptors and command line tell. Descriptors of
 * another user's process need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; without
 * them the packaged server's usual places are looked at. Edge. One thread.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/target.h"
#include "proto/observation.h"

struct server_files {
    uint64_t instance; /* whose files these are; 0: of none yet */
    unsigned looks;    /* since that instance began */
    unsigned log_rank; /* how likely `log` is its log; 0: by default */
    bool is_log_named; /* by the operator */
    bool is_hidden;    /* its descriptors could not be read */
    /* "": not found, and nobody named one. */
    char log[PATH_MAX], leases[PATH_MAX], kea_socket[PATH_MAX];
    char config[PATH_MAX]; /* dhcpd's */
};

void server_files_open(struct server_files *f);
/* Why a path is not known. */
enum availability server_files_lack(const struct server_files *f);
/* Once a second; looks again only while the server is young or somebody else.
 */
void server_files_look(struct server_files *f, const struct observer_target *target);
