/* SPDX-License-Identifier: MIT */
#include "common/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/key_list.h"
#include "common/z85.h"

enum { KEY_FILE_BYTES_MAX = 4096, LIST_FILE_BYTES_MAX = 4 * 1024 * 1024 };

static const char secret_heading[] = "leaseherd-curve-secret 1";
static const char public_heading[] = "leaseherd-curve-public 1";

void key_pair_make(struct key_pair *out)
{
    if (sodium_init() < 0) {
        abort(); /* no randomness: no key may come of it */
    }
    (void)crypto_box_keypair(out->public_key, out->secret_key); /* always 0 */
}

void key_pair_wipe(struct key_pair *pair)
{
    sodium_memzero(pair, sizeof(*pair));
}

void key_to_z85(const uint8_t key[KEY_BYTES], char out[KEY_Z85_BYTES])
{
    z85_encode(key, KEY_BYTES, out);
}

bool key_from_z85(const char *text, uint8_t out[KEY_BYTES])
{
    return z85_decode(text, out, KEY_BYTES);
}

/* A rename or a new name is durable once its directory is. */
static int sync_directory_of(const char *path)
{
    char copy[PATH_MAX];

    if (strlen(path) >= sizeof(copy)) {
        return -ENAMETOOLONG;
    }
    strcpy(copy, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int rc = fsync(fd) == 0 ? 0 : -errno;
    (void)close(fd); /* read-only: nothing can be lost */
    return rc;
}

/* Writes all of `text` and closes `fd`, also on failure. */
static int write_and_close(int fd, const char *text, size_t size)
{
    int rc = 0;

    while (size > 0 && rc == 0) {
        ssize_t written = write(fd, text, size);
        if (written >= 0) {
            text += written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    if (rc == 0 && fsync(fd) != 0) {
        rc = -errno;
    }
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

static int write_new_file(const char *path, mode_t mode, const char *text, char why[KEY_WHY_BYTES])
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0) {
        int error = errno;
        if (error == EEXIST) {
            return key_refuse(why, -error,
                              "%s exists and is not overwritten; remove it or name another file",
                              path);
        }
        return key_refuse(why, -error, "cannot create %s: %s; check the directory", path,
                          strerror(error));
    }
    /* The umask may only have narrowed it; the mode is part of the format. */
    int rc = fchmod(fd, mode) == 0 ? 0 : -errno;
    int write_rc = write_and_close(fd, text, strlen(text));
    rc = rc != 0 ? rc : write_rc;
    rc = rc != 0 ? rc : sync_directory_of(path);
    if (rc != 0) {
        (void)unlink(path); /* half a key is worse than none */
        return key_refuse(why, rc, "cannot write %s: %s; check the disk", path, strerror(-rc));
    }
    return 0;
}

int key_pair_write(const char *path, const struct key_pair *pair, char why[KEY_WHY_BYTES])
{
    char public_text[KEY_Z85_BYTES];
    char secret_text[KEY_Z85_BYTES];
    char text[256];

    key_to_z85(pair->public_key, public_text);
    key_to_z85(pair->secret_key, secret_text);
    (void)snprintf(text, sizeof(text), "%s\npublic %s\nsecret %s\n", secret_heading, public_text,
                   secret_text);
    int rc = write_new_file(path, 0600, text, why);
    sodium_memzero(secret_text, sizeof(secret_text));
    sodium_memzero(text, sizeof(text));
    return rc;
}

int key_public_write(const char *path, const uint8_t key[KEY_BYTES], char why[KEY_WHY_BYTES])
{
    char public_text[KEY_Z85_BYTES];
    char text[128];

    key_to_z85(key, public_text);
    (void)snprintf(text, sizeof(text), "%s\npublic %s\n", public_heading, public_text);
    return write_new_file(path, 0644, text, why);
}

/* Who may not read (a secret) or write (a list) the file. */
struct file_rule {
    mode_t forbidden_mode;
    const char *trouble, *remedy; /* when that mode is set */
    bool must_be_ours;
    int open_flags;
};

static const struct file_rule secret_rule = {
    0077, "others may read or change it", "chmod 600 it, and make a new key if that was not meant",
    true, O_NOFOLLOW};
static const struct file_rule public_rule = {0022, "others may change it",
                                             "chmod 644 it after checking what it holds", false, 0};

static int check_file(int fd, const char *path, const struct file_rule *rule,
                      char why[KEY_WHY_BYTES])
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return key_refuse(why, -errno, "cannot inspect %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return key_refuse(why, -EINVAL, "%s is not a regular file; name the key file itself", path);
    }
    if (status.st_uid != geteuid() && (rule->must_be_ours || status.st_uid != 0)) {
        return key_refuse(why, -EPERM, "%s belongs to user %u and not to user %u; chown it", path,
                          (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & rule->forbidden_mode) != 0) {
        return key_refuse(why, -EPERM, "%s has mode %04o: %s; %s", path,
                          (unsigned)status.st_mode & 07777, rule->trouble, rule->remedy);
    }
    return 0;
}

/* Reads at most size - 1 bytes and terminates them. */
static int read_all(int fd, char *out, size_t size, size_t *out_size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = read(fd, out + have, size - have);
        if (got == 0) {
            out[have] = '\0';
            *out_size = have;
            return 0;
        }
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return -EFBIG;
}

static int read_file(const char *path, const struct file_rule *rule, char *out, size_t size,
                     char why[KEY_WHY_BYTES])
{
    size_t length = 0;
    /* O_NONBLOCK: a FIFO must not hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | rule->open_flags);

    if (fd < 0 && errno == ELOOP) {
        return key_refuse(why, -ELOOP, "%s is a symbolic link; name the key file itself", path);
    }
    if (fd < 0) {
        return key_refuse(why, -errno, "cannot open %s: %s; check the path", path, strerror(errno));
    }
    int rc = check_file(fd, path, rule, why);
    if (rc == 0) {
        rc = read_all(fd, out, size, &length);
        if (rc != 0) {
            rc = key_refuse(why, rc, "cannot read %s: %s", path, strerror(-rc));
        } else if (strlen(out) != length) {
            rc = key_refuse(why, -EBADMSG, "%s holds NUL bytes; it is not a key file", path);
        }
    }
    (void)close(fd); /* read-only: nothing can be lost */
    return rc;
}

/* Takes "word Z85" off the front of the text. */
static bool take_key_line(char **text, const char *word, uint8_t out[KEY_BYTES])
{
    char *line = strsep(text, "\n");
    size_t length = strlen(word);

    return line != NULL && strncmp(line, word, length) == 0 && line[length] == ' ' &&
           key_from_z85(line + length + 1, out);
}

static bool take_heading(char **text, const char *heading)
{
    const char *line = strsep(text, "\n");

    return line != NULL && strcmp(line, heading) == 0;
}

static bool is_at_end(const char *text)
{
    return text == NULL || *text == '\0';
}

static int parse_pair(char *text, const char *path, struct key_pair *out, char why[KEY_WHY_BYTES])
{
    uint8_t expected[KEY_BYTES];

    if (!take_heading(&text, secret_heading)) {
        return key_refuse(why, -EBADMSG, "%s:1: expected '%s'; make the file with keygen", path,
                          secret_heading);
    }
    if (!take_key_line(&text, "public", out->public_key)) {
        return key_refuse(why, -EBADMSG, "%s:2: expected 'public' and 40 characters of Z85", path);
    }
    if (!take_key_line(&text, "secret", out->secret_key)) {
        return key_refuse(why, -EBADMSG, "%s:3: expected 'secret' and 40 characters of Z85", path);
    }
    if (!is_at_end(text)) {
        return key_refuse(why, -EBADMSG, "%s:4: nothing may follow the secret key", path);
    }
    if (crypto_scalarmult_base(expected, out->secret_key) != 0 ||
        memcmp(expected, out->public_key, KEY_BYTES) != 0) {
        return key_refuse(why, -EBADMSG, "%s: the two keys do not belong together; make a new pair",
                          path);
    }
    return 0;
}

int key_pair_read(const char *path, struct key_pair *out, char why[KEY_WHY_BYTES])
{
    char text[KEY_FILE_BYTES_MAX];
    struct key_pair pair;
    int rc = read_file(path, &secret_rule, text, sizeof(text), why);

    if (rc == 0) {
        rc = parse_pair(text, path, &pair, why);
    }
    if (rc == 0) {
        *out = pair;
    }
    key_pair_wipe(&pair);
    sodium_memzero(text, sizeof(text));
    return rc;
}

int key_public_read(const char *path, uint8_t out[KEY_BYTES], char why[KEY_WHY_BYTES])
{
    char text[KEY_FILE_BYTES_MAX];
    char *rest = text;
    uint8_t key[KEY_BYTES];
    int rc = read_file(path, &public_rule, text, sizeof(text), why);

    if (rc != 0) {
        return rc;
    }
    if (strncmp(text, secret_heading, strlen(secret_heading)) == 0) {
        sodium_memzero(text, sizeof(text));
        return key_refuse(why, -EBADMSG,
                          "%s is a secret key; a public one is wanted, do not carry "
                          "secrets around",
                          path);
    }
    if (!take_heading(&rest, public_heading)) {
        return key_refuse(why, -EBADMSG, "%s:1: expected '%s'; copy the coordinator's .pub file",
                          path, public_heading);
    }
    if (!take_key_line(&rest, "public", key) || !is_at_end(rest)) {
        return key_refuse(why, -EBADMSG,
                          "%s:2: expected 'public' and 40 characters of Z85, no more", path);
    }
    memcpy(out, key, KEY_BYTES);
    return 0;
}

int key_list_read(const char *path, struct key_list *out, char why[KEY_WHY_BYTES])
{
    char *text = malloc(LIST_FILE_BYTES_MAX);

    if (text == NULL) {
        return key_refuse(why, -ENOMEM, "no memory for %s", path);
    }
    int rc = read_file(path, &public_rule, text, LIST_FILE_BYTES_MAX, why);
    if (rc == 0) {
        rc = key_list_parse(text, path, out, why);
    }
    free(text);
    return rc;
}

static int write_entries(int fd, const struct key_list *list)
{
    FILE *file = fdopen(fd, "w");

    if (file == NULL) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    bool is_good = fprintf(file, "# NAME ROLE KEY ADDED EXPIRES\n") > 0;
    for (size_t i = 0; i < list->count && is_good; i++) {
        const struct key_entry *entry = &list->entries[i];
        char z85[KEY_Z85_BYTES];
        key_to_z85(entry->public_key, z85);
        is_good = fprintf(file, "%s %s %s %s %s\n", entry->name, key_role_name(entry->role), z85,
                          entry->added, entry->expires) > 0;
    }
    is_good = is_good && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int rc = is_good ? 0 : -errno;
    if (fclose(file) != 0 && rc == 0) {
        rc = -errno;
    }
    return rc;
}

int key_list_write(const char *path, const struct key_list *list, char why[KEY_WHY_BYTES])
{
    char temporary[PATH_MAX];

    if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary)) {
        return key_refuse(why, -ENAMETOOLONG, "the path of %s is too long", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return key_refuse(why, -errno, "cannot create a file beside %s: %s; check the directory",
                          path, strerror(errno));
    }
    int rc = fchmod(fd, 0644) == 0 ? 0 : -errno;
    int write_rc = write_entries(fd, list);
    rc = rc != 0 ? rc : write_rc;
    if (rc == 0 && rename(temporary, path) != 0) {
        rc = -errno;
    }
    if (rc != 0) {
        (void)unlink(temporary);
        return key_refuse(why, rc, "cannot replace %s: %s; it is as it was", path, strerror(-rc));
    }
    rc = sync_directory_of(path);
    return rc == 0 ? 0 : key_refuse(why, rc, "cannot sync %s: %s", path, strerror(-rc));
}
