/* SPDX-License-Identifier: MIT */
#include "agent/agent.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/edge/policy_file.h"
#include "agent/edge/privileges.h"
#include "agent/edge/run_record.h"
#include "agent/edge/session.h"
#include "agent/edge/state_dir.h"
#include "agent/observer/observer.h"
#include "common/keys.h"
#include "common/link.h"
#include "common/log.h"

enum { COMPLAINTS_BYTES = DIAG_ITEMS_MAX * (DIAG_TEXT_BYTES + DIAG_FILE_BYTES + 16) };

/* What must be there before anything is opened. */
struct agent {
    uint8_t server_key[KEY_BYTES];
    struct key_pair *own;
    struct policy policy;
    struct run_record *records; /* NULL: no operators */
    struct state_dir state_dir; /* descriptors -1: none was given */
    int signal_fd;
};

static void complain(const char *sentence)
{
    (void)fprintf(stderr, "leaseherd-agent: %s\n", sentence);
}

static bool parse_port(const char *text, uint16_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || port == 0 ||
        port > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* Where HOST ends and what follows it; NULL when brackets or colons make no sense. */
static const char *end_of_host(const char *text)
{
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        return end == NULL ? NULL : end + 1;
    }
    const char *colon = strchr(text, ':');
    if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        return NULL; /* an IPv6 address without brackets */
    }
    return colon != NULL ? colon : text + strlen(text);
}

bool agent_parse_coordinator(const char *text, struct agent_options *out, char why[AGENT_WHY_BYTES])
{
    const char *end = end_of_host(text);
    size_t size = end == NULL ? 0 : (size_t)(end - text);
    uint16_t port = AGENT_PORT;
    bool is_good = size > (text[0] == '[' ? 2 : 0) && size < sizeof(out->host) &&
                   (*end == '\0' || (*end == ':' && parse_port(end + 1, &port)));
    if (!is_good) {
        (void)snprintf(why, AGENT_WHY_BYTES,
                       "--coordinator '%.200s' is not HOST or HOST:PORT; write for example "
                       "192.0.2.10:6767",
                       text);
        return false;
    }
    bool is_bracketed = text[0] == '[';
    size -= is_bracketed ? 2 : 0;
    memcpy(out->host, text + is_bracketed, size);
    out->host[size] = '\0';
    out->port = port;
    return true;
}

static bool read_keys(struct agent *agent, const struct agent_options *options)
{
    static_assert((int)STATE_DIR_WHY_BYTES <= (int)KEY_WHY_BYTES, "one buffer serves both");
    char why[KEY_WHY_BYTES] = "out of memory";
    agent->own = key_pair_new();
    if (agent->own == NULL ||
        key_public_read(options->server_key_file, agent->server_key, why) < 0 ||
        key_pair_read(options->key_file, agent->own, why) < 0 ||
        (options->state_dir != NULL &&
         state_dir_open(options->state_dir, &agent->state_dir, why) < 0)) {
        complain(why);
        return false;
    }
    return true;
}

/* Signed plans are played once: what was played must outlive this process. */
static bool read_records(struct agent *agent, const struct agent_options *options)
{
    char why[RUN_RECORD_WHY_BYTES] = "";
    if (agent->policy.operators.count == 0) {
        log_warn(
            "what=no_operators policy=\"%s\" why=\"it names no operators, so no plan can be taken; "
            "add the operators: lines that `leaseherd keys operator NAME` prints\" continuing",
            options->policy_file);
        return true;
    }
    if (options->state_dir == NULL) {
        complain("the policy names operators, so --state-dir DIR is needed: there this agent keeps "
                 "which plans it has played");
        return false;
    }
    if (run_record_load(options->state_dir, &agent->records, why) < 0) {
        complain(why);
        return false;
    }
    return true;
}

static bool read_policy(struct agent *agent, const char *path)
{
    struct diag *why = malloc(sizeof(*why));
    char *text = malloc(COMPLAINTS_BYTES);
    bool is_good = why != NULL && text != NULL && policy_file_read(path, &agent->policy, why);
    if (why == NULL || text == NULL) {
        complain("out of memory");
    } else if (!is_good) {
        size_t size = diag_print(why, text, COMPLAINTS_BYTES);
        (void)fwrite(text, 1, size, stderr);
    }
    free(why);
    free(text);
    return is_good;
}

/* Blocked everywhere, read by the session: nothing happens in a handler. */
static int watch_signals(void)
{
    sigset_t all, stops;
    sigfillset(&all);
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0) {
        return -errno;
    }
    int fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static bool settle(struct agent *agent)
{
    char why[PRIVILEGES_WHY_BYTES] = "";
    if (privileges_reduce(why) < 0 || privileges_confine(agent->state_dir.dir_fd, why) < 0) {
        complain(why);
        return false;
    }
    agent->signal_fd = watch_signals();
    if (agent->signal_fd < 0) {
        complain("cannot watch for signals; the system refused signalfd()");
        return false;
    }
    return true;
}

static enum agent_exit serve(struct agent *agent, const struct agent_options *options)
{
    struct link_context *context = NULL;
    if (link_context_new(&context) < 0) {
        complain("cannot start ZeroMQ; look at the limits of memory and open files");
        return AGENT_INTERNAL;
    }
    struct session_setup setup = {.context = context,
                                  .host = options->host,
                                  .port = options->port,
                                  .own = agent->own,
                                  .policy = &agent->policy,
                                  .records = agent->records,
                                  .state_dir =
                                      options->state_dir == NULL ? NULL : &agent->state_dir,
                                  .stop_fd = agent->signal_fd,
                                  .is_once = options->is_once};
    memcpy(setup.server_key, agent->server_key, sizeof(setup.server_key));
    enum session_end end = session_run(&setup);
    link_context_free(context);
    switch (end) {
    case SESSION_STOPPED:
        return AGENT_STOPPED;
    case SESSION_REFUSED:
        return AGENT_REFUSED;
    case SESSION_INTERNAL:
        return AGENT_INTERNAL;
    }
    return AGENT_INTERNAL;
}

enum agent_exit agent_run(const struct agent_options *options)
{
    struct agent agent;
    memset(&agent, 0, sizeof(agent));
    agent.state_dir.dir_fd = agent.state_dir.lock_fd = -1;
    agent.signal_fd = -1;
    enum agent_exit code = AGENT_USAGE;
    if (read_policy(&agent, options->policy_file) && read_keys(&agent, options) &&
        read_records(&agent, options) && settle(&agent)) {
        code = serve(&agent, options);
    }
    run_record_free(agent.records);
    policy_free(&agent.policy);
    key_pair_free(agent.own);
    if (agent.signal_fd >= 0) {
        (void)close(agent.signal_fd);
    }
    state_dir_close(&agent.state_dir);
    return code;
}

/* --- the observer --- */

static enum agent_exit observe(struct agent *agent, const struct agent_options *options,
                               struct sources *sources)
{
    struct link_context *context = NULL;
    if (link_context_new(&context) < 0) {
        complain("cannot start ZeroMQ; look at the limits of memory and open files");
        return AGENT_INTERNAL;
    }
    struct observer_setup setup = {.watch = {.context = context,
                                             .host = options->host,
                                             .port = options->port,
                                             .own = agent->own},
                                   .sources = sources,
                                   .stop_fd = agent->signal_fd,
                                   .is_once = options->is_once};
    memcpy(setup.watch.server_key, agent->server_key, sizeof(setup.watch.server_key));
    enum observer_end end = observer_run(&setup);
    link_context_free(context);
    return (enum agent_exit)end;
}

static bool settle_observer(struct agent *agent)
{
    char why[PRIVILEGES_WHY_BYTES] = "";
    if (privileges_reduce_observer(why) < 0 || privileges_confine_observer(why) < 0) {
        complain(why);
        return false;
    }
    agent->signal_fd = watch_signals();
    if (agent->signal_fd < 0) {
        complain("cannot watch for signals; the system refused signalfd()");
    }
    return agent->signal_fd >= 0;
}

/* Sources are opened before keys are read: a helper of theirs is another process. */
enum agent_exit agent_observe(const struct agent_options *options)
{
    static_assert((int)OBSERVER_STOPPED == AGENT_STOPPED &&
                      (int)OBSERVER_REFUSED == AGENT_REFUSED &&
                      (int)OBSERVER_INTERNAL == AGENT_INTERNAL,
                  "it ends as an agent does");
    char why[PROCESS_WHY_BYTES] = "out of memory";
    struct observer_files files = {.log = options->log_file,
                                   .leases = options->lease_file,
                                   .config = options->config_file,
                                   .kea_socket = options->kea_socket};
    struct agent agent;
    memset(&agent, 0, sizeof(agent));
    agent.state_dir.dir_fd = agent.state_dir.lock_fd = -1;
    agent.signal_fd = -1;
    struct sources *sources = malloc(sizeof(*sources));
    if (sources == NULL || !sources_open(sources, options->process, &files, why)) {
        complain(why);
        free(sources);
        return AGENT_USAGE;
    }
    enum agent_exit code = AGENT_USAGE;
    if (read_keys(&agent, options) && settle_observer(&agent)) {
        code = observe(&agent, options, sources);
    }
    sources_close(sources);
    free(sources);
    key_pair_free(agent.own);
    if (agent.signal_fd >= 0) {
        (void)close(agent.signal_fd);
    }
    return code;
}

enum agent_exit agent_make_key(const char *path)
{
    char why[KEY_WHY_BYTES] = "";
    struct key_pair pair;
    key_pair_make(&pair);
    int rc = key_pair_write(path, &pair, why);
    char public_key[KEY_Z85_BYTES];
    key_to_z85(pair.public_key, public_key);
    key_pair_wipe(&pair);
    if (rc < 0) {
        complain(why);
        return AGENT_USAGE;
    }
    if (printf("%s\n", public_key) < 0 || fflush(stdout) != 0) {
        complain("cannot write the public key to standard output");
        return AGENT_INTERNAL;
    }
    return AGENT_STOPPED;
}
