/* SPDX-License-Identifier: MIT */
/*
 * The coordinator's two sockets: CTRL and DATA, opened, decoded, encoded.
 * Edge; knows nothing of runs. One thread owns a hub.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "common/link.h"
#include "proto/control.h"

struct hub;

enum hub_socket { HUB_CTRL, HUB_DATA };

/*
 * Binds host:port (0: any) for CTRL and, preferably, the next port for DATA.
 * 0 or -errno with one sentence in `why`.
 */
/*
 * Lifts the limit of open files to what is allowed; -EMFILE with the number needed when that is too
 * little for so many agents: four each, beside our own and whoever else knocks.
 */
NODISCARD int hub_lift_file_limit(size_t agents, char why[LINK_WHY_BYTES]);

NODISCARD int hub_open(const char *host, uint16_t port, const struct key_pair *own,
                       const struct key_list *allowed, struct hub **out, char why[LINK_WHY_BYTES]);
void hub_close(struct hub *hub); /* NULL is fine */
/* From now on these keys and no others are heard. 0 or -ENOMEM: then the old list holds. */
NODISCARD int hub_allow(struct hub *hub, const struct key_list *allowed);
uint16_t hub_ctrl_port(const struct hub *hub);
uint16_t hub_data_port(const struct hub *hub);

/*
 * Waits up to timeout_ms for a message or one of `fds`. 0 or -errno (-EINTR too).
 * Says in the log whose key was refused meanwhile.
 */
NODISCARD int hub_wait(struct hub *hub, struct pollfd *fds, size_t fd_count, int timeout_ms);

/*
 * Next message of that socket: 1 with `from` and `out` (valid until the next
 * call), 0 when there is none. Undecodable, misdirected ones are logged once a
 * second, counted, and skipped; after 256 of them the call returns 0, too.
 */
int hub_receive(struct hub *hub, enum hub_socket socket, struct link_peer *from,
                struct control_message *out);
uint64_t hub_rejected_count(const struct hub *hub);

/*
 * What a peer can provoke as often as it likes is said once a second per topic.
 * True: say it now; `out_unsaid` tells how often it was not said since.
 */
enum hub_topic { HUB_REJECTED, HUB_REFUSED, HUB_STREAM, HUB_STRANGER, HUB_TOPIC_COUNT };
bool hub_may_say(struct hub *hub, enum hub_topic topic, uint64_t *out_unsaid);

/* 0, -EAGAIN, -EHOSTUNREACH. The socket follows from the kind. */
int hub_send(struct hub *hub, const struct link_peer *to, const struct control_message *m);
