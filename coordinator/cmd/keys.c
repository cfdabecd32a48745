/* SPDX-License-Identifier: MIT */
/* Who may take part: the coordinator's own pair and the list of agents. */
#include "coordinator/cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/key_list.h"
#include "common/keys.h"
#include "common/schema.h"
#include "coordinator/cmd/keys_book.h"
#include "coordinator/cmd/keys_enrol.h"
#include "coordinator/cmd/keys_operator.h"
#include "coordinator/cmd/options.h"

enum { ROW_KEYS, ROW_PUBLIC, ROW_EXPIRES, ROW_ROLE, ROW_LISTEN, ROW_TTL, ROW_COUNT };

static const struct option_row flags[ROW_COUNT] = {
    [ROW_KEYS] = {.name = "--keys", .value = "DIR", .help = "directory of the keys"},
    [ROW_PUBLIC] = {.name = "--public",
                    .value = "Z85",
                    .help = "public key made by `leaseherd-agent keygen`"},
    [ROW_EXPIRES] = {.name = "--expires",
                     .value = "DATE",
                     .help = "last day the key is good, YYYY-MM-DD (UTC); default never"},
    [ROW_ROLE] = {.name = "--role",
                  .value = "ROLE",
                  .help = "agent (default), or observer: on a server's host, sends no packet"},
    [ROW_LISTEN] = {.name = "--listen",
                    .value = "ADDR[:PORT]",
                    .help = "where the agent enrols; any free port unless given"},
    [ROW_TTL] = {.name = "--ttl",
                 .value = "DURATION",
                 .help = "life of the token, 1s to 24h; default 10m"},
};

/* What a verb works on. */
struct keys_job {
    const char *dir;
    const char *name;       /* of an agent; NULL for init and list */
    const char *public_z85; /* NULL: make a pair here */
    const char *expires;    /* "-": never */
    const char *role_name;  /* NULL: agent */
    enum key_role role;
    const char *listen, *ttl;
};

static void print_help(void)
{
    (void)puts(
        "usage: leaseherd keys init --keys DIR\n"
        "       leaseherd keys agent NAME [--role observer] [--public Z85] [--expires DATE]\n"
        "                            --keys DIR\n"
        "       leaseherd keys enrol NAME --listen ADDR[:PORT] [--role observer]\n"
        "                            [--ttl DURATION] [--expires DATE] --keys DIR\n"
        "       leaseherd keys operator NAME --keys DIR\n"
        "       leaseherd keys list --keys DIR\n"
        "       leaseherd keys revoke NAME --keys DIR\n"
        "\n"
        "init makes coordinator.key (secret), coordinator.pub (for the agents) and\n"
        "agents.allow. agent enrols an agent by its public key; without --public a pair is\n"
        "made as NAME.key, to be carried to the agent by hand. enrol prints a token and waits\n"
        "until `leaseherd-agent enrol` has used it, once. operator makes the pair that signs\n"
        "plans, operator-NAME.key (secret) and .pub, and prints what makes an agent's policy\n"
        "trust it; it makes DIR where it is missing. revoke takes an agent off the list. A NAME\n"
        "has at most 31 letters, digits, '.', '_' and '-', beginning with a letter or digit.\n");
    options_print(stdout, flags, ROW_COUNT);
    (void)puts("\nExit code: 0 done, 2 usage or a file that is not what it should be, 4 enrol: the "
               "agent is\nnot enrolled, 6 internal or resource.");
}

/* A refused key or file is wrong input; what the machine cannot do is not. */
static int failed(int error, const char *why)
{
    (void)fprintf(stderr, "leaseherd keys: %s\n", why);
    return error == -ENOMEM || error == -ENOSPC || error == -EIO ? CMD_INTERNAL : CMD_USAGE;
}

static int do_init(const struct keys_job *job)
{
    char secret[PATH_MAX], public[PATH_MAX], allow[PATH_MAX], why[KEY_WHY_BYTES];
    if (keys_book_path(job->dir, "coordinator", ".key", secret, why) != 0 ||
        keys_book_path(job->dir, "coordinator", ".pub", public, why) != 0 ||
        keys_book_path(job->dir, "agents", ".allow", allow, why) != 0) {
        return failed(-ENAMETOOLONG, why);
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
    int error = keys_book_path(job->dir, job->name, ".key", path, why);
    struct key_pair pair;
    key_pair_make(&pair);
    if (error == 0) {
        error = key_pair_write(path, &pair, why);
    }
    memcpy(out, pair.public_key, KEY_BYTES);
    key_pair_wipe(&pair);
    if (error != 0) {
        return failed(error, why);
    }
    (void)printf("made %s (secret: move it to the agent, mode 0600, and delete it here)\n", path);
    return CMD_PASS;
}

static int add_agent(const struct keys_job *job, struct keys_book *book)
{
    uint8_t public_key[KEY_BYTES];
    char z85[KEY_Z85_BYTES], why[KEY_WHY_BYTES];
    if (keys_book_find(book, job->name) != NULL) { /* before a pair is made */
        return cmd_usage_error("keys",
                               "agent '%s' is already in %s; revoke it first, or take another name",
                               job->name, book->path);
    }
    int code = public_key_of(job, public_key);
    if (code != CMD_PASS) {
        return code;
    }
    int error = keys_book_add(book, job->name, job->role, public_key, job->expires, why);
    if (error != 0) {
        return failed(error, why);
    }
    key_to_z85(public_key, z85);
    (void)printf("enrolled %s %s in %s\n", job->name, z85, book->path);
    return CMD_PASS;
}

static int do_agent(const struct keys_job *job)
{
    char why[KEY_WHY_BYTES];
    struct keys_book book;
    int error = keys_book_open(job->dir, true, &book, why);
    if (error != 0) {
        return failed(error, why);
    }
    int code = add_agent(job, &book);
    keys_book_close(&book);
    return code;
}

static int do_enrol(const struct keys_job *job)
{
    const struct keys_enrol_job enrol = {.dir = job->dir,
                                         .name = job->name,
                                         .role = job->role,
                                         .expires = job->expires,
                                         .listen = job->listen,
                                         .ttl = job->ttl};
    return keys_enrol(&enrol);
}

static int do_list(const struct keys_job *job)
{
    char now[KEY_DATE_BYTES], why[KEY_WHY_BYTES];
    struct keys_book book;
    int error = keys_book_open(job->dir, false, &book, why);
    if (error != 0) {
        return failed(error, why);
    }
    key_today(now);
    (void)printf("%-20s %-9s %-40s %-10s %s\n", "NAME", "ROLE", "PUBLIC KEY", "ADDED", "EXPIRES");
    for (size_t i = 0; i < book.list.count; i++) {
        const struct key_entry *e = &book.list.entries[i];
        char z85[KEY_Z85_BYTES];
        key_to_z85(e->public_key, z85);
        (void)printf("%-20s %-9s %-40s %-10s %s%s\n", e->name, key_role_name(e->role), z85,
                     e->added, e->expires, key_entry_is_expired(e, now) ? " (expired)" : "");
    }
    keys_book_close(&book);
    return CMD_PASS;
}

/* Operators are on no list here: their names stand in the agents' policies. */
static bool is_operator(const struct keys_job *job)
{
    char path[PATH_MAX];
    struct stat about;
    int length = snprintf(path, sizeof(path), "%s/operator-%s.pub", job->dir, job->name);
    return length < (int)sizeof(path) && stat(path, &about) == 0;
}

static int do_revoke(const struct keys_job *job)
{
    char why[KEY_WHY_BYTES];
    struct keys_book book;
    int error = keys_book_open(job->dir, true, &book, why);
    if (error == 0) {
        error = keys_book_revoke(&book, job->name, why);
    }
    if (error != 0) {
        keys_book_close(&book);
        return error == -ENOENT && is_operator(job)
                   ? cmd_usage_error("keys",
                                     "'%s' is an operator; take it out of the agents' policies and "
                                     "restart them",
                                     job->name)
                   : failed(error, why);
    }
    (void)printf("revoked %s in %s; a run that is going on shuts it out within two seconds\n",
                 job->name, book.path);
    keys_book_close(&book);
    return CMD_PASS;
}

static int do_operator(const struct keys_job *job)
{
    return keys_operator(job->dir, job->name);
}

static const struct verb {
    const char *word;
    bool needs_name;
    int (*run)(const struct keys_job *job);
} verbs[] = {
    {"init", false, do_init},        {"agent", true, do_agent}, {"enrol", true, do_enrol},
    {"operator", true, do_operator}, {"list", false, do_list},  {"revoke", true, do_revoke},
};

/* KEY_ROLE_COUNT: there is none of that name. */
static enum key_role role_named(const char *name)
{
    int role = 0;
    while (name != NULL && role < KEY_ROLE_COUNT &&
           strcmp(key_role_name((enum key_role)role), name) != 0) {
        role++;
    }
    return (enum key_role)role;
}

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
                           near != NULL ? "did you mean '"
                                        : "use init, agent, enrol, operator, list or revoke",
                           near != NULL ? near : "", near != NULL ? "'?" : "");
}

/* A flag that the verb has no use for, or whose value cannot be; NULL: all is well. */
static const char *misplaced_flag(const struct keys_job *job, const struct verb *verb)
{
    bool is_enrol = verb->run == do_enrol;
    bool expires = strcmp(job->expires, "-") != 0;
    if (job->public_z85 != NULL && verb->run != do_agent) {
        return "--public belongs to `keys agent`; leave it out";
    }
    if (expires && !is_enrol && verb->run != do_agent) {
        return "--expires belongs to `keys agent` and `keys enrol`; leave it out";
    }
    if (expires && !key_date_is_valid(job->expires)) {
        return "--expires takes a date such as 2026-12-31";
    }
    if (job->role_name != NULL && !is_enrol && verb->run != do_agent) {
        return "--role belongs to `keys agent` and `keys enrol`; leave it out";
    }
    if (job->role == KEY_ROLE_COUNT) {
        return "--role takes agent or observer";
    }
    if ((job->listen != NULL || job->ttl != NULL) && !is_enrol) {
        return "--listen and --ttl belong to `keys enrol`; leave them out";
    }
    return NULL;
}

static int check_flags(const struct keys_job *job, const struct verb *verb)
{
    char today[KEY_DATE_BYTES];
    const char *misplaced = misplaced_flag(job, verb);
    if (misplaced != NULL) {
        return cmd_usage_error("keys", "%s", misplaced);
    }
    key_today(today);
    return strcmp(job->expires, "-") != 0 && strcmp(job->expires, today) < 0
               ? cmd_usage_error("keys", "--expires %s is past; give a day to come", job->expires)
               : CMD_PASS;
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
        return cmd_usage_error(
            "keys", "a verb is needed; use init, agent, enrol, operator, list or revoke");
    }
    const struct verb *verb = verb_named(args[0]);
    if (verb == NULL) {
        return unknown_verb(args[0]);
    }
    const struct keys_job job = {
        .dir = rows[ROW_KEYS].text,
        .name = args[1],
        .public_z85 = rows[ROW_PUBLIC].text,
        .expires = rows[ROW_EXPIRES].is_given ? rows[ROW_EXPIRES].text : "-",
        .role_name = rows[ROW_ROLE].text,
        .role = role_named(rows[ROW_ROLE].text),
        .listen = rows[ROW_LISTEN].text,
        .ttl = rows[ROW_TTL].text,
    };
    int code = check_flags(&job, verb);
    if (code != CMD_PASS) {
        return code;
    }
    if (job.dir == NULL) {
        return cmd_usage_error("keys", "where are the keys? add --keys DIR");
    }
    if (verb->needs_name != (job.name != NULL)) {
        return cmd_usage_error("keys",
                               verb->needs_name
                                   ? "%s needs a name; write leaseherd keys "
                                     "%s NAME --keys DIR"
                                   : "%s takes no name; write leaseherd keys %s --keys DIR",
                               verb->word, verb->word);
    }
    if (job.name != NULL && !key_name_is_valid(job.name)) {
        return cmd_usage_error("keys",
                               "'%.80s' is no name; up to %d letters, digits, '.', '_' and "
                               "'-', beginning with a letter or digit",
                               job.name, KEY_NAME_BYTES - 1);
    }
    return verb->run(&job);
}
