/* SPDX-License-Identifier: MIT */
#include "coordinator/run/lease_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A million leases of a pair are 200 MB; what is larger is no lease file of a test. */
#define BOOK_BYTES_MAX (UINT64_C(1) << 30)
enum { SOCKET_TIMEOUT_S = 30 };

struct text {
    char *bytes;
    size_t size, capacity;
};

static int read_all(int fd, struct text *out)
{
    for (;;) {
        if (out->size == out->capacity) {
            size_t capacity = out->capacity == 0 ? 1U << 20 : 2 * out->capacity;
            char *grown = capacity > BOOK_BYTES_MAX ? NULL : realloc(out->bytes, capacity);
            if (grown == NULL) {
                return capacity > BOOK_BYTES_MAX ? -EFBIG : -ENOMEM;
            }
            out->bytes = grown;
            out->capacity = capacity;
        }
        ssize_t got = read(fd, out->bytes + out->size, out->capacity - out->size);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        out->size += got > 0 ? (size_t)got : 0;
    }
}

static int read_file(const char *path, struct text *out)
{
    FILE *from = fopen(path, "re");
    if (from == NULL) {
        return -errno;
    }
    int rc = read_all(fileno(from), out);
    (void)fclose(from);
    return rc;
}

/* Kea closes the connection after its answer. */
static int ask_socket(const char *path, const char *question, struct text *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    const struct timeval patience = {.tv_sec = SOCKET_TIMEOUT_S};
    int rc = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question)) {
        rc = errno != 0 ? -errno : -EIO;
    }
    rc = rc == 0 ? read_all(fd, out) : rc;
    (void)close(fd);
    return rc;
}

/*
 * Kea's clean-up moves the file aside while it works: what it finished is in
 * .completed, what it works on in .2 and .1; the newest rows are in the file itself.
 */
static int read_kea_files(const char *path, uint64_t now_s, struct lease_book *out)
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
        (void)snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        rc = read_file(name, &text);
        if (rc == 0) {
            lease_book_kea_csv(out, text.bytes, text.size, now_s);
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
        if (rc == 0) {
            lease_book_dhcpd(out, text.bytes, text.size, now_s);
        }
        break;
    case LEASES_KEA_FILE:
        rc = read_kea_files(server->lease_path, now_s, out);
        break;
    case LEASES_KEA_SOCKET:
        rc = ask_socket(server->lease_path, "{\"command\": \"lease4-get-all\"}", &text);
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
