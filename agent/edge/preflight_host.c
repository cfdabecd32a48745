/* SPDX-License-Identifier: MIT */
#include "agent/edge/preflight_host.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    FILES_BESIDES = 8, /* the packet thread's own: epoll, eventfd */
    CLOCK_NAME_BYTES = 64
};

void preflight_host_add(struct preflight_host *host, const struct control_fact *fact)
{
    if (host->count < CONTROL_FACTS_MAX - 1) {
        host->facts[host->count++] = *fact;
        return;
    }
    struct control_fact *last = &host->facts[CONTROL_FACTS_MAX - 1];
    if (host->count < CONTROL_FACTS_MAX) {
        *last = (struct control_fact){.kind = FACT_MORE};
        host->count++;
    }
    last->value++;
}

void preflight_host_looked(struct preflight_host *host, enum control_fact_kind kind)
{
    /* The first row, see preflight_host_look(). */
    host->facts[0].value |= UINT64_C(1) << kind;
}

static void add_number(struct preflight_host *host, enum control_fact_kind kind, uint64_t value,
                       uint64_t limit)
{
    preflight_host_looked(host, kind);
    preflight_host_add(host, &(struct control_fact){.kind = kind, .value = value, .limit = limit});
}

/* Descriptors this process has open now; -1: unknown. */
static long open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long count = -1; /* the directory's own */
    if (dir == NULL) {
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return count < 0 ? 0 : count;
}

static void look_at_limits(const struct preflight_ask *ask, struct preflight_host *out)
{
    struct rlimit files;
    long used = open_files();
    if (used >= 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        uint64_t limit = files.rlim_cur == RLIM_INFINITY ? UINT64_MAX : files.rlim_cur;
        add_number(out, FACT_OPEN_FILES, limit, (uint64_t)used + ask->sockets + FILES_BESIDES);
    }
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof(usable), &usable) == 0) {
        add_number(out, FACT_PROCESSORS, (uint64_t)CPU_COUNT(&usable), 0);
    }
}

static enum control_clock_source source_of(const char *name)
{
    static const struct {
        const char *name;
        enum control_clock_source source;
    } known[] = {
        {"tsc", CLOCK_SOURCE_FAST},
        {"kvm-clock", CLOCK_SOURCE_FAST},
        {"hyperv_clocksource_tsc_page", CLOCK_SOURCE_FAST},
        {"arch_sys_counter", CLOCK_SOURCE_FAST},
        {"hpet", CLOCK_SOURCE_SLOW},
        {"acpi_pm", CLOCK_SOURCE_SLOW},
        {"jiffies", CLOCK_SOURCE_COARSE},
        {"refined-jiffies", CLOCK_SOURCE_COARSE},
        {"pit", CLOCK_SOURCE_COARSE},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].source;
        }
    }
    return CLOCK_SOURCE_OTHER;
}

static void look_at_clocks(struct preflight_host *out)
{
    char name[CLOCK_NAME_BYTES] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file != NULL) {
        if (fgets(name, sizeof(name), file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
            add_number(out, FACT_CLOCK_SOURCE, source_of(name), 0);
        }
        (void)fclose(file);
    }
    struct timespec step;
    if (clock_getres(CLOCK_MONOTONIC, &step) == 0) {
        add_number(out, FACT_TIMER_STEP, (uint64_t)step.tv_sec * NS_PER_S + (uint64_t)step.tv_nsec,
                   0);
    }
}

void preflight_host_look(const struct preflight_ask *ask, struct preflight_host *out)
{
    *out = (struct preflight_host){.count = 1};
    out->facts[0].kind = FACT_LOOKED_AT;
    look_at_limits(ask, out);
    look_at_clocks(out);
    preflight_net_look(ask, out);
}
