/* SPDX-License-Identifier: MIT */
#include "coordinator/run/lease_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
static int read_kea_files(const struct scenario_server *server, uint64_t now_s,
                          struct lease_book *out, char why[LEASE_SOURCE_WHY_BYTES])
{
    static const char *const parts[] = {".completed", ".2", ".1", ""};
    bool has_completed = false, has_any = false;
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++) {
        char name[SCENARIO_PATH_BYTES + 16];
        struct text text = {0};
        if (has_completed && strcmp(parts[i], ".2") == 0) {
            continue; /* it is what .completed was made from */
        }
        (void)snprintf(name, sizeof(name), "%s%s", server->lease_path, parts[i]);
        rc = read_file(name, &text);
        if (rc == 0 && !lease_book_kea_csv(out, text.bytes, text.size, now_s)) {
            rc = refuse_stranger(server, "Kea", why);
        } else if (rc == 0) {
            has_any = true;
            has_completed = has_completed || i == 0;
        } else if (rc == -ENOENT && (parts[i][0] != '\0' || has_any)) {
            rc = 0;
        }
        free(text.bytes);
    }
    return rc;
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
    int rc = read_book(server, now_s, out, why);
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
