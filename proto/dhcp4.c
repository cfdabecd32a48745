/* SPDX-License-Identifier: MIT */
#include "proto/dhcp4.h"

#include "common/bytes.h"
#include "proto/dhcp_names.h"
#include "proto/dhcp_options.h"

#include <assert.h>
#include <string.h>

enum { OP_REQUEST = 1, OP_REPLY = 2, HTYPE_ETHERNET = 1 };
enum { CHADDR_BYTES = 16, SNAME_AND_FILE_BYTES = 64 + 128, OPTION_MAX = 255 };
static const uint32_t magic_cookie = 0x63825363; /* RFC 2131 section 3 */

/* ---- decode ---- */

/* What a client acts upon; other options are walked over. */
enum value_slot {
    SLOT_OTHER, /* zero: what the table says of codes that are not in it */
    SLOT_MASK,
    SLOT_ROUTER,
    SLOT_LEASE,
    SLOT_TYPE,
    SLOT_SERVER_ID,
    SLOT_MESSAGE,
    SLOT_T1,
    SLOT_T2,
    SLOT_CLIENT_ID,
    SLOT_RELAY_INFO,
    SLOT_COUNT
};

static const uint8_t slot_of_code[256] = {
    [DHCP_OPTION_SUBNET_MASK] = SLOT_MASK,    [DHCP_OPTION_ROUTER] = SLOT_ROUTER,
    [DHCP_OPTION_LEASE_TIME] = SLOT_LEASE,    [DHCP_OPTION_MESSAGE_TYPE] = SLOT_TYPE,
    [DHCP_OPTION_SERVER_ID] = SLOT_SERVER_ID, [DHCP_OPTION_MESSAGE] = SLOT_MESSAGE,
    [DHCP_OPTION_RENEWAL_TIME] = SLOT_T1,     [DHCP_OPTION_REBINDING_TIME] = SLOT_T2,
    [DHCP_OPTION_CLIENT_ID] = SLOT_CLIENT_ID, [DHCP_OPTION_RELAY_INFO] = SLOT_RELAY_INFO,
};

/* The length each value must have, RFC 2132: least, most, and a divisor. */
static const struct length_rule {
    uint16_t least, most;
    uint8_t multiple_of;
} length_rules[SLOT_COUNT] = {
    [SLOT_MASK] = {4, 4, 1},
    [SLOT_ROUTER] = {1, UINT16_MAX, 4},
    [SLOT_LEASE] = {4, 4, 1},
    [SLOT_TYPE] = {1, 1, 1},
    [SLOT_SERVER_ID] = {4, 4, 1},
    [SLOT_MESSAGE] = {1, UINT16_MAX, 1},
    [SLOT_T1] = {4, 4, 1},
    [SLOT_T2] = {4, 4, 1},
    [SLOT_CLIENT_ID] = {2, UINT16_MAX, 1},
    /* It echoes one option that a relay wrote in one piece; its inside is looked at as well. */
    [SLOT_RELAY_INFO] = {0, OPTION_MAX, 1},
};

/* The joined values: numbers and addresses in `word`, the three longer ones apart. */
struct values {
    struct dhcp_option_value of[SLOT_COUNT];
    uint8_t word[SLOT_COUNT][4];
    uint8_t message[64];
    uint8_t relay_info[OPTION_MAX];
};

static bool is_query_answer(uint8_t type)
{
    return type >= DHCP4_TYPE_LEASEUNASSIGNED && type <= DHCP4_TYPE_LEASEACTIVE;
}

static bool read_header(struct byte_reader *r, struct dhcp4_reply *out, uint8_t *op, bool *ethernet)
{
    *op = byte_read_u8(r);
    uint8_t htype = byte_read_u8(r);
    uint8_t hlen = byte_read_u8(r);
    *ethernet = htype == HTYPE_ETHERNET && hlen == MAC_BYTES;
    out->hops = byte_read_u8(r);
    out->xid = byte_read_u32(r);
    out->secs = byte_read_u16(r);
    out->flags = byte_read_u16(r);
    out->ciaddr = byte_read_ipv4(r);
    out->yiaddr = byte_read_ipv4(r);
    out->siaddr = byte_read_ipv4(r);
    out->giaddr = byte_read_ipv4(r);
    byte_read_copy(r, out->chaddr.byte, MAC_BYTES);
    (void)byte_read_view(r, CHADDR_BYTES - MAC_BYTES + SNAME_AND_FILE_BYTES);
    return r->ok;
}

static bool gather(const uint8_t *bytes, size_t size, struct values *v, struct dhcp4_reply *out)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        v->of[slot] = (struct dhcp_option_value){.out = v->word[slot], .room = 4};
    }
    v->of[SLOT_OTHER].room = 0;
    v->of[SLOT_MESSAGE] = (struct dhcp_option_value){.out = v->message, .room = sizeof(v->message)};
    v->of[SLOT_CLIENT_ID] =
        (struct dhcp_option_value){.out = out->client_id, .room = DHCP4_CLIENT_ID_MAX};
    v->of[SLOT_RELAY_INFO] = (struct dhcp_option_value){.out = v->relay_info, .room = OPTION_MAX};

    struct dhcp_option_walk walk = dhcp_option_walk_over(bytes, size);
    struct dhcp_option piece;
    while (dhcp_option_next(&walk, &piece)) {
        dhcp_option_value_add(&v->of[slot_of_code[piece.code]], &piece);
    }
    return !walk.damaged;
}

static bool lengths_are_lawful(const struct values *v)
{
    for (unsigned slot = SLOT_OTHER + 1; slot < SLOT_COUNT; slot++) {
        const struct dhcp_option_value *value = &v->of[slot];
        const struct length_rule *rule = &length_rules[slot];
        if (value->present && (value->bytes < rule->least || value->bytes > rule->most ||
                               value->bytes % rule->multiple_of != 0)) {
            return false;
        }
    }
    const struct dhcp_option_value *relay_info = &v->of[SLOT_RELAY_INFO];
    return !relay_info->present || dhcp_relay_info_is_whole(v->relay_info, relay_info->bytes);
}

static struct ipv4 address_in(const uint8_t *word)
{
    struct ipv4 address;
    memcpy(&address.be, word, sizeof(address.be));
    return address;
}

/* Text of option 56 up to its first NUL; what cannot be printed becomes '?'. */
static void copy_message(const struct values *v, char *out, size_t room)
{
    size_t size = v->of[SLOT_MESSAGE].bytes < room - 1 ? v->of[SLOT_MESSAGE].bytes : room - 1;
    for (size_t i = 0; i < size && v->message[i] != '\0'; i++) {
        bool printable = v->message[i] >= 0x20 && v->message[i] < 0x7f;
        out[i] = printable ? (char)v->message[i] : '?';
    }
}

/* After lengths_are_lawful(): a word that is present has its four bytes (the type its one). */
static void take_values(const struct values *v, struct dhcp4_reply *out)
{
    out->type = v->of[SLOT_TYPE].present ? v->word[SLOT_TYPE][0] : DHCP4_TYPE_NONE;
    out->has_mask = v->of[SLOT_MASK].present;
    out->has_router = v->of[SLOT_ROUTER].present;
    out->has_server_id = v->of[SLOT_SERVER_ID].present;
    out->has_lease = v->of[SLOT_LEASE].present;
    out->has_t1 = v->of[SLOT_T1].present;
    out->has_t2 = v->of[SLOT_T2].present;
    out->mask = address_in(v->word[SLOT_MASK]);
    out->router = address_in(v->word[SLOT_ROUTER]);
    out->server_id = address_in(v->word[SLOT_SERVER_ID]);
    out->lease_s = bytes_get_u32(v->word[SLOT_LEASE]);
    out->t1_s = bytes_get_u32(v->word[SLOT_T1]);
    out->t2_s = bytes_get_u32(v->word[SLOT_T2]);
    out->client_id_bytes = v->of[SLOT_CLIENT_ID].bytes;
    out->relay_info_bytes = v->of[SLOT_RELAY_INFO].bytes;
    copy_message(v, out->message, sizeof(out->message));
}

/* Class D, class E and 255.255.255.255 are all at and above 224.0.0.0. */
static bool is_usable(struct ipv4 address)
{
    uint32_t host = inet_host(address);
    return host >= 0x01000000 && host >> 24 != 127 && host < 0xe0000000;
}

/* RFC 2131 table 3: what the answers must carry. */
static enum dhcp4_error judge(const struct dhcp4_reply *reply)
{
    bool offers = reply->type == DHCP4_TYPE_OFFER;
    bool acks = reply->type == DHCP4_TYPE_ACK;
    if (reply->type == DHCP4_TYPE_NONE) {
        return DHCP4_NO_TYPE;
    }
    if (!offers && !acks && reply->type != DHCP4_TYPE_NAK) {
        return DHCP4_OK;
    }
    /* The ACK to an INFORM gives no address and must not carry a lease time. */
    bool gives_address = offers || (acks && (!inet_is_zero(reply->yiaddr) || reply->has_lease));
    if (gives_address && !is_usable(reply->yiaddr)) {
        return DHCP4_BAD_ADDRESS;
    }
    if (!reply->has_server_id) {
        return DHCP4_NO_SERVER_ID;
    }
    return gives_address && !reply->has_lease ? DHCP4_NO_LEASE_TIME : DHCP4_OK;
}

enum dhcp4_error dhcp4_decode_reply(const uint8_t *bytes, size_t size, struct dhcp4_reply *out)
{
    *out = (struct dhcp4_reply){0};
    struct byte_reader r = byte_reader_over(bytes, size);
    uint8_t op = 0;
    bool ethernet = false;
    bool whole = read_header(&r, out, &op, &ethernet);
    uint32_t cookie = byte_read_u32(&r);
    if (!whole || !r.ok) {
        return DHCP4_TRUNCATED;
    }
    if (op != OP_REPLY) {
        return DHCP4_NOT_A_REPLY;
    }
    if (cookie != magic_cookie) {
        return ethernet ? DHCP4_BAD_COOKIE : DHCP4_BAD_HARDWARE;
    }
    struct values values = {0};
    if (!gather(bytes, size, &values, out) || !lengths_are_lawful(&values)) {
        return ethernet ? DHCP4_BAD_OPTION : DHCP4_BAD_HARDWARE;
    }
    take_values(&values, out);
    if (!ethernet) {
        if (!is_query_answer(out->type)) {
            return DHCP4_BAD_HARDWARE;
        }
        out->chaddr = (struct mac){0};
    }
    return judge(out);
}

/* ---- encode ---- */

/*
 * RFC 2131 table 5. What it lets a client add, it adds only where a real one does:
 * no option 50 in DISCOVER; nothing but 53, 54, 50 and 61 in DECLINE and RELEASE,
 * where `secs` is zero as well.
 */
static const struct intent_rule {
    const char *name;
    uint8_t type;
    bool ciaddr, requested_ip, server_id;
    bool secs_and_parameters;
} intent_rules[DHCP4_INTENT_COUNT] = {
    /* clang-format off */
    /*                                              ciaddr 50     54     secs 55 57 60 */
    [DHCP4_DISCOVER] = {"discover", DHCP4_TYPE_DISCOVER, false, false, false, true},
    [DHCP4_REQUEST]  = {"request",  DHCP4_TYPE_REQUEST,  false, true,  true,  true},
    [DHCP4_RENEW]    = {"renew",    DHCP4_TYPE_REQUEST,  true,  false, false, true},
    [DHCP4_REBIND]   = {"rebind",   DHCP4_TYPE_REQUEST,  true,  false, false, true},
    [DHCP4_REBOOT]   = {"reboot",   DHCP4_TYPE_REQUEST,  false, true,  false, true},
    [DHCP4_DECLINE]  = {"decline",  DHCP4_TYPE_DECLINE,  false, true,  true,  false},
    [DHCP4_RELEASE]  = {"release",  DHCP4_TYPE_RELEASE,  true,  false, true,  false},
    [DHCP4_INFORM]   = {"inform",   DHCP4_TYPE_INFORM,   true,  false, false, true},
    [DHCP4_QUERY]    = {"query",    DHCP4_TYPE_LEASEQUERY, true, false, false, false},
    /* clang-format on */
};

/* Of no client: no hardware, no option 61, and options of its own. */
static bool is_anonymous(const struct intent_rule *rule)
{
    return rule->type == DHCP4_TYPE_LEASEQUERY;
}

static void write_header(struct byte_writer *w, const struct intent_rule *rule, struct ipv4 giaddr,
                         struct dhcp4_template *t)
{
    static const struct ipv4 none;
    byte_write_u8(w, OP_REQUEST);
    byte_write_u8(w, is_anonymous(rule) ? 0 : HTYPE_ETHERNET);
    byte_write_u8(w, is_anonymous(rule) ? 0 : MAC_BYTES);
    /* hops: we are one relay; what it asks itself was not forwarded */
    byte_write_u8(w, inet_is_zero(giaddr) || is_anonymous(rule) ? 0 : 1);
    t->xid_at = (uint16_t)w->at;
    byte_write_u32(w, 0);
    t->secs_at = rule->secs_and_parameters ? (uint16_t)w->at : 0;
    byte_write_u16(w, 0);
    /* No broadcast flag: it tells the relay how to reach the client, and we are the relay. */
    byte_write_u16(w, 0);
    t->ciaddr_at = rule->ciaddr ? (uint16_t)w->at : 0;
    byte_write_ipv4(w, none);
    byte_write_ipv4(w, none); /* yiaddr */
    byte_write_ipv4(w, none); /* siaddr */
    byte_write_ipv4(w, giaddr);
    t->chaddr_at = is_anonymous(rule) ? 0 : (uint16_t)w->at;
    byte_write_fill(w, 0, CHADDR_BYTES + SNAME_AND_FILE_BYTES);
    byte_write_u32(w, magic_cookie);
}

static void write_option(struct byte_writer *w, uint8_t code, const void *value, size_t size)
{
    byte_write_u8(w, code);
    byte_write_u8(w, (uint8_t)size);
    byte_write_copy(w, value, size);
}

/* An option of four zero bytes that dhcp4_template_fill() patches; returns where they stand. */
static uint16_t write_address_option(struct byte_writer *w, uint8_t code)
{
    write_option(w, code, (const uint8_t[4]){0}, 4);
    return (uint16_t)(w->at - 4);
}

/* RFC 4388 6.3: what the answer is to tell; the holder's identity above all. */
static void write_query_options(struct byte_writer *w, const struct intent_rule *rule)
{
    static const uint8_t wanted[] = {DHCP_OPTION_LEASE_TIME, DHCP_OPTION_CLIENT_ID,
                                     DHCP_OPTION_LAST_TRANSACTION};
    write_option(w, DHCP_OPTION_MESSAGE_TYPE, &rule->type, 1);
    write_option(w, DHCP_OPTION_PARAMETERS, wanted, sizeof(wanted));
}

static void write_client_options(struct byte_writer *w, const struct intent_rule *rule,
                                 const struct dhcp4_profile *profile, struct dhcp4_template *t)
{
    write_option(w, DHCP_OPTION_MESSAGE_TYPE, &rule->type, 1);
    if (rule->server_id) {
        t->server_id_at = write_address_option(w, DHCP_OPTION_SERVER_ID);
    }
    if (rule->requested_ip) {
        t->requested_ip_at = write_address_option(w, DHCP_OPTION_REQUESTED_IP);
    }
    if (profile->sends_client_id) {
        write_option(w, DHCP_OPTION_CLIENT_ID, (const uint8_t[1 + MAC_BYTES]){HTYPE_ETHERNET},
                     1 + MAC_BYTES);
        t->client_id_at = (uint16_t)(w->at - MAC_BYTES);
    }
    if (!rule->secs_and_parameters) {
        return;
    }
    if (profile->max_message_bytes > 0) {
        uint8_t bytes[2];
        bytes_put_u16(bytes, profile->max_message_bytes);
        write_option(w, DHCP_OPTION_MAX_MESSAGE, bytes, sizeof(bytes));
    }
    size_t vendor_bytes = strnlen(profile->vendor_class, DHCP4_VENDOR_CLASS_MAX);
    if (vendor_bytes > 0) {
        write_option(w, DHCP_OPTION_VENDOR_CLASS, profile->vendor_class, vendor_bytes);
    }
    if (profile->parameter_count > 0) {
        write_option(w, DHCP_OPTION_PARAMETERS, profile->parameters, profile->parameter_count);
    }
}

static size_t suboption_bytes(uint8_t value_bytes)
{
    return value_bytes > 0 ? 2U + value_bytes : 0;
}

/* RFC 3046 2.1: the relay's option is the last one before the end. */
static void write_relay_option(struct byte_writer *w, const struct dhcp4_relay_part *relay)
{
    enum { CIRCUIT_ID = 1, REMOTE_ID = 2 };
    size_t size =
        suboption_bytes(relay->circuit_id_bytes) + suboption_bytes(relay->remote_id_bytes);
    if (size == 0) {
        return;
    }
    byte_write_u8(w, DHCP_OPTION_RELAY_INFO);
    byte_write_u8(w, (uint8_t)size);
    if (relay->circuit_id_bytes > 0) {
        write_option(w, CIRCUIT_ID, relay->circuit_id, relay->circuit_id_bytes);
    }
    if (relay->remote_id_bytes > 0) {
        write_option(w, REMOTE_ID, relay->remote_id, relay->remote_id_bytes);
    }
}

bool dhcp4_template_make(enum dhcp4_intent intent, const struct dhcp4_profile *profile,
                         const struct dhcp4_relay_part *relay, struct dhcp4_template *out)
{
    assert(intent < DHCP4_INTENT_COUNT);

    if (profile->parameter_count > DHCP4_PARAMETERS_MAX ||
        suboption_bytes(relay->circuit_id_bytes) + suboption_bytes(relay->remote_id_bytes) >
            OPTION_MAX) {
        return false;
    }
    struct dhcp4_template t = {0};
    struct byte_writer w = byte_writer_over(t.bytes, sizeof(t.bytes));
    const struct intent_rule *rule = &intent_rules[intent];
    write_header(&w, rule, relay->giaddr, &t);
    if (is_anonymous(rule)) {
        write_query_options(&w, rule);
    } else {
        write_client_options(&w, rule, profile, &t);
    }
    if (!inet_is_zero(relay->giaddr) && !is_anonymous(rule)) {
        write_relay_option(&w, relay);
    }
    byte_write_u8(&w, DHCP_OPTION_END);
    if (w.at < DHCP4_MIN_BYTES) {
        byte_write_fill(&w, DHCP_OPTION_PAD, DHCP4_MIN_BYTES - w.at);
    }
    if (!w.ok) {
        return false;
    }
    t.size = (uint16_t)w.at;
    *out = t;
    return true;
}

static void patch(uint8_t *out, uint16_t at, const void *value, size_t size)
{
    if (at != 0) {
        memcpy(out + at, value, size);
    }
}

void dhcp4_template_fill(const struct dhcp4_template *t, const struct dhcp4_fill *f, uint8_t *out)
{
    memcpy(out, t->bytes, t->size);
    bytes_put_u32(out + t->xid_at, f->xid);
    if (t->secs_at != 0) {
        bytes_put_u16(out + t->secs_at, f->secs);
    }
    patch(out, t->chaddr_at, f->chaddr.byte, MAC_BYTES);
    patch(out, t->client_id_at, f->chaddr.byte, MAC_BYTES);
    patch(out, t->ciaddr_at, &f->ciaddr.be, sizeof(f->ciaddr.be));
    patch(out, t->requested_ip_at, &f->requested_ip.be, sizeof(f->requested_ip.be));
    patch(out, t->server_id_at, &f->server_id.be, sizeof(f->server_id.be));
}

/* ---- names and the captured profile ---- */

/*
 * Captured on Debian 12 from isc-dhcp-client 4.4.3-P1-2 with the dhclient.conf of the package:
 * `dhclient -4 -1 -d -sf /bin/true eth0` in a network namespace, against dhcpd in another, and
 * `tcpdump udp port 67 or udp port 68` between them. DISCOVER, REQUEST, RENEW carry this option
 * 55 and option 12 (host name: left out, a server with DDNS would write it into a zone); no 57,
 * 60 or 61; RELEASE carries 53, 54 and 12; every message is padded to 300 bytes.
 */
const struct dhcp4_profile dhcp4_profile_dhclient = {
    .parameters = {DHCP_OPTION_SUBNET_MASK, DHCP_OPTION_BROADCAST, DHCP_OPTION_TIME_OFFSET,
                   DHCP_OPTION_ROUTER, DHCP_OPTION_DOMAIN_NAME, DHCP_OPTION_DOMAIN_SERVER,
                   DHCP_OPTION_DOMAIN_SEARCH, DHCP_OPTION_HOSTNAME,
                   DHCP_OPTION_NETBIOS_NAME_SERVERS, DHCP_OPTION_NETBIOS_SCOPE, DHCP_OPTION_MTU,
                   DHCP_OPTION_CLASSLESS_ROUTES, DHCP_OPTION_NTP_SERVERS},
    .parameter_count = 13,
};

const char *dhcp4_intent_name(enum dhcp4_intent intent)
{
    assert(intent < DHCP4_INTENT_COUNT);
    return intent_rules[intent].name;
}

const char *dhcp4_error_name(enum dhcp4_error e)
{
    static const char *const names[DHCP4_ERROR_COUNT] = {
        [DHCP4_OK] = "ok",
        [DHCP4_TRUNCATED] = "truncated",
        [DHCP4_NOT_A_REPLY] = "not-a-reply",
        [DHCP4_BAD_HARDWARE] = "bad-hardware",
        [DHCP4_BAD_COOKIE] = "bad-cookie",
        [DHCP4_BAD_OPTION] = "bad-option",
        [DHCP4_NO_TYPE] = "no-type",
        [DHCP4_BAD_ADDRESS] = "bad-address",
        [DHCP4_NO_SERVER_ID] = "no-server-id",
        [DHCP4_NO_LEASE_TIME] = "no-lease-time",
    };
    assert(e < DHCP4_ERROR_COUNT);
    return names[e];
}
