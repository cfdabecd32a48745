/* SPDX-License-Identifier: MIT */
#include "agent/observer/sources.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/observer/network.h"
#include "agent/observer/remark.h"

#define NS_PER_US UINT64_C(1000)
#define US_PER_S  UINT64_C(1000000)

bool sources_open(struct sources *s, const char *wanted, const struct observer_files *files,
                  char why[PROCESS_WHY_BYTES])
{
    memset(s, 0, sizeof(*s));
    if (!process_init(&s->process, wanted, files, why)) {
        return false;
    }
    threads_init(&s->threads);
    disk_init(&s->disk);
    stage1_open(&s->stage1);
    sockets_open(&s->sockets);
    eye_open(&s->eye);
    return true;
}

void sources_close(struct sources *s)
{
    threads_close(&s->threads);
    sockets_close(&s->sockets);
    stage1_close(&s->stage1);
    eye_close(&s->eye);
}

void sources_look(struct sources *s, uint64_t due_ns, uint64_t now_ns)
{
    s->late_us += (now_ns - due_ns) / NS_PER_US;
    if (s->looks++ % 2 == 0) { /* enough for what is the coarser of two views */
        threads_look(&s->threads, &s->process.target);
    }
    stage1_look(&s->stage1, &s->process.target, now_ns);
}

static void observe_self(const struct sources *s, struct observation *out)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        uint64_t used_s = (uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec;
        uint64_t used_us = (uint64_t)used.ru_utime.tv_usec + (uint64_t)used.ru_stime.tv_usec;
        observation_set(out, OBSERVER_self_cpu, (double)(used_s * US_PER_S + used_us));
    }
    observation_set(out, OBSERVER_self_late, (double)s->late_us);
}

static void remark_if_any(struct observation *out, const char *sentence)
{
    if (sentence[0] != '\0') {
        remark(out, sentence);
    }
}

void sources_observe(struct sources *s, uint64_t now_ns, struct observation *out)
{
    memset(out, 0, sizeof(*out));
    process_look(&s->process);
    const struct observer_target *target = &s->process.target;
    out->seq = ++s->seq;
    out->at_ns = now_ns;
    out->instance = target->instance;
    out->process_id = (uint32_t)target->pid;
    remark_if_any(out, s->process.why);
    threads_observe(&s->threads, target, out);
    network_observe(target, out);
    sockets_observe(&s->sockets, target, out);
    if (s->sockets.is_guessed) {
        remark(out, "sockets are guessed without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
    }
    stage1_observe(&s->stage1, target, now_ns, out);
    eye_observe(&s->eye, target, out);
    remark_if_any(out, s->eye.why);
    disk_observe(&s->disk, s->stage1.files.leases, out);
    observe_self(s, out);
}
