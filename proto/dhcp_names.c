/* SPDX-License-Identifier: MIT */
#include "proto/dhcp_names.h"

#include "common/attrs.h"

#include <stddef.h>

#define OPTION_ROW(number, symbol, text) [number] = (text),
static const char *const option_names[256] = {DHCP_OPTION_LIST(OPTION_ROW)};

#define MESSAGE_ROW(number, text) [number] = (text),
static const char *const message_names[] = {DHCP_MESSAGE_LIST(MESSAGE_ROW)};

static const char *known(const char *name)
{
    return name != NULL ? name : "unknown";
}

const char *dhcp_option_name(uint8_t code)
{
    return known(option_names[code]);
}

const char *dhcp_message_name(uint8_t type)
{
    return known(type < ARRAY_LEN(message_names) ? message_names[type] : NULL);
}
