/* SPDX-License-Identifier: MIT */
#include "agent/observer/observer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/edge/host_name.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/prng.h"

enum { WAIT_LONGEST_MS = 1000 };

#define FRAME_EVERY_NS NS_PER_S
/* A look every 10 to 20 ms. Uneven, so that what the server does at intervals is not always hit. */
#define LOOK_SOONEST_NS (10 * NS_PER_MS)
#define LOOK_SPREAD_NS  (10 * NS_PER_MS)
#define IDLE_LOOK_NS    (5 * NS_PER_S)

struct observer {
    const struct observer_setup *setup;
    struct watch_link link;
    struct observation frame;
    int end; /* enum observer_end; -1: goes on */
    bool is_on;
    uint64_t look_at_ns, frame_at_ns; /* while it is on */
    uint64_t idle_look_at_ns;         /* else */
    uint64_t looks;
};

/* --- while no run is on --- */

/* So that OBSERVER_HELLO names what is watched. */
static void tell_program(struct observer *o)
{
    const struct process *p = &o->setup->sources->process;
    char *program = o->link.program;
    const char *name = p->target.pid != 0 ? p->target.name : p->name;
    (void)snprintf(program, sizeof(o->link.program), "%.30s", name[0] == '\0' ? "unknown" : name);
    host_name_clean(program);
}

static void idle(struct observer *o, uint64_t now_ns)
{
    if (now_ns < o->idle_look_at_ns) {
        return;
    }
    process_look(&o->setup->sources->process);
    tell_program(o);
    o->idle_look_at_ns = now_ns + IDLE_LOOK_NS;
}

/* --- while one is --- */

static void look(struct observer *o, uint64_t now_ns)
{
    sources_look(o->setup->sources, o->look_at_ns, now_ns);
    double jitter = prng_unit(prng_mix(o->link.epoch, o->looks++, 1));
    o->look_at_ns = now_ns + LOOK_SOONEST_NS + (uint64_t)(jitter * (double)LOOK_SPREAD_NS);
}

static void tell(struct observer *o, uint64_t now_ns)
{
    sources_observe(o->setup->sources, now_ns, &o->frame);
    watch_link_tell(&o->link, &o->frame);
    o->frame_at_ns += FRAME_EVERY_NS;
    if (o->frame_at_ns <= now_ns) {
        o->frame_at_ns = now_ns + FRAME_EVERY_NS; /* this host was asleep: no frame is made up */
    }
}

static void watch(struct observer *o, uint64_t now_ns)
{
    if (!o->is_on) {
        o->is_on = true;
        o->frame_at_ns = now_ns;
        o->look_at_ns = now_ns + LOOK_SOONEST_NS;
    }
    if (now_ns >= o->frame_at_ns) {
        tell(o, now_ns);
    }
    if (now_ns >= o->look_at_ns) {
        look(o, now_ns);
    }
}

/* --- the loop --- */

static void turn(struct observer *o)
{
    if (o->link.state != WATCH_ON) {
        idle(o, clock_monotonic_ns());
    }
    watch_link_turn(&o->link, clock_monotonic_ns());
    if (o->link.state == WATCH_ON) {
        watch(o, clock_monotonic_ns()); /* the link may have asked, which blocks */
    } else {
        o->is_on = false;
    }
    if (o->link.is_refused) {
        o->end = OBSERVER_REFUSED;
    } else if (o->link.is_over && o->setup->is_once) {
        o->end = OBSERVER_STOPPED;
    } else if (o->link.is_over) {
        o->link.is_over = false;
        o->idle_look_at_ns = 0;
    }
}

static uint64_t next_ns(const struct observer *o)
{
    if (o->is_on) {
        return o->look_at_ns < o->frame_at_ns ? o->look_at_ns : o->frame_at_ns;
    }
    uint64_t link_ns = watch_link_next_ns(&o->link);
    return link_ns < o->idle_look_at_ns ? link_ns : o->idle_look_at_ns;
}

static int timeout_ms(const struct observer *o)
{
    uint64_t until_ns = next_ns(o), now_ns = clock_monotonic_ns();
    if (until_ns <= now_ns) {
        return 0;
    }
    uint64_t left_ms = (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return left_ms < WAIT_LONGEST_MS ? (int)left_ms : WAIT_LONGEST_MS;
}

static void wait_for_something(struct observer *o)
{
    struct pollfd stop = {.fd = o->setup->stop_fd, .events = POLLIN};
    size_t sockets = o->link.ctrl == NULL ? 0 : 1;
    int rc = link_poll(&o->link.ctrl, sockets, &stop, 1, timeout_ms(o));
    if (rc < 0 && rc != -EINTR) {
        log_error("what=poll_failed errno=%d why=\"%s\"", -rc, strerror(-rc));
        o->end = OBSERVER_INTERNAL;
    } else if (rc >= 0 && (stop.revents & POLLIN) != 0) {
        log_info("what=stopped why=\"asked to stop\"");
        o->end = OBSERVER_STOPPED;
    }
}

enum observer_end observer_run(const struct observer_setup *setup)
{
    struct observer o = {.setup = setup, .end = -1};
    if (!watch_link_init(&o.link, &setup->watch, clock_monotonic_ns())) {
        log_error("what=out_of_memory why=\"no memory for the observer\"");
        o.end = OBSERVER_INTERNAL;
    }
    while (o.end < 0) {
        turn(&o);
        if (o.end < 0) {
            wait_for_something(&o);
        }
    }
    watch_link_fini(&o.link);
    return (enum observer_end)o.end;
}
