/* SPDX-License-Identifier: MIT */
/*
 * Results of a run that is not played here any more: an ended process left them in the state
 * directory, or the run was discarded with results on their way. They wait until their coordinator
 * asks for them, or until another run needs their place.
 */
#include "agent/edge/session_internal.h"

#include <assert.h>
#include <string.h>

#include "common/log.h"

#define DONE_AGAIN_NS (500 * NS_PER_MS)

static uint64_t undelivered(const struct result_stream *r)
{
    return r->ring.next_seq - 1 - r->ring.acked_seq;
}

void session_kept_find(struct session *s)
{
    s->kept.file.fd = -1;
    if (s->setup->state_dir == NULL) {
        return;
    }
    char why[RING_FILE_WHY_BYTES] = "";
    int rc = ring_file_find(s->setup->state_dir->dir_fd, &s->kept.file, &s->kept.ring, why);
    if (rc < 0) {
        log_warn("what=kept_results_unreadable why=\"%s\" continuing", why);
    } else if (rc > 0) {
        log_info("what=kept_results run=%s batches=%llu why=\"an agent ended here before they were "
                 "delivered; they wait for that run's coordinator\"",
                 s->kept.file.owner.run_name, (unsigned long long)undelivered(&s->kept));
    }
}

void session_kept_tell(const struct session *s, struct control_hello *hello)
{
    const struct state_dir *dir = s->setup->state_dir;
    if (dir != NULL) {
        static_assert((int)STATE_DIR_FORMER_MAX <= (int)CONTROL_FORMER_MAX, "all of them fit");
        memcpy(hello->former, dir->former, sizeof(dir->former));
        hello->former_count = dir->former_count;
    }
    const struct result_stream *r = s->assignment != NULL ? &s->assignment->results : &s->kept;
    if (r->file.map != NULL) {
        memcpy(hello->kept_run_id, r->file.owner.run_id, sizeof(hello->kept_run_id));
        hello->kept_epoch = r->file.owner.epoch;
        hello->kept_last_seq = r->ring.next_seq - 1;
    }
}

void session_kept_take(struct session *s)
{
    struct assignment *a = s->assignment;
    if (a == NULL) {
        return;
    }
    if (!session_data_collect(s, a)) {
        log_warn("what=results_lost run=%s why=\"the ring has no room for the latest ones\"",
                 a->plan.run_name);
    }
    s->kept = a->results; /* making the assignment's ring has closed an older one */
    a->results.file = (struct ring_file){.fd = -1};
    session_assignment_free(s);
}

bool session_kept_deliver(struct session *s, const struct control_welcome *welcome)
{
    const struct result_stream *r = s->assignment != NULL ? &s->assignment->results : &s->kept;
    const struct ring_owner *owner = &r->file.owner;
    if (r->file.map == NULL || owner->epoch != welcome->deliver_epoch ||
        memcmp(owner->run_id, welcome->run_id, sizeof(owner->run_id)) != 0) {
        return false;
    }
    if (s->assignment != NULL) {
        log_warn("what=run_discarded run=%s why=\"the coordinator has given this agent up; it "
                 "delivers what it has\"",
                 s->assignment->plan.run_name);
        session_close_run(s); /* played once more, its packets and its time would begin again */
        session_kept_take(s);
    }
    if (welcome->committed_batch < s->kept.ring.acked_seq) {
        session_kept_forget(s, "the coordinator's ledger has lost what it had acknowledged");
        return false;
    }
    ring_file_ack(&s->kept.file, &s->kept.ring, welcome->committed_batch);
    s->is_delivering = true;
    s->kept.limit_seq = welcome->committed_batch;
    s->delivered_at_ns = s->now_ns;
    log_info("what=delivering run=%s batches=%llu", s->kept.file.owner.run_name,
             (unsigned long long)undelivered(&s->kept));
    return true;
}

void session_kept_tick(struct session *s)
{
    bool is_all_there = s->is_delivering && s->state == SESSION_WELCOMED && s->is_data_open &&
                        s->kept.file.map != NULL && undelivered(&s->kept) == 0;
    if (!is_all_there || s->now_ns < s->delivered_at_ns) {
        return;
    }
    struct control_message m = {.kind = CONTROL_DONE};
    m.u.done.last_batch_seq = s->kept.ring.next_seq - 1;
    (void)session_send(s, &m); /* said again until BYE */
    s->delivered_at_ns = s->now_ns + DONE_AGAIN_NS;
}

void session_kept_forget(struct session *s, const char *why)
{
    struct result_stream *r = &s->kept;
    if (r->file.map == NULL) {
        return;
    }
    uint64_t left = undelivered(r);
    if (left > 0) {
        log_warn("what=results_never_collected run=%s batches=%llu why=\"%s\"",
                 r->file.owner.run_name, (unsigned long long)left, why);
    } else if (s->is_delivering) {
        log_info("what=delivered run=%s batches=%llu", r->file.owner.run_name,
                 (unsigned long long)r->ring.acked_seq);
    }
    ring_file_close(&r->file, true);
    memset(&r->ring, 0, sizeof(r->ring));
    s->is_delivering = false;
}
