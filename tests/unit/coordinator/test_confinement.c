/* SPDX-License-Identifier: MIT */
/* What root may still do afterwards; anybody else may do nothing special before and after. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/run/confinement.h"

/* Of linux/capability.h, as the kernel shows them. */
#define DAC_OVERRIDE    (UINT64_C(1) << 1)
#define DAC_READ_SEARCH (UINT64_C(1) << 2)

enum { SOMEBODY = 65534, PATH_BYTES = 64 };

static char dir[PATH_BYTES], book[PATH_BYTES + 8];
static struct scenario_server server = {.lease_source = LEASES_KEA_SOCKET};
static struct scenario scenario;

static uint64_t status_of(const char *name)
{
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoull(line + strlen(name), NULL, 16);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return value;
}

/* 0: as it should be; else which step was not. In a child: there is no way back. */
static int kept_by_child(bool is_cleanup, uint64_t wanted)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char why[CONFINEMENT_WHY_BYTES];
        int rc = is_cleanup ? confinement_keep_reading(dir, &scenario, false, why)
                            : confinement_drop_capabilities(dir, NULL, why);
        wanted = geteuid() == 0 ? wanted : 0;
        _exit(rc != 0                                  ? 1
              : status_of("CapEff:") != wanted         ? 2
              : status_of("CapPrm:") != wanted         ? 3
              : status_of("CapInh:") != 0              ? 4
              : is_cleanup && access(dir, W_OK | X_OK) ? 5
                                                       : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/leaseherd-test-confine-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(book, sizeof(book), "%s/kea", dir);
    int fd = open(book, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    (void)snprintf(server.lease_path, sizeof(server.lease_path), "%s", book);
    scenario.servers.items = &server;
    scenario.servers.count = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(book);
    (void)rmdir(dir);
    return 0;
}

static void a_run_keeps_nothing(void **state)
{
    (void)state;
    assert_int_equal(kept_by_child(false, 0), 0);
}

static void a_cleanup_keeps_reading_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(kept_by_child(true, DAC_READ_SEARCH), 0);
}

static void a_socket_of_another_user_or_his_directory_takes_more(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(chown(book, SOMEBODY, SOMEBODY), 0);
    }
    assert_int_equal(kept_by_child(true, DAC_OVERRIDE), 0);
    assert_int_equal(unlink(book), 0);
    assert_int_equal(kept_by_child(true, DAC_READ_SEARCH), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, SOMEBODY, SOMEBODY), 0);
    }
    assert_int_equal(kept_by_child(true, DAC_OVERRIDE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_keeps_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cleanup_keeps_reading_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_socket_of_another_user_or_his_directory_takes_more,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
