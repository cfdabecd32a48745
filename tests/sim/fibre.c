/* SPDX-License-Identifier: MIT */
/* The checked longjmp() takes a jump to another stack for one into a frame that is gone. */
#undef _FORTIFY_SOURCE
#include "tests/sim/fibre.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Of the fibre that was left, for when it is come back to. */
static const void *left_bottom;
static size_t left_bytes;
static struct fibre *left;

static void before_switch(struct fibre *from, struct fibre *to, bool for_ever)
{
    left = from;
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->sanitizer, to->stack, to->stack_bytes);
}

static void after_switch(void *sanitizer)
{
    __sanitizer_finish_switch_fiber(sanitizer, &left_bottom, &left_bytes);
    if (left->stack == NULL) { /* the process's own stack: its bounds are known only now */
        left->stack_bytes = left_bytes;
        memcpy(&left->stack, &left_bottom, sizeof(left->stack));
    }
}

static void forget_stack(struct fibre *f)
{
    __asan_unpoison_memory_region(f->stack, f->stack_bytes);
}
#else
static void before_switch(struct fibre *from, struct fibre *to, bool for_ever)
{
    (void)from;
    (void)to;
    (void)for_ever;
}

static void after_switch(void *sanitizer)
{
    (void)sanitizer;
}

static void forget_stack(struct fibre *f)
{
    (void)f;
}
#endif

#ifdef HAS_ASAN
/* Its own longjmp() would look for the frames that are left behind. */
static void change_stack(struct fibre *from, struct fibre *to)
{
    int rc = swapcontext(&from->context, &to->context);
    assert(rc == 0);
}
#else
/* As swapcontext(), without its two system calls for a signal mask that is always the same. */
static void change_stack(struct fibre *from, struct fibre *to)
{
    from->has_begun = true;
    if (_setjmp(from->place) != 0) {
        return; /* come back */
    }
    if (to->has_begun) {
        _longjmp(to->place, 1);
    }
    (void)setcontext(&to->context);
    assert(false); /* it does not return */
}
#endif

/* makecontext() passes ints only. */
static void enter(unsigned high, unsigned low)
{
    uintptr_t bits = ((uintptr_t)high << 16 << 16) | low;
    struct fibre *f;
    memcpy(&f, &bits, sizeof(f));
    after_switch(NULL);
    f->entry(f->argument);
    assert(false); /* an entry leaves for ever, it does not return */
}

void fibre_new(struct fibre *f, size_t stack_bytes, void (*entry)(void *), void *argument)
{
    memset(f, 0, sizeof(*f));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *region = mmap(NULL, stack_bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    assert(region != MAP_FAILED);
    int rc = mprotect(region, page, PROT_NONE); /* what overflows, faults */
    assert(rc == 0);
    f->stack = region + page;
    f->stack_bytes = stack_bytes;
    f->entry = entry;
    f->argument = argument;
    rc = getcontext(&f->context);
    assert(rc == 0);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = stack_bytes;
    uintptr_t bits = (uintptr_t)f;
    makecontext(&f->context, (void (*)(void))enter, 2, (unsigned)(bits >> 16 >> 16),
                (unsigned)(bits & UINT32_MAX));
}

void fibre_free(struct fibre *f)
{
    if (f->stack == NULL) {
        return;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    forget_stack(f);
    (void)munmap((char *)f->stack - page, f->stack_bytes + page);
    f->stack = NULL;
}

void fibre_switch(struct fibre *from, struct fibre *to, bool for_ever)
{
    before_switch(from, to, for_ever);
    change_stack(from, to);
    after_switch(from->sanitizer);
}
