/* SPDX-License-Identifier: MIT */
/* Lease files that are none, and a Kea that answers in every way but the right one. */
#include "coordinator/run/lease_source.h"
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/run/kea_socket.h"

#define NOW_S UINT64_C(1704585600)

enum { PATH_BYTES = 40, LONG_MS = 5000 };
static char directory[PATH_BYTES];

static const char *path_of(const char *name, char out[2 * PATH_BYTES])
{
    (void)snprintf(out, 2 * PATH_BYTES, "%s/%s", directory, name);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *to = fopen(path, "we");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

/* Reads it as a file of both servers; both must say no in one sentence, and soon. */
static void is_refused(const char *path)
{
    static const enum scenario_lease_source kinds[] = {LEASES_DHCPD_FILE, LEASES_KEA_FILE};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct scenario_server server = {.name = "s1", .lease_source = kinds[i]};
        struct lease_book book = {0};
        char why[LEASE_SOURCE_WHY_BYTES] = "";
        (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
        uint64_t began_ns = clock_monotonic_ns();
        int rc = lease_source_read(&server, NOW_S, &book, why);
        if (rc >= 0 || clock_monotonic_ns() - began_ns > LONG_MS * NS_PER_MS) {
            fail_msg("%s: %d (%s)", path, rc, why);
        }
        assert_int_equal(strncmp(why, "server s1: ", 11), 0);
        assert_non_null(strstr(why, path));
        lease_book_fini(&book);
    }
}

static void what_is_no_lease_file_is_refused_at_once(void **unused)
{
    (void)unused;
    char path[2 * PATH_BYTES];
    is_refused(path_of("missing", path));
    is_refused(directory);
    is_refused("/dev/zero");
    is_refused("/dev/null");
    is_refused("/proc/self/mem");
    assert_int_equal(mkfifo(path_of("fifo", path), 0600), 0);
    is_refused(path);
    write_file(path_of("empty", path), "");
    is_refused(path);
    write_file(path_of("other", path), "root:x:0:0:root:/root:/bin/bash\n");
    is_refused(path);
    assert_int_equal(truncate(path, (off_t)1 << 31), 0); /* 2 GiB, and nothing on the disk */
    is_refused(path);
    assert_int_equal(symlink("loop", path_of("loop", path)), 0);
    is_refused(path);
}

static atomic_bool is_enough;

static void *append_for_ever(void *context)
{
    int fd = open(context, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    static const char row[] = "10.0.0.2,02:00:00:00:00:02,600,1704586000,0\n";
    while (!is_enough) {
        assert_int_equal(write(fd, row, sizeof(row) - 1), (int)sizeof(row) - 1);
    }
    close(fd);
    return NULL;
}

static void a_file_that_grows_faster_than_it_is_read_has_an_end(void **unused)
{
    (void)unused;
    char path[2 * PATH_BYTES], why[LEASE_SOURCE_WHY_BYTES];
    struct scenario_server server = {.name = "s1", .lease_source = LEASES_KEA_FILE};
    struct lease_book book = {0};
    struct book_lease lease;
    pthread_t writer;
    write_file(path_of("growing", path), "address,hwaddr,valid_lifetime,expire,state\n"
                                         "10.0.0.1,02:00:00:00:00:01,600,1704586000,0\n");
    (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
    is_enough = false;
    assert_int_equal(pthread_create(&writer, NULL, append_for_ever, path), 0);
    for (unsigned i = 0; i < 4; i++) {
        int rc = lease_source_read(&server, NOW_S, &book, why);
        is_enough = is_enough || rc < 0;
        assert_int_equal(rc, 0);
    }
    is_enough = true;
    pthread_join(writer, NULL);
    assert_true(lease_book_find(&book, inet_from_host(0x0a000001), &lease));
    assert_int_equal(lease.state, BOOK_ACTIVE);
    lease_book_fini(&book);
}

/* --- files that change while they are read --- */

/* Carries out `act` whenever somebody else does `mask` to `path`. */
struct watcher {
    char path[2 * PATH_BYTES];
    void (*act)(void);
    uint32_t mask;
    unsigned times; /* at most */
    int fd;
    atomic_uint acted;
    pthread_t thread;
};

static void *watch(void *context)
{
    struct watcher *w = context;
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    while (!is_enough && w->acted < w->times) {
        char event[sizeof(struct inotify_event) + 256];
        if (poll(&p, 1, 10) > 0 && read(w->fd, event, sizeof(event)) > 0) {
            w->act();
            w->acted++;
            (void)inotify_add_watch(w->fd, w->path, w->mask); /* what has the name now */
        }
    }
    return NULL;
}

static void watcher_start(struct watcher *w, const char *name, uint32_t mask, unsigned times,
                          void (*act)(void))
{
    *w = (struct watcher){.act = act, .mask = mask, .times = times};
    (void)path_of(name, w->path);
    w->fd = inotify_init1(IN_CLOEXEC);
    assert_true(w->fd >= 0 && inotify_add_watch(w->fd, w->path, mask) >= 0);
    is_enough = false;
    assert_int_equal(pthread_create(&w->thread, NULL, watch, w), 0);
}

static void watcher_stop(struct watcher *w)
{
    is_enough = true;
    pthread_join(w->thread, NULL);
    close(w->fd);
}

static void complete_the_file(void)
{
    char path[2 * PATH_BYTES];
    FILE *to = fopen(path_of("leases", path), "ae");
    (void)fputs("ng state active;\n  hardware ethernet 02:00:00:00:00:01;\n}\n", to);
    (void)fclose(to);
}

static void do_nothing(void)
{
}

static void a_file_that_is_being_written_is_read_once_more(void **unused)
{
    (void)unused;
    static const struct {
        void (*act)(void);
        unsigned looks;
        uint64_t strange;
    } rows[] = {{complete_the_file, 1, 0}, {do_nothing, 2, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[2 * PATH_BYTES], why[LEASE_SOURCE_WHY_BYTES];
        struct scenario_server server = {.name = "s1", .lease_source = LEASES_DHCPD_FILE};
        struct lease_book book = {0};
        struct watcher w;
        write_file(path_of("leases", path), "lease 10.0.0.1 {\n  binding state free;\n}\n"
                                            "lease 10.0.0.1 {\n  bindi");
        (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
        watcher_start(&w, "leases", IN_CLOSE_NOWRITE, rows[i].looks, rows[i].act);
        assert_int_equal(lease_source_read(&server, NOW_S, &book, why), 0);
        (void)poll(NULL, 0, 100);
        watcher_stop(&w);
        assert_int_equal(w.acted, rows[i].looks);
        assert_int_equal(book.strange, rows[i].strange);
        struct book_lease lease;
        assert_true(lease_book_find(&book, inet_from_host(0x0a000001), &lease));
        assert_int_equal(lease.state, rows[i].strange == 0 ? BOOK_ACTIVE : BOOK_UNCLEAR);
        lease_book_fini(&book);
    }
}

#define KEA_HEADING "address,hwaddr,valid_lifetime,expire,state\n"
#define KEA_ROW     "10.0.0.1,02:00:00:00:00:01,600,1704586000,0\n"

/* Long enough for everything that happens meanwhile to be over before it is read. */
static void write_long_file(const char *path)
{
    enum { ROWS = 200000 };
    FILE *to = fopen(path, "we");
    assert_non_null(to);
    assert_true(fputs(KEA_HEADING, to) >= 0);
    for (unsigned i = 0; i < ROWS; i++) {
        assert_true(fputs("10.0.0.9,02:00:00:00:00:09,600,1704586000,0\n", to) >= 0);
    }
    assert_int_equal(fclose(to), 0);
}

/* As Kea's clean-up ends: what it made of .2 and .1 takes the place of both. */
static void end_the_clean_up(void)
{
    char from[2 * PATH_BYTES], to[2 * PATH_BYTES];
    (void)rename(path_of("kea.csv.output", from), path_of("kea.csv.completed", to));
    (void)rename(path_of("kea.csv.completed", from), path_of("kea.csv.2", to));
    (void)unlink(path_of("kea.csv.1", to));
}

/* With the old .2 in hand the reader finds neither .1 nor what was made of it. */
static void a_clean_up_that_ends_while_we_read_loses_no_row(void **unused)
{
    (void)unused;
    char path[2 * PATH_BYTES], why[LEASE_SOURCE_WHY_BYTES];
    struct scenario_server server = {.name = "s1", .lease_source = LEASES_KEA_FILE};
    struct lease_book book = {0};
    struct book_lease lease;
    struct watcher w;
    write_long_file(path_of("kea.csv.2", path));
    write_file(path_of("kea.csv.1", path), KEA_HEADING KEA_ROW);
    write_file(path_of("kea.csv.output", path), KEA_HEADING KEA_ROW);
    write_file(path_of("kea.csv", path), KEA_HEADING);
    (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
    watcher_start(&w, "kea.csv.2", IN_OPEN, 1, end_the_clean_up);
    assert_int_equal(lease_source_read(&server, NOW_S, &book, why), 0);
    watcher_stop(&w);
    assert_int_equal(w.acted, 1);
    assert_true(lease_book_find(&book, inet_from_host(0x0a000001), &lease));
    assert_int_equal(lease.state, BOOK_ACTIVE);
    assert_false(lease_book_find(&book, inet_from_host(0x0a000009), &lease)); /* of the old .2 */
    lease_book_fini(&book);
}

static void *clean_up_for_ever(void *unused)
{
    (void)unused;
    char from[2 * PATH_BYTES], to[2 * PATH_BYTES];
    (void)path_of("kea.csv.output", from);
    (void)path_of("kea.csv.2", to);
    while (!is_enough) {
        write_file(from, KEA_HEADING);
        assert_int_equal(rename(from, to), 0);
    }
    return NULL;
}

static void files_that_never_rest_are_not_known(void **unused)
{
    (void)unused;
    char path[2 * PATH_BYTES], why[LEASE_SOURCE_WHY_BYTES] = "";
    struct scenario_server server = {.name = "s1", .lease_source = LEASES_KEA_FILE};
    struct lease_book book = {0};
    pthread_t cleaner;
    write_long_file(path_of("kea.csv", path));
    (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", path);
    is_enough = false;
    assert_int_equal(pthread_create(&cleaner, NULL, clean_up_for_ever, NULL), 0);
    int rc = lease_source_read(&server, NOW_S, &book, why);
    is_enough = true;
    pthread_join(cleaner, NULL);
    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(strncmp(why, "server s1: ", 11), 0);
    assert_non_null(strstr(why, path));
    lease_book_fini(&book);
}

/* --- Kea's socket --- */

enum manner { SILENT, DEAF, DRIPPING, ENDLESS, LEAVING, WHOLE };

struct kea {
    enum manner manner;
    int listener;
    pthread_t thread;
    char path[2 * PATH_BYTES];
};

static void *serve(void *context)
{
    const struct kea *kea = context;
    char noise[4096];
    memset(noise, '[', sizeof(noise));
    int fd = kea->manner == DEAF ? -1 : accept4(kea->listener, NULL, NULL, SOCK_CLOEXEC);
    if (kea->manner == WHOLE) {
        (void)recv(fd, noise, sizeof(noise), 0);
        (void)send(fd, "{\"result\": 3}", 13, MSG_NOSIGNAL);
    }
    bool is_open = kea->manner != LEAVING && kea->manner != WHOLE;
    while (is_open && !is_enough) {
        if (kea->manner == ENDLESS) {
            (void)send(fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            (void)poll(NULL, 0, 10);
        }
        if (kea->manner == DRIPPING) {
            (void)send(fd, " ", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

static void kea_start(struct kea *kea, enum manner manner)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *kea = (struct kea){.manner = manner};
    (void)path_of("kea.sock", kea->path);
    (void)unlink(kea->path);
    memcpy(address.sun_path, kea->path, strlen(kea->path));
    kea->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(kea->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(kea->listener, 0), 0);
    is_enough = false;
    assert_int_equal(pthread_create(&kea->thread, NULL, serve, kea), 0);
}

static void kea_stop(struct kea *kea)
{
    is_enough = true;
    pthread_join(kea->thread, NULL);
    close(kea->listener);
}

static void a_kea_that_does_not_answer_well_is_left_in_time(void **unused)
{
    (void)unused;
    static const struct {
        enum manner manner;
        int rc;
    } rows[] = {{SILENT, -ETIMEDOUT}, {DEAF, -ETIMEDOUT}, {DRIPPING, -ETIMEDOUT},
                {ENDLESS, -EFBIG},    {LEAVING, -EPIPE},  {WHOLE, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct kea kea;
        char *answer = NULL;
        size_t bytes = 0;
        kea_start(&kea, rows[i].manner);
        uint64_t began_ns = clock_monotonic_ns();
        int rc = kea_socket_ask(kea.path, "{}", 300 * NS_PER_MS, 1 << 20, &answer, &bytes);
        uint64_t took_ns = clock_monotonic_ns() - began_ns;
        kea_stop(&kea);
        bool is_reset = rows[i].manner == LEAVING && rc == -ECONNRESET;
        if ((rc != rows[i].rc && !is_reset) || took_ns > LONG_MS * NS_PER_MS) {
            fail_msg("manner %zu: %d after %llu ns", i, rc, (unsigned long long)took_ns);
        }
        assert_int_equal(bytes, rc == 0 ? 13 : 0);
        free(answer);
    }
}

/* Everybody before us waits to be taken, for ever. */
static void a_full_backlog_is_left_in_time(void **unused)
{
    (void)unused;
    enum { CALLERS = 16 };
    struct kea kea;
    int fd[CALLERS];
    char *answer = NULL;
    size_t bytes = 0;
    kea_start(&kea, DEAF);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, kea.path, strlen(kea.path));
    for (size_t i = 0; i < CALLERS; i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fd[i], (struct sockaddr *)&address, sizeof(address));
    }
    assert_int_equal(kea_socket_ask(kea.path, "{}", 200 * NS_PER_MS, 1 << 20, &answer, &bytes),
                     -ETIMEDOUT);
    for (size_t i = 0; i < CALLERS; i++) {
        close(fd[i]);
    }
    kea_stop(&kea);
}

static void a_socket_that_is_none_is_said(void **unused)
{
    (void)unused;
    struct scenario_server server = {.name = "s1", .lease_source = LEASES_KEA_SOCKET};
    static const char *const paths[] = {"/dev/null", "/", "/nonexistent/kea.sock"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct lease_book book = {0};
        char why[LEASE_SOURCE_WHY_BYTES] = "";
        (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", paths[i]);
        assert_true(lease_source_read(&server, NOW_S, &book, why) < 0);
        assert_non_null(strstr(why, paths[i]));
    }
    memset(server.lease_path, 'x', sizeof(server.lease_path) - 1);
    char why[LEASE_SOURCE_WHY_BYTES] = "";
    struct lease_book book = {0};
    assert_int_equal(lease_source_read(&server, NOW_S, &book, why), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_lease_file_is_refused_at_once),
        cmocka_unit_test(a_file_that_grows_faster_than_it_is_read_has_an_end),
        cmocka_unit_test(a_file_that_is_being_written_is_read_once_more),
        cmocka_unit_test(a_clean_up_that_ends_while_we_read_loses_no_row),
        cmocka_unit_test(files_that_never_rest_are_not_known),
        cmocka_unit_test(a_kea_that_does_not_answer_well_is_left_in_time),
        cmocka_unit_test(a_full_backlog_is_left_in_time),
        cmocka_unit_test(a_socket_that_is_none_is_said),
    };
    (void)snprintf(directory, sizeof(directory), "/tmp/lease-source.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"fifo",      "empty",     "other",         "loop",
                                        "growing",   "kea.sock",  "leases",        "kea.csv",
                                        "kea.csv.1", "kea.csv.2", "kea.csv.output"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[2 * PATH_BYTES];
        (void)unlink(path_of(names[i], path));
    }
    (void)rmdir(directory);
    return failed;
}
