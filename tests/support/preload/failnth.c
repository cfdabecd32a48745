/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: the FAILNTH-th allocation of a process finds no memory, every other one does. Counted
 * are malloc, calloc, realloc, aligned_alloc, posix_memalign and reallocarray, not what ld.so, the
 * C++ runtime, libzmq and its libpgm ask for: these end the process when they get nothing, by their
 * design, and tests/system/kill9.sh is about that. Nor libseccomp's: it may then leave a call out
 * of the allow list without a word, and the first use of that call ends the process. Nor what
 * getaddrinfo() and getpwuid_r() ask for: glibc's reader of nsswitch.conf crashes without it. The
 * count at the end goes to the file FAILNTH_COUNT, with `failed` behind it where FAILNTH was
 * reached.
 *
 * A process that crashes says where, `leaseherd-failnth: PROGRAM+0xOFFSET` of its own innermost
 * frame, and ends by that signal, whatever handler it has set itself.
 *
 * FAILNTH_ONLY: the name of the program it is meant for; its children run undisturbed unless they
 * have it, too.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong counted;
static unsigned long fails_at; /* 0: none */
static bool is_on;
static atomic_bool has_failed;
static int count_fd = -1; /* opened at once: later the program may have given up the right to */

enum { FRAMES_MAX = 32 };

static void say_where(int number)
{
    void *frame[FRAMES_MAX];
    int count = backtrace(frame, FRAMES_MAX);
    Dl_info info;
    for (int i = 0; i < count; i++) {
        bool is_known = dladdr(frame[i], &info) != 0 && info.dli_fname != NULL;
        if (is_known && strstr(info.dli_fname, ".so") == NULL) {
            char text[512];
            int size = snprintf(
                text, sizeof(text), "leaseherd-failnth: %.400s+0x%lx\n", info.dli_fname,
                (unsigned long)((const char *)frame[i] - (const char *)info.dli_fbase) - 1);
            if (write(STDERR_FILENO, text, (size_t)size) != size) {
                _exit(125);
            }
            break;
        }
    }
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &plain, NULL);
    (void)raise(number);
}

static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE;
}

sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction wanted = {.sa_handler = handler, .sa_flags = SA_RESTART}, former;
    if (is_on && is_crash(number)) {
        return SIG_DFL;
    }
    return sigaction(number, &wanted, &former) == 0 ? former.sa_handler : SIG_ERR;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAILNTH"), *only = getenv("FAILNTH_ONLY");
    fails_at = text == NULL ? 0 : strtoul(text, NULL, 10);
    const char *path = getenv("FAILNTH_COUNT");
    bool is_meant = only == NULL || strcmp(only, program_invocation_short_name) == 0;
    if (is_meant && path != NULL) {
        count_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    if (is_meant) {
        static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
        const struct sigaction told = {.sa_handler = say_where};
        void *frame[1];
        (void)backtrace(frame, 1); /* it allocates when it is called first */
        for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
            (void)sigaction(crashes[i], &told, NULL);
        }
    }
    is_on = is_meant;
}

__attribute__((destructor)) static void end(void)
{
    char text[48];
    if (count_fd < 0) {
        return;
    }
    is_on = false;
    int size = snprintf(text, sizeof(text), "%lu%s\n", atomic_load(&counted),
                        atomic_load(&has_failed) ? " failed" : "");
    if (write(count_fd, text, (size_t)size) != size) {
        _exit(125);
    }
}

static _Thread_local bool is_looking_up;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    is_looking_up = true;
    int rc = real(host, service, hints, out);
    is_looking_up = false;
    return rc;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *room, size_t size, struct passwd **out)
{
    int (*real)(uid_t, struct passwd *, char *, size_t, struct passwd **);
    *(void **)&real = dlsym(RTLD_NEXT, "getpwuid_r");
    is_looking_up = true;
    int rc = real(uid, entry, room, size, out);
    is_looking_up = false;
    return rc;
}

static bool is_excused(const void *caller)
{
    if (is_looking_up) {
        return true;
    }
    static const char *const names[] = {"ld-linux", "libzmq",     "libstdc++",
                                        "libgcc",   "libseccomp", "libpgm"};
    Dl_info info;
    if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) {
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(info.dli_fname, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool fails(const void *caller)
{
    if (!is_on || is_excused(caller) || atomic_fetch_add(&counted, 1) + 1 != fails_at) {
        return false;
    }
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return fails(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(CALLER) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return fails(CALLER) ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(CALLER) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *got = fails(CALLER) ? NULL : __libc_memalign(alignment, size);
    if (got == NULL) {
        return ENOMEM;
    }
    *out = got;
    return 0;
}
