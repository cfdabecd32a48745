/* SPDX-License-Identifier: MIT */
#include "agent/enrol.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/key_file.h"
#include "common/keys.h"
#include "common/link.h"
#include "common/secrets.h"
#include "proto/enrol.h"

enum { TURN_MS = 100 };

#define CONNECT_NS (6 * NS_PER_S)
#define ANSWER_NS  (10 * NS_PER_S)

struct enrolment {
    const char *key_file, *server_key_file, *token_file; /* token_file NULL: standard input */
    bool has_server_key;                                 /* the right one is there already */
    struct enrol_token *token;
    struct key_pair *own;
    struct link_context *context;
    struct link_socket *socket;
    uint64_t until_ns;
    bool is_key_written, is_server_key_written, is_said;
    enum agent_exit code;
    bool is_over;
};

static void end(struct enrolment *e, enum agent_exit code, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void end(struct enrolment *e, enum agent_exit code, const char *format, ...)
{
    char text[AGENT_WHY_BYTES + 200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "leaseherd-agent enrol: %s\n", text);
    e->code = code;
    e->is_over = true;
}

/* --- before anything is sent --- */

static bool read_flags(struct enrolment *e, int argc, char *const argv[])
{
    for (int i = 1; i < argc; i += 2) {
        const char **value = strcmp(argv[i], "--key") == 0          ? &e->key_file
                             : strcmp(argv[i], "--server-key") == 0 ? &e->server_key_file
                             : strcmp(argv[i], "--token") == 0      ? &e->token_file
                                                                    : NULL;
        if (value == NULL) {
            end(e, AGENT_USAGE, "unexpected '%.80s'; see leaseherd-agent --help", argv[i]);
            return false;
        }
        if (i + 1 == argc || *value != NULL) {
            end(e, AGENT_USAGE, "%s takes one FILE, once", argv[i]);
            return false;
        }
        *value = argv[i + 1];
    }
    if (e->key_file == NULL || e->server_key_file == NULL) {
        end(e, AGENT_USAGE,
            "write leaseherd-agent enrol --key FILE --server-key FILE [--token FILE]");
        return false;
    }
    return true;
}

/* 0 or -errno; what does not fit is no token. */
static int read_standard_input(char out[ENROL_TOKEN_BYTES])
{
    size_t have = 0;
    if (isatty(STDIN_FILENO) == 1) {
        (void)fputs("paste the token: ", stderr);
    }
    while (have < ENROL_TOKEN_BYTES - 1) {
        ssize_t got = read(STDIN_FILENO, out + have, ENROL_TOKEN_BYTES - 1 - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        have += (size_t)got;
        /* A terminal goes on after the line. */
        if (got == 0 || memchr(out, '\n', have) != NULL) {
            return strlen(out) == have ? 0 : -EBADMSG;
        }
    }
    return -EFBIG;
}

static bool read_token(struct enrolment *e)
{
    char why[KEY_WHY_BYTES] = "";
    char *text = secrets_new(ENROL_TOKEN_BYTES);
    e->token = secrets_new(sizeof(*e->token));
    if (text == NULL || e->token == NULL) {
        end(e, AGENT_INTERNAL, "out of memory");
    } else if (e->token_file != NULL) {
        int rc = key_file_read(e->token_file, KEY_FILE_TOKEN, text, ENROL_TOKEN_BYTES, why);
        if (rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES) {
            end(e, AGENT_USAGE, "cannot read the token file %s: %s", e->token_file, strerror(-rc));
        } else if (rc != 0) {
            end(e, AGENT_USAGE, "%s", why);
        }
    } else if (read_standard_input(text) != 0) {
        end(e, AGENT_USAGE,
            "no token can be read from standard input; give it the line that "
            "`leaseherd keys enrol` printed");
    }
    if (!e->is_over && !enrol_token_parse(text, e->token, why)) {
        end(e, AGENT_USAGE, "%s", why);
    }
    secrets_free(text);
    return !e->is_over;
}

/* The files are looked at first: a token is used up once. */
static bool check_files(struct enrolment *e)
{
    uint8_t there[KEY_BYTES];
    char why[KEY_WHY_BYTES] = "";
    if (access(e->key_file, F_OK) == 0) {
        end(e, AGENT_USAGE, "%s exists and is not overwritten; remove it or name another file",
            e->key_file);
        return false;
    }
    int rc = key_public_read(e->server_key_file, there, why);
    e->has_server_key = rc == 0;
    if (rc == 0 && memcmp(there, e->token->server_key, KEY_BYTES) != 0) {
        end(e, AGENT_USAGE,
            "%s holds another coordinator's key than the token; name another file, or remove it",
            e->server_key_file);
    } else if (rc != 0 && rc != -ENOENT) {
        end(e, AGENT_USAGE, "%s", why);
    }
    return !e->is_over;
}

/* --- the conversation --- */

/* What was made here a moment ago, and is worth nothing now. */
static void take_back_files(const struct enrolment *e)
{
    if (e->is_key_written) {
        (void)unlink(e->key_file);
    }
    if (e->is_server_key_written) {
        (void)unlink(e->server_key_file);
    }
}

/* Whether both are on the disk. */
static bool write_files(struct enrolment *e)
{
    char why[KEY_WHY_BYTES] = "";
    if (!e->is_key_written) {
        e->is_key_written = key_pair_write(e->key_file, e->own, why) == 0;
    }
    if (e->is_key_written && !e->has_server_key && !e->is_server_key_written) {
        e->is_server_key_written =
            key_public_write(e->server_key_file, e->token->server_key, why) == 0;
    }
    if (e->is_key_written && (e->has_server_key || e->is_server_key_written)) {
        return true;
    }
    take_back_files(e);
    end(e, AGENT_USAGE, "%s", why);
    return false;
}

/*
 * The coordinator has proved its key: now both must be on the disk before ours may be listed, as
 * the answer may be lost.
 */
static void say_secret(struct enrolment *e)
{
    uint8_t *bytes = secrets_new(ENROL_MESSAGE_BYTES);
    if (bytes == NULL) {
        end(e, AGENT_INTERNAL, "out of memory");
        return;
    }
    if (write_files(e)) {
        size_t size = enrol_put_request(e->token->secret, bytes);
        if (link_send(e->socket, NULL, bytes, size) == 0 && !e->is_said) {
            e->is_said = true;
            e->until_ns = clock_monotonic_ns() + ANSWER_NS;
        }
    }
    secrets_free(bytes);
}

static void welcomed(struct enrolment *e, const char *name)
{
    (void)printf("enrolled as '%s'; its key is in %s, the coordinator's in %s\n", name, e->key_file,
                 e->server_key_file);
    e->code = fflush(stdout) == 0 ? AGENT_STOPPED : AGENT_INTERNAL;
    e->is_over = true;
}

static void take_answer(struct enrolment *e, const uint8_t *bytes, size_t size)
{
    enum enrol_answer answer = ENROL_FAILED;
    char name[KEY_NAME_BYTES];
    if (!enrol_take_answer(bytes, size, &answer, name)) {
        end(e, AGENT_REFUSED, "the coordinator's answer makes no sense; are both of one version?");
        return;
    }
    switch (answer) {
    case ENROL_WELCOME:
        welcomed(e, name);
        return;
    case ENROL_WRONG_SECRET:
        end(e, AGENT_REFUSED, "the coordinator waits for another token; use the newest one");
        break;
    case ENROL_TAKEN:
        end(e, AGENT_REFUSED,
            "another agent has used this token; if none of yours did, revoke that "
            "name at once and have a new token made");
        break;
    case ENROL_KEY_KNOWN:
        end(e, AGENT_REFUSED, "the coordinator lists this key already, under another name");
        break;
    case ENROL_FAILED:
    case ENROL_ANSWER_COUNT:
        end(e, AGENT_REFUSED, "the coordinator could not write its list; it has said why there");
        break;
    }
    take_back_files(e); /* listed nowhere */
}

static void look_for_trouble(struct enrolment *e)
{
    const struct enrol_token *t = e->token;
    unsigned trouble = link_trouble(e->socket);
    if ((trouble & LINK_CONNECTED) != 0) {
        say_secret(e);
    } else if ((trouble & (LINK_WRONG_SERVER_KEY | LINK_NOT_CURVE | LINK_KEY_REFUSED)) != 0 &&
               !e->is_said) {
        end(e, AGENT_REFUSED,
            "whoever listens at %s port %u has not the key that the token names; nothing was told "
            "to it",
            t->host, (unsigned)t->port);
    }
}

static void look_at_the_time(struct enrolment *e)
{
    const struct enrol_token *t = e->token;
    if (e->is_over || clock_monotonic_ns() < e->until_ns) {
        return;
    }
    if (e->is_said) {
        end(e, AGENT_REFUSED,
            "no answer came from %s port %u; if `leaseherd keys list` shows the key of %s there, "
            "all is well, else remove that file and have a new token made",
            t->host, (unsigned)t->port, e->key_file);
    } else {
        take_back_files(e); /* they could be written, the secret could not be sent */
        end(e, AGENT_REFUSED, "nobody listens at %s port %u; has the token expired, or is it used?",
            t->host, (unsigned)t->port);
    }
}

static void converse(struct enrolment *e)
{
    e->until_ns = clock_monotonic_ns() + CONNECT_NS;
    while (!e->is_over) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        int rc = link_poll(&e->socket, 1, NULL, 0, TURN_MS);
        if (rc < 0 && rc != -EINTR) {
            end(e, AGENT_INTERNAL, "waiting failed: %s", strerror(-rc));
        } else if (link_receive(e->socket, NULL, &bytes, &size) == 1) {
            take_answer(e, bytes, size);
        } else {
            look_for_trouble(e);
            look_at_the_time(e);
        }
    }
}

static void call(struct enrolment *e)
{
    char why[LINK_WHY_BYTES] = "";
    e->own = key_pair_new();
    if (e->own == NULL || link_context_new(&e->context) != 0) {
        end(e, AGENT_INTERNAL, "cannot start ZeroMQ; look at the limits of memory and open files");
        return;
    }
    key_pair_make(e->own);
    if (link_client_open(e->context, LINK_ENROL, e->token->host, e->token->port,
                         e->token->server_key, e->own, &e->socket, why) != 0) {
        end(e, AGENT_REFUSED, "%s", why);
        return;
    }
    converse(e);
}

enum agent_exit agent_enrol(int argc, char *const argv[])
{
    struct enrolment e;
    memset(&e, 0, sizeof(e));
    if (read_flags(&e, argc, argv) && read_token(&e) && check_files(&e)) {
        call(&e);
    }
    link_close(e.socket);
    link_context_free(e.context);
    key_pair_free(e.own);
    secrets_free(e.token);
    return e.code;
}
