/* SPDX-License-Identifier: MIT */
/* The command line of leaseherd-reflector. */
#pragma once

#include "tests/bench/reflector_model.h"

struct reflector_options {
    struct reflector_config config;
    struct reflector_model model;
    bool is_modelled; /* any option of the model was given */
};

/* NULL, or what is wrong. */
const char *reflector_options_parse(int argc, char **argv, struct reflector_options *out);
extern const char reflector_usage[];
