/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A regular file, opened without waiting for anybody; its size bounds what is read. */
static int open_file(const char *path, FILE **out, off_t *out_size)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int rc = fstat(fd, &about) < 0               ? -errno
             : S_ISDIR(about.st_mode)            ? -EISDIR
             : !S_ISREG(about.st_mode)           ? -EINVAL
             : (*out = fdopen(fd, "rb")) == NULL ? -errno
                                                 : 0;
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    *out_size = about.st_size;
    return 0;
}

static enum audit_link link_of(pcap_t *pcap)
{
    switch (pcap_datalink(pcap)) {
    case DLT_EN10MB:
        return AUDIT_LINK_ETHERNET;
    case DLT_LINUX_SLL:
        return AUDIT_LINK_COOKED;
    case DLT_LINUX_SLL2:
        return AUDIT_LINK_COOKED2;
    case DLT_RAW:
    case DLT_IPV4:
        return AUDIT_LINK_RAW;
    default:
        return AUDIT_LINK_UNKNOWN;
    }
}

struct reading {
    const char *path;
    pcap_t *pcap;
    FILE *file;
    off_t size;
    enum audit_link link;
    audit_pcap_visit *visit;
    void *context;
};

static int say_damaged(const struct reading *r, uint64_t frames, char why[AUDIT_PCAP_WHY_BYTES])
{
    (void)snprintf(why, AUDIT_PCAP_WHY_BYTES,
                   "%.300s is damaged after packet %llu (%.120s); capture again", r->path,
                   (unsigned long long)frames, pcap_geterr(r->pcap));
    return -EBADMSG;
}

static int read_all(const struct reading *r, struct audit_pcap *out, char why[AUDIT_PCAP_WHY_BYTES])
{
    struct pcap_pkthdr *header = NULL;
    const u_char *bytes = NULL;
    int rc = 0;
    /* A file that grows as we read would keep us for as long as it does. */
    while (ftello(r->file) <= r->size && (rc = pcap_next_ex(r->pcap, &header, &bytes)) == 1) {
        const struct audit_frame frame = {.link = r->link, .bytes = bytes, .size = header->caplen};
        /* With nanosecond precision tv_usec holds nanoseconds. */
        uint64_t at_ns = (uint64_t)header->ts.tv_sec * NS_PER_S + (uint64_t)header->ts.tv_usec;
        out->frames++;
        if (!r->visit(r->context, &frame, at_ns)) {
            (void)snprintf(why, AUDIT_PCAP_WHY_BYTES, "stopped in %.300s", r->path);
            return -ECANCELED;
        }
    }
    if (rc == PCAP_ERROR && strstr(pcap_geterr(r->pcap), "truncated dump file") != NULL) {
        out->is_cut = true;
        return 0;
    }
    return rc == PCAP_ERROR ? say_damaged(r, out->frames, why) : 0;
}

int audit_pcap_read(const char *path, audit_pcap_visit *visit, void *context,
                    struct audit_pcap *out, char why[AUDIT_PCAP_WHY_BYTES])
{
    struct reading r = {.path = path, .visit = visit, .context = context};
    char said[PCAP_ERRBUF_SIZE] = "";
    *out = (struct audit_pcap){0};
    int rc = open_file(path, &r.file, &r.size);
    if (rc < 0) {
        (void)snprintf(why, AUDIT_PCAP_WHY_BYTES, "cannot read %.300s: %s; give a capture file",
                       path, rc == -EINVAL ? "it is no regular file" : strerror(-rc));
        return rc;
    }
    r.pcap = pcap_fopen_offline_with_tstamp_precision(r.file, PCAP_TSTAMP_PRECISION_NANO, said);
    if (r.pcap == NULL) {
        (void)fclose(r.file);
        (void)snprintf(why, AUDIT_PCAP_WHY_BYTES,
                       "%.300s is no capture (%.120s); give a file of tcpdump -w", path, said);
        return -EBADMSG;
    }
    r.link = link_of(r.pcap);
    if (r.link == AUDIT_LINK_UNKNOWN) {
        (void)snprintf(why, AUDIT_PCAP_WHY_BYTES,
                       "%.300s was captured on another kind of link (%d) than Ethernet, Linux "
                       "cooked or raw IP; capture on such an interface",
                       path, pcap_datalink(r.pcap));
        rc = -EPROTONOSUPPORT;
    }
    rc = rc == 0 ? read_all(&r, out, why) : rc;
    pcap_close(r.pcap); /* closes the file, too */
    return rc;
}
