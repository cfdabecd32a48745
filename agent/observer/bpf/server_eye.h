/* SPDX-License-Identifier: MIT */
/*
 * What the kernel program counts and the observer reads through one shared mapping. Included on
 * both sides: plain types only. Everything is about one process, `target`, and grows for ever.
 */
#pragma once

/* Bucket i: 2^i <= microseconds < 2^(i+1); the first takes what is shorter, the last the rest. */
#define EYE_BUCKETS 32
#define EYE_ERRNOS  128

struct eye_spans {
    unsigned long long count, sum_ns, longest_ns;
    unsigned long long bucket[EYE_BUCKETS];
};

struct eye_counts {
    struct eye_spans fsync;
    struct eye_spans queue_wait; /* from the network to the server's own memory */
    struct eye_spans service;    /* from there to the answer's send */
    unsigned long long messages_read, answers;
    unsigned long long refused_errno[EYE_ERRNOS];
};
