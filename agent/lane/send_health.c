/* SPDX-License-Identifier: MIT */
#include "agent/lane/send_health.h"

#include "common/attrs.h"

/* RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 */
enum {
    ICMP_UNREACHABLE = 3,
    CODE_NET_PROHIBITED = 9,
    CODE_HOST_PROHIBITED = 10,
    CODE_FILTERED = 13
};

static void begin_second(struct send_health *h, uint64_t now_ns)
{
    if (now_ns - h->second_ns >= NS_PER_S) {
        h->second_ns = now_ns;
        h->sent = h->refused = 0;
    }
}

void send_health_sent(struct send_health *h, uint64_t count, uint64_t now_ns)
{
    if (count > 0) {
        begin_second(h, now_ns);
        h->sent += count;
        h->in_a_row = 0;
    }
}

void send_health_refused(struct send_health *h, int error, struct ipv4 destination, uint64_t now_ns)
{
    begin_second(h, now_ns);
    h->refused++;
    h->in_a_row++;
    uint64_t tried = h->sent + h->refused;
    bool is_streak = h->in_a_row >= SEND_REFUSED_IN_A_ROW;
    bool is_share =
        tried >= SEND_REFUSED_OF && h->refused * 100 > tried * (uint64_t)SEND_REFUSED_PERCENT;
    if (h->halt.kind == SEND_GOES_ON && (is_streak || is_share)) {
        h->halt = (struct send_halt){.kind = SEND_HALT_REFUSED,
                                     .error = error,
                                     .destination = destination,
                                     .count = is_streak ? h->in_a_row : h->refused,
                                     .of = is_streak ? h->in_a_row : tried};
    }
}

void send_health_icmp(struct send_health *h, uint8_t type, uint8_t code, struct ipv4 destination,
                      uint64_t now_ns)
{
    if (type != ICMP_UNREACHABLE ||
        (code != CODE_NET_PROHIBITED && code != CODE_HOST_PROHIBITED && code != CODE_FILTERED)) {
        return;
    }
    if (h->prohibited == 0 || now_ns - h->prohibited_ns >= SEND_PROHIBITED_SPAN_S * NS_PER_S) {
        h->prohibited_ns = now_ns;
        h->prohibited = 0;
    }
    h->prohibited++;
    if (h->halt.kind == SEND_GOES_ON && h->prohibited >= SEND_PROHIBITED) {
        h->halt = (struct send_halt){.kind = SEND_HALT_PROHIBITED,
                                     .icmp_code = code,
                                     .destination = destination,
                                     .count = h->prohibited};
    }
}

void send_health_spent(struct send_health *h, uint64_t total_packets)
{
    if (h->halt.kind == SEND_GOES_ON) {
        h->halt = (struct send_halt){
            .kind = SEND_HALT_TOTAL, .count = total_packets, .of = total_packets};
    }
}
