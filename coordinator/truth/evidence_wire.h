/* SPDX-License-Identifier: MIT */
/*
 * What the wire alone tells about why something was slow or lost, as figures for the
 * findings. They come from events and snapshots and judge nothing; a figure means
 * something only beside the number of cases it was taken from, 0 of 0 is "unknown".
 *
 * "First try": the first transmission of an exchange's message. Exchanges in a pause,
 * preflight's (except for windows and `alone`) and history of moved clients are left out.
 * Shares are made from counts, so every figure adds up over servers. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/dhcp4.h"
#include "proto/plan.h"

struct truth;

/* Ports 1..511 are what connection tracking has for a source port below 512. */
enum { WIRE_CEILING = 511, WIRE_WINDOWS = 3, WIRE_BUCKETS = 256 };

/*
 * Distinct addresses whose RENEW a server acknowledged, by windows side by side: of several ways to
 * lay them the one that shows a ceiling best. Where answers came from port 67 throughout nothing is
 * recorded; a client that two servers answer in turn counts at both.
 */
struct wire_window {
    uint32_t window_s;    /* 1, 30, 120 */
    uint64_t windows;     /* with any */
    uint64_t at_ceiling;  /* of these: 510 to 512 addresses */
    uint64_t above;       /* however they lie: more, which rules a timeout of window_s out */
    uint64_t most;        /* addresses in the fullest window */
    uint64_t longest_run; /* most windows at the ceiling in a row */
};

/* Times of one kind; 0 samples: unknown. */
struct wire_times {
    uint64_t samples;
    double p50_us, p90_us;
};

/* Values that crowd around one: the fullest interval [v / 1.15, v * 1.15]. */
struct wire_mode {
    uint64_t samples; /* in all */
    uint64_t near;    /* in the interval */
    double value_us;  /* its centre */
};

/* Seconds that had something to do, and how even they were. */
struct wire_seconds {
    uint64_t seconds;
    double mean_per_s, deviation_per_s, most_per_s;
};

struct wire_server {
    /* --- packets: agents' counters, all of them or none --- */
    uint64_t sent[DHCP4_INTENT_COUNT]; /* copies sent to it */
    uint64_t offers, acks, naks;       /* replies that name it, whatever became of them */
    uint64_t renew_replies;      /* ACK and NAK packets to RENEWs, late and duplicate ones too */
    uint64_t renew_unanswered;   /* sent[DHCP4_RENEW] - renew_replies: RENEW *packets* */
    uint64_t unicast_replies;    /* that came to port 68: what a NAT of the block rewrites */
    uint64_t relayed_wrong_port; /* to a relay's address, not from port 67 */
    uint64_t ports_low, ports_high, ports_other; /* unicast, not 67: 1..511, 600..1023, others */
    uint64_t low_ports;            /* distinct ports 1..511 (67 too) of unicast replies */
    uint64_t wrong_source;         /* replies whose source address is not their option 54 */
    uint32_t wrong_source_example; /* the latest such address, host order; 0: none */
    uint64_t t1_not_below_t2, t2_not_below_lease, timer_zero, t1_early; /* ACKs; early: < 25 % */
    uint64_t mask_not_subnet; /* ACKs whose mask is not that of their relay's `subnet` */

    /* --- renewals at T1, by exchange; the server is the one they were sent to --- */
    uint64_t renew_first_acked, renew_lost_first; /* the first try was answered, was not */
    uint64_t renew_retry_acked;                   /* of those lost: answered at a retransmission */
    uint64_t renew_retries;          /* retransmissions; P(success|retry) = retry_acked / retries */
    uint64_t renew_gave_up;          /* reached T2 */
    uint64_t losers;                 /* distinct clients that lost a first try */
    uint64_t after_loss, lost_again; /* renewals of those who had lost before; lost again */
    uint64_t after_win, lost_newly;  /* of those who had been answered and never lost; lost now */
    uint64_t rebind_acked, rebind_gave_up; /* after its RENEWs went unanswered; by any server */
    /* Of these, by the same server, by lease time: shorter by the time since the first RENEW, by
     * less (it had taken a later one), full although it would still have reused the lease it had
     * extended (dhcpd: within a quarter of the lease), full later (tells nothing). */
    uint64_t rebind_short_by_wait, rebind_short_less, rebind_full, rebind_full_late;
    uint64_t rebind_by_other;
    /* Renewals answered at a retransmission, by lease time likewise: short by at most the time
     * since the first try, which the server had taken; full although it would have reused the
     * lease. */
    uint64_t retry_short, retry_full;
    /* DHCPLEASEQUERY: the server's lease ends later than the client knows, as it knows, earlier. */
    uint64_t query_ahead, query_same, query_behind;
    uint64_t renewals_cached; /* ACK at the first try that ended when the old lease did (+-1.5 s) */
    uint64_t renewals_timed;  /* of which that could be told */
    double cached_age;        /* mean share of the lease that had passed at these; 0: none */
    struct wire_window window[WIRE_WINDOWS];

    /* --- times --- */
    /* ACKs of exchanges during which no other ACK came. */
    struct wire_times alone_offer, alone_ack, alone_gap; /* gap: REQUEST-ACK minus DISCOVER-OFFER */
    struct wire_times alone_renew;
    struct wire_times loaded_ack;           /* that came behind another: REQUEST-ACK */
    struct wire_mode ack_spacing;           /* between ACKs of which the later one had to wait */
    struct wire_mode offer_mode;            /* DISCOVER-OFFER, DISCOVER sent once, from 300 ms on */
    uint64_t offers_timed, offers_about_1s; /* sent once; of these within 0.95..1.10 s */
    struct wire_seconds busy;               /* ACKs/s in seconds in which nine of ten had to wait */
    struct wire_seconds losing;             /* ACKs/s in seconds in which first tries were lost */

    /* --- losses in time, by slots of 200 ms; a try belongs to where it was sent --- */
    uint64_t burst_slots, burst_tries; /* slots with 50 first tries or more */
    uint64_t burst_lost, burst_mended; /* of these lost; of those: answered at the first retry */
    uint64_t calm_tries, calm_lost, calm_mended; /* in all other slots */
    uint64_t worst_second_lost, all_lost;

    /* --- servers that fall silent and come back, as each agent saw it --- */
    uint64_t silences;        /* 5 s without an ACK while others gave 20 or more, ended */
    double longest_silence_s; /* ended or not */
    bool is_silent_at_end;
    /* First DISCOVERs while this server was silent, by how they were answered. */
    uint64_t silent_first, silent_retry, silent_later, silent_gave_up;
    /* RFC 3074 buckets of their clients: only answered at once, only later or never, both. */
    uint64_t buckets_answered, buckets_lost, buckets_mixed;
    /* Own clients (it gave them their first lease): went to another server, and back again. */
    uint64_t clients, left, went_back;
    /* After a silence of its own: own clients whose RENEW another server, that answered others
     * meanwhile, ignored, and whose REBIND this one answered. */
    uint64_t handed_back;
};

/* Relays with and without option 82 (a RENEW has none, a REBIND does). */
struct wire_option82 {
    uint64_t relays, renew_acked, renew_nak, renew_gave_up, renew_moved; /* moved: other address */
    uint64_t rebind_acked, rebind_moved;
    uint64_t
        relays_failing; /* relays that renewed nobody though three or more tried, but rebound */
};

struct truth_wire {
    bool has_packets; /* every agent has told its counters of packets */
    uint32_t server_count;
    struct wire_server server[PLAN_SERVERS_MAX];
    struct wire_option82 with82, without82;
    /* ICMP of the agents' hosts since READY; agents on one host each see all of it. */
    uint64_t icmp_agents;                 /* agents that could read it */
    uint64_t icmp_echo_in, icmp_echo_out; /* of the agent with the most answers */
    uint64_t icmp_errors;                 /* that answered packets of the agents, all agents */
    uint64_t late; /* events too late for figures by slot and window (minutes behind others) */
};

/* Any time; not cheap: for the end of a run. */
void truth_wire_figures(const struct truth *truth, struct truth_wire *out);
