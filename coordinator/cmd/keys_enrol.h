/* SPDX-License-Identifier: MIT */
/*
 * `leaseherd keys enrol NAME`: a one-time token, and the short-lived socket where
 * an agent proves that it has it. Whoever speaks the secret first, over a connection that
 * only the holder of a key can make, gets that key on agents.allow under NAME. Edge.
 */
#pragma once

#include "common/attrs.h"
#include "common/keys.h"

struct keys_enrol_job {
    const char *dir, *name;
    enum key_role role;
    const char *expires; /* "-" or a date */
    const char *listen;  /* ADDR[:PORT] as given, or NULL */
    const char *ttl;     /* as given, or NULL */
};

/*
 * Prints the token alone on stdout and the rest on stderr. Returns the exit code: 0
 * enrolled; 2 flags, keys or address; 4 expired, stopped, or refused too often; 6.
 */
NODISCARD int keys_enrol(const struct keys_enrol_job *job);
