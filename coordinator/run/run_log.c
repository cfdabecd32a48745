/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

enum { LINE_BYTES_MAX = 1024 + LOG_CHAIN_TAIL_BYTES + 1, TAIL_BYTES = 4 * LINE_BYTES_MAX };

static struct {
    pthread_mutex_t lock;
    int fd;
    struct log_chain chain;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static void write_line(const char *line, size_t size)
{
    char text[LINE_BYTES_MAX], digits[LOG_CHAIN_TEXT_BYTES];
    struct stat about;
    pthread_mutex_lock(&state.lock);
    struct log_chain next = state.chain;
    log_chain_add(&next, line, size);
    int length = snprintf(text, sizeof(text), "%.*s chain=%s\n", (int)size, line,
                          log_chain_text(&next, digits));
    bool is_sized = fstat(state.fd, &about) == 0;
    ssize_t written = write(state.fd, text, (size_t)length);
    if (written == length) {
        state.chain = next;
    } else if (written > 0 && is_sized && ftruncate(state.fd, about.st_size) < 0) {
        /* There is nowhere to report a log that cannot be written; the audit will find it. */
        state.chain = next;
    }
    pthread_mutex_unlock(&state.lock);
}

/* Where the last whole line of `text` ends, and what the chain is there. */
static size_t end_of_last_line(const char *text, size_t size, struct log_chain *chain)
{
    while (size > 0 && text[size - 1] != '\n') {
        size--;
    }
    size_t begin = size > 0 ? size - 1 : 0;
    while (begin > 0 && text[begin - 1] != '\n') {
        begin--;
    }
    /* A line without its value: what follows is no chain with it, and the audit says so. */
    (void)log_chain_of_line(text + begin, size > 0 ? size - 1 - begin : 0, chain);
    return size;
}

static int go_on(int fd)
{
    char tail[TAIL_BYTES];
    struct stat about;
    if (fstat(fd, &about) < 0) {
        return -errno;
    }
    if (!S_ISREG(about.st_mode)) {
        return -EINVAL;
    }
    off_t from = about.st_size > TAIL_BYTES ? about.st_size - TAIL_BYTES : 0;
    ssize_t got = pread(fd, tail, sizeof(tail), from);
    if (got < 0) {
        return -errno;
    }
    size_t whole = end_of_last_line(tail, (size_t)got, &state.chain);
    bool is_cut = whole < (size_t)got;
    return is_cut && ftruncate(fd, from + (off_t)whole) < 0 ? -errno : 0;
}

int run_log_open(const char *run_dir, char why[RUN_DIR_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    int fd = open(run_dir_path(run_dir, "coordinator.log", path),
                  O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    state.chain = (struct log_chain){{0}};
    int rc = fd < 0 ? -errno : go_on(fd);
    if (rc < 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        (void)snprintf(why, RUN_DIR_WHY_BYTES,
                       "cannot write %s: %s; make room or choose another "
                       "--run-dir",
                       path, strerror(-rc));
        return rc;
    }
    state.fd = fd;
    log_set_sink(write_line);
    return 0;
}

void run_log_close(void)
{
    log_set_sink(NULL);
    pthread_mutex_lock(&state.lock);
    if (state.fd >= 0) {
        (void)close(state.fd);
    }
    state.fd = -1;
    pthread_mutex_unlock(&state.lock);
}

const char *run_log_head(char out[LOG_CHAIN_TEXT_BYTES])
{
    pthread_mutex_lock(&state.lock);
    (void)log_chain_text(&state.chain, out);
    pthread_mutex_unlock(&state.lock);
    return out;
}

/* --- what is said of this process --- */

const char *run_log_user(uid_t uid, char out[RUN_LOG_USER_BYTES])
{
    char room[4096];
    struct passwd entry, *found = NULL;
    bool is_known = getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL;
    (void)snprintf(out, RUN_LOG_USER_BYTES, "%.40s(%lu)", is_known ? entry.pw_name : "?",
                   (unsigned long)uid);
    return out;
}

const char *run_log_hash(const void *bytes, size_t size, char out[RUN_LOG_HASH_TEXT_BYTES])
{
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash(hash, sizeof(hash), bytes, size, NULL, 0);
    return sodium_bin2hex(out, RUN_LOG_HASH_TEXT_BYTES, hash, sizeof(hash));
}

int run_log_hash_file(const char *path, char out[RUN_LOG_HASH_TEXT_BYTES])
{
    uint8_t hash[crypto_generichash_BYTES], piece[65536];
    crypto_generichash_state hashing;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? 1 : -1;
    crypto_generichash_init(&hashing, NULL, 0, sizeof(hash));
    while (got > 0 && (got = read(fd, piece, sizeof(piece))) > 0) {
        crypto_generichash_update(&hashing, piece, (unsigned long long)got);
    }
    int error = got < 0 ? (errno == 0 ? EINVAL : errno) : 0;
    crypto_generichash_final(&hashing, hash, sizeof(hash));
    (void)close(fd);
    if (error == 0) {
        (void)sodium_bin2hex(out, RUN_LOG_HASH_TEXT_BYTES, hash, sizeof(hash));
    }
    return -error;
}

/* As one line: words are parted by spaces, and quotes become apostrophes. */
static void command_line(char *out, size_t size)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t got = file == NULL ? 0 : fread(out, 1, size - 1, file);
    if (file != NULL) {
        (void)fclose(file);
    }
    for (size_t i = 0; i < got; i++) {
        out[i] = (char)(out[i] == '\0' ? ' ' : out[i] == '"' ? '\'' : out[i]);
    }
    out[got > 0 && out[got - 1] == ' ' ? got - 1 : got] = '\0';
}

void run_log_process(const char *what, const char *run_name)
{
    char user[RUN_LOG_USER_BYTES], login[RUN_LOG_USER_BYTES], host[256] = "?", command[500];
    const char *sudo = getenv("SUDO_UID");
    char *end = NULL;
    unsigned long sudo_uid = sudo == NULL ? 0 : strtoul(sudo, &end, 10);
    bool is_sudo = sudo != NULL && end != sudo && *end == '\0';
    (void)gethostname(host, sizeof(host) - 1);
    command_line(command, sizeof(command));
    log_info("what=%s run=%s user=%s%s%s host=%s pid=%ld version=%s command=\"%s\"", what, run_name,
             run_log_user(geteuid(), user), is_sudo ? " sudo_by=" : "",
             is_sudo ? run_log_user((uid_t)sudo_uid, login) : "", host, (long)getpid(),
             LEASEHERD_VERSION, command);
}
