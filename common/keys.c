/* SPDX-License-Identifier: MIT */
#include "common/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/key_file.h"
#include "common/clock.h"
#include "common/key_list.h"
#include "common/secrets.h"
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

struct key_pair *key_pair_new(void)
{
    return secrets_new(sizeof(struct key_pair));
}

void key_pair_free(struct key_pair *pair)
{
    secrets_free(pair);
}

void key_today(char out[KEY_DATE_BYTES])
{
    time_t seconds = (time_t)(clock_realtime_ns() / NS_PER_S);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(out, KEY_DATE_BYTES, "%Y-%m-%d", &utc) != KEY_DATE_BYTES - 1) {
        strcpy(out, "9999-12-31");
    }
}

int key_dir_lock(const char *dir, char why[KEY_WHY_BYTES])
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            int error = errno;
            (void)close(fd); /* read-only: nothing can be lost */
            return key_refuse(why, -error, "cannot lock %s: %s", dir, strerror(error));
        }
    }
    return fd >= 0 ? fd
                   : key_refuse(why, -errno, "cannot open the directory %s: %s; check the path",
                                dir, strerror(errno));
}

void key_to_z85(const uint8_t key[KEY_BYTES], char out[KEY_Z85_BYTES])
{
    z85_encode(key, KEY_BYTES, out);
}

bool key_from_z85(const char *text, uint8_t out[KEY_BYTES])
{
    return z85_decode(text, out, KEY_BYTES);
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
    int rc = key_file_write_new(path, 0600, text, why);
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
    return key_file_write_new(path, 0644, text, why);
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
    int rc = key_file_read(path, KEY_FILE_SECRET, text, sizeof(text), why);

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
    int rc = key_file_read(path, KEY_FILE_PUBLIC, text, sizeof(text), why);

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
    int rc = key_file_read(path, KEY_FILE_PUBLIC, text, LIST_FILE_BYTES_MAX, why);
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
    rc = key_file_sync_directory_of(path);
    return rc == 0 ? 0 : key_refuse(why, rc, "cannot sync %s: %s", path, strerror(-rc));
}
