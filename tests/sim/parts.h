/* SPDX-License-Identifier: MIT */
/*
 * The parts of a world, born, ended and born again: agents that serve run after
 * run, and a coordinator that plays a run, goes on with one whose coordinator was
 * killed, or cleans up after it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/world.h"

/* Keys, directories, policies; world.agent_count, world.dir and the plot are set. */
void parts_prepare(void);
void parts_start_agent(struct world_agent *agent);
void parts_start_coordinator(void);

/* SIGKILL; the part is back after that time, 0: never. A killed coordinator resumes or not. */
void parts_kill_agent(struct world_agent *agent, uint64_t after_ns);
void parts_kill_coordinator(uint64_t after_ns);

struct parts_facts {
    uint64_t runs, resumed, cleaned, agent_deaths, coordinator_deaths;
    int exit_code; /* of the latest run that ended; -1: none did */
    bool is_over;  /* nothing more is to come */
    bool lost_agent, had_agent_refusal;
};
extern struct parts_facts parts_facts;
