/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/edge/parent.h"
#include "agent/enrol.h"
#include "common/secrets.h"

static const char help_text[] =
    "leaseherd-agent plays DHCP clients and the relays in front of them, as a coordinator says\n"
    "and as far as this host's policy allows. As an observer it looks at a DHCP server instead.\n"
    "\n"
    "  leaseherd-agent --coordinator HOST[:PORT] --server-key FILE --key FILE --policy FILE\n"
    "                  --state-dir DIR [--once]\n"
    "  leaseherd-agent --role observer --process NAME|PID --coordinator HOST[:PORT]\n"
    "                  --server-key FILE --key FILE [--log FILE] [--leases FILE] [--config FILE]\n"
    "                  [--kea-socket FILE] [--once]\n"
    "  leaseherd-agent keygen FILE\n"
    "  leaseherd-agent enrol --key FILE --server-key FILE [--token FILE]\n"
    "\n"
    "  --coordinator HOST[:PORT]  where `leaseherd run --listen` waits; port 6767 unless given\n"
    "  --server-key FILE          the coordinator's public key (its coordinator.pub)\n"
    "  --key FILE                 this agent's key pair, mode 0600\n"
    "  --policy FILE              what this host allows; of root or the agent's user, and of\n"
    "                             nobody else to write\n"
    "  --state-dir DIR            needed for any run: it keeps the record of plans played, the\n"
    "                             lock agent.lock, and results not delivered yet (results.ring,\n"
    "                             64 MiB); two agents never share one\n"
    "  --once                     exit after one run, served or refused, instead of waiting for\n"
    "                             the next; results are kept in memory only\n"
    "  --role agent|observer      an observer runs on a server's host, sends no DHCP and writes\n"
    "                             nothing; its key is enrolled with `--role observer`\n"
    "  --process NAME|PID         of the server to look at: dhcpd, kea-dhcp4, or a process id\n"
    "  --log, --leases, --config, --kea-socket FILE\n"
    "                             the server's; what is not given is found from its process\n"
    "  --help, --version\n"
    "\n"
    "  keygen FILE                make a key pair in FILE and print its public half, for\n"
    "                             `leaseherd keys agent NAME --public KEY` at the coordinator\n"
    "  enrol                      make both key files with a token of `leaseherd keys enrol`, "
    "read\n"
    "                             from FILE (mode 0600) or from standard input\n"
    "\n"
    "Exit codes: 0 stopped, or with --once one run was served or refused; 2 usage, key or policy;\n"
    "3 refused for good (enrol: not enrolled); 6 internal or resource.\n";

enum option_code {
    OPTION_COORDINATOR = 256,
    OPTION_SERVER_KEY,
    OPTION_KEY,
    OPTION_POLICY,
    OPTION_STATE_DIR,
    OPTION_ONCE,
    OPTION_ROLE,
    OPTION_PROCESS,
    OPTION_LOG,
    OPTION_LEASES,
    OPTION_CONFIG,
    OPTION_KEA_SOCKET,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"coordinator", required_argument, NULL, OPTION_COORDINATOR},
    {"server-key", required_argument, NULL, OPTION_SERVER_KEY},
    {"key", required_argument, NULL, OPTION_KEY},
    {"policy", required_argument, NULL, OPTION_POLICY},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"process", required_argument, NULL, OPTION_PROCESS},
    {"log", required_argument, NULL, OPTION_LOG},
    {"leases", required_argument, NULL, OPTION_LEASES},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"kea-socket", required_argument, NULL, OPTION_KEA_SOCKET},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0}};

static void complain(const char *what, const char *which, const char *what_to_do)
{
    (void)fprintf(stderr, "leaseherd-agent: %s%s; %s\n", what, which, what_to_do);
}

static bool take_role(const char *role, struct agent_options *options)
{
    options->is_observer = strcmp(role, "observer") == 0;
    if (!options->is_observer && strcmp(role, "agent") != 0) {
        complain("no such role: ", role, "write --role agent or --role observer");
        return false;
    }
    return true;
}

/* Those of an observer; false: another's. */
static bool take_observer_option(int code, struct agent_options *options)
{
    const char **place = code == OPTION_PROCESS      ? &options->process
                         : code == OPTION_LOG        ? &options->log_file
                         : code == OPTION_LEASES     ? &options->lease_file
                         : code == OPTION_CONFIG     ? &options->config_file
                         : code == OPTION_KEA_SOCKET ? &options->kea_socket
                                                     : NULL;
    if (place != NULL) {
        *place = optarg;
    }
    return place != NULL;
}

/* False when the option needs a value that cannot be right. */
static bool take_option(int code, struct agent_options *options)
{
    char why[AGENT_WHY_BYTES];
    switch (code) {
    case OPTION_ROLE:
        return take_role(optarg, options);
    case OPTION_COORDINATOR:
        if (!agent_parse_coordinator(optarg, options, why)) {
            (void)fprintf(stderr, "leaseherd-agent: %s\n", why);
            return false;
        }
        break;
    case OPTION_SERVER_KEY:
        options->server_key_file = optarg;
        break;
    case OPTION_KEY:
        options->key_file = optarg;
        break;
    case OPTION_POLICY:
        options->policy_file = optarg;
        break;
    case OPTION_STATE_DIR:
        options->state_dir = optarg;
        break;
    case OPTION_ONCE:
        options->is_once = true;
        break;
    default:
        return take_observer_option(code, options);
    }
    return true;
}

static bool is_complete(const struct agent_options *options)
{
    const char *missing = options->host[0] == '\0'                                ? "--coordinator"
                          : options->server_key_file == NULL                      ? "--server-key"
                          : options->key_file == NULL                             ? "--key"
                          : !options->is_observer && options->policy_file == NULL ? "--policy"
                          : options->is_observer && options->process == NULL      ? "--process"
                                                                                  : NULL;
    if (missing != NULL) {
        complain("missing ", missing, "see leaseherd-agent --help");
    }
    return missing == NULL;
}

/* An option of the other role would be obeyed by nobody. */
static bool is_of_role(const struct agent_options *options)
{
    const char *of_agent = options->policy_file != NULL ? "--policy"
                           : options->state_dir != NULL ? "--state-dir"
                                                        : NULL;
    const char *of_observer = options->process != NULL       ? "--process"
                              : options->log_file != NULL    ? "--log"
                              : options->lease_file != NULL  ? "--leases"
                              : options->config_file != NULL ? "--config"
                              : options->kea_socket != NULL  ? "--kea-socket"
                                                             : NULL;
    const char *wrong = options->is_observer ? of_agent : of_observer;
    if (wrong != NULL) {
        complain(options->is_observer ? "not an observer's option: " : "an observer's option: ",
                 wrong, options->is_observer ? "leave it out" : "add --role observer");
    }
    return wrong == NULL;
}

/* Of a verb: what stands in front of its own flags is looked at by nobody else. */
static bool wants_help(int argc, char *const argv[])
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return true;
        }
    }
    return false;
}

static enum agent_exit keygen(int argc, char *const argv[])
{
    if (argc != 3 || argv[2][0] == '-') {
        complain("keygen takes one FILE", "", "write leaseherd-agent keygen FILE");
        return AGENT_USAGE;
    }
    return agent_make_key(argv[2]);
}

int main(int argc, char **argv)
{
    struct agent_options options;
    memset(&options, 0, sizeof(options));
    if (secrets_forbid_dumps() < 0) {
        complain("cannot forbid core dumps", "", "the system refused prctl() or setrlimit()");
        return AGENT_INTERNAL;
    }
    secrets_wipe_freed();
    if (!parent_bind_life()) {
        complain("the coordinator that started this agent has ended", "", "start another run");
        return AGENT_INTERNAL;
    }
    bool is_keygen = argc > 1 && strcmp(argv[1], "keygen") == 0;
    bool is_enrol = argc > 1 && strcmp(argv[1], "enrol") == 0;
    if ((is_keygen || is_enrol) && wants_help(argc, argv)) {
        (void)fputs(help_text, stdout);
        return AGENT_STOPPED;
    }
    if (is_keygen) {
        return (int)keygen(argc, argv);
    }
    if (is_enrol) {
        return (int)agent_enrol(argc - 1, argv + 1);
    }
    int code = 0;
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (code == OPTION_HELP) {
            (void)fputs(help_text, stdout);
            return AGENT_STOPPED;
        }
        if (code == OPTION_VERSION) {
            (void)puts("leaseherd-agent " LEASEHERD_VERSION);
            return AGENT_STOPPED;
        }
        if (code == '?' || code == ':') {
            complain(code == ':' ? "no value after " : "unknown option ", argv[optind - 1],
                     "see leaseherd-agent --help");
            return AGENT_USAGE;
        }
        if (!take_option(code, &options)) {
            return AGENT_USAGE;
        }
    }
    if (optind < argc) {
        complain("unexpected argument ", argv[optind], "see leaseherd-agent --help");
        return AGENT_USAGE;
    }
    if (!is_of_role(&options) || !is_complete(&options)) {
        return AGENT_USAGE;
    }
    return options.is_observer ? (int)agent_observe(&options) : (int)agent_run(&options);
}
