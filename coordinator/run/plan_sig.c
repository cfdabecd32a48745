/* SPDX-License-Identifier: MIT */
#include "coordinator/run/plan_sig.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/key_file.h"
#include "coordinator/run/run_dir.h"
#include "proto/plan_seal.h"

enum { FILE_BYTES_MAX = 512 };

static const char heading[] = "leaseherd-plan-signature 1";

int plan_sig_write(const char *run_dir, const struct plan_sig *sig, char why[PLAN_SIG_WHY_BYTES])
{
    char key[SIGN_PUBLIC_TEXT_BYTES], signature[SIGN_SIGNATURE_TEXT_BYTES], text[FILE_BYTES_MAX];
    sign_public_to_text(sig->operator_key, key);
    sign_signature_to_text(sig->signature, signature);
    int size =
        snprintf(text, sizeof(text), "%s\noperator %s\nsignature %s\n", heading, key, signature);
    return run_dir_write(run_dir, "plan.sig", text, (size_t)size, why);
}

/* What follows "WORD " on the next line; NULL when it is another line. */
static const char *take(char **text, const char *word)
{
    const char *line = strsep(text, "\n");
    size_t length = strlen(word);
    bool is_it = line != NULL && strncmp(line, word, length) == 0 && line[length] == ' ';
    return is_it ? line + length + 1 : NULL;
}

static bool parse(char *text, struct plan_sig *out)
{
    const char *line = strsep(&text, "\n");
    if (line == NULL || strcmp(line, heading) != 0) {
        return false;
    }
    const char *key = take(&text, "operator");
    const char *signature = take(&text, "signature");
    return key != NULL && signature != NULL && text != NULL && *text == '\0' &&
           sign_public_from_text(key, out->operator_key) &&
           sign_signature_from_text(signature, out->signature);
}

int plan_sig_read(const char *run_dir, const uint8_t *plan, size_t plan_bytes, struct plan_sig *out,
                  char why[PLAN_SIG_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES], text[FILE_BYTES_MAX], reason[KEY_WHY_BYTES];
    int rc = key_file_read(run_dir_path(run_dir, "plan.sig", path), KEY_FILE_PUBLIC, text,
                           sizeof(text), reason);
    if (rc < 0) {
        (void)snprintf(why, PLAN_SIG_WHY_BYTES, "%s", reason);
        return rc;
    }
    if (!parse(text, out)) {
        (void)snprintf(why, PLAN_SIG_WHY_BYTES,
                       "%s is not a signature as a run writes it; no agent will take its plan",
                       path);
        return -EBADMSG;
    }
    if (!sign_is_good(out->operator_key, PLAN_SIGN_DOMAIN, plan, plan_bytes, out->signature)) {
        (void)snprintf(why, PLAN_SIG_WHY_BYTES,
                       "%s does not belong to the plan.bin beside it; no agent will take that plan",
                       path);
        return -EBADMSG;
    }
    return 0;
}
