/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/scenario_rows.h"

#define AT(type, field)             .offset = offsetof(struct type, field)
#define SIZED(type, field)          AT(type, field), .size = sizeof(((struct type *)0)->field)
#define LINE(type, field)           .line_offset_plus_1 = 1 + offsetof(struct type, field)
#define GIVEN(type, field)          .present_offset_plus_1 = 1 + offsetof(struct type, field)
#define LIST_OF(type, field, bytes) AT(type, field), .size = (bytes)
#define RANGE(low, high)            .min = (low), .max = (high)

#define S(n)     (UINT64_C(n) * NS_PER_S)
#define DAYS(n)  S((n)*86400)
#define PER_S(n) (UINT64_C(n) * 1000)

static const char *const path_words[] = {"auto", "routed", "egress", "relayed", "dnat", NULL};
static const char *const arrival_words[] = {"uniform", "poisson", NULL};
static const char *const spin_words[] = {[SPIN_ON] = "on", [SPIN_OFF] = "off", NULL};
static const char *const cleanup_words[] = {"end", "stop", "fail", NULL};
static const char *const identity_words[] = {"fresh", "fixed", "\"returning RUN\"", NULL};
const char *const scenario_loss_words[] = {"fail", "continue", "reassign", NULL};
static const char *const new_words[] = {"stop", NULL};

/* clang-format off */
static const struct schema_row leases_rows[] = {
    { .key = "dhcpd", .type = SCHEMA_TEXT, SIZED(raw_leases, dhcpd),
      .help = "Path of dhcpd's lease file, as this machine sees it." },
    { .key = "kea", .type = SCHEMA_TEXT, SIZED(raw_leases, kea),
      .help = "Path of Kea's lease file (memfile CSV), as this machine sees it." },
    { .key = "kea_socket", .type = SCHEMA_TEXT, SIZED(raw_leases, kea_socket),
      .help = "Path of Kea's control socket; the hook lease_cmds must be loaded." },
    { .key = "query", .type = SCHEMA_BOOL, AT(raw_leases, query), GIVEN(raw_leases, has_query),
      .help = "true: the agents ask by DHCPLEASEQUERY (RFC 4388), which the server must allow." },
    { .key = NULL },
};

static const struct schema_row server_rows[] = {
    { .key = "address", .type = SCHEMA_IPV4, AT(raw_server, address), .is_required = true,
      LINE(raw_server, line), .help = "Where the server listens on port 67." },
    { .key = "leases", .type = SCHEMA_BLOCK, AT(raw_server, leases), .rows = leases_rows,
      GIVEN(raw_server, has_leases), LINE(raw_server, leases_line),
      .help = "Where the server's own view of its leases can be read, for cleanup and for the "
              "state it starts in: exactly one of dhcpd, kea, kea_socket, query." },
    { .key = NULL },
};

static const struct schema_row option82_rows[] = {
    { .key = "circuit_id", .type = SCHEMA_TEXT, SIZED(raw_option82, circuit_id),
      .help = "Sub-option 1, sent as it stands here." },
    { .key = "remote_id", .type = SCHEMA_TEXT, SIZED(raw_option82, remote_id),
      .help = "Sub-option 2, sent as it stands here." },
    { .key = NULL },
};

static const struct schema_row relay_rows[] = {
    { .key = "name", .type = SCHEMA_NAME, SIZED(raw_relay, name), .is_required = true,
      LINE(raw_relay, line), .help = "Appears in the report; one relay per name." },
    { .key = "giaddr", .type = SCHEMA_IPV4, AT(raw_relay, giaddr), .is_required = true,
      LINE(raw_relay, giaddr_line), .help = "The relay's address in every relayed message." },
    { .key = "via", .type = SCHEMA_IPV4, AT(raw_relay, via), GIVEN(raw_relay, has_via),
      LINE(raw_relay, via_line),
      .help = "The agent's own address that carries the relay, where a router owns the giaddr; "
              "the giaddr itself when not given." },
    { .key = "subnet", .type = SCHEMA_IPV4_NET, AT(raw_relay, subnet), .is_required = true,
      LINE(raw_relay, subnet_line),
      .help = "Where its clients get their addresses: inside the block, room for all of them." },
    { .key = "clients", .type = SCHEMA_UINT, AT(raw_relay, clients), .is_required = true,
      RANGE(1, PLAN_CLIENTS_MAX), LINE(raw_relay, clients_line),
      .help = "Simulated clients behind this relay." },
    { .key = "to", .type = SCHEMA_TEXT_LIST, LIST_OF(raw_relay, to, PLAN_NAME_BYTES),
      LINE(raw_relay, to_line),
      .help = "Names of the servers it forwards to; all servers when not given." },
    { .key = "agent", .type = SCHEMA_NAME, SIZED(raw_relay, agent),
      .help = "The one agent that may carry it; any that has the address when not given." },
    { .key = "option82", .type = SCHEMA_BLOCK, AT(raw_relay, option82), .rows = option82_rows,
      GIVEN(raw_relay, has_option82),
      .help = "Relay agent information (RFC 3046) it adds to what it forwards." },
    { .key = NULL },
};

static const struct schema_row network_rows[] = {
    { .key = "block", .type = SCHEMA_IPV4_NET, AT(raw_network, block), .is_required = true,
      LINE(raw_network, block_line),
      .help = "The addresses of the test. An offer outside is never requested; the third one ends the run." },
    { .key = "client_path", .type = SCHEMA_ENUM, AT(raw_network, client_path), .words = path_words,
      .preset = "auto",
      .help = "How ACKs of renewals come back to the agents; auto takes the first that works." },
    { .key = "relays", .type = SCHEMA_LIST, LIST_OF(raw_network, relays, sizeof(struct raw_relay)),
      .rows = relay_rows, RANGE(1, PLAN_RELAYS_MAX), .is_required = true, LINE(raw_network, relays_line),
      .help = "The relays the agents play." },
    { .key = NULL },
};

/*
 * Some keys take words that are refused with a better sentence than the schema
 * has: they are any text where the file is parsed, and what they should be where
 * it is described.
 */
#define CLIENTS(word_type) { \
    { .key = "seed", .type = SCHEMA_UINT, AT(raw_clients, seed), .preset = "1", \
      .help = "Everything random follows from it." }, \
    { .key = "identity", .type = (word_type), SIZED(raw_clients, identity), \
      .words = identity_words, .preset = "fresh", LINE(raw_clients, identity_line), \
      .help = "fresh: new MAC addresses in every run; fixed: the same in every run of this seed; " \
              "returning RUN: those of the run in that directory." }, \
    { .key = "profile", .type = SCHEMA_NAME, SIZED(raw_clients, profile), .preset = "dhclient", \
      LINE(raw_clients, profile_line), \
      .help = "Whose options the clients send; this version knows dhclient." }, \
    { .key = "vendor_class", .type = SCHEMA_TEXT, SIZED(raw_clients, vendor_class), \
      LINE(raw_clients, vendor_class_line), \
      .help = "Option 60; leaseherd/RUN when not given." }, \
    { .key = "renew_retry", .type = SCHEMA_DURATION, AT(raw_clients, renew_retry_ns), \
      RANGE(NS_PER_S, S(3600)), \
      .help = "Wait before a RENEW or REBIND is repeated; as RFC 2131 4.4.5 says when not given." }, \
    { .key = "fuzz", .type = SCHEMA_PERCENT, AT(raw_clients, fuzz_percent), RANGE(0, 25), \
      .preset = "5%", .help = "T1 and T2 of each lease vary by up to this much." }, \
    { .key = NULL }, \
}

static const struct schema_row clients_rows[] = CLIENTS(SCHEMA_TEXT);
static const struct schema_row offered_clients_rows[] = CLIENTS(SCHEMA_ENUM);

static const struct schema_row expect_rows[] = {
    { .key = "lease", .type = SCHEMA_DURATION, AT(raw_expect, lease_ns), RANGE(S(2), DAYS(3650)),
      LINE(raw_expect, lease_line), .help = "Lease time every ACK must carry; not checked when not given." },
    { .key = "production_lease", .type = SCHEMA_DURATION, AT(raw_expect, production_lease_ns),
      RANGE(S(2), DAYS(3650)), LINE(raw_expect, production_lease_line),
      .help = "Lease time of the real network; what the load equals there is in the plan and the report." },
    { .key = "mclt", .type = SCHEMA_DURATION, AT(raw_expect, mclt_ns), RANGE(NS_PER_S, DAYS(3650)),
      LINE(raw_expect, mclt_line),
      .help = "Maximum client lead time of a failover pair; an ACK from mclt to lease passes." },
    { .key = "detection", .type = SCHEMA_DURATION, AT(raw_expect, detection_ns),
      RANGE(NS_PER_MS, DAYS(1)),
      .help = "How long the pair takes to notice a dead partner and answer for it." },
    { .key = "pool", .type = SCHEMA_UINT, AT(raw_expect, pool), RANGE(1, 4294967295),
      .help = "Addresses of the servers' pools for these clients; preflight compares." },
    { .key = "guarded", .type = SCHEMA_BOOL, AT(raw_expect, is_guarded),
      .help = "The pools are closed to clients without the run's marks; preflight refuses the run if " \
              "one is offered an address." },
    { .key = NULL },
};

static const struct schema_row limits_rows[] = {
    { .key = "packets", .type = SCHEMA_RATE, AT(raw_limits, packets_milli_per_s),
      RANGE(PER_S(1), PER_S(10000000)), .preset = "20000/s", LINE(raw_limits, packets_line),
      .help = "Packets the whole fleet sends at most." },
    { .key = "time", .type = SCHEMA_DURATION, AT(raw_limits, time_ns), RANGE(S(1), DAYS(30)),
      .preset = "1h", LINE(raw_limits, time_line), .help = "The run ends after it, whatever happens." },
    { .key = "spin", .type = SCHEMA_ENUM, AT(raw_limits, spin), .words = spin_words, .preset = "on",
      .help = "off: agents share their CPUs with others, and packets leave up to 250 us late." },
    { .key = NULL },
};

#define BATCH { .key = "batch", .type = SCHEMA_UINT, AT(raw_pace, batch), RANGE(1, 1000000), \
      LINE(raw_pace, batch_line), \
      .help = "Closed model: at most this many exchanges in flight over the fleet." }
#define RATE { .key = "rate", .type = SCHEMA_RATE, AT(raw_pace, rate_milli_per_s), \
      RANGE(1, PER_S(10000000)), LINE(raw_pace, rate_line), \
      .help = "Open model: exchanges started per second over the fleet, whatever the servers do." }

static const struct schema_row acquire_rows[] = {
    BATCH,
    RATE,
    { .key = "arrivals", .type = SCHEMA_ENUM, AT(raw_pace, arrivals), .words = arrival_words,
      .preset = "uniform", LINE(raw_pace, arrivals_line),
      .help = "How the starts of a rate are spread over time." },
    { .key = "tries", .type = SCHEMA_UINT, AT(raw_pace, tries), RANGE(1, 10), .preset = "4",
      .help = "Transmissions before a client has failed this stage." },
    { .key = "deadline", .type = SCHEMA_DURATION, AT(raw_pace, deadline_ns), RANGE(S(1), S(3600)),
      .preset = "60s", .help = "A client not bound so long after its intended start counts as failed." },
    { .key = NULL },
};

static const struct schema_row pace_rows[] = { BATCH, RATE, { .key = NULL } };

static const struct schema_row rate_rows[] = {
    { .key = "", .type = SCHEMA_TEXT, SIZED(raw_rate, text), LINE(raw_rate, line) },
    { .key = NULL },
};

static const struct schema_row mix_rows[] = {
    { .key = "acquire", .type = SCHEMA_UINT, AT(raw_mix, acquire), RANGE(0, 5000), .preset = "1",
      .help = "Share of acquisitions (DORA)." },
    { .key = "renew", .type = SCHEMA_UINT, AT(raw_mix, renew), RANGE(0, 5000), .preset = "0",
      .help = "Share of renewals." },
    { .key = NULL },
};

static const struct schema_row search_rows[] = {
    { .key = "rates", .type = SCHEMA_TEXT_LIST, LIST_OF(raw_search, rates, sizeof(struct raw_rate)),
      .rows = rate_rows, RANGE(1, SCENARIO_SEARCH_RATES_MAX), LINE(raw_search, rates_line),
      .help = "The rates of the steps, ascending, as in [500/s, 1000/s]: tried until one is bad." },
    { .key = "between", .type = SCHEMA_TEXT_LIST,
      LIST_OF(raw_search, between, sizeof(struct raw_rate)), .rows = rate_rows, RANGE(2, 2),
      LINE(raw_search, between_line),
      .help = "Lowest and highest rate, as in [500/s, 20000/s]; the steps between follow from what "
              "is seen." },
    { .key = "mix", .type = SCHEMA_BLOCK, AT(raw_search, mix), .rows = mix_rows,
      LINE(raw_search, mix_line), .help = "What an exchange is." },
    { .key = "bound", .type = SCHEMA_UINT, AT(raw_search, bound), RANGE(1, PLAN_CLIENTS_MAX),
      LINE(raw_search, bound_line),
      .help = "Clients that hold a lease, to be renewed; half of the clients when not given and "
              "renew is in the mix." },
    { .key = "step", .type = SCHEMA_DURATION, AT(raw_search, step_ns), RANGE(S(1), S(3600)),
      .preset = "10s", LINE(raw_search, step_line), .help = "Length of a step." },
    { .key = "within", .type = SCHEMA_DURATION, AT(raw_search, within_ns), RANGE(NS_PER_MS, S(4)),
      .preset = "500ms", LINE(raw_search, within_line),
      .help = "An answer is in time so long after the intended instant." },
    { .key = "answered", .type = SCHEMA_PERCENT, AT(raw_search, answered_percent), RANGE(50, 100),
      .preset = "99.9%",
      .help = "A step is bad when less than this of its planned exchanges is answered in time." },
    { .key = "resolution", .type = SCHEMA_PERCENT, AT(raw_search, resolution_percent), RANGE(1, 100),
      .preset = "5%", .help = "The search ends when first bad and last good rate lie this close; the bracket is at least 1.5 % wide." },
    { .key = "repeat", .type = SCHEMA_UINT, AT(raw_search, repeat), RANGE(1, 100), .preset = "1",
      LINE(raw_search, repeat_line), .help = "Whole searches; an interval needs at least 3, and 6 to hold the median in 95 %." },
    { .key = "reset", .type = SCHEMA_TEXT, SIZED(raw_search, reset),
      .help = "Command between two searches, for /bin/sh on the operator's machine; only with "
              "--allow-actions." },
    { .key = NULL },
};

static const struct schema_row event_rows[] = {
    { .key = "at", .type = SCHEMA_DURATION, AT(raw_event, at_ns), RANGE(0, DAYS(30)),
      .is_required = true, LINE(raw_event, at_line),
      .help = "When, counted from the begin of the stage in `in`, or of the run." },
    { .key = "in", .type = SCHEMA_NAME, SIZED(raw_event, stage), LINE(raw_event, in_line),
      .help = "The stage whose begin `at` counts from; the begin of the run when not given." },
    { .key = "name", .type = SCHEMA_TEXT, SIZED(raw_event, name), .is_required = true,
      LINE(raw_event, line),
      .help = "A few words for the time axis and for judgements (`after \"NAME\"`)." },
    { .key = "run", .type = SCHEMA_TEXT, SIZED(raw_event, run),
      .help = "Command for /bin/sh on the operator's machine, only with --allow-actions; a mark "
              "only when not given." },
    { .key = NULL },
};

#define PACED(word, kind, its_rows, text) { .key = word, .type = SCHEMA_BLOCK, \
      AT(raw_stage, pace[kind]), .rows = (its_rows), GIVEN(raw_stage, is_given[kind]), \
      LINE(raw_stage, kind_line[kind]), .help = text }

#define STAGES(hold_type) { \
    { .key = "name", .type = SCHEMA_NAME, SIZED(raw_stage, name), .is_required = true, \
      LINE(raw_stage, line), .help = "Named by judgements (`in NAME`) and in the report." }, \
    PACED("acquire", PLAN_ACQUIRE, acquire_rows, "Every client without a lease gets one."), \
    { .key = "hold", .type = (hold_type), SIZED(raw_stage, hold), RANGE(S(1), DAYS(30)), \
      GIVEN(raw_stage, is_given[PLAN_HOLD]), LINE(raw_stage, kind_line[PLAN_HOLD]), \
      .help = "So long leases are kept: renewed at T1, rebound at T2; until-steady: until there " \
              "are as many renewals as there will be, at most 3 T1." }, \
    PACED("reboot", PLAN_REBOOT, pace_rows, "Every bound client asks for its address again (INIT-REBOOT)."), \
    PACED("release", PLAN_RELEASE, pace_rows, "Every bound client releases its lease."), \
    PACED("inform", PLAN_INFORM, pace_rows, "Every bound client sends one INFORM."), \
    PACED("decline", PLAN_DECLINE, pace_rows, "Every bound client declines its address."), \
    { .key = "search", .type = SCHEMA_BLOCK, AT(raw_stage, search), .rows = search_rows, \
      GIVEN(raw_stage, is_given[PLAN_LOAD]), LINE(raw_stage, kind_line[PLAN_LOAD]), \
      .help = "The rate the servers sustain, in steps of the open model; the last stage." }, \
    { .key = "warmup", .type = SCHEMA_DURATION, AT(raw_stage, warmup_ns), RANGE(0, DAYS(30)), \
      GIVEN(raw_stage, has_warmup), LINE(raw_stage, warmup_line), \
      .help = "Drawn, but not judged, at the beginning of the stage; of a search: of each step, " \
              "20 % of it when not given." }, \
    { .key = "timeout", .type = SCHEMA_DURATION, AT(raw_stage, timeout_ns), RANGE(S(1), DAYS(30)), \
      LINE(raw_stage, timeout_line), \
      .help = "The stage ends here whatever happens; computed from clients and rate when not given." }, \
    { .key = NULL }, \
}

static const struct schema_row stage_rows[] = STAGES(SCHEMA_TEXT);
static const struct schema_row offered_stage_rows[] = STAGES(SCHEMA_DURATION);

static const struct schema_row cleanup_rows[] = {
    { .key = "release", .type = SCHEMA_RATE, AT(raw_cleanup, release_milli_per_s), .is_required = true,
      RANGE(PER_S(1), PER_S(1000000)), .help = "Leases still held are released at this rate." },
    { .key = "on", .type = SCHEMA_FLAGS, AT(raw_cleanup, on), .words = cleanup_words,
      .preset = "[end, stop, fail]",
      .help = "When: at the regular end, when the operator stops the run, when it fails." },
    { .key = NULL },
};

static const struct schema_row coordinator_loss_rows[] = {
    { .key = "new", .type = SCHEMA_ENUM, AT(raw_coordinator_loss, new_exchanges),
      .words = new_words, .preset = "stop",
      .help = "New exchanges: agents begin none without a coordinator." },
    { .key = "renewals", .type = SCHEMA_DURATION, AT(raw_coordinator_loss, renewals_ns),
      RANGE(0, DAYS(30)), .preset = "0s", LINE(raw_coordinator_loss, renewals_line),
      .help = "So long agents go on to renew and rebind the leases they hold, if their policy "
              "(renewals_without_coordinator) lets them." },
    { .key = NULL },
};

static const struct schema_row judgement_rows[] = {
    { .key = "", .type = SCHEMA_TEXT, SIZED(scenario_judgement, text),
      LINE(scenario_judgement, line) },
    { .key = NULL },
};

#define TOP(its_clients_rows, its_stage_rows, word_type) { \
    { .key = "leaseherd", .type = SCHEMA_UINT, AT(raw_scenario, version), .is_required = true, \
      RANGE(1, 1), .help = "Version of this format: 1." }, \
    { .key = "scenario", .type = SCHEMA_NAME, SIZED(raw_scenario, name), .is_required = true, \
      .help = "Its name: in the report and in the name of the run directory." }, \
    { .key = "servers", .type = SCHEMA_MAP, \
      LIST_OF(raw_scenario, servers, sizeof(struct raw_server)), .rows = server_rows, \
      .is_required = true, LINE(raw_scenario, servers_line), .help = "The DHCP servers, by name." }, \
    { .key = "network", .type = SCHEMA_BLOCK, AT(raw_scenario, network), .rows = network_rows, \
      .is_required = true, .help = "The addresses and relays of the test." }, \
    { .key = "clients", .type = SCHEMA_BLOCK, AT(raw_scenario, clients), .rows = (its_clients_rows), \
      .help = "Who the clients are and how they behave." }, \
    { .key = "expect", .type = SCHEMA_BLOCK, AT(raw_scenario, expect), .rows = expect_rows, \
      .help = "What is known about the servers." }, \
    { .key = "limits", .type = SCHEMA_BLOCK, AT(raw_scenario, limits), .rows = limits_rows, \
      .help = "What the run never exceeds." }, \
    { .key = "events", .type = SCHEMA_LIST, \
      LIST_OF(raw_scenario, events, sizeof(struct raw_event)), .rows = event_rows, \
      RANGE(0, SCENARIO_EVENTS_MAX), .help = "What happens meanwhile: marks on the time axis." }, \
    { .key = "run", .type = SCHEMA_LIST, LIST_OF(raw_scenario, stages, sizeof(struct raw_stage)), \
      .rows = (its_stage_rows), RANGE(1, PLAN_STAGES_MAX), .is_required = true, LINE(raw_scenario, run_line), \
      .help = "The stages, in order; each is exactly one of acquire, hold, reboot, release, inform, " \
              "decline, search." }, \
    { .key = "judge", .type = SCHEMA_TEXT_LIST, LIST_OF(raw_scenario, judgements, sizeof(struct scenario_judgement)), \
      .rows = judgement_rows, \
      .help = "What must hold for PASS: METRIC COMPARISON VALUE [over WINDOW] [in STAGE] " \
              "[after|except DURATION after \"EVENT\"]." }, \
    { .key = "cleanup", .type = SCHEMA_BLOCK, AT(raw_scenario, cleanup), .rows = cleanup_rows, \
      GIVEN(raw_scenario, has_cleanup), .help = "Releases what is left; nothing when not given." }, \
    { .key = "on_agent_loss", .type = (word_type), SIZED(raw_scenario, on_agent_loss), \
      .words = scenario_loss_words, .preset = "fail", LINE(raw_scenario, on_agent_loss_line), \
      .help = "fail ends the run when an agent is lost; continue goes on without its clients; " \
              "reassign gives them to other agents' relays of the same subnet." }, \
    { .key = "on_coordinator_loss", .type = SCHEMA_BLOCK, AT(raw_scenario, coordinator_loss), \
      .rows = coordinator_loss_rows, GIVEN(raw_scenario, has_coordinator_loss), \
      .help = "What agents do when they do not hear the coordinator; nothing when not given." }, \
    { .key = NULL }, \
}
/* clang-format on */

const struct schema_row scenario_rows[] = TOP(clients_rows, stage_rows, SCHEMA_NAME);
const struct schema_row scenario_offered_rows[] =
    TOP(offered_clients_rows, offered_stage_rows, SCHEMA_ENUM);
