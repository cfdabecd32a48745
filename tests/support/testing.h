/* SPDX-License-Identifier: MIT */
/* The headers cmocka 1.1 wants, in the order it wants them. */
#pragma once
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
