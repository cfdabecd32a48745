/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the world get instead of the operating system: threads,
 * eventfds, signalfds, clocks, the host's name. Linked in place of common/clock.c
 * and, by the linker's --wrap, around a few calls of libc. A descriptor that is
 * not of the world goes to the kernel as ever.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/sched.h"

/* A descriptor of the world that is readable once it was told. */
int os_event_fd(void);
void os_event_set(int fd);

/* True: `fd` is of the world, and *out_ready says whether it is readable now. */
bool os_fd_look(int fd, bool *out_ready);
/* The task that is woken when `fd` becomes readable. */
void os_fd_watch(int fd, struct sim_task *task);

/* Sets revents of all that are ready; how many. Watches the others for `task`. */
int os_poll(struct pollfd *fds, size_t count, struct sim_task *task);

/* A signal for the part that has the signalfd; later ones wait. */
void os_signal(int signal_number);
/* The coordinator died: its signalfd and what waits in it are gone. */
void os_forget_signals(void);

/* CPU time that parts seem to use, of every 1,000 parts of time. */
enum { OS_CPU_PERMILLE = 30 };
