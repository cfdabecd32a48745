/* SPDX-License-Identifier: MIT */
#include "coordinator/run/local_agents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/inet.h"
#include "coordinator/run/run_dir.h"

static void dir_of(const char *run_dir, size_t number, char out[RUN_DIR_PATH_BYTES])
{
    snprintf(out, RUN_DIR_PATH_BYTES, "%s/local-%zu", run_dir, number);
}

struct local_policy {
    const struct scenario *scenario;
    const uint8_t *operator_key;
};

/* Preflight and clean-up are not part of the scenario's time. */
enum { TIME_AROUND_S = 4000 };

static void put_caps(const struct scenario *s, FILE *to)
{
    uint64_t packets_per_s = (s->packets_milli_per_s + 999) / 1000;
    uint64_t run_time_s = (s->time_ns + NS_PER_S - 1) / NS_PER_S;
    fprintf(to,
            "packets: %" PRIu64 "/s\nclients: %" PRIu64 "\nrun_time: %" PRIu64 "s\n"
            "total_packets: %" PRIu64 "\nrenewals_without_coordinator: %" PRIu64 "s\n",
            packets_per_s, scenario_client_count(s), run_time_s,
            packets_per_s * (run_time_s + TIME_AROUND_S), s->renewals_alone_ns / NS_PER_S);
}

static int policy_text(const void *what, FILE *to)
{
    const struct local_policy *about = what;
    const struct scenario *s = about->scenario;
    const struct scenario_server *servers = s->servers.items;
    const struct scenario_relay *relays = s->relays.items;
    char text[IPV4_NET_TEXT_BYTES];
    fprintf(to, "# Derived from the scenario by `leaseherd run --local`; valid for this run "
                "only.\nservers:\n");
    for (size_t i = 0; i < s->servers.count; i++) {
        fprintf(to, "  - %s\n", inet_text(servers[i].address, text));
    }
    fprintf(to, "prefixes:\n  - %s\n", inet_net_text(s->block, text));
    for (size_t i = 0; i < s->relays.count; i++) {
        fprintf(to, "  - %s/32\n", inet_text(relays[i].giaddr, text));
        if (!inet_equal(relays[i].via, relays[i].giaddr)) {
            fprintf(to, "  - %s/32\n", inet_text(relays[i].via, text));
        }
    }
    put_caps(s, to);
    char key[SIGN_PUBLIC_TEXT_BYTES];
    sign_public_to_text(about->operator_key, key);
    fprintf(to, "operators:\n  this-run: {key: %s}\n", key);
    return ferror(to) ? -EIO : 0;
}

static int prepare_one(const char *run_dir, size_t number, const struct local_policy *policy,
                       const struct key_pair *own, struct key_entry *entry,
                       char why[LOCAL_WHY_BYTES])
{
    char dir[RUN_DIR_PATH_BYTES], path[RUN_DIR_PATH_BYTES], reason[KEY_WHY_BYTES];
    dir_of(run_dir, number, dir);
    if (mkdir(dir, 0700) < 0) {
        snprintf(why, LOCAL_WHY_BYTES, "cannot create %s: %s", dir, strerror(errno));
        return -errno;
    }
    struct key_pair pair;
    key_pair_make(&pair);
    int rc = key_pair_write(run_dir_path(dir, "agent.key", path), &pair, reason);
    if (rc == 0) {
        rc = key_public_write(run_dir_path(dir, "coordinator.pub", path), own->public_key, reason);
    }
    snprintf(entry->name, sizeof(entry->name), "local-%zu", number);
    entry->role = KEY_ROLE_AGENT;
    memcpy(entry->public_key, pair.public_key, KEY_BYTES);
    snprintf(entry->added, sizeof(entry->added), "-");
    snprintf(entry->expires, sizeof(entry->expires), "-");
    key_pair_wipe(&pair);
    if (rc < 0) {
        snprintf(why, LOCAL_WHY_BYTES, "%s", reason);
        return rc;
    }
    return run_dir_print(dir, "policy.yaml", policy_text, policy, why);
}

int local_agents_prepare(const char *run_dir, size_t count, const struct scenario *s,
                         const uint8_t operator_key[SIGN_PUBLIC_BYTES], struct key_pair *out_own,
                         struct key_list *out_allowed, char why[LOCAL_WHY_BYTES])
{
    assert(count > 0 && count <= LOCAL_AGENTS_MAX);
    const struct local_policy policy = {s, operator_key};
    key_pair_make(out_own);
    out_allowed->entries = calloc(count, sizeof(*out_allowed->entries));
    out_allowed->count = count;
    if (out_allowed->entries == NULL) {
        snprintf(why, LOCAL_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = prepare_one(run_dir, i + 1, &policy, out_own, &out_allowed->entries[i], why);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* The agent's binary lies beside ours. */
static bool agent_binary(char out[RUN_DIR_PATH_BYTES])
{
    ssize_t size = readlink("/proc/self/exe", out, RUN_DIR_PATH_BYTES - 1);
    if (size <= 0) {
        return false;
    }
    out[size] = '\0';
    char *slash = strrchr(out, '/');
    size_t room = RUN_DIR_PATH_BYTES - (size_t)(slash + 1 - out);
    return (size_t)snprintf(slash + 1, room, "leaseherd-agent") < room && access(out, X_OK) == 0;
}

struct child {
    const char *binary, *run_dir;
    size_t number;
    int log_fd, port_fd;
    pid_t parent;
};

/* In the child, with the one thread there was: waits for the port, and is the agent from then on.
 */
static void become_agent(const struct child *c)
{
    char dir[RUN_DIR_PATH_BYTES], key[RUN_DIR_PATH_BYTES], server[RUN_DIR_PATH_BYTES],
        policy[RUN_DIR_PATH_BYTES], target[32], parent[32];
    uint16_t port = 0;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != c->parent) {
        _exit(6); /* the parent went before the line above took effect */
    }
    /* Own process group: Ctrl-C reaches the coordinator alone, which then ends the run in order. */
    setpgid(0, 0);
    dup2(c->log_fd, STDERR_FILENO);
    dup2(c->log_fd, STDOUT_FILENO);
    if (read(c->port_fd, &port, sizeof(port)) != (ssize_t)sizeof(port)) {
        _exit(6); /* there will be no run */
    }
    dir_of(c->run_dir, c->number, dir);
    run_dir_path(dir, "agent.key", key);
    run_dir_path(dir, "coordinator.pub", server);
    run_dir_path(dir, "policy.yaml", policy);
    snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)port);
    /* A binary with capabilities forgets PDEATHSIG in execv(), and asks for it again. */
    snprintf(parent, sizeof(parent), "%ld", (long)c->parent);
    if (setenv("LEASEHERD_PARENT", parent, 1) < 0) {
        _exit(6);
    }
    /* execv() wants words it could write to. */
    static char name[] = "leaseherd-agent", coordinator[] = "--coordinator",
                server_key[] = "--server-key", own_key[] = "--key", policy_flag[] = "--policy",
                state_dir[] = "--state-dir", once[] = "--once";
    char *argv[] = {name,        coordinator, target,    server_key, server, own_key, key,
                    policy_flag, policy,      state_dir, dir,        once,   NULL};
    execv(c->binary, argv);
    _exit(6);
}

static int fork_one(struct child *child, int write_fd, pid_t *out, char why[LOCAL_WHY_BYTES])
{
    char dir[RUN_DIR_PATH_BYTES], log[RUN_DIR_PATH_BYTES];
    dir_of(child->run_dir, child->number, dir);
    run_dir_path(dir, "agent.log", log);
    child->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (child->log_fd < 0) {
        snprintf(why, LOCAL_WHY_BYTES, "cannot create %s: %s", log, strerror(errno));
        return -errno;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(write_fd); /* so that the parent's end is the only one */
        become_agent(child);
    }
    int error = errno;
    close(child->log_fd);
    if (pid < 0) {
        snprintf(why, LOCAL_WHY_BYTES, "cannot start a local agent: %s", strerror(error));
        return -error;
    }
    *out = pid;
    return 0;
}

int local_agents_fork(struct local_agents *agents, const char *run_dir, size_t count,
                      char why[LOCAL_WHY_BYTES])
{
    char binary[RUN_DIR_PATH_BYTES];
    int ends[2];
    memset(agents, 0, sizeof(*agents));
    if (!agent_binary(binary)) {
        snprintf(why, LOCAL_WHY_BYTES,
                 "leaseherd-agent is not beside leaseherd; install both into one directory");
        return -ENOENT;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(why, LOCAL_WHY_BYTES, "cannot start a local agent: %s", strerror(errno));
        return -errno;
    }
    agents->port_fd = ends[1];
    agents->are_waiting = true;
    struct child child = {binary, run_dir, 0, -1, ends[0], getpid()};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        child.number = i + 1;
        rc = fork_one(&child, ends[1], &agents->pid[i], why);
        agents->count += rc == 0;
    }
    (void)close(ends[0]);
    return rc;
}

/* Without a port they end. */
static void release(struct local_agents *agents)
{
    if (agents->are_waiting) {
        (void)close(agents->port_fd);
        agents->are_waiting = false;
    }
}

int local_agents_start(struct local_agents *agents, uint16_t port, char why[LOCAL_WHY_BYTES])
{
    int rc = 0;
    for (size_t i = 0; i < agents->count && rc == 0; i++) {
        if (write(agents->port_fd, &port, sizeof(port)) != (ssize_t)sizeof(port)) {
            rc = errno == 0 ? -EIO : -errno;
            snprintf(why, LOCAL_WHY_BYTES, "the local agents ended before they began: %s",
                     strerror(-rc));
        }
    }
    release(agents);
    return rc;
}

size_t local_agents_ended(struct local_agents *agents)
{
    for (size_t i = 0; i < agents->count; i++) {
        if (agents->pid[i] > 0 && waitpid(agents->pid[i], NULL, WNOHANG) == agents->pid[i]) {
            agents->pid[i] = 0;
            return i + 1;
        }
    }
    return 0;
}

static size_t running(struct local_agents *agents)
{
    while (local_agents_ended(agents) != 0) {
    }
    size_t live = 0;
    for (size_t i = 0; i < agents->count; i++) {
        live += agents->pid[i] > 0;
    }
    return live;
}

static void signal_all(const struct local_agents *agents, int signal_number)
{
    for (size_t i = 0; i < agents->count; i++) {
        if (agents->pid[i] > 0) {
            kill(agents->pid[i], signal_number);
        }
    }
}

void local_agents_stop(struct local_agents *agents)
{
    static const struct timespec pause = {0, 20 * 1000 * 1000};
    enum { PATIENCE = 50 };
    release(agents);
    /* With --once they end by themselves after BYE. */
    for (unsigned i = 0; i < 2 * PATIENCE && running(agents) > 0; i++) {
        if (i == PATIENCE) {
            signal_all(agents, SIGTERM);
        }
        nanosleep(&pause, NULL);
    }
    signal_all(agents, SIGKILL);
    for (size_t i = 0; i < agents->count; i++) {
        if (agents->pid[i] > 0) {
            (void)waitpid(agents->pid[i], NULL, 0);
        }
    }
    agents->count = 0;
}
