/* SPDX-License-Identifier: MIT */
#include "agent/observer/firewall.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/observer/parse/nft_generation.h"
#include "agent/observer/remark.h"
#include "common/attrs.h"

enum { ANSWER_BYTES = 4096 };

#define AGAIN_NS  (5 * NS_PER_S) /* rules that change all the time are not listed all the time */
#define ANYWAY_NS (60 * NS_PER_S)

void firewall_open(struct firewall *f)
{
    memset(f, 0, sizeof(*f));
    firewall_helper_start(&f->helper);
    f->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
}

void firewall_close(struct firewall *f)
{
    firewall_helper_end(&f->helper);
    if (f->netlink >= 0) {
        close(f->netlink);
    }
    f->netlink = -1;
}

/* The kernel answers before send() returns. */
static bool ask_generation(struct firewall *f, uint32_t *out)
{
    struct {
        struct nlmsghdr head;
        struct nfgenmsg family;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = ++f->seq},
        .family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    char answer[ANSWER_BYTES];
    if (f->netlink < 0 || send(f->netlink, &request, sizeof(request), 0) < 0) {
        return false;
    }
    ssize_t got = recv(f->netlink, answer, sizeof(answer), 0);
    return got > 0 && nft_generation_of(answer, (size_t)got, out);
}

static bool is_due(const struct firewall *f, uint64_t now_ns)
{
    uint64_t since_ns = now_ns - f->asked_at_ns;
    bool has_changed = f->has_generation && f->generation != f->judged_generation;
    bool is_blind = !f->has_generation || f->report.has_legacy;
    return f->asked_at_ns == 0 || (has_changed && since_ns >= AGAIN_NS) ||
           (is_blind && since_ns >= ANYWAY_NS);
}

void firewall_look(struct firewall *f, uint64_t now_ns)
{
    if (f->is_asked) {
        if (firewall_helper_answer(&f->helper, &f->report)) {
            f->has_report = true;
            f->is_asked = false;
        }
        return;
    }
    if (!f->is_wanted || f->helper.fd < 0 || now_ns < f->look_at_ns) {
        return;
    }
    f->look_at_ns = now_ns + NS_PER_S;
    f->has_generation = ask_generation(f, &f->generation);
    if (is_due(f, now_ns)) {
        f->is_asked = firewall_helper_ask(&f->helper);
        f->asked_at_ns = now_ns;
        f->judged_generation = f->generation;
    }
}

static void tell(const struct ruleset_verdict *v, struct observation *out)
{
    observation_set(out, OBSERVER_fw_nat_output, v->nat_output);
    observation_set(out, OBSERVER_fw_notrack_prerouting, v->notrack_prerouting);
    observation_set(out, OBSERVER_fw_notrack_output, v->notrack_output);
    observation_set(out, OBSERVER_fw_drop_output, v->drop_output);
    observation_set(out, OBSERVER_fw_rewrite_egress, v->rewrite_egress);
    observation_set_note(out, NOTE_NAT_RULE, v->nat_rule);
    observation_set_note(out, NOTE_NOTRACK_RULE, v->notrack_rule);
    observation_set_note(out, NOTE_DROP_RULE, v->drop_rule);
}

void firewall_observe(struct firewall *f, const struct observer_target *target,
                      struct observation *out)
{
    static const enum observer_metric metrics[] = {
        OBSERVER_fw_nat_output, OBSERVER_fw_notrack_prerouting, OBSERVER_fw_notrack_output,
        OBSERVER_fw_drop_output, OBSERVER_fw_rewrite_egress};
    f->is_wanted = target->is_same_network;
    bool is_known = f->is_wanted && f->has_report;
    if (is_known && f->report.available == AVAILABLE_OK) {
        tell(&f->report.verdict, out);
    } else {
        enum availability why = is_known ? f->report.available : AVAILABLE_NOT_APPLICABLE;
        for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
            observation_lacks(out, metrics[i], why);
        }
    }
    if (f->helper.fd < 0) {
        remark(out, "packet rules are not audited: the helper that lists them is "
                    "not running");
    } else if (is_known && f->report.why[0] != '\0') {
        remark(out, f->report.why);
    }
}
