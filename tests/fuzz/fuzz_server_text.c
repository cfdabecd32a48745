/* SPDX-License-Identifier: MIT */
/* What a server writes and says, and what the kernel says of it: the first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/conntrack_entry.h"
#include "agent/observer/parse/dhcpd_conf.h"
#include "agent/observer/parse/kea_answer.h"
#include "agent/observer/parse/lease_line.h"
#include "agent/observer/parse/log_line.h"
#include "agent/observer/parse/nft_generation.h"
#include "agent/observer/parse/syscall_line.h"
#include "agent/observer/parse/unix_sockets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_log(enum log_program program, const char *text, size_t size)
{
    static struct log_counts counts;
    static struct log_pools pools;
    struct failover failover;
    memset(&failover, 0, sizeof(failover));
    memset(&pools, 0, sizeof(pools));
    for (const char *at = text, *end = text + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        (void)log_counts_take(&counts, program, at, (size_t)(stop - at));
        log_line_failover(program, at, (size_t)(stop - at), &failover);
        log_pools_take(&pools, at, (size_t)(stop - at));
        at = stop + (stop < end);
    }
    enum failover_state own, partner;
    (void)failover_tell(&failover, &own, &partner);
}

static void read_leases(const char *text, size_t size)
{
    struct lease_lines lines;
    struct failover failover;
    memset(&lines, 0, sizeof(lines));
    memset(&failover, 0, sizeof(failover));
    for (const char *at = text, *end = text + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        (void)lease_line_dhcpd(&lines, at, (size_t)(stop - at), &failover);
        (void)lease_line_kea(at, (size_t)(stop - at));
        at = stop + (stop < end);
    }
}

static void read_kea(const char *text, size_t size)
{
    struct kea_statistics statistics;
    struct failover failover;
    memset(&failover, 0, sizeof(failover));
    (void)kea_answer_statistics(text, size, &statistics);
    (void)kea_answer_status(text, size, &failover);
}

static void read_configuration(const char *text, size_t size)
{
    static struct dhcpd_conf conf;
    char told[257];
    memset(&conf, 0, sizeof(conf));
    dhcpd_conf_take(&conf, text, size);
    dhcpd_conf_tell(&conf, told, sizeof(told));
    if (conf.include_count > DHCPD_CONF_INCLUDES_MAX || strlen(told) >= sizeof(told) ||
        conf.addresses < conf.ranges) {
        abort();
    }
}

static void read_kernel(const char *text, size_t size)
{
    struct conntrack_tally tally;
    int error = 0;
    uint32_t generation = 0;
    char path[32];
    memset(&tally, 0, sizeof(tally));
    (void)conntrack_take(text, size, 1, &tally, &error);
    (void)nft_generation_of(text, size, &generation);
    (void)thread_wait_of_line(text, size);
    (void)unix_socket_path(text, 17, path, sizeof(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size); /* as long as it is, so that a sanitizer sees its end */
    if (text == NULL) {
        abort();
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 6) {
    case 0:
        read_log(LOG_DHCPD, text, size - 1);
        break;
    case 1:
        read_log(LOG_KEA, text, size - 1);
        break;
    case 2:
        read_leases(text, size - 1);
        break;
    case 3:
        read_kea(text, size - 1);
        break;
    case 5:
        read_configuration(text, size - 1);
        break;
    default:
        read_kernel(text, size - 1);
        break;
    }
    free(text);
    return 0;
}
