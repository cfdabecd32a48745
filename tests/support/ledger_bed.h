/* SPDX-License-Identifier: MIT */
/* A ledger in a directory of its own, for tests that open it again or look into it with SQLite. */
#pragma once

#include "tests/support/testing.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/truth/ledger.h"

struct ledger_bed {
    char dir[64], path[96];
    struct ledger *ledger; /* NULL until a test opens one */
};

static inline void ledger_bed_init(struct ledger_bed *b)
{
    b->ledger = NULL;
    (void)snprintf(b->dir, sizeof(b->dir), "/tmp/test_ledger_XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    (void)snprintf(b->path, sizeof(b->path), "%s/ledger.db", b->dir);
}

static inline void ledger_bed_fini(struct ledger_bed *b)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    char path[112];
    ledger_close(b->ledger);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", b->path, tails[i]);
        (void)unlink(path);
    }
    (void)rmdir(b->dir);
}
