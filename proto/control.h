/* SPDX-License-Identifier: MIT */
/*
 * Coordinator <-> agent messages as plain structs. Only proto/control_*.c and
 * proto/plan_wire.c include the generated protobuf code.
 *
 * Decoding uses an arena with a hard budget that belongs to the caller; the
 * decoded message borrows from it and lives until the next decode with the
 * same arena. control_decode() validates everything: kinds, enums, counts,
 * column lengths, strings. What it accepts can be used without a further check
 * of sizes and ranges (references into the plan excepted: they are checked
 * where the plan is known).
 *
 * Pure. Wire format: proto/control.proto; rules of change: proto/README.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "proto/event.h"
#include "proto/observation.h"
#include "proto/plan.h"
#include "proto/preflight.h"
#include "proto/snapshot.h"

enum {
    CONTROL_PROTO = 3, /* versions we speak: min == max == 3 */
    CONTROL_TEXT_BYTES = 256,
    CONTROL_ADDRESSES_MAX = 4096,         /* in one HELLO */
    CONTROL_FORMER_MAX = 8,               /* likewise */
    CONTROL_OBSERVER_ADDRESSES_MAX = 256, /* in one OBSERVER_HELLO */
    CONTROL_OBSERVATION_ROWS_MAX = 512,   /* columns of a later build; what we know is fewer */
    CONTROL_BATCH_EVENTS_MAX = 512,
    CONTROL_PREFLIGHT_RELAYS_MAX = 256, /* in one report */
    CONTROL_WHY_BYTES = 200,
    CONTROL_OPERATOR_KEY_BYTES = 32, /* Ed25519, public */
    CONTROL_SIGNATURE_BYTES = 64,
    /* Budgets that hold every legal message; what needs more is refused. */
    CONTROL_ARENA_UP_BYTES = 256 * 1024,        /* agent -> coordinator */
    CONTROL_ARENA_DOWN_BYTES = 5 * 1024 * 1024, /* coordinator -> agent: PREPARE */
    CONTROL_SESSION_UNKNOWN = 0
};

enum control_kind {
    CONTROL_NONE,
    /* agent -> coordinator, CTRL */
    CONTROL_HELLO,
    CONTROL_CLOCK_REPLY,
    CONTROL_BEAT,
    CONTROL_READY,
    CONTROL_PREFLIGHT_REPORT,
    CONTROL_ARMED,
    CONTROL_PROGRESS,
    CONTROL_DONE,
    /* observer -> coordinator, CTRL; it also sends CLOCK_REPLY */
    CONTROL_OBSERVER_HELLO,
    CONTROL_OBSERVATION,
    /* coordinator -> agent, CTRL */
    CONTROL_WELCOME,
    CONTROL_CLOCK_REQUEST,
    CONTROL_GRANT,
    CONTROL_PREPARE,
    CONTROL_PREFLIGHT,
    CONTROL_ARM,
    CONTROL_GO,
    CONTROL_DRAIN,
    CONTROL_ADOPT,
    CONTROL_TAKE,
    CONTROL_BYE,
    /* both, CTRL */
    CONTROL_REFUSE,
    /* agent -> coordinator, DATA */
    CONTROL_DATA_HELLO,
    CONTROL_BATCH,
    CONTROL_SNAPSHOT,
    CONTROL_HISTOGRAM,
    /* coordinator -> agent, DATA */
    CONTROL_ACK,
    CONTROL_KIND_COUNT
};

enum control_refusal {
    REFUSAL_UNSPECIFIED,
    REFUSAL_VERSION,         /* for good: agent exits 3 */
    REFUSAL_DUPLICATE_AGENT, /* another live session has this name: for good */
    REFUSAL_BUSY,            /* a run without this agent is going on: try again */
    REFUSAL_POLICY,          /* agent -> coordinator: the plan asks what the policy forbids */
    REFUSAL_ADDRESS,         /* agent -> coordinator: cannot bind a carrying address */
    REFUSAL_RESOURCES,       /* agent -> coordinator: memory, descriptors */
    REFUSAL_PLAN,            /* agent -> coordinator: plan does not decode, hash differs */
    REFUSAL_NO_RELAY,        /* coordinator -> agent: no relay it could carry */
    REFUSAL_KEY,             /* coordinator -> agent: its key was revoked or has expired */
    /* agent -> coordinator, in a run: it sends nothing any more, and what it has is still collected
     */
    REFUSAL_TOTAL,      /* the policy's total of packets is spent */
    REFUSAL_SENDS,      /* the kernel refuses what is sent */
    REFUSAL_PROHIBITED, /* ICMP says that it is prohibited */
    REFUSAL_COUNT
};

struct control_hello {
    uint32_t proto_min, proto_max;
    char build[PLAN_NAME_BYTES];
    char host[PLAN_NAME_BYTES];
    uint32_t cores;
    uint64_t epoch;               /* random per agent process: names its result stream */
    const struct ipv4 *addresses; /* it may use: interfaces narrowed by the policy */
    size_t address_count;
    /* Epochs of earlier processes of this agent whose end is certain (they held its lock). */
    uint64_t former[CONTROL_FORMER_MAX];
    size_t former_count;
    /* Results it has kept of a run, of its own or of an earlier process: kept_epoch 0: none. */
    uint8_t kept_run_id[PLAN_RUN_ID_BYTES];
    uint64_t kept_epoch, kept_last_seq;
};

/*
 * A WELCOME that names the run the agent has open resumes it under the new
 * session (the agent reconnected); another run id makes it discard the open run.
 */
struct control_welcome {
    uint32_t proto;
    uint64_t session; /* in every later envelope of both sockets */
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    uint16_t data_port;
    uint64_t committed_batch; /* of the agent's epoch, or of deliver_epoch; 0: none */
    /*
     * Not 0: the agent was given up, or is the successor of one that was. It plays nobody, sends
     * no packet, and delivers what it has kept of this epoch beyond committed_batch; then DONE.
     */
    uint64_t deliver_epoch;
};

struct control_refuse {
    enum control_refusal code;
    char text[CONTROL_TEXT_BYTES]; /* one sentence for the operator */
    uint64_t assignment_epoch;     /* of the TAKE that is not carried out; 0: the run */
};

struct control_clock_request {
    uint64_t id, t1_ns;
};

struct control_clock_reply {
    uint64_t id, t1_ns, t2_ns, t3_ns; /* t1 echoed; t2, t3 agent's CLOCK_MONOTONIC */
};

/* Asks for the right to send; the answer grants until boottime_ns + duration. */
struct control_beat {
    uint64_t boottime_ns; /* agent's CLOCK_BOOTTIME */
    uint64_t ring_used_permille;
};

struct control_grant {
    uint64_t boottime_ns; /* of the beat answered */
    uint64_t duration_ns; /* RUN_LEASE_NS; a longer one is refused */
};

#define RUN_LEASE_NS       UINT64_C(5000000000)
#define RUN_LEASE_ENDED_NS UINT64_C(5500000000) /* coordinator: since the last grant left */

struct control_share {
    uint32_t relay;                      /* index in the plan */
    uint32_t first_client, client_count; /* inside the relay's range */
};

struct control_prepare {
    const uint8_t *plan;
    size_t plan_bytes;
    uint8_t plan_hash[PLAN_HASH_BYTES];
    bool is_signed; /* by an operator; an agent takes no other */
    uint8_t operator_key[CONTROL_OPERATOR_KEY_BYTES];
    uint8_t signature[CONTROL_SIGNATURE_BYTES];
    uint64_t assignment_epoch;          /* 1; +1 with each reassignment */
    const struct control_share *shares; /* >= 1, ascending by first_client, disjoint */
    size_t share_count;
    /* Exact share of fleet-wide limits: this agent's part of the plan's packets/s. */
    uint64_t packets_per_s_max;
};

struct control_ready {
    uint8_t plan_hash[PLAN_HASH_BYTES];
    uint64_t memory_bytes;
};

/* Try these paths, best first; 3 DORA per relay, then RENEW on each path, then RELEASE. */
struct control_preflight {
    uint32_t path[PLAN_PATH_COUNT];
    uint32_t path_count;
    bool asks_unmarked; /* also one DISCOVER per relay without the run's marks, never requested */
};

struct control_arm {
    uint64_t generation;
    uint32_t path; /* enum plan_path, for the whole run */
};

struct control_armed {
    uint64_t generation;
};

/*
 * Leases of an earlier run that this agent's clients take over: BOUND without T1, T2 or
 * expiry, to be released, renewed (PLAN_RENEW) or asked about (PLAN_QUERY), nothing else.
 * What a RENEW has been granted is a lease as any other. After READY, before
 * GO or DRAIN, without preflight; repeated messages add. A client that is not this agent's,
 * an address outside the block or a server that is not the plan's: REFUSE, and the agent
 * forgets the run. A client has one lease: a second one is not taken, which leases_adopted
 * tells. PLAN_QUERY asks about released ones too; what is still leased to its client is
 * BOUND again, so that another PLAN_RELEASE (in a later round) or DRAIN releases it anew.
 */
struct control_adopted {
    uint32_t client; /* global index */
    struct ipv4 addr, server;
};
enum { CONTROL_ADOPT_MAX = 65536 }; /* rows of one message */
struct control_adopt {
    const struct control_adopted *leases;
    size_t lease_count;
};

/*
 * Starts, or widens, a stage: up to `client_limit` of this agent's clients may
 * have started it (cumulative; canaries are the first steps of the first acquire
 * stage). Batch and rate are this agent's exact share: more than the plan's is cut; a GO with
 * the pace the stage does not have, or of a round where no stage is a PLAN_LOAD, is ignored.
 * Idempotent by (round, stage, step): a later round begins any stage anew, so that load and release
 * can alternate. `arrivals` > 0 (PLAN_LOAD): the step is done when so many exchanges were started
 * and have ended. One for which no client is ready waits until the last arrival of the step is due,
 * then it stays unstarted and the step ends without it (planned_starts and actual_starts differ).
 * PLAN_RELEASE with `arrivals` > 0 releases so many leases, of any bound clients without an open
 * exchange; 0: by clients, as client_limit says. Both need a rate. While such a step lasts nobody
 * acquires but on demand: who is refused, or loses its lease, waits for an arrival.
 */
struct control_go {
    uint64_t round; /* 0 in runs without a search */
    uint64_t arrivals;
    uint32_t stage, step;
    uint64_t start_at_ns; /* agent's CLOCK_MONOTONIC */
    uint32_t client_limit;
    uint32_t batch;
    uint64_t rate_milli_per_s;
    bool is_last_step;
};

/*
 * Clients of a lost agent that are this agent's from now on (`on_agent_loss: reassign`): those of
 * `relay` keep who they are and are carried by `via_relay`, a relay of this agent in the same
 * subnet. In RUNNING only. Epochs follow each other without a gap; one that was taken already
 * changes nothing, and PROGRESS tells how far the agent has come: repeated until it does.
 * Who is not listed has not started. With a lease (lease_ms > 0) it asks for its old address
 * (INIT-REBOOT), without one it waits for a stage, or acquires anew where it had one.
 * `go` is the step under way, with this agent's numbers from now on.
 */
struct control_take_share {
    uint32_t relay, first_client, client_count, via_relay; /* relays: indices in the plan */
};
enum control_taken_flag {
    TAKEN_HAD_LEASE = 1 << 0,
    TAKEN_FAILED = 1 << 1, /* it was not bound by its deadline, and that was counted */
    TAKEN_RELEASED = 1 << 2,
    TAKEN_FLAGS_ALL = (1 << 3) - 1
};
struct control_taken {
    uint32_t client;          /* global index */
    uint32_t flags;           /* enum control_taken_flag */
    struct ipv4 addr, server; /* of its lease; 0: none */
    uint32_t lease_ms;        /* left at at_ns, UINT32_MAX: for ever; 0: no lease */
};
enum {
    CONTROL_TAKE_CLIENTS_MAX = 32768, /* of all shares of one message */
    CONTROL_TAKE_SHARES_MAX = 4096
};
struct control_take {
    uint64_t assignment_epoch;  /* the agent's latest plus one */
    uint64_t at_ns;             /* agent's CLOCK_MONOTONIC */
    uint64_t packets_per_s_max; /* as in PREPARE, from now on; 0: as it is */
    const struct control_take_share *shares;
    size_t share_count;
    const struct control_taken *clients; /* ascending; those that have started */
    size_t client_count;
    bool has_go;
    struct control_go go;
};

/* Sent every 100 ms while anything changed, at least every second, and at once when a step ends. */
struct control_progress {
    uint64_t assignment_epoch; /* of the latest TAKE that was carried out; 1: PREPARE's */
    uint64_t round;
    uint32_t stage, step;
    bool is_step_done; /* all clients allowed have finished (hold: duration passed) */
    uint32_t started, finished, bound, failed; /* of this stage; bound: now */
    uint64_t foreign_offers;                   /* since READY */
    uint64_t received;                         /* packets since READY */
    uint64_t silent_streak;
    struct ipv4 foreign_offer_addr, foreign_offer_server; /* the latest one */
};

enum control_drain_mode {
    DRAIN_GRACEFUL, /* open exchanges finish (<= 10 s), due renewals still sent, then clean up */
    DRAIN_NOW       /* nothing is sent any more, not even RELEASE */
};

struct control_drain {
    enum control_drain_mode mode;
    uint64_t release_milli_per_s; /* this agent's share; 0: no clean-up */
};

/* The agent has nothing left to send; its final snapshot and batches are on the DATA socket. */
struct control_done {
    uint64_t last_batch_seq, event_count;
};

/*
 * An observer on a server's host, until it is welcomed: with the session of WELCOME it answers
 * clock requests and sends an OBSERVATION every second. It is no agent: it gets no other message
 * but REFUSE and BYE. Its program is the one it watches, its addresses those of the host.
 */
struct control_observer_hello {
    uint32_t proto_min, proto_max;
    char build[PLAN_NAME_BYTES], host[PLAN_NAME_BYTES];
    char program[PLAN_NAME_BYTES]; /* "dhcpd"; letters, digits, '.', '_' and '-' */
    uint64_t epoch;                /* random per observer process */
    const struct ipv4 *addresses;
    size_t address_count;
};

struct control_bye {
    char text[CONTROL_TEXT_BYTES];
};

struct control_data_hello {
    uint64_t epoch;
};

struct control_batch {
    uint64_t epoch, seq;
    const struct event *events;
    size_t event_count;
};

struct control_histogram {
    uint64_t snapshot_seq;
    struct histogram_key key;
    const struct histogram *histogram;
};

/*
 * Also the answer to DATA_HELLO, to a gap and to a repeated batch: the agent
 * drops what is committed and sends again from committed_seq + 1 when it had
 * already sent further on a connection that is gone.
 */
struct control_ack {
    uint64_t epoch, committed_seq, limit_seq; /* batches up to limit_seq may be sent */
};

struct control_message {
    enum control_kind kind;
    uint64_t session; /* CONTROL_SESSION_UNKNOWN before WELCOME */
    union {
        struct control_hello hello;
        struct control_welcome welcome;
        struct control_refuse refuse;
        struct control_clock_request clock_request;
        struct control_clock_reply clock_reply;
        struct control_beat beat;
        struct control_grant grant;
        struct control_prepare prepare;
        struct control_ready ready;
        struct control_preflight preflight;
        struct control_preflight_report preflight_report;
        struct control_arm arm;
        struct control_armed armed;
        struct control_adopt adopt;
        struct control_take take;
        struct control_go go;
        struct control_progress progress;
        struct control_drain drain;
        struct control_done done;
        struct control_observer_hello observer_hello;
        const struct observation *observation;
        struct control_bye bye;
        struct control_data_hello data_hello;
        struct control_batch batch;
        const struct snapshot *snapshot;
        struct control_histogram histogram;
        struct control_ack ack;
    } u;
};

/* Scratch memory for one message at a time. Owns its buffer. */
struct control_arena;
NODISCARD struct control_arena *control_arena_new(size_t budget_bytes);
void control_arena_free(struct control_arena *arena);

/*
 * The rules a message must keep beyond what its bytes say; encode and decode
 * both ask it. `why`: one sentence.
 */
NODISCARD bool control_is_valid(const struct control_message *m, char why[CONTROL_WHY_BYTES]);

/* For REFUSE and BYE: cuts, and puts '?' where a character is not printable ASCII. */
void control_set_text(char out[CONTROL_TEXT_BYTES], const char *text);

/*
 * Returns the bytes needed; writes them when they fit in `size`. 0: the
 * message is not encodable (a caller's mistake in a count or text).
 */
size_t control_encode(const struct control_message *m, uint8_t *out, size_t size);

/* `out` is untouched on failure; `why`: one sentence for the log. */
NODISCARD bool control_decode(struct control_arena *arena, const uint8_t *bytes, size_t size,
                              struct control_message *out, char why[CONTROL_WHY_BYTES]);

const char *control_kind_name(enum control_kind kind);
const char *control_refusal_name(enum control_refusal code);
/*
 * Whether an agent (true) or the coordinator (false) may send this kind, and on
 * which socket. REFUSE is also the coordinator's: a receiver asks
 * control_kind_is_allowed.
 */
bool control_kind_is_from_agent(enum control_kind kind);
bool control_kind_is_data(enum control_kind kind);
bool control_kind_is_allowed(enum control_kind kind, bool is_from_agent, bool is_data);
