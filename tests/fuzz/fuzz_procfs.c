/* SPDX-License-Identifier: MIT */
/* The first byte says which file the rest is the text, or the datagrams, of. */
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/disk_text.h"
#include "agent/observer/parse/net_text.h"
#include "agent/observer/parse/netlink_bytes.h"
#include "agent/observer/parse/proc_text.h"
#include "agent/observer/parse/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_socket(void *context, const struct socket_seen *seen)
{
    *(uint64_t *)context += seen->inode + seen->drops;
}

static void take_qdisc(void *context, const struct qdisc_seen *seen)
{
    *(uint64_t *)context += seen->drops;
}

static bool read_process(const char *text, uint64_t *sum)
{
    struct proc_stat stat;
    uint64_t wait_ns = 0;
    return proc_parse_stat(text, &stat) || proc_parse_schedstat(text, sum, &wait_ns) ||
           proc_parse_socket_link(text, sum) ||
           text_named_number(text, "voluntary_ctxt_switches", sum);
}

static bool read_network(const char *text, uint64_t *sum)
{
    return net_snmp_number(text, "Ip", "OutDiscards", sum) || net_dev_drops(text, sum) ||
           net_softnet_drops(text, sum) || net_conntrack_sum(text, "drop", sum) ||
           net_conntrack_first(text, "entries", sum);
}

static bool read_disk(const char *text, uint64_t *sum)
{
    struct disk_stat stat;
    char type[32], source[32];
    return disk_parse_stat(text, &stat) || disk_parse_pressure(text, sum) ||
           disk_parse_mount(text, 0, 45, type, source, sizeof(type));
}

static bool read_netlink(const uint8_t *bytes, size_t size, uint64_t *sum)
{
    int error = 0;
    (void)netlink_read_udp(bytes, size, 1, take_socket, sum, &error);
    (void)netlink_read_packet(bytes, size, 1, take_socket, sum, &error);
    return netlink_read_qdiscs(bytes, size, 1, take_qdisc, sum, &error) == NETLINK_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint64_t sum = 0;
    char *text = malloc(size); /* as long as it is, so that a sanitizer sees its end */
    if (text == NULL) {
        abort();
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 4) {
    case 0:
        (void)read_process(text, &sum);
        break;
    case 1:
        (void)read_network(text, &sum);
        break;
    case 2:
        (void)read_disk(text, &sum);
        break;
    default:
        (void)read_netlink((const uint8_t *)text, size - 1, &sum);
        break;
    }
    free(text);
    return 0;
}
