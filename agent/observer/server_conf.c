/* SPDX-License-Identifier: MIT */
#include "agent/observer/server_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/read_text.h"
#include "agent/observer/remark.h"

enum { FILE_BYTES_MAX = 4 << 20, TOTAL_BYTES_MAX = 16 << 20 };

void server_conf_open(struct server_conf *c)
{
    memset(c, 0, sizeof(*c));
}

/* Bytes read. */
static size_t read_one(struct server_conf *c, const char *path, char *room)
{
    int size = read_text(path, room, FILE_BYTES_MAX);
    if (size < 0) {
        c->error = c->error == 0 ? size : c->error;
        return 0;
    }
    c->is_cut = c->is_cut || size == FILE_BYTES_MAX - 1;
    dhcpd_conf_take(&c->conf, room, (size_t)size);
    return (size_t)size;
}

/* What it includes is read behind it; the list grows meanwhile, and has an end. */
static void read_all(struct server_conf *c, const char *path)
{
    char *room = malloc(FILE_BYTES_MAX);
    if (room == NULL) {
        c->error = -ENOMEM;
        return;
    }
    size_t total = read_one(c, path, room);
    for (size_t i = 0; i < c->conf.include_count && c->error == 0; i++) {
        c->is_cut = c->is_cut || total > TOTAL_BYTES_MAX;
        total += total > TOTAL_BYTES_MAX ? 0 : read_one(c, c->conf.include[i], room);
    }
    free(room);
}

static void tell(const struct server_conf *c, struct observation *out)
{
    char text[NOTE_BYTES + 1];
    bool is_whole = c->error == 0 && !c->is_cut && !c->conf.is_incomplete;
    bool is_denied = c->error == -EACCES || c->error == -EPERM;
    if (out->availability[OBSERVER_pool_total] == AVAILABLE_OK) {
        /* The log's figure it is. */
    } else if (is_whole && c->conf.ranges > 0) {
        observation_set(out, OBSERVER_pool_total, (double)c->conf.addresses);
    } else if (is_denied) {
        observation_lacks(out, OBSERVER_pool_total, AVAILABLE_NO_PERMISSION);
    }
    if (is_whole) {
        dhcpd_conf_tell(&c->conf, text, sizeof(text));
        observation_set_note(out, NOTE_CONFIGURATION, text);
    } else {
        remark(out, is_denied ? "its configuration needs CAP_DAC_READ_SEARCH or a group that may "
                                "read it"
                              : "dhcpd's configuration, or what it includes, could not be read as "
                                "a whole; name it with --config");
    }
}

void server_conf_observe(struct server_conf *c, const struct observer_target *target,
                         const char *path, struct observation *out)
{
    if (target->program != TARGET_DHCPD || target->pid == 0 || path[0] == '\0') {
        return;
    }
    /* Once: what is changed later is not what this process runs with. */
    if (c->instance != target->instance) {
        memset(c, 0, sizeof(*c));
        c->instance = target->instance;
        read_all(c, path);
    }
    tell(c, out);
}
