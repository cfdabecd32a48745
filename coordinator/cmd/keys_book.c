/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/keys_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/key_list.h"

int keys_book_path(const char *dir, const char *name, const char *suffix, char out[PATH_MAX],
                   char why[KEY_WHY_BYTES])
{
    int length = snprintf(out, PATH_MAX, "%s/%s%s", dir, name, suffix);
    return length > 0 && length < PATH_MAX
               ? 0
               : key_refuse(why, -ENAMETOOLONG, "the path %.80s... is too long; take a shorter one",
                            dir);
}

static int read_list(const char *dir, struct keys_book *book, char why[KEY_WHY_BYTES])
{
    int rc = key_list_read(book->path, &book->list, why);
    if (rc == -ENOENT) {
        return key_refuse(why, rc,
                          "there is no %s; make the keys with leaseherd keys init --keys %s",
                          book->path, dir);
    }
    return rc;
}

int keys_book_open(const char *dir, bool is_to_change, struct keys_book *out,
                   char why[KEY_WHY_BYTES])
{
    memset(out, 0, sizeof(*out));
    out->lock_fd = -1;
    int rc = keys_book_path(dir, "agents", ".allow", out->path, why);
    if (rc == 0 && is_to_change && access(out->path, F_OK) == 0) {
        out->lock_fd = key_dir_lock(dir, why);
        rc = out->lock_fd < 0 ? out->lock_fd : 0;
    }
    if (rc == 0) {
        rc = read_list(dir, out, why);
    }
    if (rc != 0) {
        keys_book_close(out);
    }
    return rc;
}

void keys_book_close(struct keys_book *book)
{
    key_list_free(&book->list);
    if (book->lock_fd >= 0) {
        (void)close(book->lock_fd); /* frees the lock */
        book->lock_fd = -1;
    }
}

const struct key_entry *keys_book_find(const struct keys_book *book, const char *name)
{
    for (size_t i = 0; i < book->list.count; i++) {
        if (strcmp(book->list.entries[i].name, name) == 0) {
            return &book->list.entries[i];
        }
    }
    return NULL;
}

int keys_book_add(struct keys_book *book, const char *name, enum key_role role,
                  const uint8_t public_key[KEY_BYTES], const char *expires, char why[KEY_WHY_BYTES])
{
    struct key_list *list = &book->list;
    const struct key_entry *same = key_list_find(list, public_key);
    if (keys_book_find(book, name) != NULL) {
        return key_refuse(why, -EEXIST,
                          "agent '%s' is already in %s; revoke it first, or take another name",
                          name, book->path);
    }
    if (same != NULL) {
        return key_refuse(why, -EALREADY,
                          "this key already belongs to agent '%s'; each agent needs its own",
                          same->name);
    }
    struct key_entry *grown = realloc(list->entries, (list->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return key_refuse(why, -ENOMEM, "out of memory");
    }
    list->entries = grown;
    struct key_entry *entry = &grown[list->count++];
    *entry = (struct key_entry){.role = role};
    (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    (void)snprintf(entry->expires, sizeof(entry->expires), "%s", expires);
    memcpy(entry->public_key, public_key, KEY_BYTES);
    key_today(entry->added);
    return key_list_write(book->path, list, why);
}

int keys_book_revoke(struct keys_book *book, const char *name, char why[KEY_WHY_BYTES])
{
    struct key_list *list = &book->list;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) != 0) {
            list->entries[kept++] = list->entries[i];
        }
    }
    if (kept == list->count) {
        return key_refuse(why, -ENOENT,
                          "there is no agent '%s' in %s; leaseherd keys list shows who is", name,
                          book->path);
    }
    list->count = kept;
    return key_list_write(book->path, list, why);
}
