/* SPDX-License-Identifier: MIT */
/*
 * Every rule of the decoder, broken once on the wire: a good message is packed,
 * unpacked with the generated code, spoiled, packed again, and must be refused
 * with the sentence of that rule.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "control.pb-c.h"
#include "tests/support/control_samples.h"

/* Texts that must not come through. */
static uint8_t with_nul[] = "a\0b";
static uint8_t with_escape[] = "a\x1b[2Jb";
static uint8_t with_high[] = "caf\xc3\xa9";
/* Of a host, which stands unquoted in the log. */
static uint8_t with_space[] = "a1 level=error", with_equals[] = "a1=a2", with_quote[] = "a1\"";
static uint8_t too_long[CONTROL_TEXT_BYTES];
static uint32_t many_words[CONTROL_ADOPT_MAX + 1];
static Leaseherd__Path many_paths[5] = {1, 2, 3, 1, 2};
static uint64_t many_counters[COUNTER_COUNT + 1];

static void set(ProtobufCBinaryData *field, uint8_t *bytes, size_t size)
{
    field->data = bytes;
    field->len = size;
}

#define SET(field, bytes) set(&(field), bytes, sizeof(bytes) - 1)

/* X(name, kind, what breaks it, a piece of the sentence) */
#define CTRL_UP_BREAKS(X)                                                                          \
    X(hello_min_0, HELLO, e->hello->proto_min = 0, "versions 0 to 2")                              \
    X(hello_empty_range, HELLO, e->hello->proto_max = 0, "versions 1 to 0")                        \
    X(hello_huge_version, HELLO, e->hello->proto_max = 65536, "versions 1 to 65536")               \
    X(hello_build_nul, HELLO, SET(e->hello->build, with_nul), "build holds the byte 0x00")         \
    X(hello_build_empty, HELLO, e->hello->build.len = 0, "build is empty")                         \
    X(hello_build_long, HELLO, SET(e->hello->build, too_long), "build has 255 characters")         \
    X(hello_host_esc, HELLO, SET(e->hello->host, with_escape), "host holds the byte 0x1b")         \
    X(hello_host_empty, HELLO, e->hello->host.len = 0, "host is empty")                            \
    X(hello_host_high, HELLO, SET(e->hello->host, with_high), "host holds the byte 0xc3")          \
    X(hello_host_space, HELLO, SET(e->hello->host, with_space), "host may hold")                   \
    X(hello_host_equals, HELLO, SET(e->hello->host, with_equals), "host may hold")                 \
    X(hello_host_quote, HELLO, SET(e->hello->host, with_quote), "host may hold")                   \
    X(hello_no_cores, HELLO, e->hello->cores = 0, "0 cores")                                       \
    X(hello_cores, HELLO, e->hello->cores = 5000, "5000 cores")                                    \
    X(hello_epoch, HELLO, e->hello->epoch = 0, "epoch is 0")                                       \
    X(hello_address_0, HELLO, e->hello->address[1] = 0, "address 1 is not a unicast")              \
    X(hello_multicast, HELLO, e->hello->address[2] = 0xe0000001, "address 2 is not a unicast")     \
    X(hello_former, HELLO, (e->hello->former_epoch = many_counters, e->hello->n_former_epoch = 9), \
      "9 former epochs")                                                                           \
    X(hello_former_0, HELLO, e->hello->former_epoch[1] = 0, "former epoch 1 is 0")                 \
    X(hello_kept_short, HELLO, e->hello->kept_run_id.len = 15, "kept run id")                      \
    X(hello_kept_none, HELLO, e->hello->kept_run_id.len = 0, "kept is of no run")                  \
    X(hello_kept_epoch, HELLO, e->hello->kept_epoch = 0, "kept is of no run")                      \
    X(hello_kept_seq, HELLO, e->hello->kept_last_seq = UINT64_MAX, "or cannot be")                 \
    X(hello_many, HELLO, (e->hello->address = many_words, e->hello->n_address = 4097),             \
      "4097 addresses")                                                                            \
    X(reply_t1, CLOCK_REPLY, e->clock_reply->t1_ns = 0, "t1 or t2 is 0")                           \
    X(reply_t2, CLOCK_REPLY, e->clock_reply->t2_ns = 0, "t1 or t2 is 0")                           \
    X(reply_t3, CLOCK_REPLY, e->clock_reply->t3_ns = 1, "t3 is before t2")                         \
    X(beat_boottime, BEAT, e->beat->boottime_ns = 0, "boot time is 0")                             \
    X(beat_ring, BEAT, e->beat->ring_used_permille = 1001, "1000 permille")                        \
    X(ready_hash, READY, e->ready->plan_hash.len = 31, "plan hash has 31 bytes instead of 32")     \
    X(armed_generation, ARMED, e->armed->generation = 0, "generation is 0")                        \
    X(progress_stage, PROGRESS, e->progress->stage = 32, "no stage 32")                            \
    X(progress_started, PROGRESS, e->progress->started = 100000001, "more than 100000000")         \
    X(progress_finished, PROGRESS, e->progress->finished = 100000001, "more than 100000000")       \
    X(progress_bound, PROGRESS, e->progress->bound = 100000001, "more than 100000000")             \
    X(progress_failed, PROGRESS, e->progress->failed = 100000001, "more than 100000000")

#define REPORT_BREAKS(X)                                                                           \
    X(report_many, PREFLIGHT_REPORT,                                                               \
      (e->preflight_report->relay = many_words, e->preflight_report->n_relay = 257), "257 relays") \
    X(report_relay, PREFLIGHT_REPORT, e->preflight_report->relay[1] = 16384, "no relay 16384")     \
    X(report_bound, PREFLIGHT_REPORT, e->preflight_report->bound[0] = 4, "more clients bound")     \
    X(report_server, PREFLIGHT_REPORT, e->preflight_report->servers_answered[0] = 65536,           \
      "a server answered that cannot exist")                                                       \
    X(report_errno, PREFLIGHT_REPORT, e->preflight_report->send_errno[0] = 4096,                   \
      "4096 is not an errno")                                                                      \
    X(report_paths, PREFLIGHT_REPORT, e->preflight_report->path_count[0] = 4, "4 paths")           \
    X(report_path_sum, PREFLIGHT_REPORT, e->preflight_report->path_count[0] = 2, "other paths")    \
    X(report_path, PREFLIGHT_REPORT, e->preflight_report->path[2] = (Leaseherd__Path)4,            \
      "4 is not a path")                                                                           \
    X(report_path_0, PREFLIGHT_REPORT, e->preflight_report->path[0] = (Leaseherd__Path)0,          \
      "0 is not a path")                                                                           \
    X(report_acked, PREFLIGHT_REPORT, e->preflight_report->path_renew_acked[0] = 61,               \
      "more renewals answered than sent")                                                          \
    X(report_port, PREFLIGHT_REPORT, e->preflight_report->path_last_wrong_port[0] = 65536,         \
      "65536 is not a port")                                                                       \
    X(report_path_errno, PREFLIGHT_REPORT, e->preflight_report->path_send_errno[0] = 4096,         \
      "4096 is not an errno")                                                                      \
    X(report_facts_many, PREFLIGHT_REPORT,                                                         \
      (e->preflight_report->fact = many_words, e->preflight_report->n_fact = 65), "65 facts")      \
    X(report_fact_kind, PREFLIGHT_REPORT, e->preflight_report->fact[0] = 13, "13 is no kind")      \
    X(report_fact_none, PREFLIGHT_REPORT, e->preflight_report->fact[1] = 0, "0 is no kind")        \
    X(report_col_fact, PREFLIGHT_REPORT, e->preflight_report->n_fact_peer = 1, "of 2 and 1 rows")  \
    X(report_col_lease, PREFLIGHT_REPORT, e->preflight_report->n_lease_most_s = 1,                 \
      "of 2 and 1 rows")                                                                           \
    X(report_col_unmarked, PREFLIGHT_REPORT, e->preflight_report->n_was_unmarked_asked = 0,        \
      "of 2 and 0 rows")                                                                           \
    X(report_ways, PREFLIGHT_REPORT, e->preflight_report->way_count[0] = 10, "10 ways")            \
    X(report_way_sum, PREFLIGHT_REPORT, e->preflight_report->way_count[0] = 1, "other ways")       \
    X(report_way_path, PREFLIGHT_REPORT, e->preflight_report->way_path[0] = (Leaseherd__Path)4,    \
      "4 is not a path")                                                                           \
    X(report_way_server, PREFLIGHT_REPORT, e->preflight_report->way_server[0] = 16,                \
      "a way of a server or path")                                                                 \
    X(report_way_acked, PREFLIGHT_REPORT, e->preflight_report->way_acked[0] = 10,                  \
      "more ACKs on a way")                                                                        \
    X(report_way_ports, PREFLIGHT_REPORT, e->preflight_report->way_low_ports[0] = 9,               \
      "more ACKs on a way")                                                                        \
    X(report_way_many, PREFLIGHT_REPORT, e->preflight_report->way_sent[0] = 128,                   \
      "more ACKs on a way")                                                                        \
    X(report_unmarked, PREFLIGHT_REPORT, e->preflight_report->unmarked_offers[0] = 65536,          \
      "a stranger was served by")                                                                  \
    X(report_col_clients, PREFLIGHT_REPORT, e->preflight_report->n_clients = 1, "of 2 and 1 rows") \
    X(report_col_offered, PREFLIGHT_REPORT, e->preflight_report->n_offered = 1, "of 2 and 1 rows") \
    X(report_col_bound, PREFLIGHT_REPORT, e->preflight_report->n_bound = 1, "of 2 and 1 rows")     \
    X(report_col_foreign, PREFLIGHT_REPORT, e->preflight_report->n_foreign_offers = 1,             \
      "of 2 and 1 rows")                                                                           \
    X(report_col_naks, PREFLIGHT_REPORT, e->preflight_report->n_naks = 1, "of 2 and 1 rows")       \
    X(report_col_servers, PREFLIGHT_REPORT, e->preflight_report->n_servers_answered = 1,           \
      "of 2 and 1 rows")                                                                           \
    X(report_col_errno, PREFLIGHT_REPORT, e->preflight_report->n_send_errno = 1,                   \
      "of 2 and 1 rows")                                                                           \
    X(report_col_paths, PREFLIGHT_REPORT, e->preflight_report->n_path_count = 1,                   \
      "of 2 and 1 rows")                                                                           \
    X(report_col_sent, PREFLIGHT_REPORT, e->preflight_report->n_path_renew_sent = 2,               \
      "of 3 and 2 rows")                                                                           \
    X(report_col_acked, PREFLIGHT_REPORT, e->preflight_report->n_path_renew_acked = 2,             \
      "of 3 and 2 rows")                                                                           \
    X(report_col_wrong, PREFLIGHT_REPORT, e->preflight_report->n_path_wrong_port = 2,              \
      "of 3 and 2 rows")                                                                           \
    X(report_col_last, PREFLIGHT_REPORT, e->preflight_report->n_path_last_wrong_port = 2,          \
      "of 3 and 2 rows")                                                                           \
    X(report_col_perrno, PREFLIGHT_REPORT, e->preflight_report->n_path_send_errno = 2,             \
      "of 3 and 2 rows")

#define CTRL_DOWN_BREAKS(X)                                                                        \
    X(welcome_proto, WELCOME, e->welcome->proto = 0, "0 is not a version")                         \
    X(welcome_session, WELCOME, e->welcome->session = 0, "session is 0")                           \
    X(welcome_run, WELCOME, e->welcome->run_id.len = 15, "run id has 15 bytes")                    \
    X(welcome_batch, WELCOME, e->welcome->committed_batch = INT64_MAX, "cannot have been")         \
    X(welcome_port_0, WELCOME, e->welcome->data_port = 0, "port is 0")                             \
    X(welcome_port, WELCOME, e->welcome->data_port = 65536, "65536 is not a port")                 \
    X(request_t1, CLOCK_REQUEST, e->clock_request->t1_ns = 0, "t1 is 0")                           \
    X(grant_boottime, GRANT, e->grant->boottime_ns = 0, "boot time is 0")                          \
    X(grant_long, GRANT, e->grant->duration_ns++, "longer than the run lease")                     \
    X(prepare_no_plan, PREPARE, e->prepare->plan.len = 0, "the plan has 0 bytes")                  \
    X(prepare_hash, PREPARE, e->prepare->plan_hash.len = 0, "plan hash has 0 bytes")               \
    X(prepare_epoch, PREPARE, e->prepare->assignment_epoch = 0, "epoch is 0")                      \
    X(prepare_signature, PREPARE, e->prepare->signature.len = 63, "prepare: signature")            \
    X(prepare_no_signature, PREPARE, e->prepare->signature.len = 0, "prepare: signature")          \
    X(prepare_operator, PREPARE, e->prepare->operator_key.len = 31, "prepare: operator's key")     \
    X(prepare_no_operator, PREPARE, e->prepare->operator_key.len = 0, "prepare: operator's key")   \
    X(prepare_packets, PREPARE, e->prepare->packets_per_s_max = 0, "no packets per second")        \
    X(prepare_none, PREPARE,                                                                       \
      e->prepare->n_share_relay = e->prepare->n_share_first_client =                               \
          e->prepare->n_share_client_count = 0,                                                    \
      "0 shares")                                                                                  \
    X(prepare_many, PREPARE,                                                                       \
      (e->prepare->share_relay = many_words, e->prepare->n_share_relay = 16385), "16385 shares")   \
    X(prepare_relay, PREPARE, e->prepare->share_relay[0] = 16384, "share 0 is of relay 16384")     \
    X(prepare_empty, PREPARE, e->prepare->share_client_count[1] = 0, "share 1 has no clients")     \
    X(prepare_overlap, PREPARE, e->prepare->share_first_client[1]--, "share 1 begins inside")      \
    X(prepare_beyond, PREPARE, e->prepare->share_client_count[1] = UINT32_MAX,                     \
      "share 1 ends beyond")                                                                       \
    X(prepare_col_first, PREPARE, e->prepare->n_share_first_client = 1, "of 2 and 1 rows")         \
    X(prepare_col_count, PREPARE, e->prepare->n_share_client_count = 1, "of 2 and 1 rows")         \
    X(preflight_none, PREFLIGHT, e->preflight->n_path = 0, "0 paths")                              \
    X(preflight_many, PREFLIGHT, (e->preflight->path = many_paths, e->preflight->n_path = 5),      \
      "5 paths")                                                                                   \
    X(preflight_unset, PREFLIGHT, e->preflight->path[0] = (Leaseherd__Path)0, "0 is not a path")   \
    X(preflight_path, PREFLIGHT, e->preflight->path[2] = (Leaseherd__Path)4, "4 is not a path")    \
    X(preflight_twice, PREFLIGHT, e->preflight->path[2] = e->preflight->path[1],                   \
      "a path is named twice")                                                                     \
    X(arm_generation, ARM, e->arm->generation = 0, "generation is 0")                              \
    X(arm_path, ARM, e->arm->path = (Leaseherd__Path)4, "4 is not a path")                         \
    X(arm_unset, ARM, e->arm->path = (Leaseherd__Path)0, "0 is not a path")                        \
    X(go_stage, GO, e->go->stage = 32, "no stage 32")                                              \
    X(go_start, GO, e->go->start_at_ns = 0, "start instant is 0")                                  \
    X(go_limit, GO, e->go->client_limit = 100000001, "more than 100000000 clients")                \
    X(go_batch, GO, e->go->batch = 100000001, "more than 100000000 clients")                       \
    X(go_both, GO, e->go->batch = 1, "a batch and a rate")                                         \
    X(go_arrivals, GO, e->go->arrivals = 100000001, "more than 100000000 arrivals")                \
    X(go_unpaced, GO, e->go->rate_milli_per_s = 0, "arrivals without a rate")                      \
    X(go_rate, GO, e->go->rate_milli_per_s = 10000000001, "more than 10000000 starts/s")           \
    X(adopt_none, ADOPT, e->adopt->n_client = e->adopt->n_addr = e->adopt->n_server = 0,           \
      "0 leases")                                                                                  \
    X(adopt_many, ADOPT,                                                                           \
      (e->adopt->client = many_words, e->adopt->n_client = CONTROL_ADOPT_MAX + 1), "65537 leases") \
    X(adopt_client, ADOPT, e->adopt->client[2] = 100000000, "lease 2 is of client 100000000")      \
    X(adopt_addr, ADOPT, e->adopt->addr[1] = 0, "of lease 1 is not unicast")                       \
    X(adopt_server, ADOPT, e->adopt->server[1] = 0xe0000001, "of lease 1 is not unicast")          \
    X(adopt_col_addr, ADOPT, e->adopt->n_addr = 2, "of 3 and 2 rows")                              \
    X(adopt_col_server, ADOPT, e->adopt->n_server = 2, "of 3 and 2 rows")                          \
    X(drain_unset, DRAIN, e->drain->mode = (Leaseherd__DrainMode)0, "is not a mode")               \
    X(drain_mode, DRAIN, e->drain->mode = (Leaseherd__DrainMode)3, "2 is not a mode")              \
    X(bye_text, BYE, SET(e->bye->text, with_escape), "text holds the byte 0x1b")                   \
    X(bye_long, BYE, set(&e->bye->text, too_long, sizeof(too_long)), "text has 256 characters")    \
    X(refuse_unset, REFUSE, e->refuse->code = (Leaseherd__Refusal)0, "0 is not a known code")      \
    X(refuse_code, REFUSE, e->refuse->code = (Leaseherd__Refusal)REFUSAL_COUNT,                    \
      "is not a known code")                                                                       \
    X(refuse_silent, REFUSE, e->refuse->text.len = 0, "text is empty")                             \
    X(refuse_nul, REFUSE, SET(e->refuse->text, with_nul), "text holds the byte 0x00")

#define TAKE_BREAKS(X)                                                                             \
    X(take_epoch, TAKE, e->take->assignment_epoch = 1, "epoch 1 is PREPARE")                       \
    X(take_at, TAKE, e->take->at_ns = 0, "leases count from is 0")                                 \
    X(take_none, TAKE,                                                                             \
      e->take->n_share_relay = e->take->n_share_first_client = e->take->n_share_client_count =     \
          e->take->n_share_via_relay = 0,                                                          \
      "0 shares")                                                                                  \
    X(take_shares, TAKE,                                                                           \
      (e->take->share_relay = many_words, e->take->n_share_relay = CONTROL_TAKE_SHARES_MAX + 1),   \
      "4097 shares")                                                                               \
    X(take_many, TAKE,                                                                             \
      (e->take->client = many_words, e->take->n_client = CONTROL_TAKE_CLIENTS_MAX + 1),            \
      "32769 clients")                                                                             \
    X(take_relay, TAKE, e->take->share_relay[1] = 16384, "share 1 is of relay 16384")              \
    X(take_via, TAKE, e->take->share_via_relay[1] = 16384, "by relay 16384")                       \
    X(take_empty, TAKE, e->take->share_client_count[0] = 0, "share 0 is empty")                    \
    X(take_overlap, TAKE, e->take->share_first_client[1] = 1299,                                   \
      "share 1 is empty, or begins inside")                                                        \
    X(take_beyond, TAKE, e->take->share_first_client[1] = 99999900, "share 1 ends beyond")         \
    X(take_order, TAKE, e->take->client[1] = 1001, "client 1001 does not stand")                   \
    X(take_alien, TAKE, e->take->client[2] = 1801, "client 1801 is in none")                       \
    X(take_between, TAKE, e->take->client[1] = 1300, "client 1300 is in none")                     \
    X(take_flags, TAKE, e->take->flags[0] = 8, "flags of client 1001")                             \
    X(take_flag_pair, TAKE, e->take->flags[0] = 4, "flags of client 1001")                         \
    X(take_released, TAKE, e->take->flags[0] = 5, "flags of client 1001")                          \
    X(take_no_addr, TAKE, e->take->addr[1] = 0, "client 1252 has a lease without")                 \
    X(take_server, TAKE, e->take->server[1] = 0xe0000001, "client 1252 has a lease without")       \
    X(take_no_lease, TAKE, e->take->addr[2] = 0x0a0a0203, "or an address without a lease")         \
    X(take_go, TAKE, e->take->go->batch = 100000001, "more than 100000000 clients")                \
    X(take_col_first, TAKE, e->take->n_share_first_client = 1, "of 2 and 1 rows")                  \
    X(take_col_count, TAKE, e->take->n_share_client_count = 1, "of 2 and 1 rows")                  \
    X(take_col_via, TAKE, e->take->n_share_via_relay = 1, "of 2 and 1 rows")                       \
    X(take_col_flags, TAKE, e->take->n_flags = 2, "of 3 and 2 rows")                               \
    X(take_col_addr, TAKE, e->take->n_addr = 2, "of 3 and 2 rows")                                 \
    X(take_col_server, TAKE, e->take->n_server = 2, "of 3 and 2 rows")                             \
    X(take_col_lease, TAKE, e->take->n_lease_ms = 2, "of 3 and 2 rows")

#define BATCH_BREAKS(X)                                                                            \
    X(data_hello_epoch, DATA_HELLO, e->data_hello->epoch = 0, "epoch is 0")                        \
    X(batch_epoch, BATCH, e->batch->epoch = 0, "epoch or sequence number is 0")                    \
    X(batch_seq, BATCH, e->batch->seq = 0, "epoch or sequence number is 0")                        \
    X(batch_family, BATCH, e->batch->family = (Leaseherd__Family)6, "address family is 6")         \
    X(batch_empty, BATCH, e->batch->n_t_step_us = 0, "0 events")                                   \
    X(batch_many, BATCH,                                                                           \
      (e->batch->t_step_us = (int64_t *)(void *)many_words, e->batch->n_t_step_us = 513),          \
      "513 events")                                                                                \
    X(batch_base, BATCH, e->batch->base_us = UINT64_C(1) << 63, "base time is above 2^63")         \
    X(batch_first, BATCH, e->batch->t_step_us[0] = 1, "not at the base time")                      \
    X(batch_time, BATCH, e->batch->t_step_us[1] = -1800000000, "event 1 has no possible time")     \
    X(batch_far, BATCH, e->batch->t_step_us[1] = INT64_MAX, "event 1 has no possible time")        \
    X(batch_client, BATCH, e->batch->client_step[0] = -1, "event 0 has no possible time or")       \
    X(batch_client_max, BATCH, e->batch->client_step[2]++, "event 2 has no possible time or")      \
    X(batch_kind_unset, BATCH, e->batch->kind[0] = (Leaseherd__EventKind)0,                        \
      "event 0 is of no known kind (0)")                                                           \
    X(batch_kind, BATCH, e->batch->kind[0] = (Leaseherd__EventKind)10,                             \
      "event 0 is of no known kind (10)")                                                          \
    X(batch_result_unset, BATCH, e->batch->result[0] = (Leaseherd__EventResult)0,                  \
      "event 0 has no known result (0)")                                                           \
    X(batch_result, BATCH, e->batch->result[0] = (Leaseherd__EventResult)10,                       \
      "event 0 has no known result (10)")                                                          \
    X(batch_pair, BATCH, e->batch->result[0] = LEASEHERD__EVENT_RESULT__RESULT_SENT,               \
      "event 0 does not make sense")                                                               \
    X(batch_stage, BATCH, e->batch->stage[0] = 33, "event 0 is of stage 32")                       \
    X(batch_tries, BATCH, e->batch->tries[0] = 65536, "too many tries")                            \
    X(batch_flags, BATCH, e->batch->flags[0] = EVENT_FLAGS_ALL + 1, "unknown flags")               \
    X(batch_flag_pair, BATCH, e->batch->flags[0] = EVENT_DEADLINE, "event 0 does not make sense")  \
    X(batch_no_addr, BATCH, e->batch->addr[0] = 0, "event 0 does not make sense")                  \
    X(batch_col_client, BATCH, e->batch->n_client_step = 2, "of 3 and 2 rows")                     \
    X(batch_col_xid, BATCH, e->batch->n_xid = 2, "of 3 and 2 rows")                                \
    X(batch_col_kind, BATCH, e->batch->n_kind = 2, "of 3 and 2 rows")                              \
    X(batch_col_result, BATCH, e->batch->n_result = 2, "of 3 and 2 rows")                          \
    X(batch_col_stage, BATCH, e->batch->n_stage = 2, "of 3 and 2 rows")                            \
    X(batch_col_tries, BATCH, e->batch->n_tries = 2, "of 3 and 2 rows")                            \
    X(batch_col_flags, BATCH, e->batch->n_flags = 2, "of 3 and 2 rows")                            \
    X(batch_col_lease, BATCH, e->batch->n_lease_s = 2, "of 3 and 2 rows")                          \
    X(batch_col_offer, BATCH, e->batch->n_offer_us = 2, "of 3 and 2 rows")                         \
    X(batch_col_took, BATCH, e->batch->n_took_us = 2, "of 3 and 2 rows")                           \
    X(batch_col_wait, BATCH, e->batch->n_wait_us = 2, "of 3 and 2 rows")                           \
    X(batch_col_addr, BATCH, e->batch->n_addr = 2, "of 3 and 2 rows")                              \
    X(batch_col_server, BATCH, e->batch->n_server = 2, "of 3 and 2 rows")                          \
    X(ack_epoch, ACK, e->ack->epoch = 0, "epoch is 0")                                             \
    X(ack_endless, ACK, e->ack->limit_seq = UINT64_MAX, "is too large")                            \
    X(ack_limit, ACK, e->ack->limit_seq = 12, "limit is below")

#define SNAPSHOT_BREAKS(X)                                                                         \
    X(snapshot_seq, SNAPSHOT, e->snapshot->seq = 0, "sequence number or time is 0")                \
    X(snapshot_time, SNAPSHOT, e->snapshot->at_ns = 0, "sequence number or time is 0")             \
    X(snapshot_counter, SNAPSHOT, e->snapshot->counter[0] = UINT64_MAX,                            \
      "sent_discover is above 2^63")                                                               \
    X(snapshot_counters, SNAPSHOT,                                                                 \
      (e->snapshot->counter = many_counters, e->snapshot->n_counter = COUNTER_COUNT + 1),          \
      "counters; at most")                                                                         \
    X(snapshot_servers, SNAPSHOT,                                                                  \
      (e->snapshot->server_offers = many_counters, e->snapshot->n_server_offers = 17),             \
      "too many rows")                                                                             \
    X(snapshot_errors, SNAPSHOT,                                                                   \
      (e->snapshot->error_errno = many_words, e->snapshot->n_error_errno = 65), "too many rows")   \
    X(snapshot_unexpected, SNAPSHOT,                                                               \
      (e->snapshot->unexpected_state = many_words, e->snapshot->n_unexpected_state = 129),         \
      "too many rows")                                                                             \
    X(snapshot_errno_0, SNAPSHOT, e->snapshot->error_errno[0] = 0, "send error 0 has no such")     \
    X(snapshot_errno, SNAPSHOT, e->snapshot->error_errno[0] = 4096, "send error 0 has no such")    \
    X(snapshot_message_0, SNAPSHOT, e->snapshot->error_message[1] = 0, "send error 1 has no such") \
    X(snapshot_message, SNAPSHOT, e->snapshot->error_message[1] = 10, "send error 1 has no such")  \
    X(snapshot_message_256, SNAPSHOT, e->snapshot->error_message[1] = 257,                         \
      "send error 1 has no such")                                                                  \
    X(snapshot_state, SNAPSHOT, e->snapshot->unexpected_state[1] = 13, "unexpected 1 has no such") \
    X(snapshot_state_0, SNAPSHOT, e->snapshot->unexpected_state[1] = 0,                            \
      "unexpected 1 has no such")                                                                  \
    X(snapshot_event, SNAPSHOT, e->snapshot->unexpected_event[1] = 19, "unexpected 1 has no such") \
    X(snapshot_event_0, SNAPSHOT, e->snapshot->unexpected_event[1] = 0,                            \
      "unexpected 1 has no such")                                                                  \
    X(snapshot_packet_kinds, SNAPSHOT, e->snapshot->server_packet_columns = PACKET_COUNT + 1,      \
      "kinds of packets; at most")                                                                 \
    X(snapshot_packet_rows, SNAPSHOT, e->snapshot->server_packet_columns--,                        \
      "columns of packets differ in length")                                                       \
    X(snapshot_no_kinds, SNAPSHOT, e->snapshot->server_packet_columns = 0,                         \
      "columns of packets differ in length")                                                       \
    X(snapshot_packets, SNAPSHOT, e->snapshot->n_server_packet--,                                  \
      "columns of packets differ in length")                                                       \
    X(snapshot_low_ports, SNAPSHOT, e->snapshot->n_server_low_port--,                              \
      "columns of packets differ in length")                                                       \
    X(snapshot_sources, SNAPSHOT, e->snapshot->n_server_wrong_source--,                            \
      "columns of packets differ in length")                                                       \
    X(snapshot_packet_count, SNAPSHOT, e->snapshot->server_packet[PACKET_COUNT] = UINT64_MAX,      \
      "packets sent_discover are above 2^63")                                                      \
    X(snapshot_col_acks, SNAPSHOT, e->snapshot->n_server_acks = 15, "of 16 and 15 rows")           \
    X(snapshot_col_naks, SNAPSHOT, e->snapshot->n_server_naks = 15, "of 16 and 15 rows")           \
    X(snapshot_col_msg, SNAPSHOT, e->snapshot->n_error_message = 1, "of 2 and 1 rows")             \
    X(snapshot_col_dest, SNAPSHOT, e->snapshot->n_error_destination = 1, "of 2 and 1 rows")        \
    X(snapshot_col_count, SNAPSHOT, e->snapshot->n_error_count = 1, "of 2 and 1 rows")             \
    X(snapshot_col_event, SNAPSHOT, e->snapshot->n_unexpected_event = 1, "of 2 and 1 rows")        \
    X(snapshot_col_unexp, SNAPSHOT, e->snapshot->n_unexpected_count = 1, "of 2 and 1 rows")

#define HISTOGRAM_BREAKS(X)                                                                        \
    X(histogram_seq, HISTOGRAM, e->histogram->snapshot_seq = 0, "sequence number is 0")            \
    X(histogram_metric, HISTOGRAM, e->histogram->metric = (Leaseherd__Metric)10, "key names no")   \
    X(histogram_metric_0, HISTOGRAM, e->histogram->metric = (Leaseherd__Metric)0, "key names no")  \
    X(histogram_clock, HISTOGRAM, e->histogram->clock = (Leaseherd__MetricClock)3, "key names no") \
    X(histogram_clock_0, HISTOGRAM, e->histogram->clock = (Leaseherd__MetricClock)0,               \
      "key names no")                                                                              \
    X(histogram_lag, HISTOGRAM, e->histogram->metric = LEASEHERD__METRIC__METRIC_SEND_LAG,         \
      "key names no")                                                                              \
    X(histogram_metric_257, HISTOGRAM, e->histogram->metric = (Leaseherd__Metric)257,              \
      "key names no")                                                                              \
    X(histogram_server_257, HISTOGRAM, e->histogram->server = 257, "key names no")                 \
    X(histogram_stage_257, HISTOGRAM, e->histogram->stage = 257, "key names no")                   \
    X(histogram_server, HISTOGRAM, e->histogram->server = 17, "key names no")                      \
    X(histogram_stage, HISTOGRAM, e->histogram->stage = 33, "key names no")                        \
    X(histogram_empty, HISTOGRAM, e->histogram->count = 0, "it is empty")                          \
    X(histogram_min, HISTOGRAM, e->histogram->min_ns = e->histogram->max_ns + 1,                   \
      "min is above max")                                                                          \
    X(histogram_sum_low, HISTOGRAM, e->histogram->sum_ns = 1, "sum is not between")                \
    X(histogram_sum_high, HISTOGRAM, e->histogram->sum_ns = UINT64_C(1) << 60,                     \
      "sum is not between")                                                                        \
    X(histogram_count, HISTOGRAM, e->histogram->count++, "buckets hold 28 of 29")                  \
    X(histogram_bucket, HISTOGRAM, e->histogram->bucket_count[3]++, "buckets hold 29 of 28")       \
    X(histogram_sat, HISTOGRAM,                                                                    \
      (e->histogram->is_saturated = true, e->histogram->bucket_count[3]++),                        \
      "buckets hold 29 of 28")                                                                     \
    X(histogram_zero, HISTOGRAM, e->histogram->bucket_count[3] = 0, "row 3 is an empty bucket")    \
    X(histogram_first, HISTOGRAM, e->histogram->bucket_skip[0]++, "outermost buckets")             \
    X(histogram_last, HISTOGRAM, e->histogram->bucket_skip[e->histogram->n_bucket_skip - 1]++,     \
      "outermost buckets")                                                                         \
    X(histogram_beyond, HISTOGRAM, e->histogram->bucket_skip[0] = UINT32_MAX,                      \
      "row 0 is beyond the last bucket")                                                           \
    X(histogram_many, HISTOGRAM,                                                                   \
      (e->histogram->bucket_skip = many_words, e->histogram->n_bucket_skip = 3843), "3843 rows")   \
    X(histogram_col, HISTOGRAM, e->histogram->n_bucket_count--, "of 28 and 27 rows")

#define BREAKS(X)                                                                                  \
    CTRL_UP_BREAKS(X)                                                                              \
    REPORT_BREAKS(X)                                                                               \
    CTRL_DOWN_BREAKS(X)                                                                            \
    TAKE_BREAKS(X)                                                                                 \
    BATCH_BREAKS(X)                                                                                \
    SNAPSHOT_BREAKS(X)                                                                             \
    HISTOGRAM_BREAKS(X)

#define X(name, KIND, how, phrase)                                                                 \
    static void break_##name(Leaseherd__Envelope *e)                                               \
    {                                                                                              \
        how;                                                                                       \
    }
BREAKS(X)
#undef X

static const struct {
    const char *name;
    enum control_kind kind;
    void (*break_it)(Leaseherd__Envelope *e);
    const char *phrase;
} rows[] = {
#define X(name, KIND, how, phrase) {#name, CONTROL_##KIND, break_##name, phrase},
    BREAKS(X)
#undef X
};

/* The generated code allocates here, so that spoiled messages need no freeing. */
static uint8_t heap[1 << 20];
static size_t heap_used;

static void *heap_alloc(void *data, size_t size)
{
    (void)data;
    void *taken = heap + heap_used;

    heap_used += (size + 15) / 16 * 16;
    assert_true(heap_used <= sizeof(heap));
    return taken;
}

static void heap_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static ProtobufCAllocator heap_allocator = {.alloc = heap_alloc, .free = heap_free};

static uint8_t good_bytes[65536], bad_bytes[1 << 18];

static Leaseherd__Envelope *unpacked_sample(enum control_kind kind)
{
    struct control_message m;

    sample_message(kind, &m);
    size_t size = control_encode(&m, good_bytes, sizeof(good_bytes));
    assert_in_range(size, 1, sizeof(good_bytes));
    heap_used = 0;
    Leaseherd__Envelope *e = leaseherd__envelope__unpack(&heap_allocator, size, good_bytes);
    assert_non_null(e);
    return e;
}

static void expect_refusal(struct control_arena *arena, const uint8_t *bytes, size_t size,
                           const char *name, const char *phrase)
{
    struct control_message m;
    struct control_message untouched;
    char why[CONTROL_WHY_BYTES] = "";

    memset(&m, 0x5a, sizeof(m));
    memset(&untouched, 0x5a, sizeof(untouched));
    bool is_accepted = control_decode(arena, bytes, size, &m, why);
    if (is_accepted || strstr(why, phrase) == NULL) {
        print_message("%s: accepted=%d why='%s', expected '%s'\n", name, is_accepted, why, phrase);
        fail();
    }
    assert_memory_equal(&m, &untouched, sizeof(m));
}

static void every_broken_rule_is_named(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Leaseherd__Envelope *e = unpacked_sample(rows[i].kind);
        rows[i].break_it(e);
        assert_in_range(leaseherd__envelope__get_packed_size(e), 1, sizeof(bad_bytes));
        size_t size = leaseherd__envelope__pack(e, bad_bytes);
        expect_refusal(*state, bad_bytes, size, rows[i].name, rows[i].phrase);
    }
}

static void an_envelope_without_a_body_is_refused(void **state)
{
    Leaseherd__Envelope e = LEASEHERD__ENVELOPE__INIT;
    const uint8_t unknown_body[] = {0xfa, 0x03, 0x00}; /* field 63, empty message */

    expect_refusal(*state, bad_bytes, 0, "empty", "no body of a known kind");
    e.session = 1;
    size_t size = leaseherd__envelope__pack(&e, bad_bytes);
    expect_refusal(*state, bad_bytes, size, "session only", "no body of a known kind");
    expect_refusal(*state, unknown_body, sizeof(unknown_body), "of later", "no body of a known");
}

static void bytes_that_are_not_protobuf_are_refused(void **state)
{
    const uint8_t endless_varint[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    size_t good = 0;
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    expect_refusal(*state, endless_varint, sizeof(endless_varint), "varint", "are not an envelope");
    sample_message(CONTROL_WELCOME, &m);
    good = control_encode(&m, good_bytes, sizeof(good_bytes));
    for (size_t size = 0; size < good; size++) { /* every truncation */
        assert_false(control_decode(*state, good_bytes, size, &m, why));
    }
}

/* A newer minor version may say more; a flood of it is not a version. */
static void sixteen_unknown_fields_pass_and_seventeen_do_not(void **state)
{
    struct control_message m;
    char why[CONTROL_WHY_BYTES] = "";

    sample_message(CONTROL_ACK, &m);
    size_t size = control_encode(&m, bad_bytes, sizeof(bad_bytes));
    for (int i = 0; i < 16; i++) {
        bad_bytes[size++] = 0xd8; /* field 99, varint */
        bad_bytes[size++] = 0x06;
        bad_bytes[size++] = 0x01;
    }
    assert_true(control_decode(*state, bad_bytes, size, &m, why));
    memcpy(bad_bytes + size, bad_bytes + size - 3, 3);
    expect_refusal(*state, bad_bytes, size + 3, "17 unknown", "17 unknown fields");
}

/* An agent of an older minor version knows fewer counters; the rest are 0. */
static void a_snapshot_with_fewer_counters_is_accepted(void **state)
{
    struct control_message m;
    char why[CONTROL_WHY_BYTES] = "";
    Leaseherd__Envelope *e = unpacked_sample(CONTROL_SNAPSHOT);

    e->snapshot->n_counter = 3;
    size_t size = leaseherd__envelope__pack(e, bad_bytes);
    assert_true(control_decode(*state, bad_bytes, size, &m, why));
    assert_true(m.u.snapshot->counter[2] != 0);
    assert_int_equal(m.u.snapshot->counter[3], 0);
}

static int make_arena(void **state)
{
    memset(too_long, 'x', sizeof(too_long));
    for (size_t i = 0; i < ARRAY_LEN(many_words); i++) {
        many_words[i] = 0;
    }
    *state = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    return *state != NULL ? 0 : -1;
}

static int free_arena(void **state)
{
    control_arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_rule_is_named),
        cmocka_unit_test(an_envelope_without_a_body_is_refused),
        cmocka_unit_test(bytes_that_are_not_protobuf_are_refused),
        cmocka_unit_test(sixteen_unknown_fields_pass_and_seventeen_do_not),
        cmocka_unit_test(a_snapshot_with_fewer_counters_is_accepted),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
