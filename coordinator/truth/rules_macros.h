/* SPDX-License-Identifier: MIT */
/* Conditions as the tables of rules write them: WHEN(renewals_lost, AT_LEAST, 10). */
#pragma once

#include "common/attrs.h"
#include "coordinator/truth/rules.h"

#define WHEN(name, op, limit)                                                                      \
    {                                                                                              \
        FACT_##name, op, limit, 0, FACT_ABSENT                                                     \
    }
/* fact OP factor * other */
#define WHEN_OF(name, op, factor, other)                                                           \
    {                                                                                              \
        FACT_##name, op, 0, factor, FACT_##other                                                   \
    }
/* clang-format off */
#define RULE(id, severity, side, scope, form) \
    id, SEVERITY_##severity, SIDE_##side, SCOPE_##scope, FORM_##form
/* clang-format on */
