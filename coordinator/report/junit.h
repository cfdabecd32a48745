/* SPDX-License-Identifier: MIT */
/*
 * report.junit.xml: the run as continuous-integration systems read it. A test
 * case per judgement, one per check of the accounting, and the verdict.
 *
 * A missed judgement is a `failure`. What could not be judged, books that do not
 * add up and a verdict that says nothing about the servers are an `error`, which
 * every such system shows as not passed; `skipped` would be shown as fine. Pure.
 */
#pragma once

#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"

/* 0 or -errno. */
NODISCARD int report_write_junit(const struct result *r, FILE *out);
