/* SPDX-License-Identifier: MIT */
/*
 * The state of a session, shared by session.c (loop, connection),
 * session_control.c (CTRL messages), session_assignment.c (a run from PREPARE
 * to its end), session_adopt.c (leases of an earlier run), session_take.c (clients of a lost
 * agent), session_data.c (DATA socket), session_kept.c (results of a run that is not played here
 * any more) and session_say.c (sentences). Nobody else includes it.
 *
 * Two machines stand side by side. The connection: CLOSED -> CALLING (HELLO
 * until WELCOME) -> WELCOMED, and back to CALLING or CLOSED whenever it breaks. The
 * assignment: one run's phases, which only BYE, a refusal or another run end.
 */
#pragma once

#include "agent/edge/host_snmp.h"
#include "agent/edge/lane_thread.h"
#include "agent/edge/preflight_host.h"
#include "agent/edge/ring_file.h"
#include "agent/edge/session.h"
#include "proto/control.h"
#include "proto/plan.h"

enum session_state {
    SESSION_CLOSED,  /* no socket until open_at_ns */
    SESSION_CALLING, /* HELLO every 500 ms */
    SESSION_WELCOMED
};

enum session_phase {
    PHASE_READY,
    PHASE_PREFLIGHT, /* asked for; PREFLIGHT_REPORT is owed when it is done */
    PHASE_ARMED,
    PHASE_RUNNING,
    PHASE_DRAINING,
    PHASE_FINAL, /* all events are batched; the final snapshot is on its way */
    PHASE_DONE
};

/* CTRL messages that must arrive; sent again after a new WELCOME. */
enum session_owes {
    OWES_READY = 1 << 0,
    OWES_REPORT = 1 << 1,
    OWES_ARMED = 1 << 2,
    OWES_DONE = 1 << 3
};

/* Batches of one run's results on their way to the coordinator's ledger. */
struct result_stream {
    struct ring_file file; /* map NULL: there is no stream */
    struct replay_ring ring;
    struct replay_cursor cursor; /* the next to send */
    uint64_t stale_until_seq;    /* records up to it carry an older session id */
    uint64_t limit_seq;
    uint64_t ack_moved_ns;
};

/* One run of this agent. */
struct assignment {
    enum session_phase phase;
    unsigned owes;                  /* set of enum session_owes */
    enum control_refusal halt_code; /* its lane sends nothing any more; UNSPECIFIED: it does */
    char halt_why[CONTROL_TEXT_BYTES];
    bool is_halt_owed; /* the coordinator is to be told */
    struct plan plan;
    const char *operator_name; /* of the signature; the policy's */
    uint8_t plan_hash[PLAN_HASH_BYTES];
    uint64_t assignment_epoch;
    struct control_share *shares; /* ascending by first_client */
    size_t share_count;
    size_t dealt_count; /* shares of PREPARE, whose relays are carried here; behind them: taken */
    bool is_taking;     /* a TAKE is with the lane; `taken_before` shares were there before it */
    size_t taken_before;
    struct control_refuse refused; /* the TAKE of this epoch, for good; epoch 0: none */
    bool has_adopted;              /* leases of an earlier run */
    uint64_t memory_bytes;
    uint64_t send_until_ns;  /* CLOCK_BOOTTIME: the plan's run time is over, whatever is granted */
    uint64_t valid_until_ns; /* CLOCK_BOOTTIME: nor later: the end of what was signed */
    bool is_over_time;
    struct lane_thread *lane;

    uint64_t arm_generation;
    struct preflight_host host; /* as it was before the DHCP sockets were opened */
    const struct control_preflight_relay *preflight; /* the lane thread's; NULL: not done */
    size_t preflight_count, preflight_at;            /* relays reported so far */

    /* Results: events -> batch -> ring -> DATA. */
    struct result_stream results;
    uint64_t event_count;
    uint64_t flushed_ns;
    struct event events[CONTROL_BATCH_EVENTS_MAX];
    uint8_t *batch; /* encoded, not in the ring yet */
    size_t batch_bytes;

    uint64_t snapshot_seq, snapshot_at_ns; /* next: when it is due */
    bool is_snapshot_open;                 /* asked the lane, not back yet */
    bool is_snapshot_broken;               /* a part could not be sent: all of it again */
    bool needs_all_histograms;
    uint64_t rx_buffer_bytes;             /* the smallest; 0: not known */
    struct host_snmp snmp_at_ready, snmp; /* now: read before the lane counts its own drops */
    struct snapshot snapshot;             /* scratch */
    struct lane_histogram_copy histogram; /* scratch */
};

/* What was said last on stderr, so that it is said once per change. */
enum session_trouble {
    TROUBLE_NONE,
    TROUBLE_NO_LISTENER,
    TROUBLE_NO_NAME,
    TROUBLE_KEY_REFUSED,
    TROUBLE_TRY_LATER,
    TROUBLE_WRONG_SERVER_KEY,
    TROUBLE_NOT_CURVE,
    TROUBLE_SILENT,
    TROUBLE_LOST,
    TROUBLE_BUSY,
    TROUBLE_COUNT
};

/* What a coordinator can bring about as often as it likes. */
enum session_news {
    NEWS_JOINED,
    NEWS_RESUMED,
    NEWS_DISCARDED,
    NEWS_PREPARED,
    NEWS_SMALL_BUFFERS,
    NEWS_PLAN_REFUSED,
    NEWS_COUNT
};

struct session {
    const struct session_setup *setup;
    enum session_state state;
    int end;         /* enum session_end; -1: goes on */
    uint64_t now_ns; /* of this turn of the loop */

    struct link_socket *ctrl, *data;
    struct control_arena *arena;
    uint8_t *out; /* encode buffer */
    uint64_t epoch;
    uint64_t id; /* of WELCOME */
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    uint64_t committed_batch; /* as WELCOME said */

    bool is_connected; /* CTRL: the handshake succeeded */
    uint64_t open_at_ns, hello_at_ns, heard_ns;
    uint64_t backoff_ns;
    uint64_t attempts;
    unsigned broken_handshakes; /* in a row */
    uint64_t beat_at_ns;
    uint64_t grant_boottime_ns; /* newest beat that was answered */
    uint64_t lease_until_ns;    /* CLOCK_BOOTTIME */

    bool is_data_open; /* an ACK came over this connection */
    uint64_t data_hello_at_ns;

    enum session_trouble said;
    uint64_t said_ns;
    uint64_t complained_ns; /* about messages that make no sense here */
    uint64_t told_ns[NEWS_COUNT];

    struct assignment *assignment; /* NULL: none */

    /* What an ended process, or a run that was discarded, has left undelivered. */
    struct result_stream kept;
    bool is_delivering; /* the coordinator wants it: the state is WELCOMED, and nobody is played */
    uint64_t delivered_at_ns; /* DONE is said again */
};

/* --- session.c --- */

/* 0, or -errno when it did not leave: -EAGAIN, -EHOSTUNREACH: try again later. */
int session_send(struct session *s, struct control_message *m);
/* Closes the sockets and calls again after the back-off, which grows until a WELCOME. */
void session_reopen_later(struct session *s);
/* Closes the sockets and calls again soon: the run is over. */
void session_await_next_run(struct session *s);
/* HELLO once more, `after_ns` from now, on the same socket. */
void session_call_again(struct session *s, uint64_t after_ns);

/* --- session_control.c --- */

void session_receive_control(struct session *s);
/* HELLO, BEAT and what is owed. */
void session_control_tick(struct session *s);
/* When session_control_tick() has something to do next. */
uint64_t session_control_next_ns(const struct session *s);

/* --- session_assignment.c --- */

/* Makes the run, or sends REFUSE. */
void session_prepare(struct session *s, const struct control_prepare *prepare);
void session_obey(struct session *s, const struct control_message *m);
/* The run lease as it stands, never beyond the run's time, given to the lane. */
void session_renew_lease(struct session *s);
/* Ends the run without another packet; what it has not delivered is kept. One line in the log
 * says why, unless it is NULL. */
void session_discard(struct session *s, const char *why);
/* Without another word or packet; its results with it. */
void session_assignment_free(struct session *s);
/* No plan of the run joined is taken any more: run_record.h. */
void session_close_run(struct session *s);
/* The same run answered a new HELLO: all that may have been lost is owed again. */
void session_resume(struct session *s);
/* REFUSE, and the run is discarded: it cannot go on here as the coordinator means it. */
void session_refuse_run(struct session *s, enum control_refusal code, const char *why);
/* Takes what the lane thread has to tell. */
void session_collect(struct session *s);

/* --- session_kept.c --- */

/* Looks into the state directory for what an ended process has left. */
void session_kept_find(struct session *s);
/* From the run that is being played, or from what is kept, into HELLO. */
void session_kept_tell(const struct session *s, struct control_hello *hello);
/* Ends the run that is played, if any, and keeps its results, those still on their way included. */
void session_kept_take(struct session *s);
/* WELCOME with an epoch to deliver: false when nothing of it is here. */
NODISCARD bool session_kept_deliver(struct session *s, const struct control_welcome *welcome);
/* Says DONE when all of it is acknowledged. */
void session_kept_tick(struct session *s);
/* Nobody will want it any more; `why` is said where something was left. */
void session_kept_forget(struct session *s, const char *why);

/* --- session_host.c --- */

/* What preflight asks about this host, before its DHCP sockets are opened at the carriers. */
void session_host_look(struct assignment *a, const struct ipv4 *carriers, size_t count);
/* And after. */
void session_host_buffers(struct session *s, struct assignment *a, const struct udp *udp);
/* Before READY, or a REFUSE that it explains. False: it did not leave. */
bool session_host_tell(struct session *s, const struct assignment *a);

/* --- session_halt.c --- */

/* Tells the coordinator of a lane that was halted. There is an assignment. */
void session_halt_tick(struct session *s);
/* After a new WELCOME: once more. */
void session_halt_again(struct assignment *a);

/* --- session_adopt.c --- */

void session_adopt(struct session *s, const struct control_adopt *adopt);

/* --- session_take.c --- */

void session_take(struct session *s, const struct control_take *take);
/* What became of the TAKE that is with the lane. */
void session_take_tick(struct session *s);

/* --- session_data.c --- */

/* 0 or -errno. */
NODISCARD int session_data_open(struct session *s, uint16_t port);
void session_data_close(struct session *s);
void session_receive_data(struct session *s);
void session_data_trouble(struct session *s, unsigned trouble);
/* Batches, snapshots, DATA_HELLO. */
void session_data_tick(struct session *s);
/* The results that this session delivers: of the run played, or kept ones; NULL: none. */
struct result_stream *session_stream(struct session *s);
/* All that the lane has told so far goes into the ring; what has no room is lost, and false. */
bool session_data_collect(struct session *s, struct assignment *a);
uint64_t session_data_next_ns(const struct session *s);

/* --- session_say.c --- */

/* Says it on stderr unless it was the last thing said (of NO_LISTENER, NO_NAME: within 30 s). */
void session_say(struct session *s, enum session_trouble trouble);
/* NO_LISTENER, or NO_NAME where no address can be found. Asks, which may block, outside runs only
 * and when there is something new to say. */
enum session_trouble session_nobody(const struct session *s);
/* Whether to say it: true once a second per kind of news. */
bool session_may_tell(struct session *s, enum session_news news);
/* A message that has no place here: one line a second at most. */
void session_complain(struct session *s, const char *kind, const char *why);
