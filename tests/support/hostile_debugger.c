/* SPDX-License-Identifier: MIT */
/*
 * Stalls or ends one thread of a running program, for tests/system/watchdog.sh.
 *
 * usage: leaseherd-hostile-debugger PID THREAD-NAME stall|end SECONDS
 */
#include "tests/support/stop_thread.h"

int main(int argc, char **argv)
{
    pid_t pid = argc == 5 ? (pid_t)atoi(argv[1]) : 0;
    pid_t thread = pid > 0 ? thread_named(pid, argv[2]) : 0;

    if (thread == 0) {
        fprintf(stderr, "no thread '%s' in process %s\n", argc == 5 ? argv[2] : "?",
                argc == 5 ? argv[1] : "?");
        return 2;
    }
    bool is_end = strcmp(argv[3], "end") == 0;
    if (!(is_end ? thread_end(thread) : thread_stall(thread))) {
        fprintf(stderr, "cannot %s thread %d: %s\n", argv[3], (int)thread, strerror(errno));
        return 1;
    }
    printf("%s thread=%d\n", argv[3], (int)thread);
    (void)fflush(stdout);
    /* Its death is ours to reap, or the process would never be gone. */
    for (int i = 0; !is_end && i < atoi(argv[4]) * 10; i++) {
        if (waitpid(thread, NULL, __WALL | WNOHANG) != 0) {
            return 0;
        }
        usleep(100000);
    }
    return 0;
}
