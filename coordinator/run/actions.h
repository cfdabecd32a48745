/* SPDX-License-Identifier: MIT */
/*
 * Commands of the operator's scenario, run on the coordinator's host: `/bin/sh -c`
 * in a session and process group of its own, stdin /dev/null, output and the times of begin and end
 * in RUN/actions.log. Nothing waits for them: actions_ended() looks. The caller
 * sees to it that the operator has allowed them (--allow-actions) and that the text is the
 * scenario's: never a run directory's or an agent's.
 *
 * Edge. One thread. actions_close() ends what still runs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/run/run_dir.h"

enum { ACTIONS_OPEN_MAX = 64, ACTIONS_STATUS_BYTES = 64 };

struct actions;

/* What the command sees: LEASEHERD_RUN is the run directory given to actions_open(). */
struct action_about {
    const char *event; /* LEASEHERD_EVENT: the event's name, "reset" */
    uint64_t repeat;   /* LEASEHERD_REPEAT: of a search, 1, 2 ...; 0: empty, no search */
};

/*
 * RUN/actions.log, or its end where a run is resumed. 0 or -errno with one sentence in `why`;
 * -EINVAL: it is a link or no file.
 */
NODISCARD int actions_open(const char *run_dir, struct actions **out, char why[RUN_DIR_WHY_BYTES]);
/*
 * What still runs gets SIGTERM, a second, SIGKILL, with its process group; reaps. NULL is fine.
 * False: a line of actions.log is missing or cut, as on a full disk.
 */
bool actions_close(struct actions *actions);

/*
 * Starts one; `tag` is the caller's name for it. 0, -EAGAIN when ACTIONS_OPEN_MAX run
 * already, or why it could not be started.
 */
NODISCARD int actions_start(struct actions *actions, size_t tag, const char *command,
                            const struct action_about *about);
size_t actions_running(const struct actions *actions);

/*
 * Reaps one that has ended, without waiting. False: none has. `out_status` is empty
 * where it exited with 0, else one phrase ("exit status 3", "killed by signal 9").
 */
NODISCARD bool actions_ended(struct actions *actions, size_t *out_tag,
                             char out_status[ACTIONS_STATUS_BYTES]);
/* Ends one that runs, now, with its process group; actions_ended() reports it. */
void actions_kill(struct actions *actions, size_t tag);
