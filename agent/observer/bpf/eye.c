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
    static const enum observer_metric all[] = {
        OBSERVER_bpf_fsyncs,     OBSERVER_bpf_fsync_time,    OBSERVER_bpf_fsync_longest,
        OBSERVER_bpf_queue_wait, OBSERVER_bpf_messages_read, OBSERVER_bpf_service,
        OBSERVER_bpf_answers,    OBSERVER_bpf_send_refused};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        observation_lacks(out, all[i], why);
    }
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
    observation_set(out, OBSERVER_bpf_send_refused, (double)c.refused);
}
