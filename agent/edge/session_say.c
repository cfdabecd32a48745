/* SPDX-License-Identifier: MIT */
#include "agent/edge/session_internal.h"

#include "agent/edge/greeting.h"
#include "common/log.h"

#define SAY_AGAIN_NS      (30 * NS_PER_S)
#define COMPLAIN_EVERY_NS NS_PER_S

static void say_key_refused(const struct session *s, const char *host, unsigned port)
{
    char public_key[KEY_Z85_BYTES];
    key_to_z85(s->setup->own->public_key, public_key);
    log_error(
        "what=key_refused coordinator=%s:%u why=\"the coordinator at %s:%u does not list this "
        "agent's key; enrol it there: leaseherd keys agent NAME --public '%s'\" trying again",
        host, port, host, port, public_key);
}

static void say_it(const struct session *s, enum session_trouble trouble, const char *host,
                   unsigned port)
{
    switch (trouble) {
    case TROUBLE_NO_LISTENER:
        log_warn(
            "what=no_listener coordinator=%s:%u why=\"nobody listens at %s:%u; start `leaseherd "
            "run` there or correct --coordinator\" trying again",
            host, port, host, port);
        break;
    case TROUBLE_NO_NAME:
        log_warn("what=unknown_host coordinator=%s:%u why=\"the name %s is not known on this host; "
                 "correct --coordinator or give an address\" trying again",
                 host, port, host);
        break;
    case TROUBLE_KEY_REFUSED:
        say_key_refused(s, host, port);
        break;
    case TROUBLE_TRY_LATER:
        log_warn("what=try_later coordinator=%s:%u why=\"the coordinator at %s:%u takes no agents "
                 "now\" trying again",
                 host, port, host, port);
        break;
    case TROUBLE_WRONG_SERVER_KEY:
        log_error("what=wrong_server_key coordinator=%s:%u why=\"the coordinator at %s:%u has "
                  "another key than --server-key says; copy its coordinator.pub to this host\" "
                  "trying again",
                  host, port, host, port);
        break;
    case TROUBLE_NOT_CURVE:
        log_error("what=not_curve coordinator=%s:%u why=\"what listens at %s:%u does not speak "
                  "CURVE, so it is no leaseherd coordinator; correct --coordinator\" trying again",
                  host, port, host, port);
        break;
    case TROUBLE_SILENT:
        log_warn("what=coordinator_silent coordinator=%s:%u why=\"no coordinator answers at %s:%u; "
                 "look at --coordinator, the network and the coordinator's log\" trying again",
                 host, port, host, port);
        break;
    case TROUBLE_LOST:
        log_warn("what=coordinator_lost coordinator=%s:%u why=\"the connection to %s:%u broke\" "
                 "trying again",
                 host, port, host, port);
        break;
    case TROUBLE_BUSY:
        log_info("what=coordinator_busy coordinator=%s:%u why=\"the coordinator at %s:%u has no "
                 "place for this agent in its run\" trying again",
                 host, port, host, port);
        break;
    case TROUBLE_NONE:
    case TROUBLE_COUNT:
        break;
    }
}

/* An agent that waits for its coordinator shows that it does. */
static bool is_said_again(enum session_trouble trouble)
{
    return trouble == TROUBLE_NO_LISTENER || trouble == TROUBLE_NO_NAME;
}

static bool is_said_lately(const struct session *s)
{
    return s->now_ns - s->said_ns < SAY_AGAIN_NS;
}

enum session_trouble session_nobody(const struct session *s)
{
    if (is_said_again(s->said) && is_said_lately(s)) {
        return s->said;
    }
    bool may_ask = s->assignment == NULL;
    return may_ask && !greeting_is_name_known(s->setup->host) ? TROUBLE_NO_NAME
                                                              : TROUBLE_NO_LISTENER;
}

void session_say(struct session *s, enum session_trouble trouble)
{
    bool is_repeated = trouble == s->said && (!is_said_again(trouble) || is_said_lately(s));
    if (is_repeated) {
        return;
    }
    s->said = trouble;
    s->said_ns = s->now_ns;
    say_it(s, trouble, s->setup->host, s->setup->port);
}

bool session_may_tell(struct session *s, enum session_news news)
{
    if (s->told_ns[news] != 0 && s->now_ns - s->told_ns[news] < COMPLAIN_EVERY_NS) {
        return false;
    }
    s->told_ns[news] = s->now_ns;
    return true;
}

void session_complain(struct session *s, const char *kind, const char *why)
{
    if (s->complained_ns != 0 && s->now_ns - s->complained_ns < COMPLAIN_EVERY_NS) {
        return;
    }
    s->complained_ns = s->now_ns;
    log_warn("what=message_ignored kind=%s why=\"%s\" continuing", kind, why);
}
