/* SPDX-License-Identifier: MIT */
#include "common/secrets.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { FREED_BYTE = 0x5a };

void *secrets_new(size_t size)
{
    void *secret = sodium_init() < 0 ? NULL : sodium_malloc(size);

    if (secret != NULL) {
        memset(secret, 0, size);
    }
    return secret;
}

void secrets_free(void *secret)
{
    sodium_free(secret);
}

int secrets_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return -errno;
    }
    return 0;
}

void secrets_wipe_freed(void)
{
#ifdef M_PERTURB
    (void)mallopt(M_PERTURB, FREED_BYTE); /* 0 where the allocator cannot: then it does not */
#endif
}
