/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/keys_enrol.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/confine.h"
#include "common/link.h"
#include "common/log.h"
#include "common/schema.h"
#include "common/secrets.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/keys_book.h"
#include "coordinator/run/confinement.h"
#include "proto/enrol.h"

enum {
    MESSAGES_PER_TURN = 64, /* then the clock and the operator are looked at */
    GROWTH_KIB_MAX = 65536, /* of what strangers may make us keep: a message may have any number
                               of frames before we see it */
    TURN_MS = 50,
    PORT_MAX = 65535
};

#define DEFAULT_TTL_NS (600 * NS_PER_S)
#define TTL_MAX_NS     (24 * 3600 * NS_PER_S)
/* Whoever used the token a moment too late is told so, and the winner if its answer got lost. */
#define AFTERWARDS_NS (500 * NS_PER_MS)

struct door {
    const struct keys_enrol_job *job;
    char host[ENROL_HOST_BYTES];
    uint16_t port;
    uint64_t ttl_ns;
    uint8_t hash[ENROL_HASH_BYTES]; /* of the secret; it itself is not kept */
    struct link_context *context;
    struct link_socket *socket;
    int signal_fd;
    uint64_t until_ns;
    long first_rss_kib;
    uint8_t enrolled[KEY_BYTES];
    bool is_used;
    int code; /* CMD_*; -1: goes on */
};

static int failed(int error, const char *why)
{
    (void)fprintf(stderr, "leaseherd keys: %s\n", why);
    return error == -ENOMEM || error == -ENOSPC || error == -EIO ? CMD_INTERNAL : CMD_USAGE;
}

static long rss_kib(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

/* --- flags --- */

/* "ADDR", "ADDR:PORT", "[V6]:PORT" */
static bool split_listen(const char *text, struct door *door)
{
    bool is_bracketed = text[0] == '[';
    const char *end = is_bracketed ? strchr(text, ']') : text + strcspn(text, ":");
    if (end == NULL) {
        return false;
    }
    const char *host = text + is_bracketed;
    size_t length = (size_t)(end - host);
    end += is_bracketed;
    if (length == 0 || length >= sizeof(door->host) || (*end != '\0' && *end != ':')) {
        return false;
    }
    memcpy(door->host, host, length);
    door->host[length] = '\0';
    if (*end == ':') {
        char *rest = NULL;
        unsigned long port = strtoul(end + 1, &rest, 10);
        if (end[1] < '0' || end[1] > '9' || *rest != '\0' || port > PORT_MAX) {
            return false;
        }
        door->port = (uint16_t)port;
    }
    return true;
}

static int read_flags(struct door *door)
{
    const struct keys_enrol_job *job = door->job;
    if (job->listen == NULL || !split_listen(job->listen, door)) {
        return cmd_usage_error("keys", "enrol needs --listen ADDR[:PORT], an address of this host "
                                       "that the agent can reach");
    }
    if (strcmp(door->host, "0.0.0.0") == 0 || strcmp(door->host, "::") == 0 ||
        strcmp(door->host, "*") == 0) {
        return cmd_usage_error("keys",
                               "the token says where to connect, so --listen cannot be %s; give "
                               "the address that the agent can reach",
                               door->host);
    }
    door->ttl_ns = DEFAULT_TTL_NS;
    if (job->ttl != NULL && (!schema_scan_duration(job->ttl, &door->ttl_ns) ||
                             door->ttl_ns < NS_PER_S || door->ttl_ns > TTL_MAX_NS)) {
        return cmd_usage_error("keys", "--ttl takes a duration from 1s to 24h, such as 10m");
    }
    return CMD_PASS;
}

/* --- the list --- */

static enum enrol_answer answer_to_error(int error)
{
    return error == 0 ? ENROL_WELCOME : error == -EALREADY ? ENROL_KEY_KNOWN : ENROL_FAILED;
}

/* The secret was right: the key its connection proved goes on the list, as it is by now. */
static enum enrol_answer enrol(struct door *door, const uint8_t key[KEY_BYTES])
{
    char why[KEY_WHY_BYTES];
    struct keys_book book;
    int error = keys_book_open(door->job->dir, true, &book, why);
    if (error == 0) {
        error =
            keys_book_add(&book, door->job->name, door->job->role, key, door->job->expires, why);
        if (error == 0) {
            char z85[KEY_Z85_BYTES];
            key_to_z85(key, z85);
            (void)fprintf(stderr, "enrolled %s %s in %s\n", door->job->name, z85, book.path);
        }
        keys_book_close(&book);
    }
    if (error == -EALREADY) {
        (void)fprintf(stderr, "leaseherd keys: %s; the token is still good\n", why);
        return ENROL_KEY_KNOWN;
    }
    door->code = error == 0 ? CMD_PASS : failed(error, why);
    return answer_to_error(error);
}

/* --- the door --- */

static enum enrol_answer judge(struct door *door, const struct link_peer *from,
                               const uint8_t secret[ENROL_SECRET_BYTES])
{
    if (!enrol_hash_is(secret, door->hash)) {
        return ENROL_WRONG_SECRET;
    }
    if (door->is_used) {
        return memcmp(door->enrolled, from->key, KEY_BYTES) == 0 ? ENROL_WELCOME : ENROL_TAKEN;
    }
    enum enrol_answer answer = enrol(door, from->key);
    if (answer == ENROL_WELCOME) {
        door->is_used = true;
        memcpy(door->enrolled, from->key, KEY_BYTES);
    }
    return answer;
}

/*
 * However many wrong secrets come: every agent has the public key one needs to say something here,
 * and must not be able to keep others out by that. 128 bits are not guessed until the token ends.
 */
static void hear(struct door *door)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    for (unsigned i = 0;
         i < MESSAGES_PER_TURN && link_receive(door->socket, &from, &bytes, &size) == 1; i++) {
        uint8_t secret[ENROL_SECRET_BYTES], answer_bytes[ENROL_MESSAGE_BYTES];
        if (!enrol_take_request(bytes, size, secret)) {
            continue; /* of no agent */
        }
        enum enrol_answer answer = judge(door, &from, secret);
        sodium_memzero(secret, sizeof(secret));
        size_t answer_size = enrol_put_answer(answer, door->job->name, answer_bytes);
        int rc = link_send(door->socket, &from, answer_bytes, answer_size);
        (void)rc; /* gone, or it does not listen: that is its affair */
    }
}

static void close_door(struct door *door, const char *why)
{
    (void)fprintf(stderr, "leaseherd keys: %s; '%s' is not enrolled\n", why, door->job->name);
    door->code = CMD_ABORTED;
}

static void turn(struct door *door)
{
    struct pollfd fd = {.fd = door->signal_fd, .events = POLLIN};
    int rc = link_poll(&door->socket, 1, &fd, 1, TURN_MS);
    if (rc < 0 && rc != -EINTR) {
        (void)fprintf(stderr, "leaseherd keys: waiting failed: %s\n", strerror(-rc));
        door->code = CMD_INTERNAL;
        return;
    }
    hear(door);
    if (door->code >= 0) {
        return;
    }
    if (rc >= 0 && (fd.revents & POLLIN) != 0) {
        close_door(door, "stopped by the operator");
    } else if (rss_kib() - door->first_rss_kib > GROWTH_KIB_MAX) {
        close_door(door, "strangers sent so much that memory grew by 64 MiB; make a new token when "
                         "the network is quiet");
    } else if (clock_boottime_ns() >= door->until_ns) {
        close_door(door, "the token has expired unused");
    }
}

static void serve(struct door *door)
{
    door->first_rss_kib = rss_kib();
    door->until_ns = clock_boottime_ns() + door->ttl_ns;
    while (door->code < 0) {
        turn(door);
    }
    uint64_t end_ns = clock_monotonic_ns() + AFTERWARDS_NS;
    while (door->is_used && clock_monotonic_ns() < end_ns) {
        int rc = link_poll(&door->socket, 1, NULL, 0, TURN_MS);
        (void)rc; /* the deadline ends it */
        hear(door);
    }
}

/* One write: the secret does not stay in a buffer of stdio. */
static bool show_token(struct door *door, struct enrol_token *token)
{
    char *line = secrets_new(ENROL_TOKEN_BYTES + 1);
    if (line == NULL) {
        return false;
    }
    (void)snprintf(token->host, sizeof(token->host), "%s", door->host);
    token->port = door->port;
    randombytes_buf(token->secret, sizeof(token->secret));
    enrol_hash(token->secret, door->hash);
    enrol_token_print(token, line);
    strcat(line, "\n");
    (void)fprintf(stderr,
                  "waiting at %s port %u for '%s'; give this line to leaseherd-agent enrol, on its "
                  "standard input or in a file of mode 0600:\n",
                  door->host, (unsigned)door->port, door->job->name);
    ssize_t size = (ssize_t)strlen(line);
    bool is_good = write(STDOUT_FILENO, line, (size_t)size) == size;
    secrets_free(line);
    return is_good;
}

/* Two connections per try, of whoever tries. A refusal is no error here. */
static void lift_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Before there are threads. The list is rewritten later, in the directory of the keys. */
static int drop_capabilities(const char *dir, char why[LINK_WHY_BYTES])
{
    char reason[CONFINEMENT_WHY_BYTES];
    int rc = confinement_drop_capabilities(dir, dir, reason);
    if (rc < 0) {
        (void)snprintf(why, LINK_WHY_BYTES, "%.390s", reason);
    }
    return rc;
}

/* Whoever has any key is heard for hours: nothing is executed meanwhile, whoever gets in. */
static int confine(void)
{
    char why[CONFINE_WHY_BYTES];
    int rc = confine_system_calls(CONFINE_COORDINATOR, why);
    if (rc == -ENOTSUP) {
        log_warn("what=system_calls_not_confined why=\"%s\"", why);
        return CMD_PASS;
    }
    return rc < 0 ? failed(rc, why) : CMD_PASS;
}

/* 0 or -errno; the pair is libzmq's from then on. */
static int open_door(struct door *door, uint8_t out_key[KEY_BYTES], char why[LINK_WHY_BYTES])
{
    char path[PATH_MAX];
    struct key_pair *own = key_pair_new();
    int rc = own == NULL ? -ENOMEM : 0;
    (void)snprintf(why, LINK_WHY_BYTES, "out of memory");
    if (rc == 0) {
        rc = keys_book_path(door->job->dir, "coordinator", ".key", path, why);
    }
    if (rc == 0) {
        rc = key_pair_read(path, own, why);
    }
    if (rc == 0) {
        memcpy(out_key, own->public_key, KEY_BYTES);
        rc = drop_capabilities(door->job->dir, why);
    }
    if (rc == 0) {
        rc = link_context_new(&door->context);
    }
    if (rc == 0) {
        rc = link_allow_anybody(door->context);
    }
    if (rc == 0) {
        rc = link_server_open(door->context, LINK_ENROL, door->host, door->port, own, &door->socket,
                              &door->port, why);
    }
    key_pair_free(own);
    return rc;
}

static int block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int open_and_serve(struct door *door)
{
    char why[LINK_WHY_BYTES];
    struct enrol_token *token = secrets_new(sizeof(*token));
    if (token == NULL) {
        return failed(-ENOMEM, "out of memory");
    }
    int rc = open_door(door, token->server_key, why);
    int code = rc == 0 ? confine() : failed(rc, why);
    if (code == CMD_PASS && !show_token(door, token)) {
        (void)fputs("leaseherd keys: the token cannot be written to standard output\n", stderr);
        code = CMD_INTERNAL;
    }
    secrets_free(token);
    if (code == CMD_PASS) {
        serve(door);
        code = door->code;
    }
    link_close(door->socket);
    link_context_free(door->context);
    return code;
}

/* A name that is taken is told before anybody carries a token around. */
static int check_name(const struct keys_enrol_job *job)
{
    char why[KEY_WHY_BYTES];
    struct keys_book book;
    int error = keys_book_open(job->dir, false, &book, why);
    if (error != 0) {
        return failed(error, why);
    }
    bool is_taken = keys_book_find(&book, job->name) != NULL;
    int code = is_taken ? cmd_usage_error("keys",
                                          "agent '%s' is already in %s; revoke it first, or take "
                                          "another name",
                                          job->name, book.path)
                        : CMD_PASS;
    keys_book_close(&book);
    return code;
}

int keys_enrol(const struct keys_enrol_job *job)
{
    struct door door = {.job = job, .code = -1};
    int code = read_flags(&door);
    if (code == CMD_PASS) {
        code = check_name(job);
    }
    if (code != CMD_PASS) {
        return code;
    }
    lift_file_limit();
    door.signal_fd = block_signals();
    if (door.signal_fd < 0) {
        return failed(-ENOMEM, "cannot watch for signals; the system refused signalfd()");
    }
    code = open_and_serve(&door);
    (void)close(door.signal_fd);
    return code;
}
