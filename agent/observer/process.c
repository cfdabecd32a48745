/* SPDX-License-Identifier: MIT */
#include "agent/observer/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/observer/parse/proc_text.h"
#include "agent/observer/read_text.h"

enum { COMM_BYTES = 15, STAT_BYTES = 1024, PATH_BYTES = 64 };

/* Of a directory of procfs; 0: no number. */
static pid_t number_of(const char *name)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(name, &end, 10);
    bool is_number = name[0] >= '1' && name[0] <= '9' && *end == '\0' && errno == 0;
    return is_number && number <= INT_MAX ? (pid_t)number : 0;
}

bool process_init(struct process *p, const char *wanted, const struct observer_files *files,
                  char why[PROCESS_WHY_BYTES])
{
    memset(p, 0, sizeof(*p));
    p->wanted = number_of(wanted);
    p->target.files = *files;
    p->target.is_same_network = true; /* until it is found elsewhere */
    size_t size = strlen(wanted);
    bool is_name = p->wanted == 0 && size > 0 && size < sizeof(p->name) &&
                   strpbrk(wanted, "/ \t\n") == NULL && wanted[0] != '-';
    if (p->wanted == 0 && !is_name) {
        (void)snprintf(why, PROCESS_WHY_BYTES,
                       "--process '%.60s' is neither a program's name nor a process id; write for "
                       "example dhcpd or kea-dhcp4",
                       wanted);
        return false;
    }
    if (is_name) {
        (void)snprintf(p->name, sizeof(p->name), "%s", wanted);
    }
    return true;
}

/* Who has ended, and is only not waited for, is not running. */
static bool look_at(pid_t pid, struct proc_stat *out)
{
    char path[PATH_BYTES], text[STAT_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    return read_text(path, text, sizeof(text)) > 0 && proc_parse_stat(text, out) &&
           out->state != 'Z' && out->state != 'X';
}

/*
 * Each network namespace has files of its own under /proc/PID/net, so their numbers tell whether
 * two are the same; /proc/PID/ns/net would say so too, but not to everybody.
 */
static bool is_same_network(pid_t pid)
{
    char path[PATH_BYTES];
    struct stat ours, theirs;
    (void)snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
    return stat(path, &theirs) == 0 && stat("/proc/self/net/dev", &ours) == 0 &&
           ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static enum target_program program_of(const char *comm)
{
    if (strcmp(comm, "dhcpd") == 0) {
        return TARGET_DHCPD;
    }
    return strcmp(comm, "kea-dhcp4") == 0 ? TARGET_KEA : TARGET_OTHER;
}

static void take(struct process *p, const struct proc_stat *stat)
{
    struct observer_target *t = &p->target;
    t->pid = (pid_t)stat->pid;
    t->start_ticks = stat->start_ticks;
    t->instance = (stat->start_ticks << 22) + stat->pid; /* PID_MAX_LIMIT is 2^22 */
    t->program = program_of(stat->comm);
    (void)snprintf(t->name, sizeof(t->name), "%s", stat->comm);
    t->is_same_network = is_same_network(t->pid);
}

static void lose(struct process *p)
{
    struct observer_target *t = &p->target;
    t->pid = 0;
    t->start_ticks = t->instance = 0;
    t->thread_count = 0;
    if (p->wanted != 0) {
        (void)snprintf(p->why, sizeof(p->why), "process %d is not running, or is hidden from here",
                       (int)p->wanted);
    } else {
        (void)snprintf(p->why, sizeof(p->why),
                       "no process called %.40s is running, or it is hidden from here", p->name);
    }
}

struct search {
    struct proc_stat best;
    size_t near, far; /* in our own network, in others */
    pid_t last_far;
};

/*
 * The one that was started first. Whoever has the name in another network is another host's server
 * as far as DHCP goes: it is not taken for one that has ended here.
 */
static void consider(struct search *s, const struct proc_stat *stat)
{
    if (!is_same_network((pid_t)stat->pid)) {
        s->far++;
        s->last_far = (pid_t)stat->pid;
        return;
    }
    if (s->near++ == 0 || stat->start_ticks < s->best.start_ticks) {
        s->best = *stat;
    }
}

static bool has_name(pid_t pid, const char *name)
{
    char path[PATH_BYTES], comm[PROC_COMM_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (read_text(path, comm, sizeof(comm)) <= 0) {
        return false;
    }
    comm[strcspn(comm, "\n")] = '\0';
    return strncmp(comm, name, COMM_BYTES) == 0; /* the kernel keeps no more of a name */
}

static void find(struct process *p)
{
    struct search search = {.near = 0};
    DIR *all = opendir("/proc");
    for (const struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        pid_t pid = number_of(entry->d_name);
        struct proc_stat stat;
        if (pid != 0 && has_name(pid, p->name) && look_at(pid, &stat)) {
            consider(&search, &stat);
        }
    }
    if (all != NULL) {
        (void)closedir(all);
    }
    if (search.near > 0) {
        take(p, &search.best);
        p->namesakes = search.near - 1;
        return;
    }
    lose(p);
    if (search.far > 0) {
        (void)snprintf(p->why, sizeof(p->why),
                       "no process called %.40s is running in the observer's network namespace; %d "
                       "is in another, start the observer there",
                       p->name, (int)search.last_far);
    }
}

static void list_threads(struct observer_target *t)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)t->pid);
    DIR *all = opendir(path);
    t->thread[0] = t->pid;
    t->thread_count = 1;
    for (const struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        pid_t thread = number_of(entry->d_name);
        if (thread != 0 && thread != t->pid && t->thread_count < TARGET_THREADS_MAX) {
            t->thread[t->thread_count++] = thread;
        }
    }
    if (all != NULL) {
        (void)closedir(all);
    }
}

static void say_which(struct process *p)
{
    const struct observer_target *t = &p->target;
    p->why[0] = '\0';
    if (!t->is_same_network) {
        (void)snprintf(p->why, sizeof(p->why),
                       "process %d is in another network namespace than the observer; start the "
                       "observer in the server's",
                       (int)t->pid);
    } else if (p->namesakes > 0) {
        (void)snprintf(p->why, sizeof(p->why),
                       "of %zu processes called %.40s the oldest, %d, is looked at; for another "
                       "one give --process its number",
                       p->namesakes + 1, t->name, (int)t->pid);
    }
}

void process_look(struct process *p)
{
    struct proc_stat stat;
    pid_t pid = p->wanted != 0 ? p->wanted : p->target.pid;
    bool is_there = pid != 0 && look_at(pid, &stat);
    if (is_there && (p->wanted != 0 || stat.start_ticks == p->target.start_ticks)) {
        take(p, &stat);
    } else if (p->wanted != 0) {
        lose(p);
    } else {
        find(p);
    }
    if (p->target.pid != 0) {
        list_threads(&p->target);
        say_which(p);
    }
}
