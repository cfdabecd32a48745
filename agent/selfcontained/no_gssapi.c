/* SPDX-License-Identifier: MIT */
/*
 * GSSAPI for leaseherd-agent-static: there is none. ZeroMQ's archive can speak Kerberos if asked
 * to, and Kerberos cannot be linked statically on Debian. We never ask, since every connection of
 * ours is CURVE (common/link.c), so these functions are never called; should one be, it says
 * "unavailable", and ZeroMQ refuses the connection.
 */
#include <gssapi/gssapi.h>
#include <stddef.h>

gss_OID GSS_C_NT_USER_NAME = NULL;
gss_OID GSS_C_NT_HOSTBASED_SERVICE = NULL;

static OM_uint32 unavailable(OM_uint32 *minor)
{
    *minor = 0;
    return GSS_S_UNAVAILABLE;
}

/* Nothing was ever made, so nothing is left to give back. */
static OM_uint32 nothing_to_release(OM_uint32 *minor)
{
    *minor = 0;
    return GSS_S_COMPLETE;
}

OM_uint32 gss_acquire_cred(OM_uint32 *minor, gss_name_t name, OM_uint32 time, gss_OID_set mechs,
                           gss_cred_usage_t usage, gss_cred_id_t *out, gss_OID_set *out_mechs,
                           OM_uint32 *out_time)
{
    (void)name, (void)time, (void)mechs, (void)usage, (void)out, (void)out_mechs, (void)out_time;
    return unavailable(minor);
}

OM_uint32 gss_init_sec_context(OM_uint32 *minor, gss_cred_id_t cred, gss_ctx_id_t *context,
                               gss_name_t target, gss_OID mech, OM_uint32 flags, OM_uint32 time,
                               gss_channel_bindings_t bindings, gss_buffer_t in, gss_OID *out_mech,
                               gss_buffer_t out, OM_uint32 *out_flags, OM_uint32 *out_time)
{
    (void)cred, (void)context, (void)target, (void)mech, (void)flags, (void)time, (void)bindings;
    (void)in, (void)out_mech, (void)out, (void)out_flags, (void)out_time;
    return unavailable(minor);
}

OM_uint32 gss_accept_sec_context(OM_uint32 *minor, gss_ctx_id_t *context, gss_cred_id_t cred,
                                 gss_buffer_t in, gss_channel_bindings_t bindings,
                                 gss_name_t *out_name, gss_OID *out_mech, gss_buffer_t out,
                                 OM_uint32 *out_flags, OM_uint32 *out_time,
                                 gss_cred_id_t *out_delegated)
{
    (void)context, (void)cred, (void)in, (void)bindings, (void)out_name, (void)out_mech;
    (void)out, (void)out_flags, (void)out_time, (void)out_delegated;
    return unavailable(minor);
}

OM_uint32 gss_import_name(OM_uint32 *minor, gss_buffer_t in, gss_OID type, gss_name_t *out)
{
    (void)in, (void)type, (void)out;
    return unavailable(minor);
}

OM_uint32 gss_display_name(OM_uint32 *minor, gss_name_t name, gss_buffer_t out, gss_OID *out_type)
{
    (void)name, (void)out, (void)out_type;
    return unavailable(minor);
}

OM_uint32 gss_wrap(OM_uint32 *minor, gss_ctx_id_t context, int is_confidential, gss_qop_t qop,
                   gss_buffer_t in, int *out_confidential, gss_buffer_t out)
{
    (void)context, (void)is_confidential, (void)qop, (void)in, (void)out_confidential, (void)out;
    return unavailable(minor);
}

OM_uint32 gss_unwrap(OM_uint32 *minor, gss_ctx_id_t context, gss_buffer_t in, gss_buffer_t out,
                     int *out_confidential, gss_qop_t *out_qop)
{
    (void)context, (void)in, (void)out, (void)out_confidential, (void)out_qop;
    return unavailable(minor);
}

OM_uint32 gss_delete_sec_context(OM_uint32 *minor, gss_ctx_id_t *context, gss_buffer_t out)
{
    (void)context, (void)out;
    return nothing_to_release(minor);
}

OM_uint32 gss_release_buffer(OM_uint32 *minor, gss_buffer_t buffer)
{
    (void)buffer;
    return nothing_to_release(minor);
}

OM_uint32 gss_release_cred(OM_uint32 *minor, gss_cred_id_t *cred)
{
    (void)cred;
    return nothing_to_release(minor);
}

OM_uint32 gss_release_name(OM_uint32 *minor, gss_name_t *name)
{
    (void)name;
    return nothing_to_release(minor);
}
