/* SPDX-License-Identifier: MIT */
#include "agent/observer/conntrack_dump.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/observer/read_text.h"

enum {
    BUFFER_BYTES = 64 * 1024, /* the kernel's answers have half of that at most */
    TURN_RECEIVES = 64        /* one look's: two megabytes, ten thousand entries */
};

#define PERIOD_NS    UINT64_C(10000000000)
#define SUSPICION_NS UINT64_C(2000000000)
#define PATIENCE_NS  UINT64_C(5000000000)

void conntrack_dump_open(struct conntrack_dump *c)
{
    memset(c, 0, sizeof(*c));
    c->available = AVAILABLE_NOT_APPLICABLE;
    c->last_insert_failed = c->last_out_discards = -1;
    c->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
}

void conntrack_dump_close(struct conntrack_dump *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
}

static int ask(struct conntrack_dump *c)
{
    struct {
        struct nlmsghdr head;
        struct nfgenmsg family;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = ++c->seq},
        .family = {.nfgen_family = AF_INET, .version = NFNETLINK_V0},
    };
    return send(c->fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static void end_walk(struct conntrack_dump *c, int error)
{
    c->is_walking = false;
    if (error == 0) {
        c->told = c->walking;
        c->available = AVAILABLE_OK;
    } else if (error == -EPERM || error == -EACCES || error == -ENOENT) {
        c->available = availability_of(error);
    } else {
        c->available = AVAILABLE_NOT_APPLICABLE; /* an answer that was lost; the
                                                    next may come */
    }
}

static void begin_walk(struct conntrack_dump *c, uint64_t now_ns)
{
    uint64_t entries = 0;
    c->walked_at_ns = now_ns;
    memset(&c->walking, 0, sizeof(c->walking));
    /* Of this network namespace, free of charge; without conntrack there is no
     * such file. */
    int rc = read_number("/proc/sys/net/netfilter/nf_conntrack_count", &entries);
    if (rc == 0 && entries > 0) {
        rc = c->fd < 0 ? -EPERM : ask(c);
        c->is_walking = rc == 0;
    }
    if (!c->is_walking) {
        end_walk(c, rc);
    }
}

static void walk(struct conntrack_dump *c, uint64_t now_ns)
{
    for (int i = 0; i < TURN_RECEIVES && c->is_walking; i++) {
        char buffer[BUFFER_BYTES];
        ssize_t got = recv(c->fd, buffer, sizeof(buffer), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        int error = got < 0 ? -errno : 0;
        enum conntrack_bytes said =
            got < 0 ? CONNTRACK_ERROR
                    : conntrack_take(buffer, (size_t)got, c->seq, &c->walking, &error);
        if (said != CONNTRACK_MORE) {
            end_walk(c, said == CONNTRACK_GARBLED ? -EPROTO : error);
        }
    }
    if (c->is_walking && now_ns - c->walked_at_ns > PATIENCE_NS) {
        end_walk(c, -ETIMEDOUT);
    }
}

void conntrack_dump_look(struct conntrack_dump *c, uint64_t now_ns)
{
    if (c->is_walking) {
        walk(c, now_ns);
    } else if (c->is_wanted && now_ns >= c->next_at_ns) {
        begin_walk(c, now_ns);
        c->next_at_ns = now_ns + PERIOD_NS;
        c->is_suspicious = false;
    }
}

/* Has the counter grown since the last observation? */
static bool has_grown(double *last, const struct observation *out, enum observer_metric metric)
{
    if (out->availability[metric] != AVAILABLE_OK) {
        return false;
    }
    bool grown = *last >= 0 && out->value[metric] > *last;
    *last = out->value[metric];
    return grown;
}

void conntrack_dump_observe(struct conntrack_dump *c, const struct observer_target *target,
                            struct observation *out)
{
    bool is_refused = has_grown(&c->last_out_discards, out, OBSERVER_ip_out_discards);
    bool is_failed = has_grown(&c->last_insert_failed, out, OBSERVER_ct_insert_failed);
    c->is_wanted = target->pid != 0 && target->is_same_network;
    if ((is_refused || is_failed) && !c->is_suspicious) {
        c->is_suspicious = true;
        c->next_at_ns = c->walked_at_ns == 0 ? 0 : c->walked_at_ns + SUSPICION_NS;
    }
    enum availability available = c->is_wanted ? c->available : AVAILABLE_NOT_APPLICABLE;
    if (available != AVAILABLE_OK) {
        observation_lacks(out, OBSERVER_ct_dhcp_entries, available);
        observation_lacks(out, OBSERVER_ct_dhcp_low_ports, available);
        return;
    }
    observation_set(out, OBSERVER_ct_dhcp_entries, (double)c->told.dhcp_entries);
    observation_set(out, OBSERVER_ct_dhcp_low_ports, (double)c->told.low_ports);
}
