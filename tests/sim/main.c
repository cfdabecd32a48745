/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-sim: worlds by their seeds, each in a process of its own, so that what a killed
 * part leaves in memory, and what kills the code under test, is one seed's only.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/cover.h"
#include "tests/sim/play.h"

enum {
    PATH_BYTES = 512,
    WORLD_REAL_SECONDS = 120,
    SOAK_REAL_SECONDS = 3000,
    AGAIN_EVERY = 25,
    SHOWN_MOST = 10,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

struct options {
    uint64_t first, last;
    struct play_how how;
    bool demands_coverage, names_hashes;
    const char *scratch, *cover_file;
    const char *until; /* a promise: ends with the first world that breaks it */
};

struct tally {
    uint64_t worlds, failed, again, turns;
    double virtual_s;
    uint64_t by_promise[PROMISE_COUNT], count[PLAY_COUNT];
    struct cover cover;
    bool was_broken;
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

/* In a child: the world, and what came of it into the pipe. */
static void child(const struct options *o, uint64_t seed, const char *dir, int to)
{
    char path[PATH_BYTES];
    struct play_result result;
    (void)snprintf(path, sizeof(path), "%s/stderr", dir);
    if (!o->how.is_loud &&
        (freopen("/dev/null", "w", stdout) == NULL || freopen(path, "w", stderr) == NULL)) {
        _exit(EXIT_USAGE);
    }
    (void)alarm(o->how.soak_hours > 0 ? SOAK_REAL_SECONDS : WORLD_REAL_SECONDS);
    play(seed, dir, &o->how, &result);
    ssize_t written = write(to, &result, sizeof(result));
    _exit(written == (ssize_t)sizeof(result) ? 0 : EXIT_USAGE);
}

/* What the process said last before it died. */
static void quote_last_words(const char *dir)
{
    char path[PATH_BYTES], line[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/stderr", dir);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strstr(line, "Assertion") != NULL || strstr(line, "ERROR") != NULL ||
            strstr(line, "runtime error") != NULL || strstr(line, "    #") != NULL) {
            (void)fputs(line, stdout);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static size_t read_result(int from, struct play_result *out)
{
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got < sizeof(*out);) {
        n = read(from, (char *)out + got, sizeof(*out) - got);
        got += n > 0 ? (size_t)n : 0;
    }
    return got;
}

/* False: the process died; *out says how. */
static bool run_world(const struct options *o, uint64_t seed, struct play_result *out)
{
    char dir[PATH_BYTES / 2];
    int ends[2], status = 0;
    (void)snprintf(dir, sizeof(dir), "%s/world-XXXXXX", o->scratch);
    (void)fflush(NULL);
    if (mkdtemp(dir) == NULL || pipe(ends) < 0) {
        perror(dir);
        exit(EXIT_USAGE);
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        child(o, seed, dir, ends[1]);
    }
    (void)close(ends[1]);
    memset(out, 0, sizeof(*out));
    size_t got = pid < 0 ? 0 : read_result(ends[0], out);
    (void)close(ends[0]);
    bool has_lived = pid >= 0 && waitpid(pid, &status, 0) == pid && got == sizeof(*out);
    if (!has_lived) {
        memset(out, 0, sizeof(*out));
        out->violations = 1;
        (void)snprintf(out->first, sizeof(out->first), "the process died: %s %d",
                       WIFSIGNALED(status) ? "signal" : "exit code",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        quote_last_words(dir);
    }
    if (!o->how.keeps_dir) {
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    return has_lived;
}

static void add(struct tally *t, const struct play_result *r, uint64_t seed)
{
    t->worlds++;
    t->turns += r->turns;
    t->virtual_s += r->virtual_s;
    t->failed += r->violations > 0;
    for (unsigned i = 0; i < PROMISE_COUNT; i++) {
        t->by_promise[i] += r->by_promise[i] > 0;
    }
    for (unsigned i = 0; i < PLAY_COUNT; i++) {
        t->count[i] += r->count[i];
    }
    cover_add(&t->cover, &r->cover);
    if (r->violations > 0 && t->failed <= SHOWN_MOST) {
        (void)printf("seed %llu: %llu violations; %s\n", (unsigned long long)seed,
                     (unsigned long long)r->violations, r->first);
    }
}

static bool breaks(const struct play_result *r, const char *promise)
{
    for (unsigned i = 0; promise != NULL && i < PROMISE_COUNT; i++) {
        if (r->by_promise[i] > 0 && strcmp(promise, promise_name((enum promise)i)) == 0) {
            return true;
        }
    }
    return false;
}

static void play_all(const struct options *o, struct tally *t)
{
    for (uint64_t seed = o->first; seed <= o->last; seed++) {
        struct play_result r, again;
        bool lived = run_world(o, seed, &r);
        if (o->names_hashes) {
            (void)printf("%llu %016llx exit %d %.0f s\n", (unsigned long long)seed,
                         (unsigned long long)r.hash, r.exit_code, r.virtual_s);
        }
        if (lived && !o->how.is_loud && seed % AGAIN_EVERY == o->first % AGAIN_EVERY) {
            t->again++;
            if (!run_world(o, seed, &again) || again.hash != r.hash) {
                r.violations++;
                (void)snprintf(r.first, sizeof(r.first), "played twice: %016llx and %016llx",
                               (unsigned long long)r.hash, (unsigned long long)again.hash);
            }
        }
        add(t, &r, seed);
        if (breaks(&r, o->until)) {
            (void)printf("%s is broken by seed %llu\n", o->until, (unsigned long long)seed);
            t->was_broken = true;
            return;
        }
    }
}

static bool parse_seeds(const char *text, struct options *o)
{
    char *end;
    errno = 0;
    o->first = o->last = strtoull(text, &end, 10);
    if (*end == '-') {
        o->last = strtoull(end + 1, &end, 10);
    }
    return errno == 0 && *end == '\0' && o->first <= o->last && text[0] >= '0' && text[0] <= '9';
}

static int usage(void)
{
    (void)fputs(
        "usage: leaseherd-sim --seeds A[-B] [--soak HOURS] [--calm] [--trace] [--keep]\n"
        "                     [--coverage FILE] [--hashes] [--scratch DIR] [--until PROMISE]\n"
        "       leaseherd-sim --sum FILE...\n",
        stderr);
    return EXIT_USAGE;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--calm") == 0) {
            o->how.is_calm = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            o->how.is_loud = true;
        } else if (strcmp(argv[i], "--keep") == 0) {
            o->how.keeps_dir = true;
        } else if (strcmp(argv[i], "--hashes") == 0) {
            o->names_hashes = true;
        } else if (value == NULL) {
            return false;
        } else if (strcmp(argv[i], "--seeds") == 0 && parse_seeds(value, o)) {
            i++;
        } else if (strcmp(argv[i], "--soak") == 0) {
            o->how.soak_hours = (unsigned)strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--coverage") == 0) {
            o->cover_file = value;
            i++;
        } else if (strcmp(argv[i], "--until") == 0) {
            o->until = value;
            i++;
        } else if (strcmp(argv[i], "--scratch") == 0) {
            o->scratch = value;
            i++;
        } else {
            return false;
        }
    }
    return o->last > 0;
}

/* Adds up what several processes covered, and demands all of it. */
static int sum_up(int count, char **files)
{
    struct cover sum = {0}, one;
    for (int i = 0; i < count; i++) {
        FILE *f = fopen(files[i], "rb");
        if (f == NULL || fread(&one, sizeof(one), 1, f) != 1) {
            (void)fprintf(stderr, "leaseherd-sim: cannot read %s\n", files[i]);
            return EXIT_USAGE;
        }
        (void)fclose(f);
        cover_add(&sum, &one);
    }
    return cover_print(&sum, true) ? 0 : EXIT_FAILED;
}

static void print_tally(const struct tally *t, double real_s)
{
    for (unsigned i = 0; i < PROMISE_COUNT; i++) {
        if (t->by_promise[i] > 0) {
            (void)printf("  %-22s broken in %llu worlds\n", promise_name((enum promise)i),
                         (unsigned long long)t->by_promise[i]);
        }
    }
    static const char *const names[PLAY_COUNT] = {
#define X(name) #name,
        PLAY_COUNTS(X)
#undef X
    };
    for (unsigned i = 0; i < PLAY_COUNT; i++) {
        (void)printf("%s%s=%llu", i == 0 ? "  " : " ", names[i], (unsigned long long)t->count[i]);
    }
    (void)printf("\n%llu worlds, %.0f virtual hours in %.1f s, %llu turns, %llu played twice, "
                 "%llu failed\n",
                 (unsigned long long)t->worlds, t->virtual_s / 3600, real_s,
                 (unsigned long long)t->turns, (unsigned long long)t->again,
                 (unsigned long long)t->failed);
}

int main(int argc, char **argv)
{
    static struct tally tally;
    struct options o = {.scratch = "/dev/shm"};
    if (argc > 2 && strcmp(argv[1], "--sum") == 0) {
        return sum_up(argc - 2, argv + 2);
    }
    if (!parse(argc, argv, &o)) {
        return usage();
    }
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    play_all(&o, &tally);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    print_tally(&tally,
                (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    if (o.cover_file != NULL) {
        FILE *f = fopen(o.cover_file, "wb");
        if (f == NULL || fwrite(&tally.cover, sizeof(tally.cover), 1, f) != 1 || fclose(f) != 0) {
            (void)fprintf(stderr, "leaseherd-sim: cannot write %s\n", o.cover_file);
            return EXIT_USAGE;
        }
    }
    if (o.until != NULL) {
        return tally.was_broken ? 0 : EXIT_FAILED;
    }
    return tally.failed == 0 ? 0 : EXIT_FAILED;
}
