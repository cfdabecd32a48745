/* SPDX-License-Identifier: MIT */
/* libFuzzer target: dhcp4_decode_reply(), and with it dhcp_option_next() and the joining of values.
 */
#include "proto/dhcp4.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dhcp4_reply r;
    enum dhcp4_error e = dhcp4_decode_reply(data, size, &r);

    assert(memchr(r.message, '\0', sizeof(r.message)) != NULL);
    if (e != DHCP4_OK) {
        assert(dhcp4_error_name(e) != NULL);
        return 0;
    }
    /* What the agent relies on without looking again. */
    bool offers = r.type == DHCP4_TYPE_OFFER;
    bool gives = offers || (r.type == DHCP4_TYPE_ACK && !inet_is_zero(r.yiaddr));
    assert(r.type != DHCP4_TYPE_NONE);
    assert(!gives || (r.has_lease && r.has_server_id && !inet_is_zero(r.yiaddr)));
    assert(r.type != DHCP4_TYPE_NAK || r.has_server_id);
    return 0;
}
