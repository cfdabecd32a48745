/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-kill-stream kill DIR KILLS SEED   kills writer and keeper at random, checks, says what
 * it saw make|keep|write|check the parts by themselves, for tests/system/powercut.sh
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/prng.h"
#include "tests/support/kill_stream/stream.h"

enum { KILLS_PER_LEDGER = 50, PATIENCE_S = 60, PATH_BYTES = 300, LONGEST_MS = 80 };

struct killer {
    char ledger[PATH_BYTES], state[PATH_BYTES], socket[PATH_BYTES], enough[PATH_BYTES];
    pid_t keeper, writer;
    struct prng prng;
    uint64_t kills, checks, rows, resent; /* resent: kept in the ring over a kill */
};

static pid_t start(const char *what, const char *where, const char *socket)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "leaseherd-kill-stream", what, where, socket, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* The exit status as wait() has it; that of a killed child is SIGKILL. */
static int reap(pid_t *pid)
{
    int status = -1;
    while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
    *pid = 0;
    return status;
}

static bool kill_one(pid_t *pid, const char *what)
{
    if (*pid <= 0) {
        return true;
    }
    (void)kill(*pid, SIGKILL);
    int status = reap(pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        (void)fprintf(stderr, "kill_stream: the %s had ended by itself, status %d\n", what, status);
        return false;
    }
    return true;
}

static void start_missing(struct killer *k)
{
    if (k->keeper <= 0) {
        k->keeper = start("keep", k->ledger, k->socket);
    }
    if (k->writer <= 0) {
        k->writer = start("write", k->state, k->socket);
    }
}

static bool look(struct killer *k)
{
    struct stream_state s;
    k->checks++;
    bool is_good = stream_check(k->ledger, k->state, &s);
    k->rows = s.rows;
    k->resent += s.has_ring ? s.next - 1 - s.committed : 0;
    return is_good;
}

static bool one_kill(struct killer *k)
{
    start_missing(k);
    struct timespec pause = {0, (long)prng_below(&k->prng, LONGEST_MS * 1000) * 1000};
    nanosleep(&pause, NULL);
    k->kills++;
    switch (prng_below(&k->prng, 3)) {
    case 0:
        return kill_one(&k->keeper, "keeper");
    case 1:
        return kill_one(&k->writer, "writer");
    default:
        return kill_one(&k->keeper, "keeper") && kill_one(&k->writer, "writer") && look(k);
    }
}

/* Nobody is killed any more: everything arrives, and the ring is empty. */
static bool let_finish(struct killer *k)
{
    FILE *enough = fopen(k->enough, "w");
    if (enough == NULL || fclose(enough) != 0) {
        return false;
    }
    start_missing(k);
    int status = -1;
    for (int i = 0; i < PATIENCE_S * 100 && k->writer > 0; i++) {
        static const struct timespec pause = {0, 10 * 1000 * 1000};
        if (waitpid(k->writer, &status, WNOHANG) == k->writer) {
            k->writer = 0;
        }
        nanosleep(&pause, NULL);
    }
    struct stream_state s;
    bool is_good = k->writer == 0 && status == 0 && kill_one(&k->keeper, "keeper") &&
                   stream_check(k->ledger, k->state, &s) && s.acked == s.committed &&
                   s.next == s.acked + 1;
    if (!is_good) {
        (void)fprintf(stderr, "kill_stream: the rest did not arrive (status %d)\n", status);
    }
    return is_good;
}

static bool one_ledger(struct killer *k, const char *dir, unsigned number, unsigned kills)
{
    (void)snprintf(k->ledger, sizeof(k->ledger), "%.200s/ledger-%u.db", dir, number);
    (void)snprintf(k->state, sizeof(k->state), "%.200s/state-%u", dir, number);
    (void)snprintf(k->enough, sizeof(k->enough), "%.200s/state-%u/enough", dir, number);
    (void)snprintf(k->socket, sizeof(k->socket), "%.90s/socket", dir);
    bool is_good = mkdir(k->state, 0700) == 0 && stream_make_ledger(k->ledger) == 0;
    for (unsigned i = 0; is_good && i < kills; i++) {
        is_good = one_kill(k);
    }
    is_good = is_good && let_finish(k);
    if (k->keeper > 0) {
        (void)kill(k->keeper, SIGKILL);
        (void)reap(&k->keeper);
    }
    if (k->writer > 0) {
        (void)kill(k->writer, SIGKILL);
        (void)reap(&k->writer);
    }
    return is_good;
}

static int run_kills(const char *dir, unsigned long kills, unsigned long seed)
{
    static struct killer k;
    uint64_t rows = 0;
    k.prng = prng_seeded(seed);
    for (unsigned number = 0; k.kills < kills; number++) {
        unsigned long left = kills - k.kills;
        unsigned count = left < KILLS_PER_LEDGER ? (unsigned)left : KILLS_PER_LEDGER;
        if (!one_ledger(&k, dir, number, count)) {
            (void)fprintf(stderr, "kill_stream: FAILED at kill %" PRIu64 " of seed %lu, see %s\n",
                          k.kills, seed, dir);
            return 1;
        }
        rows += k.rows;
        (void)unlink(k.ledger);
    }
    (void)printf("%" PRIu64 " kills, %" PRIu64 " checks between them, %" PRIu64 " rows, %" PRIu64
                 " batches kept over a kill\n",
                 k.kills, k.checks, rows, k.resent);
    return 0;
}

/* What an agent that has ended left in its state directory. */
static int show_ring(const char *state_dir)
{
    struct stream_state s;
    if (!stream_look(state_dir, &s)) {
        return 1;
    }
    if (!s.has_ring) {
        (void)printf("none\n");
        return 0;
    }
    (void)printf("%" PRIu64 " %" PRIu64 "\n", s.acked, s.next - 1);
    return 0;
}

static int check(const char *ledger, const char *state_dir)
{
    struct stream_state s;
    bool is_good = stream_check(ledger, state_dir, &s);
    (void)printf("acknowledged %" PRIu64 ", committed %" PRIu64 ", rows %" PRIu64 "\n", s.acked,
                 s.committed, s.rows);
    return is_good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "kill") == 0 && argc == 5) {
        return run_kills(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    }
    if (strcmp(what, "make") == 0 && argc == 3) {
        return stream_make_ledger(argv[2]);
    }
    if (strcmp(what, "keep") == 0 && argc == 4) {
        return stream_keep(argv[2], argv[3]);
    }
    if (strcmp(what, "write") == 0 && argc == 4) {
        return stream_write(argv[2], argv[3]);
    }
    if (strcmp(what, "ring") == 0 && argc == 3) {
        return show_ring(argv[2]);
    }
    if (strcmp(what, "check") == 0 && argc == 4) {
        return check(argv[2], argv[3]);
    }
    (void)fprintf(stderr, "usage: leaseherd-kill-stream kill DIR KILLS SEED | make LEDGER |\n"
                          "       keep LEDGER SOCKET | write DIR SOCKET | check LEDGER DIR |\n"
                          "       ring DIR: `ACKNOWLEDGED LAST` of the batches, or `none`\n");
    return 2;
}
