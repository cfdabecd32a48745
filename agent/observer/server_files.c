/* SPDX-License-Identifier: MIT */
#include "agent/observer/server_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/observer/parse/unix_sockets.h"
#include "agent/observer/read_text.h"
#include "common/attrs.h"

enum {
    PROC_PATH_BYTES = 64,
    COMMAND_LINE_BYTES = 4096,
    FDINFO_BYTES = 512,
    SOCKETS_BYTES = 1 << 20, /* of /proc/P/net/unix, read to find one path */
    LOOKS_MAX = 10           /* a server opens its files within its first seconds */
};

void server_files_open(struct server_files *f)
{
    memset(f, 0, sizeof(*f));
}

enum availability server_files_lack(const struct server_files *f)
{
    return f->is_hidden ? AVAILABLE_NO_PERMISSION : AVAILABLE_NOT_APPLICABLE;
}

static void set_path(char out[PATH_MAX], const char *path)
{
    size_t size = strlen(path);
    if (size < PATH_MAX) {
        memcpy(out, path, size + 1);
    }
}

/* Is what lies at `ours` the file that was opened? */
static bool is_same_file(const char *ours, const struct stat *opened)
{
    struct stat found;
    return strlen(ours) < PATH_MAX && stat(ours, &found) == 0 && found.st_dev == opened->st_dev &&
           found.st_ino == opened->st_ino;
}

/* The path by which we see what its descriptor is; false: by none, as what was
 * deleted. */
static bool our_path_of(pid_t pid, const char *fd_path, char out[PATH_MAX])
{
    char theirs[PATH_MAX], in_root[PATH_MAX + PROC_PATH_BYTES];
    struct stat opened;
    ssize_t size = readlink(fd_path, theirs, sizeof(theirs) - 1);
    if (size <= 0 || theirs[0] != '/' || stat(fd_path, &opened) < 0 || !S_ISREG(opened.st_mode)) {
        return false;
    }
    theirs[size] = '\0';
    /* A server in a container sees other files by the same names. */
    (void)snprintf(in_root, sizeof(in_root), "/proc/%d/root%s", (int)pid, theirs);
    const char *ours = is_same_file(theirs, &opened)    ? theirs
                       : is_same_file(in_root, &opened) ? in_root
                                                        : NULL;
    if (ours != NULL) {
        set_path(out, ours);
    }
    return ours != NULL;
}

/* Opened for writing, says /proc/P/fdinfo/N. */
static bool is_written(pid_t pid, const char *fd)
{
    char path[PROC_PATH_BYTES + NAME_MAX], text[FDINFO_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, fd);
    const char *flags = read_text(path, text, sizeof(text)) > 0 ? strstr(text, "flags:") : NULL;
    unsigned long value = flags == NULL ? 0 : strtoul(flags + strlen("flags:"), NULL, 8);
    return (value & O_ACCMODE) != O_RDONLY;
}

static void take_socket(struct server_files *f, pid_t pid, const char *fd_path)
{
    char link[PROC_PATH_BYTES], path[PROC_PATH_BYTES], found[PATH_MAX];
    ssize_t size = readlink(fd_path, link, sizeof(link) - 1);
    unsigned long inode = 0;
    if (size <= 0 || f->kea_socket[0] != '\0') {
        return;
    }
    link[size] = '\0';
    char *sockets = sscanf(link, "socket:[%lu]", &inode) == 1 ? malloc(SOCKETS_BYTES) : NULL;
    (void)snprintf(path, sizeof(path), "/proc/%d/net/unix", (int)pid);
    if (sockets != NULL && read_text(path, sockets, SOCKETS_BYTES) > 0 &&
        unix_socket_path(sockets, inode, found, sizeof(found)) && access(found, F_OK) == 0) {
        set_path(f->kea_socket, found);
    }
    free(sockets);
}

/*
 * How likely it is its log, 0: not at all. By its name; then what it opened itself, which is no
 * lock, before the standard streams, which may lead anywhere; of these, that of errors.
 */
static unsigned log_rank_of(const char *name, int fd)
{
    static const unsigned by_name = 4, opened = 2, errors = 1;
    bool is_lock = strstr(name, "lock") != NULL || strstr(name, ".pid") != NULL;
    bool is_named = strstr(name, "log") != NULL;
    unsigned rank = 1U + (is_named ? by_name : 0U) + (fd == STDERR_FILENO ? errors : 0U);
    return is_lock ? 0U : rank + (is_named && fd > STDERR_FILENO ? opened : 0U);
}

/* What it writes to is its lease file, by its name, or its log. */
static void take_file(struct server_files *f, const char *path, int fd)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (strstr(name, "lease") != NULL) {
        if (f->leases[0] == '\0') {
            set_path(f->leases, path);
        }
        return;
    }
    unsigned rank = log_rank_of(name, fd);
    if (rank > f->log_rank && !f->is_log_named) {
        f->log_rank = rank;
        set_path(f->log, path);
    }
}

static void take_descriptors(struct server_files *f, const struct observer_target *target)
{
    char path[PROC_PATH_BYTES + NAME_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)target->pid);
    DIR *all = opendir(path);
    f->is_hidden = all == NULL && (errno == EACCES || errno == EPERM);
    for (const struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char found[PATH_MAX];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)target->pid, entry->d_name);
        if (our_path_of(target->pid, path, found)) {
            if (is_written(target->pid, entry->d_name)) {
                take_file(f, found, (int)strtol(entry->d_name, NULL, 10));
            }
        } else if (target->program == TARGET_KEA) {
            take_socket(f, target->pid, path);
        }
    }
    if (all != NULL) {
        (void)closedir(all);
    }
}

/* As the server sees it, where we may look through its eyes. */
static void set_their_path(char out[PATH_MAX], pid_t pid, const char *path)
{
    char in_root[PATH_MAX + PROC_PATH_BYTES];
    (void)snprintf(in_root, sizeof(in_root), "/proc/%d/root%s", (int)pid, path);
    struct stat theirs;
    bool is_ours = stat(in_root, &theirs) < 0 || is_same_file(path, &theirs);
    set_path(out, is_ours ? path : in_root);
}

/* dhcpd -lf FILE -cf FILE: anybody may read that. */
static void take_command_line(struct server_files *f, const struct observer_target *target)
{
    char path[PROC_PATH_BYTES], text[COMMAND_LINE_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)target->pid);
    int size = read_text(path, text, sizeof(text));
    const char *end = text + (size > 0 ? size : 0);
    for (const char *word = text; word < end; word += strlen(word) + 1) {
        const char *value = word + strlen(word) + 1;
        if (value >= end || value[0] != '/') {
            continue;
        }
        if (strcmp(word, "-lf") == 0 && f->leases[0] == '\0') {
            set_path(f->leases, value);
        } else if (strcmp(word, "-cf") == 0 && f->config[0] == '\0') {
            set_their_path(f->config, target->pid, value);
        }
    }
}

/* Where Debian's packages have them. */
static void take_usual(struct server_files *f, enum target_program program)
{
    static const struct {
        enum target_program program;
        const char *leases, *log, *kea_socket, *config;
    } usual[] = {
        {TARGET_DHCPD, "/var/lib/dhcp/dhcpd.leases", "", "", "/etc/dhcp/dhcpd.conf"},
        {TARGET_KEA, "/var/lib/kea/kea-leases4.csv", "/var/log/kea/kea-dhcp4.log",
         "/run/kea/kea4-ctrl-socket", ""},
    };
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        const char *const from[] = {usual[i].leases, usual[i].log, usual[i].kea_socket,
                                    usual[i].config};
        char *const to[] = {f->leases, f->log, f->kea_socket, f->config};
        for (size_t k = 0; usual[i].program == program && k < ARRAY_LEN(to); k++) {
            if (to[k][0] == '\0' && access(from[k], F_OK) == 0) {
                set_path(to[k], from[k]);
            }
        }
    }
}

static void find(struct server_files *f, const struct observer_target *target)
{
    const struct observer_files *named = &target->files;
    f->log[0] = f->leases[0] = f->kea_socket[0] = f->config[0] = '\0';
    f->log_rank = 0;
    f->is_log_named = named->log != NULL;
    set_path(f->config, named->config == NULL ? "" : named->config);
    set_path(f->log, named->log == NULL ? "" : named->log);
    set_path(f->leases, named->leases == NULL ? "" : named->leases);
    set_path(f->kea_socket, named->kea_socket == NULL ? "" : named->kea_socket);
    take_descriptors(f, target);
    if (target->program == TARGET_DHCPD) {
        take_command_line(f, target);
    }
    take_usual(f, target->program);
}

void server_files_look(struct server_files *f, const struct observer_target *target)
{
    if (target->pid == 0) {
        return; /* its files stay: the log may tell why it ended */
    }
    if (f->instance != target->instance) {
        f->instance = target->instance;
        f->looks = 0;
    }
    bool is_complete = f->log[0] != '\0' && f->leases[0] != '\0' &&
                       (f->kea_socket[0] != '\0' || target->program != TARGET_KEA);
    if (f->looks < 2 || (!is_complete && f->looks < LOOKS_MAX)) {
        find(f, target);
        f->looks++;
    }
}
