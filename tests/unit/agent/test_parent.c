/* SPDX-License-Identifier: MIT */
/* Whose end is the end of an agent. */
#include "tests/support/testing.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/edge/parent.h"

enum { BOUND = 1, HAS_SIGNAL = 2, HAS_VARIABLE = 4 };

/* What a child finds that was told `parent`; "": the truth; NULL: nothing. */
static int of_child(const char *parent)
{
    pid_t own = getpid();
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char text[32];
        int number = 0;
        (void)snprintf(text, sizeof(text), "%ld", (long)own);
        (void)unsetenv(PARENT_VARIABLE);
        if (parent != NULL) {
            (void)setenv(PARENT_VARIABLE, parent[0] != '\0' ? parent : text, 1);
        }
        int found = parent_bind_life() ? BOUND : 0;
        (void)prctl(PR_GET_PDEATHSIG, &number);
        found |= number == SIGKILL ? HAS_SIGNAL : 0;
        found |= getenv(PARENT_VARIABLE) != NULL ? HAS_VARIABLE : 0;
        _exit(found);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void who_is_not_the_parent_is_told_apart(void **state)
{
    static const char *const wrong[] = {"1", "0", "-1", "x", " ", "99999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(of_child(wrong[i]) & (BOUND | HAS_VARIABLE), 0);
    }
}

static void its_end_is_the_childs(void **state)
{
    (void)state;
    assert_int_equal(of_child(""), BOUND | HAS_SIGNAL);
}

static void without_a_word_the_agent_is_on_its_own(void **state)
{
    (void)state;
    assert_int_equal(of_child(NULL), BOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_the_parent_is_told_apart),
        cmocka_unit_test(its_end_is_the_childs),
        cmocka_unit_test(without_a_word_the_agent_is_on_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
