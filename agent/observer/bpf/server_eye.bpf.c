/* SPDX-License-Identifier: MIT */
/*
 * Follows the DHCP messages of one server: when one arrives from the network, when the server
 * has read it, when its answer is sent and what the kernel said to that, and how long fsync()
 * takes. Three tracepoints; kprobes and fentry are not to be had on every kernel.
 *
 * A message is known by its xid and the end of its chaddr.
 */
/*
 * The few fields of kernel structures that are read here. Their places are corrected when the
 * program is loaded (CO-RE), by the running kernel's own description: nothing is of one kernel, and
 * no generated vmlinux.h is needed.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u16 __be16;
typedef u32 __be32;
typedef u64 __u64;
typedef u32 __u32;
typedef u32 __wsum;
typedef u16 __u16;
typedef u8 __u8;
typedef long long __s64;
typedef int __s32;
typedef long long s64;

enum { MAP_ARRAY = 2, MAP_LRU_HASH = 9 };
enum { ANY = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
    unsigned int inum;
};
struct net {
    struct ns_common ns;
};
typedef struct {
    struct net *net;
} possible_net_t;
struct net_device {
    possible_net_t nd_net;
};
struct sk_buff {
    unsigned char *head;
    u16 network_header;
    struct net_device *dev;
};
struct pt_regs {
#if defined(__TARGET_ARCH_x86)
    unsigned long di, si, dx;
#endif
};
struct user_pt_regs {
    u64 regs[31];
};
#pragma clang attribute pop

/* Of user space: their layout is the system call's and never changes. */
struct user_iovec {
    u64 base, length;
};
struct user_msghdr {
    u64 name;
    u32 name_length, pad;
    u64 iov, iov_length;
};

#include <asm/unistd.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "agent/observer/bpf/server_eye.h"

enum { SERVER_PORT = 67, UDP = 17, REQUEST = 1, REPLY = 2, ETHERNET = 1, MAC_BYTES = 6 };
enum { ETH_BYTES = 14, UDP_BYTES = 8, HEAD_BYTES = 36, PREFIX_MAX = ETH_BYTES + 60 + UDP_BYTES };

char LICENSE[] SEC("license") = "Dual MIT/GPL"; /* what the kernel asks of tracing programs */

volatile unsigned int target = 0;  /* process (tgid) */
volatile unsigned int network = 0; /* its network namespace's inode */
struct eye_counts counts = {0};

struct message {
    u32 xid, chaddr_end;
};
/* Of a thread in a system call. */
struct call {
    u64 number, begin_ns, buffer;
    struct message message; /* being sent; 0: nothing we know */
};

struct {
    __uint(type, MAP_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct message);
    __type(value, u64);
} arrived SEC(".maps"), being_served SEC(".maps");

struct {
    __uint(type, MAP_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, u32);
    __type(value, struct call);
} calls SEC(".maps");

static __always_inline void span_add(struct eye_spans *s, u64 ns)
{
    u64 us = ns / 1000;
    u32 bucket = 0;
#pragma unroll
    for (int i = 1; i < EYE_BUCKETS; i++) {
        bucket += us >> i != 0;
    }
    barrier_var(bucket); /* the verifier wants to see the bound, the compiler to leave it out */
    __sync_fetch_and_add(&s->count, 1);
    __sync_fetch_and_add(&s->sum_ns, ns);
    __sync_fetch_and_add(&s->bucket[bucket & (EYE_BUCKETS - 1)], 1);
    if (ns > s->longest_ns) {
        s->longest_ns = ns; /* two threads at once: the shorter may win, by a hair */
    }
}

/* Which message begins at `head`, the first HEAD_BYTES of BOOTP. */
static __always_inline int known(const u8 *head, u8 op, struct message *out)
{
    if (head[0] != op || head[1] != ETHERNET || head[2] != MAC_BYTES) {
        return 0;
    }
    __builtin_memcpy(&out->xid, head + 4, 4);
    __builtin_memcpy(&out->chaddr_end, head + 30, 4);
    return 1;
}

/* In the server's memory: BOOTP itself, or a whole frame of a packet socket. */
static __always_inline int known_in_user(u64 buffer, u8 op, struct message *out)
{
    u8 head[HEAD_BYTES], ip[2];
    if (bpf_probe_read_user(head, sizeof(head), (void *)buffer) == 0 && known(head, op, out)) {
        return 1;
    }
    if (bpf_probe_read_user(ip, sizeof(ip), (void *)(buffer + ETH_BYTES)) != 0 || ip[0] >> 4 != 4) {
        return 0;
    }
    u64 at = buffer + ETH_BYTES + (u64)(ip[0] & 15) * 4 + UDP_BYTES;
    return bpf_probe_read_user(head, sizeof(head), (void *)at) == 0 && known(head, op, out);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(message_arrives, struct sk_buff *skb)
{
    if (BPF_CORE_READ(skb, dev, nd_net.net, ns.inum) != network) {
        return 0;
    }
    u8 ip[20], udp[4], head[HEAD_BYTES];
    const u8 *at = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
    if (bpf_probe_read_kernel(ip, sizeof(ip), at) != 0 || ip[0] >> 4 != 4 || ip[9] != UDP) {
        return 0;
    }
    at += (ip[0] & 15) * 4;
    if (bpf_probe_read_kernel(udp, sizeof(udp), at) != 0 || udp[2] != 0 || udp[3] != SERVER_PORT) {
        return 0;
    }
    struct message m;
    if (bpf_probe_read_kernel(head, sizeof(head), at + UDP_BYTES) == 0 &&
        known(head, REQUEST, &m)) {
        u64 now_ns = bpf_ktime_get_ns();
        /* One that was lost and is sent again did not wait since then: the latest counts. */
        bpf_map_update_elem(&arrived, &m, &now_ns, ANY);
    }
    return 0;
}

/* The buffer of a message in a struct msghdr. */
static __always_inline u64 first_iovec(u64 msghdr)
{
    struct user_msghdr h;
    struct user_iovec v;
    if (bpf_probe_read_user(&h, sizeof(h), (void *)msghdr) != 0 ||
        bpf_probe_read_user(&v, sizeof(v), (void *)h.iov) != 0) {
        return 0;
    }
    return v.base;
}

static __always_inline u64 second_argument(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
    return BPF_CORE_READ(regs, si);
#else
    return BPF_CORE_READ((const struct user_pt_regs *)regs, regs[1]);
#endif
}

static __always_inline int is_ours(void)
{
    return target != 0 && (u32)(bpf_get_current_pid_tgid() >> 32) == target;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(call_begins, struct pt_regs *regs, long number)
{
    if (!is_ours()) {
        return 0;
    }
    struct call c = {.number = (u64)number};
    switch (number) {
    case __NR_fsync:
    case __NR_fdatasync:
        break;
    case __NR_sendmsg:
    case __NR_recvmsg:
        c.buffer = first_iovec(second_argument(regs));
        break;
    case __NR_sendto:
    case __NR_write:
    case __NR_recvfrom:
    case __NR_read:
        c.buffer = second_argument(regs);
        break;
    default:
        return 0;
    }
    u32 thread = (u32)bpf_get_current_pid_tgid();
    c.begin_ns = bpf_ktime_get_ns();
    if (number == __NR_sendmsg || number == __NR_sendto || number == __NR_write) {
        if (!known_in_user(c.buffer, REPLY, &c.message)) {
            return 0;
        }
    }
    bpf_map_update_elem(&calls, &thread, &c, ANY);
    return 0;
}

static __always_inline void message_was_read(const struct call *c, long result)
{
    struct message m;
    if (result < HEAD_BYTES || !known_in_user(c->buffer, REQUEST, &m)) {
        return;
    }
    u64 now_ns = bpf_ktime_get_ns();
    u64 *arrived_ns = bpf_map_lookup_elem(&arrived, &m);
    if (arrived_ns == 0) {
        return; /* read a second time, by the other of the server's sockets */
    }
    span_add(&counts.queue_wait, now_ns - *arrived_ns);
    bpf_map_delete_elem(&arrived, &m);
    __sync_fetch_and_add(&counts.messages_read, 1);
    bpf_map_update_elem(&being_served, &m, &now_ns, ANY);
}

static __always_inline void answer_was_sent(const struct call *c, long result)
{
    u64 *read_ns = bpf_map_lookup_elem(&being_served, &c->message);
    if (read_ns != 0) {
        span_add(&counts.service, bpf_ktime_get_ns() - *read_ns);
        bpf_map_delete_elem(&being_served, &c->message);
    }
    if (result >= 0) {
        __sync_fetch_and_add(&counts.answers, 1);
        return;
    }
    u32 error = (u32)-result;
    error = error < EYE_ERRNOS ? error : 0;
    barrier_var(error);
    __sync_fetch_and_add(&counts.refused_errno[error & (EYE_ERRNOS - 1)], 1);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_ends, struct pt_regs *regs, long result)
{
    if (!is_ours()) {
        return 0;
    }
    u32 thread = (u32)bpf_get_current_pid_tgid();
    struct call *found = bpf_map_lookup_elem(&calls, &thread);
    if (found == 0) {
        return 0;
    }
    struct call c = *found;
    bpf_map_delete_elem(&calls, &thread);
    switch (c.number) {
    case __NR_fsync:
    case __NR_fdatasync:
        span_add(&counts.fsync, bpf_ktime_get_ns() - c.begin_ns);
        break;
    case __NR_recvmsg:
    case __NR_recvfrom:
    case __NR_read:
        message_was_read(&c, result);
        break;
    default:
        answer_was_sent(&c, result);
        break;
    }
    return 0;
}
