/* SPDX-License-Identifier: MIT */
#include "coordinator/run/lease_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/run/kea_socket.h"

/* A million leases of a pair are 200 MB; what is larger is no lease file of a test. */
#define BOOK_BYTES_MAX  ((size_t)1 << 30)
#define SOCKET_PATIENCE (60 * NS_PER_S)
/* For a server to end the entry it is in the middle of. */
#define WRITING_MS 300

struct text {
    char *bytes;
    size_t size;
};

static int read_open(int fd, struct text *out)
{
    struct stat about;
    if (fstat(fd, &about) < 0) {
        return -errno;
    }
    if (!S_ISREG(about.st_mode)) {
        return S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;
    }
    if ((uint64_t)about.st_size > BOOK_BYTES_MAX) {
        return -EFBIG;
    }
    size_t room = (size_t)about.st_size;
    out->bytes = malloc(room + 1);
    if (out->bytes == NULL) {
        return -ENOMEM;
    }
    /* What the server appends meanwhile is for the next look. */
    while (out->size < room) {
        ssize_t got = read(fd, out->bytes + out->size, room - out->size);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        out->size += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* The caller frees what is in `out`, also after an error. */
static int read_file(const char *path, struct text *out)
{
    /* Not blocking: what is no regular file must not hold us up before it is refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int rc = fd < 0 ? -errno : read_open(fd, out);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

/* What reads well and is something else must not free what it does not know. */
static int refuse_stranger(const struct scenario_server *server, const char *what,
                           char why[LEASE_SOURCE_WHY_BYTES])
{
    (void)snprintf(why, LEASE_SOURCE_WHY_BYTES,
                   "server %s: %s is no lease file of %s: nothing in it is what that writes; give "
                   "the file the server has open",
                   server->name, server->lease_path, what);
    return -EBADMSG;
}

/*
 * Kea's clean-up moves the file aside while it works: what it finished is in
 * .completed, what it works on in .2 and .1; the newest rows are in the file itself.
 */
enum { KEA_PARTS = 4, KEA_LOOKS_MAX = 5, KEA_NAME_BYTES = SCENARIO_PATH_BYTES + 16 };
static const char *const kea_parts[KEA_PARTS] = {".completed", ".2", ".1", ""};

static const char *kea_name(const struct scenario_server *server, size_t part,
                            char out[KEA_NAME_BYTES])
{
    (void)snprintf(out, KEA_NAME_BYTES, "%s%s", server->lease_path, kea_parts[part]);
    return out;
}

/* Which files have the names now; all zero: none has it. */
struct kea_part {
    dev_t device;
    ino_t inode;
    int64_t written_s, written_ns; /* 0 of the file itself, which rows are appended to */
};

static void look_at_kea_files(const struct scenario_server *server, struct kea_part out[KEA_PARTS])
{
    for (size_t i = 0; i < KEA_PARTS; i++) {
        char name[KEA_NAME_BYTES];
        struct stat about;
        bool is_there = stat(kea_name(server, i, name), &about) == 0;
        bool is_live = kea_parts[i][0] == '\0';
        out[i] = (struct kea_part){0};
        if (is_there) {
            out[i].device = about.st_dev;
            out[i].inode = about.st_ino;
            out[i].written_s = is_live ? 0 : about.st_mtim.tv_sec;
            out[i].written_ns = is_live ? 0 : about.st_mtim.tv_nsec;
        }
    }
}

static bool are_same_files(const struct kea_part a[KEA_PARTS], const struct kea_part b[KEA_PARTS])
{
    for (size_t i = 0; i < KEA_PARTS; i++) {
        if (a[i].device != b[i].device || a[i].inode != b[i].inode ||
            a[i].written_s != b[i].written_s || a[i].written_ns != b[i].written_ns) {
            return false;
        }
    }
    return true;
}

static int read_kea_parts(const struct scenario_server *server, uint64_t now_s,
                          struct lease_book *out, char why[LEASE_SOURCE_WHY_BYTES])
{
    bool has_completed = false, has_any = false;
    int rc = 0;
    for (size_t i = 0; i < KEA_PARTS && rc == 0; i++) {
        char name[KEA_NAME_BYTES];
        struct text text = {0};
        if (has_completed && strcmp(kea_parts[i], ".2") == 0) {
            continue; /* it is what .completed was made from */
        }
        rc = read_file(kea_name(server, i, name), &text);
        if (rc == 0 && !lease_book_kea_csv(out, text.bytes, text.size, now_s)) {
            rc = refuse_stranger(server, "Kea", why);
        } else if (rc == 0) {
            has_any = true;
            has_completed = has_completed || i == 0;
        } else if (rc == -ENOENT && (kea_parts[i][0] != '\0' || has_any)) {
            rc = 0;
        }
        free(text.bytes);
    }
    return rc;
}

/*
 * A clean-up that goes on while we read takes rows from a file not read yet into one that
 * was: what was read counts only if every name had the same file before and after.
 */
static int read_kea_files(const struct scenario_server *server, uint64_t now_s,
                          struct lease_book *out, char why[LEASE_SOURCE_WHY_BYTES])
{
    struct kea_part before[KEA_PARTS], after[KEA_PARTS];
    look_at_kea_files(server, before);
    for (unsigned looks = 0; looks < KEA_LOOKS_MAX; looks++) {
        lease_book_fini(out);
        why[0] = '\0';
        int rc = read_kea_parts(server, now_s, out, why);
        look_at_kea_files(server, after);
        if (are_same_files(before, after)) {
            return rc;
        }
        memcpy(before, after, sizeof(before));
    }
    (void)snprintf(why, LEASE_SOURCE_WHY_BYTES,
                   "server %s: Kea's clean-up replaced %s or its .1, .2 or .completed each of the "
                   "%d times they were read; set a longer lfc-interval, or try again",
                   server->name, server->lease_path, (int)KEA_LOOKS_MAX);
    return -EAGAIN;
}

static int read_book(const struct scenario_server *server, uint64_t now_s, struct lease_book *out,
                     char why[LEASE_SOURCE_WHY_BYTES])
{
    struct text text = {0};
    char said[LEASE_BOOK_WHY_BYTES] = "";
    int rc = -EOPNOTSUPP;
    switch (server->lease_source) {
    case LEASES_DHCPD_FILE:
        rc = read_file(server->lease_path, &text);
        if (rc == 0 && !lease_book_dhcpd(out, text.bytes, text.size, now_s)) {
            rc = refuse_stranger(server, "dhcpd", why);
        }
        break;
    case LEASES_KEA_FILE:
        rc = read_kea_files(server, now_s, out, why);
        break;
    case LEASES_KEA_SOCKET:
        rc = kea_socket_ask(server->lease_path, "{\"command\": \"lease4-get-all\"}",
                            SOCKET_PATIENCE, BOOK_BYTES_MAX, &text.bytes, &text.size);
        if (rc == 0 && !lease_book_kea_json(out, text.bytes, text.size, now_s, said)) {
            (void)snprintf(why, LEASE_SOURCE_WHY_BYTES, "server %s: %s", server->name, said);
            rc = -EPROTO;
        }
        break;
    case LEASES_UNKNOWN:
    case LEASES_QUERY:
        break;
    }
    free(text.bytes);
    return rc;
}

int lease_source_read(const struct scenario_server *server, uint64_t now_s, struct lease_book *out,
                      char why[LEASE_SOURCE_WHY_BYTES])
{
    char name[LEASE_SOURCE_NAME_BYTES];
    why[0] = '\0';
    lease_book_fini(out);
    int rc = read_book(server, now_s, out, why);
    if (rc == 0 && out->strange > 0 && server->lease_source != LEASES_KEA_SOCKET) {
        (void)poll(NULL, 0, WRITING_MS);
        lease_book_fini(out);
        rc = read_book(server, now_s, out, why);
    }
    if (rc == 0 && out->is_out_of_memory) {
        rc = -ENOMEM;
    }
    if (rc == -EINVAL || rc == -EISDIR) {
        (void)snprintf(why, LEASE_SOURCE_WHY_BYTES, "server %s: %s is no file; give %s",
                       server->name, server->lease_path, "the lease file the server has open");
    }
    if (rc < 0 && why[0] == '\0') {
        (void)snprintf(why, LEASE_SOURCE_WHY_BYTES,
                       "server %s: cannot read %s: %s; is it on this machine, and readable?",
                       server->name, lease_source_name(server, name), strerror(-rc));
    }
    return rc;
}

bool lease_source_is_readable(const struct scenario_server *server)
{
    return server->lease_source == LEASES_DHCPD_FILE || server->lease_source == LEASES_KEA_FILE ||
           server->lease_source == LEASES_KEA_SOCKET;
}

const char *lease_source_name(const struct scenario_server *server,
                              char out[LEASE_SOURCE_NAME_BYTES])
{
    static const char *const what[] = {[LEASES_UNKNOWN] = "nothing",
                                       [LEASES_DHCPD_FILE] = "dhcpd's lease file ",
                                       [LEASES_KEA_FILE] = "Kea's lease file ",
                                       [LEASES_KEA_SOCKET] = "Kea's control socket ",
                                       [LEASES_QUERY] = "DHCPLEASEQUERY"};
    (void)snprintf(out, LEASE_SOURCE_NAME_BYTES, "%s%s", what[server->lease_source],
                   lease_source_is_readable(server) ? server->lease_path : "");
    return out;
}
