/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-under-filter COMMAND [ARGUMENT]... <NAMES
 *
 * Executes a command that may make the system calls named on standard input, one a line, and no
 * others, as SystemCallFilter= of a systemd unit would have it. Names this machine does not know
 * are passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int allow_names(scmp_filter_ctx filter)
{
    char name[64];
    int count = 0;
    while (fgets(name, sizeof(name), stdin) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        int number = seccomp_syscall_resolve_name(name);
        if (number != __NR_SCMP_ERROR && seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0) {
            count++;
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (argc < 2 || filter == NULL || allow_names(filter) < 100) {
        fprintf(stderr, "under_filter: wants the names of 100 system calls, and a command\n");
        return 2;
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || seccomp_load(filter) != 0) {
        fprintf(stderr, "under_filter: cannot load the filter\n");
        return 2;
    }
    (void)execvp(argv[1], argv + 1);
    fprintf(stderr, "under_filter: %s: %s\n", argv[1], strerror(errno));
    return 2;
}
