/* SPDX-License-Identifier: MIT */
/*
 * What the hostile programs of tests/system share: the command line, and the
 * three roles. Each role prints what it saw, "ok ..." or "FAIL ..." a line, and
 * returns the program's exit code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/keys.h"
#include "common/sign.h"

struct hostile_options {
    const char *role; /* outsider | stranger | member | coordinator */
    const char *mode; /* of member and coordinator */
    const char *host;
    uint16_t port;
    const char *address; /* member: the address it says it has */
    uint64_t seconds;
    struct key_pair own;
    struct sign_key *signer;  /* coordinator: the operator's key, NULL: it has not got one */
    const char *run_dir;      /* coordinator that replays */
    uint8_t other[KEY_BYTES]; /* peers: the coordinator's public key; coordinator: the agent's */
};

int hostile_outsider(const struct hostile_options *o);    /* without any key */
int hostile_stranger(const struct hostile_options *o);    /* listed, but no agent of the run */
int hostile_member(const struct hostile_options *o);      /* an agent of the run */
int hostile_observer(const struct hostile_options *o);    /* an observer, by its key */
int hostile_coordinator(const struct hostile_options *o); /* the agent's own, gone mad */
