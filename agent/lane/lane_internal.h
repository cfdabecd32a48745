/* SPDX-License-Identifier: MIT */
/*
 * What the files of a lane ask of each other: lane.c (life, commands, queries),
 * lane_send.c, lane_receive.c, lane_client.c (a client's exchanges begin),
 * lane_answer.c (are answered), lane_deadline.c (time out), lane_stage.c, lane_load.c,
 * lane_drain.c, lane_query.c and lane_preflight.c. Nothing outside agent/lane includes it.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/client/lease_fsm.h"
#include "agent/lane/lane_state.h"

/* --- lane_send.c --- */

/* Queues the message the client's state calls for; at most once. */
void lane_queue(struct lane *lane, uint32_t local);
void lane_send_due(struct lane *lane);
/* Room in the outbox for one message of a relay to all of its servers? */
bool lane_has_room(const struct lane *lane, const struct relay *relay);
/* Puts one message into the outbox, a copy per server. */
void lane_put(struct lane *lane, uint32_t local, enum dhcp4_intent intent, enum plan_path path);
struct relay *lane_relay_of(struct lane *lane, uint32_t local);
/* Packets of the message that waits longest to be sent; 0: none, or it has nothing to say. */
uint32_t lane_due_packets(const struct lane *lane);
/* Wait after the transmission just made. */
uint64_t lane_wait_ns(const struct lane *lane, uint32_t local, enum dhcp4_intent intent);
void lane_new_xid(struct lane *lane, uint32_t local);
uint8_t lane_server_index(const struct lane *lane, struct ipv4 server);
void lane_set_server(const struct lane *lane, struct client *c, struct ipv4 server);

/* --- lane.c, lane_right.c: the run lease goes and comes back --- */

size_t lane_memory_of(const struct lane *lane); /* what it has allocated */
/*
 * Messages per second the plan itself calls for, N/T1 renewals and the stage's
 * starts: the ceiling of what a pause left behind. `out_doubles`: the closed
 * model has no rate; it begins as it did at first, one window in a second.
 */
double lane_planned_per_s(const struct lane *lane, bool *out_doubles);
/* Adds the pause, or the time alone, that lasts. */
void lane_right_snapshot(const struct lane *lane, struct snapshot *out);

/* --- lane_take.c: clients of a lost agent --- */

void lane_comeback_turn(struct lane *lane);
uint64_t lane_comeback_next_ns(const struct lane *lane);

/* --- lane_client.c: exchanges begin --- */

enum lease_action lane_step(struct client *c, enum lease_event event);
/* A new exchange: new xid, nothing sent yet, an answer is awaited. */
void lane_open_exchange(struct lane *lane, uint32_t local, uint64_t intended_ns);
void lane_close_exchange(struct lane *lane, struct client *c);
/* `flags`: of enum client_flag, CLIENT_IN_STAGE and CLIENT_SINGLE or neither. */
void lane_start_acquire(struct lane *lane, uint32_t local, uint64_t intended_ns, unsigned flags);
void lane_start_exchange(struct lane *lane, uint32_t local, enum lease_event event,
                         uint64_t intended_ns);
void lane_release(struct lane *lane, uint32_t local, uint64_t intended_ns);
enum client_class lane_class_of(const struct client *c);
void lane_recount(struct lane *lane, enum client_class before, bool was_waiting,
                  const struct client *c);
/* What an exchange is called in events, by the state it is open in. */
enum event_kind lane_kind_of(const struct client *c);
struct event lane_event(const struct lane *lane, uint32_t local, enum event_kind kind,
                        enum event_result result, uint64_t at_ns);
void lane_record(struct lane *lane, uint32_t local, enum event_kind kind, enum event_result result,
                 uint64_t at_ns);

/* --- lane_answer.c: exchanges are answered --- */

void lane_offered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns);
void lane_acked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                const struct lane_packet *packet);
void lane_nakked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns);

/* --- lane_deadline.c: nobody answered, or a lease runs on --- */

void lane_arm_timer(struct lane *lane, uint32_t local);
uint64_t lane_timer_ns(const void *lane, uint32_t local); /* for the wheel: when it is to fire */
void lane_timer_fired(struct lane *lane, uint32_t local);
/* The tries of an exchange are used up. */
void lane_give_up(struct lane *lane, uint32_t local);
/* The open exchange ends without an answer, and the timer with it (drain). */
void lane_abandon(struct lane *lane, uint32_t local);
/* Of a client without an open exchange whose timer is off: true when its lease has ended, which is
 * recorded now. */
bool lane_lapse(struct lane *lane, uint32_t local);

/* --- lane_stage.c --- */

void lane_stage_turn(struct lane *lane);
uint64_t lane_stage_next_ns(const struct lane *lane);
/* One of the stage's starts has ended. */
void lane_stage_finished(struct lane *lane, struct client *c);
bool lane_stage_is_done(const struct lane *lane);
/* Starts the schedule of the step that runs has called for. */
uint64_t lane_stage_planned(const struct lane *lane);
/* No more starts: what was planned until now is kept. */
void lane_stage_stop(struct lane *lane);
/* There are more clients: the step under way has them as well, by `go` (NULL: as it is paced). */
void lane_stage_widen(struct lane *lane, const struct control_go *go);

/* --- lane_load.c --- */

/* The step's schedule; the stage is begun and works by arrivals. */
void lane_load_begin(struct lane *lane, const struct control_go *go);
void lane_load_turn(struct lane *lane);
uint64_t lane_load_next_ns(const struct lane *lane);
/* The client may have become ready for a demand, or ceased to be; lane->ready is kept. */
void lane_load_recount(struct lane *lane, const struct client *c);

/* --- lane_query.c --- */

NODISCARD bool lane_query_init(struct lane *lane);
/* The exchange just opened is a query: it gets a number of its own as xid. */
void lane_query_opened(struct lane *lane, uint32_t local);
/* Is it for lane_query_receive(), which says what became of it? */
bool lane_query_answers(const struct lane *lane, const struct dhcp4_reply *r);
enum snapshot_counter lane_query_receive(struct lane *lane, const struct dhcp4_reply *r,
                                         const struct lane_packet *packet);

/* --- lane_receive.c --- */

/* Did it come to the address, and by the port, that this client's relay answers for? */
bool lane_came_the_right_way(const struct lane *lane, uint32_t local,
                             const struct lane_packet *packet, const struct dhcp4_reply *r);

/* --- lane_drain.c --- */

void lane_drain_turn(struct lane *lane);
uint64_t lane_drain_next_ns(const struct lane *lane);

/* --- lane_preflight.c --- */

NODISCARD bool lane_preflight_init(struct lane *lane);
void lane_preflight_fini(struct lane *lane);
void lane_preflight_turn(struct lane *lane);
uint64_t lane_preflight_next_ns(const struct lane *lane);
/* An answer for a preflight client: true when it answered what is open. */
bool lane_preflight_receive(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                            const struct lane_packet *packet);
/* What became of a preflight client's packet. */
void lane_preflight_sent(struct lane *lane, const struct lane_out *out, int error);
/* Leases are released, what is not bound ends; `at_once`: not even that. */
void lane_preflight_stop(struct lane *lane, bool at_once);
