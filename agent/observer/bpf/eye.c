/* SPDX-License-Identifier: MIT */
#include "agent/observer/eye.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/observer/bpf/server_eye.h"

#include <server_eye.skel.h> /* made from the above, and names its types */

#define NS_PER_US_D 1e3

static void refuse(struct eye *e, int error)
{
    bool is_permission = error == EPERM || error == EACCES;
    e->available = is_permission ? AVAILABLE_NO_PERMISSION : AVAILABLE_NO_KERNEL;
    (void)snprintf(e->why, sizeof(e->why), "the kernel program is not loaded (%s)%s",
                   strerrorname_np(error) == NULL ? "?" : strerrorname_np(error),
                   is_permission ? "; it needs CAP_BPF and CAP_PERFMON" : "");
}

void eye_open(struct eye *e)
{
    memset(e, 0, sizeof(*e));
    (void)libbpf_set_print(NULL);
    struct server_eye *program = server_eye__open();
    int rc = program == NULL ? -errno : server_eye__load(program);
    rc = rc == 0 ? server_eye__attach(program) : rc;
    if (rc != 0) {
        refuse(e, -rc);
        server_eye__destroy(program);
        return;
    }
    e->program = program;
    e->available = AVAILABLE_OK;
}

void eye_close(struct eye *e)
{
    server_eye__destroy(e->program);
    e->program = NULL;
}

/* The inode that names a network namespace; 0: not to be had. */
static unsigned network_of(const struct observer_target *target)
{
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)target->pid);
    if (stat(path, &st) == 0 || (target->is_same_network && stat("/proc/self/ns/net", &st) == 0)) {
        return (unsigned)st.st_ino;
    }
    return 0;
}

static void follow(struct eye *e, const struct observer_target *target)
{
    struct server_eye *program = e->program;
    program->bss->target = 0;
    program->bss->network = target->pid == 0 ? 0 : network_of(target);
    program->bss->target = (unsigned)target->pid;
    e->instance = target->instance;
}

static void lacks(enum availability why, struct observation *out)
{
    for (int m = OBSERVER_bpf_fsyncs; m <= OBSERVER_bpf_send_refused; m++) {
        observation_lacks(out, (enum observer_metric)m, why);
    }
    for (int m = OBSERVER_bpf_fsync_to_16us; m <= OBSERVER_bpf_refused_otherwise; m++) {
        observation_lacks(out, (enum observer_metric)m, why);
    }
}

/* The kernel's buckets are powers of two; ours join two each, the first four, the last all others.
 */
static void observe_spans(const struct eye_spans *spans, int first, struct observation *out)
{
    double sum[OBSERVER_SPAN_METRICS] = {0};
    for (size_t i = 0; i < EYE_BUCKETS; i++) {
        size_t at = i < 4 ? 0 : i / 2 - 1;
        at = at < OBSERVER_SPAN_METRICS ? at : OBSERVER_SPAN_METRICS - 1;
        sum[at] += (double)spans->bucket[i];
    }
    for (int i = 0; i < OBSERVER_SPAN_METRICS; i++) {
        observation_set(out, (enum observer_metric)(first + i), sum[i]);
    }
}

static void observe_refusals(const struct eye_counts *c, struct observation *out)
{
    double permission = (double)c->refused_errno[EPERM];
    double route = (double)c->refused_errno[ENETUNREACH] + (double)c->refused_errno[EHOSTUNREACH];
    double room = (double)c->refused_errno[ENOBUFS] + (double)c->refused_errno[EAGAIN];
    double all = 0;
    for (size_t i = 0; i < EYE_ERRNOS; i++) {
        all += (double)c->refused_errno[i];
    }
    observation_set(out, OBSERVER_bpf_send_refused, all);
    observation_set(out, OBSERVER_bpf_refused_not_permitted, permission);
    observation_set(out, OBSERVER_bpf_refused_no_route, route);
    observation_set(out, OBSERVER_bpf_refused_no_room, room);
    observation_set(out, OBSERVER_bpf_refused_otherwise, all - permission - route - room);
}

void eye_observe(struct eye *e, const struct observer_target *target, struct observation *out)
{
    if (e->program == NULL) {
        lacks(e->available, out);
        return;
    }
    if (e->instance != target->instance) {
        follow(e, target);
    }
    if (e->instance == 0) {
        lacks(AVAILABLE_NOT_APPLICABLE, out);
        return;
    }
    const struct server_eye *program = e->program;
    struct eye_counts c = program->bss->counts; /* the kernel goes on counting meanwhile */
    observation_set(out, OBSERVER_bpf_fsyncs, (double)c.fsync.count);
    observation_set(out, OBSERVER_bpf_fsync_time, (double)c.fsync.sum_ns / NS_PER_US_D);
    observation_set(out, OBSERVER_bpf_fsync_longest, (double)c.fsync.longest_ns / NS_PER_US_D);
    observation_set(out, OBSERVER_bpf_messages_read, (double)c.messages_read);
    observation_set(out, OBSERVER_bpf_queue_wait, (double)c.queue_wait.sum_ns / NS_PER_US_D);
    observation_set(out, OBSERVER_bpf_service, (double)c.service.sum_ns / NS_PER_US_D);
    observation_set(out, OBSERVER_bpf_answers, (double)c.answers);
    observe_spans(&c.fsync, OBSERVER_bpf_fsync_to_16us, out);
    observe_spans(&c.queue_wait, OBSERVER_bpf_wait_to_16us, out);
    observe_spans(&c.service, OBSERVER_bpf_serve_to_16us, out);
    observe_refusals(&c, out);
}
