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

static const cap_value_t read_search = CAP_DAC_READ_SEARCH, override = CAP_DAC_OVERRIDE;

/* What must be within reach without more; NULL: nothing of that kind. */
struct needs {
    const char *run_dir, *keys_dir;
    const struct scenario *books; /* whose control sockets are written to */
};

/* Nobody is helped by a capability where there is no socket. */
static bool are_sockets_reachable(const struct scenario *s)
{
    const struct scenario_server *servers = s == NULL ? NULL : s->servers.items;
    for (size_t i = 0; s != NULL && i < s->servers.count; i++) {
        if (servers[i].lease_source == LEASES_KEA_SOCKET &&
            !is_reachable(servers[i].lease_path, W_OK) && errno == EACCES) {
            return false;
        }
    }
    return true;
}

/* The index of the least of `candidates` with which all that is needed can be used; -errno. */
static int least_that_does(cap_t set, const cap_value_t *const *candidates, int count,
                           const struct needs *needs)
{
    for (int i = 0; i < count; i++) {
        if (candidates[i] != NULL && !does_permit(set, *candidates[i])) {
            continue;
        }
        int rc = take_effect(set, candidates[i], false);
        if (rc < 0) {
            return rc;
        }
        if (is_reachable(needs->run_dir, R_OK | W_OK | X_OK) &&
            is_reachable(needs->keys_dir, R_OK | X_OK) && are_sockets_reachable(needs->books)) {
            return i;
        }
    }
    return -EACCES;
}

/* Keeps the first of `candidates` that does. -EACCES: none. */
static int reduce_to(const cap_value_t *const *candidates, int count, const struct needs *needs,
                     const cap_value_t **out_kept)
{
    (void)cap_reset_ambient(); /* not there before Linux 4.3: then there is nothing to clear */
    cap_t set = cap_get_proc();
    int kept = set == NULL ? -ENOMEM : least_that_does(set, candidates, count, needs);
    int rc = kept < 0 ? kept : take_effect(set, candidates[kept], true);
    if (set != NULL) {
        (void)cap_free(set); /* cannot fail for what cap_get_proc() gave */
    }
    *out_kept = rc == 0 ? candidates[kept] : NULL;
    return rc;
}

static int explain(int rc, const char *run_dir, const char *keys_dir,
                   char why[CONFINEMENT_WHY_BYTES])
{
    if (rc == -EACCES) {
        (void)snprintf(why, CONFINEMENT_WHY_BYTES,
                       "cannot write into %s%s%s; chown it to this user", run_dir,
                       keys_dir != NULL ? ", or not read " : "", keys_dir != NULL ? keys_dir : "");
    } else if (rc < 0) {
        (void)snprintf(why, CONFINEMENT_WHY_BYTES, "cannot drop privileges: %s", strerror(-rc));
    }
    return rc;
}

int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                  char why[CONFINEMENT_WHY_BYTES])
{
    static const cap_value_t *const candidates[] = {NULL, &read_search, &override};
    const struct needs needs = {.run_dir = run_dir, .keys_dir = keys_dir};
    const cap_value_t *kept = NULL;
    int rc = reduce_to(candidates, (int)ARRAY_LEN(candidates), &needs, &kept);
    if (kept != NULL) {
        log_info("what=capability_kept name=%s why=\"a directory of this run is out of root's "
                 "reach without it\"",
                 kept == &override ? "CAP_DAC_OVERRIDE" : "CAP_DAC_READ_SEARCH");
    }
    return explain(rc, run_dir, keys_dir, why);
}

int confinement_keep_reading(const char *run_dir, const struct scenario *books, bool is_local,
                             char why[CONFINEMENT_WHY_BYTES])
{
    static const cap_value_t *const candidates[] = {&read_search, &override, NULL};
    static bool
        is_done; /* a clean-up plays several runs, and from the first on no more may change */
    struct needs needs = {.run_dir = run_dir, .books = books};
    const cap_value_t *kept = NULL;
    /* Agents of later rounds: root's are root's, those of other users get theirs from here. */
    if (is_done || (is_local && geteuid() != 0)) {
        return 0;
    }
    int rc = reduce_to(candidates, (int)ARRAY_LEN(candidates), &needs, &kept);
    if (rc == -EACCES) {
        needs.books = NULL; /* whoever reads the book will say that it cannot be read */
        rc = reduce_to(candidates, (int)ARRAY_LEN(candidates), &needs, &kept);
    }
    if (kept == &override) {
        log_info("what=capability_kept name=CAP_DAC_OVERRIDE why=\"the run's directory or a "
                 "server's control socket is out of root's reach without it\"");
    }
    is_done = rc == 0;
    return explain(rc, run_dir, NULL, why);
}
