/* SPDX-License-Identifier: MIT */
#include "coordinator/run/confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include "common/log.h"

/* Permitted stays whole while we try with how little it goes. */
static int take_effect(cap_t set, const cap_value_t *kept, bool is_final)
{
    int rc = cap_clear_flag(set, CAP_EFFECTIVE);
    rc = rc == 0 && is_final ? cap_clear_flag(set, CAP_PERMITTED) : rc;
    rc = rc == 0 && is_final ? cap_clear_flag(set, CAP_INHERITABLE) : rc;
    if (rc == 0 && kept != NULL) {
        rc = cap_set_flag(set, CAP_EFFECTIVE, 1, kept, CAP_SET);
        rc = rc == 0 && is_final ? cap_set_flag(set, CAP_PERMITTED, 1, kept, CAP_SET) : rc;
    }
    return rc == 0 && cap_set_proc(set) == 0 ? 0 : -errno;
}

static bool is_reachable(const char *path, int how)
{
    return path == NULL || faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

static bool does_permit(cap_t set, cap_value_t which)
{
    cap_flag_value_t value = CAP_CLEAR;
    return cap_get_flag(set, which, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

/* The index of the least of `candidates` with which both directories can be used; -errno. */
static int least_that_does(cap_t set, const cap_value_t *const *candidates, int count,
                           const char *run_dir, const char *keys_dir)
{
    for (int i = 0; i < count; i++) {
        if (candidates[i] != NULL && !does_permit(set, *candidates[i])) {
            continue;
        }
        int rc = take_effect(set, candidates[i], false);
        if (rc < 0) {
            return rc;
        }
        if (is_reachable(run_dir, R_OK | W_OK | X_OK) && is_reachable(keys_dir, R_OK | X_OK)) {
            return i;
        }
    }
    return -EACCES;
}

int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                  char why[CONFINEMENT_WHY_BYTES])
{
    static const cap_value_t read_search = CAP_DAC_READ_SEARCH, override = CAP_DAC_OVERRIDE;
    static const cap_value_t *const candidates[] = {NULL, &read_search, &override};
    (void)cap_reset_ambient(); /* not there before Linux 4.3: then there is nothing to clear */
    cap_t set = cap_get_proc();
    int kept = set == NULL ? -ENOMEM
                           : least_that_does(set, candidates, (int)ARRAY_LEN(candidates), run_dir,
                                             keys_dir);
    int rc = kept < 0 ? kept : take_effect(set, candidates[kept], true);
    if (set != NULL) {
        (void)cap_free(set); /* cannot fail for what cap_get_proc() gave */
    }
    if (rc == -EACCES) {
        (void)snprintf(why, CONFINEMENT_WHY_BYTES,
                       "cannot write into %s%s%s; chown it to this user", run_dir,
                       keys_dir != NULL ? ", or not read " : "", keys_dir != NULL ? keys_dir : "");
    } else if (rc < 0) {
        (void)snprintf(why, CONFINEMENT_WHY_BYTES, "cannot drop privileges: %s", strerror(-rc));
    } else if (kept > 0) {
        log_info("what=capability_kept name=%s why=\"a directory of this run is out of root's "
                 "reach without it\"",
                 candidates[kept] == &override ? "CAP_DAC_OVERRIDE" : "CAP_DAC_READ_SEARCH");
    }
    return rc;
}
