/* SPDX-License-Identifier: MIT */
/* Who may take part: the coordinator's own pair and the list of agents. */
#include "coordinator/cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/keys.h"
#include "common/schema.h"
#include "coordinator/cmd/options.h"

enum { ROW_KEYS, ROW_PUBLIC, ROW_COUNT };

static const struct option_row flags[ROW_COUNT] = {
    [ROW_KEYS] = {.name = "--keys", .value = "DIR", .help = "directory of the keys"},
    [ROW_PUBLIC] = {.name = "--public",
                    .value = "Z85",
                    .help = "public key made by `leaseherd-agent keygen`"},
};

/* What a verb works on. */
struct keys_job {
    const char *dir;
    const char *name;       /* of an agent; NULL for init and list */
    const char *public_z85; /* NULL: make a pair here */
};

static void print_help(void)
{
    (void)puts("usage: leaseherd keys init --keys DIR\n"
               "       leaseherd keys agent NAME [--public Z85] --keys DIR\n"
               "       leaseherd keys list --keys DIR\n"
               "       leaseherd keys revoke NAME --keys DIR\n"
               "\n"
               "init makes coordinator.key (secret), coordinator.pub (for the agents) and\n"
               "agents.allow. agent enrols an agent by its public key; without --public a pair is\n"
               "made as NAME.key, to be carried to the agent by hand.\n");
    options_print(stdout, flags, ROW_COUNT);
}

/* False: the path does not fit. */
static bool path_in(const struct keys_job *job, const char *name, const char *suffix,
                    char out[PATH_MAX])
{
    int length = snprintf(out, PATH_MAX, "%s/%s%s", job->dir, name, suffix);
    return length > 0 && length < PATH_MAX;
}

/* A refused key or file is wrong input; what the machine cannot do is not. */
static int failed(int error, const char *why)
{
    (void)fprintf(stderr, "leaseherd keys: %s\n", why);
    return error == -ENOMEM || error == -ENOSPC || error == -EIO ? CMD_INTERNAL : CMD_USAGE;
}

static void today(char out[11])
{
    time_t now_s = (time_t)(clock_realtime_ns() / NS_PER_S);
    struct tm utc;
    (void)gmtime_r(&now_s, &utc);
    (void)strftime(out, 11, "%Y-%m-%d", &utc);
}

static int do_init(const struct keys_job *job)
{
    char secret[PATH_MAX], public[PATH_MAX], allow[PATH_MAX], why[KEY_WHY_BYTES];
    if (!path_in(job, "coordinator", ".key", secret) ||
        !path_in(job, "coordinator", ".pub", public) || !path_in(job, "agents", ".allow", allow)) {
        return cmd_usage_error("keys", "the path %.80s... is too long; take a shorter one",
                               job->dir);
    }
    if (mkdir(job->dir, 0700) != 0 && errno != EEXIST) {
        return cmd_usage_error("keys", "cannot make the directory %s: %s; make it, or give another",
                               job->dir, strerror(errno));
    }
    struct key_pair pair;
    key_pair_make(&pair);
    int error = key_pair_write(secret, &pair, why);
    if (error == 0) {
        error = key_public_write(public, pair.public_key, why);
    }
    key_pair_wipe(&pair);
    if (error == 0) {
        const struct key_list nobody = {0};
        error = key_list_write(allow, &nobody, why);
    }
    if (error != 0) {
        return failed(error, why);
    }
    (void)printf("made %s (secret, stays here)\n"
                 "made %s (copy it to every agent: --server-key)\n"
                 "made %s (nobody yet: leaseherd keys agent NAME --keys %s)\n",
                 secret, public, allow, job->dir);
    return CMD_PASS;
}

static int read_list(const struct keys_job *job, char path[PATH_MAX], struct key_list *out)
{
    char why[KEY_WHY_BYTES];
    if (!path_in(job, "agents", ".allow", path)) {
        return cmd_usage_error("keys", "the path %.80s... is too long; take a shorter one",
                               job->dir);
    }
    int error = key_list_read(path, out, why);
    if (error == -ENOENT) {
        return cmd_usage_error("keys",
                               "there is no %s; make the keys with leaseherd keys init --keys %s",
                               path, job->dir);
    }
    return error == 0 ? CMD_PASS : failed(error, why);
}

static struct key_entry *entry_named(const struct key_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

/* The agent's public key: given, or of a pair made here. */
static int public_key_of(const struct keys_job *job, uint8_t out[KEY_BYTES])
{
    char path[PATH_MAX], why[KEY_WHY_BYTES];
    if (job->public_z85 != NULL) {
        if (key_from_z85(job->public_z85, out)) {
            return CMD_PASS;
        }
        return cmd_usage_error("keys",
                               "--public '%.80s' is not a key of 40 Z85 characters; copy the line "
                               "leaseherd-agent keygen prints",
                               job->public_z85);
    }
    if (!path_in(job, job->name, ".key", path)) {
        return cmd_usage_error("keys", "the path %.80s... is too long; take a shorter one",
                               job->dir);
    }
    struct key_pair pair;
    key_pair_make(&pair);
    int error = key_pair_write(path, &pair, why);
    memcpy(out, pair.public_key, KEY_BYTES);
    key_pair_wipe(&pair);
    if (error != 0) {
        return failed(error, why);
    }
    (void)printf("made %s (secret: move it to the agent, mode 0600, and delete it here)\n", path);
    return CMD_PASS;
}

/* Appends to the list in memory; false when out of memory. */
static bool enrol(struct key_list *list, const char *name, const uint8_t public_key[KEY_BYTES])
{
    struct key_entry *grown = realloc(list->entries, (list->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    list->entries = grown;
    struct key_entry *entry = &grown[list->count++];
    *entry = (struct key_entry){.role = KEY_ROLE_AGENT, .expires = "-"};
    (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    memcpy(entry->public_key, public_key, KEY_BYTES);
    today(entry->added);
    return true;
}

static int add_agent(const struct keys_job *job, const char *path, struct key_list *list)
{
    uint8_t public_key[KEY_BYTES];
    char z85[KEY_Z85_BYTES], why[KEY_WHY_BYTES];
    if (entry_named(list, job->name) != NULL) {
        return cmd_usage_error("keys",
                               "agent '%s' is already in %s; revoke it first, or take another name",
                               job->name, path);
    }
    int code = public_key_of(job, public_key);
    if (code != CMD_PASS) {
        return code;
    }
    const struct key_entry *same = key_list_find(list, public_key);
    if (same != NULL) {
        return cmd_usage_error(
            "keys", "this key already belongs to agent '%s'; each agent needs its own", same->name);
    }
    if (!enrol(list, job->name, public_key)) {
        return failed(-ENOMEM, "out of memory");
    }
    int error = key_list_write(path, list, why);
    if (error != 0) {
        return failed(error, why);
    }
    key_to_z85(public_key, z85);
    (void)printf("enrolled %s %s in %s\n", job->name, z85, path);
    return CMD_PASS;
}

static int do_agent(const struct keys_job *job)
{
    char path[PATH_MAX];
    struct key_list list = {0};
    int code = read_list(job, path, &list);
    if (code == CMD_PASS) {
        code = add_agent(job, path, &list);
        key_list_free(&list);
    }
    return code;
}

static int do_list(const struct keys_job *job)
{
    char path[PATH_MAX], now[11];
    struct key_list list = {0};
    int code = read_list(job, path, &list);
    if (code != CMD_PASS) {
        return code;
    }
    today(now);
    (void)printf("%-20s %-9s %-40s %-10s %s\n", "NAME", "ROLE", "PUBLIC KEY", "ADDED", "EXPIRES");
    for (size_t i = 0; i < list.count; i++) {
        const struct key_entry *e = &list.entries[i];
        char z85[KEY_Z85_BYTES];
        key_to_z85(e->public_key, z85);
        (void)printf("%-20s %-9s %-40s %-10s %s%s\n", e->name, key_role_name(e->role), z85,
                     e->added, e->expires, key_entry_is_expired(e, now) ? " (expired)" : "");
    }
    key_list_free(&list);
    return CMD_PASS;
}

static int do_revoke(const struct keys_job *job)
{
    char path[PATH_MAX], why[KEY_WHY_BYTES];
    struct key_list list = {0};
    int code = read_list(job, path, &list);
    if (code != CMD_PASS) {
        return code;
    }
    struct key_entry *entry = entry_named(&list, job->name);
    if (entry == NULL) {
        code = cmd_usage_error("keys",
                               "there is no agent '%s' in %s; leaseherd keys list shows who "
                               "is",
                               job->name, path);
    } else {
        *entry = list.entries[--list.count];
        int error = key_list_write(path, &list, why);
        code = error == 0 ? CMD_PASS : failed(error, why);
    }
    if (code == CMD_PASS) {
        (void)printf("revoked %s in %s; runs that start from now on refuse it\n", job->name, path);
    }
    key_list_free(&list);
    return code;
}

static const struct verb {
    const char *word;
    bool needs_name;
    int (*run)(const struct keys_job *job);
} verbs[] = {
    {"init", false, do_init},
    {"agent", true, do_agent},
    {"list", false, do_list},
    {"revoke", true, do_revoke},
};

static const struct verb *verb_named(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].word, word) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int unknown_verb(const char *word)
{
    const char *words[ARRAY_LEN(verbs) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        words[i] = verbs[i].word;
    }
    const char *near = schema_nearest(word, words);
    return cmd_usage_error("keys", "unknown verb '%.80s'; %s%s%s", word,
                           near != NULL ? "did you mean '" : "use init, agent, list or revoke",
                           near != NULL ? near : "", near != NULL ? "'?" : "");
}

int cmd_keys(int argc, char **argv)
{
    struct option_row rows[ROW_COUNT];
    const char *args[2] = {NULL, NULL};
    size_t count = 0;
    char why[OPTIONS_WHY_BYTES];

    if (options_want_help(argc, argv)) {
        print_help();
        return CMD_PASS;
    }
    memcpy(rows, flags, sizeof(rows));
    if (!options_parse(argc, argv, rows, ROW_COUNT, args, ARRAY_LEN(args), &count, why)) {
        return cmd_usage_error("keys", "%s", why);
    }
    if (count == 0) {
        return cmd_usage_error("keys", "a verb is needed; use init, agent, list or revoke");
    }
    const struct verb *verb = verb_named(args[0]);
    if (verb == NULL) {
        return unknown_verb(args[0]);
    }
    const struct keys_job job = {
        .dir = rows[ROW_KEYS].text, .name = args[1], .public_z85 = rows[ROW_PUBLIC].text};
    if (job.dir == NULL) {
        return cmd_usage_error("keys", "where are the keys? add --keys DIR");
    }
    if (verb->needs_name != (job.name != NULL)) {
        return cmd_usage_error("keys",
                               verb->needs_name
                                   ? "%s needs the name of an agent; write leaseherd keys "
                                     "%s NAME --keys DIR"
                                   : "%s takes no name; write leaseherd keys %s --keys DIR",
                               verb->word, verb->word);
    }
    if (job.public_z85 != NULL && verb->run != do_agent) {
        return cmd_usage_error("keys", "--public belongs to `keys agent`; leave it out");
    }
    if (job.name != NULL && !key_name_is_valid(job.name)) {
        return cmd_usage_error("keys",
                               "'%.80s' is no agent name; up to %d letters, digits, '.', '_' and "
                               "'-', beginning with a letter or digit",
                               job.name, KEY_NAME_BYTES - 1);
    }
    return verb->run(&job);
}
