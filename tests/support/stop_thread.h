/* SPDX-License-Identifier: MIT */
/*
 * A thread of another process, found by its name, that stands still or is gone while
 * the others go on: what no program can do to itself in a test without a failpoint. By ptrace;
 * needs to be the parent, or root.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 when the process has no such thread (yet). */
static inline pid_t thread_named(pid_t pid, const char *name)
{
    char path[64];
    pid_t found = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        char comm[256 + 64];
        char text[32] = "";
        (void)snprintf(comm, sizeof(comm), "/proc/%d/task/%s/comm", (int)pid, e->d_name);
        FILE *file = fopen(comm, "re");
        if (file == NULL) {
            continue;
        }
        if (fgets(text, sizeof(text), file) != NULL) {
            text[strcspn(text, "\n")] = '\0';
            found = strcmp(text, name) == 0 ? (pid_t)atoi(e->d_name) : found;
        }
        (void)fclose(file);
    }
    (void)closedir(tasks);
    return found;
}

/* It stands still until the caller ends or lets it go. */
static inline bool thread_stall(pid_t thread)
{
    int status = 0;

    return ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
           waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);
}

/* A thread that waits in a system call is made to call exit() instead, alone. */
static inline bool thread_end(pid_t thread)
{
#if defined(__x86_64__)
    enum { SYSCALL_INSTRUCTION = 0x050f, SYSCALL_BYTES = 2, SYS_EXIT_NUMBER = 60 };
    struct user_regs_struct regs;
    struct iovec view = {&regs, sizeof(regs)};

    if (!thread_stall(thread) ||
        ptrace(PTRACE_GETREGSET, thread, (void *)1 /* NT_PRSTATUS */, &view) != 0) {
        return false;
    }
    regs.rip -= SYSCALL_BYTES;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, thread, (void *)regs.rip, NULL);
    if (errno != 0 || (code & 0xffff) != SYSCALL_INSTRUCTION) {
        return false;
    }
    regs.rax = SYS_EXIT_NUMBER;
    regs.orig_rax = (unsigned long long)-1; /* no restart of what it waited in */
    regs.rdi = 0;
    return ptrace(PTRACE_SETREGSET, thread, (void *)1, &view) == 0 &&
           ptrace(PTRACE_DETACH, thread, NULL, NULL) == 0;
#else
    (void)thread;
    fputs("how a thread is ended on this processor is not known to the test\n", stderr);
    return false;
#endif
}
