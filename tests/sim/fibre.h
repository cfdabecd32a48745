/* SPDX-License-Identifier: MIT */
/*
 * A stack of its own for each task, and the switch between two of them. Tells
 * AddressSanitizer, where it is there, which stack is in use.
 */
#pragma once

#include <stdbool.h>
#include <setjmp.h>
#include <stddef.h>
#include <ucontext.h>

struct fibre {
    ucontext_t context; /* where it begins */
    jmp_buf place;      /* where it was left */
    bool has_begun;
    void *stack;
    size_t stack_bytes;
    void *sanitizer; /* what AddressSanitizer keeps for it while it sleeps */
    void (*entry)(void *argument);
    void *argument;
};

void fibre_new(struct fibre *f, size_t stack_bytes, void (*entry)(void *), void *argument);
/* The stack goes; it must not be the one in use. Twice is fine. */
void fibre_free(struct fibre *f);
/* Leaves `from` for `to`; `for_ever`: nobody will come back to `from`. */
void fibre_switch(struct fibre *from, struct fibre *to, bool for_ever);
