/* SPDX-License-Identifier: MIT */
/*
 * Numbers of DHCPv4 options and message types with their names, one list each:
 * the codec takes its numbers from here, logs and reports their words.
 * RFC 2132, 3046, 3396, 4388; names as in IANA's registry, in lower case.
 *
 * Pure. The strings are static.
 */
#pragma once

#include <stdint.h>

/* clang-format off */
#define DHCP_OPTION_LIST(X)                                   \
    X(  0, PAD,                  "pad")                       \
    X(  1, SUBNET_MASK,          "subnet-mask")               \
    X(  2, TIME_OFFSET,          "time-offset")               \
    X(  3, ROUTER,               "router")                    \
    X(  6, DOMAIN_SERVER,        "domain-server")             \
    X( 12, HOSTNAME,             "hostname")                  \
    X( 15, DOMAIN_NAME,          "domain-name")               \
    X( 26, MTU,                  "mtu")                       \
    X( 28, BROADCAST,            "broadcast-address")         \
    X( 42, NTP_SERVERS,          "ntp-servers")               \
    X( 43, VENDOR_SPECIFIC,      "vendor-specific")           \
    X( 44, NETBIOS_NAME_SERVERS, "netbios-name-servers")      \
    X( 47, NETBIOS_SCOPE,        "netbios-scope")             \
    X( 50, REQUESTED_IP,         "requested-ip")              \
    X( 51, LEASE_TIME,           "lease-time")                \
    X( 52, OVERLOAD,             "overload")                  \
    X( 53, MESSAGE_TYPE,         "message-type")              \
    X( 54, SERVER_ID,            "server-id")                 \
    X( 55, PARAMETERS,           "parameter-request-list")    \
    X( 56, MESSAGE,              "message")                   \
    X( 57, MAX_MESSAGE,          "max-message-size")          \
    X( 58, RENEWAL_TIME,         "renewal-time")              \
    X( 59, REBINDING_TIME,       "rebinding-time")            \
    X( 60, VENDOR_CLASS,         "vendor-class")              \
    X( 61, CLIENT_ID,            "client-id")                 \
    X( 66, SERVER_NAME,          "server-name")               \
    X( 67, BOOTFILE_NAME,        "bootfile-name")             \
    X( 77, USER_CLASS,           "user-class")                \
    X( 80, RAPID_COMMIT,         "rapid-commit")              \
    X( 81, CLIENT_FQDN,          "client-fqdn")               \
    X( 82, RELAY_INFO,           "relay-agent-information")   \
    X( 90, AUTHENTICATION,       "authentication")            \
    X( 91, LAST_TRANSACTION,     "client-last-transaction")   \
    X( 92, ASSOCIATED_IP,        "associated-ip")             \
    X(118, SUBNET_SELECTION,     "subnet-selection")          \
    X(119, DOMAIN_SEARCH,        "domain-search")             \
    X(121, CLASSLESS_ROUTES,     "classless-static-routes")   \
    X(255, END,                  "end")

#define DHCP_MESSAGE_LIST(X)       \
    X( 1, "DHCPDISCOVER")          \
    X( 2, "DHCPOFFER")             \
    X( 3, "DHCPREQUEST")           \
    X( 4, "DHCPDECLINE")           \
    X( 5, "DHCPACK")               \
    X( 6, "DHCPNAK")               \
    X( 7, "DHCPRELEASE")           \
    X( 8, "DHCPINFORM")            \
    X( 9, "DHCPFORCERENEW")        \
    X(10, "DHCPLEASEQUERY")        \
    X(11, "DHCPLEASEUNASSIGNED")   \
    X(12, "DHCPLEASEUNKNOWN")      \
    X(13, "DHCPLEASEACTIVE")
/* clang-format on */

#define DHCP_OPTION_NUMBER(number, symbol, text) DHCP_OPTION_##symbol = (number),
enum dhcp_option_code { DHCP_OPTION_LIST(DHCP_OPTION_NUMBER) };
#undef DHCP_OPTION_NUMBER

/* "unknown" for a number that is not in the list. */
const char *dhcp_option_name(uint8_t code);
const char *dhcp_message_name(uint8_t type);
