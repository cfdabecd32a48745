/* SPDX-License-Identifier: MIT */
#include "agent/edge/ring_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/crc32c.h"

enum {
    BOOT_ID_BYTES = 36,
    RING_FILE_VERSION = 1,
    SLOT_COUNT = 2,
    SLOTS_AT = 1024,
    SLOT_STEP = 1024,
    REGION_LEAST = 64
};

#define RING_FILE_MAGIC     UINT64_C(0x676e69524868654c) /* "LehHRing" */
#define RING_FILE_BYTES_MAX ((size_t)1 << 32)

struct head {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* of the head with 0 here */
    uint64_t region_bytes;
    uint64_t salt;
    uint8_t boot[BOOT_ID_BYTES]; /* the clock of the results begins anew with each */
    struct ring_owner owner;
};

struct slot {
    uint64_t generation; /* 0: never written */
    uint64_t oldest, acked_seq;
    uint32_t is_open;
    uint32_t crc; /* of what stands before it */
};

static uint32_t head_crc(const struct head *head)
{
    struct head copy;
    memcpy(&copy, head, sizeof(copy));
    copy.crc = 0;
    return crc32c(0, &copy, sizeof(copy));
}

static uint8_t *slot_place(const struct ring_file *file, uint64_t generation)
{
    return file->map + SLOTS_AT + (size_t)(generation % SLOT_COUNT) * SLOT_STEP;
}

static bool read_slot(const struct ring_file *file, uint64_t which, struct slot *out)
{
    memcpy(out, slot_place(file, which), sizeof(*out));
    return out->generation > 0 && out->generation % SLOT_COUNT == which &&
           out->crc == crc32c(0, out, offsetof(struct slot, crc));
}

/* The newest slot that is whole: the other one may have been torn by the end of its process. */
static bool newest_slot(const struct ring_file *file, struct slot *out)
{
    struct slot slot[SLOT_COUNT];
    bool is_whole[SLOT_COUNT];
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        is_whole[i] = read_slot(file, i, &slot[i]);
    }
    size_t newest = is_whole[1] && (!is_whole[0] || slot[1].generation > slot[0].generation);
    *out = slot[newest];
    return is_whole[newest];
}

/*
 * The processor may do what it likes: the kernel sees the stores of a killed process all or, in
 * the order of the program, a first part of them. The compiler has to be told.
 */
static void write_slot(struct ring_file *file, uint64_t oldest, uint64_t acked_seq, bool is_open)
{
    struct slot slot = {.generation = ++file->generation,
                        .oldest = oldest,
                        .acked_seq = acked_seq,
                        .is_open = is_open};
    slot.crc = crc32c(0, &slot, offsetof(struct slot, crc));
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(slot_place(file, slot.generation), &slot, sizeof(slot));
    atomic_signal_fence(memory_order_seq_cst);
    file->noted_oldest = oldest;
    file->noted_acked = acked_seq;
}

/* As text; zeros where the kernel does not say. */
static void read_boot_id(uint8_t out[BOOT_ID_BYTES])
{
    memset(out, 0, BOOT_ID_BYTES);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, out, BOOT_ID_BYTES) != BOOT_ID_BYTES) {
            memset(out, 0, BOOT_ID_BYTES);
        }
        (void)close(fd); /* only read from */
    }
}

/* --- making one --- */

static int say(char why[RING_FILE_WHY_BYTES], int rc, const char *doing)
{
    (void)snprintf(why, RING_FILE_WHY_BYTES, "cannot %s " RING_FILE_NAME ": %s", doing,
                   strerror(-rc));
    return rc;
}

static int no_room(int fd, size_t bytes, char why[RING_FILE_WHY_BYTES])
{
    /* What was reserved in vain is given back: others need it, too. */
    int rc = ftruncate(fd, 0) < 0 ? -errno : -ENOSPC;
    struct statvfs fs;
    uint64_t free_bytes = fstatvfs(fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
    (void)snprintf(why, RING_FILE_WHY_BYTES,
                   "no room for " RING_FILE_NAME ": it needs %zu bytes and the state directory's "
                   "disk has %" PRIu64 "; free some there, or give the agent another --state-dir",
                   bytes, free_bytes);
    return rc;
}

static int open_file(int dir_fd, int flags, int *out_fd, char why[RING_FILE_WHY_BYTES])
{
    int fd = openat(dir_fd, RING_FILE_NAME, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return say(why, -errno, "open");
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        (void)close(fd); /* nothing was written */
        (void)snprintf(why, RING_FILE_WHY_BYTES,
                       RING_FILE_NAME " is not a file of the agent's user alone; remove it");
        return -EPERM;
    }
    *out_fd = fd;
    return 0;
}

static int reserve(int fd, size_t bytes, char why[RING_FILE_WHY_BYTES])
{
    if (ftruncate(fd, (off_t)bytes) < 0) {
        return errno == ENOSPC || errno == EFBIG ? no_room(fd, bytes, why)
                                                 : say(why, -errno, "size");
    }
    int rc = posix_fallocate(fd, 0, (off_t)bytes);
    if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG) {
        return no_room(fd, bytes, why);
    }
    return rc == 0 ? 0 : say(why, -rc, "reserve");
}

static int map_it(struct ring_file *file, char why[RING_FILE_WHY_BYTES])
{
    int flags = file->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *map = mmap(NULL, file->map_bytes, PROT_READ | PROT_WRITE, flags, file->fd, 0);
    if (map == MAP_FAILED) {
        return say(why, -errno, "map");
    }
    file->map = map;
    return 0;
}

static uint64_t write_head(struct ring_file *file)
{
    struct head head;
    memset(&head, 0, sizeof(head)); /* its padding is in the checksum */
    head.magic = RING_FILE_MAGIC;
    head.version = RING_FILE_VERSION;
    head.region_bytes = file->map_bytes - RING_FILE_HEAD_BYTES;
    randombytes_buf(&head.salt, sizeof(head.salt));
    read_boot_id(head.boot);
    memcpy(&head.owner, &file->owner, sizeof(head.owner));
    head.crc = head_crc(&head);
    memcpy(file->map, &head, sizeof(head));
    atomic_signal_fence(memory_order_seq_cst);
    return head.salt;
}

int ring_file_make(int dir_fd, const struct ring_owner *owner, size_t bytes, uint64_t committed_seq,
                   struct ring_file *out, struct replay_ring *out_ring,
                   char why[RING_FILE_WHY_BYTES])
{
    assert(bytes >= REGION_LEAST && bytes < RING_FILE_BYTES_MAX);
    struct ring_file file = {.fd = -1, .map_bytes = RING_FILE_HEAD_BYTES + bytes, .owner = *owner};
    int rc = dir_fd >= 0 ? open_file(dir_fd, O_CREAT, &file.fd, why) : 0;
    if (rc == 0 && file.fd >= 0) {
        rc = reserve(file.fd, file.map_bytes, why);
    }
    if (rc == 0) {
        rc = map_it(&file, why);
    }
    if (rc < 0) {
        if (file.fd >= 0) {
            (void)close(file.fd); /* nothing was written */
        }
        return rc;
    }
    struct slot slot;
    file.generation = newest_slot(&file, &slot) ? slot.generation : 0;
    write_slot(&file, 0, 0, false); /* what was there is over before the head changes */
    uint64_t salt = write_head(&file);
    write_slot(&file, 0, committed_seq, true);
    replay_ring_init(out_ring, file.map + RING_FILE_HEAD_BYTES, bytes, salt, committed_seq);
    *out = file;
    return 0;
}

/* --- finding one --- */

static int not_ours(char why[RING_FILE_WHY_BYTES], const char *what)
{
    (void)snprintf(why, RING_FILE_WHY_BYTES, RING_FILE_NAME " %s; what it may hold is lost", what);
    return -EBADMSG;
}

/* 1: ours and open, with its slot; else as ring_file_find(). */
static int look_at(struct ring_file *file, struct head *head, struct slot *slot,
                   char why[RING_FILE_WHY_BYTES])
{
    if (!newest_slot(file, slot) || slot->is_open == 0) {
        return 0; /* it ended before its first result, or in order */
    }
    memcpy(head, file->map, sizeof(*head));
    if (head->magic != RING_FILE_MAGIC || head->crc != head_crc(head)) {
        return not_ours(why, "is damaged");
    }
    if (head->version != RING_FILE_VERSION) {
        return not_ours(why, "was written by another version of this program");
    }
    if (head->region_bytes != file->map_bytes - RING_FILE_HEAD_BYTES ||
        memchr(head->owner.run_name, '\0', sizeof(head->owner.run_name)) == NULL ||
        head->owner.epoch == 0) {
        return not_ours(why, "does not fit together");
    }
    uint8_t boot[BOOT_ID_BYTES];
    read_boot_id(boot);
    if (memcmp(head->boot, boot, sizeof(boot)) != 0) {
        return not_ours(why, "is of before this host's last boot, and dated by its clock of then");
    }
    return 1;
}

int ring_file_find(int dir_fd, struct ring_file *out, struct replay_ring *out_ring,
                   char why[RING_FILE_WHY_BYTES])
{
    struct ring_file file = {.fd = -1};
    int rc = open_file(dir_fd, 0, &file.fd, why);
    if (rc < 0) {
        return rc == -ENOENT ? 0 : rc;
    }
    struct stat st;
    struct head head = {0};
    struct slot slot = {0};
    rc = fstat(file.fd, &st) < 0 ? say(why, -errno, "look at") : 0;
    file.map_bytes = rc == 0 ? (size_t)st.st_size : 0;
    bool is_ring = file.map_bytes >= RING_FILE_HEAD_BYTES + REGION_LEAST &&
                   file.map_bytes < RING_FILE_BYTES_MAX && file.map_bytes % 8 == 0;
    if (is_ring) {
        rc = map_it(&file, why);
    }
    if (rc == 0 && is_ring) {
        rc = look_at(&file, &head, &slot, why);
    }
    if (rc == 1 &&
        !replay_ring_recover(out_ring, file.map + RING_FILE_HEAD_BYTES, (size_t)head.region_bytes,
                             head.salt, slot.oldest, slot.acked_seq)) {
        rc = not_ours(why, "does not fit together");
    }
    if (rc != 1) {
        ring_file_close(&file, false);
        return rc;
    }
    file.owner = head.owner;
    file.generation = slot.generation;
    file.noted_oldest = slot.oldest;
    file.noted_acked = slot.acked_seq;
    *out = file;
    return 1;
}

/*
 * From the chunk that holds `from` to before the one that holds `to`: whole chunks leave this
 * process's memory. What was stored in a file stays in it.
 */
static void give_back(const struct ring_file *file, size_t from, size_t to)
{
    size_t first = from - from % RING_FILE_CHUNK_BYTES;
    size_t last = to < file->map_bytes ? to - to % RING_FILE_CHUNK_BYTES : file->map_bytes;
    if (first < last) {
        (void)madvise(file->map + first, last - first, MADV_DONTNEED); /* refused: they stay */
    }
}

/* Empty: it begins anew in the first chunk, which is used again at once. */
static void give_back_all(const struct ring_file *file, const struct replay_ring *before)
{
    bool is_wrapped = before->end <= before->oldest;
    size_t from = is_wrapped ? 0 : before->oldest, to = is_wrapped ? before->bytes : before->end;
    from = RING_FILE_HEAD_BYTES + from;
    give_back(file, from > RING_FILE_CHUNK_BYTES ? from : RING_FILE_CHUNK_BYTES,
              RING_FILE_HEAD_BYTES + to + RING_FILE_CHUNK_BYTES - 1);
}

static void give_back_acked(const struct ring_file *file, const struct replay_ring *before,
                            const struct replay_ring *now)
{
    size_t from = RING_FILE_HEAD_BYTES + before->oldest, to = RING_FILE_HEAD_BYTES + now->oldest;
    size_t newest = RING_FILE_HEAD_BYTES + now->end;
    if (newest / RING_FILE_CHUNK_BYTES == from / RING_FILE_CHUNK_BYTES) {
        from += RING_FILE_CHUNK_BYTES; /* nearly full: new ones lie before the old, in one chunk */
    }
    if (to >= from) {
        give_back(file, from, to);
    } else if (now->oldest < before->oldest) {
        give_back(file, from, file->map_bytes);
        give_back(file, 0, to);
    }
}

void ring_file_ack(struct ring_file *file, struct replay_ring *ring, uint64_t committed_seq)
{
    struct replay_ring before = *ring;
    replay_ring_ack(ring, committed_seq);
    if (ring->oldest != file->noted_oldest || ring->acked_seq != file->noted_acked) {
        write_slot(file, ring->oldest, ring->acked_seq, true);
        if (ring->used == 0) {
            give_back_all(file, &before);
        } else {
            give_back_acked(file, &before, ring);
        }
    }
}

void ring_file_close(struct ring_file *file, bool is_over)
{
    if (file->map != NULL && is_over) {
        write_slot(file, file->noted_oldest, file->noted_acked, false);
    }
    if (file->map != NULL) {
        (void)munmap(file->map, file->map_bytes); /* ours and whole */
    }
    if (file->fd >= 0) {
        if (is_over && ftruncate(file->fd, RING_FILE_HEAD_BYTES) < 0) {
            /* Its room stays taken until the next run takes it, no more. */
        }
        (void)close(file->fd); /* what was stored is in the mapping's pages */
    }
    *file = (struct ring_file){.fd = -1};
}
