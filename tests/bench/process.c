/* SPDX-License-Identifier: MIT */
#include "tests/bench/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Time on a CPU of one thread: the first number, in ns, not rounded to ticks. */
static uint64_t thread_cpu_ns(int pid, const char *thread)
{
    char path[320];
    uint64_t ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%" SCNu64, &ns) != 1) {
        ns = 0;
    }
    (void)fclose(file);
    return ns;
}

uint64_t process_cpu_ns(int pid)
{
    char path[64];
    uint64_t ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL) {
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        ns += entry->d_name[0] == '.' ? 0 : thread_cpu_ns(pid, entry->d_name);
    }
    (void)closedir(threads);
    return ns;
}

uint64_t process_rss_bytes(int pid)
{
    char path[64];
    uint64_t pages = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1) {
        pages = 0;
    }
    (void)fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void slope_add(struct slope *s, double x, double y)
{
    s->first_y = s->n > 0 ? s->first_y : y;
    s->last_y = y;
    s->most_y = y > s->most_y ? y : s->most_y;
    s->n++;
    s->x += x;
    s->y += y;
    s->xx += x * x;
    s->xy += x * y;
}

double slope_value(const struct slope *s)
{
    double spread = s->n * s->xx - s->x * s->x;
    return s->n < 2 || spread <= 0 ? 0 : (s->n * s->xy - s->x * s->y) / spread;
}
