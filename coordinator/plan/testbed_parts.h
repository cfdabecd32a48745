/* SPDX-License-Identifier: MIT */
/* What the files of the test bed's script share. Private to testbed*.c. */
#pragma once

#include "coordinator/plan/testbed.h"

/* A relay and what of its subnet lies in the block. */
struct testbed_spot {
    const struct scenario_relay *relay;
    struct ipv4_net subnet;
    size_t index;
};

/* Sorted by first address, outer subnets before inner ones; free() it. NULL: out of memory. */
struct testbed_spot *testbed_spots(const struct scenario *s);
/* Subnets are nested or apart: the end of those that lie within that of `begin`. */
size_t testbed_nest_end(const struct testbed_spot *spots, size_t begin, size_t count);
bool testbed_is_same(struct ipv4_net a, struct ipv4_net b);

/* A table of nft as the script makes it, and by what `check` knows it again. */
struct testbed_table {
    char mark[24]; /* name of an empty chain: a sum over the rules */
    unsigned rules;
};

/* Needs a table of this family on servers? */
bool testbed_needs_netdev(const struct scenario *s, const struct testbed_options *o);
bool testbed_needs_ip(const struct scenario *s, const struct testbed_options *o);
/* The tables, to be read by nft -f; `$devices` is the shell's. */
struct testbed_table testbed_say_netdev(const struct scenario *s, const struct testbed_options *o,
                                        struct plan_text *t);
struct testbed_table testbed_say_ip(const struct scenario *s, const struct testbed_options *o,
                                    struct plan_text *t);
struct testbed_table testbed_say_echo(const struct scenario *s, struct plan_text *t);

/* Functions of the script, apply_ROLE and check_ROLE. */
void testbed_say_server(const struct scenario *s, const struct testbed_options *o,
                        struct plan_text *t);
void testbed_say_agent(const struct scenario *s, const struct testbed_options *o,
                       struct plan_text *t);
void testbed_say_router(const struct scenario *s, const struct testbed_options *o,
                        struct plan_text *t);

/* The shell's part that follows from no scenario. */
extern const char testbed_shell_begin[], testbed_shell_end[];
