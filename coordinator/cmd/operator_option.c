/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/operator_option.h"

#include "common/sign.h"
#include "coordinator/cmd/cmd.h"

void operator_option_row(struct option_row *row)
{
    *row = (struct option_row){.name = "--operator-key",
                               .value = "FILE",
                               .help = "signs the plan; made by `leaseherd keys operator`"};
}

int operator_option_read(const char *command, const struct option_row *row, struct run_options *out)
{
    char why[SIGN_WHY_BYTES];
    out->signer = NULL;
    if (out->is_local) {
        return row->is_given ? cmd_usage_error(command, "--operator-key goes with --agents; "
                                                        "--local signs with a key of its own")
                             : CMD_PASS;
    }
    if (!row->is_given) {
        return cmd_usage_error(command,
                               "agents on other hosts take signed plans only: add --operator-key "
                               "FILE, as made by leaseherd keys operator NAME --keys DIR");
    }
    if (sign_key_read(row->text, &out->signer, why) < 0) {
        return cmd_usage_error(command, "%s", why);
    }
    return CMD_PASS;
}
