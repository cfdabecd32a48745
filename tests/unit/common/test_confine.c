/* SPDX-License-Identifier: MIT */
/* What a confined process may still do. Each probe is a child that confines itself. */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* 0 when it was done, else the errno. */
typedef int probe(void);

static int errno_unless(bool ok)
{
    return ok ? 0 : errno;
}

static int execute(void)
{
    static char name[] = "true";
    char *argv[] = {name, NULL}, *environment[] = {NULL};
    (void)execve("/bin/true", argv, environment);
    return errno;
}

static int execute_by_descriptor(void)
{
    int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
    (void)syscall(SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH);
    return errno;
}

/* As the C library's fork() calls it. A child that came to be ends at once. */
static int begin_process(void)
{
    long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        _exit(0);
    }
    if (pid > 0) {
        (void)waitpid((pid_t)pid, NULL, 0);
    }
    return errno_unless(pid > 0);
}

static int open_socket(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    int error = errno_unless(fd >= 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

static int packet_socket(void)
{
    return open_socket(AF_PACKET, SOCK_DGRAM, htons(ETHERTYPE_IP));
}

static int packet_socket_raw(void)
{
    return open_socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE_IP));
}

static int raw_socket(void)
{
    return open_socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
}

static int uevents(void)
{
    return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
}

static int firewall_rules(void)
{
    return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}

static int local_socket(void)
{
    return open_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int listen_on_tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = errno_unless(fd >= 0 && listen(fd, 1) == 0);
    (void)close(fd);
    return error;
}

static int trace(void)
{
    return errno_unless(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static int mount_something(void)
{
    return errno_unless(mount("none", "/mnt", "tmpfs", 0, NULL) == 0);
}

static int new_user_namespace(void)
{
    return errno_unless(unshare(CLONE_NEWUSER) == 0);
}

static int other_network(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return errno_unless(setns(fd, CLONE_NEWNET) == 0);
}

/* Calls by number, with arguments that an unconfined root would get another errno for. */
static int load_module(void)
{
    return errno_unless(syscall(SYS_init_module, NULL, 0UL, "") == 0);
}

static int load_bpf(void)
{
    return errno_unless(syscall(SYS_bpf, 0, NULL, 0) == 0);
}

static int read_keyring(void)
{
    return errno_unless(syscall(SYS_keyctl, 0, -3, 0) >= 0);
}

static int watch_performance(void)
{
    return errno_unless(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0);
}

static int io_ring(void)
{
    return errno_unless(syscall(SYS_io_uring_setup, 1, NULL) >= 0);
}

static int become_nobody(void)
{
    return errno_unless(syscall(SYS_setuid, 65534) == 0);
}

static int raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 0; /* reading it must be possible: makes the probe fail */
    }
    return errno_unless(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int signal_the_parent(void)
{
    return errno_unless(kill(getppid(), 0) == 0);
}

static int change_root(void)
{
    return errno_unless(chroot("/") == 0);
}

/* --- what must go on --- */

static void *do_nothing(void *argument)
{
    return argument;
}

static int begin_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, do_nothing, NULL);
    return error != 0 ? error : pthread_join(thread, NULL);
}

static int udp_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error =
        errno_unless(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    (void)close(fd);
    return error;
}

static int tcp_socket(void)
{
    return open_socket(AF_INET6, SOCK_STREAM, 0);
}

static int list_addresses(void)
{
    struct ifaddrs *all = NULL;
    int error = errno_unless(getifaddrs(&all) == 0);
    freeifaddrs(all);
    return error;
}

static int find_name(void)
{
    struct addrinfo *found = NULL;
    int rc = getaddrinfo("localhost", "6767", NULL, &found);
    if (rc == 0) {
        freeaddrinfo(found);
    }
    return rc == 0 ? 0 : rc == EAI_SYSTEM ? errno : ENOENT;
}

static int read_own_maps(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    return errno_unless(fd >= 0);
}

/* --- the runner --- */

static const enum confine_role *const no_role = NULL;

/* The errno of the probe in a child that has confined itself; -1 when the child came to harm. */
static int outcome_of(probe *run, const enum confine_role *role, const struct confine_path *paths,
                      size_t count)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char why[CONFINE_WHY_BYTES] = "";
        bool ok = (paths == NULL || confine_files(paths, count, why) == 0) &&
                  (role == NULL || confine_system_calls(*role, why) == 0);
        if (!ok) {
            fprintf(stderr, "%s\n", why);
            _exit(255);
        }
        _exit(run());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

static const struct {
    const char *what;
    probe *run;
    bool coordinator_may;
    bool sanitizers_need;
} denied[] = {{"execve", execute, false, false},
              {"execveat", execute_by_descriptor, false, false},
              {"a new process", begin_process, false, true},
              {"AF_PACKET", packet_socket, false, false},
              {"AF_PACKET, raw", packet_socket_raw, false, false},
              {"a raw socket", raw_socket, false, false},
              {"NETLINK_KOBJECT_UEVENT", uevents, false, false},
              {"NETLINK_NETFILTER", firewall_rules, false, false},
              {"AF_UNIX", local_socket, true, false},
              {"listen", listen_on_tcp, true, false},
              {"ptrace", trace, false, true},
              {"mount", mount_something, false, false},
              {"unshare", new_user_namespace, false, false},
              {"setns", other_network, false, false},
              {"init_module", load_module, false, false},
              {"bpf", load_bpf, false, false},
              {"keyctl", read_keyring, false, false},
              {"perf_event_open", watch_performance, false, false},
              {"io_uring_setup", io_ring, false, false},
              {"setuid", become_nobody, false, false},
              {"setrlimit", raise_limit, false, false},
              {"kill", signal_the_parent, true, true},
              {"chroot", change_root, false, false}};

static void system_calls_out_of_role_are_refused(void **state)
{
    (void)state;
    for (enum confine_role role = CONFINE_AGENT; role <= CONFINE_OBSERVER; role++) {
        for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
            if ((role == CONFINE_COORDINATOR && denied[i].coordinator_may) ||
                (role == CONFINE_OBSERVER && denied[i].run == local_socket) || /* Kea's */
                (HAS_SANITIZER && denied[i].sanitizers_need)) {
                continue;
            }
            int error = outcome_of(denied[i].run, &role, NULL, 0);
            if (error != EPERM) {
                fail_msg("%s as role %d gave errno %d, not EPERM", denied[i].what, (int)role,
                         error);
            }
        }
    }
}

/* Or the test above would pass where the call fails for another reason. */
static void an_unconfined_root_gets_another_answer(void **state)
{
    static probe *const telling[] = {
        begin_process, packet_socket, packet_socket_raw, raw_socket,        uevents,
        local_socket,  listen_on_tcp, raise_limit,       signal_the_parent, change_root};
    (void)state;
    if (geteuid() != 0) {
        fail_msg("needs root: else the kernel refuses some of it anyway");
    }
    for (size_t i = 0; i < ARRAY_LEN(telling); i++) {
        assert_int_equal(outcome_of(telling[i], no_role, NULL, 0), 0);
    }
    assert_int_not_equal(outcome_of(io_ring, no_role, NULL, 0), EPERM);
    assert_int_not_equal(outcome_of(load_bpf, no_role, NULL, 0), EPERM);
}

static void what_a_role_needs_goes_on(void **state)
{
    static const struct {
        const char *what;
        probe *run;
    } needed[] = {{"a thread", begin_thread},   {"a UDP socket", udp_socket},
                  {"a TCP socket", tcp_socket}, {"getifaddrs", list_addresses},
                  {"getaddrinfo", find_name},   {"reading /proc", read_own_maps}};
    (void)state;
    for (enum confine_role role = CONFINE_AGENT; role <= CONFINE_OBSERVER; role++) {
        for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
            int error = outcome_of(needed[i].run, &role, NULL, 0);
            if (error != 0) {
                fail_msg("%s as role %d gave errno %d", needed[i].what, (int)role, error);
            }
        }
    }
}

/* A thread that ran before is confined like the one that asks. */
static int other_thread_fd[2];

static void *try_packet_socket(void *argument)
{
    char go = 0;
    int *error = argument;
    *error = read(other_thread_fd[0], &go, 1) == 1 ? packet_socket() : EIO;
    return NULL;
}

static int confine_beside_a_thread(void)
{
    pthread_t thread;
    int error = 0;
    char why[CONFINE_WHY_BYTES] = "";
    if (pipe2(other_thread_fd, O_CLOEXEC) < 0 ||
        pthread_create(&thread, NULL, try_packet_socket, &error) != 0) {
        return EIO;
    }
    bool ok = confine_system_calls(CONFINE_COORDINATOR, why) == 0 &&
              write(other_thread_fd[1], "g", 1) == 1;
    return ok && pthread_join(thread, NULL) == 0 ? error : EIO;
}

static void threads_that_run_already_are_confined_too(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(confine_beside_a_thread, no_role, NULL, 0), EPERM);
}

static int gain_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

static void no_new_privileges_after_either(void **state)
{
    static const struct confine_path none = {"/nonexistent", false};
    enum confine_role role = CONFINE_COORDINATOR;
    (void)state;
    assert_int_equal(outcome_of(gain_privileges, no_role, NULL, 0), 0);
    assert_int_equal(outcome_of(gain_privileges, no_role, &none, 1), EPERM);
    /* A call that is not listed, so that only its effect shows. */
    assert_int_equal(outcome_of(execute, &role, NULL, 0), EPERM);
}

/* --- files --- */

static char inside[64], outside[64];

static int write_file(const char *dir)
{
    char path[128], other[128];
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    (void)snprintf(other, sizeof(other), "%s/renamed", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = errno_unless(fd >= 0 && ftruncate(fd, 4096) == 0 && rename(path, other) == 0 &&
                             unlink(other) == 0);
    (void)close(fd);
    return error;
}

static int write_inside(void)
{
    return write_file(inside);
}

static int write_outside(void)
{
    return write_file(outside);
}

static int open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = errno_unless(fd >= 0);
    (void)close(fd);
    return error;
}

static int read_shadow(void)
{
    return open_to_read("/etc/shadow");
}

static int read_hosts(void)
{
    return open_to_read("/etc/hosts");
}

static int write_hosts(void)
{
    int fd = open("/etc/hosts", O_WRONLY | O_CLOEXEC);
    return errno_unless(fd >= 0);
}

static int list_root(void)
{
    return open_to_read("/");
}

static int link_out(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/link", inside);
    return errno_unless(symlink("/etc/shadow", path) == 0 || errno == EEXIST) != 0
               ? errno
               : open_to_read(path);
}

static void files_outside_the_fence_stay_closed(void **state)
{
    (void)snprintf(inside, sizeof(inside), "/tmp/confine-in-%d", (int)getpid());
    (void)snprintf(outside, sizeof(outside), "/tmp/confine-out-%d", (int)getpid());
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_int_equal(mkdir(outside, 0700), 0);
    const struct confine_path paths[] = {
        {inside, true}, {"/etc/hosts", false}, {"/not/there", true}};
    const struct {
        const char *what;
        probe *run;
        int error;
    } rows[] = {{"writing inside", write_inside, 0},
                {"reading a file named", read_hosts, 0},
                {"writing outside", write_outside, EACCES},
                {"reading outside", read_shadow, EACCES},
                {"writing what is to be read", write_hosts, EACCES},
                {"listing /", list_root, EACCES},
                {"a link to outside", link_out, EACCES}};
    (void)state;
    assert_int_equal(outcome_of(read_shadow, no_role, NULL, 0), 0);
    assert_int_equal(outcome_of(write_outside, no_role, NULL, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int error = outcome_of(rows[i].run, no_role, paths, ARRAY_LEN(paths));
        if (error != rows[i].error) {
            fail_msg("%s gave errno %d, not %d", rows[i].what, error, rows[i].error);
        }
    }
    assert_int_equal(rmdir(inside) | rmdir(outside), 0);
}

/* --- an observer, which changes no file --- */

static int make_file(void)
{
    int fd = open("/tmp/confine-made", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    return errno_unless(fd >= 0);
}

static int make_unnamed_file(void)
{
    int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return errno_unless(fd >= 0);
}

static int empty_file(void)
{
    int fd = open("/etc/hosts", O_RDONLY | O_TRUNC | O_CLOEXEC);
    return errno_unless(fd >= 0);
}

static int remove_file(void)
{
    return errno_unless(unlink("/etc/hosts") == 0);
}

static int rename_file(void)
{
    return errno_unless(rename("/etc/hosts", "/etc/hosts.old") == 0);
}

static int change_mode(void)
{
    return errno_unless(chmod("/etc/hosts", 0666) == 0);
}

static void an_observer_reads_files_and_changes_none(void **state)
{
    static const struct {
        const char *what;
        probe *run;
    } refused[] = {{"writing", write_hosts},
                   {"making a file", make_file},
                   {"an unnamed file", make_unnamed_file},
                   {"emptying", empty_file},
                   {"removing", remove_file},
                   {"renaming", rename_file},
                   {"modes", change_mode}};
    enum confine_role role = CONFINE_OBSERVER;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int error = outcome_of(refused[i].run, &role, NULL, 0);
        if (error != EPERM) {
            fail_msg("%s gave errno %d, not EPERM", refused[i].what, error);
        }
    }
    assert_int_equal(outcome_of(read_shadow, &role, NULL, 0), 0); /* as far as its user may */
    assert_int_equal(outcome_of(write_hosts, no_role, NULL, 0), 0);
}

/* Why an observer is not fenced off from files: it would not see the server any more. */
static int look_at_the_parent(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)getppid());
    return open_to_read(path);
}

static int look_at_the_parent_s_link(void)
{
    char path[64], link[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)getppid());
    return errno_unless(readlink(path, link, sizeof(link)) >= 0);
}

static void who_is_fenced_off_cannot_look_at_other_processes(void **state)
{
    static const struct confine_path all = {"/", false};
    enum confine_role role = CONFINE_OBSERVER;
    (void)state;
    assert_int_equal(outcome_of(look_at_the_parent, &role, NULL, 0), 0);
    assert_int_equal(outcome_of(look_at_the_parent_s_link, &role, NULL, 0), 0);
    assert_int_not_equal(outcome_of(look_at_the_parent_s_link, no_role, &all, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_calls_out_of_role_are_refused),
        cmocka_unit_test(an_unconfined_root_gets_another_answer),
        cmocka_unit_test(what_a_role_needs_goes_on),
        cmocka_unit_test(threads_that_run_already_are_confined_too),
        cmocka_unit_test(no_new_privileges_after_either),
        cmocka_unit_test(files_outside_the_fence_stay_closed),
        cmocka_unit_test(an_observer_reads_files_and_changes_none),
        cmocka_unit_test(who_is_fenced_off_cannot_look_at_other_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
