/* SPDX-License-Identifier: MIT */
/*
 * What of dhcpd's own configuration decides findings: how many addresses its pools have, and the
 * settings that explain how it answers. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DHCPD_CONF_VALUE_BYTES = 20,
    DHCPD_CONF_PATH_BYTES = 256,
    DHCPD_CONF_INCLUDES_MAX = 32,
    DHCPD_CONF_SETTINGS = 8
};

/* A zeroed one has seen nothing yet; each file adds to it. */
struct dhcpd_conf {
    uint64_t addresses, ranges;
    /* As the latest statement of each says; "": there was none. See dhcpd_conf.c's list. */
    char value[DHCPD_CONF_SETTINGS][DHCPD_CONF_VALUE_BYTES];
    bool is_varied[DHCPD_CONF_SETTINGS]; /* scopes set it differently */
    /* Files it includes, in their order, for the caller to read. */
    char include[DHCPD_CONF_INCLUDES_MAX][DHCPD_CONF_PATH_BYTES];
    size_t include_count;
    bool is_incomplete; /* more of them than have room, or with such names */
};

void dhcpd_conf_take(struct dhcpd_conf *c, const char *text, size_t size);

/* "ping-check false, delayed-ack 28, min-lease-time not set"; cut where there is no room. */
void dhcpd_conf_tell(const struct dhcpd_conf *c, char *out, size_t size);
