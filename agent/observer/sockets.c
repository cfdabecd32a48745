/* SPDX-License-Identifier: MIT */
#include "agent/observer/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/observer/netlink.h"
#include "agent/observer/parse/proc_text.h"
#include "agent/observer/read_text.h"

enum { SERVER_PORT = 67, LOOPBACK_INTERFACE = 1, PATH_BYTES = 64 };

/* The inodes of the process's sockets, as far as they may be known. */
struct owned {
    uint64_t inode[SOCKETS_INODES_MAX];
    size_t count;
    bool is_known;
};

/* The sockets of one kind, added up. */
struct queues {
    const struct owned *owned;
    struct tally *drops;
    uint64_t queue_bytes;
    uint32_t room_bytes; /* the smallest */
    size_t count;
    bool lacks_memory;
};

void sockets_open(struct sockets *s)
{
    memset(s, 0, sizeof(*s));
    s->diag_fd = netlink_open(NETLINK_SOCK_DIAG);
    s->route_fd = netlink_open(NETLINK_ROUTE);
}

void sockets_close(struct sockets *s)
{
    if (s->diag_fd >= 0) {
        (void)close(s->diag_fd); /* only asked, never told */
    }
    if (s->route_fd >= 0) {
        (void)close(s->route_fd);
    }
    s->diag_fd = s->route_fd = -1;
}

/* --- whose sockets --- */

static void find_owned(const struct observer_target *target, struct owned *out)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)target->pid);
    out->count = 0;
    DIR *all = opendir(path);
    out->is_known = false;
    for (const struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char link[PATH_BYTES];
        ssize_t size = readlinkat(dirfd(all), entry->d_name, link, sizeof(link) - 1);
        out->is_known = out->is_known || size >= 0; /* listing them takes less than reading them */
        link[size < 0 ? 0 : size] = '\0';
        if (out->count < SOCKETS_INODES_MAX &&
            proc_parse_socket_link(link, &out->inode[out->count])) {
            out->count++;
        }
    }
    if (all != NULL) {
        (void)closedir(all);
    }
}

static bool is_owned(const struct owned *owned, uint64_t inode)
{
    for (size_t i = 0; i < owned->count; i++) {
        if (owned->inode[i] == inode) {
            return true;
        }
    }
    return false;
}

static void add(struct queues *q, const struct socket_seen *seen)
{
    q->lacks_memory = q->lacks_memory || !seen->has_memory;
    q->queue_bytes += seen->queue_bytes;
    q->room_bytes =
        q->count == 0 || seen->room_bytes < q->room_bytes ? seen->room_bytes : q->room_bytes;
    q->count++;
    tally_add(q->drops, seen->inode, seen->drops);
}

static void take_udp(void *context, const struct socket_seen *seen)
{
    struct queues *q = context;
    bool is_mine = !q->owned->is_known || is_owned(q->owned, seen->inode);
    if (is_mine && seen->port == SERVER_PORT) {
        add(q, seen);
    }
}

static void take_packet(void *context, const struct socket_seen *seen)
{
    struct queues *q = context;
    bool is_mine =
        q->owned->is_known ? is_owned(q->owned, seen->inode) : seen->is_raw && !seen->has_ring;
    if (is_mine) {
        add(q, seen);
    }
}

static enum netlink_end read_udp(const uint8_t *bytes, size_t size, uint32_t seq, void *context,
                                 int *out_errno)
{
    return netlink_read_udp(bytes, size, seq, take_udp, context, out_errno);
}

static enum netlink_end read_packet(const uint8_t *bytes, size_t size, uint32_t seq, void *context,
                                    int *out_errno)
{
    return netlink_read_packet(bytes, size, seq, take_packet, context, out_errno);
}

/* --- what they hold --- */

static int ask_udp(struct sockets *s, struct queues *q)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_INET,
                 .sdiag_protocol = IPPROTO_UDP,
                 .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
                 .idiag_states = UINT32_MAX}};
    return netlink_ask(s->diag_fd, &request, sizeof(request), ++s->seq, read_udp, q);
}

static int ask_packet(struct sockets *s, struct queues *q)
{
    struct {
        struct nlmsghdr head;
        struct packet_diag_req body;
    } request = {
        .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_PACKET,
                 .pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_RING_CFG | PACKET_SHOW_MEMINFO}};
    return netlink_ask(s->diag_fd, &request, sizeof(request), ++s->seq, read_packet, q);
}

/* Three metrics of each kind. */
struct places {
    enum observer_metric queue, room, drops;
};

static const struct places udp_places = {OBSERVER_udp67_queue, OBSERVER_udp67_buffer,
                                         OBSERVER_udp67_drops};
static const struct places packet_places = {
    OBSERVER_packet_socket_queue, OBSERVER_packet_socket_buffer, OBSERVER_packet_socket_drops};

static void lack(struct observation *out, const struct places *places, enum availability why)
{
    observation_lacks(out, places->queue, why);
    observation_lacks(out, places->room, why);
    observation_lacks(out, places->drops, why);
}

typedef int asker(struct sockets *s, struct queues *q);

static void observe_kind(struct sockets *s, const struct owned *owned, struct tally *drops,
                         asker *ask, const struct places *places, struct observation *out)
{
    struct queues q = {.owned = owned, .drops = drops};
    tally_begin(drops);
    int rc = s->diag_fd < 0 ? s->diag_fd : ask(s, &q);
    tally_end(drops);
    if (rc < 0) {
        lack(out, places, availability_of(rc));
    } else if (q.count == 0) {
        lack(out, places, AVAILABLE_NOT_APPLICABLE);
    } else if (q.lacks_memory) {
        lack(out, places, AVAILABLE_NO_KERNEL);
    } else {
        observation_set(out, places->queue, (double)q.queue_bytes);
        observation_set(out, places->room, (double)q.room_bytes);
        observation_set(out, places->drops, (double)drops->total);
    }
}

/* --- queueing disciplines --- */

/*
 * A discipline with others below it counts what they drop, or does not, by its kind; so of an
 * interface what counts is the root or all others together, whichever has more.
 */
struct links {
    struct link_drops {
        uint32_t interface;
        uint64_t root, others;
    } link[SOCKETS_LINKS_MAX];
    size_t count;
};

static void take_qdisc(void *context, const struct qdisc_seen *seen)
{
    struct links *links = context;
    size_t i = 0;
    while (i < links->count && links->link[i].interface != seen->interface) {
        i++;
    }
    if (seen->interface == LOOPBACK_INTERFACE || i == SOCKETS_LINKS_MAX) {
        return;
    }
    if (i == links->count) {
        links->link[links->count++] = (struct link_drops){.interface = seen->interface};
    }
    uint64_t *sum = seen->parent == TC_H_ROOT ? &links->link[i].root : &links->link[i].others;
    *sum += seen->drops;
}

static enum netlink_end read_qdiscs(const uint8_t *bytes, size_t size, uint32_t seq, void *context,
                                    int *out_errno)
{
    return netlink_read_qdiscs(bytes, size, seq, take_qdisc, context, out_errno);
}

static void observe_links(struct sockets *s, struct observation *out)
{
    struct {
        struct nlmsghdr head;
        struct tcmsg body;
    } request = {.head = {.nlmsg_type = RTM_GETQDISC, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    struct links links = {.count = 0};
    int rc = s->route_fd < 0 ? s->route_fd
                             : netlink_ask(s->route_fd, &request, sizeof(request), ++s->seq,
                                           read_qdiscs, &links);
    if (rc < 0) {
        observation_lacks(out, OBSERVER_queue_drops, availability_of(rc));
        return;
    }
    tally_begin(&s->queue_drops);
    for (size_t i = 0; i < links.count; i++) {
        const struct link_drops *link = &links.link[i];
        tally_add(&s->queue_drops, link->interface,
                  link->root > link->others ? link->root : link->others);
    }
    tally_end(&s->queue_drops);
    observation_set(out, OBSERVER_queue_drops, (double)s->queue_drops.total);
}

void sockets_observe(struct sockets *s, const struct observer_target *target,
                     struct observation *out)
{
    if (s->instance != target->instance) {
        s->instance = target->instance;
        tally_init(&s->udp_drops);
        tally_init(&s->packet_drops);
    }
    s->is_guessed = false;
    if (!target->is_same_network) {
        observation_lacks(out, OBSERVER_queue_drops, AVAILABLE_NOT_APPLICABLE);
    } else {
        observe_links(s, out);
    }
    if (!target->is_same_network || target->pid == 0) {
        lack(out, &udp_places, AVAILABLE_NOT_APPLICABLE);
        lack(out, &packet_places, AVAILABLE_NOT_APPLICABLE);
        return;
    }
    struct owned owned;
    find_owned(target, &owned);
    s->is_guessed = !owned.is_known;
    observe_kind(s, &owned, &s->udp_drops, ask_udp, &udp_places, out);
    observe_kind(s, &owned, &s->packet_drops, ask_packet, &packet_places, out);
}
