/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into programs that run under a tool which cannot live with a filter of system calls:
 * valgrind emulates no seccomp(), and a sanitizer's own calls are not on our list. Whether the
 * filter holds is asked by other tests.
 */
#include <seccomp.h>

int seccomp_attr_set(scmp_filter_ctx filter, enum scmp_filter_attr attr, uint32_t value)
{
    (void)filter;
    (void)attr;
    (void)value;
    return 0;
}

int seccomp_load(const scmp_filter_ctx filter)
{
    (void)filter;
    return 0;
}
