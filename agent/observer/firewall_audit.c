/* SPDX-License-Identifier: MIT */
#include "agent/observer/firewall_audit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/observer/read_text.h"
#include "common/attrs.h"
#include "common/clock.h"

enum { OUTPUT_BYTES_MAX = 64 << 20, OUTPUT_ROOM_FIRST = 64 * 1024, PLACE_BYTES = 64 };

#define PATIENCE_NS (20 * NS_PER_S)

struct output {
    char *bytes;
    size_t size, room;
};

/* The first of the usual places that has it; false: it is not installed. */
static bool find_program(const char *name, char out[PLACE_BYTES])
{
    static const char *const places[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        (void)snprintf(out, PLACE_BYTES, "%s/%s", places[i], name);
        if (access(out, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* Standard input and errors are /dev/null already. */
static void become(const char *program, const char *const *arguments, int output)
{
    char locale[] = "LC_ALL=C", path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *environment[] = {locale, path, NULL};
    char *copies[8] = {NULL};
    for (size_t i = 0; i + 1 < ARRAY_LEN(copies) && arguments[i] != NULL; i++) {
        copies[i] = strdup(arguments[i]);
    }
    if (dup2(output, STDOUT_FILENO) >= 0) {
        (void)execve(program, copies, environment);
    }
    _exit(127);
}

/* False: an end, an error, or more than anybody would write by hand. */
static bool read_some(int fd, struct output *out, uint64_t until_ns)
{
    if (out->size == out->room) {
        size_t room = out->room == 0 ? OUTPUT_ROOM_FIRST : 2 * out->room;
        char *grown = room > OUTPUT_BYTES_MAX ? NULL : realloc(out->bytes, room);
        if (grown == NULL) {
            return false;
        }
        out->bytes = grown;
        out->room = room;
    }
    uint64_t now_ns = clock_monotonic_ns();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (now_ns >= until_ns || poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1) <= 0) {
        return false;
    }
    ssize_t got = read(fd, out->bytes + out->size, out->room - out->size);
    out->size += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static bool has_ended_well(pid_t pid, uint64_t until_ns)
{
    enum { LOOK_MS = 5 };
    int status = 0;
    pid_t got = 0;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && clock_monotonic_ns() < until_ns) {
        (void)poll(NULL, 0, LOOK_MS);
    }
    if (got == 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return false;
    }
    return got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What a program writes, to its end; false, and nothing kept, unless it ended
 * well. */
static bool run(const char *name, const char *const *arguments, struct output *out)
{
    char program[PLACE_BYTES];
    int ends[2];
    *out = (struct output){NULL, 0, 0};
    if (!find_program(name, program) || pipe2(ends, O_CLOEXEC) < 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(program, arguments, ends[1]);
    }
    close(ends[1]);
    uint64_t until_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (pid > 0 && read_some(ends[0], out, until_ns)) {
    }
    close(ends[0]); /* who still writes to it ends now */
    if (pid < 0 || !has_ended_well(pid, until_ns)) {
        free(out->bytes);
        *out = (struct output){NULL, 0, 0};
        return false;
    }
    return true;
}

static bool has_capability(cap_value_t cap)
{
    cap_t now = cap_get_proc();
    cap_flag_value_t has = CAP_CLEAR;
    (void)cap_get_flag(now, cap, CAP_EFFECTIVE, &has);
    (void)cap_free(now);
    return has == CAP_SET;
}

static void say(struct firewall_report *out, enum availability available, const char *why)
{
    out->available = available;
    (void)snprintf(out->why, sizeof(out->why), "%s", why);
}

/* Tables that iptables-legacy has made, by the names the kernel has for them.
 */
static bool has_legacy_tables(void)
{
    char names[256];
    return read_text("/proc/net/ip_tables_names", names, sizeof(names)) > 0;
}

static void read_legacy(struct ruleset *rules, struct firewall_report *out)
{
    static const char *const list[] = {"iptables-legacy-save", NULL};
    struct output text;
    out->has_legacy = has_legacy_tables();
    if (!out->has_legacy) {
        return;
    }
    bool is_read = run(list[0], list, &text) && text.size > 0 &&
                   ruleset_read_iptables(rules, text.bytes, text.size, false);
    if (!is_read) {
        say(out, out->available,
            "rules of iptables-legacy are not audited: they need CAP_NET_RAW and "
            "iptables");
    }
    free(text.bytes);
}

/* Rules of iptables over nft are told best by iptables itself. */
static void read_disguised(struct ruleset *rules, const struct output *json)
{
    static const char *const list[] = {"iptables-nft-save", NULL};
    static const char mark[] = "\"xt\":";
    struct output text = {NULL, 0, 0};
    if (memmem(json->bytes, json->size, mark, sizeof(mark) - 1) != NULL &&
        run(list[0], list, &text)) {
        (void)!ruleset_read_iptables(rules, text.bytes, text.size, true); /* then nft tells */
    }
    free(text.bytes);
}

static void read_all(struct ruleset *rules, struct firewall_report *out)
{
    static const char *const as_json[] = {"nft", "-j", "list", "ruleset", NULL};
    static const char *const as_text[] = {"nft", "-a", "list", "ruleset", NULL};
    struct output json, text;
    char place[PLACE_BYTES];
    out->available = AVAILABLE_OK;
    if (!find_program(as_json[0], place)) {
        say(out, AVAILABLE_NOT_APPLICABLE, "packet rules are not audited: nft is not installed");
        return;
    }
    if (!run(as_json[0], as_json, &json)) {
        bool may = has_capability(CAP_NET_ADMIN);
        say(out, may ? AVAILABLE_NO_KERNEL : AVAILABLE_NO_PERMISSION,
            may ? "packet rules are not audited: nft cannot list them here"
                : "packet rules need CAP_NET_ADMIN");
        return;
    }
    bool has_text = run(as_text[0], as_text, &text);
    read_legacy(rules, out);
    read_disguised(rules, &json);
    if (!ruleset_read_nft(rules, json.bytes, json.size, has_text ? text.bytes : NULL,
                          has_text ? text.size : 0)) {
        say(out, AVAILABLE_NOT_APPLICABLE,
            "packet rules are not audited: nft's list of them is not understood");
    }
    ruleset_judge(rules, &out->verdict);
    free(json.bytes);
    free(text.bytes);
}

void firewall_audit(struct firewall_report *out)
{
    struct ruleset *rules = ruleset_new();
    if (rules == NULL) {
        say(out, AVAILABLE_NOT_APPLICABLE, "packet rules are not audited: no memory");
        return;
    }
    read_all(rules, out);
    if (out->verdict.is_partial && out->why[0] == '\0') {
        say(out, out->available, "there are more packet rules than were audited");
    }
    ruleset_free(rules);
}
