/* SPDX-License-Identifier: MIT */
#include "tests/sim/net_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/edge/udp.h"
#include "common/attrs.h"
#include "common/clock.h"
#include "tests/sim/oracle.h"
#include "tests/sim/os.h"

enum { SOCKETS_MAX = 64, ROOM = 4096, DHCP_SERVER = 67, DHCP_CLIENT = 68 };

const struct udp_ports udp_dhcp_ports = {DHCP_SERVER, DHCP_CLIENT};

struct arrived {
    struct lane_packet packet;
    uint8_t bytes[DHCP4_MAX_BYTES];
};

struct udp {
    struct sim_part *part;
    struct world_agent *agent;
    struct ipv4 *carriers;
    size_t carrier_count;
    bool is_closed, uses_wildcard;
    int watched_fd;
    bool was_ready; /* when the last wait ended */
    struct sim_task *waiter;
    struct arrived *queue; /* a ring of ROOM */
    size_t first, count;
    struct arrived handed[UDP_BATCH];
    uint64_t drops;
};

static struct udp *sockets[SOCKETS_MAX];
static size_t socket_count;

/* --- the edge's interface --- */

static bool is_own(const struct world_agent *agent, struct ipv4 address)
{
    for (size_t i = 0; i < agent->address_count; i++) {
        if (inet_equal(agent->address[i], address)) {
            return true;
        }
    }
    return false;
}

/* Who has this address open, and as which of its carriers; NULL: nobody. */
static struct udp *socket_at(struct ipv4 address, size_t *out_carrier)
{
    for (size_t i = 0; i < socket_count; i++) {
        struct udp *u = sockets[i];
        for (size_t k = 0; !u->is_closed && k < u->carrier_count; k++) {
            if (inet_equal(u->carriers[k], address)) {
                *out_carrier = k;
                return u;
            }
        }
    }
    return NULL;
}

int udp_open(const struct ipv4 *carriers, size_t count, struct udp_ports ports, struct udp **out,
             char why[UDP_WHY_BYTES])
{
    struct world_agent *agent = world_agent_of(sim_current_part());
    assert(agent != NULL && ports.server == DHCP_SERVER && ports.client == DHCP_CLIENT);
    for (size_t i = 0, taken = 0; i < count; i++) {
        if (!is_own(agent, carriers[i]) || socket_at(carriers[i], &taken) != NULL) {
            (void)snprintf(why, UDP_WHY_BYTES, "a carrying address cannot be bound");
            return is_own(agent, carriers[i]) ? -EADDRINUSE : -EADDRNOTAVAIL;
        }
    }
    struct udp *u = calloc(1, sizeof(*u));
    assert(u != NULL && socket_count < SOCKETS_MAX);
    u->queue = calloc(ROOM, sizeof(*u->queue));
    u->carriers = calloc(count + 1, sizeof(*u->carriers));
    assert(u->queue != NULL && u->carriers != NULL);
    memcpy(u->carriers, carriers, count * sizeof(*carriers));
    u->carrier_count = count;
    u->part = sim_current_part();
    u->agent = agent;
    u->watched_fd = -1;
    sockets[socket_count++] = u;
    oracle_lane_begins(agent);
    *out = u;
    return 0;
}

/* A packet costs nothing here. */
void udp_connect(struct udp *udp, struct ipv4 server)
{
    (void)udp;
    (void)server;
}

static void close_it(struct udp *u)
{
    u->is_closed = true;
    free(u->queue);
    u->queue = NULL;
}

void udp_close(struct udp *u)
{
    if (u != NULL) {
        close_it(u);
    }
}

void net_udp_part_died(struct sim_part *part)
{
    for (size_t i = 0; i < socket_count; i++) {
        if (sockets[i]->part == part && !sockets[i]->is_closed) {
            close_it(sockets[i]);
        }
    }
}

int udp_use_wildcard(struct udp *u, bool is_wanted)
{
    if (is_wanted && u->agent->port_68_is_taken) {
        return -EADDRINUSE;
    }
    u->uses_wildcard = is_wanted;
    return 0;
}

size_t udp_receive_buffer_bytes(const struct udp *u)
{
    (void)u;
    return UDP_RECEIVE_BUFFER_BYTES;
}

int udp_watch(struct udp *u, int fd)
{
    u->watched_fd = fd;
    return 0;
}

int udp_wait(struct udp *u, uint64_t timeout_ns)
{
    u->waiter = sim_current();
    struct pollfd fd = {.fd = u->watched_fd, .events = POLLIN};
    bool is_ready = os_poll(&fd, 1, sim_current()) > 0 || u->count > 0;
    (void)sim_wait(is_ready ? 0 : timeout_ns);
    uint64_t count = 0;
    bool was_told = read(u->watched_fd, &count, sizeof(count)) > 0; /* EAGAIN: it was not */
    u->was_ready = was_told || u->count > 0;
    return 0;
}

/* Who spins costs no time here: it sleeps. */
int udp_spin(struct udp *u, uint64_t until_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    return u->was_ready || now_ns >= until_ns ? 0 : udp_wait(u, until_ns - now_ns);
}

size_t udp_receive(struct udp *u, struct lane_packet out[UDP_BATCH])
{
    size_t taken = 0;
    for (; taken < UDP_BATCH && u->count > 0; taken++) {
        u->handed[taken] = u->queue[u->first];
        u->first = (u->first + 1) % ROOM;
        u->count--;
        out[taken] = u->handed[taken].packet;
        out[taken].bytes = u->handed[taken].bytes;
        oracle_packet_read(u->agent, &out[taken]);
    }
    return taken;
}

struct udp_rx_facts udp_take_rx_facts(struct udp *u)
{
    struct udp_rx_facts facts = {.drops = u->drops};
    u->drops = 0;
    return facts;
}

void udp_poll_drops(struct udp *u)
{
    (void)u;
}

/* --- to and from the way --- */

static int refusal_of(struct world_agent *agent)
{
    return world_wire_chance(&agent->to_servers, agent->refuses_sends) ? agent->send_errno : 0;
}

struct udp_sent udp_send(struct udp *u, const struct lane_out *out, size_t count)
{
    struct udp_sent sent = {.at_ns = clock_monotonic_ns()};
    assert(!u->is_closed && count > 0);
    sent.error = !inet_is_zero(out[0].source) && !u->uses_wildcard ? ENOTSUP : 0;
    for (; sent.done < count && sent.done < UDP_BATCH; sent.done++) {
        const struct lane_out *o = &out[sent.done];
        bool is_of_run = o->carrier == out[0].carrier && o->port == out[0].port;
        int error = sent.error != 0 ? sent.error : refusal_of(u->agent);
        if (!is_of_run || (error != 0 && sent.done > 0)) {
            return sent; /* a refusal behind them is the first of the next call */
        }
        struct ipv4 source = inet_is_zero(o->source) ? u->carriers[o->carrier] : o->source;
        oracle_packet_sent(u->agent, o, source, error);
        if (error != 0) {
            sent.done = 1;
            sent.error = error;
            return sent;
        }
        net_way_to_server(u->agent, source, o);
    }
    return sent;
}

bool net_udp_deliver(struct ipv4 address, const struct net_arrival *a)
{
    size_t carrier = 0;
    struct udp *u = socket_at(address, &carrier);
    bool is_client_port = a->reply->destination_port == DHCP_CLIENT;
    if (u == NULL) {
        return false;
    }
    bool is_carriers = inet_equal(a->reply->destination, address) || !a->is_routed;
    if (is_client_port && !is_carriers && !u->uses_wildcard) {
        return false;
    }
    if (u->count >= u->agent->receive_room || u->count == ROOM) {
        u->drops++;
        return false;
    }
    struct arrived *slot = &u->queue[(u->first + u->count++) % ROOM];
    memcpy(slot->bytes, a->reply->bytes, sizeof(slot->bytes));
    slot->packet = (struct lane_packet){
        .carrier = is_carriers ? carrier : SIZE_MAX,
        .port = is_client_port ? LANE_PORT_CLIENT : LANE_PORT_SERVER,
        .source = a->source,
        .destination = is_carriers ? address : a->reply->destination,
        .source_port = a->reply->source_port,
        .size = a->reply->size,
        .at_ns = sim_host_monotonic(u->part),
    };
    sim_wake(u->waiter);
    return true;
}
