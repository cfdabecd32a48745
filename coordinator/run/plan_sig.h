/* SPDX-License-Identifier: MIT */
/*
 * RUN/plan.sig: the operator's signature of RUN/plan.bin, as text:
 * "leaseherd-plan-signature 1", "operator BASE64", "signature BASE64". With both files a
 * run can be resumed without the operator's key. Edge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/sign.h"

enum { PLAN_SIG_WHY_BYTES = 1400 };

struct plan_sig {
    uint8_t operator_key[SIGN_PUBLIC_BYTES];
    uint8_t signature[SIGN_SIGNATURE_BYTES];
};

/* 0 or -errno with one sentence in `why`. */
NODISCARD int plan_sig_write(const char *run_dir, const struct plan_sig *sig,
                             char why[PLAN_SIG_WHY_BYTES]);

/* Also refused (-EBADMSG): a signature that is not of these bytes, those of plan.bin. */
NODISCARD int plan_sig_read(const char *run_dir, const uint8_t *plan, size_t plan_bytes,
                            struct plan_sig *out, char why[PLAN_SIG_WHY_BYTES]);
