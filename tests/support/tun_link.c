/* SPDX-License-Identifier: MIT */
/*
 * A bad line: two TUN devices in two network namespaces, and what is between them delays,
 * overtakes, doubles, damages and loses packets. This kernel family may lack netem.
 *
 * usage: leaseherd-tun-link run NETNS-A NETNS-B DEVICE SEED [KEY=VALUE]...
 *        leaseherd-tun-link plan SEED COUNT [KEY=VALUE]...
 * keys: delay_ms, jitter_ms (+-), late_ms (added to some), shares in permille: loss, late, double,
 * damage; calm (1: a good line until SIGUSR1)
 *
 * run: makes and raises DEVICE in both, says "ready", carries packets until SIGTERM or SIGINT, and
 * prints what became of them. Packet n of a direction always meets the same fate: it is drawn from
 * (seed, direction, n) alone. plan prints these fates. exit: 0, 2 usage, 6 no such namespace,
 * device or right.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/prng.h"

enum { PACKET_BYTES = 2048, WAITING_MAX = 65536, PERMILLE = 1000, READS_PER_TURN = 64 };

struct line {
    uint64_t delay_ms, jitter_ms, late_ms;
    uint64_t loss, late, twice, damage; /* permille */
    uint64_t calm;
};

struct fate {
    bool is_lost, is_late, is_doubled, is_damaged;
    uint64_t delay_ns[2]; /* of the packet and of its double */
    uint64_t damaged_bit; /* modulo its bits */
};

struct waiting {
    uint64_t due_ns, number;
    unsigned to;
    size_t size;
    uint8_t bytes[PACKET_BYTES];
};

struct tally {
    uint64_t seen, lost, doubled, damaged, delivered, overtaken, refused;
    uint64_t newest; /* number of the newest packet delivered, plus one */
};

struct box {
    struct line line;
    uint64_t seed;
    int fd[2];
    struct tally tally[2]; /* by where the packet came from */
    struct waiting *heap[WAITING_MAX];
    size_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "leaseherd-tun-link: %s: %s\n", what, strerror(errno));
    exit(6);
}

/* --- what becomes of a packet --- */

static bool draw(uint64_t *state, uint64_t permille)
{
    struct prng p = prng_seeded(*state);
    *state = prng_next(&p);
    return prng_below(&p, PERMILLE) < permille;
}

static uint64_t draw_delay_ns(const struct line *line, uint64_t *state, bool is_late)
{
    struct prng p = prng_seeded(*state);
    *state = prng_next(&p);
    uint64_t jitter_ns = line->jitter_ms * NS_PER_MS;
    uint64_t delay_ns = line->delay_ms * NS_PER_MS + prng_below(&p, 2 * jitter_ns + 1);
    delay_ns = delay_ns > jitter_ns ? delay_ns - jitter_ns : 0;
    return delay_ns + (is_late ? line->late_ms * NS_PER_MS : 0);
}

static struct fate fate_of(const struct line *line, uint64_t seed, unsigned from, uint64_t number)
{
    struct fate f;
    uint64_t state = prng_mix(seed, from, number);
    f.is_lost = draw(&state, line->loss);
    f.is_late = draw(&state, line->late);
    f.is_doubled = draw(&state, line->twice);
    f.is_damaged = draw(&state, line->damage);
    f.delay_ns[0] = draw_delay_ns(line, &state, f.is_late);
    f.delay_ns[1] = draw_delay_ns(line, &state, false);
    f.damaged_bit = state;
    return f;
}

/* --- packets that wait, the next one due on top --- */

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void heap_put(struct box *box, struct waiting *w)
{
    size_t at = box->count++;
    for (; at > 0 && is_before(w, box->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        box->heap[at] = box->heap[(at - 1) / 2];
    }
    box->heap[at] = w;
}

static struct waiting *heap_take(struct box *box)
{
    struct waiting *top = box->heap[0], *last = box->heap[--box->count];
    size_t at = 0;
    for (size_t child = 1; child < box->count; child = 2 * at + 1) {
        child += child + 1 < box->count && is_before(box->heap[child + 1], box->heap[child]);
        if (!is_before(box->heap[child], last)) {
            break;
        }
        box->heap[at] = box->heap[child];
        at = child;
    }
    box->heap[at] = last;
    return top;
}

/* --- carrying --- */

static void queue(struct box *box, unsigned from, uint64_t number, const uint8_t *bytes,
                  size_t size, uint64_t due_ns)
{
    struct waiting *w = box->count < WAITING_MAX ? malloc(sizeof(*w)) : NULL;
    if (w == NULL) {
        errno = ENOMEM;
        die("too many packets wait");
    }
    w->due_ns = due_ns;
    w->number = number;
    w->to = 1 - from;
    w->size = size;
    memcpy(w->bytes, bytes, size);
    heap_put(box, w);
}

static void take_in(struct box *box, unsigned from, uint8_t *bytes, size_t size)
{
    struct tally *t = &box->tally[from];
    uint64_t number = t->seen++, now_ns = clock_monotonic_ns();
    struct fate f = {0};
    if (box->line.calm == 0) {
        f = fate_of(&box->line, box->seed, from, number);
    }
    t->lost += f.is_lost;
    if (f.is_lost) {
        return;
    }
    if (f.is_doubled) {
        t->doubled++;
        queue(box, from, number, bytes, size, now_ns + f.delay_ns[1]);
    }
    if (f.is_damaged) {
        uint64_t bit = f.damaged_bit % (size * 8);
        t->damaged++;
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1U << (bit % 8)));
    }
    queue(box, from, number, bytes, size, now_ns + f.delay_ns[0]);
}

static void deliver_due(struct box *box)
{
    while (box->count > 0 && box->heap[0]->due_ns <= clock_monotonic_ns()) {
        struct waiting *w = heap_take(box);
        struct tally *t = &box->tally[1 - w->to];
        /* What is damaged in its first byte is no packet, and the kernel says so. */
        bool is_taken = write(box->fd[w->to], w->bytes, w->size) == (ssize_t)w->size;
        t->delivered += is_taken;
        t->refused += !is_taken;
        t->overtaken += w->number + 1 < t->newest;
        t->newest = w->number + 1 > t->newest ? w->number + 1 : t->newest;
        free(w);
    }
}

static int wait_ms(const struct box *box)
{
    if (box->count == 0) {
        return -1;
    }
    uint64_t now_ns = clock_monotonic_ns(), due_ns = box->heap[0]->due_ns;
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns) / NS_PER_MS + 1);
}

static bool is_told_to_end(struct box *box, int signal_fd)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return false;
    }
    box->line.calm = 0;
    return info.ssi_signo != SIGUSR1;
}

static void carry(struct box *box, int signal_fd)
{
    uint8_t bytes[PACKET_BYTES];
    struct pollfd fds[3] = {{.fd = box->fd[0], .events = POLLIN},
                            {.fd = box->fd[1], .events = POLLIN},
                            {.fd = signal_fd, .events = POLLIN}};
    while (!is_told_to_end(box, signal_fd)) {
        if (poll(fds, ARRAY_LEN(fds), wait_ms(box)) < 0) {
            die("poll");
        }
        for (unsigned from = 0; from < 2; from++) {
            for (unsigned i = 0; i < READS_PER_TURN && (fds[from].revents & POLLIN) != 0; i++) {
                ssize_t size = read(box->fd[from], bytes, sizeof(bytes));
                if (size <= 0) {
                    break;
                }
                take_in(box, from, bytes, (size_t)size);
            }
        }
        deliver_due(box);
    }
}

/* --- devices --- */

static void enter(const char *netns)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
        die(path);
    }
    (void)close(fd);
}

static int open_device(const char *netns, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    enter(netns);
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
        die("/dev/net/tun");
    }
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &request) < 0) {
        die(name);
    }
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    if (ioctl(s, SIOCSIFFLAGS, &request) < 0) {
        die(name);
    }
    (void)close(s);
    return fd;
}

/* --- main --- */

static bool read_key(const char *word, struct line *line)
{
    const struct {
        const char *name;
        uint64_t *value;
    } keys[] = {{"delay_ms", &line->delay_ms}, {"jitter_ms", &line->jitter_ms},
                {"late_ms", &line->late_ms},   {"loss", &line->loss},
                {"late", &line->late},         {"double", &line->twice},
                {"damage", &line->damage},     {"calm", &line->calm}};
    const char *value = strchr(word, '=');
    for (size_t i = 0; value != NULL && i < ARRAY_LEN(keys); i++) {
        size_t length = (size_t)(value - word);
        if (strlen(keys[i].name) == length && strncmp(word, keys[i].name, length) == 0) {
            char *end = NULL;
            *keys[i].value = strtoull(value + 1, &end, 10);
            return end != value + 1 && *end == '\0' && *keys[i].value <= 60000;
        }
    }
    return false;
}

static int usage(void)
{
    fprintf(stderr, "usage: leaseherd-tun-link run NETNS-A NETNS-B DEVICE SEED [KEY=VALUE]...\n"
                    "       leaseherd-tun-link plan SEED COUNT [KEY=VALUE]...\n"
                    "keys: delay_ms jitter_ms late_ms, permille: loss late double damage, calm\n");
    return 2;
}

static int run(char **argv, const struct line *line)
{
    static struct box box;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    box.line = *line;
    box.seed = strtoull(argv[5], NULL, 10);
    for (int i = 0; i < 2; i++) {
        box.fd[i] = open_device(argv[2 + i], argv[4]);
    }
    printf("ready, seed %" PRIu64 "\n", box.seed);
    carry(&box, signal_fd);
    for (unsigned i = 0; i < 2; i++) {
        const struct tally *t = &box.tally[i];
        printf("from %s: seen=%" PRIu64 " lost=%" PRIu64 " doubled=%" PRIu64 " damaged=%" PRIu64
               " delivered=%" PRIu64 " overtaken=%" PRIu64 " refused=%" PRIu64 "\n",
               argv[2 + i], t->seen, t->lost, t->doubled, t->damaged, t->delivered, t->overtaken,
               t->refused);
    }
    return 0;
}

static int plan(char **argv, const struct line *line)
{
    uint64_t seed = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
    for (uint64_t number = 0; number < count; number++) {
        for (unsigned from = 0; from < 2; from++) {
            struct fate f = fate_of(line, seed, from, number);
            printf("%u %" PRIu64 " lost=%d late=%d doubled=%d damaged=%d %" PRIu64 " %" PRIu64 "\n",
                   from, number, f.is_lost, f.is_late, f.is_doubled, f.is_damaged, f.delay_ns[0],
                   f.delay_ns[1]);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool is_run = argc >= 6 && strcmp(argv[1], "run") == 0;
    bool is_plan = argc >= 4 && strcmp(argv[1], "plan") == 0;
    struct line line = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!is_run && !is_plan) {
        return usage();
    }
    for (int i = is_run ? 6 : 4; i < argc; i++) {
        if (!read_key(argv[i], &line)) {
            return usage();
        }
    }
    return is_run ? run(argv, &line) : plan(argv, &line);
}
