/* SPDX-License-Identifier: MIT */
/*
 * The coordinator an agent trusts, gone mad: what its modes share (hostile_coordinator.c has
 * the loop and most of them, hostile_forger.c those about signatures).
 */
#pragma once

#include "tests/support/hostile.h"

#include "common/link.h"
#include "common/prng.h"
#include "proto/control.h"

enum { MAD_BYTES_MAX = 1024 * 1024, MAD_PATIENCE_S = 8 };

struct mad {
    const struct hostile_options *o;
    struct link_context *context;
    struct link_socket *socket[2]; /* CTRL, DATA */
    uint16_t port[2];
    struct link_peer peer[2];
    struct control_arena *arena;
    uint8_t *bytes, *plan_bytes;
    struct prng prng;
    uint64_t session, clock_id, committed, agent_boot_ns, agent_clock_ns, granted_s_e3;
    uint16_t run;
    bool grants;
    unsigned heard[CONTROL_KIND_COUNT];
    struct control_progress progress;
    char why[CONTROL_TEXT_BYTES]; /* of the last REFUSE */
    struct control_share share;
    int failed;
};

/* A line "ok WHAT" or "FAIL WHAT". */
void mad_check(struct mad *c, bool is_good, const char *what);
/* A line "quiet FROM NOW WHAT": the capture must not show a packet of that time. */
void mad_quiet(double from_s, const char *what);
double mad_wall_s(void);

void mad_tell(struct mad *c, struct control_message *m);
void mad_turn_for(struct mad *c, double seconds);
bool mad_await(struct mad *c, enum control_kind kind, double seconds);
void mad_still_lives(struct mad *c, const char *after);
/* Another run: the agent forgets the one it has. */
void mad_welcome_again(struct mad *c);

/* Of the agent's policy, for this agent, now and for an hour; plan_free() it. */
void mad_good_plan(const struct mad *c, struct plan *plan);
/* Packs the plan into c->plan_bytes and signs it with the operator's key. */
struct control_message mad_prepare_of(struct mad *c, const struct plan *plan);
void mad_sign(struct mad *c, struct control_prepare *prepare, const struct sign_key *key);
/* 'R' for REFUSE, 'Y' for READY, '-' for neither. */
char mad_offer(struct mad *c, struct control_message *prepare);

/* --- hostile_forger.c --- */

/* Plans that no operator of the agent's policy signed, or not for it, or not for now. */
void mad_forges(struct mad *c);
/* The plan.bin and plan.sig of a run that is over. */
void mad_replays(struct mad *c);

/* --- hostile_takes.c --- */

/* While a run is under way: clients of nobody who was lost. */
void mad_takes(struct mad *c);
