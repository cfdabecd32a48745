/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over every file of the directory given: its corpus, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file (malloc'd, never NULL on success); false after a message. */
static int read_file(const char *path, uint8_t **out, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    for (;;) {
        uint8_t *grown = realloc(bytes, size + 65536);
        if (grown == NULL) {
            break;
        }
        bytes = grown;
        size_t got = fread(bytes + size, 1, 65536, file);
        size += got;
        if (got == 0) {
            break;
        }
    }
    int is_read = bytes != NULL && !ferror(file);
    (void)fclose(file);
    /* An exact allocation lets the sanitizer see the first byte read beyond it. */
    uint8_t *exact = is_read ? malloc(size > 0 ? size : 1) : NULL;
    if (exact != NULL) {
        memcpy(exact, bytes, size);
    }
    free(bytes);
    *out = exact;
    *out_size = size;
    return exact != NULL;
}

static unsigned replay_directory(const char *path)
{
    unsigned count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char file[4096];
        uint8_t *bytes;
        size_t size;
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (!read_file(file, &bytes, &size)) {
            (void)fprintf(stderr, "%s: cannot be read\n", file);
            exit(1);
        }
        (void)fprintf(stderr, "replay %s\n", file); /* the last line names the culprit */
        (void)LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
        count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    unsigned count = replay_directory(argv[1]);
    if (count == 0) {
        (void)fprintf(stderr, "%s: no corpus; add files that the target must survive\n", argv[1]);
        return 1;
    }
    (void)fprintf(stderr, "%u files replayed\n", count);
    return 0;
}
