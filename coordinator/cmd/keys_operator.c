/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/keys_operator.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sign.h"
#include "coordinator/cmd/cmd.h"

static int failed(int error, const char *why)
{
    (void)fprintf(stderr, "leaseherd keys: %s\n", why);
    return error == -ENOMEM || error == -ENOSPC || error == -EIO ? CMD_INTERNAL : CMD_USAGE;
}

static void say(const char *secret, const char *public, const char *name,
                const struct sign_key *key)
{
    char text[SIGN_PUBLIC_TEXT_BYTES];
    sign_public_to_text(sign_key_public(key), text);
    (void)printf("made %s (secret, stays with the operator: --operator-key)\n"
                 "made %s\n"
                 "An agent plays what this operator signs once its policy says\n"
                 "operators:\n"
                 "  %s: {key: %s}\n",
                 secret, public, name, text);
}

int keys_operator(const char *dir, const char *name)
{
    char secret[PATH_MAX], public[PATH_MAX], why[SIGN_WHY_BYTES];
    int secret_size = snprintf(secret, sizeof(secret), "%s/operator-%s.key", dir, name);
    int public_size = snprintf(public, sizeof(public), "%s/operator-%s.pub", dir, name);
    if (secret_size >= (int)sizeof(secret) || public_size >= (int)sizeof(public)) {
        return cmd_usage_error("keys", "the path %.80s... is too long; take a shorter one", dir);
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return cmd_usage_error("keys", "cannot make the directory %s: %s; make it, or give another",
                               dir, strerror(errno));
    }
    struct sign_key *key = sign_key_make();
    if (key == NULL) {
        return failed(-ENOMEM, "out of memory");
    }
    int error = sign_key_write(secret, key, why);
    if (error == 0) {
        error = sign_public_write(public, sign_key_public(key), why);
        if (error != 0) {
            (void)unlink(secret); /* made a moment ago; one half alone is of no use */
        }
    }
    if (error == 0) {
        say(secret, public, name, key);
    }
    sign_key_free(key);
    return error == 0 ? CMD_PASS : failed(error, why);
}
