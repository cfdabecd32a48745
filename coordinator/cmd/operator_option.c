/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/operator_option.h"

#include <string.h>

#include "common/sign.h"
#include "coordinator/cmd/cmd.h"

void operator_option_row(struct option_row *row)
{
    *row = (struct option_row){.name = "--operator-key",
                               .value = "FILE",
                               .help = "signs the plan; made by `leaseherd keys operator`"};
}

/* How many characters of the path stand before the ".pub" of a public half; 0: it is none. */
static int public_stem(const char *path)
{
    static const char suffix[] = ".pub";
    size_t length = strlen(path), tail = sizeof(suffix) - 1;
    return length > tail && strcmp(path + length - tail, suffix) == 0 ? (int)(length - tail) : 0;
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
        int stem = public_stem(row->text);
        return stem > 0 ? cmd_usage_error(command, "%s is the public half; name %.*s.key",
                                          row->text, stem, row->text)
                        : cmd_usage_error(command, "%s", why);
    }
    return CMD_PASS;
}
