/* SPDX-License-Identifier: MIT */
/* When a run reads the servers' books, and what becomes of what they said. */
#include "coordinator/run/lease_books.h"
#include "tests/support/truth_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/report/result.h"
#include "coordinator/run/run.h"

enum { PATH_BYTES = 64, PATIENCE_MS = 20000, EXIT_USAGE = 2 };
static char directory[PATH_BYTES];

static void name_source(struct scenario *scenario, size_t server, enum scenario_lease_source source,
                        const char *name)
{
    struct scenario_server *s = &((struct scenario_server *)scenario->servers.items)[server];
    s->lease_source = source;
    (void)snprintf(s->lease_path, sizeof(s->lease_path), "%s/%s", directory, name);
}

static void write_file(const char *path, const char *text)
{
    FILE *to = fopen(path, "we");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

/* A listener that takes no call: whoever asks waits. */
static int listen_deaf(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    (void)unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* A run that cannot go on: it has no keys. */
static pid_t start_run(const struct scenario *scenario, const struct run_adoption *adoption)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    const struct run_options options = {.scenario = scenario,
                                        .scenario_path = "small.yaml",
                                        .run_dir = "/nonexistent/run",
                                        .keys = "/nonexistent/keys",
                                        .listen_host = "127.0.0.1",
                                        .agents = 1,
                                        .adoption = adoption,
                                        .is_quiet = true};
    _exit(run_execute(&options));
}

/* The book comes before hub, agents and blocked signals: a slow one holds up nobody. */
static void a_slow_book_waits_for_nobody_and_can_be_stopped(void **unused)
{
    (void)unused;
    struct truth_fixture f;
    char path[PATH_BYTES + 16];
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    name_source(&f.scenario, 0, LEASES_KEA_SOCKET, "kea.sock");
    (void)snprintf(path, sizeof(path), "%s/kea.sock", directory);
    int listener = listen_deaf(path);
    pid_t pid = start_run(&f.scenario, NULL);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int status = 0, calls = poll(&p, 1, PATIENCE_MS);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(listener);
    assert_int_equal(calls, 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    truth_fixture_fini(&f);
}

static void a_small_run_of_cleanup_reads_no_book(void **unused)
{
    (void)unused;
    static const struct run_adoption adoption = {0};
    struct truth_fixture f;
    char path[PATH_BYTES + 16];
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    name_source(&f.scenario, 0, LEASES_KEA_SOCKET, "kea.sock");
    (void)snprintf(path, sizeof(path), "%s/kea.sock", directory);
    int listener = listen_deaf(path);
    pid_t pid = start_run(&f.scenario, &adoption);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    close(listener);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE);
    truth_fixture_fini(&f);
}

static void what_stood_before_is_kept_until_truth_exists(void **unused)
{
    (void)unused;
    struct truth_fixture f;
    char path[PATH_BYTES + 16], *said = NULL;
    size_t said_size = 0;
    FILE *complain = open_memstream(&said, &said_size);
    assert_non_null(complain);
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    name_source(&f.scenario, 0, LEASES_DHCPD_FILE, "leases");
    name_source(&f.scenario, 1, LEASES_DHCPD_FILE, "missing");
    (void)snprintf(path, sizeof(path), "%s/leases", directory);
    write_file(path, "lease 10.10.0.1 {\n  binding state active;\n"
                     "  hardware ethernet 02:00:00:00:00:01;\n}\n"
                     "lease 10.10.0.2 {\n  binding state free;\n}\n"
                     "lease 10.10.0.3 {\n  binding state expired;\n}\n"
                     "lease 10.10.0.4 {\n  binding state expired;\n}\n"
                     "lease 10.20.0.5 {\n  binding state expired;\n}\n"
                     "lease ten {\n}\n");
    struct lease_counts counts;
    lease_books_count(&counts, &f.scenario, complain);
    assert_int_equal(fclose(complain), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(counts.count, 2);
    assert_true(counts.server[0].is_known);
    assert_int_equal(counts.server[0].in_state[BOOK_ACTIVE], 1);
    assert_int_equal(counts.server[0].in_state[BOOK_FREE], 1);
    assert_int_equal(counts.server[0].in_state[BOOK_EXPIRED], 2);
    assert_false(counts.server[1].is_known);
    assert_non_null(strstr(said, "server s1: "));
    assert_non_null(strstr(said, "not understood: 1;"));
    assert_non_null(strstr(said, "server s2: "));
    free(said);
    truth_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_book_waits_for_nobody_and_can_be_stopped),
        cmocka_unit_test(a_small_run_of_cleanup_reads_no_book),
        cmocka_unit_test(what_stood_before_is_kept_until_truth_exists),
    };
    (void)snprintf(directory, sizeof(directory), "/tmp/lease-books.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char path[PATH_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/kea.sock", directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return failed;
}
